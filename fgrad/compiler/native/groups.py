"""Groups: operations that share one nest of loops, and the order in which groups run.

A group holds elementwise operations of one shape, and the sums, maxima and minima of arrays of that
shape. An operation joins the first group of its shape that comes after what it waits for: a value
that is made in the same group it may read at once; a sum, a view or a value of another shape only
when the group that makes it is done. What is neither is a group of its own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..program import Node, Shape
from .loops import type_of
from .places import SMALL

#: Kinds of node that are views of their operand, or nearly always.
VIEWS = frozenset({"transpose", "reshape", "broadcast", "index"})
#: Kinds that are computed element by element.
ELEMENTWISE = frozenset({"ufunc", "where", "cast"})
#: Primitives of which real numbers are the answer.
SAME = frozenset({"real", "conjugate"})
#: What ufuncs, and primitives, gather the elements of their operands by.
_OF_UFUNCS: dict[Any, str] = {np.add: "add", np.maximum: "max", np.minimum: "min"}
_OF_PRIMITIVES = {
    "sum": "add", "prod": "mul", "max": "max", "min": "min", "any": "or", "all": "and",
    "count_nonzero": "add", "mean": "add",
}  # fmt: skip
#: Of these, those that look at nothing but whether an element is zero.
_OF_TRUTHS = frozenset({"any", "all", "count_nonzero"})
#: Operations of one nest: more would spill its values.
MOST = 256


@dataclass(eq=False)
class Group:
    """Operations of one nest; or, where ``loops`` is false, a single one, or additions in turn.

    A group whose members have gone to another is empty.
    """

    shape: Shape
    loops: bool
    members: list[Node] = field(default_factory=list)


@dataclass(frozen=True)
class Reduction:
    """How the elements of an array become fewer.

    Attributes:
        op: what two of them are combined by.
        axes: along which axes, counted from the front.
        keepdims: whether these stay, with a length of 1.
        truths: whether the elements are taken as truth values first.
        over: what the result is divided by.
    """

    op: str
    axes: tuple[int, ...]
    keepdims: bool
    truths: bool = False
    over: int = 1


def reduction(node: Node) -> Reduction | None:
    """What a node that reduces an array does; None for any other."""
    if node.kind == "reduce":
        f, axes, keepdims = node.meta
        return Reduction(_OF_UFUNCS[f], axes, keepdims)
    if node.kind == "inner":
        return Reduction("add", tuple(range(node.ins[0].ndim)), False)
    name = node.meta.primitive.name if node.kind == "call" else ""
    if name not in _OF_PRIMITIVES:
        return None
    op, params, ndim = _OF_PRIMITIVES[name], node.meta.params, node.ins[0].ndim
    if type_of(node.dtype) == "i1":  # the greatest truth value is whether any holds
        op = {"max": "or", "min": "and"}.get(op, op)
    axes = tuple(sorted(i % ndim for i in params["axis"])) if ndim else ()
    over = node.ins[0].size // node.size if name == "mean" else 1
    return Reduction(op, axes, params.get("keepdims", False), name in _OF_TRUTHS, over)


def is_elementwise(node: Node) -> bool:
    """Whether a node is computed element by element."""
    if node.kind == "call":
        return node.meta.primitive.name in SAME
    return node.kind in ELEMENTWISE


def is_looped(node: Node) -> bool:
    """Whether a node may share a nest with others."""
    return is_elementwise(node) or reduction(node) is not None


def loop_shape(node: Node) -> Shape:
    """The shape of the nest in which an operation is computed."""
    return node.ins[0].shape if reduction(node) is not None else node.shape


def _size(shape: Shape) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


class Grouping:
    """The groups of some nodes in the order in which they run.

    Attributes:
        groups: in order.
        last: for each node, the number of the last group that reads it, by way of views too; the
            number of groups for results.
        outside: nodes whose values others than their own group read.
    """

    def __init__(self, nodes: Sequence[Node], results: Iterable[Node]) -> None:
        self.groups: list[Group] = []
        self._of: dict[Node, int] = {}
        results = [*results]
        self._uses = Counter([*(x for node in nodes for x in node.ins), *results])
        for node in nodes:
            if node.kind in VIEWS or node.kind == "pick":
                self._of[node] = self._of.get(node.ins[0], -1)
            else:
                self._place(node)
        self.last: dict[Node, int] = {}
        self.outside = set(results)
        for node in reversed(nodes):
            end = self.last.get(node, -1) if node.kind in VIEWS else self._of[node]
            for x in node.ins:
                self.last[x] = max(self.last.get(x, -1), end)
                if is_elementwise(x) and not (
                    is_looped(node) and self._joins(x, node, self._of[node])
                ):
                    self.outside.add(x)
        for y in self.outside & set(results):
            self._keep(y)

    def _keep(self, node: Node) -> None:
        self.last[node] = len(self.groups)
        if node.kind in VIEWS:
            self._keep(node.ins[0])

    def _joins(self, x: Node, node: Node, number: int) -> bool:
        """Whether a node may read a value in the nest that makes it."""
        return (
            is_elementwise(x)
            and self._of.get(x) == number
            and self.groups[number].loops
            and x.shape == loop_shape(node)
        )

    def _chained(self, node: Node) -> bool:
        """Add an addition to those into the same array before it, if nobody else reads that."""
        x, y = node.ins
        if x.kind != "put" or self._uses[x] != 1 or x not in self._of:
            return False
        before = self.groups[self._of[x]]
        if self._of.get(y, -1) < self._of[x]:
            before.members.append(node)
            self._of[node] = self._of[x]
            return True
        members, before.members = [*before.members, node], []
        self._of.update(dict.fromkeys(members, len(self.groups)))
        self.groups.append(Group(node.shape, False, members))
        return True

    def _place(self, node: Node) -> None:
        if node.kind == "put" and self._chained(node):
            return
        shape = loop_shape(node)
        big = is_looped(node) and _size(shape) > SMALL
        first = 0
        for x in node.ins:
            made = self._of.get(x, -1)
            if made >= 0:
                joins = big and self._joins(x, node, made)
                first = max(first, made if joins else made + 1)
        if big:
            for number in range(first, len(self.groups)):
                group = self.groups[number]
                if group.loops and group.shape == shape and len(group.members) < MOST:
                    group.members.append(node)
                    self._of[node] = number
                    return
        self._of[node] = len(self.groups)
        self.groups.append(Group(shape, big, [node]))
