"""Choosing between arrays, replacing what isn't a number, cutting out and putting in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import PYTHON_SCALARS, aval, is_a, is_cupy, ndim_of, shape_of
from ..core import Tracer, full_lower, home
from ..errors import TracerConversionError
from ..fronts import given
from ..kinds import scalar
from ..tracer import register
from .casts import known, stop_gradient_leaf
from .creation import as_array, as_operand, first_array
from .index import getitem, take, take_along_axis


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """`numpy.select`: the choice of the first condition that holds."""
    if len(condlist) != len(choicelist):
        raise ValueError("list of cases must be same length as list of conditions")
    if len(condlist) == 0:
        raise ValueError("select with an empty condition list is not possible")
    like = first_array((*condlist, *choicelist))
    condlist = [as_array(c, like) for c in condlist]
    for i, condition in enumerate(condlist):
        if condition.dtype != bool:
            raise TypeError(f"invalid entry {i} in condlist: should be boolean ndarray")
    parts = [as_operand(x, like) for x in (*choicelist, default)]
    *choices, out = _of_one_dtype(parts)
    for condition, choice in zip(reversed(condlist), reversed(choices), strict=True):
        out = np.where(condition, choice, out)
    return out


def _of_one_dtype(parts: Sequence[Any]) -> list[Any]:
    """All in the dtype of all together: a float beside an int alone would be a float64."""
    lowest = [full_lower(x) for x in parts]
    weak = [type(x) in (int, float, complex) for x in lowest]
    dtype = np.result_type(
        *(low if w else aval(x).dtype for x, low, w in zip(parts, lowest, weak, strict=True))
    )
    return [
        dtype.type(x) if type(x) in PYTHON_SCALARS else x if x.dtype == dtype else x.astype(dtype)
        for x in parts
    ]


def choose(a: Any, choices: Any, out: None = None, mode: str = "raise") -> Any:
    """`numpy.choose`."""
    given(out=out)
    parts = [choices[i] for i in range(len(choices))]
    like = first_array((a, *parts))
    a = stop_gradient_leaf(a) if isinstance(a, Tracer) else as_array(a, like)
    parts = [as_array(x, like) for x in parts]
    n = len(parts)
    if mode == "wrap":
        a = np.remainder(a, n)
    elif mode == "clip":
        a = np.clip(a, 0, n - 1)
    elif known(a) is not None and np.any(np.logical_or(a < 0, a >= n)):
        raise ValueError("invalid entry in choice array")
    shape = np.broadcast_shapes(shape_of(a), *(shape_of(x) for x in parts))
    table = np.stack([np.broadcast_to(x, shape) for x in parts])
    index = np.expand_dims(np.broadcast_to(a, shape), 0)
    return take_along_axis(table, index, 0)[0]


def extract(condition: Any, arr: Any) -> Any:
    """`numpy.extract`; the condition's values must be known."""
    return take(np.ravel(arr), np.flatnonzero(condition))


def nan_to_num(
    x: Any, copy: bool = True, nan: Any = 0.0, posinf: Any = None, neginf: Any = None
) -> Any:
    """`numpy.nan_to_num`; where it replaces, the derivative is 0."""
    if x.dtype.kind == "c":
        real, imag = (nan_to_num(y, copy, nan, posinf, neginf) for y in (np.real(x), np.imag(x)))
        return real + 1j * imag
    if x.dtype.kind != "f":
        return scalar(x)
    largest = float(np.finfo(x.dtype).max)
    y = np.where(np.isnan(x), nan, x)
    y = np.where(np.equal(x, np.inf), largest if posinf is None else posinf, y)
    return scalar(np.where(np.equal(x, -np.inf), -largest if neginf is None else neginf, y))


# ------------------------------------------------------------------ cutting out, putting in
def delete(arr: Any, obj: Any, axis: Any = None) -> Any:
    """`numpy.delete`; the indices must be known."""
    arr, obj = as_array(arr), _known_places(obj, "delete")
    if axis is None:
        arr, axis = np.ravel(arr), 0
    return take(arr, np.delete(np.arange(shape_of(arr)[axis]), obj), axis)


def _known_places(obj: Any, name: str) -> Any:
    places = known(obj)
    if is_cupy(full_lower(obj)) and not isinstance(stop_gradient_leaf(obj), Tracer):
        return full_lower(obj).get()  # as CuPy itself does
    if places is None:
        raise TracerConversionError(
            f"`np.{name}` wants places that are known: they fix the shape of its result.",
            repr(obj),
            "keep the shape: np.where(mask, x, y), or fgrad.at(x)[i].set(v)",
        )
    return places


def _positions(obj: Any, n: int) -> Any:
    """Where to insert: a slice or a mask as numbers."""
    if isinstance(obj, slice):
        return np.arange(*obj.indices(n))
    where = np.asarray(obj)
    return np.flatnonzero(where) if where.dtype == bool else where.astype(np.intp)


