"""Which line and which operation of the user's each computation belongs to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from ..compiler.jitted import Jitted
from ..core import WATCH, Primitive, full_lower
from ..errors import name_of
from ..scopes import SOURCE
from .ground import Ground, is_opened
from .places import Line, Node, Source, Whereabouts, whereabouts


@dataclass(frozen=True, eq=False)
class Written:
    """An operation as the user wrote it: what the rules of derivatives belong to.

    Attributes:
        operation: its name.
        stack: the user's lines, the nearest first.
        operands: what it was applied to.
        batches: the sizes of the mapped axes in front.
        inside: the function with rules of the user's that it is a part of.
    """

    operation: str
    stack: tuple[Line, ...]
    operands: tuple[Any, ...]
    batches: tuple[int, ...]
    inside: str = ""


class Located(Ground):
    """The ground, with the line and operation of the user's for each operation.

    Attributes:
        written: the operations on tapes, by level and number of their records.
    """

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        super().__init__(name, fn)
        self.written: dict[tuple[int, int], Written] = {}

    def here(self) -> Whereabouts:
        """Read the stack, out to the function that is followed."""
        return whereabouts(_UNTIL)

    def compiled(self, fn: Jitted, args: Any, kwargs: Any) -> Any:
        """A call of a compiled function, which runs as it was written; or NotImplemented."""
        return fn.__wrapped__(*args, **kwargs)  # type: ignore[attr-defined]

    def source(self, p: Primitive, operands: Any) -> Source:
        """What a graph that is being recorded notes of an operation."""
        written, phase = self.located(self.here(), p, operands)
        return Source(written.operation, phase, written.stack, written.inside)

    def located(self, here: Whereabouts, p: Primitive, operands: Any) -> tuple[Written, str]:
        """The user's operation that runs, and whether it or a rule of it is computed."""
        written, pulled = self.written, here.pulled
        known = None if pulled is None else written.get(pulled.key)
        for node in reversed(here.recording):
            # What has no derivative leaves no record.
            if node.operation is not None and node.operation.vjp is not None:
                written[node.key] = _record(node, here, known)
        nearest = here.recording[0] if here.recording else None
        itself = Written(p.name, here.stack, tuple(operands), here.batches)
        source = here.source
        if source is not None and source.phase != "forward":
            new = replace(itself, operation=source.operation, inside=source.inside)
            return new, source.phase
        if pulled is not None and not (nearest is not None and nearest.level > pulled.level):
            if known is None and not here.stack:  # what a tape does by itself inside of a rule
                known = next((w for n in here.around if (w := written.get(n.key))), None)
            if known is None or here.beneath:  # a backward function of the user's
                return replace(itself, inside="" if known is None else known.operation), "backward"
            return known, "backward"
        if here.pushed is not None:
            q, depth = here.pushed.operation, here.pushed.depth
            if depth:  # a rule of the user's
                return replace(itself, inside=q.name), "tangent"
            values = tuple(full_lower(x) for x in here.pushed.operands)
            return replace(itself, operation=q.name, operands=values), "tangent"
        if nearest is not None and not nearest.depth and not is_opened(nearest.operation):
            return written.get(nearest.key, itself), "forward"
        return itself, "forward"


def _record(node: Node, here: Whereabouts, known: Written | None) -> Written:
    """What a record of a tape stands for."""
    assert node.operation is not None
    inner = here.pulled is None or node.level > here.pulled.level
    if known is not None and not inner and not here.stack[node.depth : here.beneath]:
        return known  # an outer tape records what an inner one does on its way back
    operands = tuple(full_lower(x) for x in node.operands)
    return Written(node.operation.name, here.stack[node.depth :], operands, here.batches)


def follow(
    trace: Located,
    f: Callable[..., Any],
    args: Any,
    kwargs: Any,
    slot: Callable[[str], Any] = lambda path: None,
) -> Any:
    """``f(*args, **kwargs)`` of followed values; ``slot`` takes the path of a leaf to its slot.

    A transformation inside of the function has its arguments followed too.
    """
    entering = False

    def enter(fn: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        nonlocal entering
        if entering:  # it has been called from here
            entering = False
            return NotImplemented
        if not _direct():
            return NotImplemented
        name = name_of(fn)
        args, kwargs = trace.wrap((args, kwargs), lambda path: slot(f"{path} of a call of {name}"))
        if isinstance(fn, Jitted):
            return trace.compiled(fn, args, kwargs)
        entering = True
        return fn(*args, **kwargs)

    token, sources = WATCH.set(enter), SOURCE.set(trace.source)
    try:
        args, kwargs = trace.wrap(args, slot), trace.wrap(kwargs, slot)
        return f(*args, **kwargs)
    finally:
        WATCH.reset(token)
        SOURCE.reset(sources)


_UNTIL = follow.__code__

#: Modules whose functions hand on what they are called with. What others call, such as a solver
#: its function, may have to be plain.
_TRANSFORMATIONS = frozenset(
    f"fgrad.{name}"
    for name in (
        "batch", "checks", "compiler.jitted", "core", "curvature", "derivatives", "gauss_newton",
        "jacobians", "linearization",
    )
)  # fmt: skip


def _direct() -> bool:
    """Whether a transformation is called by the user, perhaps by way of others."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code is not _UNTIL:
        module = frame.f_globals.get("__name__", "")
        ours = module.startswith("fgrad.") and not module.startswith("fgrad.debug.")
        if ours and module not in _TRANSFORMATIONS:
            return False
        frame = frame.f_back
    return True
