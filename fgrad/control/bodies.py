"""The functions of control flow as graphs: recorded once, explicit in all that they read.

A function that runs more than once, or perhaps not at all, closes over values of transformations
that are under way. Recorded on examples (closure conversion), these become inputs of its graph, so
that its rules know of them. What runs the graph again is `Body`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from types import CellType, FunctionType
from typing import Any

import numpy as np

from .. import tree
from ..arrays import INEXACT, NATIVE, Aval, aval, check_operand, is_cupy, ndarray
from ..checks import say
from ..closures import example, explicit
from ..core import (
    EFFECTS,
    Params,
    Primitive,
    Tracer,
    bind,
    effects,
    evaluate,
    full_lower,
    home,
    is_traceable,
    refuse_captured,
    refuse_finished,
)
from ..errors import DtypeError, TracerConversionError, name_of
from ..graph import Const, Equation, Graph, Var
from ..stage import Stage, StageTracer, make_graph
from ..tracer import ArrayTracer

Leaves = Sequence[Any]


def is_staged(x: Any) -> bool:
    """Whether a value is one of a graph that is being made."""
    while isinstance(x, Tracer):
        if isinstance(x, StageTracer):
            return True
        x = x.value
    return False


def known(x: Any) -> Any:
    """The plain values of x, if they may be known: not under vmap, nor while a graph is made."""
    return None if isinstance(x, ArrayTracer) and x.hides else full_lower(x)


def captured_by(fn: Any, depth: int = 4) -> Iterator[Tracer]:
    """Traced values that a function plainly holds: in its closure, its defaults, what it wraps.

    Not all that it may read (globals, attributes): enough to choose the better of two ways.
    """
    yield from _held(fn, depth, set())


def _held(fn: Any, depth: int, seen: set[int]) -> Iterator[Tracer]:
    seen.add(id(fn))
    if isinstance(fn, functools.partial):
        held: list[Any] = [fn.func, fn.args, fn.keywords]
    else:
        held = [c.cell_contents for c in getattr(fn, "__closure__", None) or () if _filled(c)]
        held += [getattr(fn, "__defaults__", None), getattr(fn, "__kwdefaults__", None)]
        held.append(getattr(fn, "__self__", None))
    for leaf in tree.leaves(held):
        if isinstance(leaf, Tracer):
            yield leaf
        elif depth and callable(leaf) and id(leaf) not in seen:
            yield from _held(leaf, depth - 1, seen)


def _filled(cell: Any) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def element(x: Any) -> Any:
    """A plain example of ``x[i]``, also if there is none."""
    plain = example(x)
    return plain[0] if len(plain) else home(plain).ones(plain.shape[1:], plain.dtype)


class Code(Graph):
    """A graph that is run often."""

    @functools.cached_property
    def body(self) -> Body:
        """What runs it."""
        return Body(self)


class Probe(Stage):
    """The interpreter that records a body: what else is traced around it takes no notice."""

    def process(self, p: Primitive, operands: Leaves, params: Params) -> Any:
        if p.collect is not None and params["over"].level < self.level:
            raise TracerConversionError(
                f"{p.name} wants to be called by the function that is mapped, not in one that "
                f"{self.name} records.",
                f"{p.name} inside {name_of(self.fn)}",
                "compute it before, and let the function close over the result; or write the "
                "loop in Python",
            )
        if p.effect and EFFECTS.get() != "now":
            return p.impl(*operands, **params)
        below = []
        for x in operands:
            if not isinstance(x, Tracer):
                check_operand(x, p.name)
            below.append(x.value if isinstance(x, Tracer) and x.owner is self else example(x))
        if p.both is None and not p.effect:
            ans = evaluate(p, below, params)
        else:
            with effects("later"):
                ans = evaluate(p, below, params)
        answers = ans if p.several else (ans,)
        for y in answers:  # of a function with rules of its own, which closes over a traced value
            if isinstance(y, Tracer):
                refuse_captured(p, (y,), y.owner)
        outs = tuple(map(self.tracer, answers))
        ins = tuple(map(self.operand, operands))
        names = tuple(x.slot for x in outs)
        source = self.source(p, operands)
        self.equations.append(Equation(p, ins, dict(params), names, self.scope, source))
        return outs if p.several else outs[0]

    def open(self, x: Any, found: dict[int, tuple[Any, Any]], depth: int = 4) -> Any:
        """A value that a function holds, with tracers of this trace for those of others.

        Functions become copies with other closures: what such a function computes of traced
        values alone is part of it, and not computed beforehand, beside the branch not taken.
        """
        if isinstance(x, Tracer):
            if id(x) not in found:
                found[id(x)] = x, self.tracer(example(x))
            return found[id(x)][1]
        if isinstance(x, functools.partial):
            func, args, keywords = (
                self.open(y, found, depth) for y in (x.func, x.args, x.keywords)
            )
            return functools.partial(func, *args, **keywords)
        if isinstance(x, FunctionType):
            if not depth or not any(True for _ in captured_by(x, depth)):
                return x
            cells = []
            for c in x.__closure__ or ():
                new = self.open(c.cell_contents, found, depth - 1) if _filled(c) else None
                # The same cell where nothing is new: the function may write into it.
                cells.append(CellType(new) if _filled(c) and new is not c.cell_contents else c)
            defaults = self.open(x.__defaults__, found, depth - 1)
            copy = FunctionType(x.__code__, x.__globals__, x.__name__, defaults, tuple(cells))
            copy.__kwdefaults__ = self.open(x.__kwdefaults__, found, depth - 1)
            copy.__dict__.update(x.__dict__)
            return copy
        leaves, structure = tree.flatten(x)
        if len(leaves) == 1 and leaves[0] is x:
            return x
        new_leaves = [self.open(y, found, depth) for y in leaves]
        same = all(a is b for a, b in zip(leaves, new_leaves, strict=True))
        return x if same else tree.unflatten(structure, new_leaves)


class Recorded:
    """Functions recorded on the same or on different examples, all with the same captured values.

    Attributes:
        graphs: one for each function; their inputs are the front leaves, then the captured values.
        captured: the traced values that any of the functions closes over.
        structures: those of the functions' results.
    """

    def __init__(self, name: str, fns: Sequence[Callable[..., Any]], fronts: Sequence[Leaves]):
        parts = [_record(name, fn, xs) for fn, xs in zip(fns, fronts, strict=True)]
        self.structures = [graph.out_structure for graph, _ in parts]
        self.captured = list({id(x): x for _, xs in parts for x in xs}.values())
        self.graphs = [
            _extended(graph, len(front), own, self.captured)
            for (graph, own), front in zip(parts, fronts, strict=True)
        ]


def _record(name: str, fn: Callable[..., Any], examples: Leaves) -> tuple[Graph, list[Tracer]]:
    try:
        return _recorded(name, fn, examples, True)
    except TracerConversionError:
        # It may ask for values that it closes over, if these are known.
        return _recorded(name, fn, examples, False)


def _recorded(
    name: str, fn: Callable[..., Any], examples: Leaves, opened: bool
) -> tuple[Graph, list[Tracer]]:
    trace = Probe(name, fn)
    tracers = [trace.tracer(x) for x in examples]
    found: dict[int, tuple[Any, Any]] = {}
    try:
        with np.errstate(all="ignore"):  # the branch that isn't taken may divide by zero
            out = (trace.open(fn, found) if opened else fn)(*tracers)
    except TracerConversionError as error:
        raise TracerConversionError(
            f"{name} wants functions that don't ask for values here: under vmap, in graphs and "
            "with checkpoints they are recorded for all values, and so they are for no steps.",
            f"{name_of(fn)}, with {error.came}",
            error.to_do,
        ) from error
    finally:
        trace.finish()
    outs, structure = tree.flatten(out)
    for path, y in tree.leaves_with_path(out):
        if not (isinstance(y, Tracer) and y.owner is trace):
            refuse_finished(y, name)
        check_leaf(y, path, name, fn)
    read = {a for e in trace.equations for a in e.operands}
    read.update(y.slot for y in outs if isinstance(y, Tracer) and y.owner is trace)
    held = [(x, y) for x, y in found.values() if y.slot in read]
    return explicit(trace, fn, tracers, outs, structure, held)


def check_leaf(y: Any, path: Any, name: str, fn: Any) -> None:
    """Refuse a result that is no array."""
    if not is_traceable(y):
        at = f" at {tree.path_str(path)}" if path else ""
        raise DtypeError(
            f"{name} wants functions that return arrays in pytrees; {name_of(fn)} does not.",
            f"{say(y)}{at}",
            "return arrays and numbers; None stands for nothing",
        )


def _extended(graph: Graph, front: int, own: Sequence[Tracer], union: Sequence[Tracer]) -> Code:
    """The graph with an input for each captured value of all functions."""
    mine = {id(x): var for x, var in zip(own, graph.inputs[front:], strict=True)}
    numbers = [v.number for e in graph.equations for v in e.outputs]
    fresh = 1 + max([v.number for v in graph.inputs] + numbers, default=-1)
    inputs = [*graph.inputs[:front]]
    for k, x in enumerate(union):
        inputs.append(mine.get(id(x)) or Var(fresh + k, aval(x), _is_weak(x)))
    structure = tree.structure(((0,) * len(inputs), {}))
    return Code(graph.name, inputs, graph.equations, graph.outputs, structure, graph.out_structure)


def _is_weak(x: Any) -> bool:
    return not hasattr(example(x), "dtype")


def derive(name: str, fn: Callable[..., Any], examples: Leaves) -> Code:
    """The graph of a function that was made of a body: its derivative, its map."""

    def derived(*xs: Any) -> Any:
        return tuple(fn(*xs))

    derived.__name__ = name
    with np.errstate(all="ignore"):
        graph = make_graph(derived)(*examples)
    return _extended(graph, len(examples), [], [])


def answers_of(graph: Graph) -> list[Aval]:
    """Shapes and dtypes of a graph's results."""
    return [a.aval if isinstance(a, Var) else aval(a.value) for a in graph.outputs]


