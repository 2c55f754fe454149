"""Linear algebra: solving, the inverse, norms, pivots."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import axes_from_end, is_cupy, namespace, ndim_of, shape_of
from ..core import Array
from ..rules import constant, leading, line_up, primitive, total, unbroadcast
from ..tracer import register
from .contract import mT
from .ufuncs import ratio


# ------------------------------------------------------------------ solve
def _stacked(a: Any, b: Any) -> Any:
    """`numpy.linalg.solve` with as many matrices on the left as on the right, as CuPy wants it."""
    if a.shape[:-2] != b.shape[:-2]:
        stack = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
        a, b = (np.broadcast_to(x, (*stack, *x.shape[-2:])) for x in (a, b))
    return np.linalg.solve(a, b)


def _solve_jvp(ts: Any, ans: Array, a: Array, b: Array) -> Array:
    t_a, t_b = ts
    right = total([t_b, None if t_a is None else -np.matmul(t_a, ans)])
    return _stacked(a, np.broadcast_to(right, np.shape(ans)))


def _solve_a(g: Array, ans: Array, a: Array, b: Any) -> Array:
    c = -np.matmul(_stacked(mT(a), g), mT(ans))
    return unbroadcast(c, a.shape, c.dtype)


@primitive(
    np.linalg.solve,
    impl=lambda a, b: (_stacked if is_cupy(a) else np.linalg.solve)(a, b),
    jvp=_solve_jvp,
    vjp=[_solve_a, lambda g, ans, a, b: _stacked(mT(a), g)],
    batch=line_up,
)
def _solve(a: Any, b: Any) -> Any:
    return (a, b), {}


def solve(a: Any, b: Any) -> Any:
    """`numpy.linalg.solve`."""
    if ndim_of(b) == 1:
        return _solve(a, np.expand_dims(b, -1))[..., 0]
    return _solve(a, b)


register(np.linalg.solve, solve)


# ------------------------------------------------------------------ inverse
@primitive(
    np.linalg.inv,
    jvp=lambda ts, ans, a: -np.matmul(np.matmul(ans, ts[0]), ans),
    vjp=[lambda g, ans, a: -np.matmul(np.matmul(mT(ans), g), mT(ans))],
)
def inv(a: Any) -> Any:
    """`numpy.linalg.inv`."""
    return (a,), {}


# ------------------------------------------------------------------ norms
def _direction(ans: Array, x: Array, p: Any, axis: tuple[int, ...], keepdims: bool) -> Array:
    """d with dn = sum(real(d t)): the conjugate of the steepest ascent; 0 where the norm is 0."""
    n = ans if keepdims else np.expand_dims(ans, axis)
    if p == 2:  # nothing is singular but the norm itself
        return ratio(np.conj(x), n)
    n = np.where(np.equal(n, 0), 1, n)
    size, sign = np.abs(x), np.conj(np.sign(x))
    if p in (np.inf, -np.inf):
        mask = np.equal(size, n).astype(size.dtype)
        return sign * (mask / np.maximum(np.sum(mask, axis=axis, keepdims=True), 1))
    if p == 1:
        return sign
    return sign * np.power(np.where(np.equal(size, 0), 0 if p > 1 else 1, size / n), p - 1)


def _norm_jvp(ts: Any, ans: Array, x: Array, *, ord: Any, axis: Any, keepdims: bool) -> Any:
    if ord == 0:
        return None
    d = _direction(ans, x, ord, axis, keepdims)
    return np.sum(np.real(d * ts[0]), axis=axis, keepdims=keepdims)


def _norm_vjp(g: Array, ans: Array, x: Array, *, ord: Any, axis: Any, keepdims: bool) -> Any:
    if ord == 0:
        return None
    return (g if keepdims else np.expand_dims(g, axis)) * _direction(ans, x, ord, axis, keepdims)


def _norm_impl(x: Any, *, ord: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    if len(axis) == ndim_of(x) and not keepdims and ord == 2:
        return namespace(x).linalg.norm(x)
    if len(axis) == 1:
        return namespace(x).linalg.norm(x, ord, axis[0], keepdims)
    return namespace(x).linalg.norm(x, "fro" if ord == 2 else ord, axis, keepdims)


@primitive(np.linalg.norm, jvp=_norm_jvp, vjp=[_norm_vjp], impl=_norm_impl)
def _norm(x: Any, ord: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    return (x,), {"ord": ord, "axis": axis, "keepdims": keepdims}


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """`numpy.linalg.norm`: all norms of vectors and of matrices.

    At 0 the derivative is 0, the subgradient of least norm.
    """
    x = x.astype(np.float64) if x.dtype.kind in "biu" else x
    n = ndim_of(x)
    if ord is None:
        if axis is None and n > 2:  # all entries, whatever the rank
            y = _norm(np.reshape(x, (-1,)), 2, (-1,), False)
            return np.reshape(y, (1,) * n) if keepdims else y
        return _norm(x, 2, axes_from_end(axis, n), keepdims)
    axes = tuple(range(n)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if len(axes) == 1:
        return _norm(x, ord, axes_from_end(axes, n), keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    return _matrix_norm(x, ord, axes, keepdims)


def _matrix_norm(x: Any, ord: Any, axes: tuple[int, ...], keepdims: bool) -> Any:
    n = ndim_of(x)
    row, column = (i % n for i in axes)
    if ord in ("fro", "f"):
        return _norm(x, 2, axes_from_end(axes, n), keepdims)
    if ord in (2, -2, "nuc"):
        s = np.linalg.svd(np.moveaxis(x, (row, column), (-2, -1)), compute_uv=False)
        y = (np.sum if ord == "nuc" else np.max if ord == 2 else np.min)(s, axis=-1)
        return np.expand_dims(y, (row, column)) if keepdims else y
    if ord not in (1, -1, np.inf, -np.inf):
        raise ValueError("Invalid norm order for matrices.")
    inner, outer = (row, column) if abs(ord) == 1 else (column, row)
    sums = np.sum(np.abs(x), axis=inner, keepdims=True)
    y = (np.max if ord > 0 else np.min)(sums, axis=outer, keepdims=True)
    return y if keepdims else np.squeeze(y, (row, column))


def vector_norm(
    x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2
) -> Any:  # fmt: skip
    """`numpy.linalg.vector_norm`: several axes count as one."""
    n = ndim_of(x)
    axes = axes_from_end(axis, n)
    if len(axes) == 1:
        return norm(x, ord, axes, keepdims)
    rest = [i for i in range(-n, 0) if i not in axes]
    flat = np.transpose(x, [*axes, *rest])
    y = norm(np.reshape(flat, (-1, *shape_of(flat)[len(axes) :])), ord, 0)
    return np.expand_dims(y, axes) if keepdims else y


register(np.linalg.norm, norm)
register(np.linalg.vector_norm, vector_norm)
register(
    np.linalg.matrix_norm,
    lambda x, /, *, keepdims=False, ord="fro": norm(x, ord, (-2, -1), keepdims),
)


# ------------------------------------------------------------------ pivots
def _rows_impl(pivots: Any) -> Any:
    order = np.broadcast_to(np.arange(pivots.shape[-1]), pivots.shape).copy()
    for i in range(pivots.shape[-1]):
        j = pivots[..., i : i + 1]
        here, there = order[..., i : i + 1].copy(), np.take_along_axis(order, j, -1)
        np.put_along_axis(order, j, here, -1)
        order[..., i : i + 1] = there
    return order


def row_order(pivots: Any) -> Any:
    """LAPACK's pivots, row i exchanged with row pivots[i] in turn, as an order of the rows."""
    return (pivots,), {}


rows_of_pivots = constant(row_order, row_order, batch=leading, impl=_rows_impl)
