"""The incomplete gamma functions, with derivatives in every argument.

Their derivatives in a are no functions that SciPy has. With L the logarithm's mean,
digamma(a), the derivative of gammainc(a, x) in a is the integral from 0 to x of
(log t - L) t**(a - 1) exp(-t) / gamma(a), and minus the integral of the same from x on. Of the two
that one is taken whose integrand has one sign, so nothing cancels and small values keep their
digits; in the variable log t it is smooth and falls off exponentially.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from ...ops.casts import stop_gradient_leaf
from ...ops.ufuncs import ratio
from ...rules import elementwise
from .gammas import BERNOULLI
from .quadrature import DECAY, integral
from .series import horner, where


# ------------------------------------------------------------------ incomplete gamma
def stirling(a: Any) -> Any:
    """log(gamma(a)) without its leading terms, for a >= 10: DLMF 5.11.1."""
    coefficients = [b / (2 * k * (2 * k - 1)) for k, b in enumerate(BERNOULLI, 1)]
    return horner(1 / (a * a), coefficients) / a


def gamma_kernel(a: Any, x: Any) -> Any:
    """x**a exp(-x) / gamma(a), for large a with the digits that x - a has."""

    def large(a: Any, x: Any) -> Any:
        d = (x - a) / a
        near = np.abs(d) < 0.5
        log = np.where(near, np.log1p(np.where(near, d, 0)), np.log(np.where(near, 1, x / a)))
        return np.sqrt(a / (2 * math.pi)) * np.exp(a * (log - d) - stirling(a))

    return where(
        np.logical_and(np.greater(a, 10), np.greater(x, 0)),
        large,
        lambda a, x: np.exp(special.xlogy(a, x) - x - special.gammaln(a)),
        (a, x), (20.0, 20.0), (1.0, 1.0),
    )  # fmt: skip


def _lower_length(a: Any, x: Any) -> Any:
    """Where a s - x (1 - exp(-s)) has grown to `DECAY`: the root of a quadratic below it."""
    b = 2 * (a - x) - DECAY
    root = np.sqrt(b * b + 8 * DECAY * a)
    return np.where(b < 0, (root - b) / (2 * a), 4 * DECAY / (np.abs(b) + root))


def _upper_length(a: Any, x: Any) -> Any:
    """Where x (exp(s) - 1) - a s has: likewise, and where x exp(s) alone has."""
    b = x - a
    length = 2 * DECAY / (b + np.sqrt(b * b + 2 * DECAY * x))
    for _ in range(3):
        length = np.minimum(length, np.log1p((DECAY + a * length) / x))
    return length


def _gamma_lower(a: Any, x: Any, mean: Any) -> Any:
    def f(s: Any, a: Any, x: Any, mean: Any) -> Any:  # for t = x exp(-s)
        return np.exp(-a * s - x * np.expm1(-s)) * (np.log(x) - mean - s)

    length = _lower_length(stop_gradient_leaf(a), stop_gradient_leaf(x))
    return gamma_kernel(a, x) * integral(f, (0.0, length), a, x, mean)


def _gamma_upper(a: Any, x: Any, mean: Any) -> Any:
    def f(s: Any, a: Any, x: Any, mean: Any) -> Any:  # for t = x exp(s)
        return np.exp(a * s - x * np.expm1(s)) * (mean - np.log(x) - s)

    length = _upper_length(stop_gradient_leaf(a), stop_gradient_leaf(x))
    return gamma_kernel(a, x) * integral(f, (0.0, length), a, x, mean)


def gammainc_a(a: Any, x: Any) -> Any:
    """The derivative of gammainc(a, x) in a, for a >= 0; NaN where gammainc is."""
    inside = np.logical_and(np.greater(x, 0), np.isfinite(x))
    good = np.logical_and(np.greater(a, 0), inside)
    a_safe, x_safe = np.where(good, a, 1.0), np.where(good, x, 1.0)
    mean = special.digamma(a_safe)
    slope = where(
        np.log(x_safe) < mean, _gamma_lower, _gamma_upper, (a_safe, x_safe, mean),
        (2.0, 1.0, 1.0), (1.0, 2.0, 0.0),
    )  # fmt: skip
    first = np.logical_and(np.equal(a, 0), inside)
    constant = np.logical_and(np.greater(a, 0), np.logical_or(np.equal(x, 0), np.isposinf(x)))
    outside = np.where(constant, 0.0, np.nan)
    outside = np.where(first, -special.exp1(np.where(first, x, 1.0)), outside)
    return np.where(good, slope, outside)


def gammainc_x(a: Any, x: Any) -> Any:
    """The derivative of gammainc(a, x) in x, which is the gamma distribution's density."""
    inside = np.logical_and(np.greater(x, 0), np.isfinite(x))
    safe = np.where(inside, x, 1.0)
    at_zero = np.where(np.equal(a, 1), 1.0, np.where(np.less(a, 1), np.inf, 0.0))
    outside = np.where(np.equal(x, 0), at_zero, np.where(np.isposinf(x), 0.0, np.nan))
    return np.where(inside, gamma_kernel(a, safe) / safe, outside)


elementwise(
    special.gammainc, lambda ans, a, x: gammainc_a(a, x), lambda ans, a, x: gammainc_x(a, x)
)
elementwise(
    special.gammaincc, lambda ans, a, x: -gammainc_a(a, x), lambda ans, a, x: -gammainc_x(a, x)
)
elementwise(
    special.gammaincinv,
    lambda ans, a, p: -ratio(gammainc_a(a, ans), gammainc_x(a, ans)),
    lambda ans, a, p: 1 / gammainc_x(a, ans),
)
elementwise(
    special.gammainccinv,
    lambda ans, a, p: -ratio(gammainc_a(a, ans), gammainc_x(a, ans)),
    lambda ans, a, p: -1 / gammainc_x(a, ans),
)
