"""Starting values for parameters: functions of a key, a shape and a dtype.

The names and arguments are those of `jax.nn.initializers`; the dtype is float64 if none is given.
`he_normal()` makes an initializer, `he_normal()(key, shape, dtype)` draws. The last two axes of a
shape are the inputs and the outputs of a weight, those before it are the window of a convolution.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad import random
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from .initializers_structured import Initializer as Initializer
from .initializers_structured import delta_orthogonal as delta_orthogonal
from .initializers_structured import dirac as dirac
from .initializers_structured import identity as identity
from .initializers_structured import orthogonal as orthogonal
from .initializers_structured import sparse as sparse

#: The standard deviation of a standard normal variable that is cut off at -2 and 2.
_TRUNCATED = 0.8796256610342398


# ------------------------------------------------------------------ constants
@boundary
def zeros(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
    """Zeros; the key isn't used.

    >>> zeros(None, (2,))
    array([0., 0.])
    """
    return np.zeros(shape, dtype)


@boundary
def ones(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
    """Ones; the key isn't used.

    >>> ones(None, (2,), np.float32)
    array([1., 1.], dtype=float32)
    """
    return np.ones(shape, dtype)


@boundary
def constant(value: Any) -> Initializer:
    """Fill with a value, or with an array that broadcasts to the shape.

    >>> constant(0.5)(None, (2,))
    array([0.5, 0.5])
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        return np.full(shape, value, dtype)

    return init


# ------------------------------------------------------------------ plain distributions
@boundary
def normal(stddev: float = 1e-2) -> Initializer:
    """Draw from a normal distribution of mean 0.

    >>> bool(abs(normal(0.5)(random.key(0), (1000,)).std() - 0.5) < 0.05)
    True
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        return _scaled(random.normal(key, shape, dtype), stddev)

    return init


@boundary
def truncated_normal(stddev: float = 1e-2, lower: float = -2.0, upper: float = 2.0) -> Initializer:
    """Draw from a normal distribution that is cut off at so many standard deviations.

    >>> bool(np.max(np.abs(truncated_normal(0.5)(random.key(0), (1000,)))) <= 1.0)
    True

    Args:
        stddev: the standard deviation before cutting.
        lower: where it is cut off below, in standard deviations.
        upper: where it is cut off above.
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        return _scaled(random.truncated_normal(key, lower, upper, shape, dtype), stddev)

    return init


@boundary
def uniform(scale: float = 1e-2) -> Initializer:
    """Draw uniformly from [0, scale), as JAX does; `symmetric_uniform` has both signs.

    >>> bool(np.all(uniform(3.0)(random.key(0), (9,)) >= 0))
    True
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        return _scaled(random.uniform(key, shape, dtype), scale)

    return init


@boundary
def symmetric_uniform(scale: float = 1e-2) -> Initializer:
    """Draw uniformly from [-scale, scale).

    >>> bool(np.min(symmetric_uniform(3.0)(random.key(0), (9,))) < 0)
    True
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        return _scaled(random.uniform(key, shape, dtype, -1.0, 1.0), scale)

    return init


def _scaled(x: Any, scale: float) -> Any:
    """x times a number, in the dtype of x; a single number stays an array."""
    out = x * x.dtype.type(scale)
    return np.asarray(out) if is_a(out, np.generic) else out


# ------------------------------------------------------------------ by the number of inputs
@boundary
def variance_scaling(
    scale: float, mode: str, distribution: str, in_axis: int = -2, out_axis: int = -1
) -> Initializer:
    """Draw numbers of the variance scale / n, where n is a number of inputs or outputs.

    >>> w = variance_scaling(2.0, "fan_in", "normal")(random.key(0), (500, 20))
    >>> bool(abs(w.var() * 500 / 2.0 - 1) < 0.05)
    True

    Args:
        scale: a positive number.
        mode: what n is: "fan_in", "fan_out", "fan_avg" (their mean) or "fan_geo_avg" (the square
            root of their product). The axes that are neither inputs nor outputs count for both.
        distribution: "normal", "truncated_normal" (cut off at two standard deviations, and
            scaled to the same variance) or "uniform".
        in_axis: the axis of the inputs.
        out_axis: the axis of the outputs.

    Raises:
        ArgumentError: there is no such mode or distribution.
        ShapeError: the initializer is given a shape without these axes.
    """
    if mode not in ("fan_in", "fan_out", "fan_avg", "fan_geo_avg"):
        raise ArgumentError(
            "variance_scaling wants a mode.", describe(mode),
            'pass "fan_in", "fan_out", "fan_avg" or "fan_geo_avg"',
        )  # fmt: skip
    if distribution not in ("normal", "truncated_normal", "uniform"):
        raise ArgumentError(
            "variance_scaling wants a distribution.", describe(distribution),
            'pass "normal", "truncated_normal" or "uniform"',
        )  # fmt: skip
    if not (is_a(scale, (int, float, np.number)) and scale > 0 and math.isfinite(scale)):
        raise ArgumentError(
            "variance_scaling wants a scale, a positive number.", describe(scale), "pass 1.0"
        )

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        fan_in, fan_out = _fans(tuple(shape), in_axis, out_axis)
        n = {
            "fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2,
            "fan_geo_avg": math.sqrt(fan_in * fan_out),
        }[mode]  # fmt: skip
        stddev = math.sqrt(scale / n)
        if distribution == "normal":
            return normal(stddev)(key, shape, dtype)
        if distribution == "truncated_normal":
            return truncated_normal(stddev / _TRUNCATED)(key, shape, dtype)
        return symmetric_uniform(math.sqrt(3) * stddev)(key, shape, dtype)

    return init


