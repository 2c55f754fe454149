"""Scaling: numbers that are multiplied with are gathered, and moved to the smallest array.

These rules change last bits: ``(x * a) * b`` becomes ``x * (a * b)``.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..program import Builder, Node, Rule, Shape
from .shown import of

#: Numbers of such sizes are moved: with others, what comes between could over- or underflow.
SMALL, GREAT = 2.0**-32, 2.0**32


def _moderate(c: Any) -> bool:
    return SMALL <= abs(c) <= GREAT


def _scaled(x: Node) -> tuple[Node, Any] | None:
    """The y and the moderate number c of ``x = y * c``, of the same shape and dtype."""
    if x.kind == "ufunc" and x.meta is np.multiply and x.floating:
        for y, c in (x.ins, x.ins[::-1]):
            same = y.shape == x.shape and y.dtype == x.dtype and not y.weak
            if c.number is not None and same and _moderate(c.number):
                return y, c.number
    return None


def _floats(ins: tuple[Node, ...], dtype: Any) -> bool:
    return dtype.char in "fd" and all(x.dtype == dtype or x.weak for x in ins)


@of(np.true_divide)
def by_inverse(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x / c`` is ``x * (1 / c)``."""
    if meta is not np.true_divide or not _floats(ins, dtype) or ins[1].number is None:
        return None
    c = float(ins[1].number)
    if c == 0 or not np.isfinite(dtype.type(1 / c)) or not np.isfinite(c) or ins[0].weak:
        return None
    return b.make("ufunc", (ins[0], b.scalar(1 / c, dtype)), np.multiply, shape, dtype)


@of(np.true_divide)
def by_known_inverse(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x / y`` is ``x * (1 / y)``, where that inverse is there."""
    if meta is not np.true_divide or not _floats(ins, dtype) or ins[0].number is not None:
        return None
    for one in (1.0, np.float64(1), np.float32(1)):
        known = b.known("ufunc", (b.literal(one), ins[1]), np.true_divide)
        if known is not None and known.dtype == dtype and not ins[0].weak:
            return b.make("ufunc", (ins[0], known), np.multiply, shape, dtype)
    return None


@of(np.multiply)
def number_last(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``c * x`` is ``x * c``: one form, in the array's dtype."""
    if meta is np.multiply and ins[0].number is not None and ins[1].number is None:
        return b.make("ufunc", ins[::-1], meta, shape, dtype)
    if meta is np.multiply and ins[1].weak and ins[1].number is not None and _floats(ins, dtype):
        return b.make("ufunc", (ins[0], b.scalar(ins[1].number, dtype)), meta, shape, dtype)
    return None


@of(np.multiply)
def gathered(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``(x * a) * b`` is ``x * (a * b)``."""
    if meta is not np.multiply or ins[1].number is None or not _floats(ins, dtype):
        return None
    inner = _scaled(ins[0])
    if inner is None or inner[0].shape != shape or not _moderate(ins[1].number):
        return None
    c = b.scalar(float(inner[1]) * float(ins[1].number), dtype)
    return b.make("ufunc", (inner[0], c), meta, shape, dtype)


@of(np.multiply)
def to_smaller(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``(x * y) * c`` with a smaller x is ``(x * c) * y``."""
    x, c = ins[0], ins[-1]
    if meta is not np.multiply or c.number is None or not _floats(ins, dtype) or x not in b.single:
        return None
    if x.kind != "ufunc" or x.meta is not np.multiply or _scaled(x) is not None:
        return None
    if not _moderate(c.number):
        return None
    for small, other in (x.ins, x.ins[::-1]):
        if small.size < x.size and small.dtype == other.dtype == dtype and not small.weak:
            inner = b.make("ufunc", (small, c), meta, small.shape, dtype)
            return b.make("ufunc", (inner, other), meta, shape, dtype)
    return None


@of(np.multiply)
def outwards(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``(x * c) * y`` is ``(x * y) * c``, where x is as large as the product."""
    if meta is not np.multiply or not _floats(ins, dtype):
        return None
    for k in (0, 1):
        x, y = ins[k], ins[1 - k]
        inner = _scaled(x) if x in b.single and x.shape == shape and y.number is None else None
        if inner is not None and not y.weak:
            product = b.make("ufunc", (inner[0], y), meta, shape, dtype)
            return b.make("ufunc", (product, b.scalar(inner[1], dtype)), meta, shape, dtype)
    return None


def out_of_product(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``(x * c).dot(y)`` is ``x.dot(y) * c``, where that is the smaller array to scale."""
    for k in (0, 1):
        inner = _scaled(ins[k]) if ins[k] in b.single and prod(shape) <= ins[k].size else None
        if inner is not None:
            new = (inner[0], ins[1]) if k == 0 else (ins[0], inner[0])
            product = b.make("dot", new, meta, shape, dtype)
            c = b.scalar(inner[1], dtype)
            return b.make("ufunc", (product, c), np.multiply, shape, dtype)
    return None


def out_of_sum(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``sum(x * c)`` is ``sum(x) * c``."""
    inner = _scaled(ins[0]) if ins[0] in b.single and meta[0] is np.add else None
    if inner is None:
        return None
    total = b.make("reduce", (inner[0],), meta, shape, dtype)
    return b.make("ufunc", (total, b.scalar(inner[1], dtype)), np.multiply, shape, dtype)


@of(np.add)
def plus_zero(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x + 0``: zeros that rules of derivatives start from."""
    if meta is not np.add or dtype.kind != "f":
        return None
    for x, y in (ins, ins[::-1]):
        zero = y.ins[0] if y.kind == "broadcast" else y
        if zero.number is not None and zero.number == 0 and x.shape == shape and x.dtype == dtype:
            return x
    return None


@of(np.power)
def cube(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``x ** 3`` and ``x ** 0.5``."""
    if meta is not np.power or not _floats(ins, dtype) or ins[0].weak or ins[0].shape != shape:
        return None
    x, c = ins[0], ins[1].number
    if c is None:
        return None
    if c == 3:
        inner = b.make("ufunc", (x, x), np.multiply, shape, dtype)
        return b.make("ufunc", (inner, x), np.multiply, shape, dtype)
    return b.make("ufunc", (x,), np.sqrt, shape, dtype) if c == 0.5 else None


RULES: dict[str, list[Rule]] = {
    "ufunc": [
        by_inverse,
        by_known_inverse,
        number_last,
        gathered,
        to_smaller,
        outwards,
        plus_zero,
        cube,
    ],
    "dot": [out_of_product],
    "reduce": [out_of_sum],
}
