"""Sinking: what no later step needs goes behind the loop.

A product whose result is only stacked is one product of stacks. A carry that only adds up, such as
the derivative of a weight, needs no carrying: the sum over all steps of products of matrices is one
product of long ones, and the sum of sums is one sum.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..passes import Options, has_effect
from ..program import Node
from .editing import Behind, Draft
from .hoisting import MUCH, SMALL
from .scan import copied, filled
from .stacking import is_stackable, stacked


# ------------------------------------------------------------------ sums over steps
def contract(loop: Draft) -> None:
    """Compute the sums that carries are behind the loop."""
    for carry in list(loop.carries):
        k = loop.carries.index(carry)
        results = [r for r, last in loop.lasts.items() if last is carry]
        terms = _terms(loop, carry, loop.nexts[k]) if results else None
        if not terms:
            continue
        totals = [(sign, total) for sign, term in terms if (total := _total(loop, term))]
        if len(totals) < len(terms):
            continue
        start = loop.starts[k]
        del loop.carries[k], loop.starts[k], loop.nexts[k]
        for _, term in terms:
            for node in _operands(term):
                loop.stack(node)
        for r in results:
            del loop.lasts[r]
            loop.behind[r] = _added(start, totals)
        loop.taken["contracted"] += 1
    loop.prune()


def _added(start: Node, totals: list[tuple[Any, Behind]]) -> Behind:
    def later(loop: Draft) -> Node:
        out = start
        for sign, total in totals:
            out = loop.b.ufunc(sign, out, total(loop))
        return out

    return later


def _terms(loop: Draft, carry: Node, y: Node) -> list[tuple[Any, Node]] | None:
    """What each step adds to a carry, or subtracts; None if it does anything else with it."""
    if carry.dtype.char not in "fd" or carry in loop.wanted():
        return None
    reads = Counter(x for node in loop.nodes for x in node.ins)
    reads.update([*loop.nexts, *loop.wanted()])
    terms: list[tuple[Any, Node]] = []
    plus: Any = np.add
    minus: Any = np.subtract
    stack = [(plus, y)]
    while stack:
        sign, x = stack.pop()
        if x is carry and (sign is minus or reads[x] != 1):
            return None
        if reads[x] == 1 and _is_sum(x):
            left, right = x.ins
            other = minus if sign is plus else plus
            stack += [(sign, left), (sign if x.meta is plus else other, right)]
        elif x is not carry:
            terms.append((sign, x))
    return terms if reads[carry] == 1 and _leads(carry, y, terms) else None


def _is_sum(x: Node) -> bool:
    """Whether a node is a sum or difference of arrays like itself."""
    return (
        x.kind == "ufunc"
        and x.meta in (np.add, np.subtract)
        and all(z.shape == x.shape and z.dtype == x.dtype and not z.weak for z in x.ins)
    )


def _leads(carry: Node, y: Node, terms: list[tuple[Any, Node]]) -> bool:
    """Whether the one reader of a carry is one of the sums, and no term."""
    seen = {id(term) for _, term in terms}
    stack = [y]
    while stack:
        x = stack.pop()
        if x is carry:
            return True
        if id(x) not in seen:
            stack.extend(x.ins)
    return False


def _bare(term: Node) -> Node:
    """A term without the reshapes around it."""
    while term.kind == "reshape":
        term = term.ins[0]
    return term


def _operands(term: Node) -> list[Node]:
    """What is stacked of a term."""
    base = _bare(term)
    if base.kind == "reduce":
        return list(base.ins)
    if base.kind == "ufunc":
        return list(map(_vector, base.ins))
    return [_untransposed(x)[0] for x in base.ins]


def _vector(x: Node) -> Node:
    """What holds the numbers of a column or a row, in their order."""
    return _bare(_untransposed(_bare(x))[0])


def _untransposed(x: Node) -> tuple[Node, bool]:
    """A matrix, and whether what is meant is its transpose."""
    if x.kind == "transpose" and x.ndim == 2 and x.meta == (1, 0):
        return x.ins[0], True
    return x, False


def _total(loop: Draft, term: Node) -> Behind | None:
    """The sum of a term over all steps; None if it is better added up step by step."""
    base = _bare(term)
    if base.dtype.char not in "fd":
        return None
    if base.kind == "dot" and base.shape and _pays(loop, base):
        return lambda loop: loop.b.reshape(_product(loop, base), term.shape)
    if base.kind == "ufunc" and base.meta is np.multiply and _outer(base) is not None:
        return lambda loop: loop.b.reshape(_outer_product(loop, base), term.shape)
    if base.kind == "reduce" and base.meta[0] is np.add:
        (x,) = base.ins
        if x.size <= SMALL or x in loop.slices or x in loop.extra:
            return lambda loop: loop.b.reshape(_sum(loop, base), term.shape)
    return None


def _pays(loop: Draft, product: Node) -> bool:
    """Whether the operands of a product are worth their memory."""
    along = product.ins[0].shape[-1]
    new = [x for x in _operands(product) if x not in loop.slices and x not in loop.extra]
    size = sum(x.size for x in new)
    if loop.length * size * product.dtype.itemsize > MUCH:
        return False
    return along <= 4 * max(product.shape) or size <= SMALL


def _product(loop: Draft, base: Node) -> Node:
    """The sum of products of matrices or vectors, as one product."""
    b, n = loop.b, loop.length
    b.origin = base.origin
    x, y = base.ins
    along = x.shape[-1]
    left = _long(loop, x, x.ndim == 2)
    right = _long(loop, y, False)
    if x.ndim == 1:
        left = b.reshape(left, (n * along,))
    if y.ndim == 1:
        right = b.reshape(right, (n * along,))
    return b.dot(left, right)


def _long(loop: Draft, x: Node, is_left: bool) -> Node:
    """All steps of a matrix side by side, along the axis that products add up over."""
    b, n = loop.b, loop.length
    if x.ndim == 1:
        return loop.all_of(x)
    inner, flipped = _untransposed(x)
    every = loop.all_of(inner)
    # The axis to add up over: the last one of a left operand, the first one of a right one.
    rows, columns = inner.shape
    first = flipped if is_left else not flipped
    if first:
        tall = b.reshape(every, (n * rows, columns))
        return b.transpose(tall, (1, 0)) if is_left else tall
    if columns == 1:
        tall = b.reshape(every, (n, rows))
        return b.transpose(tall, (1, 0)) if is_left else tall
    wide = b.reshape(b.transpose(every, (1, 0, 2)), (rows, n * columns))
    return wide if is_left else b.transpose(wide, (1, 0))


def _outer(base: Node) -> tuple[Node, Node] | None:
    """The column and the row of ``column * row``."""
    if base.ndim != 2 or 1 in base.shape:
        return None
    m, n = base.shape
    for x, y in (base.ins, base.ins[::-1]):
        if x.shape == (m, 1) and y.shape in ((1, n), (n,)) and x.dtype == y.dtype == base.dtype:
            return x, y
    return None


def _outer_product(loop: Draft, base: Node) -> Node:
    b = loop.b
    b.origin = base.origin
    pair = _outer(base)
    assert pair is not None
    left, right = (_vectors(loop, x) for x in pair)
    return b.dot(b.transpose(left, (1, 0)), right)


def _vectors(loop: Draft, x: Node) -> Node:
    """All steps of a column or a row."""
    return loop.b.reshape(loop.all_of(_vector(x)), (loop.length, x.size))


def _sum(loop: Draft, base: Node) -> Node:
    axes, b = base.meta[1], loop.b
    b.origin = base.origin
    every = loop.all_of(base.ins[0])
    out = b.reduce(np.add, every, (0, *(i + 1 for i in axes)), False)
    return b.reshape(out, base.shape)


# ------------------------------------------------------------------ results that are only stacked
def sink(loop: Draft, options: Options) -> None:
    """Compute behind the loop what ends in products that are only stacked."""
    if not options.reassociate:
        return
    carried = _feeding(loop)
    ends = set(loop.all.values())
    readers: dict[Node, list[Node]] = {}
    for node in loop.nodes:
        for x in node.ins:
            readers.setdefault(x, []).append(node)
    inside = set(loop.nodes)
    fixed = {x for x in inside if filled(x) is not None}
    late: set[Node] = set()  # may go behind, and all that reads them may
    for node in reversed(loop.nodes):
        if node in carried or has_effect(node) or node in loop.extra or node in fixed:
            continue
        if not all(x in late for x in readers.get(node, ())):
            continue
        many = [_varies(loop, x) for x in node.ins]
        weak = any(x.weak for x, varies in zip(node.ins, many, strict=True) if varies)
        if any(many) and not weak and is_stackable(node, many):
            late.add(node)
    sunk: set[Node] = set()
    for node in loop.nodes:
        if node in late and (_is_product(loop, node) or any(x in sunk for x in node.ins)):
            sunk.add(node)
    order = [node for node in loop.nodes if node in sunk]
    if not order or not any(node in ends for node in order):
        return
    before = {x for node in order for x in node.ins if x not in sunk and x in inside}
    after = {node for node in order if node in ends}
    size = sum(x.size for x in before if x not in loop.all.values() and x not in loop.extra)
    if size > 4 * sum(x.size for x in after):
        return
    for x in {x: None for node in order for x in node.ins}:
        if x not in sunk and _varies(loop, x):
            loop.stack(x)
    same: dict[Node, Node | None] = {
        x: None if _varies(loop, x) else _value(loop, x) for node in order for x in node.ins
    }
    for k, y in list(loop.all.items()):
        if y in sunk:
            del loop.all[k]
            loop.behind[k] = _replayed(order, y, same)
            loop.taken["sunk"] += 1


def _varies(loop: Draft, x: Node) -> bool:
    """Whether a node of the body may be another in each step."""
    return filled(x) is None and x not in loop.consts


def _is_product(loop: Draft, node: Node) -> bool:
    """Whether a node is a product with a matrix that is the same in all steps."""
    return node.kind == "dot" and sum(_varies(loop, x) for x in node.ins) == 1 and node.size > 1


def _feeding(loop: Draft) -> set[Node]:
    """What the carries of the next step are computed from."""
    out = set(loop.nexts)
    for node in reversed(loop.nodes):
        if node in out:
            out.update(node.ins)
    return out


def _value(loop: Draft, x: Node) -> Node:
    """What is the same in all steps."""
    return copied(loop.b, x) if filled(x) else loop.values[loop.consts.index(x)]


def _replayed(order: list[Node], y: Node, same: dict[Node, Node | None]) -> Behind:
    """The operations ``order``, for all steps, up to y."""

    def later(loop: Draft) -> Node:
        many: dict[Node, Node] = {}
        for node in order:
            ins = []
            for x in node.ins:
                value = same[x]
                if value is None:
                    ins.append((many[x] if x in many else loop.all_of(x), True))
                else:
                    ins.append((value, False))
            many[node] = stacked(loop.b, loop.length, node, ins)
            if node is y:
                break
        return many[y]

    return later
