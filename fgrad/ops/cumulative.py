"""Running sums and products; reductions whose answer is constant: argmax, any, argsort."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import from_end, ndim_of, shape_of
from ..core import Array
from ..fronts import given
from ..rules import constant, linear, primitive
from ..tracer import register, register_newer
from .reduce import NONE, axes_of, prepare


# ------------------------------------------------------------------ running sums and products
def _axis_or_flat(a: Any, axis: Any) -> tuple[Any, int]:
    if axis is None:
        return np.reshape(a, (-1,)), -1
    return a, from_end(axis, ndim_of(a))


def _cumsum_transpose(g: Array, x: Any, *, axis: int) -> Array:
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis)


@linear(np.cumsum, _cumsum_transpose)
def cumsum(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
    """`numpy.cumsum`."""
    given(out=out)
    x, axis = _axis_or_flat(prepare(a, dtype, NONE, 0), axis)
    return (x,), {"axis": axis}


def _cut(x: Array, axis: int, start: int, stop: int) -> Array:
    """``x[start:stop]`` along an axis that is counted from the end."""
    return x[(..., slice(start, stop), *(slice(None),) * (-axis - 1))]


def _cumprod_jvp(ts: Any, ans: Array, x: Array, *, axis: int) -> Array:
    """Recursive doubling: (p, t) of two neighbouring blocks combine to (p q, t q + p u)."""
    p, t, n, step = x, ts[0], x.shape[axis], 1
    while step < n:
        head_p, head_t = _cut(p, axis, 0, step), _cut(t, axis, 0, step)
        left_p, left_t = _cut(p, axis, 0, n - step), _cut(t, axis, 0, n - step)
        right_p, right_t = _cut(p, axis, step, n), _cut(t, axis, step, n)
        t = np.concatenate([head_t, left_t * right_p + left_p * right_t], axis=axis)
        p = np.concatenate([head_p, left_p * right_p], axis=axis)
        step *= 2
    return t


def _cumprod_vjp(g: Array, ans: Array, x: Array, *, axis: int) -> Array:
    """x_i's cotangent is P_{i-1} h_i with h_i = g_i + x_{i+1} h_{i+1}: no division by zeros."""
    n = x.shape[axis]
    if n == 0:
        return g
    before = np.concatenate(
        [np.ones_like(_cut(x, axis, 0, 1)), _cut(ans, axis, 0, n - 1)], axis=axis
    )
    # h by recursive doubling over the maps h -> a + m h, from the right.
    a, step = g, 1
    m = np.concatenate([_cut(x, axis, 1, n), np.zeros_like(_cut(x, axis, 0, 1))], axis=axis)
    while step < n:
        head = _cut(a, axis, 0, n - step) + _cut(m, axis, 0, n - step) * _cut(a, axis, step, n)
        factor = _cut(m, axis, 0, n - step) * _cut(m, axis, step, n)
        a = np.concatenate([head, _cut(a, axis, n - step, n)], axis=axis)
        m = np.concatenate([factor, _cut(m, axis, n - step, n)], axis=axis)
        step *= 2
    return before * a


@primitive(np.cumprod, jvp=_cumprod_jvp, vjp=[_cumprod_vjp])
def cumprod(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
    """`numpy.cumprod`; right at zeros too."""
    given(out=out)
    x, axis = _axis_or_flat(prepare(a, dtype, NONE, 0), axis)
    return (x,), {"axis": axis}


def _cumulative(front: Any, start: Any) -> Any:
    def cumulative(
        x: Any, /, *, axis: Any = None, dtype: Any = None, out: None = None,
        include_initial: bool = False,
    ) -> Any:  # fmt: skip
        given(out=out)
        if axis is None and ndim_of(x) != 1:
            raise ValueError("For arrays which have more than one dimension ``axis`` is required.")
        axis = -1 if axis is None else from_end(axis, ndim_of(x))
        y = front(x, axis, dtype)
        first = start(np.take(x, [0], axis=axis).astype(y.dtype)) if include_initial else None
        return y if first is None else np.concatenate([first, y], axis=axis)

    return cumulative


register_newer("cumulative_sum", _cumulative(cumsum, np.zeros_like))
register_newer("cumulative_prod", _cumulative(cumprod, np.ones_like))


# ------------------------------------------------------------------ where the answer is constant
def _arg(a: Any, axis: Any = None, out: None = None, *, keepdims: Any = False) -> Any:
    given(out=out)
    x, k = _axis_or_flat(a, axis)
    return (x,), {"axis": k}


def _index_of(fn: Any) -> Any:
    front = constant(fn, _arg)

    def arg(a: Any, axis: Any = None, out: None = None, *, keepdims: Any = False) -> Any:
        y = front(a, axis, out)
        if keepdims is not True:
            return y
        return np.expand_dims(y, axes_of(axis, ndim_of(a)))

    return arg


for _fn in (np.argmax, np.argmin):
    register(_fn, _index_of(_fn))


def _truth(a: Any, axis: Any = None, out: None = None, keepdims: Any = False, *,
           where: Any = NONE) -> Any:  # fmt: skip
    given(out=out, where=where)
    return (a,), {"axis": axes_of(axis, ndim_of(a)), "keepdims": keepdims is True}


for _test in (np.any, np.all, np.count_nonzero):
    constant(_test, _truth)
register(np.allclose, lambda a, b, **kw: np.all(np.isclose(a, b, **kw)))


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """`numpy.array_equal`; it wants values that are known."""
    if shape_of(a1) != shape_of(a2):
        return False
    same = np.equal(a1, a2)
    if equal_nan:
        same = np.logical_or(same, np.logical_and(np.isnan(a1), np.isnan(a2)))
    return bool(np.all(same))


register(np.array_equal, array_equal)


def array_equiv(a1: Any, a2: Any) -> bool:
    """`numpy.array_equiv`; it wants values that are known."""
    try:
        np.broadcast_shapes(shape_of(a1), shape_of(a2))
    except ValueError:
        return False
    return bool(np.all(np.equal(a1, a2)))


register(np.array_equiv, array_equiv)


def _order(
    a: Any, axis: Any = -1, kind: Any = None, order: None = None, *, stable: Any = None
) -> Any:
    x, k = _axis_or_flat(a, axis)
    return (x,), {"axis": k, "kind": "stable" if stable else kind}


argsort = constant(np.argsort, _order)
