"""Distributions on the line with a shape: Student's t, the generalised normal, von Mises."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ...core import Array
from ...rules import elementwise
from ..special.gammas import psi_gap
from ..special.incomplete import gammainc_a
from .arguments import empty, fill, known
from .families import Continuous, Density
from .real_line import LN2, LOG_2PI, norm
from .tails import beta_tail, log_or_tail
from .tools import power_of_abs


# ------------------------------------------------------------------ Student's t
def _split(df: Any) -> tuple[Any, Any]:
    """Where df is infinite, and df without infinities: there the distribution is normal."""
    infinite = np.isinf(df)
    return infinite, df if empty(infinite) else np.where(infinite, 1.0, df)


def _log_t_tail(df: Any, z: Any) -> Any:
    """log of the distribution function far to the left."""
    total = df + z * z
    return beta_tail(0.5 * df, 0.5, df / total, z * z / total) - LN2


class StudentT(Continuous):
    """`scipy.stats.t`; for df = inf it is normal."""

    shapes = ("df",)

    def _fits(self, df: Any) -> Any:
        return np.greater(df, 0)

    def _logpdf(self, z: Any, df: Any) -> Any:
        infinite, df = _split(df)
        out = (
            -0.5 * (df + 1) * np.log1p(z * z / df)
            - 0.5 * np.log(df)
            - special.betaln(0.5 * df, 0.5)
        )
        return out if empty(infinite) else np.where(infinite, norm._logpdf(z), out)

    def _cdf(self, z: Any, df: Any) -> Any:
        infinite, df = _split(df)
        out = special.stdtr(df, z)
        return out if empty(infinite) else np.where(infinite, special.ndtr(z), out)

    def _sf(self, z: Any, df: Any) -> Any:
        return self._cdf(-z, df)

    def _logcdf(self, z: Any, df: Any) -> Any:
        infinite, df = _split(df)
        out = log_or_tail(special.stdtr, _log_t_tail, (df, z), (1.0, 1.0), (1.0, -9.0))
        return out if empty(infinite) else np.where(infinite, special.log_ndtr(z), out)

    def _logsf(self, z: Any, df: Any) -> Any:
        return self._logcdf(-z, df)

    def _ppf(self, q: Any, df: Any) -> Any:
        infinite, df = _split(df)
        zero = np.equal(q, 0)  # where SciPy's function is +inf
        safe = fill(infinite, 0.5, fill(zero, 1 - q, q))
        out = special.stdtrit(df, safe)
        out = fill(zero, -out, out)
        if empty(infinite):
            return out
        return np.where(infinite, special.ndtri(np.where(infinite, q, 0.5)), out)

    def _isf(self, q: Any, df: Any) -> Any:
        return -self._ppf(q, df)

    def _entropy(self, df: Any) -> Any:
        infinite, df = _split(df)
        half = 0.5 * df
        out = (
            -(half + 0.5) * psi_gap(half, 0.5 + 0 * half)
            + 0.5 * np.log(df)
            + special.betaln(half, 0.5)
        )
        return out if empty(infinite) else np.where(infinite, norm._entropy(), out)


# ------------------------------------------------------------------ generalised normal
def _gennorm_peak(beta: Any) -> Any:
    """log of the density at 0."""
    return np.log(0.5 * beta) - special.gammaln(1 / beta)


def _gennorm_logpdf(z: Any, beta: Any) -> Any:
    return _gennorm_peak(beta) - power_of_abs(z, beta)


def gennorm_cdf(z: Any, beta: Any) -> Any:
    """The distribution function: half an upper incomplete gamma function on the left."""
    tail = 0.5 * special.gammaincc(1 / beta, np.abs(z) ** beta)
    return np.where(z > 0, 1 - tail, tail)[()]


def _gennorm_slope(z: Array, beta: Array) -> Array:
    """The derivative of the distribution function in beta.

    That is of sign(z) P(a, w) / 2 with a = 1 / beta and w = |z| ** beta, where P is the regularised
    lower incomplete gamma function. At 0 its terms have infinite slopes that cancel each other.
    """
    middle = np.equal(z, 0)
    at_peak = np.exp(_gennorm_peak(beta)) * (1 + special.digamma(1 / beta) / beta) / beta
    y = np.where(middle, 1, z)
    a, w = 1 / beta, power_of_abs(y, beta)
    in_w = special.xlogy(y, np.abs(y)) * np.exp(-w) * special.rgamma(a)
    return np.where(middle, z * at_peak, 0.5 * (in_w - np.sign(y) * gammainc_a(a, w) * a * a))


def gennorm_ppf(q: Any, beta: Any) -> Any:
    """The quantile."""
    tail = special.gammainccinv(1 / beta, 2 * np.where(q > 0.5, 1 - q, q)) ** (1 / beta)
    return np.where(q > 0.5, tail, -tail)[()]


_gennorm_cdf = elementwise(
    gennorm_cdf,
    lambda ans, z, beta: np.exp(_gennorm_logpdf(z, beta)),
    lambda ans, z, beta: _gennorm_slope(z, beta),
)
_gennorm_ppf = elementwise(
    gennorm_ppf,
    lambda ans, q, beta: np.exp(-_gennorm_logpdf(ans, beta)),
    lambda ans, q, beta: -_gennorm_slope(ans, beta) * np.exp(-_gennorm_logpdf(ans, beta)),
)


class GeneralNormal(Continuous):
    """`scipy.stats.gennorm`."""

    shapes = ("beta",)

    def _fits(self, beta: Any) -> Any:
        return np.greater(beta, 0)

    def _logpdf(self, z: Any, beta: Any) -> Any:
        return _gennorm_logpdf(z, beta)

    def _pdf(self, z: Any, beta: Any) -> Any:
        flat = np.greater(power_of_abs(known(z), known(beta)), 1e4)
        return self._flat(super()._pdf, 0, flat, z, beta)

    def _cdf(self, z: Any, beta: Any) -> Any:
        return _gennorm_cdf(z, beta)

    def _sf(self, z: Any, beta: Any) -> Any:
        return _gennorm_cdf(-z, beta)

    def _ppf(self, q: Any, beta: Any) -> Any:
        return _gennorm_ppf(q, beta)

    def _isf(self, q: Any, beta: Any) -> Any:
        return -_gennorm_ppf(q, beta)

    def _entropy(self, beta: Any) -> Any:
        return 1 / beta - _gennorm_peak(beta)


# ------------------------------------------------------------------ von Mises
def _kink(kappa: Any) -> Any:
    """0 for kappa >= 0; its slope at 0 makes up for the kink that exp(-|kappa|) has there."""
    return kappa - np.abs(kappa)


class VonMises(Density):
    """`scipy.stats.vonmises`: its density, periodic on the line, and its entropy."""

    shapes = ("kappa",)

    def _fits(self, kappa: Any) -> Any:
        return np.greater_equal(kappa, 0)

    def _logpdf(self, z: Any, kappa: Any) -> Any:
        # The scaled Bessel function does not overflow, and takes exp(kappa) with it.
        return kappa * special.cosm1(z) - np.log(special.i0e(kappa)) - LOG_2PI + _kink(kappa)

    def _entropy(self, kappa: Any) -> Any:
        i0e = special.i0e(kappa)
        return kappa * (1 - special.i1e(kappa) / i0e) + np.log(i0e) + LOG_2PI - _kink(kappa)


t = StudentT("t")
gennorm = GeneralNormal("gennorm")
vonmises = VonMises("vonmises")
