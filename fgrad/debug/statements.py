"""The time of each statement of a compiled function, and the user's line that it belongs to.

The generated source is compiled once more with a clock around each statement, in a copy of its
names; a second copy, which runs once, notes what each statement calls and with which shapes. What
machine code does is one statement, whose time is shared among its operations by their arithmetic.
"""

from __future__ import annotations

import ast
import linecache
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import numpy as np

from ..arrays import is_a, is_array
from ..compiler.jitted import Jitted
from ..compiler.paths import Segment
from ..compiler.program import Node
from ..compiler.specs import Spec
from ..core import PRIMITIVES
from .flops import flops
from .noted import (
    MARK,
    MOVES,
    NotedSegment,
    arithmetic,
    noted,
    origin,
    parts,
    saved,
    steps,
    work,
)  # fmt: skip
from .places import Line, Source

_serial = count().__next__

#: What generated code calls that computes nothing.
_SMALL = frozenset(
    (
        "append", "copied", "cycle", "get", "items", "keys", "len", "make", "memory", "min", "own",
        "pop", "range", "together", "type", "values", "zip",
    )
)  # fmt: skip

#: How functions that are parts of a program are called: of a long one, and loops.
_PARTS = ("block", "chunk", "loop")

#: What operators between numbers are called.
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Lt: "less",
    ast.Gt: "greater", ast.LtE: "less_equal", ast.GtE: "greater_equal", ast.Eq: "equal",
    ast.NotEq: "not_equal",
}  # fmt: skip


