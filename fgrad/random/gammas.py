"""Gamma samples, and how they move with the shape parameter.

The samples are those of G. Marsaglia and W. W. Tsang, A simple method for generating gamma
variables (2000), kept as logarithms: for a small shape parameter the numbers themselves underflow.

What is differentiated is the quantile function, at the quantile that was drawn (M. Figurnov,
S. Mohamed, A. Mnih, Implicit reparameterization gradients, 2018): with F the distribution function
in x = exp(y) and f its density, dy/da = -(dF/da) / (x f). The derivative of F in a is the integral
from 0 to x of (log t - digamma(a)) f(t) dt, and minus the same from x on. Of the two that one is
taken whose integrand has one sign, so nothing cancels; divided by x f, with t = x exp(-s) or
x exp(s), only exponentials of small numbers are left in it. All is NumPy, so it can be
differentiated again.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..ops.casts import stop_gradient_leaf
from ..rules import line_up, primitive
from .keys import sampler
from .normals import normal_of, open_uniform
from .philox import Purpose
from .trials import accepted


@sampler
def random_loggamma(key: Any, a: Any) -> Any:
    """The logarithm of a gamma sample for each a > 0."""
    shape = np.shape(a)
    flat = np.ravel(a)
    good = (flat > 0) & np.isfinite(flat)
    flat = np.where(good, flat, 1.0)
    small = flat < 1
    d = flat + small - 1 / 3
    c = 1 / np.sqrt(9 * d)

    def propose(w: Any, i: Any) -> Any:
        z = normal_of(np.ascontiguousarray(w[:, 0]))
        step = c[i] * z
        inside = step > -1
        step = np.where(inside, step, 0.0)
        log = 3 * np.log1p(step)
        # The logarithm of the density's ratio, d + d log(v) - d v for v = (1 + step)**3.
        bound = 0.5 * z * z + d[i] * (log - step * (3 + step * (3 + step)))
        (low,) = np.nonzero(small[i])  # for a < 1 a sample of a + 1, times u**(1 / a)
        log[low] += np.log(open_uniform(w[low, 2])) / flat[i[low]]
        return log, inside & (np.log(open_uniform(w[:, 1])) < bound)

    y = np.log(d) + accepted(key, shape, Purpose.GAMMA, propose)
    outside = np.where(np.ravel(a) == np.inf, np.inf, np.nan)
    return np.asarray(np.where(good, y, outside)).reshape(shape)


# ------------------------------------------------------------------ the derivative
def _tanh_sinh(step: float, count: int) -> tuple[Any, Any]:
    """Nodes and weights of the integral from 0 to 1 (Takahasi and Mori, 1974)."""
    u = step * np.arange(-count, count + 1)
    arc = 0.5 * math.pi * np.sinh(u)
    nodes = 1 / (1 + np.exp(-2 * arc))
    return nodes, step * 0.25 * math.pi * np.cosh(u) / np.square(np.cosh(arc))


_NODES, _WEIGHTS = _tanh_sinh(0.0625, 50)

#: Where an integrand ends: at exp(-42) of its greatest value.
_DECAY = 42.0
#: How many numbers an integrand is asked for at once.
_BLOCK = 2**16


def _integral(f: Any, length: Any, *xs: Any) -> Any:
    """The integral of ``f(s, *xs)`` from 0 to a length."""
    count = max(1, _BLOCK // max(1, np.size(length)))
    xs = tuple(np.expand_dims(x, -1) for x in xs)
    scale = np.expand_dims(length, -1)
    out = 0.0
    for k in range(0, len(_NODES), count):
        values = f(scale * _NODES[k : k + count], *xs)
        out = out + np.sum(values * _WEIGHTS[k : k + count], -1) * length
    return out


#: B_2k / 2k of the even Bernoulli numbers from k = 1, for DLMF 5.11.2.
_SERIES = [1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160]
_SHIFTS = np.arange(10.0)


def _digamma(a: Any) -> Any:
    """The digamma function of a > 0: DLMF 5.5.2 ten times, then 5.11.2."""
    b = a + 10
    u = 1 / (b * b)
    series = 0.0
    for c in reversed(_SERIES):
        series = (series + c) * u
    near = np.sum(1 / (np.expand_dims(a, -1) + _SHIFTS), -1)
    return np.log(b) - 0.5 / b - series - near


def _integrals(a: Any, y: Any) -> Any:
    """dy/da, from x down where log(x) is below digamma(a), else from x up."""
    x = np.exp(y)
    gap = y - _digamma(a)
    low = np.less(stop_gradient_leaf(gap), 0)
    side = np.where(low, -1.0, 1.0)
    known = stop_gradient_leaf(a), stop_gradient_leaf(x)
    length = np.where(low, _length_down(*known), _length_up(*known))

    def f(s: Any, a: Any, x: Any, gap: Any, side: Any) -> Any:
        t = side * s
        return np.exp(a * t - x * np.expm1(t)) * (s + gap)

    return _integral(f, length, a, x, side * gap, side)


def _length_down(a: Any, x: Any) -> Any:
    """Where a s - x (1 - exp(-s)) has grown to `_DECAY`: the root of a quadratic below it."""
    b = 2 * (a - x) - _DECAY
    root = np.sqrt(b * b + 8 * _DECAY * a)
    falling = b < 0
    return np.where(falling, (root - b) / (2 * a), 4 * _DECAY / (np.abs(b) + root))


def _length_up(a: Any, x: Any) -> Any:
    """Where x (exp(s) - 1) - a s has: likewise, and where x exp(s) alone has."""
    b = x - a
    root = np.sqrt(b * b + 2 * _DECAY * x)
    length = np.where(b < 0, (root - b) / x, 2 * _DECAY / (np.abs(b) + root))
    for _ in range(3):
        length = np.minimum(length, np.log1p((_DECAY + a * length) / x))
    return length


#: From here on the expansion for large a has all digits, and the integrals lose some.
_LARGE = 2e5


#: Below this logarithm a number is 0 beside 1.
_TINY = -37.0


def _asymptotic(a: Any, y: Any) -> Any:
    """dy/da by the quantile's expansion in powers of 1 / sqrt(a), at the normal quantile z.

    E. A. Cornish, R. A. Fisher, The percentile points of distributions having known cumulants
    (1960): x = a + r z + (z**2 - 1)/3 + (z**3 - 7z)/(36r) - (3z**4 + 7z**2 - 16)/(810a) + ...
    with r = sqrt(a).
    """
    r = np.sqrt(a)
    x = np.exp(y)
    whole = (x - a) / r
    z = whole
    for _ in range(5):
        z2 = z * z
        z = (
            whole
            - ((z2 - 1) / 3 + (z * (z2 - 7) / 36 - ((3 * z2 + 7) * z2 - 16) / (810 * r)) / r) / r
        )
    z2 = z * z
    slope = z * (z2 - 7) / 72 - ((3 * z2 + 7) * z2 - 16) / (810 * r)
    return (1 + (0.5 * z - slope / a) / r) / x


def loggamma_slope(a: Any, y: Any) -> Any:
    """dy/da at a fixed quantile, where exp(y) has the gamma distribution of shape a."""
    good = np.logical_and(np.isfinite(y), np.greater(a, 0))
    large = np.logical_and(good, np.greater(a, _LARGE))
    tiny = np.logical_and(good, np.less(y, _TINY))
    inside = np.logical_and(good, np.logical_not(np.logical_or(large, tiny)))
    a_safe, y_safe = np.where(inside, a, 1.0), np.where(inside, y, 0.0)
    far = _asymptotic(np.where(large, a, _LARGE), np.where(large, y, math.log(_LARGE)))
    slope = np.where(large, far, _integrals(a_safe, y_safe))
    # Near 0 the distribution function is x**a / gamma(a + 1).
    a_safe = np.where(tiny, a, 1.0)
    slope = np.where(tiny, (_digamma(a_safe + 1) - np.where(tiny, y, _TINY)) / a_safe, slope)
    return np.where(good, slope, np.nan)


def loggamma_path(y: Any, a: Any) -> Any:
    """The sample y, as it moves with the shape parameter a at a fixed quantile; constant in y."""
    return np.copy(y)[()]


moving = primitive(
    loggamma_path,
    jvp=lambda ts, ans, y, a: None if ts[1] is None else ts[1] * loggamma_slope(a, ans),
    vjp=[None, lambda g, ans, y, a: g * loggamma_slope(a, ans)],
    batch=line_up,
)(lambda y, a: ((y, a), {}))


def loggamma(key: Any, a: Any) -> Any:
    """The logarithm of a gamma sample, of a's shape, with its derivative in a."""
    return moving(stop_gradient_leaf(random_loggamma(key, a)), a)
