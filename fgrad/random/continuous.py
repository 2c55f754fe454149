"""Continuous distributions that are functions of uniform or normal numbers.

Parameters enter by such functions, so samples are differentiable in them: the mean of a loss over
samples of ``mean + std * normal(key)`` has its derivative in both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import is_a
from ..errors import DtypeError
from ..ops.casts import stop_gradient_leaf
from ..tracebacks import boundary
from .arguments import (
    any_dtype,
    check_key,
    check_shape,
    float_dtype,
    integer_dtype,
    parameter,
    positive,
    require,
    sample_shape,
)
from .keys import divide, use
from .normals import random_normal, random_open_uniform, random_uniform, random_words, truncated

_DOUBLE = np.dtype(np.float64)


def start(key: Any, shape: Any, dtype: Any, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Take the key, the shape and the dtype of floating-point numbers from the user."""
    check_key(key, name)
    new = float_dtype(dtype, name)
    axes = check_shape(shape, name)
    use(key, name)
    return axes, new


def start_with(
    key: Any, shape: Any, dtype: Any, name: str, *parameters: Any
) -> tuple[tuple[int, ...], np.dtype[Any], list[Any]]:
    """`start` for a distribution with parameters, which may give the shape."""
    check_key(key, name)
    new = float_dtype(dtype, name)
    values = [parameter(x, new, name) for x in parameters]
    axes = sample_shape(shape, name, *values)
    use(key, name)
    return axes, new, values


# ------------------------------------------------------------------ uniform
@boundary
def bits(key: Any, shape: Any = (), dtype: Any = np.uint64) -> Any:
    """Random bits, as integers: all of an integer dtype's are equally likely.

    Args:
        key: a key.
        shape: the shape of the sample.
        dtype: an integer dtype. JAX's default is uint32.
    """
    check_key(key, "bits")
    new = integer_dtype(dtype, "bits")
    axes = check_shape(shape, "bits")
    use(key, "bits")
    words = random_words(key, shape=axes)
    return (words >> np.uint64(64 - 8 * new.itemsize)).astype(new)


@boundary
def uniform(
    key: Any, shape: Any = (), dtype: Any = float, minval: Any = 0.0, maxval: Any = 1.0
) -> Any:
    """Numbers from minval to maxval, all equally likely; maxval itself is not among them.

    >>> from fgrad import random
    >>> random.uniform(random.key(0), (2,))
    array([0.59994247, 0.18267614])

    Args:
        key: a key.
        shape: the shape of the sample, to which the bounds broadcast.
        dtype: float64, unless given. (JAX's default is float32.) Narrower ones get the same
            numbers, rounded down.
        minval, maxval: the bounds, with derivatives.

    Raises:
        DomainError: minval is greater than maxval.
    """
    if is_a(minval, (int, float)) and is_a(maxval, (int, float)) and (minval == 0 and maxval == 1):
        axes, new = start(key, shape, dtype, "uniform")
        return random_uniform(key, shape=axes, dtype=new)
    axes, new, (low, high) = start_with(key, shape, dtype, "uniform", minval, maxval)
    require(
        "uniform", "minval <= maxval", np.greater, low, high,
        to_do="exchange them",
    )  # fmt: skip
    u = random_uniform(key, shape=axes, dtype=new)
    x = low + u * (high - low)
    # Rounding may reach maxval, or pass it: step back to the number before.
    below = np.nextafter(stop_gradient_leaf(high), stop_gradient_leaf(low))
    over = np.logical_and(np.greater(x, below), np.less(low, high))
    return x - stop_gradient_leaf(np.where(over, x - below, 0))


