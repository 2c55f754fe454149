"""The five ways to declare a primitive. The kind of a function fixes most of its rules.

    =============  =======================================  ==================================
    kind           what you write                           examples
    =============  =======================================  ==================================
    `elementwise`  one partial derivative per operand       tanh, logaddexp, multiply
    `linear`       the transpose                            sum, reshape, concatenate
    `multilinear`  one transpose per operand                matmul, tensordot, einsum
    `constant`     nothing                                  floor, greater, argmax
    `primitive`    the jvp and one vjp per operand          abs (of complex), prod, solve
    =============  =======================================  ==================================

The letters: ``ans`` answer, ``g`` cotangent, ``t`` tangent, ``x, y`` operands, ``params`` metadata.
A rule reads as parameters what it needs and nothing else: what no rule reads isn't kept for the
backward pass. A transpose gets an `Aval` (shape and dtype) for each operand it is linear in.
"""

from __future__ import annotations

import dis
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .arrays import shape_of
from .broadcasting import cast as cast
from .broadcasting import leading as leading
from .broadcasting import line_up as line_up
from .broadcasting import ones as ones
from .broadcasting import unbroadcast as unbroadcast
from .core import Array, Params, Primitive, bind
from .errors import ArgumentError, name_of
from .fronts import (
    Canonical,
    binary_front,
    declare_front,
    general_front,
    name_of_function,
    operator_of,
    pair_front,
    unary_front,
)
from .fronts import apply as apply


# ------------------------------------------------------------------ small tools of the rules
def reads(rule: Callable[..., Any]) -> tuple[bool, ...]:
    """For each positional parameter of a rule, whether its body reads it.

    >>> reads(lambda ans, x: 1 - ans * ans)
    (True, False)
    """
    code = rule.__code__
    names = code.co_varnames[: code.co_argcount]
    read = {i.argval for i in dis.get_instructions(code) if i.opname.startswith("LOAD_")}
    # LOAD_FAST_LOAD_FAST and its like (Python 3.13) load two names with one instruction.
    read |= {n for names_ in read if isinstance(names_, tuple) for n in names_}
    fixed = tuple(name in read for name in names)
    return fixed if not code.co_flags & 0x04 else (*fixed, *(True,) * 8)


def total(terms: Sequence[Any]) -> Any:
    """The sum of the terms that are not None; None if there are none."""
    out = None
    for term in terms:
        if term is not None:
            out = term if out is None else out + term
    return out


