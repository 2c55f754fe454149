"""Means over many numbers, and the functions that bring arrays to mean 0 or to length 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad.tracebacks import boundary

#: So many numbers are added one after the other before their sums are added.
_RUN = 256


def mean_over(x: Any, axes: Sequence[int]) -> Any:
    """The mean over axes, which stay with length one.

    One axis after the other, the last one first, and long ones in parts: so no sum in float32 has
    many terms. `np.mean` of 800 thousand numbers 1000.1 along the first three axes is 1006.5.
    """
    for axis in sorted((a % x.ndim for a in axes), reverse=True):
        x = _sum(x, axis) / x.shape[axis]
    return x


def sum_over(x: Any, axes: Sequence[int]) -> Any:
    """The sum over axes, which go; added up like those of `mean_over`.

    >>> sum_over(np.ones((2, 3, 4)), (0, 1))
    array([6., 6., 6., 6.])
    """
    gone = tuple(sorted((a % x.ndim for a in axes), reverse=True))
    for axis in gone:
        x = _sum(x, axis)
    return np.squeeze(x, gone)


def _sum(x: Any, axis: int) -> Any:
    n = x.shape[axis]
    if n <= 2 * _RUN:
        return np.sum(x, axis=axis, keepdims=True)
    before, behind = (slice(None),) * axis, x.shape[axis + 1 :]
    even = n // _RUN * _RUN
    parts = np.reshape(x[(*before, slice(0, even))], (*x.shape[:axis], even // _RUN, _RUN, *behind))
    total = _sum(np.sum(parts, axis=axis + 1), axis)
    if even == n:
        return total
    return total + np.sum(x[(*before, slice(even, n))], axis=axis, keepdims=True)


@boundary
def standardize(x: Any, axis: int | Sequence[int] = -1, epsilon: float = 1e-5) -> Any:
    """(x - mean) / sqrt(variance + epsilon), over some axes.

    >>> standardize(np.array([1.0, 3.0]), epsilon=0.0)
    array([-1.,  1.])

    Args:
        x: an array of real numbers.
        axis: the axes over which mean and variance are taken.
        epsilon: what is added to the variance; 0 makes NaN of constant inputs.
    """
    axes = tuple(axis) if isinstance(axis, Sequence) else (axis,)
    centred = x - mean_over(x, axes)
    # numbers are divided once for each variance, and multiplied where there are many
    return centred * (1 / np.sqrt(mean_over(np.square(centred), axes) + epsilon))


@boundary
def normalize(x: Any, ord: float = 2, axis: int = -1, epsilon: float = 1e-12) -> Any:
    """X divided by its p-norm along an axis, or by epsilon where that is greater.

    >>> normalize(np.array([3.0, 4.0]))
    array([0.6, 0.8])

    Args:
        x: an array of real numbers.
        ord: the p of the norm, as for `np.linalg.norm`.
        axis: the axis along which the vectors lie.
        epsilon: what vectors near 0 are divided by.
    """
    size = np.linalg.norm(x, ord=ord, axis=axis, keepdims=True)
    return x / np.maximum(size, epsilon)
