"""Meaning: the nodes of operations of which some compute on the device, and others on the host.

What the host computes, such as Adam's ``1 - b1 ** t``, stays a call of its implementation: it must
not become an array of the device. What the device computes is lowered as NumPy's is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...arrays import is_cupy
from ...control.bodies import Code
from ...control.folds import SCAN
from ...control.whiles import WHILE
from ...core import Primitive
from ...graph import Const, Equation, Graph, Var
from ...libraries import implementation
from ..lowering import constant, lower
from ..program import Builder, Call, Node
from ..scans.scan import scan_nodes
from .formulas import formula_of
from .presence import Unsure, carried, flags_of, inside, present, steady


class Placed(Call):
    """A primitive's call, with the function that computes it.

    Attributes:
        there: for each answer, whether it is on the device.
        given: for each operand, whether it is; one of a number throughout is a literal now.
    """

    __slots__ = ("given", "run", "there")

    def __init__(
        self,
        p: Primitive,
        params: dict[str, Any],
        run: Callable[..., Any],
        there: tuple[bool, ...],
        given: tuple[bool, ...],
    ) -> None:
        super().__init__(p, params)
        self.run, self.there, self.given = run, there, given
        self.key = self.key, id(run), given


@dataclass(frozen=True)
class Device:
    """What equations are lowered for.

    Attributes:
        cls: the class of the device's arrays.
        loops: whether loops of known length are nodes with a body.
        compiled: ``compiled(graph, flags)``, a graph that runs as compiled code, of inputs that
            are on the device where the flags say so.
    """

    cls: type
    loops: bool
    compiled: Callable[[Code, Sequence[bool]], Code]


def nodes_of(
    b: Builder, e: Equation, ins: tuple[Node, ...], there: Collection[Var], device: Device
) -> tuple[Node, ...]:
    """The nodes of an equation's answers; of one that runs graphs, of these too."""
    flags = flags_of(e.operands, there)
    if not any(flags):
        return lowered(b, e, ins, there, device.cls)
    if e.primitive is SCAN and device.loops:
        nodes = _loop(b, e, ins, flags, device)
        if nodes is not None:
            return nodes
    if any(type(g) is Code for g in e.params.values()):
        e = replace(e, params=_with_bodies(e, flags, device))
    graph = formula_of(e.primitive, e.params, ins)
    nodes = _inlined(b, graph, ins, flags, device) if graph is not None else None
    wanted = [(v.aval.shape, v.aval.dtype) for v in e.outputs]
    if nodes is not None and [(y.shape, y.dtype) for y in nodes] == wanted:
        return nodes
    return lowered(b, e, ins, there, device.cls)


def _loop(
    b: Builder, e: Equation, ins: tuple[Node, ...], flags: Sequence[bool], device: Device
) -> tuple[Node, ...] | None:
    """The results of a loop of known length, if it can be told where its values are."""
    body, front = e.params["body"], 0 if e.params["start"] is None else 1
    try:
        there, _ = carried(body, front, e.params["carries"], flags)
    except Unsure:
        return None

    def within(b: Builder, e: Equation, ins: tuple[Node, ...]) -> tuple[Node, ...]:
        return nodes_of(b, e, ins, there, device)

    return scan_nodes(b, e, ins, within)


def _with_bodies(e: Equation, flags: list[bool], device: Device) -> dict[str, Any]:
    """The params, with compiled graphs where it can be told where their values are."""
    params = dict(e.params)
    try:
        if e.primitive is WHILE:
            steady(params, flags)
        elif e.primitive is SCAN:
            c, front = params["carries"], 0 if params["start"] is None else 1
            if carried(params["body"], front, c, flags)[1][:c] != flags[:c]:
                return params
            flags = [False] * front + flags
        graphs = {k: g for k, g in params.items() if type(g) is Code}
        found = {k: device.compiled(g, inside(g, flags)) for k, g in graphs.items()}
    except Unsure:
        return params
    return {**params, **found}


def _inlined(
    b: Builder, graph: Graph, ins: Sequence[Node], flags: Sequence[bool], device: Device
) -> tuple[Node, ...] | None:
    """The results of a graph, made here."""
    try:
        there, outs = present(graph, flags)
    except Unsure:
        return None
    if not all(outs):
        return None
    env = dict(zip(graph.inputs, ins, strict=True))

    def read(a: Var | Const) -> Node:
        return env[a] if isinstance(a, Var) else constant(b, a.value, True)

    for e in graph.equations:
        nodes = nodes_of(b, e, tuple(map(read, e.operands)), there, device)
        env.update(zip(e.outputs, nodes, strict=True))
    return tuple(map(read, graph.outputs))


def lowered(
    b: Builder, e: Equation, ins: tuple[Node, ...], there: Collection[Var], cls: type
) -> tuple[Node, ...]:
    """The nodes of an equation's answers."""
    p, given = e.primitive, tuple(flags_of(e.operands, there))
    own = cls if any(given) else None
    on_device = all(v in there for v in e.outputs)
    if own is not None and on_device and not p.several and not p.effect:
        (node,) = lower(b, e, ins)
        if node.kind != "call":
            return (node,)
    run = p.impl if own is None else implementation(p.impl, own)
    meta = Placed(p, dict(e.params), run, tuple(v in there for v in e.outputs), given)
    if not p.several:
        aval = e.outputs[0].aval
        return (b.make("call", ins, meta, aval.shape, aval.dtype, e.outputs[0].weak),)
    call = b.make("call", ins, meta, (), np.dtype(object))
    return tuple(
        b.make("pick", (call,), k, v.aval.shape, v.aval.dtype, v.weak)
        for k, v in enumerate(e.outputs)
    )


def placed_constant(b: Builder, value: Any, alone: bool, number: Any = None) -> Node:
    """A captured value; one of the device's that is one number is that number, broadcast."""
    if not is_cupy(value):
        return constant(b, value, alone)
    if number is None:
        return b.literal(value)
    node = b.literal(number)
    return b.broadcast(node, value.shape) if value.shape else node