class _Clocked(ast.NodeTransformer):
    """Puts a clock around each statement of ``run``, its chunks and its loops."""

    def __init__(self, first: int, wanted: Callable[[int], bool]) -> None:
        self.first, self.lines = first, list[int]()
        self._wanted = wanted
        #: Statements that are one operator between numbers.
        self.operators: dict[int, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if node.name == "run" or node.name.startswith(_PARTS):
            node.body = self._clocked(node.body)
        return node

    def _clocked(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        body: list[ast.stmt] = []
        for statement in statements:
            outer = isinstance(statement, (ast.For, ast.With))
            if isinstance(statement, (ast.For, ast.With)):
                statement.body = self._clocked(statement.body)
            if outer or _is_part(statement) or not self._wanted(statement.lineno):
                body.append(statement)
                continue
            if isinstance(statement, ast.Return) and statement.value is not None:
                if isinstance(statement.value, ast.Call) and _goes_on(statement.value):
                    body.append(statement)
                    continue
                value = ast.Assign([ast.Name("_result", ast.Store())], statement.value)
                body += [*self._timed(value, statement), *ast.parse("return _result").body]
            else:
                body += self._timed(statement, statement)
        return body

    def _timed(self, statement: ast.stmt, original: ast.stmt) -> list[ast.stmt]:
        k = self.first + len(self.lines)
        self.lines.append(original.lineno)
        value = original.value if isinstance(original, ast.Assign) else None
        if isinstance(value, (ast.BinOp, ast.Compare)):
            op = value.op if isinstance(value, ast.BinOp) else value.ops[0]
            self.operators[k] = _OPERATORS.get(type(op), "operator")
        before, after = ast.parse(f"_start = _begin()\n_note({k}, _clock() - _start)").body
        return [before, statement, after]


def _is_part(statement: ast.stmt) -> bool:
    """Whether a statement calls a part of the program, whose statements have clocks."""
    value = statement.value if isinstance(statement, (ast.Assign, ast.Expr)) else None
    name = value.func if isinstance(value, ast.Call) else None
    return isinstance(name, ast.Name) and name.id.startswith(_PARTS)


def _goes_on(call: ast.Call) -> bool:
    """Whether a call hands on to the next part of a path."""
    return isinstance(call.func, ast.IfExp)


class _Listening(ast.NodeTransformer):
    """Has each call noted, with its operands."""

    def visit_Call(self, node: ast.Call) -> ast.Call:
        self.generic_visit(node)
        if _goes_on(node):
            return node
        return ast.Call(ast.Name("_call", ast.Load()), [node.func, *node.args], node.keywords)


#: Line, operation and phase.
Key = tuple[Line | None, str, str]

#: Calls, seconds, bytes saved, flops.
Numbers = tuple[int, float, int, int | None]


class _Share:
    """What a statement computes of an operation of the user's, or the statement itself.

    Attributes:
        key, stack: of the row, and of the flame graph.
        part: of the statement's time.
        calls, number: operations and arithmetic of a part; else it is what the statement calls.
    """

    def __init__(
        self, key: Key, stack: tuple[str, ...], part: float = 1.0, calls: int | None = None,
        number: int | None = None,
    ) -> None:  # fmt: skip
        self.key, self.stack, self.part = key, stack, part
        self.calls, self.number = calls, number


def _place(source: Source) -> tuple[Key, tuple[str, ...]]:
    stack = source.stack
    key = (stack[0] if stack else None, source.operation, source.phase)
    calls = [f"{x.function} ({x})" for x in reversed(stack)]
    return key, (source.phase, *calls, source.operation)


def _shares(node: Node, text: str) -> list[_Share]:
    """Whose time that of a node's statement is; nobody's if it was written nowhere."""
    if node.kind != "native":
        source = origin(node)
        if source is None:
            return []
        key, stack = _place(source)
        return [_Share(key, (*stack, text))]
    found = [(x, n, s) for x, n in steps(parts(node)) if (s := origin(x)) is not None]
    numbers = [arithmetic(x) for x, _, _ in found]
    weights = [n * work(x) for x, n, _ in found]
    total = sum(weights) or 1
    out = []
    for (x, times, source), number, weight in zip(found, numbers, weights, strict=True):
        key, stack = _place(source)
        calls = 0 if x.kind in MOVES else times
        count = None if number is None else times * number
        out.append(_Share(key, (*stack, text), weight / total, calls, count))
    return out


class _Part:
    """A segment of a path with a clock in it, and those that follow it."""

    def __init__(self, segment: Segment, listening: bool, notes: _Notes) -> None:
        text = segment.source
        module = ast.parse(text)
        marks = segment.marks if isinstance(segment, NotedSegment) else None
        lines = text.splitlines()

        def whose(number: int, file: str = "") -> list[_Share]:
            line, _, mark = lines[number - 1].partition(MARK)
            if marks is None:
                place = Line(file, number, "compiled")
                return [_Share((place, "", "compiled"), ("compiled", f"{number}: {line.strip()}"))]
            return _shares(marks[int(mark)], line.strip()) if mark else []

        clocked = _Clocked(len(notes.shares), lambda number: bool(whose(number)))
        module = ast.fix_missing_locations(clocked.visit(module))
        if listening:
            module = ast.fix_missing_locations(_Listening().visit(module))
        file = f"<jit {_serial()}>"
        linecache.cache[file] = len(text), None, text.splitlines(True), file
        notes.shares += [whose(n, file) for n in clocked.lines]
        notes.called |= {k: [(op, 1)] for k, op in clocked.operators.items()}
        if isinstance(segment, NotedSegment):
            here = range(clocked.first, len(notes.shares))
            notes.saved.append((here, saved(segment.printed)))
        names = dict(segment.scope.names)
        notes.names |= {id(x): n[5:] for n, x in names.items() if n.startswith("call_")}
        begin = notes.begin if listening else time.perf_counter_ns
        names.update(_begin=begin, _clock=time.perf_counter_ns, _note=notes.note, _call=notes.call)
        for answer, child in segment.children.items():
            names["yes" if answer else "no"] = _Part(child, listening, notes).code
        exec(compile(module, file, "exec"), names)
        self.code: Callable[..., Any] = names["run"]


class _Notes:
    """What the statements of a run have taken."""

    def __init__(self) -> None:
        self.shares: list[list[_Share]] = []
        #: What is saved by the statements with some numbers.
        self.saved: list[tuple[range, list[tuple[Source, int]]]] = []
        #: Names of implementations, by id.
        self.names: dict[int, str] = {}
        self.seconds: dict[int, float] = {}
        self.times: dict[int, int] = {}
        self.calls: list[tuple[str, int | None]] = []
        self.called: dict[int, list[tuple[str, int | None]]] = {}
        self.cost = 0

    def begin(self) -> int:
        """The clock, before a statement; what others have called is none of its business."""
        self.calls = []
        return time.perf_counter_ns()

    def note(self, k: int, nanoseconds: int) -> None:
        """The time of a statement; a listening run has collected what it has called."""
        self.seconds[k] = self.seconds.get(k, 0.0) + max(nanoseconds - self.cost, 0) / 1e9
        self.times[k] = self.times.get(k, 0) + 1
        if self.calls:
            self.called.setdefault(k, []).extend(self.calls)
            self.calls = []

    def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call, noted with its arithmetic."""
        if fn is time.perf_counter_ns or getattr(fn, "__self__", None) is self:
            return fn(*args, **kwargs)
        name = _IMPLEMENTATIONS.get(id(fn)) or self.names.get(id(fn)) or _name(fn)
        operands = [x for x in args if hasattr(x, "shape") or is_a(x, (int, float))]
        owner = getattr(fn, "__self__", None)
        if is_a(owner, np.ndarray):
            operands = [owner, *operands]
        shapes = [np.shape(x) for x in operands]
        out = fn(*args, **kwargs)
        if name.startswith(("block", *_PARTS)) or name in _SMALL:
            return out
        first = out[0] if isinstance(out, tuple) and out else out
        answer = np.shape(first if is_array(first) else operands[-1] if operands else ())
        if isinstance(fn, np.ufunc):
            shapes = shapes[: fn.nin]
        self.calls.append((name, flops(name, shapes[:2] if name == "dot" else shapes, answer, {})))
        return out


def _name(fn: Any) -> str:
    owner = getattr(fn, "__self__", None)
    if isinstance(owner, np.ufunc):
        return f"{owner.__name__}.{fn.__name__}"
    return str(getattr(fn, "__name__", type(fn).__name__))


_IMPLEMENTATIONS = {id(p.impl): name for name, p in PRIMITIVES.items()
                    if not isinstance(p.impl, np.ufunc)}  # fmt: skip


class Clocked:
    """A compiled function with a clock in it, for one kind of call.

    Args:
        jitted: the function.
        spec: its programs for that kind of call.
        args, kwargs: of such a call: plain arrays.
    """

    def __init__(self, jitted: Jitted, spec: Spec, args: Any, kwargs: Any) -> None:
        self._plain = spec
        self._spec = spec if spec.signature.library else noted(jitted, spec, args, kwargs)
        self._listening = _Notes()
        _Part(self._spec.root, True, self._listening).code(*args, **kwargs)
        self._notes = _Notes()
        self._part = _Part(self._spec.root, False, self._notes)
        tick = [time.perf_counter_ns() for _ in range(201)]
        self._notes.cost = int(np.median(np.diff(tick)))

    def takes(self, args: Any, kwargs: Any) -> bool:
        """Whether the programs are made for such a call."""
        return self._plain.takes(args, kwargs)

    def __call__(self, args: Any, kwargs: Any) -> Any:
        """The function's result."""
        self._notes.seconds, self._notes.times = {}, {}
        return self._part.code(*args, **kwargs)

    def entries(self) -> tuple[dict[Key, Numbers], dict[tuple[str, ...], float]]:
        """What the latest call has taken: by line, operation and phase, and by stack."""
        entries: dict[Key, Numbers] = {}
        stacks: dict[tuple[str, ...], float] = {}
        for k, seconds in self._notes.seconds.items():
            heard = self._listening.called.get(k, [])
            times = self._notes.times[k]
            for share in self._notes.shares[k]:
                key, count, number = share.key, len(heard), _sum([n for _, n in heard])
                if share.calls is not None:
                    count = times * share.calls
                    number = None if share.number is None else times * share.number
                elif not key[1]:
                    names = dict.fromkeys(name for name, _ in heard)
                    key, count = (key[0], ", ".join(names) or "Python", key[2]), times
                mine = seconds * share.part
                _add(entries, key, (count, mine, 0, number))
                stacks[share.stack] = stacks.get(share.stack, 0.0) + mine
        for statements, kept in self._notes.saved:
            if any(k in self._notes.seconds for k in statements):
                for source, nbytes in kept:
                    _add(entries, _place(source)[0], (0, 0.0, nbytes, 0))
        return entries, stacks


def _sum(numbers: Sequence[int | None]) -> int | None:
    return None if None in numbers else sum(n or 0 for n in numbers)


def _add(entries: dict[Key, Numbers], key: Key, more: Numbers) -> None:
    calls, seconds, nbytes, number = entries.get(key, (0, 0.0, 0, 0))
    entries[key] = (
        calls + more[0], seconds + more[1], nbytes + more[2], _sum([number, more[3]])
    )  # fmt: skip


def clocked(jitted: Jitted, args: Any, kwargs: Any) -> Clocked | None:
    """A compiled function with a clock; None if no program is made for such a call."""
    jitted(*args, **kwargs)
    for spec in reversed(jitted._specs):
        if spec.takes(args, kwargs):
            return Clocked(jitted, spec, args, kwargs)
    return None
