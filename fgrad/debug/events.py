"""What was not finite, and when: the interpreter that watches, and the record it keeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import is_a, is_array
from ..core import Params, Primitive, bind, full_lower
from .ground import GroundTracer
from .located import Located, Written
from .places import Line, Whereabouts


@dataclass(eq=False)
class Event:
    """An operation whose answer isn't finite everywhere.

    Attributes:
        number: how many operations ran before.
        primitive: what was computed.
        params: its parameters.
        operands: plain values, each with its own event, where it has one.
        answer: the answer.
        phase: "forward", "backward" or "tangent".
        written: the operation of the user's that it belongs to.
        batches: the sizes of the mapped axes in front.
        call: how often the line has run the user's operation, this time included.
        node: the record of a tape that is walked back over, by level and number.
        cotangent: what is pulled back through it.
        masked: the line of a `where` that leaves the answer away where it isn't finite, or what
            elementwise operations have made of it.
        left: which elements that is of.
    """

    number: int
    primitive: Primitive
    params: Params
    operands: tuple[tuple[Any, Any], ...]
    answer: Any
    phase: str
    written: Written
    batches: tuple[int, ...]
    call: int
    node: tuple[int, int] | None = None
    cotangent: Any = None
    masked: Line | None = None
    left: Any = None


@dataclass(frozen=True, eq=False)
class Argument:
    """A leaf of the arguments that isn't finite.

    Attributes:
        path: where it is.
    """

    path: str


@dataclass(eq=False)
class Log:
    """All that a run has left.

    Attributes:
        events: in the order in which they happened.
        written: the operations on tapes, by level and number of their records.
        count: how many operations ran.
        calls: how often a line ran an operation, and which call was the last.
    """

    events: list[Event] = field(default_factory=list)
    written: dict[tuple[int, int], Written] = field(default_factory=dict)
    count: int = 0
    calls: dict[tuple[Any, ...], tuple[int, Any]] = field(default_factory=dict)

    def called(self, key: tuple[Any, ...], here: Whereabouts, number: int) -> int:
        """Count a call of an operation in a line; all that its rule computes is one call."""
        which: Any = number if here.pulled is None else here.pulled.key
        count, last = self.calls.get(key, (0, None))
        if last != which:
            count += 1
            self.calls[key] = count, which
        return count


class Watch(Located):
    """The interpreter that looks at each answer.

    Args:
        stop: the number of an operation, to raise ``error`` at.
    """

    def __init__(
        self, fn: Callable[..., Any], stop: int = -1, error: BaseException | None = None
    ) -> None:
        super().__init__("explain_nonfinite", fn)
        self.log, self._stop, self._error = Log(written=self.written), stop, error

    def step(self, p: Primitive, operands: Any, below: Sequence[Any], params: Params) -> Any:
        log = self.log
        number, log.count = log.count, log.count + 1
        with np.errstate(all="ignore"):
            ans = bind(p, below, params)
        if number == self._stop and self._error is not None:
            raise self._error
        here = self.here()
        written, phase = self.located(here, p, operands)
        line = written.stack[0] if written.stack else None
        call = log.called((line, written.operation, phase), here, number)
        if p.name == "where":
            _note_masked(ans, operands, line)
        answers = ans if p.several else (ans,)
        outs = []
        for y in answers:
            event = None
            if not is_finite(y):
                event = Event(
                    number, p, params,
                    tuple((full_lower(x), made_by(x)) for x in operands),
                    y, phase, written, here.batches, call,
                )  # fmt: skip
                if here.pulled is not None:
                    g = full_lower(here.pulled.cotangent)
                    event.node, event.cotangent = here.pulled.key, g if is_array(g) else None
                log.events.append(event)
            outs.append(self.tracer(y, event))
        return tuple(outs) if p.several else outs[0]


def _note_masked(ans: Any, operands: Any, line: Line | None) -> None:
    """Say of what made operands of a `where` infinite that its answer is without that."""
    fine = np.isfinite(full_lower(ans))
    waiting = [(full_lower(x), made_by(x), False) for x in operands[1:]]
    while waiting:
        x, event, before = waiting.pop()
        if isinstance(event, Event) and not (before and np.shape(x) != np.shape(fine)):
            left = np.logical_and(np.logical_not(np.isfinite(x)), fine)
            if np.any(left) and not (before and event.masked is not None):
                event.masked, event.left = line, left
                waiting += [(y, made, True) for y, made in event.operands]


def is_finite(x: Any) -> bool:
    """Whether a value holds neither infinity nor NaN; integers never do.

    >>> is_finite(np.ones(2)), is_finite(np.array([1.0, np.inf])), is_finite(3)
    (True, False, True)
    """
    x = full_lower(x)
    kind = getattr(getattr(x, "dtype", None), "kind", "f" if is_a(x, float) else "")
    if kind not in ("f", "c") and not is_a(x, complex):
        return True
    return bool(np.all(np.isfinite(x)))


def made_by(x: Any) -> Event | Argument | None:
    """What made a followed value infinite; None of one that is finite, or isn't followed."""
    slot = x.slot if type(x) is GroundTracer else None
    return slot if isinstance(slot, (Event, Argument)) else None
