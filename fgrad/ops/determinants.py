"""Determinants, of singular matrices too.

The derivative of det is tr(adj(a) da), with the adjugate, which is a polynomial in the entries:
nothing is divided by the determinant. In the basis of singular vectors the derivative of the
adjugate is made of products of all singular values but two (G. Stewart, On the adjugate matrix,
1998), so first and second derivatives are right for any rank.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import is_a, is_cupy, namespace, shape_of
from ..core import Array, full_lower
from ..rules import primitive
from ..tracer import register
from .casts import stop_gradient_leaf
from .contract import mT
from .equal import diagonal_of, eye, mH, nowhere, product, spread


def trace_of(x: Array, y: Array) -> Array:
    """tr(x y), for stacks of matrices."""
    return np.sum(x * mT(y), axis=(-2, -1))


def scaled(g: Array, x: Array) -> Array:
    """Numbers times matrices, for stacks of both."""
    return np.expand_dims(g, (-2, -1)) * x


# ------------------------------------------------------------------ adjugate
def _others(s: Array) -> Array:
    """For each place the product of all values but that."""
    ones = np.ones_like(s)[..., :1]
    before = np.cumprod(np.concatenate([ones, s[..., :-1]], axis=-1), axis=-1)
    after = np.concatenate([ones, np.flip(s, -1)[..., :-1]], axis=-1)
    return before * np.flip(np.cumprod(after, axis=-1), -1)


def _all_but_two(s: Array) -> Array:
    """For each pair of places the product of all values but those; 0 for a pair of one place."""
    return np.stack([_without(s, i) for i in range(shape_of(s)[-1])], axis=-2)


def _without(s: Array, i: int) -> Array:
    """Row i of `_all_but_two`."""
    one = np.ones_like(s)[..., :1]
    row = _others(np.concatenate([s[..., :i], one, s[..., i + 1 :]], axis=-1))
    return np.concatenate([row[..., :i], 0 * one, row[..., i + 1 :]], axis=-1)


def _adjugate_impl(a: Any) -> Any:
    if is_cupy(a):  # to ask whether one is singular would take longer than both ways
        y = scaled(np.linalg.det(a), np.linalg.inv(a))
        finite = np.all(np.isfinite(y), axis=(-2, -1), keepdims=True)
        return np.where(finite, y, _by_singular_values(a))
    y = None
    try:
        with np.errstate(all="ignore"):
            y = scaled(np.linalg.det(a), np.linalg.inv(a))
    except np.linalg.LinAlgError:
        pass  # one of the matrices is singular
    if y is not None and (np.all(np.isfinite(y)) or not np.all(np.isfinite(a))):
        return y
    return _by_singular_values(a)


def _by_singular_values(a: Array) -> Array:
    u, s, vh = np.linalg.svd(a)
    turn = np.linalg.det(u) * np.linalg.det(vh)
    return scaled(turn, product(mH(vh) * np.expand_dims(_others(s), -2), mH(u)))


def _adjugate_jvp(ts: Any, ans: Any, a: Array) -> Array:
    return _adjugate_moved(a, ts[0])


def _adjugate_moved(a: Array, t: Array) -> Array:
    """The derivative in the direction t, well or badly conditioned; the other gets plain values."""
    known = stop_gradient_leaf(a)
    if not shape_of(a)[-1]:
        return _by_inverse(a, t)
    s = np.linalg.svd(known, compute_uv=False)
    limit = float(np.finfo(s.dtype).eps) ** 0.25
    safe = np.greater(np.min(s, axis=-1), limit * np.max(s, axis=-1))
    if nowhere(np.logical_not(safe)):
        return _by_inverse(a, t)
    safe = np.expand_dims(safe, (-2, -1))
    return np.where(
        safe,
        _by_inverse(np.where(safe, a, eye(a)), np.where(safe, t, 0)),
        _by_vectors(np.where(safe, _plain(a), a), np.where(safe, 0, t)),
    )


def _plain(a: Array) -> Array:
    """A matrix whose singular values differ."""
    n = shape_of(a)[-1]
    host = namespace(full_lower(a))
    return (host.eye(n) * host.arange(1, n + 1)).astype(a.dtype)


def _by_inverse(a: Array, t: Array) -> Array:
    inverse, det = np.linalg.inv(a), np.linalg.det(a)
    moved = np.matmul(inverse, t)
    trace = np.sum(diagonal_of(moved), axis=-1)
    return scaled(det, scaled(trace, inverse) - np.matmul(moved, inverse))


def _by_vectors(a: Array, t: Array) -> Array:
    u, s, vh = np.linalg.svd(a)
    inside = product(mH(u), t, mH(vh))
    pairs = _all_but_two(s)
    along = np.matmul(pairs, np.expand_dims(diagonal_of(inside), -1))[..., 0]
    inside = np.where(eye(inside), spread(along, inside), -inside * pairs)
    turn = np.linalg.det(u) * np.linalg.det(vh)
    return scaled(turn, product(mH(vh), inside, mH(u)))


@primitive(
    np.linalg.det,
    jvp=_adjugate_jvp,
    vjp=[lambda g, ans, a: mT(_adjugate_moved(a, mT(g)))],
    impl=_adjugate_impl,
    name="linalg.adjugate",
)
def adjugate(a: Any) -> Any:
    """The matrix of cofactors, transposed: det(a) inv(a) where there is an inverse."""
    return (a,), {}


# ------------------------------------------------------------------ determinants
@primitive(
    np.linalg.det,
    jvp=lambda ts, ans, a: trace_of(adjugate(a), ts[0]),
    vjp=[lambda g, ans, a: scaled(g, mT(adjugate(a)))],
)
def det(a: Any) -> Any:
    """`numpy.linalg.det`."""
    return (a,), {}


def _slogdet_jvp(ts: Any, ans: Any, a: Array) -> Any:
    t = trace_of(np.linalg.inv(a), ts[0])
    # The sign of a complex determinant moves along the unit circle.
    turn = 1j * np.imag(t) * ans[0] if a.dtype.kind == "c" else None
    return turn, np.real(t)


def _slogdet_vjp(g: Any, ans: Any, a: Array) -> Any:
    c = g.get(1, 0)
    if 0 in g and a.dtype.kind == "c":
        c = c - 1j * np.real(1j * g[0] * ans[0])
    return None if is_a(c, int) else scaled(c, mT(np.linalg.inv(a)))


@primitive(np.linalg.slogdet, jvp=_slogdet_jvp, vjp=[_slogdet_vjp], several=True)
def _slogdet(a: Any) -> Any:
    return (a,), {}


_SIGN_AND_LOG = type(np.linalg.slogdet(np.ones((1, 1))))


def slogdet(a: Any) -> Any:
    """`numpy.linalg.slogdet`."""
    return _SIGN_AND_LOG(*_slogdet(a))


register(np.linalg.slogdet, slogdet)
