"""Presence: which values of a graph are on the device, as far as that can be told beforehand.

The body of a loop was recorded on examples that are gone. But an operation with an operand on the
device has its answers there: so are CuPy's functions, and so are ours. What users bring along, a
callback or a rule of their own, may do as it likes: a graph with such an operation in it is left as
it is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from ...arrays import NATIVE, is_cupy
from ...control.bodies import Code
from ...control.folds import SCAN
from ...control.whiles import WHILE
from ...core import Primitive
from ...graph import Equation, Graph, Var
from ...libraries import home_of

#: Where implementations stand that call what users have written.
USERS = frozenset({
    "fgrad.blackbox", "fgrad.callbacks", "fgrad.custom_batching", "fgrad.custom_gradients",
    "fgrad.custom_rules", "fgrad.customized",
})  # fmt: skip
#: The packages whose own functions answer where their operands are.
OURS = ("fgrad.", "fgrad_nn.", "numpy", "_operator", "builtins")


class Unsure(Exception):
    """It can't be told where a value is."""


def flags_of(operands: Sequence[Any], there: Collection[Var]) -> list[bool]:
    """For each operand of an equation, whether it is on the device."""
    return [
        a in there if isinstance(a, Var) else type(a.value) not in NATIVE and is_cupy(a.value)
        for a in operands
    ]


def present(graph: Graph, flags: Sequence[bool]) -> tuple[set[Var], list[bool]]:
    """The variables of a graph that are on the device, and for each result, whether it is.

    Args:
        flags: for each input, whether it is.

    Raises:
        Unsure: it can't be told.
    """
    there = {v for v, f in zip(graph.inputs, flags, strict=True) if f}
    for e in graph.equations:
        answers = _answers(e, flags_of(e.operands, there))
        there.update(v for v, f in zip(e.outputs, answers, strict=True) if f)
    return there, flags_of(graph.outputs, there)


def carried(
    graph: Graph, front: int, carries: int, flags: Sequence[bool]
) -> tuple[set[Var], list[bool]]:
    """The same of the body of a loop, whose carries are where a step leaves them.

    Args:
        front: how many inputs the body has in front of the operands.
        carries: how many of the operands are carries.
        flags: for each operand of the loop.
    """
    flags = [False] * front + list(flags)
    while True:
        there, outs = present(graph, flags)
        new = [a or b for a, b in zip(flags[front:], outs[:carries], strict=False)]
        if new == flags[front : front + carries]:
            break
        flags[front : front + carries] = new
    if outs[:carries] != new:  # one that leaves the device
        raise Unsure
    return there, outs


def _answers(e: Equation, flags: list[bool]) -> list[bool]:
    p, params = e.primitive, e.params
    if p is SCAN:
        front = 0 if params["start"] is None else 1
        return carried(params["body"], front, params["carries"], flags)[1]
    if p is WHILE:
        return steady(params, flags)
    branches = [g for g in params.values() if isinstance(g, Code)]
    if branches:
        answers = [present(g, inside(g, flags))[1] for g in branches]
        if any(a != answers[0] for a in answers):
            raise Unsure
        return answers[0]
    if p.effect or not _is_ours(p):
        raise Unsure
    if p.name == "device_to_host":
        return [False]
    made = any(flags) or any(getattr(x, "__name__", "") == "cupy" for x in params.values())
    return [made and not v.weak for v in e.outputs]


def inside(graph: Graph, flags: list[bool]) -> list[bool]:
    """The flags of a graph's inputs: all operands, or all but the first, which chooses.

    Raises:
        Unsure: it is neither.
    """
    behind = len(flags) - len(graph.inputs)
    if behind not in (0, 1):
        raise Unsure
    return flags[behind:]


def steady(params: Any, flags: Sequence[bool]) -> list[bool]:
    """The results of a `while_loop`, if its carries are from the first on where they end."""
    c = params["carries"]
    outs = carried(params["body"], 0, c, flags)[1]
    if outs != list(flags[:c]):  # it may end before its first step
        raise Unsure
    return outs * 2 if params["save"] else outs


def _is_ours(p: Primitive) -> bool:
    if home_of(p.impl) is not None:
        return True
    home = getattr(p.impl, "__module__", None) or ""
    return home.startswith(OURS) and home not in USERS
