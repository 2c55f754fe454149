"""`closure_convert` and `named_scope`."""

from __future__ import annotations

import threading

import numpy as np
import pytest

import fgrad
from fgrad import closure_convert, errors, grad, make_graph, named_scope, vmap


# ------------------------------------------------------------------ closure_convert
def test_what_is_closed_over_becomes_an_argument():
    def loss(a, b):
        f, hoisted = closure_convert(lambda x: {"y": np.sin(a * x["u"]) + b}, {"u": 1.0})
        assert len(hoisted) == 2
        return f({"u": 3.0}, *hoisted)["y"]

    want = grad(lambda a, b: np.sin(3 * a) + b, (0, 1))(2.0, 1.0)
    np.testing.assert_allclose(grad(loss, (0, 1))(2.0, 1.0), want)
    got = vmap(grad(loss, (0, 1)), (0, None))(np.array([2.0, 2.0]), 1.0)
    np.testing.assert_allclose(got[0], [want[0]] * 2)


def test_a_custom_rule_differentiates_in_what_was_closed_over():
    # Minimize (x - a)^2 + x^4 by Newton's method; the derivative is by the implicit function.
    @fgrad.custom_vjp
    def solve(x, *rest):
        return x

    def minimum(objective, x):
        f, rest = closure_convert(objective, x)
        slope = grad(f)

        @fgrad.custom_vjp
        def solve(x, *rest):
            for _ in range(30):
                x = x - slope(x, *rest) / grad(slope)(x, *rest)
            return x

        def forward(x, *rest):
            y = solve(x, *rest)
            return y, (y, rest)

        def backward(residuals, g):
            y, rest = residuals
            scale = -g / grad(slope)(y, *rest)
            cross = [grad(slope, k + 1)(y, *rest) for k in range(len(rest))]
            return (None, *(scale * c for c in cross))

        solve.defvjp(forward, backward)
        return solve(x, *rest)

    def solution(a):
        return minimum(lambda x: (x - a) ** 2 + x**4, 0.5)

    step = 1e-5
    want = (solution(1.3 + step) - solution(1.3 - step)) / (2 * step)
    np.testing.assert_allclose(grad(solution)(1.3), want, 1e-8)


def test_untraced_values_stay_in_the_function():
    c = np.ones(2)
    f, hoisted = closure_convert(lambda x: x * c, np.ones(2))
    assert hoisted == []
    c[:] = 7
    np.testing.assert_array_equal(f(np.array([2.0, 3.0])), [2.0, 3.0])


REFUSED = [
    (lambda: closure_convert(3), errors.ArgumentError, "closure_convert wants a function"),
    (lambda: closure_convert(np.sin, "a"), errors.DtypeError, "pytrees of arrays as example_args"),
    (lambda: closure_convert(lambda x: x if x > 0 else -x, 1.0), errors.TracerConversionError,
     "don't ask for values"),
    (lambda: closure_convert(lambda x: "a", 1.0), errors.DtypeError, "return arrays in pytrees"),
    (lambda: closure_convert(np.sin, 1.0)[0](), errors.TreeError, "followed by the hoisted"),
    (lambda: closure_convert(np.sin, 1.0)[0](1.0, 2.0), errors.TreeError, "followed by the"),
    (lambda: closure_convert(np.sin, 1.0)[0](np.ones(2)), errors.GraphError, "as its input a"),
    (lambda: named_scope(3).__enter__(), errors.ArgumentError, "named_scope wants a name"),
    (lambda: named_scope("").__enter__(), errors.ArgumentError, "named_scope wants a name"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "text"), REFUSED)
def test_refused(call, kind, text):
    with pytest.raises(kind, match=text) as caught:
        call()
    assert caught.value.came
    assert caught.value.to_do


# ------------------------------------------------------------------ named_scope
@named_scope("net")
def net(x):
    with named_scope("layer"):
        x = np.tanh(x)
    return x * 2.0


def scopes(graph):
    return [eqn.scope for eqn in graph.equations]


def test_the_graph_shows_names():
    graph = make_graph(net)(1.0)
    assert scopes(graph) == ["net/layer", "net"]
    assert str(graph).splitlines()[1:3] == [
        "  b:f64[] = tanh(a)  # net/layer",
        "  c:f64[] = multiply(b, 2)  # net",
    ]
    assert scopes(make_graph(graph)(1.0)) == scopes(graph)
    assert graph(0.5) == net(0.5)


def test_names_from_outside_of_the_recorded_function_are_not_its():
    with named_scope("outside"):
        graph = make_graph(net)(1.0)
    assert scopes(graph) == ["net/layer", "net"]


def test_names_in_recorded_bodies_and_derivatives():
    def f(x):
        with named_scope("loop"):
            return fgrad.scan(lambda c, a: (net(c * a), c), x, np.ones(2))[0]

    graph = make_graph(f)(1.0)
    assert "net/layer" in str(graph)
    assert graph.equations[0].scope == "loop"
    forward = make_graph(lambda x: fgrad.jvp(net, (x,), (x,)))(1.0)
    assert set(scopes(forward)) == {"net/layer", "net"}


def test_names_end_with_their_scope_and_thread():
    with pytest.raises(ValueError, match="inside"), named_scope("broken"):
        raise ValueError("inside")
    found = []
    with named_scope("here"):
        thread = threading.Thread(target=lambda: found.append(scopes(make_graph(net)(1.0))))
        thread.start()
        thread.join()
    assert found == [["net/layer", "net"]]
    assert scopes(make_graph(np.sin)(1.0)) == [""]
