"""Staging: run a function once and write down what it did.

The function runs on the values it was given, so shapes and dtypes need no rules of their own;
the values themselves are hidden from it, because the record must hold for other values too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from . import tree
from .arrays import aval, check_operand, is_array, is_cupy, ndarray
from .checks import run
from .core import (
    EFFECTS,
    Params,
    Primitive,
    Trace,
    Tracer,
    bind,
    check_function,
    effects,
    is_traceable,
    refuse_captured,
    refuse_finished,
)
from .errors import ArgumentError, TracerConversionError, describe
from .graph import Const, Equation, Graph, Var
from .scopes import SCOPES, SOURCE
from .tracebacks import boundary
from .tracer import ArrayTracer

#: Copying fewer bytes than this again is quicker than to look whether they have changed.
LARGE = 1 << 14


def same_bits(x: Any, y: Any) -> bool:
    """Whether two arrays are the same to the last bit; 0.0 and -0.0 aren't.

    >>> import numpy as np
    >>> same_bits(np.array([np.nan]), np.array([np.nan])), same_bits(np.zeros(1), -np.zeros(1))
    (True, False)
    """
    if x.dtype.kind == "c":
        return same_bits(x.real, y.real) and same_bits(x.imag, y.imag)
    if x.dtype != y.dtype or x.itemsize not in (1, 2, 4, 8):  # bits of a long double mean nothing
        return False
    bits = f"u{x.itemsize}"
    return bool(np.array_equal(x.view(bits), y.view(bits)))


class StageTracer(ArrayTracer):
    """A value that is being recorded; `slot` is its variable."""

    __slots__ = ()
    HIDES = True

    def __bool__(self) -> NoReturn:
        raise TracerConversionError(
            "A graph is made for all values of its inputs, so a value in it has no truth value.",
            repr(self),
            "write the `if` as fgrad.cond(condition, f, g, x), the loop as fgrad.while_loop; "
            "choose between arrays with np.where(condition, x, y); or make the condition depend "
            "on shapes or on arguments that are captured, not passed",
        )


class Stage(Trace):
    """The interpreter that records."""

    #: A graph holds no conversions of one number to another kind; see `kinds.alike`.
    kinds = False

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        super().__init__(name, fn)
        self.equations: list[Equation] = []
        self.variables = 0
        #: Large captured arrays by id, each with its copy.
        self.copies: dict[int, tuple[Any, Const]] = {}
        self.outside = len(SCOPES.get())

    def tracer(self, value: Any) -> StageTracer:
        """A new variable that stands for ``value``."""
        x = StageTracer()
        x.owner, x.value = self, value
        x.slot = Var(self.variables, aval(value), not hasattr(value, "dtype"))
        self.variables += 1
        return x

    @property
    def scope(self) -> str:
        """The names of the scopes that the recorded function is in."""
        return "/".join(SCOPES.get()[self.outside :])

    def source(self, p: Primitive, operands: Sequence[Any]) -> Any:
        """Where the operation was written, if somebody has asked."""
        look = SOURCE.get()
        return None if look is None else look(p, operands)

    def operand(self, x: Any) -> Var | Const:
        """The variable of a tracer of this trace; anything else as a constant.

        A constant is copied: ``y = x * c; c[:] = 7; return y`` must not record the seven. A large
        one is copied once, as long as it doesn't change.
        """
        if type(x) is StageTracer and x.owner is self:
            return x.slot
        if type(x) is not ndarray:
            return Const(x.copy() if is_cupy(x) else x)
        if x.nbytes < LARGE:
            return Const(x.copy("K"))
        known = self.copies.get(id(x))
        if known is None or not same_bits(x, known[1].value):
            known = self.copies[id(x)] = x, Const(x.copy("K"))
        return known[1]

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        if p.effect and EFFECTS.get() != "now":
            return p.impl(*operands, **params)
        below = []
        for x in operands:
            mine = type(x) is StageTracer and x.owner is self
            if not isinstance(x, Tracer):
                check_operand(x, p.name)
            below.append(x.value if mine else x)
        names = tuple(self.operand(x) for x in operands)
        if p.both is None and not p.effect:
            ans = bind(p, below, params)
        else:
            with effects("later"):
                ans = bind(p, below, params)
            refuse_captured(p, ans, self)
        outs = tuple(map(self.tracer, ans if p.several else (ans,)))
        answers = tuple(x.slot for x in outs)
        source = self.source(p, operands)
        self.equations.append(Equation(p, names, dict(params), answers, self.scope, source))
        return outs if p.several else outs[0]


@boundary
def make_graph(f: Callable[..., Any]) -> Callable[..., Graph]:
    """Record what a function does as a `Graph`.

    >>> import numpy as np
    >>> print(make_graph(lambda x: np.sum(np.tanh(x) ** 2))(np.ones(3)))
    <lambda>(a:f64[3]):
      b:f64[3] = tanh(a)
      c:f64[3] = square(b)
      d:f64[] = sum(c, axis=(-1,), keepdims=False)
      return d

    Args:
        f: a function of arrays in pytrees.

    Returns:
        A function of the same arguments that runs ``f`` once and returns its `Graph`, which can
        be printed, checked, drawn (`Graph.to_dot`) and called on other arrays of these shapes.

    Raises:
        TracerConversionError: ``f`` asks for a value, as in ``if x > 0``.
        ArgumentError: an argument or a result is not a pytree of arrays.
    """
    check_function(f, "make_graph")

    @boundary
    def graph_of(*args: Any, **kwargs: Any) -> Graph:
        name = getattr(f, "__name__", type(f).__name__)
        leaves, in_structure = tree.flatten((args, kwargs))
        for path, x in tree.leaves_with_path((args, kwargs)):
            refuse_finished(x, "make_graph")
            if not is_traceable(x):
                raise ArgumentError(
                    "make_graph wants arguments that are pytrees of arrays.",
                    f"{describe(x)} at {tree.path_str(path)} of (args, kwargs)",
                    "bind it beforehand: make_graph(lambda x: f(x, option))",
                )
        trace = Stage("make_graph", f)
        tracers = [trace.tracer(x) for x in leaves]
        new_args, new_kwargs = tree.unflatten(in_structure, tracers)
        try:
            out = run(trace, f, new_args, new_kwargs)
        finally:
            trace.finish()
        outs, out_structure = tree.flatten(out)
        for path, y in tree.leaves_with_path(out):
            if not (isinstance(y, Tracer) and y.owner is trace):
                refuse_finished(y, "make_graph")
            if not isinstance(y, Tracer) and not is_array(y):
                raise ArgumentError(
                    f"make_graph wants {name} to return a pytree of arrays.",
                    f"{describe(y)} at {tree.path_str(path) or 'the result'}",
                    "return arrays and numbers only",
                )
        return Graph(
            name,
            [x.slot for x in tracers],
            trace.equations,
            [Stage.operand(trace, y) for y in outs],  # the trace is finished: its class changed
            in_structure,
            out_structure,
        )

    return graph_of
