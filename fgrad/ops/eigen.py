"""Eigenvalues and eigenvectors; what holds where values are equal is in `equal`.

In the rules G is the conjugate of a cotangent: in G, adjoints are conjugate transposes, as in the
literature (M. Giles, Collected matrix derivative results, 2008). Matrices taken to be Hermitian
count as their Hermitian part, so the two triangles of a gradient agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import Array
from ..rules import cast, primitive
from ..tracer import register
from .equal import (
    basis,
    block_pairs,
    columns,
    diagonal_of,
    equal_pairs,
    eye,
    gaps,
    generic,
    given,
    hermitian,
    mH,
    most,
    nowhere,
    once,
    over_gaps,
    product,
    rates,
    rounding,
    shared,
    silent,
    spread,
    standing,
    within_blocks,
)


# ------------------------------------------------------------------ Hermitian
def eigh_choose(ans: Any, t: Any) -> Any:
    """The vectors of equal values that belong to a direction; for None, any that are generic."""
    w, v = ans
    pairs = block_pairs(w)
    if nowhere(pairs):
        return ans
    q = basis(w, generic(v) + 0 * v if t is None else product(mH(v), hermitian(t), v))
    equal = np.any(pairs, axis=-2, keepdims=True)
    turned, values = once(
        np.where(equal, np.matmul(v, q), 0), np.where(equal, spread(w, v).astype(v.dtype), 0)
    )
    values = np.real(diagonal_of(values))
    return np.where(equal[..., 0, :], values, w), np.where(equal, turned, v)


def eigh_jvp(ts: Any, ans: Any, a: Any, **params: Any) -> Any:
    """Of values and vectors."""
    w, v = ans
    inside = standing(w, product(mH(v), hermitian(ts[0]), v))
    turn = rates(w, inside, lambda x, over: np.matmul(over * x, x))
    return np.real(diagonal_of(inside)), np.matmul(v, turn)


def eigh_inside(g: Any, ans: Any) -> Array:
    """G of v^H a v."""
    w, v = ans
    if 1 not in g:
        return spread(shared(w, np.conj(g[0]), v), v)
    inside = spread(given(g, ans, 0), v)
    x = np.matmul(mH(v), given(g, ans, 1))
    one, pairs, turn = eye(x), block_pairs(w), (x - mH(x)) / 2
    if nowhere(pairs):
        return inside + np.where(one, 0, turn) / np.where(one, 1, gaps(w))
    still = np.logical_or(one, pairs)
    apart = np.where(still, 0, turn) / np.where(still, 1, gaps(w))
    within = within_blocks(w, x, given(g, ans, 0) if 0 in g else None)
    return inside + np.where(pairs, within, apart)


def eigh_vjp(g: Any, ans: Any, a: Any, **params: Any) -> Array:
    """Of values and vectors."""
    v = ans[1]
    return np.conj(hermitian(product(v, eigh_inside(g, ans), mH(v))))


@primitive(
    np.linalg.eigh,
    jvp=lambda ts, ans, a, *, UPLO: eigh_jvp(ts, ans, a),
    vjp=[lambda g, ans, a, *, UPLO: eigh_vjp(g, ans, a)],
    several=True,
    choose=eigh_choose,
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
    w, v = np.linalg.eigh(a, UPLO)
    slopes = np.real(np.sum(np.conj(v) * np.matmul(hermitian(ts[0]), v), axis=-2))
    return shared(w, slopes, a)


def _eigvalsh_vjp(g: Array, a: Array, UPLO: Any) -> Array:
    w, v = np.linalg.eigh(a, UPLO)
    return np.conj(np.matmul(columns(v, shared(w, g, a)), mH(v)))


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
