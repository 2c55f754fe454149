"""`map_coordinates`: what a spline through the pixels is at any points.

A point is moved into the image, as the mode wants it; the pixels around it are gathered with the
mode's rule for pixels that don't exist, and weighted with B-splines, which are polynomials in the
point's distance from the pixel grid. So the derivative in the image goes through the weights, that
in the points through the polynomials; where the polynomials of two pixels meet and their slopes
differ (order 1), it is that of the right one.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from math import comb, factorial
from typing import Any

import numpy as np
from scipy import ndimage as sp

from ...arrays import ndim_of, shape_of
from ...doors import offers
from ...errors import ShapeError
from ...numpy import asarray
from ...ops.casts import stop_gradient_leaf
from ...ops.index import getitem
from .filters import HALF, check_order, coefficients

#: So many pixels SciPy adds around the image in the modes that its spline filter doesn't know.
MARGIN = 12


# ------------------------------------------------------------------ into the image
def _inside(x: Any, n: int, mode: str) -> tuple[Any, Any]:
    """Where coordinates outside of an axis of length n go, and the slope of that: 1, 0 or -1."""
    low, high = x < 0, x > n - 1
    if mode in ("constant", "grid-constant", "nearest"):
        return x, 1.0
    if n <= 1:
        within = np.logical_not(np.logical_or(low, high))
        return np.clip(x, 0, n - 1), within.astype(x.dtype)
    if mode == "wrap":
        turns = np.where(low, np.floor(-x / (n - 1)) + 1, -np.floor(x / (n - 1)))
        return np.where(np.logical_or(low, high), x + (n - 1) * turns, x), 1.0
    if mode == "grid-wrap":
        turns = np.where(low, np.trunc((-1 - x) / n) + 1, -np.floor(x / n))
        return np.where(np.logical_or(low, high), x + n * turns, x), 1.0
    if mode == "mirror":
        period = 2 * n - 2
        y = x + period * np.where(low, np.floor(-x / period), -np.floor(x / period))
        turned = np.where(low, y > 1 - n, y >= n)
        y = np.where(turned, np.where(low, -y, period - y), np.where(low, y + period, y))
        return y, np.where(turned, -1.0, 1.0)
    period = 2 * n  # reflect: -x - 1 is the image of x
    y = np.where(low, -x - 1, x)
    y = np.where(np.logical_or(high, y >= 0), y - period * np.floor(y / period), y)
    back = y >= n
    y = np.where(back, period - y - 1, y)
    return y, np.where(np.not_equal(low, back), -1.0, 1.0)


def _pixels(i: Any, n: int, mode: str) -> Any:
    """The number of the pixel that stands for pixel i of an axis of length n."""
    if n <= 1:
        return np.zeros_like(i)
    if mode in ("nearest", "grid-constant"):
        return np.clip(i, 0, n - 1)
    if mode == "grid-wrap":
        return np.remainder(i, n)
    if mode in HALF:
        i = np.remainder(i, 2 * n)
        return np.minimum(i, 2 * n - 1 - i)
    i = np.remainder(i, 2 * n - 2)
    return np.minimum(i, 2 * n - 2 - i)


# ------------------------------------------------------------------ weights
@functools.lru_cache(maxsize=8)
def _polynomials(order: int) -> Any:
    """B-splines around a point: row k holds the factors of t**k of each pixel's weight.

    For t from 0 to 1 if the order is odd, from -1/2 to 1/2 if it is even. From the truncated
    powers, for order n: n! B(x) = sum over k of (-1)^k comb(n + 1, k) max(x + (n + 1)/2 - k, 0)^n.
    """
    out = np.zeros((order + 1, order + 1))
    for pixel in range(order + 1):
        powers = [Fraction(0)] * (order + 1)
        for k in range(order + 2):
            a = Fraction(order + 1, 2) + order // 2 - pixel - k
            if a >= 0:
                for j in range(order + 1):
                    sign = (-1) ** k * comb(order + 1, k) * comb(order, j)
                    powers[j] += sign * a ** (order - j)
        out[:, pixel] = [float(p / factorial(order)) for p in powers]
    out.flags.writeable = False
    return out


def _weights(t: Any, order: int) -> Any:
    """The weights of the pixels around a point, along a new last axis."""
    table = _polynomials(order)
    y = table[order]
    t = np.expand_dims(t, -1)
    for k in range(order - 1, -1, -1):
        y = y * t + table[k]
    return y


# ------------------------------------------------------------------ the function
def _check(x: Any, points: Any) -> None:
    if points.dtype.kind == "c":
        raise TypeError("Complex type not supported")
    if ndim_of(x) < 1 or shape_of(points)[:1] != (ndim_of(x),):
        raise ShapeError(
            "map_coordinates wants an array of coordinates for each axis of the image.",
            f"an image of shape {shape_of(x)} and coordinates of shape {shape_of(points)}",
            "stack the coordinates along the first axis",
        )


@offers(sp.map_coordinates)
def map_coordinates(
    input: Any, coordinates: Any, output: Any = None, order: int = 3, mode: str = "constant",
    cval: Any = 0.0, prefilter: bool = True,
) -> Any:  # fmt: skip
    """`scipy.ndimage.map_coordinates`, in the image, the coordinates and ``cval``.

    ``output`` may be a dtype. Traced coordinates may also be those of one point, of shape (ndim,).
    """
    x, points = asarray(input), asarray(coordinates)
    check_order(order, mode)
    _check(x, points)
    dtype = x.dtype if output is None else np.dtype(output)
    margin = 0
    if prefilter and order > 1:
        if mode in ("nearest", "grid-constant"):
            margin = MARGIN
            x = _wider(x, margin, mode, cval)
        x = coefficients(x, order, mode)
    y = _at(x, points.astype(np.float64) + margin, order, mode, cval)
    return _rounded(y, dtype) if dtype.kind in "iu" else y.astype(dtype)


def _wider(x: Any, margin: int, mode: str, cval: Any) -> Any:
    if mode == "nearest":
        return np.pad(x, margin, mode="edge")
    around = np.pad(np.zeros(shape_of(x)), margin, constant_values=1.0)
    return np.pad(x, margin) + cval * around


def _at(x: Any, points: Any, order: int, mode: str, cval: Any) -> Any:
    d = ndim_of(x)
    shape = shape_of(x)
    taps = np.arange(order + 1) - order // 2
    index, weights, missing, outside = [], [], False, False
    for axis in range(d):
        where = points[axis]
        known = stop_gradient_leaf(where)
        n = shape[axis]
        if mode == "constant":
            beyond = np.logical_not(np.logical_and(known >= 0, known <= n - 1))
            outside = np.logical_or(outside, beyond)
            known, where = np.where(beyond, 0.0, known), np.where(beyond, 0.0, where)
        moved, slope = _inside(known, n, mode)
        base = np.floor(moved if order % 2 else moved + 0.5)
        if order:
            t = (moved - base) + slope * (where - known)
            weights.append(_weights(t, order))
        pixel = np.expand_dims(_integers(base), -1) + taps
        if mode == "grid-constant":
            gone = np.logical_or(pixel < 0, pixel > n - 1)
            missing = np.logical_or(missing, _spread(gone, axis, d))
        index.append(_spread(_pixels(pixel, n, mode), axis, d))
    y = getitem(x, tuple(index))
    if mode == "grid-constant":
        y = np.where(missing, cval, y)
    for axis in reversed(range(d)):
        y = (
            np.sum(y * weights[axis][(..., *(None,) * axis, slice(None))], axis=-1)
            if order
            else y[..., 0]
        )
    return np.where(outside, cval, y) if mode == "constant" else y


def _spread(i: Any, axis: int, d: int) -> Any:
    """The last of an index's axes as the one of an image's d axes."""
    return i[(..., *(None,) * axis, slice(None), *(None,) * (d - 1 - axis))]


def _integers(x: Any) -> Any:
    """Integers of floats, of any for NaN: what it picks is NaN by its weight."""
    return np.clip(np.where(np.isnan(x), 0.0, x), -(2.0**52), 2.0**52).astype(np.intp)


def _rounded(y: Any, dtype: Any) -> Any:
    """To the next integer, half of one away from zero, within the dtype's range."""
    info = np.iinfo(dtype)
    y = np.clip(np.trunc(y + np.copysign(0.5, y)), info.min, info.max)
    return y.astype(dtype)
