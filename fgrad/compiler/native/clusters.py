"""Clusters: elementwise operations with their sums as one nest.

A nest over large arrays may be shared by threads: its outermost loop falls into parts, as many
however many threads there are, and each part has sums of its own, which are added up in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from ..program import Node
from .groups import SAME, reduction
from .loops import DTYPES, Const, Operand, Place, Set, Variable, Writer, const, kind_of, type_of
from .nests import (
    SPAN,
    Loops,
    Nest,
    Strides,
    at,
    collapsed,
    fill,
    ordered,
    parted,
    spread,
)
from .places import Memory, Storage, c_strides
from .scalars import apply, cast

#: Into how many parts the loop of a shared nest may fall: the first of these that fits.
PARTS = (16, 12, 10, 8, 14, 6, 4, 15, 9, 2)


@dataclass
class Sharing:
    """What a nest that threads may share needs of those around it.

    Attributes:
        take: asks for space.
        before: a nest that is done first.
        slots: the sums of all parts.
        parts: how many there are; 1 if the nest can't be shared.
    """

    take: Callable[[Sequence[int], str], Memory]
    before: Nest = field(default_factory=Nest)
    slots: dict[Node, Memory] = field(default_factory=dict)
    parts: int = 1

    def cut(
        self, extents: list[int], table: Strides, sums: dict[Node, Memory]
    ) -> tuple[list[int], Strides]:
        """The loops with the outermost one in parts, if that can be."""
        if len(extents) == 1:
            extents, table = parted(extents, table)
        plain = all(x.strides == c_strides(x.shape) for x in sums.values())
        if len(extents) == 1 or not plain:
            return extents, table
        n = extents[0]
        self.parts = next((p for p in PARTS if n % p == 0), 1)
        if self.parts == 1:
            return extents, table
        step = n // self.parts
        return [self.parts, step, *extents[1:]], [[s[0] * step, *s] for s in table]

    def own(self, y: Node, total: Memory) -> Memory:
        """A place for the sum of each part."""
        self.slots[y] = self.take((self.parts, *total.shape), total.type)
        return self.slots[y]


def clustered(
    nest: Nest, members: Sequence[Node], shape: Sequence[int], operands: dict[Node, Storage],
    results: dict[Node, Memory], sums: dict[Node, Memory], sharing: Sharing | None = None,
) -> None:  # fmt: skip
    """A group of operations in one nest.

    Args:
        members: in order.
        shape: of the loops.
        operands: where the values from outside are.
        results: where the values go that are read outside.
        sums: where the sums go.
        sharing: for a nest that threads may share.
    """
    arrays = [x for x in operands.values() if isinstance(x, Memory)]
    sources = {id(x): nest.inside(x) for x in arrays}
    targets = {y: nest.inside(x, True) for y, x in results.items()}
    table = [spread(x, shape) for x in arrays] + [spread(x, shape) for x in results.values()]
    table += [_of_sum(y, x) for y, x in sums.items()]
    extents, table = collapsed(*ordered(shape, table))
    op = {y: _op(y) for y in sums}
    whole = [y for y, s in zip(sums, table[len(arrays) + len(results) :], strict=True)
             if not any(s)]  # fmt: skip
    if whole and "mul" not in op.values():  # whose parts may overflow where the whole doesn't
        extents, table = parted(extents, table)
    if sharing is not None:
        extents, table = sharing.cut(extents, table, sums)
    rows = iter(table)
    steps = {id(x): next(rows) for x in arrays}
    ends = {y: next(rows) for y in results}
    over = {y: next(rows) for y in sums}
    first, places = nest, dict(sums)
    if sharing is not None and sharing.parts > 1:
        first, nest.parts = sharing.before, sharing.parts
        for y in [y for y in sums if not over[y][0] and not over[y][1]]:
            places[y] = sharing.own(y, sums[y])
            over[y] = [places[y].strides[0], *over[y][1:]]
    totals = {y: nest.inside(x, True) for y, x in places.items()}
    w = nest.w
    # A sum along the innermost axis is a variable of the innermost loop; any other is memory.
    alone = {y for y in sums if not over[y][-1]}
    grown = {y for y in sums if y not in alone or any(s == 0 for s in over[y][:-1])}
    for y in (y for y in sums if y in grown):
        place = first.inside(places[y], True)
        fill(first, place, start(op[y], place.type))
    loops = Loops(w, [])
    for k, n in enumerate(extents[:-1]):
        loops.enter(n, SPAN if nest.parts and not k else None)
    outer = list(loops.counters)
    variables = {y: w.variable(start(op[y], totals[y].type)) for y in sums if y in alone}
    loops.enter(extents[-1])
    values: dict[Node, Operand] = {}

    def read(x: Node) -> Operand:
        if x not in values:
            found = operands[x]
            if isinstance(found, Memory):
                values[x] = w.load(at(sources[id(found)], steps[id(found)], loops.counters))
            else:
                values[x] = nest.value(found.one)
        return values[x]

    for node in members:
        xs = [read(x) for x in node.ins]
        if node in sums:
            _gather(w, node, xs, variables.get(node), at(totals[node], over[node], loops.counters))
            continue
        values[node] = element(w, node, xs)
        if node in targets:
            w.store(at(targets[node], ends[node], loops.counters), values[node])
    loops.leave()
    for y, variable in variables.items():
        there = at(totals[y], over[y][:-1], outer)
        value: Operand = w.get(variable)
        if y in grown:
            value = w.let(op[y], w.load(there), value, loose=op[y] == "add")
        w.store(there, value)
    loops.end()


def element(w: Writer, node: Node, xs: list[Operand]) -> Operand:
    """One element of an elementwise operation."""
    if node.kind == "ufunc":
        return apply(w, node, xs)
    t = type_of(node.dtype)
    assert t is not None
    if node.kind == "cast" or (node.kind == "call" and node.meta.primitive.name in SAME):
        return cast(w, xs[0], t)
    test, yes, no = xs
    return w.let("select", cast(w, test, "i1"), cast(w, yes, t), cast(w, no, t), type=t)


def start(op: str, type: str) -> Const:
    """What a reduction begins with, as NumPy's do."""
    if op in ("max", "min"):
        end = math.inf if op == "min" else -math.inf
        if kind_of(type) == "f":
            return const(end, type)
        return const(getattr(np.iinfo(DTYPES[type]), "max" if op == "min" else "min"), type)
    return const(op in ("mul", "and"), type)


