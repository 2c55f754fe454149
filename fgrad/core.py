"""The core: a primitive is a record, a trace is an interpreter, `bind` finds the interpreter.

A transformation runs the user's function once with tracers in place of arrays. Each tracer knows
the trace that made it. When a primitive meets tracers of several traces, the newest trace (the
innermost transformation) handles the operation on the values below and asks `bind` again for
those, until plain arrays are left. That is all there is: no stack, no mode, nothing global.

The newest trace is the one with the greatest level, a serial number. Why serial numbers and not
"is it traced at all"? Because of perturbation confusion; the smallest program that fails without::

    grad(lambda x: x * grad(lambda y: x + y)(1.0))(1.0)   # 1.0; a system that mixes both says 2.0
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields
from importlib import import_module
from itertools import count
from typing import Any, NoReturn, ParamSpec, TypeVar

import numpy as np

from .arrays import NATIVE, is_array, namespace
from .errors import (
    ArgumentError,
    EscapedTracerError,
    TracerConversionError,
    describe,
    name_of,
)
from .libraries import compute

Array = Any
Params = dict[str, Any]

#: For type checkers: the parameters of a user's function, and what it returns.
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, eq=False, slots=True)
class Primitive:
    """A function that fgrad knows, with all its rules. Made by the constructors in `rules`.

    Attributes:
        name: NumPy's name of the function.
        impl: computes the answer, ``impl(*operands, **params)``, of plain arrays.
        jvp: ``jvp(ans, operands, tangents, params)``, the tangent of the answer; a missing tangent
            is None. None if the answer is piecewise constant.
        vjp: ``vjp(active, g, ans, operands, params)``, the cotangents of the operands numbered in
            ``active``; operands that are not kept are given as `Aval`. None as for ``jvp``.
        batch: ``batch(prim, size, operands, batched, params)``, the answer with the batch axis in
            front, of operands that have it in front where ``batched`` says so.
        collect: the same, for a trace of vmap that the params name as ``over``.
        needs: ``needs(i, k)``, whether the cotangent of operand i reads the value of operand k, or
            of the answer for k = -1. What isn't needed isn't kept.
        pull: for each of one or two operands, its rule by itself, for the tape's hot path:
            ``pull(g, ans, *operands)``, of a linear function ``pull(g, x, **params)``.
        keep: `needs` as a table for that path: for each operand ``(answer, *operands)``, for two
            operands a third row for both cotangents together.
        shaped: rules read the shapes of operands, and give cotangents of just these shapes.
        several: the answer is a tuple of arrays.
        both: ``both(operands, tangents, params)``, the answer and its tangent from one evaluation,
            in place of ``impl`` and ``jvp`` in forward mode.
        record: ``record(operands, params)``, the answer and anything that ``vjp`` is to get in
            place of it, in place of ``impl`` in reverse mode.
        effect: calling it has an effect, so it is neither left out nor repeated; see `EFFECTS`.
        multilinear: the answer is linear in each operand.
        writes: ``impl`` takes ``out=``, an array for its answer; without it the array is new.
        formula: the answer in functions that have primitives, ``formula(*operands, **params)``,
            which kernels and machine code are made of; True if ``impl`` is such a formula, which
            compiled functions always take apart.
    """

    name: str
    impl: Callable[..., Any]
    jvp: Callable[..., Any] | None
    vjp: Callable[..., Any] | None
    batch: Callable[..., Any]
    needs: Callable[[int, int], bool] = lambda i, k: False
    keep: tuple[tuple[bool, ...], ...] = ()
    pull: tuple[Callable[..., Any] | None, ...] = ()
    shaped: bool = False
    several: bool = False
    both: Callable[..., Any] | None = None
    record: Callable[..., Any] | None = None
    collect: Callable[..., Any] | None = None
    effect: bool = False
    multilinear: bool = False
    writes: bool = False
    formula: Any = None

    def __repr__(self) -> str:
        return self.name

    def __reduce__(self) -> Any:
        # By name: the rules are functions that pickle can't write.
        if PRIMITIVES.get(self.name) is self:
            return _registered, (self.name,)
        for module in [m for k, m in sys.modules.items() if k.startswith("fgrad.")]:
            for name, value in vars(module).items():
                if value is self:
                    return _named, (module.__name__, name)
        return Primitive, tuple(getattr(self, f.name) for f in fields(self))


class Trace:
    """An interpreter of primitives, alive while one call of a transformation runs."""

    _serial = count().__next__

    def __init__(self, name: str, fn: Callable[..., Any]) -> None:
        self.level, self.name, self.fn = Trace._serial(), name, fn

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        """Handle one operation of which at least one operand is a tracer of this trace."""
        raise NotImplementedError(f"{type(self).__name__} is an abstract trace")

    def unary(self, p: Primitive, x: Tracer, params: Params | None) -> Any:
        """`process` for one operand; a trace may have a shorter way."""
        return self.process(p, (x,), params or {})

    def binary(self, p: Primitive, x: Any, y: Any) -> Any:
        """Handle two operands without params, one of them this trace's, the other perhaps newer."""
        return bind(p, (x, y), {})

    def finish(self) -> None:
        """End the trace: from now on its tracers are refused, at no cost while it was alive."""
        self.__class__ = Finished


