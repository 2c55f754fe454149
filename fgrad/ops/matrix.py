"""Diagonals and triangles of matrices, Kronecker and cross products."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..arrays import ndim_of, shape_of
from ..core import home
from ..tracer import register
from .creation import as_array
from .index import getitem
from .update import at


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """`numpy.diagonal`; the result is no view."""
    x = np.moveaxis(a, (axis1, axis2), (-2, -1))
    rows, columns = shape_of(x)[-2:]
    i, j = max(-offset, 0), max(offset, 0)
    k = home(a).arange(max(min(rows - i, columns - j), 0))
    return getitem(x, (..., k + i, k + j))


def trace(
    a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None, out: None = None
) -> Any:
    """`numpy.owner`."""
    return np.sum(diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype, out=out)


def diag(v: Any, k: int = 0) -> Any:
    """`numpy.diag`: a matrix with this diagonal, or the diagonal of a matrix."""
    if ndim_of(v) == 2:
        return diagonal(v, k)
    if ndim_of(v) != 1:
        raise ValueError("Input must be 1- or 2-d.")
    n = shape_of(v)[0] + abs(k)
    host = home(v)
    i = host.arange(n - abs(k))
    zeros = host.zeros((n, n), v.dtype)
    return at(zeros)[i + max(-k, 0), i + max(k, 0)].set(v)


def _triangle(lower: bool) -> Any:
    def triangle(m: Any, k: int = 0) -> Any:
        shape = shape_of(m)[-2:]
        inside = home(m).tri(shape[0], shape[-1], k if lower else k - 1, dtype=bool)
        zero = m.dtype.type(0)
        return np.where(inside, m, zero) if lower else np.where(inside, zero, m)

    return triangle


def kron(a: Any, b: Any) -> Any:
    """`numpy.kron`."""
    a, b = as_array(a, b), as_array(b, a)
    n = max(ndim_of(a), ndim_of(b))
    left, right = ((1,) * (n - ndim_of(x)) + shape_of(x) for x in (a, b))
    x = np.reshape(a, tuple(m for size in left for m in (size, 1)))
    y = np.reshape(b, tuple(m for size in right for m in (1, size)))
    return np.reshape(x * y, tuple(i * j for i, j in zip(left, right, strict=True)))


def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """`numpy.cross`, of vectors in space; NumPy is about to refuse those in the plane."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = as_array(a, b), as_array(b, a)
    x, y = np.moveaxis(a, axisa, -1), np.moveaxis(b, axisb, -1)
    flat = [shape_of(z)[-1] == 2 for z in (x, y)]
    if any(flat):
        warnings.warn(
            "Arrays of 2-dimensional vectors are deprecated. Use arrays of 3-dimensional vectors "
            "instead.", DeprecationWarning, stacklevel=2,
        )  # fmt: skip
        x, y = (
            np.concatenate([z, np.zeros_like(z[..., :1])], axis=-1) if f else z
            for z, f in zip((x, y), flat, strict=True)
        )
        if all(flat):
            return x[..., 0] * y[..., 1] - x[..., 1] * y[..., 0]
    if shape_of(x)[-1] != 3 or shape_of(y)[-1] != 3:
        raise ValueError("Both input arrays must be (arrays of) 3-dimensional vectors")
    left = np.roll(x, -1, -1) * np.roll(y, 1, -1)
    right = np.roll(x, 1, -1) * np.roll(y, -1, -1)
    return np.moveaxis(left - right, -1, axisc)


def cross_in_space(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """`numpy.linalg.cross`."""
    for x in (x1, x2):
        if shape_of(x)[axis] != 3:
            raise ValueError(
                "Both input arrays must be (arrays of) 3-dimensional vectors, but they are "
                f"{shape_of(x1)[axis]} and {shape_of(x2)[axis]} dimensional instead."
            )
    return cross(x1, x2, axis=axis)


register(np.diagonal, diagonal)
register(np.trace, trace)
register(np.diag, diag)
register(np.tril, _triangle(True))
register(np.triu, _triangle(False))
register(np.kron, kron)
register(np.cross, cross)
register(np.linalg.cross, cross_in_space)
register(np.linalg.diagonal, lambda x, /, *, offset=0: diagonal(x, offset, -2, -1))
register(
    np.linalg.trace, lambda x, /, *, offset=0, dtype=None: trace(x, offset, -2, -1, dtype=dtype)
)
