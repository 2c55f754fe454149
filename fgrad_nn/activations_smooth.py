"""Smooth activations: functions of single numbers, each with its derivative.

All are finite where their limits are, at infinities too: silu(-inf) is 0, and so is its slope.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import fgrad
from fgrad.tracebacks import boundary

from .masks import fractional


def gate(x: Any, s: Any) -> Any:
    """X times s, and 0 where s is 0, although x may be infinite there."""
    return np.where(np.equal(s, 0), 0, x) * s


def _sigmoid(x: Any) -> Any:
    x = fractional(x)
    e = np.exp(-np.abs(x))
    return np.where(np.greater_equal(x, 0), 1.0, e)[()] / (1 + e)


def sigmoid_of(x: Any) -> Any:
    """1 / (1 + exp(-x)), to full precision for negative x too.

    >>> sigmoid(0.0), bool(sigmoid(-40.0) > 4e-18)
    (np.float64(0.5), True)
    """
    return _sigmoid(x)


# Slopes are differentiated again, and abs has a kink at 0 that the sigmoid hasn't: they are made
# of `sigmoid`, never of its formula.
sigmoid: Callable[..., Any] = fgrad.elementwise(
    sigmoid_of, lambda ans, x: ans * sigmoid(-x), name="sigmoid", formula=True
)


@boundary
def softplus(x: Any) -> Any:
    """log(1 + exp(x)), which doesn't overflow.

    >>> softplus(1000.0)
    np.float64(1000.0)

    Args:
        x: real arrays of any shape.
    """
    return np.logaddexp(x, 0.0)


@boundary
def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), which is finite where the sigmoid underflows.

    >>> log_sigmoid(-1000.0)
    np.float64(-1000.0)
    """
    return -np.logaddexp(-x, 0.0)


def _silu(x: Any) -> Any:
    return gate(x, _sigmoid(x))


def _silu_slope(ans: Any, x: Any) -> Any:
    s, rest = sigmoid(x), sigmoid(-x)
    return s + gate(x, s * rest)


_silu_rule = fgrad.elementwise(_silu, _silu_slope, name="silu", formula=True)


@boundary
def silu(x: Any) -> Any:
    """X * sigmoid(x), also called swish: Hendrycks & Gimpel 2016, Ramachandran et al. 2017.

    >>> silu(np.array([0.0, 1000.0, -np.inf]))
    array([   0., 1000.,    0.])
    """
    return _silu_rule(x)


swish = silu


def _mish(x: Any) -> Any:
    return gate(x, np.tanh(np.logaddexp(x, 0.0)))


def _mish_slope(ans: Any, x: Any) -> Any:
    th = np.tanh(np.logaddexp(x, 0.0))
    return th + gate(x, (1 - th * th) * sigmoid(x))


_mish_rule = fgrad.elementwise(_mish, _mish_slope, name="mish", formula=True)


@boundary
def mish(x: Any) -> Any:
    """X * tanh(softplus(x)): Misra 2019.

    >>> mish(np.array([0.0, 1000.0, -np.inf]))
    array([   0., 1000.,    0.])
    """
    return _mish_rule(x)


# ------------------------------------------------------------------ gelu
_C = math.sqrt(2 / math.pi)


def _near(x: Any) -> Any:
    """X as far as its gate is neither 0 nor 1 in any dtype; powers of it don't overflow."""
    return np.minimum(np.maximum(x, -30.0), 30.0)


def _tanh_argument(x: Any) -> Any:
    """The argument of the sigmoid that stands in for the normal distribution; it has x's sign."""
    x = _near(x)
    return 2 * _C * x * (1 + 0.044715 * x * x)


def _gelu_tanh(x: Any) -> Any:
    return gate(x, _sigmoid(_tanh_argument(x)))


def _gelu_tanh_slope(ans: Any, x: Any) -> Any:
    u, x = _tanh_argument(x), _near(x)
    s = sigmoid(u)
    return s + x * (s * sigmoid(-u)) * (2 * _C * (1 + 3 * 0.044715 * x * x))


