"""Integrals of samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import integrate

from ...arrays import ndim_of, shape_of
from ...doors import offers
from ...errors import NoRuleError
from ...ops.ufuncs import ratio


def _array(x: Any) -> Any:
    return x if hasattr(x, "dtype") else np.asarray(x)


def _steps(x: Any, y: Any, axis: int) -> Any:
    """The steps between the places of samples, along the last axis, where y has its samples."""
    x = _array(x)
    if ndim_of(x) == 1:
        steps = np.diff(x)
    elif ndim_of(x) == ndim_of(y):
        steps = np.diff(np.moveaxis(x, axis, -1))
    else:
        raise ValueError("If given, shape of x must be 1-D or the same as y.")
    if shape_of(steps)[-1] != shape_of(y)[axis] - 1:
        raise ValueError("If given, length of x along axis must be the same as y.")
    return steps


@offers(integrate.trapezoid)
def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """`scipy.integrate.trapezoid`, with derivatives in y, x and dx."""
    y = _array(y)
    if x is not None:
        x = _array(x)
        if ndim_of(x) != 1:
            x = np.broadcast_to(x, shape_of(y))
        dx = _steps(x, y, axis)
    last = np.moveaxis(y, axis, -1)
    out = np.sum(dx * (last[..., 1:] + last[..., :-1]) / 2.0, axis=-1)
    return out.astype(y.dtype) if y.dtype.kind == out.dtype.kind else out


@offers(integrate.cumulative_trapezoid)
def cumulative_trapezoid(
    y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """`scipy.integrate.cumulative_trapezoid`, with derivatives in y, x and dx."""
    y = _array(y)
    if shape_of(y)[axis] == 0:
        raise ValueError("At least one point is required along `axis`.")
    if initial is not None and not (np.isscalar(initial) and initial == 0):
        raise ValueError("`initial` must be `None` or `0`.")
    last = np.moveaxis(y, axis, -1)
    h = dx if x is None else _steps(x, y, axis)
    out = np.cumsum(h * (last[..., 1:] + last[..., :-1]) / 2.0, axis=-1)
    if initial is not None:
        out = np.concatenate([np.zeros_like(out[..., :1], shape=(*out.shape[:-1], 1)), out], -1)
    return np.moveaxis(out, -1, axis)


def _parabolas(y: Any, h: Any, dx: Any) -> Any:
    """Simpson's rule for an odd number of samples; h the steps, or None where they are all dx.

    For two steps a and b: (a + b) / 6 ((2 - b/a) y0 + (a + b)^2 / (a b) y1 + (2 - a/b) y2).
    """
    first, middle, last = y[..., :-2:2], y[..., 1:-1:2], y[..., 2::2]
    if h is None:
        return np.sum(first + 4.0 * middle + last, axis=-1) * (dx / 3.0)
    a, b = h[..., ::2].astype(np.float64), h[..., 1::2].astype(np.float64)
    both = a + b
    terms = (
        first * (2.0 - ratio(b, a)) + middle * (both * ratio(both, a * b))
        + last * (2.0 - ratio(a, b))
    )  # fmt: skip
    return np.sum(both / 6.0 * terms, axis=-1)


@offers(integrate.simpson)
def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """`scipy.integrate.simpson`, with derivatives in y, x and dx.

    An even number of samples leaves one interval over, which gets the integral of the parabola
    through the last three (K. Cartwright, Simpson's rule cumulative integration with MS Excel and
    irregularly-spaced data, 2017, equation 8).
    """
    y = _array(y)
    n = shape_of(y)[axis]
    h = None if x is None else _steps(x, y, axis)
    y = np.moveaxis(y, axis, -1)
    if n % 2:
        return _parabolas(y, h, dx)
    if n == 2:
        return 0.5 * (dx if h is None else h[..., 0]) * (y[..., 1] + y[..., 0])
    rest = _parabolas(y[..., :-1], None if h is None else h[..., :-1], dx)
    if h is None:
        a = b = dx.astype(np.float64) if hasattr(dx, "dtype") else np.float64(dx)
    else:
        a, b = h[..., -2].astype(np.float64), h[..., -1].astype(np.float64)
    out = rest + (
        ratio(2 * b**2 + 3 * a * b, 6 * (a + b)) * y[..., -1]
        + ratio(b**2 + 3.0 * a * b, 6 * a) * y[..., -2]
        - ratio(b**3, 6 * a * (a + b)) * y[..., -3]
    )
    # SciPy adds the last interval in place, so an array keeps its dtype, and a number does not.
    return out.astype(rest.dtype) if ndim_of(rest) else out


def _along(value: Any, y: Any, axis: int, what: str) -> Any:
    """A number, or an array with one element along the axis, which then is the last."""
    value = _array(value)
    one = list(shape_of(y))
    one[axis] = 1
    if ndim_of(value) and shape_of(value) != tuple(one):
        raise ValueError(
            f"If provided, `{what}` must either be a scalar or have the same shape as `y` "
            "but with only 1 point along `axis`."
        )
    value = value if value.dtype.kind in "fc" else value.astype(np.float64)
    return np.moveaxis(np.broadcast_to(value, one), axis, -1)


@offers(integrate.cumulative_simpson)
def cumulative_simpson(
    y: Any, *, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """`scipy.integrate.cumulative_simpson`, with derivatives in y, x, dx and initial.

    Each interval gets the integral of a parabola through it and a neighbour (K. Cartwright, 2017,
    equations 8 and 10).
    """
    y = _array(y)
    y = y if y.dtype.kind in "fc" else y.astype(np.float64)
    values = np.moveaxis(y, axis, -1)
    if shape_of(y)[axis] < 3:
        out = np.moveaxis(cumulative_trapezoid(y, x, dx=dx, axis=axis), axis, -1)
    else:
        if x is None:
            h = np.broadcast_to(_along(dx, y, axis, "dx"), np.shape(values[..., 1:]))
        else:
            x = _array(x)
            h = _steps(x if x.dtype.kind in "fc" else x.astype(np.float64), y, axis)
            h = np.broadcast_to(h, np.shape(values[..., 1:]))
            if not _hidden(h) and np.any(np.less_equal(h, 0)):
                raise ValueError("Input x must be strictly increasing.")
        ahead = _first_halves(values, h)
        back = np.flip(_first_halves(np.flip(values, -1), np.flip(h, -1)), -1)
        # Even intervals are the first of a pair, odd ones the second; so is the last in any case.
        even = np.arange(shape_of(ahead)[-1]) % 2 == 0
        between = np.where(even[1:], ahead[..., 1:], back[..., :-1])
        pieces = np.concatenate([ahead[..., :1], between, back[..., -1:]], axis=-1)
        out = np.cumsum(pieces, axis=-1)
    if initial is not None:
        first = _along(initial, y, axis, "initial")
        out = np.concatenate([first, out + first], axis=-1)
    return np.moveaxis(out, -1, axis)


def _hidden(x: Any) -> bool:
    """Whether a value cannot be asked, because it stands for many (in vmap and make_graph)."""
    return bool(getattr(x, "hides", False))


def _first_halves(y: Any, h: Any) -> Any:
    """For each three samples that follow one another, the integral over the first interval."""
    a, b = h[..., :-1], h[..., 1:]
    share, slope = a / (a + b), a / b
    both = share * slope
    return a / 6 * (
        (3 - share) * y[..., :-2] + (3 + both + share) * y[..., 1:-1] - both * y[..., 2:]
    )  # fmt: skip


@offers(integrate.romb)
def romb(y: Any, dx: Any = 1.0, axis: int = -1, show: Any = False) -> Any:
    """`scipy.integrate.romb`, with derivatives in y and dx; it prints no table of traced values."""
    if show:
        raise NoRuleError(
            "`romb` of traced values takes no show=.",
            f"show={show!r}",
            "leave it away, or call scipy.integrate.romb on plain arrays to see the table",
        )
    y = np.moveaxis(_array(y), axis, -1)
    n = shape_of(y)[-1] - 1
    levels = max(n - 1, 0).bit_length()
    if n < 1 or 1 << levels != n:
        raise ValueError("Number of samples must be one plus a non-negative power of 2.")
    h = n * _array(dx).astype(np.float64)
    row = [(y[..., 0] + y[..., -1]) / 2.0 * h]
    for i in range(1, levels + 1):
        step = n >> i
        new = [0.5 * (row[0] + h * np.sum(y[..., step : n : 2 * step], axis=-1))]
        for j in range(1, i + 1):  # Richardson's extrapolation
            new.append(new[-1] + (new[-1] - row[j - 1]) / (4**j - 1))
        row, h = new, h / 2.0
    return row[-1]
