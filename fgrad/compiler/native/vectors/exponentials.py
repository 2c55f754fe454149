"""exp and what is made of it, in double precision.

All begin with ``x = n * log(2) + r``, ``|r| <= log(2) / 2``, in two parts (Cody & Waite, *Software
Manual for the Elementary Functions*, 1980, chapter 6), and a polynomial for exp(r). Functions
near whose zeros the difference from 1 counts (expm1, sinh) work with ``exp(r) - 1`` as a sum
of two numbers, by the error-free sums of Dekker (*Numerische Mathematik* 18, 1971).
"""

from __future__ import annotations

from dataclasses import dataclass

from . import tables
from .text import Value, estrin, fma

#: Added to a number below 2**51, it leaves the nearest whole number in the lowest bits.
ROUNDER = 6755399441055744.0  # 1.5 * 2**52
BIAS = 1023


@dataclass(frozen=True)
class Reduced:
    """``x = n * log(2) + high - low``; ``above`` is ``exp(high - low) - 1 - high``.

    The whole number n stands in the lowest bits of ``t``.
    """

    t: Value
    high: Value
    above: Value


def reduced(x: Value, low: Value | float = 0.0) -> Reduced:
    """What exp is computed of, for ``x + low``."""
    t = fma(x, tables.LOG2_E, ROUNDER)
    n = t - ROUNDER
    high = fma(n, -tables.LN2, x)  # exact
    rest = fma(n, tables.LN2_LOW, -low)
    r = high - rest
    return Reduced(t, high, fma(r * r, estrin(r, *tables.EXP), -rest))


def scaled(y: Value, t: Value, more: int = 0) -> Value:
    """``y * 2**(n + more)``, also where that or the power itself is subnormal or too large.

    The power is the product of two of half its exponent.
    """
    twice = t.bits() + (2 * BIAS + more)
    first = twice >> 1
    return y * (first << 52).bits() * ((twice - first) << 52).bits()


def clamped(x: Value, low: float, high: float) -> Value:
    """``x``, not below or above what makes no difference any more; NaN stays."""
    x = (x > high).where(high, x)
    return (x < low).where(low, x)


def fast_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """``a + b`` and its rounding error, for ``|a| >= |b|``."""
    total = a + b
    return total, b - (total - a)


def two_sum(a: Value, b: Value) -> tuple[Value, Value]:
    """``a + b`` and its rounding error (Knuth, *Seminumerical Algorithms*, 4.2.2)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


def exp_of_sum(x: Value, low: Value | float) -> Value:
    """``exp(x + low)`` for a small second part.

    A product that rounds to 0 would take the processor a hundred steps.
    """
    none = x < -746.0
    e = reduced(none.where(0.0, (x > 710.0).where(710.0, x)), low)
    return none.where(0.0, scaled((e.high + e.above) + 1.0, e.t))


def exp(x: Value) -> Value:
    """``e**x``."""
    return exp_of_sum(x, 0.0)


def exp2(x: Value) -> Value:
    """``2**x``: the whole part is exact, the rest goes by log(2) in two parts."""
    x = clamped(x, -1080.0, 1025.0)
    t = x + ROUNDER
    f = x - (t - ROUNDER)
    high = f * tables.LN2_FULL
    low = fma(f, tables.LN2_FULL_LOW, fma(f, tables.LN2_FULL, -high))
    y = (high + fma(high * high, estrin(high, *tables.EXP), low)) + 1.0
    return scaled(y, t)


def expm1_half(e: Reduced) -> tuple[Value, Value]:
    """``(exp(x) - 1) / 2`` as a sum of two, for ``n`` from -1022 to 1024."""
    high, low = fast_sum(e.high, e.above)
    half = ((e.t.bits() + (BIAS - 1)) << 52).bits()
    total, error = fast_sum(half - 0.5, half * high)
    return total, fma(half, low, error)


def expm1(x: Value) -> Value:
    """``e**x - 1``."""
    high, low = expm1_half(reduced(clamped(x, -50.0, 710.0)))
    y = (high + low) * 2.0
    return (abs(x) < 2.0**-54).where(x, y)  # a subnormal has no half


def exp_half(e: Reduced) -> Value:
    """``exp(x) / 2``, also where only its double overflows."""
    return scaled((e.high + e.above) + 1.0, e.t, -1)


def sinh(x: Value) -> Value:
    """``(e**x - e**-x) / 2``, from ``h = (e**|x| - 1) / 2``: ``h + h / (2 * h + 1)``."""
    a = clamped(abs(x), 0.0, 711.0)
    e = reduced(a)
    high, low = expm1_half(e)
    h = high + low
    y = high + (low + h / fma(h, 2.0, 1.0))
    y = (a > 40.0).where(exp_half(e), y)
    return (a < 2.0**-28).where(a, y).signed_as(x)


def cosh(x: Value) -> Value:
    """``(e**x + e**-x) / 2``."""
    h = exp_half(reduced(clamped(abs(x), 0.0, 711.0)))
    return h + 0.25 / h


def tanh(x: Value) -> Value:
    """``h / (h + 1)`` with ``h = (exp(2 * |x|) - 1) / 2``; what rounding adds to ``h + 1`` goes."""
    a = abs(x)
    e = reduced((a > 22.0).where(22.0, a) * 2.0)
    half = ((e.t.bits() + (BIAS - 1)) << 52).bits()
    h = fma(half, e.above, fma(half, e.high, half - 0.5))
    total = h + 1.0
    error = h - (total - 1.0)  # of the sum, and exact, as long as h isn't the larger
    y = h / total
    return fma(-y, (h > 1.0).where(0.0, error), y).signed_as(x)


def expit(x: Value) -> Value:
    """``1 / (1 + e**-x)``, without overflow on either side."""
    e = exp(-abs(x))
    return (x < 0.0).where(e, 1.0) / (e + 1.0)
