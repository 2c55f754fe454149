"""What the transformations take and give: JAX's signatures, and keyword calls besides."""

import functools
from collections import OrderedDict, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgrad import (
    checkpoint,
    grad,
    jacobian,
    jvp,
    linearize,
    make_graph,
    tree,
    value_and_grad,
    vjp,
    vmap,
)
from fgrad.errors import ArgumentError, DtypeError, ShapeError, TreeError
from fgrad.rules import Deferred

X = np.array([1.0, 2.0, 3.0])
Point = namedtuple("Point", "x y")


@tree.dataclass
class Layer:
    w: object
    b: object


def f(x, y, z=2.0, *, scale=1.0):
    return np.sum(x * y**2 * z) * scale


# ------------------------------------------------------------------ argnums and argnames
def test_argnums():
    args = (X, 2.0, 3.0)
    gx, gy, gz = np.full(3, 12.0), 72.0, 24.0
    np.testing.assert_array_equal(grad(f)(*args), gx)
    assert grad(f, 1)(*args) == gy
    assert grad(f, argnums=-1)(*args) == gz
    assert grad(f, argnums=(1,))(*args) == (gy,)
    assert grad(f, argnums=(2, 1))(*args) == (gz, gy)
    assert grad(f, argnums=[1, -1])(*args) == (gy, gz)
    assert grad(f, argnums=np.int64(1))(*args) == gy


def test_argnames_and_keyword_calls():
    assert grad(f, argnames="y")(X, 2.0) == 48.0
    assert grad(f, argnames="y")(X, y=2.0) == 48.0
    assert grad(f, argnames="scale")(X, 2.0, scale=1.0) == 48.0
    assert grad(f, argnames=("scale", "z"))(X, 2.0, z=1.0, scale=3.0) == (24.0, 72.0)
    assert grad(f, argnums=1, argnames="z")(X, 2.0, 1.0) == (24.0, 24.0)
    assert grad(f, argnums=1)(X, y=2.0) == 48.0
    np.testing.assert_array_equal(grad(f)(x=X, y=1.0), np.full(3, 2.0))
    assert grad(lambda **kw: kw["a"] ** 2, argnames="a")(a=3.0) == 6.0


@pytest.mark.parametrize(
    ("kwargs", "args", "call", "text"),
    [
        ({"argnums": 5}, (X, 2.0), {}, "argnums 5 in a call with 2 positional arguments"),
        ({"argnums": -3}, (X, 2.0), {}, "argnums -3"),
        ({"argnames": "z"}, (X, 2.0), {}, "left at its default is not differentiated"),
        ({"argnames": "w"}, (X, 2.0), {"z": 1.0}, "argnames 'w'.* and the keywords z"),
        ({"argnums": (0, 0)}, (X, 2.0), {}, "each argument chosen once"),
        ({"argnums": (1, -1)}, (X, 2.0), {}, "each argument chosen once"),
        ({"argnums": 0, "argnames": "x"}, (X, 2.0), {}, "each argument chosen once"),
    ],
)
def test_arguments_that_are_not_there(kwargs, args, call, text):
    with pytest.raises(ArgumentError, match=text):
        grad(f, **kwargs)(*args, **call)


@pytest.mark.parametrize("kwargs", [{"argnums": "x"}, {"argnums": 1.5}, {"argnums": True}])
def test_argnums_of_another_type(kwargs):
    with pytest.raises(ArgumentError, match=r"argnums as an integer or several(.|\n)*argnames"):
        grad(f, **kwargs)
    with pytest.raises(ArgumentError, match="argnames as a string"):
        grad(f, argnames=3 and (3,))


def test_methods_partials_and_callable_objects():
    class Model:
        def loss(self, w, x):
            return np.sum(w * x)

        def __call__(self, w):
            return np.sum(w**2)

    np.testing.assert_array_equal(grad(Model().loss, argnames="w")(X, x=2.0), np.full(3, 2.0))
    np.testing.assert_array_equal(grad(Model())(X), 2 * X)
    assert grad(functools.partial(f, X), argnums=0)(2.0) == 48.0
    assert grad(functools.partial(f, y=2.0), argnames="y")(X, y=1.0) == 24.0
    assert grad(np.tanh)(0.0) == 1.0
    assert grad(f).__name__ == "f"
    assert vmap(f).__name__ == "f"


