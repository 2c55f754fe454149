"""Systems of equations: solve and its special cases, inverses, determinants, least squares."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from ...arrays import is_cupy, ndim_of, shape_of
from ...core import Array, Tracer, home
from ...doors import offers
from ...numpy import asarray
from ...ops.casts import stop_gradient_leaf
from ...ops.contract import mT
from ...ops.equal import most
from ...ops.inverses import pinv_jvp, pinv_vjp
from ...rules import primitive, total
from .tools import arrays, as_columns, mirrored, over_batch, stacked

#: What SciPy calls a transposed system -> 0, 1 for the transpose, 2 for its conjugate.
TRANSPOSED = {0: 0, 1: 1, 2: 2, "N": 0, "T": 1, "C": 2}


# ------------------------------------------------------------------ triangular systems
def _part(x: Array, trans: int, lower: bool, unit_diagonal: bool) -> Array:
    """What a triangular system reads of a matrix, as it stands in the system."""
    k = int(unit_diagonal)
    part = np.tril(x, -k) if lower else np.triu(x, k)
    return mT(part) if trans else part


def _triangular_jvp(ts: Any, ans: Array, a: Array, b: Any, **params: Any) -> Array:
    t_a, t_b = ts
    moved = None if t_a is None else -np.matmul(_part(t_a, **params), ans)
    return triangular(a, total([t_b, moved]), **params)


def _triangular_b(g: Array, ans: Any, a: Array, b: Any, **params: Any) -> Array:
    return triangular(a, g, **{**params, "trans": 1 - params["trans"]})


def _triangular_a(g: Array, ans: Array, a: Array, b: Any, **params: Any) -> Array:
    c = -np.matmul(_triangular_b(g, ans, a, b, **params), mT(ans))
    c = mT(c) if params["trans"] else c
    return _part(c, 0, params["lower"], params["unit_diagonal"])


#: Up to this size stacks are solved at once, by elimination that finds nothing to eliminate.
_SMALL = 32


def _triangular_impl(a: Any, b: Any, **params: Any) -> Any:
    n = a.shape[-1]
    if n > _SMALL or (a.ndim == 2 and n > 4):
        return _loop(a, b, **params)
    part = _part(a, **params)
    if params["unit_diagonal"]:
        part = part + home(a).eye(n, dtype=a.dtype)
    return np.linalg.solve(part, b)


_loop = over_batch(
    lambda a, b, **params: linalg.solve_triangular(a, b, check_finite=False, **params), (2, 2)
)


@primitive(
    linalg.solve_triangular,
    jvp=_triangular_jvp,
    vjp=[_triangular_a, _triangular_b],
    impl=_triangular_impl,
)
def triangular(
    a: Any, b: Any, trans: int = 0, lower: bool = False, unit_diagonal: bool = False
) -> Any:
    """`solve_triangular` for columns, and trans 0 or 1."""
    operands = stacked([a, b], (2, 2))
    return operands, {"trans": trans, "lower": bool(lower), "unit_diagonal": bool(unit_diagonal)}


@offers(linalg.solve_triangular)
def solve_triangular(
    a: Any, b: Any, trans: Any = 0, lower: Any = False, unit_diagonal: Any = False,
    overwrite_b: bool = False, check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.solve_triangular`; the other triangle has the derivative 0."""
    a, b = arrays(a, b, check_finite=check_finite)
    trans = TRANSPOSED[trans]
    a = np.conj(a) if trans == 2 else a
    return as_columns(lambda x, y: triangular(x, y, min(trans, 1), lower, unit_diagonal), a, b)


# ------------------------------------------------------------------ general systems
def _structured(a: Any, assume_a: Any, lower: bool) -> Any:
    """The matrix that SciPy reads, if a has the structure that is claimed."""
    if assume_a in (None, "gen", "general", "banded"):
        return a
    if assume_a in ("pos", "positive definite", "her", "hermitian"):
        return mirrored(a, lower)
    if assume_a in ("sym", "symmetric"):
        return mirrored(a, lower, turn=mT)
    if assume_a in ("upper triangular", "lower triangular"):
        return np.triu(a) if assume_a[0] == "u" else np.tril(a)
    if assume_a in ("diagonal", "tridiagonal"):
        k = int(assume_a[0] == "t")
        return np.triu(np.tril(a, k), -k)
    raise ValueError(f"{assume_a} is not a recognized matrix structure")


@offers(linalg.solve)
def solve(
    a: Any, b: Any, lower: bool = False, overwrite_a: bool = False, overwrite_b: bool = False,
    check_finite: bool = True, assume_a: Any = None, transposed: bool = False,
) -> Any:  # fmt: skip
    """`scipy.linalg.solve`; of a symmetric or positive matrix the gradient is symmetric."""
    a, b = arrays(a, b, check_finite=check_finite)
    if transposed and a.dtype.kind == "c":
        raise NotImplementedError(
            "scipy.linalg.solve can currently not solve a^T x = b or a^H x = b "
            "for complex matrices."
        )
    a = _structured(a, assume_a, lower)
    return np.linalg.solve(mT(a) if transposed else a, b)


@offers(linalg.inv)
def inv(
    a: Any, overwrite_a: bool = False, check_finite: bool = True, *, assume_a: Any = None,
    lower: bool = False,
) -> Any:  # fmt: skip
    """`scipy.linalg.inv`."""
    return np.linalg.inv(_structured(arrays(a, check_finite=check_finite), assume_a, lower))


