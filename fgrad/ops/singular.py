"""Singular values and vectors.

What `equal` says of equal values holds here too, and more where they are 0: there the vectors on
both sides are any basis, each for itself, and the columns that a full decomposition adds are any
basis of what is left. Those move no further than they must; a function that reads more of them
than the space they span gets NaN in reverse mode. Vectors of several values 0, or of one of a
matrix that isn't square, are NaN in forward mode too, unless they stand still.

Formulas: Z. Wan and S. Zhang, Automatic differentiation for complex valued SVD, 2019.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import namespace, shape_of
from ..core import Array
from ..rules import primitive
from ..tracer import register
from .casts import stop_gradient_leaf
from .eigen import eigh, eigvalsh
from .equal import (
    basis,
    block_pairs,
    columns,
    diagonal_of,
    eye,
    gaps,
    generic,
    given,
    hermitian,
    mH,
    most,
    nowhere,
    once,
    product,
    rates,
    rounding,
    shared,
    silent,
    spread,
    standing,
    within_blocks,
)
from .ufuncs import ratio


def _sums(s: Array) -> Array:
    """1 / (s_j + s_i), and 0 where both are 0."""
    return ratio(1, np.expand_dims(s, -2) + np.expand_dims(s, -1))


def _over_sums(s: Array, x: Array) -> Array:
    """x_ij / (s_i + s_j), which is unknown where both are 0, unless x_ij is."""
    gone = _zeros(s)
    nothing = np.logical_and(np.expand_dims(gone, -2), np.expand_dims(gone, -1))
    lost = np.where(np.abs(x) <= rounding(s) * most(x), 0, np.nan)
    return np.where(nothing, lost, _sums(s) * x)


def _zeros(s: Array) -> Array:
    """Which values are 0 up to rounding."""
    return np.less_equal(s, rounding(s) * most(s, -1))


# ------------------------------------------------------------------ choosing a basis
def _choose(ans: Any, t: Any) -> Any:
    """The vectors of equal values that belong to a direction; for None, any that are generic."""
    u_all, s, vh_all = ans
    k, pairs, gone = shape_of(s)[-1], block_pairs(s), _zeros(s)
    equal = np.any(pairs, axis=-2)
    if t is not None:
        equal = np.logical_or(equal, gone)
    if nowhere(equal):
        return ans
    u, v = u_all[..., :k], mH(vh_all[..., :k, :])
    inside = generic(mH(u)[..., :k]) + 0 * mH(u)[..., :k] if t is None else product(mH(u), t, v)
    q = basis(s, inside if t is None else hermitian(inside))
    turn = q
    if t is not None:  # along t a value 0 does not fall
        slope = diagonal_of(product(mH(q), stop_gradient_leaf(inside), q))
        still = np.logical_or(np.logical_not(gone), np.equal(slope, 0))
        turn = columns(q, np.where(still, 1, slope / np.where(still, 1, np.abs(slope))))
    equal = np.expand_dims(equal, -2)
    parts = [np.matmul(u, turn), np.matmul(v, q), spread(s, q).astype(q.dtype)]
    new_u, new_v, new_s = once(*(np.where(equal, x, 0) for x in parts))
    new_u, new_v = np.where(equal, new_u, u), np.where(equal, new_v, v)
    return (
        np.concatenate([new_u, u_all[..., k:]], axis=-1),
        np.where(equal[..., 0, :], np.real(diagonal_of(new_s)), s),
        np.concatenate([mH(new_v), vh_all[..., k:, :]], axis=-2),
    )


# ------------------------------------------------------------------ forward
def _svd_jvp(ts: Any, ans: Any, a: Any, *, full_matrices: bool) -> Any:
    u_all, s, vh_all = ans
    k, t = shape_of(s)[-1], ts[0]
    u, v = u_all[..., :k], mH(vh_all[..., :k, :])
    inside = standing(s, product(mH(u), t, v))
    rows, width = shape_of(t)[-2:]
    tall = np.matmul(t, v) - np.matmul(u, inside) if rows > k else None
    wide = np.matmul(mH(t), u) - np.matmul(v, mH(inside)) if width > k else None
    skew = (inside - mH(inside)) / 2

    def second(x: Array, over: Array) -> Array:
        """As that of the Hermitian [[0, a], [a^H, 0]], with the values s, -s and 0."""
        out = np.matmul(over * x, x) - np.matmul(_sums(s) * skew, skew)
        for rest in (tall, wide):
            if rest is not None:
                out = out + ratio(np.matmul(mH(rest), rest), 2 * np.expand_dims(s, -1))
        return np.where(np.expand_dims(_zeros(s), -1), 0, out)

    # Of a complex matrix only the sum of the phases of u and v is fixed: both turn by half.
    both, apart = rates(s, hermitian(inside), second), _over_sums(s, skew)
    du, dv = np.matmul(u, both + apart), np.matmul(v, both - apart)
    ds = np.real(diagonal_of(inside))
    gone = np.expand_dims(_zeros(s), -2)
    if tall is not None:
        du = du + _over(tall, s, gone)
    if wide is not None:
        dv = dv + _over(wide, s, gone)
    if not nowhere(gone):  # values 0 whose vectors are unknown have a kink, as in reverse mode
        unknown = np.any(np.isnan(np.concatenate([du, dv], axis=-2)), axis=-2)
        unknown = np.logical_and(unknown, gone[..., 0, :])
        unknown = np.any(unknown, axis=-1, keepdims=True)
        ds = np.where(np.logical_and(unknown, gone[..., 0, :]), 0 * ds, ds)
    if full_matrices:
        du, dv = _with_rest(du, u_all, k), _with_rest(dv, mH(vh_all), k)
    return du, ds, mH(dv)


def _over(rest: Array, s: Array, gone: Array) -> Array:
    """What turns out of the space of the vectors, over s: unknown for s = 0 unless it is 0."""
    lost = np.logical_and(gone, np.logical_not(np.abs(rest) <= rounding(s) * most(rest)))
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
    one, pairs, gone = eye(left), block_pairs(s), _zeros(s)
    if nowhere(np.logical_or(np.any(pairs, axis=-1), gone)):
        return np.where(one, 0, both) / np.where(one, 1, gaps(s)) + _sums(s) * apart
    still = np.logical_or(one, pairs)
    nothing = np.logical_and(np.expand_dims(gone, -2), np.expand_dims(gone, -1))
    skew = np.where(nothing, 0, _sums(s) * apart)
    turn = np.where(still, 0, both) / np.where(still, 1, gaps(s)) + skew
    within = within_blocks(s, plus, g_s) + skew
    if g_s is None:
        limit = rounding(s) * (most(left) + most(right))
        ends = np.where(np.logical_and(nothing, np.logical_not(np.abs(apart) <= limit)), np.nan, 0)
        return np.where(np.logical_or(pairs, nothing), np.where(one, turn, within) + ends, turn)
    unread = np.where(silent(g_s, left, right), 0, np.nan)
    if left.dtype.kind == "c":  # of a value 0, u and v turn in phase each for itself
        turn = np.where(np.logical_and(nothing, one), unread, turn)
    return np.where(pairs, np.where(nothing, unread, within), turn)


def _some(x: Array, size: Array, s: Array) -> Array:
    """What is not 0 beside a size; NaN isn't."""
    return np.logical_not(np.abs(x) <= rounding(s) * size)


