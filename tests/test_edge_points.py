"""Derivatives at the edge points where systems differ: right, or the convention, in both modes."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad.scipy.special
import fgrad.scipy.stats
from fgrad import grad, jvp

from . import laws

INF, NAN = np.inf, np.nan
special, stats = fgrad.scipy.special, fgrad.scipy.stats
E, D = np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, 2.0])

#: (function, point, derivative there)
POINTS = [
    (np.sqrt, 0.0, INF),
    (lambda x: x**0.5, 0.0, INF),
    (lambda x: x**2, 0.0, 0),
    (lambda x: x**0, 0.0, 0),
    (lambda x: x**0.0, 0.0, 0),
    (lambda x: np.power(x, 3.0), -2.0, 12),
    (lambda x: np.power(0.0, x), 2.0, 0),
    (lambda x: np.power(0.0, x), 0.0, 0),
    (lambda x: np.power(-2.0, x), 2.0, NAN),
    (np.abs, 0.0, 0),
    (lambda x: np.linalg.norm(np.array([0.0, 0.0]) * x), 1.0, 0),
    (lambda x: np.linalg.norm(np.ones(2) * x), 0.0, 0),
    (lambda x: np.linalg.norm(np.ones(2) * x) ** 2, 0.0, 0),
    (lambda x: np.hypot(x, 0.0), 0.0, 0),
    (lambda x: np.arctan2(x, 0.0), 0.0, 0),
    (lambda x: np.maximum(x, 0.0), 0.0, 0.5),
    (lambda x: np.max(np.ones(2) * x), 1.0, 1),
    (lambda x: np.clip(x, 0.0, 1.0), 0.0, 0.5),
    (np.sinc, 0.0, 0),
    (lambda x: np.logaddexp(x, -INF), -INF, 0.5),
    (lambda x: np.logaddexp(x, 0.0), 1000.0, 1),
    (lambda x: special.logsumexp(np.ones(2) * x), -INF, 1),
    (np.tanh, 1000.0, 0),
    (np.log1p, 1000.0, 1 / 1001),
    (np.expm1, -1000.0, 0),
    (lambda x: np.logaddexp(x, 0.0), -1000.0, 0),
    (special.softplus, 1000.0, 1),
    (special.softplus, -1000.0, 0),
    (special.expit, -800.0, 0),
    (special.expit, 800.0, 0),
    (lambda x: np.prod(E * x + D), 3.0, 0),
    (lambda x: np.prod(E * x + np.array([0.0, 3.0, 2.0])), 0.0, 6),
    (lambda x: np.cumprod(E * x + np.array([0.0, 3.0, 1.0]))[1], 0.0, 3),
    (lambda x: np.std(np.ones(3) * x), 1.0, 0),
    (lambda x: np.std(np.ones(1) * x), 1.0, 0),
    (lambda x: np.var(np.ones(3) * x), 1.0, 0),
    (np.arccos, 1.0, -INF),
    (np.arctanh, 1.0, INF),
    (np.cbrt, 0.0, INF),
    (lambda x: np.mod(x, 1.0), 2.0, 1),
    (lambda x: np.mod(5.0, x), -3.0, 2),
    (lambda x: np.fmod(-5.0, x), 3.0, 1),
    (lambda x: np.linalg.det(np.array([[1.0, 2.0], [2.0, 4.0]]) + np.diag(E[:2]) * x), 0.0, 4),
    (lambda x: np.sum(np.linalg.eigh(np.eye(2) * x)[0]), 1.0, 2),
    (lambda x: np.sum(np.linalg.svd(np.eye(2) * x)[1]), 1.0, 2),
    (lambda x: np.sum(np.linalg.svd(np.ones((2, 2)) * x)[1]), 1.0, 2),
    (lambda x: special.xlogy(x, x), 0.0, -INF),
    (special.entr, 0.0, INF),
    (lambda a: special.gammainc(a, 1.5), 2.0, -0.31348863782508),
    (lambda a: special.betainc(a, 2.0, 0.4), 1.5, -0.28864066047891),
    (special.i1, 0.0, 0.5),
    (stats.norm.logcdf, -40.0, 40.024968847207),
    (stats.norm.cdf, -40.0, 0),
    (lambda x: stats.chi2.logpdf(x, 2.5), 1.3, -0.30769230769231),
    (lambda df: stats.chi2.logpdf(1.3, df), 2.5, -0.10166469135809),
    (lambda s: stats.t.logpdf(1.0, 3.0, 0.0, s), 1.5, -0.32258064516129),
    (lambda s: stats.gumbel_r.logpdf(1.0, 0.0, s), 1.5, -0.45040763168),
    (lambda mu: stats.poisson.entropy(mu), 2.5, 0.2231336),
    (lambda x: np.sum(np.sort(np.array([1.0, 1.0]) * x) * np.array([1.0, 2.0])), 1.0, 3),
    (lambda x: np.median(np.array([1.0, 1.0, 2.0]) * x), 1.0, 1),
    (np.nan_to_num, NAN, 0),
    (lambda x: np.float_power(x, 2.0), 3.0, 6),
    (grad(lambda x: x**2), 0.0, 2),
    (grad(np.tanh), 0.3, -0.53318178120145),
    (grad(np.sinc), 0.0, -(np.pi**2) / 3),
    (grad(lambda x: np.linalg.norm(E[:2] * x + E[1::-1])), 0.3, 0.87873971121207),
    (grad(lambda x: np.abs(x) ** 3), 0.0, 0),
]


@pytest.mark.parametrize(("f", "x", "want"), POINTS)
def test_edge_point(f, x, want):
    with laws.quiet():
        np.testing.assert_allclose(grad(f)(x), want, rtol=1e-6, atol=1e-15)
        np.testing.assert_allclose(jvp(f, (x,), (1.0,))[1], want, rtol=1e-6, atol=1e-15)
        got = grad(f)(np.float32(x))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, want, rtol=2e-3, atol=1e-6)
