"""What is drawn: the operations of a graph as boxes and arrows, with words for what they hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..arrays import shape_of
from ..graph import Const, Equation, Graph, Var
from .calls import Item
from .contents import summary

#: Signs that say more than the names of functions.
SIGNS = {
    "add": "+", "subtract": "−", "multiply": "×", "divide": "÷", "matmul": "@", "negative": "−x",  # noqa: RUF001
    "power": "xʸ", "square": "x²", "sqrt": "√x", "reciprocal": "1/x",
}  # fmt: skip

#: At least so many repetitions are drawn as one box; twice as many of a single operation.
OFTEN = 3
#: The longest stretch of boxes whose repetition is looked for.
STRETCH = 160
#: A stretch of so many operations is drawn once, and what repeats it, even once, as a box below.
LONG = 12


@dataclass(eq=False)
class Box:
    """A place in the picture.

    Attributes:
        kind: input, constant, operation, call, repeated, output, or cotangent.
        title: what it does, or what it is called.
        lines: shape and dtype, value, derivative.
        var: the value that it shows.
        equations: the operations that it stands for.
        gathered: the inputs that it stands for, if they are several.
    """

    kind: str
    title: str
    lines: list[str] = field(default_factory=list)
    var: Var | None = None
    equations: Sequence[Equation] = ()
    gathered: Sequence[Var] = ()


#: From where to where, and what stands at the tip.
Arrow = tuple[Box, Box, str]


@dataclass
class Network:
    """Boxes in the order in which they run, and arrows between them, with labels.

    Attributes:
        place: the box that shows or makes each value.
        twins: for the way back, the box of the derivative by what a box makes.
        back: the arrows of the way back, from the twins of what reads a value to its own.
        kept: what the way back reads of the way forward: from a box to a twin.
    """

    name: str
    boxes: list[Box] = field(default_factory=list)
    arrows: list[Arrow] = field(default_factory=list)
    place: dict[Var, Box] = field(default_factory=dict)
    twins: dict[Box, Box] = field(default_factory=dict)
    back: list[tuple[Box, Box]] = field(default_factory=list)
    kept: list[tuple[Box, Box]] = field(default_factory=list)


#: Words for a value, or for those of several inputs.
Lines = Callable[..., list[str]]


def network_of(
    graph: Graph, names: Sequence[str], lines: Lines, collapse: bool, some: Sequence[Item]
) -> Network:
    """The picture of a graph.

    Args:
        graph: it.
        names: of its inputs.
        lines: words for the value in a variable, or for all of those in several.
        collapse: whether what is repeated is drawn once.
        some: its operations, as they are drawn.
    """
    net = Network(graph.name)
    for v, name in zip(graph.inputs, names, strict=True):
        net.place[v] = Box("input", _short(name), lines(v), v)
        net.boxes.append(net.place[v])
    made = {v: i for i, item in enumerate(some) for e in item.equations for v in e.outputs}
    read = {a for e in graph.equations for a in e.operands if isinstance(a, Var)}
    wanted = read.union(y for y in graph.outputs if isinstance(y, Var))
    k = 0
    while k < len(some):
        length, times = _repetition(some, made, k) if collapse else (1, 1)
        end = k + length * times
        if _long(some[k : k + length]):
            for item in some[k : k + length]:
                _enter(net, [item], 1, 1, lines, wanted)
            k, times = k + length, times - 1
            if times:
                _enter(net, some[k:end], length, times, lines, wanted, above=True)
        else:
            _enter(net, some[k:end], length, times, lines, wanted)
        k = end
    for i, y in enumerate(graph.outputs):
        title = "result" if len(graph.outputs) == 1 else f"result {i}"
        box = Box("output", title)
        net.boxes.append(box)
        net.arrows.append((_source(net, y), box, ""))
    if collapse:
        _gather_inputs(net, dict(zip(graph.inputs, names, strict=True)), lines)
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


def _gather_inputs(net: Network, names: dict[Var, str], lines: Lines) -> None:
    """Draw the inputs that only one repeated box or call reads as one box, if they are many."""
    targets: dict[Box, set[Box]] = {}
    for a, b, _ in net.arrows:
        targets.setdefault(a, set()).add(b)
    for box in [b for b in net.boxes if b.kind in ("repeated", "call")]:
        alone = [b for b in net.boxes if b.kind == "input" and targets.get(b) == {box}]
        if box.kind == "repeated" and len(alone) > OFTEN:
            words = [f"{alone[0].title} …", alone[-1].title]
            _gather(net, alone, box, Box("input", f"{len(alone)} inputs", words), lines)
        if box.kind == "repeated":
            continue
        arguments: dict[str, list[Box]] = {}
        for b in alone:
            arguments.setdefault(names[_var(b)].partition("[")[0], []).append(b)
        for some in arguments.values():
            if len(some) > 1:
                common = _common([names[_var(b)] for b in some])
                words = [
                    f"{names[_var(b)][len(common) :]} {list(_var(b).aval.shape)}" for b in some
                ]
                words = words if len(words) <= OFTEN else [words[0], "…", words[-1]]
                _gather(net, some, box, Box("input", _short(common), words), lines)


def _var(box: Box) -> Var:
    assert box.var is not None
    return box.var


def _gather(net: Network, some: Sequence[Box], box: Box, one: Box, lines: Lines) -> None:
    """Put one box in the place of inputs that only one other box reads."""
    one.gathered = [_var(b) for b in some]
    one.lines += lines(*one.gathered)
    net.boxes[net.boxes.index(some[0])] = one
    gone = set(some)
    net.boxes = [b for b in net.boxes if b not in gone]
    net.arrows = [arrow for arrow in net.arrows if arrow[0] not in gone]
    net.arrows.append((one, box, ""))
    net.place.update(dict.fromkeys(one.gathered, one))


def _common(names: Sequence[str]) -> str:
    """What paths have in common, in whole steps.

    >>> _common(["p['a']['w']", "p['a']['b']"])
    "p['a']"
    """
    split = [name.split("[") for name in names]
    k = 0
    while all(len(s) > k + 1 and s[k] == split[0][k] for s in split):
        k += 1
    return "[".join(split[0][:k])


def _source(net: Network, a: Var | Const) -> Box:
    if isinstance(a, Var):
        return net.place[a]
    shape = shape_of(a.value)
    title = summary(a.value) if not shape else f"constant {list(shape)}"
    box = Box("constant", title)
    net.boxes.append(box)
    return box


def _enter(
    net: Network, stretch: Sequence[Item], length: int, times: int, lines: Lines,
    wanted: set[Var], above: bool = False,
) -> None:  # fmt: skip
    """One item, or a stretch that is repeated, or repeats what is drawn above, as one box."""
    equations = [e for item in stretch for e in item.equations]
    last, outs = equations[-1], [v for e in equations for v in e.outputs]
    out = next((v for v in reversed(outs) if v in wanted), outs[-1] if outs else None)
    words = [] if out is None else lines(out)
    if above:
        often = f"{times} \N{MULTIPLICATION SIGN} " if times > 1 else ""
        what = "boxes" if any(item.name for item in stretch) else "operations"
        words = [f"the {length} {what} above", *words]
        box = Box("repeated", f"{often}the same again", words, out, equations)
    elif times > 1:
        inside = " → ".join(map(_words, stretch[:length]))
        box = Box("repeated", f"{times} \N{MULTIPLICATION SIGN}", [inside, *words], out, equations)
    elif stretch[0].name:
        inside = title_of(last) if len(equations) == 1 else f"{len(equations)} operations"
        more = [] if inside == stretch[0].name else [inside]
        box = Box("call", stretch[0].name, [*more, *words], out, equations)
    else:
        box = Box("operation", title_of(last), words, out, equations)
    mine = set(outs)
    operands = [a for e in equations for a in e.operands if a not in mine]
    if len(equations) > 1:
        operands = list(dict.fromkeys(a for a in operands if isinstance(a, Var)))
    else:
        operands = [a for a in operands if not _is_number(a)]
    ordered = len(equations) == 1 and len(operands) == 2 and last.primitive.name in _ORDERED
    labels = ("x", "y") if ordered else ("",) * len(operands)
    arrows = [(_source(net, a), box, label) for a, label in zip(operands, labels, strict=True)]
    net.arrows += dict.fromkeys(arrows) if len(equations) > 1 else arrows
    net.boxes.append(box)
    net.place.update(dict.fromkeys(mine, box))


#: Operations of two operands that may not change places.
_ORDERED = frozenset({"subtract", "divide", "power", "matmul", "arctan2"})


def _words(item: Item) -> str:
    return item.name or title_of(item.equations[0])


def title_of(e: Equation) -> str:
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


def _long(stretch: Sequence[Item]) -> bool:
    """Whether a stretch is worth a picture of its own, if it is repeated but once."""
    return len(stretch) >= OFTEN and sum(len(item.equations) for item in stretch) >= LONG


def _repetition(some: Sequence[Item], made: dict[Var, int], k: int) -> tuple[int, int]:
    """The length of a stretch that begins at k and is repeated, and how often; 1, 1 for none."""

    def form(i: int, start: int) -> Any:
        """An item, what it reads from `start` on, and the shapes of its answers."""
        reads = [
            i - made[a] if isinstance(a, Var) and made.get(a, -1) >= start else None
            for e in some[i].equations
            for a in e.operands
        ]
        return some[i].form, reads, [v.aval.shape for e in some[i].equations for v in e.outputs]

    def again(length: int, times: int) -> bool:
        """Whether the stretch after so many repetitions is another one."""
        at = k + times * length
        if at + length > len(some):
            return False
        for i in range(length):
            if some[at + i].form != some[k + i].form:
                return False
        # What the first one reads, and its shapes, may be others: of what comes before it.
        back = length if times > 1 else 0
        return (times == 1 and not _long(some[k : k + length])) or all(
            form(at + i, at - back) == form(at - length + i, at - length - back)
            for i in range(length)
        )

    best = 1, 1
    for length in range(1, min(STRETCH, (len(some) - k) // 2) + 1):
        times = 1
        while again(length, times):
            times += 1
        often = 2 * OFTEN if length == 1 else 2 if _long(some[k : k + length]) else OFTEN
        if times >= often and length * times > best[0] * best[1]:
            best = length, times
    return best
