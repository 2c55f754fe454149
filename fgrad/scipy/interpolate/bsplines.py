"""B-splines: their values, derivatives and integrals, and interpolation with them.

Source: de Boor (1978), A practical guide to splines, chapters IX to XIII.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import interpolate as sp

from ... import tree
from ...arrays import ndim_of, shape_of
from ...core import Tracer
from ...doors import offers
from ...errors import NoRuleError, ShapeError, describe
from ...ops.index import take
from ...ops.update import at
from ...tracer import register
from .bands import solve
from .pieces import answered, double, interval, known, placed, real, repeated


def basis(t: Any, k: int, x: Any, i: Any, nu: int = 0) -> Any:
    """The k + 1 B-splines that are not zero from t[i] to t[i + 1], at x, along a new last axis."""
    values = [np.ones_like(x)]
    for d in range(1, k + 1):
        new = [0.0 * x for _ in range(d + 1)]
        for r in range(d):
            right, left = take(t, i + (r + 1)), take(t, i + (r + 1 - d))
            gap = right - left
            w = values[r] / np.where(np.equal(known(gap), 0), np.inf, gap)
            if d > k - nu:  # the last nu degrees come from differences
                new[r], new[r + 1] = new[r] - d * w, new[r + 1] + d * w
            else:
                new[r], new[r + 1] = new[r] + w * (right - x), new[r + 1] + w * (x - left)
        values = new
    y = np.stack(values, axis=-1)
    return y if nu <= k else np.zeros_like(y)


@tree.register_class
class BSpline:
    """`scipy.interpolate.BSpline`, in its coefficients, its knots and the points.

    A pytree whose children are ``t`` and ``c``.
    """

    t: Any
    c: Any
    k: int
    extrapolate: Any
    axis: int

    def __init__(self, t: Any, c: Any, k: int, extrapolate: Any = True, axis: int = 0) -> None:
        t, c = real(t), double(c)
        axis = axis % max(ndim_of(c), 1)
        c = np.moveaxis(c, axis, 0)
        steps = np.diff(known(t))
        if ndim_of(t) != 1 or (not isinstance(steps, Tracer) and np.any(steps < 0)):
            raise ValueError("Knots must be in a non-decreasing order.")
        n = shape_of(t)[0] - k - 1
        if n < k + 1 or shape_of(c)[0] < n:
            raise ShapeError(
                f"BSpline wants at least {2 * k + 2} knots and a coefficient for each B-spline.",
                f"{shape_of(t)[0]} knots and {shape_of(c)[0]} coefficients",
                f"give {k + 1} knots more than coefficients",
            )
        self._set(t, c, k, extrapolate, axis)

    def _set(self, t: Any, c: Any, k: int, extrapolate: Any, axis: int) -> None:
        names = ("t", "c", "k", "extrapolate", "axis")
        for name, value in zip(names, (t, c, k, extrapolate, axis), strict=True):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("a BSpline can't be changed; make another one")

    def __repr__(self) -> str:
        return f"BSpline(t={describe(self.t)}, c={describe(self.c)}, k={self.k})"

    def tree_flatten(self) -> tuple[tuple[Any, Any], tuple[int, Any, int]]:
        """Children and the rest."""
        return (self.t, self.c), (self.k, self.extrapolate, self.axis)

    @classmethod
    def tree_unflatten(cls, rest: tuple[int, Any, int], children: Any) -> BSpline:
        """The inverse of `tree_flatten`."""
        t, c = children
        return cls.construct_fast(t, c, *rest)

    @classmethod
    def construct_fast(
        cls, t: Any, c: Any, k: int, extrapolate: Any = True, axis: int = 0
    ) -> BSpline:
        """A spline of parts that aren't checked."""
        out = object.__new__(cls)
        out._set(t, c, k, extrapolate, axis)
        return out

    @property
    def tck(self) -> tuple[Any, Any, int]:
        """Knots, coefficients and degree."""
        return self.t, self.c, self.k

    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """The values, or those of the ``nu``-th derivative, at points of any shape."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        t, k, points = self.t, self.k, real(x)
        n = shape_of(t)[0] - k - 1
        start, stop = t[k], t[n]
        if extrapolate == "periodic":
            points = repeated(points, start, stop)
        i = interval(t, points, k, n - 1)
        weights = basis(t, k, points, i, nu)
        c = take(self.c, np.expand_dims(i, -1) + np.arange(-k, 1), axis=0)
        rest = (1,) * (ndim_of(self.c) - 1)
        y = np.sum(c * np.reshape(weights, (*shape_of(weights), *rest)), axis=ndim_of(points))
        there = answered(points, start, stop, extrapolate)
        y = np.where(np.reshape(there, (*shape_of(points), *rest)), y, np.nan)
        return placed(y, ndim_of(points), self.axis)

    def derivative(self, nu: int = 1) -> BSpline:
        """The spline that is the ``nu``-th derivative of this one."""
        if nu > self.k:
            raise ValueError(f"Order of derivative ({nu}) must be <= order of spline ({self.k})")
        t, c, k = self.t, self.c, self.k
        for _ in range(nu):
            n = shape_of(t)[0] - k - 1
            h = t[k + 1 : n + k] - t[1:n]
            h = np.where(np.equal(known(h), 0), np.inf, h)
            h = np.reshape(h, (-1, *(1,) * (ndim_of(c) - 1)))
            t, c, k = t[1:-1], k * np.diff(c[:n], axis=0) / h, k - 1
        return BSpline.construct_fast(t, c, k, self.extrapolate, self.axis)

    def antiderivative(self, nu: int = 1) -> BSpline:
        """The ``nu``-th antiderivative, 0 at the first knot."""
        t, c, k = self.t, self.c, self.k
        for _ in range(nu):
            n = shape_of(t)[0] - k - 1
            h = np.reshape(t[k + 1 :] - t[:n], (-1, *(1,) * (ndim_of(c) - 1)))
            c = np.cumsum(c[:n] * h, axis=0) / (k + 1)
            c = np.concatenate([np.zeros_like(c[:1]), c])
            t, k = np.concatenate([t[:1], t, t[-1:]]), k + 1
        extrapolate = False if self.extrapolate == "periodic" else self.extrapolate
        return BSpline.construct_fast(t, c, k, extrapolate, self.axis)

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """The integral from a to b; without extrapolation, of the part between the knots."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        a, b = real(a), real(b)
        whole = self.antiderivative()
        t, k = self.t, self.k
        start, stop = t[k], t[shape_of(t)[0] - k - 1]
        if extrapolate == "periodic":
            period = stop - start

            def up_to(z: Any) -> Any:
                turns = np.floor((known(z) - known(start)) / known(period))
                once = whole(stop) - whole(start)
                return whole(z - turns * period, extrapolate=True) + turns * once

            return up_to(b) - up_to(a)
        if not extrapolate:
            a, b = (np.clip(z, start, stop) for z in (a, b))
        return whole(b, extrapolate=True) - whole(a, extrapolate=True)


