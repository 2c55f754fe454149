"""Buffers: which results live in memory that is kept from call to call, and who shares it.

A node whose array leaves the program is made anew at each call. Every other array that NumPy can
write into a given place gets a place in one of a few arenas; two arrays share an arena if one is
done with when the other begins. A ufunc may write over an operand that nobody reads any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .bits import by_bits
from .blocks import made_by
from .program import Node, Program

#: Nodes that are views of their operand, or may be.
VIEWS = frozenset({"transpose", "reshape", "index"})
#: Nodes that NumPy can write into a place that is given.
WRITABLE = frozenset({"ufunc", "reduce", "dot", "matmul", "cast", "broadcast", "put", "stack"})
#: Those that may be written where they belong in a stack.
PLACED = frozenset({"ufunc", "dot", "matmul", "cast"})
#: Nodes that write each entry after they have read the entries in its place, and no others.
ELEMENTWISE = frozenset({"ufunc", "cast"})


@dataclass
class Plan:
    """Where arrays live.

    Attributes:
        slot: the arena of each node that has one.
        sizes: bytes of each arena.
        roots: for each node, the nodes in whose memory its array may lie.
        last: for each node, the position of the last node that reads its memory.
        part: for what is written where it belongs in a stack: the stack, and how many bytes of it
            come before.
    """

    slot: dict[Node, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)
    roots: dict[Node, frozenset[Node]] = field(default_factory=dict)
    last: dict[Node, int] = field(default_factory=dict)
    part: dict[Node, tuple[Node, int]] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        return sum(self.sizes)


def roots_of(program: Program) -> dict[Node, frozenset[Node]]:
    """For each node, the nodes in whose memory its array may lie."""
    roots: dict[Node, frozenset[Node]] = {}

    def of(x: Node) -> frozenset[Node]:
        return frozenset((x,)) if x.kind == "literal" else roots[x]

    for x in program.inputs:
        roots[x] = frozenset((x,))
    for node in [made for step in program.nodes for made in made_by(step)]:
        if node.kind in VIEWS:
            roots[node] = of(node.ins[0])
        elif node.kind in ("call", "pick") and not is_written(node):
            roots[node] = frozenset((node,)).union(*map(of, node.ins))
        else:
            roots[node] = frozenset((node,))
    return roots


def plan(program: Program, escaping: Sequence[Node] = ()) -> Plan:
    """Give each array that stays inside the program a place."""
    out = Plan(roots=roots_of(program))
    end = len(program.nodes)
    escapes = {r for y in (*program.outputs, *escaping) for r in out.roots.get(y, ())}
    for k, node in enumerate(program.nodes):
        for x in node.ins:
            for r in out.roots.get(x, ()):
                out.last[r] = k
    for k, node in reversed([*enumerate(program.nodes)]):
        # A chain of additions into one array, which is to be a new one, is made in that one.
        x = node.ins[0] if node.kind == "put" else node
        if node in escapes and x.kind == "put" and out.last[x] == k:
            escapes.add(x)
    leaving = {r for y in (*program.outputs, *escaping) for r in out.roots.get(y, ())}
    out.last.update(dict.fromkeys(leaving, end))
    _find_parts(program, out, escapes)
    free: list[int] = []
    dying: dict[int, list[Node]] = {}
    for r, k in out.last.items():
        dying.setdefault(k, []).append(r)
    for k, node in enumerate(program.nodes):
        gone = [r for r in dying.get(k, ()) if r in out.slot and r not in out.part]
        early = [r for r in gone if _overwritable(node, r, out)]
        free.extend(out.slot[r] for r in early)
        for made in _written_by(node):
            if made in escapes or made not in out.last or made in out.slot:
                continue
            if made in out.part:
                stack, _ = out.part[made]
                if stack not in out.slot:
                    out.slot[stack] = _take(free, out.sizes, stack, early, out)
                out.slot[made] = out.slot[stack]
                continue
            under = [r for r in gone if r not in early and _passes_on(node, r, made, out)]
            if under:
                out.slot[made] = out.slot[under[0]]
                gone.remove(under[0])
            else:
                out.slot[made] = _take(free, out.sizes, made, early, out)
        free.extend(out.slot[r] for r in gone if r not in early)
        mine = {out.slot[made] for made in made_by(node) if made in out.slot}
        free = [s for s in dict.fromkeys(free) if s not in mine]
    return out


def _find_parts(program: Program, plan: Plan, escapes: set[Node]) -> None:
    """Find what can be written where it belongs in a stack, and how long the stacks are needed."""
    for node in program.nodes:
        before = 0
        for x in node.ins if node.kind == "stack" else ():
            placed = x.kind in PLACED and x.fortran is False and is_planned(x)
            if placed and x not in escapes and x not in plan.part and node in plan.last:
                plan.part[x] = node, before
                plan.last[node] = max(plan.last[node], plan.last[x])
            before += x.size * x.dtype.itemsize


def _written_by(node: Node) -> list[Node]:
    """The arrays of a node that NumPy can write into a given place."""
    if node.kind in ("block", "steps"):
        return [y for y in node.meta.results if y.size and y.shape]
    if node.kind == "native":
        return [y for y in node.meta.made if y.shape]
    return [node] if is_planned(node) else []


def _passes_on(node: Node, r: Node, made: Node, plan: Plan) -> bool:
    """Whether an answer of a loop may take the place of an operand that nobody reads afterwards.

    In each round the operand's rows must have been read when the answer's are written.
    """
    readers = [x for x in node.ins if r in plan.roots.get(x, ())]
    if node.kind != "block" or len(readers) != 1 or (r.fortran, made.fortran) != (False, False):
        return False
    (x,) = readers
    if x is not r and not (x.kind == "reshape" and x.ins[0] is r):
        return False
    for m in reversed(node.meta.members):
        if m is made:
            return m.kind == "ufunc" and (x.shape, x.dtype) == (m.shape, m.dtype)
        if x in m.ins:
            return False
    return False


def is_planned(node: Node) -> bool:
    """Whether NumPy can write the node's array into a given place."""
    if not node.shape or not node.size or node.dtype.hasobject:
        return False
    if node.kind == "broadcast":
        return node.ins[0].number is None
    return node.kind in WRITABLE or is_written(node) or by_bits(node)


