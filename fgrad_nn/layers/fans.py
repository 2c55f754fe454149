"""Layers that make several values of one, and one of several."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, ShapeError, describe
from fgrad.tracebacks import boundary

from ..types import Layer, PyTree
from .making import count, is_shape, layer, shape_of


@boundary
def fan_out(n: int) -> Layer:
    """Make a tuple that holds the inputs n times.

    >>> fan_out(2).init(None, (-1, 3))
    (((-1, 3), (-1, 3)), {})
    """
    n = count(n, "fan_out", "a number of copies")

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return (input_shape,) * n, {}

    def apply(params: PyTree, inputs: Any) -> Any:
        return (inputs,) * n

    return layer(init, apply)


@boundary
def fan_in_sum() -> Layer:
    """Add all inputs, which must be of one shape.

    >>> fan_in_sum().apply({}, (np.ones(2), np.ones(2)))
    array([2., 2.])
    """
    return _reducing("fan_in_sum", operator.add)


@boundary
def fan_in_mul() -> Layer:
    """Multiply all inputs, which must be of one shape.

    >>> fan_in_mul().apply({}, (np.ones(2), 3 * np.ones(2)))
    array([3., 3.])
    """
    return _reducing("fan_in_mul", operator.mul)


@boundary
def fan_in_mean() -> Layer:
    """Take the mean of all inputs, which must be of one shape.

    >>> fan_in_mean().apply({}, (np.ones(2), 3 * np.ones(2)))
    array([2., 2.])
    """
    return _reducing("fan_in_mean", operator.add, mean=True)


def _reducing(name: str, op: Callable[[Any, Any], Any], mean: bool = False) -> Layer:
    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        several(input_shape, name, shapes=True)
        return same_shape(input_shape, name), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        several(inputs, name)
        same_shape(tuple(map(shape_of, inputs)), name)
        out = functools.reduce(op, inputs)
        return out / len(inputs) if mean else out

    return layer(init, apply, name=name)


@boundary
def fan_in_concat(axis: int = -1) -> Layer:
    """Put all inputs together along an axis.

    >>> fan_in_concat().apply({}, (np.ones(2), np.zeros(1)))
    array([1., 1., 0.])
    >>> fan_in_concat().init(None, ((-1, 2), (-1, 1)))
    ((-1, 3), {})
    """
    _check_axis(axis, "fan_in_concat")

    def joined(shapes: Any) -> Any:
        bare = [_without(s, axis, "fan_in_concat") for s in shapes]
        if any(b != bare[0] for b in bare):
            raise ShapeError(
                f"fan_in_concat wants inputs that are alike in all axes but axis {axis}.",
                f"the shapes {', '.join(map(str, shapes))}",
                "bring them to such shapes first, or choose another axis",
            )
        lengths = [s[axis] for s in shapes]
        out = list(shapes[0])
        out[axis] = -1 if -1 in lengths else sum(lengths)
        return tuple(out)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return joined(several(input_shape, "fan_in_concat", shapes=True)), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        joined([shape_of(x) for x in several(inputs, "fan_in_concat")])
        return np.concatenate(inputs, axis=axis)

    return layer(init, apply)


@boundary
def fan_in_stack(axis: int = -1) -> Layer:
    """Put all inputs, of one shape, together along a new axis.

    >>> fan_in_stack().init(None, ((-1, 3), (-1, 3)))
    ((-1, 3, 2), {})
    """
    _check_axis(axis, "fan_in_stack")

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        several(input_shape, "fan_in_stack", shapes=True)
        out = list(same_shape(input_shape, "fan_in_stack"))
        _without((*out, 0), axis, "fan_in_stack")
        out.insert(len(out) + 1 + axis, len(input_shape))
        return tuple(out), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        several(inputs, "fan_in_stack")
        same_shape(tuple(map(shape_of, inputs)), "fan_in_stack")
        return np.stack(inputs, axis=axis)

    return layer(init, apply)


def several(x: Any, name: str, n: int | None = None, *, shapes: bool = False) -> Any:
    """Several inputs, or their shapes: a tuple of n."""
    ok = isinstance(x, (tuple, list)) and not (shapes and is_shape(x))
    if not ok or not x or n not in (None, len(x)):
        given = f"the shape {x}" if shapes else f"{len(x)} inputs" if ok else describe(x)
        raise ShapeError(
            f"{name} wants a tuple of {'several' if n is None else n} inputs.",
            given,
            f"pass such a tuple; in a network put fan_out({n or 'n'}) or parallel(...) before it",
        )
    return x


def same_shape(shapes: Any, name: str) -> Any:
    """The one shape that all have."""
    if any(s != shapes[0] for s in shapes):
        raise ShapeError(
            f"{name} wants inputs of one shape.",
            f"the shapes {', '.join(map(str, shapes))}",
            "bring them to one shape first; broadcasting is not done here",
        )
    return shapes[0]


def _check_axis(axis: Any, name: str) -> None:
    if not is_a(axis, int) or is_a(axis, bool) or axis >= 0:
        raise ArgumentError(
            f"{name} wants an axis counted from the end, whatever the number of batch axes.",
            describe(axis),
            "pass a negative integer; -1 is the last axis",
        )


def _without(shape: Any, axis: int, name: str) -> Any:
    """A shape without an axis, which it must have."""
    if not is_shape(shape) or len(shape) < -axis:
        raise ShapeError(
            f"{name} wants inputs that have axis {axis}.",
            f"the shape {shape}",
            "choose an axis that all inputs have",
        )
    return shape[: len(shape) + axis], shape[len(shape) + axis + 1 :]