# ------------------------------------------------------------------ elementwise
def elementwise(
    fn: Callable[..., Any],
    *partials: Any,
    impl: Callable[..., Any] | None = None,
    name: str | None = None,
    writes: bool = False,
    formula: Any = None,
) -> Callable[..., Any]:
    """Declare a ufunc by its partial derivatives.

    Args:
        fn: NumPy's function.
        partials: one per operand: a formula ``(ans, *operands)``, or ``(t, ans, *operands)`` for
            the partial times t where that is shorter to compute (t / x for log); a number where
            it is that number everywhere; None where it is zero.
        impl: what computes it, if not ``fn``.
        name: the primitive's name, if not the function's.
        writes: it takes ``out=``, an array that compiled functions keep for its answer.
        formula: the same in functions that fgrad knows, for machine code; True if ``impl`` is it.
    """
    n = len(partials)
    terms = [_term(d, n) for d in partials]
    reading = [_reads_partial(d, n) for d in partials]

    def needs(i: int, k: int) -> bool:
        return reading[i][k + 1]

    def jvp(ans: Array, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
        if any(callable(d) for d in partials):
            xs = [inexact(x, ans) for x in xs]
        moving = [(d, t) for d, t in zip(terms, ts, strict=True) if d and t is not None]
        t = total([d(t, ans, *xs) for d, t in moving])
        if t is not None and shape_of(t) != shape_of(ans):
            t = np.broadcast_to(t, shape_of(ans))
        return t

    def vjp(
        active: Sequence[int], g: Array, ans: Array, xs: Sequence[Any], params: Params
    ) -> list[Any]:
        return [d and d(g, ans, *xs) for d in (terms[i] for i in active)]

    p = Primitive(
        name=name or name_of_function(fn), impl=impl or fn, jvp=jvp, vjp=vjp, batch=line_up,
        needs=needs, keep=_keep(needs, n) if n < 3 else (), pull=tuple(terms) if n < 3 else (),
        writes=writes, formula=formula,
    )  # fmt: skip
    if n == 1:
        return declare_front(fn, p, unary_front(p))
    if n == 2:
        return declare_front(fn, p, binary_front(p), operator_of(p))
    return declare_front(fn, p, lambda *operands: bind(p, operands, {}))


def _keep(needs: Callable[[int, int], bool], n: int) -> tuple[tuple[bool, ...], ...]:
    """`needs` as a table for one or two operands, with a row for both cotangents together."""
    rows = [tuple(needs(i, k) for k in range(-1, n)) for i in range(n)]
    both = [tuple(a or b for a, b in zip(*rows, strict=True))] if n == 2 else []
    return (*rows, *both)


def inexact(x: Any, ans: Array) -> Any:
    """An integer operand in the answer's dtype: its formulas would overflow (int8 squared)."""
    dtype = getattr(x, "dtype", None)
    return x if dtype is None or dtype.kind in "fc" else x.astype(ans.dtype)


def _times(d: Any) -> bool:
    """Whether a formula has the factor t in it."""
    return callable(d) and d.__code__.co_varnames[0] == "t"


def _reads_partial(d: Any, n: int) -> tuple[bool, ...]:
    """Whether a partial derivative reads the answer, and each of the n operands."""
    if not callable(d):
        return (False,) * (n + 1)
    return reads(d)[1:] if _times(d) else reads(d)


def _term(d: Any, n: int) -> Callable[..., Any] | None:
    """A partial derivative as ``(t, ans, *operands)``, times t: both modes use it."""
    if d is None or _times(d):
        return d
    if not callable(d):
        if n == 1:
            return {1: lambda t, ans, x: t, -1: lambda t, ans, x: -t}.get(
                d, lambda t, ans, x: t * d
            )
        return {1: lambda t, ans, x, y: t, -1: lambda t, ans, x, y: -t}[d]
    if n == 1:
        return lambda t, ans, x: t * d(ans, x)
    if n == 2:
        return lambda t, ans, x, y: t * d(ans, x, y)
    return lambda t, ans, *xs: t * d(ans, *xs)


# ------------------------------------------------------------------ linear
def linear(
    fn: Callable[..., Any],
    transpose: Callable[..., Any],
    *,
    batch: Callable[..., Any] = leading,
    impl: Callable[..., Any] | None = None,
    name: str | None = None,
    operands: int | None = None,
    writes: bool = False,
) -> Callable[[Canonical], Callable[..., Any]]:
    """Declare a function that is linear in its operands together. Decorates the canonical form.

    Args:
        fn: NumPy's function.
        transpose: ``transpose(g, *operands, **params)``, with avals for the linear operands: the
            cotangent, or a tuple of them if there are several linear operands.
        batch: the batch rule, if shapes or positions stand in the params.
        impl: what computes it, if not ``fn``.
        name: the primitive's name, if not NumPy's.
        operands: the function is linear in so many of its first operands; in all for None.
        writes: as for `elementwise`.
    """

    def declare(canonical: Canonical) -> Callable[..., Any]:
        def jvp(ans: Array, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
            k = len(xs) if operands is None else operands
            if all(t is None for t in ts[:k]):
                return None
            zs = [np.zeros_like(x) if t is None else t for x, t in zip(xs[:k], ts[:k], strict=True)]
            return bind(p, [*zs, *xs[k:]], params)

        def vjp(
            active: Sequence[int], g: Array, ans: Array, xs: Sequence[Any], params: Params
        ) -> list[Any]:
            c = transpose(g, *xs, **params)
            return (
                [c[i] if i < len(c) else None for i in active]
                if isinstance(c, (tuple, list))
                else [c]
            )

        p = Primitive(
            name=name or name_of_function(fn), impl=impl or fn, jvp=jvp, vjp=vjp, batch=batch,
            needs=lambda i, k: operands is not None and k >= operands,
            keep=((False, False),), pull=(transpose,), shaped=True, writes=writes,
        )  # fmt: skip
        return declare_front(fn, p, general_front(p, canonical))

    return declare


# ------------------------------------------------------------------ multilinear
def multilinear(
    fn: Callable[..., Any],
    *transposes: Callable[..., Any],
    batch: Callable[..., Any] = line_up,
    impl: Callable[..., Any] | None = None,
    name: str | None = None,
    writes: bool = False,
) -> Callable[[Canonical], Callable[..., Any]]:
    """Declare a function that is linear in each of its operands. Decorates the canonical form.

    Args:
        fn: NumPy's function.
        transposes: one per operand, ``(g, ans, *operands, **params)``, the cotangent of that
            operand, for which an aval is given; or a single one, ``(i, g, *operands, **params)``,
            for any number of operands. They don't read the answer.
        batch, impl, name, writes: as for `linear`.
    """
    variadic = len(transposes) == 1

    def needs(i: int, k: int) -> bool:
        return k not in (i, -1)

    def declare(canonical: Canonical) -> Callable[..., Any]:
        def jvp(ans: Array, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
            return total(
                [
                    bind(p, [t if j == i else x for j, x in enumerate(xs)], params)
                    for i, t in enumerate(ts)
                    if t is not None
                ]
            )

        def vjp(
            active: Sequence[int], g: Array, ans: Array, xs: Sequence[Any], params: Params
        ) -> list[Any]:
            if variadic:
                return [transposes[0](i, g, *xs, **params) for i in active]
            return [transposes[i](g, ans, *xs, **params) for i in active]

        p = Primitive(
            name=name or name_of_function(fn), impl=impl or fn, jvp=jvp, vjp=vjp, batch=batch,
            needs=needs, keep=() if variadic else _keep(needs, 2), shaped=True,
            pull=() if variadic else transposes, multilinear=True, writes=writes,
        )  # fmt: skip
        if p.pull:
            return declare_front(fn, p, pair_front(p, canonical), operator_of(p))
        return declare_front(fn, p, general_front(p, canonical))

    return declare


# ------------------------------------------------------------------ constant
def constant(
    fn: Callable[..., Any],
    canonical: Canonical | None = None,
    *,
    batch: Callable[..., Any] | None = None,
    impl: Callable[..., Any] | None = None,
    name: str | None = None,
    several: bool = False,
) -> Callable[..., Any]:
    """Declare a piecewise constant function: its derivative is zero, its answer has no trace."""
    rule = batch or (line_up if canonical is None else leading)
    p = Primitive(name or name_of_function(fn), impl or fn, None, None, rule, several=several)
    if canonical is None:
        return declare_front(fn, p, lambda *operands: bind(p, operands, {}))
    return declare_front(fn, p, general_front(p, canonical))


# ------------------------------------------------------------------ primitive
def primitive(
    fn: Callable[..., Any],
    *,
    jvp: Callable[..., Any],
    vjp: Sequence[Callable[..., Any] | None] | Callable[..., Any],
    batch: Callable[..., Any] = leading,
    impl: Callable[..., Any] | None = None,
    name: str | None = None,
    several: bool = False,
    choose: Callable[..., Any] | None = None,
    writes: bool = False,
    formula: Any = None,
) -> Callable[[Canonical], Callable[..., Any]]:
    """Declare a function by rules of its own. Decorates the canonical form.

    Args:
        fn: NumPy's function.
        jvp: ``jvp(ts, ans, *operands, **params)``: the tangent of the answer; ``ts`` holds a
            tangent or None for each operand.
        vjp: for each operand, ``(g, ans, *operands, **params)``, its cotangent; None where it
            has none; or one function of these for the tuple of all cotangents. What no rule
            reads isn't kept.
        several: the answer is a tuple; then so are its tangent and ``g``.
        choose: ``choose(ans, t)``, of all answers that are as good as ``ans`` that whose
            derivative is known; t is the tangent of the one operand, None in reverse mode.
        batch, impl, name, writes, formula: as for `linear` and `elementwise`.
    """
    one, each = (vjp, ()) if callable(vjp) else (None, vjp)

    def declare(canonical: Canonical) -> Callable[..., Any]:
        def forward(ans: Array, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
            return jvp(tuple(ts), ans, *xs, **params)

        def backward(
            active: Sequence[int], g: Array, ans: Array, xs: Sequence[Any], params: Params
        ) -> list[Any]:
            if one is not None:
                cts = one(g, ans, *xs, **params)
                return [cts[i] for i in active]
            rules = [each[i] for i in active]
            return [None if r is None else r(g, ans, *xs, **params) for r in rules]

        for rule in each:
            _check_takes(rule, 2 + len(each), name or name_of_function(fn))
        reading = [reads(r)[1:] if r else None for r in ((one,) if one is not None else each)]

        def needs(i: int, k: int) -> bool:
            row = reading[i if one is None else 0]
            return row is not None and row[k + 1]

        def both(xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
            assert choose is not None
            assert p.jvp is not None
            ans = choose(bind(p, xs, params), ts[0])
            return ans, p.jvp(ans, xs, ts, params)

        def record(xs: Sequence[Any], params: Params) -> Any:
            assert choose is not None
            ans = choose(bind(p, xs, params), None)
            return ans, ans

        p = Primitive(
            name=name or name_of_function(fn), impl=impl or fn, jvp=forward, vjp=backward,
            batch=batch, needs=needs, several=several,
            both=choose and both, record=choose and record, writes=writes, formula=formula,
        )  # fmt: skip
        return declare_front(fn, p, general_front(p, canonical))

    return declare


def _check_takes(rule: Any, n: int, name: str) -> None:
    """Refuse a rule that can't be called with a cotangent, the answer and all operands."""
    if rule is None or rule.__code__.co_flags & 0x04 or rule.__code__.co_argcount >= n:
        return
    raise ArgumentError(
        f"primitive wants rules of {name} that take (g, ans, *operands), {n} arguments.",
        f"a rule of {rule.__code__.co_argcount}: {name_of(rule)}",
        "name all of them, also those that the rule doesn't read",
    )


class Deferred:
    """A cotangent in parts, which the backward pass puts together when it needs the whole.

    ``x[0] + x[1] + ...`` adds to one cotangent many times; added up at once, by `finish`, that
    takes one pass over x, and not one for each index.
    """

    __slots__ = ("base", "finish", "parts")
    __array_ufunc__ = None  # array + deferred is ours

    def __init__(self, parts: list[Any], finish: Callable[..., Any], base: Any = None) -> None:
        self.parts, self.finish, self.base = parts, finish, base

    def __add__(self, other: Any) -> Deferred:
        if type(other) is Deferred:
            self.parts.extend(other.parts)
            other = other.base
        base = other if self.base is None else self.base if other is None else self.base + other
        return Deferred(self.parts, self.finish, base)

    __radd__ = __add__

    def total(self) -> Any:
        """The whole cotangent."""
        return self.finish(self.parts, self.base)
