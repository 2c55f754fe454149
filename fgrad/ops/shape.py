"""Shapes: reshape, transpose, broadcast, flip, roll."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .. import kinds
from ..arrays import from_end, namespace, ndarray, ndim_of, shape_of
from ..core import PRIMITIVES, Params, bind
from ..errors import NoRuleError
from ..rules import apply, leading, linear, unbroadcast
from ..tracer import register
from .creation import as_array, first_array


# ------------------------------------------------------------------ reshape
def _front_shape(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    """Batch rule: the shape in the params gets the batch axis in front."""
    (x,) = xs
    shape = (size, *params["shape"])
    return x.reshape(shape) if type(x) is ndarray else bind(p, xs, {"shape": shape})


def _reshape_impl(x: Any, *, shape: tuple[int, ...]) -> Any:
    return x.reshape(shape) if hasattr(x, "reshape") else np.reshape(x, shape)


@linear(
    np.reshape, lambda g, x, *, shape: np.reshape(g, x.shape), batch=_front_shape,
    impl=_reshape_impl,
)  # fmt: skip
def _reshape(x: Any, shape: tuple[int, ...]) -> Any:
    return (x,), {"shape": shape}


RESHAPE = PRIMITIVES["reshape"]


def reshape(a: Any, /, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    """`numpy.reshape`, in C or Fortran order."""
    shape = shape if isinstance(shape, (tuple, list)) else (shape,)
    shape = tuple(n.__index__() for n in shape)
    if shape.count(-1):
        known = 1
        for n in shape:
            known *= n if n != -1 else 1
        size = int(np.prod(shape_of(a), dtype=np.int64))
        if shape.count(-1) > 1 or not known or size % known:
            raise ValueError(f"cannot reshape array of size {size} into shape {shape}")
        shape = tuple(size // known if n == -1 else n for n in shape)
    if order == "F":
        return np.transpose(_reshape(np.transpose(a), shape[::-1]))
    if order not in ("C", None):
        raise NoRuleError(
            "`np.reshape` and `np.ravel` of traced values want order 'C' or 'F'.",
            f"order={order!r}, which depends on the memory layout",
            "choose one of the two",
        )
    return _reshape(a, shape)


register(np.reshape, reshape)


def ravel(a: Any, order: str = "C") -> Any:
    """`numpy.ravel`, in C or Fortran order."""
    return reshape(a, -1, "C" if ndim_of(a) < 2 else order)


register(np.ravel, ravel)


# ------------------------------------------------------------------ order of the axes
@lru_cache(maxsize=256)
def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    n = len(axes)
    out = [0] * n
    for i, a in enumerate(axes):
        out[a] = i - n
    return tuple(out)


def _transpose_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    return bind(p, xs, {"axes": (-len(params["axes"]) - 1, *params["axes"])})


@linear(
    np.transpose, lambda g, x, *, axes: g.transpose(_inverse(axes)), batch=_transpose_batch,
    impl=lambda x, *, axes: x.transpose(axes),
)  # fmt: skip
def _transpose(x: Any, axes: tuple[int, ...]) -> Any:
    return (x,), {"axes": axes}


_TRANSPOSE = PRIMITIVES["transpose"]
#: The params of a transpose without axes, by rank.
_REVERSED = [{"axes": tuple(range(-1, -n - 1, -1))} for n in range(65)]


def transpose(a: Any, axes: Any = None) -> Any:
    """`numpy.transpose`."""
    n = ndim_of(a)
    if axes is None:
        return apply(_TRANSPOSE, a, _REVERSED[n]) if n > 1 else a
    new = tuple(from_end(i, n) for i in axes)
    if sorted(new) != list(range(-n, 0)):
        raise ValueError("axes don't match array")
    return _transpose(a, new) if n else a


register(np.transpose, transpose)


def swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    """`numpy.swapaxes`."""
    n = ndim_of(a)
    i, j = from_end(axis1, n), from_end(axis2, n)
    axes = list(range(-n, 0))
    axes[i], axes[j] = axes[j], axes[i]
    return _transpose(a, tuple(axes))


def moveaxis(a: Any, source: Any, destination: Any) -> Any:
    """`numpy.moveaxis`."""
    n = ndim_of(a)
    source = [source] if not isinstance(source, (tuple, list)) else list(source)
    destination = [destination] if not isinstance(destination, (tuple, list)) else list(destination)
    src = [from_end(i, n) for i in source]
    dst = [from_end(i, n) for i in destination]
    if len(src) != len(dst):
        raise ValueError(
            "`source` and `destination` arguments must have the same number of elements"
        )
    order = [i for i in range(-n, 0) if i not in src]
    for d, s in sorted(zip(dst, src, strict=True)):
        order.insert(d + n, s)
    return _transpose(a, tuple(order))


def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """`numpy.rollaxis`."""
    n = ndim_of(a)
    axis = from_end(axis, n) + n
    start = start + n if start < 0 else start
    return moveaxis(a, axis, start - 1 if axis < start else start)


def matrix_transpose(x: Any, /) -> Any:
    """`numpy.matrix_transpose`."""
    if ndim_of(x) < 2:
        raise ValueError(f"Input array must be at least 2-dimensional, but it is {ndim_of(x)}")
    return swapaxes(x, -1, -2)


register(np.swapaxes, swapaxes)
register(np.moveaxis, moveaxis)
register(np.rollaxis, rollaxis)
register(np.matrix_transpose, matrix_transpose)
register(np.linalg.matrix_transpose, matrix_transpose)


# ------------------------------------------------------------------ axes of length one
def _axes(axis: Any) -> tuple[Any, ...]:
    return tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)


def _expand_dims_impl(x: Any, *, axis: tuple[int, ...]) -> Any:
    # For the two commonest, indexing takes a tenth of the time.
    if type(x) is ndarray and axis == (-1,):
        return x[..., None]
    if type(x) is ndarray and axis == (-2,):
        return x[..., None, :]
    return namespace(x).expand_dims(x, axis)


@linear(np.expand_dims, lambda g, x, *, axis: np.reshape(g, x.shape), impl=_expand_dims_impl)
def expand_dims(a: Any, axis: Any) -> Any:
    """`numpy.expand_dims`."""
    axes = _axes(axis)
    n = ndim_of(a) + len(axes)
    axes = tuple(from_end(i, n) for i in axes)
    if len(set(axes)) != len(axes):
        raise ValueError("repeated axis")
    return (a,), {"axis": axes}


EXPAND_DIMS = PRIMITIVES["expand_dims"]


@linear(np.squeeze, lambda g, x, *, axis: np.reshape(g, x.shape))
def squeeze(a: Any, axis: Any = None) -> Any:
    """`numpy.squeeze`."""
    shape = shape_of(a)
    if axis is None:
        return (a,), {"axis": tuple(i - len(shape) for i, n in enumerate(shape) if n == 1)}
    if not shape and axis in (0, -1):  # which NumPy takes of a number, too
        return (a,), {"axis": ()}
    return (a,), {"axis": tuple(from_end(i, len(shape)) for i in _axes(axis))}


def _at_least(n: int, where: Any) -> Any:
    def one(x: Any, like: Any = None) -> Any:
        x = as_array(x, like)
        missing = n - ndim_of(x)
        return x if missing <= 0 else np.reshape(x, where(shape_of(x), missing))

    def each(*xs: Any) -> Any:
        if len(xs) == 1:
            return one(xs[0])
        like = first_array(xs)
        return tuple(one(x, like) for x in xs)

    return each


register(np.atleast_1d, _at_least(1, lambda s, k: (1,)))
register(np.atleast_2d, _at_least(2, lambda s, k: (*(1,) * k, *s)))
register(
    np.atleast_3d, _at_least(3, lambda s, k: (1, *s, 1) if k == 2 else (*(1,) * (k - 1), *s, 1))
)


# ------------------------------------------------------------------ broadcasting
def _broadcast_batch(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    (x,), shape = xs, params["shape"]
    own = shape_of(x)
    x = np.reshape(x, (size, *(1,) * (len(shape) - len(own) + 1), *own[1:]))
    return bind(p, (x,), {"shape": (size, *shape)})


@linear(
    np.broadcast_to, lambda g, x, *, shape: unbroadcast(g, x.shape, g.dtype),
    batch=_broadcast_batch,
)  # fmt: skip
def broadcast_to(array: Any, shape: Any, subok: bool = False) -> Any:
    """`numpy.broadcast_to`."""
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    return (array,), {"shape": shape}


def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    """`numpy.broadcast_arrays`."""
    like = first_array(args)
    args = tuple(as_array(x, like) for x in args)
    shape = np.broadcast_shapes(*map(shape_of, args))
    return tuple(
        kinds.array(x) if shape_of(x) == shape else np.broadcast_to(x, shape) for x in args
    )


register(np.broadcast_arrays, broadcast_arrays)


# ------------------------------------------------------------------ flip, roll
@linear(np.flip, lambda g, x, *, axis: np.flip(g, axis))
def flip(m: Any, axis: Any = None) -> Any:
    """`numpy.flip`."""
    n = ndim_of(m)
    axes = tuple(range(-n, 0)) if axis is None else tuple(from_end(i, n) for i in _axes(axis))
    return (m,), {"axis": axes}


register(np.flipud, lambda m: flip(m, 0))
register(np.fliplr, lambda m: flip(m, 1))


@linear(
    np.roll, lambda g, x, *, shift, axis: np.roll(g, tuple(-s for s in shift), axis),
    batch=leading,
)  # fmt: skip
def _roll(a: Any, shift: tuple[int, ...], axis: tuple[int, ...]) -> Any:
    return (a,), {"shift": shift, "axis": axis}


def roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """`numpy.roll`."""
    if axis is None:
        return np.reshape(roll(np.reshape(a, (-1,)), shift, 0), shape_of(a))
    shifts, axes = np.broadcast_arrays(shift, axis)
    n = ndim_of(a)
    return _roll(a, tuple(map(int, shifts.ravel())), tuple(from_end(i, n) for i in axes.ravel()))


register(np.roll, roll)
