"""Pullbacks of compiled functions: two programs, one forward and one back.

The first gives, besides the function's results, what the second reads: its residuals. The way back
is recorded, while the first is, as a graph of cotangents that closes over values of the forward
run; these become results of the one and inputs of the other (closure conversion). So what is
computed of such values alone is done forward, and nothing twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .. import tree
from ..arrays import INEXACT, aval, is_cupy
from ..closures import explicit
from ..control.bodies import Code, Leaves, Probe, replaced
from ..core import Params, Primitive, Tracer, home
from ..derivatives import vjp
from ..errors import TracerConversionError
from ..graph import Const, Equation, Var
from ..stage import StageTracer


def is_recorded(x: Any) -> bool:
    """Whether a traced value is one of a program or graph that is being made."""
    while isinstance(x, Tracer):
        if isinstance(x, StageTracer):
            return True
        x = x.value
    return False


#: Operations that give a view from which the array itself can be seen.
VIEWS = frozenset({"transpose", "reshape", "expand_dims", "squeeze"})


class Back(Probe):
    """The interpreter that records the way back, on cotangents that are mere examples."""

    def process(self, p: Primitive, operands: Leaves, params: Params) -> Any:
        with np.errstate(all="ignore"):
            return super().process(p, operands, params)


class Pullback:
    """The way back, as a function of cotangents and residuals.

    Args:
        graph: of cotangents of the results that have any, and then of what it closes over.
        sources: for each of the latter, the number of an operand, or ~number of a residual.
        results: which results have cotangents.
        compiled: makes a compiled function.
    """

    def __init__(
        self, graph: Code, sources: Sequence[int], results: Sequence[int],
        compiled: Callable[[Callable[..., Any]], Any],
    ) -> None:  # fmt: skip
        self.graph, self.sources, self.results = graph, sources, results
        self._compiled = compiled
        self._made: dict[tuple[int, ...], Any] = {}

    def chosen(self, xs: Leaves, residuals: Leaves) -> list[Any]:
        """What it reads of operands and residuals."""
        return [xs[k] if k >= 0 else residuals[~k] for k in self.sources]

    def __call__(self, wanted: tuple[int, ...], gs: list[Any], values: list[Any]) -> Any:
        """The cotangents with these numbers."""
        if wanted not in self._made:
            graph = self.graph

            def back(gs: Leaves, values: Leaves) -> list[Any]:
                cts = _owned(graph).body([*gs, *values])
                return [cts[k] for k in wanted]

            self._made[wanted] = self._compiled(back)
        return self._made[wanted](gs, values)


def _owned(graph: Code) -> Code:
    """The graph with constants of the device that nobody else holds, as what is compiled wants."""

    def is_theirs(a: Var | Const) -> bool:
        return isinstance(a, Const) and is_cupy(a.value)

    def own(a: Var | Const) -> Var | Const:
        return Const(a.value.copy()) if isinstance(a, Const) and is_theirs(a) else a

    every = [*graph.outputs, *(a for e in graph.equations for a in e.operands)]
    if not any(map(is_theirs, every)):
        return graph
    equations = [replace(e, operands=tuple(map(own, e.operands))) for e in graph.equations]
    outputs = [own(a) for a in graph.outputs]
    return Code(
        graph.name, graph.inputs, equations, outputs, graph.in_structure, graph.out_structure
    )


def ahead(f: Callable[..., Any], moving: tuple[int, ...], compiled: Any) -> Callable[..., Any]:
    """The forward program of f, by its operands with these numbers.

    It gives the arrays of the result, the rest of it, the residuals, which are what the way back
    reads besides operands, and the way back; that is None if it has to ask for values.
    """

    def forward(*xs: Any) -> Any:
        results: list[int] = []

        def values(*ms: Any) -> Any:
            ys, rest = f(*replaced(xs, moving, ms))
            results[:] = [k for k, y in enumerate(ys) if aval(y).dtype.kind in INEXACT]
            return [ys[k] for k in results] or [0.0], (ys, rest)

        moved, pull, (ys, rest) = vjp(values, *(xs[i] for i in moving), has_aux=True)
        if not results or not any(map(is_recorded, xs)):
            return ys, rest, [], None
        try:
            examples = [home(y).ones(aval(y).shape, aval(y).dtype) for y in moved]
            graph, captured = _recorded(pull, examples, xs)
        except TracerConversionError:
            return ys, rest, [], None
        residuals: list[Any] = []
        sources = [_source(x, xs, residuals) for x in captured]
        return ys, rest, residuals, Pullback(graph, sources, tuple(results), compiled)

    forward.__name__ = getattr(f, "__name__", type(f).__name__)
    return forward


def _recorded(pull: Callable[..., Any], examples: Leaves, xs: Leaves) -> tuple[Code, list[Tracer]]:
    """The graph of a pullback, and the traced values that it closes over."""
    trace = Back("jit", pull)
    tracers = [trace.tracer(g) for g in examples]
    try:
        outs = list(pull(tracers))
    finally:
        trace.finish()
    graph, captured = explicit(trace, pull, tracers, outs, tree.structure(outs))
    n = len(tracers)
    number = trace.variables + len(captured)
    inputs, views = [*graph.inputs[:n]], []
    owners = {x.owner for x in captured if isinstance(x, StageTracer)}
    made = {y: e for owner in owners for e in owner.equations for y in e.outputs}
    operands: dict[Var, Tracer] = {x.slot: x for x in xs if isinstance(x, StageTracer)}
    for k, var in enumerate(graph.inputs[n:]):
        while (seen := _source_of_view(captured[k], made, operands)) is not None:
            captured[k], view = seen  # of which there need be no copy among the results
            source, number = Var(number, aval(captured[k])), number + 1
            views.append(replace(view, operands=(source,), outputs=(var,)))
            var = source
        inputs.append(var)
    return Code(
        "back", inputs, [*reversed(views), *graph.equations], graph.outputs, graph.in_structure,
        graph.out_structure,
    ), captured  # fmt: skip


def _source_of_view(
    x: Tracer, made: dict[Var, Equation], operands: dict[Var, Tracer]
) -> tuple[Tracer, Equation] | None:
    """What a recorded value is a view of, and the operation that makes it."""
    e = made.get(x.slot) if isinstance(x, StageTracer) else None
    if e is None or len(e.operands) > 1 or e.primitive.name not in (*VIEWS, "getitem"):
        return None
    var = e.operands[0]
    if not isinstance(var, Var) or var.weak:
        return None
    if var in operands:
        return operands[var], e
    if e.primitive.name == "getitem":
        return None
    source = type(x)()
    source.owner, source.slot, source.value = x.owner, var, _seen_from(x.value, e, var.aval)
    return source, e


def _seen_from(y: Any, e: Equation, like: Any) -> Any:
    """The array of which y is the transpose, or another shape."""
    if e.primitive.name == "transpose":
        axes = [i % like.ndim for i in e.params["axes"]]
        return np.transpose(y, [axes.index(i) for i in range(like.ndim)])
    return np.reshape(y, like.shape)


def _source(x: Tracer, xs: Leaves, residuals: list[Any]) -> int:
    """The number of an operand that a value is, or ~number of the residual that it is made."""
    for k, y in enumerate(xs):
        if _same(x, y):
            return k
    for k, y in enumerate(residuals):
        if _same(x, y):
            return ~k
    residuals.append(x)
    return ~(len(residuals) - 1)


def _same(x: Any, y: Any) -> bool:
    """Whether two traced values are one: a tape keeps tracers of its own."""
    if x is y:
        return True
    if not (isinstance(x, Tracer) and isinstance(y, Tracer) and x.owner is y.owner):
        return False
    if isinstance(x.slot, Var):
        return x.slot is y.slot
    return _same(x.slot, y.slot) and _same(x.value, y.value)
