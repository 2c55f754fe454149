"""Differences, integrals, averages, convolution, sorting."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import from_end, ndim_of, shape_of
from ..core import home
from ..fronts import given
from ..tracer import register
from .casts import known
from .creation import as_array, as_operand
from .index import getitem, take, take_along_axis
from .reduce import NONE


def _along(x: Any, axis: int, start: int | None, stop: int | None) -> Any:
    """``x[start:stop]`` along an axis that is counted from the end."""
    return getitem(x, (..., slice(start, stop), *(slice(None),) * (-axis - 1)))


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = NONE, append: Any = NONE) -> Any:
    """`numpy.diff`."""
    a = as_array(a)
    prepend, append = (x if x is NONE else as_array(x, a) for x in (prepend, append))
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n!r}")
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
    x = np.reshape(as_array(ary), (-1,))
    steps = getitem(x, slice(1, None)) - getitem(x, slice(None, -1))
    parts = [as_array(p, x) for p in (to_begin, to_end) if p is not None]
    ends = [np.ravel(p.astype(steps.dtype)) for p in parts]
    ends.insert(0 if to_begin is None else 1, steps)
    return np.concatenate(ends) if parts else steps


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """`numpy.trapezoid`."""
    y = as_array(y, x)
    axis = from_end(axis, ndim_of(y))
    if x is not None:
        x = as_array(x, y)
        dx = diff(x, axis=axis if -axis <= ndim_of(x) > 1 else -1)
        if ndim_of(x) == 1:
            dx = np.reshape(dx, (-1, *(1,) * (-axis - 1)))
    terms = dx * (_along(y, axis, 1, None) + _along(y, axis, None, -1)) / 2.0
    return np.sum(terms, axis=axis)


def weights_of(a: Any, weights: Any, axis: Any) -> Any:
    """Weights of all entries, from weights of those along some axes."""
    weights = as_array(weights, a)
    if shape_of(weights) == shape_of(a):
        return weights
    axes = axis if isinstance(axis, tuple) else (axis,)
    if axis is None or shape_of(weights) != tuple(shape_of(a)[i] for i in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along axis.")
    places = [i % ndim_of(a) for i in axes]
    weights = np.transpose(weights, np.argsort(places).tolist())
    shape = tuple(n if i in places else 1 for i, n in enumerate(shape_of(a)))
    return np.broadcast_to(np.reshape(weights, shape), shape_of(a))


def average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    """`numpy.average`."""
    a, keepdims = as_array(a, weights), keepdims is True
    if weights is None:
        mean = np.mean(a, axis=axis, keepdims=keepdims)
        count = np.size(a) / max(np.size(mean), 1)
        return (mean, np.full_like(mean, count)) if returned else mean
    weights = weights_of(a, weights, axis)
    total = np.sum(weights, axis=axis, keepdims=keepdims)
    values = known(total)
    if values is not None and np.any(values == 0):
        raise ZeroDivisionError("Weights sum to zero, can't be normalized")
    mean = np.sum(a * weights, axis=axis, keepdims=keepdims) / total
    return (mean, total) if returned else mean


def mode_name(mode: Any) -> str:
    """The name of a mode of convolution that is given by name or number."""
    names = ("valid", "same", "full")
    if not isinstance(mode, str):
        return names[mode]
    if mode not in names:
        raise ValueError(f"mode must be one of 'valid', 'same', or 'full' (got {mode!r})")
    return mode


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """`numpy.convolve`: windows of one vector times the other, reversed."""
    a, v = np.atleast_1d(as_array(a, v), as_array(v, a))
    if ndim_of(a) > 1 or ndim_of(v) > 1:
        raise ValueError("object too deep for desired array")
    if shape_of(v)[0] > shape_of(a)[0]:
        a, v = v, a
    mode = mode_name(mode)
    n, m = shape_of(a)[0], shape_of(v)[0]
    if m == 0:
        raise ValueError("a and v cannot be empty")
    before, after = {
        "full": (m - 1, m - 1), "same": (m // 2, (m - 1) // 2), "valid": (0, 0)
    }[mode]  # fmt: skip
    x = np.pad(a, (before, after))
    host = home(x)
    windows = host.arange(n + before + after - m + 1).reshape(-1, 1) + host.arange(m)
    return np.matmul(take(x, windows), np.flip(v))


def sort(
    a: Any, axis: Any = -1, kind: Any = None, order: None = None, *, stable: Any = None
) -> Any:
    """`numpy.sort`."""
    given(order=order)
    a = as_array(a)
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    return take_along_axis(a, np.argsort(a, axis=axis, kind=kind, stable=stable), axis)


def sort_complex(a: Any) -> Any:
    """`numpy.sort_complex`."""
    y = np.sort(as_array(a))
    small = y.dtype.char in "bhBH"
    return y if y.dtype.kind == "c" else y.astype(np.complex64 if small else np.complex128)


def lexsort(keys: Any, axis: int = -1) -> Any:
    """`numpy.lexsort`: by the last key, then by the one before it, and so on."""
    keys = [as_array(k) for k in keys] if isinstance(keys, (tuple, list)) else list(as_array(keys))
    if not keys:
        raise TypeError("need sequence of keys with len > 0 in lexsort")
    order = np.argsort(keys[0], axis=axis, kind="stable")
    for key in keys[1:]:
        again = np.argsort(take_along_axis(key, order, axis), axis=axis, kind="stable")
        order = take_along_axis(order, again, axis)
    return order


def compress(condition: Any, a: Any, axis: Any = None, out: None = None) -> Any:
    """`numpy.compress`; the condition's values must be known."""
    given(out=out)
    return take(as_array(a), np.flatnonzero(as_array(condition, a)), axis)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: None = None,
) -> Any:  # fmt: skip
    """`numpy.linspace`; the ends may be traced."""
    start, stop, num = as_operand(start, stop), as_operand(stop, start), _number(num)
    kind = np.result_type(start, stop, 0.0)
    start, stop = as_array(start, stop).astype(kind), as_array(stop, start).astype(kind)
    parts = num - 1 if endpoint else num
    shape = np.broadcast_shapes(shape_of(start), shape_of(stop))
    step = (stop - start) / (parts or np.nan) if parts or retstep else start
    number = home(start).arange(num).astype(np.real(start).dtype)
    number = np.reshape(number, (-1, *(1,) * len(shape)))
    if endpoint and num > 1:  # the last point is the end itself, whatever the step's rounding
        last = np.broadcast_to(stop, (1, *shape))
        points = np.concatenate([start + number[:-1] * step, last])
    else:
        points = start + (number * step if parts else 0 * number)
    points = np.moveaxis(np.broadcast_to(points, (num, *shape)), 0, axis)
    if dtype is not None and np.dtype(dtype).kind in "iu":
        points = np.floor(points)
    points = points if dtype is None else points.astype(dtype)
    return (points, step) if retstep else points


