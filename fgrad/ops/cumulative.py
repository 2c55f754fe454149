"""Running sums and products; reductions whose answer is constant: argmax, any, argsort."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import from_end, is_cupy, ndim_of, shape_of
from ..core import Array
from ..fronts import given
from ..rules import constant, linear, primitive
from ..tracer import register, register_newer
from .creation import as_array
from .reduce import NONE, axes_of, in_dtype, prepare


# ------------------------------------------------------------------ running sums and products
def _axis_or_flat(a: Any, axis: Any) -> tuple[Any, int]:
    if axis is None or (ndim_of(a) == 0 and axis in (0, -1)):
        return np.reshape(a, (-1,)), -1
    return a, from_end(axis, ndim_of(a))


def _cumsum_transpose(g: Array, x: Any, *, axis: int) -> Array:
    return np.flip(np.cumsum(np.flip(g, axis), axis), axis)


def _running(front: Any) -> Any:
    """`numpy.cumsum`, or `numpy.cumprod`."""

    def running(a: Any, axis: Any = None, dtype: Any = None, out: None = None) -> Any:
        given(out=out)
        return in_dtype(front(*_axis_or_flat(prepare(a, dtype, NONE, 0), axis)), dtype)

    return running


@linear(np.cumsum, _cumsum_transpose)
def _cumsum(x: Any, axis: int) -> Any:
    return (x,), {"axis": axis}


def cut(x: Array, axis: int, start: int, stop: int) -> Array:
    """``x[start:stop]`` along an axis that is counted from the end."""
    return x[(..., slice(start, stop), *(slice(None),) * (-axis - 1))]


def _cumprod_jvp(ts: Any, ans: Array, x: Array, *, axis: int) -> Array:
    """Recursive doubling: (p, t) of two neighbouring blocks combine to (p q, t q + p u)."""
    p, t, n, step = x, ts[0], x.shape[axis], 1
    while step < n:
        head_p, head_t = cut(p, axis, 0, step), cut(t, axis, 0, step)
        left_p, left_t = cut(p, axis, 0, n - step), cut(t, axis, 0, n - step)
        right_p, right_t = cut(p, axis, step, n), cut(t, axis, step, n)
        t = np.concatenate([head_t, left_t * right_p + left_p * right_t], axis=axis)
        p = np.concatenate([head_p, left_p * right_p], axis=axis)
        step *= 2
    return t


def _cumprod_vjp(g: Array, ans: Array, x: Array, *, axis: int) -> Array:
    """x_i's cotangent is P_{i-1} h_i with h_i = g_i + x_{i+1} h_{i+1}: no division by zeros."""
    n = x.shape[axis]
    if n == 0:
        return g
    before = np.concatenate([np.ones_like(cut(x, axis, 0, 1)), cut(ans, axis, 0, n - 1)], axis=axis)
    # h by recursive doubling over the maps h -> a + m h, from the right.
    a, step = g, 1
    m = np.concatenate([cut(x, axis, 1, n), np.zeros_like(cut(x, axis, 0, 1))], axis=axis)
    while step < n:
        head = cut(a, axis, 0, n - step) + cut(m, axis, 0, n - step) * cut(a, axis, step, n)
        factor = cut(m, axis, 0, n - step) * cut(m, axis, step, n)
        a = np.concatenate([head, cut(a, axis, n - step, n)], axis=axis)
        m = np.concatenate([factor, cut(m, axis, n - step, n)], axis=axis)
        step *= 2
    return before * a


@primitive(np.cumprod, jvp=_cumprod_jvp, vjp=[_cumprod_vjp])
def _cumprod(x: Any, axis: int) -> Any:
    return (x,), {"axis": axis}


cumsum, cumprod = _running(_cumsum), _running(_cumprod)  # cumprod is right at zeros too
register(np.cumsum, cumsum)
register(np.cumprod, cumprod)


# ------------------------------------------------------------------ running maximum
def _sums_of_runs(x: Array, fresh: Array, axis: int) -> Array:
    """Running sums that begin anew where ``fresh``, by recursive doubling."""
    n, step = x.shape[axis], 1
    while step < n:
        before = np.where(cut(fresh, axis, step, n), 0, cut(x, axis, 0, n - step))
        x = np.concatenate([cut(x, axis, 0, step), cut(x, axis, step, n) + before], axis=axis)
        either = np.logical_or(cut(fresh, axis, step, n), cut(fresh, axis, 0, n - step))
        fresh = np.concatenate([cut(fresh, axis, 0, step), either], axis=axis)
        step *= 2
    return x


def _edge(x: Array, axis: int) -> Array:
    return np.ones_like(cut(x, axis, 0, 1), dtype=bool)


