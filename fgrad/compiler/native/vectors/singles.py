"""What neural networks use most, in the arithmetic of single precision.

The formulas are those of the other files with shorter polynomials. Functions that aren't here go by
way of double precision, as the arguments of sin and cos do.
"""

from __future__ import annotations

from . import circular, logarithms, powers, tables
from .exponentials import Reduced, clamped
from .text import Value, estrin, fma

ROUNDER = 12582912.0  # 1.5 * 2**23
BIAS = 127
ROOT_OF_HALF_BITS = 0x3F3504F3


def reduced(x: Value) -> Reduced:
    """What exp is computed of."""
    t = fma(x, tables.LOG2_E, ROUNDER)
    n = t - ROUNDER
    high = fma(n, -tables.LN2_SINGLE, x)  # exact
    rest = n * tables.LN2_SINGLE_LOW
    r = high - rest
    return Reduced(t, high, fma(r * r, estrin(r, *tables.EXP_SINGLE), -rest))


def scaled(y: Value, t: Value) -> Value:
    """``y * 2**n``, by two powers of half the exponent."""
    twice = t.bits() + 2 * BIAS
    first = twice >> 1
    return y * (first << 23).bits() * ((twice - first) << 23).bits()


def exp(x: Value) -> Value:
    """``e**x``; a product that rounds to 0 would take the processor a hundred steps."""
    none = x < -104.0
    e = reduced(none.where(0.0, (x > 89.0).where(89.0, x)))
    return none.where(0.0, scaled((e.high + e.above) + 1.0, e.t))


def exp2(x: Value) -> Value:
    """``2**x``."""
    x = clamped(x, -151.0, 129.0)
    t = x + ROUNDER
    f = x - (t - ROUNDER)
    high = f * tables.LN2_FULL
    low = fma(f, tables.LN2_FULL, -high)
    return scaled((high + fma(high * high, estrin(high, *tables.EXP_SINGLE), low)) + 1.0, t)


def expm1(x: Value) -> Value:
    """``e**x - 1``."""
    e = reduced(clamped(x, -25.0, 89.0))
    half = ((e.t.bits() + (BIAS - 1)) << 23).bits()
    y = fma(half, e.high + e.above, half - 0.5) * 2.0
    return (abs(x) < 2.0**-25).where(x, y)  # a subnormal has no half


def tanh(x: Value) -> Value:
    """A polynomial near 0, beyond that ``1 - 2 / (exp(2 * |x|) + 1)``."""
    a = clamped(abs(x), 0.0, 10.0)
    z = a * a
    near = fma(a * z, estrin(z, *tables.TANH_SINGLE), a)
    e = reduced(a * 2.0)
    power = ((e.t.bits() + BIAS) << 23).bits()
    grown = fma(power, e.high + e.above, power + 1.0)
    far = 1.0 - 2.0 / grown
    return (a < 0.625).where(near, far).signed_as(x)


def expit(x: Value) -> Value:
    """``1 / (1 + e**-x)``, without overflow on either side."""
    e = exp(-abs(x))
    return (x < 0.0).where(e, 1.0) / (e + 1.0)


def split(x: Value) -> logarithms.Split:
    """Exponent and fraction of a positive finite number."""
    small = x < 2.0**-126
    bits = small.where(x * 2.0**24, x).bits()
    exponent = (bits - (ROOT_OF_HALF_BITS - (BIAS << 23))) >> 23
    m = (bits - ((exponent - BIAS) << 23)).bits()
    k = (exponent | (150 << 23)).bits() - (2.0**23 + BIAS)
    return logarithms.Split(small.where(k - 24.0, k), m - 1.0)


def log_of(k: Value, f: Value, extra: Value | None = None) -> Value:
    """``k * log(2) + log(1 + f) + extra`` for a small ``extra``."""
    z = f * f
    low = k * tables.LN2_SINGLE_LOW
    low = low if extra is None else low + extra
    low = fma(z * f, estrin(f, *tables.LOG_SINGLE), low)
    return fma(k, tables.LN2_SINGLE, f + fma(z, -0.5, low))


def log(x: Value) -> Value:
    """The natural logarithm."""
    parts = split(x)
    return logarithms.edges(x, log_of(parts.k, parts.f))


def log1p(x: Value) -> Value:
    """``log(1 + x)``: what is lost of x in the sum comes back as ``lost / (1 + x)``."""
    u = x + 1.0
    lost = (x >= 1.0).where(1.0 - (u - x), x - (u - 1.0))
    parts = split(u)
    near = parts.k.equal(0.0)  # there x is f itself
    extra = near.where(0.0, lost / u)
    y = logarithms.edges(u, log_of(parts.k, near.where(x, parts.f), extra))
    return (abs(x) < 2.0**-25).where(x, y)


def _turned(x: Value, quarter: int) -> Value:
    """The sine of ``x`` plus quarters of a turn; the rest by pi/2 is found in double precision."""
    angle = circular.reduced(x.wide(), precise=False)
    quadrant = angle.quadrant.shortened() + quarter
    r = angle.high.narrow()
    z = r * r
    sine = fma(z * r, estrin(z, *tables.SIN_SINGLE), r)
    sine = r.equal(0.0).where(r, sine)  # with its sign, which a sum loses
    cosine = fma(z * z, estrin(z, *tables.COS_SINGLE), fma(z, -0.5, 1.0))
    y = (quadrant & 1).unlike(0).where(cosine, sine)
    return (y.bits() ^ ((quadrant & 2) << 30)).bits()


def sin(x: Value) -> Value:
    """The sine."""
    return _turned(x, 0)


def cos(x: Value) -> Value:
    """The cosine: the sine a quarter of a turn later."""
    return _turned(x, 1)


def power(x: Value, y: Value) -> Value:
    """``x**y``; a logarithm in double precision has digits enough."""
    x = x.wide()
    parts = logarithms.split(abs(x))
    log = logarithms.log_of(parts.k, parts.f)
    return powers.power_by_log(x, y.wide(), log, None).narrow()
