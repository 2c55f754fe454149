"""`profile`: time, memory and arithmetic of each line of the user's code, forward and backward."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

import numpy as np

from .. import tree
from ..arrays import is_a
from ..compiler.jitted import Jitted
from ..compiler.transformed import Flat
from ..core import (
    WATCH,
    Params,
    Primitive,
    Tracer,
    bind,
    check_function,
    evaluate,
    full_lower,
)
from ..errors import ArgumentError, name_of
from ..reverse import Tape
from ..tracebacks import boundary
from .flops import flops
from .located import Located, follow
from .places import Line
from .profiles import Profile, Row
from .residuals import kept, owner
from .statements import Clocked, clocked

#: Line, operation and phase.
Key = tuple[Line | None, str, str]


@dataclass
class Entry:
    """What one run has spent on an operation in a line."""

    calls: int = 0
    seconds: float = 0.0
    saved: int = 0
    flops: int | None = 0

    def add(self, seconds: float, count: int | None) -> None:
        """One more call."""
        self.calls += 1
        self.seconds += seconds
        self.flops = None if self.flops is None or count is None else self.flops + count

    def join(self, calls: int, seconds: float, nbytes: int, count: int | None) -> None:
        """What a compiled function has spent besides."""
        self.add(seconds, count)
        self.calls += calls - 1
        self.saved += nbytes


@dataclass
class Run:
    """What one run has spent, by operation and by stack."""

    entries: dict[Key, Entry] = field(default_factory=dict)
    stacks: dict[tuple[str, ...], float] = field(default_factory=dict)


class Clocks:
    """Compiled functions with clocks in them, from run to run."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Jitted, list[Clocked]]] = {}

    def find(self, fn: Jitted, args: Any, kwargs: Any) -> Clocked | None:
        """That of a call, made if need be; None if it isn't compiled."""
        traced = any(isinstance(x, Tracer) for x in tree.leaves((args, kwargs)))
        if traced or not isinstance(fn, Jitted):
            return None
        _, made = self._known.setdefault(id(fn), (fn, []))
        for one in made:
            if one.takes(args, kwargs):
                return one
        new = clocked(fn, args, kwargs)
        if new is not None:
            made.append(new)
        return new


class Timer(Located):
    """The interpreter that times each operation."""

    def __init__(
        self, fn: Callable[..., Any], cost: float = 0.0, known: Clocks | None = None
    ) -> None:
        super().__init__("profile", fn)
        self.run, self._cost, self._known = Run(), cost, known or Clocks()
        self._tapes: set[int] = set()

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        if p.name != "jit":
            return super().process(p, operands, params)
        flat: Flat = params["flat"]
        xs = [full_lower(x) for x in operands]
        out, flat.rest = self._compiled(flat.value(), xs, {})
        return tuple(map(self.tracer, out))

    def step(self, p: Primitive, operands: Any, below: Sequence[Any], params: Params) -> Any:
        if any(isinstance(x, Tracer) for x in below):
            ans, seconds = self._timed(lambda: bind(p, below, params))
        else:
            ans, seconds = self._timed(lambda: evaluate(p, below, params))
        here = self.here()
        written, phase = self.located(here, p, ())
        if here.tape is not None:
            self.keep(here.tape)
        first = ans[0] if p.several and ans else ans
        count = flops(p.name, [np.shape(full_lower(x)) for x in below], np.shape(first), params)
        self._note(written.operation, phase, written.stack, seconds, count, p.name)
        if p.several:
            return tuple(map(self.tracer, ans))
        return self.tracer(ans)

    def compiled(self, fn: Jitted, args: Any, kwargs: Any) -> Any:
        if any(isinstance(x, Tracer) and x.owner is not self for x in tree.leaves((args, kwargs))):
            return NotImplemented  # it will be an operation of the transformation around it
        args, kwargs = tree.map(full_lower, (args, kwargs))
        return self.wrap(self._compiled(fn, args, kwargs))

    def _compiled(self, fn: Jitted, args: Any, kwargs: Any) -> Any:
        """The result of a compiled function, whose statements are timed where that can be."""
        written, phase = self.located(here := self.here(), _JIT, ())
        if here.tape is not None:
            self.keep(here.tape)
        token = WATCH.set(None)
        try:
            clocked = self._known.find(fn, args, kwargs)
            if clocked is None:
                out, seconds = self._timed(lambda: fn(*args, **kwargs))
            else:
                out = clocked(args, kwargs)
        finally:
            WATCH.reset(token)
        if clocked is None:
            self._note(written.operation, phase, written.stack, seconds, None, "jit")
            return out
        outer = tuple(f"{x.function} ({x})" for x in reversed(written.stack))
        entries, stacks = clocked.entries()
        for key, numbers in entries.items():
            self.run.entries.setdefault(key, Entry()).join(*numbers)
        for (first, *names), spent in stacks.items():
            stack = (first, *outer, *names)
            self.run.stacks[stack] = self.run.stacks.get(stack, 0.0) + spent
        return out

    def follow(self, one: Any) -> Any:
        """What begins a way back: the tape is complete, and nothing of it is used yet."""
        frame = sys._getframe(1)
        while self.here().tape is None and frame.f_back is not None:
            tape = frame.f_locals.get("tape")
            if isinstance(tape, Tape):
                self.keep(tape)
                break
            frame = frame.f_back
        return super().follow(one)

    def keep(self, tape: Tape) -> None:
        """Note the memory that a tape keeps, once."""
        if tape.level in self._tapes:
            return
        self._tapes.add(tape.level)
        memory: dict[int, tuple[int, Key]] = {}
        made = [""] * len(tape.record)
        for slot, record in enumerate(tape.record):
            written = self.written.get((tape.level, slot))
            if record is None or written is None:
                continue
            key = (written.stack[0] if written.stack else None, written.operation, "forward")
            for _, x in kept(record, "", made):
                x = full_lower(x)
                before, first = memory.get(owner(x), (0, key))
                memory[owner(x)] = max(before, x.nbytes), first
        for nbytes, key in memory.values():
            self.run.entries.setdefault(key, Entry()).saved += nbytes

    def _timed(self, fn: Callable[[], Any]) -> tuple[Any, float]:
        start = time.perf_counter_ns()
        ans = fn()
        return ans, max(time.perf_counter_ns() - start - self._cost, 0.0) / 1e9

    def _note(
        self, operation: str, phase: str, stack: tuple[Line, ...], seconds: float,
        count: int | None, inner: str,
    ) -> None:  # fmt: skip
        key = (stack[0] if stack else None, operation, phase)
        self.run.entries.setdefault(key, Entry()).add(seconds, count)
        names = [phase, *(f"{x.function} ({x})" for x in reversed(stack)), operation]
        if inner != operation:
            names.append(inner)
        self.run.stacks[tuple(names)] = self.run.stacks.get(tuple(names), 0.0) + seconds


