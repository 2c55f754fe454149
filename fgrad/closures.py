"""Functions for solvers: what they read of outer transformations becomes arguments of theirs.

SciPy's solvers call a function with plain arrays. A function that users write reads traced values
too, through the `args` that go with it or because it closes over them::

    grad(lambda a: root(lambda x: x**2 - a, 1.0).x)(4.0)

`Reader` makes an explicit function of such a one, ``call(*front, *values)``, which computes with
whatever is passed for the traced values. Those in `args` are replaced; those that a function
closes over are found by recording it once (closure conversion, by `Stage`), and only if its result
shows that there are any. So only a function that closes over traced values must do without asking
for values, as in ``if x > 0``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from . import tree
from .arrays import aval
from .batch import BatchTracer
from .core import Tracer, home, refuse_finished
from .errors import TracerConversionError, name_of
from .graph import Const, Graph, Var
from .stage import Stage


def example(x: Any) -> Any:
    """A plain array of the shape and dtype of a value: the value itself, or one of a batch."""
    while isinstance(x, Tracer):
        if isinstance(x, BatchTracer):
            batch = example(x.value)
            return batch[0] if len(batch) else home(batch).ones(x.shape, x.dtype)
        x = x.value
    return x


def has_traced(outs: Any) -> bool:
    """Whether there is a traced value among the leaves of a tree."""
    return any(isinstance(y, Tracer) for y in tree.leaves(outs))


class Reader:
    """Makes explicit functions; `values` are the traced values that these read.

    Args:
        name: the public function, for messages.
        passed: how its callers pass values that their function may ask for; None if they can't.
    """

    def __init__(self, name: str, passed: str | None = "in args=") -> None:
        self.name, self.passed = name, passed
        self.values: list[Any] = []

    def value(self, x: Any) -> Callable[[Sequence[Any]], Any]:
        """Note a tree; what comes back finds it among the values, the untraced leaves as they are.

        >>> import numpy as np
        >>> Reader("root").value({"a": np.ones(2)})(())
        {'a': array([1., 1.])}
        """
        leaves, structure = tree.flatten(x)
        for leaf in leaves:
            refuse_finished(leaf, self.name)
        places = [(i, self._enter(y)) for i, y in enumerate(leaves) if isinstance(y, Tracer)]
        if not places:
            return lambda values: x

        def find(values: Sequence[Any]) -> Any:
            new = list(leaves)
            for i, k in places:
                new[i] = values[k]
            return tree.unflatten(structure, new)

        return find

    def _enter(self, x: Tracer) -> int:
        for k, y in enumerate(self.values):
            if x is y:
                return k
        self.values.append(x)
        return len(self.values) - 1

    def examples(self) -> list[Any]:
        """Plain arrays like the values."""
        return [example(x) for x in self.values]

    def function(self, fn: Callable[..., Any], args: Any, *front: Any) -> Callable[..., Any]:
        """The function ``call(*front, *values)`` that is ``fn(*front, *args)``.

        Args:
            fn: a function of arrays that returns an array; errors name what it wraps.
            args: a tuple of pytrees that go with each call; their leaves may be anything.
            front: plain arrays of the shapes and dtypes that it will be called with.
        """
        arguments = self.value(args)
        known = len(self.values)
        probe = fn(*front, *arguments(self.examples()))
        count = len(front)
        if not has_traced(probe):

            def call(*xs: Any) -> Any:
                return fn(*xs[:count], *arguments(xs[count:]))

            return call
        trace = Stage(self.name, fn)
        # A Python number among the values stands for an array here: solvers pass arrays.
        watched = map(np.asarray, [*front, *self.examples()])
        tracers = [trace.tracer(x) for x in watched]
        try:
            out = fn(*tracers[:count], *arguments(tracers[count:]))
        except TracerConversionError as error:
            choose = "choose with np.where(condition, x, y), or branch with fgrad.cond"
            raise TracerConversionError(
                f"{self.name} wants traced values {self.passed} where its function asks for values."
                if self.passed
                else f"{self.name} wants a function that doesn't ask for values.",
                f"{name_of(fn)}, which reads traced values that it closes over; {error.came}",
                f"pass these values {self.passed}; or {choose}" if self.passed else choose,
            ) from error
        finally:
            trace.finish()
        outs, structure = tree.flatten(out)
        graph, captured = explicit(trace, fn, tracers, outs, structure)
        places = [self._enter(x) for x in captured]

        def staged(*xs: Any) -> Any:
            values = xs[count:]
            read = [values[k] for k in places]
            return graph(*map(_array, [*xs[:count], *values[:known], *read]))

        return staged


def _array(x: Any) -> Any:
    return x if hasattr(x, "dtype") else np.asarray(x)


def explicit(
    trace: Any, fn: Callable[..., Any], inputs: list[Any], outs: list[Any], out_structure: Any,
    held: Sequence[tuple[Tracer, Any]] = (),
) -> tuple[Graph, list[Tracer]]:  # fmt: skip
    """The graph of what a trace recorded, with the traced values that it captured as inputs.

    ``held`` are such values with the trace's own tracers that stand for them.
    """
    found: dict[int, tuple[Tracer, Var]] = {id(x): (x, y.slot) for x, y in held}

    def entered(a: Var | Const) -> Var | Const:
        if isinstance(a, Const) and isinstance(a.value, Tracer):
            if id(a.value) not in found:
                var = Var(trace.variables + len(found), aval(a.value))
                found[id(a.value)] = (a.value, var)
            return found[id(a.value)][1]
        return a

    equations = [replace(e, operands=tuple(map(entered, e.operands))) for e in trace.equations]
    outputs = [entered(Stage.operand(trace, y)) for y in outs]
    variables = [x.slot for x in inputs] + [var for _, var in found.values()]
    in_structure = tree.structure(((0,) * len(variables), {}))
    name = getattr(fn, "__name__", type(fn).__name__)
    graph = Graph(name, variables, equations, outputs, in_structure, out_structure)
    return graph, [x for x, _ in found.values()]


def loop(
    call: Callable[..., Any], size: int, xs: Sequence[Any], batched: Sequence[bool], outs: Any
) -> tuple[Any, ...]:
    """Batch rule of solvers: one call for each element; ``outs`` are avals of the answers."""
    if size == 0:
        return tuple(home(*xs).zeros((0, *a.shape), a.dtype) for a in outs)
    rows = [
        call(*(x[i] if b else x for x, b in zip(xs, batched, strict=True))) for i in range(size)
    ]
    return tuple(np.stack(column) for column in zip(*rows, strict=True))
