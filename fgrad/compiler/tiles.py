"""Tiles: the lines of a product that is done as a stack of small ones (`tiling`)."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from .looping import reducing
from .program import Node, Shape
from .scope import Scope
from .tiling import way


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


def tiled(printer: Prints, node: Node) -> bool:
    """Print a product as a stack of small ones, if that is quicker; say whether it was done."""
    x, y = node.ins
    if not printer.loose or x.ndim != 2 or y.ndim != 2 or node.fortran is not False:
        return False
    if not x.dtype == y.dtype == node.dtype or x.fortran is None or y.fortran is None:
        return False
    (m, k), n = x.shape, y.shape[1]
    found = way(m, k, n, node.dtype, x.fortran, y.fortran)
    if found is None:
        return False
    by, p = found
    matmul, copyto = (printer.scope.bind(f, f.__name__) for f in (np.matmul, np.copyto))
    left, right = printer.read(x), printer.read(y)
    if by == "copied":
        copy = printer.scratch("transposed", (k, n), y.dtype)
        printer.lines.append(f"{copyto}({copy}, {right})")
        right = copy
    out = printer.written(node)
    if by == "terms":
        sums = to = printer.scratch("terms", (p, m, n), node.dtype)
        left = printer.seen(f"{left}.T.reshape({p}, {k // p}, {m}).transpose(0, 2, 1)", left)
        right = printer.seen(f"{right}.reshape({p}, {k // p}, {n})", right)
    elif by == "columns":
        right = printer.seen(f"{right}.reshape({k}, {p}, {n // p}).transpose(1, 0, 2)", right)
        to = printer.seen(f"{out}.reshape({m}, {p}, {n // p}).transpose(1, 0, 2)", out)
    else:
        of = f"{left}.T.reshape({k}, {p}, {m // p}).transpose(1, 2, 0)"
        view = of if x.fortran else f"{left}.reshape({p}, {m // p}, {k})"
        left = printer.seen(view, left)
        to = printer.seen(f"{out}.reshape({p}, {m // p}, {n})", out)
    printer.lines.append(f"{matmul}({left}, {right}, {to})")
    if by == "terms":
        reduce = printer.scope.bind(reducing(np.add), "add_reduce")
        printer.lines.append(f"{reduce}({sums}, 0, None, {out})")
    return True
