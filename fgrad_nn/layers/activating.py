"""Activations as layers."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fgrad import random
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from .. import activations, initializers
from ..initializers import Initializer
from ..masks import beside
from ..types import Layer, PyTree
from .function import function
from .making import check_input_shape, check_inputs, layer, need_key, take


@boundary
def activation(fn: Callable[..., Any] | str, **options: Any) -> Layer:
    """Make a layer of an activation, given as a function or by its name.

    >>> activation("leaky_relu", negative_slope=0.5).apply({}, np.array([-2.0, 2.0]))
    array([-1.,  2.])

    A combinator takes functions as they are: `serial(dense(8), nn.relu)`.

    Args:
        fn: a function of an array, or the name of one of `fgrad_nn.activations` or of NumPy.
        **options: its other arguments.
    """
    if isinstance(fn, str):
        found = getattr(activations, fn, None) or getattr(np, fn, None)
        if not callable(found) or fn.startswith("_"):
            raise ArgumentError(
                "activation wants the name of a function of fgrad_nn.activations.",
                describe(fn),
                'pass "relu", "gelu", "tanh" and so on, or the function itself',
            )
        return function(functools.partial(found, **options) if options else found, name=fn)
    name = getattr(fn, "__name__", "activation").strip("_")
    called = "activation" if name == "<lambda>" else name
    return function(functools.partial(fn, **options) if options else fn, name=called)


#: What prelu starts with, as in the paper.
_SLOPE = initializers.constant(0.25)


@boundary
def prelu(*, shared: bool = True, slope_init: Initializer = _SLOPE) -> Layer:
    """Multiply negative numbers with a slope that is learned: He et al. 2015.

    >>> shape, params = prelu().init(None, (-1, 3))
    >>> prelu().apply(params, np.array([[-4.0, 0.0, 2.0]]))
    array([[-1.,  0.,  2.]])

    Args:
        shared: whether there is one slope for all channels (the last axis), or one for each.
        slope_init: of the parameter "slope", of shape () or (channels,).
    """

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = input_shape if shared else check_input_shape(input_shape, "prelu", (None,))
        return shape, {"slope": slope_init(key, () if shared else shape[-1:], dtype)}

    def apply(params: PyTree, inputs: Any) -> Any:
        (slope,) = take(params, "prelu", {"slope": () if shared else (None,)})
        check_inputs(inputs, "prelu", () if shared else slope.shape)
        return activations.leaky_relu(inputs, slope)

    return layer(init, apply)


@boundary
def rrelu(lower: float = 1 / 8, upper: float = 1 / 3) -> Layer:
    """Multiply negative numbers with random slopes in training, with their mean otherwise.

    Xu et al. 2015, Empirical evaluation of rectified activations.

    >>> rrelu(0.25, 0.75).apply({}, np.array([-4.0, 2.0]))
    array([-2.,  2.])

    Args:
        lower, upper: the slopes are uniform between these.
    """
    if not 0 <= lower <= upper:
        raise ArgumentError(
            "rrelu wants slopes 0 <= lower <= upper.", f"{lower=}, {upper=}", "exchange them"
        )

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return input_shape, {}

    def apply(params: PyTree, inputs: Any, *, key: Any = None, train: bool = False) -> Any:
        check_inputs(inputs, "rrelu")
        if not train:
            return activations.leaky_relu(inputs, (lower + upper) / 2)
        slopes = random.uniform(need_key(key, "rrelu"), inputs.shape, inputs.dtype, lower, upper)
        return activations.leaky_relu(inputs, beside(slopes, inputs))

    return layer(init, apply)
