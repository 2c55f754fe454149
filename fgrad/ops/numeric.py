"""Differences, integrals, averages, convolution, sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import from_end, ndim_of, shape_of
from ..fronts import given
from ..tracer import register
from .index import getitem, take, take_along_axis
from .reduce import NONE


def _along(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    """``x[start:stop]`` along an axis that is counted from the end."""
    return getitem(x, (..., slice(start, stop), *(slice(None),) * (-axis - 1)))


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = NONE, append: Any = NONE) -> Any:
    """`numpy.diff`."""
    axis = from_end(axis, ndim_of(a))
    edge = list(shape_of(a))
    edge[axis] = 1
    ends = [
        x if x is NONE or ndim_of(x) else np.broadcast_to(x, tuple(edge)) for x in (prepend, append)
    ]
    parts = [x for x in (ends[0], a, ends[1]) if x is not NONE]
    x = np.concatenate(parts, axis=axis) if len(parts) > 1 else a
    for _ in range(n):
        right, left = _along(x, axis, 1, None), _along(x, axis, None, -1)
        x = np.not_equal(right, left) if x.dtype == bool else right - left
    return x


def ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    """`numpy.ediff1d`."""
    x = np.reshape(ary, (-1,))
    steps = getitem(x, slice(1, None)) - getitem(x, slice(None, -1))
    parts = [
        p if hasattr(p, "dtype") else np.asarray(p) for p in (to_begin, to_end) if p is not None
    ]
    ends = [np.ravel(p.astype(steps.dtype)) for p in parts]
    ends.insert(0 if to_begin is None else 1, steps)
    return np.concatenate(ends) if parts else steps


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """`numpy.trapezoid`."""
    axis = from_end(axis, ndim_of(y))
    if x is not None:
        dx = diff(x, axis=axis if ndim_of(x) > 1 else -1)
        if ndim_of(x) == 1:
            dx = np.reshape(dx, (-1, *(1,) * (-axis - 1)))
    terms = dx * (_along(y, axis, 1, None) + _along(y, axis, None, -1)) / 2.0
    return np.sum(terms, axis=axis)


def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    """`numpy.average`."""
    keepdims = keepdims is True
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        count = np.size(a) / max(np.size(mean), 1)
        return (mean, np.full_like(mean, count)) if returned else mean
    if shape_of(weights) != shape_of(a):
        axes = axis if isinstance(axis, tuple) else (axis,)
        if axis is None or shape_of(weights) != tuple(shape_of(a)[i] for i in axes):
            raise ValueError("Shape of weights must be consistent with shape of a along axis.")
        places = [i % ndim_of(a) for i in axes]
        weights = np.transpose(weights, np.argsort(places).tolist())
        shape = tuple(n if i in places else 1 for i, n in enumerate(shape_of(a)))
        weights = np.broadcast_to(np.reshape(weights, shape), shape_of(a))
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    mean = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """`numpy.convolve`: windows of one vector times the other, reversed."""
    if shape_of(v)[0] > shape_of(a)[0]:
        a, v = v, a
    n, m = shape_of(a)[0], shape_of(v)[0]
    if m == 0:
        raise ValueError("v cannot be empty")
    before, after = {
        "full": (m - 1, m - 1), "same": (m // 2, (m - 1) // 2), "valid": (0, 0)
    }[mode]  # fmt: skip
    x = np.pad(a, (before, after))
    windows = np.arange(n + before + after - m + 1).reshape(-1, 1) + np.arange(m)
    return np.matmul(take(x, windows), np.flip(v))


def sort(
    a: Any, axis: Any = -1, kind: Any = None, order: None = None, *, stable: Any = None
) -> Any:
    """`numpy.sort`."""
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    return take_along_axis(a, np.argsort(a, axis=axis, kind=kind, stable=stable), axis)


def compress(condition: Any, a: Any, axis: Any = None, out: None = None) -> Any:
    """`numpy.compress`; the condition's values must be known."""
    given(out=out)
    return take(a, np.flatnonzero(condition), axis)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: None = None,
) -> Any:  # fmt: skip
    """`numpy.linspace`; the ends may be traced."""
    parts = num - 1 if endpoint else num
    shape = np.broadcast_shapes(shape_of(start), shape_of(stop))
    share = np.reshape(np.arange(num), (-1, *(1,) * len(shape))) / max(parts, 1)
    kind = np.result_type(*(getattr(x, "dtype", x) for x in (start, stop)), 0.0)
    points = np.moveaxis(start * (1 - share) + stop * share, 0, axis).astype(dtype or kind)
    return (points, (stop - start) / parts) if retstep else points


def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Any, ...]:
    """`numpy.meshgrid`."""
    order = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        order[0], order[1] = 1, 0
    lined = [
        np.reshape(x, tuple(-1 if k == place else 1 for k in range(len(xi))))
        for x, place in zip(xi, order, strict=True)
    ]
    return tuple(lined) if sparse else tuple(np.broadcast_arrays(*lined))


for _fn in (diff, ediff1d, trapezoid, average, convolve, sort, compress, linspace, meshgrid):
    register(getattr(np, _fn.__name__), _fn)
