"""The arena: one piece of the device's memory for all arrays that stay inside of a program.

Arrays whose lives don't overlap share a place in it. A program has one arena for each thread,
device and stream that calls it at a time: on one stream, what a call writes comes after all that
the call before has read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from threading import get_ident
from typing import Any

from ..program import Node, Program
from .parts import is_joined

#: Where places begin: at a multiple of so many bytes, as CuPy's own allocations do.
ALIGNED = 512

#: Nodes that are views of their operand, or may be.
VIEWS = frozenset({"transpose", "reshape", "index", "broadcast"})
#: Nodes that can be written into a place that is given.
WRITABLE = frozenset({"ufunc", "reduce", "dot", "matmul", "put", "cast"})


@dataclass
class Arena:
    """Where arrays live.

    Attributes:
        offset: the beginning of each array that has a place.
        nbytes: how large the arena is.
        roots: for each node, the nodes in whose memory its array may lie.
        last: for each node, the position of the last node that reads its memory.
        whole: for what is written into a part of another node's array, that node.
    """

    offset: dict[Node, int] = field(default_factory=dict)
    nbytes: int = 0
    roots: dict[Node, frozenset[Node]] = field(default_factory=dict)
    last: dict[Node, int] = field(default_factory=dict)
    whole: dict[Node, Node] = field(default_factory=dict)


def made_by(node: Node) -> tuple[Node, ...]:
    """The arrays that a node makes: a kernel's answers, a loop's results, or the node itself."""
    if node.kind == "steps":
        return tuple(node.meta.results)
    return tuple(node.meta.made) if node.kind == "kernel" else (node,)


def wholes_of(program: Program, kept: Collection[Node]) -> dict[Node, Node]:
    """For what is joined and can be written where it is joined to, the node that joins it.

    Args:
        kept: nodes that have places of their own.
    """
    out: dict[Node, Node] = {}
    parts = [x for node in program.nodes if is_joined(node) for x in node.ins]
    able = {y for node in program.nodes if node.kind == "kernel" and not node.meta.reduction
            for y in node.meta.made}  # fmt: skip
    for node in program.nodes:
        for x in node.ins if is_joined(node) else ():
            if (x in able or x.kind == "ufunc") and x not in kept and parts.count(x) == 1:
                out[x] = node
    return out


def roots_of(program: Program, whole: dict[Node, Node]) -> dict[Node, frozenset[Node]]:
    """For each node, the nodes in whose memory its array may lie."""
    roots = {x: frozenset((x,)) for x in program.inputs}
    for node in program.nodes:
        for made in made_by(node):
            roots[made] = frozenset((whole.get(made, made),))
        if node.kind in (*VIEWS, "call", "pick") and not is_joined(node):
            roots[node] = roots[node].union(*(roots.get(x, frozenset((x,))) for x in node.ins))
    return roots


def room_of(made: Node) -> int:
    """The octets of a node's place."""
    return -(-made.size * made.dtype.itemsize // ALIGNED) * ALIGNED


def is_placed(made: Node) -> bool:
    """Whether a node's array can be written into a place."""
    if not made.size or made.dtype.hasobject:
        return False
    if made.kind == "cast" and made.ins[0].dtype.kind == "c" != made.dtype.kind:
        return False
    return made.kind in WRITABLE or is_joined(made)


def plan(program: Program, there: Callable[[Node], bool], targets: Collection[Node] = ()) -> Arena:
    """Give each array of the device that stays inside of the program a place.

    Args:
        there: tells what is on the device.
        targets: nodes that are written elsewhere.
    """
    whole = wholes_of(program, {*program.outputs, *targets})
    out = Arena(roots=roots_of(program, whole), whole=whole)
    for k, node in enumerate(program.nodes):
        for x in (*node.ins, *made_by(node)):
            for r in out.roots.get(x, ()):
                out.last[r] = k
    leaving = {r for y in program.outputs for r in out.roots.get(y, ())}
    out.last.update(dict.fromkeys(leaving, len(program.nodes)))
    taken: list[tuple[int, int, int]] = []  # begin, end, the last position that reads it
    for k, node in enumerate(program.nodes):
        taken = [t for t in taken if t[2] >= k]
        for made in made_by(node):
            inside = is_placed(made) if node.kind not in ("kernel", "steps") else there(made)
            made = whole.get(made, made)  # which is needed from its first part on
            if made in leaving or made in out.offset or not inside or not made.size:
                continue
            begin, size = 0, room_of(made)
            for low, high, _ in sorted(taken):
                if low - begin >= size:
                    break
                begin = max(begin, high)
            out.offset[made] = begin
            out.nbytes = max(out.nbytes, begin + size)
            taken.append((begin, begin + size, out.last[made]))
    return out


def caller(library: Any) -> Callable[[], tuple[int, int, int]]:
    """The function that tells who calls: the thread, its device and its stream."""
    device, stream = library.cuda.runtime.getDevice, library.cuda.get_current_stream

    def key() -> tuple[int, int, int]:
        return get_ident(), device(), stream().ptr

    return key
