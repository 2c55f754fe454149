"""Poisson and binomial samples, and integers between bounds, in plain NumPy.

Where few are expected, the distribution function is followed from 0 up to a uniform number; where
many are, by transformed rejection: W. Hörmann, The transformed rejection method for generating
Poisson random variables, and The generation of binomial random variates (1993). The logarithms of
probabilities are C. Loader's (Fast and accurate computation of binomial probabilities, 2000), in
which nothing large cancels.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .keys import sampler
from .normals import open_uniform
from .philox import Purpose, multiply, words
from .trials import accepted

#: What is counted up to by following the distribution function; greater means are rejected from.
_FEW = 10.0
#: Probabilities that are smaller than that of any word; rounding may keep sums below a number.
_NONE = 1e-18

#: How many numbers are made at once, so that all stays in the cache.
_CHUNK = 8192

#: Stirling's error, log(k!) - log(sqrt(2 pi k) (k / e)**k), for k < 16; 0 stands for no number.
_ERRORS = np.array(
    [0.0, *(math.lgamma(k + 1) - (k + 0.5) * math.log(k) + k - 0.5 * math.log(2 * math.pi)
            for k in range(1, 16))]
)  # fmt: skip


def _stirling(k: Any) -> Any:
    """Stirling's error: DLMF 5.11.1 for k > 15."""
    known = k < 16
    u = 1 / np.where(known, 16.0, k)
    v = u * u
    series = u * (1 / 12 - v * (1 / 360 - v * (1 / 1260 - v * (1 / 1680 - v / 1188))))
    return np.where(known, _ERRORS[np.where(known, k, 0).astype(np.intp)], series)


def _deviance(k: Any, mean: Any) -> Any:
    """k log(k / mean) + mean - k, for k > 0."""
    d = (k - mean) / mean
    near = np.abs(d) < 0.5
    log = np.where(near, np.log1p(np.where(near, d, 0.0)), np.log(np.where(near, 1.0, k / mean)))
    return mean * ((1 + d) * log - d)


def _follow(u: Any, first: Any, ratio: Any) -> Any:
    """Where the sum of probabilities passes u: the first, times ``ratio(k, i)`` for the next."""
    k = np.zeros(len(u))
    i = np.flatnonzero(u > first)
    p, total = first[i], first[i]
    step = 0
    while i.size:
        step += 1
        p = p * ratio(step, i)
        total = total + p
        k[i] = step
        going = (u[i] > total) & (p > _NONE)
        i, p, total = i[going], p[going], total[going]
    return k


# ------------------------------------------------------------------ Poisson
def _poisson_log(k: Any, mean: Any) -> Any:
    """The logarithm of the probability of k >= 0."""
    safe = np.maximum(k, 1)
    log = -_stirling(safe) - _deviance(safe, mean) - 0.5 * np.log(2 * math.pi * safe)
    return np.where(k == 0, -mean, log)


def _poisson_trial(w: Any, mean: Any) -> Any:
    u, v = open_uniform(w[:, 0]) - 0.5, open_uniform(w[:, 1])
    b = 0.931 + 2.53 * np.sqrt(mean)
    a = -0.059 + 0.02483 * b
    far = 0.5 - np.abs(u)
    k = np.floor((2 * a / far + b) * u + mean + 0.43)
    quick = (far >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
    slow = (k >= 0) & ((far >= 0.013) | (v <= far))
    height = np.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / (far * far) + b))
    return k, quick | (slow & (height <= _poisson_log(np.maximum(k, 0), mean)))


@sampler
def random_poisson(key: Any, mean: Any) -> Any:
    """A Poisson sample for each mean; -1 where it is none."""
    flat = np.ravel(mean)
    good = (flat >= 0) & (flat < 2.0**62)
    flat = np.where(good, flat, 0.0)
    few = flat < _FEW

    def propose(w: Any, i: Any) -> Any:
        rare = few[i]
        k, ok = np.zeros(len(i)), np.ones(len(i), bool)
        small = flat[i[rare]]
        u = open_uniform(w[rare, 0])
        k[rare] = _follow(u, np.exp(-small), lambda step, j: small[j] / step)
        many = ~rare
        k[many], ok[many] = _poisson_trial(w[many], flat[i[many]])
        return k, ok

    k = accepted(key, np.shape(mean), Purpose.POISSON, propose)
    return np.where(good, k, -1).astype(np.int64).reshape(np.shape(mean))


