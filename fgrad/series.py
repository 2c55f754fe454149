"""Taylor mode: each value travels with the coefficients of a truncated power series.

A value x(t) is x_0 + x_1 t + ... + x_K t^K. Of y(t) = f(x(t)) a primitive's own jvp rule says
``y'(t) = jvp(y(t), x(t), x'(t))``, so the coefficient k + 1 of y is that of t^k in the rule,
computed with series, divided by k + 1; it reads no more of y than the coefficients up to k. So no
primitive needs a rule of its own here (the idea: A. Griewank and A. Walther, Evaluating
Derivatives, 2nd ed., 2008, section 13.2). Three kinds have shorter ones, from the same section:
a constant linear map takes each coefficient by itself, a product is a Cauchy product, and a
quotient solves for its last coefficient.

The user's operations are computed at once. Those of a rule are noted, and computed order by order,
as the answer that the rule reads becomes known (relaxed evaluation; J. van der Hoeven, Relax, but
don't be too lazy, J. Symbolic Computation 34, 2002). Within a rule the same operation on the same
operands is one: of ``sin' = cos`` and ``cos' = -sin`` each is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arrays import INEXACT, PYTHON_SCALARS, aval, check_operand, is_a, ndarray, shield, strong
from .core import PRIMITIVES, Params, Primitive, Trace, Tracer, bind, refuse_captured, rerun
from .rules import cast
from .tracer import ArrayTracer

#: Up to so many octets arrays are told apart by their values, beyond that by their identity.
SMALL = 1 << 20


class Series:
    """The coefficients of a value, None for those that are zero; ``source`` computes the next."""

    __slots__ = ("known", "source")

    def __init__(self, known: list[Any], source: Operation | None = None) -> None:
        self.known, self.source = known, source

    def __getitem__(self, k: int) -> Any:
        """The coefficient of t^k."""
        if k >= len(self.known) and self.source is not None:
            self.source.upto(k)
        return self.known[k]

    @property
    def has_slope(self) -> bool:
        """Whether the first two coefficients are known, or follow at once."""
        return self.source is None and self.highest > 0

    @property
    def highest(self) -> int:
        """The highest power of t whose coefficient is known."""
        return len(self.known) - 1


class Derivative(Series):
    """The series of x'(t)."""

    __slots__ = ("of",)

    def __init__(self, of: Series) -> None:
        super().__init__([])
        self.of = of

    def __getitem__(self, k: int) -> Any:
        while len(self.known) <= k:
            n = len(self.known) + 1
            c = self.of[n]
            self.known.append(c if c is None or n == 1 else n * c)
        return self.known[k]

    @property
    def highest(self) -> int:
        return self.of.highest - 1

    @property
    def has_slope(self) -> bool:
        return self.of.source is None and self.highest > 0


class TaylorTracer(ArrayTracer):
    """A value at t = 0; `slot` is its `Series`."""

    __slots__ = ()


def coefficient(x: Any, k: int) -> Any:
    """The coefficient of t^k of a series; a constant has the first alone."""
    return x.slot[k] if type(x) is TaylorTracer else x if k == 0 else None


def fit(c: Any, ans: Any) -> Any:
    """The dtype law: a coefficient has the dtype of its value."""
    if c is None or not hasattr(ans, "dtype") or getattr(c, "dtype", None) is ans.dtype:
        return c
    return cast(c, ans.dtype)


def plus(a: Any, b: Any) -> Any:
    """The sum, where None is zero."""
    return b if a is None else a if b is None else a + b


