"""Indexing, and its transpose: changed copies by index.

An index is split into arrays, which are operands because they may be traced, and the rest, which
is metadata: `spec` is a tuple of integers, slices, None, Ellipsis, and `HERE` for each array.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import ndarray, ndim_of, shape_of
from ..core import Array, Params, Tracer, bind
from ..errors import NoRuleError, TracerConversionError
from ..fronts import given
from ..rules import Deferred, apply, linear, unbroadcast
from ..tracer import ArrayTracer, register
from .casts import known
from .shape import RESHAPE


class _Here:
    """Stands in a spec where an array of indices belongs."""

    def __repr__(self) -> str:
        return "array"

    def __reduce__(self) -> str:  # there is one
        return "HERE"


HERE = _Here()
Spec = tuple[Any, ...]


def split_index(x: Any, index: Any) -> tuple[Spec, list[Any]]:
    """A user's index as spec and arrays; masks become the integers that they stand for."""
    items = index if isinstance(index, tuple) else (index,)
    spec: list[Any] = []
    arrays: list[Any] = []
    for item in items:
        if isinstance(item, list):
            item = np.asarray(item, np.intp) if not item else np.asarray(item)
        if isinstance(item, (ndarray, Tracer)) or hasattr(item, "__cuda_array_interface__"):
            if item.dtype.kind == "b" and item.ndim:
                _check_mask(x, items, item, spec)
                for found in item.nonzero():
                    spec.append(HERE)
                    arrays.append(found)
                continue
            if item.dtype.kind not in "biu":
                raise IndexError(
                    f"arrays used as indices must be of integer (or boolean) type, not {item.dtype}"
                )
            spec.append(HERE)
            arrays.append(item)
        elif item is None or item is Ellipsis or isinstance(item, (slice, bool, np.bool_)):
            spec.append(item)
        else:
            spec.append(operator.index(item))
    return tuple(spec), arrays


def _check_mask(x: Any, items: tuple[Any, ...], mask: Any, before: Sequence[Any]) -> None:
    """A mask has the shape of the axes it stands for, and values that are known."""
    if isinstance(mask, Tracer):
        raise TracerConversionError(
            "Indexing with a mask wants one whose values are known: they fix the result's shape.",
            f"a traced mask, {mask!r}",
            "use np.where(mask, x, other), or x.at[mask].set(value) with a scalar value",
        )
    axis = sum(1 for s in before if s is not None and s is not Ellipsis)
    if Ellipsis in [s for s in before if s is Ellipsis]:
        after = items[next(i for i, m in enumerate(items) if m is mask) :]
        used = sum(
            m.ndim if getattr(m, "dtype", None) == np.dtype(bool) else 1
            for m in after
            if m is not None
        )
        axis = ndim_of(x) - used
    want = shape_of(x)[axis : axis + mask.ndim]
    if mask.shape != want:
        raise IndexError(f"boolean index did not match: its shape is {mask.shape}, not {want}")


def join_index(spec: Spec, arrays: Sequence[Any]) -> Any:
    """The index that NumPy takes."""
    rest = iter(arrays)
    return tuple(next(rest) if s is HERE else s for s in spec)


# ------------------------------------------------------------------ the batch axis in an index
def _layout(spec: Spec, ndim: int) -> tuple[int, bool]:
    """How many axes come before those of index arrays, and whether these stay together.

    NumPy puts the axes of index arrays in front if a slice separates the arrays.
    """
    places = [i for i, s in enumerate(spec) if s is HERE or isinstance(s, int)]
    together = places == list(range(places[0], places[-1] + 1))
    used = sum(1 for s in spec if s is not None and s is not Ellipsis)
    before = sum((ndim - used) if s is Ellipsis else 1 for s in spec[: places[0]])
    return before, together


def batched_index(
    spec: Spec, arrays: Sequence[Any], flags: Sequence[bool], x_batched: bool, ndim: int, size: int
) -> tuple[Spec, list[Any], list[int] | None]:
    """Spec and arrays for the whole batch, and how to permute what they pick.

    ``ndim`` is the rank of one element of x. Applying the permutation to ``x[index]`` puts the
    batch axis in front and the others where they are for one element.
    """
    if len(spec) > 1 and any(isinstance(s, (bool, np.bool_)) for s in spec):
        raise NoRuleError(
            "Indexing with True or False beside other indices has no rule under vmap.",
            f"the index {spec}",
            "write None for the new axis that True makes",
        )
    if not arrays:
        return (slice(None), *spec), [], None
    before, together = _layout(spec, ndim)
    start = before if together else 0
    rank = max(ndim_of(a) - f for a, f in zip(arrays, flags, strict=True))
    total = rank + ndim - sum(1 for s in spec if s is HERE or isinstance(s, int))
    total += sum(1 for s in spec if s is None)
    if not any(flags):  # x alone is batched: the batch axis is one more slice in front
        out: Spec = (slice(None), *spec)
        if together:
            return out, list(arrays), None
        return out, list(arrays), [rank, *range(rank), *range(rank + 1, total + 1)]
    lined = [
        np.reshape(a, (size, *(1,) * (rank + 1 - ndim_of(a)), *shape_of(a)[1:])) if f else a
        for a, f in zip(arrays, flags, strict=True)
    ]
    if not x_batched:
        return spec, lined, [start, *(i for i in range(total + 1) if i != start)]
    first = np.reshape(np.arange(size), (size, *(1,) * rank))
    # The first index is an array now, so all index axes land in front: batch, then the arrays'.
    front = [0, *range(1 + rank, 1 + rank + start), *range(1, 1 + rank)]
    return (HERE, *spec), [first, *lined], [*front, *range(1 + rank + start, total + 1)]


