"""Graphs: what they print, check and compute, alone and under other transformations."""

import re

import numpy as np
import pytest

from fgrad import Graph, at, grad, jvp, make_graph, tree, vmap
from fgrad.arrays import Aval
from fgrad.core import PRIMITIVES
from fgrad.errors import ArgumentError, GraphError, TreeError
from fgrad.graph import Const, Equation, Var

X = np.array([1.0, 2.0, 3.0])


def program(p, x):
    """A bit of everything: captured arrays, numbers, indices, trees."""
    c = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    y = np.tanh(c @ x) * p["scale"] + 2.5
    return {"y": y, "first": x[0] * y[1], "c": c, "n": 3, "x": x}


ARGS = ({"scale": 2.0, "unused": X}, X)


def test_printing():
    graph = make_graph(program)(*ARGS)
    assert str(graph) == repr(graph)
    assert str(graph) == (
        "program(a:f64[], b:f64[3], c:f64[3]):\n"
        "  d:f64[2] = matmul(const:f64[2,3], c)\n"
        "  e:f64[2] = tanh(d)\n"
        "  f:f64[2] = multiply(e, a)\n"
        "  g:f64[2] = add(f, 2.5)\n"
        "  h:f64[] = getitem(c, spec=(0,))\n"
        "  i:f64[] = getitem(g, spec=(1,))\n"
        "  j:f64[] = multiply(h, i)\n"
        "  return g, j, const:f64[2,3], 3, c"
    )
    assert graph.count() == {
        "matmul": 1, "tanh": 1, "multiply": 2, "add": 1, "getitem": 2
    }  # fmt: skip


def test_names_of_dtypes():
    graph = make_graph(lambda *xs: xs)(
        np.float16(1), np.zeros(2, np.complex64), np.zeros((0, 1), bool), np.uint8(3), 1, True
    )
    assert str(graph).startswith(
        "<lambda>(a:f16[], b:c64[2], c:bool[0,1], d:u8[], e:i64[], f:bool[])"
    )


def same(got, want):
    assert tree.structure(got) == tree.structure(want)
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b)


def test_calling_with_other_values():
    graph = make_graph(program)(*ARGS)
    graph.check()
    other = ({"unused": 0 * X, "scale": -1.0}, 3 * X)  # keys in another order
    same(graph(*other), program(*other))
    np.testing.assert_array_equal(graph(*other)["x"], 3 * X)
    named = make_graph(program)(ARGS[0], x=X)
    same(named(other[0], x=3 * X), program(*other))


@pytest.mark.parametrize(
    ("args", "error", "text"),
    [
        (({"scale": 2.0}, X), TreeError, r"program wants(.|\n)*\['unused'\]: key missing"),
        ((X, X), TreeError, "structure it was made for"),
        (ARGS[:1], TreeError, r"make_graph\(f\)\(\*args\)"),
        (({"scale": 2.0, "unused": X}, X[:2]), GraphError, r"input c(.|\n)*shape \(2,\)"),
        (({"scale": 2, "unused": X}, X), GraphError, r"float64 array(.|\n)*2 \(an int\)"),
        (({"scale": 2.0, "unused": X}, X.astype("f4")), GraphError, "float32"),
        (({"scale": "s", "unused": X}, X), GraphError, r"'s' \(a str\)"),
    ],
)
def test_calling_with_what_it_was_not_made_for(args, error, text):
    with pytest.raises(error, match=text):
        make_graph(program)(*ARGS)(*args)


def test_arguments_and_results_must_be_arrays():
    with pytest.raises(ArgumentError, match=r"'mode' \(a str\) at \[0\]\[1\](.|\n)*lambda x: f"):
        make_graph(lambda x, mode: x)(X, "mode")
    with pytest.raises(ArgumentError, match=r"<lambda> to return(.|\n)*'spam' .*at \['a'\]"):
        make_graph(lambda x: {"a": "spam"})(X)
    assert make_graph(lambda x: None)(X)(X) is None


def loss(w, x):
    return np.sum(np.tanh(w * x) ** 2)


def test_graphs_of_transformed_functions():
    w = np.array([0.5, -1.0, 2.0])
    graph = make_graph(grad(loss))(w, X)
    graph.check()
    assert graph.name == "loss"
    np.testing.assert_allclose(graph(2 * w, X), grad(loss)(2 * w, X))
    rows = np.stack([X, 2 * X])
    graph = make_graph(vmap(loss, in_axes=(None, 0)))(w, rows)
    assert graph.count()["tanh"] == 1
    np.testing.assert_allclose(graph(w, 3 * rows), [loss(w, 3 * x) for x in rows])
    graph = make_graph(lambda w, t: jvp(lambda w: loss(w, X), (w,), (t,)))(w, w)
    np.testing.assert_allclose(graph(X, w), jvp(lambda w: loss(w, X), (X,), (w,)))


