"""Triangular factors of matrices: Cholesky and QR.

In the rules G is the conjugate of a cotangent: in G, adjoints are conjugate transposes, as in the
literature (M. Giles, Collected matrix derivative results, 2008). A matrix taken to be Hermitian
counts as its Hermitian part, so the two triangles of a gradient agree.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import is_cupy, namespace, shape_of
from ..core import Array, home
from ..rules import primitive
from ..tracer import register
from .contract import mT
from .equal import diagonal_of, eye, given, hermitian, mH, most, rounding, spread


def _right_over(x: Array, r: Array) -> Array:
    """x times the inverse of r."""
    return mT(np.linalg.solve(mT(r), mT(x)))


# ------------------------------------------------------------------ Cholesky
def _half(x: Array) -> Array:
    """The lower triangle, with half of the diagonal."""
    return (np.tril(x) + np.tril(x, -1)) / 2


def _cholesky_jvp(ts: Any, ans: Array, a: Array, *, upper: bool) -> Array:
    lower = mH(ans) if upper else ans
    inside = np.linalg.solve(lower, hermitian(ts[0]))
    t = np.matmul(lower, _half(mH(np.linalg.solve(lower, mH(inside)))))
    return mH(t) if upper else t


def _cholesky_vjp(g: Array, ans: Array, a: Any, *, upper: bool) -> Array:
    lower, g = (mH(ans), mT(g)) if upper else (ans, np.conj(g))
    inside = np.linalg.solve(mH(lower), _half(np.matmul(mH(lower), g)))
    return np.conj(hermitian(_right_over(inside, lower)))


def _cholesky_impl(a: Any, *, upper: bool) -> Any:
    if not is_cupy(a):
        return np.linalg.cholesky(a, upper=upper)
    return mH(np.linalg.cholesky(mH(a))) if upper else np.linalg.cholesky(a)


@primitive(np.linalg.cholesky, jvp=_cholesky_jvp, vjp=[_cholesky_vjp], impl=_cholesky_impl)
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """`numpy.linalg.cholesky`."""
    return (a,), {"upper": upper}


# ------------------------------------------------------------------ QR
def _regular(r: Array) -> tuple[Array, Array]:
    """R with an inverse, and 1; or another matrix and NaN, where columns depend on each other."""
    size = np.abs(diagonal_of(r))
    lost = np.any(size <= rounding(r) * most(size, -1), axis=-1)[..., None, None]
    return np.where(lost, eye(r), r), np.where(lost, np.nan, 1).astype(r.dtype)


def _turning(x: Array) -> Array:
    """The anti-Hermitian matrix that has x's strict lower triangle, and imaginary diagonal."""
    low = np.tril(x, -1)
    y = low - mH(low)
    return y + spread(1j * np.imag(diagonal_of(x)), x) if x.dtype.kind == "c" else y


def _first(ans: Any, mode: str) -> tuple[Array, Array, int]:
    """The reduced Q and R, and how many columns Q has."""
    q, r = ans
    k = min(shape_of(q)[-2], shape_of(r)[-1])
    return (q[..., :k], r[..., :k, :], k) if mode == "complete" else (q, r, k)


def _qr_jvp(ts: Any, ans: Any, a: Any, *, mode: str) -> Any:
    q, r, k = _first(ans, mode)
    t = ts[0]
    first, one = _regular(r[..., :k])
    x = one * _right_over(t[..., :k], first)
    inside = np.matmul(mH(q), x)
    turn = _turning(inside)
    dq = np.matmul(q, turn - inside) + x
    dr = np.triu(np.matmul(mH(q), t) - np.matmul(turn, r))
    if mode == "complete" and shape_of(q)[-2] > k:
        zeros = np.zeros_like(ans[1])[..., k:, :]
        return _with_rest(q, dq), np.concatenate([dr, zeros], axis=-2)
    return dq, dr


