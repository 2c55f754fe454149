"""Forward mode: each value travels with its tangent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import INEXACT, PYTHON_SCALARS, check_operand, ndarray, shield, strong
from .core import Params, Primitive, Trace, Tracer, bind, evaluate, refuse_captured
from .rules import cast, total
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

    def unary(self, p: Primitive, x: Tracer, params: Params | None) -> Any:
        if params is not None or not p.pull or p.pull[0] is None:
            return self.process(p, (x,), params or {})
        a = x.value
        ans = a.owner.unary(p, a, None) if isinstance(a, Tracer) else evaluate(p, (a,), {})
        return self.tracer(ans, fit(p.pull[0](x.slot, ans, strong(a)), ans))

    def binary(self, p: Primitive, x: Any, y: Any) -> Any:
        # The terms of elementwise functions, without the lists of `process`.
        if p.shaped or None in p.pull or not (_plain(self, x) and _plain(self, y)):
            return bind(p, (x, y), {})
        a, t = (x.value, x.slot) if type(x) is JvpTracer else (x, None)
        b, u = (y.value, y.slot) if type(y) is JvpTracer else (y, None)
        ans = p.impl(a, b)
        term_x, term_y = p.pull
        terms = [
            None if t is None or term_x is None else term_x(t, ans, a, b),
            None if u is None or term_y is None else term_y(u, ans, a, b),
        ]
        out: Any = total(terms)
        if out.shape != ans.shape:
            out = np.broadcast_to(out, ans.shape)
        return self.tracer(ans, fit(out, ans))

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
        if p.both is not None:
            ans, t = p.both(primals, tangents, params)
            refuse_captured(p, (*ans, *t), self)
        else:
            ans = bind(p, primals, params)
            if p.jvp is None:
                return shield(ans, primals)
            t = self.tangent(p, ans, primals, tangents, params)
        if p.several:
            ts = t if t is not None else (None,) * len(ans)
            return tuple(self.tracer(y, fit(u, y)) for y, u in zip(ans, ts, strict=True))
        return self.tracer(ans, fit(t, ans))

    def tangent(
        self,
        p: Primitive,
        ans: Any,
        primals: Sequence[Any],
        tangents: Sequence[Any],
        params: Params,
    ) -> Any:
        """What the rule of a primitive says."""
        if all(type(x) in PYTHON_SCALARS for x in primals):
            primals = [strong(x) for x in primals]
        rule: Any = p.jvp
        return rule(ans, primals, tangents, params)


def _plain(trace: Pushforward, x: Any) -> bool:
    """Whether an operand is an inexact array, or a value of this trace that stands for one."""
    if type(x) is JvpTracer and x.owner is trace:
        return type(x.value) is ndarray and type(x.slot) is ndarray
    return type(x) is ndarray and x.dtype.kind in INEXACT


def fit(t: Any, ans: Any) -> Any:
    """The dtype law: a tangent has its primal's dtype."""
    if t is None or not hasattr(ans, "dtype"):
        return t
    return t if getattr(t, "dtype", None) is ans.dtype else cast(t, ans.dtype)