def test_graphs_under_transformations():
    w = np.array([0.5, -1.0, 2.0])
    graph = make_graph(loss)(w, X)
    np.testing.assert_allclose(grad(graph)(w, X), grad(loss)(w, X))
    np.testing.assert_allclose(vmap(graph)(np.stack([w, X]), np.stack([X, w])), [loss(w, X)] * 2)
    np.testing.assert_allclose(
        grad(lambda w: np.sum(grad(graph)(w, X) ** 2))(w),
        grad(lambda w: np.sum(grad(loss)(w, X) ** 2))(w),
    )
    assert str(make_graph(graph)(w, X)) == str(graph)
    inside = grad(lambda w: make_graph(lambda x: loss(w, x))(X)(2 * X))(w)
    np.testing.assert_allclose(inside, grad(loss)(w, 2 * X))


def test_operations_with_several_answers_and_with_indices():
    def f(x):
        a, b = np.divmod(x, 2)
        c, d, _ = np.split(x, 3)
        return a + b, c * d, at(x)[[0, 0]].add(1.0), x[np.array([2, 0])], np.where(x > 1, x, 0)

    graph = make_graph(f)(X)
    graph.check()
    same(graph(X + 0.5), f(X + 0.5))


def test_what_is_captured_is_a_constant():
    calls = []

    def f(x):
        calls.append(1)
        return x + np.array([1.0, 2.0, 3.0]) * len(calls)

    graph = make_graph(f)(X)
    graph(X)
    assert len(calls) == 1
    constants = [a for e in graph.equations for a in e.operands if isinstance(a, Const)]
    np.testing.assert_array_equal(constants[0].value, [1.0, 2.0, 3.0])


def constants_of(graph):
    return [a.value for e in graph.equations for a in e.operands if isinstance(a, Const)]


@pytest.mark.parametrize("dtype", [np.float64, np.complex64, np.int16, ">f8"])
def test_a_large_constant_is_copied_once(dtype):
    c = np.full((200, 100), 3 if dtype == np.int16 else np.nan).astype(dtype).T
    graph = make_graph(lambda x: (c @ x) + c @ np.cos(x))(np.ones(200))
    first, second = constants_of(graph)
    assert first is second
    assert not np.shares_memory(first, c)


@pytest.mark.parametrize("size", [3, 30_000])  # those of few bytes are copied for each use
@pytest.mark.parametrize("new", [7.0, -0.0, np.nan])
def test_constants_that_change_while_a_graph_is_made_are_those_of_their_time(size, new):
    def f(x):
        c = np.zeros(size)
        y = x * c
        c[-1] = new
        z = x / c
        c.resize((size, 1), refcheck=False)
        return y[-1], z[-1], (x + c[:, 0])[-1]

    with np.errstate(all="ignore"):
        graph = make_graph(f)(np.ones(size))
        same(graph(np.ones(size)), f(np.ones(size)))


# ------------------------------------------------------------------ malformed graphs
def variables(n):
    return [Var(i, Aval((), np.dtype(float))) for i in range(n)]


def malformed():
    a, b, c = variables(3)
    sin, add = PRIMITIVES["sin"], PRIMITIVES["add"]
    one = tree.structure(((1.0,), {}))
    out = tree.structure(1.0)

    def graph(inputs, equations, outputs):
        return Graph("f", inputs, equations, outputs, one, out)

    return {
        "distinct inputs": graph([a, a], [], [a]),
        r"Equation 0 \(sin\)(.|\n)*b:f64\[\]": graph([a], [Equation(sin, (b,), {}, (c,))], [c]),
        r"defined again by equation 1 \(add\)": graph(
            [a], [Equation(sin, (a,), {}, (b,)), Equation(add, (a, b), {}, (b,))], [b]
        ),
        r"outputs that are defined(.|\n)*c:f64": graph([a], [], [c]),
    }


@pytest.mark.parametrize("text", malformed())
def test_check_names_what_is_wrong(text):
    with pytest.raises(GraphError, match=text):
        malformed()[text].check()


# ------------------------------------------------------------------ DOT
def test_dot_is_well_formed():
    def f(x):
        a, b = np.divmod(x, 2)
        return a * b + X, np.ones(2), 3.0

    f.__name__ = 'strange "name"'
    for graph in (make_graph(f)(X), make_graph(program)(*ARGS), make_graph(lambda x: x)(X)):
        dot = graph.to_dot()
        assert dot.startswith("digraph ")
        assert dot.endswith("}")
        body = dot.splitlines()[1:-1]
        string = r'"(?:[^"\\]|\\.)*"'
        attributes = rf"(?: \[\w+=(?:{string}|\w+)(?:, \w+=(?:{string}|\w+))*\])?"
        nodes = set()
        for line in body:
            match = re.fullmatch(rf"  (?:(\w+)( -> (\w+))?{attributes}|rankdir=TB);", line)
            assert match, line
            if match[1] and not match[2]:
                nodes.add(match[1])
        for line in body:
            if " -> " in line:
                assert set(re.match(r"  (\w+) -> (\w+)", line).groups()) <= nodes
        assert len([n for n in nodes if re.fullmatch(r"op\d+", n)]) == len(graph.equations)


def test_python_numbers_stay_weak():
    """A graph made for a Python number gives the dtypes it was recorded with, and the reverse."""
    x = np.ones(2, np.float32)
    weak = make_graph(lambda s: s * x)(2.0)
    strong = make_graph(lambda s: s * x)(np.float64(2.0))
    for s in (3.0, np.float64(3.0), np.array(3.0)):
        assert weak(s).dtype == np.float32
        assert strong(s).dtype == np.float64
