"""Meaning: the nodes of operations of which some compute on the device, and others on the host.

What the host computes, such as Adam's ``1 - b1 ** t``, stays a call of its implementation: it must
not become an array of the device. What the device computes is lowered as NumPy's is.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from inspect import isfunction as is_function
from typing import Any

import numpy as np

from ...arrays import NATIVE, is_cupy, ndarray
from ...core import Primitive
from ...graph import Equation, Var
from ...libraries import implementation
from ..lowering import constant, lower
from ..program import Builder, Call, Held, Node


def _positive(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node:
    (x,), out = ins, e.outputs[0].aval
    return b.make("ufunc", (x, b.literal(0)), np.maximum, out.shape, out.dtype)


def _kept(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node:
    (x, mask), out = ins, e.outputs[0].aval
    return b.make("where", (mask, x, b.scalar(0, out.dtype)), None, out.shape, out.dtype)


#: Operations whose own code is written for the host's processor, by module and name of that code.
FORMS: dict[tuple[str, str], Callable[[Builder, Equation, tuple[Node, ...]], Node]] = {
    ("fgrad_nn.activations_piecewise", "_relu_of"): _positive,
    ("fgrad_nn.masks", "select"): _kept,
}


class Placed(Call):
    """A primitive's call, with the function that computes it.

    Attributes:
        there: for each answer, whether it is on the device.
    """

    __slots__ = ("run", "there")

    def __init__(
        self,
        p: Primitive,
        params: dict[str, Any],
        run: Callable[..., Any],
        there: tuple[bool, ...],
    ) -> None:
        super().__init__(p, params)
        self.run, self.there = run, there
        self.key = self.key, id(run)


def class_of(e: Equation, there: Collection[Var], cls: type) -> type | None:
    """The class of the device's arrays, if an operation has one among its operands."""
    found = any(
        a in there if isinstance(a, Var) else type(a.value) not in NATIVE and is_cupy(a.value)
        for a in e.operands
    )
    return cls if found else None


def lowered(
    b: Builder, e: Equation, ins: tuple[Node, ...], there: Collection[Var], cls: type
) -> tuple[Node, ...]:
    """The nodes of an equation's answers."""
    p, own = e.primitive, class_of(e, there, cls)
    on_device = all(v in there for v in e.outputs)
    if own is not None and on_device and not p.several and not p.effect:
        form = FORMS.get((p.impl.__module__, p.impl.__qualname__)) if is_function(p.impl) else None
        (node,) = lower(b, e, ins) if form is None else (form(b, e, ins),)
        if node.kind != "call":
            return (node,)
    run = p.impl if own is None else implementation(p.impl, own)
    meta = Placed(p, dict(e.params), run, tuple(v in there for v in e.outputs))
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


def is_there(x: Node, inputs: Collection[Node]) -> bool:
    """Whether a node's array is on the device; ``inputs`` are those of the inputs that are."""
    if x.kind == "input":
        return x in inputs
    if x.kind == "literal":
        return isinstance(x.meta, Held) and not isinstance(x.meta.value, ndarray)
    if x.kind == "call":
        return all(x.meta.there)
    if x.kind == "pick":
        return bool(x.ins[0].meta.there[x.meta])
    return True
