"""Splitting: operations on the rows of large matrices, done on the axes that the rows come from.

A layer's product has one row for each place of each example, whatever the number of axes; what
follows it has them as axes of their own. In the same axes, a bias and what comes behind it are one
loop over blocks.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..program import BLOCKED, Builder, Node, Rule, Shape

#: What computes each entry from the entries in its place.
ENTRIES = frozenset({"ufunc", "where", "cast"})


def split(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """``f(x, y).reshape(4, 5, 6)`` is ``f(x.reshape(4, 5, 6), y)``, of 20 rows and y the same."""
    (x,) = ins
    if x.kind not in ENTRIES or x.size < BLOCKED or x not in b.single or x.fortran is not False:
        return None
    if not _splits(x.shape, shape) or (x.kind == "ufunc" and x.meta.signature is not None):
        return None
    parts = []
    for y in x.ins:
        whole = y.shape == x.shape
        if (whole and y.fortran is not False) or (not whole and y.ndim >= x.ndim):
            return None
        parts.append(b.reshape(y, shape) if whole else y)
    return b.make(x.kind, parts, x.meta, shape, dtype)


def over_split(b: Builder, ins: tuple[Node, ...], meta: Any, shape: Shape, dtype: Any) -> Any:
    """The sum over 20 rows that were 4 times 5 is one over these two axes."""
    (x,), (f, axes, keepdims) = ins, meta
    if x.kind != "reshape" or x.size < BLOCKED or f is not np.add or axes != (0,) or keepdims:
        return None
    (y,) = x.ins
    if not _splits(x.shape, y.shape) or y.fortran is not False or dtype.kind != "f":
        return None
    return b.reduce(f, y, tuple(range(y.ndim - x.ndim + 1)), False)


def _splits(one: Shape, many: Shape) -> bool:
    """Whether the first axis of a matrix or of a stack is several ones of the other shape."""
    return len(one) > 1 and len(many) > len(one) and many[1 - len(one) :] == one[1:]


RULES: dict[str, list[Rule]] = {"reshape": [split]}
SUMS: dict[str, list[Rule]] = {"reduce": [over_split]}
