"""Joining and splitting, padding and repeating."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from .. import kinds
from ..arrays import from_end, is_a, namespace, ndarray, ndim_of, shape_of
from ..core import Array, bind, home
from ..doors import has_tracer
from ..errors import NoRuleError
from ..fronts import given
from ..rules import linear
from ..tracer import register, register_newer
from .creation import as_array, first_array
from .index import getitem


# ------------------------------------------------------------------ joining
def _concatenate_transpose(g: Array, *xs: Any, axis: int) -> Any:
    lead = (slice(None),) * (ndim_of(g) + axis)
    out, start = [], 0
    for x in xs:
        stop = start + x.shape[axis]
        out.append(g[(*lead, slice(start, stop))])
        start = stop
    return out if len(out) > 1 else out[0]


def _concatenate_impl(*xs: Any, axis: int, out: Any = None) -> Any:
    x = xs[0]
    return (np if type(x) is ndarray else namespace(x)).concatenate(xs, axis=axis, out=out)


@linear(np.concatenate, _concatenate_transpose, impl=_concatenate_impl, writes=True)
def _concatenate(xs: Sequence[Any], axis: int) -> Any:
    return tuple(xs), {"axis": axis}


def concatenate(
    arrays: Any,
    /,
    axis: Any = 0,
    out: None = None,
    *,
    dtype: Any = None,
    casting: str = "same_kind",
) -> Any:
    """`numpy.concatenate`."""
    given(out=out)
    arrays = list(arrays)
    like = arrays[0] if arrays and hasattr(arrays[0], "dtype") else first_array(arrays)
    xs = [as_array(x, like) for x in arrays]
    if axis is None:
        xs, axis = [np.reshape(x, (-1,)) for x in xs], 0
    common = np.result_type(*(x.dtype for x in xs)) if dtype is None else np.dtype(dtype)
    return _concatenate([x.astype(common) for x in xs], from_end(axis, ndim_of(xs[0])))


register(np.concatenate, concatenate)


def stack(
    arrays: Any, axis: int = 0, out: None = None, *, dtype: Any = None, casting: str = "same_kind"
) -> Any:
    """`numpy.stack`; the arrays may be numbers."""
    given(out=out)
    arrays = list(arrays)
    like = arrays[0] if arrays and hasattr(arrays[0], "dtype") else first_array(arrays)
    xs = [as_array(x, like) for x in arrays]
    if len({shape_of(x) for x in xs}) != 1:
        raise ValueError("all input arrays must have the same shape")
    axis = from_end(axis, ndim_of(xs[0]) + 1)
    xs = [np.expand_dims(x, axis) for x in xs]
    return concatenate(xs, axis, dtype=dtype)


register(np.stack, stack)


def _all(at_least: Any, axis: Any) -> Any:
    def join(tup: Any, *, dtype: Any = None, casting: str = "same_kind") -> Any:
        like = first_array(tup)
        xs = [at_least(as_array(x, like)) for x in tup]
        return concatenate(xs, axis(xs), dtype=dtype)

    return join


register(np.vstack, _all(np.atleast_2d, lambda xs: 0))
register(np.hstack, _all(np.atleast_1d, lambda xs: 0 if ndim_of(xs[0]) == 1 else 1))
register(np.dstack, _all(np.atleast_3d, lambda xs: 2))


def column_stack(tup: Any) -> Any:
    """`numpy.column_stack`."""
    like = first_array(tup)
    xs = [as_array(x, like) for x in tup]
    return concatenate([np.reshape(x, (-1, 1)) if ndim_of(x) < 2 else x for x in xs], 1)


register(np.column_stack, column_stack)
register(
    np.append,
    lambda arr, values, axis=None: (
        concatenate((arr, values), axis)
        if axis is not None
        else concatenate([np.ravel(as_array(arr, values)), np.ravel(as_array(values, arr))])
    ),
)
register_newer(
    "unstack",
    lambda x, /, *, axis=0: tuple(np.moveaxis(x, axis, 0)[i] for i in range(shape_of(x)[axis])),
)


# ------------------------------------------------------------------ splitting
def split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`numpy.split`: views one after another, as slices."""
    n = shape_of(ary)[axis]
    axis = axis % ndim_of(ary)
    if is_a(indices_or_sections, (int, np.integer)):
        sections = int(indices_or_sections)
        if n % sections:
            raise ValueError("array split does not result in an equal division")
    return array_split(ary, indices_or_sections, axis)


