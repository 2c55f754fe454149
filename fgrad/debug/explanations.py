"""Explanations of values that aren't finite: what made them, where, of what, and what cures it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import aval
from ..core import full_lower
from ..moving import host_array
from .cures import Case, cure
from .events import Log
from .places import Line
from .provenance import Path, Step, place_in


@dataclass(frozen=True, eq=False)
class Operand:
    """What an operation was applied to.

    Attributes:
        shape, dtype: of the whole.
        value: the element that the other element was made of; None where that isn't one element.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    value: Any

    def __str__(self) -> str:
        whole = f"{self.dtype}[{','.join(map(str, self.shape))}]"
        if self.value is None:
            return whole
        return f"{self.value}" if not self.shape else f"{self.value} of {whole}"


@dataclass(frozen=True, eq=False)
class Leaf:
    """A leaf of a result that isn't finite.

    Attributes:
        path: where it is in the result; of a gradient, in the argument.
        count, size: how many of its elements aren't finite, and how many there are.
        index: the first of them.
    """

    path: str
    count: int
    size: int
    index: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Explanation:
    """What `explain_nonfinite` has found. It is true if there was anything to find.

    Attributes:
        finite: all of the result is finite; there is nothing else to say then.
        operation: NumPy's name of the user's operation; None if no operation made it.
        phase: "forward", "backward" or "tangent"; "argument" if it was in the arguments already,
            "captured" if it was in a value that isn't followed.
        primitive: what was computed: the operation, or one of its derivative rule.
        value: the element that was made: NaN or an infinity.
        file, line, function, source: the line of the user's.
        stack: that line and those that called it.
        operands: of the user's operation.
        computed: the operands of ``primitive``.
        shape, dtype, index: of the answer, and the element of it.
        element: its element of a batch (of `fgrad.vmap`), a tuple of the outermost first.
        cotangent: what came back to the operation, at the element, on the way back.
        leaf: the path of the first leaf of the result that isn't finite.
        leaves: all of them.
        argument: the path of the argument that was infinite or NaN already.
        masked_by: the line of a `where` that leaves the element away.
        inside: the function with a rule of the user's that the operation is in.
        path: the operations from there to the result, each with its line and what it made.
        call, calls: the line ran the operation so many times up to here, and in all.
        cure: what to do.
        number: how many operations ran before.
    """

    finite: bool
    operation: str | None = None
    phase: str = ""
    primitive: str | None = None
    value: Any = None
    stack: tuple[Line, ...] = ()
    operands: tuple[Operand, ...] = ()
    computed: tuple[Operand, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: np.dtype[Any] | None = None
    index: tuple[int, ...] = ()
    element: tuple[int, ...] = ()
    cotangent: Any = None
    leaves: tuple[Leaf, ...] = ()
    argument: str | None = None
    masked_by: Line | None = None
    inside: str = ""
    path: tuple[str, ...] = ()
    call: int = 1
    calls: int = 1
    cure: str = ""
    number: int = -1

    def __bool__(self) -> bool:
        return not self.finite

    @property
    def file(self) -> str | None:
        """The file of the user's line."""
        return self.stack[0].file if self.stack else None

    @property
    def line(self) -> int | None:
        """The number of the user's line."""
        return self.stack[0].line if self.stack else None

    @property
    def function(self) -> str | None:
        """The function that it is in."""
        return self.stack[0].function if self.stack else None

    @property
    def source(self) -> str:
        """The text of the user's line."""
        return self.stack[0].source if self.stack else ""

    @property
    def leaf(self) -> str | None:
        """The path of the first leaf that isn't finite."""
        return self.leaves[0].path if self.leaves else None

    # ------------------------------------------------------------------ as text
    def headline(self) -> str:
        """One sentence: what, by which operation, where."""
        if self.finite:
            return "all finite"
        word = _word(self.value)
        at = f" at {self.stack[0]} in {self.stack[0].function}" if self.stack else ""
        if self.phase == "argument":
            return f"{word} was in the argument {self.argument} already."
        if self.operation is None:
            return f"{word} is in a result that depends on no followed value."
        if self.phase == "captured":
            return f"{word} was in a captured value that `{self.operation}` read{at}."
        way = {
            "forward": f"`{self.operation}`",
            "backward": f"the way back of `{self.operation}`",
            "tangent": f"the tangent of `{self.operation}`",
        }[self.phase]
        if self.inside:
            way = f"`{self.operation}` in the backward function of `{self.inside}`"
        return f"{word} was made by {way}{at}."

    def details(self) -> list[tuple[str, str]]:
        """What there is to say besides, as pairs of a word and a text."""
        rows = []
        if self.operands:
            rows.append(("operands", ", ".join(map(str, self.operands))))
        if self.cotangent is not None:
            rows.append(("cotangent", str(self.cotangent)))
        if self.computed and self.phase in ("backward", "tangent"):
            inner = ", ".join(map(str, self.computed))
            rows.append(("its rule", f"{self.primitive}({inner}) is {self.value}"))
        if self.dtype is not None and self.shape:
            whole = f"{self.dtype}[{','.join(map(str, self.shape))}]"
            rows.append(("element", f"{list(self.index)} of {whole}"))
        if self.element:
            rows.append(("batch", f"element {', '.join(map(str, self.element))}"))
        if self.masked_by is not None:
            rows.append(
                ("masked", f"a where at {self.masked_by} leaves this element away, and not its "
                 "derivative: 0 times infinity is NaN")
            )  # fmt: skip
        if self.calls > 3:
            rows.append(("call", f"{self.call} of {self.calls} in this line"))
        if len(self.path) > 1:
            first, rest = self.path[1:5], self.path[5:]
            more = [f"{len(rest)} more"] if rest else []
            rows.append(("then", " -> ".join([*first, *more])))
        if len(self.stack) > 1:
            rows.append(("called at", ", ".join(map(str, self.stack[1:4]))))
        if self.leaves:
            rows.append(("result", "; ".join(map(_leaf, self.leaves[:6]))))
        return rows

    def __str__(self) -> str:
        return "\n".join([self.findings(), *([f"  cure: {self.cure}"] if self.cure else [])])

    def findings(self) -> str:
        """All but the cure, a line each."""
        source = [f"    {self.source}"] if self.source else []
        rows = [f"  {word}: {text}" for word, text in self.details()]
        return "\n".join([self.headline(), *source, *rows])

    def __repr__(self) -> str:
        return f"<{self.headline()}>"

    def _repr_markdown_(self) -> str:
        lines = [f"**{self.headline()}**"]
        if self.source:
            lines.append(f"```python\n{self.source}\n```")
        cure = [("cure", self.cure)] if self.cure else []
        rows = [f"- *{word}*: {text}" for word, text in [*self.details(), *cure]]
        return "\n\n".join([*lines, "\n".join(rows)])


def _word(value: Any) -> str:
    return "NaN" if value is None or np.isnan(value) else "Infinity"


def _leaf(leaf: Leaf) -> str:
    name = leaf.path or "the result"
    if leaf.size == 1:
        return name
    return f"{name}, {leaf.count} of {leaf.size} elements, the first {list(leaf.index)}"


# ------------------------------------------------------------------ from what was recorded
def explanation(path: Path, log: Log, leaves: Sequence[Leaf], value: Any) -> Explanation:
    """Put into words what `trace_back` has found."""
    if not path.steps:
        given = path.argument.path if path.argument is not None else None
        return Explanation(
            False, phase="captured" if given is None else "argument", value=value,
            leaves=tuple(leaves), argument=given,
            cure="look at what made the argument" if given else
            "look at what the function captures and computes without its arguments",
        )  # fmt: skip
    step = path.steps[-1]
    e, written = step.event, step.event.written
    batches = e.batches or written.batches
    operands = tuple(_operand(x, step, written.operands) for x in map(full_lower, written.operands)
                     if not callable(x))  # fmt: skip
    computed = tuple(_operand(x, step, [x for x, _ in e.operands]) for x, _ in e.operands)
    g = _at(e.cotangent, step.index) if e.cotangent is not None else None
    masked = _masked(path, g, log)
    phase = e.phase
    if path.argument is not None:
        phase = "argument"
    elif path.captured:
        phase = "captured"
    names = tuple(s.event.primitive.name for s in reversed(path.steps[:-1]))
    line = written.stack[0] if written.stack else None
    calls, _ = log.calls.get((line, written.operation, e.phase), (1, None))
    case = Case(
        written.operation, e.primitive.name, e.phase,
        tuple(np.nan if o.value is None else o.value for o in operands), step.value,
        host_array(e.answer).dtype, masked is not None, names, calls,
        line.source if line is not None else "",
    )  # fmt: skip
    to_do = cure(case) if phase in ("forward", "backward", "tangent") else (
        "look at what made the argument" if phase == "argument" else
        "look at what made the captured value"
    )  # fmt: skip
    return Explanation(
        False, written.operation, phase, e.primitive.name, step.value, written.stack,
        operands, computed, np.shape(e.answer), host_array(e.answer).dtype, step.index,
        step.index[: len(batches)], g, tuple(leaves),
        None if path.argument is None else path.argument.path, masked, written.inside,
        _way(path), e.call, calls, to_do, e.number,
    )  # fmt: skip


def _leaves_away(operands: Sequence[Any], index: tuple[int, ...]) -> bool:
    """Whether a `where` doesn't take an element of what was computed."""
    condition, *ways = operands
    place = place_in(index, np.shape(condition))
    return place is not None and hasattr(ways[1 if host_array(condition)[place] else 0], "dtype")


def _way(path: Path) -> tuple[str, ...]:
    """The user's operations on the way, each once for what its rule computes or a loop repeats."""
    out: list[str] = []
    for step in reversed(path.steps):
        written = step.event.written
        at = f" at {written.stack[0]}" if written.stack else ""
        way = {"forward": "", "backward": "the way back of ", "tangent": "the tangent of "}
        text = f"{way[step.event.phase]}{written.operation}{at} ({step.value})"
        if text not in out:
            out.append(text)
    return tuple(out)


def _operand(x: Any, step: Step, among: Sequence[Any]) -> Operand:
    a = aval(x)
    return Operand(a.shape, a.dtype, _at(x, step.index))


def _at(x: Any, index: tuple[int, ...]) -> Any:
    """The element of an operand that belongs to that of an answer, if they line up."""
    plain = host_array(full_lower(x))
    if plain.size == 1:
        return plain.reshape(())[()]
    place = place_in(index, plain.shape)
    return None if place is None else plain[place]


def _masked(path: Path, g: Any, log: Log) -> Line | None:
    """The line of a `where` that doesn't take the element of the user's operation."""
    step = path.steps[-1]
    e = step.event
    if e.phase == "forward":
        if e.left is None or all(s.event.phase == "forward" for s in path.steps):
            return None
        place = place_in(step.index, np.shape(e.left))
        return e.masked if place is not None and host_array(e.left)[place] else None
    if e.node is not None and g is not None and g == 0:
        for (level, slot), written in log.written.items():
            later = level == e.node[0] and slot > e.node[1] and written.operation == "where"
            if later and written.stack and _leaves_away(written.operands, step.index):
                return written.stack[0]
    for other in log.events:
        same = other.written is e.written or (
            other.written.operation == e.written.operation
            and other.written.stack[:1] == e.written.stack[:1]
        )
        if other.phase == "forward" and other.masked is not None and same:
            return other.masked
    return None
