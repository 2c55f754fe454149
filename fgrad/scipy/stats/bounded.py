"""Distributions on an interval: uniform, beta, truncated normal, wrapped Cauchy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.stats
from scipy import special

from ...core import Array
from ...rules import elementwise
from ..special.gammas import psi_gap
from .arguments import either, fits, known
from .families import Continuous
from .real_line import LOG_2PI
from .tails import log_betainc, log_betaincc
from .tools import log1mexp, quiet


class Uniform(Continuous):
    """`scipy.stats.uniform`."""

    low, high, inside = 0.0, 1.0, 0.5

    def _logpdf(self, z: Any) -> Any:
        return 0 * z

    def _cdf(self, z: Any) -> Any:
        return z

    def _sf(self, z: Any) -> Any:
        return 1 - z

    def _logsf(self, z: Any) -> Any:
        return np.log1p(-z)

    def _ppf(self, q: Any) -> Any:
        return q

    def _isf(self, q: Any) -> Any:
        return 1 - q

    def _entropy(self) -> Any:
        return 0.0


class Beta(Continuous):
    """`scipy.stats.beta`."""

    shapes = ("a", "b")
    low, high, inside = 0.0, 1.0, 0.5

    def _fits(self, a: Any, b: Any) -> Any:
        return fits(np.greater(a, 0), np.greater(b, 0))

    def _outside(self, z: Any, a: Any, b: Any) -> Any:
        # Where the density falls to 0 at an end, so does its logarithm's slope, by convention.
        low = np.logical_and(np.equal(z, 0), np.greater(a, 1))
        high = np.logical_and(np.equal(z, 1), np.greater(b, 1))
        return either(np.less(z, 0), np.greater(z, 1), low, high)

    def _logpdf(self, z: Any, a: Any, b: Any) -> Any:
        return special.xlogy(a - 1, z) + special.xlog1py(b - 1, -z) - special.betaln(a, b)

    def _cdf(self, z: Any, a: Any, b: Any) -> Any:
        return special.betainc(a, b, z)

    def _sf(self, z: Any, a: Any, b: Any) -> Any:
        return special.betaincc(a, b, z)

    def _logcdf(self, z: Any, a: Any, b: Any) -> Any:
        return log_betainc(a, b, z)

    def _logsf(self, z: Any, a: Any, b: Any) -> Any:
        return log_betaincc(a, b, z)

    def _ppf(self, q: Any, a: Any, b: Any) -> Any:
        return special.betaincinv(a, b, q)

    def _isf(self, q: Any, a: Any, b: Any) -> Any:
        return special.betainccinv(a, b, q)

    def _entropy(self, a: Any, b: Any) -> Any:
        return special.betaln(a, b) - (a - 1) * psi_gap(a, b) - (b - 1) * psi_gap(b, a)


# ------------------------------------------------------------------ truncated normal
def log_gauss_mass(a: Any, b: Any) -> Any:
    """log of the normal distribution's mass between a < b, in whichever tail they are."""
    with quiet():
        a, b = np.where(a > 0, -b, a), np.where(a > 0, -a, b)  # now a <= 0 or b < 0
        left = b <= 0
        top = special.log_ndtr(np.where(left, b, -1.0))
        bottom = special.log_ndtr(np.where(left, a, -2.0))
        tail = top + log1mexp(top - bottom)
        middle = np.log1p(-special.ndtr(a) - special.ndtr(-b))
        # The midpoint rule with its first correction, where the mass is a small difference.
        wide = np.isinf(a) | np.isinf(b)
        width, m = np.where(wide, 1, b - a), np.where(wide, 0, (a + b) / 2)
        narrow = ~wide & (width * (1 + np.abs(m)) < 1e-3)
        slice_ = np.log(width) - 0.5 * (m * m + LOG_2PI) + np.log1p((m * m - 1) * width**2 / 24)
        return np.where(narrow, slice_, np.where(left, tail, middle))[()]


def _edge(x: Array, log: Array) -> Array:
    """The normal density at x over exp(log); 0 for infinite x, in derivatives of it too."""
    infinite = np.isinf(x)
    y = np.where(infinite, 0, x)
    return np.where(infinite, 0, np.exp(-0.5 * (y * y + LOG_2PI) - np.where(infinite, 0, log)))


_log_mass = elementwise(
    log_gauss_mass, lambda ans, a, b: -_edge(a, ans), lambda ans, a, b: _edge(b, ans)
)


def _odds(z: Array, x: Array) -> Array:
    """The normal density at x over that at z; 0 for infinite x."""
    infinite = either(np.isinf(x), np.isinf(z))
    y, w = (x, z) if infinite is False else (np.where(infinite, 0, v) for v in (x, z))
    return np.where(infinite, 0, np.exp(0.5 * (w - y) * (w + y)))


def truncnorm_ppf(q: Any, a: Any, b: Any) -> Any:
    """The quantile of `scipy.stats.truncnorm`."""
    return scipy.stats.truncnorm.ppf(q, a, b).astype(np.result_type(q, a, b))


