"""The Bessel functions, with derivatives in the order too.

Derivatives in the argument are recurrences of the order (DLMF 10.6.1, 10.29.1); scaled functions
have series of their own far out, where the recurrence's terms cancel. Derivatives in the order are
those of `orders.slope`; at negative arguments, where only whole orders are real, they are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...errors import NoRuleError
from ...rules import elementwise
from .declare import general, whole
from .orders import slope

_FAR = 40.0
_TERMS = 22


def _order(fn: Callable[..., Any], modified: bool = False) -> Callable[..., Any]:
    """The derivative in the order: on the width on which the function moves by a factor.

    For small z that is how (z / 2)**v moves; ``modified`` functions move slowly for large z.
    """

    def partial(ans: Any, v: Any, z: Any) -> Any:
        size = np.abs(np.where(np.equal(z, 0), 1, z))
        rate = 1 + np.abs(np.log(size / 2)) + np.log1p(np.abs(v))
        if modified:
            slow = np.arcsinh(np.abs(v) / size) + 1 / np.sqrt(np.hypot(v, size))
            rate = np.where(np.logical_and(size > 2, np.greater_equal(v, 0)), slow, rate)
        return slope(fn, 0, 0.5 / rate, v, z)

    return partial


def _real_only(fn: Callable[..., Any], ans: Any) -> None:
    if ans.dtype.kind == "c":
        raise NoRuleError(
            f"The scaled `scipy.special.{fn.__name__}` has no complex derivative: its factor "
            "depends on the absolute value of a part of z.",
            "a complex answer",
            "use the function without scaling, or real arguments",
        )


# ------------------------------------------------------------------ in the argument
def _half_difference(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda ans, v, z: 0.5 * (fn(v - 1, z) - fn(v + 1, z))


def _half_sum(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda ans, v, z: 0.5 * (fn(v - 1, z) + fn(v + 1, z))


def _minus_half_sum(fn: Callable[..., Any]) -> Callable[..., Any]:
    return lambda ans, v, z: -0.5 * (fn(v - 1, z) + fn(v + 1, z))


def _half_difference_scaled(fn: Callable[..., Any]) -> Callable[..., Any]:
    def partial(ans: Any, v: Any, z: Any) -> Any:
        _real_only(fn, ans)
        return 0.5 * (fn(v - 1, z) - fn(v + 1, z))

    return partial


def _far_slope(v: Any, x: Any, sign: complex) -> Any:
    """The derivative of sum (sign)**k a_k(v) x**(-k - 1/2), DLMF 10.40.1 and 10.40.2."""
    mu = 4 * v * v
    power = 1 / (x * np.sqrt(x))
    term: Any = 1.0
    out: Any = 0.5
    for k in range(1, _TERMS):
        term = term * (sign * (mu - (2 * k - 1) ** 2) / (8 * k)) / x
        out = out + (k + 0.5) * term
    return -out * power


def ive_slope(ans: Any, v: Any, z: Any) -> Any:
    """The derivative of ive(v, z) = exp(-abs(z)) iv(v, z) in real z."""
    _real_only(special.ive, ans)
    size = np.abs(z)
    far = np.logical_and(size > _FAR, size > v * v)
    # iv(v, -x) is iv(v, x) up to a sign, which the answer has.
    series = _far_slope(np.where(far, v, 0), np.where(far, size, 100.0), -1)
    series = series * np.sign(z) * np.sign(ans) / math.sqrt(2 * math.pi)
    near = np.where(far, 1.0, z)
    return np.where(far, series, _ive_near(np.where(far, 0, v), near))


def _ive_near(v: Any, z: Any) -> Any:
    half_sum = 0.5 * (special.ive(v - 1, z) + special.ive(v + 1, z))
    return half_sum - np.sign(z) * special.ive(v, z)


def kve_slope(ans: Any, v: Any, z: Any) -> Any:
    """The derivative of kve(v, z) = exp(z) kv(v, z)."""
    far = np.logical_and(np.real(z) > 0, np.logical_and(np.abs(z) > _FAR, np.abs(z) > v * v))
    series = _far_slope(np.where(far, v, 0), np.where(far, z, 100.0), 1)
    w, near = np.where(far, 0, v), np.where(far, 1.0, z)
    recurrence = special.kve(w, near) - 0.5 * (special.kve(w - 1, near) + special.kve(w + 1, near))
    return np.where(far, series * math.sqrt(math.pi / 2), recurrence)


def _scaled_hankel(fn: Callable[..., Any], i: complex) -> Callable[..., Any]:
    """The derivative of exp(-i z) hankel(v, z), DLMF 10.17.5 and 10.17.6."""

    def partial(ans: Any, v: Any, z: Any) -> Any:
        far = np.logical_and(np.real(z) > 0, np.logical_and(np.abs(z) > _FAR, np.abs(z) > v * v))
        order = np.where(far, v, 0)
        turn = math.sqrt(2 / math.pi) * np.exp(-i * math.pi * (0.5 * order + 0.25))
        series = turn * _far_slope(order, np.where(far, z, 100.0), i)
        w, near = np.where(far, 0, v), np.where(far, 1.0, z)
        recurrence = 0.5 * (fn(w - 1, near) - fn(w + 1, near)) - i * fn(w, near)
        return np.where(far, series, recurrence)

    return partial


elementwise(special.jv, _order(special.jv), _half_difference(special.jv))
elementwise(special.yv, _order(special.yv), _half_difference(special.yv))
elementwise(special.iv, _order(special.iv, modified=True), _half_sum(special.iv))
elementwise(special.kv, _order(special.kv, modified=True), _minus_half_sum(special.kv))
elementwise(special.ive, _order(special.ive, modified=True), ive_slope)
elementwise(special.kve, _order(special.kve, modified=True), kve_slope)
elementwise(special.jve, _order(special.jve), _half_difference_scaled(special.jve))
elementwise(special.yve, _order(special.yve), _half_difference_scaled(special.yve))
general(special.hankel1, _order(special.hankel1), _half_difference(special.hankel1))
general(special.hankel2, _order(special.hankel2), _half_difference(special.hankel2))
general(special.hankel1e, _order(special.hankel1e), _scaled_hankel(special.hankel1e, 1j))
general(special.hankel2e, _order(special.hankel2e), _scaled_hankel(special.hankel2e, -1j))
elementwise(special.yn, whole("yn"), _half_difference(special.yn))
elementwise(special.kn, whole("kn"), _minus_half_sum(special.kn))

elementwise(special.j0, lambda ans, x: -special.j1(x))
elementwise(special.y0, lambda ans, x: -special.y1(x))
elementwise(special.i0, lambda ans, x: special.i1(x))
elementwise(special.k0, lambda ans, x: -special.k1(x))
elementwise(special.j1, lambda ans, x: 0.5 * (special.j0(x) - special.jv(2.0, x)))
elementwise(special.y1, lambda ans, x: 0.5 * (special.y0(x) - special.yv(2.0, x)))
elementwise(special.i1, lambda ans, x: 0.5 * (special.i0(x) + special.iv(2.0, x)))
elementwise(special.k1, lambda ans, x: -0.5 * (special.k0(x) + special.kv(2.0, x)))
elementwise(special.i0e, lambda ans, x: ive_slope(ans, 0.0, x))
elementwise(special.i1e, lambda ans, x: ive_slope(ans, 1.0, x))
elementwise(special.k0e, lambda ans, x: kve_slope(ans, 0.0, x))
elementwise(special.k1e, lambda ans, x: kve_slope(ans, 1.0, x))


# ------------------------------------------------------------------ Struve's
def _struve_term(v: Any, x: Any) -> Any:
    return np.power(0.5 * x, v) * special.rgamma(v + 1.5) / (2 * math.sqrt(math.pi))


elementwise(
    special.struve,
    _order(special.struve),
    lambda ans, v, x: (
        0.5 * (special.struve(v - 1, x) - special.struve(v + 1, x)) + _struve_term(v, x)
    ),
)
elementwise(
    special.modstruve,
    _order(special.modstruve),
    lambda ans, v, x: (
        0.5 * (special.modstruve(v - 1, x) + special.modstruve(v + 1, x)) + _struve_term(v, x)
    ),
)
