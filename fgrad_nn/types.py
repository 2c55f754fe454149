"""The two records that everything in `fgrad_nn` is made of: pairs of pure functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

PyTree = Any
"""Any nesting of lists, tuples, dicts and registered classes, with arrays as leaves."""


class Layer(NamedTuple):
    """A layer of a network; it holds no parameters, it makes and uses them.

    >>> import numpy as np
    >>> def init(key, input_shape):
    ...     return input_shape, {"scale": np.ones(input_shape[-1])}
    >>> scale = Layer(init, lambda params, inputs: params["scale"] * inputs)
    >>> shape, params = scale.init(None, (-1, 3))
    >>> scale.apply(params, np.array([1.0, 2.0, 3.0]))
    array([1., 2., 3.])
    """

    init: Callable[..., tuple[tuple[int, ...], PyTree]]
    """`init(key, input_shape) -> (output_shape, params)`; -1 stands for the batch dimension."""
    apply: Callable[..., Any]
    """`apply(params, inputs, **kwargs) -> outputs`."""


class Optimizer(NamedTuple):
    """A rule that turns gradients into updates; its memory is a value that you carry.

    The contract is optax's, except that `update` always wants the parameters, because it compares
    the gradients with them.

    >>> from fgrad_nn import apply_updates, sgd
    >>> opt = sgd(0.5)
    >>> params = [1.0, 2.0]
    >>> state = opt.init(params)
    >>> updates, state = opt.update([4.0, 2.0], state, params)
    >>> apply_updates(params, updates)
    [-1.0, 1.0]
    """

    init: Callable[[PyTree], PyTree]
    """`init(params) -> state`."""
    update: Callable[[PyTree, PyTree, PyTree], tuple[PyTree, PyTree]]
    """`update(grads, state, params) -> (updates, state)`."""
