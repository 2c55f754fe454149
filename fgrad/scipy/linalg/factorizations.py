"""Factors of a matrix: LU, QR and RQ, polar."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from ...arrays import ndim_of, shape_of
from ...core import Array
from ...doors import offers
from ...ops.casts import stop_gradient_leaf
from ...ops.contract import mT
from ...ops.equal import mH
from ...ops.index import take_along_axis
from ...ops.linalg import rows_of_pivots
from ...rules import constant, primitive
from .equations import sylvester
from .solving import TRANSPOSED, triangular
from .tools import arrays, mirrored, over_batch, product, right_over, stacked, transposes


# ------------------------------------------------------------------ LU
def _rows(x: Array, index: Array) -> Array:
    """The rows of matrices in another order."""
    return take_along_axis(x, np.expand_dims(index, -1), -2)


def _lu_jvp(ts: Any, ans: Any, a: Any) -> Any:
    p, lower, upper = ans
    t = _rows(ts[0], np.argsort(p, axis=-1))
    rows, columns = shape_of(t)[-2:]
    k = min(rows, columns)
    first, pivots = lower[..., :k, :], upper[..., :k]
    inside = triangular(first, t[..., :k, :k], 0, True, True)
    inside = mT(triangular(pivots, mT(inside), 1))
    d_lower, d_upper = np.matmul(first, np.tril(inside, -1)), np.matmul(np.triu(inside), pivots)
    if rows > k:
        rest = t[..., k:, :] - np.matmul(lower[..., k:, :], d_upper)
        below = mT(triangular(pivots, mT(rest), 1))
        d_lower = np.concatenate([d_lower, below], axis=-2)
    if columns > k:
        rest = t[..., k:] - np.matmul(d_lower, upper[..., k:])
        right = triangular(lower, rest, 0, True, True)
        d_upper = np.concatenate([d_upper, right], axis=-1)
    return None, d_lower, d_upper


@primitive(
    linalg.lu, jvp=_lu_jvp, vjp=transposes(_lu_jvp), several=True,
    impl=over_batch(lambda a: linalg.lu(a, p_indices=True)),
)  # fmt: skip
def _lu(a: Any) -> Any:
    return (a,), {}


@offers(linalg.lu)
def lu(
    a: Any, permute_l: bool = False, overwrite_a: bool = False, check_finite: bool = True,
    p_indices: bool = False,
) -> Any:  # fmt: skip
    """`scipy.linalg.lu`, of matrices whose first rows and columns have an inverse.

    The permutation is constant: the derivative is that between two changes of it.
    """
    p, lower, upper = _lu(arrays(a, check_finite=check_finite))
    if permute_l:
        return _rows(lower, p), upper
    if p_indices:
        return p, lower, upper
    places = np.arange(shape_of(p)[-1])
    real = np.finfo(lower.dtype).dtype
    return np.equal(np.expand_dims(p, -1), places).astype(real), lower, upper


_pivots = constant(
    linalg.lu_factor,
    lambda a: ((a,), {}),
    impl=over_batch(lambda a: linalg.lu_factor(a, check_finite=False)[1]),
)


@offers(linalg.lu_factor)
def lu_factor(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """`scipy.linalg.lu_factor`."""
    a = arrays(a, check_finite=check_finite)
    _, lower, upper = _lu(a)
    rows, columns = shape_of(a)[-2:]
    k = min(rows, columns)
    low = np.tril(lower, -1)
    if rows > k:
        packed = np.concatenate([low[..., :k, :] + upper, low[..., k:, :]], axis=-2)
    else:
        packed = np.concatenate([low + upper[..., :k], upper[..., k:]], axis=-1)
    return packed, _pivots(stop_gradient_leaf(a))


@offers(linalg.lu_solve)
def lu_solve(
    lu_and_piv: Any, b: Any, trans: Any = 0, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.lu_solve`."""
    packed, pivots = lu_and_piv
    packed, b = arrays(packed, b, check_finite=check_finite)
    trans = TRANSPOSED[trans]
    packed = np.conj(packed) if trans == 2 else packed
    order = rows_of_pivots(pivots)
    y = np.expand_dims(b, -1) if ndim_of(b) == 1 else b
    packed, y = stacked([packed, y], (2, 2))
    lead = shape_of(packed)[:-2]
    order = np.broadcast_to(order, (*lead, shape_of(order)[-1]))
    if trans:
        y = triangular(packed, y, 1)
        y = triangular(packed, y, 1, True, True)
        y = _rows(y, np.argsort(order, axis=-1))
    else:
        y = triangular(packed, _rows(y, order), 0, True, True)
        y = triangular(packed, y)
    return y[..., 0] if ndim_of(b) == 1 else y