# ------------------------------------------------------------------ has_aux, holomorphic, allow_int
def test_aux_may_hold_anything():
    def loss(x):
        y = x * 2
        return np.sum(y), {"y": y, "name": "spam", "none": None, "f": len, "n": [1, (y > 2, {1})]}

    (value, aux), g = value_and_grad(loss, has_aux=True)(X)
    np.testing.assert_array_equal(aux["y"], 2 * X)
    assert (value, aux["name"], aux["none"], aux["f"]) == (12.0, "spam", None, len)
    assert list(aux) == ["y", "name", "none", "f", "n"]
    assert type(aux["y"]) is np.ndarray
    np.testing.assert_array_equal(aux["n"][1][0], [False, True, True])
    g2, aux2 = grad(loss, has_aux=True)(X)
    np.testing.assert_array_equal(g, g2)
    assert aux2["n"][1][1] == {1}
    y, pullback, aux = vjp(loss, X, has_aux=True)
    assert aux["name"] == "spam"
    np.testing.assert_array_equal(pullback(1.0)[0], g)
    y, t, aux = jvp(loss, (X,), (X,), has_aux=True)
    assert (y, t, aux["name"]) == (12.0, 12.0, "spam")
    assert type(aux["y"]) is np.ndarray


def test_aux_of_a_nested_gradient_is_differentiated_outside():
    def outer(x):
        g, aux = grad(lambda y: (np.sum(y**3), y * x), has_aux=True)(x)
        return np.sum(g) + np.sum(aux)

    np.testing.assert_allclose(grad(outer)(X), 6 * X + 2 * X)


def test_holomorphic():
    z = 0.3 + 0.4j
    assert grad(np.sin, holomorphic=True)(z) == pytest.approx(np.cos(z))
    assert grad(lambda z: np.abs(z) ** 2)(z) == pytest.approx(2 * np.conj(z))
    assert grad(lambda z: z.imag)(z) == -1j


def test_allow_int():
    p = {"a": X, "b": [1, "s", np.arange(3), True, None], "c": 2.0}
    g = grad(lambda p: p["a"].sum() * p["c"] * p["b"][0], allow_int=True)(p)
    assert g["b"] == [None] * 5
    assert g["c"] == 6.0
    np.testing.assert_array_equal(g["a"], np.full(3, 2.0))
    assert grad(lambda n: 1.0, allow_int=True)(3) is None


def test_integer_leaves_are_named():
    p = {"a": X, "b": [1, "s"], "c": np.arange(3)}
    text = (
        r"1 \(an int\) at \['b'\]\[0\]; 's' \(a str\) at \['b'\]\[1\]; "
        r"an int64 array of shape \(3,\) at \['c'\]\n.*astype\(float\).*allow_int=True"
    )
    with pytest.raises(DtypeError, match=text):
        grad(lambda p: 1.0)(p)
    with pytest.raises(DtypeError, match="and 6 more"):
        grad(lambda p: 1.0)(list(range(10)))
    with pytest.raises(DtypeError, match=r"at \[1\](.|\n)*capture it"):
        vjp(lambda x, n: x, X, 3)
    with pytest.raises(DtypeError, match="None for its tangent"):
        jvp(lambda x: x, (3,), (1.0,))


# ------------------------------------------------------------------ vjp and jvp
def test_vjp_of_trees():
    def g(p, q):
        return {"s": p["a"] * q, "t": (np.sum(p["b"]), 3.0)}

    y, pullback = vjp(g, {"a": X, "b": np.ones((2, 2))}, 2.0)
    ct = {"t": (5.0, 1.0), "s": np.ones(3)}  # in another order
    cp, cq = pullback(ct)
    np.testing.assert_array_equal(cp["a"], np.full(3, 2.0))
    np.testing.assert_array_equal(cp["b"], np.full((2, 2), 5.0))
    assert cq == 6.0
    assert list(cp) == ["a", "b"]
    again = pullback(ct)
    np.testing.assert_array_equal(again[0]["b"], cp["b"])
    assert again[0]["b"] is not cp["b"]
    assert repr(pullback).startswith("<pullback of `g` (")
    assert y["t"] == (4.0, 3.0)


