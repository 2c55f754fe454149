"""Tiling: whether a product of matrices is quicker as a stack of small ones, and of which.

BLAS does small products without copies of the matrices, see `small`.
For x of shape (m, k) and y of shape (k, n) in C order it may take some rows of x at a time; of
w.T, rows of x and a copy of w.T, or for few rows of x some columns; of h.T @ y, rows of the
result where the sums are short, or terms of the sums where they are long and the result is small.
`benchmarks/products.py` measures each way against the whole product. Arrays that begin at a cache
line gain most: those that a compiled function keeps do, its arguments need not.
"""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

from .small import at_once

#: Parts of fewer rows or columns gain nothing.
LEAST = 32
#: So many rows make up for a copy of the other matrix, or for adding up.
MANY = 256
#: Up to so many terms sums are short, from there on they are long.
FEW = 128
#: Products with a transposed matrix have no copies if they have so few entries.
ENTRIES = 1024
#: Results of so many entries are small enough to be added up.
ADDED = 4096


class Way(NamedTuple):
    """How a product is done.

    Attributes:
        by: what is taken apart: "rows" of x, "columns" of y, or the "terms" of the sums; "copied"
            are rows of x, where y is w.T and copied before.
        parts: into how many equal parts.
    """

    by: str
    parts: int


def parts(length: int, work: int, most: float, least: int) -> int:
    """Into how many equal parts a length goes, each with so much work; 1 if none fits.

    >>> parts(2048, 64 * 64, 1e6, 32), parts(100, 10, 1e6, 32), parts(31, 1e6, 1e6, 1)
    (16, 1, 31)
    """
    if length * work <= most:
        return 1
    for p in range(2, length // least + 1):
        if length % p == 0 and length // p * work <= most:
            return p
    return 1


def of_transposed(m: int, k: int, n: int, dtype: Any) -> int:
    """How many parts the columns of w.T go into in ``x @ w.T``; 0 for a product done otherwise."""
    if at_once(dtype) == inf or not LEAST // 4 <= m <= FEW // 2 or k < max(2 * m, FEW):
        return 0
    columns = parts(n, m, ENTRIES, LEAST // 4)
    return columns if columns > 1 else 0


def way(m: int, k: int, n: int, dtype: Any, x_turned: bool, y_turned: bool) -> Way | None:
    """How to do ``x @ y`` of shapes (m, k) and (k, n); None for as a whole.

    Args:
        m, k, n: the shapes.
        dtype: of both, and of the result.
        x_turned, y_turned: whether x and y are transposes of matrices in C order.
    """
    most = at_once(dtype)
    if most == inf or (x_turned and y_turned):
        return None
    if y_turned and (columns := of_transposed(m, k, n, dtype)):
        return Way("columns", columns)
    if m * k * n <= most or m < LEAST // 4:  # so few rows are nearly a vector
        return None
    if x_turned:
        rows, terms = parts(m, k * n, most, LEAST // 2), parts(k, m * n, most, 3 * LEAST)
        if rows > 1 and k <= FEW:
            return Way("rows", rows)
        return Way("terms", terms) if terms > 1 and k >= MANY and m * n <= ADDED else None
    rows = parts(m, k * n, most, LEAST)
    if rows > 1 and (not y_turned or m >= MANY):
        return Way("copied" if y_turned else "rows", rows)
    columns = parts(n, m * k, most, LEAST) if m <= LEAST and k <= MANY and not y_turned else 1
    return Way("columns", columns) if columns > 1 else None
