"""Tiles: a product of matrices as a stack of small ones, which BLAS does without copies (`small`).

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
from typing import Any, Protocol

import numpy as np

from .looping import reducing
from .program import Node, Shape
from .scope import Scope
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


class Prints(Protocol):
    """What a product needs of the printer of its program."""

    scope: Scope
    lines: list[str]
    loose: bool

    def read(self, x: Node) -> str:
        """The expression of an operand."""

    def written(self, node: Node) -> str:
        """The name of an array that a node is to be written into."""

    def scratch(self, which: object, shape: Shape, dtype: object) -> str:
        """The name of an array that is used between here and the next line."""

    def seen(self, expression: str, of: str) -> str:
        """A view: made once if it is of an array that is kept."""


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


def tiled(printer: Prints, node: Node) -> bool:
    """Print a product as a stack of small ones, if that is quicker; say whether it was done."""
    x, y = node.ins
    most = at_once(node.dtype)
    if not printer.loose or x.ndim != 2 or y.ndim != 2 or node.fortran is not False:
        return False
    (m, k), n = x.shape, y.shape[1]
    if most == inf or not x.dtype == y.dtype == node.dtype or None in (x.fortran, y.fortran):
        return False
    if not x.fortran and y.fortran and (columns := of_transposed(m, k, n, node.dtype)):
        return _by_columns(printer, node, columns)
    if m * k * n <= most or m < LEAST // 4:  # so few rows are nearly a vector
        return False
    if x.fortran:
        return not y.fortran and _of_transposed(printer, node, most)
    rows, columns = parts(m, k * n, most, LEAST), parts(n, m * k, most, LEAST)
    if rows > 1 and (not y.fortran or m >= MANY):
        return _by_rows(printer, node, rows)
    few = max(m, k) <= FEW or (m <= FEW // 2 and k <= 2 * FEW)
    return columns > 1 and few and not y.fortran and _by_columns(printer, node, columns)


def _by_rows(printer: Prints, node: Node, p: int) -> bool:
    """Of some rows of x at a time."""
    x, y = node.ins
    (m, k), n = x.shape, y.shape[1]
    left, right = printer.read(x), printer.read(y)
    if y.fortran:
        copy = printer.scratch("transposed", (k, n), y.dtype)
        printer.lines.append(f"{printer.scope.bind(np.copyto, 'copyto')}({copy}, {right})")
        right = copy
    out = printer.written(node)
    stack = printer.seen(f"{left}.reshape({p}, {m // p}, {k})", left)
    to = printer.seen(f"{out}.reshape({p}, {m // p}, {n})", out)
    printer.lines.append(f"{printer.scope.bind(np.matmul, 'matmul')}({stack}, {right}, {to})")
    return True


def _by_columns(printer: Prints, node: Node, p: int) -> bool:
    """Of some columns of y at a time."""
    x, y = node.ins
    (m, k), n = x.shape, y.shape[1]
    left, right, out = printer.read(x), printer.read(y), printer.written(node)
    stack = printer.seen(f"{right}.reshape({k}, {p}, {n // p}).transpose(1, 0, 2)", right)
    to = printer.seen(f"{out}.reshape({m}, {p}, {n // p}).transpose(1, 0, 2)", out)
    printer.lines.append(f"{printer.scope.bind(np.matmul, 'matmul')}({left}, {stack}, {to})")
    return True


def _of_transposed(printer: Prints, node: Node, most: float) -> bool:
    """A product of h.T, such as the gradient of a weight."""
    x, y = node.ins
    (m, k), n = x.shape, y.shape[1]
    rows, terms = parts(m, k * n, most, LEAST // 2), parts(k, m * n, most, 3 * LEAST)
    if (rows == 1 or k > FEW) and (terms == 1 or k < MANY or m * n > ADDED):
        return False
    matmul = printer.scope.bind(np.matmul, "matmul")
    left, right, out = printer.read(x), printer.read(y), printer.written(node)
    if rows > 1 and k <= FEW:
        stack = f"{left}.T.reshape({k}, {rows}, {m // rows}).transpose(1, 2, 0)"
        to = printer.seen(f"{out}.reshape({rows}, {m // rows}, {n})", out)
        printer.lines.append(f"{matmul}({printer.seen(stack, left)}, {right}, {to})")
        return True
    each = k // terms
    sums = printer.scratch("terms", (terms, m, n), node.dtype)
    stack = printer.seen(f"{left}.T.reshape({terms}, {each}, {m}).transpose(0, 2, 1)", left)
    beside = printer.seen(f"{right}.reshape({terms}, {each}, {n})", right)
    reduce = printer.scope.bind(reducing(np.add), "add_reduce")
    printer.lines += [
        f"{matmul}({stack}, {beside}, {sums})", f"{reduce}({sums}, 0, None, {out})",
    ]  # fmt: skip
    return True
