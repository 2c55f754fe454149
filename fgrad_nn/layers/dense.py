"""Dense layers: products of the inputs with a weight."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad import random
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, ShapeError, describe
from fgrad.tracebacks import boundary

from .. import initializers
from ..initializers import Initializer
from ..types import Layer, PyTree
from .making import Pattern, check_input_shape, check_inputs, count, layer, take


@boundary
def dense(
    features: int,
    *,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    bias_init: Initializer = initializers.zeros,
) -> Layer:
    """Multiply the last axis by a matrix and add a bias: `inputs @ weight + bias`.

    >>> from fgrad import random
    >>> shape, params = dense(3).init(random.key(0), (-1, 2))
    >>> shape, params["weight"].shape, params["bias"].shape
    ((-1, 3), (2, 3), (3,))
    >>> dense(3).apply(params, np.ones((5, 2))).shape
    (5, 3)

    Args:
        features: the length of the last axis of the outputs.
        use_bias: whether there is a bias.
        weight_init: of the weight, of shape (inputs, features); `lecun_normal` by default, as in
            flax. What the input's last axis is long is found at `init`.
        bias_init: of the bias, of shape (features,).

    Returns:
        A layer with inputs of shape (..., inputs), and parameters "weight" and "bias".
    """
    features = count(features, "dense", "a number of features")
    weight_init = weight_init or initializers.lecun_normal()
    shapes: dict[str, Pattern] = {"weight": (None, features)}
    if use_bias:
        shapes["bias"] = (features,)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, "dense", (None,))
        k1, k2 = random.split(key)
        params = {"weight": weight_init(k1, (shape[-1], features), dtype)}
        if use_bias:
            params["bias"] = bias_init(k2, (features,), dtype)
        return (*shape[:-1], features), params

    def apply(params: PyTree, inputs: Any) -> Any:
        weight, *bias = take(params, "dense", shapes)
        shape = check_inputs(inputs, "dense", (weight.shape[0],))
        # One product of matrices, forward and backward, whatever the number of batch axes.
        rows = inputs if len(shape) <= 2 else np.reshape(inputs, (math.prod(shape[:-1]), shape[-1]))
        out = rows @ weight
        out = out + bias[0] if use_bias else out
        return out if len(shape) <= 2 else np.reshape(out, (*shape[:-1], features))

    return layer(init, apply)


def add_rows(y: Any, bias: Any) -> Any:
    """y + bias, of a bias for the last axis: as a matrix, of which sums over rows are quick."""
    shape = y.shape
    flat = np.reshape(y, (math.prod(shape[:-1]), shape[-1])) + bias
    return np.reshape(flat, shape)


@boundary
def dense_general(
    features: int | Sequence[int],
    axis: int | Sequence[int] = -1,
    *,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    bias_init: Initializer = initializers.zeros,
) -> Layer:
    """Contract several axes of the inputs with a weight, to several axes that come last.

    >>> from fgrad import random
    >>> layer = dense_general((2, 4), axis=(-2, -1))
    >>> shape, params = layer.init(random.key(0), (-1, 3, 5))
    >>> shape, params["weight"].shape
    ((-1, 2, 4), (3, 5, 2, 4))

    Args:
        features: the lengths of the new axes.
        axis: the axes that are contracted, counted from the end (negative), so that there may
            be any number of batch axes.
        use_bias, weight_init, bias_init: as for `dense`; the initializer of the weight is called
            with the shape (all inputs, all features).
    """
    new = tuple(features) if isinstance(features, Sequence) else (features,)
    new = tuple(count(n, "dense_general", "numbers of features") for n in new)
    axes = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    if not all(is_a(a, int) and a < 0 for a in axes) or len(set(axes)) < len(axes):
        raise ArgumentError(
            "dense_general wants axes counted from the end, each once.",
            describe(axis),
            "pass negative integers, such as axis=(-2, -1)",
        )
    weight_init = weight_init or initializers.lecun_normal()
    unknown: Pattern = (None,) * len(axes)
    shapes: dict[str, Pattern] = {"weight": (*unknown, *new)}
    if use_bias:
        shapes["bias"] = new

    def pattern(lengths: Pattern) -> Pattern:
        ends: list[int | str | None] = [None] * -min(axes)
        for a, n in zip(axes, lengths, strict=True):
            ends[a] = n
        return tuple(ends)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        if min(axes) < -len(input_shape):
            check_input_shape(input_shape, "dense_general", pattern(unknown))
        old = tuple(input_shape[a] for a in axes)
        check_input_shape(old, "dense_general", unknown)
        k1, k2 = random.split(key)
        flat = weight_init(k1, (math.prod(old), math.prod(new)), dtype)
        params = {"weight": np.reshape(flat, (*old, *new))}
        if use_bias:
            params["bias"] = bias_init(k2, new, dtype)
        n = len(input_shape)
        kept = [k for i, k in enumerate(input_shape) if i - n not in axes]
        return (*kept, *new), params

    def apply(params: PyTree, inputs: Any) -> Any:
        weight, *bias = take(params, "dense_general", shapes)
        check_inputs(inputs, "dense_general", pattern(weight.shape[: len(axes)]))
        out = np.tensordot(inputs, weight, (axes, tuple(range(len(axes)))))
        return out + bias[0] if use_bias else out

    return layer(init, apply)


@boundary
def bilinear(
    features: int,
    *,
    use_bias: bool = True,
    weight_init: Initializer | None = None,
    bias_init: Initializer = initializers.zeros,
) -> Layer:
    """Multiply two inputs with a weight: outputs[k] = x1 @ weight[:, :, k] @ x2 + bias[k].

    >>> from fgrad import random
    >>> shape, params = bilinear(3).init(random.key(0), ((-1, 2), (-1, 4)))
    >>> shape, params["weight"].shape
    ((-1, 3), (2, 4, 3))

    Args:
        features: the length of the last axis of the outputs.
        use_bias, weight_init, bias_init: as for `dense`; by default the variance of the weight
            is 1 / (the product of the two lengths).

    Returns:
        A layer whose inputs are a pair of arrays, alike in all axes but the last.
    """
    features = count(features, "bilinear", "a number of features")
    weight_init = weight_init or initializers.lecun_normal()
    shapes: dict[str, Pattern] = {"weight": (None, None, features)}
    if use_bias:
        shapes["bias"] = (features,)

    def check(a: Any, b: Any) -> None:
        if a[:-1] != b[:-1]:
            raise ShapeError(
                "bilinear wants two inputs that are alike in all axes but the last.",
                f"the shapes {a} and {b}",
                "pass a pair (x1, x2), a row of each for every sample",
            )

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        a, b = pair(input_shape, "bilinear")
        check_input_shape(a, "bilinear", (None,))
        check_input_shape(b, "bilinear", (None,))
        check(a, b)
        k1, k2 = random.split(key)
        flat = weight_init(k1, (a[-1] * b[-1], features), dtype)
        params = {"weight": np.reshape(flat, (a[-1], b[-1], features))}
        if use_bias:
            params["bias"] = bias_init(k2, (features,), dtype)
        return (*a[:-1], features), params

    def apply(params: PyTree, inputs: Any) -> Any:
        weight, *bias = take(params, "bilinear", shapes)
        a, b = pair(inputs, "bilinear")
        check(
            check_inputs(a, "bilinear", (weight.shape[0],)),
            check_inputs(b, "bilinear", (weight.shape[1],)),
        )
        outer = np.expand_dims(a, -1) * np.expand_dims(b, -2)
        flat = np.reshape(outer, (*a.shape[:-1], a.shape[-1] * b.shape[-1]))
        out = flat @ np.reshape(weight, (-1, features))
        return out + bias[0] if use_bias else out

    return layer(init, apply)


def pair(x: Any, name: str) -> tuple[Any, Any]:
    """Two inputs, or two shapes, of a layer that wants two."""
    if isinstance(x, (tuple, list)) and len(x) == 2 and not is_a(x[0], int):
        return x[0], x[1]
    raise ShapeError(
        f"{name} wants two inputs.",
        f"the shape {x}" if isinstance(x, tuple) else describe(x),
        f"pass a pair, (x1, x2); in a network put fan_out(2) or parallel(...) before {name}",
    )


@boundary
def bias(bias_init: Initializer = initializers.zeros) -> Layer:
    """Add a vector to the last axis.

    >>> shape, params = bias().init(None, (-1, 2))
    >>> params
    {'bias': array([0., 0.])}
    """

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, "bias", (None,))
        return shape, {"bias": bias_init(key, shape[-1:], dtype)}

    def apply(params: PyTree, inputs: Any) -> Any:
        (b,) = take(params, "bias", {"bias": (None,)})
        check_inputs(inputs, "bias", b.shape)
        return inputs + b

    return layer(init, apply)


@boundary
def einsum(
    subscripts: str,
    weight_shape: Sequence[int],
    *,
    weight_init: Initializer | None = None,
) -> Layer:
    """Contract the inputs with a weight as `np.einsum` subscripts say: "...ab,bc->...ac".

    >>> from fgrad import random
    >>> layer = einsum("...b,bcd->...cd", (3, 2, 4))
    >>> layer.init(random.key(0), (-1, 3))[0]
    (-1, 2, 4)

    Args:
        subscripts: for the inputs, the weight and the outputs.
        weight_shape: the shape of the weight.
        weight_init: its initializer; `lecun_normal` by default, for which the axes that the
            outputs don't have are the inputs.
    """
    terms = subscripts.replace(" ", "").replace("->", ",").split(",")
    shape = tuple(operator.index(n) for n in weight_shape)
    if len(terms) != 3 or "->" not in subscripts or len(terms[1]) != len(shape):
        raise ArgumentError(
            "einsum wants the subscripts of inputs, weight and outputs, a letter for each axis "
            "of the weight.",
            f"{subscripts!r} with a weight of shape {shape}",
            'write such as "...b,bc->...c"',
        )
    lengths = dict(zip(terms[1], shape, strict=True))
    contracted = [i for i, c in enumerate(terms[1]) if c not in terms[2]]
    fan_in = math.prod(shape[i] for i in contracted)
    weight_init = weight_init or initializers.normal(1 / math.sqrt(fan_in))

    head, dots_before, tail = terms[0].partition("...")

    def known(of: Any, came: str) -> dict[str, int]:
        """The lengths of the axes of inputs of a shape."""
        found: dict[str, int] = {}
        pairs = [*zip(head, of, strict=False), *zip(reversed(tail), reversed(of), strict=False)]
        right = len(head + tail) <= len(of) and (dots_before or len(head + tail) == len(of))
        for c, n in pairs:
            right = right and lengths.get(c, n) == n == found.setdefault(c, n)
        if not right:
            raise ShapeError(
                f"einsum wants inputs that fit {subscripts!r} with a weight of shape {shape}.",
                came,
                "change the inputs or the shape of the weight",
            )
        return found

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        sizes = {**known(input_shape, f"the input shape {input_shape}"), **lengths}
        batch = input_shape[len(head) : len(input_shape) - len(tail)]
        before, dots, after = terms[2].partition("...")
        new = [*(sizes[c] for c in before), *(batch if dots else ()), *(sizes[c] for c in after)]
        return tuple(new), {"weight": weight_init(key, shape, dtype)}

    def apply(params: PyTree, inputs: Any) -> Any:
        (weight,) = take(params, "einsum", {"weight": shape})
        known(check_inputs(inputs, "einsum"), describe(inputs))
        return np.einsum(subscripts, inputs, weight)

    return layer(init, apply)
