"""The incomplete beta functions, with derivatives in every argument.

As for the incomplete gamma functions: the derivative of betainc(a, b, x) in a is the integral from
0 to x of (log t - L) t**(a - 1) (1 - t)**(b - 1) / beta(a, b), with L = digamma(a) -
digamma(a + b), the mean of log t, and minus the integral from x on. Of the two that one is taken
whose integrand has one sign, in the variable logit(t).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from ...ops.casts import stop_gradient_leaf
from ...ops.ufuncs import ratio
from ...rules import elementwise
from .gammas import psi_gap
from .incomplete import stirling
from .quadrature import DECAY, integral
from .series import where


def _log(x: Any, y: Any) -> Any:
    """log(x), given y = 1 - x."""
    high = np.greater(x, 0.5)
    return np.where(high, np.log1p(-np.where(high, y, 0)), np.log(np.where(high, 1, x)))


def beta_kernel(a: Any, b: Any, x: Any, y: Any) -> Any:
    """x**a y**b / beta(a, b) for y = 1 - x, for large a and b with the digits that x has."""

    def large(a: Any, b: Any, x: Any, y: Any) -> Any:
        d = x * b - y * a
        power = a * _log_ratio(d / a, x * (a + b) / a) + b * _log_ratio(-d / b, y * (a + b) / b)
        power = power + stirling(a + b) - stirling(a) - stirling(b)
        return np.sqrt(a / (2 * math.pi) * (b / (a + b))) * np.exp(power)

    def other(a: Any, b: Any, x: Any, y: Any) -> Any:
        return np.exp(a * _log(x, y) + b * _log(y, x) - special.betaln(a, b))

    return where(np.logical_and(np.greater(a, 10), np.greater(b, 10)), large, other,
                 (a, b, x, y), (20.0, 20.0, 0.5, 0.5), (1.0, 1.0, 0.5, 0.5))  # fmt: skip


def _log_ratio(d: Any, q: Any) -> Any:
    """log(q), given d = q - 1."""
    near = np.abs(d) < 0.5
    return np.where(near, np.log1p(np.where(near, d, 0)), np.log(np.where(near, 1, q)))


def _length(a: Any, b: Any, x: Any, y: Any) -> Any:
    """Where a s + (a + b) log(1 + x expm1(-s)), which is convex, is `DECAY`: Newton's method."""
    a, b, x, y = map(stop_gradient_leaf, (a, b, x, y))
    s = (DECAY - (a + b) * _log(y, x)) / a
    for _ in range(12):
        value = a * s + (a + b) * _shift(x, y, s) - DECAY
        s = s - value / (a - (a + b) * x * np.exp(-s) / (y + x * np.exp(-s)))
    return s


def _shift(x: Any, y: Any, s: Any) -> Any:
    """log(y + x exp(-s)) for y = 1 - x."""
    e = x * np.expm1(-s)
    near = e > -0.5
    return np.where(
        near, np.log1p(np.where(near, e, 0)), np.log(np.where(near, 1, y + x * np.exp(-s)))
    )


def _bend(x: Any, y: Any) -> Any:
    """Where t is 1/2, and the integrand bends: that may be far from both ends."""
    with np.errstate(divide="ignore"):
        return np.log(stop_gradient_leaf(x) / stop_gradient_leaf(y))


def _lower(a: Any, b: Any, x: Any, y: Any, mean: Any) -> Any:
    def f(s: Any, a: Any, b: Any, x: Any, y: Any, log: Any) -> Any:
        shift = _shift(x, y, s)
        return np.exp(-a * s - (a + b) * shift) * (log - s - shift)

    end = _length(a, b, x, y)
    bend = _bend(x, y)
    return integral(f, (0.0, np.clip(bend, 0, end), end), a, b, x, y, _log(x, y) - mean)


