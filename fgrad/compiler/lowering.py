"""Lowering: fgrad's primitives as the nodes that the passes know.

A primitive that isn't named here becomes a call of its implementation, which is always right.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from ..arrays import is_a, ndarray
from ..core import Params
from ..graph import Const, Equation, Var
from .program import Builder, Call, Index, Node

Lowering = Callable[[Builder, Equation, tuple[Node, ...]], "Node | None"]

#: Primitive's name -> its node.
LOWERINGS: dict[str, Lowering] = {}


def lowers(*names: str) -> Callable[[Lowering], Lowering]:
    """Enter the lowering of primitives."""

    def enter(fn: Lowering) -> Lowering:
        for name in names:
            LOWERINGS[name] = fn
        return fn

    return enter


def lower(
    b: Builder, e: Equation, ins: tuple[Node, ...], params: Params | None = None
) -> tuple[Node, ...]:
    """The nodes of an equation's answers; ``params`` are those of a call, if not its own."""
    p, params = e.primitive, params or e.params
    if not p.several:
        out = e.outputs[0]
        lowering = LOWERINGS.get(p.name)
        node = lowering(b, e, ins) if lowering is not None else _ufunc(b, e, ins)
        if (
            node is not None
            and (node.shape, node.dtype) == (out.aval.shape, out.aval.dtype)
            and node.weak == out.weak
        ):
            return (node,)
        call = b.make("call", ins, Call(p, params), out.aval.shape, out.aval.dtype, out.weak)
        return (call,)
    call = b.make("call", ins, Call(p, params), (), np.dtype(object))
    return tuple(
        b.make("pick", (call,), k, v.aval.shape, v.aval.dtype) for k, v in enumerate(e.outputs)
    )


