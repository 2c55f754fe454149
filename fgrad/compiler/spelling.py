"""Spelling: small things that printed code is made of, and what it calls for its results."""

from __future__ import annotations

from typing import Any

from ..arrays import ndarray
from .program import Shape


class Constant:
    """An array that is one number throughout, in the table of numbers."""

    def __init__(self, number: Any, shape: Shape, dtype: Any) -> None:
        self.text = f"{number!r} {type(number)} {shape} {dtype}"

    def __repr__(self) -> str:
        return self.text


def copied(x: Any) -> Any:
    """A copy of an array; a number as it is."""
    return x.copy() if isinstance(x, ndarray) else x


def own(x: Any, *operands: Any) -> Any:
    """An answer of an implementation that may be one of its operands, or a view."""
    if isinstance(x, ndarray) and (x.base is not None or any(x is y for y in operands)):
        return x.copy("K")
    return x


def spelled(spec: tuple[Any, ...]) -> str:
    """A basic index as it is written."""
    parts = []
    for s in spec:
        if isinstance(s, slice):
            part = f"{'' if s.start is None else s.start}:{'' if s.stop is None else s.stop}"
            parts.append(part if s.step is None else f"{part}:{s.step}")
        else:
            parts.append("..." if s is Ellipsis else repr(s))
    return ", ".join(parts) if parts else "()"
