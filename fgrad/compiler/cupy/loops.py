"""Loops: the body of a loop of known length as lines that are run for each step.

What a step computes for a later one is written where that will look for it: into the stacked
result, into the carry's track, or into one of two places of the arena that take turns.
"""

from __future__ import annotations

import numpy as np

from ..program import Node
from .arena import is_placed, room_of
from .printing import PRINTERS, DevicePrinter


class Steps:
    """Prints one loop.

    Attributes:
        before, head: lines in front of the loop, and at the beginning of a step.
        ends: what a step copies at its end, and to where.
        names: what the body's inputs are called.
        targets: where the body's results are written.
    """

    def __init__(self, printer: DevicePrinter, node: Node) -> None:
        self.printer, self.node = printer, node
        self.meta, self.scan = node.meta, node.meta.scan
        body, c, m = self.scan.body, self.scan.carries, self.scan.slices
        self.there = printer.there.body(node)
        self.before: list[str] = []
        self.head: list[str] = []
        self.ends: list[tuple[str, Node]] = []
        self.names: dict[Node, str] = {}
        self.targets: dict[Node, str] = {}
        self.step = printer.unused("i")
        self.base = printer.base + printer.plan.nbytes
        inner = body.inputs[self.scan.front :]
        self.carries, self.nexts = inner[:c], body.outputs[:c]
        if self.scan.front:
            name = self.names[body.inputs[0]] = printer.unused("n")
            self.head.append(f"{name} = {self.step} + {self.scan.start}")
        for k, (x, value) in enumerate(zip(inner, node.ins, strict=True)):
            name = self.names[x] = printer.unused("h" if k < c else "x" if k < c + m else "e")
            there = self.there(x)
            expression = printer.array(value) if there else printer.plain(value)
            if c <= k < c + m:
                self.head.append(f"{name} = {expression}[{self.step}]")
            else:
                self.before.append(f"{name} = {expression}")
        self.results = {r: printer.written(r) for r in self.meta.results if printer.there(r)}
        self._stack()
        self.turns = self._take_turns()
        self.body = DevicePrinter(
            body, printer.scope, [self.names[x] for x in body.inputs], self.there, printer.cls,
            printer.fuse, printer, self.base, self.targets,
        )  # fmt: skip
        printer.below = max(
            printer.below,
            self.base - printer.base + self.body.plan.nbytes + self.body.below
            - printer.plan.nbytes,
        )  # fmt: skip
        self._finish()

    # ------------------------------------------------------------------ where results go
    def _is_target(self, y: Node) -> bool:
        """Whether what a step computes can be written into a place."""
        return self.there(y) and y not in self.targets and (is_placed(y) or y.kind == "where")

    def _stack(self) -> None:
        """Parts of the tracks and stacks for each step."""
        for j, track in self.meta.tracks.items():
            whole, behind = self.results[track], "" if self.scan.reverse else " + 1"
            first = self.scan.length if self.scan.reverse else 0
            self.before.append(f"{self._copy(f'{whole}[{first}]', self.names[self.carries[j]])}")
            self._part(whole, f"{self.step}{behind}", self.nexts[j])
        for k, stack in self.meta.stacks.items():
            self._part(self.results[stack], self.step, self.scan.body.outputs[k])

    def _part(self, whole: str, place: str, y: Node) -> None:
        """A part of an array for what a step computes."""
        name = self.printer.unused("z")
        self.head.append(f"{name} = {whole}[{place}]")
        if self._is_target(y):
            self.targets[y] = name
        else:
            self.ends.append((name, y))

    def _take_turns(self) -> dict[int, str]:
        """Two places for each carry that has none; the last step writes into the first of them."""
        out: dict[int, str] = {}
        left = self.step if self.scan.reverse else f"{self.scan.length - 1} - {self.step}"
        for j, y in enumerate(self.nexts):
            if j in self.meta.tracks or not self._is_target(y):
                continue
            final = self.meta.finals.get(j)
            pair = [self.results[final]] if final is not None else []
            while len(pair) < 2:
                pair.append(self.printer.buffer(self.base, y.shape, y.dtype))
                self.base += room_of(y)
            out[j] = self.targets[y] = self.printer.unused("q")
            self.head.append(f"{out[j]} = ({', '.join(pair)})[({left}) & 1]")
        return out

    def _copy(self, to: str, x: str) -> str:
        return f"{self.printer.function(np.copyto)}({to}, {x})"

    # ------------------------------------------------------------------ the whole
    def _finish(self) -> None:
        body, moved = self.body, []
        ends = [self._copy(name, body.array(y)) for name, y in self.ends]
        for x, y in zip(self.carries, self.nexts, strict=True):
            value = body.array(y) if self.there(x) else body.plain(y)
            if self._is_old(y) and value != self.names[x]:
                value = f"{value}.copy()"  # the step after next writes over it
            if value != self.names[x]:
                moved.append((self.names[x], value))
        if moved:
            ends.append(" = ".join(", ".join(column) for column in zip(*moved, strict=True)))
        n = self.scan.length
        steps = f"range({n - 1}, -1, -1)" if self.scan.reverse else f"range({n})"
        lines = [*self.head, *body.lines, *ends] or ["pass"]
        self.printer.lines += [
            *self.before, f"for {self.step} in {steps}:", *(f"    {line}" for line in lines),
        ]  # fmt: skip
        for j, final in self.meta.finals.items():
            carry, y = self.names[self.carries[j]], self.nexts[j]
            if final not in self.results:
                self.printer.lines.append(f"{self.printer.new(final)} = {carry}")
            elif self.turns.get(j) is None or body.name.get(y) != self.turns[j]:
                self.printer.lines.append(self._copy(self.results[final], carry))

    def _is_old(self, y: Node) -> bool:
        """Whether a value lies in the memory of a carry before the step."""
        roots = self.body.plan.roots.get(y, frozenset((y,)))
        return self.there(y) and any(r in self.carries for r in roots)


def steps(printer: DevicePrinter, node: Node) -> None:
    """Print a loop."""
    Steps(printer, node)


PRINTERS["steps"] = steps
