"""Formulas: operations taken apart into those that the passes know.

An operation with code of its own is quick for NumPy, which goes over arrays once for each function.
Machine code and kernels of a device go over them once for a whole formula.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..arrays import is_a, ndarray
from ..control.bodies import Code
from ..core import Primitive
from ..graph import Const, Equation, Graph, Var
from ..stage import make_graph
from .codes import of_library
from .lowering import constant
from .passes import Options
from .program import Builder, Call, Node

#: What makes the nodes of an equation's answers.
Lower = Callable[[Builder, Equation, tuple[Node, ...]], tuple[Node, ...]]


def takes_apart(p: Primitive, ins: Sequence[Node], options: Options) -> bool:
    """Whether a compiled function does what an operation's formula says, in place of its code."""
    if p.formula is None or p.formula is True:
        return p.formula is True
    native = options.backend == "native" and options.reassociate
    return native and all(x.dtype.char in "fd" or x.dtype.kind in "iub" for x in ins)


def formula_of(p: Primitive, params: Any, ins: Sequence[Node]) -> Graph | None:
    """What an operation's formula does with such operands; None if it has none."""
    if p.formula is None or any(x.weak for x in ins):
        return None
    call, kinds = Call(p, dict(params)), kinds_of(ins)
    if of_library(p.impl if p.formula is True else p.formula):
        return recorded(call, kinds)
    graph = recorded.__wrapped__(call, kinds)  # numbers that it captures may be others by now
    return None if captures_arrays(graph) else graph


def kinds_of(ins: Sequence[Node]) -> tuple[tuple[tuple[int, ...], Any], ...]:
    """Shapes and dtypes."""
    return tuple((x.shape, x.dtype) for x in ins)


def captures_arrays(graph: Graph) -> bool:
    """Whether there are arrays among a graph's constants, whose originals somebody may change."""
    return any(
        any(isinstance(a, Const) and is_a(a.value, ndarray) for a in e.operands)
        or any(isinstance(v, Code) and captures_arrays(v) for v in e.params.values())
        for e in graph.equations
    ) or any(isinstance(a, Const) and is_a(a.value, ndarray) for a in graph.outputs)


@lru_cache(maxsize=512)
def recorded(call: Call, kinds: tuple[tuple[tuple[int, ...], Any], ...]) -> Graph:
    """The graph of a formula, or else of the code itself, of such shapes and dtypes."""
    p = call.primitive
    formula = p.formula if callable(p.formula) else p.impl
    examples = [np.ones(shape, dtype) for shape, dtype in kinds]
    with np.errstate(all="ignore"):
        return make_graph(lambda *xs: formula(*xs, **call.params))(*examples)


def inlined(
    b: Builder, e: Equation, graph: Graph, ins: Sequence[Node], lower: Lower
) -> tuple[Node, ...] | None:
    """The nodes of a formula's results; None if they are not like the equation's answers."""
    env = dict(zip(graph.inputs, ins, strict=True))

    def read(a: Var | Const) -> Node:
        return env[a] if isinstance(a, Var) else constant(b, a.value, True)

    for inner in graph.equations:
        answers = lower(b, inner, tuple(map(read, inner.operands)))
        env.update(zip(inner.outputs, answers, strict=True))
    nodes = tuple(map(read, graph.outputs))
    wanted = [(v.aval.shape, v.aval.dtype, v.weak) for v in e.outputs]
    return nodes if [(y.shape, y.dtype, y.weak) for y in nodes] == wanted else None