def insert(arr: Any, obj: Any, values: Any, axis: Any = None) -> Any:
    """`numpy.insert`; the indices must be known."""
    arr, obj = as_array(arr), _known_places(obj, "insert")
    if axis is None:
        arr, axis = np.ravel(arr), 0
    axis %= ndim_of(arr)
    shape = list(shape_of(arr))
    n, where = shape[axis], _positions(obj, shape[axis])
    values = as_array(values, arr).astype(arr.dtype)
    missing = len(shape) - ndim_of(values)
    values = np.reshape(values, (*(1,) * missing, *shape_of(values)))
    if where.ndim == 0:
        values = np.moveaxis(values, 0, axis)
    if where.size == 1:
        shape[axis] = shape_of(values)[axis]
        where = np.full(shape[axis], where.item())
    else:
        shape[axis] = where.size
    values = np.broadcast_to(values, tuple(shape))
    where = np.asarray(where)
    order = np.insert(np.arange(n), where, n + np.arange(where.size))
    return take(np.concatenate([arr, values], axis=axis), order, axis)


def resize(a: Any, new_shape: Any) -> Any:
    """`numpy.resize`: the elements again and again."""
    shape = (new_shape,) if is_a(new_shape, (int, np.integer)) else tuple(new_shape)
    flat = np.ravel(a)
    if any(n < 0 for n in shape):
        raise ValueError("all elements of `new_shape` must be non-negative")
    if shape_of(flat)[0] == 0:
        return np.zeros_like(a, shape=shape)
    size = int(np.prod(shape, dtype=int))
    return np.reshape(take(flat, home(flat).arange(size) % shape_of(flat)[0]), shape)


def rot90(m: Any, k: int = 1, axes: Any = (0, 1)) -> Any:
    """`numpy.rot90`."""
    n = ndim_of(m)
    i, j = (a % n for a in axes)
    if i == j:
        raise ValueError("Axes must be different.")
    k %= 4
    if k == 0:
        return np.copy(m)
    if k == 2:
        return np.flip(m, (i, j))
    return np.swapaxes(np.flip(m, j), i, j) if k == 1 else np.flip(np.swapaxes(m, i, j), j)


def block(arrays: Any) -> Any:
    """`numpy.block`."""
    depth, inner = 0, arrays
    while isinstance(inner, list):
        depth, inner = depth + 1, inner[0] if inner else None
    rank = max(depth, *(ndim_of(x) for x in _leaves(arrays)))
    like = first_array(arrays)

    def join(x: Any, level: int) -> Any:
        if level < depth:
            return np.concatenate([join(y, level + 1) for y in x], axis=level - depth)
        x = as_array(x, like)
        return np.reshape(x, (*(1,) * (rank - ndim_of(x)), *shape_of(x)))

    return join(arrays, 0)


def _leaves(x: Any) -> Sequence[Any]:
    return [z for y in x for z in _leaves(y)] if isinstance(x, list) else [x, x]


def diagflat(v: Any, k: int = 0) -> Any:
    """`numpy.diagflat`."""
    return np.diag(np.ravel(v), k)


def apply_along_axis(func1d: Any, axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    """`numpy.apply_along_axis`: a call for each vector, as in NumPy; `fgrad.vmap` makes one."""
    arr = as_array(arr)
    axis %= ndim_of(arr)
    x = np.moveaxis(arr, axis, -1)
    *lead, n = shape_of(x)
    rows = np.reshape(x, (-1, n))
    outs = [func1d(rows[i], *args, **kwargs) for i in range(shape_of(rows)[0])]
    if not outs:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    rank = ndim_of(outs[0])
    y = np.reshape(np.stack(outs), (*lead, *shape_of(outs[0])))
    return np.moveaxis(y, list(range(len(lead), len(lead) + rank)), list(range(axis, axis + rank)))


def apply_over_axes(func: Any, a: Any, axes: Any) -> Any:
    """`numpy.apply_over_axes`."""
    a = as_array(a)
    n = ndim_of(a)
    for axis in axes if isinstance(axes, (tuple, list)) else (axes,):
        axis = axis % n
        y = func(a, axis)
        a = y if ndim_of(y) == n else np.expand_dims(y, axis)
    return a


def unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Any:
    """`numpy.unwrap`: what it adds is constant."""
    x = stop_gradient_leaf(p)
    steps = np.diff(x, axis=axis)
    low = -period / 2
    turned = np.remainder(steps - low, period) + low
    turned = np.where(np.logical_and(np.equal(turned, low), steps > 0), -low, turned)
    limit = period / 2 if discont is None else discont
    jumps = np.where(np.abs(steps) < limit, 0, turned - steps)
    axis %= ndim_of(p)
    lead = (slice(None),) * axis
    first, rest = (getitem(p, (*lead, s)) for s in (slice(None, 1), slice(1, None)))
    return np.concatenate([first, rest + np.cumsum(jumps, axis=axis)], axis=axis)


for _fn in (
    select, choose, extract, nan_to_num, delete, insert, resize, rot90, block, diagflat,
    apply_along_axis, apply_over_axes, unwrap,
):  # fmt: skip
    register(getattr(np, _fn.__name__), _fn)