_gelu_tanh_rule = fgrad.elementwise(
    _gelu_tanh, _gelu_tanh_slope, name="gelu_tanh", formula=_gelu_tanh
)

# W. J. Cody 1969, Rational Chebyshev approximations for the error function: for erf(x) / x near 0,
# for erfc(x) exp(x**2) up to 4, and for what is left of its asymptotic series beyond.
_NEAR = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip
_FAR = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1,
     1.25781726111229246e-1, 1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242, 1.87295284992346725, 5.27905102951428412e-1,
     6.05183413124413191e-2, 2.33520497626869185e-3),
)  # fmt: skip


def _ratio(z: Any, polynomials: Any) -> Any:
    top, bottom = (_horner(z, p) for p in polynomials)
    return top / bottom


def _horner(z: Any, coefficients: Any) -> Any:
    out = coefficients[0] + 0 * z
    for c in coefficients[1:]:
        out = out * z + c
    return out


def _normal_cdf(x: Any) -> Any:
    """The standard normal distribution function, to full relative precision in its lower tail."""
    y = np.abs(x) / math.sqrt(2)
    near = np.minimum(y, 0.46875)
    middle = np.clip(y, 0.46875, 4.0)
    far = 1 / np.square(np.clip(y, 4.0, 1e3))
    # exp(-y**2) in two factors, of which the first has an exact argument.
    with np.errstate(under="ignore"):
        z = np.minimum(y, 40.0)
        coarse = np.floor(z * 16) / 16
        bell = np.exp(-coarse * coarse) * np.exp(-(z - coarse) * (z + coarse))
        tail = bell * np.where(
            y <= 4,
            _ratio(middle, _MIDDLE),
            np.sqrt(far) * (1 / math.sqrt(math.pi) - far * _ratio(far, _FAR)),
        )
    tail = np.where(y <= 0.46875, 1 - near * _ratio(near * near, _NEAR), tail)
    return np.where(np.isnan(x), x, np.where(np.less(x, 0), 0.5 * tail, 1 - 0.5 * tail))


def _gelu(x: Any) -> Any:
    return gate(x, _normal_cdf(x))


def _gelu_slope(ans: Any, x: Any) -> Any:
    near = np.clip(x, -40, 40)  # beyond, the density is 0 in all dtypes
    return normal_cdf(x) + near * _density(near)


def _density(x: Any) -> Any:
    with np.errstate(under="ignore"):
        return np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)


normal_cdf = fgrad.elementwise(
    _normal_cdf,
    lambda ans, x: _density(np.clip(x, -40, 40)),
    name="fgrad_nn_normal_cdf",
    formula=_normal_cdf,
)
_gelu_rule = fgrad.elementwise(_gelu, _gelu_slope, name="gelu", formula=_gelu)


@boundary
def gelu(x: Any, approximate: bool = True) -> Any:
    """X times the probability of a normal number below x: Hendrycks & Gimpel 2016.

    >>> gelu(np.array([0.0, 1000.0, -np.inf]))
    array([   0., 1000.,    0.])
    >>> gelu(1.0).round(6), gelu(1.0, approximate=False).round(6)
    (np.float64(0.841192), np.float64(0.841345))

    Args:
        x: real arrays of any shape.
        approximate: whether the probability is their approximation by a tanh, which is the
            default as in JAX (in PyTorch it isn't), and several times as fast.
    """
    return _gelu_tanh_rule(x) if approximate else _gelu_rule(x)


# ------------------------------------------------------------------ exponential below zero
def _low(x: Any) -> Any:
    return np.minimum(x, 0)


