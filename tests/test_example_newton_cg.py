"""The example of Newton's method with Hessian products: its steps, its minima, its output."""

from __future__ import annotations

import newton_cg
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread

import fgrad


def quadratic(seed, n, eigenvalues=None):
    rng = np.random.default_rng(seed)
    q, _ = np.linalg.qr(rng.normal(size=(n, n)))
    values = rng.uniform(0.5, 20.0, n) if eigenvalues is None else eigenvalues
    return (q * values) @ q.T, rng.normal(size=n)


def test_conjugate_gradients_solve_the_newton_equation():
    H, g = quadratic(0, 12)
    p = newton_cg.steihaug(g, lambda v: H @ v, 1e9, 1e-12)
    np.testing.assert_allclose(p, -np.linalg.solve(H, g), rtol=1e-9)


@given(st.integers(0, 10_000), st.floats(0.001, 3.0), st.booleans())
def test_steps_in_a_trust_region(seed, radius, bent):
    """Never longer than the radius, and at least as good as the best step down the gradient."""
    H, g = quadratic(seed, 6, np.linspace(-2.0 if bent else 0.1, 5.0, 6))
    p = newton_cg.steihaug(g, lambda v: H @ v, radius, 1e-12)
    assert np.linalg.norm(p) <= radius * (1 + 1e-12)
    if bent:
        assert np.linalg.norm(p) == pytest.approx(radius)
    length, curvature = np.linalg.norm(g), g @ H @ g
    step = radius / length if curvature <= 0 else min(radius / length, length**2 / curvature)
    cauchy = -step * g
    assert g @ p + 0.5 * p @ H @ p <= (g @ cauchy + 0.5 * cauchy @ H @ cauchy) * (1 - 1e-12) + 1e-12


@given(st.integers(0, 10_000), st.floats(0.0, 0.99))
def test_the_way_to_the_boundary(seed, share):
    rng = np.random.default_rng(seed)
    p, direction = rng.normal(size=(2, 5))
    p *= share * 2.0 / np.linalg.norm(p)
    t = newton_cg.to_boundary(p, direction, 2.0)
    assert t >= 0
    assert np.linalg.norm(p + t * direction) == pytest.approx(2.0)


def test_both_kinds_of_products_are_the_hessian_times_a_vector():
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=(2, 8))
    for function in (newton_cg.rosenbrock, newton_cg.logistic_loss(*newton_cg.classes(20, 8, rng))):
        counted = newton_cg.Counted(function)
        expected = fgrad.hessian(function)(x) @ v
        np.testing.assert_allclose(counted.product(x, v), expected, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(counted.products_at(x)(v), expected, rtol=1e-12, atol=1e-15)
        assert counted.products == 2
        assert counted.seconds > 0


def test_logistic_regression_is_that_of_the_books():
    rng = np.random.default_rng(5)
    X, signs = newton_cg.classes(30, 3, rng)
    assert set(signs) == {-1.0, 1.0}
    w = rng.normal(size=3)
    loss = newton_cg.logistic_loss(X, signs)
    share = 1 / (1 + np.exp(-signs * (X @ w)))
    assert loss(w) == pytest.approx(-np.mean(np.log(share)) + 0.5e-5 * w @ w)
    by_hand = -X.T @ (signs * (1 - share)) / 30 + 1e-5 * w
    np.testing.assert_allclose(fgrad.grad(loss)(w), by_hand, rtol=1e-10)


def test_all_methods_find_the_minimum_and_newton_needs_the_fewest_gradients():
    for problem in newton_cg.problems(quick=True, rng=np.random.default_rng(3)):
        runs = newton_cg.compare(problem, lambda: None)
        for run in runs:
            assert np.linalg.norm(fgrad.grad(problem.function)(run.x)) <= newton_cg.TOLERANCE
            assert problem.function(run.x) == pytest.approx(
                problem.function(runs[0].x), rel=1e-7, abs=1e-11
            )
            assert len(run.counted.path) == run.counted.gradients
        ours, same, *_, limited_memory = runs
        assert (ours.iterations, ours.counted.products) == (same.iterations, same.counted.products)
        assert ours.counted.gradients < limited_memory.counted.gradients
        found, _ = newton_cg.bridge(problem)
        assert found.fun == pytest.approx(problem.function(ours.x), rel=1e-7, abs=1e-11)


def test_the_last_steps_converge_superlinearly():
    problem = newton_cg.problems(quick=True, rng=np.random.default_rng(3))[1]
    counted = newton_cg.Counted(problem.function)
    newton_cg.newton_cg(counted, problem.start, linearized=True)
    lengths = [length for _, length in counted.path]
    assert lengths[-1] < 0.02 * lengths[-2] < 0.02 * 0.5 * lengths[-3]


def test_the_program(tmp_path, capsys):
    assert newton_cg.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("Rosenbrock, 20 unknowns", "products", *newton_cg.METHODS):
        assert text in printed
    assert imread(tmp_path / "new" / "newton_cg.png").std() > 0.05