def _ufunc(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    f = UFUNCS.get(e.primitive.name)
    if f is None and isinstance(e.primitive.impl, np.ufunc):  # one of SciPy's
        f = e.primitive.impl
    out = e.outputs[0]
    if f is None or e.params or f.nin != len(ins) or f.nout != 1 or out.weak:
        return None
    return b.make("ufunc", ins, f, out.aval.shape, out.aval.dtype)


#: Primitive's name -> ufunc.
UFUNCS: dict[str, Any] = {
    # Not by dir(np): to ask for each name loads all of NumPy's modules, f2py among them.
    name: f
    for name, f in vars(np).items()
    if isinstance(f, np.ufunc)
}

#: Implementations by Python's operators, of Python numbers too.
OPERATORS: dict[Any, str] = {
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.truediv: "/",
}  # fmt: skip


def _axes(axes: Sequence[int], ndim: int) -> tuple[int, ...]:
    return tuple(sorted(i % ndim for i in axes))


@lowers("square")
def _square(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    (x,) = ins
    if not x.floating or x.weak:
        return _ufunc(b, e, ins)
    return b.make("ufunc", (x, x), np.multiply, x.shape, x.dtype)


@lowers("sum", "mean", "max", "min")
def _reduction(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    (x,), name = ins, e.primitive.name
    axes = _axes(e.params["axis"], x.ndim) if x.ndim else ()
    if x.dtype.char not in "fd" or not x.size or not x.ndim:
        return None
    f = {"max": np.maximum, "min": np.minimum}.get(name, np.add)
    total = b.reduce(f, x, axes, e.params["keepdims"])
    if name != "mean":
        return total
    count = b.scalar(x.size // max(total.size, 1), x.dtype)
    return b.make("ufunc", (total, count), np.true_divide, total.shape, total.dtype)


@lowers("transpose")
def _transpose(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    (x,) = ins
    return b.transpose(x, [i % x.ndim for i in e.params["axes"]])


@lowers("reshape", "expand_dims", "squeeze")
def _reshape(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    (x,) = ins
    return None if x.weak else b.reshape(x, e.outputs[0].aval.shape)


@lowers("broadcast_to")
def _broadcast(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    (x,) = ins
    return None if x.weak else b.broadcast(x, e.outputs[0].aval.shape)


@lowers("getitem")
def _getitem(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    spec, out = e.params["spec"], e.outputs[0].aval
    if len(ins) > 1 or not _basic(spec):
        return None
    return b.make("index", ins, Index(spec), out.shape, out.dtype)


@lowers("index_add")
def _index_add(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    if len(ins) != 2 or not _basic(e.params["spec"]) or ins[0].dtype != ins[1].dtype:
        return None
    x = ins[0]
    return b.make("put", ins, Index(e.params["spec"]), x.shape, x.dtype)


def _basic(spec: Any) -> bool:
    return all(type(s) in (int, slice, type(None), type(...)) for s in spec)


@lowers("matmul", "dot")
def _matmul(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    x, y = ins
    out = e.outputs[0].aval
    if x.dtype != y.dtype or x.dtype.char not in "fd" or 0 in (x.ndim, y.ndim):
        return None
    if x.ndim <= 2 and y.ndim <= 2:
        return b.make("dot", ins, None, out.shape, out.dtype)
    if e.primitive.name == "dot":
        return None
    return b.make("matmul", ins, None, out.shape, out.dtype)


@lowers("flip")
def _flip(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    (x,) = ins
    axes = _axes(e.params["axis"], x.ndim)
    spec = tuple(slice(None, None, -1 if i in axes else None) for i in range(x.ndim))
    return b.make("index", ins, Index(spec), x.shape, x.dtype)


@lowers("outer")
def _outer(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    x, y = ins
    out = e.outputs[0].aval
    if x.ndim != 1 or y.ndim != 1 or x.dtype != y.dtype:
        return None
    x, y = b.reshape(x, (x.size, 1)), b.reshape(y, (1, y.size))
    return b.make("ufunc", (x, y), np.multiply, out.shape, out.dtype)


@lowers("where")
def _where(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    out = e.outputs[0].aval
    return b.make("where", ins, None, out.shape, out.dtype)


@lowers("astype", "astype_exact")
def _cast(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    (x,), out = ins, e.outputs[0].aval
    if x.weak or not np.dtype(out.dtype).isnative:
        return None
    return b.make("cast", ins, out.dtype, out.shape, out.dtype)


@lowers("copy", "stop_gradient", "kind")
def _same(b: Builder, e: Equation, ins: tuple[Node, ...]) -> Node | None:
    return ins[0]


# ------------------------------------------------------------------ constants
def constant(b: Builder, value: Any, alone: bool) -> Node:
    """A captured value; an array that nobody else holds may be looked at."""
    if alone and is_a(value, ndarray) and value.ndim and value.size:
        first = value.flat[0]
        if value.dtype.kind in "fiub" and uniform(value, first):
            return b.broadcast(b.literal(first), value.shape)
    return b.literal(value)


def uniform(value: Any, first: Any) -> bool:
    """Whether an array is its first number throughout, signs of zeros included."""
    if not np.all(value == first):
        return False
    return (
        bool(first)
        or value.dtype.kind != "f"
        or bool(np.all(np.signbit(value) == np.signbit(first)))
    )


def alone(constants: Sequence[Const]) -> list[bool]:
    """For each constant, whether no one but these constants holds its array.

    Such an array was made while the function ran, by one of fgrad's rules or by the function, and
    is out of its reach by now: nobody can change it any more.
    """
    held: dict[int, int] = {}
    for c in constants:
        held[id(c.value)] = held.get(id(c.value), 0) + 1
    counts = []
    for c in constants:
        x = c.value
        own = is_a(x, ndarray) and (x.flags.owndata or _spread(x))
        counts.append(own and getrefcount(x) == held[id(x)] + _HERE)
        del x
    return counts


def _spread(x: Any) -> bool:
    """A number seen as an array, by a view that nobody shares."""
    return not any(x.strides) and getrefcount(x.base) == 2 + (x.base.base is not None)


def _references() -> int:
    constants = [Const(np.empty(1))]
    for c in constants:
        x = c.value
        n = getrefcount(x)
        del x
    return n - 1


_HERE = _references()


def constants_of(equations: Sequence[Equation]) -> list[Const]:
    """The captured values, in order."""
    return [a for e in equations for a in e.operands if isinstance(a, Const)]


def reads(e: Equation) -> list[Var]:
    """The variables that an equation reads."""
    return [a for a in e.operands if isinstance(a, Var)]
