"""The error function in double precision."""

from __future__ import annotations

from . import tables
from .exponentials import exp_of_sum
from .text import Value, estrin, fma

#: Where the second formula begins; a little below, both hold.
BORDER = 0.875


def erf(x: Value) -> Value:
    """The error function: a polynomial near 0, beyond that ``1 - exp(-x**2) * q``.

    The polynomial q is in ``(x - 2) / (x + 2)`` (Shepherd & Laframboise, *Mathematics of
    Computation* 36, 1981).
    """
    a = abs(x)
    near = a < BORDER
    z = near.where(a * a, 0.0)
    inner = fma(x, estrin(z, *tables.ERF), x)
    b = (a > 6.0).where(6.0, a)  # from there on it is 1; NaN stays
    u = (b - 2.0) / (b + 2.0)
    square = b * b
    decay = exp_of_sum(-square, -fma(b, b, -square))
    outer = fma(-decay, estrin(u, *tables.ERFCX), 1.0).signed_as(x)
    return near.where(inner, outer)
