"""Broadcasting, its transpose, and how operands line up under vmap: the tools of the rules."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .arrays import PYTHON_SCALARS, ndarray, ndim_of, shape_of
from .core import Array, Params, Primitive, bind


def unbroadcast(g: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Array:
    """The transpose of broadcasting and casting: sum what was stretched, restore the dtype."""
    g_shape = shape_of(g)
    if g_shape != shape:
        if len(g_shape) == 2 and type(g) is ndarray and g.dtype.char in "fd" and g.size:
            # A bias: a product with ones takes a third of the time of a sum along an axis.
            if shape == (g_shape[0], 1):
                return cast(g.dot(ones(g_shape[1], 1, g.dtype)), dtype)
            if shape == (g_shape[1],):
                return cast(ones(1, g_shape[0], g.dtype).dot(g)[0], dtype)
        extra = len(g_shape) - len(shape)
        if extra > 0:
            g = np.add.reduce(g, axis=tuple(range(extra)))
            g_shape = shape_of(g)
        axes = tuple([i for i, n in enumerate(shape) if n == 1 and g_shape[i] != 1])
        if axes:
            g = np.add.reduce(g, axis=axes, keepdims=True)
        if shape_of(g) != shape:  # a scalar cotangent of a larger operand
            g = np.broadcast_to(g, shape)
    return cast(g, dtype)


@lru_cache(maxsize=64)
def ones(rows: int, columns: int, dtype: np.dtype[Any]) -> Array:
    """Ones that everybody reads and nobody writes: a constant, made once for each shape."""
    out = np.ones((rows, columns), dtype)
    out.flags.writeable = False
    return out


def cast(g: Array, dtype: np.dtype[Any]) -> Array:
    """The same values in another dtype; of complex values for a real dtype, the real part."""
    if issubclass(type(g), PYTHON_SCALARS):
        g = np.asarray(g)
    if g.dtype is dtype:
        return g
    if g.dtype.kind == "c" and dtype.kind != "c":
        g = np.real(g)
    return g.astype(dtype)


def line_up(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    """Batch rule: line ranks up behind the batch axis; NumPy's own broadcasting does the rest."""
    rank = max(ndim_of(x) - b for x, b in zip(xs, batched, strict=True))
    return bind(
        p, [_pad_rank(x, rank) if b else x for x, b in zip(xs, batched, strict=True)], params
    )


def _pad_rank(x: Array, rank: int) -> Array:
    """Put axes of length one behind the batch axis until ``rank`` axes follow it."""
    missing = rank + 1 - ndim_of(x)
    if missing <= 0:
        return x
    shape = shape_of(x)
    return np.reshape(x, (shape[0], *(1,) * missing, *shape[1:]))


def leading(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    """Batch rule: axes are counted from the end, so a batch axis in front changes nothing."""
    return bind(
        p,
        [
            x if b else np.broadcast_to(x, (size, *np.shape(x)))
            for x, b in zip(xs, batched, strict=True)
        ],
        params,
    )