def _op(node: Node) -> str:
    found = reduction(node)
    assert found is not None
    return found.op


def _taken(w: Writer, node: Node, x: Operand, type: str) -> Operand:
    """An element as it is gathered."""
    found = reduction(node)
    assert found is not None
    return cast(w, cast(w, x, "i1") if found.truths else x, type)


def gathered(w: Writer, node: Node, xs: Sequence[list[Operand]]) -> Operand:
    """The sum, maximum or minimum of a few values, one after the other."""
    t = type_of(node.dtype)
    assert t is not None
    out: Operand | None = None
    for x in xs:
        y = _product(w, [_taken(w, node, z, t) for z in x])
        out = y if out is None else w.let(_op(node), out, y)
    assert out is not None
    found = reduction(node)
    if found is not None and found.over > 1:
        out = w.let("div", out, const(found.over, t))
    return out


def divide(nest: Nest, x: Memory, by: int) -> None:
    """Divide all elements of an array by a number."""
    w, x = nest.w, nest.inside(x, True)
    shape, strides = collapsed(*ordered(x.shape, [list(x.strides)]))
    loops = Loops(w, shape)
    place = at(x, strides[0], loops.counters)
    w.store(place, w.let("div", w.load(place), const(by, x.type)))
    loops.end()


def _product(w: Writer, xs: list[Operand]) -> Operand:
    return xs[0] if len(xs) == 1 else w.let("mul", *xs)


def _gather(
    w: Writer, node: Node, xs: list[Operand], variable: Variable | None, place: Place
) -> None:
    """Add one element to a sum."""
    op = _op(node)
    x = _product(w, [_taken(w, node, x, place.type) for x in xs])
    if variable is None:
        w.store(place, w.let(op, w.load(place), x))
    else:
        w.emit(Set(variable, w.let(op, w.get(variable), x, loose=op == "add")))


def _of_sum(node: Node, x: Memory) -> list[int]:
    """The strides of a sum over the axes of what is summed."""
    found = reduction(node)
    assert found is not None
    strides = iter(x.strides)
    out = []
    for i in range(node.ins[0].ndim):
        stride = 0 if i in found.axes and not found.keepdims else next(strides)
        out.append(0 if i in found.axes else stride)
    return out


def added_up(nest: Nest, node: Node, parts: Memory, total: Memory) -> None:
    """The sums of all parts as one, in their order."""
    op = _op(node)
    w, count = nest.w, parts.shape[0]
    x, y = nest.inside(parts), nest.inside(total, True)
    loops = Loops(w, y.shape)
    out = w.variable(start(op, y.type))
    here = [*loops.counters]
    loops.enter(count)
    value = w.load(x.at([loops.counters[-1], *here]))
    w.emit(Set(out, w.let(op, w.get(out), value)))
    loops.leave()
    w.store(y.at(here), w.get(out))
    loops.end()
