"""Groups: operations that share one nest of loops, and the order in which groups run.

A group holds elementwise operations of one shape, and the sums, maxima and minima of arrays of that
shape. An operation joins the first group of its shape that comes after what it waits for: a value
that is made in the same group it may read at once; a sum, a view or a value of another shape only
when the group that makes it is done. What is neither is a group of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..program import Node, Shape
from .places import SMALL

#: Kinds of node that are views of their operand, or nearly always.
VIEWS = frozenset({"transpose", "reshape", "broadcast", "index"})
#: Kinds that are computed element by element.
ELEMENTWISE = frozenset({"ufunc", "where", "cast"})
#: Kinds that gather the elements of their operands.
SUMS = frozenset({"reduce", "inner"})
#: Operations of one nest: more would spill its values.
MOST = 256


@dataclass(eq=False)
class Group:
    """Operations of one nest; or, where ``loops`` is false, a single one."""

    shape: Shape
    loops: bool
    members: list[Node] = field(default_factory=list)


def loop_shape(node: Node) -> Shape:
    """The shape of the nest in which an operation is computed."""
    return node.ins[0].shape if node.kind in SUMS else node.shape


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
                if x.kind in ELEMENTWISE and not (
                    node.kind in ELEMENTWISE | SUMS and self._joins(x, node, self._of[node])
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
            x.kind in ELEMENTWISE
            and self._of.get(x) == number
            and self.groups[number].loops
            and x.shape == loop_shape(node)
        )

    def _place(self, node: Node) -> None:
        shape = loop_shape(node)
        big = node.kind in ELEMENTWISE | SUMS and _size(shape) > SMALL
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
