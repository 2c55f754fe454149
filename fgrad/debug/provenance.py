"""Back from a value that isn't finite to the operation that made it so, element by element."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..broadcasting import line_up
from ..core import full_lower
from ..moving import host_array
from .events import Argument, Event, is_finite

#: Primitives of one operand whose answer's elements are elements of the operand.
_MOVING = frozenset(
    (
        "broadcast_to", "copy", "expand_dims", "flip", "getitem", "positive", "reshape",
        "roll", "squeeze", "transpose",
    )
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Step:
    """An operation on the way, and the element of its answer that matters.

    Attributes:
        event: the operation.
        index: the element.
        value: what it is.
    """

    event: Event
    index: tuple[int, ...]
    value: Any


@dataclass(frozen=True, eq=False)
class Path:
    """The way back.

    Attributes:
        steps: from the result to what began it.
        argument: the leaf of the arguments that was infinite or NaN already, if one was.
        captured: whether it was there already in a value that isn't followed.
    """

    steps: tuple[Step, ...]
    argument: Argument | None = None
    captured: bool = False


def first_bad(x: Any, like: Any = None) -> tuple[int, ...] | None:
    """The first element that is NaN, or else infinite; that is like another, if there is one.

    >>> first_bad(np.array([np.inf, 1.0, np.nan]))
    (2,)
    >>> first_bad(np.ones(2)) is None
    True
    """
    x = host_array(full_lower(x))
    nan = np.isnan(x)
    masks = [nan, np.logical_not(np.isfinite(x))]
    if like is not None and not np.isnan(like):
        masks = [np.isinf(x), nan]
    for mask in masks:
        if np.any(mask):
            where = np.argwhere(mask)[0]
            return tuple(int(i) for i in where)
    return None


def place_in(index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """The element of an operand that was broadcast to the one with an index; None if none was.

    >>> place_in((2, 1), (3, 1)), place_in((2, 1), (2,)), place_in((0,), (5, 5))
    ((2, 0), (1,), None)
    """
    if len(shape) > len(index):
        return None
    tail = index[len(index) - len(shape) :]
    out = tuple(0 if n == 1 else i for i, n in zip(tail, shape, strict=True))
    return out if all(i < n for i, n in zip(out, shape, strict=True)) else None


def _candidates(step: Step) -> list[tuple[Any, Any, tuple[int, ...]]]:
    """The operands that can have made the element: each with its event and its element."""
    e, index = step.event, step.index
    elementwise = e.primitive.batch is line_up and not e.primitive.shaped
    operands = list(e.operands)
    if e.primitive.name == "where":
        chosen = place_in(index, np.shape(operands[0][0]))
        operands = operands[1:] if chosen is None else [
            operands[1 if host_array(operands[0][0])[chosen] else 2]
        ]  # fmt: skip
        elementwise = True
    found = []
    for x, event in operands:
        if is_finite(x):
            continue
        value = host_array(x)
        at = place_in(index, value.shape) if elementwise else None
        if e.primitive.name in _MOVING:
            at = _moved(e, index, value.shape)
        if at is None:
            at = first_bad(value, step.value)
        if at is not None and not np.isfinite(value[at]):
            found.append((value[at], event, at))
    return found


def _moved(e: Event, index: tuple[int, ...], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Where the element of an answer was before it was moved."""
    numbers = np.arange(int(np.prod(shape))).reshape(shape)
    moved = host_array(e.primitive.impl(numbers, **e.params))
    if moved.shape != np.shape(e.answer):
        return None
    return tuple(int(i) for i in np.unravel_index(int(moved[index]), shape))


def trace_back(event: Any, value: Any, index: tuple[int, ...]) -> Path:
    """Follow an element of a result to the operation that made it of what was finite."""
    if isinstance(event, Argument):
        return Path((), event)
    steps = [Step(event, index, host_array(value)[index])]
    while True:
        step = steps[-1]
        found = _candidates(step)
        if not found:
            return Path(tuple(steps))
        # NaN comes of NaN, if there is any; of several the one that was made first.
        if np.isnan(step.value) and any(np.isnan(v) for v, _, _ in found):
            found = [c for c in found if np.isnan(c[0])]
        found.sort(key=lambda c: c[1].number if isinstance(c[1], Event) else -1)
        followed = [c for c in found if isinstance(c[1], Event)]
        v, before, at = (followed or found)[0]
        if not isinstance(before, Event):
            if np.isnan(step.value) and not np.isnan(v):
                return Path(tuple(steps))  # made of an infinity that was there, which may be meant
            made = _last_made(steps)
            if made is not None:
                return Path(tuple(steps[: made + 1]))
            return Path(
                tuple(steps), before if isinstance(before, Argument) else None, before is None
            )
        steps.append(Step(before, at, v))


def _last_made(steps: list[Step]) -> int | None:
    """The number of the step nearest to the beginning that made NaN of infinities."""
    for k in range(len(steps) - 2, -1, -1):
        if np.isnan(steps[k].value) and not np.isnan(steps[k + 1].value):
            return k
    return None