def truncnorm_isf(q: Any, a: Any, b: Any) -> Any:
    """The inverse of the survival function of `scipy.stats.truncnorm`."""
    return scipy.stats.truncnorm.isf(q, a, b).astype(np.result_type(q, a, b))


# From cdf(z) = (Phi(z) - Phi(a)) / (Phi(b) - Phi(a)) = q by the implicit function theorem.
_truncnorm_ppf = elementwise(
    truncnorm_ppf,
    lambda ans, q, a, b: np.exp(0.5 * (ans * ans + LOG_2PI) + _log_mass(a, b)),
    lambda ans, q, a, b: (1 - q) * _odds(ans, a),
    lambda ans, q, a, b: q * _odds(ans, b),
)
_truncnorm_isf = elementwise(
    truncnorm_isf,
    lambda ans, q, a, b: -np.exp(0.5 * (ans * ans + LOG_2PI) + _log_mass(a, b)),
    lambda ans, q, a, b: q * _odds(ans, a),
    lambda ans, q, a, b: (1 - q) * _odds(ans, b),
)


class TruncatedNormal(Continuous):
    """`scipy.stats.truncnorm`; a and b may be far in one tail, or infinite."""

    shapes = ("a", "b")

    def _fits(self, a: Any, b: Any) -> Any:
        return np.less(a, b)

    def _support(self, a: Any, b: Any) -> tuple[Any, Any]:
        return a, b

    def _between(self, a: Any, b: Any) -> Any:
        """A value inside of the support."""
        a, b = known(a), known(b)
        low = np.where(np.isinf(a), np.where(np.isinf(b), 0, b) - 1, a)
        return 0.5 * (low + np.where(np.isinf(b), low + 2, b))

    def _logpdf(self, z: Any, a: Any, b: Any) -> Any:
        return -0.5 * (z * z) - 0.5 * LOG_2PI - _log_mass(a, b)

    def _logcdf(self, z: Any, a: Any, b: Any) -> Any:
        whole = _log_mass(a, b)
        return _complement(_log_mass(a, z) - whole, _log_mass(z, b) - whole)

    def _logsf(self, z: Any, a: Any, b: Any) -> Any:
        whole = _log_mass(a, b)
        return _complement(_log_mass(z, b) - whole, _log_mass(a, z) - whole)

    def _cdf(self, z: Any, a: Any, b: Any) -> Any:
        return np.exp(self._logcdf(z, a, b))

    def _sf(self, z: Any, a: Any, b: Any) -> Any:
        return np.exp(self._logsf(z, a, b))

    def _ppf(self, q: Any, a: Any, b: Any) -> Any:
        return _truncnorm_ppf(q, a, b)

    def _isf(self, q: Any, a: Any, b: Any) -> Any:
        return _truncnorm_isf(q, a, b)

    def _entropy(self, a: Any, b: Any) -> Any:
        whole = _log_mass(a, b)
        a_part = _finite(a) * _edge(a, whole)
        return 0.5 * (LOG_2PI + 1) + whole + 0.5 * (a_part - _finite(b) * _edge(b, whole))


def _complement(log_p: Any, log_rest: Any) -> Any:
    """log p; from that of 1 - p where p is near 1."""
    near = np.greater(log_p, -0.1)
    other = np.log1p(-np.exp(np.where(near, log_rest, -1)))
    return np.where(near, other, np.where(near, -1, log_p))


def _finite(x: Any) -> Any:
    return np.where(np.isinf(x), 0, x)


# ------------------------------------------------------------------ wrapped Cauchy
class WrappedCauchy(Continuous):
    """`scipy.stats.wrapcauchy`, on [0, 2 pi]."""

    shapes = ("c",)
    low, high, inside = 0.0, 2 * math.pi, 1.0

    def _fits(self, c: Any) -> Any:
        return fits(np.greater(c, 0), np.less(c, 1))

    def _logpdf(self, z: Any, c: Any) -> Any:
        gap = np.square(1 - c) + 4 * c * np.square(np.sin(0.5 * z))  # 1 + c**2 - 2 c cos(z)
        return np.log((1 - c) * (1 + c) / gap) - LOG_2PI

    def _cdf(self, z: Any, c: Any) -> Any:
        return np.arctan2((1 + c) * np.sin(0.5 * z), (1 - c) * np.cos(0.5 * z)) / math.pi

    def _sf(self, z: Any, c: Any) -> Any:
        return np.arctan2((1 + c) * np.sin(0.5 * z), (c - 1) * np.cos(0.5 * z)) / math.pi

    def _ppf(self, q: Any, c: Any) -> Any:
        return 2 * np.arctan2((1 - c) * np.sin(math.pi * q), (1 + c) * np.cos(math.pi * q))

    def _isf(self, q: Any, c: Any) -> Any:
        return 2 * math.pi - self._ppf(q, c)

    def _entropy(self, c: Any) -> Any:
        return np.log((1 - c) * (1 + c)) + LOG_2PI


uniform = Uniform("uniform")
beta = Beta("beta")
truncnorm = TruncatedNormal("truncnorm")
wrapcauchy = WrappedCauchy("wrapcauchy")
