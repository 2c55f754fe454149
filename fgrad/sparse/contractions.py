"""Which results of a product of arrays depend on which entries of an operand.

`numpy.matmul` and `numpy.dot` are sums over labels as `numpy.einsum` is. Each term of the sum
belongs to one result and to one entry of each operand; terms in which an entry of a known operand
is zero are none.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from ..core import PRIMITIVES, Params, Primitive

#: Terms to list at most.
TERMS = 1 << 25

_MATMUL, _DOT, _EINSUM = (PRIMITIVES[name] for name in ("matmul", "dot", "einsum"))

Labels = tuple[Any, ...]


def labels_of(p: Primitive, ranks: Sequence[int], params: Params) -> list[Labels] | None:
    """The labels of the axes of each operand, and last of the result; None for no such product."""
    if p is _EINSUM:
        return [tuple(s) for s in (*params["inputs"], params["output"])]
    if p is _MATMUL:
        a, b = ranks
        left: Labels = (*range(2 - a, 0), "i", "k") if a > 1 else ("k",)
        right: Labels = (*range(2 - b, 0), "k", "j") if b > 1 else ("k",)
        lead = range(min(2 - a, 2 - b, 0), 0)
        return [left, right, (*lead, *("i",) * (a > 1), *("j",) * (b > 1))]
    if p is _DOT:
        a, b = ranks
        left, right = (*(("a", i) for i in range(a)),), (*(("b", i) for i in range(b)),)
        if not a or not b:
            return [left, right, (*left, *right)]
        at = -2 if b > 1 else -1
        right = (*right[:at], left[-1], *right[at:][1:])
        return [left, right, (*left[:-1], *(x for x in right if x != left[-1]))]
    return None


def contraction_pattern(
    labels: Sequence[Labels], shapes: Sequence[tuple[int, ...]], values: Sequence[Any], k: int
) -> Any:
    """Where results depend on operand k.

    Args:
        labels: of each operand, and of the result.
        shapes: of each operand, and of the result.
        values: of each operand, None where it isn't known.
        k: the number of the operand.

    Returns:
        A boolean csr_array of shape (result size, operand size); None if it takes too many terms.
    """
    sizes: dict[Any, int] = {}
    for names, shape in zip(labels, shapes, strict=True):
        for name, n in zip(names, shape, strict=True):
            sizes[name] = n if sizes.get(name, 1) == 1 else sizes[name]
    known = [i for i, v in enumerate(values) if v is not None and i != k]
    first = max(known, key=lambda i: math.prod(shapes[i]), default=None)
    places: dict[Any, Any] = {}
    count = 1
    if first is not None:  # its entries that aren't zero
        found = np.nonzero(np.atleast_1d(values[first]))
        keep = np.ones(len(found[0]), bool)
        for name, n, place in zip(labels[first], shapes[first], found, strict=False):
            if n != sizes[name]:
                continue  # of length one, and stretched
            keep &= places.setdefault(name, place) == place
        places = {name: place[keep] for name, place in places.items()}
        count = int(keep.sum())
    rest = [name for name in sizes if name not in places]
    if count * math.prod(sizes[name] for name in rest) > TERMS:
        return None
    for name in rest:
        n = sizes[name]
        places = {other: np.repeat(place, n) for other, place in places.items()}
        places[name] = np.tile(np.arange(n), count)
        count *= n
    for i in known:
        if i != first:
            at = _flat(labels[i], shapes[i], places, count)
            keep = np.ravel(values[i])[at] != 0
            places = {name: place[keep] for name, place in places.items()}
            count = int(keep.sum())
    rows = _flat(labels[-1], shapes[-1], places, count)
    columns = _flat(labels[k], shapes[k], places, count)
    shape = (math.prod(shapes[-1]), math.prod(shapes[k]))
    return csr_array((np.ones(count, bool), (rows, columns)), shape=shape)


def _flat(names: Labels, shape: tuple[int, ...], places: dict[Any, Any], count: int) -> Any:
    """The number of an entry, in C order, for each term."""
    strides = itertools.accumulate(shape[:0:-1], lambda a, b: a * b, initial=1)
    flat = np.zeros(count, np.intp)
    for name, n, stride in zip(names[::-1], shape[::-1], strides, strict=bool(shape)):
        if n > 1:
            flat += stride * places[name]
    return flat
