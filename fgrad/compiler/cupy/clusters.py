"""Clusters: operations on entries of arrays of one shape, which one kernel can do.

An operation and one that reads its answer go together, unless a third, which can't be with them,
reads the one and is read by the other. A sum that alone reads what a cluster makes is its end.
"""

from __future__ import annotations

from collections.abc import Collection
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any

import numpy as np

from ..passes import has_effect
from ..program import Node, Program
from .arena import made_by
from .kernels import Kernel
from .parts import is_joined
from .places import Places
from .scalars import form

#: A kernel has at most so many operations, and so many operands and answers.
LONGEST, WIDEST = 64, 24
#: A sum of more entries than this into few numbers is left to CuPy, which uses more blocks for it.
LARGE_SUM, FEW = 1 << 20, 64


class Groups:
    """Which steps are done at once, and which comes before which."""

    def __init__(self, program: Program) -> None:
        self.nodes = program.nodes
        self.of = {x: k for k, node in enumerate(self.nodes) for x in (node, *made_by(node))}
        self.members = {k: [node] for k, node in enumerate(self.nodes)}
        self.after: dict[int, set[int]] = {k: set() for k in self.members}
        before = None
        for k, node in enumerate(self.nodes):
            for x in node.ins:
                if x in self.of:
                    self.after[self.of[x]].add(k)
            if has_effect(node):  # what happens, happens in order
                if before is not None:
                    self.after[before].add(k)
                before = k

    def leads_around(self, a: int, b: int) -> bool:
        """Whether a way leads from one group to another through a third."""
        todo, seen = [k for k in self.after[a] if k != b], {a}
        while todo:
            k = todo.pop()
            if k == b:
                return True
            if k not in seen:
                seen.add(k)
                todo += self.after[k]
        return False

    def join(self, x: Node, y: Node) -> None:
        """Make one group of two, if they can be."""
        a, b = self.of[x], self.of[y]
        if a == b or len(self.members[a]) + len(self.members[b]) > LONGEST:
            return
        whole = [*self.members[a], *self.members[b]]
        if len({i for m in whole for i in m.ins} | {*whole}) > LONGEST + WIDEST:
            return
        if self.leads_around(a, b) or self.leads_around(b, a):
            return
        for node in self.members[b]:
            self.of[node] = a
        self.members[a] += self.members.pop(b)
        self.after[a] = (self.after[a] | self.after.pop(b)) - {a, b}
        for later in self.after.values():
            if b in later:
                later.discard(b)
                later.add(a)
        self.after[a].discard(a)

    def ordered(self) -> list[list[Node]]:
        """The groups, each after those that it reads."""
        place = {node: k for k, node in enumerate(self.nodes)}
        rank = {k: max(place[m] for m in ms) for k, ms in self.members.items()}
        waits = dict.fromkeys(self.members, 0)
        for later in self.after.values():
            for k in later:
                waits[k] += 1
        ready = [(rank[k], k) for k, n in waits.items() if not n]
        heapify(ready)
        out = []
        while ready:
            _, k = heappop(ready)
            out.append(sorted(self.members[k], key=place.__getitem__))
            for reader in self.after[k]:
                waits[reader] -= 1
                if not waits[reader]:
                    heappush(ready, (rank[reader], reader))
        return out


def fused(program: Program, there: Places, exact: bool) -> Program:
    """The program with kernels in place of clusters.

    Args:
        there: tells what is on the device.
        exact: each operation rounds by itself.
    """
    able = {n for n in program.nodes if n.size and form(n) is not None and _arrays(n, there)}
    groups = Groups(program)
    for node in program.nodes:
        if node in able:
            for x in node.ins:
                if x in able and x.shape == node.shape:
                    groups.join(x, node)
        elif is_joined(node):  # which is written part by part
            for x, y in pairwise([x for x in node.ins if x in able]):
                if x.shape == y.shape:
                    groups.join(x, y)
    readers: dict[Node, list[Node]] = {}
    for node in program.nodes:
        for x in node.ins:
            readers.setdefault(x, []).append(node)
            while x.kind == "broadcast":  # which a kernel sees through
                x = x.ins[0]
                readers.setdefault(x, []).append(node)
    leaving = {*program.outputs}
    steps: list[Node] = []
    for members in _with_sums(groups, able, readers, leaving):
        *_, last = members
        if len(members) == 1:
            steps.append(last)
            continue
        inside = {*members}
        made = [last] if last.kind == "reduce" else [
            m for m in members
            if m in leaving or any(r not in inside for r in readers.get(m, ()))
        ]  # fmt: skip
        kernel = Kernel(members, made, exact)
        if kernel.is_complete(last) and len(kernel.ins) + len(made) <= WIDEST:
            steps.append(Node("kernel", kernel.ins, kernel, last.shape, last.dtype))
        else:
            steps += members
    return Program(program.inputs, _read(steps, leaving), program.outputs)


def _arrays(node: Node, there: Places) -> bool:
    """Whether the arrays that a node reads are the device's, and there is one."""
    return any(map(there, node.ins)) and all(there(x) or not x.shape for x in node.ins)


def _with_sums(
    groups: Groups, able: Collection[Node], readers: dict[Node, list[Node]],
    leaving: Collection[Node],
) -> list[list[Node]]:  # fmt: skip
    """The groups in order, with sums at the ends of those that nobody else reads."""
    out: list[list[Node]] = []
    ends: dict[Node, int] = {}
    for members in groups.ordered():
        (x, *_) = members
        if len(members) == 1 and _is_sum(x) and x.ins[0] in ends:
            of = ends[x.ins[0]]
            if readers[x.ins[0]] == [x] and x.ins[0] not in leaving:
                members, out[of] = [*out[of], x], []
        elif all(m in able for m in members):
            inside = {*members}
            seen = [m for m in members if m in leaving
                    or any(r not in inside for r in readers.get(m, ()))]  # fmt: skip
            if len(seen) == 1:
                ends[seen[0]] = len(out)
        out.append(members)
    return [members for members in out if members]


def _is_sum(x: Node) -> bool:
    if x.kind != "reduce" or x.meta[0] is not np.add or x.dtype.char not in "fd" or not x.size:
        return False
    return bool(x.ins[0].size) and (x.ins[0].size <= LARGE_SUM or x.size >= FEW)


def _read(steps: list[Node], leaving: Collection[Node]) -> list[Node]:
    """The steps that somebody reads: kernels see through broadcasts, which may be left over."""
    needed: set[Any] = {*leaving}
    out = []
    for step in reversed(steps):
        if has_effect(step) or any(m in needed for m in made_by(step)):
            needed.update(step.ins)
            out.append(step)
    return out[::-1]