_elu = fgrad.elementwise(
    lambda x, alpha: np.where(np.greater(x, 0), x, alpha * np.expm1(_low(x))),
    # At 0 the smaller of both slopes, where alpha isn't 1.
    lambda ans, x, alpha: np.where(
        np.equal(x, 0), np.clip(alpha, -1, 1) if np.ndim(alpha) == 0 else np.minimum(alpha, 1),
        np.where(np.greater(x, 0), 1, alpha * np.exp(_low(x))),
    ),
    lambda ans, x, alpha: np.where(np.greater(x, 0), 0, np.expm1(_low(x))),
    name="elu", formula=True,
)  # fmt: skip


@boundary
def elu(x: Any, alpha: Any = 1.0) -> Any:
    """X above 0, alpha * (exp(x) - 1) below: Clevert, Unterthiner & Hochreiter 2015.

    >>> elu(np.array([2.0, -np.inf]))
    array([ 2., -1.])

    At 0 the derivative is the smaller one of both sides.
    """
    return _elu(x, alpha)


#: Klambauer et al. 2017, Self-normalizing neural networks: mean 0 and variance 1 stay.
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@boundary
def selu(x: Any) -> Any:
    """`elu` with the constants that let mean 0 and variance 1 stay: Klambauer et al. 2017.

    >>> selu(np.array([1.0, -np.inf])).round(6)
    array([ 1.050701, -1.758099])
    """
    return SELU_SCALE * _elu(x, SELU_ALPHA)


def _celu_of(x: Any, alpha: Any) -> Any:
    return np.where(np.greater(x, 0), x, alpha * np.expm1(_low(x) / alpha))


_celu = fgrad.elementwise(
    _celu_of,
    lambda ans, x, alpha: np.exp(_low(x) / alpha),
    lambda ans, x, alpha: (
        np.expm1(_low(x) / alpha) - gate(_low(x) / alpha, np.exp(_low(x) / alpha))
    ),
    name="celu",
    formula=True,
)


@boundary
def celu(x: Any, alpha: Any = 1.0) -> Any:
    """X above 0, alpha * (exp(x / alpha) - 1) below: Barron 2017; smooth for any alpha > 0.

    >>> celu(np.array([2.0, -np.inf]), 3.0)
    array([ 2., -3.])
    """
    return _celu(x, alpha)


# ------------------------------------------------------------------ algebraic
_softsign = fgrad.elementwise(
    lambda x: np.where(np.isinf(x), np.sign(x), x) / (1 + np.where(np.isinf(x), 0, np.abs(x))),
    lambda ans, x: np.square(1 / (1 + np.abs(x))), name="softsign", formula=True,
)  # fmt: skip


@boundary
def softsign(x: Any) -> Any:
    """X / (1 + abs(x)): Turian, Bergstra & Bengio 2009.

    >>> softsign(np.array([1.0, -np.inf]))
    array([ 0.5, -1. ])
    """
    return _softsign(x)


soft_sign = softsign


def _squareplus_of(x: Any, b: Any) -> Any:
    root = np.hypot(x, b**0.5)
    # For x < 0 the sum would cancel: it is b over the difference.
    total = root + np.abs(x)
    safe = np.where(np.equal(total, 0), 1, total)
    return 0.5 * np.where(np.greater(x, 0), total, b / safe)


def _root(x: Any, b: Any) -> Any:
    root = np.hypot(x, b**0.5)
    return np.where(np.equal(root, 0), 1, root)


_squareplus = fgrad.elementwise(
    _squareplus_of,
    lambda ans, x, b: np.where(
        np.isinf(x), np.greater(x, 0), ans / _root(np.where(np.isinf(x), 1, x), b)
    ),
    lambda ans, x, b: 0.25 / _root(x, b),
    name="squareplus",
    formula=_squareplus_of,
)


@boundary
def squareplus(x: Any, b: Any = 4.0) -> Any:
    """(x + sqrt(x**2 + b)) / 2: Barron 2021, a softplus of square roots.

    >>> squareplus(np.array([0.0, 1e6]))
    array([1.e+00, 1.e+06])

    Args:
        x: real arrays of any shape.
        b: how smooth it is; 0 is relu.
    """
    return _squareplus(x, b)
