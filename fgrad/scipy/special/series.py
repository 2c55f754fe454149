"""Tools of the rules: power series, and functions with removable singularities.

A quotient such as (exp(x) - 1) / x loses digits near x = 0, and at 0 it is 0 / 0. These are
power series there and the quotient elsewhere, in NumPy, so they can be differentiated again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np


def horner(x: Any, coefficients: Sequence[float]) -> Any:
    """The sum of ``coefficients[k] * x**k``."""
    out = x * coefficients[-1] + coefficients[-2]
    for c in coefficients[-3::-1]:
        out = out * x + c
    return out


def where(
    mask: Any, f: Callable[..., Any], g: Callable[..., Any], xs: Any, at: Any, off: Any
) -> Any:
    """``f(*xs)`` where the mask is true, ``g(*xs)`` elsewhere.

    Each is called where it is meant to be, and with the harmless numbers ``at`` (for f) or
    ``off`` (for g) elsewhere: an infinity that is not selected would make derivatives NaN.
    """
    near = [np.where(mask, x, a) for x, a in zip(xs, at, strict=True)]
    far = [np.where(mask, o, x) for x, o in zip(xs, off, strict=True)]
    return np.where(mask, f(*near), g(*far))


def removable(x: Any, radius: float, coefficients: Sequence[float], g: Callable[[Any], Any]) -> Any:
    """A function that is ``g`` outside of ``|x| < radius`` and a power series inside."""
    return where(
        np.abs(x) < radius, lambda x: horner(x, coefficients), g, (x,), (0.0,), (2 * radius,)
    )


_SINC = [(-1) ** k / math.factorial(2 * k + 1) for k in range(11)]
_SINHC = [1 / math.factorial(2 * k + 1) for k in range(11)]


def sinc(x: Any) -> Any:
    """sin(x) / x."""
    return where(
        np.abs(x) < 1,
        lambda x: horner(x * x, _SINC),
        lambda x: np.sin(np.where(np.isinf(x), 0, x)) / x,
        (x,), (0.0,), (1.0,),
    )  # fmt: skip


def sinhc(x: Any) -> Any:
    """sinh(x) / x."""
    return where(np.abs(x) < 1, lambda x: horner(x * x, _SINHC), lambda x: np.sinh(x) / x,
                 (x,), (0.0,), (1.0,))  # fmt: skip


_LOG1PC = [(-1) ** k / (k + 1) for k in range(18)]


def log1pc(x: Any) -> Any:
    """log(1 + x) / x."""
    return removable(x, 0.1, _LOG1PC, lambda x: np.log1p(x) / x)


_EXPREL_SLOPE = [(k + 1) / math.factorial(k + 2) for k in range(20)]


def exprel_slope(x: Any) -> Any:
    """The derivative of (exp(x) - 1) / x."""
    return removable(x, 1.0, _EXPREL_SLOPE, lambda x: np.exp(x) * (1 - 1 / x) / x + 1 / (x * x))


_LOG1PC_SLOPE = [(-1) ** (k + 1) * (k + 1) / (k + 2) for k in range(18)]


def log1pc_slope(x: Any) -> Any:
    """The derivative of log(1 + x) / x."""
    return removable(x, 0.1, _LOG1PC_SLOPE, lambda x: (1 / (1 + x) - np.log1p(x) / x) / x)


def sinpi(x: Any) -> Any:
    """sin(pi x), with zeros at the integers."""
    n = np.rint(np.real(x))
    return np.sin(math.pi * (x - n)) * _sign_of(n)


def cospi(x: Any) -> Any:
    """cos(pi x)."""
    n = np.rint(np.real(x))
    return np.cos(math.pi * (x - n)) * _sign_of(n)


def _sign_of(n: Any) -> Any:
    """(-1) ** n of whole numbers, which may be floats."""
    return 1 - 2 * np.remainder(n, 2)
