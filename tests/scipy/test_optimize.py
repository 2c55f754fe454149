"""Solvers of scipy.optimize: their derivatives, pytrees, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.optimize as so

import fgrad
from fgrad.errors import TracerConversionError
from fgrad.scipy import optimize

from .. import laws, laws_of_vmap
from ..examples.row import Operand, P, R, row

X = np.array([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0]])
Y = np.array([1.0, 2.0, 3.0])
T = np.array([0.0, 0.5, 1.0, 2.0])


def kepler(mean, eccentricity):
    """The eccentric anomaly, of which the mean anomaly is E - e sin E."""

    def f(E, mean, eccentricity):
        return E - eccentricity * np.sin(E) - mean

    return optimize.root(f, mean, (mean, eccentricity), tol=1e-14).x


def ridge(strength, y):
    def loss(w):
        return np.sum((X @ w["w"] - y) ** 2) + strength * np.sum(w["w"] ** 2)

    return optimize.minimize(loss, {"w": np.zeros(2)}, method="trust-exact", tol=1e-13).x["w"]


def boxed(c, upper):
    """The point nearest to c + 1, in another metric, of which a bound holds one component."""
    metric = np.array([[2.0, 1.0], [1.0, 3.0]])

    def loss(x):
        return (x - c - 1) @ metric @ (x - c - 1)

    bounds = [(None, upper - 4.0), (None, None)]
    return optimize.minimize(loss, np.zeros(2), bounds=bounds, tol=1e-14).x


def projected(c, a):
    """The point nearest to c with x @ a = 1, and x[0] <= 9, which holds nothing."""
    constraints = [
        {"type": "eq", "fun": lambda x, a: x @ a - 1.0, "args": (a,)},
        {"type": "ineq", "fun": lambda x: 9.0 - x[:1]},
    ]
    return optimize.minimize(
        lambda x: np.sum((x - c) ** 2), np.zeros(3), constraints=constraints, tol=1e-14
    ).x


def decay(y, loss):
    def residuals(p):
        return p[0] * np.exp(-p[1] * T) - (2.0 * np.exp(-0.5 * T) + 0.02 * y)

    return optimize.least_squares(
        residuals, [1.9, 0.6], loss=loss, f_scale=0.02, xtol=1e-15, ftol=1e-15, gtol=1e-15
    ).x


ROWS = [
    row(so.root, [R(), Operand((), 0.1, 0.6)], kepler),
    row(so.root, [P(2)], lambda a: optimize.root(
        lambda x: {"u": x["u"] ** 2 - a, "v": x["v"] * x["u"][0] - 1.0},
        {"u": np.ones(2), "v": 1.0}, method="lm", tol=1e-15).x),
    row(so.minimize, [P(), R(3)], ridge),
    row(so.minimize, [R(2), R()], boxed),
    row(so.minimize, [R(3), P(3)], projected),
    row(so.brentq, [P()],
        lambda a: optimize.brentq(lambda x: x**3 - a, 0.0, 4.0, xtol=1e-15)),
    row(so.nnls, [R(4, 3), R(4)], lambda a, b: optimize.nnls(a + 3 * np.eye(4, 3), b)),
    row(so.newton, [P()], lambda a: optimize.newton(lambda x: x**3 - a, 1.0, tol=1e-15)),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_laws_of_solutions(row):
    laws.first_order(row)
    laws.second_order(row)
    laws.staging(row)
    laws_of_vmap.batching(row)
    laws_of_vmap.batched_derivatives(row)


def central(f, x, step=1e-3):
    def difference(h):
        return np.stack([(f(x + h * u) - f(x - h * u)) / (2 * h) for u in np.eye(x.size)], axis=-1)

    return (4 * difference(step / 2) - difference(step)) / 3


# ------------------------------------------------------------------ closed forms
def test_ridge_is_the_closed_form():
    def exact(s, y):
        return np.linalg.solve(X.T @ X + s * np.eye(2), X.T @ y)

    for i in (0, 1):
        np.testing.assert_allclose(
            fgrad.jacrev(ridge, i)(0.7, Y), fgrad.jacrev(exact, i)(0.7, Y), rtol=1e-10
        )
    total = [lambda s, f=f: np.sum(f(s, Y)) for f in (ridge, exact)]
    np.testing.assert_allclose(fgrad.hessian(total[0])(0.7), fgrad.hessian(total[1])(0.7))


@pytest.mark.parametrize(
    "method",
    ["BFGS", "CG", "Newton-CG", "L-BFGS-B", "TNC", "SLSQP", "dogleg", "trust-ncg", "trust-krylov",
     "trust-exact", "trust-constr", "Nelder-Mead", "Powell", "COBYLA"],
)  # fmt: skip
def test_all_methods_find_a_minimum_with_the_same_derivative(method):
    def solution(s):
        return optimize.minimize(
            lambda w: np.sum((X @ w - Y) ** 2) + s * np.sum(w**2), np.zeros(2), method=method,
            tol=1e-10,
        ).x  # fmt: skip

    exact = -np.linalg.solve(X.T @ X + np.eye(2), solution(1.0))
    np.testing.assert_allclose(fgrad.jacfwd(solution)(1.0), exact, rtol=1e-5)


@pytest.mark.parametrize("method", ["SLSQP", "trust-constr"])
def test_a_projection_is_the_closed_form(method):
    a = np.array([1.0, 2.0, 0.5])

    def solution(c):
        on = so.NonlinearConstraint(lambda x: x @ a, 1.0, 1.0)
        inside = so.NonlinearConstraint(
            lambda x: [x[1], x[0]], [-9.0, -9.0], 9.0, keep_feasible=method == "trust-constr"
        )
        return optimize.minimize(
            lambda x: np.sum((x - c) ** 2), np.zeros(3), method=method, tol=1e-11,
            constraints=[on, inside, so.LinearConstraint(np.eye(3), -50.0, 50.0)],
        ).x  # fmt: skip

    exact = np.eye(3) - np.outer(a, a) / (a @ a)
    np.testing.assert_allclose(fgrad.jacrev(solution)(np.array([2.0, 1, 2])), exact, atol=1e-7)


def test_bounds_hold_their_unknowns_and_move_them():
    def solution(c, b):
        bounds = ({"u": -np.inf, "v": b}, {"u": b, "v": np.inf})
        return optimize.minimize(
            lambda x: np.sum((x["u"] - c) ** 2) + np.sum((x["v"] - c) ** 2),
            {"u": np.zeros(2), "v": np.full(2, 9.0)}, bounds=bounds, tol=1e-12,
        ).x  # fmt: skip

    c = np.array([2.0, 0.5])
    by_c, by_b = fgrad.jacrev(solution, (0, 1))(c, 1.0)["u"]
    np.testing.assert_allclose(by_c, [[0.0, 0.0], [0.0, 1.0]], atol=1e-12)
    np.testing.assert_allclose(by_b, [1.0, 0.0], atol=1e-12)
    by_b = fgrad.jacfwd(solution, 1)(c, 1.0)["v"]
    np.testing.assert_allclose(by_b, [0.0, 1.0], atol=1e-12)
    fixed = optimize.minimize(lambda x: np.sum(x**2), np.ones(2), bounds=so.Bounds(1.0, 1.0))
    np.testing.assert_array_equal(fixed.x, 1.0)
    for pair in (lambda b: (b, b), lambda b: (b, None)):  # at 0 the bound only just holds

        def held(b, pair=pair):
            return optimize.minimize(lambda x: x**2, 1.0, bounds=[pair(b)]).x

        assert fgrad.grad(held)(0.0) == 1.0


@pytest.mark.parametrize("loss", ["linear", "soft_l1", "huber", "cauchy", "arctan"])
def test_least_squares_with_each_loss(loss):
    y = np.array([1.0, -2.0, 2.5, -0.5])
    want = central(lambda y: decay(y, loss), y, 0.02)
    np.testing.assert_allclose(fgrad.jacrev(decay)(y, loss), want, atol=3e-5)
    np.testing.assert_allclose(
        fgrad.jacfwd(decay)(y, loss), fgrad.jacrev(decay)(y, loss), atol=1e-12
    )
    ours = optimize.least_squares(lambda p: p**2 - y, np.ones(4), loss=loss)
    theirs = so.least_squares(lambda p: p**2 - y, np.ones(4), loss=loss)
    np.testing.assert_allclose(ours.cost, theirs.cost, rtol=1e-6)


def test_least_squares_with_bounds_and_pytrees():
    def solution(y, b):
        result = optimize.least_squares(
            lambda p, y: {"r": p["a"] * T + p["c"] - y}, {"a": 0.0, "c": 0.5}, args=(y,),
            bounds=({"a": -9.0, "c": b}, np.inf),
        )  # fmt: skip
        assert np.shape(result.fun) == (4,)
        return result.x

    y = np.array([0.0, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(fgrad.jacrev(solution)(y, 0.4)["a"], T / (T @ T), atol=1e-9)
    slope = fgrad.grad(lambda b: solution(y, b)["a"])(0.4)
    np.testing.assert_allclose(slope, -np.sum(T) / (T @ T))
    assert fgrad.grad(lambda b: solution(y, b)["c"])(0.4) == 1.0


def test_curve_fit_is_scipys():
    def f(x, a, b):
        return a * np.exp(-b * x)

    y, sigma = f(T, 2.0, 0.7) + 0.1 * np.cos(9 * T), 0.1 + 0.1 * T
    for given in (None, sigma, np.diag(sigma**2) + 0.001):
        for ours, theirs in zip(
            optimize.curve_fit(f, T, y, sigma=given), so.curve_fit(f, T, y, sigma=given),
            strict=True,
        ):  # fmt: skip
            np.testing.assert_allclose(ours, theirs, rtol=1e-5)
    tight = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}

    def covariance(y):
        return np.ravel(optimize.curve_fit(f, T, y, sigma=sigma, **tight)[1])

    np.testing.assert_allclose(fgrad.jacrev(covariance)(y), central(covariance, y), atol=1e-7)


def test_roots_and_minima_of_one_number():
    for method in ("brentq", "brenth", "bisect", "ridder", "toms748"):
        find = getattr(optimize, method)
        assert abs(find(lambda x: x**2 - 2, 0.0, 2.0) - np.sqrt(2)) < 1e-11
        slope = fgrad.grad(lambda a, find=find: find(lambda x, a: x**2 - a, 0.0, 4.0, (a,)))(4.0)
        assert abs(slope - 0.25) < 1e-10
    for more in ({"x1": 2.0}, {"fprime2": True}, {"fprime": lambda x: 2 * x}, {}):
        if "fprime2" in more:
            more = {"fprime2": lambda x: 2.0}
        slope = fgrad.grad(lambda a, m=more: optimize.newton(lambda x: x**2 - a, 1.0, **m))(4.0)
        assert abs(slope - 0.25) < 1e-9
    halley = optimize.root_scalar(lambda x: x**2 - 4.0, x0=1.0, method="halley")
    assert halley.converged
    assert abs(halley.root - 2) < 1e-12
    assert optimize.brentq(lambda x: x, -1.0, 1.0, full_output=True)[1].converged
    grads = [
        fgrad.grad(lambda a, k=k: optimize.minimize_scalar(lambda x: (x - a**2) ** 2, **k).x)(2.0)
        for k in ({}, {"bounds": (0.0, 9.0)}, {"bracket": (0.0, 1.0)}, {"method": "golden"})
    ]
    np.testing.assert_allclose(grads, 4.0, rtol=1e-5)
    at_bound = fgrad.grad(
        lambda b: optimize.minimize_scalar(lambda x: (x - 3.0) ** 2, bounds=(0.0, b)).x
    )
    assert at_bound(1.5) == 1.0


def test_a_solution_within_a_solution():
    def inner(w, c):
        return optimize.minimize(lambda x: (x - w * c) ** 2 + x**4, 0.5, tol=1e-13).x

    def outer(c):
        return optimize.root(lambda w: inner(w, c) - 1.0, 1.0, tol=1e-13).x

    np.testing.assert_allclose(outer(2.0), 1.5)  # 2 (1 - w c) + 4 = 0
    np.testing.assert_allclose(fgrad.grad(outer)(2.0), -0.75)
    np.testing.assert_allclose(fgrad.grad(fgrad.grad(outer))(2.0), 0.75)


# ------------------------------------------------------------------ what comes out
def test_plain_data_give_scipys_result():
    def rosen(x):
        return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    start = np.array([1.3, 0.7, 0.8])
    ours = optimize.minimize(rosen, start, method="BFGS")
    theirs = so.minimize(so.rosen, start, method="BFGS", jac=so.rosen_der)
    np.testing.assert_allclose(ours.x, theirs.x, atol=1e-5)
    assert set(ours) == set(theirs)
    assert ours.nfev == ours.njev
    ours = optimize.root(lambda x: [x[0] * x[1] - 1, x[0] - 2], [1, 1])
    np.testing.assert_allclose(ours.x, [2.0, 0.5])
    assert ours.success
    assert optimize.fsolve(lambda x: x**2 - 4.0, 1.0) == pytest.approx(2.0)


def test_leaves_keep_their_kinds():
    tree = {"a": np.zeros(2, np.float32), "b": 0.0, "c": np.float64(0), "d": 1j}

    def loss(x):
        assert x["a"].dtype == np.float64
        return np.sum((x["a"] - 1) ** 2) + (x["b"] - 2) ** 2 + x["c"] ** 2 + np.abs(x["d"] - 2) ** 2

    result = optimize.minimize(loss, tree)
    assert result.x["a"].dtype == np.float32
    assert [type(result.x[k]) for k in "bcd"] == [float, np.float64, complex]
    assert abs(result.x["d"] - 2) < 1e-6
    assert result.jac["a"].shape == (2,)
    z = optimize.root(lambda z: z**2 + 1, 1 + 1j).x
    assert abs(z - 1j) < 1e-9
    slope = fgrad.grad(lambda a: np.imag(optimize.root(lambda z: z**2 + a, 1 + 1j).x))(4.0)
    assert abs(slope - 0.25) < 1e-9


@pytest.mark.parametrize("method", ["L-BFGS-B", "BFGS", "CG", "SLSQP", "TNC"])
@pytest.mark.parametrize("jac", [None, True])
def test_the_function_runs_once_for_each_point(method, jac):
    runs = []

    def f(x, a):
        runs.append(1)
        return np.sum(100 * (x["a"][1:] - x["a"][:-1] ** 2) ** 2 + (a - x["a"][:-1]) ** 2)

    def both(x, a):
        return fgrad.value_and_grad(f)(x, a)

    start = {"a": np.zeros(4)}
    ours = optimize.minimize(both if jac else f, start, 1.0, method=method, jac=jac)
    np.testing.assert_allclose(ours.x["a"], 1.0, rtol=1e-3)
    assert len(runs) <= ours.nfev + 2  # of the value and of its gradient, to see what they read
    runs.clear()
    optimize.minimize(f, start, 1.0, method="Nelder-Mead", options={"maxfev": 20})
    assert len(runs) <= 21


def test_derivatives_of_ones_own():
    calls = []

    def gradient(x, a):
        calls.append("jac")
        return {"u": 2 * (x["u"] - a)}

    def loss(x, a):
        return np.sum((x["u"] - a) ** 2)

    start = {"u": np.zeros(2)}
    own = optimize.minimize(loss, start, 3.0, jac=gradient).x["u"]
    both = optimize.minimize(lambda x, a: (loss(x, a), gradient(x, a)), start, 3.0, jac=True).x
    np.testing.assert_allclose([own, both["u"]], 3.0)
    assert calls
    x = optimize.minimize(
        loss, start, 3.0, method="trust-exact", jac=gradient, hess=lambda x, a: 2 * np.eye(2)
    ).x
    np.testing.assert_allclose(x["u"], 3.0)
    x = optimize.minimize(loss, start, 3.0, method="trust-ncg",
                          hessp=lambda x, p, a: {"u": 2 * p["u"]}).x  # fmt: skip
    np.testing.assert_allclose(x["u"], 3.0)
    assert optimize.minimize(lambda x: x**2, 1.0, jac="2-point").success
    assert optimize.root(lambda x: x**2 - 4, 1.0, jac=lambda x: 2 * x).x == pytest.approx(2)
    assert optimize.root(lambda x: (x**2 - 4, 2 * x), 1.0, jac=True).x == pytest.approx(2)
    fit = optimize.least_squares(lambda x: x - 2, np.ones(2), lambda x: np.eye(2))
    np.testing.assert_allclose(fit.x, 2)
    slope = fgrad.grad(lambda a: optimize.minimize(loss, start, (a,), jac=gradient).x["u"][0])(3.0)
    assert slope == pytest.approx(1.0)


def test_callbacks_see_pytrees():
    seen = []
    optimize.minimize(lambda x: x["u"] ** 2, {"u": 1.0}, callback=lambda x: seen.append(x["u"]))

    def told(intermediate_result):
        seen.append(intermediate_result.x["u"])

    optimize.minimize(lambda x: x["u"] ** 2, {"u": 1.0}, callback=told)
    optimize.root(
        lambda x: {"u": x["u"] - 2}, {"u": 1.0}, method="broyden1",
        callback=lambda x, f: seen.append(x["u"]),
    )  # fmt: skip
    assert len(seen) >= 3
    assert all(type(u) in (float, np.float64) for u in seen)


def test_values_may_be_asked_for_where_they_come_in_args():
    def f(x, a):
        return x - a if x > 0 else x + a

    assert fgrad.grad(lambda a: optimize.root(f, 1.0, (a,)).x)(2.0) == 1.0
    with pytest.raises(TracerConversionError, match=r"pass these values in args="):
        fgrad.grad(lambda a: optimize.root(lambda x: f(x, a), 1.0).x)(2.0)


def test_a_method_of_ones_own_gets_derivatives():
    def newton(fun, x, args=(), jac=None, hessp=None, **options):
        assert jac is not None
        for _ in range(3):
            x = x - jac(x) / hessp(x, np.ones(1)) if hessp else x - jac(x) / 2
        return so.OptimizeResult(x=x, fun=fun(x), success=True, jac=jac(x))

    slope = fgrad.grad(lambda a: optimize.minimize(lambda x: (x - a) ** 2, 1.0, method=newton).x)
    assert slope(3.0) == 1.0


def test_units_of_measurement_make_nothing_singular():
    units = np.array([1e-12, 1e12])
    slope = fgrad.jacfwd(lambda a: optimize.root(lambda x: units * (x**2 - a), np.ones(2)).x)
    np.testing.assert_allclose(slope(4.0), 0.25, rtol=1e-6)
