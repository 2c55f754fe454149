"""Reductions and running sums."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import axes_from_end, namespace, ndarray, ndim_of, shape_of
from ..core import PRIMITIVES, Array
from ..fronts import given
from ..rules import apply, elementwise, linear, primitive
from ..tracer import register
from .creation import as_array

NONE: Any = np._NoValue
ADD_REDUCE: Any = np.add.reduce  # NumPy's annotations know no keepdims that varies


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """Axes from the end; NumPy takes a number as a vector of one axis here."""
    return () if ndim == 0 and axis in (0, -1) else axes_from_end(axis, ndim)


def _initial(out: Any, initial: Any, combine: Any) -> Any:
    """A reduction's result combined with ``initial``, which NumPy casts to its dtype."""
    if initial is NONE or initial is None:
        return out
    return combine(out, as_array(initial, out).astype(out.dtype))


def prepare(x: Any, dtype: Any, where: Any, fill: Any) -> Any:
    """The operand in the dtype asked for, with ``fill`` where it isn't to count."""
    x = as_array(x)
    if dtype is not None:
        x = x.astype(dtype)
    return x if where is NONE or where is True else np.where(as_array(where, x), x, fill)


def in_dtype(y: Any, dtype: Any) -> Any:
    """A sum or product in the dtype asked for: NumPy's own of small integers is an int64."""
    return y if dtype is None or y.dtype == dtype else y.astype(dtype)


def spread(g: Array, x: Any, axis: tuple[int, ...], keepdims: bool) -> Array:
    """The transpose of a sum: the cotangent once for each element."""
    if issubclass(type(g), np.generic):
        out = np.empty(x.shape, g.dtype)
        out.fill(g)
        return out
    if type(g) is ndarray:
        out = np.empty(x.shape, g.dtype)
        out[...] = _keepdims(g, axis, keepdims)
        return out
    return np.broadcast_to(_keepdims(g, axis, keepdims), x.shape)


