"""Interpolation of data on a grid, in any number of dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import interpolate as sp

from ... import tree
from ...arrays import ndim_of, shape_of
from ...core import Tracer
from ...doors import offers
from ...errors import NoRuleError
from ...numpy import asarray
from ...ops.index import getitem, take, take_along_axis
from ...tracer import register
from .bsplines import basis, interpolating
from .cubics import pchip_slopes
from .pieces import interval, known, real

_DEGREES = {"slinear": 1, "cubic": 3, "quintic": 5}
_METHODS = ("linear", "nearest", "pchip", *_DEGREES)


def _rises(x: Any) -> bool | None:
    """Whether x rises or falls; None where its values are hidden."""
    steps = np.diff(known(x))
    if isinstance(steps, Tracer):
        return None
    if not (np.all(steps > 0) or np.all(steps < 0)):
        raise ValueError("The points in each dimension must be strictly ascending or descending")
    return bool(np.all(steps > 0))


def _points(xi: Any, d: int) -> Any:
    """Points as an array (..., d), from one or from a tuple of coordinates."""
    if isinstance(xi, tuple) and len(xi) == 1:
        (xi,) = xi
    if isinstance(xi, tuple):
        return np.stack(np.broadcast_arrays(*(real(x) for x in xi)), axis=-1)
    xi = real(xi)
    if ndim_of(xi) == 1:
        xi = np.reshape(xi, (-1, 1)) if d == 1 else np.reshape(xi, (1, -1))
    if ndim_of(xi) == 0:
        xi = np.reshape(xi, (1, 1))
    if shape_of(xi)[-1] != d:
        raise ValueError(
            f"The requested sample points xi have dimension {shape_of(xi)[-1]} "
            f"but this RegularGridInterpolator has dimension {d}"
        )
    return xi


@tree.register_class
class RegularGridInterpolator:
    """`scipy.interpolate.RegularGridInterpolator`, in the values, the grid and the points.

    A pytree whose children are the grid and the values. Where points are hidden, as in vmap, those
    that ``bounds_error`` would refuse give NaN. Splines are solved for directly: ``solver`` and
    its arguments are ignored.
    """

    grid: tuple[Any, ...]
    values: Any
    method: str
    bounds_error: bool
    fill_value: Any

    def __init__(
        self, points: Any, values: Any, method: str = "linear", bounds_error: bool = True,
        fill_value: Any = np.nan, *, solver: Any = None, solver_args: Any = None,
    ) -> None:  # fmt: skip
        values = asarray(values)
        values = values if values.dtype.kind in "fc" else values.astype(np.float64)
        grid = []
        for axis, x in enumerate(points):
            x = real(x)
            if ndim_of(x) != 1 or shape_of(values)[axis : axis + 1] != shape_of(x):
                raise ValueError(
                    f"There are {shape_of(x)} points and shape {shape_of(values)} of values "
                    f"on dimension {axis}"
                )
            rises = _rises(x)
            if rises is None:  # both ways are computed, and one of them taken
                falls = np.greater(known(x)[0], known(x)[-1])
                x = np.where(falls, np.flip(x), x)
                values = np.where(falls, np.flip(values, axis), values)
            elif not rises:
                x, values = np.flip(x), np.flip(values, axis)
            grid.append(x)
        self._set(tuple(grid), values, _checked(method, grid), bounds_error, fill_value)

    def _set(self, grid: Any, values: Any, method: str, bounds_error: bool, fill: Any) -> None:
        names = ("grid", "values", "method", "bounds_error", "fill_value")
        for name, value in zip(names, (grid, values, method, bounds_error, fill), strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a RegularGridInterpolator can't be changed; make another one")

    def tree_flatten(self) -> tuple[tuple[Any, Any], tuple[Any, ...]]:
        """Children and the rest."""
        return (self.grid, self.values), (self.method, self.bounds_error, self.fill_value)

    @classmethod
    def tree_unflatten(cls, rest: tuple[Any, ...], children: Any) -> RegularGridInterpolator:
        """The inverse of `tree_flatten`."""
        out = object.__new__(cls)
        out._set(*children, *rest)
        return out

    def __call__(self, xi: Any, method: str | None = None, *, nu: Any = None) -> Any:
        """The values at points (..., ndim), or derivatives of a spline of the orders ``nu``."""
        method = self.method if method is None else _checked(method, self.grid)
        if nu is not None and method not in _DEGREES:
            raise ValueError(
                f"Can only compute derivatives for methods {set(_DEGREES)}, got {method=}."
            )
        d = len(self.grid)
        x = _points(xi, d)
        lead = shape_of(x)[:-1]
        x = np.reshape(x, (-1, d))
        outside = self._outside(x)
        if method == "pchip":
            y = self._pchip(x).astype(self.values.dtype)
        else:
            y = self._weighted(x, method, (0,) * d if nu is None else tuple(nu))
        y = self._filled(y, x, outside)
        return np.reshape(y, (*lead, *shape_of(self.values)[d:]))

    def _outside(self, x: Any) -> Any:
        """Which points are outside of the grid, or an error if there is one."""
        out: Any = False
        for axis, g in enumerate(self.grid):
            z, g = known(x[:, axis]), known(g)
            beyond = np.logical_or(z < g[0], z > g[-1])
            hidden = isinstance(beyond, Tracer)
            if self.bounds_error and not hidden and np.any(beyond | np.isnan(z)):
                raise ValueError(f"One of the requested xi is out of bounds in dimension {axis}")
            out = np.logical_or(out, beyond)
        return out

    def _filled(self, y: Any, x: Any, outside: Any) -> Any:
        rest = (1,) * (ndim_of(y) - 1)
        fill = np.nan if self.bounds_error else self.fill_value
        if fill is not None:
            y = np.where(np.reshape(outside, (-1, *rest)), fill, y)
        nan = np.any(np.isnan(known(x)), axis=-1)
        return np.where(np.reshape(nan, (-1, *rest)), np.nan, y)

    def _weighted(self, x: Any, method: str, nu: tuple[int, ...]) -> Any:
        """Sums over the corners, or over the B-splines, around a point."""
        d, c = len(self.grid), self.values
        index, weights = [], []
        for axis, g in enumerate(self.grid):
            z = x[:, axis]
            z = np.where(np.isnan(known(z)), known(g)[0], z)
            if method in _DEGREES:
                k = _DEGREES[method]
                t, c = interpolating(g, np.moveaxis(c, axis, 0), k)
                c = np.moveaxis(c, 0, axis)
                i = interval(t, z, k, shape_of(t)[0] - k - 2)
                weights.append(basis(t, k, z, i, nu[axis]))
                taps = np.expand_dims(i, -1) + np.arange(-k, 1)
            else:
                last = shape_of(g)[0] - 1
                i = interval(g, z, 0, max(last - 1, 0))
                left, right = take(g, i), take(g, np.minimum(i + 1, last))
                share = (z - left) / (right - left) if last else 0.0 * z
                if method == "nearest":
                    taps = np.expand_dims(i + (known(share) > 0.5), -1)
                else:
                    weights.append(np.stack([1 - share, share], axis=-1))
                    taps = np.minimum(np.expand_dims(i, -1) + np.arange(2), last)
            index.append(
                taps[(slice(None), *(None,) * axis, slice(None), *(None,) * (d - 1 - axis))]
            )
        y = getitem(c, tuple(index))
        rest = (None,) * (ndim_of(c) - d)
        for axis in reversed(range(d)):
            if method == "nearest":
                y = y[(slice(None),) * (axis + 1) + (0,)]
            else:
                w = weights[axis][(slice(None), *(None,) * axis, slice(None), *rest)]
                y = np.sum(y * w, axis=axis + 1)
        return y

    def _pchip(self, x: Any) -> Any:
        """One axis after the other, from the last; then each point has data of its own."""
        d, y = len(self.grid), self.values
        if y.dtype.kind == "c":
            raise ValueError("`PchipInterpolator` only works with real values.")
        rest = ndim_of(y) - d
        # The axes of the grid turned around, then that of the points, then the others.
        y = np.transpose(y, [*reversed(range(d)), *range(d, d + rest)])
        y = np.expand_dims(y, d)
        for axis in reversed(range(d)):
            g, z = self.grid[axis], x[:, axis]
            h = np.reshape(np.diff(g), (-1, *(1,) * (ndim_of(y) - 1)))
            slopes = pchip_slopes(h, y)
            i = interval(g, z, 0, shape_of(g)[0] - 2)
            step = take(g, i + 1) - take(g, i)
            s = (z - take(g, i)) / step
            s, step = (np.reshape(v, (-1, *(1,) * rest)) for v in (s, step))
            picked = [_rows(v, i + n, axis, rest) for v in (y, slopes) for n in (0, 1)]
            a, b, p, q = picked
            r = 1 - s
            y = r * r * ((1 + 2 * s) * a + s * step * p) + s * s * ((3 - 2 * s) * b - r * step * q)
        return y


def _rows(v: Any, i: Any, inner: int, rest: int) -> Any:
    """Along the first axis of v the entry i of each point; the points' axis follows ``inner``."""
    if shape_of(v)[inner + 1] == 1:  # the points share their data
        v = np.broadcast_to(
            v, (*shape_of(v)[: inner + 1], shape_of(i)[0], *shape_of(v)[inner + 2 :])
        )
    index = np.reshape(i, (*(1,) * (inner + 1), -1, *(1,) * rest))
    index = np.broadcast_to(index, (1, *shape_of(v)[1:]))
    return take_along_axis(v, index, 0)[0]


def _checked(method: str, grid: Any) -> str:
    if method not in _METHODS:
        if f"{method}".endswith("_legacy"):
            raise NoRuleError(
                f"RegularGridInterpolator has no rule for method={method!r}.", "this method",
                f"use method={method.removesuffix('_legacy')!r}, which is the same spline",
            )  # fmt: skip
        raise ValueError(f"Method '{method}' is not defined")
    least = {"slinear": 2, "cubic": 4, "quintic": 6, "pchip": 4}.get(method, 1)
    for axis, x in enumerate(grid):
        if shape_of(x)[0] < least:
            raise ValueError(
                f"There are {shape_of(x)[0]} points in dimension {axis}, but method {method} "
                f"requires at least {least} points per dimension."
            )
    return method


@offers(sp.interpn)
def interpn(
    points: Any, values: Any, xi: Any, method: str = "linear", bounds_error: bool = True,
    fill_value: Any = np.nan,
) -> Any:  # fmt: skip
    """`scipy.interpolate.interpn`."""
    return RegularGridInterpolator(points, values, method, bounds_error, fill_value)(xi)


register(sp.RegularGridInterpolator, RegularGridInterpolator)
