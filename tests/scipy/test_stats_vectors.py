"""Distributions of vectors, density estimates and statistics of samples, of `scipy.stats`."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats as ss

import fgrad
from fgrad.errors import NoRuleError, ShapeError
from fgrad.scipy import stats

from .. import laws

normal = stats.multivariate_normal
AT = np.array([1.0, 2.0])


def test_the_gradient_in_a_covariance_is_symmetric_in_all_its_forms():
    cov = np.array([[2.0, 0.3], [0.3, 1.0]])
    inverse = np.linalg.inv(cov)
    want = 0.5 * (inverse @ np.outer(AT, AT) @ inverse - inverse)
    for singular in (False, True):
        f = lambda c, s=singular: normal.logpdf(AT, None, c, allow_singular=s)  # noqa: E731
        np.testing.assert_allclose(fgrad.grad(f)(cov), want, rtol=1e-12)
        whole = fgrad.grad(f)(np.diag([2.0, 3.0]))
        diagonal = fgrad.grad(lambda c: normal.logpdf(AT, [0, 0], c))(np.array([2.0, 3.0]))
        np.testing.assert_allclose(np.diagonal(whole), diagonal)
        one = fgrad.grad(lambda c: normal.logpdf(AT, [0, 0], c))(2.0)
        np.testing.assert_allclose(np.trace(fgrad.grad(f)(2.0 * np.eye(2))), one)


def test_a_singular_normal_is_nothing_beside_its_plane():
    cov = np.diag([1.0, 2.0, 0.0])
    f = lambda x: normal.logpdf(x, [0, 0, 0], cov, allow_singular=True)  # noqa: E731
    for x in (np.array([1.0, 2.0, 0.0]), np.array([1.0, 2.0, 0.1])):
        assert f(x) == ss.multivariate_normal.logpdf(x, [0, 0, 0], cov, allow_singular=True)
    np.testing.assert_allclose(fgrad.grad(f)(np.array([1.0, 2.0, 0.0])), [-1, -1, 0], atol=1e-15)
    assert normal.pdf(np.ones(3), [0, 0, 0], cov, allow_singular=True) == 0
    np.testing.assert_allclose(normal.entropy(None, cov), ss.multivariate_normal.entropy(None, cov))


def test_normals_that_scipy_refuses_are_refused():
    with pytest.raises(np.linalg.LinAlgError, match="positive definite"):
        fgrad.grad(lambda c: normal.logpdf(AT, None, c))(np.ones((2, 2)))
    with pytest.raises(ValueError, match="semidefinite"):
        normal.logpdf(AT, None, -np.eye(2))
    with pytest.raises(ShapeError, match="dimension 2"):
        normal.logpdf(AT, [0.0, 0.0], np.eye(3))
    with pytest.raises(ShapeError, match="dimension 1"):
        normal.logpdf(0.0, None, np.array([1.0, 2.0]))


def test_simplices_that_scipy_refuses_are_refused():
    with pytest.raises(ValueError, match="simplex"):
        fgrad.grad(stats.dirichlet.logpdf)(np.array([0.5, 0.6]), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="greater than 0"):
        stats.dirichlet.logpdf(np.array([0.5, 0.5]), np.array([1.0, 0.0]))
    with pytest.raises(ValueError, match="less than one"):
        stats.dirichlet.logpdf(np.array([0.0, 1.0]), np.array([0.5, 2.0]))
    with pytest.raises(ShapeError, match="as many entries"):
        stats.dirichlet.logpdf(np.ones(4) / 4, np.array([0.5, 2.0]))
    with pytest.raises(ShapeError, match="a vector"):
        stats.dirichlet.logpdf(np.ones(4) / 4, np.ones((2, 2)))
    with pytest.raises(ShapeError, match="as many counts"):
        stats.multinomial.pmf([1, 2], 3, [0.2, 0.3, 0.5])


def test_ends_of_a_simplex():
    x, p = np.array([0.0, 0.5, 0.5]), np.array([0.0, 0.5, 0.5])
    for f in (stats.dirichlet.pdf, lambda x, a: np.exp(stats.dirichlet.logpdf(x, a))):
        for g in fgrad.grad(f, (0, 1))(x, np.array([2.0, 1.0, 1.0])):
            np.testing.assert_array_equal(g, 0)
    g = fgrad.grad(lambda p: stats.multinomial.pmf([1, 0, 1], 2, p))(p)
    np.testing.assert_allclose(g, [1, 0, 0])
    for x, n in (([1, 1, 1], 2), ([-1, 2, 1], 2), ([0.5, 0.5, 1], 2), ([1, 0, 1], 2)):
        for method in ("pmf", "logpmf"):
            with laws.quiet():
                want = getattr(ss.multinomial, method)(x, n, p)
            assert getattr(stats.multinomial, method)(x, n, p) == want
    assert np.isnan(stats.multinomial.pmf([1, 0], 1, [-0.5, 1.5]))


# ------------------------------------------------------------------ samples
def test_density_estimates():
    x = np.array([-1.0, 0.0, 2.0, 2.5])
    kde = stats.gaussian_kde(x)
    kde.set_bandwidth(0.3)
    theirs = ss.gaussian_kde(x, 0.3)
    np.testing.assert_allclose(kde.covariance, theirs.covariance)
    np.testing.assert_allclose(kde.neff, theirs.neff)
    far = 1e3
    np.testing.assert_allclose(kde.logpdf(far), theirs.logpdf(far))
    np.testing.assert_allclose(
        fgrad.grad(lambda y: kde.logpdf(y)[0])(far), -(far - 2.5) / kde.covariance[0, 0], 1e-6
    )
    wrong = [
        (lambda: stats.gaussian_kde(np.ones((3, 2))), "as dimensions"),
        (lambda: stats.gaussian_kde(np.ones(1)), "multiple elements"),
        (lambda: stats.gaussian_kde(x, weights=np.ones(3)), "a weight for each"),
        (lambda: stats.gaussian_kde(x, "spam"), "bw_method"),
        (lambda: kde(np.ones((2, 3))), "points of shape"),
    ]
    for call, text in wrong:
        with pytest.raises(ValueError, match=text):
            call()


def test_the_entries_that_are_the_mode_share_its_derivative():
    x = np.array([2.0, 1.0, 2.0, 3.0])
    np.testing.assert_array_equal(fgrad.grad(lambda x: stats.mode(x).mode)(x), [0.5, 0, 0.5, 0])
    found = fgrad.jvp(lambda x: stats.mode(x, keepdims=True), (x,), (x,))[0]
    assert found.count.dtype == np.int64
    assert found.mode.shape == (1,)
    assert stats.mode(x) == ss.mode(x)


def test_sem_of_traced_values_takes_no_policy_for_nans():
    with pytest.raises(NoRuleError, match="nan_policy"):
        fgrad.grad(lambda x: stats.sem(x, nan_policy="omit"))(np.ones(3))
    np.testing.assert_array_equal(fgrad.grad(stats.sem)(np.full(2, 3.0)), 0)
