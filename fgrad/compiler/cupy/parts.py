"""Parts: arrays that are put side by side and taken apart again, along their last axis.

The gates of a recurrent cell stand so. A part of what was joined is what it was joined of, a part
of a sum is a sum of parts, and a sum of what was joined alike is joined of sums: so that one kernel
does them all, and what is joined is joined once.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from ..passes import live
from ..program import Builder, Index, Node, Program
from ..scans.scan import literal

#: Nodes whose entries are each of the entries in the same place.
ELEMENTWISE = frozenset({"ufunc", "where", "cast"})

#: Where a part begins and ends.
Span = tuple[int, int]


def is_joined(node: Node) -> bool:
    """Whether arrays are put side by side along the last axis."""
    if node.kind != "call" or node.meta.primitive.name != "concatenate":
        return False
    axis: int = node.meta.params.get("axis", 0)
    return axis == -1 and all(x.dtype == node.dtype for x in node.ins)


def span_of(node: Node) -> Span | None:
    """The part of the last axis that a node takes of its operand; None if it is something else."""
    if node.kind != "index" or node.ndim != node.ins[0].ndim or not node.ndim:
        return None
    spec = list(node.meta.spec)
    if Ellipsis in spec:
        k = spec.index(Ellipsis)
        spec[k : k + 1] = [slice(None)] * (node.ndim - len(spec) + 1)
    if len(spec) != node.ndim or any(s != slice(None) for s in spec[:-1]):
        return None
    if not isinstance(spec[-1], slice):
        return None
    begin, end, step = spec[-1].indices(node.ins[0].shape[-1])
    return (begin, end) if step == 1 and begin < end else None


class Parts:
    """Makes a program anew, with operations on parts."""

    def __init__(self, program: Program) -> None:
        self.b = Builder({})
        self.new: dict[Node, Node] = {x: x for x in program.inputs}
        read: dict[Node, list[Node]] = {}
        for node in program.nodes:
            for x in node.ins:
                read.setdefault(x, []).append(node)
        leaving = {*program.outputs}
        # What is read in parts alone needs no whole.
        self.apart = {
            x for x, readers in read.items()
            if x.kind in ELEMENTWISE and x not in leaving and all(map(span_of, readers))
        }  # fmt: skip
        for node in program.nodes:
            self.b.origin = node.origin
            self.new[node] = self._made(node)
        outputs = [self._known(y) for y in program.outputs]
        effects = [y for y in self.b.nodes if y.kind == "call" and y.meta.effect]
        nodes = live(self.b.nodes, [*outputs, *effects])
        self.program = Program(program.inputs, nodes, outputs)

    def _known(self, x: Node) -> Node:
        if x not in self.new:
            self.new[x] = literal(self.b, x)
        return self.new[x]

    def _made(self, node: Node) -> Node:
        if (span := span_of(node)) is not None:
            return self._part(self._known(node.ins[0]), span)
        ins = [self._known(x) for x in node.ins]
        if is_joined(node):
            return self._joined(node.meta, [y for x in ins for y in self._sides(x)], node)
        if node in self.apart:
            new = self.b.make(node.kind, ins, node.meta, node.shape, node.dtype, node.weak)
            self.apart.add(new)
        else:
            new = self._again(node, ins, node.shape)
        new.name = new.name or node.name
        return new

    def _sides(self, x: Node) -> Sequence[Node]:
        """What an array was joined of."""
        return x.ins if is_joined(x) else (x,)

    def _joined(self, meta: Any, ins: Sequence[Node], like: Node) -> Node:
        if len(ins) == 1:
            return ins[0]
        width = sum(x.shape[-1] for x in ins)
        return self.b.make("call", ins, meta, (*like.shape[:-1], width), like.dtype)

    def _part(self, x: Node, span: Span) -> Node:
        """A part of an array, made of parts where that is possible."""
        begin, end = span
        if span == (0, x.shape[-1]):
            return x
        if is_joined(x):
            ends = list(accumulate(y.shape[-1] for y in x.ins))
            inside = [
                y for y, high in zip(x.ins, ends, strict=True)
                if begin <= high - y.shape[-1] and high <= end
            ]  # fmt: skip
            if sum(y.shape[-1] for y in inside) == end - begin:
                return self._joined(x.meta, inside, x)
        shape = (*x.shape[:-1], end - begin)
        if x in self.apart and all(y.shape in ((), x.shape) for y in x.ins):
            return self._again(x, [self._part(y, span) if y.shape else y for y in x.ins], shape)
        return self.b.make("index", (x,), Index((..., slice(begin, end))), shape, x.dtype)

    def _again(self, node: Node, ins: Sequence[Node], shape: tuple[int, ...]) -> Node:
        """An operation on other operands; on arrays that were joined alike, part by part."""
        joined = [x for x in ins if is_joined(x) and x.shape == shape]
        widths = {tuple(y.shape[-1] for y in x.ins) for x in joined}
        fits = all(not x.shape or x.shape[-1:] == shape[-1:] for x in ins)
        if node.kind not in ELEMENTWISE or len(widths) != 1 or not fits:
            return self.b.make(node.kind, ins, node.meta, shape, node.dtype, node.weak)
        parts = []
        ends = accumulate(x.shape[-1] for x in joined[0].ins)
        for high, side in zip(ends, joined[0].ins, strict=True):
            span = high - side.shape[-1], high
            some = [self._part(x, span) if x.shape else x for x in ins]
            parts.append(self.b.make(node.kind, some, node.meta, side.shape, node.dtype))
        return self._joined(joined[0].meta, parts, joined[0])


def apart(program: Program) -> Program:
    """The program with operations on parts, where arrays are joined along their last axis."""
    if not any(is_joined(node) or span_of(node) for node in program.nodes):
        return program
    return Parts(program).program
