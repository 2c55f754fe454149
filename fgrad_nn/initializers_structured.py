"""Starting values with a structure: orthogonal, identity, Dirac and sparse ones."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fgrad import random
from fgrad.errors import ShapeError
from fgrad.tracebacks import boundary

Initializer = Callable[..., Any]
"""`init(key, shape, dtype) -> array`."""


@boundary
def orthogonal(scale: float = 1.0, column_axis: int = -1) -> Initializer:
    """Draw matrices whose columns, or rows if these are fewer, are orthonormal.

    Saxe, McClelland & Ganguli 2014; drawn uniformly (Haar) by the QR decomposition of a normal
    matrix, with the signs of R's diagonal moved to Q (Mezzadri 2007).

    >>> w = orthogonal()(random.key(0), (4, 3))
    >>> bool(np.allclose(w.T @ w, np.eye(3)))
    True

    Args:
        scale: what all is multiplied by.
        column_axis: the axis of the columns; all others together are the rows.
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        shape = tuple(shape)
        if len(shape) < 2:
            raise _wrong("orthogonal", "at least two axes", shape)
        columns = shape[column_axis]
        rows = math.prod(shape) // max(columns, 1)
        q = _orthonormal(key, rows, columns)
        axis = column_axis % len(shape)
        rest = [n for i, n in enumerate(shape) if i != axis]
        return (scale * np.moveaxis(q.reshape(*rest, columns), -1, axis)).astype(dtype)

    return init


def _orthonormal(key: Any, rows: int, columns: int) -> Any:
    """A uniformly drawn matrix with orthonormal columns, or rows if these are fewer."""
    tall = (rows, columns) if rows >= columns else (columns, rows)
    q, r = np.linalg.qr(random.normal(key, tall))
    q = q * np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return q if rows >= columns else q.T


@boundary
def delta_orthogonal(scale: float = 1.0) -> Initializer:
    """Draw convolutions that are an orthogonal matrix at their centre and zero elsewhere.

    Xiao et al. 2018, Dynamical isometry and a mean field theory of CNNs, algorithm 1. The last
    two axes of the shape are the channels that come in and those, no fewer, that go out.

    >>> w = delta_orthogonal()(random.key(0), (3, 2, 4))
    >>> bool(np.allclose(w[1] @ w[1].T, np.eye(2))), bool(np.all(w[0] == 0))
    (True, True)
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        shape = tuple(shape)
        if len(shape) < 3 or shape[-1] < shape[-2]:
            raise _wrong(
                "delta_orthogonal", "axes (*window, inputs, outputs) with outputs >= inputs", shape
            )
        out = np.zeros(shape)
        out[tuple((n - 1) // 2 for n in shape[:-2])] = scale * _orthonormal(key, *shape[-2:])
        return out.astype(dtype)

    return init


@boundary
def identity(scale: float = 1.0) -> Initializer:
    """Fill a matrix with ones on its diagonal, and zeros elsewhere; it need not be square.

    >>> identity()(None, (2, 3))
    array([[1., 0., 0.],
           [0., 1., 0.]])
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        if len(tuple(shape)) != 2:
            raise _wrong("identity", "the two axes of a matrix", tuple(shape))
        return (scale * np.eye(shape[0], shape[1])).astype(dtype)

    return init


@boundary
def dirac(groups: int = 1) -> Initializer:
    """Fill a convolution so that it keeps its inputs: a one at the centre, channel by channel.

    The shape is (*window, inputs of a group, outputs). Channels beyond the inputs get zeros.

    >>> dirac()(None, (3, 1, 1))[:, 0, 0]
    array([0., 1., 0.])
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        shape = tuple(shape)
        if len(shape) < 3 or shape[-1] % groups:
            raise _wrong("dirac", f"axes (*window, inputs, outputs), {groups} | outputs", shape)
        out = np.zeros(shape, dtype)
        centre = tuple((n - 1) // 2 for n in shape[:-2])
        each = shape[-1] // groups
        for i in range(groups * min(each, shape[-2])):
            group, channel = divmod(i, min(each, shape[-2]))
            out[(*centre, channel, group * each + channel)] = 1
        return out

    return init


@boundary
def sparse(sparsity: float, stddev: float = 0.01) -> Initializer:
    """Draw a matrix from a normal distribution, then set a share of each column to zero.

    Martens 2010, Deep learning via Hessian-free optimization, section 5: each unit (a column of
    (inputs, outputs)) is connected with a few inputs only.

    >>> w = sparse(0.75)(random.key(0), (8, 3))
    >>> np.count_nonzero(w, axis=0)
    array([2, 2, 2])

    Args:
        sparsity: the share of zeros in each column, rounded up to whole entries.
        stddev: the standard deviation of the others.
    """

    def init(key: Any, shape: Sequence[int], dtype: Any = np.float64) -> Any:
        shape = tuple(shape)
        if len(shape) != 2:
            raise _wrong("sparse", "the two axes of a matrix", shape)
        k1, k2 = random.split(key)
        rank = np.argsort(np.argsort(random.uniform(k1, shape), axis=0), axis=0)
        kept = rank >= math.ceil(sparsity * shape[0])
        return np.where(kept, stddev * random.normal(k2, shape), 0).astype(dtype)

    return init


def _wrong(name: str, wanted: str, shape: tuple[int, ...]) -> ShapeError:
    return ShapeError(
        f"{name} wants a shape with {wanted}.",
        f"the shape {shape}",
        "take another initializer for such parameters, for example initializers.zeros",
    )
