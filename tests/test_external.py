"""Black boxes under every transformation, with rules, with differences, and without either."""

import ctypes
import math

import numpy as np
import pytest
import scipy.linalg

import fgrad
from fgrad import external, grad, hessian, jacfwd, jacrev, jvp, make_graph, vjp, vmap
from fgrad.errors import ArgumentError, DtypeError, NoRuleError, ShapeError, TreeError

X = np.array([0.5, -1.0, 2.0])


def box(p, n):
    """A function that would raise if a traced value came in."""
    w, x = np.array(p["w"], copy=True), float(np.sum(p["x"]))
    return {"y": np.sin(w) * x**n, "n": 3}


def white(p, n):
    return {"y": np.sin(p["w"]) * np.sum(p["x"]) ** n, "n": 3}


P = {"w": X, "x": np.array([0.4, 0.6])}
RULES = {
    "numeric": {"numeric": True},
    "jvp": {
        "jvp": lambda ans, p, t: {
            "y": np.cos(p[0]["w"]) * np.sum(p[0]["x"]) ** p[1] * t[0]["w"]
            + np.sin(p[0]["w"]) * p[1] * np.sum(p[0]["x"]) ** (p[1] - 1) * np.sum(t[0]["x"]),
            "n": None,
        }
    },
    "vjp": {
        "vjp": lambda ans, p, g: (
            {
                "w": np.cos(p[0]["w"]) * np.sum(p[0]["x"]) ** p[1] * g["y"],
                "x": np.sum(np.sin(p[0]["w"]) * g["y"]) * p[1]
                * np.sum(p[0]["x"]) ** (p[1] - 1) * np.ones(2),
            },
            None,
        )
    },
}  # fmt: skip
RULES["both"] = RULES["jvp"] | RULES["vjp"]


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
def test_all_modes(rules):
    f = external(box, **rules)

    def h(p):
        return f(p, 2)["y"]

    def k(p):
        return white(p, 2)["y"]

    np.testing.assert_array_equal(h(P), k(P))
    assert f(P, 2)["n"] == 3
    for jac in (jacfwd, jacrev):
        got, want = jac(h)(P), jac(k)(P)
        for name in P:
            np.testing.assert_allclose(got[name], want[name], rtol=1e-9, atol=1e-9)
    tangent = {"w": X, "x": np.ones(2)}
    np.testing.assert_allclose(jvp(h, (P,), (tangent,))[1], jvp(k, (P,), (tangent,))[1], rtol=1e-9)
    ws = np.stack([X, 2 * X])
    for transform in (
        lambda h: vmap(lambda w: h({**P, "w": w}))(ws),
        lambda h: vmap(grad(lambda w: np.sum(h({**P, "w": w}) ** 2)))(ws),
        lambda h: grad(lambda ws: np.sum(vmap(lambda w: h({**P, "w": w}))(ws) ** 2))(ws),
        lambda h: make_graph(lambda w: h({**P, "w": w}))(X)(2 * X),
        lambda h: make_graph(grad(lambda w: np.sum(h({**P, "w": w}) ** 2)))(X)(2 * X),
    ):
        np.testing.assert_allclose(transform(h), transform(k), rtol=1e-8)
    got, want = (hessian(lambda w, h=h: np.sum(h({**P, "w": w}) ** 2))(X) for h in (h, k))
    np.testing.assert_allclose(got, want, atol=1e-3 if "numeric" in rules else 1e-9)


def test_a_c_library_and_scipy():
    cos = ctypes.CDLL(None).cos
    cos.restype, cos.argtypes = ctypes.c_double, [ctypes.c_double]
    f = external(lambda x: cos(float(x)), vjp=lambda ans, p, g: (-np.sin(p[0]) * g,))
    assert f(0.5) == math.cos(0.5)
    assert grad(f)(0.5) == -math.sin(0.5)
    assert grad(grad(f))(0.5) == -math.cos(0.5)
    np.testing.assert_array_equal(vmap(grad(f))(X), -np.sin(X))

    A = np.random.default_rng(0).normal(size=(3, 3))
    expm = external(scipy.linalg.expm, numeric=True)
    direction = np.eye(3)[::-1]
    want = scipy.linalg.expm_frechet(A, direction)[1]
    np.testing.assert_allclose(jvp(expm, (A,), (direction,))[1], want, rtol=1e-8)
    np.testing.assert_allclose(
        vjp(expm, A)[1](direction)[0], scipy.linalg.expm_frechet(A.T, direction)[1], rtol=1e-8
    )


@pytest.mark.parametrize("x", [1e8, 1.0, 0.0, -3e5])
def test_differences_of_large_and_small_numbers(x):
    f = external(lambda x: x * x + 1, numeric=True)
    assert grad(f)(x) == pytest.approx(2 * x, rel=1e-9, abs=1e-9)
    assert grad(f)(np.float32(x)) == pytest.approx(2 * x, rel=1e-3, abs=1e-3)
    assert grad(f)(np.float32(x)).dtype == np.float32


def test_without_a_rule():
    f = external(box)
    np.testing.assert_array_equal(f(P, 2)["y"], white(P, 2)["y"])
    assert vmap(lambda w: f({**P, "w": w}, 2)["y"])(np.stack([X, X])).shape == (2, 3)
    for call in (
        lambda: grad(lambda p: f(p, 2)["y"].sum())(P),
        lambda: jacfwd(lambda p: f(p, 2))(P),
    ):
        with pytest.raises(NoRuleError, match=r"box has no derivative(.|\n)*numeric=True"):
            call()
    np.testing.assert_array_equal(
        grad(lambda w: np.sum(f(fgrad.stop_gradient({**P, "w": w}), 2)["y"]) + w.sum())(X), 1.0
    )


def test_what_it_returns_is_checked():
    f = external(lambda x: x[:2], result_shape=np.empty(2))
    np.testing.assert_array_equal(f(X), X[:2])
    assert vmap(f)(np.empty((0, 3))).shape == (0, 2)
    with pytest.raises(ShapeError, match=r"wants to be told its result's shape"):
        vmap(external(lambda x: x))(np.empty((0, 3)))
    with pytest.raises(ShapeError, match=r"float64 of shape \(2,\)\.(.|\n)*correct result_shape"):
        f(X[:1])
    with pytest.raises(ShapeError, match="float64 of shape"):
        f(X.astype(np.float32))
    with pytest.raises(TreeError, match="return what result_shape says"):
        external(lambda x: x, result_shape={"y": np.empty(2)})(X)
    with pytest.raises(DtypeError, match="return arrays in pytrees"):
        external(lambda x: "spam")(X)
    with pytest.raises(DtypeError, match=r"complex one moves(.|\n)*jvp= or vjp="):
        jvp(external(lambda z: z, numeric=True), (X + 1j,), (X + 0j,))
    with pytest.raises(ArgumentError, match=r"tuple with a cotangent(.|\n)*return \(ct,\)"):
        grad(external(np.sum, vjp=lambda ans, p, g: g * np.ones(3)))(X)