def array_split(ary: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """`numpy.array_split`."""
    axis = axis % ndim_of(ary)
    n = shape_of(ary)[axis]
    if is_a(indices_or_sections, (int, np.integer)):
        each, extra = divmod(n, int(indices_or_sections))
        sizes = [each + 1] * extra + [each] * (int(indices_or_sections) - extra)
        cuts = [0, *np.cumsum(sizes).tolist()]
    else:
        cuts = [0, *(int(i) for i in indices_or_sections), n]
    lead = (slice(None),) * axis
    return [getitem(ary, (*lead, slice(i, j))) for i, j in pairwise(cuts)]


register(np.split, split)
register(np.array_split, array_split)
register(np.vsplit, lambda ary, i: split(ary, i, 0))
register(np.hsplit, lambda ary, i: split(ary, i, 1 if ndim_of(ary) > 1 else 0))
register(np.dsplit, lambda ary, i: split(ary, i, 2))


# ------------------------------------------------------------------ padding and repeating
def _pad_transpose(g: Array, x: Any, *, pad_width: Any) -> Array:
    lead = ndim_of(g) - len(pad_width)
    cut = tuple(slice(a, a + x.shape[lead + i]) for i, (a, _) in enumerate(pad_width))
    return g[(..., *cut)]


def _pad_impl(x: Any, *, pad_width: Any) -> Any:
    return namespace(x).pad(x, pad_width)


@linear(
    np.pad, _pad_transpose, impl=_pad_impl,
    batch=lambda p, size, xs, batched, params: bind(
        p, xs, {"pad_width": ((0, 0), *params["pad_width"])}
    ),
)  # fmt: skip
def _pad_zeros(x: Any, pad_width: Any) -> Any:
    return (x,), {"pad_width": pad_width}


def pad(array: Any, pad_width: Any, mode: Any = "constant", **kwargs: Any) -> Any:
    """`numpy.pad`, in all modes that have a name."""
    array = as_array(array)
    n = ndim_of(array)
    if not n:
        return kinds.array(array)
    if isinstance(pad_width, dict):
        pad_width = [pad_width.get(i, pad_width.get(i - n, (0, 0))) for i in range(n)]
        pad_width = [(w, w) if is_a(w, int) else w for w in pad_width]
    widths = tuple((int(a), int(b)) for a, b in np.broadcast_to(pad_width, (n, 2)))
    allowed = {
        "constant": "constant_values", "linear_ramp": "end_values", "reflect": "reflect_type",
        "symmetric": "reflect_type", **dict.fromkeys(_STATISTICS, "stat_length"),
    }.get(mode)  # fmt: skip
    if isinstance(mode, str) and {*kwargs} - {allowed}:
        raise ValueError(f"unsupported keyword arguments for mode '{mode}': {[*kwargs]}")
    if mode == "constant":
        y = _pad_zeros(array, widths)
        values = kwargs.get("constant_values", 0)
        if not has_tracer(values) and not hasattr(values, "dtype") and not np.any(values):
            return y
        return _pad_values(y, shape_of(array), widths, values)
    for axis, (n_axis, width) in enumerate(zip(shape_of(array), widths, strict=True)):
        if width != (0, 0) and mode != "empty":
            array = _padded(array, axis, n_axis, width, mode, kwargs)
    return _pad_zeros(array, widths) if mode == "empty" else array


def _padded(x: Any, axis: int, n: int, width: tuple[int, int], mode: Any, keywords: Any) -> Any:
    """One axis padded, by repeating its entries or by what is computed from them."""
    if mode in ("edge", "wrap", "reflect", "symmetric"):
        if keywords.get("reflect_type") == "odd":
            return _combined(x, axis, np.pad(np.eye(n), ((0, 0), width), mode, reflect_type="odd"))
        return np.take(x, home(x).asarray(np.pad(np.arange(n), width, mode=mode)), axis=axis)
    lead = (slice(None),) * axis
    ends = []
    for number in (0, 1):
        if mode == "linear_ramp":
            value = _pairs(keywords.get("end_values", 0), x, x)[axis][number]
            edge = x[(*lead, -1 if number else 0)]
            value = np.broadcast_to(as_array(value).astype(edge.dtype), shape_of(edge))
            part = np.linspace(value, edge, width[number], endpoint=False, axis=axis)
            ends.append(np.flip(part, axis) if number else part)
        elif mode in _STATISTICS:
            length = _pairs(keywords.get("stat_length"), x, None)[axis][number]
            length = n if length is None else min(int(length), n)
            part = x[(*lead, slice(n - length, n) if number else slice(length))]
            value = _STATISTICS[mode](part, axis=axis, keepdims=True)
            if x.dtype.kind in "iu":
                value = np.round(value)
            shape = [*shape_of(x)]
            shape[axis] = width[number]
            ends.append(np.broadcast_to(value.astype(x.dtype), tuple(shape)))
        else:
            raise NoRuleError(
                "`np.pad` of traced values has no functions as modes, which write into arrays.",
                f"mode={mode!r}",
                "join the parts with np.concatenate, or use one of the modes that have a name",
            )
    return np.concatenate([ends[0].astype(x.dtype), x, ends[1].astype(x.dtype)], axis=axis)


_STATISTICS: dict[Any, Any] = {
    "maximum": np.max, "minimum": np.min, "mean": np.mean, "median": np.median
}  # fmt: skip


def _combined(x: Any, axis: int, matrix: Any) -> Any:
    """Each new entry the sum of a few entries, by the columns of a matrix of few numbers."""
    total = None
    while np.any(matrix):
        place = np.argmax(matrix != 0, axis=0)
        factor = matrix[place, np.arange(place.size)]
        matrix = np.where(np.arange(len(matrix))[:, None] == place, 0, matrix)
        place, factor = home(x).asarray(place), home(x).asarray(factor)
        factor = factor.reshape((-1, *(1,) * (ndim_of(x) - 1 - axis)))
        term = np.where(factor == 0, 0, np.take(x, place, axis=axis) * factor.astype(x.dtype))
        total = term if total is None else total + term
    return total


def _pairs(values: Any, x: Any, like: Any) -> list[list[Any]]:
    """A pair of values for each axis, from one for all, one pair, or a list of pairs."""
    n = ndim_of(x)
    if values is None:
        return [[None, None]] * n
    values = np.broadcast_to(as_array(values, like), (n, 2))
    return [[values[i, 0], values[i, 1]] for i in range(n)]


def _pad_values(y: Any, shape: tuple[int, ...], widths: Any, values: Any) -> Any:
    """Write the constants into the padding, axis by axis as NumPy does."""
    n = len(shape)
    pairs = _pairs(values, y, y)
    for i, (a, b) in enumerate(widths):
        at = home(y).arange(y.shape[i]).reshape((-1,) + (1,) * (n - 1 - i))
        y = np.where(at < a, pairs[i][0].astype(y.dtype), y)
        y = np.where(at >= y.shape[i] - b, pairs[i][1].astype(y.dtype), y)
    return y


register(np.pad, pad)


def tile(A: Any, reps: Any) -> Any:
    """`numpy.tile`."""
    A = as_array(A)
    reps = tuple(int(n) for n in np.atleast_1d(reps))
    shape = (*(1,) * (len(reps) - ndim_of(A)), *shape_of(A))
    reps = (*(1,) * (len(shape) - len(reps)), *reps)
    wide = tuple(m for n in shape for m in (1, n))
    full = tuple(m for r, n in zip(reps, shape, strict=True) for m in (r, n))
    out = np.broadcast_to(np.reshape(A, wide), full)
    return np.reshape(out, tuple(r * n for r, n in zip(reps, shape, strict=True)))


register(np.tile, tile)


def repeat(a: Any, repeats: Any, axis: Any = None) -> Any:
    """`numpy.repeat`."""
    a = as_array(a)
    if axis is None or not ndim_of(a):
        a, axis = np.reshape(a, (-1,)), 0 if axis is None else axis
    return np.take(a, home(a).asarray(np.repeat(np.arange(shape_of(a)[axis]), repeats)), axis=axis)


register(np.repeat, repeat)
