"""Indices in parts, and the batch axis in an index.

An index is split into arrays, which are operands because they may be traced, and the rest, which
is metadata: `spec` is a tuple of integers, slices, None, Ellipsis, and `HERE` for each array.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import is_a, is_cupy, namespace, ndarray, ndim_of, shape_of
from ..core import Tracer, full_lower, home
from ..errors import NoRuleError, TracerConversionError


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
        if is_a(item, (ndarray, Tracer)) or hasattr(item, "__cuda_array_interface__"):
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
        elif item is None or item is Ellipsis or is_a(item, (slice, bool, np.bool_)):
            spec.append(item)
        else:
            spec.append(operator.index(item))
    if arrays and is_cupy(lowest := full_lower(x)):  # once, and not for each use of the index
        host = namespace(lowest)
        arrays = [host.asarray(a) if type(a) is ndarray else a for a in arrays]
    return tuple(spec), arrays


def _check_mask(x: Any, items: tuple[Any, ...], mask: Any, before: Sequence[Any]) -> None:
    """A mask has the shape of the axes it stands for, and values that are known."""
    if isinstance(mask, Tracer):
        raise TracerConversionError(
            "Indexing with a mask wants one whose values are known: they fix the result's shape.",
            f"a traced mask, {mask!r}",
            "use np.where(mask, x, other), or fgrad.at(x)[mask].set(value) with a scalar value",
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
    places = [i for i, s in enumerate(spec) if s is HERE or is_a(s, int)]
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
    if len(spec) > 1 and any(is_a(s, (bool, np.bool_)) for s in spec):
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
    total = rank + ndim - sum(1 for s in spec if s is HERE or is_a(s, int))
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
    host = home(next(a for a, f in zip(arrays, flags, strict=True) if f))
    first = np.reshape(host.arange(size), (size, *(1,) * rank))
    # The first index is an array now, so all index axes land in front: batch, then the arrays'.
    front = [0, *range(1 + rank, 1 + rank + start), *range(1, 1 + rank)]
    return (HERE, *spec), [first, *lined], [*front, *range(1 + rank + start, total + 1)]
