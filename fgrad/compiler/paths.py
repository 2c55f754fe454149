"""Paths: a function that asks for truth values is a tree of straight programs.

Each segment of the tree runs up to the next truth value and hands on to one of two segments. What
was never taken is not there: the function is recorded again, and the rest of that path compiled.
Values that cross from one segment to the next are handed over; what a later branch wants besides
is computed again from the inputs.

The bodies of loops and branches that were recorded as one operation are segments of their own,
compiled once however often they run.
"""

from __future__ import annotations

import linecache
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any
from weakref import finalize

import numpy as np

from .. import tree
from ..control.bodies import Code
from ..control.folds import SCAN
from ..core import Params
from ..graph import Const, Equation, Var
from .chunks import chunks, execute
from .formulas import formula_of, inlined, takes_apart
from .held import is_held_elsewhere
from .layouts import laid_out
from .lowering import alone, constant, constants_of, lower
from .native import Generated, generate, numpy_options
from .passes import Options, has_effect, live
from .pools import maker
from .printing import Printer
from .products import combined
from .program import Builder, Node, Program, happens
from .recording import Guard
from .scans.optimizing import optimized
from .scans.scan import count, scan_nodes
from .scans.settling import settled
from .scope import Scope
from .spelling import of_kind
from .threads import allowed
from .unpacking import packed


@dataclass
class Recording:
    """What a run of the function did.

    Attributes:
        inputs: the variables of the traced leaves.
        equations, guards: its operations, and the truth values that it asked for.
        outputs: a variable or a constant for each leaf of the result.
        structure: the result's.
        orders, names: of the inputs.
        errors: what the function sets by `numpy.errstate`.
        lonely: ids of constants that only this recording holds.
        there: the variables whose values are on a device; `library` is the class of its arrays.
        kept: arrays of the device that the function read besides its arguments; `numbers` are
            those that copies of them are throughout, by their ids.
        kinds: of which kind each leaf of the result is, if it is a number; see `kinds.kind_of`.
    """

    inputs: list[Var]
    equations: list[Equation]
    guards: list[Guard]
    outputs: list[Any]
    structure: Any
    orders: list[bool | None]
    names: list[str]
    errors: dict[str, Any] = field(default_factory=dict)
    lonely: set[int] = field(default_factory=set)
    there: frozenset[Var] = frozenset()
    library: type | None = None
    kept: list[Any] = field(default_factory=list)
    numbers: dict[int, Any] = field(default_factory=dict)
    kinds: list[type | None] = field(default_factory=list)

    def find_lonely(self) -> None:
        """Note which constants nobody else holds. To be called when the function has let go."""
        constants = constants_of(self.equations)
        flags = alone(constants)
        self.lonely = {id(c.value) for c, a in zip(constants, flags, strict=True) if a}

    def reads_others(self) -> bool:
        """Whether somebody else holds one of the device's arrays that it has read, as it was."""
        return is_held_elsewhere(self.kept)

    def crossing(self, position: int) -> list[Var]:
        """The variables that are made before a position and read after it."""
        read = [a for e in self.equations[position:] for a in e.operands if isinstance(a, Var)]
        read += [g.var for g in self.guards if g.position >= position]
        read += [y for y in self.outputs if isinstance(y, Var)]
        before = {v for e in self.equations[:position] for v in e.outputs}
        return [v for v in dict.fromkeys(read) if v in before]

    def follows(self, other: Recording, depth: int, position: int) -> bool:
        """Whether it gets to a truth value of another recording."""
        if other is self:
            return True
        known = depth < len(self.guards) and self.guards[depth].position == position
        return known and self.like(other, position)

    def like(self, other: Recording, position: int) -> bool:
        """Whether two recordings do the same up to a position."""
        mine, theirs = self.equations[:position], other.equations[:position]
        return len(mine) == len(theirs) and all(map(_alike, mine, theirs))


def _alike(a: Equation, b: Equation) -> bool:
    def numbers(e: Equation) -> list[Any]:
        operands = [x.number if isinstance(x, Var) else None for x in e.operands]
        return [e.primitive, operands, [v.number for v in e.outputs]]

    return numbers(a) == numbers(b)


