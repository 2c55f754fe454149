"""Elementwise functions that the distributions need and SciPy has not."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.stats

from ...core import Array
from ...rules import constant, elementwise, line_up, primitive, total

LN2 = math.log(2.0)


def quiet() -> Any:
    """SciPy's distributions don't warn at their poles."""
    return np.errstate(divide="ignore", over="ignore", invalid="ignore", under="ignore")


# ------------------------------------------------------------------ log(1 - exp(-x))
def log1mexp(x: Any) -> Any:
    """log(1 - exp(-x)) for x > 0 (Maechler, Accurately computing log(1 - exp(-|a|)), 2012)."""
    with quiet():
        return np.where(x < LN2, np.log(-np.expm1(-x)), np.log1p(-np.exp(-x)))[()]


# exp(-x) / (1 - exp(-x)), in which nothing overflows.
log_one_minus_exp = elementwise(log1mexp, lambda t, ans, x: t * np.exp(-x) / -np.expm1(-x))


# ------------------------------------------------------------------ powers of |x|
def abs_power(x: Any, y: Any, *, odd: bool) -> Any:
    """|x| ** y; for odd times the sign of x, and 0 at 0."""
    if not odd:
        return np.power(np.abs(x), y)
    zero = np.equal(x, 0)
    return np.where(zero, 0, np.sign(x) * np.power(np.where(zero, 1, np.abs(x)), y))[()]


def _slope(x: Array, y: Array, odd: bool) -> Array:
    if not odd:
        return y * power_of_abs(x, y - 1, odd=True)
    flat = np.equal(y, 0)  # at x = 0 too, where |x| ** -1 is infinite
    return np.where(flat, 0, y * power_of_abs(x, np.where(flat, 1, y - 1)))


def _log_abs(x: Array) -> Array:
    """log |x|, and 0 at 0, where it stands beside a power of x that is 0."""
    return np.log(np.abs(np.where(np.equal(x, 0), 1, x)))


@primitive(
    abs_power,
    jvp=lambda ts, ans, x, y, odd: total(
        [
            None if ts[0] is None else ts[0] * _slope(x, y, odd),
            None if ts[1] is None else ts[1] * (ans * _log_abs(x)),
        ]
    ),
    vjp=[
        lambda g, ans, x, y, odd: g * _slope(x, y, odd),
        lambda g, ans, x, y, odd: g * (ans * _log_abs(x)),
    ],
    batch=line_up,
)
def power_of_abs(x: Any, y: Any, odd: bool = False) -> Any:
    """|x| ** y, whose derivatives at 0 are those of x ** y for even y, and 0 at a kink."""
    return (x, y), {"odd": odd}


# ------------------------------------------------------------------ quantiles of whole numbers
def quantile_of_integers(q: Any, *parameters: Any, of: str) -> Any:
    """SciPy's ``ppf`` or ``isf`` of a discrete distribution."""
    name, method = of.split(".")
    out = getattr(getattr(scipy.stats, name), method)(q, *parameters)
    return out.astype(np.result_type(q, *parameters))


def _quantile(q: Any, *parameters: Any, of: str) -> Any:
    return (q, *parameters), {"of": of}


whole_quantile = constant(quantile_of_integers, _quantile, batch=line_up)
