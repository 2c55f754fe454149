"""Layers that draw random numbers in training, and do nothing without `train=True`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fgrad import random
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from ..coins import coins
from ..masks import beside, keep
from ..types import Layer, PyTree
from .making import check_inputs, fraction, layer, need_key

#: What selu makes of minus infinity: -lambda * alpha (Klambauer et al. 2017).
_SELU_LOW = -1.7580993408473766


def _noise(name: str, active: bool, change: Callable[[Any, Any], Any], axes: int = 0) -> Layer:
    """A layer that changes its inputs, of so many axes at least, by chance, in training."""

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return input_shape, {}

    def apply(params: PyTree, inputs: Any, *, key: Any = None, train: bool = False) -> Any:
        check_inputs(inputs, name, (None,) * axes)
        if not train or not active:
            return inputs
        return change(need_key(key, name), inputs)

    return layer(init, apply, name=name)


def _kept(key: Any, rate: float, x: Any, broadcast: Sequence[int]) -> Any:
    """Where the mask is True, on the device of x; one draw for all entries along some axes."""
    axes = {a % x.ndim for a in broadcast}
    shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
    return beside(coins(key, 1 - rate, shape), x)


@boundary
def dropout(rate: float, *, broadcast: int | Sequence[int] = ()) -> Layer:
    """Set each entry to zero with a probability, and divide the others by 1 - rate.

    Srivastava et al. 2014, scaled so that means stay.

    >>> from fgrad import random
    >>> layer = dropout(0.5)
    >>> layer.apply({}, np.ones(6), key=random.key(3), train=True)
    array([2., 2., 0., 2., 2., 0.])
    >>> layer.apply({}, np.ones(6))
    array([1., 1., 1., 1., 1., 1.])

    Args:
        rate: the probability of zero, less than 1.
        broadcast: the axes along which all entries are kept or dropped together, as in flax.

    Returns:
        A layer that takes `key` and `train`.
    """
    rate = fraction(rate, "dropout", "a rate")
    return _noise("dropout", rate > 0, _dropper(rate, _axes(broadcast, "dropout")))


def _dropper(rate: float, broadcast: Sequence[int]) -> Callable[[Any, Any], Any]:
    def change(key: Any, x: Any) -> Any:
        return keep(x / (1 - rate), _kept(key, rate, x, broadcast))

    return change


def _axes(axes: Any, name: str) -> tuple[int, ...]:
    out = tuple(axes) if isinstance(axes, Sequence) else (axes,)
    if not all(is_a(a, int) and not is_a(a, bool) for a in out):
        raise ArgumentError(f"{name} wants axes.", describe(axes), "pass integers, (1, 2) or -1")
    return out


@boundary
def spatial_dropout(rate: float, dims: int = 2) -> Layer:
    """Drop whole channels of a sample: Tompson et al. 2015; inputs are (batch, *places, channels).

    >>> from fgrad import random
    >>> layer = spatial_dropout(0.5, dims=1)
    >>> layer.apply({}, np.ones((1, 2, 6)), key=random.key(3), train=True)
    array([[[2., 2., 0., 2., 2., 0.],
            [2., 2., 0., 2., 2., 0.]]])

    Args:
        rate: the probability of zero, less than 1.
        dims: the number of dimensions of the places.
    """
    rate = fraction(rate, "spatial_dropout", "a rate")
    change = _dropper(rate, tuple(range(-dims - 1, -1)))
    return _noise("spatial_dropout", rate > 0, change, dims + 1)


@boundary
def drop_path(rate: float) -> Layer:
    """Set whole samples to zero, and divide the others by 1 - rate: stochastic depth.

    Huang et al. 2016; for the last place in a `residual` branch. The batch axis is the first.

    >>> from fgrad import random
    >>> drop_path(0.5).apply({}, np.ones((3, 2)), key=random.key(4), train=True)
    array([[0., 0.],
           [2., 2.],
           [2., 2.]])
    """
    rate = fraction(rate, "drop_path", "a rate")

    def change(key: Any, x: Any) -> Any:
        return _dropper(rate, tuple(range(1, x.ndim)))(key, x)

    return _noise("drop_path", rate > 0, change)


@boundary
def alpha_dropout(rate: float, *, broadcast: int | Sequence[int] = ()) -> Layer:
    """Dropout for `selu`: what is dropped gets selu's lowest value, and mean and variance stay.

    Klambauer et al. 2017, section 3 of Self-normalizing neural networks.

    >>> from fgrad import random
    >>> x = random.normal(random.key(0), (10_000,))
    >>> y = alpha_dropout(0.2).apply({}, x, key=random.key(1), train=True)
    >>> bool(abs(y.mean()) < 0.05), bool(abs(y.var() - 1) < 0.05)
    (True, True)

    Args:
        rate: the probability of being dropped, less than 1.
        broadcast: as for `dropout`; `feature_alpha_dropout` drops whole channels.
    """
    rate = fraction(rate, "alpha_dropout", "a rate")
    axes = _axes(broadcast, "alpha_dropout")
    return _noise("alpha_dropout", rate > 0, _alpha(rate, axes))


def _alpha(rate: float, axes: Sequence[int]) -> Callable[[Any, Any], Any]:
    keep = 1 - rate
    a = 1 / math.sqrt(keep * (1 + rate * _SELU_LOW**2))
    b = -a * rate * _SELU_LOW

    def change(key: Any, x: Any) -> Any:
        return a * np.where(_kept(key, rate, x, axes), x, _SELU_LOW) + b

    return change


@boundary
def feature_alpha_dropout(rate: float, dims: int = 2) -> Layer:
    """Drop whole channels of a sample as `alpha_dropout` does; inputs as for `spatial_dropout`.

    >>> feature_alpha_dropout(0.5).apply({}, np.ones((1, 2, 2, 3))).shape
    (1, 2, 2, 3)
    """
    rate = fraction(rate, "feature_alpha_dropout", "a rate")
    change = _alpha(rate, tuple(range(-dims - 1, -1)))
    return _noise("feature_alpha_dropout", rate > 0, change, dims + 1)


@boundary
def gaussian_dropout(rate: float) -> Layer:
    """Multiply with normal numbers of mean 1 and variance rate / (1 - rate).

    Srivastava et al. 2014, section 10.

    >>> gaussian_dropout(0.5).apply({}, np.ones(2))
    array([1., 1.])
    """
    rate = fraction(rate, "gaussian_dropout", "a rate")
    stddev = math.sqrt(rate / (1 - rate))

    def change(key: Any, x: Any) -> Any:
        return x * (1 + stddev * beside(random.normal(key, x.shape, x.dtype), x))

    return _noise("gaussian_dropout", rate > 0, change)


@boundary
def gaussian_noise(stddev: float) -> Layer:
    """Add normal numbers of mean 0 in training.

    >>> gaussian_noise(0.1).apply({}, np.ones(2))
    array([1., 1.])
    """
    if is_a(stddev, bool) or not is_a(stddev, (int, float)) or not stddev >= 0:
        raise ArgumentError(
            "gaussian_noise wants a standard deviation, a number of at least 0.",
            describe(stddev),
            "pass 0.1, for example",
        )

    def change(key: Any, x: Any) -> Any:
        return x + stddev * beside(random.normal(key, x.shape, x.dtype), x)

    return _noise("gaussian_noise", stddev > 0, change)
