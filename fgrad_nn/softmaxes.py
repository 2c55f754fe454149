"""The softmax along an axis, of all entries or of those that a mask shows, and its derivative.

Attention spends a good part of its time here, so plain arrays are done a few rows at a time, which
stay in the processor's cache: first without taking away each row's maximum, and again with it where
exp(x) comes near to what a floating-point number can hold.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fgrad
from fgrad.core import home

from .masks import fractional, given, keep

#: Entries that are done at a time: 256 KiB of float32.
CHUNK = 1 << 16

#: For each dtype the least and the greatest sum of a row, to do without maxima: far enough from
#: overflow, and from where small numbers lose digits.
_SAFE = {"f": (1e-9, 1e30), "d": (1e-70, 1e280)}


# ------------------------------------------------------------------ rows at a time
def is_plain(x: Any, axis: int) -> bool:
    """Whether x is an array of NumPy's whose rows lie along this axis, and has any."""
    last = axis == -1 and type(x) is np.ndarray
    return last and x.dtype.char in _SAFE and x.ndim > 0 and x.size > 0


def chunks(mask: Any, *arrays: Any) -> Iterator[tuple[Any, ...]]:
    """Parts of plain arrays of one shape, of about `CHUNK` entries, and of a mask, if there is one.

    Axes before those that the mask tells apart are made one; the mask has as many as the arrays.
    """
    shape = arrays[0].shape
    lead = max(1, len(shape) - 1)
    if mask is not None:
        lead = max(1, next((i for i, n in enumerate(mask.shape[:-1]) if n > 1), lead))
        mask = mask.reshape(1, *mask.shape) if len(shape) == 1 else mask
        mask = mask.reshape(mask.shape[lead - 1 :])
    rest = shape[lead:] or shape
    flat = [np.ascontiguousarray(x).reshape(-1, *rest) for x in arrays]
    step = max(1, CHUNK // math.prod(rest))
    own = mask is not None and mask.shape[0] > 1
    for i in range(0, flat[0].shape[0], step):
        part = slice(i, i + step)
        yield (mask[part] if own else mask, *(x[part] for x in flat))


def row_sums(x: Any) -> Any:
    """The sums along the last axis, which stays; by a product with ones, in a quarter of the time.

    >>> row_sums(np.ones((2, 3)))
    array([[3.],
           [3.]])
    """
    n = x.shape[-1]
    return (x.reshape(-1, n) @ np.ones(n, x.dtype)).reshape(*x.shape[:-1], 1)


# ------------------------------------------------------------------ what computes them
def _softmax_of(x: Any, mask: Any = None, *, axis: int, out: Any = None) -> Any:
    if not is_plain(x, axis) or not (mask is None or type(mask) is np.ndarray):
        return given(_formula(x, mask, axis), out)
    out = np.empty(x.shape, x.dtype) if out is None else out
    low, high = _SAFE[x.dtype.char]
    shows = None if mask is None else mask.astype(x.dtype)
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, where it is hidden
        for shown, part, to in chunks(shows, x, out):
            np.exp(part, out=to)
            if shown is not None:
                np.multiply(to, shown, out=to)
            total = row_sums(to)
            if low <= np.min(total) and np.max(total) <= high:  # not so if there is a NaN
                np.multiply(to, 1 / total, out=to)
            else:
                to[...] = _formula(part, None if shown is None else np.not_equal(shown, 0), -1)
    return out


def _formula(x: Any, mask: Any, axis: int) -> Any:
    """The softmax as it is defined, of what isn't hidden; 0 where everything is."""
    x = fractional(x)
    if mask is not None:
        some = np.any(np.broadcast_to(mask, np.shape(x)), axis=axis, keepdims=True)
        x = np.where(mask, x, np.where(some, -np.inf, 0).astype(x.dtype))
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    out = e / _total(e, axis)
    return out if mask is None else np.where(mask, out, 0)


def _pull_of(g: Any, ans: Any, mask: Any = None, *, axis: int, out: Any = None) -> Any:
    if not (is_plain(g, axis) and is_plain(ans, axis) and g.dtype == ans.dtype) or not (
        mask is None or type(mask) is np.ndarray
    ):
        return given(_pull_formula(g, ans, mask, axis), out)
    out = np.empty(g.shape, g.dtype) if out is None else out
    with np.errstate(invalid=None if mask is None else "ignore"):
        for shown, of, y, to in chunks(mask, g, ans, out):
            np.multiply(of, y, out=to)
            total = row_sums(to)
            if mask is None or np.all(np.isfinite(total)):
                np.subtract(of, total, out=to)
                np.multiply(to, y, out=to)
            else:  # a NaN or an infinity, maybe of what is hidden
                to[...] = _pull_formula(of, y, shown, -1)
    return out


def _pull_formula(g: Any, ans: Any, mask: Any, axis: int) -> Any:
    g = g if mask is None else keep(g, mask)
    return ans * (g - _total(g * ans, axis))


def _total(x: Any, axis: int) -> Any:
    return np.sum(x, axis=axis, keepdims=True)


# ------------------------------------------------------------------ the primitives
def _pull_by_answer(c: Any, g: Any, ans: Any, mask: Any, axis: int) -> Any:
    """The cotangent of the answer, of c as that of the pull."""
    c, g = (c, g) if mask is None else (keep(c, mask), keep(g, mask))
    return c * (g - _total(g * ans, axis)) - g * _total(c * ans, axis)


def _pull_push(ts: Any, g: Any, ans: Any, mask: Any, axis: int) -> Any:
    """The tangent of the pull."""
    tg, t = ts[:2]
    first = None if tg is None else _pulled(tg, ans, mask, axis)
    if t is None:
        return first
    g = g if mask is None else keep(g, mask)
    second = t * (g - _total(g * ans, axis)) - ans * _total(g * t, axis)
    return second if first is None else first + second


def _pulled(g: Any, ans: Any, mask: Any, axis: int) -> Any:
    return _pull(g, ans, axis) if mask is None else _masked_pull(g, ans, mask, axis)


_pull: Callable[..., Any] = fgrad.primitive(
    _pull_of, name="softmax_pull", writes=True,
    formula=lambda g, ans, axis: _pull_formula(g, ans, None, axis),
    jvp=lambda ts, out, g, ans, axis: _pull_push(ts, g, ans, None, axis),
    vjp=[
        lambda c, out, g, ans, axis: _pull(c, ans, axis),
        lambda c, out, g, ans, axis: _pull_by_answer(c, g, ans, None, axis),
    ],
)(lambda g, ans, axis: ((g, ans), {"axis": axis}))  # fmt: skip
_masked_pull: Callable[..., Any] = fgrad.primitive(
    _pull_of, name="masked_softmax_pull", writes=True, formula=_pull_formula,
    jvp=lambda ts, out, g, ans, mask, axis: _pull_push(ts, g, ans, mask, axis),
    vjp=[
        lambda c, out, g, ans, mask, axis: _masked_pull(c, ans, mask, axis),
        lambda c, out, g, ans, mask, axis: _pull_by_answer(c, g, ans, mask, axis),
        None,
    ],
)(lambda g, ans, mask, axis: ((g, ans, mask), {"axis": axis}))  # fmt: skip
plain_softmax = fgrad.primitive(
    _softmax_of, name="softmax", writes=True, formula=lambda x, axis: _formula(x, None, axis),
    jvp=lambda ts, ans, x, axis: _pull(ts[0], ans, axis),
    vjp=[lambda g, ans, x, axis: _pull(g, ans, axis)],
)(lambda x, axis: ((x,), {"axis": axis}))  # fmt: skip
_masked_softmax = fgrad.primitive(
    _softmax_of, name="masked_softmax", writes=True, formula=_formula,
    jvp=lambda ts, ans, x, mask, axis: _masked_pull(ts[0], ans, mask, axis),
    vjp=[lambda g, ans, x, mask, axis: _masked_pull(g, ans, mask, axis), None],
)(lambda x, mask, axis: ((x, mask), {"axis": axis}))  # fmt: skip


def masked_softmax(x: Any, mask: Any, axis: int) -> Any:
    """The softmax of what a mask of booleans shows, whose shape broadcasts; 0 for the rest.

    Nothing of what is hidden shows, be it NaN or infinite, in values and in derivatives.

    >>> masked_softmax(np.array([np.nan, 3.0, 3.0]), np.array([False, True, True]), -1)
    array([0. , 0.5, 0.5])
    """
    mask = mask if hasattr(mask, "dtype") else home(x).asarray(mask)
    mask = mask if mask.dtype == np.bool_ else np.not_equal(mask, 0)
    shape = np.broadcast_shapes(np.shape(x), np.shape(mask))
    x = x if np.shape(x) == shape else np.broadcast_to(x, shape)
    # as many axes as x, so that a batch axis in front of both leaves them lined up
    mask = np.reshape(mask, (1,) * (len(shape) - np.ndim(mask)) + np.shape(mask))
    return _masked_softmax(x, mask, axis)
