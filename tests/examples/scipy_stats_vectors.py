"""Rows of `scipy.stats` for distributions of vectors, density estimates and samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats as ss

from fgrad.scipy import stats

from .row import I, P, R, Row, constant, linear, row

normal, simplex = ss.multivariate_normal, ss.dirichlet


def positive(a: Any) -> Any:
    """A positive definite matrix."""
    return a @ a.T + np.eye(2, dtype=a.dtype)


def shares(p: Any) -> Any:
    """Positive numbers as parts of one, in double precision: SciPy checks their sum."""
    return p.astype(np.float64) / np.sum(p.astype(np.float64), axis=0)


def on_plane(a: Any, u: Any) -> Any:
    """Density of points of a plane in three dimensions, of a covariance of rank two."""
    a, u = a.astype(np.float64), u.astype(np.float64)  # SciPy's tolerance is for these
    return stats.multivariate_normal.logpdf(u @ a.T, cov=a @ a.T, allow_singular=True)


X, MEAN, A = R(3, 2), R(2), R(2, 2)
NORMAL = [
    row(normal.logpdf, [X, MEAN, A],
        lambda x, m, a: stats.multivariate_normal.logpdf(x, m, positive(a)), bits=False),
    row(normal.logpdf, [MEAN, A],
        lambda x, a: stats.multivariate_normal.logpdf(x, cov=positive(a)), bits=False),
    row(normal.logpdf, [X, P(2)],
        lambda x, c: stats.multivariate_normal.logpdf(x, [0.5, 1.0], c), bits=False),
    row(normal.logpdf, [R(3), P()],
        lambda x, c: stats.multivariate_normal.logpdf(x, cov=c), bits=False),
    row(normal.logpdf, [R(2, 2), P(2, 2)],
        lambda x, c: stats.multivariate_normal.logpdf(
            x, [0.5, 1.0], positive(c), allow_singular=True), bits=False),
    row(normal.logpdf, [R(3, 2), X], on_plane, bits=False),
    row(normal.pdf, [X, A],
        lambda x, a: stats.multivariate_normal.pdf(x, x[0], positive(a)), bits=False),
    row(normal.entropy, [A], lambda a: stats.multivariate_normal.entropy(None, positive(a)),
        bits=False),
    row(normal.entropy, [P(2)], lambda c: stats.multivariate_normal.entropy([0.0, 1.0], c),
        bits=False),
]  # fmt: skip

SIMPLEX = [
    row(simplex.logpdf, [P(3), P(3)], lambda x, a: stats.dirichlet.logpdf(shares(x), a),
        bits=False),
    row(simplex.logpdf, [P(3, 2), P(3)], lambda x, a: stats.dirichlet.logpdf(shares(x)[:2], a),
        bits=False),
    row(simplex.pdf, [P(3, 2), P(3)], lambda x, a: stats.dirichlet.pdf(shares(x), a), bits=False),
    row(simplex.entropy, [P(3)], stats.dirichlet.entropy, bits=False),
    row(ss.multinomial.logpmf, [I(2, 3), P(3)],
        lambda x, p: stats.multinomial.logpmf(x, np.sum(x, axis=-1), shares(p)), bits=False),
    row(ss.multinomial.pmf, [I(3), P(3)],
        lambda x, p: stats.multinomial.pmf(x, np.sum(x), shares(p)), bits=False),
]  # fmt: skip

KDE = [
    row(ss.gaussian_kde, [(4,), P(4), (3,)],
        lambda x, w, y: stats.gaussian_kde(x, weights=w).evaluate(y), bits=False),
    row(ss.gaussian_kde, [(2, 4), P(), (2, 3)],
        lambda x, b, y: stats.gaussian_kde(x, b * 1.0).logpdf(y), bits=False),
    row(ss.gaussian_kde, [(2, 4), (2,)],
        lambda x, y: stats.gaussian_kde(x, "silverman").pdf(y), bits=False),
    row(ss.gaussian_kde, [(4,)], lambda x: stats.gaussian_kde(x).integrate_box_1d(-1.0, 0.5),
        bits=False),
    row(ss.gaussian_kde, [(2, 4), A],
        lambda x, a: stats.gaussian_kde(x).integrate_gaussian([0.5, 0.0], positive(a)),
        bits=False),
    row(ss.gaussian_kde, [(2, 4), (2, 3)],
        lambda x, y: stats.gaussian_kde(x).integrate_kde(stats.gaussian_kde(y, lambda k: 0.7)),
        bits=False),
]  # fmt: skip

SAMPLES = [
    row(ss.sem, [(3, 2)], stats.sem, bits=False),
    row(ss.sem, [(3, 2)], lambda x: stats.sem(x, axis=None, ddof=0, keepdims=True), bits=False),
    constant(ss.rankdata, [(2, 3)], stats.rankdata),
    constant(ss.rankdata, [(2, 3)], lambda x: stats.rankdata(x, "min", axis=0)),
    constant(ss.rankdata, [(2, 3)], lambda x: stats.rankdata(np.sign(x), "dense", axis=1)),
    constant(ss.mode, [(2, 3)], lambda x: stats.mode(np.sign(x)).count),
    linear(ss.mode, [(2, 3)], lambda x: stats.mode(x * 1.0, axis=1).mode, complex=False),
    row(ss.mode, [(2,)], lambda x: stats.mode(np.stack([x[1], x[0], x[1]]), None, keepdims=True)[0],
        bits=False),
]  # fmt: skip

ROWS: list[Row] = [*NORMAL, *SIMPLEX, *KDE, *SAMPLES]
