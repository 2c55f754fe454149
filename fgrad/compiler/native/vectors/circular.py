"""sin, cos and tan in double precision, for arguments of any size.

Up to 2**30 the argument's rest by pi/2 is found with pi/2 in three parts (Cody & Waite 1980), as
a sum of two numbers; fused multiply-add makes the first step exact. Beyond, a lane calls
`REDUCE`, which multiplies the mantissa with those bits of 2/pi that matter (Payne & Hanek, *ACM
SIGNUM Newsletter* 18, 1983), in integers of 192 bits.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import tables
from .exponentials import ROUNDER, two_sum
from .text import Value, estrin, float_literal, fma

#: From here on an argument is reduced by the bits of 2/pi.
LARGE = 2.0**30
REDUCE = "fgrad_reduce_large"


@dataclass(frozen=True)
class Angle:
    """``x = quadrant * pi/2 + high + low``; of the quadrant only the lowest two bits count."""

    quadrant: Value
    high: Value
    low: Value


def reduced(x: Value, *, precise: bool = True) -> Angle:
    """An argument in the quarter of a turn around 0; unless ``precise``, to 2**-53 of a turn."""
    t = fma(x, tables.TWO_OVER_PI, ROUNDER)
    n = t - ROUNDER
    first = fma(n, -tables.HALF_PI, x)  # exact
    if precise:
        second = n * -tables.HALF_PI_LOW
        error = fma(n, -tables.HALF_PI_LOW, -second)
        high, low = two_sum(first, second)
        low = low + fma(n, -tables.HALF_PI_LOWEST, error)
    else:
        high, low = fma(n, -tables.HALF_PI_LOW, first), x * 0.0
    size = abs(x)
    large = (size >= LARGE) & (size < float("inf"))
    return Angle(*x.body.rarely(large, REDUCE, x, (t.bits(), high, low)))


def sine_of(angle: Angle) -> Value:
    """``sin(high + low)``."""
    r, z = angle.high, angle.high * angle.high
    first_order = fma(z, -0.5, 1.0) * angle.low
    y = r + fma(z * r, estrin(z, *tables.SIN), first_order)
    return r.equal(0.0).where(r, y)  # with its sign, which a sum loses


def cosine_of(angle: Angle) -> Value:
    """``cos(high + low)``; the rounding error of ``1 - r**2 / 2`` is added at last."""
    r, z = angle.high, angle.high * angle.high
    half = z * 0.5
    first = 1.0 - half
    error = (1.0 - first) - half
    return first + (error + fma(z * z, estrin(z, *tables.COS), -(r * angle.low)))


def turned(angle: Angle, quadrant: Value) -> Value:
    """The sine or the cosine of the rest, with the sign, by the quadrant."""
    odd = (quadrant & 1).unlike(0)
    y = odd.where(cosine_of(angle), sine_of(angle))
    return (y.bits() ^ ((quadrant & 2) << 62)).bits()


def sin(x: Value) -> Value:
    """The sine."""
    angle = reduced(x)
    return turned(angle, angle.quadrant)


def cos(x: Value) -> Value:
    """The cosine: the sine a quarter of a turn later."""
    angle = reduced(x)
    return turned(angle, angle.quadrant + 1)


def tan(x: Value) -> Value:
    """The tangent: ``sin / cos``, or ``-cos / sin`` in odd quadrants."""
    angle = reduced(x)
    odd = (angle.quadrant & 1).unlike(0)
    s, c = sine_of(angle), cosine_of(angle)
    return odd.where(-c, s) / odd.where(s, c)


def _reduction() -> str:
    """The text of `REDUCE`: quadrant and rest of one number from `LARGE` on, in memory."""
    count = len(tables.TWO_OVER_PI_BITS)
    table = ", ".join(f"i64 {w}" for w in tables.TWO_OVER_PI_BITS)
    literal = float_literal
    return f"""\
