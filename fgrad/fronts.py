"""Fronts: what a call of NumPy's function becomes when a traced array is among its arguments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arrays import NATIVE
from .core import PRIMITIVES, Params, Primitive, Tracer, bind, evaluate
from .elsewhere import qualified
from .errors import NoRuleError
from .tracebacks import hide_frames
from .tracer import register

#: From any call of NumPy's function to its operands and params.
Canonical = Callable[..., tuple[Sequence[Any], Params]]


def name_of_function(fn: Callable[..., Any]) -> str:
    """``sum``, ``linalg.norm``, ``scipy.special.gamma``."""
    if (getattr(fn, "__module__", None) or "").startswith("fgrad."):
        return fn.__name__
    return qualified(fn).removeprefix("np.")


def declare_front(
    fn: Callable[..., Any], p: Primitive, front: Callable[..., Any], operators: Any = None
) -> Callable[..., Any]:
    """Enter a primitive into the registry; what comes back is called as NumPy's function is.

    A user's function has no entry: NumPy never asks for it, and what comes back is all of it.
    """
    home = "numpy" if isinstance(fn, np.ufunc) else getattr(fn, "__module__", None) or "numpy"
    if home.partition(".")[0] not in ("numpy", "scipy", "fgrad"):
        front.__name__ = front.__qualname__ = p.name
        front.__doc__, front.__module__ = fn.__doc__, home
        return front
    if p.name in PRIMITIVES:
        raise ValueError(f"the primitive {p.name!r} is declared twice")
    PRIMITIVES[p.name] = p
    register(fn, front, operators)
    return front


def given(**keywords: Any) -> None:
    """Refuse keywords, such as `out`, which writes into an array."""
    for name, value in keywords.items():
        if value is not None and value is not np._NoValue:
            raise NoRuleError(
                f"A function of traced values takes no {name}= here.",
                f"{name}={value!r}",
                "leave it away and use the result",
            )


def unary_front(p: Primitive) -> Callable[..., Any]:
    """The shortest way from ``f(x)`` to the trace."""
    impl = p.impl

    def front(x: Any) -> Any:
        try:
            if isinstance(x, Tracer):
                return x.owner.unary(p, x, None)
            return impl(x) if type(x) in NATIVE else evaluate(p, (x,), {})
        except BaseException as e:
            hide_frames(e)
            raise

    return front


def binary_front(p: Primitive) -> Callable[..., Any]:
    """The shortest way from ``f(x, y)`` to the newer of the two traces."""
    impl = p.impl

    def front(x: Any, y: Any) -> Any:
        try:
            if isinstance(x, Tracer):
                trace = x.owner
                if isinstance(y, Tracer) and y.owner is not trace and y.owner.level > trace.level:
                    trace = y.owner
            elif isinstance(y, Tracer):
                trace = y.owner
            elif type(x) in NATIVE and type(y) in NATIVE:
                return impl(x, y)
            else:
                return evaluate(p, (x, y), {})
            return trace.binary(p, x, y)
        except BaseException as e:
            hide_frames(e)
            raise

    return front


def operator_of(p: Primitive) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """``x + y`` and its reflection as methods: the tracer is known, its trace finds the newer."""

    def method(self: Any, other: Any) -> Any:
        return self.owner.binary(p, self, other)

    def reflected(self: Any, other: Any) -> Any:
        return self.owner.binary(p, other, self)

    return method, reflected


def apply(p: Primitive, x: Any, params: Params) -> Any:
    """A primitive of one operand with its canonical params."""
    return x.owner.unary(p, x, params) if isinstance(x, Tracer) else evaluate(p, (x,), params)


def general_front(p: Primitive, canonical: Canonical) -> Callable[..., Any]:
    """From any call of NumPy's function to operands and params, and on to the trace."""

    def front(*args: Any, **kwargs: Any) -> Any:
        try:
            operands, params = canonical(*args, **kwargs)
            if len(operands) == 1:
                x = operands[0]
                if isinstance(x, Tracer):
                    return x.owner.unary(p, x, params)
                return evaluate(p, operands, params)
            return bind(p, operands, params)
        except BaseException as e:
            hide_frames(e)
            raise

    front.__name__ = front.__qualname__ = p.name
    front.__doc__ = canonical.__doc__
    return front


def pair_front(p: Primitive, canonical: Canonical) -> Callable[..., Any]:
    """The front of a bilinear function: the short way if its canonical form has no params."""
    short = binary_front(p)

    def front(x: Any, y: Any, *args: Any, **kwargs: Any) -> Any:
        operands, params = canonical(x, y, *args, **kwargs)
        return bind(p, operands, params) if params else short(*operands)

    front.__name__ = front.__qualname__ = p.name
    front.__doc__ = canonical.__doc__
    return front
