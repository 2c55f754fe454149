"""arctan, arcsin, arccos and arctan2 in double precision.

An argument is brought near 0 by an identity, with one division or root, and a polynomial in its
square does the rest; pi/2 and its like are sums of two numbers.
"""

from __future__ import annotations

from . import tables
from .text import Value, estrin, fma

INFINITY = float("inf")
QUARTER_PI, QUARTER_PI_LOW = tables.HALF_PI / 2, tables.HALF_PI_LOW / 2


def _angle(a: Value, b: Value) -> tuple[Value, Value, Value]:
    """``arctan(a / b)`` as a sum of three, the greatest first, for numbers from 0 on.

    By the identities ``arctan(t) = pi/4 + arctan((t - 1) / (t + 1)) = pi/2 - arctan(1 / t)``.
    """
    flat, steep = a * 2.0 <= b, a > b * 2.0
    above = flat.where(a, steep.where(-b, a - b))
    below = flat.where(b, steep.where(a, a + b))
    t = above / below
    z = t * t
    high = flat.where(0.0, steep.where(tables.HALF_PI, QUARTER_PI))
    low = flat.where(0.0, steep.where(tables.HALF_PI_LOW, QUARTER_PI_LOW))
    return high, t, fma(z * t, estrin(z, *tables.ATAN), low)


def arctan(x: Value) -> Value:
    """The angle between -pi/2 and pi/2 with this tangent."""
    high, t, low = _angle(abs(x), x.body.constant(1.0, "f64"))
    return (high + (t + low)).signed_as(x)


def arctan2(y: Value, x: Value) -> Value:
    """The angle of the point (x, y), with the signs of C's ``atan2`` at zeros and infinities."""
    a, b = abs(y), abs(x)
    # infinity / infinity and 0 / 0 are angles too
    endless = a.equal(INFINITY) & b.equal(INFINITY)
    origin = a.equal(0.0) & b.equal(0.0)
    a, b = endless.where(1.0, a), (endless | origin).where(1.0, b)
    # The sum of both must not overflow, nor the smaller one lose bits.
    big = (a > 2.0**1000) | (b > 2.0**1000)
    factor = big.where(0.25, 1.0)
    high, t, low = _angle(a * factor, b * factor)
    left = x.bits() < 0
    # pi - angle, in the same order of sizes
    high = left.where((tables.PI - high), high)
    t = left.where(-t, t)
    low = left.where(tables.PI_LOW - low, low)
    return (high + (t + low)).signed_as(y)


def _arcsine(t: Value, z: Value) -> Value:
    """``arcsin(t) - t`` for ``z = t**2`` up to 1/4."""
    return z * t * estrin(z, *tables.ASIN)


def _halved(a: Value) -> tuple[Value, Value]:
    """``sin(u / 2)`` for ``cos(u) = a``, from 1/2 to 1, and its rounding error."""
    z = fma(a, -0.5, 0.5)  # exact
    root = z.sqrt()
    error = fma(-root, root, z) / (root + root)
    return root, root.equal(0.0).where(0.0, error)


def arcsin(x: Value) -> Value:
    """The angle between -pi/2 and pi/2 with this sine.

    From 1/2 on it is ``pi/2 - 2 * arcsin(sqrt((1 - x) / 2))``.
    """
    a = abs(x)
    root, error = _halved(a)
    near = a <= 0.5
    t = near.where(a, root)
    more = _arcsine(t, t * t)
    far = tables.HALF_PI - ((root + (error + more)) * 2.0 - tables.HALF_PI_LOW)
    return near.where(a + more, far).signed_as(x)


def arccos(x: Value) -> Value:
    """The angle between 0 and pi with this cosine."""
    a = abs(x)
    root, error = _halved(a)
    near = a <= 0.5
    t = near.where(x, root)
    more = _arcsine(t, t * t)
    middle = tables.HALF_PI - (x - (tables.HALF_PI_LOW - more))
    right = (root + (error + more)) * 2.0
    left = tables.PI - (right - tables.PI_LOW)
    return near.where(middle, (x < 0.0).where(left, right))