declare i64 @llvm.fshl.i64(i64, i64, i64)
declare i128 @llvm.ctlz.i128(i128, i1)
declare double @llvm.fma.f64(double, double, double)
@fgrad_two_over_pi = internal constant [{count} x i64] [{table}]
define void @{REDUCE}(double %x, ptr %quadrant, ptr %high, ptr %low) {{
  %bits = bitcast double %x to i64
  %negative = icmp slt i64 %bits, 0
  %shifted = lshr i64 %bits, 52
  %exponent = and i64 %shifted, 2047
  ; |x| is m * 2**(exponent - 1075). The bits of 2/pi whose products are multiples of 4 are left
  ; out: the first exponent - 1077, or exponent - 1013 behind the 64 zeros before the table.
  %few = icmp ult i64 %exponent, 1013
  %distance = sub i64 %exponent, 1013
  %position = select i1 %few, i64 0, i64 %distance
  %fraction = and i64 %bits, 4503599627370495
  %m = or i64 %fraction, 4503599627370496
  %word = lshr i64 %position, 6
  %within = and i64 %position, 63
  %p0 = getelementptr i64, ptr @fgrad_two_over_pi, i64 %word
  %p1 = getelementptr i64, ptr %p0, i64 1
  %p2 = getelementptr i64, ptr %p0, i64 2
  %p3 = getelementptr i64, ptr %p0, i64 3
  %w0 = load i64, ptr %p0
  %w1 = load i64, ptr %p1
  %w2 = load i64, ptr %p2
  %w3 = load i64, ptr %p3
  %a2 = call i64 @llvm.fshl.i64(i64 %w0, i64 %w1, i64 %within)
  %a1 = call i64 @llvm.fshl.i64(i64 %w1, i64 %w2, i64 %within)
  %a0 = call i64 @llvm.fshl.i64(i64 %w2, i64 %w3, i64 %within)
  ; m times these 192 bits, modulo 2**192: two bits of the quadrant, then 190 of the fraction
  %wide.m = zext i64 %m to i128
  %wide.0 = zext i64 %a0 to i128
  %wide.1 = zext i64 %a1 to i128
  %product.0 = mul i128 %wide.m, %wide.0
  %carry.0 = lshr i128 %product.0, 64
  %product.1 = mul i128 %wide.m, %wide.1
  %sum.1 = add i128 %product.1, %carry.0
  %product.2 = mul i64 %m, %a2
  %top = zext i64 %product.2 to i128
  %top.shifted = shl i128 %top, 64
  %turns = add i128 %sum.1, %top.shifted
  ; to the nearest quadrant; the rest is signed
  %half = shl i128 1, 125
  %nearest = add i128 %turns, %half
  %wide.q = lshr i128 %nearest, 126
  %q = trunc i128 %wide.q to i64
  %whole = shl i128 %wide.q, 126
  %rest = sub i128 %turns, %whole
  %below = icmp slt i128 %rest, 0
  %minus.rest = sub i128 0, %rest
  %size = select i1 %below, i128 %minus.rest, i128 %rest
  %zeros = call i128 @llvm.ctlz.i128(i128 %size, i1 false)
  %normal = shl i128 %size, %zeros
  %head = lshr i128 %normal, 75
  %head.word = trunc i128 %head to i64
  %tail = lshr i128 %normal, 11
  %tail.word = trunc i128 %tail to i64
  %head.number = uitofp i64 %head.word to double
  %tail.number = uitofp i64 %tail.word to double
  ; their units are 2**(-51 - zeros) and 2**(-115 - zeros)
  %zeros.word = trunc i128 %zeros to i64
  %head.power = sub i64 972, %zeros.word
  %tail.power = sub i64 908, %zeros.word
  %head.bits = shl i64 %head.power, 52
  %tail.bits = shl i64 %tail.power, 52
  %head.unit = bitcast i64 %head.bits to double
  %tail.unit = bitcast i64 %tail.bits to double
  %h = fmul double %head.number, %head.unit
  %l = fmul double %tail.number, %tail.unit
  %r = fmul double %h, {literal(tables.HALF_PI)}
  %minus.r = fneg double %r
  %error = call double @llvm.fma.f64(double %h, double {literal(tables.HALF_PI)}, double %minus.r)
  %first = call double @llvm.fma.f64(double %h, double {literal(tables.HALF_PI_LOW)}, double %error)
  %second = call double @llvm.fma.f64(double %l, double {literal(tables.HALF_PI)}, double %first)
  %flip = xor i1 %below, %negative
  %minus.second = fneg double %second
  %r.signed = select i1 %flip, double %minus.r, double %r
  %second.signed = select i1 %flip, double %minus.second, double %second
  %minus.q = sub i64 0, %q
  %q.signed = select i1 %negative, i64 %minus.q, i64 %q
  store i64 %q.signed, ptr %quadrant
  store double %r.signed, ptr %high
  store double %second.signed, ptr %low
  ret void
}}
"""


REDUCTION = _reduction()
