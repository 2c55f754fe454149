"""Segments of paths of functions that compute with CuPy's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...arrays import is_cupy, library
from ...control.bodies import Code
from ...graph import Equation, Var
from ..passes import Options
from ..paths import Segment, recording_of, run_by
from ..program import Builder, Node, Program
from ..scans.settling import with_steps
from ..scope import Scope
from . import loops as loops
from .arena import caller
from .clusters import fused
from .meaning import Device, nodes_of, placed_constant
from .parts import apart
from .places import Places, Unfit
from .presence import present
from .printing import DevicePrinter

#: Passes that pay on the host alone: sums as products with ones, places instead of sums.
ON_HOST = frozenset({"sums", "places"})


def _with_steps(program: Program) -> Program:
    """The program with loops that can be printed."""
    return with_steps(apart(program), lambda node: _with_steps(node.meta.body), lay_out=False)


def device_options(options: Options) -> Options:
    """The options of a program for the device."""
    return replace(options, backend="numpy", without=options.without | ON_HOST)


class DeviceSegment(Segment):
    """A part of a path, which calls CuPy."""

    def compile(self, prologue: Sequence[str] = (), scope: Scope | None = None) -> None:
        """Make the code; where a loop can't be code for the device, with operations for loops."""
        self._loops = True
        try:
            super().compile(prologue, scope and scope.copy())
        except Unfit:
            self._loops = False
            super().compile(prologue, scope)

    def _constant(self, b: Builder, value: Any, lonely: bool) -> Node:
        return placed_constant(b, value, lonely, self.recording.numbers.get(id(value)))

    def _nodes(self, b: Builder, e: Equation, ins: tuple[Node, ...]) -> tuple[Node, ...]:
        cls = self.recording.library
        assert cls is not None
        device = Device(cls, self._loops, self._compiled)
        return nodes_of(b, e, ins, self.recording.there, device)

    def _compiled(self, graph: Code, flags: Sequence[bool]) -> Code:
        there, _ = present(graph, flags)
        recording = replace(
            recording_of(graph), there=frozenset(there), library=self.recording.library
        )
        segment = DeviceSegment(recording, 0, [], self._options, self._missing)
        return run_by(segment, graph)

    def _lowered(self) -> tuple[Program, list[Any]]:
        program, wanted = super()._lowered()
        there = self.recording.there
        made = [y for y in wanted if type(y) is not tuple]
        self._results_there = [
            y in there if isinstance(y, Var) else is_cupy(y.value) for y in made
        ]  # fmt: skip
        return program, wanted

    def _printed(self, program: Program, scope: Scope, names: Sequence[str]) -> Any:
        cls = self.recording.library
        assert cls is not None
        variables = [*self.recording.inputs, *self.handed]
        pairs = zip(program.inputs, variables, strict=True)
        there = Places([x for x, v in pairs if v in self.recording.there])
        program = self._filled(program)
        there.check(program)
        printer = DevicePrinter(_with_steps(program), scope, names, there, cls, self._fused)
        self.program = printer.program
        return printer

    def _fused(self, program: Program, there: Places) -> Program:
        if "clusters" in self._options.without:
            return program
        return fused(program, there, not self._options.reassociate)

    def _filled(self, program: Program) -> Program:
        """The program with arrays in place of results that turned out to be numbers."""
        nodes, outputs = [*program.nodes], []
        for y, there in zip(program.outputs, self._results_there, strict=True):
            number = y.ins[0] if y.kind == "broadcast" else y
            if there and number.number is not None:
                y = Node("full", (number,), None, y.shape, y.dtype)
                nodes.append(y)
            outputs.append(y)
        return Program(program.inputs, nodes, outputs)

    def _pool(self, printer: Any, scope: Scope) -> tuple[list[str], str, list[str]] | None:
        if not printer.buffers:
            return None
        host = library(self.recording.library or type(None))
        names = f"({', '.join(printer.buffers.values())},)"
        size = printer.plan.nbytes + printer.below
        make = ["def make():", f"    arena = empty({size}, octets)"]
        for (offset, shape, dtype), name in printer.buffers.items():
            size = dtype.itemsize
            for n in shape:
                size *= n
            bound = scope.bind(dtype, dtype.name)
            part = f"arena[{offset}:{offset + size}].view({bound}).reshape({shape})"
            make.append(f"    {name} = {part}")
        make.append(f"    return {names}")
        scope.names.update(
            pools={}, empty=host.empty, octets=host.uint8, caller=caller(host)
        )  # fmt: skip
        fetch = [
            "who = caller()",
            "try: kept = pools[who].pop()",
            "except (KeyError, IndexError): kept = make()",
            f"{names} = kept",
        ]
        return fetch, "pools.setdefault(who, []).append(kept)", make