class Segment:
    """A part of a path, from one truth value to the next, or to the result.

    Attributes:
        recording: the path that it was first compiled for.
        position: where it begins among the equations.
        guard: the number of the truth value that it ends with; None at the end of the path.
        children: what follows for either answer.
        code: ``code(args, kwargs, *inputs, *handed)``.
    """

    def __init__(
        self, recording: Recording, depth: int, handed: Sequence[Var], options: Options,
        missing: Callable[..., Any],
    ) -> None:  # fmt: skip
        self.recording, self.depth = recording, depth
        self.children: dict[bool, Segment] = {}
        guards = recording.guards
        self.start = guards[depth - 1].position if depth else 0
        self.guard = guards[depth] if depth < len(guards) else None
        self.end = self.guard.position if self.guard else len(recording.equations)
        self.handed = list(handed)
        self.exports = recording.crossing(self.end) if self.guard else []
        self.taken: Counter[str] = Counter()
        self.before = self.after = self.nbytes = 0
        # What decides a truth value is computed to the last bit as the function computes it.
        self._options = options if self.guard is None else replace(options, reassociate=False)
        self._missing = missing
        self.native: Generated | None = None
        self.program: Program | None = None

    def compile(self, prologue: Sequence[str] = (), scope: Scope | None = None) -> None:
        """Make the code; with a prologue, code that is called as the user calls the function."""
        recording = self.recording
        program, outs = self._lowered()
        self.before = count(program)
        program, self.taken = optimized(program, self._options)
        self.after = count(program)
        scope = scope or Scope()
        names = [*recording.names, *(f"h{k}" for k in range(len(self.handed)))]
        printer = self._printed(program, scope, names)
        program = printer.program
        self.nbytes = printer.plan.nbytes + printer.below
        results = [
            printer.result(y, [*program.outputs[:k], *program.outputs[k + 1 :]])
            for k, y in enumerate(program.outputs)
        ]
        keep = self._pool(printer, scope)
        kept = [*printer.buffers.values(), *printer.views.values()]
        shorter, lines = chunks(printer.lines, [*names, *kept], results)
        if recording.errors and lines:
            errstate, errors = (
                scope.bind(np.errstate, "errstate"),
                scope.bind(recording.errors, "e"),
            )
            lines = [f"with {errstate}(**{errors}):", *(f"    {line}" for line in lines)]
        if keep:
            lines = [*keep[0], *lines]
        if self.guard is None:
            arrays = iter(zip(results, program.outputs, strict=True))
            parts = [
                of_kind(*next(arrays), kind, scope)
                if isinstance(y, (Var, Const))
                else scope.bind(y[0], "fixed")
                for y, kind in zip_longest(outs, recording.kinds)
            ]
            result = packed(recording.structure, parts, scope)
            if keep:
                lines += [f"result = {result}", keep[1]]
                result = "result"
            lines.append(f"return {result}")
        else:
            lines.append(f"truth = {results[0]}")
            handed = [f"e{k}" for k in range(len(self.exports))]
            if handed:
                lines.append(f"{', '.join(handed)}{',' * (len(handed) == 1)} = "
                             f"{', '.join(results[1:])}{',' * (len(handed) == 1)}")  # fmt: skip
            if keep:
                lines.append(keep[1])
            follow = ", ".join(["args", "kwargs", *recording.names, *handed])
            lines.append(f"return (yes if truth else no)({follow})")
            for answer, name in ((True, "yes"), (False, "no")):
                scope.names[name] = self._absent(answer)
        head = (
            "def run(*args, **kwargs):" if prologue
            else f"def run({', '.join(['args', 'kwargs', *names])}):"
        )  # fmt: skip
        functions = [*printer.blocks, *shorter]
        if keep:
            functions.append("\n".join(keep[2]))
        functions.append("\n".join([head, *(f"    {line}" for line in (*prologue, *lines))]))
        self.source, file = execute(functions, scope.names)
        finalize(self, linecache.cache.pop, file, None)
        self.scope, self.code = scope, scope.names["run"]
        if self._missing is not _absent:
            self.program = None  # only those of loops' bodies are asked for

    def _printed(self, program: Program, scope: Scope, names: Sequence[str]) -> Any:
        """The program as lines of Python, with what they need."""
        program = self._generated(program)
        known = dict(zip(program.inputs, names, strict=True))
        return Printer(
            program, scope, known, self._options.reassociate,
            threads=allowed(self._options.threads),
        )  # fmt: skip

    def _pool(self, printer: Any, scope: Scope) -> tuple[list[str], str, list[str]] | None:
        """Lines that fetch buffers, put them back, and make them."""
        made = maker(printer, printer.lines, scope, "make")
        if made is None:
            return None
        make, every = made
        scope.names["pool"] = []
        fetch = ["try: kept = pool.pop()", "except IndexError: kept = make()", f"{every} = kept"]
        return fetch, "pool.append(kept)", make

    def _generated(self, program: Program) -> Program:
        """The program as it is to be printed: with machine code, or blocks and loops, in it."""
        self.program = program
        if self._options.backend == "native" and not self.recording.errors:
            self.native = generate(program, self._options, self._again)
            if self.native.kernels:
                return self.native.program
            program, self.taken = optimized(self._lowered()[0], numpy_options(self._options))
        if self._options.reassociate:
            program = laid_out(combined(program))
        return settled(program, self._options)

    def _again(self, code: Code) -> tuple[Code, Sequence[Any]] | None:
        """The body of a loop of NumPy's, or a branch, with machine code in it; None if none is."""
        new = compiled(code, self._options)
        made = new.body.segment.native  # type: ignore[attr-defined]
        return (new, made.kernels) if made is not None and made.kernels else None

    def _absent(self, answer: bool) -> Callable[..., Any]:
        def absent(args: Any, kwargs: Any, *values: Any) -> Any:
            return self._missing(self, answer, args, kwargs)

        return absent

    def handed_to(self, recording: Recording) -> list[Var]:
        """What is handed on, as variables of another recording of the same beginning."""
        if recording is self.recording:
            return self.exports
        mine = {v.number: v for e in recording.equations[: self.end] for v in e.outputs}
        return [mine[v.number] for v in self.exports]

    def attach(self, answer: bool, child: Segment) -> None:
        """Enter what follows for an answer."""
        self.children[answer] = child
        self.scope.names["yes" if answer else "no"] = child.code

    def _lowered(self) -> tuple[Program, list[Any]]:
        """The nodes of the segment, and its results: those of the path, or what it hands on."""
        recording = self.recording
        b = Builder({}, share=False)
        env: dict[Var, Node] = {}
        inputs: list[Node] = []
        leaves = zip(recording.inputs, recording.orders, recording.names, strict=True)
        for var, order, name in leaves:
            like = Node("input", (), None, var.aval.shape, var.aval.dtype, var.weak, order)
            like.name = name
            env[var] = b.input(len(inputs), like)
            inputs.append(env[var])
        for var in self.handed:
            like = Node("input", (), None, var.aval.shape, var.aval.dtype, var.weak, False)
            env[var] = b.input(len(inputs), like)
            inputs.append(env[var])
        if self.guard is not None:
            wanted: list[Any] = [self.guard.var, *self.exports]
        else:
            wanted = recording.outputs
        needed = {a for a in wanted if isinstance(a, Var)}
        mine = []
        for k in range(self.end - 1, -1, -1):
            e = recording.equations[k]
            effect = k >= self.start and happens(e.primitive, e.params)
            if effect or any(v in needed and v not in env for v in e.outputs):
                needed.update(a for a in e.operands if isinstance(a, Var))
                mine.append(e)

        def read(a: Var | Const) -> Node:
            if isinstance(a, Var):
                return env[a]
            return self._constant(b, a.value, id(a.value) in recording.lonely)

        for e in reversed(mine):
            b.origin = e.source
            answers = self._nodes(b, e, tuple(map(read, e.operands)))
            env.update(zip(e.outputs, answers, strict=True))
        outputs = [read(y) for y in wanted if isinstance(y, (Var, Const))]
        nodes = live(b.nodes, [*outputs, *filter(has_effect, b.nodes)])
        return Program(inputs, nodes, outputs), wanted

    def _constant(self, b: Builder, value: Any, lonely: bool) -> Node:
        return constant(b, value, lonely)

    def _nodes(self, b: Builder, e: Equation, ins: tuple[Node, ...]) -> tuple[Node, ...]:
        return lowered(b, e, ins, self._options)


