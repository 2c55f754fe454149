"""Functions of arrays as layers without parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fgrad.errors import ShapeError
from fgrad.tracebacks import boundary

from ..types import Layer, PyTree
from .making import is_shape, layer, shape_of


@boundary
def function(fn: Callable[[Any], Any], *, name: str | None = None) -> Layer:
    """Make a layer of a function of arrays; combinators do so with the functions they are given.

    >>> halves = function(lambda x: x[..., ::2])
    >>> halves.init(None, (-1, 6))
    ((-1, 3), {})
    >>> halves.apply({}, np.arange(4.0))
    array([0., 2.])

    Its output shape is found by a call with zeros, twice, with batches of two sizes.

    Args:
        fn: a function of one array, or of a tuple of arrays, to an array or a tuple of arrays.
        name: that of the layer; the function's own if it isn't given.
    """
    own = getattr(fn, "__name__", "function")
    called = name or ("function" if own == "<lambda>" else own.strip("_"))

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return probe(lambda shape: shapes_of(fn(zeros(shape, dtype))), input_shape, called), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        return fn(inputs)

    return layer(init, apply, name=called)


@boundary
def identity() -> Layer:
    """Return the inputs as they are.

    >>> identity().init(None, (-1, 3))
    ((-1, 3), {})
    """

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return input_shape, {}

    def apply(params: PyTree, inputs: Any) -> Any:
        return inputs

    return layer(init, apply)


def probe(shapes: Callable[[Any], Any], input_shape: Any, name: str) -> Any:
    """What a function of shapes makes of one with lengths -1: it is asked for two batch sizes."""
    with np.errstate(all="ignore"):
        small, large = (shapes(filled(input_shape, n)) for n in (2, 3))
    return merged(small, large, name)


def filled(shape: Any, n: int) -> Any:
    """A shape, or a tuple of shapes, with n in place of each -1."""
    if is_shape(shape):
        return tuple(n if k == -1 else k for k in shape)
    return tuple(filled(s, n) for s in shape)


def merged(small: Any, large: Any, name: str) -> Any:
    """The shape in which the lengths that differ are -1."""
    if not is_shape(small):
        return tuple(merged(a, b, name) for a, b in zip(small, large, strict=True))
    if len(small) != len(large):
        raise ShapeError(
            f"{name} wants a function whose result has a number of axes that the batch size "
            "doesn't change.",
            f"the shapes {small} and {large} for batches of 2 and 3",
            "keep the axes of the batch in the result",
        )
    return tuple(a if a == b else -1 for a, b in zip(small, large, strict=True))


def zeros(shape: Any, dtype: Any) -> Any:
    """Zeros of a shape, or a tuple of such."""
    return np.zeros(shape, dtype) if is_shape(shape) else tuple(zeros(s, dtype) for s in shape)


def shapes_of(y: Any) -> Any:
    """The shape of an array, or a tuple of those of several."""
    return tuple(shapes_of(v) for v in y) if isinstance(y, (tuple, list)) else shape_of(y)