# ------------------------------------------------------------------ interpolation
def _knots(x: Any, k: int, derivatives: bool) -> Any:
    """All of x if derivatives at the ends are given, else without those that are no knots."""
    first, last = (np.repeat(z, k if derivatives else k + 1) for z in (x[:1], x[-1:]))
    if derivatives:
        return np.concatenate([first, x, last])
    half = (k + 1) // 2 if k % 2 else k // 2
    inner = x if k % 2 else (x[1:] + x[:-1]) / 2
    return np.concatenate([first, inner[half : shape_of(inner)[0] - half], last])


def _conditions(bc: Any, shape: tuple[int, ...]) -> list[tuple[int, Any]]:
    """The orders and values of the derivatives at one end."""
    if bc is None or bc == "not-a-knot":
        return []
    if isinstance(bc, str):
        if bc not in ("clamped", "natural"):
            raise ValueError(f"Unknown boundary condition : {bc}")
        bc = [(1 if bc == "clamped" else 2, 0.0)]
    return [(int(order), np.broadcast_to(double(value), shape)) for order, value in bc]


def interpolating(x: Any, y: Any, k: int, t: Any = None, ends: Any = (None, None)) -> Any:
    """Knots and coefficients of the spline of degree k through y, along its first axis."""
    n, shape = shape_of(x)[0], shape_of(y)[1:]
    if k == 0:
        return np.concatenate([x, x[-1:]]), y
    left, right = (_conditions(bc, shape) for bc in ends)
    if k == 1 and t is None:
        return np.concatenate([x[:1], x, x[-1:]]), y
    t = _knots(x, k, bool(left or right)) if t is None else t
    size = shape_of(t)[0] - k - 1
    if size != n + len(left) + len(right):
        raise ValueError(
            "The number of derivatives at boundaries does not match: "
            f"expected {size - n}, got {len(left)}+{len(right)}"
        )
    i = interval(t, x, k, size - 1)
    rows = [(basis(t, k, x, i), np.arange(n) + len(left), i)]
    for conditions, where, place, first in (
        (left, x[:1], k, 0), (right, x[-1:], size - 1, size - len(right)),
    ):  # fmt: skip
        for r, (order, _) in enumerate(conditions):
            i = np.full(1, place)
            rows.append((basis(t, k, where, i, order), np.full(1, first + r), i))
    ab = np.zeros((2 * k + 1, size))
    for weights, row, i in rows:
        column = np.expand_dims(i, -1) + np.arange(-k, 1)
        ab = at(ab)[k + np.expand_dims(row, -1) - column, column].add(weights)
    values = [
        *(np.expand_dims(v, 0) for _, v in left),
        y,
        *(np.expand_dims(v, 0) for _, v in right),
    ]
    b = np.concatenate(values) if len(values) > 1 else y
    c = solve(ab, np.reshape(b, (size, -1)), k, k)
    return t, np.reshape(c, (size, *shape))


