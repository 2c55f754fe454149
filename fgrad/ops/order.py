"""Order statistics, and finding places among sorted values."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import axes_from_end, from_end, is_a, is_cupy, ndim_of, shape_of
from ..core import Array, Tracer, bind, home
from ..fronts import given
from ..kinds import scalar
from ..rules import constant, primitive
from ..tracer import register
from .casts import known, stop_gradient_leaf
from .creation import as_array
from .index import take, take_along_axis
from .numeric import weights_of


# ------------------------------------------------------------------ places among sorted values
def _count(a: Any, v: Any, right: bool) -> Any:
    """`searchsorted` in rows of a, by counting."""
    a, v = np.expand_dims(a, -2), np.expand_dims(v, -1)
    return np.sum(np.logical_not(a > v if right else a >= v), axis=-1)


def _searchsorted_batch(p: Any, size: int, xs: Any, batched: Any, params: Any) -> Any:
    (a, v), (a_batched, v_batched) = xs, batched
    if not a_batched:
        return bind(p, (a, v), params)
    rank = ndim_of(v) - v_batched
    shape = shape_of(v)[ndim_of(v) - rank :]
    flat = np.reshape(v, (size if v_batched else 1, math.prod(shape)))
    return np.reshape(_count(a, flat, params["side"] == "right"), (size, *shape))


@lambda f: constant(np.searchsorted, f, batch=_searchsorted_batch)
def _searchsorted(a: Any, v: Any, side: str) -> Any:
    return (a, v), {"side": side}


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> Any:
    """`numpy.searchsorted`."""
    a, v = as_array(a, v), as_array(v, a)
    return _searchsorted(a if sorter is None else take(a, sorter), v, side)


def digitize(x: Any, bins: Any, right: bool = False) -> Any:
    """`numpy.digitize`; bins may rise or fall."""
    x, bins = as_array(x, bins), as_array(bins, x)
    steps = known(np.diff(stop_gradient_leaf(bins)))
    if steps is not None and np.any(steps > 0) and np.any(steps < 0):
        raise ValueError("bins must be monotonically increasing or decreasing")
    side, n = "left" if right else "right", shape_of(bins)[0]
    up, down = (_searchsorted(b, x, side) for b in (bins, np.flip(bins)))
    return np.where(np.less_equal(bins[0], bins[-1]), up, n - down) if n else up


def isin(
    element: Any, test_elements: Any, assume_unique: bool = False, invert: bool = False, *,
    kind: Any = None,
) -> Any:  # fmt: skip
    """`numpy.isin`."""
    element, test = as_array(element, test_elements), as_array(test_elements, element)
    found = np.any(np.equal(np.expand_dims(element, -1), np.ravel(test)), axis=-1)
    return np.logical_not(found) if invert else found


def bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    """`numpy.bincount`; the numbers counted must be known, the weights have derivatives."""
    x = as_array(x, weights)
    ones = np.equal(np.expand_dims(x, -1), home(x).arange(_length(x, minlength)))
    if weights is None:
        return np.sum(ones, axis=0)
    return np.matmul(weights.astype(np.float64), ones.astype(np.float64))


def _length(x: Any, minlength: int) -> int:
    return max(int(np.max(x)) + 1 if np.size(x) else 0, minlength)


# ------------------------------------------------------------------ order statistics
def _standing_weights(v: Array, x: Array) -> Array:
    """For each v the share that each x has in it: (..., m) and (..., n) to (..., m, n)."""
    mask = np.equal(np.expand_dims(x, -2), np.expand_dims(v, -1)).astype(x.dtype)
    return mask / np.maximum(np.sum(mask, axis=-1, keepdims=True), 1)


def _standing_jvp(ts: Any, ans: Array, x: Array, v: Any) -> Any:
    if ts[0] is None:
        return None
    return np.sum(_standing_weights(ans, x) * np.expand_dims(ts[0], -2), axis=-1)


def _standing_vjp(g: Array, ans: Array, x: Array, v: Any) -> Array:
    return np.sum(_standing_weights(ans, x) * np.expand_dims(g, -1), axis=-2)


def order_statistic(x: Any, v: Any) -> Any:
    """Values v that are entries of the last axis of x; entries that tie share the derivative."""
    return (x, v), {}


_standing = primitive(
    order_statistic, jvp=_standing_jvp, vjp=[_standing_vjp, None], impl=lambda x, v: np.copy(v)
)(order_statistic)


def _ranked(x: Any, ranks: Any, nan: bool = False) -> Any:
    """The entries of the given ranks along the last axis; all are NaN if one is.

    With ``nan`` NaNs don't count, and each row has its own ranks.
    """
    ordered = np.sort(stop_gradient_leaf(x), axis=-1)
    ranks = np.clip(ranks, 0, shape_of(x)[-1] - 1)
    v = take_along_axis(ordered, ranks, -1) if nan else take(ordered, ranks, axis=-1)
    if x.dtype.kind == "f" and not nan:
        last = ordered[..., -1:]
        v = np.where(np.isnan(last), last, v)
    return _standing(x, v)


def _joined(a: Any, axis: Any) -> tuple[Any, tuple[int, ...]]:
    """The axes as the last one, and their numbers in the answer."""
    n = ndim_of(a)
    axes = axes_from_end(axis, n)
    rest = [i for i in range(-n, 0) if i not in axes]
    x = np.transpose(a, [*rest, *axes]) if n else np.reshape(a, (1,))
    return np.reshape(x, (*(shape_of(a)[i] for i in rest), -1)), axes


def median(
    a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    keepdims: bool = False,
) -> Any:  # fmt: skip
    """`numpy.median`."""
    given(out=out)
    x, axes = _joined(a, axis)
    n = shape_of(x)[-1]
    y = np.mean(_ranked(x, home(x).arange((n - 1) // 2, n // 2 + 1)), axis=-1)
    return np.expand_dims(y, axes) if keepdims and axes else y


def _count_numbers(x: Any) -> Any:
    """How many entries of each row are not NaN, with an axis of one for the row."""
    return np.sum(np.logical_not(np.isnan(stop_gradient_leaf(x))), axis=-1, keepdims=True)


def nanmedian(
    a: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    keepdims: Any = False,
) -> Any:  # fmt: skip
    """`numpy.nanmedian`."""
    given(out=out)
    x, axes = _joined(a, axis)
    n = _count_numbers(x)
    ranks = np.concatenate([(n - 1) // 2, n // 2], axis=-1)
    y = np.mean(_ranked(x, ranks, nan=True), axis=-1)
    return np.expand_dims(y, axes) if keepdims is True and axes else y


#: Method -> alpha and beta of Hyndman and Fan (1996), Sample Quantiles in Statistical Packages.
_PLOTTING = {
    "linear": (1, 1), "hazen": (0.5, 0.5), "weibull": (0, 0), "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8), "interpolated_inverted_cdf": (0, 1),
}  # fmt: skip
#: Methods that take an entry: how the fractional rank n q - 1 or (n - 1) q is rounded.
_ROUNDING: dict[str, Any] = {"lower": np.floor, "higher": np.ceil, "nearest": np.round}
_DISCRETE = ("inverted_cdf", "closest_observation")


def _place(method: str, n: Any, q: Any) -> Any:
    """Where the quantile is among the n sorted values, as a fractional rank."""
    if method in _PLOTTING:
        alpha, beta = _PLOTTING[method]
        return (n - 1) * q if method == "linear" else n * q + (alpha + q * (1 - alpha - beta)) - 1
    if method in _ROUNDING:
        return _ROUNDING[method]((n - 1) * q)
    if method == "midpoint":
        return 0.5 * (np.floor((n - 1) * q) + np.ceil((n - 1) * q))
    if method == "inverted_cdf":
        return np.ceil(n * q - 1)
    place = n * q - (1.5 if method == "closest_observation" else 1)
    below = np.floor(place)
    whole = np.equal(place, below)
    if method == "averaged_inverted_cdf":
        return np.where(whole, below + 0.5, below + 1)
    if method == "closest_observation":
        return np.where(whole & np.equal(np.remainder(below, 2), 1), below, below + 1)
    raise ValueError(
        f"{method!r} is not a valid method. Use one of: "
        f"{[*_PLOTTING, *_ROUNDING, *_DISCRETE, 'averaged_inverted_cdf', 'midpoint']}"
    )


def quantile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """`numpy.quantile`, in `a` and in `q`, whose derivative is that of the line between two."""
    given(out=out)
    return _quantile(a, q, axis, method, keepdims is True, weights, nan=False)


def nanquantile(
    a: Any, q: Any, axis: Any = None, out: None = None, overwrite_input: bool = False,
    method: str = "linear", keepdims: Any = False, *, weights: Any = None,
) -> Any:  # fmt: skip
    """`numpy.nanquantile`."""
    given(out=out)
    return _quantile(a, q, axis, method, keepdims is True, weights, nan=True)


def _quantile(
    a: Any, q: Any, axis: Any, method: str, keepdims: bool, weights: Any, nan: bool
) -> Any:
    a = as_array(a)
    if a.dtype.kind == "c":
        raise TypeError("a must be an array of real numbers")
    x, axes = _joined(a, axis)
    if not hasattr(q, "dtype"):
        weak = is_a(q, (int, float)) and a.dtype.kind == "f"
        q = home(a).asarray(q, a.dtype if weak else np.float64)
    known = stop_gradient_leaf(q)
    plain = not isinstance(known, Tracer) and not is_cupy(known)
    if plain and not np.all((known >= 0) & (known <= 1)):
        raise ValueError("Quantiles must be in the range [0, 1]")
    if weights is not None:
        if method != "inverted_cdf":
            raise ValueError(f"Only method 'inverted_cdf' supports weights. Got: {method}.")
        w, _ = _joined(np.broadcast_to(weights_of(a, weights, axis), shape_of(a)), axis)
        y = _weighted(x, known, stop_gradient_leaf(w), nan)
        return np.expand_dims(y, axes) if keepdims and axes else y
    n = _count_numbers(x).astype(q.dtype) if nan else shape_of(x)[-1]
    place = np.clip(_place(method, n, np.reshape(q, (-1,))), 0, n - 1)
    last = np.maximum(n - 2, 0) if nan else max(n - 2, 0)
    lower = np.clip(np.floor(stop_gradient_leaf(place)), 0, last)
    share = place - lower
    rank = lower.astype(np.intp)
    left, right = _ranked(x, rank, nan), _ranked(x, rank + 1, nan)
    gap = right - left
    y = np.where(share >= 0.5, right - gap * (1 - share), left + gap * share)
    if method in _ROUNDING or method in _DISCRETE:
        y = np.where(share >= 0.5, right, left)
    y = scalar(np.reshape(np.moveaxis(y, -1, 0), (*shape_of(q), *shape_of(x)[:-1])))
    return np.expand_dims(y, axes) if keepdims and axes else y


def _weighted(x: Any, q: Any, w: Any, nan: bool) -> Any:
    """Where the running sum of the weights in the order of x passes q: constant in the weights."""
    known = stop_gradient_leaf(x)
    if nan:
        w = np.where(np.isnan(known), 0, w)
    order = np.argsort(known, axis=-1)
    ordered = take_along_axis(known, order, -1)
    share = np.cumsum(take_along_axis(w, order, -1).astype(np.float64), axis=-1)
    share = (share / share[..., -1:]).astype(q.dtype)
    share = np.where(np.equal(share, 0), -1, share)  # an entry without weight is no quantile
    below = np.less(np.expand_dims(share, -2), np.reshape(q, (-1, 1)))
    rank = np.minimum(np.sum(below, axis=-1), shape_of(x)[-1] - 1)
    v = take_along_axis(ordered, rank, -1)
    if x.dtype.kind == "f" and not nan:
        v = np.where(np.isnan(ordered[..., -1:]), np.nan, v)
    y = np.moveaxis(_standing(x, v.astype(x.dtype)), -1, 0)
    return np.reshape(y, (*shape_of(q), *shape_of(x)[:-1]))


def _of_percents(front: Any) -> Any:
    def percentile(a: Any, q: Any, *args: Any, **kwargs: Any) -> Any:
        if not hasattr(q, "dtype") and not is_a(q, (int, float)):
            q = home(a).asarray(q)
        return front(a, q / 100, *args, **kwargs)

    return percentile


def _argpartition(
    a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: None = None
) -> Any:
    given(order=order)
    if axis is None:
        a, axis = np.reshape(a, (-1,)), -1
    return (a,), {"kth": kth, "axis": from_end(axis, ndim_of(a)), "kind": kind}


def _argpartition_impl(a: Any, *, kth: Any, axis: int, kind: Any) -> Any:
    # CuPy has one algorithm.
    return np.argpartition(a, kth, axis) if is_cupy(a) else np.argpartition(a, kth, axis, kind)


constant(np.argpartition, _argpartition, impl=_argpartition_impl)


def partition(
    a: Any, kth: Any, axis: Any = -1, kind: Any = "introselect", order: None = None
) -> Any:
    """`numpy.partition`."""
    given(order=order)
    if axis is None:
        a, axis = np.reshape(a, (-1,)), -1
    return take_along_axis(a, np.argpartition(a, kth, axis, kind), axis)


for _fn in (
    searchsorted, digitize, isin, bincount, median, quantile, partition, nanmedian,
    nanquantile,
):  # fmt: skip
    register(getattr(np, _fn.__name__), _fn)
register(np.percentile, _of_percents(quantile))
register(np.nanpercentile, _of_percents(nanquantile))