def is_written(node: Node) -> bool:
    """Whether a node calls an implementation, or a loop, that writes into a place it is given."""
    if node.kind == "pick":
        return node.ins[0].kind == "steps"
    return node.kind == "call" and bool(node.meta.primitive.writes)


def _overwritable(node: Node, r: Node, plan: Plan) -> bool:
    """Whether a node may write into the memory of an operand that nobody reads afterwards."""
    readers = [x for x in node.ins if r in plan.roots.get(x, ())]
    if node.kind == "put":
        return readers == [r] and node.ins[0] is r
    return (
        node.kind in ELEMENTWISE
        and bool(readers)
        and all(
            x is r and x.shape == node.shape and x.dtype == node.dtype and x.fortran is node.fortran
            for x in readers
        )
    )


def _take(free: list[int], sizes: list[int], node: Node, early: Sequence[Node], plan: Plan) -> int:
    """An arena for a node: that of its operand, the smallest that is large enough, or a new one."""
    need = node.size * node.dtype.itemsize
    if node.kind == "put" and early:
        slot = plan.slot[early[0]]
        free.remove(slot)
        return slot
    fitting = [s for s in free if sizes[s] >= need and sizes[s] <= 4 * need + 4096]
    # A small array takes no large arena, which a large one may want.
    growing = [s for s in free if sizes[s] < need <= 2 * sizes[s] + 4096]
    if fitting:
        slot = min(fitting, key=lambda s: (sizes[s], s not in [plan.slot[r] for r in early]))
    elif growing:
        slot = max(growing, key=lambda s: sizes[s])
        sizes[slot] = need
    else:
        sizes.append(need)
        return len(sizes) - 1
    free.remove(slot)
    return slot


def memory(sizes: Sequence[int]) -> list[Any]:
    """New arenas, each at the beginning of a cache line."""
    out = []
    for n in sizes:
        raw = np.empty(n + 64, np.uint8)
        start = -raw.ctypes.data % 64
        out.append(raw[start : start + n])
    return out
