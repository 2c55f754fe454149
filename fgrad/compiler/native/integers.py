"""Division with remainder, shifts and whole powers of one element, as NumPy defines them.

Where the processor would stop, NumPy has an answer: what is divided by zero is zero, as is its
remainder, and the least integer over -1 is itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .loops import DTYPES, Operand, Writer, const, kind_of

Rule = Callable[[Writer, str, list[Operand]], Operand]

#: The greatest exponent that is multiplied out.
LARGEST_POWER = 64


def _test(w: Writer, op: str, x: Operand, number: Any) -> Operand:
    return w.let(op, x, const(number, x.type), type="i1")


def _choose(w: Writer, test: Operand, yes: Operand, no: Operand) -> Operand:
    return w.let("select", test, yes, no, type=no.type)


def _divisor(w: Writer, x: Operand, y: Operand) -> Operand:
    """What may be divided by: 1 in place of 0, and of -1 under the least integer."""
    bad = _test(w, "eq", y, 0)
    if kind_of(x.type) == "i":
        least = _test(w, "eq", x, np.iinfo(DTYPES[x.type]).min)
        bad = w.let("or", bad, w.let("and", least, _test(w, "eq", y, -1)))
    return _choose(w, bad, const(1, x.type), y)


def _divided(w: Writer, x: Operand, y: Operand) -> tuple[Operand, Operand, Operand | None]:
    """Quotient and remainder towards zero, and whether the quotient is one too many."""
    q = w.let("div", x, y)
    r = w.let("sub", x, w.let("mul", q, y))
    if kind_of(x.type) == "u":
        return q, r, None
    other_sign = _test(w, "lt", w.let("xor", r, y), 0)
    return q, r, w.let("and", _test(w, "ne", r, 0), other_sign)


def floor_divide(w: Writer, t: str, xs: list[Operand]) -> Operand:
    """``x // y``, rounded down."""
    x, y = xs
    if kind_of(t) == "f":
        return _floats(w, t, x, y)[0]
    q, _, over = _divided(w, x, _divisor(w, x, y))
    down = q if over is None else _choose(w, over, w.let("sub", q, const(1, t)), q)
    return _choose(w, _test(w, "eq", y, 0), const(0, t), down)


def remainder(w: Writer, t: str, xs: list[Operand]) -> Operand:
    """``x % y``, with the sign of y."""
    x, y = xs
    if kind_of(t) == "f":
        return _floats(w, t, x, y)[1]
    by = _divisor(w, x, y)
    _, r, over = _divided(w, x, by)
    up = r if over is None else _choose(w, over, w.let("add", r, by), r)
    return _choose(w, _test(w, "eq", y, 0), const(0, t), up)


def fmod(w: Writer, t: str, xs: list[Operand]) -> Operand:
    """The remainder with the sign of x, as C has it."""
    x, y = xs
    if kind_of(t) == "f":
        return w.let("rem", x, y)
    _, r, _ = _divided(w, x, _divisor(w, x, y))
    return _choose(w, _test(w, "eq", y, 0), const(0, t), r)


def _floats(w: Writer, t: str, x: Operand, y: Operand) -> tuple[Operand, Operand]:
    """``x // y`` and ``x % y`` of floats, with the steps and so the bits of NumPy's divmod."""
    zero, one = const(0, t), const(1, t)
    rest = w.let("rem", x, y)
    quotient: Operand = w.let("div", w.let("sub", x, rest), y)
    whole = w.let("div", x, y)
    uneven = w.let("ne", rest, zero, type="i1")
    signs = w.let("xor", *(w.let("lt", z, zero, type="i1") for z in (y, rest)))
    over = w.let("and", uneven, signs)
    modulus = _choose(w, over, w.let("add", rest, y), rest)
    modulus = _choose(w, uneven, modulus, w.let("copysign", zero, y))
    quotient = _choose(w, over, w.let("sub", quotient, one), quotient)
    down: Operand = w.let("floor", quotient)
    more = w.let("gt", w.let("sub", quotient, down), const(0.5, t), type="i1")
    down = _choose(w, more, w.let("add", down, one), down)
    some = w.let("ne", quotient, zero, type="i1")
    down = _choose(w, some, down, w.let("copysign", zero, whole))
    by_zero = w.let("eq", y, zero, type="i1")
    return _choose(w, by_zero, whole, down), _choose(w, by_zero, rest, modulus)


def _shift(op: str) -> Rule:
    def shift(w: Writer, t: str, xs: list[Operand]) -> Operand:
        x, by = xs
        bits = 8 * DTYPES[t].itemsize
        fits = _test(w, "lt", by, bits)
        out: Operand = const(0, t)
        if kind_of(t) == "i":
            fits = w.let("and", fits, _test(w, "ge", by, 0))
            if op == "shr":  # all that is left is the sign
                out = w.let("shr", x, const(bits - 1, t))
        return _choose(w, fits, w.let(op, x, _choose(w, fits, by, const(0, t))), out)

    return shift


def _absolute(w: Writer, t: str, xs: list[Operand]) -> Operand:
    (x,) = xs
    if kind_of(t) == "u":
        return x
    return _choose(w, _test(w, "lt", x, 0), w.let("neg", x), x)


def _invert(w: Writer, t: str, xs: list[Operand]) -> Operand:
    return w.let("xor", xs[0], const(-1 if kind_of(t) == "i" else np.iinfo(DTYPES[t]).max, t))


def _same(w: Writer, t: str, xs: list[Operand]) -> Operand:
    return xs[0]


def power(w: Writer, x: Operand, n: int) -> Operand:
    """``x ** n`` for a whole exponent, by squares; it wraps around as NumPy's does."""
    out: Operand = const(1, x.type)
    while n:
        if n & 1:
            out = w.let("mul", out, x)
        n >>= 1
        if n:
            x = w.let("mul", x, x)
    return out


#: Ufuncs of integers that are more than one operation, with NumPy's results.
RULES: dict[Any, Rule] = {
    np.floor_divide: floor_divide, np.remainder: remainder, np.fmod: fmod,
    np.left_shift: _shift("shl"), np.right_shift: _shift("shr"),
    np.absolute: _absolute, np.invert: _invert, np.positive: _same, np.conjugate: _same,
    np.floor: _same, np.ceil: _same, np.trunc: _same, np.rint: _same,
}  # fmt: skip