def inexact(avals: Sequence[Any]) -> list[int]:
    """The numbers of those that have derivatives."""
    return [i for i, a in enumerate(avals) if a.dtype.kind in INEXACT]


def reach(graph: Graph, flags: Sequence[bool]) -> list[bool]:
    """Which results depend on the inputs that are flagged."""
    known = {v for v, f in zip(graph.inputs, flags, strict=True) if f}
    for e in graph.equations:
        if any(a in known for a in e.operands if isinstance(a, Var)):
            known.update(e.outputs)
    return [isinstance(a, Var) and a in known for a in graph.outputs]


class Body:
    """A graph made ready to run often: ``body(leaves)`` gives the leaves of its result.

    Operations go to the traces the short way, as those of users do.
    """

    def __init__(self, graph: Graph) -> None:
        self.sources = [e.source for e in graph.equations]
        self._env: list[Any] = []
        places: dict[Var, int] = {}

        def place(a: Var | Const) -> int:
            if isinstance(a, Var) and a in places:
                return places[a]
            if isinstance(a, Var):
                places[a] = len(self._env)
            self._env.append(a.value if isinstance(a, Const) else None)
            return len(self._env) - 1

        for var in graph.inputs:
            place(var)
        self._count = len(self._env)
        steps = [(*_form(e), [*map(place, e.operands)], [*map(place, e.outputs)])
                 for e in graph.equations]  # fmt: skip
        self._outs = [(place(a), type(a) is Const) for a in graph.outputs]
        # What no later operation reads is let go of.
        seen = {k for k, _ in self._outs} | {k for k, x in enumerate(self._env) if x is not None}
        self._steps: list[Any] = []
        for form, p, params, ins, outs in reversed(steps):
            done = {*ins, *outs} - seen
            seen |= done
            self._steps.append((form, p, params, ins, outs, tuple(done)))
        self._steps.reverse()

    def __call__(self, leaves: Leaves) -> list[Any]:
        env = self._env.copy()
        env[: self._count] = leaves
        x = y = ans = None
        for form, p, params, ins, outs, done in self._steps:
            x = env[ins[0]] if ins else None
            if form == 1:
                ans = (
                    x.owner.unary(p, x, params) if isinstance(x, Tracer)
                    else evaluate(p, (x,), params or {}) if type(x) not in NATIVE
                    else p.impl(x, **params) if params else p.impl(x)
                )  # fmt: skip
            elif form == 2:
                y = env[ins[1]]
                if isinstance(x, Tracer):
                    ans = (y if _newer(y, x) else x).owner.binary(p, x, y)
                elif isinstance(y, Tracer):
                    ans = y.owner.binary(p, x, y)
                elif type(x) in NATIVE and type(y) in NATIVE:
                    ans = p.impl(x, y)
                else:
                    ans = evaluate(p, (x, y), {})
            else:
                ans = bind(p, [env[i] for i in ins], params or {})
            if p.several:
                for k, y in zip(outs, ans, strict=True):
                    env[k] = y
            else:
                env[outs[0]] = ans
            for k in done:
                env[k] = None
        return [
            env[i].copy() if fixed and type(env[i]) is ndarray else env[i]
            for i, fixed in self._outs
        ]


