"""Decompositions of matrices: Cholesky, QR, eigenvalues, singular values.

In the rules G is the conjugate of a cotangent: in G, adjoints are conjugate transposes, as in the
literature (M. Giles, Collected matrix derivative results, 2008; Z. Wan and S. Zhang, Automatic
differentiation for complex valued SVD, 2019). Matrices taken to be Hermitian count as their
Hermitian part, so the two triangles of a gradient agree. Where values are equal their vectors have
no derivative: it is NaN for a function that reads them, and right for one that reads the values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import namespace, shape_of
from ..core import Array, full_lower
from ..errors import NoRuleError
from ..rules import cast, primitive
from ..tracer import register
from .contract import mT
from .ufuncs import ratio


# ------------------------------------------------------------------ tools
def mH(x: Array) -> Array:
    """The conjugate transpose."""
    return np.conj(mT(x)) if x.dtype.kind == "c" else mT(x)


def _product(*xs: Array) -> Array:
    out = xs[0]
    for x in xs[1:]:
        out = np.matmul(out, x)
    return out


def _hermitian(x: Array) -> Array:
    return (x + mH(x)) / 2


def _columns(x: Array, s: Array) -> Array:
    """x times the diagonal matrix of s."""
    return x * np.expand_dims(s, -2)


def _diagonal(x: Array) -> Array:
    return np.diagonal(x, 0, -2, -1)


def eye(x: Array) -> Array:
    """Where the diagonal of a square matrix is."""
    return namespace(full_lower(x)).eye(shape_of(x)[-1], dtype=bool)


def _spread(s: Array, like: Array) -> Array:
    """The diagonal matrix of s, shaped like a square matrix."""
    return np.where(eye(like), np.expand_dims(s, -1), 0)


def _over_gaps(s: Array, x: Array) -> Array:
    """x_ij / (s_j - s_i), the speed at which vectors i and j turn into each other.

    Where the two values are equal (up to rounding), it is 0 if x_ij is, else NaN: how fast they
    turn then depends on how fast the values part, which a first derivative doesn't tell.
    """
    gap = np.expand_dims(s, -2) - np.expand_dims(s, -1)
    rounding = 8 * shape_of(s)[-1] * float(np.finfo(s.dtype).eps)
    size, turning = np.abs(s), np.abs(x)
    limit = rounding * np.max(size, axis=-1, keepdims=True, initial=0)
    same = np.less_equal(np.abs(gap), np.expand_dims(limit, -1))
    some = turning > rounding * np.max(turning, axis=(-2, -1), keepdims=True, initial=0)
    lost = np.logical_and(np.logical_and(same, some), np.logical_not(eye(x)))
    return np.where(lost, np.nan, np.where(same, 0, x) / np.where(same, 1, gap))


def _given(g: Any, ans: Any, i: int) -> Array:
    """G of one of several answers."""
    return np.conj(g[i]) if i in g else np.zeros_like(ans[i])


def _right_over(x: Array, r: Array) -> Array:
    """x times the inverse of r."""
    return mT(np.linalg.solve(mT(r), mT(x)))


# ------------------------------------------------------------------ Cholesky
def _half(x: Array) -> Array:
    """The lower triangle, with half of the diagonal."""
    return (np.tril(x) + np.tril(x, -1)) / 2


def _cholesky_jvp(ts: Any, ans: Array, a: Array, *, upper: bool) -> Array:
    lower = mH(ans) if upper else ans
    inside = np.linalg.solve(lower, _hermitian(ts[0]))
    t = np.matmul(lower, _half(mH(np.linalg.solve(lower, mH(inside)))))
    return mH(t) if upper else t


def _cholesky_vjp(g: Array, ans: Array, a: Any, *, upper: bool) -> Array:
    lower, g = (mH(ans), mT(g)) if upper else (ans, np.conj(g))
    inside = np.linalg.solve(mH(lower), _half(np.matmul(mH(lower), g)))
    return np.conj(_hermitian(_right_over(inside, lower)))


@primitive(np.linalg.cholesky, jvp=_cholesky_jvp, vjp=[_cholesky_vjp])
def cholesky(a: Any, /, *, upper: bool = False) -> Any:
    """`numpy.linalg.cholesky`."""
    return (a,), {"upper": upper}


# ------------------------------------------------------------------ eigenvalues, Hermitian
def _eigh_jvp(ts: Any, ans: Any, a: Any, *, UPLO: str) -> Any:
    w, v = ans
    inside = _product(mH(v), _hermitian(ts[0]), v)
    return np.real(_diagonal(inside)), np.matmul(v, _over_gaps(w, inside))


def _eigh_vjp(g: Any, ans: Any, a: Any, *, UPLO: str) -> Array:
    w, v = ans
    inside = _spread(_given(g, ans, 0), v)
    if 1 in g:
        inside = inside + _over_gaps(w, np.matmul(mH(v), _given(g, ans, 1)))
    return np.conj(_hermitian(_product(v, inside, mH(v))))


@primitive(np.linalg.eigh, jvp=_eigh_jvp, vjp=[_eigh_vjp], several=True)
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
    return np.real(np.sum(np.conj(v) * np.matmul(_hermitian(ts[0]), v), axis=-2))


def _eigvalsh_vjp(g: Array, a: Array, UPLO: Any) -> Array:
    v = np.linalg.eigh(a, UPLO)[1]
    return np.conj(np.matmul(_columns(v, g), mH(v)))


# ------------------------------------------------------------------ eigenvalues
def _eig_jvp(ts: Any, ans: Any, a: Any) -> Any:
    w, v = ans
    inside = np.linalg.solve(v, np.matmul(ts[0], v))
    turn = np.matmul(v, _over_gaps(w, inside))
    # Eigenvectors keep their length, and turn no further in phase than they must.
    along = np.sum(np.conj(v) * turn, axis=-2)
    t = _diagonal(inside), turn - _columns(v, along)
    return tuple(cast(u, y.dtype) for u, y in zip(t, ans, strict=True))


def _eig_vjp(g: Any, ans: Any, a: Any) -> Array:
    w, v = ans
    inside = _spread(_given(g, ans, 0), v)
    if 1 in g:
        turn = _given(g, ans, 1)
        turn = turn - _columns(v, np.sum(np.conj(v) * turn, axis=-2))
        inside = inside + _over_gaps(np.conj(w), np.matmul(mH(v), turn))
    return np.conj(np.linalg.solve(mH(v), np.matmul(inside, mH(v))))


@primitive(np.linalg.eig, jvp=_eig_jvp, vjp=[_eig_vjp], several=True)
def _eig(a: Any) -> Any:
    return (a,), {}


_EIG = type(np.linalg.eig(np.ones((1, 1))))


def eig(a: Any) -> Any:
    """`numpy.linalg.eig`: real if all eigenvalues are, as in NumPy."""
    return _EIG(*_eig(a))


# ------------------------------------------------------------------ QR
def _strict(x: Array) -> Array:
    return np.tril(x, -1)


def _turning(x: Array) -> Array:
    """The anti-Hermitian matrix that has x's strict lower triangle, and imaginary diagonal."""
    low = _strict(x)
    y = low - mH(low)
    return y + _spread(1j * np.imag(_diagonal(x)), x) if x.dtype.kind == "c" else y


