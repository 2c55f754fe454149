"""The time of each statement of a compiled function.

The generated source is compiled once more with a clock around each statement, in a copy of its
names; a second copy, which runs once, notes what each statement calls and with which shapes.
"""

from __future__ import annotations

import ast
import linecache
import time
from collections.abc import Callable
from itertools import count
from typing import Any

import numpy as np

from ..arrays import is_array
from ..compiler.jitted import Jitted
from ..compiler.paths import Segment
from ..core import PRIMITIVES
from .flops import flops
from .places import Line

_serial = count().__next__

#: What generated code calls that computes nothing.
_SMALL = frozenset(
    (
        "append", "copied", "cycle", "get", "items", "keys", "len", "make", "memory", "min", "own",
        "pop", "range", "together", "type", "values", "zip",
    )
)  # fmt: skip

#: How functions that are parts of a program are called: of a long one, and loops.
_PARTS = ("chunk", "loop")

#: What operators between numbers are called.
_OPERATORS: dict[type[ast.AST], str] = {
    ast.Add: "add", ast.Sub: "subtract", ast.Mult: "multiply", ast.Div: "divide", ast.Lt: "less",
    ast.Gt: "greater", ast.LtE: "less_equal", ast.GtE: "greater_equal", ast.Eq: "equal",
    ast.NotEq: "not_equal",
}  # fmt: skip


class _Clocked(ast.NodeTransformer):
    """Puts a clock around each statement of ``run``, its chunks and its loops."""

    def __init__(self, first: int) -> None:
        self.first, self.lines = first, list[int]()
        #: Statements that are one operator between numbers.
        self.operators: dict[int, str] = {}

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        if node.name == "run" or node.name.startswith(_PARTS):
            node.body = self._clocked(node.body)
        return node

    def _clocked(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        body: list[ast.stmt] = []
        for statement in statements:
            if isinstance(statement, ast.For):
                statement.body = self._clocked(statement.body)
            if isinstance(statement, ast.For) or _is_part(statement):
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
        before, after = ast.parse(f"_start = _clock()\n_note({k}, _clock() - _start)").body
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


class _Part:
    """A segment of a path with a clock in it, and those that follow it."""

    def __init__(self, segment: Segment, listening: bool, notes: _Notes) -> None:
        module = ast.parse(segment.source)
        clocked = _Clocked(len(notes.lines))
        module = ast.fix_missing_locations(clocked.visit(module))
        if listening:
            module = ast.fix_missing_locations(_Listening().visit(module))
        file = f"<jit {_serial()}>"
        text = segment.source
        linecache.cache[file] = len(text), None, text.splitlines(True), file
        notes.lines += [Line(file, n, "compiled") for n in clocked.lines]
        notes.called |= {k: [(op, 1)] for k, op in clocked.operators.items()}
        names = dict(segment.scope.names)
        notes.names |= {id(x): n[5:] for n, x in names.items() if n.startswith("call_")}
        names.update(_clock=time.perf_counter_ns, _note=notes.note, _call=notes.call)
        for answer, child in segment.children.items():
            names["yes" if answer else "no"] = _Part(child, listening, notes).code
        exec(compile(module, file, "exec"), names)
        self.code: Callable[..., Any] = names["run"]


class _Notes:
    """What the statements of a run have taken."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        #: Names of implementations, by id.
        self.names: dict[int, str] = {}
        self.seconds: dict[int, float] = {}
        self.calls: list[tuple[str, int | None]] = []
        self.called: dict[int, list[tuple[str, int | None]]] = {}
        self.cost = 0

    def note(self, k: int, nanoseconds: int) -> None:
        """The time of a statement; a listening run has collected what it has called."""
        self.seconds[k] = self.seconds.get(k, 0.0) + max(nanoseconds - self.cost, 0) / 1e9
        if self.calls:
            self.called.setdefault(k, []).extend(self.calls)
            self.calls = []

    def call(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A call, noted with its arithmetic."""
        if fn is time.perf_counter_ns or getattr(fn, "__self__", None) is self:
            return fn(*args, **kwargs)
        name = _IMPLEMENTATIONS.get(id(fn)) or self.names.get(id(fn)) or _name(fn)
        operands = [x for x in args if hasattr(x, "shape") or isinstance(x, (int, float))]
        owner = getattr(fn, "__self__", None)
        if isinstance(owner, np.ndarray):
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


def statements(jitted: Jitted, args: Any, kwargs: Any) -> Callable[[], tuple[Any, Any]]:
    """A function that runs the compiled one with a clock: entries by statement, and stacks.

    An entry is ``(calls, seconds, bytes saved, flops)`` of ``(line, operation, "compiled")``.
    """
    root = jitted._spec_for(args, kwargs).root
    listening = _Notes()
    _Part(root, True, listening).code(*args, **kwargs)
    notes = _Notes()
    part = _Part(root, False, notes)
    tick = [time.perf_counter_ns() for _ in range(201)]
    notes.cost = int(np.median(np.diff(tick)))

    def timed() -> tuple[Any, Any]:
        notes.seconds = {}
        part.code(*args, **kwargs)
        entries, stacks = {}, {}
        for k, seconds in notes.seconds.items():
            called = listening.called.get(k, [])
            names = dict.fromkeys(name for name, _ in called)
            operation = ", ".join(names) or "Python"
            numbers = [n for _, n in called]
            total = None if None in numbers else sum(n or 0 for n in numbers)
            line = notes.lines[k]
            entries[line, operation, "compiled"] = 1, seconds, 0, total
            stacks["compiled", f"{line.line}: {line.source}"] = seconds
        return entries, stacks

    return timed
