"""linearize and linear_transpose."""

import numpy as np
import pytest

from fgrad import grad, jacfwd, jvp, linear_transpose, linearize, make_graph, vmap
from fgrad.errors import ArgumentError, DtypeError, ShapeError, TreeError

W = np.random.default_rng(0).normal(size=(3, 3))
X = np.array([0.5, -1.0, 2.0])


def f(p, x):
    return {"y": np.tanh(p["w"] @ x), "s": np.sum(x**2) * p["b"]}


def test_linearize_is_jvp_with_the_function_run_once():
    runs = []

    def counted(p, x):
        runs.append(1)
        return f(p, x)

    p = {"w": W, "b": 1.5}
    value, push = linearize(counted, p, X)
    for k in (1.0, 2.0):
        t = ({"w": k * W, "b": 0.5 * k}, k * X)
        want, tangent = jvp(f, (p, X), t)
        np.testing.assert_array_equal(value["y"], want["y"])
        got = push(*t)
        np.testing.assert_allclose(got["y"], tangent["y"], rtol=1e-14)
        np.testing.assert_allclose(got["s"], tangent["s"], rtol=1e-14)
    assert runs == [1]
    assert "tanh" not in str(push.graph)
    assert repr(push).startswith("<derivative of `counted`")


def test_linearize_with_aux_and_in_other_transformations():
    y, push, aux = linearize(lambda x: (np.sin(x), {"n": 3}), X, has_aux=True)
    assert aux == {"n": 3}
    np.testing.assert_array_equal(y, np.sin(X))
    np.testing.assert_array_equal(vmap(push)(np.eye(3)), np.diag(np.cos(X)))
    np.testing.assert_array_equal(grad(lambda t: push(t) @ X)(X), np.cos(X) * X)

    def g(x):
        return np.sum(linearize(lambda z: np.sin(z) * x, x)[1](np.ones(3)))

    want = grad(lambda x: np.sum(jvp(lambda z: np.sin(z) * x, (x,), (np.ones(3),))[1]))(X)
    np.testing.assert_allclose(grad(g)(X), want)
    np.testing.assert_allclose(vmap(g)(np.stack([X, 2 * X])), [g(X), g(2 * X)])
    np.testing.assert_allclose(make_graph(g)(X)(2 * X), g(2 * X))
    assert linearize(np.sin, 0.5)[1](1.0) == np.cos(0.5)
    assert linearize(lambda x: 3 * x, np.float32(0.5))[1](np.float32(1)).dtype == np.float32
    np.testing.assert_array_equal(linearize(lambda x: X, X)[1](X), 0 * X)


def test_wrong_tangents_are_named():
    _, push = linearize(f, {"w": W, "b": 1.5}, X)
    with pytest.raises(TreeError, match="linearize wants tangents"):
        push({"w": W}, X)
    with pytest.raises(ShapeError, match=r"linearize wants a tangent of shape \(3,\) at \[1\]"):
        push({"w": W, "b": 1.0}, W)
    with pytest.raises(DtypeError, match=r"dtype float64 at \[0\]\['w'\]"):
        push({"w": W.astype(np.float32), "b": 1.0}, X)
    with pytest.raises(DtypeError):
        linearize(np.sin, np.arange(3))


def test_linear_transpose():
    (back,) = linear_transpose(lambda x: W @ x, X)(X)
    np.testing.assert_allclose(back, W.T @ X)
    t = linear_transpose(lambda p: {"a": p[0] + 2 * p[1][::-1], "b": p[0].sum()}, [X, X])
    ((x, y),) = t({"a": X, "b": 3.0})
    np.testing.assert_array_equal(x, X + 3)
    np.testing.assert_array_equal(y, 2 * X[::-1])
    np.testing.assert_allclose(jacfwd(lambda g: linear_transpose(lambda x: W @ x, X)(g)[0])(X), W.T)
    z = linear_transpose(lambda z: 1j * z, X * 1j)(X + 0j)[0]
    np.testing.assert_array_equal(z, 1j * X)
    with pytest.raises(ArgumentError, match="is not 0 at 0"):
        linear_transpose(lambda x: x + 1, X)


@pytest.mark.parametrize(
    "f",
    [np.square, np.abs, np.median, lambda x: x * np.sin(x), lambda x: {"a": x, "b": x[0] * x[1]},
     lambda x: np.maximum(x, 0.0), np.sort, lambda x: x + 1e-3 * x**2],
)  # fmt: skip
def test_what_is_not_linear_is_refused(f):
    with pytest.raises(ArgumentError, match=r"is not linear(.|\n)*by (.|\n)*fgrad\.linearize"):
        linear_transpose(f, X)


def test_what_is_linear_is_not_refused():
    for dtype in (np.float16, np.float32, np.float64, np.complex64):
        x = (1 + np.arange(64)).astype(dtype)
        for f in (
            lambda x: 1e3 * x - 1e3 * x + x, np.fft.fft, lambda x: np.cumsum(x[::-1]),
            lambda x: np.where(np.arange(64) % 2, x, 0), np.conj, lambda x: (x, None),
        ):  # fmt: skip
            linear_transpose(f, x)
    linear_transpose(lambda x: x, np.zeros((0, 3)))
    rows = vmap(lambda w: linear_transpose(lambda x: w * x, X)(X)[0])(np.array([1.0, 2.0]))
    np.testing.assert_array_equal(rows, [X, 2 * X])
    assert make_graph(lambda w: linear_transpose(lambda x: w * x, 1.0)(1.0)[0])(2.0)(3.0) == 3.0
