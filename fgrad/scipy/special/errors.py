"""The error functions and the normal distribution's."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from ...rules import elementwise
from .series import horner, where

_SLOPE = 2 / math.sqrt(math.pi)
_DENSITY = 1 / math.sqrt(2 * math.pi)
_ROOT2 = math.sqrt(2)

#: (2k - 1)!! from k = 1: the asymptotic series of erfc, DLMF 7.12.1, is good from _FAR on.
_DOUBLE_FACTORIALS = [float(math.prod(range(1, 2 * k, 2))) for k in range(1, 14)]
_FAR = 9.0


def _remainder(u: Any) -> Any:
    """The sum of (2k - 1)!! u**k for k >= 1, of small u."""
    return u * horner(u, _DOUBLE_FACTORIALS)


# ------------------------------------------------------------------ error functions
elementwise(special.erf, lambda ans, x: _SLOPE * np.exp(-x * x))
elementwise(special.erfc, lambda ans, x: -_SLOPE * np.exp(-x * x))
elementwise(special.erfi, lambda ans, x: _SLOPE * np.exp(x * x))
elementwise(special.erfinv, lambda ans, x: np.exp(ans * ans) / _SLOPE)
elementwise(special.erfcinv, lambda ans, x: -np.exp(ans * ans) / _SLOPE)


def _erfcx_slope(ans: Any, x: Any) -> Any:
    # 2 x erfcx(x) - 2 / sqrt(pi) is a small difference of two large terms far to the right.
    far = np.logical_and(np.real(x) > 0, np.abs(x) > _FAR)
    u = 1 / np.where(far, x, np.full_like(ans, 10.0))
    series = _SLOPE * _remainder(-0.5 * u * u)
    return np.where(far, series, 2 * np.where(far, 0.0, x) * ans - _SLOPE)


def _erfcx_left(x: Any) -> Any:
    # erfcx(x) = 2 exp(x**2) - erfcx(-x)
    return 4 * x * np.exp(x * x) + _erfcx_slope(special.erfcx(-x), -x)


def _erfcx_x(ans: Any, x: Any) -> Any:
    if ans.dtype.kind != "c":
        return _erfcx_slope(ans, x)
    right = np.real(x) >= 0
    return where(right, lambda x: _erfcx_slope(special.erfcx(x), x), _erfcx_left,
                 (x,), (1.0,), (-1.0,))  # fmt: skip


elementwise(special.erfcx, _erfcx_x)
# w(z) = erfcx(-iz)
elementwise(special.wofz, lambda ans, z: -1j * _erfcx_x(ans, -1j * z))


def _dawsn_x(ans: Any, x: Any) -> Any:
    far = np.abs(x) > _FAR
    x_far = np.where(far, x, np.full_like(ans, 10.0))
    u = 1 / x_far
    slope = -_remainder(0.5 * u * u)
    if ans.dtype.kind == "c":  # DLMF 7.5.1: the part that the series does not see
        above = np.sign(np.imag(x_far))
        slope = slope - 1j * math.sqrt(math.pi) * above * x_far * np.exp(-x_far * x_far)
    return np.where(far, slope, 1 - 2 * np.where(far, 0.0, x) * ans)


elementwise(special.dawsn, _dawsn_x)


def _voigt(x: Any, sigma: Any, gamma: Any) -> Any:
    """w'(z) / (2 sigma**2 sqrt(pi)) for the z of Voigt's profile, and z."""
    z = (x + 1j * gamma) / (sigma * _ROOT2)
    w = special.wofz(z)
    return -1j * _erfcx_x(w, -1j * z) / (2 * sigma * sigma * math.sqrt(math.pi)), z


def _voigt_x(ans: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    return np.real(_voigt(x, sigma, gamma)[0])


def _voigt_sigma(ans: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    slope, z = _voigt(x, sigma, gamma)
    return -ans / sigma - _ROOT2 * np.real(slope * z)


def _voigt_gamma(ans: Any, x: Any, sigma: Any, gamma: Any) -> Any:
    return -np.imag(_voigt(x, sigma, gamma)[0])


elementwise(special.voigt_profile, _voigt_x, _voigt_sigma, _voigt_gamma)


# ------------------------------------------------------------------ the normal distribution
def normal_density(x: Any) -> Any:
    """The density of the standard normal distribution."""
    return _DENSITY * np.exp(-0.5 * x * x)


def _mills(x: Any) -> Any:
    """density(x) / distribution(x), far to the left too."""
    return where(
        np.real(x) < 0,
        lambda x: math.sqrt(2 / math.pi) / special.erfcx(x / -_ROOT2),
        lambda x: normal_density(x) / special.ndtr(x),
        (x,), (-1.0,), (1.0,),
    )  # fmt: skip


def _ndtri_exp_y(ans: Any, y: Any) -> Any:
    return 1 / _mills(ans)


elementwise(special.ndtr, lambda ans, x: normal_density(x))
elementwise(special.log_ndtr, lambda ans, x: _mills(x))
elementwise(special.ndtri, lambda ans, p: np.exp(0.5 * ans * ans) / _DENSITY)
elementwise(special.ndtri_exp, _ndtri_exp_y)
elementwise(
    special.owens_t,
    lambda ans, h, a: -0.5 * normal_density(h) * special.erf(a * h / _ROOT2),
    lambda ans, h, a: np.exp(-0.5 * h * h * (1 + a * a)) / (2 * math.pi * (1 + a * a)),
)
