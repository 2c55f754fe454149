"""Integrals of functions and differential equations: derivatives, pytrees, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.integrate as si
import scipy.linalg

import fgrad
from fgrad.errors import (
    ArgumentError,
    ConvergenceError,
    DtypeError,
    NoRuleError,
    ShapeError,
    TracerConversionError,
    TreeError,
)
from fgrad.scipy import integrate

from .. import laws, laws_of_vmap
from ..examples.row import P, R, row

TIMES = np.array([0.0, 0.5, 1.2, 2.0])
A = np.array([[-0.5, 1.0], [-1.0, -0.2]])
START = np.array([1.0, 2.0])


# ------------------------------------------------------------------ quadrature
def wave(a, b, p):
    return integrate.quad(
        lambda x, p: np.sin(p[0] * x) * np.exp(p[1] * x), a, b, (p,), epsabs=1e-14, epsrel=1e-13
    )[0]


ROWS = [
    row(si.quad, [R(), R(), R(2)], wave),
    row(si.quad_vec, [P(2), R()], lambda p, b: integrate.quad_vec(
        lambda x: {"u": np.exp(-p * x), "v": b * x * x}, 0.5, b, epsabs=1e-13)[0]),
    row(si.fixed_quad, [P(), R()],
        lambda p, b: integrate.fixed_quad(lambda x: np.exp(-p * x), 0.0, b, n=4)[0]),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_laws_of_integrals(row):
    laws.first_order(row)
    laws.second_order(row)
    laws.staging(row)
    laws_of_vmap.batching(row)
    laws_of_vmap.batched_derivatives(row)


def test_plain_integrals_are_scipys():
    def f(x, a):
        return a / x if x > 0.5 else x

    assert integrate.quad(f, 0.4, 1.0, (2.0,)) == si.quad(f, 0.4, 1.0, (2.0,))
    ours = integrate.quad_vec(lambda x: np.array([x, x * x]), 0.0, 1.0, full_output=True)
    theirs = si.quad_vec(lambda x: np.array([x, x * x]), 0.0, 1.0, full_output=True)
    np.testing.assert_array_equal(ours[0], theirs[0])
    assert ours[1] == theirs[1]
    assert integrate.fixed_quad(np.exp, 0.0, 1.0) == si.fixed_quad(np.exp, 0.0, 1.0)


def test_the_estimate_of_the_error_has_no_derivative():
    value, error = fgrad.vjp(lambda a: integrate.quad(lambda x: a * x, 0.0, 1.0), 2.0)[0]
    assert (value, error) == si.quad(lambda x: 2.0 * x, 0.0, 1.0)
    assert fgrad.grad(lambda a: integrate.quad(lambda x: a * x, 0.0, 1.0)[1])(2.0) == 0.0


def test_integrals_within_integrals_and_limits_at_infinity():
    def double(s):
        return integrate.quad(
            lambda x: integrate.quad(lambda y: np.exp(-s * x * y), 0.0, 1.0)[0], 0.0, 1.0
        )[0]

    want = -si.dblquad(lambda y, x: x * y * np.exp(-x * y), 0, 1, 0, 1)[0]
    np.testing.assert_allclose(fgrad.grad(double)(1.0), want, rtol=1e-8)
    assert fgrad.grad(lambda b: integrate.quad(lambda x: np.exp(-x), 0.0, b)[0])(np.inf) == 0.0

    def gauss(s):
        return integrate.quad(lambda x: np.exp(-s * x * x), -np.inf, np.inf)[0]

    half = np.sqrt(np.pi) / 2
    for d in (fgrad.jacfwd, fgrad.jacrev):
        np.testing.assert_allclose(d(gauss)(2.0), -half * 2**-1.5)
        np.testing.assert_allclose(d(fgrad.grad(gauss))(2.0), 1.5 * half * 2**-2.5)


def test_a_function_may_ask_for_values_of_its_arguments():
    def f(x, a):
        return a * x if x > 0.5 else a

    assert fgrad.grad(lambda a: integrate.quad(f, 0.0, 1.0, (a,), points=[0.5])[0])(
        3.0
    ) == pytest.approx(0.875)
    with pytest.raises(TracerConversionError, match=r"quad wants traced values in args="):
        fgrad.grad(lambda a: integrate.quad(lambda x: f(x, a), 0.0, 1.0)[0])(3.0)


# ------------------------------------------------------------------ differential equations
def exact(A, y, ts):
    return np.stack([scipy.linalg.expm(A * (t - ts[0])) @ y for t in ts])


def by_odeint(A, y, ts):
    return integrate.odeint(lambda y, t: A @ y, y, ts, rtol=1e-10, atol=1e-10)


def by_solve_ivp(A, y, ts):
    return np.transpose(
        integrate.solve_ivp(
            lambda t, y, A: A @ y, (ts[0], 2.5), y, "DOP853", ts, args=(A,), rtol=1e-10, atol=1e-10
        ).y
    )


def central(f, x, step=1e-3):
    def difference(h):
        units = np.eye(x.size).reshape(-1, *x.shape)
        parts = np.stack([(f(x + h * u) - f(x - h * u)) / (2 * h) for u in units], axis=-1)
        return parts.reshape(*parts.shape[:-1], *x.shape)

    return (4 * difference(step / 2) - difference(step)) / 3


@pytest.mark.parametrize("solver", [by_odeint, by_solve_ivp])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_linear_equation_is_the_closed_form(solver, place):
    point = [A, START, TIMES]
    np.testing.assert_allclose(solver(*point), exact(*point), rtol=1e-8)

    def at(x, f):
        return f(*(x if i == place else y for i, y in enumerate(point)))

    want = central(lambda x: at(x, exact), point[place])
    for jac in (fgrad.jacfwd, fgrad.jacrev):
        np.testing.assert_allclose(jac(solver, place)(*point), want, atol=2e-8)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_second_derivatives_in_all_nestings(place):
    point = [A, START, np.array([0.2, 1.0])]

    def total(x, f=by_odeint):
        y = f(*(x if i == place else z for i, z in enumerate(point)))
        return np.sum(np.sin(y[-1]))

    x = point[place]
    t = np.cos(np.arange(x.size)).reshape(x.shape)

    def directional(x):
        return fgrad.jvp(total, (x,), (t,))[1]

    def projected(x):
        return np.sum(fgrad.grad(total)(x) * t)

    steps = [-1e-2, -5e-3, 5e-3, 1e-2]
    slopes = [np.sum(central(lambda z: np.asarray(total(z, exact)), x + s * t) * t) for s in steps]
    want = (8 * (slopes[2] - slopes[1]) - (slopes[3] - slopes[0])) / (6 * 1e-2)
    found = [
        fgrad.jvp(directional, (x,), (t,))[1],
        np.sum(fgrad.grad(directional)(x) * t),
        fgrad.jvp(projected, (x,), (t,))[1],
        np.sum(fgrad.grad(projected)(x) * t),
    ]
    np.testing.assert_allclose(found, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA"])
def test_every_method_of_solve_ivp(method):
    def last(w):
        def f(t, y):
            return {"q": y["p"], "p": -w * w * y["q"]}

        start = {"q": 1.0, "p": 0.0}
        tight = {"rtol": 1e-6, "atol": 1e-8}
        return integrate.solve_ivp(f, (0.0, 1.0), start, method, [1.0], **tight).y["q"][0]

    np.testing.assert_allclose(last(1.3), np.cos(1.3), rtol=1e-4)
    np.testing.assert_allclose(fgrad.grad(last)(1.3), -np.sin(1.3), rtol=1e-4)
    np.testing.assert_allclose(fgrad.jvp(last, (1.3,), (1.0,))[1], -np.sin(1.3), rtol=1e-4)


@pytest.mark.parametrize("rate", [20.0, 200.0])
def test_what_decays_has_the_right_gradient(rate):
    """An adjoint that integrates the state backwards too would be off by exp(2 rate) here."""

    def last(k):
        def f(y, t):
            return -k * (y - np.cos(k * t / 100))

        return integrate.odeint(f, 2.0, np.array([0.0, 2.0]), rtol=1e-8, atol=1e-8)[-1]

    forward = fgrad.jvp(last, (rate,), (1.0,))[1]
    np.testing.assert_allclose(fgrad.grad(last)(rate), forward, rtol=1e-4)
    if rate == 20.0:
        second = fgrad.jvp(lambda k: fgrad.jvp(last, (k,), (1.0,))[1], (rate,), (1.0,))[1]
        np.testing.assert_allclose(fgrad.grad(fgrad.grad(last))(rate), second, rtol=1e-3)


def test_time_may_run_backwards_and_repeat():
    ts = np.array([1.0, 1.0, 0.25, 0.25, -0.5])

    def states(k):
        return integrate.odeint(lambda y, t: -k * t * y, 1.0, ts, rtol=1e-10, atol=1e-10)

    want = (1 - ts**2) / 2 * np.exp((1 - ts**2) / 2)
    np.testing.assert_allclose(states(1.0), np.exp((1 - ts**2) / 2), rtol=1e-7)
    np.testing.assert_allclose(fgrad.jacfwd(states)(1.0), want, atol=1e-7)
    np.testing.assert_allclose(fgrad.jacrev(states)(1.0), want, atol=1e-7)


def test_times_of_the_solvers_own():
    def solution(k, end):
        return integrate.solve_ivp(
            lambda t, y: -k * t * y, (0.0, end), np.ones(1), rtol=1e-9, atol=1e-9
        )  # fmt: skip

    plain = solution(1.0, 1.3)
    (t, y), pullback = fgrad.vjp(lambda k, end: (lambda s: (s.t, s.y))(solution(k, end)), 1.0, 1.3)
    np.testing.assert_allclose(t, plain.t)
    np.testing.assert_allclose(y, plain.y, rtol=1e-12)
    g = np.zeros_like(y)
    g[0, -1] = 1.0
    by_k, by_end = pullback((np.zeros_like(t), g))
    decayed = np.exp(-(1.3**2) / 2)
    np.testing.assert_allclose([by_k, by_end], [-(1.3**2) / 2 * decayed, -1.3 * decayed], rtol=1e-6)


def test_plain_equations_are_scipys():
    def pend(t, y, b):
        return [y[1], -b * y[1] - 5.0 * np.sin(y[0])]

    ours = integrate.odeint(pend, [3.0, 0.0], TIMES, args=(0.25,), tfirst=True, full_output=True)
    theirs = si.odeint(pend, [3.0, 0.0], TIMES, args=(0.25,), tfirst=True, full_output=True)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_array_equal(ours[1]["nst"], theirs[1]["nst"])

    def event(t, y, b):
        return y[0]

    event.terminal = True
    for method in ("RK45", "LSODA"):
        options = {"events": event, "dense_output": True, "args": (0.25,), "method": method}
        ours = integrate.solve_ivp(pend, (0.0, 9.0), [3.0, 0.0], **options)
        theirs = si.solve_ivp(pend, (0.0, 9.0), [3.0, 0.0], **options)
        np.testing.assert_array_equal(ours.y, theirs.y)
        np.testing.assert_array_equal(ours.t_events[0], theirs.t_events[0])
        assert (ours.status, ours.nfev) == (1, theirs.nfev)
        np.testing.assert_array_equal(ours.sol(0.5), theirs.sol(0.5))
    jac = integrate.solve_ivp(
        lambda t, y: -y, (0.0, 1.0), [1.0], "BDF", jac=lambda t, y: -np.eye(1), t_eval=[1.0]
    )
    np.testing.assert_allclose(jac.y, np.exp(-1), rtol=1e-2)
    own = integrate.odeint(lambda y, t: -y, [1.0], [0.0, 1.0], Dfun=lambda y, t: -np.eye(1))
    np.testing.assert_allclose(own[-1], np.exp(-1), rtol=1e-6)


def test_a_plain_equation_that_fails_is_scipys_too():
    options = {"t_eval": [1.9], "max_step": np.inf}
    ours = integrate.solve_ivp(lambda t, y: y * y, (0.0, 2.0), [1.0], **options)
    assert not ours.success
    assert ours.y.shape == (1, 0)


def test_states_keep_their_kinds():
    start = {"a": np.ones(2, np.float32), "b": 1.0, "c": 1j}

    def f(y, t):
        assert y["a"].dtype == np.float64
        return {"c": 1j * y["c"], "b": -y["b"], "a": -y["a"]}

    y = integrate.odeint(f, start, TIMES)
    assert (y["a"].dtype, y["a"].shape) == (np.float32, (4, 2))
    np.testing.assert_allclose(y["c"], 1j * np.exp(1j * TIMES), atol=1e-6)
    solution = integrate.solve_ivp(lambda t, y: f(y, t), (0.0, 2.0), start, t_eval=TIMES)
    assert (solution.y["a"].dtype, solution.y["a"].shape) == (np.float32, (2, 4))
    still = integrate.odeint(lambda z, t: 0.0, 1j, TIMES)
    np.testing.assert_allclose(still, 1j)
    slope = fgrad.jvp(
        lambda w: integrate.odeint(lambda z, t: 1j * w * z, 1.0 + 0j, TIMES)[-1], (1.0,), (1.0,)
    )[1]
    np.testing.assert_allclose(slope, 2j * np.exp(2j), atol=1e-6)


def test_vmap_and_graphs_of_equations():
    def last(k, y):
        return integrate.odeint(lambda y, t, k: -k * y, y, TIMES, (k,), rtol=1e-9, atol=1e-9)[-1]

    ks, ys = np.array([0.5, 1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(
        fgrad.vmap(last)(ks, ys), [last(k, y) for k, y in zip(ks, ys, strict=True)]
    )
    want = -2.0 * np.exp(-2.0 * ks) * ys
    np.testing.assert_allclose(fgrad.vmap(fgrad.grad(last))(ks, ys), want, atol=1e-6)
    total = fgrad.grad(lambda ks: np.sum(fgrad.vmap(last)(ks, ys)))
    np.testing.assert_allclose(total(ks), want, atol=1e-6)
    assert fgrad.vmap(last)(np.zeros(0), np.zeros(0)).shape == (0,)
    graph = fgrad.make_graph(fgrad.grad(last))(1.0, 1.0)
    graph.check()
    np.testing.assert_allclose(graph(2.0, 3.0), want[2], atol=1e-6)


def test_tolerances_for_each_component():
    def last(k):
        return integrate.odeint(
            lambda y, t: -k * y, np.ones(2), TIMES, rtol=[1e-9, 1e-8], atol=[1e-9, 1e-8]
        )[-1]

    want = -2 * np.exp(-2.0)
    np.testing.assert_allclose(fgrad.jacrev(last)(1.0), want, rtol=1e-6)
    np.testing.assert_allclose(fgrad.jacfwd(last)(1.0), want, rtol=1e-6)


# ------------------------------------------------------------------ what is refused
def grad_of(f, at=1.0):
    return lambda: fgrad.grad(f)(at)


def ivp(a, **options):
    return integrate.solve_ivp(lambda t, y: -a * y, (0.0, 1.0), np.ones(1), **options).y[0, -1]


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: integrate.quad(3, 0, 1), ArgumentError, "wants a function"),
        (grad_of(lambda a: integrate.quad(lambda x: a * np.ones(2), 0.0, 1.0)[0]), DtypeError,
         "quad_vec"),
        (grad_of(lambda a: integrate.quad(lambda x: a, 0.0, 1.0, weight="cos", wvar=1.0)[0]),
         NoRuleError, "weight"),
        (grad_of(lambda a: integrate.quad_vec(lambda x: a, 0, 1, full_output=True)[0]), NoRuleError,
         "full_output"),
        (lambda: integrate.fixed_quad(np.exp, 0.0, np.inf), ValueError, "finite limits"),
        (lambda: integrate.odeint(3, 1.0, TIMES), ArgumentError, "wants a function"),
        (lambda: integrate.odeint(lambda y, t: y[:1], np.ones(2), TIMES), ShapeError,
         "as many numbers as y0"),
        (lambda: integrate.odeint(lambda y, t: {"b": 1.0}, {"a": 1.0}, TIMES), TreeError,
         "a pytree like y0"),
        (lambda: integrate.odeint(lambda y, t: {"a": np.ones(3)}, {"a": np.ones(2)}, TIMES),
         ShapeError, "a pytree like y0"),
        (grad_of(lambda a: integrate.odeint(lambda y, t: -a * y, 1.0, TIMES, full_output=1)[0][-1]),
         NoRuleError, "full_output"),
        (grad_of(lambda a: ivp(a, dense_output=True)), NoRuleError, "dense_output"),
        (grad_of(lambda a: ivp(a, events=lambda t, y: y[0])), NoRuleError, "events"),
        (lambda: fgrad.vmap(ivp)(np.ones(2)), NoRuleError, "wants t_eval"),
        (lambda: fgrad.make_graph(ivp)(1.0), NoRuleError, "wants t_eval"),
        (grad_of(lambda a: integrate.solve_ivp(
            lambda t, y: a * y * y, (0.0, 2.0), 1.0, t_eval=[2.0]).y[-1]),
         ConvergenceError, "reach the last time"),
        (grad_of(lambda a: integrate.odeint(lambda y, t: -a * y if y > 0 else y, 1.0, TIMES)[-1]),
         TracerConversionError, "args="),
    ],
)  # fmt: skip
def test_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


def test_an_equation_without_a_solution_is_refused():
    def last(a):
        return integrate.odeint(lambda y, t: a * y * y, 1.0, [0.0, 2.0], mxstep=50)[-1]

    with (
        pytest.warns(si.ODEintWarning),
        pytest.raises(ConvergenceError, match="Excess work"),
    ):
        fgrad.grad(last)(1.0)
