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
from ..errors import TracerConversionError
from ..rules import Deferred, linear, unbroadcast
from ..tracer import ArrayTracer, register


class _Here:
    """Stands in a spec where an array of indices belongs."""

    def __repr__(self) -> str:
        return "array"


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
                    "arrays used as indices must be of integer (or boolean) type, not "
                    f"{item.dtype}"
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
            "Indexing with a mask wants a mask whose values are known: they fix the result's shape.",
            f"a traced mask, {mask!r}",
            "use np.where(mask, x, other), or x.at[mask].set(value) with a scalar value",
        )
    axis = sum(1 for s in before if s is not None and s is not Ellipsis)
    if Ellipsis in [s for s in before if s is Ellipsis]:
        after = items[next(i for i, m in enumerate(items) if m is mask) :]
        used = sum(m.ndim if getattr(m, "dtype", None) == bool else 1 for m in after if m is not None)
        axis = ndim_of(x) - used
    want = shape_of(x)[axis : axis + mask.ndim]
    if mask.shape != want:
        raise IndexError(f"boolean index did not match: its shape is {mask.shape}, not {want}")


def join_index(spec: Spec, arrays: Sequence[Any]) -> Any:
    """The index that NumPy takes."""
    rest = iter(arrays)
    return tuple(next(rest) if s is HERE else s for s in spec)


# ------------------------------------------------------------------ the batch axis in an index
def _layout(spec: Spec, ndim: int) -> tuple[int, bool, int]:
    """Where the axes of index arrays land: axes before them, whether they stay together, at what
    position of the spec they start. (NumPy puts them in front if a slice separates them.)
    """
    places = [i for i, s in enumerate(spec) if s is HERE or isinstance(s, int)]
    together = places == list(range(places[0], places[-1] + 1))
    used = sum(1 for s in spec if s is not None and s is not Ellipsis)
    before = sum((ndim - used) if s is Ellipsis else 1 for s in spec[: places[0]])
    return before, together, places[0]


def batched_index(
    spec: Spec, arrays: Sequence[Any], flags: Sequence[bool], x_batched: bool, ndim: int, size: int
) -> tuple[Spec, list[Any], list[int] | None]:
    """Spec and arrays for the whole batch, and how to permute what they pick.

    ``ndim`` is the rank of one element of x. Applying the permutation to ``x[index]`` puts the
    batch axis in front and the others where they are for one element.
    """
    if not arrays:
        return (slice(None), *spec), [], None
    before, together, _ = _layout(spec, ndim)
    start = before if together else 0
    rank = max(ndim_of(a) - f for a, f in zip(arrays, flags, strict=True))
    used = sum(1 for s in spec if s is not None and s is not Ellipsis)
    total = rank + ndim - used + sum(1 for s in spec if s is None)
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
        for x, arrays, g, spec in parts:
            base = np.zeros(x.shape, x.dtype) if out is None else out
            out = bind_index_add(base, g, arrays, spec)
        return out
    x = parts[0][0]
    out = np.zeros(x.shape, x.dtype) if out is None else np.array(out, x.dtype)
    for _, arrays, g, spec in parts:
        if arrays:
            np.add.at(out, join_index(spec, arrays), g)
        else:
            out[join_index(spec, ())] += g
    return out


def _getitem_transpose(g: Array, x: Any, *arrays: Any, spec: Spec) -> Any:
    c = Deferred([(x, arrays, g, spec)], _scattered)
    return (c,) if arrays else c


def _getitem_batch(p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params) -> Any:
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


def _scatter_batch(p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params) -> Any:
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