def _qr_jvp(ts: Any, ans: Any, a: Any, *, mode: str) -> Any:
    (q, r), t = ans, ts[0]
    k = shape_of(q)[-1]
    x = _right_over(t[..., :k], r[..., :k])
    inside = np.matmul(mH(q), x)
    turn = _turning(inside)
    return (
        np.matmul(q, turn - inside) + x,
        np.triu(np.matmul(mH(q), t) - np.matmul(turn, r)),
    )


def _qr_vjp(g: Any, ans: Any, a: Any, *, mode: str) -> Array:
    q, r = ans
    k = shape_of(q)[-1]
    g_q, g_r = _given(g, ans, 0), np.triu(_given(g, ans, 1))
    turn = np.matmul(mH(q), g_q) - np.matmul(g_r, mH(r))
    inside = _strict(turn - mH(turn))
    if turn.dtype.kind == "c":
        inside = inside + _spread(1j * np.imag(_diagonal(turn)), turn)
    inside = inside - np.matmul(mH(q), g_q)
    left = _right_over(np.matmul(q, inside) + g_q, mH(r[..., :k]))
    c = np.matmul(q, g_r)
    return np.conj(np.concatenate([c[..., :k] + left, c[..., k:]], axis=-1))


@primitive(
    np.linalg.qr, jvp=_qr_jvp, vjp=[_qr_vjp], several=True,
    impl=lambda a, *, mode: tuple(np.linalg.qr(a, mode)),
)  # fmt: skip
def _qr(a: Any, mode: str) -> Any:
    return (a,), {"mode": mode}


_QR = type(np.linalg.qr(np.ones((1, 1))))


