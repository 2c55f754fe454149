"""Stacking: the operation of a step, for all steps at once.

An operand is either stacked, with the steps along a first axis, or the same in all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..program import Builder, Index, Node

#: An operand, and whether it is stacked.
Operand = tuple[Node, bool]


def stacked(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    """All n answers of an operation, of operands of which at least one is stacked."""
    b.origin = node.origin
    return _STACKED[node.kind](b, n, node, ins)


def is_stackable(node: Node, many: Sequence[bool]) -> bool:
    """Whether `stacked` knows the operation, of operands of which ``many`` are stacked."""
    if node.kind not in _STACKED or node.dtype.hasobject or node.weak:
        return False
    if node.kind == "dot":
        return sum(many) == 1
    if node.kind == "matmul":
        return min(x.ndim for x in node.ins) >= 2
    if node.kind == "put":
        return many[0]
    return True


def spread(b: Builder, n: int, x: Node) -> Node:
    """The same value for all steps."""
    return b.broadcast(x, (n, *x.shape))


def _aligned(b: Builder, n: int, x: Node, many: bool, ndim: int) -> Node:
    """An operand of a function that broadcasts, whose answer in one step has so many axes."""
    if not many or x.ndim - 1 == ndim:
        return x
    return b.reshape(x, (n, *(1,) * (ndim - x.ndim + 1), *x.shape[1:]))


def _elementwise(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    aligned = [_aligned(b, n, x, many, node.ndim) for x, many in ins]
    return b.make(node.kind, aligned, node.meta, (n, *node.shape), node.dtype)


def _reduce(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    f, axes, keepdims = node.meta
    meta = f, tuple(i + 1 for i in axes), keepdims
    return b.make("reduce", (ins[0][0],), meta, (n, *node.shape), node.dtype)


def _transpose(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    return b.transpose(ins[0][0], (0, *(i + 1 for i in node.meta)))


def _reshape(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    return b.reshape(ins[0][0], (n, *node.shape))


def _broadcast(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    return b.broadcast(_aligned(b, n, ins[0][0], True, node.ndim), (n, *node.shape))


def _index(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    spec = Index((slice(None), *node.meta.spec))
    return b.make("index", (ins[0][0],), spec, (n, *node.shape), node.dtype)


def _put(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    (x, _), (y, many) = ins
    part = np.broadcast_to(np.False_, node.shape)[node.meta.spec]
    spec = Index((slice(None), *node.meta.spec))
    return b.make("put", (x, _aligned(b, n, y, many, part.ndim)), spec, x.shape, node.dtype)


def _dot(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    (x, many), (y, _) = ins
    shape = (n, *node.shape)
    if many:
        rows = x if x.ndim == 2 else b.reshape(x, (prod(x.shape[:-1]), x.shape[-1]))
        return b.reshape(b.dot(rows, y), shape)
    if y.ndim == 2 and x.ndim == 2:  # a matrix, and a vector of each step
        return b.dot(y, b.transpose(x, (1, 0)))
    if y.ndim == 2:
        return b.dot(y, x)
    return b.make("matmul", (x, y), None, shape, node.dtype)


def _matmul(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    return _elementwise(b, n, node, ins)


def _inner(b: Builder, n: int, node: Node, ins: Sequence[Operand]) -> Node:
    (x, _), (y, _) = ins
    shape = (n, *node.ins[0].shape)
    product = b.make("ufunc", (x, y), np.multiply, shape, node.dtype)
    return b.reduce(np.add, product, tuple(range(1, len(shape))), False)


_STACKED: dict[str, Callable[[Builder, int, Node, Sequence[Operand]], Any]] = {
    "ufunc": _elementwise,
    "where": _elementwise,
    "cast": _elementwise,
    "reduce": _reduce,
    "transpose": _transpose,
    "reshape": _reshape,
    "broadcast": _broadcast,
    "index": _index,
    "put": _put,
    "dot": _dot,
    "matmul": _matmul,
    "inner": _inner,
}
