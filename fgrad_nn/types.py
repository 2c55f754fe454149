"""The records that everything in `fgrad_nn` is made of: pure functions, a few together."""

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

    init: Callable[..., tuple[Any, PyTree]]
    """`init(key, input_shape, dtype) -> (output_shape, params)`; -1 stands for the batch."""
    apply: Callable[..., Any]
    """`apply(params, inputs, **kwargs) -> outputs`."""

    @property
    def name(self) -> str:
        """What combinators call it: the name of the function in which `apply` is defined."""
        return name_of_apply(self.apply)


class StatefulLayer(NamedTuple):
    """A layer that also has state: numbers that it needs, and that no gradient is for.

    Running means of batches are such. The state goes in and comes out as a value, beside the
    parameters and never among them, so that `fgrad.grad` by the parameters doesn't see it.

    >>> import numpy as np
    >>> counter = StatefulLayer(
    ...     init=lambda key, input_shape: (input_shape, {}),
    ...     apply=lambda params, inputs, state: (inputs, {"calls": state["calls"] + 1}),
    ...     init_state=lambda key, input_shape: {"calls": 0},
    ... )
    >>> counter.apply({}, np.ones(2), state=counter.init_state(None, (-1, 2)))
    (array([1., 1.]), {'calls': 1})
    """

    init: Callable[..., tuple[Any, PyTree]]
    """`init(key, input_shape, dtype) -> (output_shape, params)`; as that of `Layer`."""
    apply: Callable[..., tuple[Any, PyTree]]
    """`apply(params, inputs, state=state, **kwargs) -> (outputs, new_state)`."""
    init_state: Callable[..., PyTree]
    """`init_state(key, input_shape, dtype) -> state`."""

    @property
    def name(self) -> str:
        """What combinators call it: the name of the function in which `apply` is defined."""
        return name_of_apply(self.apply)


AnyLayer = Layer | StatefulLayer


def name_of_apply(apply: Callable[..., Any]) -> str:
    """The name of the function in which a layer's `apply` is defined, "layer" if there is none.

    >>> def scale():
    ...     return lambda params, inputs: params * inputs
    >>> name_of_apply(scale())
    'scale'
    """
    outside = getattr(apply, "__qualname__", "").split(".<locals>")[:-1]
    return outside[-1].rpartition(".")[2] if outside else "layer"