def _upper(a: Any, b: Any, x: Any, y: Any, mean: Any) -> Any:
    def f(s: Any, a: Any, b: Any, x: Any, y: Any, log: Any) -> Any:
        shift = _shift(y, x, s)
        return np.exp(-b * s - (a + b) * shift) * (shift - log)

    end = _length(b, a, y, x)
    bend = _bend(y, x)
    return integral(f, (0.0, np.clip(bend, 0, end), end), a, b, x, y, _log(x, y) - mean)


def slope_over_kernel(a: Any, b: Any, x: Any, y: Any) -> Any:
    """The derivative of betainc(a, b, x) in a over `beta_kernel`, for y = 1 - x."""
    mean = psi_gap(a, b)
    return where(_log(x, y) < mean, _lower, _upper, (a, b, x, y, mean),
                 (1.0, 1.0, 0.25, 0.75, -1.0), (1.0, 1.0, 0.75, 0.25, -1.0))  # fmt: skip


def slope_a(a: Any, b: Any, x: Any, y: Any) -> Any:
    """The derivative of betainc(a, b, x) in a, for y = 1 - x."""
    good = np.logical_and(np.greater(a, 0), np.greater(b, 0))
    edge = np.logical_and(good, np.logical_or(np.equal(x, 0), np.equal(y, 0)))
    good = np.logical_and(good, np.logical_and(np.greater(x, 0), np.greater(y, 0)))
    a, b = np.where(good, a, 1.0), np.where(good, b, 1.0)
    x, y = np.where(good, x, 0.5), np.where(good, y, 0.5)
    slope = beta_kernel(a, b, x, y) * slope_over_kernel(a, b, x, y)
    return np.where(good, slope, np.where(edge, 0.0, np.nan))


def betainc_a(a: Any, b: Any, x: Any) -> Any:
    """The derivative of betainc(a, b, x) in a, for positive a and b."""
    return slope_a(a, b, x, 1 - x)


def betainc_b(a: Any, b: Any, x: Any) -> Any:
    """The derivative of betainc(a, b, x) = 1 - betainc(b, a, 1 - x) in b."""
    return -slope_a(b, a, 1 - x, x)


def _at_end(a: Any, b: Any) -> Any:
    """The density at 0."""
    return np.where(np.equal(a, 1), b, np.where(np.less(a, 1), np.inf, 0.0))


def betainc_x(a: Any, b: Any, x: Any) -> Any:
    """The derivative of betainc(a, b, x) in x, which is the beta distribution's density."""
    inside = np.logical_and(np.greater(x, 0), np.less(x, 1))
    safe = np.where(inside, x, 0.5)
    density = beta_kernel(a, b, safe, 1 - safe) / (safe * (1 - safe))
    ends = np.where(np.equal(x, 0), _at_end(a, b), np.where(np.equal(x, 1), _at_end(b, a), np.nan))
    return np.where(inside, density, ends)


elementwise(
    special.betainc,
    lambda ans, a, b, x: betainc_a(a, b, x),
    lambda ans, a, b, x: betainc_b(a, b, x),
    lambda ans, a, b, x: betainc_x(a, b, x),
)
elementwise(
    special.betaincc,
    lambda ans, a, b, x: -betainc_a(a, b, x),
    lambda ans, a, b, x: -betainc_b(a, b, x),
    lambda ans, a, b, x: -betainc_x(a, b, x),
)
elementwise(
    special.betaincinv,
    lambda ans, a, b, p: -ratio(betainc_a(a, b, ans), betainc_x(a, b, ans)),
    lambda ans, a, b, p: -ratio(betainc_b(a, b, ans), betainc_x(a, b, ans)),
    lambda ans, a, b, p: 1 / betainc_x(a, b, ans),
)
elementwise(
    special.betainccinv,
    lambda ans, a, b, p: -ratio(betainc_a(a, b, ans), betainc_x(a, b, ans)),
    lambda ans, a, b, p: -ratio(betainc_b(a, b, ans), betainc_x(a, b, ans)),
    lambda ans, a, b, p: -1 / betainc_x(a, b, ans),
)
