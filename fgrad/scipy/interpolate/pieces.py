"""Piecewise polynomials: an immutable class, a pytree of its coefficients and breakpoints."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import interpolate as sp

from ... import tree
from ...arrays import ndim_of, shape_of
from ...core import Tracer
from ...errors import ShapeError, TracerConversionError, describe
from ...numpy import asarray
from ...ops.casts import stop_gradient_leaf
from ...ops.index import take
from ...tracer import register


def real(x: Any) -> Any:
    """As an array of doubles."""
    x = asarray(x)
    if x.dtype.kind == "c":
        raise ValueError("`x` must contain real values.")
    return x.astype(np.float64)


def double(x: Any) -> Any:
    """As an array of doubles, or of complex ones."""
    x = asarray(x)
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


def known(x: Any) -> Any:
    """The values without their derivatives; a tracer where they are hidden."""
    return stop_gradient_leaf(x)


def rising(x: Any) -> None:
    """Refuse breakpoints that don't rise, where their values are known."""
    if ndim_of(x) != 1:
        raise ValueError("`x` must be 1-dimensional.")
    if shape_of(x)[0] < 2:
        raise ValueError("`x` must contain at least 2 elements.")
    steps = np.diff(known(x))
    if not isinstance(steps, Tracer) and not np.all(steps > 0):
        raise ValueError("`x` must be strictly increasing sequence.")


def interval(x: Any, points: Any, first: int, last: int) -> Any:
    """The number i of the interval from x[i] to x[i + 1] that a point is in, first to last."""
    return np.clip(np.searchsorted(known(x), known(points), side="right") - 1, first, last)


def repeated(points: Any, start: Any, stop: Any) -> Any:
    """Points moved by whole periods into the interval from start to stop."""
    period = stop - start
    turns = np.floor((known(points) - known(start)) / known(period))
    return points - turns * period


def answered(points: Any, start: Any, stop: Any, extrapolate: Any) -> Any:
    """Which points have a value: those that are numbers, and not outside if that isn't wanted."""
    here = known(points)
    if extrapolate:
        return np.logical_not(np.isnan(here))
    return np.logical_and(here >= known(start), here <= known(stop))


def placed(y: Any, rank: int, axis: int) -> Any:
    """The first ``rank`` axes of y, those of the points, where the axis of the data was."""
    if axis == 0:
        return y
    n = ndim_of(y)
    order = [*range(rank, rank + axis), *range(rank), *range(rank + axis, n)]
    return np.transpose(y, order)