def _runs(ans: Array, x: Array, axis: int) -> tuple[Array, Array, Array]:
    """Which entries are the extreme, the share of each in it, and where the answer changes.

    All entries that an answer ties with are in the run of equal answers that it ends.
    """
    n = x.shape[axis]
    there = np.equal(x, ans)
    change = np.not_equal(cut(ans, axis, 1, n), cut(ans, axis, 0, n - 1))
    fresh = np.concatenate([_edge(x, axis), change], axis=axis)
    count = _sums_of_runs(there.astype(x.dtype), fresh, axis)
    return there.astype(x.dtype), 1 / np.maximum(count, 1), change


def _running_jvp(ts: Any, ans: Array, x: Array, *, axis: int) -> Array:
    if x.shape[axis] == 0:
        return ts[0]
    there, share, change = _runs(ans, x, axis)
    fresh = np.concatenate([_edge(x, axis), change], axis=axis)
    return _sums_of_runs(there * ts[0], fresh, axis) * share


def _running_vjp(g: Array, ans: Array, x: Array, *, axis: int) -> Array:
    if x.shape[axis] == 0:
        return g
    there, share, change = _runs(ans, x, axis)
    last = np.concatenate([change, _edge(x, axis)], axis=axis)
    return there * np.flip(_sums_of_runs(np.flip(g * share, axis), np.flip(last, axis), axis), axis)


def _accumulate(ufunc: Any) -> Any:
    def impl(x: Any, *, axis: int) -> Any:
        if not is_cupy(x):  # which has none
            return ufunc.accumulate(x, axis)
        n, step = x.shape[axis], 1
        while step < n:  # each entry is combined with that which ends where it begins
            longer = ufunc(cut(x, axis, 0, n - step), cut(x, axis, step, n))
            x = np.concatenate([cut(x, axis, 0, step), longer], axis=axis)
            step *= 2
        return x.copy()

    return impl


def running_max(x: Any, axis: int) -> Any:
    """`numpy.maximum.accumulate`; entries that tie share the derivative."""
    return (x,), {"axis": axis}


def running_min(x: Any, axis: int) -> Any:
    """`numpy.minimum.accumulate`."""
    return (x,), {"axis": axis}


running_max, running_min = (
    primitive(fn, jvp=_running_jvp, vjp=[_running_vjp], impl=_accumulate(ufunc))(fn)
    for fn, ufunc in ((running_max, np.maximum), (running_min, np.minimum))
)


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


def _truth(fn: Any, fill: Any) -> None:
    def canonical(x: Any, axis: Any, keepdims: Any) -> Any:
        return (x,), {"axis": axes_of(axis, ndim_of(x)), "keepdims": keepdims is True}

    def count(x: Any, *, axis: Any, keepdims: bool) -> Any:
        return np.sum(np.not_equal(x, 0), axis=axis, keepdims=keepdims)

    # CuPy's count keeps no axes.
    front = constant(fn, canonical, impl=count if fn is np.count_nonzero else None)

    def test(
        a: Any, axis: Any = None, out: None = None, keepdims: Any = False, *, where: Any = NONE
    ) -> Any:
        given(out=out)
        return front(prepare(a, None, where, fill), axis, keepdims)

    register(fn, test)


for _test, _fill in ((np.any, False), (np.all, True), (np.count_nonzero, 0)):
    _truth(_test, _fill)


def allclose(a: Any, b: Any, rtol: Any = 1e-5, atol: Any = 1e-8, equal_nan: bool = False) -> Any:
    """`numpy.allclose`; a boolean array, as the values may not be known."""
    return np.all(np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan))


register(np.allclose, allclose)


def array_equal(a1: Any, a2: Any, equal_nan: bool = False) -> bool:
    """`numpy.array_equal`; it wants values that are known."""
    a1, a2 = as_array(a1), as_array(a2)
    if shape_of(a1) != shape_of(a2):
        return False
    same = np.equal(a1, a2)
    if equal_nan:
        same = np.logical_or(same, np.logical_and(np.isnan(a1), np.isnan(a2)))
    return bool(np.all(same))


register(np.array_equal, array_equal)


def array_equiv(a1: Any, a2: Any) -> bool:
    """`numpy.array_equiv`; it wants values that are known."""
    a1, a2 = as_array(a1), as_array(a2)
    try:
        np.broadcast_shapes(shape_of(a1), shape_of(a2))
    except ValueError:
        return False
    return bool(np.all(np.equal(a1, a2)))


register(np.array_equiv, array_equiv)


def _order(
    a: Any, axis: Any = -1, kind: Any = None, order: None = None, *, stable: Any = None
) -> Any:
    given(order=order)
    x, k = _axis_or_flat(as_array(a), axis)
    return (x,), {"axis": k, "kind": "stable" if stable else kind}


argsort = constant(np.argsort, _order)
