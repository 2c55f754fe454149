"""Rows: how arrays of several shapes lie beside one loop over their leading axes.

A loop over an array of shape (64, 28, 28, 16) goes over its first axis: it has 64 rows of shape
(28, 28, 16). An array of shape (64, 1, 1, 16) has rows too; one of shape (16,) is the same in all.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from .program import Node, Shape

#: A row of more entries is taken apart further.
ROW = 1 << 15
#: Rows of so many entries make up for a number of their own.
WIDE = 8

#: What an operand is to a loop: a number; an array with a row in each round; one that is the same
#: in all; one that has to be repeated, for it lacks some of the leading axes.
NUMBER, ROWS, FIXED, SPREAD = "number", "rows", "fixed", "spread"


def rows_of(shape: Shape) -> Shape:
    """The leading axes that a loop over an array of this shape goes over.

    >>> rows_of((64, 28, 28, 16)), rows_of((3, 1000000))
    ((64,), (3, 1000000))
    """
    first, row = len(shape), 1
    while first > 1 and row * shape[first - 1] <= ROW:
        first -= 1
        row *= shape[first]
    return shape[:first]


def has_rows(x: Node, rows: Shape) -> bool:
    """Whether an array can be cut into such rows without a copy."""
    count = len(rows)
    return x.shape[:count] == rows and (x.fortran is False or count == 1)


def role(x: Node, rows: Shape, shape: Shape) -> str | None:
    """What an operand of an elementwise operation is, whose answer has this shape.

    None is what can't take part.
    """
    if not x.shape:
        return NUMBER
    inner = len(shape) - len(rows)
    if x.ndim == len(shape) and x.shape[: len(rows)] == rows:
        return ROWS if has_rows(x, rows) else None
    beside = max(x.ndim - inner, 0)
    if all(n == 1 for n in x.shape[:beside]):
        return FIXED
    if all(n == 1 for n in x.shape[beside:]) and prod(shape[len(rows) :]) >= WIDE:
        return SPREAD
    return None


def along_rows(axes: Sequence[int], rows: Shape) -> bool:
    """Whether a reduction stays in each row."""
    return all(axis >= len(rows) for axis in axes)


def over_rows(axes: Sequence[int], rows: Shape) -> bool:
    """Whether a reduction goes over all rows."""
    return set(range(len(rows))) <= {*axes}


def is_run(axes: Sequence[int]) -> bool:
    """Whether axes are neighbours."""
    return tuple(axes) == tuple(range(axes[0], axes[-1] + 1)) if axes else False