# ------------------------------------------------------------------ LDL
def _ldl_jvp(ts: Any, ans: Any, a: Any, *, lower: bool, hermitian: bool) -> Any:
    """a = l d l^H: of l^-1 da l^-H the blocks of d are its move, and what is below moves l."""
    outer, d, _ = ans
    turn = mH if hermitian else mT
    half = np.linalg.solve(outer, ts[0])
    inside = turn(np.linalg.solve(outer, turn(half)))
    n = shape_of(d)[-1]
    pair = np.expand_dims(np.not_equal(np.diagonal(d, -1, -2, -1), 0), -1)
    first, last = pair[..., :0, :], np.zeros_like(pair)[..., :1, :]
    below = np.eye(n, k=-1, dtype=bool) & np.concatenate([last, pair, first], axis=-2)
    blocks = np.logical_or(np.eye(n, dtype=bool), np.logical_or(below, mT(below)))
    rest = np.where(blocks, 0, np.tril(inside) if lower else np.triu(inside))
    return np.matmul(outer, right_over(rest, d)), np.where(blocks, inside, 0), None


@primitive(
    linalg.ldl, jvp=_ldl_jvp, vjp=transposes(_ldl_jvp), several=True,
    impl=over_batch(lambda a, **params: linalg.ldl(a, check_finite=False, **params)),
)  # fmt: skip
def _ldl(a: Any, lower: bool, hermitian: bool) -> Any:
    return (a,), {"lower": lower, "hermitian": hermitian}