def test_vjp_takes_keywords_that_are_not_differentiated():
    _, pullback = vjp(f, X, 2.0, z=1.0, scale=np.float64(3.0))
    assert len(pullback(1.0)) == 2


def test_vjp_of_integer_results():
    (_, n), pullback = vjp(lambda x: (x * 2, x.argmax()), X)
    assert n == 2
    for nothing in (None, 0, np.int64(0)):
        np.testing.assert_array_equal(pullback((X, nothing))[0], 2 * X)


@pytest.mark.parametrize(
    ("ct", "error", "text"),
    [
        ({"a": X}, TreeError, r"structure(.|\n)*at \['b'\]: key missing"),
        ({"a": X, "b": (1.0,)}, TreeError, r"\['b'\]"),
        ({"a": np.ones(2), "b": (1.0, 1.0)}, ShapeError, r"shape \(3,\) at \['a'\]"),
        ({"a": None, "b": (1.0, 1.0)}, ShapeError, r"None is no zero"),
        ({"a": X, "b": (np.float32(1), 1.0)}, DtypeError, r"float64 at \['b'\]\[0\](.|\n)*astype"),
        ({"a": X, "b": (1j, 1.0)}, DtypeError, r"real cotangent at \['b'\]\[0\]"),
        ({"a": X * 1j, "b": (1.0, 1.0)}, DtypeError, r"dtype float64 at \['a'\]"),
        ({"a": "spam", "b": (1.0, 1.0)}, ShapeError, "'spam'"),
        ({"a": [1.0, 2.0, 3.0], "b": (1.0, 1.0)}, ShapeError, "a list of 3"),
    ],
)
def test_cotangents_that_do_not_fit(ct, error, text):
    _, pullback = vjp(lambda x: {"a": x, "b": (np.sum(x), x[0])}, X)
    with pytest.raises(error, match=text):
        pullback(ct)
    pullback({"a": X, "b": (1.0, 1)})


@pytest.mark.parametrize(
    ("primals", "tangents", "error", "text"),
    [
        ((X,), X, ArgumentError, r"tangents as a tuple(.|\n)*float64 array(.|\n)*\(tangent,\)"),
        (X, (X,), ArgumentError, r"primals as a tuple(.|\n)*\(primal,\)"),
        ((X,), (X, X), ArgumentError, "1 primals and 2 tangents"),
        (({"a": X},), ({"b": X},), TreeError, r"\[0\]\['a'\]: key missing"),
        (([X, X],), ([X],), TreeError, r"at \[0\]: a list of 1"),
        (([X, X],), ([X, X[:2]],), ShapeError, r"shape \(3,\) at \[0\]\[1\](.|\n)*\(2,\)"),
        ((X,), (1.0,), ShapeError, r"np\.zeros\(\(3,\), np\.float64\)"),
        ((X,), (X.astype(np.float32),), DtypeError, r"dtype float64 at \[0\](.|\n)*astype"),
        ((X,), (np.arange(3),), DtypeError, "int64"),
        ((1.0,), (1j,), DtypeError, "real tangent"),
        ((3,), (1.0,), DtypeError, "3 "),
        (("a",), ("b",), DtypeError, "'a'"),
    ],
)
def test_tangents_that_do_not_fit(primals, tangents, error, text):
    with pytest.raises(error, match=text):
        jvp(lambda x: x, primals, tangents)


def test_jvp_of_integers_and_strings_beside():
    y, t = jvp(lambda x, n, s: x * n, (X, 3, "mode"), (X, None, None))
    np.testing.assert_array_equal(y, 3 * X)
    np.testing.assert_array_equal(t, 3 * X)


@pytest.mark.parametrize("bad", [None, "spam", {"a": [1.0, object()]}])
def test_results_that_are_no_arrays(bad):
    for call in (lambda: vjp(lambda x: bad, X), lambda: jvp(lambda x: bad, (X,), (X,))):
        with pytest.raises(DtypeError, match=r"returns arrays in pytrees(.|\n)*has_aux=True"):
            call()


# ------------------------------------------------------------------ trees, by hypothesis
def frozen(children):
    return st.dictionaries(st.text("zyxab", min_size=1, max_size=3), children, max_size=3)