def qr(a: Any, mode: str = "reduced") -> Any:
    """`numpy.linalg.qr`, of matrices whose first columns are independent."""
    rows, columns = shape_of(a)[-2:]
    if mode not in ("reduced", "complete", "r") or (mode == "complete" and rows > columns):
        raise NoRuleError(
            f"`np.linalg.qr` with mode={mode!r} has no rule in fgrad for such a matrix.",
            f"a traced matrix of shape {shape_of(a)}; Q's last columns could be any",
            "use mode 'reduced' or 'r', which have all that the matrix fixes",
        )
    q, r = _qr(a, "reduced" if mode == "r" else mode)
    return r if mode == "r" else _QR(q, r)


# ------------------------------------------------------------------ singular values
def _sums(s: Array) -> Array:
    """1 / (s_j + s_i), and 0 where both are 0."""
    return ratio(1, np.expand_dims(s, -2) + np.expand_dims(s, -1))


def _svd_jvp(ts: Any, ans: Any, a: Any) -> Any:
    u, s, vh = ans
    v, t = mH(vh), ts[0]
    inside = _product(mH(u), t, v)
    # Of a complex matrix only the sum of the phases of u and v is fixed: both turn by half.
    both = _over_gaps(s, _hermitian(inside))
    apart = _sums(s) * (inside - mH(inside)) / 2
    du, dv = np.matmul(u, both + apart), np.matmul(v, both - apart)
    rows, columns = shape_of(t)[-2:]
    if rows > columns:
        du = du + _columns(np.matmul(t, v) - np.matmul(u, inside), ratio(1, s))
    if columns > rows:
        dv = dv + _columns(np.matmul(mH(t), u) - np.matmul(v, mH(inside)), ratio(1, s))
    return du, np.real(_diagonal(inside)), mH(dv)


def _svd_vjp(g: Any, ans: Any, a: Any) -> Array:
    u, s, vh = ans
    g_u, g_v = _given(g, ans, 0), mH(_given(g, ans, 2))
    left, right = np.matmul(mH(u), g_u), np.matmul(vh, g_v)
    both, apart = _over_gaps(s, left + right), _sums(s) * (left - right)
    inside = _spread(_given(g, ans, 1), left) + _hermitian(both) + (apart - mH(apart)) / 2
    c = _product(u, inside, vh)
    rows, columns = a.shape[-2:]
    if rows > columns:
        c = c + np.matmul(_columns(g_u - np.matmul(u, left), ratio(1, s)), vh)
    if columns > rows:
        c = c + np.matmul(_columns(u, ratio(1, s)), mH(g_v - np.matmul(mH(vh), right)))
    return np.conj(c)


@primitive(
    np.linalg.svd, jvp=_svd_jvp, vjp=[_svd_vjp], several=True,
    impl=lambda a: tuple(np.linalg.svd(a, full_matrices=False)),
)  # fmt: skip
def _svd(a: Any) -> Any:
    return (a,), {}


_SVD = type(np.linalg.svd(np.ones((1, 1))))


def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False
) -> Any:
    """`numpy.linalg.svd`; of matrices that aren't square the reduced form."""
    if hermitian:
        return _svd_hermitian(a, compute_uv)
    if not compute_uv:
        return svdvals(a)
    rows, columns = shape_of(a)[-2:]
    if full_matrices and rows != columns:
        raise NoRuleError(
            "`np.linalg.svd` with full_matrices=True has no derivative where a matrix isn't "
            "square.",
            f"a traced matrix of shape {shape_of(a)}; the vectors that are added could be any",
            "pass full_matrices=False, or compute_uv=False for the singular values alone",
        )
    return _SVD(*_svd(a))


def _svd_hermitian(a: Any, compute_uv: bool) -> Any:
    """By the eigenvalues, as NumPy does."""
    if not compute_uv:
        return np.flip(np.sort(np.abs(eigvalsh(a)), axis=-1), -1)
    w, v = eigh(a)
    order = np.flip(np.argsort(np.abs(w), axis=-1), -1)
    w = np.take_along_axis(w, order, axis=-1)
    u = np.take_along_axis(v, np.expand_dims(order, -2), axis=-1)
    return _SVD(u, np.abs(w), mH(_columns(u, np.sign(w))))


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
    return np.conj(np.matmul(_columns(u, g), vh))


register(np.linalg.eigh, eigh)
register(np.linalg.eig, eig)
register(np.linalg.eigvals, lambda a: eig(a).eigenvalues)
register(np.linalg.qr, qr)
register(np.linalg.svd, svd)