# ------------------------------------------------------------------ x[i]
def _getitem_impl(x: Any, *arrays: Any, spec: Spec) -> Any:
    return x[join_index(spec, arrays)]


def _scattered(parts: Sequence[Any], out: Any) -> Any:
    """The cotangent of x after several ``x[i]``: each part's cotangent added where it was read."""
    plain = not isinstance(out, Tracer) and not any(
        isinstance(y, Tracer) for _, arrays, g, _ in parts for y in (*arrays, g)
    )
    if not plain or not isinstance(parts[0][2], (ndarray, np.generic)):
        x, parts, places = _small_together(parts)
        out = np.zeros(x.shape, x.dtype) if out is None else out
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


def _small_together(parts: Sequence[Any]) -> tuple[Any, Sequence[Any], Any]:
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
    numbers = np.arange(x.size).reshape(x.shape)
    places = [np.ravel(numbers[join_index(spec, arrays)]) for _, arrays, _, spec in small]
    return x, rest, (np.concatenate(places), [g for _, _, g, _ in small])


def _getitem_transpose(g: Array, x: Any, *arrays: Any, spec: Spec) -> Any:
    forwards = (type(i) is not slice or i.step is None or i.step > 0 for i in spec)
    if not arrays and np.size(g) == x.size and all(forwards):  # b[:, 0] of a column
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
    out = np.array(x, copy=True, order="K") if isinstance(x, (np.generic, float)) else x.copy()
    if arrays:
        np.add.at(out, join_index(spec, arrays), v)
    else:
        out[join_index(spec, ())] += v
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
    out = np.array(x, copy=True, order="K") if isinstance(x, (np.generic, float)) else x.copy()
    out[join_index(spec, arrays)] = v
    return out


def _winners(x: Any, arrays: Sequence[Any], spec: Spec) -> Any:
    """Of values written to one place, the last one stays: a mask of those that do."""
    index = join_index(spec, arrays)
    place = np.zeros(x.shape, np.intp)
    number = np.arange(np.size(place[index])).reshape(np.shape(place[index]))
    place[index] = number
    return np.equal(place[index], number)


def _index_set_transpose(g: Array, x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    c = bind_getitem(g, arrays, spec)
    if arrays:
        if any(isinstance(a, Tracer) for a in arrays):
            c = c * _winners_traced(x, arrays, spec).astype(g.dtype)
        else:
            c = c * _winners(x, arrays, spec).astype(g.dtype)
    zero = np.zeros((), g.dtype)
    return bind_index_set(g, zero, arrays, spec), unbroadcast(c, v.shape, v.dtype)


def _winners_traced(x: Any, arrays: Sequence[Any], spec: Spec) -> Any:
    """`_winners` with the same operations as primitives, for mapped indices."""
    place = np.zeros(x.shape, np.float64)
    shape = shape_of(bind_getitem(place, arrays, spec))
    number = np.arange(int(np.prod(shape)), dtype=np.float64).reshape(shape)
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
    if axis is None:
        a, axis = np.reshape(a, (-1,)), 0
    indices = indices if hasattr(indices, "dtype") else np.asarray(indices, np.intp)
    n = shape_of(a)[axis]
    if mode == "wrap":
        indices = np.remainder(indices, n)
    elif mode == "clip":
        indices = np.clip(indices, 0, n - 1)
    axis = axis % max(ndim_of(a), 1)
    return getitem(a, (*(slice(None),) * axis, indices))


register(np.take, take)


def take_along_axis(arr: Any, indices: Any, axis: Any = -1) -> Any:
    """`numpy.take_along_axis`."""
    if axis is None:
        arr, axis = np.reshape(arr, (-1,)), 0
    axis = axis % ndim_of(arr)
    index = []
    for k, n in enumerate(shape_of(arr)):
        shape = [1] * ndim_of(arr)
        shape[k] = -1
        index.append(indices if k == axis else np.arange(n).reshape(shape))
    return getitem(arr, tuple(index))


register(np.take_along_axis, take_along_axis)


def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Any, ...]:
    """`numpy.unravel_index`; indices whose values are not known aren't checked."""
    plain = known(indices)
    if plain is not None:
        return np.unravel_index(plain, shape, order)  # type: ignore[call-overload]
    shape = (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)
    rest, places = indices, []
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
