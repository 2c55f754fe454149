"""The solvers themselves: Krylov methods, iterations, Newton's method, minima."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fgrad
from fgrad.errors import ConvergenceError
from fgrad.scipy import optimize
from fgrad.solutions.krylov import RESTART, cg, gmres


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def counted(matrix, calls):
    def product(v):
        calls.append(v)
        return matrix @ v

    return product


# ------------------------------------------------------------------ linear systems
@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(0, 999), st.sampled_from(["float32", "float64"]))
def test_krylov_methods_solve_what_numpy_solves(n, seed, dtype):
    rng = np.random.default_rng(seed)
    a = rng.normal(size=(n, n)).astype(dtype) + 2 * np.eye(n, dtype=dtype) * dtype_root(n)
    b = rng.normal(size=n).astype(dtype)
    spd = a @ a.T
    rtol = 1e-12 if dtype == "float64" else 1e-5
    for matrix, x in (
        (a, gmres(lambda v: a @ v, b, rtol, 10 * n)),
        (spd, cg(lambda v: spd @ v, b, rtol, 10 * n)[0]),
    ):
        assert x.dtype == dtype
        assert np.linalg.norm(matrix @ x - b) <= 3 * rtol * np.linalg.norm(b)


def dtype_root(n):
    return np.float32(np.sqrt(n))


def test_gmres_ends_after_as_many_products_as_there_are_eigenvalues():
    matrix, calls = np.diag(np.repeat([1.0, 2.0, 5.0], 30)), []
    x = gmres(counted(matrix, calls), np.ones(90), 1e-12, 900)
    np.testing.assert_allclose(matrix @ x, np.ones(90))
    assert len(calls) == 4  # three, and one for the residual


@pytest.mark.parametrize("rtol", [1e-1, 1e-3, 1e-5])
def test_gmres_takes_the_fewest_products_that_reach_the_tolerance(rtol):
    rng = np.random.default_rng(0)
    matrix = np.diag(np.linspace(-3.0, 20.0, 30)) + rng.normal(size=(30, 30)) / 2
    b, calls = rng.normal(size=30), []
    gmres(counted(matrix, calls), b, rtol, 300)
    space, residual, k = b[:, None] / np.linalg.norm(b), np.inf, 0
    while residual > rtol * np.linalg.norm(b):
        k += 1
        y = np.linalg.lstsq(matrix @ space, b)[0]
        residual = np.linalg.norm(matrix @ (space @ y) - b)
        space = np.linalg.qr(np.column_stack([space, matrix @ space[:, -1]]))[0]
    assert len(calls) == k + 1
    assert k > 2


def test_gmres_restarts_and_gives_up_where_it_makes_no_progress():
    n = 3 * RESTART
    matrix = np.diag(np.linspace(1.0, 200.0, n)) + np.eye(n, k=1)
    x = gmres(lambda v: matrix @ v, np.ones(n), 1e-10, 50 * n)
    np.testing.assert_allclose(matrix @ x, np.ones(n), atol=1e-8)
    cyclic, calls = np.roll(np.eye(n), 1, axis=0), []  # no progress before the n-th product
    b = np.zeros(n)
    b[0] = 1.0
    x = gmres(counted(cyclic, calls), b, 1e-10, 50 * n)
    assert np.linalg.norm(cyclic @ x - b) > 0.5
    assert len(calls) <= 2 * RESTART + 2


def test_nothing_to_solve_and_nothing_finite():
    np.testing.assert_array_equal(gmres(lambda v: v, np.zeros(2), 1e-10, 9), np.zeros(2))
    np.testing.assert_array_equal(cg(lambda v: v, np.zeros(2), 1e-10, 9)[0], np.zeros(2))
    assert not np.all(np.isfinite(gmres(lambda v: v * np.nan, np.ones(2), 1e-10, 9)))


def test_cg_finds_a_direction_of_negative_curvature():
    matrix = np.diag([1.0, 2.0, -1.0])
    _, bend = cg(lambda v: matrix @ v, np.ones(3), 1e-10, 9)
    assert bend @ matrix @ bend < 0


# ------------------------------------------------------------------ fixed points
def test_anderson_takes_fewer_steps_to_the_same_point():
    rng = np.random.default_rng(0)
    m = rng.normal(size=(20, 20))
    m *= 0.97 / np.max(np.abs(np.linalg.eigvals(m)))

    def f(z):
        return np.tanh(m @ z) + 0.1

    plain, info = fgrad.fixed_point(f, np.zeros(20), full_output=True)
    fast, fewer = fgrad.fixed_point(f, np.zeros(20), anderson=5, full_output=True)
    np.testing.assert_allclose(fast, plain, rtol=1e-9)
    assert fewer.steps < 0.7 * info.steps
    assert info.residual < 1e-11


def test_anderson_solves_a_linear_map_in_as_many_steps_as_there_are_unknowns():
    m = np.array([[0.5, 0.4], [-0.3, 0.8]])
    z, info = fgrad.fixed_point(lambda z: m @ z + 1, np.zeros(2), anderson=2, full_output=True)
    np.testing.assert_allclose(z, np.linalg.solve(np.eye(2) - m, np.ones(2)))
    assert info.steps <= 5
    # It finds fixed points, too, from which the plain iteration runs away.
    z = fgrad.fixed_point(lambda z: 3 * m @ z + 1, np.zeros(2), anderson=2)
    np.testing.assert_allclose(z, np.linalg.solve(np.eye(2) - 3 * m, np.ones(2)))


def test_what_a_solver_tells_is_no_part_of_the_derivative():
    def f(a):
        z, info = fgrad.fixed_point(lambda z, a: np.cos(z) * a, 0.0, a, full_output=True)
        return z + info.residual, info

    slope, info = fgrad.grad(f, has_aux=True)(0.5)
    assert slope == pytest.approx(fgrad.grad(lambda a: f(a)[0])(0.5))
    assert info.steps > 5
    _, mapped = fgrad.vmap(f)(np.array([0.1, 0.5]))
    assert mapped.steps[0] < mapped.steps[1] == info.steps


# ------------------------------------------------------------------ roots
@pytest.mark.parametrize("method", ["newton", "newton_krylov"])
def test_newton_comes_back_from_steps_that_go_too_far(method):
    assert fgrad.root(np.arctan, 20.0, method=method) == pytest.approx(0.0, abs=1e-12)
    z = fgrad.root(lambda z: np.log(z) + 3, 5.0, method=method)  # a full step has no logarithm
    assert z == pytest.approx(np.exp(-3))

    def f(z):  # Powell's, badly scaled
        return np.stack([1e4 * z[0] * z[1] - 1, np.exp(-z[0]) + np.exp(-z[1]) - 1.0001])

    z, info = fgrad.root(f, np.array([0.0, 1.0]), method=method, full_output=True)
    np.testing.assert_allclose(z, [1.098159e-5, 9.106147], rtol=1e-5)
    assert info.residual < 1e-8


def test_newton_is_quadratic():
    _, info = fgrad.root(lambda z: z**3 - 2, 1.0, full_output=True)
    assert info.steps <= 6


def test_a_root_that_is_there_already():
    z, info = fgrad.root(lambda z: z, np.zeros(2), full_output=True)
    np.testing.assert_array_equal(z, np.zeros(2))
    assert info.steps == 0


def test_a_root_of_several_is_found_though_not_differentiated():
    z = fgrad.root(lambda z: (np.sum(z) - 2.0) * np.ones(2), np.zeros(2))
    np.testing.assert_allclose(z, [1.0, 1.0])


def test_newton_krylov_of_a_boundary_value_problem():
    n = 600  # u'' = exp(u) / 2, u = 0 at the ends
    h = 1 / (n + 1)

    def f(u):
        wide = fgrad.numpy.pad(u, 1)
        return u - (wide[2:] + wide[:-2] - h**2 * np.exp(u) / 2) / 2

    dense = fgrad.root(f, np.zeros(n), method="newton")
    assert np.max(np.abs(f(dense))) < 1e-14
    u = fgrad.root(lambda u: u + 10 * np.roll(u, 1) / n - np.exp(-u), np.zeros(n))
    np.testing.assert_allclose(u + 10 * np.roll(u, 1) / n, np.exp(-u))


# ------------------------------------------------------------------ minima
@pytest.mark.parametrize("method", ["newton_cg", "bfgs"])
@pytest.mark.parametrize("n", [2, 10])
def test_the_valley_of_rosenbrock(method, n):
    z, info = fgrad.argmin(rosenbrock, np.full(n, -1.2), method=method, full_output=True)
    np.testing.assert_allclose(z, 1.0, rtol=1e-9)
    assert info.residual < 1e-6


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(3, 10), (5, 5), (10, 150)])
def test_a_minimum_that_is_not_isolated_is_found_though_not_differentiated(shape, seed):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=shape), rng.normal(size=shape[0])
    x[-1] = x[0]

    def loss(w, y):
        return np.sum((x @ w - y) ** 2)

    w = fgrad.argmin(loss, np.zeros(shape[1]), y)
    np.testing.assert_allclose(x.T @ (x @ w - y), 0.0, atol=1e-9)
    if seed == 0:
        with pytest.raises(ConvergenceError, match="isolated"):
            fgrad.grad(lambda y: np.sum(fgrad.argmin(loss, np.zeros(shape[1]), y)))(y)


@pytest.mark.parametrize("method", ["newton_cg", "bfgs"])
def test_saddle_points_and_maxima_are_left(method):
    assert abs(fgrad.argmin(np.cos, 0.0, method=method)) == pytest.approx(np.pi)
    z = fgrad.argmin(lambda z: np.sum((z**2 - 1) ** 2), np.zeros(3), method=method)
    np.testing.assert_allclose(np.abs(z), 1.0)


def test_minima_of_many_unknowns_and_of_complex_ones():
    n = 1000
    weights = np.linspace(1.0, 50.0, n)

    def loss(z, a):
        return np.sum(weights * (z - a) ** 2) / 2 + np.sum(z**4) / 4

    z = fgrad.argmin(loss, np.zeros(n), 2.0)
    np.testing.assert_allclose(weights * (z - 2.0) + z**3, 0.0, atol=1e-9)
    slope = fgrad.grad(lambda a: np.mean(fgrad.argmin(loss, np.zeros(n), a)))(2.0)
    assert slope == pytest.approx(np.mean(weights / (weights + 3 * z**2)), rel=1e-8)
    a = 1.0 + 2.0j
    z = fgrad.argmin(lambda z: np.abs(z - a) ** 2 + np.real(z) ** 2, 0j)
    assert z == pytest.approx(0.5 + 2.0j)


def test_scipys_solutions_of_many_unknowns_are_differentiated_without_a_matrix():
    n, weights = 2500, np.linspace(1.0, 30.0, 2500)

    def loss(z, a):
        return np.sum(weights * (z - a) ** 2) / 2 + np.sum(z**4) / 4

    def minimum(a, bounds=None):
        start = np.zeros(n)
        return optimize.minimize(loss, start, (a,), "L-BFGS-B", bounds=bounds, tol=1e-11).x

    def least(a, bounds=None):
        return np.mean(minimum(a, bounds))

    def zero(a):
        return np.mean(optimize.root(fgrad.grad(loss), np.zeros(n), (a,), method="krylov").x)

    want = fgrad.grad(lambda a: np.mean(fgrad.argmin(loss, np.zeros(n), a)))(2.0)
    assert fgrad.grad(least)(2.0) == pytest.approx(want, rel=1e-6)
    assert fgrad.grad(zero)(2.0) == pytest.approx(want, rel=1e-4)
    bounds = [(1.5, None)] * n
    z = minimum(2.0, bounds)
    slope = np.where(z > 1.5, weights / (weights + 3 * z**2), 0.0).mean()
    assert fgrad.grad(lambda a: least(a, bounds))(2.0) == pytest.approx(slope, rel=1e-6)
    assert 0 < np.mean(z > 1.5) < 1


@pytest.mark.parametrize("method", ["newton_cg", "bfgs"])
def test_minima_in_single_precision(method):
    z = fgrad.argmin(lambda z: np.sum(np.cosh(z - 1)), np.zeros(3, np.float32), method=method)
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, 1.0, rtol=1e-4)
