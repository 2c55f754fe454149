"""Singular values and vectors.

What `eigen` says of equal values holds here too, and more where they are 0: there the vectors on
both sides are any basis, each for itself, and the columns that a full decomposition adds are any
basis of what is left. Those move no further than they must; a function that reads more of them
than the space they span gets NaN in reverse mode.

Formulas: Z. Wan and S. Zhang, Automatic differentiation for complex valued SVD, 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import shape_of
from ..core import Array
from ..rules import primitive
from ..tracer import register
from .eigen import (
    columns,
    diagonal_of,
    eigh,
    eigvalsh,
    equal_pairs,
    eye,
    gaps,
    given,
    hermitian,
    linear_in,
    mH,
    most,
    nowhere,
    over_gaps,
    product,
    rounding,
    silent,
    spread,
    told,
)
from .ufuncs import ratio


def _sums(s: Array) -> Array:
    """1 / (s_j + s_i), and 0 where both are 0."""
    return ratio(1, np.expand_dims(s, -2) + np.expand_dims(s, -1))


def _over_sums(s: Array, x: Array) -> Array:
    """x_ij / (s_i + s_j), which is unknown where both are 0, unless x_ij is."""
    gone = _zeros(s)
    nothing = np.logical_and(np.expand_dims(gone, -2), np.expand_dims(gone, -1))
    lost = np.logical_and(nothing, np.abs(x) > rounding(s) * most(x))
    return np.where(lost, np.nan, _sums(s) * x)


def _zeros(s: Array) -> Array:
    """Which values are 0 up to rounding."""
    return np.less_equal(s, rounding(s) * most(s, -1))


# ------------------------------------------------------------------ forward
def _svd_jvp(ts: Any, ans: Any, a: Any, *, full_matrices: bool) -> Any:
    u_all, s, vh_all = ans
    k, t = shape_of(s)[-1], ts[0]
    u, v = u_all[..., :k], mH(vh_all[..., :k, :])
    inside = product(mH(u), t, v)
    # Of a complex matrix only the sum of the phases of u and v is fixed: both turn by half.
    both = over_gaps(s, hermitian(inside))
    apart = _over_sums(s, (inside - mH(inside)) / 2)
    du, dv = np.matmul(u, both + apart), np.matmul(v, both - apart)
    rows, width = shape_of(t)[-2:]
    gone = np.expand_dims(_zeros(s), -2)
    if rows > k:
        rest = np.matmul(t, v) - np.matmul(u, inside)
        du = du + _over(rest, s, gone)
    if width > k:
        rest = np.matmul(mH(t), u) - np.matmul(v, mH(inside))
        dv = dv + _over(rest, s, gone)
    if full_matrices:
        du, dv = _with_rest(du, u_all, k), _with_rest(dv, mH(vh_all), k)
    return du, np.real(diagonal_of(inside)), mH(dv)


def _over(rest: Array, s: Array, gone: Array) -> Array:
    """What turns out of the space of the vectors, over s: unknown for s = 0 unless it is 0."""
    lost = np.logical_and(gone, np.abs(rest) > rounding(s) * most(rest))
    return np.where(lost, np.nan, np.where(gone, 0, rest) / np.where(gone, 1, s[..., None, :]))


def _with_rest(d: Array, u: Array, k: int) -> Array:
    """The move of the first k columns, and that of the others at right angles to them."""
    rest = -product(u[..., :k], mH(d), u[..., k:])
    return np.concatenate([d, rest], axis=-1)


# ------------------------------------------------------------------ reverse
def _without_rest(g: Array, u: Array, k: int) -> Array:
    """G of the first k columns, with what the others do for them."""
    first, rest = u[..., :k], u[..., k:]
    if not shape_of(rest)[-1]:
        return g
    g_first, g_rest = g[..., :k], g[..., k:]
    own = np.matmul(mH(rest), g_rest)
    turning = np.where(eye(own), 0, np.abs(own - mH(own)))
    lost = np.any(turning > rounding(u) * most(g), axis=(-2, -1), keepdims=True)
    g_first = g_first - product(rest, mH(g_rest), first)
    return np.where(lost, np.nan, g_first)


def _inside(s: Array, left: Array, right: Array, g_s: Any) -> Array:
    """What G of the vectors adds to that of u^H a v, from left = u^H G and right = v^H G."""
    plus, minus = left + right, left - right
    both, apart = (plus - mH(plus)) / 2, (minus - mH(minus)) / 2
    one, pairs, gone = eye(left), equal_pairs(s), _zeros(s)
    if nowhere(np.logical_or(np.any(pairs), np.any(gone))):
        return np.where(one, 0, both) / np.where(one, 1, gaps(s)) + _sums(s) * apart
    still = np.logical_or(one, pairs)
    turn = np.where(still, 0, both) / np.where(still, 1, gaps(s)) + _sums(s) * apart
    total = np.expand_dims(s, -2) + np.expand_dims(s, -1)
    nothing = np.logical_and(np.expand_dims(gone, -2), np.expand_dims(gone, -1))
    if g_s is None:
        limit = rounding(s) * (most(left) + most(right))
        within = np.where(np.abs(both) <= limit, np.where(nothing, 0, _sums(s) * apart), np.nan)
        ends = np.where(np.logical_and(nothing, np.abs(apart) > limit), np.nan, 0)
        return np.where(np.logical_or(pairs, nothing), np.where(one, turn, within) + ends, turn)
    linear = np.logical_and(linear_in(s, g_s, left, right), told(g_s, s))
    within = hermitian(plus) / np.where(linear, total, 1) + _sums(s) * apart
    unread = np.where(silent(g_s, left, right), 0, np.nan)
    if left.dtype.kind == "c":  # of a value 0, u and v turn in phase each for itself
        turn = np.where(np.logical_and(nothing, one), unread, turn)
    return np.where(pairs, np.where(linear, within, unread), turn)


def _outside(g: Array, s: Array, like: Array, g_s: Any) -> Array:
    """What turns out of the space of the vectors, over s; unknown for values 0 that are read."""
    gone = _zeros(s)
    some = np.abs(g) > rounding(s) * most(like)
    if g_s is not None:
        some = np.logical_or(
            np.any(np.abs(like) > rounding(s) * most(like), axis=-2, keepdims=True),
            np.expand_dims(np.abs(g_s) > rounding(s) * most(g_s, -1), -2),
        )
    lost = np.logical_and(np.expand_dims(gone, -2), some)
    x = np.where(lost, np.nan, np.where(np.expand_dims(gone, -2), 0, g))
    return columns(x, 1 / np.where(gone, 1, s))


def _svd_vjp(g: Any, ans: Any, a: Any, *, full_matrices: bool) -> Array:
    u_all, s, vh_all = ans
    k = shape_of(s)[-1]
    u, vh = u_all[..., :k], vh_all[..., :k, :]
    if 0 not in g and 2 not in g:  # of values alone, which have a kink at 0
        return np.conj(product(columns(u, np.where(_zeros(s), 0, g[1])), vh))
    g_u = _without_rest(given(g, ans, 0), u_all, k)
    g_v = _without_rest(mH(given(g, ans, 2)), mH(vh_all), k)
    g_s = given(g, ans, 1) if 1 in g else None
    left, right = np.matmul(mH(u), g_u), np.matmul(vh, g_v)
    inside = spread(given(g, ans, 1), left) + _inside(s, left, right, g_s)
    c = product(u, inside, vh)
    rows, width = a.shape[-2:]
    if rows > k:
        c = c + np.matmul(_outside(g_u - np.matmul(u, left), s, g_u, g_s), vh)
    if width > k:
        c = c + np.matmul(u, mH(_outside(g_v - np.matmul(mH(vh), right), s, g_v, g_s)))
    return np.conj(c)


def _svd_impl(a: Any, *, full_matrices: bool) -> Any:
    return tuple(np.linalg.svd(a, full_matrices=full_matrices))


@primitive(np.linalg.svd, jvp=_svd_jvp, vjp=[_svd_vjp], several=True, impl=_svd_impl)
def _svd(a: Any, full_matrices: bool) -> Any:
    return (a,), {"full_matrices": full_matrices}


_SVD = type(np.linalg.svd(np.ones((1, 1))))


def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """`numpy.linalg.svd`."""
    if hermitian:
        return _svd_hermitian(a, compute_uv)
    if not compute_uv:
        return svdvals(a)
    rows, width = shape_of(a)[-2:]
    return _SVD(*_svd(a, bool(full_matrices) and rows != width))


def _svd_hermitian(a: Any, compute_uv: bool) -> Any:
    """By the eigenvalues, as NumPy does."""
    if not compute_uv:
        return np.flip(np.sort(np.abs(eigvalsh(a)), axis=-1), -1)
    w, v = eigh(a)
    order = np.flip(np.argsort(np.abs(w), axis=-1), -1)
    w = np.take_along_axis(w, order, axis=-1)
    u = np.take_along_axis(v, np.expand_dims(order, -2), axis=-1)
    return _SVD(u, np.abs(w), mH(columns(u, np.sign(w))))


# ------------------------------------------------------------------ values alone
@primitive(
    np.linalg.svdvals,
    jvp=lambda ts, ans, x: _svdvals_jvp(ts, x),
    vjp=[lambda g, ans, x: _svdvals_vjp(g, x)],
)
def svdvals(x: Any, /) -> Any:
    """`numpy.linalg.svdvals`."""
    return (x,), {}


def _vectors(x: Array) -> tuple[Array, Array]:
    """Singular vectors, 0 for the values that are 0 up to rounding, which have a kink there."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    limit = max(shape_of(x)[-2:]) * float(np.finfo(s.dtype).eps)
    gone = np.less_equal(s, limit * np.max(s, axis=-1, keepdims=True, initial=0))
    return np.where(np.expand_dims(gone, -2), 0, u), vh


def _svdvals_jvp(ts: Any, x: Array) -> Array:
    u, vh = _vectors(x)
    return np.real(np.sum(np.conj(u) * np.matmul(ts[0], mH(vh)), axis=-2))


def _svdvals_vjp(g: Array, x: Array) -> Array:
    u, vh = _vectors(x)
    return np.conj(np.matmul(columns(u, g), vh))


register(np.linalg.svd, svd)
