"""Distributions of whole numbers: Bernoulli, binomial, geometric, Poisson and others.

Probabilities are exponentials of logarithms, and these have infinite slopes where a parameter is at
its end, such as p = 0, and the probability a finite one. There the power itself is taken (`split`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from .arguments import either, empty, fill, fits, known
from .families import Discrete, Mass
from .real_line import LOG_2PI
from .tails import log_betainc, log_betaincc, log_gammainc, log_gammaincc
from .tools import log_one_minus_exp


# ------------------------------------------------------------------ tools
def split(p: Any, end: float, k: Any) -> tuple[Any, Any]:
    """p, moved to the other end from the one given, and the power that is missing then, or None.

    ``p**k``, or ``(1 - p)**k`` for the end 1, is the product of that of the first and the second.
    """
    there = np.equal(p, end)
    if empty(there):
        return p, None
    base = p if end == 0 else 1 - p
    power = np.power(np.where(there, base, 1), np.where(there, k, 0))
    return np.where(there, 1 - end, p), power


def product(x: Any, *factors: Any) -> Any:
    """x times the factors that are there."""
    for y in factors:
        x = x if y is None else x * y
    return x


def whole(n: Any) -> Any:
    """Where a parameter is a whole number."""
    return np.equal(np.floor(n), n)


def share(p: Any) -> Any:
    """Where a parameter is a probability."""
    return fits(np.greater_equal(p, 0), np.less_equal(p, 1))


def log_choose(n: Any, k: Any) -> Any:
    """log of the binomial coefficient."""
    return -np.log(n + 1) - special.betaln(n - k + 1, k + 1)


# ------------------------------------------------------------------ one trial, and several
class Bernoulli(Discrete):
    """`scipy.stats.bernoulli`."""

    shapes = ("p",)

    def _high(self, p: Any) -> Any:
        return 1.0

    def _fits(self, p: Any) -> Any:
        return share(p)

    def _pmf(self, k: Any, p: Any) -> Any:
        return np.where(np.equal(k, 1), p, 1 - p)

    def _logpmf(self, k: Any, p: Any) -> Any:
        return special.xlogy(k, p) + special.xlog1py(1 - k, -p)

    def _cdf(self, k: Any, p: Any) -> Any:
        return 1 - p + 0 * k

    def _sf(self, k: Any, p: Any) -> Any:
        return p + 0 * k

    def _logcdf(self, k: Any, p: Any) -> Any:
        return np.log1p(-p) + 0 * k

    def entropy(self, *args: Any, **kwds: Any) -> Any:
        """The entropy."""
        return self._entropy_by(lambda p: special.entr(p) + special.entr(1 - p), args, kwds)


class Binomial(Discrete):
    """`scipy.stats.binom`; n is a whole number, in which it is constant."""

    shapes = ("n", "p")

    def _high(self, n: Any, p: Any) -> Any:
        return known(n)

    def _fits(self, n: Any, p: Any) -> Any:
        return fits(np.greater_equal(n, 0), whole(n), share(p))

    def _logpmf(self, k: Any, n: Any, p: Any) -> Any:
        n = known(n)
        return log_choose(n, k) + special.xlogy(k, p) + special.xlog1py(n - k, -p)

    def _pmf(self, k: Any, n: Any, p: Any) -> Any:
        n = known(n)
        some, hits = split(p, 0.0, k)
        most, misses = split(p, 1.0, n - k)
        log = log_choose(n, k) + special.xlogy(k, some) + special.xlog1py(n - k, -most)
        return product(np.exp(log), hits, misses)

    def _cdf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betaincc(k + 1, np.maximum(known(n) - k, 1), p)

    def _sf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(k + 1, np.maximum(known(n) - k, 1), p)

    def _logcdf(self, k: Any, n: Any, p: Any) -> Any:
        return log_betaincc(k + 1, np.maximum(known(n) - k, 1), p)

    def _logsf(self, k: Any, n: Any, p: Any) -> Any:
        return log_betainc(k + 1, np.maximum(known(n) - k, 1), p)


class BetaBinomial(Mass):
    """`scipy.stats.betabinom`; n is a whole number, in which it is constant."""

    shapes = ("n", "a", "b")

    def _high(self, n: Any, a: Any, b: Any) -> Any:
        return known(n)

    def _fits(self, n: Any, a: Any, b: Any) -> Any:
        return fits(np.greater_equal(n, 0), whole(n), np.greater(a, 0), np.greater(b, 0))

    def _logpmf(self, k: Any, n: Any, a: Any, b: Any) -> Any:
        n = known(n)
        return log_choose(n, k) + special.betaln(k + a, n - k + b) - special.betaln(a, b)


# ------------------------------------------------------------------ trials until a success
class Geometric(Discrete):
    """`scipy.stats.geom`."""

    shapes = ("p",)
    low = 1.0

    def _fits(self, p: Any) -> Any:
        return fits(np.greater(p, 0), np.less_equal(p, 1))

    def _logpmf(self, k: Any, p: Any) -> Any:
        return special.xlog1py(k - 1, -p) + np.log(p)

    def _pmf(self, k: Any, p: Any) -> Any:
        most, misses = split(p, 1.0, k - 1)
        return product(p * np.exp(special.xlog1py(k - 1, -most)), misses)

    def _cdf(self, k: Any, p: Any) -> Any:
        most, misses = split(p, 1.0, k)
        out = -np.expm1(special.xlog1py(k, -most))
        return out if misses is None else np.where(np.equal(p, 1), 1 - misses, out)

    def _sf(self, k: Any, p: Any) -> Any:
        most, misses = split(p, 1.0, k)
        return product(np.exp(special.xlog1py(k, -most)), misses)

    def _logcdf(self, k: Any, p: Any) -> Any:
        return log_one_minus_exp(-special.xlog1py(k, -p))

    def _logsf(self, k: Any, p: Any) -> Any:
        return special.xlog1py(k, -p)

    def entropy(self, *args: Any, **kwds: Any) -> Any:
        """The entropy."""
        return self._entropy_by(lambda p: -np.log(p) - special.xlog1py(1 - p, -p) / p, args, kwds)


class NegativeBinomial(Discrete):
    """`scipy.stats.nbinom`; n may be any positive number."""

    shapes = ("n", "p")

    def _fits(self, n: Any, p: Any) -> Any:
        return fits(np.greater(n, 0), np.greater(p, 0), np.less_equal(p, 1))

    def _ways(self, k: Any, n: Any) -> Any:
        return -np.log(n + k) - special.betaln(n, k + 1)

    def _logpmf(self, k: Any, n: Any, p: Any) -> Any:
        return self._ways(k, n) + n * np.log(p) + special.xlog1py(k, -p)

    def _pmf(self, k: Any, n: Any, p: Any) -> Any:
        most, misses = split(p, 1.0, k)
        log = self._ways(k, n) + n * np.log(p) + special.xlog1py(k, -most)
        return product(np.exp(log), misses)

    def _cdf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betainc(n, k + 1, p)

    def _sf(self, k: Any, n: Any, p: Any) -> Any:
        return special.betaincc(n, k + 1, p)

    def _logcdf(self, k: Any, n: Any, p: Any) -> Any:
        return log_betainc(n, k + 1, p)

    def _logsf(self, k: Any, n: Any, p: Any) -> Any:
        return log_betaincc(n, k + 1, p)


# ------------------------------------------------------------------ Poisson
#: H(mu) = log(2 pi e mu) / 2 + sum of S[k] mu**-(k + 1): from dH / dmu = E[log((K + 1) / mu)], with
#: the logarithm expanded around mu and the moments of K taken term by term.
_SERIES = [-1 / 12, -1 / 24, -19 / 360, -9 / 80, -863 / 2520, -1375 / 1008, -33953 / 5040,
           -57281 / 1440, -3250433 / 11880]  # fmt: skip
#: From here on the series has all digits; below, no count beyond `_COUNTS` has any weight.
_LARGE = 80.0
_COUNTS = np.arange(230.0)
_LOG_FACTORIALS = special.gammaln(_COUNTS + 1)


def _sum_of_entropies(mu: Any) -> Any:
    """-sum of p log p over all counts, for 0 < mu <= 80."""
    dtype = getattr(mu, "dtype", _COUNTS.dtype)
    mu = np.expand_dims(mu, -1)
    log = _COUNTS.astype(dtype) * np.log(mu) - mu - _LOG_FACTORIALS.astype(dtype)
    return -np.sum(np.exp(log) * log, axis=-1)


def _series(mu: Any) -> Any:
    out = 0.0
    for c in reversed(_SERIES):
        out = (out + c) / mu
    return out + 0.5 * (np.log(mu) + LOG_2PI + 1)


def _poisson_entropy(mu: Any) -> Any:
    zero, large = np.equal(mu, 0), np.greater(mu, _LARGE)
    near = _sum_of_entropies(fill(either(zero, large), 1.0, mu))
    out = near if empty(large) else np.where(large, _series(np.where(large, mu, _LARGE)), near)
    return out if empty(zero) else np.where(zero, special.entr(np.where(zero, mu, 1)), out)


class Poisson(Discrete):
    """`scipy.stats.poisson`."""

    shapes = ("mu",)

    def _fits(self, mu: Any) -> Any:
        return np.greater_equal(mu, 0)

    def _logpmf(self, k: Any, mu: Any) -> Any:
        return special.xlogy(k, mu) - special.gammaln(k + 1) - mu

    def _pmf(self, k: Any, mu: Any) -> Any:
        some, events = split(mu, 0.0, k)
        log = special.xlogy(k, some) - special.gammaln(k + 1) - mu
        return product(np.exp(log), events)

    def _cdf(self, k: Any, mu: Any) -> Any:
        return special.gammaincc(k + 1, mu)

    def _sf(self, k: Any, mu: Any) -> Any:
        return special.gammainc(k + 1, mu)

    def _logcdf(self, k: Any, mu: Any) -> Any:
        return log_gammaincc(k + 1, mu)

    def _logsf(self, k: Any, mu: Any) -> Any:
        return log_gammainc(k + 1, mu)

    def entropy(self, *args: Any, **kwds: Any) -> Any:
        """The entropy."""
        return self._entropy_by(_poisson_entropy, args, kwds)


bernoulli = Bernoulli("bernoulli")
binom = Binomial("binom")
betabinom = BetaBinomial("betabinom")
geom = Geometric("geom")
nbinom = NegativeBinomial("nbinom")
poisson = Poisson("poisson")
