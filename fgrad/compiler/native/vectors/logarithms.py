"""log and what is made of it, in double precision.

With ``x = 2**k * m``, ``m`` between the roots of 1/2 and 2, and ``f = m - 1``, log(m) is
``2 * artanh(s)`` for ``s = f / (2 + f)``, arranged around ``f - f**2 / 2`` so that the division's
error hardly counts (Tang, *ACM Transactions on Mathematical Software* 16, 1990; W. Kahan's form).
"""

from __future__ import annotations

from dataclasses import dataclass

from . import tables
from .exponentials import fast_sum
from .text import Value, estrin, fma

INFINITY = float("inf")
SMALLEST_NORMAL = 2.0**-1022
ROOT_OF_HALF_BITS = 0x3FE6A09E667F3BCD


@dataclass(frozen=True)
class Split:
    """``x = 2**k * (1 + f)``."""

    k: Value
    f: Value


def split(x: Value) -> Split:
    """Exponent and fraction of a positive finite number."""
    small = x < SMALLEST_NORMAL
    bits = small.where(x * 2.0**54, x).bits()
    steps = bits - (ROOT_OF_HALF_BITS - (1023 << 52))  # the exponent grows at the root of 1/2
    exponent = steps >> 52
    m = (bits - ((exponent - 1023) << 52)).bits()
    # An exponent in the lowest bits of a number from 2**52 on is that number's last digits.
    k = (exponent | (1075 << 52)).bits() - (2.0**52 + 1023.0)
    return Split(small.where(k - 54.0, k), m - 1.0)


def log_of(k: Value, f: Value, extra: Value | float = 0.0) -> Value:
    """``k * log(2) + log(1 + f) + extra`` for a small ``extra``."""
    square = f * f * 0.5
    tail = log_tail(f, square)
    low = tail + fma(k, tables.LN2_LOW, extra)
    return fma(k, tables.LN2, f - (square - low))


def log_tail(f: Value, square: Value) -> Value:
    """``log(1 + f) - f + square`` for ``square = f**2 / 2``."""
    s = f / (f + 2.0)
    z = s * s
    return s * fma(z, estrin(z, *tables.LOG), square)


def edges(x: Value, y: Value) -> Value:
    """The values of a logarithm at 0, infinity, NaN and below 0; else ``y``."""
    y = x.equal(0.0).where(-INFINITY, y)
    y = (x < 0.0).where(float("nan"), y)
    return (x < INFINITY).where(y, x)


def log(x: Value) -> Value:
    """The natural logarithm."""
    parts = split(x)
    return edges(x, log_of(parts.k, parts.f))


def log1p(x: Value) -> Value:
    """``log(1 + x)``: what is lost of x in the sum comes back as ``lost / (1 + x)``."""
    u = x + 1.0
    lost = (x >= 1.0).where(1.0 - (u - x), x - (u - 1.0))
    parts = split(u)
    near = parts.k.equal(0.0)  # there x is f itself
    extra = near.where(0.0, lost / u)
    y = log_of(parts.k, near.where(x, parts.f), extra)
    y = edges(u, y)
    return (abs(x) < 2.0**-54).where(x, y)


def _scaled_log(x: Value, base: tuple[float, float], step: tuple[float, float]) -> Value:
    """A logarithm to another base: log(m) as a sum of two, times 1/log(base), plus k steps."""
    parts = split(x)
    k, f = parts.k, parts.f
    square = f * f * 0.5
    # f**2 / 2 with its rounding error, since the sum is to be rounded only once.
    error = fma(f * 0.5, f, -square)
    high, low = fast_sum(f, -square)
    low = low + (log_tail(f, square) - error)
    product = high * base[0]
    rest = fma(high, base[0], -product) + fma(high, base[1], low * base[0])
    total, carry = fast_sum(k * step[0], product)
    # Where k is 0 the product is the greater one, and the sum has no error.
    carry = k.equal(0.0).where(0.0, carry)
    return edges(x, total + (carry + fma(k, step[1], rest)))


def log2(x: Value) -> Value:
    """The logarithm to the base 2, exact for powers of two."""
    return _scaled_log(x, (tables.LOG2_E, tables.LOG2_E_LOW), (1.0, 0.0))


def log10(x: Value) -> Value:
    """The logarithm to the base 10."""
    steps = (tables.LOG10_2, tables.LOG10_2_LOW)
    return _scaled_log(x, (tables.LOG10_E, tables.LOG10_E_LOW), steps)


def arcsinh(x: Value) -> Value:
    """``log(x + sqrt(x**2 + 1))``, as log1p of a sum without cancellation."""
    a = abs(x)
    large = a > 2.0**54
    b = large.where(1.0, a)  # whose square doesn't overflow
    root = fma(b, b, 1.0).sqrt()
    y = log1p(large.where(a, b + b * b / (root + 1.0)))
    return (y + large.where(tables.LN2_FULL, 0.0)).signed_as(x)


def arccosh(x: Value) -> Value:
    """``log(x + sqrt(x**2 - 1))`` with ``t = x - 1``."""
    large = x > 2.0**54
    t = large.where(1.0, x) - 1.0
    y = log1p(large.where(x, t + fma(t, t, t * 2.0).sqrt()))
    return (x < 1.0).where(float("nan"), y + large.where(tables.LN2_FULL, 0.0))


def arctanh(x: Value) -> Value:
    """``log((1 + x) / (1 - x)) / 2``."""
    a = abs(x)
    return (log1p(a * 2.0 / (1.0 - a)) * 0.5).signed_as(x)
