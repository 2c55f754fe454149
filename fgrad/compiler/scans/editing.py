"""A loop taken apart, with all its parts by name, to be put together again with less in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from ..passes import has_effect, live
from ..program import Builder, Node, Program
from .scan import Scan, copied, filled, found, replay
from .stacking import spread

#: A result that is computed behind the loop, once the loop that is left has been made.
Behind = Callable[["Draft"], Node]


class Draft:
    """A loop in parts.

    Attributes:
        b: the builder of the program that the loop stands in.
        scan: what it was.
        number: the input of its body that is the number of the step, if there is one.
        carries, starts: inputs of the body, and the first carries.
        slices, columns: inputs of the body, and what they are slices of.
        consts, values: inputs of the body, and what they are.
        nodes, nexts: operations of the body, and the next carries.
        lasts, all, behind: the loop's results by their numbers, those that somebody reads: last
            values of a carry, all values of a node of the body, or what is computed of such.
        stacks: nodes of the body that are to be stacked; when the loop has been made, with the
            nodes of the program that they are.
        finals: when the loop has been made, the last values of its carries.
        taken: how many operations were moved, by what has moved them.
    """

    def __init__(self, b: Builder, scan: Scan, ins: Sequence[Node], read: set[int]) -> None:
        body, c, m = scan.body, scan.carries, scan.slices
        self.b, self.scan = b, scan
        self.number = body.inputs[0] if scan.front else None
        inner = body.inputs[scan.front :]
        self.carries, self.starts = list(inner[:c]), list(ins[:c])
        self.slices, self.columns = list(inner[c : c + m]), list(ins[c : c + m])
        self.consts, self.values = list(inner[c + m :]), list(ins[c + m :])
        self.nodes, self.nexts = list(body.nodes), list(body.outputs[:c])
        self.lasts = {k: self.carries[k] for k in read if k < c}
        self.all = {k: body.outputs[k] for k in sorted(read) if k >= c}
        self.behind: dict[int, Behind] = {}
        self.stacks: dict[Node, Node] = {}
        self.finals: dict[Node, Node] = {}
        self.extra: dict[Node, None] = {}
        self.taken: Counter[str] = Counter()

    @property
    def length(self) -> int:
        return self.scan.length

    # ------------------------------------------------------------------ what the body gives
    def stack(self, node: Node) -> None:
        """Ask for the values of a node of the body in all steps, for a result behind the loop."""
        self.extra[node] = None

    def wanted(self) -> list[Node]:
        """The nodes of the body to be stacked, each once."""
        ready = {*self.slices, *self.consts}
        nodes = dict.fromkeys([*self.all.values(), *self.extra])
        return [y for y in nodes if y not in ready and filled(y) is None]

    def all_of(self, node: Node) -> Node:
        """The values of a node of the body in all steps, when the loop has been made."""
        if node in self.stacks:
            return self.stacks[node]
        if node in self.slices:
            return self.columns[self.slices.index(node)]
        value = dict(zip(self.consts, self.values, strict=True)).get(node)
        return spread(self.b, self.length, value or copied(self.b, node))

    def start_of(self, carry: Node) -> Node:
        """The first value of a carry."""
        return self.starts[self.carries.index(carry)]

    # ------------------------------------------------------------------ less of it
    def prune(self) -> None:
        """Leave out operations that nobody reads, carries that only they themselves do, inputs."""
        effects = list(filter(has_effect, self.nodes))
        needed: set[Node] = set(self.lasts.values())
        while True:
            wanted = [y for c, y in zip(self.carries, self.nexts, strict=True) if c in needed]
            wanted += self.wanted()
            nodes = live(self.nodes, [*wanted, *effects])
            read = {x for node in nodes for x in node.ins}.union(wanted)
            more = {c for c in self.carries if c in read and c not in needed}
            if not more:
                break
            needed |= more
        self.nodes = nodes
        keep = [k for k, c in enumerate(self.carries) if c in needed]
        self.carries, self.starts, self.nexts = (
            [xs[k] for k in keep] for xs in (self.carries, self.starts, self.nexts)
        )
        # Columns and constants that a result is, too, stay at hand.
        read.update(self.all.values(), self.extra)
        keep = [k for k, x in enumerate(self.slices) if x in read]
        self.slices, self.columns = ([xs[k] for k in keep] for xs in (self.slices, self.columns))
        keep = [k for k, x in enumerate(self.consts) if x in read]
        self.consts, self.values = ([xs[k] for k in keep] for xs in (self.consts, self.values))

    def rebuilt(self, b: Builder, given: dict[Node, Node]) -> None:
        """Make the body again, with some of its nodes replaced by others of that builder."""
        kept = [self.number, *self.carries, *self.slices, *self.consts]
        new: dict[Node, Node] = {x: x for x in kept if x is not None}
        new.update(given)
        replay(b, self.nodes, new)
        self.nexts = [found(b, y, new) for y in self.nexts]
        self.all = {k: found(b, y, new) for k, y in self.all.items()}
        self.extra = {found(b, y, new): None for y in self.extra}
        wanted = [*self.nexts, *self.wanted(), *filter(has_effect, b.nodes)]
        self.nodes = live(b.nodes, wanted)

    # ------------------------------------------------------------------ together again
    def made(self) -> dict[int, Node]:
        """The results, of the loop that is left."""
        self.prune()
        wanted = self.wanted()
        effect = any(map(has_effect, self.nodes))
        if self.carries or wanted or effect:
            # What only results are needs no slicing.
            inside = {x for node in self.nodes for x in node.ins}.union(wanted, self.nexts)
            pairs = zip(self.slices, self.columns, strict=True)
            slices = [(x, column) for x, column in pairs if x in inside]
            consts = [(x, v) for x, v in zip(self.consts, self.values, strict=True) if x in inside]
            front = [self.number] if self.number is not None else []
            inputs = [*front, *self.carries, *(x for x, _ in slices), *(x for x, _ in consts)]
            body = Program(inputs, self.nodes, [*self.nexts, *wanted])
            scan = self.scan.with_body(body)
            scan.carries, scan.slices = len(self.carries), len(slices)
            ins = [*self.starts, *(column for _, column in slices), *(v for _, v in consts)]
            node = self.b.make("scan", ins, scan, (), np.dtype(object))
            for k, (carry, y) in enumerate(zip(self.carries, self.nexts, strict=True)):
                self.finals[carry] = self.b.make("pick", (node,), k, y.shape, y.dtype)
            for k, y in enumerate(wanted, len(self.carries)):
                shape = (self.length, *y.shape)
                self.stacks[y] = self.b.make("pick", (node,), k, shape, y.dtype)
        out = {k: self.finals[carry] for k, carry in self.lasts.items()}
        out.update({k: self.all_of(y) for k, y in self.all.items()})
        out.update({k: later(self) for k, later in self.behind.items()})
        return out