class Taylor(Trace):
    """The interpreter of Taylor mode, up to the power ``order`` of t."""

    def __init__(self, name: str, fn: Callable[..., Any], order: int) -> None:
        super().__init__(name, fn)
        self.order = order
        #: Where operations are noted while a rule runs; None while the user's function does.
        self.scope: list[Operation] | None = None
        #: The operations of the rules of one operation of the user's, by what they compute.
        self.seen: dict[Any, Any] = {}

    def tracer(self, value: Any, series: Series) -> TaylorTracer:
        """A traced value."""
        x = TaylorTracer()
        x.owner, x.value, x.slot = self, value, series
        return x

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        for x in operands:
            if not isinstance(x, Tracer):
                check_operand(x, p.name)
        mine = [type(x) is TaylorTracer and x.owner is self for x in operands]
        values = [x.value if m else x for x, m in zip(operands, mine, strict=True)]
        if p.name == "checkpoint" and "body" in params:
            return tuple(params["body"].body(operands))  # nothing is kept for a way back
        if p.jvp is None:
            return shield(bind(p, values, params), values)
        if self.scope is None:
            try:
                return self._now(p, operands, mine, values, params)
            finally:
                self.seen = {}
        key = self._name(p, operands, params)
        if key in self.seen:
            return self.seen[key][0]
        # A rule may write into an array of its own, once it has computed with it.
        kept = [x.copy() if type(x) is ndarray else x for x in operands]
        ans = self._operation(p, kept, mine, values, params)
        self.scope.append(ans)
        out = ans.traced if p.several else ans.traced[0]
        self.seen[key] = (out, operands, params)  # which live as long as their identities
        return out

    def _now(self, p: Primitive, xs: Any, mine: Any, values: Any, params: Params) -> Any:
        """An operation of the user's: all coefficients at once."""
        op = self._operation(p, xs, mine, values, params)
        if type(op) is General:
            out = op.traced if p.several else op.traced[0]
            self.seen[self._name(p, xs, params)] = (out, xs, params)
        op.upto(self.order)
        outs = []
        for y in op.traced:
            if type(y) is TaylorTracer and y.owner is self:
                y.slot.source = None  # what the rules have noted may go
                outs.append(y if any(c is not None for c in y.slot.known[1:]) else y.value)
            else:
                outs.append(y)
        return tuple(outs) if p.several else outs[0]

    def _operation(
        self, p: Primitive, xs: Sequence[Any], mine: Any, values: Any, params: Params
    ) -> Operation:
        """An operation, of which the values are known."""
        ready = all(x.slot.has_slope for x, m in zip(xs, mine, strict=True) if m)
        if p.both is not None:
            if ready:  # the answer can depend on the direction
                first = [coefficient(x, 1) if m else None for x, m in zip(xs, mine, strict=True)]
                ans, ts = p.both(values, first, params)
                refuse_captured(p, (*ans, *(ts or ())), self)
            else:
                ans = bind(p, values, params)
                refuse_captured(p, ans, self)
        else:
            ans = bind(p, values, params)
        return kind_of(p, mine)(self, p, xs, mine, values, ans, params)

    def _name(self, p: Primitive, xs: Sequence[Any], params: Params) -> Any:
        """What is the same for the same operation on the same operands."""
        return p, *map(self._key, xs), *((k, _fixed(v)) for k, v in params.items())

    def _key(self, x: Any) -> Any:
        if type(x) is TaylorTracer and x.owner is self:
            return id(x.slot)
        if is_a(x, (ndarray, np.generic)) and x.nbytes <= SMALL:
            return x.shape, x.dtype, x.tobytes()
        return (type(x), repr(x)) if is_a(x, PYTHON_SCALARS) else id(x)


def _fixed(v: Any) -> Any:
    """What is the same for equal params."""
    if isinstance(v, tuple):
        return tuple(map(_fixed, v))
    plain = v is None or is_a(v, (str, *PYTHON_SCALARS))
    return (type(v), repr(v)) if plain else id(v)


class Operation:
    """A primitive applied to series; the coefficients of its answers become known in order."""

    def __init__(
        self, trace: Taylor, p: Primitive, xs: Sequence[Any], mine: Sequence[bool],
        values: Sequence[Any], ans: Any, params: Params,
    ) -> None:  # fmt: skip
        self.trace, self.p, self.params = trace, p, params
        self.xs, self.mine, self.values, self.ans = xs, mine, values, ans
        self.done = 0
        answers = ans if p.several else (ans,)
        self.series = [Series([y], self) for y in answers]
        self.traced = tuple(
            trace.tracer(y, s) if aval(y).dtype.kind in INEXACT else y
            for y, s in zip(answers, self.series, strict=True)
        )

    def upto(self, k: int) -> None:
        """Make the coefficients up to that of t^k known."""
        while self.done < k:
            self.done += 1
            new = self.next(self.done)
            for s, c in zip(self.series, new, strict=True):
                s.known.append(fit(c, s.known[0]))

    def next(self, k: int) -> Sequence[Any]:
        """The coefficients of t^k of the answers, of which those before are known."""
        raise NotImplementedError(f"{type(self).__name__} is an abstract operation")

    def operand(self, i: int, k: int) -> Any:
        """The coefficient of t^k of an operand."""
        if k == 0:
            return self.values[i]
        return self.xs[i].slot[k] if self.mine[i] else None


