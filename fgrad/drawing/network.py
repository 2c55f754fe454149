"""What is drawn: the operations of a graph as boxes and arrows, with words for what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..arrays import INEXACT, aval, shape_of
from ..core import bind
from ..derivatives import vjp
from ..graph import Const, Equation, Graph, Var

#: Signs that say more than the names of functions.
SIGNS = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "matmul": "@", "negative": "−x",  # noqa: RUF001
    "power": "xʸ", "square": "x²", "sqrt": "√x", "reciprocal": "1/x",
}  # fmt: skip

#: At least so many repetitions are drawn as one box; twice as many of a single operation.
OFTEN = 3
#: The longest stretch of operations whose repetition is looked for.
STRETCH = 24


@dataclass(eq=False)
class Box:
    """A place in the picture.

    Attributes:
        kind: input, constant, operation, repeated, or output.
        title: what it does, or what it is called.
        lines: shape and dtype, value, derivative.
    """

    kind: str
    title: str
    lines: list[str] = field(default_factory=list)


@dataclass
class Network:
    """Boxes in the order in which they run, and arrows between them, with labels."""

    name: str
    boxes: list[Box] = field(default_factory=list)
    arrows: list[tuple[Box, Box, str]] = field(default_factory=list)


def network_of(
    graph: Graph, names: Sequence[str], leaves: Sequence[Any], values: bool, grads: bool,
    collapse: bool,
) -> Network:  # fmt: skip
    """The picture of a graph that was recorded on these leaves."""
    env = _values(graph, leaves)
    slopes = _slopes(graph, leaves) if grads else {}

    def lines(v: Var) -> list[str]:
        out = [f"{v.aval.dtype} {list(v.aval.shape)}" if v.aval.shape else str(v.aval.dtype)]
        if values:
            out.append(summary(env[v]))
        if v in slopes:
            out.append(f"∂ {summary(slopes[v])}")
        return out

    net = Network(graph.name)
    place: dict[Var, Box] = {}
    for v, name in zip(graph.inputs, names, strict=True):
        place[v] = Box("input", name, lines(v))
        net.boxes.append(place[v])
    k = 0
    while k < len(graph.equations):
        length, times = _repetition(graph.equations, k) if collapse else (1, 1)
        stretch = graph.equations[k : k + length * times]
        _enter(net, place, stretch, length, times, lines)
        k += len(stretch)
    for i, y in enumerate(graph.outputs):
        title = "result" if len(graph.outputs) == 1 else f"result {i}"
        box = Box("output", title)
        net.boxes.append(box)
        net.arrows.append((_source(net, place, y), box, ""))
    return net


def _source(net: Network, place: dict[Var, Box], a: Var | Const) -> Box:
    if isinstance(a, Var):
        return place[a]
    shape = shape_of(a.value)
    title = summary(a.value) if not shape else f"constant {list(shape)}"
    box = Box("constant", title)
    net.boxes.append(box)
    return box


def _enter(
    net: Network, place: dict[Var, Box], stretch: Sequence[Equation], length: int, times: int,
    lines: Callable[[Var], list[str]],
) -> None:  # fmt: skip
    """One operation, or a stretch of operations that is repeated, as one box."""
    last = stretch[-1]
    if times > 1:
        inside = " → ".join(_title(e) for e in stretch[:length])
        box = Box("repeated", f"{times} \N{MULTIPLICATION SIGN}", [inside, *lines(last.outputs[0])])
    else:
        box = Box("operation", _title(last), lines(last.outputs[0]) if last.outputs else [])
    mine = {v for e in stretch for v in e.outputs}
    operands = [a for e in stretch for a in e.operands if a not in mine]
    if times > 1:
        operands = list(dict.fromkeys(a for a in operands if isinstance(a, Var)))
    else:
        operands = [a for a in operands if not _is_number(a)]
    ordered = times == 1 and len(operands) == 2 and last.primitive.name in _ORDERED
    for i, a in enumerate(operands):
        net.arrows.append((_source(net, place, a), box, ("x", "y")[i] if ordered else ""))
    net.boxes.append(box)
    place.update(dict.fromkeys(mine, box))


#: Operations of two operands that may not change places.
_ORDERED = frozenset({"subtract", "divide", "power", "matmul", "arctan2"})


def _title(e: Equation) -> str:
    """``tanh``, ``@``; with the number, if one of two operands is one: ``÷ 2``, ``10 ÷``."""
    name = e.primitive.name
    title = SIGNS.get(name, name.rpartition(".")[2])
    if len(e.operands) != 2 or not any(map(_is_number, e.operands)):
        return title
    x, y = (summary(a.value) if isinstance(a, Const) and _is_number(a) else "" for a in e.operands)
    if name == "power":
        return f"x^{y}" if y else f"{x}^x"
    return f"{x} {title} {y}".strip()


def _is_number(a: Var | Const) -> bool:
    return isinstance(a, Const) and not shape_of(a.value)


def _repetition(equations: Sequence[Equation], k: int) -> tuple[int, int]:
    """The length of a stretch that begins at k and is repeated, and how often; 1, 1 for none."""
    made = {v: i for i, e in enumerate(equations) for v in e.outputs}

    def form(i: int, start: int, length: int) -> Any:
        e = equations[i]
        reads = [
            i - made[a] if isinstance(a, Var) and made.get(a, -1) >= start - length else None
            for a in e.operands
        ]
        shapes = [v.aval.shape for v in e.outputs]
        return e.primitive, reads, shapes

    best = 1, 1
    for length in range(1, min(STRETCH, (len(equations) - k) // OFTEN) + 1):
        times = 1
        while k + (times + 1) * length <= len(equations) and all(
            form(k + times * length + i, k + times * length, length)[0]
            is equations[k + i].primitive
            and (times < 2 or form(k + times * length + i, k + times * length, length)
                 == form(k + (times - 1) * length + i, k + (times - 1) * length, length))
            for i in range(length)
        ):  # fmt: skip
            times += 1
        often = OFTEN if length > 1 else 2 * OFTEN
        if times >= often and length * times > best[0] * best[1]:
            best = length, times
    return best


# ------------------------------------------------------------------ what the boxes hold
def _run(graph: Graph, leaves: Sequence[Any], shifts: dict[Var, Any]) -> dict[Var, Any]:
    env = {
        v: x + shifts[v] if v in shifts else x for v, x in zip(graph.inputs, leaves, strict=True)
    }
    for e in graph.equations:
        operands = [env[a] if isinstance(a, Var) else a.value for a in e.operands]
        ans = bind(e.primitive, operands, e.params)
        for v, y in zip(e.outputs, ans if e.primitive.several else (ans,), strict=True):
            env[v] = y + shifts[v] if v in shifts else y
    return env


def _values(graph: Graph, leaves: Sequence[Any]) -> dict[Var, Any]:
    return _run(graph, leaves, {})


def _slopes(graph: Graph, leaves: Sequence[Any]) -> dict[Var, Any]:
    """The derivative of the first result by each value, as if it could be moved by itself."""
    top = graph.outputs[0]
    variables = [*graph.inputs, *(v for e in graph.equations for v in e.outputs)]
    moving = [v for v in variables if v.aval.dtype.kind in INEXACT]
    if not isinstance(top, Var) or top.aval.dtype.kind not in INEXACT:
        return {}
    zeros = [np.zeros(v.aval.shape, v.aval.dtype) for v in moving]

    def moved(*shifts: Any) -> Any:
        return _run(graph, leaves, dict(zip(moving, shifts, strict=True)))[top]

    y, pullback = vjp(moved, *zeros)
    found = pullback(np.ones(aval(y).shape, aval(y).dtype))
    return dict(zip(moving, found, strict=True))


def summary(x: Any) -> str:
    """A number, or where the numbers of an array lie.

    >>> summary(2.0), summary(np.array([1, 2])), summary(np.arange(100.0))
    ('2', '[1 2]', '0 … 99')
    """
    x = np.asarray(x)
    if not x.size:
        return "empty"
    if x.ndim == 0:
        return f"{x[()]:.5g}" if x.dtype.kind in "fiuc" else str(x[()])
    if x.size <= 4 and x.ndim == 1 and x.dtype.kind in "fiu":
        return "[" + " ".join(f"{v:.3g}" for v in x) + "]"
    if x.dtype.kind == "b":
        return f"{int(x.sum())} of {x.size} true"
    if x.dtype.kind == "c":
        return f"|·| to {np.max(np.abs(x)):.3g}"
    return f"{np.min(x):.3g} … {np.max(x):.3g}"
