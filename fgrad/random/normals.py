"""Words into numbers: uniform, normal and truncated normal samples, in plain NumPy.

Each number of a sample is made of one word of 64 bits, by the inverse of its distribution
function. So a sample in float32 is the sample in float64, rounded, and a shorter sample is the
beginning of a longer one. The words are the same on all platforms and for all versions of NumPy,
and so are the uniform numbers; in what is computed of them by log, sqrt or exp the last bits may
differ. (The streams of `numpy.random.Generator` may change from version to version, NEP 19.)
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..rules import line_up, primitive
from .keys import sampler
from .philox import words

_CHUNK = 8192


def _many(key: Any, shape: tuple[int, ...], parts: int = 1) -> Any:
    """Words for arrays of a shape, of each key: (..., size * parts)."""
    return words(key, math.prod(shape) * parts)


# ------------------------------------------------------------------ uniform
def open_uniform(w: Any) -> Any:
    """Numbers between 0 and 1, of which they are neither, and symmetric about 1/2, of words."""
    u = (w >> np.uint64(12)).astype(np.float64)
    u += 0.5
    u *= 2.0**-52
    return u


@sampler
def random_words(key: Any, *, shape: tuple[int, ...]) -> Any:
    """Words of 64 random bits."""
    return _many(key, shape).reshape((*np.shape(key)[:-1], *shape))


@sampler
def random_uniform(key: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """Multiples of the spacing of a dtype's numbers below 1, 0 among them and 1 not."""
    bits = np.finfo(dtype).nmant + 1
    u = (_many(key, shape) >> np.uint64(64 - bits)).astype(dtype)
    u *= dtype.type(2.0**-bits)
    return u.reshape((*np.shape(key)[:-1], *shape))


@sampler
def random_open_uniform(key: Any, *, shape: tuple[int, ...]) -> Any:
    """`open_uniform`, of which functions with a pole at 0 or 1 are taken."""
    return open_uniform(_many(key, shape)).reshape((*np.shape(key)[:-1], *shape))


# ------------------------------------------------------------------ normal
# Algorithm AS 241 (M. J. Wichura, The percentage points of the normal distribution, 1988): the
# numerators and denominators, from the constant term up.
_CENTER = (
    (3.3871328727963666080e0, 1.3314166789178437745e2, 1.9715909503065514427e3,
     1.3731693765509461125e4, 4.5921953931549871457e4, 6.7265770927008700853e4,
     3.3430575583588128105e4, 2.5090809287301226727e3),
    (1.0, 4.2313330701600911252e1, 6.8718700749205790830e2, 5.3941960214247511077e3,
     2.1213794301586595867e4, 3.9307895800092710610e4, 2.8729085735721942674e4,
     5.2264952788528545610e3),
)  # fmt: skip
_MIDDLE = (
    (1.42343711074968357734e0, 4.63033784615654529590e0, 5.76949722146069140550e0,
     3.64784832476320460504e0, 1.27045825245236838258e0, 2.41780725177450611770e-1,
     2.27238449892691845833e-2, 7.74545014278341407640e-4),
    (1.0, 2.05319162663775882187e0, 1.67638483018380384940e0, 6.89767334985100004550e-1,
     1.48103976427480074590e-1, 1.51986665636164571966e-2, 5.47593808499534494600e-4,
     1.05075007164441684324e-9),
)  # fmt: skip
_FAR = (
    (6.65790464350110377720e0, 5.46378491116411436990e0, 1.78482653991729133580e0,
     2.96560571828504891230e-1, 2.65321895265761230930e-2, 1.24266094738807843860e-3,
     2.71155556874348757815e-5, 2.01033439929228813265e-7),
    (1.0, 5.99832206555887937690e-1, 1.36929880922735805310e-1, 1.48753612908506148525e-2,
     7.86869131145613259100e-4, 1.84631831751005468180e-5, 1.42151175831644588870e-7,
     2.04426310338993978564e-15),
)  # fmt: skip


def _ratio(x: Any, polynomials: Any) -> Any:
    values = []
    for c in polynomials:
        y = x * c[-1]
        y += c[-2]
        for a in c[-3::-1]:
            y *= x
            y += a
        values.append(y)
    return values[0] / values[1]


def _tail(s: Any) -> Any:
    """Where the normal distribution's upper tail is exp(-s**2), for s from 1.6 to 27."""
    y = _ratio(s - 1.6, _MIDDLE)
    far = s > 5
    if np.any(far):
        y[far] = _ratio(s[far] - 5, _FAR)
    return y


def centered_quantile(q: Any) -> Any:
    """Where the normal distribution function is 1/2 + q, of a vector."""
    r = 0.180625 - q * q
    x = q * _ratio(r, _CENTER)
    (i,) = np.nonzero(r < 0)
    if i.size:
        x[i] = np.copysign(_tail(np.sqrt(-np.log(0.5 - np.abs(q[i])))), q[i])
    return x


def normal_of(w: Any) -> Any:
    """Standard normal numbers of a vector of words."""
    out = np.empty(len(w))
    signed = w.view(np.int64)
    for i in range(0, len(w), _CHUNK):
        q = (signed[i : i + _CHUNK] >> 11).astype(np.float64)
        q += 0.5  # exact, as is the distance to -1/2 and 1/2
        q *= 2.0**-53
        out[i : i + _CHUNK] = centered_quantile(q)
    return out


