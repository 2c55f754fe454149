"""Eigenvalues and eigenvectors, and what can be said of them where eigenvalues are equal.

In the rules G is the conjugate of a cotangent: in G, adjoints are conjugate transposes, as in the
literature (M. Giles, Collected matrix derivative results, 2008). Matrices taken to be Hermitian
count as their Hermitian part, so the two triangles of a gradient agree.

Vectors of equal eigenvalues are any basis of their space. A function that does not depend on the
basis has a derivative, but what reaches a rule does not always tell it: of v f(w) v^H the rule sees
f, and the derivative has f' in it. The rules give the derivative where it is certain: for
functions of the values alone; of vectors alone; of other values and vectors than the equal ones;
and for v w v^H itself, which its cotangents give away. Else they give NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import namespace, shape_of
from ..core import Array, Tracer, full_lower
from ..rules import cast, primitive
from ..tracer import register
from .casts import stop_gradient_leaf
from .contract import mT


# ------------------------------------------------------------------ tools
def mH(x: Array) -> Array:
    """The conjugate transpose."""
    return np.conj(mT(x)) if x.dtype.kind == "c" else mT(x)


def product(*xs: Array) -> Array:
    """The product of matrices, from the left."""
    out = xs[0]
    for x in xs[1:]:
        out = np.matmul(out, x)
    return out


def hermitian(x: Array) -> Array:
    """The Hermitian part."""
    return (x + mH(x)) / 2


def columns(x: Array, s: Array) -> Array:
    """x times the diagonal matrix of s."""
    return x * np.expand_dims(s, -2)


def diagonal_of(x: Array) -> Array:
    """The diagonal of the last two axes."""
    return np.diagonal(x, 0, -2, -1)


def eye(x: Array) -> Array:
    """Where the diagonal of a square matrix is."""
    return namespace(full_lower(x)).eye(shape_of(x)[-1], dtype=bool)


def spread(s: Array, like: Array) -> Array:
    """The diagonal matrix of s, shaped like a square matrix."""
    return np.where(eye(like), np.expand_dims(s, -1), 0)


def given(g: Any, ans: Any, i: int) -> Array:
    """G of one of several answers."""
    return np.conj(g[i]) if i in g else np.zeros_like(ans[i])


# ------------------------------------------------------------------ equal values
def rounding(s: Array) -> float:
    """What is 0 beside 1, after as many operations as a decomposition takes."""
    return 8 * shape_of(s)[-1] * float(np.finfo(s.dtype).eps)


def most(x: Array, axes: Any = (-2, -1)) -> Array:
    """The largest size."""
    return np.max(np.abs(x), axis=axes, keepdims=True, initial=0)


def gaps(s: Array) -> Array:
    """s_j - s_i."""
    return np.expand_dims(s, -2) - np.expand_dims(s, -1)


def equal_pairs(s: Array) -> Array:
    """Which pairs of two different values are equal up to rounding."""
    gap = gaps(s)
    same = np.less_equal(np.abs(gap), rounding(s) * np.expand_dims(most(s, -1), -1))
    return np.logical_and(same, np.logical_not(eye(gap)))


def nowhere(mask: Array) -> bool:
    """Whether it is known that a mask is false everywhere."""
    known = stop_gradient_leaf(mask)
    return not isinstance(known, Tracer) and not np.any(known)


def over_gaps(s: Array, x: Array) -> Array:
    """x_ij / (s_j - s_i), the speed at which vectors i and j turn into each other.

    Where the two values are equal it is 0 if x_ij is, for then the basis is the right one in this
    direction, else NaN. The next derivative, which does depend on the speed, is NaN there.
    """
    one, pairs = eye(x), equal_pairs(s)
    if nowhere(pairs):
        return np.where(one, 0, x) / np.where(one, 1, gaps(s))
    gap = gaps(s)
    lost = np.logical_and(pairs, np.abs(x) > rounding(s) * most(x))
    still = np.logical_or(one, pairs)
    turn = np.where(still, 0, x) / np.where(still, 1, gap)
    return np.where(lost, np.nan, np.where(pairs, np.sqrt(np.where(pairs, 0 * gap, 1)), turn))


def silent(g_s: Array, *parts: Array) -> Array:
    """Pairs i, j neither of which a function reads: all G of their values and vectors are 0."""
    read = np.abs(g_s) > rounding(g_s) * most(g_s, -1)
    for x in parts:
        read = np.logical_or(read, np.any(np.abs(x) > rounding(x) * most(x), axis=-2))
    return np.logical_not(np.logical_or(np.expand_dims(read, -1), np.expand_dims(read, -2)))


def told(g_s: Array, s: Array) -> Array:
    """Pairs i, j of values other than 0 that a function reads."""
    some = np.abs(g_s) > rounding(s) * most(g_s, -1)
    some = np.logical_and(some, np.abs(s) > rounding(s) * most(s, -1))
    return np.logical_and(np.expand_dims(some, -1), np.expand_dims(some, -2))


def linear_in(s: Array, g_s: Array, left: Array, right: Array) -> Array:
    """Whether G is that of u s v^H: left = n s and right = n^H s for some n with diagonal g_s."""
    size = most(left) + most(right)
    apart = left * np.expand_dims(s, -1) - mH(right) * np.expand_dims(s, -2)
    off = np.real(diagonal_of(left)) - g_s * s
    small = 8 * rounding(s) * size * np.expand_dims(most(s, -1), -1)
    first = np.all(np.abs(apart) <= small, axis=(-2, -1))
    small = 8 * rounding(s) * (size[..., 0] + most(g_s * s, -1))
    second = np.all(np.abs(off) <= small, axis=-1)
    return np.expand_dims(np.logical_and(first, second), (-2, -1))


# ------------------------------------------------------------------ Hermitian
def eigh_jvp(ts: Any, ans: Any, a: Any, **params: Any) -> Any:
    """Of values and vectors."""
    w, v = ans
    inside = product(mH(v), hermitian(ts[0]), v)
    return np.real(diagonal_of(inside)), np.matmul(v, over_gaps(w, inside))


def _turned(w: Array, x: Array, g_w: Any) -> Array:
    """What G of the vectors, as x = v^H G, adds to that of v^H a v."""
    one, pairs = eye(x), equal_pairs(w)
    turn = (x - mH(x)) / 2
    if nowhere(pairs):
        return np.where(one, 0, turn) / np.where(one, 1, gaps(w))
    still = np.logical_or(one, pairs)
    apart = np.where(still, 0, turn) / np.where(still, 1, gaps(w))
    if g_w is None:  # a function of the space alone: turning its basis changes nothing
        certain = np.abs(turn) <= rounding(w) * most(x)
        return np.where(pairs, np.where(certain, 0, np.nan), apart)
    total = np.expand_dims(w, -2) + np.expand_dims(w, -1)
    linear = np.logical_and(linear_in(w, g_w, x / 2, x / 2), told(g_w, w))
    within = hermitian(x) / np.where(linear, total, 1)
    within = np.where(linear, within, np.where(silent(g_w, x), 0, np.nan))
    return np.where(pairs, within, apart)


def eigh_inside(g: Any, ans: Any) -> Array:
    """G of v^H a v."""
    w, v = ans
    inside = spread(given(g, ans, 0), v)
    if 1 not in g:
        return inside
    x = np.matmul(mH(v), given(g, ans, 1))
    return inside + _turned(w, x, given(g, ans, 0) if 0 in g else None)


def eigh_vjp(g: Any, ans: Any, a: Any, **params: Any) -> Array:
    """Of values and vectors."""
    v = ans[1]
    return np.conj(hermitian(product(v, eigh_inside(g, ans), mH(v))))


@primitive(
    np.linalg.eigh,
    jvp=lambda ts, ans, a, *, UPLO: eigh_jvp(ts, ans, a),
    vjp=[lambda g, ans, a, *, UPLO: eigh_vjp(g, ans, a)],
    several=True,
)
def _eigh(a: Any, UPLO: str) -> Any:
    return (a,), {"UPLO": UPLO}


_EIGH = type(np.linalg.eigh(np.ones((1, 1))))


def eigh(a: Any, UPLO: str = "L") -> Any:
    """`numpy.linalg.eigh`."""
    return _EIGH(*_eigh(a, UPLO))


@primitive(
    np.linalg.eigvalsh,
    jvp=lambda ts, ans, a, *, UPLO: _eigvalsh_jvp(ts, a, UPLO),
    vjp=[lambda g, ans, a, *, UPLO: _eigvalsh_vjp(g, a, UPLO)],
)
def eigvalsh(a: Any, UPLO: str = "L") -> Any:
    """`numpy.linalg.eigvalsh`."""
    return (a,), {"UPLO": UPLO}


def _eigvalsh_jvp(ts: Any, a: Array, UPLO: Any) -> Array:
    v = np.linalg.eigh(a, UPLO)[1]
    return np.real(np.sum(np.conj(v) * np.matmul(hermitian(ts[0]), v), axis=-2))


def _eigvalsh_vjp(g: Array, a: Array, UPLO: Any) -> Array:
    v = np.linalg.eigh(a, UPLO)[1]
    return np.conj(np.matmul(columns(v, g), mH(v)))


# ------------------------------------------------------------------ general matrices
def _eig_jvp(ts: Any, ans: Any, a: Any) -> Any:
    w, v = ans
    inside = np.linalg.solve(v, np.matmul(ts[0], v))
    turn = np.matmul(v, over_gaps(w, inside))
    # Eigenvectors keep their length, and turn no further in phase than they must.
    along = np.sum(np.conj(v) * turn, axis=-2)
    t = diagonal_of(inside), turn - columns(v, along)
    return tuple(cast(u, y.dtype) for u, y in zip(t, ans, strict=True))


def _eig_turned(w: Array, x: Array, g_w: Any) -> Array:
    one, pairs = eye(x), equal_pairs(w)
    gap = np.conj(gaps(w))
    if nowhere(pairs):
        return np.where(one, 0, x) / np.where(one, 1, gap)
    still = np.logical_or(one, pairs)
    apart = np.where(still, 0, x) / np.where(still, 1, gap)
    certain = np.abs(x) <= rounding(w) * most(x) if g_w is None else silent(g_w, x)
    return np.where(pairs, np.where(certain, 0, np.nan), apart)


def _eig_vjp(g: Any, ans: Any, a: Any) -> Array:
    w, v = ans
    inside = spread(given(g, ans, 0), v)
    if 1 in g:
        turn = given(g, ans, 1)
        turn = turn - columns(v, np.sum(np.conj(v) * turn, axis=-2))
        x = np.matmul(mH(v), turn)
        inside = inside + _eig_turned(w, x, given(g, ans, 0) if 0 in g else None)
    return np.conj(np.linalg.solve(mH(v), np.matmul(inside, mH(v))))


@primitive(np.linalg.eig, jvp=_eig_jvp, vjp=[_eig_vjp], several=True)
def _eig(a: Any) -> Any:
    return (a,), {}


_EIG = type(np.linalg.eig(np.ones((1, 1))))


def eig(a: Any) -> Any:
    """`numpy.linalg.eig`: real if all eigenvalues are, as in NumPy."""
    return _EIG(*_eig(a))


register(np.linalg.eigh, eigh)
register(np.linalg.eig, eig)
register(np.linalg.eigvals, lambda a: eig(a).eigenvalues)
