"""Indexing, and its transpose: changed copies by index.

The parts of an index, its arrays and its `spec`, are those of `indices`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import is_cupy, namespace, ndarray, ndim_of, shape_of
from ..core import Array, Params, Tracer, bind, home
from ..errors import TracerConversionError
from ..fronts import given
from ..rules import Deferred, apply, linear, unbroadcast
from ..tracer import ArrayTracer, register
from .atomics import add_each, last_writers, set_each
from .casts import known
from .indices import HERE as HERE
from .indices import Spec, batched_index, join_index
from .indices import split_index as split_index
from .scattering import add_at
from .shape import RESHAPE


# ------------------------------------------------------------------ x[i]
def _getitem_impl(x: Any, *arrays: Any, spec: Spec) -> Any:
    return x[join_index(spec, arrays)]


def _scattered(parts: Sequence[Any], out: Any) -> Any:
    """The cotangent of x after several ``x[i]``: each part's cotangent added where it was read."""
    for _, arrays, g, _ in parts:
        if arrays or type(g) is not ndarray:
            return _scattered_any(parts, out)
    if out is not None and type(out) is not ndarray:
        return _scattered_any(parts, out)
    x = parts[0][0]
    out = np.zeros(x.shape, x.dtype) if out is None else np.array(out, x.dtype)
    for _, _, g, spec in parts:
        view = out[spec]
        if type(view) is ndarray:
            np.add(view, g, view)
        else:
            out[spec] += g
    return out


def _scattered_any(parts: Sequence[Any], out: Any) -> Any:
    """`_scattered` of numbers, of traced values, by index arrays and on a device."""
    plain = not isinstance(out, Tracer) and not any(
        isinstance(y, Tracer) for _, arrays, g, _ in parts for y in (*arrays, g)
    )
    first = parts[0][2]
    if plain and is_cupy(first):
        return _scattered_there(parts, out, namespace(first))
    if not plain or not issubclass(type(first), (ndarray, np.generic)):
        host = home(first)
        x, parts, places = _small_together(parts, host)
        out = host.zeros(x.shape, x.dtype) if out is None else out
        if places is not None:
            flat, g = np.reshape(out, (-1,)), np.concatenate([np.ravel(y) for y in places[1]])
            out = np.reshape(bind_index_add(flat, g, [places[0]], (HERE,)), x.shape)
        for _, arrays, g, spec in parts:
            out = bind_index_add(out, g, arrays, spec)
        return out
    x = parts[0][0]
    out = np.zeros(x.shape, x.dtype) if out is None else np.array(out, x.dtype)
    for _, arrays, g, spec in parts:
        if arrays:
            np.add.at(out, join_index(spec, arrays), g)
        else:
            out[join_index(spec, ())] += g
    return out


def _scattered_there(parts: Sequence[Any], out: Any, host: Any) -> Any:
    """`_scattered` of plain arrays on a device."""
    x = parts[0][0]
    out = host.zeros(x.shape, x.dtype) if out is None else out.astype(x.dtype)
    for _, arrays, g, spec in parts:
        index = join_index(spec, arrays)
        if arrays:
            add_each(out, index, g)
        else:
            out[index] += g
    return out


def _small_together(parts: Sequence[Any], host: Any) -> tuple[Any, Sequence[Any], Any]:
    """x, the parts that stay alone, and the places and values of many small ones as one.

    Adding each by itself would copy all of x, for n parts of x that is n * n elements.
    """
    x = parts[0][0]
    small: list[Any] = []
    rest: list[Any] = []
    for part in parts:
        plain = not any(isinstance(a, Tracer) for a in part[1])
        (small if plain and 8 * np.size(part[2]) <= x.size else rest).append(part)
    if len(small) < 8:
        return x, parts, None
    numbers = host.arange(x.size).reshape(x.shape)
    places = [np.ravel(numbers[join_index(spec, arrays)]) for _, arrays, _, spec in small]
    return x, rest, (np.concatenate(places), [g for _, _, g, _ in small])


def _getitem_transpose(g: Array, x: Any, *arrays: Any, spec: Spec) -> Any:
    if (
        not arrays
        and (g.size if type(g) is ndarray else np.size(g)) == x.size  # b[:, 0] of a column
        and all(type(i) is not slice or i.step is None or i.step > 0 for i in spec)
    ):
        return apply(RESHAPE, g, {"shape": x.shape})
    c = Deferred([(x, arrays, g, spec)], _scattered)
    return (c,) if arrays else c


