"""Recording a function with the calls that each operation is in, and operations by calls."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextvars import copy_context
from dataclasses import dataclass
from types import FrameType
from typing import Any

import numpy as np

from ..core import Primitive
from ..graph import Equation, Graph
from ..scopes import SOURCE
from ..stage import make_graph


@dataclass(frozen=True)
class Call:
    """One call of a function; two calls of the same function have different numbers."""

    name: str
    number: int


@dataclass(eq=False)
class Item:
    """What is one box: an operation, or those of a call.

    Attributes:
        equations: the operations.
        name: of the function that was called; empty of a single operation.
    """

    equations: Sequence[Equation]
    name: str = ""

    @property
    def form(self) -> Any:
        """What two items that look the same have in common."""
        return self.name, [e.primitive for e in self.equations]


def recorded(f: Callable[..., Any], args: Any, kwargs: Any) -> Graph:
    """The graph of a function; the source of each operation is the calls that it is in.

    The outermost of these is the function itself. Calls of NumPy's own functions and of fgrad's
    aren't among them; of fgrad_nn's those of public ones are.
    """
    # The frames are held, so that no two have the same address.
    calls: dict[FrameType, Call | None] = {}

    def look(p: Primitive, operands: Sequence[Any]) -> tuple[Call, ...]:
        out = []
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and frame.f_code is not recorded.__code__:
            if frame not in calls:
                name = _name(frame)
                calls[frame] = Call(name, len(calls)) if name else None
            call = calls[frame]
            if call is not None:
                out.append(call)
            frame = frame.f_back
        return tuple(out[::-1])

    def run() -> Graph:
        SOURCE.set(look)
        return make_graph(f)(*args, **kwargs)

    return copy_context().run(run)


_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_HIDDEN = (
    _PACKAGE + os.sep, os.path.dirname(np.__file__) + os.sep, "<__array_function__", "<fgrad",
    "<frozen",
)  # fmt: skip
_LAYERS = _PACKAGE + "_nn" + os.sep

#: Names of functions that say less than what they are in.
_PLAIN = frozenset(("apply", "__call__", "forward", "call", "wrapper", "<lambda>"))


def _name(frame: FrameType) -> str:
    """What a call is named: by the function, or by the class or maker of an ``apply``.

    Empty if it isn't shown.
    """
    code = frame.f_code
    names = [x for x in code.co_qualname.split(".") if x != "<locals>"]
    if code.co_filename.startswith(_HIDDEN):
        return ""
    if code.co_filename.startswith(_LAYERS):  # the function or layer that is asked for
        module = frame.f_globals.get("__name__", "").rpartition(".")[0]
        homes = [sys.modules.get(m) for m in (module, module.partition(".")[0])]
        return names[0] if any(hasattr(home, names[0]) for home in homes if home) else ""
    if code.co_name.startswith("<") and code.co_name != "<lambda>":  # a comprehension
        return ""
    return names[-2] if names[-1] in _PLAIN and len(names) > 1 else names[-1]


def items(graph: Graph, depth: int | None, most: int | None = None) -> list[Item]:
    """The operations of a graph, those of some calls together.

    Args:
        graph: made by `recorded`.
        depth: 1 for the calls that the function makes itself, 2 for those made in them, ...
        most: in place of a depth, so many items if that can be: calls of functions of the most
            operations are opened first. Without both each operation is alone.
    """
    if depth is not None:
        return _grouped(graph, lambda path: path[depth] if len(path) > depth else None)
    if most is None:
        return _grouped(graph, lambda path: None)
    opened: set[str] = set()

    def first(path: tuple[Call, ...]) -> Call | None:
        return next((call for call in path[1:] if call.name not in opened), None)

    while True:
        found = _grouped(graph, first)
        sizes = Counter[str]()
        for item in found:
            sizes[item.name] = max(sizes[item.name], len(item.equations))
        for name, size in sizes.most_common():
            if name and size > 1:
                opened.add(name)
                if len(_grouped(graph, first)) <= most:
                    break
                opened.remove(name)
        else:
            return found


def _grouped(graph: Graph, call_of: Callable[[tuple[Call, ...]], Call | None]) -> list[Item]:
    out: list[Item] = []
    last: Call | None = None
    for e in graph.equations:
        call = call_of(e.source or ())
        if call is not None and call is last:
            out[-1] = Item([*out[-1].equations, e], call.name)
        else:
            out.append(Item([e], "" if call is None else call.name))
        last = call
    return out
