"""`custom_gradient`: a function that returns its derivative along with its value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import INEXACT, Aval, aval
from .batch import vmap
from .checks import say
from .core import Params, Primitive, bind, home
from .custom_rules import moving_leaves
from .customized import Call, Custom
from .derivatives import vjp
from .errors import ArgumentError, TracerConversionError
from .graph import Const, Equation, Graph, Var
from .stage import Stage
from .tracebacks import boundary

Leaves = Sequence[Any]
#: ``fwd(*leaves)`` gives answers, what its rule reads, and the rule: ``pull(read, cotangents)``.
Forward = Callable[..., tuple[Leaves, Leaves, Callable[[Leaves, Leaves], Leaves]]]


class custom_gradient(Custom):
    """A function with a derivative that is written in the function itself.

    >>> import numpy as np
    >>> from fgrad import grad, vmap
    >>> @custom_gradient
    ... def log1pexp(x):
    ...     e = np.exp(x)
    ...     return np.log(1 + e), lambda g: g * (1 - 1 / (1 + e))
    >>> log1pexp(0.0)
    np.float64(0.6931471805599453)
    >>> grad(log1pexp)(0.0), vmap(grad(log1pexp))(np.array([0.0, 100.0]))
    (0.5, array([0.5, 1. ]))

    It is `custom_vjp` with less to write: the rule closes over what it reads, and that is kept.
    In forward mode, which JAX refuses, the rule is transposed.

    Args:
        f: a function of pytrees of arrays that returns ``(result, rule)``. ``rule(ct)`` takes a
            cotangent like the result to a tuple with a cotangent for each argument; for a single
            argument it may be that cotangent itself. None stands for zero. The rule is recorded
            (see `fgrad.make_graph`), so it must not ask for values, as in ``if g > 0``.

    Raises, when it is called:
        ArgumentError: ``f`` or its rule don't return what is said above.
        TracerConversionError: the rule asks for values; ``f`` closes over a value that is being
            differentiated, which is to be an argument.
    """

    def __init__(self, f: Callable[..., Any]) -> None:
        super().__init__(f)
        self._both = f
        self.f = lambda *args: self._pair(f(*args))[0]

    def _pair(self, both: Any) -> tuple[Any, Any]:
        if not (isinstance(both, tuple) and len(both) == 2 and callable(both[1])):
            raise ArgumentError(
                f"The custom_gradient function {self.__name__} wants to return a pair: the result "
                "and a function that takes its cotangent back.",
                say(both),
                "return y, lambda ct: (ct * dy_dx,)",
            )
        return both

    @boundary
    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's value."""
        call = Call(self, args, kwargs)

        def forward(*xs: Any) -> Any:
            result, rule = self._pair(self._both(*self.joined((), call.trees(xs))))
            ys = call.flat(result)
            return ys, *_recorded(self.__name__, rule, call, ys)

        p = _primitive(self.__name__, call.run, forward)
        return call.apply(p)


def _recorded(name: str, rule: Any, call: Call, ys: Leaves) -> tuple[list[Any], Any]:
    """A rule as a function of all arrays that it reads, besides the cotangents: closed no more."""
    likes = [aval(y) for y in ys]
    moving = [a for a in likes if a.dtype.kind in INEXACT]
    trace = Stage(f"custom_gradient of {name}", rule)
    host = home(*ys)
    gs = [trace.tracer(host.ones(a.shape, a.dtype)) for a in moving]
    try:
        cts = rule(call.cotangents(gs))
        if call.structure.num_children == 1 and not isinstance(cts, tuple):
            cts = (cts,)
        outs = call.cotangents_of_arguments(cts)
    except TracerConversionError as error:
        raise TracerConversionError(
            f"custom_gradient wants a rule of {name} that doesn't ask for values.",
            error.came,
            error.to_do,
        ) from error
    finally:
        trace.finish()
    read: list[Any] = []
    inputs: list[Var] = []

    def entered(a: Var | Const) -> Var | Const:
        # All constants, because the next call of the function may close over others.
        if not isinstance(a, Const) or not hasattr(a.value, "dtype"):
            return a
        read.append(a.value)
        inputs.append(Var(trace.variables + len(inputs), aval(a.value)))
        return inputs[-1]

    equations = [
        Equation(e.primitive, tuple(map(entered, e.operands)), e.params, e.outputs)
        for e in trace.equations
    ]
    outputs = [entered(Stage.operand(trace, y)) for y in outs]
    graph = Graph(
        name, [*inputs, *(g.slot for g in gs)], equations, outputs,
        tree.structure((([0] * len(inputs), [0] * len(gs)), {})), tree.structure([0] * len(outs)),
    )  # fmt: skip
    return read, lambda read, gs: graph(list(read), list(gs))


def _filled(ts: Leaves, avals: Sequence[Aval]) -> list[Any]:
    """Zeros in place of what is missing."""
    host = home(*ts)
    return [
        host.zeros(a.shape, a.dtype) if t is None else t for t, a in zip(ts, avals, strict=True)
    ]


def _primitive(name: str, run: Callable[..., Any], fwd: Forward) -> Primitive:
    """The operation; each call of ``fwd`` may come with a rule of its own."""

    def both(xs: Leaves, ts: Leaves, params: Params) -> Any:
        ys, read, pull = fwd(*xs)
        results, moving = moving_leaves(ys), moving_leaves(xs)
        zeros = _filled([None] * len(results), [aval(ys[i]) for i in results])
        _, transpose = vjp(lambda *gs: pull(read, gs), *zeros)
        tangents = transpose(_filled([ts[i] for i in moving], [aval(xs[i]) for i in moving]))
        given = dict(zip(results, tangents, strict=True))
        return tuple(ys), [given.get(k) for k in range(len(ys))]

    def record(xs: Leaves, params: Params) -> Any:
        ys, read, pull = fwd(*xs)
        return tuple(ys), [pull, [aval(y) for y in ys], *read]

    def backward(active: Any, g: dict[int, Any], kept: Any, xs: Leaves, params: Params) -> Any:
        pull, likes, *read = kept
        results = [k for k, a in enumerate(likes) if a.dtype.kind in INEXACT]
        gs = _filled([g.get(k) for k in results], [likes[k] for k in results])
        cts = dict(zip(moving_leaves(xs), pull(read, gs), strict=True))
        return [cts.get(i) for i in active]

    def batch(p: Primitive, size: int, xs: Leaves, batched: Any, params: Params) -> Any:
        axes = [0 if b else None for b in batched]
        shared = [not batched[i] for i in moving_leaves(xs)]

        def forward(*xs: Any) -> Any:
            inner: Any = None

            def one(*xs: Any) -> Any:
                nonlocal inner
                ys, read, inner = fwd(*xs)
                return list(ys), list(read)

            def pull(read: Leaves, gs: Leaves) -> Any:
                cts = vmap(inner, axis_size=size)(list(read), list(gs))
                return [np.sum(c, axis=0) if s else c for c, s in zip(cts, shared, strict=True)]

            ys, read = vmap(one, axes, axis_size=size)(*xs)
            return ys, read, pull

        return bind(_primitive(name, vmap(run, axes, axis_size=size), forward), xs, params)

    return Primitive(
        name, run, lambda ans, xs, ts, params: both(xs, ts, params)[1], backward, batch,
        several=True, both=both, record=record,
    )  # fmt: skip
