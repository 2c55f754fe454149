"""The gamma function and what is made of it: beta, binomial coefficients, factorials, polygamma."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from ...core import home
from ...doors import door
from ...errors import NoRuleError
from ...rules import constant, elementwise, line_up, primitive
from ...tracer import register
from .declare import function, whole
from .series import cospi, horner, sinpi, where


# ------------------------------------------------------------------ polygamma functions
def _polygamma_x(ans: Any, n: Any, x: Any) -> Any:
    return polygamma(n + 1, x)


polygamma = function(special.polygamma, whole("polygamma"), _polygamma_x)

#: B_2k, the even Bernoulli numbers from k = 1.
BERNOULLI = [1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510,
             43867 / 798, -174611 / 330, 854513 / 138, -236364091 / 2730]  # fmt: skip

_SHIFT = 10


def _trigamma_right(z: Any) -> Any:
    """psi'(z) for Re z >= 1/2: DLMF 5.5.2 ten times, then the asymptotic series 5.15.8."""
    out = 0.0
    for k in range(_SHIFT):
        out = out + 1 / np.square(z + k)
    u = 1 / (z + _SHIFT)
    return out + u + u * u / 2 + u * u * u * horner(u * u, BERNOULLI)


def _trigamma_left(z: Any) -> Any:
    """psi'(z) for Re z < 1/2, by reflection."""
    return np.square(math.pi / sinpi(z)) - _trigamma_right(1 - z)


def _trigamma(ans: Any, x: Any) -> Any:
    if ans.dtype.kind != "c":
        return polygamma(1, x)
    right = np.real(x) >= 0.5
    return where(right, _trigamma_right, _trigamma_left, (x,), (1.0,), (-0.5,))


elementwise(special.digamma, _trigamma)


def _psi_gap_right(a: Any, b: Any) -> Any:
    d = np.expand_dims(a, -1) + home(a).arange(_SHIFT)
    e = np.expand_dims(b, -1)
    near = -np.sum(e / (d * (d + e)), -1)
    x, y = 1 / (a + _SHIFT), 1 / (a + b + _SHIFT)
    series = [B / (2 * k) for k, B in enumerate(BERNOULLI, 1)]
    return (
        near
        - np.log1p(b * x)
        - 0.5 * b * x * y
        - (x * x * horner(x * x, series) - y * y * horner(y * y, series))
    )


def psi_gap(a: Any, b: Any) -> Any:
    """psi(a) - psi(a + b), where the two are close, too (DLMF 5.5.2 and 5.11.2)."""
    right = np.logical_and(np.greater(a, 0), np.greater(a + b, 0))
    return where(
        right,
        _psi_gap_right,
        lambda a, b: special.digamma(a) - special.digamma(a + b),
        (a, b),
        (1.0, 1.0),
        (1.0, 1.0),
    )


# ------------------------------------------------------------------ the gamma function
elementwise(special.gamma, lambda ans, x: ans * special.digamma(x))
elementwise(special.gammaln, lambda ans, x: special.digamma(x))
elementwise(special.loggamma, lambda ans, x: special.digamma(x))
constant(special.gammasgn)


def _rgamma_left(x: Any) -> Any:
    # 1 / gamma(x) = gamma(1 - x) sin(pi x) / pi, which has no poles on this side.
    slope = cospi(x) - special.digamma(1 - x) * sinpi(x) / math.pi
    return special.gamma(1 - x) * slope


def rgamma_slope(x: Any) -> Any:
    """The derivative of 1 / gamma(x), at the poles of gamma too."""
    return where(
        np.real(x) < 0.5,
        _rgamma_left,
        lambda x: -special.digamma(np.where(np.isinf(x), 1.0, x)) * special.rgamma(x),
        (x,), (0.0,), (1.0,),
    )  # fmt: skip


elementwise(special.rgamma, lambda ans, x: rgamma_slope(x))


def _multigammaln_slope(a: Any, d: int) -> Any:
    out = special.digamma(a)
    for k in range(1, d):
        out = out + special.digamma(a - 0.5 * k)
    return out


@primitive(
    special.multigammaln,
    jvp=lambda ts, ans, a, d: ts[0] * _multigammaln_slope(a, d),
    vjp=[lambda g, ans, a, d: g * _multigammaln_slope(a, d)],
    batch=line_up,
)
def _multigammaln(a: Any, d: Any) -> Any:
    return (a,), {"d": int(d)}


multigammaln = door(special.multigammaln, _multigammaln)


# ------------------------------------------------------------------ ratios of gamma functions
def _is_pole(x: Any) -> Any:
    return np.logical_and(np.less_equal(x, 0), np.equal(x, np.floor(x)))


