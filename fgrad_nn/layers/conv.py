"""Convolutional layers of any number of dimensions; channels come last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad import random
from fgrad.errors import ArgumentError, ShapeError, describe
from fgrad.tracebacks import boundary

from .. import initializers
from ..initializers import Initializer
from ..types import Layer, PyTree
from .convolution import convolve, convolve_back
from .dense import add_rows
from .making import Pattern, check_inputs, count, layer, shape_of, take
from .spatial import Padding, Slide, each, slide

Lengths = int | Sequence[int]


@boundary
def conv(
    features: int,
    window: Lengths,
    *,
    strides: Lengths = 1,
    padding: Padding = "SAME",
    dilation: Lengths = 1,
    groups: int = 1,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    bias_init: Initializer = initializers.zeros,
    data_format: str = "channels_last",
    dims: int | None = None,
    name: str = "conv",
) -> Layer:
    """Slide a window over the inputs and multiply what it shows with a weight.

    >>> from fgrad import random
    >>> layer = conv(16, (3, 3), strides=2)
    >>> shape, params = layer.init(random.key(0), (-1, 28, 28, 1))
    >>> shape, params["weight"].shape, params["bias"].shape
    ((-1, 14, 14, 16), (3, 3, 1, 16), (16,))
    >>> layer.apply(params, np.ones((5, 28, 28, 1))).shape
    (5, 14, 14, 16)

    As in most of this field, the window isn't reversed; signal processing calls it correlation.

    Args:
        features: the number of output channels.
        window: the length of the window in each dimension; their number is that of dimensions.
        strides: by how much the window moves on.
        padding: "SAME" (as many places as the length divided by the stride, rounded up), "VALID"
            (no padding), "CAUSAL" (all of it before), or widths of zeros: one number, one for
            each dimension, or a pair (before, after) for each.
        dilation: the distance between neighbours in the window.
        groups: of the channels; each feature sees one group of inputs only.
        use_bias: whether a bias is added, one number for each feature.
        weight_init: of the weight, of shape (*window, channels / groups, features);
            `lecun_normal` by default, as in flax.
        bias_init: of the bias, of shape (features,).
        data_format: "channels_last" for inputs (..., *lengths, channels), as flax and TensorFlow
            have them, or "channels_first", as PyTorch has them; that is a matter of the arrays,
            the parameters are the same.
        dims: the number of dimensions, where `window` is one number.
        name: the name of the layer.

    Returns:
        A layer that takes any number of batch axes. A length of -1 is an unknown one.
    """
    features = count(features, name, "a number of features")
    groups = count(groups, name, "a number of groups")
    shape = slide(name, window, strides, padding, dilation, dims, data_format)
    if features % groups:
        raise ArgumentError(
            f"{name} wants as many features for each group.",
            f"features={features} and groups={groups}",
            "make the first a multiple of the second",
        )
    weight_init = weight_init or initializers.lecun_normal()
    shapes: dict[str, Pattern] = {"weight": (*shape.window, None, features)}
    if use_bias:
        shapes["bias"] = (features,)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, lengths, channels = shape.split(input_shape)
        _check_channels(name, channels, groups)
        places = shape.places(lengths)
        k1, k2 = random.split(key)
        params = {"weight": weight_init(k1, (*shape.window, channels // groups, features), dtype)}
        if use_bias:
            params["bias"] = bias_init(k2, (features,), dtype)
        return shape.join(batch, places, features), params

    def apply(params: PyTree, inputs: Any) -> Any:
        weight, *bias = take(params, name, shapes)

        def call(x: Any) -> Any:
            y = _product(shape, groups, x, weight)
            return add_rows(y, bias[0]) if use_bias else y

        _check_inputs(shape, inputs, weight.shape[-2] * groups)
        return shape.over(inputs, call)

    return layer(init, apply, name=name)


def _product(shape: Slide, groups: int, x: Any, weight: Any) -> Any:
    lengths = x.shape[1:-1]
    shape.places(lengths)
    x, weight = _one_dtype(x, weight)
    return convolve(
        x, weight, form=shape.form(lengths, groups), lengths=lengths, window=shape.window
    )


def _one_dtype(x: Any, weight: Any) -> tuple[Any, Any]:
    """Both in the dtype of their product."""
    dtype = np.result_type(x.dtype, weight.dtype)
    return tuple(v if v.dtype == dtype else v.astype(dtype) for v in (x, weight))


def _check_channels(name: str, channels: int, groups: int) -> None:
    if channels < 1 or channels % groups:
        raise ShapeError(
            f"{name} wants a known number of channels"
            + (f", a multiple of its {groups} groups." if groups > 1 else "."),
            f"{channels} channels",
            "give the input shape with its channels, or change groups",
        )


def _check_inputs(shape: Slide, inputs: Any, channels: int) -> None:
    """Refuse inputs of another number of channels than the weight was made for."""
    if shape.split(check_inputs(inputs, shape.name))[2] != channels:
        raise ShapeError(
            f"{shape.name} wants inputs of {channels} channels, for which its weight was made.",
            describe(inputs),
            "channels are the last axis"
            if shape.channels_last
            else f"channels are the axis {-shape.dims - 1}",
        )


@boundary
def conv1d(features: int, window: Lengths, **options: Any) -> Layer:
    """Slide a window along one dimension: `conv` for inputs (..., length, channels).

    >>> from fgrad import random
    >>> conv1d(4, 3).init(random.key(0), (-1, 10, 2))[0]
    (-1, 10, 4)
    """
    return conv(features, window, dims=1, name="conv1d", **options)


@boundary
def conv2d(features: int, window: Lengths, **options: Any) -> Layer:
    """Slide a window over images: `conv` for inputs (..., height, width, channels).

    >>> from fgrad import random
    >>> conv2d(4, 3, padding="VALID").init(random.key(0), (-1, 10, 10, 2))[0]
    (-1, 8, 8, 4)
    """
    return conv(features, window, dims=2, name="conv2d", **options)


@boundary
def conv3d(features: int, window: Lengths, **options: Any) -> Layer:
    """Slide a window through volumes: `conv` for inputs (..., depth, height, width, channels).

    >>> from fgrad import random
    >>> conv3d(4, 3, strides=2).init(random.key(0), (-1, 8, 8, 8, 2))[0]
    (-1, 4, 4, 4, 4)
    """
    return conv(features, window, dims=3, name="conv3d", **options)


@boundary
def depthwise_conv(
    window: Lengths,
    *,
    multiplier: int = 1,
    dims: int | None = None,
    name: str = "depthwise_conv",
    **options: Any,
) -> Layer:
    """Convolve each channel by itself, to as many features as the multiplier says.

    >>> from fgrad import random
    >>> shape, params = depthwise_conv((3, 3), multiplier=2).init(random.key(0), (-1, 8, 8, 4))
    >>> shape, params["weight"].shape
    ((-1, 8, 8, 8), (3, 3, 1, 8))

    Args:
        window: as for `conv`.
        multiplier: how many features each channel has; they stand next to each other.
        dims: the number of dimensions, where `window` is one number.
        name: the name of the layer.
        **options: the other arguments of `conv`.
    """
    multiplier = count(multiplier, name, "a multiplier")
    shape = slide(
        name, window, options.get("strides", 1), options.get("padding", "SAME"),
        options.get("dilation", 1), dims, options.get("data_format", "channels_last"),
    )  # fmt: skip

    def of(channels: int) -> Layer:
        return conv(multiplier * channels, shape.window, groups=channels, name=name, **options)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        channels = shape.split(input_shape)[2]
        _check_channels(name, channels, 1)
        return of(channels).init(key, input_shape, dtype)

    def apply(params: PyTree, inputs: Any) -> Any:
        found = shape.split(check_inputs(inputs, name))[2]
        if isinstance(params, dict) and (weight := shape_of(params.get("weight"))):
            _check_inputs(shape, inputs, weight[-1] // multiplier)
        return of(found).apply(params, inputs)

    return layer(init, apply, name=name)


@boundary
def conv_transpose(
    features: int,
    window: Lengths,
    *,
    strides: Lengths = 1,
    padding: Padding = "SAME",
    dilation: Lengths = 1,
    groups: int = 1,
    output_padding: Lengths | None = None,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    bias_init: Initializer = initializers.zeros,
    data_format: str = "channels_last",
    dims: int | None = None,
    name: str = "conv_transpose",
) -> Layer:
    """Multiply each input with a weight, and add that to what lies under its window.

    It is the transpose of `conv` with the same arguments (Zeiler et al. 2010), for making images
    of smaller ones.

    >>> from fgrad import random
    >>> layer = conv_transpose(1, (4, 4), strides=2)
    >>> shape, params = layer.init(random.key(0), (-1, 7, 7, 8))
    >>> shape, params["weight"].shape
    ((-1, 14, 14, 1), (4, 4, 1, 8))

    Args:
        features: the number of output channels.
        window, strides, dilation, groups, use_bias, bias_init, data_format, dims, name: see `conv`.
        padding: "SAME" makes each length that times the stride, "VALID" gives all that is
            touched (and at least that); widths are taken away, as in PyTorch.
        output_padding: so much is added to the lengths, where padding is given as widths.
        weight_init: of the weight, of shape (*window, features / groups, channels). It is asked
            for (*window, channels / groups, features), so that it scales by the right axis.

    Returns:
        A layer that takes any number of batch axes.
    """
    features = count(features, name, "a number of features")
    groups = count(groups, name, "a number of groups")
    shape = slide(name, window, strides, padding, dilation, dims, data_format)
    extra = (0,) * shape.dims
    if output_padding is not None:
        sides = each(_plus_one(output_padding), shape.dims, name, "output padding")
        extra = tuple(v - 1 for v in sides)
    if (
        features % groups
        or (any(extra) and isinstance(shape.padding, str))
        or shape.padding == "CAUSAL"
    ):
        raise ArgumentError(
            f"{name} wants as many features for each group, padding SAME, VALID or widths, and "
            "output_padding only with widths.",
            f"features={features}, groups={groups}, {padding=}, {output_padding=}",
            "change these",
        )
    if not isinstance(shape.padding, str):  # of which so much less is taken away at the end
        pairs = zip(shape.padding, extra, strict=True)
        shape = shape._replace(padding=tuple((lo, hi - more) for (lo, hi), more in pairs))
    weight_init = weight_init or initializers.lecun_normal()
    each_features = features // groups
    shapes: dict[str, Pattern] = {"weight": (*shape.window, each_features, None)}
    if use_bias:
        shapes["bias"] = (features,)

    def longer(lengths: Any) -> tuple[int, ...]:
        out = []
        widths = () if isinstance(shape.padding, str) else shape.padding
        for i, m in enumerate(lengths):
            s, reach = shape.strides[i], shape.dilation[i] * (shape.window[i] - 1) + 1
            if shape.padding == "SAME":
                new = m * s
            elif shape.padding == "VALID":
                new = (m - 1) * s + max(reach, s)
            else:
                lo, hi = widths[i]
                new = (m - 1) * s + reach - lo - hi
            if m != -1 and new < 1:
                raise ShapeError(
                    f"{name} wants an output of at least one place.",
                    f"the lengths {tuple(lengths)} with padding {shape.padding}",
                    "pass less padding",
                )
            out.append(-1 if m == -1 else new)
        return tuple(out)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, lengths, channels = shape.split(input_shape)
        _check_channels(name, channels, groups)
        k1, k2 = random.split(key)
        drawn = weight_init(k1, (*shape.window, channels // groups, features), dtype)
        split = np.reshape(drawn, (*shape.window, channels // groups, groups, each_features))
        weight = np.reshape(np.swapaxes(split, -1, -3), (*shape.window, each_features, channels))
        params = {"weight": weight}
        if use_bias:
            params["bias"] = bias_init(k2, (features,), dtype)
        return shape.join(batch, longer(lengths), features), params

    def apply(params: PyTree, inputs: Any) -> Any:
        weight, *bias = take(params, name, shapes)
        _check_inputs(shape, inputs, weight.shape[-1])

        def call(x: Any) -> Any:
            lengths = longer(x.shape[1:-1])
            x, w = _one_dtype(x, weight)
            form = shape.form(lengths, groups)
            y = convolve_back(x, w, form=form, lengths=lengths, window=shape.window)
            return add_rows(y, bias[0]) if use_bias else y

        return shape.over(inputs, call)

    return layer(init, apply, name=name)


def _plus_one(value: Any) -> Any:
    """Widths that may be 0, for a check that wants positive numbers."""
    return [v + 1 for v in value] if isinstance(value, Sequence) else value + 1


@boundary
def conv_transpose1d(features: int, window: Lengths, **options: Any) -> Layer:
    """Transpose `conv1d`: see `conv_transpose`."""
    return conv_transpose(features, window, dims=1, name="conv_transpose1d", **options)


@boundary
def conv_transpose2d(features: int, window: Lengths, **options: Any) -> Layer:
    """Transpose `conv2d`: see `conv_transpose`."""
    return conv_transpose(features, window, dims=2, name="conv_transpose2d", **options)


@boundary
def conv_transpose3d(features: int, window: Lengths, **options: Any) -> Layer:
    """Transpose `conv3d`: see `conv_transpose`."""
    return conv_transpose(features, window, dims=3, name="conv_transpose3d", **options)
