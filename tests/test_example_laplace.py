"""The example of Laplace's method: the top, the evidence and its derivatives, the integrals."""

from __future__ import annotations

import laplace
import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from matplotlib.image import imread

import fgrad


def test_the_data_are_those_of_the_paper():
    assert len(laplace.FAHRENHEIT) == len(laplace.DAMAGED) == 23
    assert sorted(laplace.FAHRENHEIT[laplace.DAMAGED == 1]) == [53, 57, 58, 63, 70, 70, 75]


def test_a_wide_prior_leaves_the_maximum_of_the_likelihood():
    """Intercept 15.043 and slope -0.2322 by degree, as the literature has them."""
    a, b = laplace.newton(1e4)
    assert b / 10 == pytest.approx(-0.2322, abs=5e-5)
    assert a - 7 * b == pytest.approx(15.043, abs=5e-4)


@pytest.mark.parametrize("width", [0.1, 1.0, 30.0])
def test_the_joint_probability_is_likelihood_times_prior(width):
    w = np.array([-0.7, 1.2])
    odds = np.exp(w[0] + w[1] * (laplace.FAHRENHEIT - 70) / 10)
    share = np.where(laplace.DAMAGED == 1, odds / (1 + odds), 1 / (1 + odds))
    expected = np.sum(np.log(share)) + np.sum(scipy.stats.norm.logpdf(w, scale=width))
    assert laplace.log_joint(w, width) == pytest.approx(expected)


@pytest.mark.parametrize("width", laplace.WIDTHS)
def test_the_top_has_no_slope_and_the_bridge_finds_it_too(width):
    top = laplace.newton(width)
    np.testing.assert_allclose(fgrad.grad(laplace.log_joint)(top, width), 0.0, atol=1e-10)
    normal = laplace.laplace(width)
    assert laplace.evidence_of_width(np.log(width)) == pytest.approx(normal.log_evidence)
    np.testing.assert_allclose(normal.mean, top)


def test_newton_says_if_it_does_not_converge():
    with pytest.raises(RuntimeError, match=r"did not converge in 1 steps for a width of 1\.0"):
        laplace.newton(1.0, limit=1)


@pytest.mark.parametrize("log_width", [-1.0, 0.3, 2.0])
def test_derivatives_of_the_evidence_in_the_width(log_width):
    def by_newton(x):
        return float(laplace.log_evidence(laplace.newton(np.exp(x)), np.exp(x)))

    h = 1e-4
    low, middle, high = (by_newton(log_width + s * h) for s in (-1, 0, 1))
    slope = fgrad.grad(laplace.evidence_of_width)
    assert slope(log_width) == pytest.approx((high - low) / (2 * h), rel=1e-6, abs=1e-7)
    curvature = (high - 2 * middle + low) / h**2
    assert fgrad.grad(slope)(log_width) == pytest.approx(curvature, rel=1e-4, abs=1e-5)


def test_the_best_width_is_the_best():
    best, _ = laplace.best_width(steps=5)
    at = laplace.evidence_of_width(np.log(best))
    assert at > max(laplace.evidence_of_width(np.log(best * f)) for f in (0.99, 1.01))
    assert laplace.best_width(0.3, steps=6)[0] == pytest.approx(best, rel=1e-5)


@pytest.mark.parametrize("width", [0.3, 1.665, 30.0])
def test_grids_integrate(width):
    normal = laplace.laplace(width)
    coarse, fine = (laplace.integrate(width, normal, n) for n in (101, 201))
    turned = laplace.integrate(width, normal, 101, across=np.array([1.0, -3.9]))
    assert coarse.log_evidence == pytest.approx(fine.log_evidence, abs=1e-7)
    assert coarse.log_evidence == pytest.approx(turned.log_evidence, abs=1e-7)
    # 2,000 times narrower than the prior, the likelihood is nothing to SciPy's adaptive rule
    if width < 10:
        reference, _ = scipy.integrate.dblquad(
            lambda b, a: np.exp(laplace.log_joint(np.array([a, b]), width)), -6, 5, -12, 6,
            epsabs=1e-13, epsrel=1e-6,
        )  # fmt: skip
        assert fine.log_evidence == pytest.approx(np.log(reference), abs=1e-5)
    assert laplace.log_evidence(normal.mean, width) == pytest.approx(fine.log_evidence, abs=0.12)


def test_laplace_is_exact_for_a_normal_posterior(monkeypatch):
    """Then evidence and predictions are the grid's to rounding."""
    A = np.array([[2.0, 0.5], [0.5, 1.0]])
    monkeypatch.setattr(
        laplace, "log_joint", lambda w, width: -0.5 * (w - 1.0) @ A @ (w - 1.0) - np.log(width)
    )
    normal = laplace.laplace(3.0)
    grid = laplace.integrate(3.0, normal, 101)
    expected = np.log(2 * np.pi / np.sqrt(np.linalg.det(A)) / 3.0)
    assert normal.log_evidence == pytest.approx(expected)
    assert grid.log_evidence == pytest.approx(expected)
    np.testing.assert_allclose(normal.covariance, np.linalg.inv(A))
    t = np.array([31.0, 60.0, 70.0, 80.0])
    guess, truth = laplace.predict(normal, t), laplace.predict_exactly(3.0, normal, t, 201)
    np.testing.assert_allclose(guess.mean, truth.mean, atol=2e-5)
    np.testing.assert_allclose(guess.low, truth.low, atol=2e-3)
    np.testing.assert_allclose(guess.high, truth.high, atol=2e-3)


def test_the_program(tmp_path, capsys):
    assert laplace.main(["--quick", "--out", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    for text in ("greatest evidence: 1.0000 -> 1.80", "log evidence", "p(31 °F)", "1.665"):
        assert text in printed
    assert imread(tmp_path / "new" / "laplace.png").std() > 0.05