class General(Operation):
    """Any function with a jvp rule."""

    rates: Sequence[Any]
    steps: list[Operation]

    def next(self, k: int) -> Sequence[Any]:
        if k == 1:
            self._note()
        for op in self.steps:  # in the order of their making, which bounds the recursion
            op.upto(k - 1)
        new = [coefficient(r, k - 1) for r in self.rates]
        return [c if c is None or k == 1 else c / k for c in new]

    def _note(self) -> None:
        """Run the rule."""
        trace, p = self.trace, self.p
        scope: list[Operation] = []
        outer, trace.scope = trace.scope, scope
        xs = list(self.xs)
        if all(type(x) in PYTHON_SCALARS for x in self.values):
            strongs = map(strong, self.values)
            xs = [
                trace.tracer(v, x.slot) if m else v
                for x, v, m in zip(xs, strongs, self.mine, strict=True)
            ]
        try:
            assert p.jvp is not None
            ts = [self._rate(x) if m else None for x, m in zip(self.xs, self.mine, strict=True)]
            ans = self.traced if p.several else self.traced[0]
            out = rerun(p.jvp, ans, xs, ts, self.params)
        finally:
            trace.scope = outer
        if p.several:
            self.rates = [None] * len(self.traced) if out is None else list(out)
        else:
            self.rates = [out]
        self.steps = needed(scope, self.rates)

    def _rate(self, x: TaylorTracer) -> Any:
        """The derivative x'(t): a series, or an array if it is known to be constant."""
        s = x.slot
        if s.source is None and type(s) is Series and all(c is None for c in s.known[2:]):
            return s.known[1]
        rate = Derivative(s)
        first = rate[0]
        return self.trace.tracer(np.zeros_like(x.value) if first is None else first, rate)


class Constant(Operation):
    """A function whose derivative is the same linear map everywhere."""

    def next(self, k: int) -> Sequence[Any]:
        ts = [self.operand(i, k) for i in range(len(self.xs))]
        several, n = self.p.several, len(self.series)
        if all(t is None for t in ts):
            return [None] * n
        assert self.p.jvp is not None
        out = self.p.jvp(self.ans, self.values, ts, self.params)
        return [out] if not several else [None] * n if out is None else out


class Product(Operation):
    """A function that is linear in each operand: a Cauchy product."""

    def next(self, k: int) -> Sequence[Any]:
        return [self._sum([], k)]

    def _sum(self, chosen: list[Any], k: int) -> Any:
        """The sum over the ways to give the operands that are left powers of t, k together."""
        i = len(chosen)
        moving = [j for j in range(i, len(self.xs)) if self.mine[j]]
        if not moving:
            rest = [*chosen, *self.values[i:]]
            return bind(self.p, rest, self.params) if k == 0 else None
        if not self.mine[i]:
            return self._sum([*chosen, self.values[i]], k)
        out = None
        for n in [k] if len(moving) == 1 else range(k + 1):
            c = self.operand(i, n)
            if c is not None:
                out = plus(out, self._sum([*chosen, c], k - n))
        return out


class Quotient(Operation):
    """A quotient q = a / b, by ``b q = a``."""

    def next(self, k: int) -> Sequence[Any]:
        rest = self.operand(0, k)
        if self.mine[1]:
            for n in range(1, k + 1):
                b, q = self.operand(1, n), self.series[0].known[k - n]
                if b is not None and q is not None:
                    rest = -(b * q) if rest is None else rest - b * q
        return [None if rest is None else bind(self.p, (rest, self.values[1]), {})]


def needed(scope: Sequence[Operation], outs: Sequence[Any]) -> list[Operation]:
    """The operations of a rule that its results depend on."""
    wanted = {id(x.slot) for x in outs if type(x) is TaylorTracer}
    kept = []
    for op in reversed(scope):
        if any(id(s) in wanted for s in op.series):
            kept.append(op)
            for x, m in zip(op.xs, op.mine, strict=True):
                if m:
                    wanted.add(id(x.slot.of if type(x.slot) is Derivative else x.slot))
    return kept[::-1]


def kind_of(p: Primitive, mine: Sequence[bool]) -> type[Operation]:
    """How the coefficients of a primitive's answers are found, if these operands move."""
    if p.multilinear or p is PRIMITIVES.get("multiply"):
        return Product
    if p is PRIMITIVES.get("divide"):
        return Quotient
    if p.both is not None or not p.pull:
        return General  # its rules for the two modes were written apart
    moving = [i for i, m in enumerate(mine) if m]
    # A derivative that reads neither the answer nor what moves is the same everywhere.
    reads = any(p.needs(i, k) for i in moving for k in (-1, *moving))
    return General if reads else Constant