def _newer(y: Any, x: Tracer) -> bool:
    return isinstance(y, Tracer) and y.owner is not x.owner and y.owner.level > x.owner.level


def _form(e: Equation) -> tuple[int, Any, Any]:
    """The short way of an operation to its trace: 1 of one operand, 2 of two, 0 for none."""
    p, n = e.primitive, len(e.operands)
    if n == 1 and len(p.pull) == 1 and not p.several:
        return 1, p, e.params if p.shaped or e.params else None
    if n == 2 and len(p.pull) == 2 and not e.params and not p.several:
        return 2, p, None
    return 0, p, e.params


def replaced(xs: Leaves, places: Sequence[int], new: Leaves) -> list[Any]:
    """The list with new values in some places."""
    out = list(xs)
    for i, x in zip(places, new, strict=True):
        out[i] = x
    return out


def spread(parts: Leaves, places: Sequence[int], n: int) -> list[Any]:
    """The parts in their places among n, None elsewhere."""
    return replaced([None] * n, places, parts)


def chosen(xs: Leaves, places: Sequence[int]) -> list[Any]:
    """Those in these places."""
    return [xs[i] for i in places]


def zeros(a: Any, like: Leaves = ()) -> Any:
    """Zeros of a shape and dtype, where the arrays ``like`` are."""
    return home(*like).zeros(a.shape, a.dtype)


def fresh(ys: Leaves, xs: Leaves) -> tuple[Any, ...]:
    """Answers that are no operands themselves: a tape takes what it is given for its own."""
    ids = set(map(id, xs))
    return tuple(y.copy() if id(y) in ids and (type(y) is ndarray or is_cupy(y)) else y for y in ys)
