"""Makes the coefficients of `fgrad/compiler/native/vectors/tables.py`; needs mpmath.

    python tests/native/fit_tables.py > fgrad/compiler/native/vectors/tables.py

Each polynomial interpolates its function at Chebyshev's points of an interval, which is within a
small factor of the best there is (Trefethen, *Approximation Theory and Approximation Practice*,
2013, chapter 16); its coefficients, computed with 1500 bits, are rounded to the precision they are
used in. The power of two in the line above it is the greatest error before rounding.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from typing import Any

import mpmath
from mpmath import mp, mpf

mp.prec = 1500
Function = Callable[[Any], Any]

HEADER = '''"""Coefficients and constants of the functions; written by `tests/native/fit_tables.py`.

Polynomials have the coefficient of the constant first. A constant ``X`` that is continued by
``X_LOW`` is the sum of both.
"""

from __future__ import annotations
'''


def interpolant(f: Function, low: Any, high: Any, degree: int) -> tuple[list[Any], Any]:
    """Coefficients of the polynomial through Chebyshev's points, and its greatest error."""
    low, high = mpf(low), mpf(high)
    middle, half, n = (low + high) / 2, (high - low) / 2, degree + 1
    points = [middle + half * mpmath.cos(mpmath.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    slopes = [f(x) for x in points]  # Newton's divided differences
    for j in range(1, n):
        for i in range(n - 1, j - 1, -1):
            slopes[i] = (slopes[i] - slopes[i - 1]) / (points[i] - points[i - j])
    found = [slopes[-1]]
    for i in range(n - 2, -1, -1):  # times (x - points[i]), plus the next difference
        found = [slopes[i] - points[i] * found[0]] + [
            (found[k - 1] - points[i] * (found[k] if k < len(found) else 0))
            for k in range(1, len(found) + 1)
        ]
    grid = [low + (high - low) * (2 * i + 1) / 400 for i in range(200)]
    return found, max(abs(sum(c * x**k for k, c in enumerate(found)) - f(x)) for x in grid)


def single(x: Any) -> float:
    """The nearest number of single precision."""
    return float(struct.unpack("f", struct.pack("f", float(x)))[0])


def table(name: str, f: Function, low: Any, high: Any, degree: int, short: bool = False) -> str:
    """The lines that define one polynomial, in double or in single precision."""
    found, error = interpolant(f, low, high, degree)
    numbers = "".join(f"    {(single(c) if short else float(c))!r},\n" for c in found)
    bits = f"2**{float(mpmath.log(error, 2)):.1f}"
    where = f"[{mpmath.nstr(mpf(low), 4)}, {mpmath.nstr(mpf(high), 4)}]"
    return f"#: {f.__doc__.rstrip('.')}, on {where}; {bits}\n{name} = (\n{numbers})\n"


def constant(name: str, x: Any, parts: int, bits: int = 53) -> str:
    """The lines that define a constant as a sum; all parts but the last have so many bits."""
    lines = ""
    for i in range(parts):
        e = int(mpmath.floor(mpmath.log(abs(x), 2)))
        unit = mpf(2) ** (e + 1 - (bits if i < parts - 1 else 53))
        part = float(mpmath.nint(x / unit) * unit)
        lines += f"{name}{['', '_LOW', '_LOWEST'][i]} = {part!r}\n"
        x -= mpf(part)
    return lines


def exponential(r: Any) -> Any:
    """(exp(r) - 1 - r) / r**2."""
    return (mpmath.expm1(r) - r) / r**2


def sine(z: Any) -> Any:
    """(sin(r) / r - 1) / r**2 for r**2."""
    r = mpmath.sqrt(z)
    return (mpmath.sin(r) / r - 1) / z


def cosine(z: Any) -> Any:
    """(cos(r) - 1 + r**2 / 2) / r**4 for r**2."""
    return (mpmath.cos(mpmath.sqrt(z)) - 1 + z / 2) / z**2


def logarithm(z: Any) -> Any:
    """(2 * artanh(s) - 2 * s) / s**3 for s**2."""
    s = mpmath.sqrt(z)
    return (2 * mpmath.atanh(s) / s - 2) / z


def logarithm_rest(z: Any) -> Any:
    """(2 * artanh(s) - 2 * s - 2 / 3 * s**3) / s**5 for s**2."""
    return (logarithm(z) - mpf(2) / 3) / z


def logarithm_of_sum(f: Any) -> Any:
    """(log(1 + f) - f + f**2 / 2) / f**3."""
    return (mpmath.log1p(f) - f + f**2 / 2) / f**3


def arctangent(z: Any) -> Any:
    """(arctan(t) / t - 1) / t**2 for t**2."""
    t = mpmath.sqrt(z)
    return (mpmath.atan(t) / t - 1) / z


def arcsine(z: Any) -> Any:
    """(arcsin(t) / t - 1) / t**2 for t**2."""
    t = mpmath.sqrt(z)
    return (mpmath.asin(t) / t - 1) / z


def tangent_hyperbolic(z: Any) -> Any:
    """(tanh(t) / t - 1) / t**2 for t**2."""
    t = mpmath.sqrt(z)
    return (mpmath.tanh(t) / t - 1) / z


def error_near_zero(z: Any) -> Any:
    """erf(t) / t - 1 for t**2."""
    t = mpmath.sqrt(z)
    return mpmath.erf(t) / t - 1


def error_complement(u: Any) -> Any:
    """exp(x**2) * erfc(x) for (x - 2) / (x + 2)."""
    x = 2 * (1 + u) / (1 - u)
    return mpmath.exp(x**2) * mpmath.erfc(x)


def cube_root(m: Any) -> Any:
    """cbrt(m)."""
    return mpmath.cbrt(m)


def words(x: Any, count: int) -> Iterable[int]:
    """The bits of a number in [0, 1) behind its point, 64 at a time."""
    for _ in range(count):
        x = x * mpf(2) ** 64
        word = int(mpmath.floor(x))
        yield word
        x -= word


def main() -> None:
    """Print the module."""
    ln2 = mpmath.log(2)
    half, root = ln2 / 2 + mpf("1e-9"), mpmath.sqrt(2)
    s2 = ((root - 1) / (root + 1)) ** 2
    quarter2 = (mpmath.pi / 4 + mpf("1e-6")) ** 2
    erf_from, erf_to = mpf("0.875"), mpf(6)
    u = [(x - 2) / (x + 2) for x in (erf_from, erf_to)]
    pieces = [
        HEADER,
        # Three parts of pi/2, the products of whose first with whole numbers lose nothing by fma.
        constant("HALF_PI", mpmath.pi / 2, 3),
        constant("PI", mpmath.pi, 2),
        constant("TWO_OVER_PI", 2 / mpmath.pi, 1),
        # The first part times an exponent is exact.
        constant("LN2", ln2, 2, bits=42),
        constant("LN2_SINGLE", ln2, 2, bits=15),
        constant("LN2_FULL", ln2, 2),
        constant("LOG10_2", mpmath.log10(2), 2, bits=42),
        constant("LOG2_E", 1 / ln2, 2),
        constant("LOG10_E", 1 / mpmath.log(10), 2),
        constant("TWO_THIRDS", mpf(2) / 3, 2),
        table("EXP", exponential, -half, half + mpf("1e-6"), 10),
        table("EXP_SINGLE", exponential, -half, half, 5, short=True),
        table("SIN", sine, 0, quarter2, 5),
        table("COS", cosine, 0, quarter2, 5),
        table("SIN_SINGLE", sine, 0, quarter2, 3, short=True),
        table("COS_SINGLE", cosine, 0, quarter2, 2, short=True),
        table("LOG", logarithm, 0, s2, 6),
        table("LOG_REST", logarithm_rest, 0, s2, 7),
        table("LOG_SINGLE", logarithm_of_sum, 1 / root - 1, root - 1, 8, short=True),
        table("TANH_SINGLE", tangent_hyperbolic, 0, mpf("0.625") ** 2, 5, short=True),
        table("ATAN", arctangent, 0, mpf("0.25"), 12),
        table("ASIN", arcsine, 0, mpf("0.25"), 13),
        table("ERF", error_near_zero, 0, erf_from**2, 10),
        table("ERFCX", error_complement, *u, 16),
        table("CBRT", cube_root, 1, 2, 4),
        "#: The bits of 2/pi behind the point after 64 zeros, 64 to a number.\n"
        "TWO_OVER_PI_BITS = (\n    0,\n"
        + "".join(f"    0x{w:016X},\n" for w in words(2 / mpmath.pi, 20))
        + ")\n",
    ]
    print("\n".join(pieces), end="")


if __name__ == "__main__":
    main()