def _fans(shape: tuple[int, ...], in_axis: int, out_axis: int) -> tuple[int, int]:
    """How many inputs an output has, and how many outputs an input."""
    n = len(shape)
    if n < 2 or not all(-n <= a < n for a in (in_axis, out_axis)) or min(shape) < 1:
        raise ShapeError(
            "An initializer that scales by the number of inputs wants the axes "
            f"{in_axis} and {out_axis}, and no axis of length 0.",
            f"the shape {shape}",
            "take initializers.normal or zeros for vectors such as a bias",
        )
    window = math.prod(shape) // (shape[in_axis] * shape[out_axis])
    return window * shape[in_axis], window * shape[out_axis]


@boundary
def glorot_uniform(in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Draw uniformly, with the variance 2 / (inputs + outputs): Glorot & Bengio 2010.

    >>> glorot_uniform()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(1.0, "fan_avg", "uniform", in_axis, out_axis)


@boundary
def glorot_normal(in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Draw truncated normal numbers of the variance 2 / (inputs + outputs).

    >>> glorot_normal()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(1.0, "fan_avg", "truncated_normal", in_axis, out_axis)


@boundary
def he_uniform(in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Draw uniformly, with the variance 2 / inputs, for relu: He et al. 2015.

    >>> he_uniform()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(2.0, "fan_in", "uniform", in_axis, out_axis)


@boundary
def he_normal(in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Draw truncated normal numbers of the variance 2 / inputs, for relu: He et al. 2015.

    >>> he_normal()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(2.0, "fan_in", "truncated_normal", in_axis, out_axis)


@boundary
def lecun_uniform(in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Draw uniformly, with the variance 1 / inputs: LeCun et al. 1998, Efficient backprop.

    >>> lecun_uniform()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(1.0, "fan_in", "uniform", in_axis, out_axis)


@boundary
def lecun_normal(in_axis: int = -2, out_axis: int = -1) -> Initializer:
    """Draw truncated normal numbers of the variance 1 / inputs; what selu wants.

    >>> lecun_normal()(random.key(0), (3, 2)).shape
    (3, 2)
    """
    return variance_scaling(1.0, "fan_in", "truncated_normal", in_axis, out_axis)


#: The same under the authors' first names.
xavier_uniform, xavier_normal = glorot_uniform, glorot_normal
kaiming_uniform, kaiming_normal = he_uniform, he_normal


@boundary
def calculate_gain(nonlinearity: str, param: float = 0.01) -> float:
    """The factor by which weights before an activation are scaled, so that variances stay.

    The square of it is the `scale` of `variance_scaling`. The numbers are PyTorch's.

    >>> calculate_gain("tanh"), round(calculate_gain("relu") ** 2, 12)
    (1.6666666666666667, 2.0)

    Args:
        nonlinearity: "linear", "conv", "sigmoid", "tanh", "relu", "leaky_relu" or "selu".
        param: the slope of leaky_relu for negative numbers.

    Raises:
        ArgumentError: it is none of these.
    """
    gains = {
        "linear": 1.0, "conv": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2),
        "leaky_relu": math.sqrt(2 / (1 + param**2)), "selu": 3 / 4,
    }  # fmt: skip
    if nonlinearity not in gains:
        raise ArgumentError(
            "calculate_gain wants the name of a nonlinearity.",
            describe(nonlinearity),
            f"pass one of {', '.join(gains)}",
        )
    return gains[nonlinearity]


@boundary
def scaled_normal(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> np.ndarray:
    """Draw a matrix from normal(0, 1 / sqrt(rows + columns)).

    Glorot & Bengio 2010, equation 12, asks for the variance 2 / (rows + columns); this is half of
    it, which keeps tanh units further from saturation.

    >>> weights = scaled_normal(np.random.default_rng(0), (25, 8))
    >>> weights.shape, weights.dtype
    ((25, 8), dtype('float64'))
    >>> bool(abs(weights.std() * np.sqrt(25 + 8) - 1) < 0.1)
    True

    Args:
        key: a key of fgrad.random, or a `numpy.random.Generator`, which moves on.
        shape: (rows, columns), both at least 1.
        dtype: a real floating dtype.

    Returns:
        A new array of the given shape and dtype.
    """
    generator = isinstance(key, np.random.Generator)
    if not generator and getattr(key, "dtype", None) != np.uint64:
        raise ArgumentError(
            "scaled_normal draws with a key of fgrad.random, or from a numpy.random.Generator.",
            describe(key),
            "pass fgrad.random.key(seed) or np.random.default_rng(seed) first",
        )
    shape = tuple(shape)
    if len(shape) != 2 or min(shape) < 1:
        raise ShapeError(
            "scaled_normal wants the shape (rows, columns) of a matrix, both at least 1.",
            f"the shape {shape}",
            "write a bias for columns of samples as (rows, 1)",
        )
    if not np.issubdtype(dtype, np.floating):
        raise DtypeError(
            "scaled_normal draws real floating-point numbers.",
            f"dtype {np.dtype(dtype)}",
            "pass dtype=np.float32 or np.float64",
        )
    stddev = 1.0 / math.sqrt(sum(shape))
    if generator:
        return key.normal(0.0, stddev, shape).astype(dtype)
    return normal(stddev)(key, shape, dtype)