def _outside(g: Array, s: Array, like: Array, g_s: Any) -> Array:
    """What turns out of the space of the vectors, over s; unknown for values 0 that are read."""
    gone = _zeros(s)
    some = _some(g, most(like), s)
    if g_s is not None:
        some = np.logical_or(
            np.any(_some(like, most(like), s), axis=-2, keepdims=True),
            np.expand_dims(_some(g_s, most(g_s, -1), s), -2),
        )
    lost = np.logical_and(np.expand_dims(gone, -2), some)
    x = np.where(lost, np.nan, np.where(np.expand_dims(gone, -2), 0, g))
    return columns(x, 1 / np.where(gone, 1, s))


def _svd_vjp(g: Any, ans: Any, a: Any, *, full_matrices: bool) -> Array:
    u_all, s, vh_all = ans
    k = shape_of(s)[-1]
    u, vh = u_all[..., :k], vh_all[..., :k, :]
    if 0 not in g and 2 not in g:  # of values alone, which have a kink at 0
        g_s = shared(s, np.where(_zeros(s), 0, g[1]), u)
        return np.conj(product(columns(u, g_s), vh))
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
    return tuple(namespace(a).linalg.svd(a, full_matrices=full_matrices))


@primitive(
    np.linalg.svd,
    jvp=_svd_jvp,
    vjp=[_svd_vjp],
    several=True,
    impl=_svd_impl,
    choose=_choose,
)
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
def _svdvals_impl(x: Any) -> Any:
    return namespace(x).linalg.svd(x, compute_uv=False)


@primitive(
    np.linalg.svdvals,
    jvp=lambda ts, ans, x: _svdvals_jvp(ts, x),
    vjp=[lambda g, ans, x: _svdvals_vjp(g, x)],
    impl=_svdvals_impl,
)
def svdvals(x: Any, /) -> Any:
    """`numpy.linalg.svdvals`."""
    return (x,), {}


def _vectors(x: Array) -> tuple[Array, Array, Array]:
    """A decomposition, with u of 0 for values that are 0 up to rounding and have a kink there."""
    u, s, vh = np.linalg.svd(x, full_matrices=False)
    limit = max(shape_of(x)[-2:]) * float(np.finfo(s.dtype).eps)
    gone = np.less_equal(s, limit * most(s, -1))
    return np.where(np.expand_dims(gone, -2), 0, u), s, vh


def _long(x: Array) -> Array:
    """The matrix or its adjoint, with as many columns as singular values."""
    rows, width = shape_of(x)[-2:]
    return x if width <= rows else mH(x)


def _svdvals_jvp(ts: Any, x: Array) -> Array:
    u, s, vh = _vectors(x)
    slopes = np.real(np.sum(np.conj(u) * np.matmul(ts[0], mH(vh)), axis=-2))
    return shared(s, slopes, _long(x))


def _svdvals_vjp(g: Array, x: Array) -> Array:
    u, s, vh = _vectors(x)
    return np.conj(np.matmul(columns(u, shared(s, g, _long(x))), vh))


register(np.linalg.svd, svd)