@sampler
def random_normal(key: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    """Standard normal numbers; complex ones have a variance of 1 too."""
    parts = 2 if dtype.kind == "c" else 1
    x = normal_of(np.ascontiguousarray(_many(key, shape, parts)).reshape(-1))
    if parts == 2:
        x *= math.sqrt(0.5)
        x = x.view(np.complex128)
    return x.astype(dtype, copy=False).reshape((*np.shape(key)[:-1], *shape))


# ------------------------------------------------------------------ truncated normal
_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])
#: The last number before 1/2, where the quantile is infinite.
_END = 0.5 - 2.0**-54
#: From here on `math.erfc` would lose digits to underflow.
_DEEP = 36.0


def _mills(x: Any) -> Any:
    """The upper tail over the density, for x >= 36 or so: DLMF 7.9.3."""
    y = x
    for k in range(12, 0, -1):
        y = x + k / y
    return 1 / y


def upper_tail(x: Any) -> Any:
    """The probability of greater normal numbers than x."""
    return 0.5 * _erfc(x / math.sqrt(2))


def _log_tail(x: Any) -> Any:
    """The logarithm of the upper tail at x >= 0."""
    deep = x > _DEEP
    with np.errstate(divide="ignore", over="ignore"):
        near = np.log(upper_tail(np.where(deep, 1.0, x)))
        y = np.where(deep, x, 40.0)
        far = -0.5 * y * y + np.log(_mills(y) / math.sqrt(2 * math.pi))
    return np.where(deep, far, near)


def _from_log_tail(t: Any) -> Any:
    """Where the logarithm of the upper tail is t < log(1/2), of a vector."""
    x = np.empty_like(t)
    center, deep = t > math.log(0.075), t < -600
    middle = ~(center | deep)
    x[center] = centered_quantile(0.5 - np.exp(t[center]))
    x[middle] = _tail(np.sqrt(-t[middle]))
    y = np.sqrt(-2 * t[deep])
    for _ in range(4):  # Newton's method
        y = y + (_log_tail(y) - t[deep]) * _mills(y)
    x[deep] = y
    return x


def _centered(w: Any, low: Any, high: Any) -> Any:
    """The quantile, given the distribution function at the bounds, less 1/2."""
    return centered_quantile(np.clip(low + w * (high - low), -_END, _END))


def _one_side(w: Any, near: Any, part: Any, missing: Any) -> Any:
    """The quantile, given the logarithm of the tail at the bound next to 0.

    part: what part of that tail is behind the other bound; missing: what part isn't.
    """
    first = w < 0.5
    u = np.where(first, w, 0.0)
    log = np.where(first, np.log1p(-u * missing), np.log(np.where(first, 1.0, (1 - w) + w * part)))
    return _from_log_tail(np.minimum(near + log, math.log(0.5)))


def _between(w: Any, lower: Any, upper: Any) -> Any:
    """The share w of the way, in probability, from lower to upper: arrays that broadcast."""
    shape = np.broadcast_shapes(np.shape(w), np.shape(lower), np.shape(upper))
    # What is computed of the bounds is computed in their own shape.
    below = np.less_equal(upper, 0)  # by symmetry the same as above 0
    near = np.maximum(np.where(below, -upper, lower), 0)
    far = np.maximum(np.where(below, -lower, upper), near)
    tail = _log_tail(near)
    with np.errstate(invalid="ignore"):
        gap = np.where(near == far, 0.0, _log_tail(far) - tail)
    low, high = (0.5 * _erf(x / math.sqrt(2)) for x in (lower, upper))
    tail = np.where(np.isinf(near), 0.0, tail)
    # A narrow interval near 0 is one between small numbers, too.
    across = (np.less(lower, 0) & np.greater(upper, 0)) | (np.less(near, 1) & np.less(far, 2))
    given = w, across, below, low, high, tail, np.exp(gap), -np.expm1(gap)
    spread = [np.broadcast_to(x, shape).ravel() for x in given]
    out = np.empty(len(spread[0]))
    for i in range(0, len(out), _CHUNK):
        share, two, down, a, b, *of_tail = (x[i : i + _CHUNK] for x in spread)
        x = np.empty(len(share))
        x[two] = _centered(share[two], a[two], b[two])
        one = ~two
        u, sign = share[one], np.where(down[one], -1.0, 1.0)
        x[one] = sign * _one_side(np.where(sign < 0, 1 - u, u), *(y[one] for y in of_tail))
        out[i : i + _CHUNK] = x
    with np.errstate(invalid="ignore"):
        ordered = np.less_equal(lower, upper)
        return np.where(ordered, np.clip(out.reshape(shape), lower, upper), np.nan)


def _pull(ans: Any, bound: Any, share: Any) -> Any:
    """How the quantile follows a bound: the ratio of the densities, times the share of it."""
    finite = np.isfinite(bound)
    safe = np.where(finite, bound, ans)
    return np.where(finite, share * np.exp(0.5 * (ans - safe) * (ans + safe)), 0.0)


def _quantile_jvp(ts: Any, ans: Any, w: Any, lower: Any, upper: Any) -> Any:
    terms = []
    if ts[1] is not None:
        terms.append(ts[1] * _pull(ans, lower, 1 - w))
    if ts[2] is not None:
        terms.append(ts[2] * _pull(ans, upper, w))
    return sum(terms[1:], terms[0]) if terms else None


def truncated_quantile(w: Any, lower: Any, upper: Any) -> Any:
    """The quantile w of a standard normal distribution between bounds; constant in w."""
    return _between(w, lower, upper)[()]


truncated = primitive(
    truncated_quantile,
    jvp=_quantile_jvp,
    vjp=[
        None,
        lambda g, ans, w, lower, upper: g * _pull(ans, lower, 1 - w),
        lambda g, ans, w, lower, upper: g * _pull(ans, upper, w),
    ],
    batch=line_up,
)(lambda w, lower, upper: ((w, lower, upper), {}))
