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
STRETCH = 160
#: A stretch of so many is drawn once, and what repeats it, even once, as a box below.
LONG = 12


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
        place[v] = Box("input", _short(name), lines(v))
        net.boxes.append(place[v])
    equations, k = graph.equations, 0
    made = {v: i for i, e in enumerate(equations) for v in e.outputs}
    while k < len(equations):
        length, times = _repetition(equations, made, k) if collapse else (1, 1)
        end = k + length * times
        if length >= LONG:
            for e in equations[k : k + length]:
                _enter(net, place, [e], 1, 1, lines)
            k, times = k + length, times - 1
            _enter(net, place, equations[k:end], length, times, lines, above=True)
        else:
            _enter(net, place, equations[k:end], length, times, lines)
        k = end
    for i, y in enumerate(graph.outputs):
        title = "result" if len(graph.outputs) == 1 else f"result {i}"
        box = Box("output", title)
        net.boxes.append(box)
        net.arrows.append((_source(net, place, y), box, ""))
    if collapse:
        _gather_inputs(net)
    return net


def _short(name: str) -> str:
    """The name of a leaf; of a long one the argument and the last steps of the path.

    >>> _short("p['encoder']['block_0']['attention']['out']['weight']")
    "p…['attention']['out']['weight']"
    """
    first, *steps = name.split("[")
    if len(name) <= 40 or len(steps) <= 3:
        return name
    return f"{first}…[{'['.join(steps[-3:])}"


def _gather_inputs(net: Network) -> None:
    """Draw the inputs that only one repeated box reads as one box, if they are many."""
    targets: dict[int, set[int]] = {}
    for a, b, _ in net.arrows:
        targets.setdefault(id(a), set()).add(id(b))
    for box in [b for b in net.boxes if b.kind == "repeated"]:
        alone = [b for b in net.boxes if b.kind == "input" and targets.get(id(b)) == {id(box)}]
        if len(alone) <= OFTEN:
            continue
        gone = {id(b) for b in alone}
        one = Box("input", f"{len(alone)} inputs", [f"{alone[0].title} …", alone[-1].title])
        first = net.boxes.index(alone[0])
        net.boxes[first] = one
        net.boxes = [b for b in net.boxes if id(b) not in gone]
        net.arrows = [arrow for arrow in net.arrows if id(arrow[0]) not in gone]
        net.arrows.append((one, box, ""))


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
    lines: Callable[[Var], list[str]], above: bool = False,
) -> None:  # fmt: skip
    """One operation, or a stretch that is repeated, or repeats what is drawn above, as one box."""
    last = stretch[-1]
    if above:
        often = f"{times} \N{MULTIPLICATION SIGN} " if times > 1 else ""
        more = [f"the {length} operations above", *lines(last.outputs[0])]
        box = Box("repeated", f"{often}the same again", more)
    elif times > 1:
        inside = " → ".join(_title(e) for e in stretch[:length])
        box = Box("repeated", f"{times} \N{MULTIPLICATION SIGN}", [inside, *lines(last.outputs[0])])
    else:
        box = Box("operation", _title(last), lines(last.outputs[0]) if last.outputs else [])
    mine = {v for e in stretch for v in e.outputs}
    operands = [a for e in stretch for a in e.operands if a not in mine]
    if times > 1 or above:
        operands = list(dict.fromkeys(a for a in operands if isinstance(a, Var)))
    else:
        operands = [a for a in operands if not _is_number(a)]
    ordered = len(stretch) == 1 and len(operands) == 2 and last.primitive.name in _ORDERED
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


def _repetition(equations: Sequence[Equation], made: dict[Var, int], k: int) -> tuple[int, int]:
    """The length of a stretch that begins at k and is repeated, and how often; 1, 1 for none."""

    def form(i: int, start: int) -> Any:
        """An operation, what it reads from `start` on, and the shapes of its answers."""
        e = equations[i]
        reads = [
            i - made[a] if isinstance(a, Var) and made.get(a, -1) >= start else None
            for a in e.operands
        ]
        return e.primitive, reads, [v.aval.shape for v in e.outputs]

    def again(length: int, times: int) -> bool:
        """Whether the stretch after so many repetitions is another one."""
        at = k + times * length
        if at + length > len(equations):
            return False
        for i in range(length):
            if equations[at + i].primitive is not equations[k + i].primitive:
                return False
        # What the first one reads, and its shapes, may be others: of what comes before it.
        back = length if times > 1 else 0
        return (times == 1 and length < LONG) or all(
            form(at + i, at - back) == form(at - length + i, at - length - back)
            for i in range(length)
        )

    best = 1, 1
    for length in range(1, min(STRETCH, (len(equations) - k) // 2) + 1):
        times = 1
        while again(length, times):
            times += 1
        often = 2 * OFTEN if length == 1 else 2 if length >= LONG else OFTEN
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
    low, high = np.min(x) + 0, np.max(x) + 0  # and no minus sign of a zero
    return f"all {low:.3g}" if low == high else f"{low:.3g} … {high:.3g}"
