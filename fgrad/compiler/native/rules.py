"""Rules: how products, additions into arrays, and joins of arrays are lowered."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from ..program import Node
from . import places, products
from .bodies import Body, Rules, joined, typed, zero
from .groups import VIEWS
from .loops import Operand
from .nests import Nest
from .places import SMALL, Memory, Storage
from .scalars import cast

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
    p = products.Product(tuple(stack), m, n, k, a, b, whole)
    if p.is_small:
        nest = Nest()
        products.inline(nest, p)
        body.call(nest)
        return
    p = replace(p, a=_packed(body, p.a, m, k), b=_packed(body, p.b, k, n))
    if p.c.strides[-1] == 1 and p.c.strides[-2] >= n:
        products.by_blas(body.w, p)
    else:
        made = body.take(shape, c.type)
        products.by_blas(body.w, replace(p, c=made))
        body.copy(made, whole)


def replace_shape(x: Memory, shape: tuple[int, int], last: bool = False) -> Memory:
    """A vector as a matrix of one row, or with ``last`` of one column."""
    (stride,) = x.strides
    return replace(x, shape=shape, strides=(stride, 0) if last else (0, stride))


def _packed(body: Body, x: Memory, rows: int, columns: int) -> Memory:
    if products.fits_blas(x, rows, columns):
        return x
    out = body.take(x.shape, x.type)
    body.copy(x, out)
    return out


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


def _put(body: Body, node: Node) -> None:
    """A copy of x with something added to a part of it; x itself where nobody reads it again."""
    x, y = node.ins
    if node.size <= SMALL:
        values = body.scalars(x).copy()
        spec = node.meta.spec
        part = values[spec if any(s is Ellipsis for s in spec) else (*spec, ...)]  # a view
        added: Any = np.broadcast_to(body.scalars(y), part.shape)
        for index in np.ndindex(*part.shape):
            new = cast(body.w, added[index], typed(node))
            part[index] = body.w.let("add", part[index], new)
        body.set(node, values)
        return
    before, added_ = body.storage(x), body.operand(y)
    last = body.grouping.last
    dies = last.get(x, -1) <= body.now and x.kind not in VIEWS
    apart = not (isinstance(added_, Memory) and isinstance(before, Memory)
                 and added_.root is before.root)  # fmt: skip
    same = x in body.target and body.target.get(x) is body.target.get(node)
    if dies and apart and isinstance(before, Memory) and (
        same or (body.owns(before) and node not in body.target)
    ):  # fmt: skip
        body.env[node] = target = before
        body.keep(before.root, last.get(node, -1))
    else:
        target = body.place_for(node)
        body.copy(before, target)
    part = places.indexed(target, node.meta.spec)
    assert isinstance(part, Memory)
    body.copy(added_, part, add=True)


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
    x, y = node.ins
    target = body.place_for(node)
    body.copy(body.operand(x), target)
    _into(body, body.operand(y), target, node.meta.params["spec"])


#: Kind of node, or primitive's name -> what lowers it.
RULES: Rules = {
    "dot": _dot, "matmul": _dot, "put": _put, "stack": _concatenate,
    "concatenate": _concatenate, "pad": _pad, "roll": _roll, "index_set": _index_set,
}  # fmt: skip