def _called(*args: Any) -> None:
    """What stands for a compiled function that is called itself."""


_JIT = Primitive("jit", _called, None, None, _called)


@boundary
def profile(f: Callable[..., Any], *args: Any, repeats: int = 5, **kwargs: Any) -> Profile:
    """Time, memory and arithmetic of each line of a function, forward and backward.

    >>> import numpy as np
    >>> from fgrad import grad
    >>> def loss(w, x):
    ...     return np.sum(np.tanh(w @ x))
    >>> p = profile(grad(loss), np.ones((50, 40)), np.ones((40, 30)))
    >>> for r in sorted(p.rows, key=lambda r: (r.phase, r.operation)):
    ...     print(r.phase, r.operation, r.calls, r.saved, r.flops)
    backward matmul 2 0 120000
    backward sum 1 0 0
    backward tanh 3 0 4500
    forward matmul 1 9600 120000
    forward sum 1 0 1500
    forward tanh 1 12000 1500

    ``print(p)`` shows a table, ``p.show()`` a coloured one; ``p.save("x.speedscope.json")`` writes
    a flame graph.

    Args:
        f: a function, also ``grad(f)`` or any other transformed one, or a compiled one.
        args, kwargs: its arguments: plain arrays in pytrees, and anything else.
        repeats: how many runs the medians are taken of, of each kind.

    Returns:
        A `Profile`.

    Raises:
        ArgumentError: ``f`` is no function, ``repeats`` isn't positive, an argument is traced.

    The function runs once to warm up, then ``repeats`` times as it is, then as often while a clock
    is read around each operation; the clock's own time is taken off. What is left of a plain run
    is Python's and fgrad's own, and a row of its own. fgrad has short ways for the derivatives of
    plain arrays that aren't taken while it is timed: a sum may be a sum that is a product
    otherwise. Effects happen in each run. What fgrad and NumPy compute of values that don't depend
    on arguments is in the rest.

    A compiled function is recorded and compiled once more, with a clock at each statement, and each
    of these belongs to the line that it was made of; in a flame graph it is the last name. The time
    of machine code is shared among the lines that are in it by an estimate of their work. Loops
    over large arrays run on one thread while they are timed. Of a compiled function of CuPy's
    arrays each statement of the generated code is a row, in the phase "compiled".
    """
    check_function(f, "profile")
    if is_a(repeats, bool) or not is_a(repeats, int) or repeats < 1:
        raise ArgumentError(
            "profile wants repeats as a positive integer.", repr(repeats), "leave it away for 5"
        )
    if any(isinstance(x, Tracer) for x in tree.leaves((args, kwargs))):
        raise ArgumentError(
            "profile wants plain arguments.",
            "one that is traced",
            "call it outside of other transformations: profile(grad(f), x)",
        )
    f(*args, **kwargs)
    plain = _times(lambda: f(*args, **kwargs), repeats)
    runs: list[Run] = []
    cost, known = _cost(), Clocks()

    def watched() -> None:
        timer = Timer(f, cost, known)
        follow(timer, f, args, kwargs)
        runs.append(timer.run)

    watched()  # once to warm up
    runs.clear()
    slow = _times(watched, repeats)
    name = name_of(f).replace("`", "")
    return Profile(name, _rows(runs), median(plain), median(slow), repeats, _stacks(runs))


def _times(fn: Callable[[], Any], repeats: int) -> list[float]:
    out = []
    for _ in range(repeats):
        start = time.perf_counter()
        fn()
        out.append(time.perf_counter() - start)
    return out


def _cost() -> float:
    """The time that a clock takes of what it measures, in nanoseconds."""
    nothing: Callable[[], None] = lambda: None  # noqa: E731
    timer = Timer(nothing)
    return 1e9 * median(timer._timed(nothing)[1] for _ in range(200))


def _rows(runs: Sequence[Run]) -> tuple[Row, ...]:
    keys = dict.fromkeys(key for run in runs for key in run.entries)
    rows = []
    for line, operation, phase in keys:
        found = [run.entries.get((line, operation, phase), Entry()) for run in runs]
        last = found[-1]
        seconds = median(e.seconds for e in found)
        rows.append(Row(operation, phase, line, last.calls, seconds, last.saved, last.flops))
    return tuple(sorted(rows, key=lambda r: -r.seconds))


def _stacks(runs: Sequence[Run]) -> dict[tuple[str, ...], float]:
    names = dict.fromkeys(key for run in runs for key in run.stacks)
    return {key: median(run.stacks.get(key, 0.0) for run in runs) for key in names}