def _getitem_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    x, *arrays = xs
    spec, arrays, order = batched_index(
        params["spec"], arrays, batched[1:], batched[0], ndim_of(x) - batched[0], size
    )
    out = bind(p, (x, *arrays), {"spec": spec})
    return out if order is None or order == sorted(order) else np.transpose(out, order)


@linear(
    ArrayTracer.__getitem__, _getitem_transpose, impl=_getitem_impl, batch=_getitem_batch,
    name="getitem", operands=1,
)  # fmt: skip
def getitem(x: Any, index: Any) -> Any:
    """``x[index]``."""
    spec, arrays = split_index(x, index)
    return (x, *arrays), {"spec": spec}


# ------------------------------------------------------------------ x.at[i].add(v) and .set(v)
def _index_add_impl(x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    out = (
        np.array(x, copy=True, order="K") if issubclass(type(x), (np.generic, float)) else x.copy()
    )
    index = join_index(spec, arrays)
    if arrays and is_cupy(out):
        add_each(out, index, v)
    else:
        add_at(out, index, v, basic=not arrays)
    return out


def _index_add_transpose(g: Array, x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    c = bind_getitem(g, arrays, spec)
    return g, unbroadcast(c, v.shape, v.dtype)


def _scatter_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    x, v, *arrays = xs
    if not batched[0]:
        x = np.broadcast_to(x, (size, *shape_of(x)))
    ndim = ndim_of(x) - 1
    spec, new, order = batched_index(params["spec"], arrays, batched[2:], True, ndim, size)
    # What the index picks of one element, and v spread over it, batch axis in front.
    picked = shape_of(np.empty(shape_of(x), bool)[join_index(spec, _known(new))])
    picked = tuple(picked[i] for i in order) if order is not None else picked
    if batched[1]:
        v = np.reshape(v, (size, *(1,) * (len(picked) - ndim_of(v)), *shape_of(v)[1:]))
    v = np.broadcast_to(v, picked)
    if order is not None:
        v = np.transpose(v, [order.index(i) for i in range(len(order))])
    return bind(p, (x, v, *new), {"spec": spec})


def _known(arrays: Sequence[Any]) -> list[Any]:
    """Arrays of the same shapes, for questions about shapes."""
    return [np.zeros(shape_of(a), np.intp) for a in arrays]


@linear(
    _index_add_impl, _index_add_transpose, impl=_index_add_impl, batch=_scatter_batch, operands=2,
    name="index_add",
)  # fmt: skip
def _index_add(x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    return (x, v, *arrays), {"spec": spec}


def _index_set_impl(x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    out = (
        np.array(x, copy=True, order="K") if issubclass(type(x), (np.generic, float)) else x.copy()
    )
    index = join_index(spec, arrays)
    if arrays and is_cupy(out):
        set_each(out, index, v)
    else:
        out[index] = v
    return out


def _winners(x: Any, arrays: Sequence[Any], spec: Spec) -> Any:
    """Of values written to one place, the last one stays: a mask of those that do."""
    index = join_index(spec, arrays)
    if is_cupy(arrays[0]):
        return np.equal(*last_writers(x.shape, index, namespace(arrays[0])))
    place = np.zeros(x.shape, np.intp)
    number = np.arange(np.size(place[index])).reshape(np.shape(place[index]))
    place[index] = number
    return np.equal(place[index], number)


def _index_set_transpose(g: Array, x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    c = bind_getitem(g, arrays, spec)
    if arrays:
        if any(isinstance(a, Tracer) for a in arrays):
            c = c * _winners_traced(x, arrays, spec, home(g)).astype(g.dtype)
        else:
            c = c * _winners(x, arrays, spec).astype(g.dtype)
    zero = g.dtype.type(0)
    return bind_index_set(g, zero, arrays, spec), unbroadcast(c, v.shape, v.dtype)


def _winners_traced(x: Any, arrays: Sequence[Any], spec: Spec, host: Any) -> Any:
    """`_winners` with the same operations as primitives, for mapped indices."""
    place = host.zeros(x.shape, np.float64)
    shape = shape_of(bind_getitem(place, arrays, spec))
    number = host.arange(math.prod(shape), dtype=np.float64).reshape(shape)
    written = bind_index_set(place, number, arrays, spec)
    return np.equal(bind_getitem(written, arrays, spec), number)


@linear(
    _index_set_impl, _index_set_transpose, impl=_index_set_impl, batch=_scatter_batch, operands=2,
    name="index_set",
)  # fmt: skip
def _index_set(x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    return (x, v, *arrays), {"spec": spec}


def bind_getitem(x: Any, arrays: Sequence[Any], spec: Spec) -> Any:
    """``x[index]`` of an index that has been split."""
    if isinstance(x, Tracer) or any(isinstance(a, Tracer) for a in arrays):
        return getitem(x, join_index(spec, arrays))
    return x[join_index(spec, arrays)]


def bind_index_add(x: Any, v: Any, arrays: Sequence[Any], spec: Spec) -> Any:
    """``x.at[index].add(v)`` of an index that has been split."""
    return _index_add(x, v, *arrays, spec=spec)


def bind_index_set(x: Any, v: Any, arrays: Sequence[Any], spec: Spec) -> Any:
    """``x.at[index].set(v)`` of an index that has been split."""
    return _index_set(x, v, *arrays, spec=spec)


# ------------------------------------------------------------------ functions that index
def take(a: Any, indices: Any, axis: Any = None, out: None = None, mode: str = "raise") -> Any:
    """`numpy.take`."""
    given(out=out)
    if axis is None or not ndim_of(a):
        a, axis = np.reshape(a, (-1,)), 0 if axis is None else axis
    indices = indices if hasattr(indices, "dtype") else home(a).asarray(indices, np.intp)
    n = shape_of(a)[axis]
    if mode != "raise":
        indices = _wide(indices)
    if mode == "wrap":
        indices = np.remainder(indices, n)
    elif mode == "clip":
        indices = np.clip(indices, 0, n - 1)
    axis = axis % max(ndim_of(a), 1)
    return getitem(a, (*(slice(None),) * axis, indices))


register(np.take, take)


def _wide(indices: Any) -> Any:
    """Indices in a dtype that holds the length of any axis too, which int8 does not."""
    return indices if indices.dtype == np.intp else indices.astype(np.intp)


def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """`numpy.take_along_axis`."""
    if axis is None:
        arr, axis = np.reshape(arr, (-1,)), 0
    axis = axis % ndim_of(arr)
    index = []
    for k, n in enumerate(shape_of(arr)):
        shape = [1] * ndim_of(arr)
        shape[k] = -1
        index.append(indices if k == axis else home(arr).arange(n).reshape(shape))
    return getitem(arr, tuple(index))


register(np.take_along_axis, take_along_axis)


def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    """`numpy.unravel_index`; indices whose values are not known aren't checked."""
    plain = known(indices)
    if plain is not None:
        return np.unravel_index(plain, shape, order)  # type: ignore[call-overload]
    shape = (shape,) if issubclass(type(shape), (int, np.integer)) else tuple(shape)
    rest, places = _wide(indices), []
    for n in shape[::-1] if order == "C" else shape:
        places.append(np.remainder(rest, n))
        rest = np.floor_divide(rest, n)
    return tuple(places[::-1] if order == "C" else places)


register(np.unravel_index, unravel_index)


def _from(fn: Any) -> Any:
    """Places in a matrix of the shape of an array, such as `numpy.triu_indices_from`."""
    return lambda arr, *args, **kwargs: fn(np.empty(shape_of(arr), bool), *args, **kwargs)


for _fn in (np.tril_indices_from, np.triu_indices_from, np.diag_indices_from):
    register(_fn, _from(_fn))
register(np.nonzero, lambda a: np.nonzero(_plain(a, "nonzero")))
register(np.flatnonzero, lambda a: np.flatnonzero(_plain(a, "flatnonzero")))


def _plain(a: Any, name: str) -> Any:
    """The values, where they may be known: under grad, vjp and jvp of an untransformed array."""
    mask = np.not_equal(a, 0)
    if isinstance(mask, Tracer):
        raise TracerConversionError(
            f"`np.{name}` wants an array whose values are known: they fix the result's shape.",
            repr(mask),
            "use np.where(condition, x, y), which keeps the shape",
        )
    return mask