@offers(sp.make_interp_spline)
def _traced(
    x: Any, y: Any, k: int = 3, t: Any = None, bc_type: Any = None, axis: int = 0,
    check_finite: bool = True,
) -> BSpline:  # fmt: skip
    x, y = real(x), double(y)
    axis = axis % ndim_of(y)
    y = np.moveaxis(y, axis, 0)
    if ndim_of(x) != 1 or shape_of(x)[0] != shape_of(y)[0]:
        raise ValueError(f"Shapes of x {shape_of(x)} and y {shape_of(y)} are incompatible")
    steps = np.diff(known(x))
    if not isinstance(steps, Tracer) and np.any(steps <= 0):
        raise ValueError("Expect x to be a 1D strictly increasing sequence.")
    if isinstance(bc_type, str) and bc_type == "periodic":
        raise NoRuleError(
            "make_interp_spline has no rule for bc_type='periodic'.", "a traced array",
            "use CubicSpline(x, y, bc_type='periodic')",
        )  # fmt: skip
    ends = (bc_type, bc_type) if bc_type is None or isinstance(bc_type, str) else bc_type
    t, c = interpolating(x, y, int(k), None if t is None else real(t), ends)
    return BSpline.construct_fast(t, c, int(k), True, axis)


def make_interp_spline(
    x: Any, y: Any, k: int = 3, t: Any = None, bc_type: Any = None, axis: int = 0,
    check_finite: bool = True,
) -> BSpline:  # fmt: skip
    """`scipy.interpolate.make_interp_spline`, in x, y and derivatives at the ends."""
    spline = _traced(x, y, k, t, bc_type, axis, check_finite)
    if isinstance(spline, BSpline):
        return spline
    return BSpline.construct_fast(spline.t, spline.c, spline.k, spline.extrapolate, spline.axis)


register(sp.BSpline, BSpline)
