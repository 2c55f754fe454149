"""The zeta functions of Riemann and of Hurwitz, with derivatives in both arguments."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...core import home
from ...derivatives import jvp
from ...doors import offers
from ...fronts import given
from ...rules import elementwise, line_up, primitive
from .declare import function
from .gammas import BERNOULLI
from .series import sinpi, where

#: How large the imaginary part may be for a derivative in it; beyond it is NaN.
TALLEST = 150.0


def _euler_maclaurin(s: Any, q: Any, count: int) -> Any:
    """zeta(s, q) for q > 0 and Re s > -10: DLMF 25.11.5 and Euler-Maclaurin's formula."""
    first = np.expand_dims(q, -1) + home(q).arange(count)
    out = np.sum(np.exp(-np.expand_dims(s, -1) * np.log(first)), -1)
    x = q + count
    power = np.exp(-s * np.log(x))
    out = out + power * x / (s - 1) + 0.5 * power
    rising = s * power / x
    for k, b in enumerate(BERNOULLI, 1):
        out = out + b / math.factorial(2 * k) * rising
        rising = rising * ((s + 2 * k - 1) * (s + 2 * k) / (x * x))
    return out


def _riemann(s: Any) -> Any:
    """zeta(s) as NumPy computes it; on the left by reflection, DLMF 25.4.1."""
    count = 100 if s.dtype.kind == "c" else 12
    right = np.real(s) >= -0.5
    return where(
        right,
        lambda s: _euler_maclaurin(s, np.ones_like(s), count),
        lambda s: (
            2
            * np.exp((s - 1) * math.log(2 * math.pi))
            * (sinpi(s / 2) * special.gamma(1 - s))
            * _euler_maclaurin(1 - s, np.ones_like(s), count)
        ),
        (s,), (2.0,), (-2.5,),
    )  # fmt: skip


def _slope(f: Any, s: Any) -> Any:
    return jvp(f, (s,), (np.ones_like(s),))[1]


def _riemann_slope(x: Any) -> Any:
    limit = np.isposinf(np.real(x))
    slope = np.where(limit, 0.0, _slope(_riemann, np.where(limit, 2.0, x)))
    if x.dtype.kind != "c":
        return slope
    return np.where(np.abs(np.imag(x)) > TALLEST, np.nan, slope)


def _hurwitz_x(ans: Any, x: Any, q: Any) -> Any:
    good = np.greater(q, 0)
    x, q = x + np.zeros_like(ans), np.where(good, q, 1.0) + np.zeros_like(ans)
    return np.where(good, _slope(lambda x: _euler_maclaurin(x, q, 12), x), np.nan)


_of_one = primitive(
    special.zeta,
    jvp=lambda ts, ans, x: ts[0] * _riemann_slope(x),
    vjp=[lambda g, ans, x: g * _riemann_slope(x)],
    batch=line_up,
    name="scipy.special.zeta_riemann",
)(lambda x: ((x,), {}))
_of_two: Callable[..., Any] = function(
    special.zeta, _hurwitz_x, lambda ans, x, q: -x * _of_two(x + 1, q)
)


@offers(special.zeta)
def zeta(x: Any, q: Any = None, out: Any = None) -> Any:
    """`scipy.special.zeta`; of complex x the derivative is NaN where abs(x.imag) > 150."""
    given(out=out)
    return _of_one(x) if q is None else _of_two(x, q)


elementwise(special.zetac, lambda ans, x: _riemann_slope(x))
