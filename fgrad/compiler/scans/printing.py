"""Printing: a loop as a function of its own, called once.

What a step computes for a later one is written where that will look for it: into the stacked
result, into the carry's track, or into one of two places that take turns.
"""

from __future__ import annotations

from itertools import cycle
from typing import Any

import numpy as np

from ..buffers import is_planned
from ..pools import maker
from ..printing import PRINTERS, Printer
from ..program import Node
from .settling import Settled


class Body(Printer):
    """Prints the body of a loop; `targets` are the places of results, by name."""

    def __init__(
        self, outer: Printer, meta: Settled, names: dict[Node, str], targets: dict[Node, str]
    ) -> None:
        self.targets = targets
        super().__init__(meta.scan.body, outer.scope, names, outer.loose, outer.blocks)

    def _place(self, node: Node) -> str | None:
        if node in self.targets:
            self.name[node] = self.targets[node]
            return self.name[node]
        return super()._place(node)


class Steps:
    """Prints one loop.

    Attributes:
        given: the function's arguments, with what it is called with.
        over: what the loop goes over: names, with expressions.
        head: what comes before the loop.
        turns: numbers of the carries that have two places, which take turns.
    """

    #: What prints its body.
    BODY: type[Body] = Body

    def __init__(self, printer: Printer, node: Node) -> None:
        self.printer, self.node = printer, node
        self.meta: Settled = node.meta
        self.scan = self.meta.scan
        self.given: dict[str, str] = {}
        self.over: dict[str, str] = {}
        self.head: list[str] = []
        self.turns: list[int] = []
        body, scan = self.scan.body, self.scan
        inner = body.inputs[scan.front :]
        c, m = scan.carries, scan.slices
        self.carries, self.nexts = inner[:c], body.outputs[:c]
        names: dict[Node, str] = {}
        if scan.front:
            names[body.inputs[0]] = "n0"
        for k, x in enumerate(self.carries):
            names[x] = f"h{k}"
        for k, x in enumerate(inner[c : c + m]):
            names[x] = f"x{k}"
            self._go_over(f"x{k}", f"X{k}", printer.read(node.ins[c + k]))
        for k, x in enumerate(inner[c + m :]):
            names[x] = f"e{k}"
            self.given[f"e{k}"] = printer.read(node.ins[c + m + k])
        self.targets: dict[Node, str] = {}
        self._place_stacks()
        self._place_carries()
        self.body = self.BODY(printer, self.meta, names, self.targets)
        self._finish()

    def _go_over(self, name: str, whole: str, expression: str, part: str = "") -> None:
        """Let a name stand for the entries of an array in turn."""
        self.given[whole] = expression
        self.over[name] = whole + part + ("[::-1]" if self.scan.reverse else "")

    # ------------------------------------------------------------------ where results go
    def _place_stacks(self) -> None:
        tracks = self.meta.tracks
        for j, track in tracks.items():
            first = "-1" if self.scan.reverse else "0"
            if track.ndim == 1:
                self.given[f"T{j}"] = self.printer.written(track)
                continue
            part = "[:-1]" if self.scan.reverse else "[1:]"
            self._go_over(f"q{j}", f"T{j}", self.printer.written(track), part)
            self.head.append(f"T{j}[{first}] = h{j}")
            if self._is_target(self.nexts[j]):
                self.targets.setdefault(self.nexts[j], f"q{j}")
        for k, stack in self.meta.stacks.items():
            y = self.scan.body.outputs[k]
            if stack.ndim == 1:
                self.given[f"Y{k}"] = self.printer.written(stack)
                continue
            self._go_over(f"z{k}", f"Y{k}", self.printer.written(stack))
            if self._is_target(y):
                self.targets.setdefault(y, f"z{k}")

    def _is_target(self, y: Node) -> bool:
        """Whether a result can be written where it is wanted; a ``put`` may write elsewhere."""
        if y.kind == "made":
            return bool(y.shape)
        return y.kind not in ("input", "put") and is_planned(y) and y.fortran is False

    def _place_carries(self) -> None:
        for j, y in enumerate(self.nexts):
            free = j not in self.meta.tracks and y not in self.targets
            if y.shape and free and self._is_target(y):
                self.turns.append(j)
                self.targets[y] = f"q{j}"

    # ------------------------------------------------------------------ the function
    def _finish(self) -> None:
        body, scan = self.body, self.scan
        ends: list[str] = []
        for k, stack in self.meta.stacks.items():
            value = body.read(scan.body.outputs[k])
            if stack.ndim == 1:
                ends.append(f"Y{k}[i] = {value}")
            elif value != f"z{k}":
                ends.append(f"{self._copyto()}(z{k}, {value})")
        moved: list[tuple[str, str]] = []
        for j, y in enumerate(self.nexts):
            value = body.read(y)
            track = self.meta.tracks.get(j)
            if track is not None and track.ndim == 1:
                ends.append(f"T{j}[i{'' if scan.reverse else ' + 1'}] = {value}")
            elif y.shape and value != f"q{j}" and (track is not None or self._is_old(y)):
                if track is None:
                    self.turns.append(j)
                ends.append(f"{self._copyto()}(q{j}, {value})")
                value = f"q{j}"
            if value != f"h{j}":
                moved.append((f"h{j}", value))
        if moved:
            left, right = (", ".join(names) for names in zip(*moved, strict=True))
            ends.append(f"{left} = {right}")
        for j in self.turns:
            shape, dtype = self.nexts[j].shape, self.nexts[j].dtype
            pair = [body.scratch(("turn", j, side), shape, dtype) for side in (0, 1)]
            self.over[f"q{j}"] = f"{body.scope.bind(cycle, 'cycle')}(({', '.join(pair)}))"
        self._write([*body.lines, *ends])

    def _is_old(self, y: Node) -> bool:
        """Whether a value may lie in a carry's memory, which the step after next writes over."""
        roots = self.body.plan.roots.get(y, frozenset())
        return any(r in self.carries for r in roots)

    def _copyto(self) -> str:
        return self.printer.scope.bind(np.copyto, "copyto")

    def _write(self, lines: list[str]) -> None:
        scan, scope, printer = self.scan, self.printer.scope, self.printer
        n, number = scan.length, len(printer.blocks)
        for j, x in enumerate(self.node.ins[: scan.carries]):
            self.given[f"h{j}"] = printer.read(x)
        steps = f"range({n - 1}, -1, -1)" if scan.reverse else f"range({n})"
        if scan.front:
            lines = [f"n0 = i + {scan.start}" if scan.start else "n0 = i", *lines]
        numbered = scan.front or any(x.ndim == 1 for x in self._results())
        if numbered or len(self.over) == len(self.turns):
            self.over = {"i": steps, **self.over}
        names, arrays = list(self.over), list(self.over.values())
        over = arrays[0] if len(arrays) == 1 else f"zip({', '.join(arrays)})"
        text = [*self.head, f"for {', '.join(names)} in {over}:"]
        text += [f"    {line}" for line in lines or ["pass"]]
        scalars: list[str] = []
        for j, final in self.meta.finals.items():
            if final.shape:
                self.given[f"F{j}"] = printer.written(final)
                text.append(f"{self._copyto()}(F{j}, h{j})")
            else:
                scalars.append(f"h{j}")
        for j, track in self.meta.tracks.items():
            if track.ndim == 1:
                text.insert(0, f"T{j}[{-1 if scan.reverse else 0}] = h{j}")
        text.append(f"return {', '.join(scalars) or None}")
        self._call(number, text, scope)

    def _results(self) -> list[Node]:
        return [*self.meta.stacks.values(), *self.meta.tracks.values()]

    def _call(self, number: int, text: list[str], scope: Any) -> None:
        printer = self.printer
        printer.below += self.body.plan.nbytes + self.body.below
        made = maker(self.body, text, scope, f"make_loop{number}")
        if made is not None:
            lines, names = made
            printer.blocks.append("\n".join(lines))
            view = printer.views.setdefault(f"make_loop{number}()", f"v{len(printer.views)}")
            self.given["kept"] = view
            text = [f"{names} = kept", *text]
        head = f"def loop{number}({', '.join(self.given)}):"
        printer.blocks.append("\n".join([head, *(f"    {line}" for line in text)]))
        call = f"loop{number}({', '.join(self.given.values())})"
        scalars = [printer.new(y) for y in self.meta.finals.values() if not y.shape]
        printer.lines.append(f"{', '.join(scalars)} = {call}" if scalars else call)


def steps(printer: Printer, node: Node) -> None:
    """Print a loop."""
    Steps(printer, node)


PRINTERS["steps"] = steps