# ------------------------------------------------------------------ normal
@boundary
def normal(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Standard normal numbers.

    >>> from fgrad import grad, random
    >>> k = random.key(0)
    >>> grad(lambda std: (3.0 + std * random.normal(k)) ** 2)(0.1)  # 2 (3 + 0.1 z) z
    -7.3626...

    Args:
        key: a key.
        shape: the shape of the sample.
        dtype: float64, unless given. (JAX's default is float32.) Complex ones have independent
            real and imaginary parts, of variance 1/2 each.
    """
    check_key(key, "normal")
    complex_ = np.dtype(dtype) if _is_complex(dtype) else None
    new = complex_ or float_dtype(dtype, "normal")
    axes = check_shape(shape, "normal")
    use(key, "normal")
    return random_normal(key, shape=axes, dtype=new)


def _is_complex(dtype: Any) -> bool:
    try:
        return np.dtype(dtype).char in "FD"
    except TypeError:
        return False


@boundary
def truncated_normal(
    key: Any, lower: Any, upper: Any, shape: Any = None, dtype: Any = float
) -> Any:
    """Standard normal numbers between bounds, which may be far out.

    >>> from fgrad import random
    >>> bool(random.truncated_normal(random.key(0), 10.0, np.inf) > 10)
    True

    Args:
        key: a key.
        lower, upper: the bounds, with derivatives; infinite ones too.
        shape: the shape of the sample; that of the bounds together, unless given.
        dtype: float64, unless given.

    Raises:
        DomainError: lower is greater than upper.
    """
    axes, new, (low, high) = start_with(key, shape, dtype, "truncated_normal", lower, upper)
    require("truncated_normal", "lower <= upper", np.greater, low, high, to_do="exchange them")
    w = random_open_uniform(key, shape=axes)
    return truncated(w, low.astype(_DOUBLE), high.astype(_DOUBLE)).astype(new)


@boundary
def lognormal(key: Any, sigma: Any = 1.0, shape: Any = None, dtype: Any = float) -> Any:
    """Numbers whose logarithm is normal with standard deviation sigma."""
    axes, new, (s,) = start_with(key, shape, dtype, "lognormal", sigma)
    return np.exp(s * random_normal(key, shape=axes, dtype=new))


@boundary
def maxwell(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Lengths of three-dimensional standard normal vectors."""
    axes, new = start(key, shape, dtype, "maxwell")
    z = random_normal(key, shape=(*axes, 3), dtype=_DOUBLE)
    return np.sqrt(np.sum(z * z, axis=-1)).astype(new)


@boundary
def double_sided_maxwell(
    key: Any, loc: Any, scale: Any, shape: Any = None, dtype: Any = float
) -> Any:
    """``loc + scale * m``, where m is `maxwell` with either sign."""
    name = "double_sided_maxwell"
    axes, new, (at, wide) = start_with(key, shape, dtype, name, loc, scale)
    k1, k2 = divide(key, 2)
    z = random_normal(k1, shape=(*axes, 3), dtype=_DOUBLE)
    return at + wide * (signs(k2, axes) * np.sqrt(np.sum(z * z, axis=-1))).astype(new)


# ------------------------------------------------------------------ functions of uniform numbers
def signs(key: Any, shape: tuple[int, ...]) -> Any:
    """1.0 or -1.0."""
    return 1.0 - 2.0 * (random_words(key, shape=shape) >> np.uint64(63)).astype(_DOUBLE)


def waiting(key: Any, shape: tuple[int, ...]) -> Any:
    """`exponential`, in float64."""
    return -np.log(random_open_uniform(key, shape=shape))


@boundary
def exponential(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Numbers with the density exp(-x)."""
    axes, new = start(key, shape, dtype, "exponential")
    return waiting(key, axes).astype(new)


@boundary
def gumbel(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Numbers with the distribution function exp(-exp(-x)): those of the largest of many."""
    axes, new = start(key, shape, dtype, "gumbel")
    return (-np.log(waiting(key, axes))).astype(new)


@boundary
def laplace(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Numbers with the density exp(-abs(x)) / 2."""
    axes, new = start(key, shape, dtype, "laplace")
    u = 2 * random_open_uniform(key, shape=axes) - 1
    return (-np.sign(u) * np.log1p(-np.abs(u))).astype(new)


@boundary
def logistic(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Numbers with the distribution function 1 / (1 + exp(-x))."""
    axes, new = start(key, shape, dtype, "logistic")
    u = random_open_uniform(key, shape=axes)
    return (np.log(u) - np.log1p(-u)).astype(new)


@boundary
def cauchy(key: Any, shape: Any = (), dtype: Any = float) -> Any:
    """Numbers with the density 1 / (pi (1 + x**2))."""
    axes, new = start(key, shape, dtype, "cauchy")
    return np.tan(math.pi * (random_open_uniform(key, shape=axes) - 0.5)).astype(new)


@boundary
def rayleigh(key: Any, scale: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Lengths of plane normal vectors with standard deviation scale."""
    axes, new, (s,) = start_with(key, shape, dtype, "rayleigh", scale)
    return s * np.sqrt(2 * waiting(key, axes)).astype(new)


@boundary
def pareto(key: Any, b: Any, shape: Any = None, dtype: Any = float) -> Any:
    """Numbers x >= 1 with the density b x**(-b - 1), for b > 0."""
    axes, new, (power,) = start_with(key, shape, dtype, "pareto", b)
    positive("pareto", "b", power)
    return np.exp(waiting(key, axes).astype(new) / power)


@boundary
def weibull_min(
    key: Any, scale: Any, concentration: Any, shape: Any = None, dtype: Any = float
) -> Any:
    """Numbers with the distribution function 1 - exp(-(x / scale)**concentration)."""
    axes, new, (s, c) = start_with(key, shape, dtype, "weibull_min", scale, concentration)
    positive("weibull_min", "concentration", c)
    return s * np.exp(np.log(waiting(key, axes)).astype(new) / c)


@boundary
def triangular(
    key: Any, left: Any, mode: Any, right: Any, shape: Any = None, dtype: Any = float
) -> Any:
    """Numbers from left to right, the density rising to the mode and falling behind it."""
    axes, new, (a, c, b) = start_with(key, shape, dtype, "triangular", left, mode, right)
    require(
        "triangular", "left <= mode <= right", lambda a, c, b: (a > c) | (c > b), a, c, b,
        to_do="put them in order",
    )  # fmt: skip
    u = random_open_uniform(key, shape=axes).astype(new)
    rising = np.less(u * (b - a), c - a)
    # The square of the distance to the bound on that side, over u or 1 - u.
    near = np.where(rising, c - a, b - c) * (b - a)
    share, one = np.where(rising, u, 1 - u), new.type(1)
    return np.where(rising, a, b) + np.where(rising, one, -one) * np.sqrt(share * near)


@boundary
def rademacher(key: Any, shape: Any = (), dtype: Any = int) -> Any:
    """1 or -1, equally likely."""
    check_key(key, "rademacher")
    new = any_dtype(dtype, "rademacher")
    if new.kind not in "if":
        raise DtypeError(
            "`rademacher` wants a dtype that has -1.", f"dtype={new}", "leave dtype away for int64"
        )
    axes = check_shape(shape, "rademacher")
    use(key, "rademacher")
    return signs(key, axes).astype(new)
