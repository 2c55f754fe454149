"""Kinks, ties, zeros and infinities, with the derivatives that the conventions give there.

The conventions: the subgradient of least norm; ties share evenly; a norm at 0 has the derivative 0;
where NumPy's value is infinite, so may be the derivative.
"""

from __future__ import annotations

import numpy as np

import fgrad

INF, NAN = np.inf, np.nan

#: (function, arguments, derivative of the sum of its results in each argument).
SPECIAL = [
    (np.absolute, [[-1.0, -0.0, 0.0, 2.0]], [[-1, 0, 0, 1]]),
    (np.absolute, [[0j, 3 + 4j]], [[0, 0.6 - 0.8j]]),
    (np.fabs, [[-1.0, 0.0]], [[-1, 0]]),
    (np.sign, [[-1.0, 0.0, 2.0]], [[0, 0, 0]]),
    (lambda z: np.real(np.sign(z)), [[0j, 1j]], [[0, 1]]),
    (np.angle, [[0j, 1j]], [[0, -1]]),
    (np.sqrt, [[0.0, 4.0, INF]], [[INF, 0.25, 0]]),
    (np.cbrt, [[0.0, 8.0]], [[INF, 1 / 12]]),
    (np.log, [[0.0, INF]], [[INF, 0]]),
    (np.reciprocal, [[INF, -INF]], [[0, 0]]),
    (np.tanh, [[-INF, 800.0, 0.0]], [[0, 0, 1]]),
    (np.arctan, [[INF, 1e200, 0.0]], [[0, 0, 1]]),
    (np.arcsinh, [[1e200, 0.0]], [[1e-200, 1]]),
    (np.arccosh, [[1e200]], [[1e-200]]),
    (np.exp, [[-INF, 0.0]], [[0, 1]]),
    (np.expm1, [[-INF, 0.0]], [[0, 1]]),
    (np.log1p, [[1e-300, INF]], [[1, 0]]),
    (np.square, [[0.0, -3.0]], [[0, -6]]),
    # Powers.
    (lambda x: x**0, [[0.0, 2.0]], [[0, 0]]),
    (lambda x: x**1, [[0.0, 2.0]], [[1, 1]]),
    (lambda x: x**2, [[0.0, 2.0]], [[0, 4]]),
    (lambda x: x**3.0, [[0.0, -2.0]], [[0, 12]]),
    (lambda x: x**0.5, [[0.0, 4.0]], [[INF, 0.25]]),
    (np.power, [[0.0, 0.0, 0.0, 0.0], [0.0, 1.0, 2.0, 3.0]], [[0, 1, 0, 0], [0, 0, 0, 0]]),
    (np.power, [[2.0, 3.0], [0.0, 2.0]], [[0, 6], [np.log(2), 9 * np.log(3)]]),
    (lambda x: np.power(x, np.array([2.0, 3.0])), [[-2.0, -2.0]], [[-4, 12]]),
    # Two operands.
    (np.maximum, [[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]], [[0.5, 0, 1], [0.5, 1, 0]]),
    (np.minimum, [[1.0, 2.0, 3.0], [1.0, 3.0, 2.0]], [[0.5, 1, 0], [0.5, 0, 1]]),
    (np.maximum, [[INF, -INF, 0.0], [INF, -INF, -0.0]], [[0.5] * 3, [0.5] * 3]),
    (np.fmax, [[1.0, 1.0, NAN], [1.0, NAN, 1.0]], [[0.5, 1, 0], [0.5, 0, 1]]),
    (np.fmin, [[1.0, 1.0, NAN], [1.0, NAN, 1.0]], [[0.5, 1, 0], [0.5, 0, 1]]),
    (np.logaddexp, [[INF, -INF, 0.0, -INF, INF], [0.0, 0.0, 0.0, -INF, INF]],
     [[1, 0, 0.5, 0.5, 0.5], [0, 1, 0.5, 0.5, 0.5]]),
    (np.logaddexp2, [[INF, 0.0, -INF], [0.0, 0.0, -INF]], [[1, 0.5, 0.5], [0, 0.5, 0.5]]),
    (np.logaddexp, [[1000.0, -1000.0], [-1000.0, 1000.0]], [[1, 0], [0, 1]]),
    (np.hypot, [[0.0, 3.0, 1e300], [0.0, 4.0, 1e300]],
     [[0, 0.6, np.sqrt(0.5)], [0, 0.8, np.sqrt(0.5)]]),
    (np.arctan2, [[0.0, 0.0, 1e300], [0.0, -1.0, 1e300]], [[0, -1, 5e-301], [0, 0, -5e-301]]),
    (np.copysign, [[0.0, 1.0, -1.0], [-1.0, -1.0, 1.0]], [[0, -1, -1], [0, 0, 0]]),
    (np.heaviside, [[-1.0, 0.0, 1.0], [0.5, 0.5, 0.5]], [[0, 0, 0], [0, 1, 0]]),
    (np.true_divide, [[0.0, 1.0], [1.0, INF]], [[1, 0], [0, 0]]),
    (np.remainder, [[5.0, -5.0, 5.0], [3.0, 3.0, INF]], [[1, 1, 1], [-1, 2, 0]]),
    (np.fmod, [[5.0, -5.0], [3.0, 3.0]], [[1, 1], [-1, 1]]),
    (lambda x: np.clip(x, 0.0, 1.0), [[-1.0, 0.0, 0.5, 1.0, 2.0]], [[0, 0.5, 1, 0.5, 0]]),
    (lambda x: np.where(x > 0, x, 0.0), [[-1.0, 0.0, 1.0]], [[0, 0, 1]]),
    # Reductions.
    (np.max, [[1.0, 3.0, 3.0]], [[0, 0.5, 0.5]]),
    (np.min, [[3.0, 3.0, 3.0, 4.0]], [[1 / 3, 1 / 3, 1 / 3, 0]]),
    (np.max, [[INF, 1.0, INF]], [[0.5, 0, 0.5]]),
    (np.ptp, [[1.0, 1.0]], [[0, 0]]),
    (np.median, [[1.0, 1.0, 2.0]], [[0.5, 0.5, 0]]),
    (np.median, [[3.0, 1.0, 2.0, 2.0]], [[0, 0, 0.5, 0.5]]),
    (np.nanmax, [[1.0, NAN, 1.0]], [[0.5, 0, 0.5]]),
    (np.nanmean, [[1.0, NAN, 3.0]], [[0.5, 0, 0.5]]),
    (np.nanprod, [[2.0, NAN, 0.0]], [[0, 0, 2]]),
    (np.nan_to_num, [[1.0, NAN, INF, -INF]], [[1, 0, 0, 0]]),
    (np.sinc, [[0.0, 1.0, -2.0]], [[0, -1, -0.5]]),
    (np.prod, [[2.0, 0.0, 3.0]], [[0, 6, 0]]),
    (np.prod, [[0.0, 0.0, 3.0]], [[0, 0, 0]]),
    (np.cumprod, [[2.0, 0.0, 3.0]], [[1, 8, 0]]),
    (np.cumprod, [[0.0, 0.0]], [[1, 0]]),
    (np.std, [[2.0, 2.0]], [[NAN, NAN]]),
    (np.linalg.norm, [[0.0, 0.0]], [[0, 0]]),
    (np.linalg.norm, [[3.0, 4.0]], [[0.6, 0.8]]),
    (lambda x: np.linalg.norm(x, axis=0), [[[0.0, 3.0], [0.0, 4.0]]], [[[0, 0.6], [0, 0.8]]]),
    (lambda x: np.linalg.norm(x, 1), [[0.0, -2.0]], [[0, -1]]),
    (lambda x: np.linalg.norm(x, np.inf), [[2.0, -2.0, 1.0]], [[0.5, -0.5, 0]]),
    (lambda x: np.linalg.norm(x, 3), [[0.0, 2.0]], [[0, 1]]),
    (lambda x: np.linalg.norm(x, 3), [[0.0, 0.0]], [[0, 0]]),
    (np.linalg.norm, [[0j, 3 + 4j]], [[0, 0.6 - 0.8j]]),
    # Copies that name a place twice: the last value stays, all of them add.
    (lambda x, v: fgrad.at(x)[[0, 0]].set(v), [[1.0, 2.0], [3.0, 4.0]], [[0, 1], [0, 1]]),
    (lambda x, v: fgrad.at(x)[[0, 0]].add(v), [[1.0, 2.0], [3.0, 4.0]], [[1, 1], [1, 1]]),
    (lambda x, v: fgrad.at(x)[[0, 0]].multiply(v), [[2.0, 1.0], [3.0, 4.0]], [[12, 1], [8, 6]]),
    (lambda x, v: fgrad.at(x)[0].max(v), [[1.0, 2.0], 1.0], [[0.5, 1], 0.5]),
]  # fmt: skip

