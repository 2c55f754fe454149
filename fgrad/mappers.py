"""vmap's short way for ``x + y``: operators of mapped values, made for one primitive each.

`Batch.binary` says what it means, for every kind of operand. What is made here does the same for
operands of one rank, and for a Python number beside a mapped value, in two thirds of the time;
anything else it hands over.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .arrays import ndarray
from .batch import Batch, BatchTracer, mapped
from .core import PRIMITIVES, Primitive
from .rules import line_up
from .tracer import ArrayTracer
from .vocabulary import BINARY_OPERATORS


def mappers(p: Primitive) -> tuple[Callable[[Any, Any], Any], Callable[[Any, Any], Any]]:
    """``map(x, y)`` for a mapped x and anything that it may meet, and the same for ``y, x``."""
    impl = p.impl

    def method(x: Any, y: Any) -> Any:
        trace, a = x.owner, x.value
        if type(a) is not ndarray or type(trace) is not Batch:
            return trace.binary(p, x, y)
        if type(y) is BatchTracer and y.owner is trace:
            b = y.value
            if type(b) is not ndarray or a.ndim != b.ndim:
                return trace.binary(p, x, y)
        elif type(y) is float or type(y) is int:
            b = y
        else:
            return trace.binary(p, x, y)
        out = BatchTracer()
        out.owner, out.value, out.slot = trace, impl(a, b), None
        return out

    def reflected(y: Any, x: Any) -> Any:
        trace, b = y.owner, y.value
        if type(b) is not ndarray or type(trace) is not Batch or type(x) not in (float, int):
            return trace.binary(p, x, y)
        return mapped(trace, impl(x, b))

    return method, reflected


def _transposed(self: Any) -> Any:
    trace, a = self.owner, self.value
    if type(a) is not ndarray or type(trace) is not Batch or a.ndim != 3:
        return ArrayTracer.T.fget(self)  # type: ignore[attr-defined]
    return mapped(trace, a.transpose(0, 2, 1))


def _install() -> None:
    """Give mapped values their operators; powers have a way of their own."""
    BatchTracer.T = property(_transposed)  # type: ignore[assignment, method-assign]
    for fn, stem in BINARY_OPERATORS.items():
        p = PRIMITIVES.get(fn.__name__)
        if p is not None and p.batch is line_up and not p.several and stem != "pow":
            method, reflected = mappers(p)
            setattr(BatchTracer, f"__{stem}__", method)
            setattr(BatchTracer, f"__r{stem}__", reflected)


_install()