def _qr_vjp(g: Any, ans: Any, a: Any, *, mode: str) -> Array:
    q, r, k = _first(ans, mode)
    g_q, g_r = given(g, ans, 0), np.triu(given(g, ans, 1))
    if mode == "complete" and shape_of(q)[-2] > k:
        g_q, g_r = _without_rest(q, g_q), g_r[..., :k, :]
    turn = np.matmul(mH(q), g_q) - np.matmul(g_r, mH(r))
    inside = np.tril(turn - mH(turn), -1)
    if turn.dtype.kind == "c":
        inside = inside + spread(1j * np.imag(diagonal_of(turn)), turn)
    inside = inside - np.matmul(mH(q), g_q)
    first, one = _regular(r[..., :k])
    left = one * _right_over(np.matmul(q, inside) + g_q, mH(first))
    c = np.matmul(q, g_r)
    return np.conj(np.concatenate([c[..., :k] + left, c[..., k:]], axis=-1))


# LAPACK's Q is a product of reflections, 1 - y t y^H. Its first columns q = [1; 0] - y t y1^H fix
# the others: [0; 1] - y t y2^H = [0; 1] + (q - [1; 0]) m^H, with m = q2 (q1 - 1)^-1 = y2 y1^-1.
# (G. Ballard et al., Reconstructing Householder vectors from tall-skinny QR, 2014.)
def _reflected(q: Array) -> tuple[Array, Array, Array]:
    """q - [1; 0], m, and q1 - 1."""
    k = shape_of(q)[-1]
    y = q - home(q).eye(*shape_of(q)[-2:], dtype=q.dtype)
    first = y[..., :k, :]
    return y, _right_over(y[..., k:, :], first), first


def _with_rest(q: Array, dq: Array) -> Array:
    """The tangent of all columns of Q from that of the first."""
    y, m, first = _reflected(q)
    k = shape_of(q)[-1]
    dm = _right_over(dq[..., k:, :] - np.matmul(m, dq[..., :k, :]), first)
    return np.concatenate([dq, np.matmul(dq, mH(m)) + np.matmul(y, mH(dm))], axis=-1)


def _without_rest(q: Array, g: Array) -> Array:
    """G of the first columns of Q, with what the others do for them."""
    y, m, first = _reflected(q)
    k = shape_of(q)[-1]
    g_rest = g[..., k:]
    g_m = _right_over(np.matmul(mH(g_rest), y), mH(first))
    g_y = np.concatenate([-np.matmul(mH(m), g_m), g_m], axis=-2)
    return g[..., :k] + np.matmul(g_rest, m) + g_y


@primitive(
    np.linalg.qr, jvp=_qr_jvp, vjp=[_qr_vjp], several=True,
    impl=lambda a, *, mode: tuple(namespace(a).linalg.qr(a, mode)),
)  # fmt: skip
def _qr(a: Any, mode: str) -> Any:
    return (a,), {"mode": mode}


_QR = type(np.linalg.qr(np.ones((1, 1))))


def qr(a: Any, mode: str = "reduced") -> Any:
    """`numpy.linalg.qr`; NaN where the first columns depend on each other."""
    if mode not in ("reduced", "complete", "r", "raw"):
        raise ValueError(f"Unrecognized mode '{mode}'")
    q, r = _qr(a, "complete" if mode == "complete" else "reduced")
    return r if mode == "r" else _raw(q, r) if mode == "raw" else _QR(q, r)


def _raw(q: Array, r: Array) -> tuple[Array, Array]:
    """LAPACK's reflections: y below R's diagonal, and t's diagonal; as NumPy, transposed.

    y times an upper triangular matrix is q - [1; 0], so elimination without pivots finds it.
    """
    rows, k = shape_of(q)[-2:]
    rest = q - home(q).eye(rows, k, dtype=q.dtype)
    low, tau = [], []
    for j in range(k):
        pivot = rest[..., j, j]
        tau.append(-pivot)
        below = rest[..., j + 1 :, j : j + 1]
        y = below / np.expand_dims(pivot, (-2, -1))
        zeros = np.zeros_like(rest)[..., : j + 1, :1]
        low.append(np.concatenate([zeros, y], axis=-2))
        y = np.concatenate([zeros[..., :-1, :], np.ones_like(zeros[..., :1, :]), y], axis=-2)
        rest = rest - y * rest[..., j : j + 1, :]
    h = np.concatenate(low, axis=-1)
    width = shape_of(r)[-1]
    if rows > k:
        r = np.concatenate([r, np.zeros_like(h)[..., k:, :]], axis=-2)
    if width > k:
        h = np.concatenate([h, np.zeros_like(r)[..., k:]], axis=-1)
    return mT(h + r), np.stack(tau, axis=-1)


register(np.linalg.qr, qr)
