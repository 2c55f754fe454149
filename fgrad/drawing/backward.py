"""The way back as a part of the picture: beside each box the derivative by what it makes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .. import tree
from ..core import bind
from ..derivatives import vjp
from ..errors import TracerConversionError
from ..graph import Equation, Var
from ..stage import make_graph
from .contents import joined, ones_like, shape_of, summary
from .network import Box, Network, title_of

#: What only moves numbers isn't said; transposed matrices are, for they are what is multiplied.
_SILENT = frozenset(("astype", "astype_exact", "broadcast_to", "expand_dims", "reshape", "squeeze"))
_SIGNS = {"transpose": "xᵀ", "sum": "Σ"}
#: So many operations of a rule are named.
NAMED = 6


def add_way_back(net: Network, env: dict[Var, Any], slopes: dict[Var, Any], values: bool) -> None:
    """Enter the derivatives by all values, and the operations that they are computed by.

    Args:
        net: the picture of the way forward.
        env: the value of each variable.
        slopes: the derivative of the first result by each of them.
        values: whether boxes say the derivatives.
    """
    if not slopes:
        return
    for box in net.boxes:
        if box.kind == "output" and box.title in ("result", "result 0"):
            net.twins[box] = Box("cotangent", "1")
        elif some := [v for v in box.gathered or (box.var,) if v in slopes]:
            lines = [] if box.gathered else [shape_of(some[0])]
            if values:
                lines.append(f"∂ {summary(joined([slopes[v] for v in some]))}")
            net.twins[box] = Box("cotangent", f"∂ {box.title}", lines)
    readers: dict[Box, int] = {}
    for a, b, _ in net.arrows:
        if a in net.twins and b in net.twins:
            net.back.append((net.twins[b], net.twins[a]))
            readers[a] = readers.get(a, 0) + 1
    for box, twin in net.twins.items():
        if readers.get(box, 0) > 1 and len(box.equations) < 2:
            twin.lines.append(f"sum of {readers[box]}")
        if box.equations:
            twin.lines.append(f"back: {_words(box, env, slopes)}")
            net.kept += [(at, twin) for at in dict.fromkeys(_kept(net, box, slopes))]


def _words(box: Box, env: dict[Var, Any], slopes: dict[Var, Any]) -> str:
    """What the rules of a box compute."""
    if len(box.equations) > 1:
        return f"through the {len(box.equations)} operations"
    titles = _pulled(box.equations[0], env, slopes)
    if titles is None:
        return "its rule"
    more = ["…"] if len(titles) > NAMED else []
    return " → ".join([*titles[:NAMED], *more]) or "as it is"


def _active(e: Equation, slopes: dict[Var, Any]) -> list[int]:
    return [i for i, a in enumerate(e.operands) if isinstance(a, Var) and a in slopes]


def _pulled(e: Equation, env: dict[Var, Any], slopes: dict[Var, Any]) -> list[str] | None:
    """The operations of a rule, in order; None if it can't be recorded."""
    active = _active(e, slopes)
    xs = [env[a] if isinstance(a, Var) else a.value for a in e.operands]

    def moved(*ms: Any) -> Any:
        operands = list(xs)
        for i, m in zip(active, ms, strict=True):
            operands[i] = m
        return bind(e.primitive, operands, e.params)

    try:
        y, pullback = vjp(moved, *(xs[i] for i in active))
        graph = make_graph(pullback)(tree.map(ones_like, y))
    except TracerConversionError:
        return None
    return [
        _SIGNS.get(x.primitive.name, title_of(x))
        for x in graph.equations
        if x.primitive.name not in _SILENT
    ]


def _kept(net: Network, box: Box, slopes: dict[Var, Any]) -> Sequence[Box]:
    """The boxes whose values the way back of a box reads."""
    if len(box.equations) > 1 or box.equations[0].primitive.record is not None:
        return [box]
    (e,) = box.equations
    out = []
    for i in _active(e, slopes):
        for k, a in enumerate(e.operands):
            if isinstance(a, Var) and e.primitive.needs(i, k):
                out.append(net.place[a])
        if e.primitive.needs(i, -1):
            out.append(box)
    return out
