"""Rules: how products, additions into arrays, and joins of arrays are lowered."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from ..program import Node
from . import adding, einsums, gathers, places, products, running
from .bodies import Body, Rules, joined, zero
from .loops import Operand
from .places import SMALL, Memory, Storage

#: Products of vectors and matrices of so many multiplications are done in scalars.
UNROLLED = 64


def _dot(body: Body, node: Node) -> None:
    """``x @ y`` of vectors, matrices and stacks of them."""
    x, y = node.ins
    m = 1 if x.ndim == 1 else x.shape[-2]
    n = 1 if y.ndim == 1 else y.shape[-1]
    k = x.shape[-1]
    stack = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    if not stack and m * n * k <= UNROLLED and m * n <= SMALL:
        _unrolled(body, node, m, n, k)
        return
    if x.ndim == y.ndim == 1:
        a: Storage = replace_shape(body.memory(x), (1, k))
        b: Storage = replace_shape(body.memory(y), (k, 1), last=True)
    else:
        a, b = body.memory(x), body.memory(y)
        a = replace_shape(a, (1, k)) if x.ndim == 1 else a
        b = replace_shape(b, (k, 1), last=True) if y.ndim == 1 else b
    a, b = places.broadcast(a, (*stack, m, k)), places.broadcast(b, (*stack, k, n))
    c = body.place_for(node)
    shape = (*stack, m, n)
    strides = list(c.strides)
    if x.ndim == 1:
        strides.insert(len(stack), 0)
    if y.ndim == 1:
        strides.append(0 if n == 1 else 1)
    whole = replace(c, shape=shape, strides=tuple(strides))
    assert isinstance(a, Memory)
    assert isinstance(b, Memory)
    products.multiply(body, products.Product(tuple(stack), m, n, k, a, b, whole))


def replace_shape(x: Memory, shape: tuple[int, int], last: bool = False) -> Memory:
    """A vector as a matrix of one row, or with ``last`` of one column."""
    (stride,) = x.strides
    return replace(x, shape=shape, strides=(stride, 0) if last else (0, stride))


def _unrolled(body: Body, node: Node, m: int, n: int, k: int) -> None:
    w, (x, y) = body.w, node.ins
    a, b = body.scalars(x).reshape(m, k), body.scalars(y).reshape(k, n)
    out = np.empty((m, n), object)
    for i in range(m):
        for j in range(n):
            total: Operand | None = None
            for q in range(k):
                z = w.let("mul", a[i, q], b[q, j])
                total = z if total is None else w.let("add", total, z)
            out[i, j] = total
    body.set(node, out.reshape(node.shape))


def _concatenate(body: Body, node: Node) -> None:
    if node.size <= SMALL:
        values = np.empty(node.shape, object)
        for x, spec in joined(node):
            values[spec] = body.scalars(x)
        body.set(node, values)
        return
    target = body.env.get(node) or body.place_for(node)
    assert isinstance(target, Memory)
    for x, spec in joined(node):
        if x not in body.env or body.part_of.get(x, (None,))[0] is not node:
            _into(body, body.operand(x), target, spec)


def _into(body: Body, source: Storage, target: Memory, spec: tuple[Any, ...]) -> None:
    """Write a value into a part of an array."""
    part = places.indexed(target, spec)
    assert isinstance(part, Memory)
    body.copy(source, part)


def _pad(body: Body, node: Node) -> None:
    """Zeros, with an array in them."""
    (x,) = node.ins
    target = body.place_for(node)
    body.copy(places.broadcast(zero(node), node.shape), target)
    widths = node.meta.params["pad_width"]
    spec = tuple(slice(a, a + n) for (a, _), n in zip(widths, x.shape, strict=True))
    _into(body, body.operand(x), target, spec)


def _roll(body: Body, node: Node) -> None:
    """The parts of an array, each in the place of another."""
    (x,), params = node.ins, node.meta.params
    source, target = body.operand(x), body.place_for(node)
    shifts = dict.fromkeys(range(node.ndim), 0)
    for shift, axis in zip(params["shift"], params["axis"], strict=True):
        shifts[axis % node.ndim] += shift
    cuts = []
    for i, n in enumerate(node.shape):
        k = shifts[i] % n
        whole = (slice(None), slice(None))
        cuts.append([whole] if not k else [(slice(0, n - k), slice(k, n)),
                                           (slice(n - k, n), slice(0, k))])  # fmt: skip
    for parts in itertools.product(*cuts):
        part = places.indexed(source, tuple(a for a, _ in parts))
        _into(body, part, target, tuple(b for _, b in parts))


def _index_set(body: Body, node: Node) -> None:
    """A copy of an array with a part of it replaced."""
    if len(node.ins) > 2:
        gathers.RULES["index_set"](body, node)
        return
    x, y = node.ins
    target = body.place_for(node)
    body.copy(body.operand(x), target)
    _into(body, body.operand(y), target, node.meta.params["spec"])


#: Kind of node, or primitive's name -> what lowers it.
RULES: Rules = {
    **adding.RULES, **gathers.RULES, **running.RULES, **einsums.RULES,
    "dot": _dot, "matmul": _dot, "stack": _concatenate, "concatenate": _concatenate,
    "pad": _pad, "roll": _roll, "index_set": _index_set,
}  # fmt: skip
