"""What boxes hold: values, derivatives, and words for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import INEXACT, aval
from ..core import bind, home
from ..derivatives import vjp
from ..graph import Graph, Var
from ..moving import host_array


def _run(graph: Graph, leaves: Sequence[Any], shifts: dict[Var, Any]) -> dict[Var, Any]:
    env = {
        v: x + shifts[v] if v in shifts else x for v, x in zip(graph.inputs, leaves, strict=True)
    }
    for e in graph.equations:
        operands = [env[a] if isinstance(a, Var) else a.value for a in e.operands]
        ans = bind(e.primitive, operands, e.params)
        for v, y in zip(e.outputs, ans if e.primitive.several else (ans,), strict=True):
            env[v] = y + shifts[v] if v in shifts else y
    return env


def values_of(graph: Graph, leaves: Sequence[Any]) -> dict[Var, Any]:
    """The value of each variable."""
    return _run(graph, leaves, {})


def slopes_of(graph: Graph, leaves: Sequence[Any]) -> dict[Var, Any]:
    """The derivative of the first result by each value, as if it could be moved by itself."""
    top = graph.outputs[0]
    variables = [*graph.inputs, *(v for e in graph.equations for v in e.outputs)]
    moving = [v for v in variables if v.aval.dtype.kind in INEXACT]
    if not isinstance(top, Var) or top.aval.dtype.kind not in INEXACT:
        return {}
    zeros = [np.zeros(v.aval.shape, v.aval.dtype) for v in moving]

    def moved(*shifts: Any) -> Any:
        return _run(graph, leaves, dict(zip(moving, shifts, strict=True)))[top]

    y, pullback = vjp(moved, *zeros)
    found = pullback(ones_like(y))
    return dict(zip(moving, found, strict=True))


def shape_of(v: Var) -> str:
    """The dtype and shape of a value, in words."""
    return f"{v.aval.dtype} {list(v.aval.shape)}" if v.aval.shape else str(v.aval.dtype)


def ones_like(x: Any) -> Any:
    """Ones of a value's shape and dtype."""
    return home(x).ones(aval(x).shape, aval(x).dtype)


def joined(xs: Sequence[Any]) -> Any:
    """The numbers of several arrays in one; of one array itself."""
    return xs[0] if len(xs) == 1 else np.concatenate([np.ravel(x) for x in xs])


def summary(x: Any) -> str:
    """A number, or where the numbers of an array lie.

    >>> summary(2.0), summary(np.array([1, 2])), summary(np.arange(100.0))
    ('2', '[1 2]', '0 … 99')
    """
    x = host_array(x)
    if not x.size:
        return "empty"
    if x.ndim == 0:
        return f"{x[()]:.5g}" if x.dtype.kind in "fiuc" else str(x[()])
    if x.size <= 4 and x.ndim == 1 and x.dtype.kind in "fiu":
        return "[" + " ".join(f"{v:.3g}" for v in x) + "]"
    if x.dtype.kind == "b":
        return f"{int(x.sum())} of {x.size} true"
    if x.dtype.kind == "c":
        return f"|·| to {np.max(np.abs(x)):.3g}"
    low, high = np.min(x) + 0, np.max(x) + 0  # and no minus sign of a zero
    return f"all {low:.3g}" if low == high else f"{low:.3g} … {high:.3g}"
