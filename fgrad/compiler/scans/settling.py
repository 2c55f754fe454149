"""Settling: what is left of a loop, made ready to be printed.

A node ``steps`` stands in place of a ``scan``, and knows the results that somebody reads: they are
written while it runs, each into a place of its own. The values of a carry before each step, those
behind it and the last one are views of one array with an entry more than there are steps: its
track.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ..blocks import clustered
from ..passes import Options
from ..program import Builder, Index, Node, Program
from ..tiling import of_transposed
from .scan import Scan, found, replay

#: So many steps are worth another copy of a matrix.
REPEATED = 8


@dataclass(eq=False)
class Settled:
    """The meta of a node ``steps``.

    Attributes:
        scan: the loop.
        finals: the last value of a carry, by its number.
        stacks: all values of a result of the body, by its number.
        tracks: all values of a carry, from the first to the last, by its number.
    """

    scan: Scan
    finals: dict[int, Node] = field(default_factory=dict)
    stacks: dict[int, Node] = field(default_factory=dict)
    tracks: dict[int, Node] = field(default_factory=dict)

    @property
    def results(self) -> list[Node]:
        """The nodes that the loop computes."""
        return [*self.finals.values(), *self.stacks.values(), *self.tracks.values()]


def settled(program: Program, options: Options) -> Program:
    """The program with loops that can be printed, and what goes over large arrays in blocks."""
    if any(node.kind == "scan" for node in program.nodes):
        loose = options.reassociate
        program = with_steps(program, lambda node: settled(node.meta.body, options), loose=loose)
    return clustered(program, options)


def with_steps(
    program: Program, body_of: Callable[[Node], Program | None], lay_out: bool = True,
    loose: bool = False,
) -> Program:  # fmt: skip
    """The program with loops that can be printed.

    Args:
        program: with loops as nodes.
        body_of: what is printed as a loop's body; None for a loop that is to stay a node.
        lay_out: whether matrices that each step multiplies others with are brought into C order.
        loose: whether last bits may change.
    """
    b = Builder({})
    read: dict[Node, list[Node]] = {}
    for node in program.nodes:
        if node.kind == "pick" and node.ins[0].kind == "scan":
            read.setdefault(node.ins[0], []).append(node)
    new: dict[Node, Node] = {x: x for x in program.inputs}
    for node in program.nodes:
        body = body_of(node) if node.kind == "scan" else None
        if body is not None:
            ins = [found(b, x, new) for x in node.ins]
            ins = _laid_out(b, node.meta, ins, loose) if lay_out else ins
            steps = Node("steps", tuple(ins), None, (), node.dtype)
            steps.meta = Settled(node.meta.with_body(body))
            b.origin = steps.origin = node.origin
            b.nodes.append(steps)
            for pick in read.get(node, ()):
                new[pick] = _result(b, steps, pick)
        elif node not in new:
            replay(b, [node], new)
    outputs = [found(b, y, new) for y in program.outputs]
    # All nodes are needed; those of a loop have its results in their operands by name only.
    return Program(program.inputs, b.nodes, outputs)


def _laid_out(b: Builder, scan: Scan, ins: list[Node], loose: bool) -> list[Node]:
    """The operands, those matrices in C order that each step multiplies others with.

    BLAS goes through a transposed one at two thirds of the speed, where the other is small; but not
    where the product is done by a few columns at a time.
    """
    first = scan.carries + scan.slices
    consts = scan.body.inputs[scan.front + first :]
    if scan.length < REPEATED:
        return ins
    readers = {x: [y for y in scan.body.nodes if x in y.ins] for x in consts}
    for k, x in enumerate(consts, first):
        value, mine = ins[k], [y for y in readers[x] if y.kind == "dot" and y.ins[1] is x]
        if any(y.ins[0].ndim == 2 for y in mine) and _is_transposed(value):
            if loose and mine == readers[x] and all(map(_by_columns, mine)):
                x.fortran = True
                continue
            ins[k] = Node("cast", (value,), value.dtype, value.shape, value.dtype)
            b.nodes.append(ins[k])
    return ins


def _is_transposed(x: Node) -> bool:
    return x.fortran is True and x.kind == "transpose"


def _by_columns(dot: Node) -> bool:
    """Whether a product with a transposed matrix is done by a few columns at a time."""
    x, y = dot.ins
    return x.ndim == 2 and of_transposed(x.shape[0], x.shape[1], y.shape[1], y.dtype) > 1


def _result(b: Builder, loop: Node, pick: Node) -> Node:
    """A result of the loop: in a place of its own, or a part of a track."""
    meta: Settled = loop.meta
    scan, k = meta.scan, pick.meta
    body, c = scan.body, scan.carries
    carries = body.inputs[scan.front : scan.front + c]
    before = {x: j for j, x in enumerate(carries) if x in body.outputs[c:]}
    y = body.outputs[k]
    if k >= c and y in before:
        return _part(b, _track(loop, before[y], carries), not scan.reverse)
    ahead = {body.outputs[j]: j for j in reversed(before.values())}
    if k >= c and y in ahead:
        return _part(b, _track(loop, ahead[y], carries), scan.reverse)
    if k < c and carries[k] in before:
        last = Index((0 if scan.reverse else scan.length,))
        track = _track(loop, k, carries)
        return b.make("index", (track,), last, pick.shape, pick.dtype)
    results = meta.finals if k < c else meta.stacks
    results[k] = Node("pick", (loop,), k, pick.shape, pick.dtype)
    return results[k]


def _track(loop: Node, j: int, carries: Any) -> Node:
    meta: Settled = loop.meta
    if j not in meta.tracks:
        shape = (meta.scan.length + 1, *carries[j].shape)
        meta.tracks[j] = Node("pick", (loop,), ("track", j), shape, carries[j].dtype)
    return meta.tracks[j]


def _part(b: Builder, track: Node, first: bool) -> Node:
    """All entries of a track but the last one, or but the first one."""
    spec = Index((slice(None, -1),) if first else (slice(1, None),))
    shape = (track.shape[0] - 1, *track.shape[1:])
    return b.make("index", (track,), spec, shape, track.dtype)
