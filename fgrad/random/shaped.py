"""Distributions with a shape parameter, made of gamma samples: gamma, beta, Dirichlet, t, ...

All are differentiable in their parameters, at fixed quantiles of the gamma samples (`gammas`).
What is a quotient of gamma samples is computed from their logarithms.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import shape_of
from ..errors import ShapeError
from ..tracebacks import boundary
from . import gammas
from .arguments import check_key, check_shape, float_dtype, parameter, positive, sample_shape
from .continuous import signs, start_with, waiting
from .keys import divide, use
from .normals import random_normal

_DOUBLE = np.dtype(np.float64)


def _log_gamma(key: Any, a: Any, shape: tuple[int, ...]) -> Any:
    """Logarithms of gamma samples of a shape, in float64."""
    return gammas.loggamma(key, np.broadcast_to(a.astype(_DOUBLE), shape))


@boundary
def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = float) -> Any:
    """The logarithm of `gamma`, which doesn't underflow for small a."""
    axes, new, (a,) = start_with(key, shape, dtype, "loggamma", a)
    positive("loggamma", "a", a)
    return _log_gamma(key, a, axes).astype(new)


@boundary
def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Numbers with a density proportional to x**(a - 1) exp(-x), differentiable in a > 0.

    >>> from fgrad import grad, random, vmap
    >>> keys = random.split(random.key(0), 1000)
    >>> mean = lambda a: np.mean(vmap(lambda k: random.gamma(k, a))(keys))
    >>> abs(grad(mean)(3.0) - 1) < 0.05  # the mean is a
    True

    Args:
        key: a key.
        a: the shape parameter, greater than 0.
        shape: the shape of the sample; a's, unless given.
        dtype: float64, unless given.

    Raises:
        DomainError: a is not greater than 0. (Where its value is hidden, by vmap or in a graph,
            the sample is NaN.)
    """
    axes, new, (a,) = start_with(key, shape, dtype, "gamma", a)
    positive("gamma", "a", a)
    return np.exp(_log_gamma(key, a, axes)).astype(new)


@boundary
def chisquare(key: Any, df: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Sums of the squares of df standard normal numbers; df > 0 need not be whole."""
    axes, new, (df,) = start_with(key, shape, dtype, "chisquare", df)
    positive("chisquare", "df", df)
    return (2 * np.exp(_log_gamma(key, df / 2, axes))).astype(new)


@boundary
def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Numbers with a density proportional to x**(a - 1) (1 - x)**(b - 1), for a, b > 0."""
    axes, new, (a, b) = start_with(key, shape, dtype, "beta", a, b)
    positive("beta", "a", a)
    positive("beta", "b", b)
    k1, k2 = divide(key, 2)
    x, y = _log_gamma(k1, a, axes), _log_gamma(k2, b, axes)
    return np.exp(-np.logaddexp(0.0, y - x)).astype(new)


@boundary
def f(key: Any, dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Quotients of the means of dfnum and dfden squares of standard normal numbers."""
    axes, new, (n, d) = start_with(key, shape, dtype, "f", dfnum, dfden)
    positive("f", "dfnum", n)
    positive("f", "dfden", d)
    k1, k2 = divide(key, 2)
    x, y = _log_gamma(k1, n / 2, axes), _log_gamma(k2, d / 2, axes)
    return (np.exp(x - y) * (d / n).astype(_DOUBLE)).astype(new)


@boundary
def t(key: Any, df: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Student's t with df > 0 degrees of freedom."""
    axes, new, (df,) = start_with(key, shape, dtype, "t", df)
    positive("t", "df", df)
    k1, k2 = divide(key, 2)
    half = df.astype(_DOUBLE) / 2
    z = random_normal(k1, shape=axes, dtype=_DOUBLE)
    return (z * np.exp(0.5 * (np.log(half) - _log_gamma(k2, half, axes)))).astype(new)


@boundary
def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Vectors of positive numbers whose sum is 1.

    Args:
        key: a key.
        alpha: the concentrations, greater than 0, shape (..., n).
        shape: the shape of the sample without the last axis; alpha's, unless given.
        dtype: float64, unless given.
    """
    check_key(key, "dirichlet")
    new = float_dtype(dtype, "dirichlet")
    alpha = parameter(alpha, new, "dirichlet")
    if not shape_of(alpha):
        raise ShapeError(
            "`dirichlet` wants a vector of concentrations, or several.",
            "a single number",
            "give np.array([a, b, ...]); for two, random.beta(key, a, b) is the first of them",
        )
    positive("dirichlet", "alpha", alpha)
    *front, n = shape_of(alpha)
    axes = sample_shape(shape, "dirichlet", np.empty(front))
    use(key, "dirichlet")
    y = _log_gamma(key, alpha, (*axes, n))
    if n:
        y = y - np.max(y, axis=-1, keepdims=True)
    x = np.exp(y)
    return (x / np.sum(x, axis=-1, keepdims=True)).astype(new)


@boundary
def generalized_normal(key: Any, p: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Numbers with a density proportional to exp(-abs(x)**p), for p > 0."""
    axes, new, (p,) = start_with(key, shape, dtype, "generalized_normal", p)
    positive("generalized_normal", "p", p)
    k1, k2 = divide(key, 2)
    p = p.astype(_DOUBLE)
    return (signs(k2, axes) * np.exp(_log_gamma(k1, 1 / p, axes) / p)).astype(new)


@boundary
def ball(key: Any, d: int, p: Any = 2, shape: Any = (), dtype: Any = float) -> Any:
    """Points of the ball of d dimensions in the norm p > 0, all equally likely.

    F. Barthe, O. Guedon, S. Mendelson, A. Naor, A probabilistic approach to the geometry of the
    l_p^n-ball (2005).
    """
    check_key(key, "ball")
    new = float_dtype(dtype, "ball")
    (size,) = check_shape((d,), "ball")
    p = parameter(p, _DOUBLE, "ball")
    axes = sample_shape(check_shape(shape, "ball"), "ball", p)
    positive("ball", "p", p)
    use(key, "ball")
    k1, k2, k3 = divide(key, 3)
    powers = _log_gamma(k1, np.expand_dims(1 / p, -1), (*axes, size))
    total = np.sum(np.exp(powers), axis=-1) + waiting(k2, axes)
    x = np.exp((powers - np.expand_dims(np.log(total), -1)) / np.expand_dims(p, -1))
    return (signs(k3, (*axes, size)) * x).astype(new)
