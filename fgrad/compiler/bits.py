"""Bits: the lines of `numpy.where` of large arrays, by arithmetic on bits; see `ops.choice`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ops.choice import INTEGERS, MANY, is_zero
from .program import Node
from .scope import Scope


def by_bits(node: Node, least: int = MANY) -> bool:
    """Whether a choice can be made by bits, and is large enough."""
    if node.kind != "where" or node.size < least or node.dtype.char not in INTEGERS:
        return False
    mask, *parts = node.ins
    return bool(
        mask.shape
        and mask.dtype == np.bool_
        and node.dtype.isnative
        and all(x.number is not None or (x.shape and x.dtype == node.dtype) for x in parts)
    )


def choice(scope: Scope, node: Node, args: Sequence[str], out: str) -> list[str]:
    """Lines that write a choice into a place, which overlaps none of its operands.

    Args:
        scope: where the names of functions and numbers are bound.
        node: the choice.
        args: the expressions of its operands; those of numbers are not used.
        out: that of the place.
    """
    integers = INTEGERS[node.dtype.char]
    integer = scope.bind(integers, integers.__name__)
    times, xor = scope.bind(np.multiply, "multiply"), scope.bind(np.bitwise_xor, "bitwise_xor")
    mask, here = args[0], f"{out}.view({integer})"

    def bits(k: int) -> str:
        number = node.ins[k].number
        if number is None:
            return f"{args[k]}.view({integer})"
        return scope.number(np.asarray(number).astype(node.dtype).view(integers)[()])

    if is_zero(node.ins[2].number):
        return [f"{times}({bits(1)}, {mask}, {here})"]
    if is_zero(node.ins[1].number):
        lines = [f"{times}({bits(2)}, {mask}, {here})"]
    else:
        lines = [f"{xor}({bits(1)}, {bits(2)}, {here})", f"{times}({here}, {mask}, {here})"]
    return [*lines, f"{xor}({here}, {bits(2)}, {here})"]  # y ^ ((x ^ y) times mask)
