"""Reductions that leave out what isn't a number; its derivative is 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import ndim_of
from ..fronts import given
from ..kinds import scalar
from ..tracer import register
from .casts import known
from .creation import as_array
from .reduce import NONE, axes_of, max_, mean, min_, prod, root, sum_


def _filled(a: Any, fill: Any) -> Any:
    return np.where(np.isnan(a), fill, a) if a.dtype.kind in "fc" else a


def _reduction(fn: Any, fill: Any) -> Any:
    return lambda a, *args, **kwargs: fn(_filled(as_array(a), fill), *args, **kwargs)


def _extreme(fn: Any, fill: Any) -> Any:
    def extreme(
        a: Any, axis: Any = None, out: None = None, keepdims: Any = False, initial: Any = NONE,
        where: Any = NONE,
    ) -> Any:  # fmt: skip
        given(out=out)
        a = as_array(a)
        keep = {k: v for k, v in (("initial", initial), ("where", where)) if v is not NONE}
        keepdims = keepdims is True
        y = fn(_filled(a, fill), axis=axis, keepdims=keepdims, **keep)
        if a.dtype.kind != "f" or initial is not NONE:
            return y
        empty = np.all(np.isnan(a), axis=axis, keepdims=keepdims)
        return scalar(np.where(empty, np.nan, y))

    return extreme


def _counted(a: Any, axis: Any, keepdims: bool, where: Any, dtype: Any) -> Any:
    """How many numbers take part; a float16 would end at 65504."""
    dtype = np.promote_types(dtype, np.float32)
    there = np.logical_not(np.isnan(a))
    if where is not NONE:
        there = np.logical_and(there, where)
    return np.sum(there, axis=axis, keepdims=keepdims).astype(dtype)


def nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, keepdims: Any = False, *,
    where: Any = NONE,
) -> Any:  # fmt: skip
    """`numpy.nanmean`."""
    given(out=out)
    a = as_array(a)
    if a.dtype.kind not in "fc":
        return mean(a, axis, dtype, None, keepdims is True, where=where)
    keepdims = keepdims is True
    keep = {} if where is NONE else {"where": where}
    half = dtype is None and a.dtype == np.float16
    dtype = np.float32 if half else dtype  # as np.mean adds up float16
    total = sum_(_filled(a, 0), axis, dtype, None, keepdims, **keep)
    y = total / _counted(a, axis, keepdims, where, np.real(total).dtype)
    return y.astype(np.float16 if half else total.dtype)


def nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: None = None, ddof: Any = 0,
    keepdims: Any = False, *, where: Any = NONE, mean: Any = NONE, correction: Any = NONE,
) -> Any:  # fmt: skip
    """`numpy.nanvar`."""
    given(out=out)
    a = as_array(a)
    ddof = ddof if correction is NONE else correction
    axes, keepdims = axes_of(axis, ndim_of(a)), keepdims is True
    keep = {} if where is NONE else {"where": where}
    if dtype is not None:
        a = a.astype(dtype)
    center = nanmean(a, axes, keepdims=True, where=where) if mean is NONE else mean
    d = np.where(np.isnan(a), 0, a - center)
    d = np.real(d * np.conj(d)) if a.dtype.kind == "c" else d * d
    free = _counted(a, axes, keepdims, where, d.dtype) - ddof
    y = sum_(d, axes, None, None, keepdims, **keep) / np.where(free > 0, free, 1)
    return np.where(free > 0, y, np.nan).astype(d.dtype)


def _place(fn: Any, fill: Any) -> Any:
    def place(a: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        a = as_array(a)
        empty = known(np.all(np.isnan(a), axis=axis)) if a.dtype.kind in "fc" else None
        if empty is not None and np.any(empty):
            raise ValueError("All-NaN slice encountered")
        return fn(_filled(a, fill), axis, *args, **kwargs)

    return place


register(np.nansum, _reduction(sum_, 0))
register(np.nanprod, _reduction(prod, 1))
register(np.nancumsum, _reduction(np.cumsum, 0))
register(np.nancumprod, _reduction(np.cumprod, 1))
register(np.nanargmax, _place(np.argmax, -np.inf))
register(np.nanargmin, _place(np.argmin, np.inf))
register(np.nanmax, _extreme(max_, -np.inf))
register(np.nanmin, _extreme(min_, np.inf))
register(np.nanmean, nanmean)
register(np.nanvar, nanvar)
register(np.nanstd, lambda a, *args, **kwargs: root(nanvar(a, *args, **kwargs)))
register(np.isposinf, lambda x: np.equal(x, np.inf))
register(np.isneginf, lambda x: np.equal(x, -np.inf))
register(np.isreal, lambda x: np.equal(np.imag(x), 0))
register(np.iscomplex, lambda x: np.not_equal(np.imag(x), 0))