shapes = st.sampled_from([(), (0,), (3,), (2, 1)])
arrays = st.builds(
    lambda shape, seed, dtype: np.random.default_rng(seed).normal(size=shape).astype(dtype),
    shapes, st.integers(0, 99), st.sampled_from([np.float32, np.float64, np.complex64]),
)  # fmt: skip
numbers = st.floats(-2, 2) | st.builds(np.float32, st.integers(-3, 3))
trees = st.recursive(
    arrays | numbers | st.none(),
    lambda kids: (
        st.lists(kids, max_size=3)
        | st.lists(kids, max_size=3).map(tuple)
        | frozen(kids)
        | frozen(kids).map(OrderedDict)
        | frozen(kids).map(tree.FrozenDict)
        | st.builds(Point, kids, kids)
        | st.builds(Layer, kids, kids)
    ),
    max_leaves=8,
)


def sum_of_squares(p):
    total = 0.0
    for x in tree.leaves(p):
        total = total + np.sum(np.real(x * np.conj(x)))
    return total


def check_twice(p, g):
    assert tree.structure(g) == tree.structure(p)
    for x, d in zip(tree.leaves(p), tree.leaves(g), strict=True):
        assert type(d) is type(x)
        assert getattr(d, "dtype", None) == getattr(x, "dtype", None)
        np.testing.assert_allclose(d, 2 * np.conj(x), rtol=1e-5)


@given(trees, st.booleans())
def test_the_gradient_of_the_sum_of_squares(p, freeze):
    p = tree.freeze(p) if freeze else p
    check_twice(p, grad(sum_of_squares)(p))
    if tree.leaves(p):
        y, pullback = vjp(sum_of_squares, p)
        check_twice(p, pullback(np.ones_like(y))[0])
        check_twice(p, pullback(np.ones_like(y))[0])
        _, t = jvp(sum_of_squares, (p,), (p,))
        np.testing.assert_allclose(t, 2 * y, rtol=1e-4)
        graph = make_graph(sum_of_squares)(p)
        np.testing.assert_allclose(graph(p), y)


@given(trees.filter(tree.leaves), st.integers(1, 3))
def test_a_batch_of_trees(p, size):
    batch = tree.map(lambda x: np.stack([np.asarray(x) * k for k in range(size)]), p)
    out = vmap(lambda p: tree.map(lambda x: x * 2, p))(batch)
    assert tree.structure(out) == tree.structure(batch)
    for x, y in zip(tree.leaves(batch), tree.leaves(out), strict=True):
        np.testing.assert_array_equal(y, 2 * x)
        assert y.dtype == x.dtype


def test_many_elements_of_one_array_are_added_once(monkeypatch):
    """n times x[i] moves n parts of the cotangent, not n**2."""
    moved = []
    add = Deferred.__add__

    def counted(self, other):
        moved.append(len(other.parts) if isinstance(other, Deferred) else 0)
        return add(self, other)

    monkeypatch.setattr(Deferred, "__add__", counted)
    n = 50
    gradient = grad(lambda x: sum(x[i] * i for i in range(n)))(np.ones(n))
    np.testing.assert_array_equal(gradient, np.arange(n))
    assert sum(moved) < n


@pytest.mark.parametrize("nothing", [(), [], {"a": None}], ids=str)
def test_a_function_may_return_no_arrays(nothing):
    x = np.ones(3)
    assert jvp(lambda x: nothing, (x,), (x,)) == (nothing, nothing)
    value, pullback = vjp(lambda x: nothing, x)
    assert value == nothing
    np.testing.assert_array_equal(pullback(nothing)[0], np.zeros(3))
    assert linearize(lambda x: nothing, x)[1](x) == nothing
    assert jacobian(lambda x: nothing)(x) == nothing
    assert vmap(lambda x: jvp(lambda x: nothing, (x,), (x,)))(np.ones((2, 3)))[0] == nothing
    both = jvp(lambda x: (checkpoint(lambda x: nothing)(x), x * x)[1], (x,), (x,))
    np.testing.assert_array_equal(both[1], 2 * x)


def test_a_function_that_forgets_to_return_is_refused():
    with pytest.raises(DtypeError, match=r"returns arrays in pytrees(.|\n)*It got: None"):
        jvp(lambda x: None, (1.0,), (1.0,))