def _keepdims(g: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    return g if keepdims or not axis or not ndim_of(g) else np.expand_dims(g, axis)


def _sum_impl(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    if type(x) is ndarray:  # np.sum spends longer on its way here than on adding small arrays
        if len(axis) == x.ndim and not keepdims:
            return ADD_REDUCE(x, None)
        return ADD_REDUCE(x, axis=axis, keepdims=keepdims)
    return namespace(x).sum(x, axis=axis, keepdims=keepdims)


@linear(np.sum, spread, impl=_sum_impl)
def _sum(x: Any, axis: Any, keepdims: Any) -> Any:
    return (x,), {"axis": axes_of(axis, ndim_of(x)), "keepdims": keepdims is True}


_SUM = PRIMITIVES["sum"]
#: The params of a sum or mean of all entries, by rank.
ALL = [{"axis": tuple(range(-n, 0)), "keepdims": False} for n in range(65)]


def sum_(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
    initial: Any = NONE, where: Any = NONE,
) -> Any:  # fmt: skip
    """`numpy.sum`."""
    if (
        axis is None and dtype is None and out is None and keepdims is False
        and initial is NONE and where is NONE
    ):  # fmt: skip
        a = as_array(a)
        return apply(_SUM, a, ALL[len(a.shape)])
    given(out=out)
    y = in_dtype(_sum(prepare(a, dtype, where, 0), axis, keepdims), dtype)
    return _initial(y, initial, np.add)


register(np.sum, sum_)


def _over(total: Any, n: Any) -> Any:
    """``total / n``, in two steps where n as a float16 would be infinite: they end at 65504."""
    large = issubclass(type(n), (int, float)) and n > 65504
    return total / 4096.0 / (n / 4096.0) if large else total / n


def _mean_spread(g: Array, x: Any, axis: tuple[int, ...], keepdims: bool) -> Array:
    n, shape = 1, x.shape
    for i in axis:
        n *= shape[i]
    g = _over(g, n)
    if issubclass(type(g), np.generic):
        out = np.empty(shape, g.dtype)
        out.fill(g)
        return out
    return spread(g, x, axis, keepdims)


def _mean_impl(x: Any, *, axis: tuple[int, ...], keepdims: bool) -> Any:
    if type(x) is ndarray and x.size and x.dtype.char in "fdFD":
        if len(axis) == x.ndim and not keepdims:
            return ADD_REDUCE(x, None) / x.size
        total = ADD_REDUCE(x, axis=axis, keepdims=keepdims)
        return total / (x.size // max(total.size, 1))
    return namespace(x).mean(x, axis=axis, keepdims=keepdims)


@linear(np.mean, _mean_spread, impl=_mean_impl)
def _mean(x: Any, axis: Any, keepdims: Any) -> Any:
    return (x,), {"axis": axes_of(axis, ndim_of(x)), "keepdims": keepdims is True}


_MEAN = PRIMITIVES["mean"]


def mean(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False, *,
    where: Any = NONE,
) -> Any:  # fmt: skip
    """`numpy.mean`."""
    a = as_array(a)
    if axis is None and dtype is None and out is None and keepdims is False and where is NONE:
        return apply(_MEAN, a, ALL[len(a.shape)])
    given(out=out)
    if a.dtype.kind in "biu" and dtype is None:
        dtype = np.float64
    if where is NONE or where is True:
        return _mean(prepare(a, dtype, NONE, 0), axis, keepdims)
    half = dtype is None and a.dtype == np.float16  # NumPy, too, adds up float16 in float32
    dtype = np.float32 if half else dtype
    total = sum_(a, axis, dtype, None, keepdims is True, NONE, where)
    mean = total / _count(where, a, axis, keepdims, total.dtype)
    return mean.astype(np.float16) if half else mean


def _count(where: Any, like: Any, axis: Any, keepdims: Any, dtype: Any) -> Any:
    """How many elements take part, in the dtype of what is divided by it."""
    shape = shape_of(like)
    mask = np.broadcast_to(as_array(where, like), shape)
    return np.sum(mask, axis=axis, keepdims=keepdims is True).astype(dtype)


register(np.mean, mean)
average = mean  # which `var` has as a parameter of the same name


def var(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0,
    keepdims: Any = False, *, where: Any = NONE, mean: Any = NONE, correction: Any = NONE,
) -> Any:  # fmt: skip
    """`numpy.var`."""
    given(out=out)
    a = as_array(a)
    ddof = ddof if correction is NONE else correction
    keep = {} if where is NONE or where is True else {"where": where}
    center = average(a, axis, dtype, None, True, **keep) if mean is NONE else mean
    d = (a if dtype is None else a.astype(dtype)) - center
    d = np.real(d * np.conj(d)) if d.dtype.kind == "c" else d * d
    axes = axes_of(axis, ndim_of(a))
    total = sum_(d, axes, None, None, keepdims is True, **keep)
    if not keep:
        n: Any = 1
        for i in axes:
            n *= shape_of(a)[i]
        return _over(total, max(n - ddof, 0))
    # A count may be infinite as a float16.
    wide = np.promote_types(total.dtype, np.float32)
    n = np.maximum(_count(where, a, axes, keepdims, wide) - ddof, 0)
    return (total.astype(wide) / n).astype(total.dtype)


def _root_slope(t: Array, ans: Array, x: Array) -> Array:
    zero = np.equal(ans, 0)
    return np.where(zero, 0, 0.5 * t) / np.where(zero, 1, ans)


def _root(y: Any) -> Any:
    """The square root of a variance: where that is 0 so is its derivative, of least norm there."""
    return np.sqrt(y)


_root.__name__ = "root"
root = elementwise(_root, _root_slope)


def std(a: Any, *args: Any, **kwargs: Any) -> Any:
    """`numpy.std`."""
    return root(var(a, *args, **kwargs))


register(np.var, var)
register(np.std, std)


# ------------------------------------------------------------------ prod
def joined(x: Array, axis: tuple[int, ...]) -> Array:
    """The axes as one, which is the last."""
    shape = shape_of(x)
    rest = [i for i in range(-len(shape), 0) if i not in axis]
    size = 1
    for i in axis:
        size *= shape[i]
    return np.reshape(np.transpose(x, [*rest, *axis]), (*(shape[i] for i in rest), size))


def _parted(y: Array, x: Array, axis: tuple[int, ...]) -> Array:
    """The inverse of `joined`: the last axis as the axes that it came from."""
    shape = shape_of(x)
    order = [*(i for i in range(-len(shape), 0) if i not in axis), *axis]
    y = np.reshape(y, tuple(shape[i] for i in order))
    return np.transpose(y, [order.index(i - len(shape)) for i in range(len(shape))])


def _others(x: Array) -> Array:
    """For each element the product of the others in its row, without division by zeros."""
    ones = np.ones_like(x[..., :1])
    before = np.concatenate([ones, np.cumprod(x[..., :-1], axis=-1)], axis=-1)
    after = np.flip(np.cumprod(np.flip(x[..., 1:], -1), axis=-1), -1)
    return before * np.concatenate([after, ones], axis=-1)


def _prod_jvp(ts: Any, ans: Array, x: Array, *, axis: tuple[int, ...]) -> Array:
    return np.sum(joined(ts[0], axis) * _others(joined(x, axis)), axis=-1)


def _prod_vjp(g: Array, ans: Array, x: Array, *, axis: tuple[int, ...]) -> Array:
    return _parted(np.expand_dims(g, -1) * _others(joined(x, axis)), x, axis)


@primitive(np.prod, jvp=_prod_jvp, vjp=[_prod_vjp])
def _prod(x: Any, axis: tuple[int, ...]) -> Any:
    return (x,), {"axis": axis}


def prod(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False,
    initial: Any = NONE, where: Any = NONE,
) -> Any:  # fmt: skip
    """`numpy.prod`; right at zeros too."""
    given(out=out)
    x = prepare(a, dtype, where, 1)
    axes = axes_of(axis, ndim_of(x))
    y = _prod(x, axes)
    y = in_dtype(np.expand_dims(y, axes) if keepdims is True and axes else y, dtype)
    return _initial(y, initial, np.multiply)


register(np.prod, prod)


# ------------------------------------------------------------------ max and min
def _extreme_weights(ans: Array, x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """Ties share evenly."""
    mask = np.equal(x, ans if keepdims else np.expand_dims(ans, axis)).astype(x.dtype)
    return mask / np.sum(mask, axis=axis, keepdims=True)


def _extreme_jvp(ts: Any, ans: Array, x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    return np.sum(ts[0] * _extreme_weights(ans, x, axis, keepdims), axis=axis, keepdims=keepdims)


def _extreme_vjp(g: Array, ans: Array, x: Array, *, axis: tuple[int, ...], keepdims: bool) -> Array:
    g = g if keepdims else np.expand_dims(g, axis)
    return g * _extreme_weights(ans, x, axis, keepdims)


def _extreme(fn: Any, combine: Any) -> Any:
    def canonical(a: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return (a,), {"axis": axes_of(axis, ndim_of(a)), "keepdims": keepdims}

    front = primitive(fn, jvp=_extreme_jvp, vjp=[_extreme_vjp])(canonical)

    def extreme(
        a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = NONE,
        where: Any = NONE,
    ) -> Any:  # fmt: skip
        given(out=out)
        a = as_array(a)
        if where is not NONE and where is not True:
            if initial is NONE:
                raise ValueError(
                    f"reduction operation '{combine.__name__}' does not have an identity, so to "
                    "use a where mask one has to specify 'initial'"
                )
            a = np.where(as_array(where, a), a, as_array(initial, a).astype(a.dtype))
        y = front(a, axis, keepdims is True)
        return _initial(y, initial, combine)

    extreme.__name__ = fn.__name__
    return extreme


max_ = _extreme(np.max, np.maximum)
min_ = _extreme(np.min, np.minimum)
register(np.max, max_)
register(np.amax, max_)
register(np.min, min_)
register(np.amin, min_)


def ptp(a: Any, axis: Any = None, out: None = None, keepdims: Any = False) -> Any:
    """`numpy.ptp`."""
    given(out=out)
    keepdims = keepdims is True
    return np.max(a, axis=axis, keepdims=keepdims) - np.min(a, axis=axis, keepdims=keepdims)


register(np.ptp, ptp)
