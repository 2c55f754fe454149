"""From values to the coefficients of the B-spline that takes these values.

Source: Unser, Aldroubi and Eden (1993), B-spline signal processing, part II. The filter of a line
that is continued as its mirror image about its ends is symmetric, where every entry but the ends
counts twice; that of a line that is repeated is symmetric. What SciPy computes for a line that is
mirrored half a step beyond its ends is so only up to powers of the poles, of which the largest is
0.43: there short lines are pulled back by the matrix itself.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from scipy import ndimage as sp

from ...arrays import from_end, ndim_of, shape_of
from ...core import Array
from ...doors import offers
from ...numpy import asarray
from ...rules import cast, linear

MIRRORED = ("mirror", "constant", "wrap", "grid-constant")
HALF = ("reflect", "grid-mirror", "nearest")

#: From this length on 0.43 ** length is below rounding.
LONG = 64


@functools.lru_cache(maxsize=64)
def _matrix(n: int, order: int, mode: str) -> Any:
    """The filter of a line of length n as a matrix."""
    out = sp.spline_filter1d(np.eye(n), order, axis=0, mode=mode)
    out.flags.writeable = False
    return out


def _impl(x: Any, *, order: int, axis: int, mode: str) -> Any:
    if 0 in x.shape:
        return np.zeros(x.shape, np.complex128 if x.dtype.kind == "c" else np.float64)
    if x.dtype.kind == "c":
        real, imag = (sp.spline_filter1d(y, order, axis, mode=mode) for y in (x.real, x.imag))
        return real + 1j * imag
    return sp.spline_filter1d(x, order, axis, mode=mode)


def _transpose(g: Array, x: Any, *, order: int, axis: int, mode: str) -> Array:
    n = x.shape[axis]
    if mode in HALF and n < LONG:
        c = np.matmul(np.moveaxis(g, axis, -1), _matrix(n, order, mode))
        return cast(np.moveaxis(c, -1, axis), x.dtype)
    if mode not in MIRRORED or n < 2:
        return cast(_filter(g, order, axis, mode), x.dtype)
    counts = np.full(n, 2.0)
    counts[0] = counts[-1] = 1.0
    counts = counts.reshape((-1, *(1,) * (-axis - 1)))
    return cast(_filter(g / counts, order, axis, mode) * counts, x.dtype)


@linear(sp.spline_filter1d, _transpose, impl=_impl)
def _filter(x: Any, order: int, axis: int, mode: str) -> Any:
    return (x,), {"order": order, "axis": axis, "mode": mode}


def check_order(order: int, mode: str) -> None:
    """Refuse what SciPy refuses."""
    if not 0 <= order <= 5:
        raise RuntimeError("spline order not supported")
    if mode not in (*MIRRORED, *HALF, "grid-wrap"):
        raise RuntimeError("boundary mode not supported")


@offers(sp.spline_filter1d)
def spline_filter1d(
    input: Any, order: int = 3, axis: int = -1, output: Any = np.float64, mode: str = "mirror"
) -> Any:
    """`scipy.ndimage.spline_filter1d`; ``output`` may be a dtype."""
    x = asarray(input)
    check_order(order, mode)
    y = _filter(x, order, from_end(axis, ndim_of(x)), mode) if order > 1 else x
    return y.astype(np.result_type(output, np.complex64) if x.dtype.kind == "c" else output)


@offers(sp.spline_filter)
def spline_filter(
    input: Any, order: int = 3, output: Any = np.float64, mode: str = "mirror"
) -> Any:
    """`scipy.ndimage.spline_filter`; ``output`` may be a dtype."""
    if order < 2:
        raise RuntimeError("spline order not supported")
    x = asarray(input)
    check_order(order, mode)
    y = coefficients(x, order, mode)
    return y.astype(np.result_type(output, np.complex64) if x.dtype.kind == "c" else output)


def coefficients(x: Any, order: int, mode: str) -> Any:
    """The coefficients along all axes, in double precision."""
    for axis in range(-len(shape_of(x)), 0):
        x = _filter(x, order, axis, mode)
    return x