@offers(linalg.det)
def det(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """`scipy.linalg.det`: always of double precision."""
    a = arrays(a, check_finite=check_finite)
    return np.linalg.det(a.astype(np.complex128 if a.dtype.kind == "c" else np.float64))


# ------------------------------------------------------------------ Cholesky
@offers(linalg.cholesky)
def cholesky(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.cholesky`."""
    return np.linalg.cholesky(arrays(a, check_finite=check_finite), upper=not lower)


@offers(linalg.cho_factor)
def cho_factor(
    a: Any, lower: bool = False, overwrite_a: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.cho_factor`: the other triangle is that of `a`."""
    a = arrays(a, check_finite=check_finite)
    factor = np.linalg.cholesky(a, upper=not lower)
    n = shape_of(a)[-1]
    inside = np.tri(n, dtype=bool) if lower else np.tri(n, dtype=bool).T
    return np.where(inside, factor, a), lower


@offers(linalg.cho_solve)
def cho_solve(
    c_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.cho_solve`."""
    c, lower = c_and_lower
    c, b = arrays(c, b, check_finite=check_finite)
    lower = bool(np.all(lower))

    def solved(c: Any, b: Any) -> Any:
        for first in (True, False):
            # Upwards through the adjoint, which of an upper factor is the first of the two.
            adjoint = first != lower
            b = triangular(np.conj(c) if adjoint else c, b, int(adjoint), lower)
        return b

    return as_columns(solved, c, b)


# ------------------------------------------------------------------ least squares, norms
@offers(linalg.lstsq)
def lstsq(
    a: Any, b: Any, cond: Any = None, overwrite_a: bool = False, overwrite_b: bool = False,
    check_finite: bool = True, lapack_driver: Any = None,
) -> Any:  # fmt: skip
    """`scipy.linalg.lstsq`; residuals as for full rank where the rank is not known."""
    a, b = arrays(a, b, check_finite=check_finite)
    (m, n), vector = shape_of(a)[-2:], ndim_of(b) == 1
    cond = float(np.finfo(a.dtype).eps) if cond is None else cond
    b = np.expand_dims(b, -1) if vector else b
    x = np.matmul(np.linalg.pinv(a, rtol=cond), b)
    s = np.linalg.svd(a, compute_uv=False)
    known = stop_gradient_leaf(s)
    rank = np.sum(known > cond * most(known, -1), axis=-1)
    full = isinstance(rank, Tracer) or is_cupy(rank) or bool(np.all(rank == n))
    residuals: Any = home(x).zeros((*shape_of(x)[:-2], 0), x.dtype)
    if m > n and full and lapack_driver != "gelsy":
        off = b - np.matmul(a, x)
        residuals = np.sum(np.real(off * np.conj(off)), axis=-2)
        residuals = residuals[..., 0] if vector else residuals
    return x[..., 0] if vector else x, residuals, rank, None if lapack_driver == "gelsy" else s


@primitive(
    linalg.pinv,
    jvp=lambda ts, ans, a, rtol: pinv_jvp(ts, ans, a),
    vjp=[lambda g, ans, a, rtol: pinv_vjp(g, ans, a), None],
    impl=lambda a, rtol: np.linalg.pinv(a, rtol=rtol),
)
def _truncated(a: Any, rtol: Any) -> Any:
    return (a, np.broadcast_to(rtol, shape_of(a)[:-2])), {}


@offers(linalg.pinv)
def pinv(
    a: Any, *, atol: Any = None, rtol: Any = None, return_rank: bool = False,
    check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.pinv`, where the rank doesn't change."""
    a = arrays(a, check_finite=check_finite)
    return _pinv(a, np.linalg.svdvals(stop_gradient_leaf(a)), atol, rtol, return_rank)


@offers(linalg.pinvh)
def pinvh(
    a: Any, atol: Any = None, rtol: Any = None, lower: bool = True, return_rank: bool = False,
    check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.pinvh`."""
    a = mirrored(arrays(a, check_finite=check_finite), lower)
    return _pinv(a, np.linalg.svdvals(stop_gradient_leaf(a)), atol, rtol, return_rank)


def _pinv(a: Any, s: Any, atol: Any, rtol: Any, return_rank: bool) -> Any:
    top = np.max(s, axis=-1, initial=0)
    rtol = max(shape_of(a)[-2:]) * float(np.finfo(a.dtype).eps) if rtol is None else rtol
    atol = 0.0 if atol is None else atol
    if atol < 0 or rtol < 0:
        raise ValueError("atol and rtol values must be positive.")
    limit = atol + top * rtol
    if atol:  # a limit of its own for each matrix, as a part of its largest singular value
        rtol = limit / np.where(np.equal(top, 0), 1, top)
    y = _truncated(a, rtol if hasattr(rtol, "dtype") else np.asarray(rtol))
    return (y, np.sum(s > np.expand_dims(limit, -1), axis=-1)) if return_rank else y


@offers(linalg.norm)
def norm(
    a: Any, ord: Any = None, axis: Any = None, keepdims: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.norm`."""
    a = asarray(a)
    if check_finite:
        arrays(a)
    y = np.linalg.norm(a, ord, axis, keepdims)
    by_lapack = ndim_of(a) == 2 and axis is None and not keepdims and ord in (1, np.inf)
    return y.astype(np.float64) if by_lapack and a.dtype.char in "fF" else y
