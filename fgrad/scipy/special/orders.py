"""Derivatives in the parameters of functions that are analytic in them, such as Bessel's order.

SciPy has no functions for these. They are the derivative of the polynomial through the function's
own values at 16 Chebyshev points around the parameter: a polynomial of degree 16, over a width
that follows the function's scale, is the function up to rounding, and the derivative loses one or
two digits of it (Trefethen, Spectral Methods in MATLAB, chapter 6). Every second point makes a
second, coarser derivative; where the two are far apart, SciPy's values are not those of a smooth
function, and the derivative is NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...ops.casts import stop_gradient_leaf

_COUNT = 16
_TOLERANCE = 1e-5


def _chebyshev(count: int) -> tuple[Any, Any]:
    """The points cos(k pi / count) > 0, and the weights of f(x) - f(-x) in f'(0)."""
    k = np.arange(count // 2)
    points = np.cos(np.pi * k / count)
    ends = np.where(k == 0, 0.5, 1.0)
    return points, -ends * (-1.0) ** (k + count // 2) / points


_POINTS, _SLOPES = _chebyshev(_COUNT)
_DOUBT = _SLOPES.copy()
_DOUBT[::2] -= _chebyshev(_COUNT // 2)[1]


def slope(fn: Callable[..., Any], i: int, width: Any, *xs: Any) -> Any:
    """The derivative of ``fn(*xs)`` in ``xs[i]``, of values up to width on both sides of it."""
    width = stop_gradient_leaf(width)
    step = np.expand_dims(width, -1) * _POINTS
    rest = [np.expand_dims(x, -1) for x in xs]
    high = fn(*rest[:i], rest[i] + step, *rest[i + 1 :])
    low = fn(*rest[:i], rest[i] - step, *rest[i + 1 :])
    out = np.sum((high - low) * _SLOPES, -1) / width
    high, low = stop_gradient_leaf(high), stop_gradient_leaf(low)
    doubt = np.abs(np.sum((high - low) * _DOUBT, -1))
    size = np.max(np.maximum(np.abs(high), np.abs(low)), axis=-1)
    return np.where(doubt <= _TOLERANCE * size, out, np.nan)


def from_poles(b: Any) -> Any:
    """The distance to the nearest of 0, -1, -2, ..."""
    return np.abs(b - np.minimum(np.rint(b), 0))
