"""Sums of exponentials that don't overflow: logsumexp, softmax, log_softmax."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ...doors import door, offers
from ...errors import NoRuleError
from ...ops.casts import stop_gradient_leaf
from ...rules import primitive, total

Axes = tuple[int, ...]


def _axes(axis: Any, rank: int) -> Axes:
    """The axes as negative numbers: a batch axis in front does not change them."""
    if axis is None:
        return tuple(range(-rank, 0))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    for i in axes:
        if not -rank <= i < rank:
            raise np.exceptions.AxisError(i, rank)
    return tuple(i if i < 0 else i - rank for i in axes)


# ------------------------------------------------------------------ softmax
def _exponentials(x: Any, top: Any, axes: Axes) -> tuple[Any, Any]:
    """exp(x - top) and its sum; infinities that are the greatest count as one each."""
    infinite = np.isinf(top)
    if infinite.any():
        shifted = np.where(infinite, 0, x) - np.where(infinite, 0, top)
        e = np.where(infinite, np.equal(x.real, top), np.exp(shifted)).astype(x.dtype)
    else:
        e = np.exp(x - top)
    return e, np.sum(e, axis=axes, keepdims=True)


def _softmax_impl(x: Any, *, axes: Axes) -> Any:
    e = np.exp(x - np.max(x, axis=axes, keepdims=True))
    return e / np.sum(e, axis=axes, keepdims=True)


def _softmax_jvp(ts: Any, ans: Any, x: Any, axes: Axes) -> Any:
    t = ans * ts[0]
    return t - ans * np.sum(t, axis=axes, keepdims=True)


def _softmax_vjp(g: Any, ans: Any, x: Any, axes: Axes) -> Any:
    c = g * ans
    return c - ans * np.sum(c, axis=axes, keepdims=True)


def _one_array(x: Any, axis: Any = None) -> Any:
    return (x,), {"axes": _axes(axis, np.ndim(x))}


_softmax = primitive(special.softmax, jvp=_softmax_jvp, vjp=[_softmax_vjp], impl=_softmax_impl)(
    _one_array
)
softmax = door(special.softmax, _softmax)


def _log_softmax_impl(x: Any, *, axes: Axes) -> Any:
    top = np.max(x, axis=axes, keepdims=True)
    shifted = x - np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        return shifted - np.log(np.sum(np.exp(shifted), axis=axes, keepdims=True))


_log_softmax = primitive(
    special.log_softmax,
    jvp=lambda ts, ans, x, axes: ts[0] - np.sum(np.exp(ans) * ts[0], axis=axes, keepdims=True),
    vjp=[lambda g, ans, x, axes: g - np.exp(ans) * np.sum(g, axis=axes, keepdims=True)],
    impl=_log_softmax_impl,
)(_one_array)
log_softmax = door(special.log_softmax, _log_softmax)


# ------------------------------------------------------------------ logsumexp
def _scipys(a: Any, b: Any, axes: Axes, keepdims: bool, **kwargs: Any) -> Any:
    # Of a number SciPy makes an array with one axis, which axis=None takes away again.
    return special.logsumexp(a, axes if np.ndim(a) else None, b, keepdims, **kwargs)


def _impl(a: Any, *, axes: Axes, keepdims: bool) -> Any:
    """The logarithm of the sum, and the share of each term: both need the exponentials."""
    a = np.asarray(a)
    if a.size == 0:  # no sums, or sums of nothing
        with np.errstate(divide="ignore"):
            return np.log(np.sum(a, axis=axes, keepdims=keepdims)), np.zeros_like(a)
    if a.dtype.kind == "c":
        e, s = _exponentials(a, np.max(a.real, axis=axes, keepdims=True), axes)
        return _scipys(a, None, axes, keepdims), e / s
    top = np.max(a, axis=axes, keepdims=True)
    e, s = _exponentials(a, top, axes)
    out = np.log(s)
    if (s < 2).any():  # the greatest terms apart from the others, whose digits would be lost
        first = np.equal(a, top)
        count = np.sum(first, axis=axes, keepdims=True, dtype=a.dtype)
        rest = np.sum(np.where(first, 0, e), axis=axes, keepdims=True)
        out = np.log1p(rest / count) + np.log(count)
    out += top
    e /= s
    return (out if keepdims else np.squeeze(out, axes)[()]), e


def _wide(g: Any, axes: Axes, keepdims: bool) -> Any:
    """A cotangent with the axes that were summed."""
    return g if keepdims else np.expand_dims(g, axes)


def _narrow(x: Any, axes: Axes, keepdims: bool) -> Any:
    return x if keepdims else np.squeeze(x, axes)


def _plain_jvp(ts: Any, ans: Any, a: Any, axes: Axes, keepdims: bool) -> Any:
    t = ans[1] * ts[0]
    s = np.sum(t, axis=axes, keepdims=True)
    return _narrow(s, axes, keepdims), t - ans[1] * s


def _plain_vjp(g: Any, ans: Any, a: Any, axes: Axes, keepdims: bool) -> Any:
    out = _wide(g[0], axes, keepdims) * ans[1] if 0 in g else None
    return total([out, _softmax_vjp(g[1], ans[1], a, axes) if 1 in g else None])


# The share of each term, and not exp(a - ans): where a is large, the rounding of ans is, too.
_plain = primitive(special.logsumexp, jvp=_plain_jvp, vjp=[_plain_vjp], impl=_impl, several=True)(
    lambda a, axes, keepdims: ((a,), {"axes": axes, "keepdims": keepdims})
)


def _terms(a: Any, b: Any, axes: Axes) -> tuple[Any, Any, Any]:
    """b exp(a), exp(a), and the sum of the former, all divided by the greatest exp(a)."""
    known = np.where(np.equal(b, 0), -np.inf, np.real(a))
    top = stop_gradient_leaf(np.max(known, axis=axes, keepdims=True))
    infinite = np.isinf(top)
    shifted = np.where(infinite, 0, a) - np.where(infinite, 0, top)
    e = np.where(infinite, np.equal(known, top), np.exp(shifted))
    # What has no weight does not count, even if it is infinite.
    none = np.logical_and(np.equal(b, 0), np.isinf(e))
    terms = b * np.where(none, 0, e)
    return terms, e, np.sum(terms, axis=axes, keepdims=True)


def _weighted_jvp(ts: Any, ans: Any, a: Any, b: Any, axes: Axes, keepdims: bool) -> Any:
    terms, e, s = _terms(a, b, axes)
    t = total([c * t for c, t in zip((terms, e), ts, strict=True) if t is not None])
    return _narrow(np.sum(t, axis=axes, keepdims=True) / s, axes, keepdims)


def _weighted_a(g: Any, ans: Any, a: Any, b: Any, axes: Axes, keepdims: bool) -> Any:
    terms, _, s = _terms(a, b, axes)
    return _wide(g, axes, keepdims) / s * terms


def _weighted_b(g: Any, ans: Any, a: Any, b: Any, axes: Axes, keepdims: bool) -> Any:
    _, e, s = _terms(a, b, axes)
    return _wide(g, axes, keepdims) / s * e


def _weighted_call(a: Any, b: Any, axes: Axes, keepdims: bool) -> Any:
    return (a, b), {"axes": axes, "keepdims": keepdims}


_weighted = primitive(
    special.logsumexp,
    jvp=_weighted_jvp,
    vjp=[_weighted_a, _weighted_b],
    impl=lambda a, b, axes, keepdims: _scipys(a, b, axes, keepdims),
    name="scipy.special.logsumexp_weighted",
)(_weighted_call)


def _signed_jvp(ts: Any, ans: Any, a: Any, b: Any, axes: Axes, keepdims: bool) -> Any:
    return _weighted_jvp(ts, ans, a, b, axes, keepdims), None


_signed = primitive(
    special.logsumexp,
    jvp=_signed_jvp,
    vjp=[
        lambda g, ans, a, b, axes, keepdims: _weighted_a(g[0], ans, a, b, axes, keepdims),
        lambda g, ans, a, b, axes, keepdims: _weighted_b(g[0], ans, a, b, axes, keepdims),
    ],
    impl=lambda a, b, axes, keepdims: tuple(_scipys(a, b, axes, keepdims, return_sign=True)),
    name="scipy.special.logsumexp_signed",
    several=True,
)(_weighted_call)


@offers(special.logsumexp)
def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """`scipy.special.logsumexp`; terms that are the same infinity share evenly."""
    if b is None and not return_sign:
        return _plain(a, _axes(axis, np.ndim(a)), keepdims)[0]
    b = np.ones_like(a) if b is None else b
    shape = np.broadcast_shapes(np.shape(a), np.shape(b))
    a, b = (x if np.shape(x) == shape else np.broadcast_to(x, shape) for x in (a, b))
    axes = _axes(axis, len(shape))
    if not return_sign:
        return _weighted(a, b, axes, keepdims)
    if np.iscomplexobj(a) or np.iscomplexobj(b):
        raise NoRuleError(
            "`logsumexp` with return_sign=True wants real numbers: the phase of a complex sum is "
            "not a sign, and moves.",
            "traced complex values",
            "leave return_sign=True away; the logarithm's imaginary part is the phase",
        )
    return _signed(a, b, axes, keepdims)