def _number(num: Any) -> int:
    num = num.__index__()
    if num < 0:
        raise ValueError(f"Number of samples, {num}, must be non-negative.")
    return int(num)


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    """`numpy.logspace`; the ends and the base may be traced."""
    start, stop, base = as_operand(start), as_operand(stop), as_operand(base)
    if ndim_of(base):
        rank = len(np.broadcast_shapes(*map(shape_of, (start, stop, base))))
        start, stop, base = (
            np.reshape(as_array(x), (*(1,) * (rank - ndim_of(x)), *shape_of(x)))
            for x in (start, stop, base)
        )
        base = np.expand_dims(base, axis)
    y = np.power(base, linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else y.astype(dtype)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """`numpy.geomspace`; the ends may be traced."""
    start, stop = as_operand(start, stop), as_operand(stop, start)
    kind = np.result_type(start, stop, 0.0)
    kind = np.result_type(kind, np.float64) if dtype is None else kind
    start, stop = as_array(start, stop).astype(kind), as_array(stop, start).astype(kind)
    start, stop = np.broadcast_arrays(start, stop)
    if any(np.any(known(x) == 0) for x in (start, stop) if known(x) is not None):
        raise ValueError("Geometric sequence cannot include zero")
    num, sign = _number(num), np.sign(start)
    y = linspace(np.log10(start / sign), np.log10(stop / sign), num, endpoint)
    y = sign * np.power(10.0, y)
    # The ends are what was given, not powers of logarithms.
    ends = [np.expand_dims(start, 0)] if num else []
    last = [np.expand_dims(stop, 0)] if endpoint and num > 1 else []
    y = np.concatenate([*ends, getitem(y, slice(len(ends), num - len(last))), *last])
    y = np.moveaxis(y, 0, axis)
    return y if dtype is None else y.astype(dtype)


def meshgrid(
    *xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy"
) -> tuple[Any, ...]:
    """`numpy.meshgrid`."""
    if indexing not in ("xy", "ij"):
        raise ValueError("Valid values for `indexing` are 'xy' and 'ij'.")
    xi = tuple(as_array(x) for x in xi)
    order = list(range(len(xi)))
    if indexing == "xy" and len(xi) > 1:
        order[0], order[1] = 1, 0
    lined = [
        np.reshape(x, tuple(-1 if k == place else 1 for k in range(len(xi))))
        for x, place in zip(xi, order, strict=True)
    ]
    return tuple(lined) if sparse else tuple(np.broadcast_arrays(*lined))


for _fn in (
    diff,
    ediff1d,
    trapezoid,
    average,
    convolve,
    sort,
    sort_complex,
    lexsort,
    compress,
    linspace,
    logspace,
    geomspace,
    meshgrid,
):
    register(getattr(np, _fn.__name__), _fn)
register(np.ndarray.compress, lambda a, condition, axis=None, out=None: compress(
    condition, a, axis, out
))  # fmt: skip