def _index_add_fn(x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    return (x, v, *arrays), {"spec": spec}


_index_add_fn.__name__ = "index_add"
_index_add = linear(
    _index_add_fn, _index_add_transpose, impl=_index_add_impl, batch=_scatter_batch, operands=2
)(_index_add_fn)


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


def _index_set_fn(x: Any, v: Any, *arrays: Any, spec: Spec) -> Any:
    return (x, v, *arrays), {"spec": spec}


_index_set_fn.__name__ = "index_set"
_index_set = linear(
    _index_set_fn, _index_set_transpose, impl=_index_set_impl, batch=_scatter_batch, operands=2
)(_index_set_fn)


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


# ------------------------------------------------------------------ the front door
class At:
    """Changed copies of an array; made by ``x.at`` and `at`."""

    __slots__ = ("_x",)

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> Updater:
        return Updater(self._x, index)


class Updater:
    """The part ``x.at[index]`` of an array, to be changed in a copy of it."""

    __slots__ = ("_index", "_x")

    def __init__(self, x: Any, index: Any) -> None:
        self._x, self._index = x, index

    def get(self) -> Any:
        """``x[index]``."""
        return self._x[self._index]

    def set(self, value: Any) -> Any:
        """A copy of x with ``x[index] = value``; of values for one place the last one stays."""
        if isinstance(self._index, Tracer) and self._index.dtype == bool and np.ndim(value) == 0:
            mask = self._index
            mask = np.reshape(mask, (*mask.shape, *(1,) * (ndim_of(self._x) - mask.ndim)))
            return np.where(mask, _typed(value, self._x), self._x)
        spec, arrays = split_index(self._x, self._index)
        return _index_set(self._x, _typed(value, self._x), *arrays, spec=spec)

    def add(self, value: Any) -> Any:
        """A copy of x with ``x[index] += value``; values for one place add up."""
        spec, arrays = split_index(self._x, self._index)
        return _index_add(self._x, _typed(value, self._x), *arrays, spec=spec)

    def subtract(self, value: Any) -> Any:
        """A copy of x with ``x[index] -= value``."""
        return self.add(-_typed(value, self._x))

    def multiply(self, value: Any) -> Any:
        """A copy of x with ``x[index] *= value``; values for one place multiply."""
        return self._combine(np.multiply, value)

    def min(self, value: Any) -> Any:
        """A copy of x with the smaller of ``x[index]`` and the value."""
        return self._combine(np.minimum, value)

    def max(self, value: Any) -> Any:
        """A copy of x with the larger of ``x[index]`` and the value."""
        return self._combine(np.maximum, value)

    def _combine(self, fn: Any, value: Any) -> Any:
        """Set ``fn(x[index], value)``, in several rounds where an index names a place twice."""
        x = self._x
        spec, arrays = split_index(x, self._index)
        value = _typed(value, x)
        if not arrays:
            return bind_index_set(x, fn(bind_getitem(x, (), spec), value), (), spec)
        if any(isinstance(a, Tracer) for a in arrays):
            raise TracerConversionError(
                f"x.at[i].{fn.__name__} wants indices whose values are known.",
                "a traced array of indices",
                "where no index occurs twice, write x.at[i].set(f(x[i], v))",
            )
        flat = np.arange(int(np.prod(x.shape))).reshape(x.shape)[join_index(spec, arrays)]
        value = np.reshape(np.broadcast_to(value, flat.shape), (-1,))
        x_flat = np.reshape(x, (-1,))
        for places in _rounds(flat.reshape(-1)):
            target = flat.reshape(-1)[places]
            new = fn(x_flat[target], value[places])
            x_flat = bind_index_set(x_flat, new, [target], (HERE,))
        return np.reshape(x_flat, x.shape)


def _rounds(flat: Any) -> list[Any]:
    """Positions by how often their entry occurred before: within a round no entry occurs twice."""
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    first = np.searchsorted(ordered, ordered, side="left")
    occurrence = np.empty(flat.size, np.intp)
    occurrence[order] = np.arange(flat.size) - first
    return [np.flatnonzero(occurrence == k) for k in range(occurrence.max(initial=-1) + 1)]


def _typed(value: Any, x: Any) -> Any:
    """The value in the dtype of the array it goes into, as in ``x[i] = value``."""
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return np.asarray(value, x.dtype)
    return value if dtype == x.dtype else np.astype(value, x.dtype)


def at(x: Any) -> At:
    """Changed copies of an array, plain or traced: ``at(x)[i].set(v)``.

    >>> import numpy as np
    >>> x = np.zeros(3)
    >>> at(x)[1].set(5.0), at(x)[[0, 0]].add(np.array([1.0, 2.0]))
    (array([0., 5., 0.]), array([3., 0., 0.]))

    Args:
        x: an array. It isn't changed.

    Returns:
        An object to be indexed; what comes back has ``set``, ``add``, ``subtract``, ``multiply``,
        ``min``, ``max`` and ``get``. Indices that occur twice add, multiply ... twice.
    """
    return At(x)


register(ArrayTracer.at, At)  # type: ignore[arg-type]


# ------------------------------------------------------------------ functions that index
def take(
    a: Any, indices: Any, axis: Any = None, out: None = None, mode: str = "raise"
) -> Any:
    """`numpy.take`."""
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


def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`numpy.split`: views one after another, as slices."""
    n = shape_of(ary)[axis]
    axis = axis % ndim_of(ary)
    if isinstance(indices_or_sections, (int, np.integer)):
        sections = int(indices_or_sections)
        if n % sections:
            raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`numpy.array_split`."""
    axis = axis % ndim_of(ary)
    n = shape_of(ary)[axis]
    if isinstance(indices_or_sections, (int, np.integer)):
        each, extra = divmod(n, int(indices_or_sections))
        sizes = [each + 1] * extra + [each] * (int(indices_or_sections) - extra)
        cuts = [0, *np.cumsum(sizes).tolist()]
    else:
        cuts = [0, *(int(i) for i in indices_or_sections), n]
    lead = (slice(None),) * axis
    return [getitem(ary, (*lead, slice(i, j))) for i, j in zip(cuts, cuts[1:], strict=False)]


register(np.split, split)
register(np.array_split, array_split)
register(np.vsplit, lambda ary, i: split(ary, i, 0))
register(np.hsplit, lambda ary, i: split(ary, i, 1 if ndim_of(ary) > 1 else 0))
register(np.dsplit, lambda ary, i: split(ary, i, 2))
