"""Distributions on a half-line: exponential, gamma, Pareto, log-normal, Weibull and others.

At an end of the support where the density is 0 its derivative is taken to be 0, as outside.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from .arguments import either, known
from .families import Continuous
from .real_line import LN2, LOG_2PI, norm
from .tails import log_gammainc, log_gammaincc
from .tools import log_one_minus_exp

ROOT2 = math.sqrt(2.0)


class Positive(Continuous):
    """On (0, inf), or [0, inf)."""

    low, inside = 0.0, 1.0


class Exponential(Positive):
    """`scipy.stats.expon`."""

    def _logpdf(self, z: Any) -> Any:
        return -z

    def _cdf(self, z: Any) -> Any:
        return -np.expm1(-z)

    def _sf(self, z: Any) -> Any:
        return np.exp(-z)

    def _logcdf(self, z: Any) -> Any:
        return log_one_minus_exp(z)

    def _logsf(self, z: Any) -> Any:
        return -z

    def _ppf(self, q: Any) -> Any:
        return -np.log1p(-q)

    def _isf(self, q: Any) -> Any:
        return -np.log(q)

    def _entropy(self) -> Any:
        return 1.0


class Gamma(Positive):
    """`scipy.stats.gamma`."""

    shapes = ("a",)

    def _fits(self, a: Any) -> Any:
        return np.greater(a, 0)

    def _outside(self, z: Any, a: Any) -> Any:
        return either(np.less(z, 0), np.logical_and(np.equal(z, 0), np.greater(a, 1)))

    def _logpdf(self, z: Any, a: Any) -> Any:
        return special.xlogy(a - 1, z) - z - special.gammaln(a)

    def _cdf(self, z: Any, a: Any) -> Any:
        return special.gammainc(a, z)

    def _sf(self, z: Any, a: Any) -> Any:
        return special.gammaincc(a, z)

    def _logcdf(self, z: Any, a: Any) -> Any:
        return log_gammainc(a, z)

    def _logsf(self, z: Any, a: Any) -> Any:
        return log_gammaincc(a, z)

    def _ppf(self, q: Any, a: Any) -> Any:
        return special.gammaincinv(a, q)

    def _isf(self, q: Any, a: Any) -> Any:
        return special.gammainccinv(a, q)

    def _entropy(self, a: Any) -> Any:
        # From the asymptotic series of gammaln and digamma (DLMF 5.11.1 and 5.11.2) for large a,
        # where terms of the size of a cancel.
        large = np.greater(a, 200)
        b = np.where(large, a, 200)
        c = np.where(large, 1, a)
        r = 1 / b
        series = 0.5 * np.log(b) - r * (1 / 3 + r * (1 / 12 + r * (1 / 90 - r / 120)))
        near = c + special.gammaln(c) + (1 - c) * special.digamma(c)
        return np.where(large, series + 0.5 * (1 + LOG_2PI), near)


gamma = Gamma("gamma")


class ChiSquared(Positive):
    """`scipy.stats.chi2`: twice a gamma variable of half the shape."""

    shapes = ("df",)

    def _fits(self, df: Any) -> Any:
        return np.greater(df, 0)

    def _outside(self, z: Any, df: Any) -> Any:
        return gamma._outside(z, 0.5 * df)

    def _logpdf(self, z: Any, df: Any) -> Any:
        return gamma._logpdf(0.5 * z, 0.5 * df) - LN2

    def _cdf(self, z: Any, df: Any) -> Any:
        return gamma._cdf(0.5 * z, 0.5 * df)

    def _sf(self, z: Any, df: Any) -> Any:
        return gamma._sf(0.5 * z, 0.5 * df)

    def _logcdf(self, z: Any, df: Any) -> Any:
        return gamma._logcdf(0.5 * z, 0.5 * df)

    def _logsf(self, z: Any, df: Any) -> Any:
        return gamma._logsf(0.5 * z, 0.5 * df)

    def _ppf(self, q: Any, df: Any) -> Any:
        return 2 * gamma._ppf(q, 0.5 * df)

    def _isf(self, q: Any, df: Any) -> Any:
        return 2 * gamma._isf(q, 0.5 * df)

    def _entropy(self, df: Any) -> Any:
        return gamma._entropy(0.5 * df) + LN2


class Pareto(Continuous):
    """`scipy.stats.pareto`."""

    shapes = ("b",)
    low, inside = 1.0, 2.0

    def _fits(self, b: Any) -> Any:
        return np.greater(b, 0)

    def _logpdf(self, z: Any, b: Any) -> Any:
        return np.log(b) - (b + 1) * np.log(z)

    def _cdf(self, z: Any, b: Any) -> Any:
        return -np.expm1(-b * np.log(z))

    def _sf(self, z: Any, b: Any) -> Any:
        return np.exp(-b * np.log(z))

    def _logcdf(self, z: Any, b: Any) -> Any:
        return log_one_minus_exp(b * np.log(z))

    def _logsf(self, z: Any, b: Any) -> Any:
        return -b * np.log(z)

    def _ppf(self, q: Any, b: Any) -> Any:
        return np.exp(-np.log1p(-q) / b)

    def _isf(self, q: Any, b: Any) -> Any:
        return np.exp(-np.log(q) / b)

    def _entropy(self, b: Any) -> Any:
        return 1 + 1 / b - np.log(b)


class HalfNormal(Positive):
    """`scipy.stats.halfnorm`."""

    def _logpdf(self, z: Any) -> Any:
        return norm._logpdf(z) + LN2

    def _cdf(self, z: Any) -> Any:
        return special.erf(z / ROOT2)

    def _sf(self, z: Any) -> Any:
        return special.erfc(z / ROOT2)

    def _logcdf(self, z: Any) -> Any:
        return log_one_minus_exp(-self._logsf(z))

    def _logsf(self, z: Any) -> Any:
        return special.log_ndtr(-z) + LN2

    def _ppf(self, q: Any) -> Any:
        return ROOT2 * special.erfinv(q)

    def _isf(self, q: Any) -> Any:
        return ROOT2 * special.erfcinv(q)

    def _entropy(self) -> Any:
        return norm._entropy() - LN2


class LogNormal(Positive):
    """`scipy.stats.lognorm`."""

    shapes = ("s",)

    def _fits(self, s: Any) -> Any:
        return np.greater(s, 0)

    def _outside(self, z: Any, s: Any) -> Any:
        return np.less_equal(z, 0)

    def _logpdf(self, z: Any, s: Any) -> Any:
        log = np.log(z)
        return norm._logpdf(log / s) - np.log(s) - log

    def _cdf(self, z: Any, s: Any) -> Any:
        return special.ndtr(np.log(z) / s)

    def _sf(self, z: Any, s: Any) -> Any:
        return special.ndtr(-np.log(z) / s)

    def _logcdf(self, z: Any, s: Any) -> Any:
        return special.log_ndtr(np.log(z) / s)

    def _logsf(self, z: Any, s: Any) -> Any:
        return special.log_ndtr(-np.log(z) / s)

    def _ppf(self, q: Any, s: Any) -> Any:
        return np.exp(s * special.ndtri(q))

    def _isf(self, q: Any, s: Any) -> Any:
        return np.exp(-s * special.ndtri(q))

    def _entropy(self, s: Any) -> Any:
        return norm._entropy() + np.log(s)


def _tiny(z: Any) -> Any:
    """Where the slope of 1 / z overflows."""
    return np.isinf(np.square(1 / known(z)))


class InverseGamma(Positive):
    """`scipy.stats.invgamma`: one over a gamma variable."""

    shapes = ("a",)

    def _fits(self, a: Any) -> Any:
        return np.greater(a, 0)

    def _outside(self, z: Any, a: Any) -> Any:
        return np.less_equal(z, 0)

    def _logpdf(self, z: Any, a: Any) -> Any:
        return -(a + 1) * np.log(z) - special.gammaln(a) - 1 / z

    def _pdf(self, z: Any, a: Any) -> Any:
        return self._flat(super()._pdf, 0, _tiny(z), z, a)

    def _cdf(self, z: Any, a: Any) -> Any:
        return self._flat(lambda z, a: gamma._sf(1 / z, a), 0, _tiny(z), z, a)

    def _sf(self, z: Any, a: Any) -> Any:
        return self._flat(lambda z, a: gamma._cdf(1 / z, a), 1, _tiny(z), z, a)

    def _logcdf(self, z: Any, a: Any) -> Any:
        return gamma._logsf(1 / z, a)

    def _logsf(self, z: Any, a: Any) -> Any:
        return gamma._logcdf(1 / z, a)

    def _ppf(self, q: Any, a: Any) -> Any:
        return 1 / gamma._isf(q, a)

    def _isf(self, q: Any, a: Any) -> Any:
        return 1 / gamma._ppf(q, a)

    def _entropy(self, a: Any) -> Any:
        return gamma._entropy(a) - 2 * special.digamma(a)


class Weibull(Positive):
    """`scipy.stats.weibull_min`."""

    shapes = ("c",)

    def _fits(self, c: Any) -> Any:
        return np.greater(c, 0)

    def _outside(self, z: Any, c: Any) -> Any:
        return gamma._outside(z, c)

    def _logpdf(self, z: Any, c: Any) -> Any:
        return np.log(c) + special.xlogy(c - 1, z) - np.power(z, c)

    def _far(self, z: Any, c: Any) -> Any:
        """Where exp(-z**c) is 0 in any precision, and z**c soon infinite."""
        return np.greater(np.power(known(z), known(c)), 1e4)

    def _pdf(self, z: Any, c: Any) -> Any:
        return self._flat(super()._pdf, 0, self._far(z, c), z, c)

    def _cdf(self, z: Any, c: Any) -> Any:
        return self._flat(lambda z, c: -np.expm1(-np.power(z, c)), 1, self._far(z, c), z, c)

    def _sf(self, z: Any, c: Any) -> Any:
        return self._flat(lambda z, c: np.exp(-np.power(z, c)), 0, self._far(z, c), z, c)

    def _logcdf(self, z: Any, c: Any) -> Any:
        return self._flat(lambda z, c: log_one_minus_exp(np.power(z, c)), 0, self._far(z, c), z, c)

    def _logsf(self, z: Any, c: Any) -> Any:
        return -np.power(z, c)

    def _ppf(self, q: Any, c: Any) -> Any:
        return np.power(-np.log1p(-q), 1 / c)

    def _isf(self, q: Any, c: Any) -> Any:
        return np.power(-np.log(q), 1 / c)

    def _entropy(self, c: Any) -> Any:
        return np.euler_gamma * (1 - 1 / c) - np.log(c) + 1


expon = Exponential("expon")
chi2 = ChiSquared("chi2")
pareto = Pareto("pareto")
halfnorm = HalfNormal("halfnorm")
lognorm = LogNormal("lognorm")
invgamma = InverseGamma("invgamma")
weibull_min = Weibull("weibull_min")
