"""`custom_gradient`: a rule that comes with the value, in every mode."""

import numpy as np
import pytest

from fgrad import (
    checkpoint,
    custom_gradient,
    grad,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    make_graph,
    scan,
    vjp,
    vmap,
    while_loop,
)
from fgrad.errors import ArgumentError, EscapedTracerError, ShapeError, TracerConversionError

X = np.array([0.0, 1.0, 2.0])


@custom_gradient
def ours(x):
    e = np.exp(x)
    return np.log(1 + e), lambda g: g * (1 - 1 / (1 + e))


def plain(x):
    return np.log(1 + np.exp(x))


def scanned(f):
    return lambda c: scan(lambda c, x: (f(c * x), None), c, X)[0]


MODES = {
    "value": lambda f: f(X),
    "grad": lambda f: grad(lambda x: np.sum(f(x)))(X),
    "jvp": lambda f: jvp(f, (X,), (X,))[1],
    "third derivative": lambda f: grad(grad(grad(f)))(1.0),
    "jacfwd": lambda f: jacfwd(f)(X),
    "jacrev": lambda f: jacrev(f)(X),
    "hessian": lambda f: hessian(lambda x: np.sum(f(x) ** 2))(X),
    "vmap": lambda f: vmap(grad(f))(X),
    "vmap with a shared operand": lambda f: grad(
        lambda w: np.sum(vmap(lambda x: f(w) * f(w * x))(X)))(2.0),
    "graph": lambda f: make_graph(grad(f))(1.0)(2.0),
    "graph of vmap": lambda f: make_graph(vmap(grad(f)))(X)(2 * X),
    "grad of graph": lambda f: grad(make_graph(f)(1.0))(2.0),
    "scan": lambda f: grad(scanned(f))(1.0),
    "graph of scan": lambda f: make_graph(grad(scanned(f)))(1.0)(2.0),
    "grad of graph of scan": lambda f: grad(make_graph(scanned(f))(1.0))(2.0),
    "while": lambda f: vmap(grad(lambda c: while_loop(lambda c: c < 3, lambda c: f(c) + 1, c)))(X),
    "checkpoint": lambda f: grad(checkpoint(lambda x: f(x) * x))(2.0),
    "float32": lambda f: grad(lambda x: np.sum(f(x)))(X.astype(np.float32)),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_as_without_a_rule(mode):
    got, want = MODES[mode](ours), MODES[mode](plain)
    np.testing.assert_allclose(got, want, rtol=1e-6 if mode == "float32" else 1e-9)
    assert np.asarray(got).dtype == np.asarray(want).dtype


def test_the_rule_is_the_one_given():
    clipped = custom_gradient(lambda x: (x * x, lambda g: np.clip(g * 2 * x, -1.0, 1.0)))
    assert grad(clipped)(3.0) == 1.0
    np.testing.assert_array_equal(vmap(grad(clipped))(X), [0.0, 1.0, 1.0])


def test_each_call_has_its_own_rule():
    """What a rule closes over, plain numbers too, is that of its own call, in loops as well."""

    @custom_gradient
    def f(x):
        known = np.array(x) if isinstance(x, (float, np.floating)) else None
        factor = 1.0 if known is None else known
        return x + 1.0, lambda g: g * factor * 1.0

    assert grad(lambda x: f(f(x)))(2.0) == 6.0
    graph = make_graph(lambda c: scan(lambda c, _: (f(c), None), c, None, 3)[0])(1.0)
    assert grad(graph)(2.0) == 2.0 * 3.0 * 4.0


def test_trees():
    @custom_gradient
    def f(p, n):
        a, c = p["a"], np.array([1.0, 2.0])
        return {"y": a * n, "i": 3}, lambda g: ({"a": g["y"] * n * c, "b": None}, None)

    p = {"a": np.ones(2), "b": np.zeros(3)}
    out, pullback = vjp(f, p, 2.0)
    assert out["i"] == 3
    dp, dn = pullback({"y": np.ones(2), "i": None})
    np.testing.assert_array_equal(dp["a"], [2.0, 4.0])
    np.testing.assert_array_equal(dp["b"], np.zeros(3))
    assert dn == 0.0
    np.testing.assert_array_equal(f(p, n=3.0)["y"], [3.0, 3.0])
    rows = vmap(grad(lambda p, n: np.sum(f(p, n)["y"])), (None, 0))(p, np.array([1.0, 2.0]))
    np.testing.assert_array_equal(rows["a"], [[1.0, 2.0], [2.0, 4.0]])


@pytest.mark.parametrize(
    ("f", "kind", "text"),
    [
        (lambda x: x, ArgumentError, r"return a pair(.|\n)*return y, lambda ct"),
        (lambda x: (x, lambda g: (g, g)), ArgumentError, "a tuple of 2, for 1 arguments"),
        (lambda x: (x, lambda g: np.ones(3)), ShapeError, r"cotangent of shape \(\)"),
        (lambda x: (x, lambda g: g if g > 0 else -g), TracerConversionError,
         "rule of <lambda> that doesn't ask for values"),
    ],
)  # fmt: skip
def test_errors(f, kind, text):
    with pytest.raises(kind, match=text):
        grad(custom_gradient(f))(1.0)


def test_closing_over_what_is_differentiated_is_an_error():
    with pytest.raises(TracerConversionError, match="closes over"):
        grad(lambda w: custom_gradient(lambda x: (w * x, lambda g: g))(w * 1.0))(3.0)
    with pytest.raises(EscapedTracerError):
        grad(lambda w: custom_gradient(lambda x: (x, lambda g: g * w))(w * 1.0))(3.0)