def _ratio_slope(ans: Any, q: Any, m: Any) -> Any:
    """The derivative in q of gamma(q + m) / gamma(q), whose value is ans."""
    p = q + m
    pole, both = _is_pole(q), _is_pole(p)
    zero = np.logical_and(pole, np.logical_not(both))
    both = np.logical_and(pole, both)
    # At two poles psi(p) - psi(q) is psi(1 - p) - psi(1 - q), by reflection.
    q_safe = np.where(pole, np.where(both, 1 - p, 1.0), q)
    m_safe = np.where(pole, np.where(both, p - q, 1.0), m)
    smooth = np.where(both, ans, -ans) * psi_gap(q_safe, m_safe)
    return np.where(zero, _at_pole(np.where(zero, p, 1.0), np.where(zero, q, 1.0)), smooth)


def _at_pole(p: Any, q: Any) -> Any:
    """The derivative of gamma(p) / gamma(q) in both together, at a pole of gamma(q)."""
    slope = special.digamma(p) * special.rgamma(q) + rgamma_slope(q)
    return special.gamma(p) * slope


elementwise(
    special.poch,
    lambda ans, z, m: _ratio_slope(ans, z, m),
    lambda ans, z, m: ans * special.digamma(z + m),
)


def _binom_n(ans: Any, n: Any, k: Any) -> Any:
    q = n - k + 1
    zero = _is_pole(q)
    smooth = -ans * psi_gap(np.where(zero, 1.0, q), np.where(zero, 1.0, k))
    at_pole = _at_pole(np.where(zero, n, 1.0) + 1, np.where(zero, q, 1.0))
    return np.where(zero, at_pole * special.rgamma(k + 1), smooth)


def _binom_k(ans: Any, n: Any, k: Any) -> Any:
    p, q = k + 1, n - k + 1
    pole = np.logical_or(_is_pole(p), _is_pole(q))
    p_safe, q_safe = np.where(pole, 1.0, p), np.where(pole, 1.0, q)
    smooth = ans * (special.digamma(q_safe) - special.digamma(p_safe))
    top = special.gamma(np.where(pole, n, 1.0) + 1)
    slope = rgamma_slope(p) * special.rgamma(q) - special.rgamma(p) * rgamma_slope(q)
    return np.where(pole, top * np.where(pole, slope, 0.0), smooth)


elementwise(special.binom, _binom_n, _binom_k)
elementwise(
    special.beta,
    lambda ans, a, b: ans * psi_gap(a, b),
    lambda ans, a, b: ans * psi_gap(b, a),
)
elementwise(special.betaln, lambda ans, a, b: psi_gap(a, b), lambda ans, a, b: psi_gap(b, a))


# ------------------------------------------------------------------ counting
def _inexact_only(exact: Any, name: str) -> None:
    if exact:
        raise NoRuleError(
            f"`{name}` with exact=True counts in whole numbers, which have no derivative.",
            "a traced value",
            "leave exact=True away: the value is then that of the gamma function",
        )


def _comb(N: Any, k: Any, *, exact: bool = False, repetition: bool = False) -> Any:
    """`scipy.special.comb`, with derivatives in both; 0 where it is 0 by definition."""
    _inexact_only(exact, "comb")
    if repetition:
        none = np.logical_and(np.equal(k, 0), np.greater_equal(N, 0))
        more = _comb(N + k - 1, k)
        return np.where(none, special.binom(np.where(none, N, 1.0) + k - 1, k), more)
    good = np.logical_and(np.less_equal(k, N), np.greater_equal(k, 0))
    good = np.logical_and(good, np.greater_equal(N, 0))
    return np.where(good, special.binom(np.where(good, N, 1.0), np.where(good, k, 1.0)), 0.0)


def _perm(N: Any, k: Any, exact: bool = False) -> Any:
    """`scipy.special.perm`, with derivatives in both; 0 where it is 0 by definition."""
    _inexact_only(exact, "perm")
    good = np.logical_and(np.less_equal(k, N), np.greater_equal(k, 0))
    good = np.logical_and(good, np.greater_equal(N, 0))
    n, m = np.where(good, N, 1.0), np.where(good, k, 1.0)
    return np.where(good, special.poch(n - m + 1, m), 0.0)


def _factorial(n: Any, exact: bool = False, extend: str = "zero") -> Any:
    """`scipy.special.factorial`: gamma(n + 1), and 0 for n < 0 unless extend is "complex"."""
    _inexact_only(exact, "factorial")
    if extend == "complex":
        return special.gamma(n + 1)
    if extend != "zero" or n.dtype.kind == "c":
        raise NoRuleError(
            '`factorial` wants extend="zero" for real numbers or "complex" for all.',
            f"extend={extend!r} and a traced value of dtype {n.dtype}",
            'write factorial(n, extend="complex")',
        )
    zero = np.less(n, 0)
    double = np.astype(np.where(zero, 0, n), np.float64)  # as SciPy has it
    return np.where(zero, 0.0, special.gamma(double + 1))


for _fn, _front in ((special.comb, _comb), (special.perm, _perm), (special.factorial, _factorial)):
    register(_fn, _front)
comb = door(special.comb, _comb)
perm = door(special.perm, _perm)
factorial = door(special.factorial, _factorial)
