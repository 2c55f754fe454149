"""Compiled functions whose code says which line of the user's each statement computes.

The function is recorded and compiled once more, for itself. While it is recorded, each operation
is noted with its line; the nodes that passes make of it say that it is their origin; and each line
that is printed for a node ends with a comment with the node's number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from ..compiler.jitted import Jitted
from ..compiler.looping import Loop
from ..compiler.native import native_options
from ..compiler.native.kernels import Kernel
from ..compiler.paths import Segment
from ..compiler.printing import PRINTERS, Printer
from ..compiler.program import Node, Program
from ..compiler.recording import Path
from ..compiler.scans.printing import Body, Steps
from ..compiler.scope import Scope
from ..compiler.signature import Signature
from ..compiler.specs import Spec, record
from ..core import WATCH, Params, Primitive
from ..errors import TracerConversionError
from ..kinds import KIND
from ..scopes import SOURCE
from .flops import flops
from .located import Located
from .places import Source, Whereabouts, whereabouts

#: What stands in the printed code before the number of a node.
MARK = "  # @"


class NotedPath(Path):
    """Records operations, each with its line."""

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        before = len(self.equations)
        source = None if p is KIND else self.source(p, operands)  # fgrad's own
        out = super().process(p, operands, params)
        if len(self.equations) > before:
            self.equations[-1] = replace(self.equations[-1], source=source)
        return out


def _mark(marks: list[Node], node: Node, lines: list[str], before: int) -> None:
    """End the lines from a number on with the mark of a node, those that have none."""
    if any(MARK not in line for line in lines[before:]):
        number = len(marks)
        marks.append(node)
        lines[before:] = [
            line if MARK in line else f"{line}{MARK}{number}" for line in lines[before:]
        ]


class MarkedLoop(Loop):
    """Prints a cluster, with a mark at each line of a member."""

    def _member(self, m: Node) -> None:
        before = len(self.body)
        super()._member(m)
        _mark(self.printer.marks, m, self.body, before)  # type: ignore[attr-defined]


class MarkedPrinter(Printer):
    """Prints a program with marks; `marks` are the nodes, by the numbers of their marks."""

    def __init__(self, marks: list[Node], *args: Any, **kwargs: Any) -> None:
        self.marks = marks
        super().__init__(*args, **kwargs)

    def _print(self, node: Node) -> None:
        before = len(self.lines)
        if node.kind == "block":
            MarkedLoop(self, node)
        elif node.kind == "steps":
            MarkedSteps(self, node)
        else:
            PRINTERS[node.kind](self, node)
            if node.kind == "native":  # only the line that calls it, not what hands numbers over
                before = next(k for k, s in enumerate(self.lines) if k >= before and ") or " in s)
                lines = self.lines[before : before + 1]
                _mark(self.marks, node, lines, 0)
                self.lines[before] = lines[0]
            else:
                _mark(self.marks, node, self.lines, before)


class MarkedBody(MarkedPrinter, Body):
    """Prints the body of a loop with marks."""

    def __init__(self, outer: Printer, *args: Any) -> None:
        super().__init__(outer.marks, outer, *args)  # type: ignore[attr-defined]


class MarkedSteps(Steps):
    """Prints a loop with marks; what hands on from step to step has that of the loop."""

    BODY = MarkedBody

    def _write(self, lines: list[str]) -> None:
        _mark(self.printer.marks, self.node, lines, 0)  # type: ignore[attr-defined]
        super()._write(lines)


class NotedSegment(Segment):
    """A segment whose printed lines have marks.

    Attributes:
        marks: their nodes.
        printed: the program as it is printed.
    """

    def _lowered(self) -> tuple[Program, list[Any]]:
        program, wanted = super()._lowered()
        made = {v: e.source for e in self.recording.equations for v in e.outputs}
        handed = program.inputs[len(self.recording.inputs) :]
        for x, var in zip(handed, self.handed, strict=True):
            x.origin = made.get(var)
        return program, wanted

    def _printed(self, program: Program, scope: Scope, names: Sequence[str]) -> Any:
        program = self.printed = self._generated(program)
        known = dict(zip(program.inputs, names, strict=True))
        self.marks: list[Node] = []
        # One thread: a clock is read within loops.
        return MarkedPrinter(self.marks, program, scope, known, self._options.reassociate)


class _Noting(Located):
    """Says where the operations of a function that is being recorded were written."""

    def here(self) -> Whereabouts:
        return whereabouts(_recorded.__code__)


def _recorded(jitted: Jitted, args: Any, kwargs: Any) -> tuple[Signature, Any]:
    """What a function does, as `jit` records it."""
    signature = Signature(jitted._f, args, kwargs, jitted._static, True)
    if signature.opened:
        try:
            return signature, record(jitted._f, signature, NotedPath)[0]
        except TracerConversionError:  # it asks for the values of an array that it captures
            signature = Signature(jitted._f, args, kwargs, jitted._static, False)
    return signature, record(jitted._f, signature, NotedPath)[0]


def noted(jitted: Jitted, spec: Spec, args: Any, kwargs: Any) -> Spec:
    """The programs of a compiled function for such a call, of segments with marks.

    Args:
        jitted: the function.
        spec: its programs for that call.
        args, kwargs: those of the call: plain arrays of NumPy's.
    """

    def made() -> Spec:
        WATCH.set(None)
        SOURCE.set(_Noting("profile", jitted._f).source)
        signature, recording = _recorded(jitted, args, kwargs)
        options = spec.options
        if options.backend == "auto":
            options = replace(options, backend="numpy")
            if spec.root.native is not None:
                options = native_options(options)
        return Spec(
            jitted._f, signature, recording, options, jitted._max_paths, jitted._strict,
            jitted._lock, NotedSegment,
        )  # fmt: skip

    return copy_context().run(made)


# ------------------------------------------------------------------ what nodes are made of
def steps(nodes: Sequence[Node], times: int = 1) -> Iterator[tuple[Node, int]]:
    """Operations, with those inside of loops of known length, and how often each is done."""
    for node in nodes:
        if node.kind == "scan":
            yield from steps(node.meta.body.nodes, times * node.meta.length)
        else:
            yield node, times


def parts(node: Node) -> Sequence[Node]:
    """The operations that a node stands for: those of a kernel or of a cluster, or itself."""
    return node.meta.members if node.kind in ("native", "block") else [node]


def origin(node: Node) -> Source | None:
    """Where a node's operation was written; that of what it reads, if a pass has made it."""
    if node.origin is not None:
        return node.origin
    return next((x.origin for x in node.ins if x.origin is not None), None)


