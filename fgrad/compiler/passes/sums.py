"""Sums as products: BLAS adds up faster than `add.reduce` does along short axes.

These rules change last bits: the order of summation is another.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..program import BLOCKED, Builder, Node, Rule, Shape, reduced
from ..rows import along_rows, over_rows, rows_of

#: Beyond so many entries a sum is bound by memory, and pairwise summation loses fewer digits.
LARGE = 1 << 22


def _adds(meta: Any, dtype: Any) -> bool:
    return meta[0] is np.add and dtype.char in "fd"


def of_number(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """The sum of a broadcast array is a multiple of what is broadcast."""
    (x,), (_, axes, keepdims) = ins, meta
    if not _adds(meta, dtype) or x.kind != "broadcast" or x.ins[0].ndim:
        return None
    count = 1
    for i in axes:
        count *= x.shape[i]
    product = b.ufunc(np.multiply, x.ins[0], b.scalar(count, dtype))
    return b.broadcast(product, reduced(x.shape, axes, keepdims)) if shape else product


def over_ones(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """A reduction over axes of length one is a reshape."""
    (x,) = ins
    if all(x.shape[i] == 1 for i in meta[1]):
        return b.reshape(x, shape)
    return None


def of_product(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``sum(x * y)`` of all entries is an inner product."""
    (x,) = ins
    if not _adds(meta, dtype) or shape or x not in b.single or x.size >= LARGE:
        return None
    if x.kind == "ufunc" and x.meta is np.multiply:
        y, z = x.ins
        if (
            y.shape == z.shape
            and y.dtype == z.dtype == dtype
            and y.fortran is z.fortran is not None
        ):
            return b.make("inner", (y, z), None, (), dtype)
    return None


def of_sum(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``sum(x * y + z * z)`` of all entries is two inner products."""
    (x,) = ins
    if not _adds(meta, dtype) or shape or x not in b.single or x.size >= LARGE:
        return None
    if x.kind == "ufunc" and x.meta is np.add and all(_is_product(y, b) for y in x.ins):
        parts = [b.reduce(np.add, y, tuple(range(y.ndim)), False) for y in x.ins]
        return b.make("ufunc", parts, np.add, (), dtype)
    return None


def _is_product(x: Node, b: Builder) -> bool:
    """Whether the sum of all entries is an inner product, perhaps times a number."""
    if x.kind != "ufunc" or x.meta is not np.multiply or x not in b.single:
        return False
    y, z = x.ins
    if y.number is not None or z.number is not None:
        return _is_product(z if y.number is not None else y, b)
    return y.shape == z.shape == x.shape and y.dtype == z.dtype == x.dtype


def of_matrix_product(
    b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any
) -> Any:
    """``sum(A @ B, -2)`` is ``sum(A, -2) @ B``, of matrices and of stacks of them."""
    (x,), axes = ins, meta[1]
    if not _adds(meta, dtype) or x.kind not in ("dot", "matmul") or x.ndim < 2 or x not in b.single:
        return None
    left, right = x.ins
    if len(axes) != 1 or axes[0] < x.ndim - 2 or min(left.ndim, right.ndim) < 2:
        return None
    if axes == (x.ndim - 2,):
        left = b.reduce(np.add, left, (left.ndim - 2,), True)
    else:
        right = b.reduce(np.add, right, (right.ndim - 1,), True)
    product = b.make(x.kind, (left, right), None, reduced(x.shape, axes, True), dtype)
    return b.reshape(product, shape)


def by_rows(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """A sum within rows and over some of them: first within, which a loop over blocks can do."""
    (x,), (f, axes, keepdims) = ins, meta
    if not _adds(meta, dtype) or x.size < BLOCKED or x.fortran is not False:
        return None
    rows = rows_of(x.shape)
    within = tuple(i for i in axes if i >= len(rows))
    if not within or along_rows(axes, rows) or over_rows(axes, rows):
        return None
    inner = b.reduce(f, x, within, keepdims)
    return b.reduce(f, inner, tuple(i for i in axes if i < len(rows)), keepdims)


def of_matrix(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """A sum over one axis of a matrix is a product with ones.

    That of a large one stays what it is: it may become a part of a loop over blocks. What is left
    is printed as a product.
    """
    (x,), (_, axes, keepdims) = ins, meta
    if not _adds(meta, dtype) or x.ndim != 2 or len(axes) != 1 or x.size >= BLOCKED:
        return None
    if x.fortran is None or 0 in x.shape:
        return None
    one = b.scalar(1, dtype)
    if axes == (1,):
        ones = b.broadcast(one, (x.shape[1], 1) if keepdims else (x.shape[1],))
        return b.make("dot", (x, ones), None, shape, dtype)
    ones = b.broadcast(one, (1, x.shape[0]) if keepdims else (x.shape[0],))
    return b.make("dot", (ones, x), None, shape, dtype)


def of_stack(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """A sum over one axis of more, or over neighbours, is one of a matrix."""
    (x,), (f, axes, _) = ins, meta
    if not _adds(meta, dtype) or x.ndim < 3 or x.size >= BLOCKED or x.fortran is not False:
        return None
    if not x.size or x.shape[axes[0]] == x.size:
        return None
    first, last = axes[0], axes[-1]
    if axes != tuple(range(first, last + 1)):
        return None
    before, along, after = (
        prod(part) for part in (x.shape[:first], x.shape[first : last + 1], x.shape[last + 1 :])
    )
    if after == 1:
        out = b.reduce(f, b.reshape(x, (before, along)), (1,), False)
    elif before == 1:
        out = b.reduce(f, b.reshape(x, (along, after)), (0,), False)
    else:
        ones = b.broadcast(b.scalar(1, dtype), (1, along))
        stack = b.reshape(x, (before, along, after))
        out = b.make("matmul", (ones, stack), None, (before, 1, after), dtype)
    return b.reshape(out, shape)


RULES: dict[str, list[Rule]] = {
    "reduce": [
        over_ones, of_number, of_product, of_sum, of_matrix_product, by_rows, of_stack, of_matrix,
    ],
}  # fmt: skip


def of_one(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """`over_ones` of what is not added to the zero of a sum, which takes the sign of -0.0."""
    return None if meta[0] is np.add else over_ones(b, ins, meta, shape, dtype)


#: Those that keep each bit.
SAFE: dict[str, list[Rule]] = {"reduce": [of_one]}
