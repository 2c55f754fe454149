"""Forward mode: each value travels with its tangent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .arrays import check_operand, shield
from .core import Params, Primitive, Trace, Tracer, bind
from .rules import cast
from .tracer import ArrayTracer


class JvpTracer(ArrayTracer):
    """A primal value; `slot` is its tangent, of the same shape and dtype."""

    __slots__ = ()


class Pushforward(Trace):
    """The interpreter of forward mode. A missing tangent is None and makes no tracer."""

    def tracer(self, primal: Any, tangent: Any) -> Any:
        """A traced value, or the value itself where the tangent is zero."""
        if tangent is None:
            return primal
        x = JvpTracer()
        x.owner, x.value, x.slot = self, primal, tangent
        return x

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        primals, tangents = [], []
        for x in operands:
            if type(x) is JvpTracer and x.owner is self:
                primals.append(x.value)
                tangents.append(x.slot)
            else:
                if not isinstance(x, Tracer):
                    check_operand(x, p.name)
                primals.append(x)
                tangents.append(None)
        ans = bind(p, primals, params)
        if p.jvp is None:
            return shield(ans, primals)
        t = p.jvp(ans, primals, tangents, params)
        if p.several:
            ts = t if t is not None else (None,) * len(ans)
            return tuple(self.tracer(y, _fit(u, y)) for y, u in zip(ans, ts, strict=True))
        return self.tracer(ans, _fit(t, ans))


def _fit(t: Any, ans: Any) -> Any:
    """The dtype law: a tangent has its primal's dtype."""
    if t is None or not hasattr(ans, "dtype"):
        return t
    return t if getattr(t, "dtype", None) is ans.dtype else cast(t, ans.dtype)
