"""Scans: a loop of known length as a node, whose body is a program.

The node's operands are the first carries, the arrays that it slices and the values that are the
same in all steps, in this order. The inputs of its body are the number of the step, if that is
wanted, and then the same: carries, slices, constants. The body's results are the next carries and
what is stacked. Each result of the node is a ``pick`` of it: the last carries, then the stacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ...control.bodies import Code
from ...core import Params
from ...graph import Const, Equation, Var
from ..lowering import constant
from ..passes import has_effect, live
from ..program import Builder, Call, Node, Program

Lower = Callable[[Builder, Equation, tuple[Node, ...]], tuple[Node, ...]]


class Scan:
    """A loop of known length; the meta of a node of the kind ``scan``.

    Attributes:
        body: its program; see above.
        carries, slices: how many there are of each.
        length: the number of steps.
        start: the number of the step that belongs to the first slices; None if no input is it.
        reverse: whether the last slices come first. Stacks are in the order of the slices.
        private: its values are not to be kept for a loop back, which computes them again.
    """

    __slots__ = ("body", "carries", "length", "private", "reverse", "slices", "start")

    def __init__(
        self, body: Program, carries: int, slices: int, length: int, start: int | None,
        reverse: bool, private: bool,
    ) -> None:  # fmt: skip
        self.body, self.carries, self.slices, self.length = body, carries, slices, length
        self.start, self.reverse, self.private = start, reverse, private

    @property
    def effect(self) -> bool:
        """Whether something happens in a step besides the computing of its results."""
        return any(map(has_effect, self.body.nodes))

    def with_body(self, body: Program) -> Scan:
        """The loop of another body with the same inputs."""
        return Scan(
            body, self.carries, self.slices, self.length, self.start, self.reverse, self.private
        )

    @property
    def front(self) -> int:
        """How many inputs of the body are in front of its carries."""
        return 0 if self.start is None else 1


def scan_nodes(
    b: Builder, e: Equation, ins: tuple[Node, ...], lower: Lower
) -> tuple[Node, ...] | None:
    """The results of a loop; None if these can't be in such a node."""
    params: Params = e.params
    c, m = params["carries"], params["slices"]
    length = params["length"] if params["length"] is not None else ins[c].shape[0]
    if _keeps_steps(params) or not length or not is_bounded(_behind(ins)):
        return None
    body = program_of(params["body"], ins, m, c, lower)
    meta = Scan(
        body, c, m, int(length), params["start"], params["reverse"], params["every"] is not None
    )
    scan = b.make("scan", ins, meta, (), np.dtype(object))
    return tuple(pick(b, scan, k, v.aval) for k, v in enumerate(e.outputs))


def _behind(ins: Sequence[Node]) -> set[Node]:
    """The nodes that operands are computed from, up to the last carries of loops."""
    out: set[Node] = set()
    stack = list(ins)
    while stack:
        x = stack.pop()
        of = x.ins[0].meta if x.kind == "pick" else None
        last = isinstance(of, Call) and x.meta < of.params.get("carries", 0)
        if x not in out and not last:
            out.add(x)
            stack.extend(x.ins)
    return out


def pick(b: Builder, scan: Node, k: int, like: Any) -> Node:
    """The result of a loop with that number."""
    return b.make("pick", (scan,), k, like.shape, like.dtype)


def program_of(
    graph: Code, ins: Sequence[Node], slices: int, carries: int, lower: Lower
) -> Program:
    """The body of a loop, whose operands are those."""
    b = Builder({}, share=False)
    env: dict[Var, Node] = {}
    front = len(graph.inputs) - len(ins)
    columns = ins[carries : carries + slices]
    inputs: list[Node] = []
    for k, var in enumerate(graph.inputs):
        number = k - front - carries
        strided = 0 <= number < slices and columns[number].fortran is not False
        like = Node(
            "input", (), None, var.aval.shape, var.aval.dtype, var.weak, None if strided else False
        )
        env[var] = b.input(k, like)
        inputs.append(env[var])

    def read(a: Var | Const) -> Node:
        # A graph has copies of what its function captured.
        return env[a] if isinstance(a, Var) else constant(b, a.value, True)

    for e in graph.equations:
        b.origin = e.source
        env.update(zip(e.outputs, lower(b, e, tuple(map(read, e.operands))), strict=True))
    outputs = list(map(read, graph.outputs))
    return Program(inputs, live(b.nodes, [*outputs, *filter(has_effect, b.nodes)]), outputs)


def is_bounded(nodes: Iterable[Node]) -> bool:
    """Whether all arrays have the shapes that they were recorded with.

    The steps that a `while_loop` has taken are kept for its way back, however many these are.
    """
    return not any(x.kind == "call" and _keeps_steps(x.meta.params) for x in nodes)


def _keeps_steps(params: Params) -> bool:
    return bool(params.get("save", False)) or not params.get("bounded", True)


def count(program: Program) -> int:
    """How many operations there are, in bodies of loops too."""
    return len(program.nodes) + sum(count(x.meta.body) for x in program.nodes if x.kind == "scan")


def literal(b: Builder, x: Node) -> Node:
    """A literal of another builder."""
    return b.literal(x.number) if x.number is not None else b.literal(x.meta.value)


def replay(b: Builder, nodes: Sequence[Node], new: dict[Node, Node]) -> None:
    """Make nodes again, in a builder where some are known to be others."""
    for node in nodes:
        if node in new:
            continue
        for x in node.ins:
            if x not in new:
                new[x] = literal(b, x)
        b.origin = node.origin
        ins = tuple([new[x] for x in node.ins])
        out = b.make(node.kind, ins, node.meta, node.shape, node.dtype, node.weak)
        if out.name is None and node.name is not None:
            out.name = node.name
        new[node] = out


def found(b: Builder, x: Node, new: dict[Node, Node]) -> Node:
    """What a node has become; one that is full of a number may have been left out."""
    if x not in new:
        new[x] = copied(b, x)
    return new[x]


def filled(x: Node) -> Node | None:
    """The literal that a node is, or is full of, if it is one."""
    if x.kind == "broadcast":
        x = x.ins[0]
    return x if x.kind == "literal" else None


def copied(b: Builder, x: Node) -> Node:
    """Such a node, in another program."""
    if x.kind == "broadcast":
        return b.broadcast(literal(b, x.ins[0]), x.shape)
    return literal(b, x)
