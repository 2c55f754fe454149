"""Spelling: small things that printed code is made of, and what it calls for its results."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import is_a, ndarray
from ..kinds import as_kind
from .program import Node, Shape
from .scope import Scope


class Constant:
    """An array that is one number throughout, in the table of numbers."""

    def __init__(self, number: Any, shape: Shape, dtype: Any) -> None:
        self.text = f"{number!r} {type(number)} {shape} {dtype}"

    def __repr__(self) -> str:
        return self.text


def copied(x: Any) -> Any:
    """A copy of an array; a number as it is."""
    return x.copy() if is_a(x, ndarray) else x


def own(x: Any, *operands: Any) -> Any:
    """An answer of an implementation that may be one of its operands, or a view."""
    if is_a(x, ndarray) and (x.base is not None or any(x is y for y in operands)):
        return x.copy("K")
    return x


#: Ufuncs whose operators do the same to NumPy's scalars, in a tenth of the time.
INFIX: dict[Any, str] = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.true_divide: "/", np.power: "**",
    np.less: "<", np.greater: ">", np.less_equal: "<=", np.greater_equal: ">=",
    np.equal: "==", np.not_equal: "!=",
}  # fmt: skip


def infix(node: Node) -> str | None:
    """The operator that computes a ufunc of two of NumPy's scalars."""
    if node.shape or len(node.ins) != 2 or all(x.weak for x in node.ins):
        return None
    if node.meta is np.power and any(not x.weak and x.dtype != np.float64 for x in node.ins):
        return None  # of float64 the operator rounds as the function does that was recorded
    return INFIX.get(node.meta)


#: Nodes whose numbers are NumPy's scalars.
SCALARS = frozenset({"ufunc", "inner", "dot", "where"})


def of_kind(expression: str, node: Node, kind: type | None, scope: Scope) -> str:
    """The expression of a result that is a number of a kind, or an array of no axes."""
    if kind is None:
        return expression
    if kind is np.generic:
        scalar = node.kind in SCALARS or (node.kind == "reduce" and not node.meta[2])
        natural = scalar or (node.kind == "literal" and not node.weak)
    else:
        natural = node.weak and kind is not ndarray
    if natural:
        return expression
    if kind in (np.generic, ndarray):
        return f"{scope.bind(as_kind, 'as_kind')}({expression}, {scope.bind(kind, kind.__name__)})"
    return f"{scope.bind(kind, kind.__name__)}({expression})"


def spelled(spec: tuple[Any, ...]) -> str:
    """A basic index as it is written."""
    parts = []
    for s in spec:
        if isinstance(s, slice):
            part = f"{'' if s.start is None else s.start}:{'' if s.stop is None else s.stop}"
            parts.append(part if s.step is None else f"{part}:{s.step}")
        else:
            parts.append("..." if s is Ellipsis else repr(s))
    return ", ".join(parts) if parts else "()"
