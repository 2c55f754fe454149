"""`interp1d`: what is between neighbours, in one of many ways."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import interpolate as sp

from ... import tree
from ...arrays import ndim_of, shape_of
from ...core import Tracer
from ...doors import offers
from ...errors import ShapeError
from ...numpy import asarray
from ...ops.index import take
from ...tracer import register
from .bsplines import BSpline, interpolating
from .cubics import PchipInterpolator
from .pieces import interval, known, placed, real

_SPLINES = {"zero": 0, "slinear": 1, "quadratic": 2, "cubic": 3}
_STEPS = ("nearest", "nearest-up", "previous", "next")


@tree.register_class
class interp1d:
    """`scipy.interpolate.interp1d`, in x, y and the points.

    A pytree whose children are x and y, with the axis in front, and the fill values. Where points
    are hidden, as in vmap, those that ``bounds_error`` would refuse give NaN.
    """

    x: Any
    y: Any
    kind: Any
    axis: int
    bounds_error: bool
    fill_value: Any

    def __init__(
        self, x: Any, y: Any, kind: Any = "linear", axis: int = -1, copy: bool = True,
        bounds_error: bool | None = None, fill_value: Any = np.nan, assume_sorted: bool = False,
    ) -> None:  # fmt: skip
        x, y = real(x), asarray(y)
        y = y if y.dtype.kind in "fc" else y.astype(np.float64)
        if ndim_of(x) != 1 or ndim_of(y) == 0:
            raise ValueError("the x array must have exactly one dimension, y at least one.")
        axis = axis % ndim_of(y)
        y = np.moveaxis(y, axis, 0)
        if shape_of(y)[0] != shape_of(x)[0]:
            raise ShapeError(
                "interp1d wants a value for each x along the interpolation axis.",
                f"{shape_of(x)[0]} points and {shape_of(y)[0]} values",
                "give the axis of y along which x runs",
            )
        kind = _SPLINES.get(kind, kind) if isinstance(kind, str) else int(kind)
        if isinstance(kind, str) and kind not in ("linear", *_STEPS):
            raise NotImplementedError(
                f"{kind} is unsupported: Use fitpack routines for other types."
            )
        if not assume_sorted:
            order = np.argsort(known(x), kind="mergesort")
            x, y = take(x, order), take(y, order, axis=0)
        extrapolate = isinstance(fill_value, str) and fill_value == "extrapolate"
        if extrapolate and bounds_error:
            raise ValueError("Cannot extrapolate and raise at the same time.")
        if not extrapolate:
            pair = fill_value if isinstance(fill_value, tuple) else (fill_value, fill_value)
            fill_value = tuple(asarray(v).astype(np.result_type(y.dtype)) for v in pair)
            bounds_error = True if bounds_error is None else bounds_error
        self._set(x, y, None if extrapolate else fill_value, kind, axis, bool(bounds_error))

    def _set(self, x: Any, y: Any, fill: Any, kind: Any, axis: int, bounds_error: bool) -> None:
        names = ("x", "y", "fill_value", "kind", "axis", "bounds_error")
        for name, value in zip(names, (x, y, fill, kind, axis, bounds_error), strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("an interp1d can't be changed; make another one")

    def tree_flatten(self) -> tuple[tuple[Any, Any, Any], tuple[Any, ...]]:
        """Children and the rest."""
        return (self.x, self.y, self.fill_value), (self.kind, self.axis, self.bounds_error)

    @classmethod
    def tree_unflatten(cls, rest: tuple[Any, ...], children: Any) -> interp1d:
        """The inverse of `tree_flatten`."""
        out = object.__new__(cls)
        out._set(*children, *rest)
        return out

    def __call__(self, x: Any) -> Any:
        """The values at points of any shape."""
        points = real(x)
        where = known(points)
        below, above = where < known(self.x)[0], where > known(self.x)[-1]
        hidden = isinstance(below, Tracer)
        if self.bounds_error and not hidden and np.any(below | above):
            raise ValueError("A value in x_new is outside the interpolation range.")
        y = self._step(where) if self.kind in _STEPS else self._between(points)
        rest = ndim_of(self.y) - 1
        shape = (*shape_of(points), *(1,) * rest)
        fills: Any = (np.nan, np.nan) if self.bounds_error else self.fill_value
        if self.fill_value is None and self.kind in ("previous", "next"):
            fills = (np.nan, self.y[-1]) if self.kind == "previous" else (self.y[0], np.nan)
        for outside, fill in zip((below, above), fills or (), strict=False):
            y = np.where(np.reshape(outside, shape), fill, y)
        return placed(y, ndim_of(points), self.axis)

    def _between(self, points: Any) -> Any:
        if self.kind != "linear":
            t, c = interpolating(self.x, self.y, self.kind)
            return BSpline.construct_fast(t, c, self.kind)(points)
        rest = (1,) * (ndim_of(self.y) - 1)
        i = interval(self.x, points, 0, shape_of(self.x)[0] - 2)
        left, low = take(self.x, i), take(self.y, i, axis=0)
        share = (points - left) / (take(self.x, i + 1) - left)
        return low + np.reshape(share, (*shape_of(share), *rest)) * (
            take(self.y, i + 1, axis=0) - low
        )

    def _step(self, where: Any) -> Any:
        x = known(self.x)
        if self.kind in ("nearest", "nearest-up"):
            middle = x[1:] / 2 + x[:-1] / 2
            i = np.searchsorted(middle, where, side="left" if self.kind == "nearest" else "right")
        else:
            right = self.kind == "previous"
            i = np.searchsorted(x, where, side="right" if right else "left") - right
        return take(self.y, np.clip(i, 0, shape_of(x)[0] - 1), axis=0)


register(sp.interp1d, interp1d)


@offers(sp.pchip_interpolate)
def pchip_interpolate(xi: Any, yi: Any, x: Any, der: Any = 0, axis: int = 0) -> Any:
    """`scipy.interpolate.pchip_interpolate`."""
    p = PchipInterpolator(xi, yi, axis)
    if not ndim_of(asarray(der)):
        return p(x, int(der))
    return [p(x, nu) for nu in der]