class Refusing(Trace):
    """What a trace becomes when its transformation has returned: it refuses its tracers."""

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> NoReturn:
        x = next(x for x in operands if isinstance(x, Tracer) and x.owner is self)
        raise EscapedTracerError(
            f"`{p.name}` wants values of a transformation that is still running.", *self.escaped(x)
        )

    def escaped(self, x: Tracer) -> tuple[str, str]:
        """The second and third part of the error: where the tracer is from, and what to do."""
        return (
            f"an escaped tracer {x!r}, made by {self.name} of {name_of(self.fn)}, "
            "which has returned",
            "return the value from the function instead of storing it in a global, an attribute "
            "or a list (with has_aux=True for values that are not to be differentiated)",
        )

    def unary(self, p: Primitive, x: Tracer, params: Params | None) -> NoReturn:
        self.process(p, (x,), {})

    def binary(self, p: Primitive, x: Any, y: Any) -> NoReturn:
        self.process(p, (x, y), {})


class Finished(Refusing):
    """The end of a trace that has nothing more to do."""


class Tracer:
    """A traced array: `value` is what it stands for, `owner` its trace, `slot` what that notes.

    What users can do with one is in `tracer.ArrayTracer`, from which each trace derives its own.
    """

    __slots__ = ("owner", "slot", "value")
    owner: Any
    value: Any
    slot: Any


#: What NumPy's function -> what fgrad does when one of its arguments is a tracer.
#: Filled by the declarations in `ops` while the package is imported, never afterwards.
FRONTS: dict[Callable[..., Any], Callable[..., Any]] = {}

#: All primitives by name, for the tests that compare them with the table of laws.
PRIMITIVES: dict[str, Primitive] = {}


def _registered(name: str) -> Primitive:
    return PRIMITIVES[name]


def _named(module: str, name: str) -> Any:
    return getattr(import_module(module), name)


#: When operations with an effect let it happen: "now"; "later" while a graph is recorded, which
#: runs on examples; "never" where what has run before is computed again, on the way back.
EFFECTS: ContextVar[str] = ContextVar("EFFECTS", default="now")

#: Who calls transformed functions, ``watch(fn, args, kwargs)``, while somebody looks at their
#: results; None if nobody does. It answers NotImplemented where the function is to go on itself.
#: See `debug.debug_nans`.
WATCH: ContextVar[Any] = ContextVar("WATCH", default=None)


def watcher() -> Any:
    """`WATCH` as it is. Transformed functions call this: cloudpickle can't write the variable."""
    return WATCH.get()


@contextmanager
def effects(when: str) -> Iterator[None]:
    """Set `EFFECTS` for a while."""
    token = EFFECTS.set(when)
    try:
        yield
    finally:
        EFFECTS.reset(token)


def rerun(fn: Callable[..., Any], *args: Any) -> Any:
    """``fn(*args)``, whose effects have happened when it ran before."""
    with effects("never"):
        return fn(*args)


def bind(p: Primitive, operands: Sequence[Any], params: Params) -> Any:
    """Apply a primitive: hand it to the newest trace among the operands, or compute it."""
    trace, native = None, True
    for x in operands:
        if type(x) not in NATIVE:
            if not isinstance(x, Tracer):
                native = False
            elif trace is None or x.owner.level > trace.level:
                trace = x.owner
    if trace is not None:
        return trace.process(p, operands, params)
    if native:
        return p.impl(*operands, **params)
    return compute(p.name, p.impl, operands, params)


def evaluate(p: Primitive, operands: Sequence[Any], params: Params) -> Any:
    """The answer of plain operands, by the library that they are of."""
    for x in operands:
        if type(x) not in NATIVE:
            return compute(p.name, p.impl, operands, params)
    return p.impl(*operands, **params)


def home(*xs: Any) -> Any:
    """The module that creates arrays where the plain values below all tracers live."""
    for x in xs:
        host = namespace(full_lower(x))
        if host is not np:
            return host
    return np


def refuse_captured(p: Primitive, answers: Sequence[Any], trace: Trace) -> None:
    """Refuse answers of a user's function that closes over values of the trace it is called in.

    Its rules know its arguments alone: what it closes over would have no derivative.
    """
    for y in answers:
        if isinstance(y, Tracer) and y.owner.level >= trace.level:
            raise TracerConversionError(
                f"{p.name} has rules of its own, which know its arguments alone; it closes over "
                f"a value traced by the {trace.name} around it.",
                repr(y),
                "pass the value as an argument of the function",
            )


def full_lower(x: Any) -> Any:
    """The plain value below all tracers."""
    while isinstance(x, Tracer):
        x = x.value
    return x


def is_traceable(x: Any) -> bool:
    """Whether ``x`` is an array, a number or a tracer."""
    return isinstance(x, Tracer) or is_array(x)


def check_function(f: Any, name: str, direct: bool = False) -> None:
    """Refuse to transform what is no function, such as the f(x) of ``grad(f(x))``.

    ``direct`` says that the transformation is called as ``jvp(f, x)``, not as ``grad(f)(x)``.
    """
    if not callable(f):
        raise ArgumentError(
            f"{name} wants a function.",
            describe(f),
            f"pass the function itself: {name}(f, ...)"
            if direct
            else f"transform the function, then call it: {name}(f)(x)",
        )


def refuse_finished(x: Any, name: str) -> None:
    """Refuse a tracer that outlived its transformation, where no operation would notice."""
    if isinstance(x, Tracer) and isinstance(x.owner, Refusing):
        raise EscapedTracerError(
            f"{name} wants values of a transformation that is still running.", *x.owner.escaped(x)
        )
