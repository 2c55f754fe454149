"""Functions of samples: differences by position, interpolation, covariances."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import is_a, ndim_of, shape_of
from ..core import Tracer
from ..kinds import scalar
from ..rules import elementwise
from ..tracer import register
from .casts import stop_gradient_leaf
from .contract import conjugate
from .creation import as_array
from .index import getitem, take


# ------------------------------------------------------------------ gradient
def _slopes(f: Any, dx: Any, axis: int, edge_order: int) -> Any:
    """Derivatives along an axis counted from the end; dx a number, or the steps."""
    n = shape_of(f)[axis]
    if n < edge_order + 1:
        raise ValueError(
            "Shape of array too small to calculate a numerical gradient, "
            "at least (edge_order + 1) elements are required."
        )
    after = (slice(None),) * (-axis - 1)

    def at(start: int | None, stop: int | None) -> Any:
        return getitem(f, (..., slice(start, stop), *after))

    if ndim_of(dx) == 0:
        inner = (at(2, None) - at(None, -2)) / (2.0 * dx)
        if edge_order == 1:
            first, last = (at(1, 2) - at(0, 1)) / dx, (at(-1, None) - at(-2, -1)) / dx
        else:
            first = -1.5 / dx * at(0, 1) + 2.0 / dx * at(1, 2) + -0.5 / dx * at(2, 3)
            last = 0.5 / dx * at(-3, -2) + -2.0 / dx * at(-2, -1) + 1.5 / dx * at(-1, None)
        return np.concatenate([first, inner, last], axis=axis)
    dx = np.reshape(dx, (-1, *(1,) * (-axis - 1)))
    one, two = dx[:-1], dx[1:]
    a, b, c = -two / (one * (one + two)), (two - one) / (one * two), one / (two * (one + two))
    inner = a * at(None, -2) + b * at(1, -1) + c * at(2, None)
    if edge_order == 1:
        first, last = (at(1, 2) - at(0, 1)) / dx[:1], (at(-1, None) - at(-2, -1)) / dx[-1:]
        return np.concatenate([first, inner, last], axis=axis)
    one, two = dx[:1], dx[1:2]
    a, b = -(2.0 * one + two) / (one * (one + two)), (one + two) / (one * two)
    first = a * at(0, 1) + b * at(1, 2) + -one / (two * (one + two)) * at(2, 3)
    one, two = dx[-2:-1], dx[-1:]
    b, c = -(two + one) / (one * two), (2.0 * two + one) / (two * (one + two))
    last = two / (one * (one + two)) * at(-3, -2) + b * at(-2, -1) + c * at(-1, None)
    return np.concatenate([first, inner, last], axis=axis)


def gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    """`numpy.gradient`; spacings and coordinates have derivatives too."""
    f = as_array(f)
    n = ndim_of(f)
    given = range(n) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    axes = [i % n for i in given]
    if len(varargs) not in (0, 1, len(axes)):
        raise TypeError("invalid number of arguments")
    steps = list(varargs) * (len(axes) // len(varargs)) if varargs else [1.0] * len(axes)
    if len(varargs) == 1 and ndim_of(varargs[0]) and len(axes) > 1:
        raise TypeError("invalid number of arguments")
    if edge_order > 2:
        raise ValueError("'edge_order' greater than 2 not supported")
    f = f if f.dtype.kind in "fc" else f.astype(np.float64)
    out = []
    for i, dx in zip(axes, steps, strict=True):
        dx = dx if hasattr(dx, "dtype") or is_a(dx, (int, float)) else np.asarray(dx)
        if ndim_of(dx) == 1:
            if shape_of(dx)[0] != shape_of(f)[i]:
                raise ValueError(
                    "when 1d, distances must match the length of the corresponding dimension"
                )
            dx = np.diff(dx)
            if not isinstance(dx, Tracer) and np.all(dx == dx[0]):
                dx = dx[0]
        out.append(_slopes(f, dx, i - n, edge_order).astype(f.dtype))
    return out[0] if len(axes) == 1 else tuple(out)


# ------------------------------------------------------------------ interpolation
def interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Any:
    """`numpy.interp`, in x, xp and fp; at a knot the derivative in x is that to its right."""
    x, xp, fp = (as_array(a) for a in (x, xp, fp))
    x, xp = x.astype(np.float64), xp.astype(np.float64)
    fp = fp.astype(np.complex128 if fp.dtype.kind == "c" else np.float64)
    if period is not None:
        if period == 0:
            raise ValueError("period must be a non-zero value")
        period, left, right = abs(period), None, None
        x, xp = np.remainder(x, period), np.remainder(xp, period)
        order = np.argsort(xp)
        xp, fp = take(xp, order), take(fp, order)
        xp = np.concatenate([xp[-1:] - period, xp, xp[:1] + period])
        fp = np.concatenate([fp[-1:], fp, fp[:1]])
    n = shape_of(xp)[0]
    if n == 0 or shape_of(fp) != (n,):
        raise ValueError("fp and xp are not of the same length.")
    left, right = fp[0] if left is None else left, fp[-1] if right is None else right
    if n == 1:
        return scalar(np.where(x < xp[0], left, np.where(x > xp[0], right, fp[0])))
    knot, place = stop_gradient_leaf(xp), stop_gradient_leaf(x)
    i = np.clip(np.searchsorted(knot, place, side="right") - 1, 0, n - 2)
    x0, x1, y0, y1 = take(xp, i), take(xp, i + 1), take(fp, i), take(fp, i + 1)
    y = (y1 - y0) / (x1 - x0) * (x - x0) + y0
    return scalar(np.where(x < xp[0], left, np.where(x > xp[-1], right, y)))


# ------------------------------------------------------------------ covariances
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: Any = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    """`numpy.cov`."""
    parts = [as_array(a) for a in (m, y) if a is not None]
    dtype = np.result_type(*(a.dtype for a in parts), np.float64) if dtype is None else dtype
    rows = [np.atleast_2d(a.astype(dtype)) for a in parts]
    if not rowvar:
        flip = [ndim_of(parts[0]) != 1, True][: len(rows)]
        if len(rows) > 1:
            flip[1] = shape_of(rows[1])[0] != 1
        rows = [np.transpose(r) if f else r for r, f in zip(rows, flip, strict=True)]
    x = np.concatenate(rows, axis=0) if len(rows) > 1 else rows[0]
    ddof = (0 if bias else 1) if ddof is None else ddof
    w = None
    for weights in (fweights, aweights):
        if weights is not None:
            weights = as_array(weights, x)
            w = weights.astype(np.float64) if w is None else w * weights
    if w is None:
        mean, total = np.mean(x, axis=1, keepdims=True), shape_of(x)[1]
        free = total - ddof
        xw = x - mean
    else:
        total = np.sum(w)
        mean = np.sum(x * w, axis=1, keepdims=True) / total
        free = total - ddof
        if ddof and aweights is not None:
            free = total - ddof * np.sum(w * aweights) / total
        xw = (x - mean) * w
    x = x - mean
    return np.squeeze(np.matmul(x, np.conj(np.transpose(xw))) * np.true_divide(1, free))


def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """`numpy.corrcoef`; clipped to [-1, 1], where its derivative is that without the clip."""
    c = cov(x, y, rowvar, dtype=dtype)
    if ndim_of(c) == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    c = c / np.expand_dims(deviation, -1) / deviation
    # What is cut off is rounding: a constant.
    over = stop_gradient_leaf(c)
    real, imag = np.real(over), np.imag(over)
    cut = np.clip(real, -1, 1) - real
    return c + (cut if c.dtype.kind != "c" else cut + 1j * (np.clip(imag, -1, 1) - imag))


def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """`numpy.correlate`."""
    a, v = np.atleast_1d(as_array(a, v), as_array(v, a))
    if shape_of(v)[0] > shape_of(a)[0]:
        return conjugate(np.flip(correlate(v, a, mode)))
    return np.convolve(a, conjugate(np.flip(v)), mode)


# ------------------------------------------------------------------ sinc
def _sinc_slope(ans: Any, x: Any) -> Any:
    """(cos(pi x) - sinc x) / x, by its series near 0, where that would cancel."""
    near = np.less(np.abs(x), 0.3)
    y = np.pi * np.where(near, x, 0)
    z, series = y * y, 0.0
    for k in range(9, 0, -1):  # (-1)^k 2k / (2k + 1)! y^(2k - 1), by Horner's rule
        series = series * z + (-1) ** k * 2 * k / _FACTORIAL[2 * k + 1]
    far = np.where(near, 1, x)
    return np.where(near, np.pi * y * series, (np.cos(np.pi * far) - ans) / far)


_FACTORIAL = [float(np.prod(np.arange(1.0, n + 1))) for n in range(20)]
sinc = elementwise(np.sinc, _sinc_slope)

for _fn in (gradient, interp, cov, corrcoef, correlate):
    register(getattr(np, _fn.__name__), _fn)
