"""Signs: negations are moved to where they cost nothing.

No bit changes, but by the rules in `LOOSE`: the sign of a zero, and a product's last bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..program import Builder, Node, Rule, Shape
from .shown import of


def _negated(x: Node) -> Node | None:
    """The y of ``x = -y``."""
    return x.ins[0] if x.kind == "ufunc" and x.meta is np.negative and x.floating else None


@of(np.negative)
def minus_minus(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``-(-x)``; ``-(c * x)`` with a number c."""
    if meta is not np.negative or dtype.kind != "f":
        return None
    (x,) = ins
    if x.kind != "ufunc":
        return None
    if x.meta is np.negative:
        return x.ins[0]
    if x not in b.single:
        return None
    if x.meta is np.multiply:
        for k in (0, 1):
            c = x.ins[k].number
            if c is not None and not x.ins[k].weak:
                new = (b.literal(-c), x.ins[1]) if k == 0 else (x.ins[0], b.literal(-c))
                return b.make("ufunc", new, np.multiply, shape, dtype)
    return None


@of(np.negative)
def minus_difference(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``-(x - y)`` is ``y - x``, but for the sign of a zero."""
    (x, *rest) = ins
    if meta is not np.negative or rest or dtype.kind != "f" or x not in b.single:
        return None
    if x.kind == "ufunc" and x.meta is np.subtract:
        return b.make("ufunc", x.ins[::-1], np.subtract, shape, dtype)
    return None


@of(np.add, np.subtract)
def plus_minus(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x + (-y)``, ``(-x) + y``, ``x - (-y)``."""
    if len(ins) != 2 or dtype.kind != "f":
        return None
    x, y = ins
    if meta is np.add:
        if _negated(y) is not None:
            return b.make("ufunc", (x, y.ins[0]), np.subtract, shape, dtype)
        if _negated(x) is not None:
            return b.make("ufunc", (y, x.ins[0]), np.subtract, shape, dtype)
    if meta is np.subtract and _negated(y) is not None:
        return b.make("ufunc", (x, y.ins[0]), np.add, shape, dtype)
    return None


@of(np.multiply, np.true_divide)
def times_minus(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``(-x) * y`` is ``-(x * y)``, whose sign may go further."""
    if meta not in (np.multiply, np.true_divide) or dtype.kind != "f":
        return None
    for k in (0, 1):
        x = _negated(ins[k])
        if x is not None and ins[k] in b.single and ins[1 - k].number is None:
            new = (x, ins[1]) if k == 0 else (ins[0], x)
            if np.broadcast_shapes(*[z.shape for z in new]) == shape:
                inner = b.make("ufunc", new, meta, shape, dtype)
                return b.make("ufunc", (inner,), np.negative, shape, dtype)
        if x is not None and ins[1 - k].number is not None and not ins[1 - k].weak:
            c = b.literal(-ins[1 - k].number)
            return b.make("ufunc", (x, c) if k == 0 else (c, x), meta, shape, dtype)
    return None


def product_minus(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``(-x).dot(y)`` is ``-(x.dot(y))``, where that is the smaller array to negate."""
    size = 1
    for n in shape:
        size *= n
    for k in (0, 1):
        x = _negated(ins[k])
        if x is not None and ins[k] in b.single and size <= x.size:
            new = (x, ins[1]) if k == 0 else (ins[0], x)
            inner = b.make("dot", new, meta, shape, dtype)
            return b.make("ufunc", (inner,), np.negative, shape, dtype)
    return None


def sum_minus(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``sum(-x)`` is ``-sum(x)``."""
    (x,) = ins
    if meta[0] is np.add and _negated(x) is not None:
        inner = b.make("reduce", x.ins, meta, shape, dtype)
        return b.make("ufunc", (inner,), np.negative, shape, dtype)
    return None


RULES: dict[str, list[Rule]] = {
    "ufunc": [minus_minus, plus_minus, times_minus],
    "reduce": [sum_minus],
}
#: Those that may change a bit.
LOOSE: dict[str, list[Rule]] = {"ufunc": [minus_difference], "dot": [product_minus]}
