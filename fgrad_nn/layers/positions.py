"""Positions: they tell attention, which has no order of its own, where in a sequence things are."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fgrad.core import home
from fgrad.errors import ShapeError, describe
from fgrad.tracebacks import boundary

from .. import initializers
from ..initializers import Initializer
from ..types import Layer, PyTree
from .making import check_input_shape, check_inputs, count, layer, take


@boundary
def sinusoidal_encoding(
    length: int, features: int, *, base: float = 10000.0, dtype: Any = np.float64
) -> Any:
    """Sines (even features) and cosines (odd ones) of positions: Vaswani et al. 2017, section 3.5.

    >>> sinusoidal_encoding(2, 4).round(4)
    array([[0.    , 1.    , 0.    , 1.    ],
           [0.8415, 0.5403, 0.01  , 1.    ]])

    Args:
        length: the number of positions, from 0.
        features: the number of features.
        base: the wavelengths go from 2 pi to 2 pi times this.
        dtype: that of the result.

    Returns:
        An array of shape (length, features).
    """
    length = count(length, "sinusoidal_encoding", "a length", 0)
    features = count(features, "sinusoidal_encoding", "a number of features")
    return _waves(np, length, features, base, dtype)


def _waves(host: Any, length: int, features: int, base: float, dtype: Any) -> Any:
    """`sinusoidal_encoding` as an array of a module's: numpy, or cupy."""
    angles = host.arange(length)[:, None] * _rates(host, features + features % 2, features, base)
    waves = host.stack([np.sin(angles), np.cos(angles)], axis=-1)
    return np.reshape(waves, (length, -1))[:, :features].astype(dtype)


def _rates(host: Any, pairs: int, features: int, base: float) -> Any:
    """How far a step turns each pair of features: base ** (-2 i / features)."""
    return float(base) ** (-host.arange(0, pairs, 2) / features)


@boundary
def sinusoidal_positions(*, base: float = 10000.0) -> Layer:
    """Add a `sinusoidal_encoding` of the time axis, the last but one, to the inputs.

    >>> sinusoidal_positions().apply({}, np.zeros((1, 2, 2))).round(4)
    array([[[0.    , 1.    ],
            [0.8415, 0.5403]]])

    Args:
        base: as for `sinusoidal_encoding`.
    """

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, "sinusoidal_positions", (None,))
        _time("sinusoidal_positions", shape)
        return shape, {}

    def apply(params: PyTree, inputs: Any) -> Any:
        shape = check_inputs(inputs, "sinusoidal_positions", (None, None))
        return inputs + _waves(home(inputs), shape[-2], shape[-1], base, inputs.dtype)

    return layer(init, apply)


@boundary
def learned_positions(max_length: int, *, weight_init: Initializer | None = None) -> Layer:
    """Add a vector of its own for each position, along the time axis, the last but one.

    >>> from fgrad import random
    >>> _, params = learned_positions(512).init(random.key(0), (-1, 10, 4))
    >>> params["weight"].shape
    (512, 4)

    Args:
        max_length: the number of positions; inputs may be shorter.
        weight_init: of the vectors, of shape (max_length, features); by default normal numbers
            with standard deviation 0.02 (Radford et al. 2018).
    """
    name = "learned_positions"
    max_length = count(max_length, name, "a length")
    weight_init = weight_init or initializers.normal(0.02)

    def check(time: int) -> None:
        if time > max_length:
            raise ShapeError(
                f"{name} has vectors for {max_length} positions.",
                f"a sequence of length {time}",
                "make it with a greater max_length, or cut the sequence",
            )

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, name, (None,))
        check(_time(name, shape))
        return shape, {"weight": weight_init(key, (max_length, shape[-1]), dtype)}

    def apply(params: PyTree, inputs: Any) -> Any:
        (weight,) = take(params, name, {"weight": (max_length, None)})
        shape = check_inputs(inputs, name, (None, weight.shape[-1]))
        check(shape[-2])
        return inputs + weight[: shape[-2]]

    return layer(init, apply)


def _time(name: str, shape: Any) -> int:
    """The length of the time axis, -1 if it isn't known."""
    if len(shape) < 2:
        raise ShapeError(
            f"{name} wants inputs of shape (..., time, features).",
            f"the shape {shape}",
            "give it a time axis: x[None] makes one of length one",
        )
    return int(shape[-2])


@boundary
def rotary(
    x: Any, positions: Any = None, *, base: float = 10000.0, interleaved: bool = False
) -> Any:
    """Turn pairs of features by angles that grow with the position: Su et al. 2021 (RoPE).

    Products of queries and keys that are so turned depend on the distance of positions only.

    >>> rotary(np.array([[1.0, 0.0], [1.0, 0.0]])).round(4)
    array([[1.    , 0.    ],
           [0.5403, 0.8415]])

    Args:
        x: queries or keys, of shape (..., time, features), features even.
        positions: of a shape that broadcasts to (..., time); 0, 1, ... by default.
        base: the slowest pair turns by about 1 / base a step.
        interleaved: whether pairs are neighbours (2 i, 2 i + 1), as in the paper; by default they
            are (i, i + features / 2), as in most of today's models.

    Raises:
        ShapeError: the number of features is odd, or there is no time axis.
    """
    shape = check_inputs(x, "rotary", (None, None))
    n = shape[-1]
    if n % 2:
        raise ShapeError(
            "rotary wants an even number of features, which it turns in pairs.",
            describe(x),
            "choose an even number of features for each head",
        )
    places = home(x).arange(shape[-2]) if positions is None else positions
    if np.shape(places)[-1:] != shape[-2:-1]:
        raise ShapeError(
            f"rotary wants a position for each of {shape[-2]} steps.",
            describe(positions),
            "pass np.arange(start, start + time)",
        )
    angles = np.expand_dims(places, -1) * _rates(home(places), n, n, base)
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    if interleaved:
        a, b = x[..., ::2], x[..., 1::2]
        turned = np.stack([a * cos - b * sin, a * sin + b * cos], axis=-1)
        return np.reshape(turned, shape)
    a, b = x[..., : n // 2], x[..., n // 2 :]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


@boundary
def alibi_bias(num_heads: int, queries: int, keys: int, *, dtype: Any = np.float64) -> Any:
    """What distance costs each head, to be added to products: Press, Smith & Lewis 2022 (ALiBi).

    >>> alibi_bias(1, 2, 2)
    array([[[ 0.        , -0.00390625],
            [-0.00390625,  0.        ]]])

    Args:
        num_heads: the number of heads; their slopes are a geometric series.
        queries: the number of queries, which are the last of the keys if there are fewer.
        keys: the number of keys.
        dtype: that of the result.

    Returns:
        An array of shape (num_heads, queries, keys): minus slope times distance.
    """
    num_heads = count(num_heads, "alibi_bias", "a number of heads")
    return distance_bias(np, num_heads, queries, keys, dtype)


def distance_bias(host: Any, num_heads: int, queries: int, keys: int, dtype: Any) -> Any:
    """`alibi_bias` as an array of a module's: numpy, or cupy."""
    whole = 2 ** int(math.log2(num_heads))
    heads = host.arange(num_heads)
    # If it is no power of two, every other slope of the next power is taken for the rest.
    places = np.where(heads < whole, 8 * (heads + 1), 4 * (2 * (heads - whole) + 1))
    slopes = 2.0 ** (-places / whole)
    distance = np.abs(host.arange(keys - queries, keys)[:, None] - host.arange(keys))
    return (0.0 - slopes[:, None, None] * distance).astype(dtype)
