"""Segments of paths of functions that compute with CuPy's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...arrays import is_cupy, library
from ...graph import Equation, Var
from ..passes import Options
from ..paths import Segment
from ..program import Builder, Node, Program
from ..scope import Scope
from .arena import caller
from .clusters import fused
from .meaning import lowered, placed_constant
from .printing import DevicePrinter

#: Passes that pay on the host alone: sums as products with ones, places instead of sums.
ON_HOST = frozenset({"sums", "places"})


def device_options(options: Options) -> Options:
    """The options of a program for the device."""
    return replace(options, backend="numpy", without=options.without | ON_HOST)


class DeviceSegment(Segment):
    """A part of a path, which calls CuPy."""

    def _constant(self, b: Builder, value: Any, lonely: bool) -> Node:
        return placed_constant(b, value, lonely, self.recording.numbers.get(id(value)))

    def _nodes(self, b: Builder, e: Equation, ins: tuple[Node, ...]) -> tuple[Node, ...]:
        cls = self.recording.library
        assert cls is not None
        return lowered(b, e, ins, self.recording.there, cls)

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
        there = {
            x for x, v in zip(program.inputs, variables, strict=True) if v in self.recording.there
        }
        program = self._filled(program)
        if "clusters" not in self._options.without:
            program = fused(program, there, not self._options.reassociate)
        self.program = program
        return DevicePrinter(self.program, scope, names, there, cls)

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
        make = ["def make():", f"    arena = empty({printer.plan.nbytes}, octets)"]
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
