"""Distributions on the whole line: normal, Cauchy, Laplace, logistic, Gumbel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from .families import Continuous
from .tools import log_one_minus_exp

LOG_2PI = math.log(2 * math.pi)
LN2 = math.log(2.0)


class Normal(Continuous):
    """`scipy.stats.norm`."""

    def _logpdf(self, z: Any) -> Any:
        return -0.5 * (z * z) - 0.5 * LOG_2PI

    def _cdf(self, z: Any) -> Any:
        return special.ndtr(z)

    def _sf(self, z: Any) -> Any:
        return special.ndtr(-z)

    def _logcdf(self, z: Any) -> Any:
        return special.log_ndtr(z)

    def _logsf(self, z: Any) -> Any:
        return special.log_ndtr(-z)

    def _ppf(self, q: Any) -> Any:
        return special.ndtri(q)

    def _isf(self, q: Any) -> Any:
        return -special.ndtri(q)

    def _entropy(self) -> Any:
        return 0.5 * (LOG_2PI + 1)


class Cauchy(Continuous):
    """`scipy.stats.cauchy`."""

    def _logpdf(self, z: Any) -> Any:
        return -math.log(math.pi) - 2 * np.log(np.hypot(1.0, z))  # z * z overflows

    def _cdf(self, z: Any) -> Any:
        return np.arctan2(1.0, -z) / math.pi

    def _sf(self, z: Any) -> Any:
        return np.arctan2(1.0, z) / math.pi

    def _logcdf(self, z: Any) -> Any:
        right = np.greater(z, 0)
        tail = np.arctan2(1.0, np.where(right, z, -z)) / math.pi
        return np.where(right, np.log1p(-tail), np.log(tail))

    def _logsf(self, z: Any) -> Any:
        return self._logcdf(-z)

    def _ppf(self, q: Any) -> Any:
        right = np.greater(q, 0.5)
        tail = -1 / np.tan(math.pi * np.where(right, 1 - q, q))
        return np.where(right, -tail, tail)

    def _isf(self, q: Any) -> Any:
        return -self._ppf(q)

    def _entropy(self) -> Any:
        return math.log(4 * math.pi)


class Laplace(Continuous):
    """`scipy.stats.laplace`."""

    def _logpdf(self, z: Any) -> Any:
        return -np.abs(z) - LN2

    # Not by |z|, whose slope at 0 is the mean of those of its sides: these functions are smooth.
    def _cdf(self, z: Any) -> Any:
        right = np.greater(z, 0)
        tail = 0.5 * np.exp(np.where(right, -z, z))
        return np.where(right, 1 - tail, tail)

    def _sf(self, z: Any) -> Any:
        return self._cdf(-z)

    def _logcdf(self, z: Any) -> Any:
        right = np.greater(z, 0)
        low = np.where(right, -z, z)
        return np.where(right, np.log1p(-0.5 * np.exp(low)), low - LN2)

    def _logsf(self, z: Any) -> Any:
        return self._logcdf(-z)

    def _ppf(self, q: Any) -> Any:
        right = np.greater(q, 0.5)
        tail = np.log(2 * np.where(right, 1 - q, q))
        return np.where(right, -tail, tail)

    def _isf(self, q: Any) -> Any:
        return -self._ppf(q)

    def _entropy(self) -> Any:
        return LN2 + 1


class Logistic(Continuous):
    """`scipy.stats.logistic`."""

    def _logpdf(self, z: Any) -> Any:
        return -z - 2 * np.logaddexp(0.0, -z)

    def _cdf(self, z: Any) -> Any:
        return special.expit(z)

    def _sf(self, z: Any) -> Any:
        return special.expit(-z)

    def _logcdf(self, z: Any) -> Any:
        return special.log_expit(z)

    def _logsf(self, z: Any) -> Any:
        return special.log_expit(-z)

    def _ppf(self, q: Any) -> Any:
        return special.logit(q)

    def _isf(self, q: Any) -> Any:
        return -special.logit(q)

    def _entropy(self) -> Any:
        return 2.0


class GumbelR(Continuous):
    """`scipy.stats.gumbel_r`."""

    def _logpdf(self, z: Any) -> Any:
        return -z - np.exp(-z)

    # exp(-exp(-z)) is 0 in any precision for z < -7, and exp(-z) soon infinite.
    def _pdf(self, z: Any) -> Any:
        return self._flat(super()._pdf, 0, np.less(z, -7), z)

    def _cdf(self, z: Any) -> Any:
        return self._flat(lambda z: np.exp(-np.exp(-z)), 0, np.less(z, -7), z)

    def _sf(self, z: Any) -> Any:
        return self._flat(lambda z: -np.expm1(-np.exp(-z)), 1, np.less(z, -7), z)

    def _logcdf(self, z: Any) -> Any:
        return -np.exp(-z)

    def _logsf(self, z: Any) -> Any:
        return self._flat(lambda z: log_one_minus_exp(np.exp(-z)), 0, np.less(z, -7), z)

    def _ppf(self, q: Any) -> Any:
        return -np.log(-np.log(q))

    def _isf(self, q: Any) -> Any:
        return -np.log(-np.log1p(-q))

    def _entropy(self) -> Any:
        return np.euler_gamma + 1


gumbel_r = GumbelR("gumbel_r")


class GumbelL(Continuous):
    """`scipy.stats.gumbel_l`: `gumbel_r` mirrored."""

    def _logpdf(self, z: Any) -> Any:
        return gumbel_r._logpdf(-z)

    def _pdf(self, z: Any) -> Any:
        return gumbel_r._pdf(-z)

    def _cdf(self, z: Any) -> Any:
        return gumbel_r._sf(-z)

    def _sf(self, z: Any) -> Any:
        return gumbel_r._cdf(-z)

    def _logcdf(self, z: Any) -> Any:
        return gumbel_r._logsf(-z)

    def _logsf(self, z: Any) -> Any:
        return gumbel_r._logcdf(-z)

    def _ppf(self, q: Any) -> Any:
        return -gumbel_r._isf(q)

    def _isf(self, q: Any) -> Any:
        return -gumbel_r._ppf(q)

    def _entropy(self) -> Any:
        return np.euler_gamma + 1


norm = Normal("norm")
cauchy = Cauchy("cauchy")
laplace = Laplace("laplace")
logistic = Logistic("logistic")
gumbel_l = GumbelL("gumbel_l")