@tree.register_class
class PPoly:
    """`scipy.interpolate.PPoly`, in its coefficients, its breakpoints and the points.

    A pytree whose children are ``c`` and ``x``.

    Args:
        c: coefficients of shape (degree + 1, intervals, ...), the highest power first.
        x: the breakpoints, rising.
        extrapolate: whether to go on with the first and the last polynomial, or "periodic".
        axis: where in the result the axes of the points stand.
    """

    c: Any
    x: Any
    extrapolate: Any
    axis: int

    def __init__(self, c: Any, x: Any, extrapolate: Any = None, axis: int = 0) -> None:
        c, x = double(c), real(x)
        rising(x)
        axis = axis % max(ndim_of(c) - 1, 1)
        for _ in range(2 if axis else 0):
            c = np.moveaxis(c, axis + 1, 0)
        if ndim_of(c) < 2 or shape_of(c)[1] != shape_of(x)[0] - 1:
            raise ShapeError(
                "PPoly wants coefficients of shape (degree + 1, intervals, ...).",
                f"shape {shape_of(c)} for {shape_of(x)[0] - 1} intervals",
                "give a column of coefficients for each interval",
            )
        self._set(c, x, True if extrapolate is None else extrapolate, axis)

    def _set(self, c: Any, x: Any, extrapolate: Any, axis: int) -> None:
        set_field = object.__setattr__
        for name, value in (("c", c), ("x", x), ("extrapolate", extrapolate), ("axis", axis)):
            set_field(self, name, value)

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"a {type(self).__name__} can't be changed; make another one")

    def __repr__(self) -> str:
        return f"{type(self).__name__}(c={describe(self.c)}, x={describe(self.x)})"

    def tree_flatten(self) -> tuple[tuple[Any, Any], tuple[Any, int]]:
        """Children and the rest."""
        return (self.c, self.x), (self.extrapolate, self.axis)

    @classmethod
    def tree_unflatten(cls, rest: tuple[Any, int], children: Any) -> Any:
        """The inverse of `tree_flatten`."""
        out = object.__new__(cls)
        c, x = children
        PPoly._set(out, c, x, *rest)
        return out

    @classmethod
    def construct_fast(cls, c: Any, x: Any, extrapolate: Any = None, axis: int = 0) -> Any:
        """A piecewise polynomial of parts that aren't checked."""
        return PPoly.tree_unflatten((True if extrapolate is None else extrapolate, axis), (c, x))

    # -------------------------------------------------------------- values
    def __call__(self, x: Any, nu: int = 0, extrapolate: Any = None) -> Any:
        """The values, or those of the ``nu``-th derivative, at points of any shape."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        points = real(x)
        if nu < 0:
            return self.antiderivative(-nu)(points, extrapolate=extrapolate)
        start, stop = self.x[0], self.x[-1]
        if extrapolate == "periodic":
            points = repeated(points, start, stop)
        i = interval(self.x, points, 0, shape_of(self.x)[0] - 2)
        rest = ndim_of(self.c) - 2
        s = np.reshape(points - take(self.x, i), (*shape_of(points), *(1,) * rest))
        y = self._horner(take(self.c, i, axis=1), s, nu)
        there = answered(points, start, stop, extrapolate)
        y = np.where(np.reshape(there, shape_of(s)), y, np.nan)
        return placed(y, ndim_of(points), self.axis)

    def _horner(self, c: Any, s: Any, nu: int) -> Any:
        degree = shape_of(c)[0] - 1
        y = np.zeros_like(c[0])
        for k in range(degree - nu + 1):
            y = y * s + math.perm(degree - k, nu) * c[k]
        return y

    # -------------------------------------------------------------- derivatives and integrals
    def derivative(self, nu: int = 1) -> Any:
        """The piecewise polynomial that is the ``nu``-th derivative of this one."""
        if nu < 0:
            return self.antiderivative(-nu)
        degree = shape_of(self.c)[0] - 1
        c = self.c[: degree - nu + 1] if nu <= degree else np.zeros_like(self.c[:1])
        factors = [float(math.perm(degree - k, nu)) for k in range(max(degree - nu + 1, 1))]
        c = c * np.reshape(np.array(factors), (-1, *(1,) * (ndim_of(c) - 1)))
        return PPoly.construct_fast(c, self.x, self.extrapolate, self.axis)

    def antiderivative(self, nu: int = 1) -> Any:
        """The ``nu``-th antiderivative that is continuous and 0 at the first breakpoint."""
        if nu < 0:
            return self.derivative(-nu)
        c, x = self.c, self.x
        for _ in range(nu):
            n, rest = shape_of(c)[0], ndim_of(c) - 1
            c = c / np.reshape(np.arange(n, 0, -1.0), (-1, *(1,) * rest))
            h = np.reshape(np.diff(x), (-1, *(1,) * (rest - 1)))
            whole = np.zeros_like(c[0])
            for k in range(n):
                whole = (whole + c[k]) * h
            before = np.concatenate([np.zeros_like(whole[:1]), np.cumsum(whole[:-1], axis=0)])
            c = np.concatenate([c, np.expand_dims(before, 0)])
        extrapolate = False if self.extrapolate == "periodic" else self.extrapolate
        return PPoly.construct_fast(c, x, extrapolate, self.axis)

    def integrate(self, a: Any, b: Any, extrapolate: Any = None) -> Any:
        """The integral from a to b."""
        extrapolate = self.extrapolate if extrapolate is None else extrapolate
        whole = self.antiderivative()
        object.__setattr__(whole, "axis", 0)
        a, b = real(a), real(b)
        if extrapolate != "periodic":
            return whole(b, extrapolate=extrapolate) - whole(a, extrapolate=extrapolate)
        start, stop = self.x[0], self.x[-1]

        def up_to(z: Any) -> Any:
            turns = np.floor((known(z) - known(start)) / known(stop - start))
            return whole(z - turns * (stop - start), extrapolate=True) + turns * whole(stop)

        return up_to(b) - up_to(a)

    # -------------------------------------------------------------- roots
    def solve(self, y: Any = 0.0, discontinuity: bool = True, extrapolate: Any = None) -> Any:
        """SciPy's; it wants known values, and its answer has no derivatives."""
        if isinstance(self.c, Tracer) or isinstance(self.x, Tracer):
            raise TracerConversionError(
                "The roots of a piecewise polynomial have no rule: how many there are depends on "
                "its values.",
                repr(self),
                "find them of known coefficients, and follow one with fgrad.scipy.optimize.root",
            )
        plain = sp.PPoly.construct_fast(self.c, self.x, self.extrapolate, self.axis)
        return plain.solve(y, discontinuity, extrapolate)

    def roots(self, discontinuity: bool = True, extrapolate: Any = None) -> Any:
        """SciPy's; see `solve`."""
        return self.solve(0.0, discontinuity, extrapolate)


register(sp.PPoly, PPoly)
