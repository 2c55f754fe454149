"""Derivatives of `scipy.special` at zeros, poles, infinities, and where formulas change."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as sp

import fgrad
from fgrad.scipy import special

from .. import laws

INF, NAN = np.inf, np.nan
EULER = 0.5772156649015329
PI = np.pi

#: (function, arguments, derivative of the sum of its results in each argument).
POINTS = [
    # Sums of exponentials: infinities that are the greatest share evenly.
    (special.logsumexp, [[-INF, -INF]], [[0.5, 0.5]]),
    (special.logsumexp, [[INF, 0.0, INF]], [[0.5, 0.0, 0.5]]),
    (special.logsumexp, [[-INF, 1.0]], [[0, 1]]),
    (special.logsumexp, [[1e9, 1e9 + 1]], [[0.2689414213699951, 0.7310585786300049]]),
    (lambda x: special.logsumexp(x, axis=0), [[[-INF, 0.0], [-INF, 0.0]]], [[[0.5] * 2] * 2]),
    (lambda x, b: special.logsumexp(x, b=b), [[-INF, -INF], [1.0, 3.0]],
     [[0.25, 0.75], [0.25] * 2]),
    (lambda x: special.logsumexp(x, b=np.array([0.0, 2.0])), [[INF, 1.0]], [[0, 1]]),
    (special.log_softmax, [[1000.0, 0.0, -1000.0]], [[-2, 1, 1]]),
    (lambda x: special.softmax(x)[0], [[-1000.0, -1000.0]], [[0.25, -0.25]]),
    # The logistic function.
    (sp.expit, [[-800.0, 0.0, 800.0, INF]], [[0, 0.25, 0, 0]]),
    (sp.expit, [[40.0]], [[np.exp(-40)]]),
    (sp.logit, [[0.0, 0.5, 1.0]], [[INF, 4, INF]]),
    (sp.log_expit, [[-800.0, 800.0]], [[1, 0]]),
    (special.softplus, [[-800.0, 0.0, 800.0]], [[0, 0.5, 1]]),
    # Entropies at 0, from the right.
    (sp.xlogy, [[0.0, 0.0, 2.0], [2.0, 0.0, 4.0]], [[np.log(2), -INF, np.log(4)], [0, 0, 0.5]]),
    (lambda x: sp.xlogy(x, x), [[0.0, 1.0]], [[-INF, 1]]),
    (sp.xlog1py, [[0.0, 0.0], [2.0, -1.0]], [[np.log(3), -INF], [0, 0]]),
    (sp.entr, [[0.0, 1.0]], [[INF, -1]]),
    (sp.rel_entr, [[0.0, 1e-200], [1.0, 1e200]], [[-INF, 1 - 400 * np.log(10)], [0, 0]]),
    (sp.kl_div, [[0.0, 2.0, 0.0], [1.0, 2.0, 0.0]], [[-INF, 0, NAN], [1, 0, 1]]),
    # Bessel functions at 0, and far out.
    (sp.i1, [[0.0]], [[0.5]]),
    (sp.i1e, [[0.0, 1e6]], [[0.5, -1.994703654700e-10]]),
    (sp.i0e, [[0.0, 1e6, 1e8]], [[0, -1.9947121898e-10, -1.994711409489e-13]]),
    (sp.j1, [[0.0]], [[0.5]]),
    (lambda x: sp.jn(np.array([0, 1, 2]), x), [[0.0] * 3], [[0, 0.5, 0]]),
    (lambda x: special.spherical_jn(np.array([0, 1, 2]), x), [[0.0] * 3], [[0, 1 / 3, 0]]),
    (lambda v: sp.kv(v, 0.5), [[0.0]], [[0.0]]),
    (lambda v: sp.jv(v, 1.0), [[0.5]], [[-0.40810378137809801]]),
    # The normal distribution's tails.
    (sp.log_ndtr, [[-40.0, -1e5, -1e200, 40.0, INF]],
     [[40.02496884720727, 100000.0000099999999980000000, 1e200, 0, 0]]),
    (sp.ndtr, [[-40.0, 0.0]], [[0, 1 / np.sqrt(2 * PI)]]),
    (sp.ndtri, [[0.0, 0.5, 1.0]], [[INF, np.sqrt(2 * PI), INF]]),
    (sp.ndtri_exp, [[-1e10]], [[7.0710678160297817e-06]]),
    (sp.erfcx, [[1e6, 1e200]], [[-5.641895835469147e-13, 0]]),
    (sp.dawsn, [[0.0, 1e200]], [[1, 0]]),
    (sp.owens_t, [[0.0], [0.0]], [[0], [1 / (2 * PI)]]),
    # The gamma function's poles, and what is finite there.
    (sp.rgamma, [[0.0, -1.0, -2.0, INF]], [[1, -1, 2, 0]]),
    (sp.poch, [[-3.0, -3.0], [5.0, 0.0]], [[-6, 0], [0, NAN]]),
    (sp.digamma, [[-0.5]], [[8.934802200544679]]),
    (sp.gammaln, [[-0.5]], [[0.03648997397857652]]),
    (special.factorial, [[0.0, -1.5]], [[-EULER, 0]]),
    (special.comb, [[5.0, 2.0], [5.0, 3.0]], [[137 / 60, 0], [-137 / 60, 0]]),
    (sp.gammainc, [[0.5, 1.0, 2.0, 2.0], [0.0, 0.0, 0.0, INF]], [[0] * 4, [INF, 1, 0, 0]]),
    (sp.gammainc, [[0.0], [1.0]], [[-0.21938393439552029], [0]]),
    (sp.betainc, [[0.5, 1.0, 2.0], [2.0, 3.0, 0.5], [0.0, 0.0, 1.0]],
     [[0] * 3, [0] * 3, [INF, 3, INF]]),
    (sp.stdtr, [[3.0, INF], [0.0, 1.0]], [[0, 0], [0.36755259694786135, 0.24197072451914337]]),
    (special.zeta, [[0.0, -2.0, INF]], [[-np.log(2 * PI) / 2, -0.030448457058393270, 0]]),
    (special.zeta, [[2.0], [1.0]], [[-0.9375482543158438], [-2.404113806319188]]),
    # Removable singularities.
    (sp.spence, [[0.0, 1.0]], [[-INF, -1]]),
    (lambda x: sp.sici(x)[0], [[0.0, INF]], [[1, 0]]),
    (lambda x: sp.shichi(x)[0], [[0.0]], [[1]]),
    (sp.exprel, [[0.0, 800.0]], [[0.5, INF]]),
    (sp.boxcox, [[0.0, 1.0, 2.0], [1.0, 0.0, 0.0]], [[1, 1, 0.5], [1, 0, np.log(2) ** 2 / 2]]),
    (sp.inv_boxcox, [[0.0, 1.0], [0.0, 0.0]], [[1, np.e], [0, -np.e / 2]]),
    (sp.ellipk, [[0.0, 1.0]], [[PI / 8, INF]]),
    (sp.ellipe, [[0.0]], [[-PI / 8]]),
    (sp.agm, [[1.0], [1.0]], [[0.5], [0.5]]),
    (lambda z: np.real(special.lambertw(z)), [[0.0]], [[1]]),
    (sp.hyp2f1, [[0.5], [1.0], [2.0], [0.0]], [[0], [0], [0], [0.25]]),
    (lambda x: np.real(special.sph_harm_y(1, 1, x, 0.0)), [[0.0]], [[-0.3454941494713355]]),
    # Losses.
    (sp.huber, [[1.0, 1.0], [1.0, -3.0]], [[0, 2], [1, -1]]),
    (sp.pseudo_huber, [[1.0, 0.0, 1e200], [0.0, 0.0, 1e200]],
     [[0, 0, (np.sqrt(2) - 1) ** 2 / np.sqrt(2) * 1e200], [0, 0, 1e200 / np.sqrt(2)]]),
]  # fmt: skip

#: (function, point, second derivative).
SECOND = [
    (sp.rgamma, -2.0, -3.6911373403938686),
    (sp.exprel, 0.0, 1 / 3),
    (sp.spence, 1.0, 0.5),
    (lambda x: sp.sici(x)[0], 0.0, 0.0),
    (sp.ellipk, 0.0, 9 * PI / 64),
    (sp.dawsn, 20.0, 0.0001259463930677713),
    (sp.log_ndtr, -1e6, -1.0),
    (lambda x: sp.boxcox(2.0, x), 0.0, np.log(2) ** 3 / 3),
    (lambda x: sp.xlogy(0.0, x), 2.0, 0.0),
    (lambda x: special.logsumexp(np.stack([x, -x])), 0.0, 1.0),
    (sp.i0, 0.0, 0.5),
    (lambda x: sp.binom(x, 3), 2.0, 1.0),
    (lambda x: sp.poch(x, 2), -3.0, 2.0),
    (lambda x: sp.stdtr(3.0, x), 0.0, 0.0),
]


def name(x):
    return getattr(x, "__name__", "f").replace("<lambda>", "f") if callable(x) else None


@pytest.mark.parametrize(("f", "args", "want"), POINTS, ids=name)
def test_points(f, args, want):
    xs = [np.array(x) for x in args]
    with laws.quiet():
        y, pullback = fgrad.vjp(f, *xs)
        np.testing.assert_allclose(y, f(*xs), 1e-15, err_msg="value = SciPy's")
        cts = pullback(np.ones_like(y))
        for got, w in zip(cts, want, strict=True):
            np.testing.assert_allclose(got, w, 2e-12, 1e-15)


@pytest.mark.parametrize(("f", "x", "want"), SECOND, ids=name)
def test_second_derivatives_at_points(f, x, want):
    with laws.quiet():
        np.testing.assert_allclose(fgrad.grad(fgrad.grad(f))(x), want, 1e-7, 1e-11)
        forward = fgrad.jvp(fgrad.grad(f), (x,), (1.0,))[1]
        np.testing.assert_allclose(forward, want, 1e-7, 1e-11)


def test_the_mixed_second_derivative_of_students_t_at_0():
    # The density's derivative in the degrees of freedom.
    got = fgrad.jvp(lambda t: fgrad.grad(sp.stdtr)(3.0, t), (0.0,), (1.0,))[1]
    step = 1e-5
    density = [fgrad.grad(sp.stdtr, 1)(3.0 + s, 0.0) for s in (-step, step)]
    np.testing.assert_allclose(got, (density[1] - density[0]) / (2 * step), 1e-8)
