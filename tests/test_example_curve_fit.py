"""The example of a fitted curve: its method, its errors and band, its output."""

from __future__ import annotations

import curve_fit
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.image import imread


@pytest.fixture(scope="module")
def data():
    return curve_fit.simulate(80, np.random.default_rng(7))


@pytest.fixture(scope="module")
def fit(data):
    return curve_fit.levenberg_marquardt(curve_fit.residuals_of(data), curve_fit.GUESS)


def test_the_fit_is_that_of_scipy(data, fit):
    for other in (curve_fit.by_scipy(data), curve_fit.by_bridge(data)):
        np.testing.assert_allclose(fit.parameters, other.parameters, rtol=0, atol=1e-6)
        np.testing.assert_allclose(fit.covariance, other.covariance, rtol=1e-4, atol=1e-9)
        assert fit.chi2 == pytest.approx(other.chi2, rel=1e-10)


def test_products_lead_to_the_same_fit(data, fit):
    residuals = curve_fit.residuals_of(data)
    other = curve_fit.levenberg_marquardt(residuals, curve_fit.GUESS, curve_fit.by_products)
    np.testing.assert_allclose(other.parameters, fit.parameters, rtol=1e-9)
    assert other.iterations == fit.iterations


@given(st.integers(0, 10_000), st.floats(1e-6, 1e3))
def test_both_ways_solve_the_damped_equation(seed, damping):
    rng = np.random.default_rng(seed)
    data = curve_fit.simulate(20, rng)
    p = curve_fit.TRUTH + 0.1 * rng.normal(size=5)
    residuals = curve_fit.residuals_of(data)
    matrix = curve_fit.by_matrix(residuals, p)
    products = curve_fit.by_products(residuals, p)
    np.testing.assert_allclose(matrix.r, residuals(p), rtol=1e-12)
    np.testing.assert_allclose(matrix.gradient, products.gradient, rtol=1e-9, atol=1e-9)
    assert matrix.largest == pytest.approx(products.largest)
    np.testing.assert_allclose(matrix.step(damping), products.step(damping), rtol=1e-5, atol=1e-9)
    # the Jacobian by differences, which know nothing of either
    J = np.stack(
        [(residuals(p + h) - residuals(p - h)) / 2e-6 for h in 1e-6 * np.eye(5)], axis=1
    )  # fmt: skip
    step = np.linalg.solve(J.T @ J + damping * np.eye(5), -J.T @ residuals(p))
    np.testing.assert_allclose(matrix.step(damping), step, rtol=1e-4, atol=1e-6)


def test_a_linear_fit_takes_its_textbook_form():
    rng = np.random.default_rng(0)
    A, y = rng.normal(size=(30, 3)), rng.normal(size=30)
    fit = curve_fit.levenberg_marquardt(lambda p: A @ p - y, np.zeros(3))
    expected, squares, *_ = np.linalg.lstsq(A, y)
    np.testing.assert_allclose(fit.parameters, expected, rtol=1e-10)
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(A.T @ A), rtol=1e-10)
    assert fit.chi2 == pytest.approx(squares[0])


def test_errors_and_band_are_the_spread_of_many_fits(data, fit):
    class Silent:
        def update(self):
            pass

    again = curve_fit.refits(data, fit, 80, np.random.default_rng(1), Silent())
    # the standard deviation of 80 numbers is known to 8 %
    np.testing.assert_allclose(again.std(axis=0, ddof=1), fit.errors, rtol=0.3)
    t = np.linspace(0.0, 6.0, 25)
    low, high = curve_fit.band(t, fit)
    curves = np.array([curve_fit.ring(t, p) for p in again])
    inside = np.mean((low <= curves) & (curves <= high))
    assert inside == pytest.approx(0.95, abs=0.03)
    narrow_low, narrow_high = curve_fit.band(t, fit, level=0.5)
    assert np.all((low < narrow_low) & (narrow_high < high))


def test_a_fit_that_does_not_converge_says_so(data):
    with pytest.raises(RuntimeError, match=r"did not converge in 2 steps.*another first guess"):
        curve_fit.levenberg_marquardt(curve_fit.residuals_of(data), curve_fit.GUESS, limit=2)


def test_the_program(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert curve_fit.main(["--quick"]) == 0
    printed, complaints = capsys.readouterr()
    assert printed.endswith("Pictures:\n  curve_fit_plots/curve_fit.png\n")
    assert not complaints  # no progress bar where there is no terminal
    for text in ("jacfwd", "gnvp", "SciPy's", "spread of 20 refits", "frequency (Hz)"):
        assert text in printed
    assert imread(tmp_path / "curve_fit_plots" / "curve_fit.png").std() > 0.05
