"""Cubic interpolation: by given slopes, without overshoot, by Akima, and by splines.

Sources: Fritsch and Butland (1984), A method for constructing local monotone piecewise cubic
interpolants; Akima (1970), A new method of interpolation and smooth curve fitting; de Boor (1978),
A practical guide to splines, chapter IV.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import interpolate as sp

from ... import tree
from ...arrays import ndim_of, shape_of
from ...core import Tracer
from ...errors import ShapeError
from ...tracer import register
from .bands import solve
from .pieces import PPoly, double, known, real, rising


def prepared(x: Any, y: Any, axis: int) -> tuple[Any, Any, Any, int]:
    """x, its steps beside the data, the data with the axis in front, and the axis."""
    x, y = real(x), double(y)
    rising(x)
    axis = axis % max(ndim_of(y), 1)
    if ndim_of(y) == 0 or shape_of(y)[axis] != shape_of(x)[0]:
        raise ShapeError(
            "Interpolation wants a value for each x along the axis.",
            f"x of shape {shape_of(x)} and y of shape {shape_of(y)}, axis {axis}",
            "give the axis of y along which x runs",
        )
    y = np.moveaxis(y, axis, 0)
    return x, np.reshape(np.diff(x), (-1, *(1,) * (ndim_of(y) - 1))), y, axis


def hermite(h: Any, y: Any, d: Any) -> Any:
    """Coefficients of the cubics with values y and slopes d at the ends of steps h."""
    slope = np.diff(y, axis=0) / h
    t = (d[:-1] + d[1:] - 2 * slope) / h
    return np.stack([t / h, (slope - d[:-1]) / h - t, d[:-1], y[:-1]])


@tree.register_class
class CubicHermiteSpline(PPoly):
    """`scipy.interpolate.CubicHermiteSpline`, in the data, the slopes and the points."""

    def __init__(self, x: Any, y: Any, dydx: Any, axis: int = 0, extrapolate: Any = None) -> None:
        x, h, y, axis = prepared(x, y, axis)
        d = np.moveaxis(double(dydx), axis, 0)
        if shape_of(d) != shape_of(y):
            raise ValueError("The shapes of `y` and `dydx` must be identical.")
        self._set(hermite(h, y, d), x, True if extrapolate is None else extrapolate, axis)


# ------------------------------------------------------------------ without overshoot
def _end_slope(h0: Any, h1: Any, m0: Any, m1: Any) -> Any:
    """The slope of the parabola through three points, cut so that the cubic keeps its shape."""
    d = ((2 * h0 + h1) * m0 - h0 * m1) / (h0 + h1)
    s, s0, s1 = (np.sign(known(v)) for v in (d, m0, m1))
    over = np.logical_and(np.not_equal(s0, s1), np.abs(known(d)) > 3 * np.abs(known(m0)))
    return np.where(np.not_equal(s, s0), 0.0, np.where(over, 3 * m0, d))


def pchip_slopes(h: Any, y: Any) -> Any:
    """Weighted harmonic means of the neighbouring slopes, 0 where these differ in sign."""
    m = np.diff(y, axis=0) / h
    if shape_of(y)[0] == 2:
        return np.concatenate([m, m])
    left, right = m[:-1], m[1:]
    a, b = np.sign(known(left)), np.sign(known(right))
    flat = np.logical_or(np.not_equal(a, b), np.logical_or(np.equal(a, 0), np.equal(b, 0)))
    left, right = np.where(flat, 1.0, left), np.where(flat, 1.0, right)
    w1, w2 = 2 * h[1:] + h[:-1], h[1:] + 2 * h[:-1]
    inner = np.where(flat, 0.0, (w1 + w2) / (w1 / left + w2 / right))
    first = _end_slope(h[:1], h[1:2], m[:1], m[1:2])
    last = _end_slope(h[-1:], h[-2:-1], m[-1:], m[-2:-1])
    return np.concatenate([first, inner, last])


def _only_real(y: Any, name: str) -> None:
    if y.dtype.kind == "c":
        raise ValueError(f"`{name}` only works with real values for `y`.")


@tree.register_class
class PchipInterpolator(PPoly):
    """`scipy.interpolate.PchipInterpolator`, in the data and the points."""

    def __init__(self, x: Any, y: Any, axis: int = 0, extrapolate: Any = None) -> None:
        x, h, y, axis = prepared(x, y, axis)
        _only_real(y, "PchipInterpolator")
        c = hermite(h, y, pchip_slopes(h, y))
        self._set(c, x, True if extrapolate is None else extrapolate, axis)


# ------------------------------------------------------------------ Akima
def _akima_slopes(h: Any, y: Any, method: str) -> Any:
    inner = np.diff(y, axis=0) / h
    if shape_of(y)[0] == 2:
        return np.concatenate([inner, inner])
    a, b = inner[:1], inner[1:2]
    z, w = inner[-1:], inner[-2:-1]
    m = np.concatenate([3 * a - 2 * b, 2 * a - b, inner, 2 * z - w, 3 * z - 2 * w])
    steps = np.abs(np.diff(m, axis=0))
    if method == "makima":
        steps = steps + 0.5 * np.abs(m[1:] + m[:-1])
    after, before = steps[2:], steps[:-2]
    total = after + before
    clear = known(total) > 1e-9 * np.max(known(total))
    share = np.where(clear, before, 0.0) / np.where(clear, total, 1.0)
    weighted = m[1:-2] + share * (m[2:-1] - m[1:-2])
    return np.where(clear, weighted, 0.5 * (m[3:] + m[:-3]))


@tree.register_class
class Akima1DInterpolator(PPoly):
    """`scipy.interpolate.Akima1DInterpolator`, in the data and the points."""

    def __init__(
        self, x: Any, y: Any, axis: int = 0, *, method: str = "akima", extrapolate: Any = None
    ) -> None:
        if method not in ("akima", "makima"):
            raise NotImplementedError(f"`method`={method} is unsupported.")
        x, h, y, axis = prepared(x, y, axis)
        _only_real(y, "Akima1DInterpolator")
        c = hermite(h, y, _akima_slopes(h, y, method))
        self._set(c, x, False if extrapolate is None else extrapolate, axis)


# ------------------------------------------------------------------ splines
_NAMED: dict[str, Any] = {"clamped": (1, 0.0), "natural": (2, 0.0)}


def _ends(bc_type: Any, n: int, y: Any) -> tuple[Any, Any]:
    """The conditions at both ends: "periodic", "not-a-knot", or (order, value)."""
    if isinstance(bc_type, str):
        bc_type = (bc_type, bc_type)
    if len(bc_type) != 2:
        raise ValueError("`bc_type` must contain 2 elements to specify start and end conditions.")
    if "periodic" in [b for b in bc_type if isinstance(b, str)]:
        if bc_type[0] != bc_type[1]:
            raise ValueError("'periodic' `bc_type` is defined for both curve ends.")
        first, last = known(y[0]), known(y[-1])
        hidden = isinstance(first, Tracer) or isinstance(last, Tracer)
        if not hidden and not np.allclose(first, last, rtol=1e-15, atol=1e-15):
            raise ValueError("The first and last `y` point must be identical when "
                             "`bc_type='periodic'`.")  # fmt: skip
    out = []
    for bc in bc_type:
        if isinstance(bc, str):
            if bc not in ("periodic", "not-a-knot", *_NAMED):
                raise ValueError(f"bc_type={bc} is not allowed.")
            bc = _NAMED.get(bc, bc)
        if not isinstance(bc, str):
            order, value = bc
            if order not in (1, 2):
                raise ValueError("The specified derivative order must be 1 or 2.")
            value = double(value)
            if shape_of(value) not in ((), shape_of(y)[1:]):
                raise ValueError("`deriv_value` shape must be that of y without the axis.")
            bc = (order, np.broadcast_to(value, shape_of(y)[1:]))
        out.append(bc)
    return out[0], out[1]


def _spline_slopes(x: Any, h: Any, y: Any, bc_type: Any) -> Any:
    """The slopes with which the second derivative is continuous."""
    n = shape_of(y)[0]
    m = np.diff(y, axis=0) / h
    first, last = _ends(bc_type, n, y)
    if n == 2:
        first, last = ((1, m[0]) if isinstance(b, str) else b for b in (first, last))
    elif first == "periodic":
        return _periodic_slopes(h, m)
    step = np.diff(x)
    right = 3 * (h[1:] * m[:-1] + h[:-1] * m[1:])
    if n == 3 and isinstance(first, str) and isinstance(last, str):  # a parabola
        a = b = (np.ones_like(step[:1]),) * 2
        top, bottom = 2 * m[:1], 2 * m[1:]
    else:
        a, top = _end_row(first, step[:2], h[:2], m[:2], 1)
        b, bottom = _end_row(last, step[::-1][:2], h[::-1][:2], m[::-1][:2], -1)
    zero = np.zeros_like(step[:1])
    ab = np.stack([
        np.concatenate([zero, a[1], step[:-1]]),
        np.concatenate([a[0], 2 * (step[:-1] + step[1:]), b[0]]),
        np.concatenate([step[1:], b[1], zero]),
    ])  # fmt: skip
    right = np.concatenate([top, right, bottom])
    return np.reshape(solve(ab, np.reshape(right, (n, -1)), 1, 1), shape_of(y))


def _end_row(bc: Any, step: Any, h: Any, m: Any, sign: int) -> Any:
    """The equation at one end, seen from there: the factors of two slopes, and the right side."""
    one = np.ones_like(step[:1])
    if bc == "not-a-knot":
        d, e = step[:1] + step[1:2], h[:1] + h[1:2]
        right = ((h[:1] + 2 * e) * h[1:2] * m[:1] + h[:1] * h[:1] * m[1:2]) / e
        return (step[1:2], d), right
    order, value = bc
    value = np.expand_dims(value, 0)
    if order == 1:
        return (one, 0 * one), value + 0 * m[:1]
    return (2 * one, one), 3 * m[:1] - sign * 0.5 * value * h[:1]


def _periodic_slopes(h: Any, m: Any) -> Any:
    """The same where the last point is the first again: a cyclic system, by Sherman-Morrison."""
    n = shape_of(m)[0]
    if n == 2:
        t = np.sum(m / h, axis=0, keepdims=True) / np.sum(1 / h, axis=0, keepdims=True)
        return np.concatenate([t, t, t])
    before, m_before = np.roll(h, 1, axis=0), np.roll(m, 1, axis=0)
    right = 3 * (h * m_before + before * m)
    low, up = np.reshape(h, (-1,)), np.reshape(before, (-1,))  # of slopes before and after
    middle = 2 * (low + up)
    corner = -middle[:1]
    ends = np.concatenate([middle[:1] - corner, middle[1:-1],
                           middle[-1:] - low[:1] * up[-1:] / corner])  # fmt: skip
    zero = np.zeros_like(low[:1])
    ab = np.stack([np.concatenate([zero, up[:-1]]), ends, np.concatenate([low[1:], zero])])
    u = np.concatenate([corner, np.zeros_like(middle[1:-1]), up[-1:]])
    flat = np.reshape(right, (n, -1))
    both = solve(ab, np.concatenate([flat, np.reshape(u, (-1, 1))], axis=1), 1, 1)
    y, q = both[:, :-1], both[:, -1:]
    ratio = low[:1] / corner
    s = y - q * ((y[:1] + ratio * y[-1:]) / (1 + q[:1] + ratio * q[-1:]))
    s = np.reshape(s, shape_of(right))
    return np.concatenate([s, s[:1]])


@tree.register_class
class CubicSpline(PPoly):
    """`scipy.interpolate.CubicSpline`, in the data, the values at the ends and the points."""

    def __init__(
        self, x: Any, y: Any, axis: int = 0, bc_type: Any = "not-a-knot", extrapolate: Any = None
    ) -> None:
        x, h, y, axis = prepared(x, y, axis)
        if extrapolate is None:
            extrapolate = "periodic" if isinstance(bc_type, str) and bc_type == "periodic" else True
        self._set(hermite(h, y, _spline_slopes(x, h, y, bc_type)), x, extrapolate, axis)


for _fn, _class in (
    (sp.CubicHermiteSpline, CubicHermiteSpline), (sp.PchipInterpolator, PchipInterpolator),
    (sp.Akima1DInterpolator, Akima1DInterpolator), (sp.CubicSpline, CubicSpline),
):  # fmt: skip
    register(_fn, _class)
