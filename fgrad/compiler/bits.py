"""Bits: `numpy.where` of large arrays, by arithmetic on the bits of numbers.

NumPy's `where` has a branch for each entry, which the processor must guess. Where a mask has no
pattern that costs ten times what the arithmetic costs: bits times 0 or 1, which is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import copysign
from typing import Any

import numpy as np

from ..arrays import is_a
from .program import Node
from .scope import Scope

#: For each dtype the integers that have as many bits.
INTEGERS = {"f": np.int32, "d": np.int64}
#: Of fewer entries NumPy's way takes no longer.
MANY = 1 << 11


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


def is_zero(number: Any) -> bool:
    """Whether all bits of a number are 0."""
    return is_a(number, (int, float, np.floating)) and not number and copysign(1, number) > 0


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
