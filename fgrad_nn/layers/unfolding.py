"""Layers that lay windows open: unfold, fold, and convolutions with a weight for each place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad import random
from fgrad.errors import ShapeError, describe
from fgrad.tracebacks import boundary

from .. import initializers
from ..initializers import Initializer
from ..types import Layer, PyTree
from .making import Pattern, check_inputs, count, layer, take
from .pools import window_gather, window_scatter
from .spatial import Padding, each, slide

Lengths = int | Sequence[int]


@boundary
def unfold(
    window: Lengths,
    strides: Lengths = 1,
    padding: Padding = "VALID",
    *,
    dilation: Lengths = 1,
    dims: int | None = None,
) -> Layer:
    """Put all that a window shows into the channels, for each place (im2col).

    >>> unfold((2,)).apply({}, np.array([[[1.0], [2.0], [3.0]]]))[0]
    array([[1., 2.],
           [2., 3.]])

    Args:
        window, strides, padding, dilation, dims: as for `conv`.

    Returns:
        A layer from (..., *lengths, channels) to (..., *places, entries * channels); the channels
        of an entry of the window stand together (in PyTorch the entries of a channel do).
    """
    shape = slide("unfold", window, strides, padding, dilation, dims)
    entries = math.prod(shape.window)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, lengths, channels = shape.split(input_shape)
        wide = -1 if channels == -1 else entries * channels
        return shape.join(batch, shape.places(lengths), wide), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        shape.split(check_inputs(inputs, "unfold"))

        def call(x: Any) -> Any:
            lengths = x.shape[1:-1]
            places = shape.places(lengths)
            form = shape.form(lengths)
            parts = window_gather(x, form=form, lengths=lengths, window=shape.window)
            return np.reshape(parts, (x.shape[0], *places, entries * x.shape[-1]))

        return shape.over(inputs, call)

    return layer(init, apply)


@boundary
def fold(
    lengths: Lengths,
    window: Sequence[int],
    strides: Lengths = 1,
    padding: Padding = "VALID",
    *,
    dilation: Lengths = 1,
) -> Layer:
    """Add windows that `unfold` has laid open to where they came from (col2im): its transpose.

    >>> fold((3,), (2,)).apply({}, np.array([[[1.0, 2.0], [2.0, 3.0]]]))[0, :, 0]
    array([1., 4., 3.])

    Args:
        lengths: those of the result.
        window, strides, padding, dilation: as for `unfold`.
    """
    shape = slide("fold", window, strides, padding, dilation)
    new = each(lengths, shape.dims, "fold", "lengths")
    places, entries = shape.places(new), math.prod(shape.window)

    def channels_of(given: Any) -> int:
        _, found, wide = shape.split(given)
        if wide % entries or found != places:
            raise ShapeError(
                f"fold wants {places} places, and {entries} entries of a window in the channels.",
                f"the shape {given}",
                "pass what `unfold` with the same window has made of such lengths",
            )
        return wide // entries

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return shape.join(shape.split(input_shape)[0], new, channels_of(input_shape)), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        channels = channels_of(check_inputs(inputs, "fold"))

        def call(x: Any) -> Any:
            parts = np.reshape(x, (*x.shape[:-1], entries, channels))
            return window_scatter(parts, form=shape.form(new), lengths=new, window=shape.window)

        return shape.over(inputs, call)

    return layer(init, apply)


@boundary
def conv_local(
    features: int,
    window: Lengths,
    *,
    strides: Lengths = 1,
    padding: Padding = "SAME",
    dilation: Lengths = 1,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    bias_init: Initializer = initializers.zeros,
    dims: int | None = None,
) -> Layer:
    """Convolve with a weight of its own for each place: a locally connected layer.

    >>> from fgrad import random
    >>> shape, params = conv_local(4, (3,)).init(random.key(0), (-1, 6, 2))
    >>> shape, params["weight"].shape, params["bias"].shape
    ((-1, 6, 4), (6, 6, 4), (6, 4))

    Args:
        features, window, strides, padding, dilation, use_bias, dims: as for `conv`.
        weight_init: of the weight, of shape (*places, entries * channels, features);
            `lecun_normal` of each place by default.
        bias_init: of the bias, of shape (*places, features).

    Returns:
        A layer for inputs whose lengths are known at `init`.
    """
    features = count(features, "conv_local", "a number of features")
    shape = slide("conv_local", window, strides, padding, dilation, dims)
    somewhere = tuple(f"places {i}" for i in range(shape.dims))
    names: dict[str, Pattern] = {"weight": (*somewhere, None, features)}
    if use_bias:
        names["bias"] = (*somewhere, features)
    opened = unfold(window, strides, padding, dilation=dilation, dims=dims)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, lengths, channels = shape.split(input_shape)
        places = shape.places(lengths)
        wide = math.prod(shape.window) * channels
        if min(*places, channels) < 1:
            raise ShapeError(
                "conv_local wants known lengths and channels: it has a weight for each place.",
                f"the input shape {input_shape}",
                "give all but the batch; `conv` shares its weight and takes any length",
            )
        k1, k2 = random.split(key)
        init_weight = weight_init or initializers.normal(1 / math.sqrt(wide))
        params = {"weight": init_weight(k1, (*places, wide, features), dtype)}
        if use_bias:
            params["bias"] = bias_init(k2, (*places, features), dtype)
        return shape.join(batch, places, features), params

    def apply(params: PyTree, inputs: Any) -> Any:
        weight, *bias = take(params, "conv_local", names)
        _, lengths, channels = shape.split(check_inputs(inputs, "conv_local"))
        want = (*weight.shape[: shape.dims], weight.shape[-2] // math.prod(shape.window))
        if (*shape.places(lengths), channels) != want:
            raise ShapeError(
                f"conv_local wants inputs with {want[-1]} channels, whose windows have "
                f"{want[:-1]} places: its weight was made for these.",
                describe(inputs),
                "give conv_local inputs of the shape that its parameters were made for",
            )
        seen = opened.apply({}, inputs)
        out = np.matmul(np.expand_dims(seen, -2), weight)[..., 0, :]
        return out + bias[0] if use_bias else out

    return layer(init, apply)
