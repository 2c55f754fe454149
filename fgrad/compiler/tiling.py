"""Tiling: whether a product of matrices is quicker as a stack of small ones, and of which.

BLAS does small products without copies of the matrices, see `small`.
For x of shape (m, k) and y of shape (k, n), as measured with OpenBLAS 0.3.31 on a Xeon with
AVX-512, against the whole product; both in C order if nothing else is said:

    rows of x              0.45 to 0.95, median 0.7, of float32 and of float64
    the same, y = w.T      0.5 to 1.0, median 0.7, from 256 rows on, w.T copied first
    columns of w.T         0.28 to 0.9, median 0.6, for few rows and long sums
    columns of y           0.44 to 0.87, median 0.65, for few rows and short sums
    rows of x = h.T        0.52 to 1.04, median 0.74, of sums of up to 128 terms
    sums in parts, x = h.T 0.5 to 0.92, median 0.68, of small results and long sums
"""

from __future__ import annotations

from math import inf
from typing import Any, NamedTuple

from .small import at_once

#: Parts of fewer rows or columns gain nothing.
LEAST = 32
#: So many rows make up for a copy of the other matrix, or for adding up.
MANY = 256
#: Up to so many rows, or terms of a sum, a product is done by columns.
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
    if at_once(dtype) == inf or not LEAST // 4 <= m <= FEW or k < max(2 * m, FEW):
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
    rows, columns = parts(m, k * n, most, LEAST), parts(n, m * k, most, LEAST)
    if x_turned:
        rows, terms = parts(m, k * n, most, LEAST // 2), parts(k, m * n, most, 3 * LEAST)
        if rows > 1 and k <= FEW:
            return Way("rows", rows)
        return Way("terms", terms) if terms > 1 and k >= MANY and m * n <= ADDED else None
    if rows > 1 and (not y_turned or m >= MANY):
        return Way("copied" if y_turned else "rows", rows)
    few = max(m, k) <= FEW or (m <= FEW // 2 and k <= 2 * FEW)
    return Way("columns", columns) if columns > 1 and few and not y_turned else None