@offers(linalg.ldl)
def ldl(
    A: Any, lower: bool = True, hermitian: bool = True, overwrite_a: bool = False,
    check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.ldl`, of matrices that have an inverse."""
    a = arrays(A, check_finite=check_finite)
    a = mirrored(a, lower) if hermitian else mirrored(a, lower, turn=mT)
    return _ldl(a, bool(lower), bool(hermitian))


# ------------------------------------------------------------------ QR, RQ
_MODES: dict[str, Any] = {"full": "complete", "economic": "reduced", "r": "r", "raw": "raw"}

_order = constant(
    linalg.qr,
    lambda a: ((a,), {}),
    impl=over_batch(lambda a: linalg.qr(a, mode="r", pivoting=True, check_finite=False)[1]),
)


@offers(linalg.qr)
def qr(
    a: Any, overwrite_a: bool = False, lwork: Any = None, mode: str = "full",
    pivoting: bool = False, check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.qr`; the order that pivoting finds is constant."""
    if mode not in _MODES:
        raise ValueError("Mode argument should be one of ['full', 'r','economic', 'raw']")
    a = arrays(a, check_finite=check_finite)
    end: tuple[Any, ...] = ()
    if pivoting:
        order = _order(stop_gradient_leaf(a))
        a, end = mT(_rows(mT(a), order)), (order,)
    rows, columns = shape_of(a)[-2:]
    out: Any = np.linalg.qr(a, _MODES[mode])
    if mode == "r":
        if rows > columns:
            out = np.concatenate([out, np.zeros_like(a)[..., columns:, :]], axis=-2)
        return out if ndim_of(a) > 2 and not end else (out, *end)
    if mode == "raw":
        h, tau = out
        return ((mT(h), tau), np.triu(mT(h))[..., : min(rows, columns), :], *end)
    return (out[0], out[1], *end)


@offers(linalg.qr_multiply)
def qr_multiply(
    a: Any, c: Any, mode: str = "right", pivoting: bool = False, conjugate: bool = False,
    overwrite_a: bool = False, overwrite_c: bool = False,
) -> Any:  # fmt: skip
    """`scipy.linalg.qr_multiply`, with the economic Q."""
    if mode not in ("left", "right"):
        raise ValueError("Mode argument can only be 'left' or 'right'")
    a, c = arrays(a, c)
    q, *rest = qr(a, mode="economic", pivoting=pivoting, check_finite=False)
    q = np.conj(q) if conjugate else q
    return (np.matmul(q, c) if mode == "left" else np.matmul(c, q), *rest)


@offers(linalg.rq)
def rq(
    a: Any, overwrite_a: bool = False, lwork: Any = None, mode: str = "full",
    check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.rq`: QR of the adjoint, from the last row on."""
    if mode not in ("full", "r", "economic"):
        raise ValueError("Mode argument should be one of ['full', 'r', 'economic']")
    a = arrays(a, check_finite=check_finite)
    turned = mH(np.flip(a, (-2, -1)))
    q, r = qr(turned, mode="economic" if mode == "economic" else "full", check_finite=False)
    r = np.flip(mH(r), (-2, -1))
    return r if mode == "r" else (r, np.flip(mH(q), (-2, -1)))


# ------------------------------------------------------------------ polar
def _polar_jvp(ts: Any, ans: Array, a: Array) -> Array:
    """Of u in a = u p, for a of full rank with no more columns than rows.

    N. Higham, Functions of Matrices, 2008, section 8.1: u^H du is the anti-Hermitian solution of
    a Sylvester equation; the rest of du stands at right angles to u.
    """
    u, t = ans, ts[0]
    p = np.matmul(mH(u), a)
    p = (p + mH(p)) / 2
    inside = np.matmul(mH(u), t)
    turn = sylvester(p, p, inside - mH(inside))
    d = np.matmul(u, turn)
    if shape_of(t)[-2] > shape_of(t)[-1]:
        d = d + right_over(t - np.matmul(u, inside), p)
    return d


def _polar_impl(a: Any) -> Any:
    u, _, vh = np.linalg.svd(a, full_matrices=False)
    return np.matmul(u, vh)


@primitive(linalg.polar, jvp=_polar_jvp, vjp=transposes(_polar_jvp), impl=_polar_impl)
def _polar(a: Any) -> Any:
    return (a,), {}


@offers(linalg.polar)
def polar(a: Any, side: str = "right") -> Any:
    """`scipy.linalg.polar`, of matrices of full rank; singular values may be equal."""
    if side not in ("right", "left"):
        raise ValueError("`side` must be either 'right' or 'left'")
    a = arrays(a, check_finite=False)
    rows, columns = shape_of(a)[-2:]
    u = _polar(a) if rows >= columns else mH(_polar(mH(a)))
    p = np.matmul(mH(u), a) if side == "right" else np.matmul(a, mH(u))
    return u, (p + mH(p)) / 2


@offers(linalg.orthogonal_procrustes)
def orthogonal_procrustes(A: Any, B: Any, check_finite: bool = True) -> Any:
    """`scipy.linalg.orthogonal_procrustes`: the polar factor of A^H B, and the trace."""
    A, B = arrays(A, B, check_finite=check_finite)
    m = product(mT(A) if A.dtype.kind != "c" else mH(A), B)
    u = _polar(m)
    return u, np.sum(np.real(np.conj(u) * m), axis=(-2, -1))


@offers(linalg.subspace_angles)
def subspace_angles(A: Any, B: Any) -> Any:
    """`scipy.linalg.subspace_angles`, of independent columns.

    A. Knyazev and M. Argentati, Principal angles between subspaces, 2002: small angles by sines.
    """
    a, b = arrays(A, B)
    if shape_of(a)[-2] != shape_of(b)[-2]:
        raise ValueError("A and B must have the same number of rows.")
    qa, qb = np.linalg.qr(a).Q, np.linalg.qr(b).Q
    inner = np.matmul(mH(qa), qb)
    cosines = np.linalg.svdvals(inner)
    wide = shape_of(qa)[-1] >= shape_of(qb)[-1]
    rest = qb - np.matmul(qa, inner) if wide else qa - np.matmul(qb, mH(inner))
    near = cosines * cosines >= 0.5
    sines = np.linalg.svdvals(rest)
    # SciPy's order: the mask belongs to the cosines from the largest on.
    by_sine = np.arcsin(np.clip(np.where(near, sines, 0), -1, 1))
    others = np.where(near, 0, np.clip(np.flip(cosines, -1), -1, 1))
    return np.where(near, by_sine, np.arccos(others))
