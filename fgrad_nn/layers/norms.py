"""Normalizations: inputs brought to mean 0 and variance 1, over some of their axes.

Except for `batch_norm` none has state; `spectral_norm` and `weight_norm` change weights, and are
in `reparametrized`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

import fgrad
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, ShapeError, describe
from fgrad.tracebacks import boundary

from .. import initializers
from ..initializers import Initializer
from ..types import Layer, PyTree, StatefulLayer
from .making import (
    Pattern,
    check_input_shape,
    check_inputs,
    count,
    layer,
    stateful_layer,
    take,
    wrong_tree,
)
from .moments import mean_over, standardize


# ------------------------------------------------------------------ scale and bias
class _Affine:
    """The scale and bias that follow a normalization."""

    def __init__(
        self, name: str, use_scale: bool, use_bias: bool, scale_init: Initializer,
        bias_init: Initializer,
    ) -> None:  # fmt: skip
        self.name = name
        self.inits = {"scale": scale_init} if use_scale else {}
        self.inits |= {"bias": bias_init} if use_bias else {}

    def init(self, key: Any, shape: Sequence[int], dtype: Any) -> PyTree:
        """Parameters of a shape."""
        keys = [None] * 2 if key is None else fgrad.random.split(key, 2)
        return {k: f(keys[i], tuple(shape), dtype) for i, (k, f) in enumerate(self.inits.items())}

    def check(self, params: PyTree, pattern: Pattern) -> tuple[int, ...] | None:
        """The shape of the parameters, if there are any."""
        alike = tuple(f"axis {i}" if k is None else k for i, k in enumerate(pattern))
        found = take(params, self.name, dict.fromkeys(self.inits, alike))
        return found[0].shape if found else None

    def apply(self, params: PyTree, x: Any) -> Any:
        """Scale and move x, whose last axes the parameters have."""
        x = x * params["scale"] if "scale" in self.inits else x
        return x + params["bias"] if "bias" in self.inits else x

    def divide(self, params: PyTree, x: Any, spread: Any, shift: Any = None) -> Any:
        """`apply` to (x - shift) / spread, where shift and spread are as small as the parameters.

        It goes over x twice, to multiply and to add, and not three times.
        """
        factor = params["scale"] / spread if "scale" in self.inits else 1 / spread
        bias = params["bias"] if "bias" in self.inits else None
        if shift is not None:
            moved = shift * factor
            bias = -moved if bias is None else bias - moved
        return x * factor if bias is None else x * factor + bias


@boundary
def layer_norm(
    axis: int | Sequence[int] = -1,
    *,
    epsilon: float = 1e-5,
    use_scale: bool = True,
    use_bias: bool = True,
    scale_init: Initializer = initializers.ones,
    bias_init: Initializer = initializers.zeros,
) -> Layer:
    """Normalize each sample over its features: Ba, Kiros & Hinton 2016.

    >>> shape, params = layer_norm().init(None, (-1, 2))
    >>> layer_norm(epsilon=0.0).apply(params, np.array([[1.0, 3.0]]))
    array([[-1.,  1.]])

    Args:
        axis: the axes of the features, the last ones, counted from the end: -1, or (-2, -1).
        epsilon: what is added to the variance.
        use_scale, use_bias: whether the result is multiplied with a "scale" and moved by a
            "bias", both of the shape of the features.
        scale_init, bias_init: their initializers.
    """
    dims = _last_axes(axis, "layer_norm")
    affine = _Affine("layer_norm", use_scale, use_bias, scale_init, bias_init)
    pattern: Pattern = (None,) * dims

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, "layer_norm", pattern)
        return shape, affine.init(key, shape[-dims:], dtype)

    def apply(params: PyTree, inputs: Any) -> Any:
        check_inputs(inputs, "layer_norm", affine.check(params, pattern) or pattern)
        return affine.apply(params, standardize(inputs, tuple(range(-dims, 0)), epsilon))

    return layer(init, apply)


@boundary
def rms_norm(
    axis: int | Sequence[int] = -1,
    *,
    epsilon: float = 1e-6,
    use_scale: bool = True,
    scale_init: Initializer = initializers.ones,
) -> Layer:
    """Divide each sample by the root of the mean of its squares: Zhang & Sennrich 2019.

    >>> shape, params = rms_norm().init(None, (-1, 2))
    >>> rms_norm(epsilon=0.0).apply(params, np.array([[1.0, 7.0]]))
    array([[0.2, 1.4]])

    Args:
        axis, use_scale, scale_init: as for `layer_norm`.
        epsilon: what is added to the mean of the squares.
    """
    dims = _last_axes(axis, "rms_norm")
    affine = _Affine("rms_norm", use_scale, False, scale_init, initializers.zeros)
    pattern: Pattern = (None,) * dims

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, "rms_norm", pattern)
        return shape, affine.init(key, shape[-dims:], dtype)

    def apply(params: PyTree, inputs: Any) -> Any:
        check_inputs(inputs, "rms_norm", affine.check(params, pattern) or pattern)
        size = mean_over(np.square(inputs), tuple(range(-dims, 0)))
        return affine.apply(params, inputs * (1 / np.sqrt(size + epsilon)))

    return layer(init, apply)


def _last_axes(axis: Any, name: str) -> int:
    axes = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    if sorted(axes) != list(range(-len(axes), 0)) or not axes:
        raise ArgumentError(
            f"{name} wants the last axes, counted from the end.",
            describe(axis),
            "pass -1, (-2, -1) and so on; np.moveaxis brings others there",
        )
    return len(axes)


@boundary
def group_norm(
    groups: int = 32,
    *,
    epsilon: float = 1e-5,
    use_scale: bool = True,
    use_bias: bool = True,
    scale_init: Initializer = initializers.ones,
    bias_init: Initializer = initializers.zeros,
) -> Layer:
    """Normalize each sample over all places and a group of its channels: Wu & He 2018.

    >>> shape, params = group_norm(2).init(None, (-1, 8, 8, 4))
    >>> group_norm(2).apply(params, np.ones((3, 8, 8, 4))).shape
    (3, 8, 8, 4)

    Args:
        groups: into how many groups the last axis is divided.
        epsilon, use_scale, use_bias, scale_init, bias_init: as for `layer_norm`; scale and bias
            have an entry for each channel.

    Returns:
        A layer for inputs with one batch axis, the first, and channels last.
    """
    groups = count(groups, "group_norm", "a number of groups")
    return _grouped("group_norm", groups, epsilon, use_scale, use_bias, scale_init, bias_init)


@boundary
def instance_norm(
    *,
    epsilon: float = 1e-5,
    use_scale: bool = True,
    use_bias: bool = True,
    scale_init: Initializer = initializers.ones,
    bias_init: Initializer = initializers.zeros,
) -> Layer:
    """Normalize each channel of each sample over all places: Ulyanov et al. 2016.

    >>> shape, params = instance_norm().init(None, (-1, 8, 8, 4))
    >>> instance_norm().apply(params, np.ones((3, 8, 8, 4))).shape
    (3, 8, 8, 4)

    Args, Returns: see `group_norm`; each channel is a group.
    """
    return _grouped("instance_norm", None, epsilon, use_scale, use_bias, scale_init, bias_init)


def _grouped(
    name: str, groups: int | None, epsilon: float, use_scale: bool, use_bias: bool,
    scale_init: Initializer, bias_init: Initializer,
) -> Layer:  # fmt: skip
    affine = _Affine(name, use_scale, use_bias, scale_init, bias_init)

    def parts(shape: Any) -> int:
        n = groups or shape[-1]
        if len(shape) < 2 or shape[-1] % n:
            raise ShapeError(
                f"{name} wants inputs with a batch axis first, and channels last that can be "
                f"divided into {n} groups.",
                f"the shape {shape}",
                "choose another number of groups",
            )
        return n

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, name, (None,))
        parts(shape)
        return shape, affine.init(key, shape[-1:], dtype)

    def apply(params: PyTree, inputs: Any) -> Any:
        shape = check_inputs(inputs, name, affine.check(params, (None,)) or (None,))
        n = parts(shape)
        split = np.reshape(inputs, (*shape[:-1], n, shape[-1] // n))
        axes = (*range(1, len(shape) - 1), len(shape))
        return affine.apply(params, np.reshape(standardize(split, axes, epsilon), shape))

    return layer(init, apply, name=name)


@boundary
def local_response_norm(
    size: int, *, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Layer:
    """Divide by (k + alpha * mean of the squares of `size` neighbouring channels) ** beta.

    Krizhevsky, Sutskever & Hinton 2012, section 3.3, with alpha / size as in PyTorch.

    >>> local_response_norm(3, alpha=3.0, beta=1.0).apply({}, np.ones((1, 3)))
    array([[0.33333333, 0.25      , 0.33333333]])

    Args:
        size: the number of channels; the channel itself is in the middle, or behind it.
        alpha, beta, k: the constants above.
    """
    size = count(size, "local_response_norm", "a number of channels")

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return check_input_shape(input_shape, "local_response_norm", (None,)), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        shape = check_inputs(inputs, "local_response_norm", (None,))
        widths = [(0, 0)] * (len(shape) - 1) + [(size // 2, (size - 1) // 2)]
        squares = np.pad(np.square(inputs), widths)
        n = shape[-1]
        total = squares[..., :n]
        for i in range(1, size):
            total = total + squares[..., i : i + n]
        return inputs / (k + alpha / size * total) ** beta

    return layer(init, apply)


# ------------------------------------------------------------------ with state
@boundary
def batch_norm(
    *,
    momentum: float = 0.9,
    epsilon: float = 1e-5,
    use_scale: bool = True,
    use_bias: bool = True,
    scale_init: Initializer = initializers.ones,
    bias_init: Initializer = initializers.zeros,
    axis_name: str | None = None,
) -> StatefulLayer:
    """Normalize each channel over the batch and all places: Ioffe & Szegedy 2015.

    With `train=True` mean and variance are those of the batch, and the running ones in the state
    move towards them; without it they are the running ones.

    >>> net = batch_norm(epsilon=0.0)
    >>> _, params = net.init(None, (-1, 1))
    >>> state = net.init_state(None, (-1, 1))
    >>> x = np.array([[1.0], [3.0]])
    >>> y, state = net.apply(params, x, state=state, train=True)
    >>> y.ravel(), state
    (array([-1.,  1.]), {'mean': array([0.2]), 'var': array([1.])})

    Args:
        momentum: what is kept of the running statistics at each step (PyTorch's is 1 minus this).
            The variance is that of the batch divided by n, as in flax; PyTorch divides by n - 1.
        epsilon: what is added to the variance.
        use_scale, use_bias, scale_init, bias_init: as for `layer_norm`, for each channel.
        axis_name: the name of an axis of `fgrad.vmap` over which the batch is spread; its parts
            then have common statistics (synchronised batch norm).

    Returns:
        A `StatefulLayer` for inputs of shape (..., channels).
    """
    if is_a(momentum, bool) or not is_a(momentum, (int, float)) or not 0 <= momentum <= 1:
        raise ArgumentError(
            "batch_norm wants a momentum, a number from 0 to 1.", describe(momentum), "pass 0.9"
        )
    affine = _Affine("batch_norm", use_scale, use_bias, scale_init, bias_init)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, "batch_norm", (None,))
        return shape, affine.init(key, shape[-1:], dtype)

    def init_state(key: Any, input_shape: Any, dtype: Any) -> PyTree:
        shape = check_input_shape(input_shape, "batch_norm", (None,))[-1:]
        return {"mean": np.zeros(shape, dtype), "var": np.ones(shape, dtype)}

    def apply(
        params: PyTree, inputs: Any, *, state: PyTree, train: bool = False
    ) -> tuple[Any, PyTree]:
        shape = check_inputs(inputs, "batch_norm", affine.check(params, (None,)) or (None,))
        old = _statistics(state, shape[-1])
        if not train:
            spread = np.sqrt(old["var"] + epsilon)
            return affine.divide(params, inputs - old["mean"], spread), state
        if math.prod(shape[:-1]) == 0:
            raise ShapeError(
                "batch_norm wants a batch that isn't empty, in training.",
                describe(inputs),
                "leave empty batches out",
            )
        axes = tuple(range(len(shape) - 1))
        mean = mean_over(inputs, axes)
        mean = fgrad.pmean(mean, axis_name) if axis_name else mean
        # For derivatives the mean moves from a fixed one by `shift`, which is 0. What depends on
        # it is as small as the parameters, so that a backward pass need not go over the inputs
        # once more for the mean's sake.
        fixed = fgrad.stop_gradient(mean)
        shift = mean - fixed
        centred = inputs - fixed
        var = mean_over(np.square(centred), axes)
        var = (fgrad.pmean(var, axis_name) if axis_name else var) - np.square(shift)
        out = affine.divide(params, centred, np.sqrt(var + epsilon), shift)
        new = {"mean": mean, "var": var}
        return out, {k: _moved(old[k], new[k], momentum) for k in old}

    return stateful_layer(init, apply, init_state)


def _statistics(state: PyTree, channels: int) -> PyTree:
    """The running statistics, of the shape that the inputs want."""
    try:
        take(state, "batch_norm", {"mean": (channels,), "var": (channels,)})
    except fgrad.errors.TreeError as error:
        wanted = wrong_tree(state, "batch_norm", ("mean", "var")).wanted
        raise fgrad.errors.TreeError(
            wanted.replace("parameters", "state"), error.came,
            "pass the state that `init_state` of this very layer has made",
        ) from None  # fmt: skip
    return {"mean": state["mean"], "var": state["var"]}


def _moved(old: Any, new: Any, momentum: float) -> Any:
    new = fgrad.stop_gradient(np.reshape(new, old.shape)).astype(old.dtype)
    return momentum * old + (1 - momentum) * new
