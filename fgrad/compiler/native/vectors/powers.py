"""power, hypot and cbrt in double precision."""

from __future__ import annotations

from . import tables
from .exponentials import ROUNDER, clamped, exp_of_sum, fast_sum
from .logarithms import INFINITY, SMALLEST_NORMAL, split
from .text import Value, estrin, fma


def _precise_log(x: Value) -> tuple[Value, Value]:
    """``log(x)`` as a sum of two, to some 65 bits, for positive finite numbers.

    As in `logarithms`, with the division, the cube and 2/3 in two parts each: what is left to one
    number is less than 2**-12 of the whole.
    """
    parts = split(x)
    k, f = parts.k, parts.f
    below, below_low = fast_sum(f.body.constant(2.0, "f64"), f)
    inverse = 1.0 / below
    s = f * inverse
    s_low = (fma(-s, below, f) - s * below_low) * inverse
    z = s * s
    z_low = fma(s, s, -z) + (s + s) * s_low
    cube = z * s
    cube_low = fma(z, s, -cube) + fma(z, s_low, z_low * s)
    # 2/3 * s**3, then the higher powers
    third = cube * tables.TWO_THIRDS
    third_low = fma(cube, tables.TWO_THIRDS, -third)
    third_low = third_low + fma(cube, tables.TWO_THIRDS_LOW, cube_low * tables.TWO_THIRDS)
    higher = cube * z * estrin(z, *tables.LOG_REST)
    first, first_low = fast_sum(s + s, third)
    rest = first_low + (fma(s_low, 2.0, third_low) + higher)
    steps = k * tables.LN2
    total, low = fast_sum(steps, first)
    # with k = 0 the sum is exact in the other order
    low = k.equal(0.0).where(0.0, low) + fma(k, tables.LN2_LOW, rest)
    return fast_sum(total, low)


def power(x: Value, y: Value) -> Value:
    """``x**y`` as ``exp(y * log|x|)``, the logarithm to 65 bits."""
    return power_by_log(x, y, *_precise_log(abs(x)))


def power_by_log(x: Value, y: Value, high: Value, low: Value | None) -> Value:
    """``x**y`` with the edges of C's ``pow``, given ``log|x|`` where x is finite and not 0."""
    a = abs(x)
    ordinary = (a > 0.0) & (a < INFINITY)
    high = ordinary.where(high, a.equal(0.0).where(-INFINITY, a))
    exponent = y * high
    product = clamped(exponent, -800.0, 800.0)
    if low is None:
        result = exp_of_sum(product, 0.0)
    else:
        rest = fma(y, low, fma(y, high, -exponent))
        result = exp_of_sum(product, (abs(exponent) < 800.0).where(rest, 0.0))
    # 1**y and x**0 are 1, also for NaN; (-1)**inf too
    whole = y.rounded().equal(y)
    odd = whole & ((y * 0.5).rounded() * 2.0).unlike(y)
    result = ((x < 0.0) & (a < INFINITY) & ~whole).where(float("nan"), result)
    result = (odd & (x.bits() < 0)).where(-result, result)
    one = x.equal(1.0) | y.equal(0.0) | (x.equal(-1.0) & abs(y).equal(INFINITY))
    return one.where(1.0, result)


def hypot(x: Value, y: Value) -> Value:
    """``sqrt(x**2 + y**2)`` without overflow on the way; its rounding error is corrected."""
    a, b = abs(x), abs(y)
    larger, smaller = (a >= b).where(a, b), (a >= b).where(b, a)
    big, small = larger > 2.0**500, larger < 2.0**-450
    factor = big.where(2.0**-600, small.where(2.0**600, 1.0))
    back = big.where(2.0**600, small.where(2.0**-600, 1.0))
    u, v = larger * factor, smaller * factor
    square, square_low = u * u, fma(u, u, -(u * u))
    total, error = fast_sum(square, v * v)
    error = error + (square_low + fma(v, v, -(v * v)))
    root = total.sqrt()
    correction = (fma(-root, root, total) + error) / (root + root)
    root = (root > 0.0).where(root + correction, root)
    endless = a.equal(INFINITY) | b.equal(INFINITY)
    return endless.where(INFINITY, root * back)


def cbrt(x: Value) -> Value:
    """The cube root: a polynomial for the mantissa, an iteration of Halley's, one of Newton's."""
    a = abs(x)
    small = a < SMALLEST_NORMAL
    bits = small.where(a * 2.0**54, a).bits()
    k = ((bits >> 52) | (1075 << 52)).bits() - (2.0**52 + 1023.0)
    k = small.where(k - 54.0, k)
    mantissa = ((bits & ((1 << 52) - 1)) | (1023 << 52)).bits()
    # k = 3 * whole + rest, the rest 0, 1 or 2
    whole = fma(k - 1.0, 1 / 3, ROUNDER) - ROUNDER
    rest = fma(whole, -3.0, k)
    one, two = rest.equal(1.0), rest.equal(2.0)
    m = mantissa * one.where(2.0, two.where(4.0, 1.0))
    y = estrin(mantissa, *tables.CBRT) * one.where(2 ** (1 / 3), two.where(2 ** (2 / 3), 1.0))
    cube = y * y * y
    y = y - y * (cube - m) / fma(cube, 2.0, m)  # 16 bits become 47
    square, square_low = y * y, fma(y, y, -(y * y))
    cube, cube_low = square * y, fma(square, y, -(square * y)) + square_low * y
    y = y - ((cube - m) + cube_low) / (square * 3.0)
    y = (y * (((whole + ROUNDER).bits() + 1023) << 52).bits()).signed_as(x)
    return ((a > 0.0) & (a < INFINITY)).where(y, x)