# ------------------------------------------------------------------ graphs inside of operations
def lowered(b: Builder, e: Equation, ins: tuple[Node, ...], options: Options) -> tuple[Node, ...]:
    """The nodes of an equation's answers; loops of known length have programs as their bodies."""

    def within(b: Builder, e: Equation, ins: tuple[Node, ...]) -> tuple[Node, ...]:
        return lowered(b, e, ins, options)

    nodes = None
    if e.primitive is SCAN:
        nodes = scan_nodes(b, e, ins, within)
    elif takes_apart(e.primitive, ins, options):
        graph = formula_of(e.primitive, e.params, ins)
        nodes = None if graph is None else inlined(b, e, graph, ins, within)
    if nodes is not None:
        return nodes
    return lower(b, e, ins, with_bodies(e.params, numpy_options(options)))


def with_bodies(params: Params, options: Options) -> Params:
    """The params of an operation, with compiled code in place of the graphs among them."""
    return {k: compiled(v, options) if type(v) is Code else v for k, v in params.items()}


def compiled(graph: Code, options: Options) -> Code:
    """A graph that runs as compiled code."""
    return run_by(Segment(recording_of(graph), 0, [], options, _absent), graph)


def recording_of(graph: Code) -> Recording:
    """A graph as a run of a function that asked for no truth value."""
    structure = tree.structure([0] * len(graph.outputs))
    recording = Recording(
        list(graph.inputs), list(graph.equations), [], list(graph.outputs), structure,
        [False] * len(graph.inputs), [f"x{k}_" for k in range(len(graph.inputs))],
    )  # fmt: skip
    # A graph has copies of what its function captured.
    captured = [a for e in graph.equations for a in e.operands if isinstance(a, Const)]
    recording.lonely = {id(a.value) for a in captured}
    return recording


def run_by(segment: Segment, graph: Code) -> Code:
    """The graph, run by the code of a segment that is compiled for it."""
    segment.compile()
    out = Code(
        graph.name, graph.inputs, graph.equations, graph.outputs, graph.in_structure,
        graph.out_structure,
    )  # fmt: skip
    out.body = _runner(segment)  # type: ignore[assignment]
    return out


def _runner(segment: Segment) -> Callable[[Any], Any]:
    code = segment.code

    def run(leaves: Any) -> Any:
        return code(None, None, *leaves)

    run.segment = segment  # type: ignore[attr-defined]
    return run


def _absent(*args: Any) -> None:
    """A graph asks for no truth values, so no branch is missing."""
