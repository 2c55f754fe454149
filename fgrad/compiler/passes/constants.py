"""Constants: numbers that do nothing, and arrays that are broadcast sooner than they need be."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..program import Builder, Node, Rule, Shape
from .shown import of


def spread_out(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """A ufunc of broadcast arrays is computed before they are broadcast."""
    if not any(x.kind == "broadcast" for x in ins):
        return None
    small = [x.ins[0] if x.kind == "broadcast" else x for x in ins]
    inner = np.broadcast_shapes(*[x.shape for x in small])
    return (
        b.broadcast(b.make("ufunc", small, meta, inner, dtype), shape) if inner != shape else None
    )


def narrowed(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """A ufunc broadcasts by itself."""
    if not any(x.kind == "broadcast" for x in ins):
        return None
    small = [x.ins[0] if x.kind == "broadcast" else x for x in ins]
    if np.broadcast_shapes(*[x.shape for x in small]) == shape:
        return b.make("ufunc", small, meta, shape, dtype)
    return None


def axes_in_front(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """A ufunc adds axes of length one in front by itself."""
    if len(ins) != 2:
        return None
    for k in (0, 1):
        x, y = ins[k], ins[1 - k]
        if x.kind == "reshape" and y.shape == shape:
            z = x.ins[0]
            if x.shape == (1,) * (x.ndim - z.ndim) + z.shape and z.ndim < x.ndim:
                new = (z, y) if k == 0 else (y, z)
                return b.make("ufunc", new, meta, shape, dtype)
    return None


@of(np.multiply, np.true_divide)
def times_one(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x * 1``, ``x / 1``; ``x * -1`` is ``-x``."""
    if meta is not np.multiply and meta is not np.true_divide:
        return None
    for x, y in (ins, ins[::-1]) if meta is np.multiply else (ins,):
        c = y.number
        if c is not None and x.shape == shape and x.dtype == dtype and not x.weak:
            if c == 1 and dtype.kind != "c":  # inf * (1 + 0j) is nan
                return x
            if c == -1 and dtype.kind == "f":
                return b.make("ufunc", (x,), np.negative, shape, dtype)
    return None


@of(np.add)
def twice(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x + x`` is ``x * 2``, to the bit."""
    if meta is np.add and ins[0] is ins[1] and dtype.char in "fd" and not ins[0].weak:
        return b.make("ufunc", (ins[0], b.scalar(2, dtype)), np.multiply, shape, dtype)
    return None


@of(np.power)
def power(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x ** 1`` and ``x ** 2``."""
    if meta is not np.power or ins[1].number is None or ins[0].dtype != dtype:
        return None
    x, c = ins[0], ins[1].number
    if dtype.kind != "f" or x.weak or x.shape != shape:
        return None
    if c == 1:
        return x
    return b.make("ufunc", (x, x), np.multiply, shape, dtype) if c == 2 else None


def cast_before(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """What is broadcast is cast before."""
    (x,) = ins
    if x.kind != "broadcast":
        return None
    inner = b.make("cast", x.ins, dtype, x.ins[0].shape, dtype)
    return b.broadcast(inner, shape)


RULES: dict[str, list[Rule]] = {
    "ufunc": [spread_out, narrowed, axes_in_front, times_one, twice, power],
    "cast": [cast_before],
}