#: Ufuncs that take about as long as their arithmetic; others take eight times as long.
_QUICK = frozenset(
    (
        np.add, np.subtract, np.multiply, np.negative, np.maximum, np.minimum, np.absolute,
        np.sign, np.less, np.greater, np.less_equal, np.greater_equal, np.equal, np.not_equal,
    )
)  # fmt: skip


def work(node: Node) -> int:
    """What an operation takes, relative to others of the same machine code; an estimate."""
    slow = node.kind == "ufunc" and node.meta not in _QUICK
    return (arithmetic(node) or 0) * (8 if slow else 1) + node.size


#: Kinds that move elements.
MOVES = frozenset(
    ("broadcast", "cast", "index", "made", "pick", "reshape", "stack", "transpose", "where")
)


def arithmetic(node: Node) -> int | None:
    """The floating-point operations of a node; None if that isn't known."""
    kind, shapes = node.kind, [x.shape for x in node.ins]
    if kind in MOVES:
        return 0
    if kind == "inner":
        return 2 * prod(shapes[0])
    if kind in ("reduce", "put"):
        return prod(shapes[0 if kind == "reduce" else 1])
    if kind in ("dot", "matmul"):
        return flops(kind, shapes, node.shape, {})
    if kind == "ufunc":
        return prod(node.shape)
    if kind == "call":
        p = node.meta.primitive
        return flops(p.name, shapes, node.shape, node.meta.params)
    return None


# ------------------------------------------------------------------ memory for the way back
_VIEWS = frozenset(("transpose", "reshape", "index"))


def _base(x: Node) -> Node:
    while x.kind in _VIEWS:
        x = x.ins[0]
    return x


def _sources(program: Program) -> dict[Node, Source | None]:
    """Where what a program computes was written, by node; arguments aren't there."""
    out: dict[Node, Source | None] = {}
    for node in program.nodes:
        if node.kind == "steps":
            meta, outputs = node.meta, node.meta.scan.body.outputs
            for k, made in (*meta.finals.items(), *meta.stacks.items(), *meta.tracks.items()):
                out[made] = outputs[k].origin or node.origin
        for x in (*parts(node), *(node.meta.made if node.kind == "native" else ())):
            out[x] = origin(x)
    return out


def saved(program: Program) -> list[tuple[Source, int]]:
    """The arrays that a program's way back reads and its way forward has: whose, and their bytes.

    An argument counts for the first operation forward that reads it, other arrays for those that
    make them. What only one loop over large arrays reads and makes is never an array. Machine code
    keeps what is inside of it in its workspace: if that has less room, each gets its share.
    """
    sources = _sources(program)
    first: dict[Node, Source] = {}
    kept: dict[Node, Source] = {}
    alias: dict[Node, Node] = {}
    inside: dict[Node, Kernel] = {}
    for node in program.nodes:
        own = set(parts(node)) if node.kind == "block" else set()
        if node.kind == "native":
            kernel = node.meta
            alias.update(zip(kernel.made, kernel.results, strict=True))
            inside.update(dict.fromkeys(set(kernel.members).difference(kernel.results), kernel))
        for part in parts(node):
            mine = sources.get(part) or origin(part)
            if mine is None:
                continue
            for x in map(_base, part.ins):
                x = alias.get(x, x)
                made = sources.get(x) or x.origin
                if x.kind == "literal" or x in own or not x.shape:
                    continue
                if mine.phase != "backward":
                    first.setdefault(x, mine)
                elif made is None and x in first:
                    kept.setdefault(x, first[x])
                elif made is not None and made.phase == "forward":
                    kept.setdefault(x, made)
    wanted = Counter[Kernel]()
    for x in kept:
        if x in inside:
            wanted[inside[x]] += _nbytes(x)
    out = []
    for x, source in kept.items():
        nbytes = _nbytes(x)
        if x in inside:
            room = inside[x].nbytes
            nbytes = min(nbytes, nbytes * room // wanted[inside[x]])
        out.append((source, nbytes))
    return out


def _nbytes(x: Node) -> int:
    return int(x.size * x.dtype.itemsize)