# ------------------------------------------------------------------ binomial
def _binomial_log(k: Any, n: Any, q: Any) -> Any:
    """The logarithm of the probability of k of n, for 0 <= k <= n and 0 < q < 1."""
    inside = (k > 0) & (k < n)
    x, m = np.where(inside, k, 1.0), np.where(inside, n, 2.0)
    y = m - x
    log = (
        _stirling(m) - _stirling(x) - _stirling(y) - _deviance(x, m * q)
        - _deviance(y, m * (1 - q)) + 0.5 * np.log(m / (2 * math.pi * x * y))
    )  # fmt: skip
    return np.where(inside, log, np.where(k == 0, n * np.log1p(-q), n * np.log(q)))


def _binomial_trial(w: Any, n: Any, q: Any) -> Any:
    u, v = open_uniform(w[:, 0]) - 0.5, open_uniform(w[:, 1])
    root = np.sqrt(n * q * (1 - q))
    b = 1.15 + 2.53 * root
    a = -0.0873 + 0.0248 * b + 0.01 * q
    far = 0.5 - np.abs(u)
    k = np.floor((2 * a / far + b) * u + n * q + 0.5)
    inside = (k >= 0) & (k <= n)
    quick = inside & (far >= 0.07) & (v <= 0.92 - 4.2 / b)
    height = np.log(v * (2.83 + 5.1 / b) * root / (a / (far * far) + b))
    top = _binomial_log(np.floor((n + 1) * q), n, q)
    return k, quick | (inside & (height <= _binomial_log(np.clip(k, 0, n), n, q) - top))


@sampler
def random_binomial(key: Any, n: Any, p: Any) -> Any:
    """How many of n trials of probability p succeed; -1 where these are none."""
    count, chance = np.ravel(n), np.ravel(p)
    good = (count >= 0) & (count <= 2.0**53) & (chance >= 0) & (chance <= 1)
    count, chance = np.where(good, np.floor(count), 0.0), np.where(good, chance, 0.0)
    mirrored = chance > 0.5
    q = np.where(mirrored, 1 - chance, chance)
    few = count * q < _FEW

    def propose(w: Any, i: Any) -> Any:
        rare = few[i]
        k, ok = np.zeros(len(i)), np.ones(len(i), bool)
        m, r = count[i[rare]], q[i[rare]]
        odds = r / (1 - r)
        first = np.exp(m * np.log1p(-r))
        u = open_uniform(w[rare, 0])
        k[rare] = _follow(u, first, lambda step, j: (m[j] - step + 1) / step * odds[j])
        many = ~rare
        k[many], ok[many] = _binomial_trial(w[many], count[i[many]], q[i[many]])
        return np.minimum(k, count[i]), ok

    k = accepted(key, np.shape(n), Purpose.BINOMIAL, propose)
    k = np.where(mirrored, count - k, k)
    return np.where(good, k, -1).astype(np.int64).reshape(np.shape(n))


# ------------------------------------------------------------------ geometric
@sampler
def random_geometric(key: Any, p: Any) -> Any:
    """The first of many trials of probability p that succeeds; -1 where p is none."""
    shape = np.shape(p)
    w = words(key, math.prod(shape[np.ndim(key) - 1 :])).reshape(shape)
    sure = p == 1
    good = (p > 0) & (p <= 1)
    log = np.log1p(-np.where(good & ~sure, p, 0.5))
    trials = np.floor(np.log(open_uniform(w)) / log) + 1
    trials = np.where(sure, 1.0, np.minimum(trials, 2.0**62))
    return np.where(good, trials, -1.0).astype(np.int64)


# ------------------------------------------------------------------ integers
@sampler
def random_integers(key: Any, low: Any, last: Any) -> Any:
    """Integers from low to last, both of them among them; low where there are none.

    128 random bits, as a fraction, times the count of integers: each has its probability up to a
    factor of 1 + 2**-64.
    """
    size = math.prod(np.shape(low)[np.ndim(key) - 1 :])
    w = words(key, 2 * size).reshape(-1, 2)
    starts, ends = np.ravel(low), np.ravel(last)
    out = np.empty(len(w), low.dtype)
    with np.errstate(over="ignore"):
        for i in range(0, len(w), _CHUNK):
            part = slice(i, i + _CHUNK)
            start, end = starts[part], ends[part]
            base = start.astype(np.uint64)
            gap = np.where(end < start, np.uint64(0), end.astype(np.uint64) - base)
            count = gap + np.uint64(1)  # 0 stands for 2**64
            high, rest = multiply(w[part, 0], count)
            carry, _ = multiply(w[part, 1], count)
            high += rest + carry < rest
            out[part] = (base + np.where(count == 0, w[part, 0], high)).astype(low.dtype)
    return out.reshape(np.shape(low))