#: (function of one vector, argument, its Hessian).
HESSIANS = [
    (np.prod, [2.0, 0.0, 3.0], [[0, 3, 0], [3, 0, 2], [0, 2, 0]]),
    (np.prod, [0.0, 0.0, 3.0], [[0, 3, 0], [3, 0, 0], [0, 0, 0]]),
    (lambda x: np.sum(np.cumprod(x)), [0.0, 0.0, 3.0], [[0, 4, 0], [4, 0, 0], [0, 0, 0]]),
    (lambda x: np.sum(x**2), [0.0, 1.0], [[2, 0], [0, 2]]),
    (lambda x: np.sum(x**1), [0.0, 1.0], [[0, 0], [0, 0]]),
    (lambda x: np.sum(np.abs(x)), [0.0, 1.0], [[0, 0], [0, 0]]),
    (lambda x: np.logaddexp(x[0], x[1]), [0.0, 0.0], [[0.25, -0.25], [-0.25, 0.25]]),
    (lambda x: np.logaddexp(x[0], x[1]), [-INF, 0.0], [[0, 0], [0, 0]]),
    (lambda x: np.sum(np.sinc(x)), [0.0, 1e-5, 1.0], np.diag([-np.pi**2 / 3] * 2 + [2.0])),
    (lambda x: np.linalg.norm(x), [3.0, 4.0], [[0.128, -0.096], [-0.096, 0.072]]),
    (lambda x: np.linalg.norm(x), [0.0, 0.0], [[0, 0], [0, 0]]),
    (lambda x: np.hypot(x[0], x[1]), [0.0, 0.0], [[0, 0], [0, 0]]),
    (lambda x: np.arctan2(x[0], x[1]), [0.0, 0.0], [[0, 0], [0, 0]]),
]  # fmt: skip
