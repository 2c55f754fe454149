"""Eigenvalues and singular values, as `scipy.linalg` has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import linalg

from ...arrays import shape_of
from ...core import Array
from ...doors import offers
from ...errors import NoRuleError
from ...ops.casts import stop_gradient_leaf
from ...ops.eigen import eigh_choose, eigh_inside, eigh_jvp, eigh_vjp
from ...ops.equal import equal_pairs, gaps, given, hermitian, mH, over_gaps
from ...rules import constant, primitive
from .tools import arrays, mirrored, over_batch, product, stacked, transposes


def _real_diagonal(x: Array) -> Array:
    return np.real(np.diagonal(x, 0, -2, -1))


def _subset(values: Any, vectors: Any, index: Sequence[int] | None, by_value: Any) -> Any:
    if by_value is not None:
        raise NoRuleError(
            "How many eigenvalues are in an interval is not known of a traced matrix.",
            f"subset by value {by_value!r}",
            "leave it away and select with np.where(w > limit, ..., 0), or take a range of indices",
        )
    if index is None:
        return values, vectors
    part = slice(int(index[0]), int(index[1]) + 1)
    return values[..., part], None if vectors is None else vectors[..., part]


# ------------------------------------------------------------------ Hermitian
@primitive(
    linalg.eigh,
    jvp=lambda ts, ans, a, *, lower: eigh_jvp(ts, ans, a),
    vjp=[lambda g, ans, a, *, lower: eigh_vjp(g, ans, a)],
    several=True,
    choose=eigh_choose,
    impl=over_batch(lambda a, *, lower: linalg.eigh(a, lower=lower, check_finite=False)),
)
def _eigh(a: Any, lower: bool) -> Any:
    return (a,), {"lower": lower}


def _pair_jvp(ts: Any, ans: Any, a: Any, b: Array) -> Any:
    """Of a v = b v w with v^H b v = 1: v turns by what b's change adds to the one of a."""
    (w, v), (t_a, t_b) = ans, ts
    inside_a = 0 if t_a is None else product(mH(v), t_a, v)
    inside_b = 0 * mH(v) if t_b is None else product(mH(v), t_b, v)
    inside = inside_a - inside_b * np.expand_dims(w, -2)
    n = shape_of(w)[-1]
    length = np.where(np.eye(n, dtype=bool), inside_b / 2, 0)
    return _real_diagonal(inside), np.matmul(v, over_gaps(w, inside) - length)


def _pair_a(g: Any, ans: Any, a: Any, b: Any) -> Array:
    v = ans[1]
    return np.conj(product(v, eigh_inside(g, ans), mH(v)))


def _pair_b(g: Any, ans: Any, a: Any, b: Any) -> Array:
    w, v = ans
    inside = -eigh_inside(g, ans) * (np.expand_dims(w, -2) + np.expand_dims(w, -1)) / 2
    if 1 in g:
        inside = inside - hermitian(np.matmul(mH(v), given(g, ans, 1))) / 2
    return np.conj(product(v, inside, mH(v)))


def _pair(a: Any, b: Any) -> Any:
    return stacked([a, b], (2, 2)), {}


_pairs = primitive(
    linalg.eigvalsh,
    jvp=_pair_jvp,
    vjp=[_pair_a, _pair_b],
    several=True,
    choose=lambda ans, t: eigh_choose(ans, None),
    impl=over_batch(lambda a, b: linalg.eigh(a, b, check_finite=False), (2, 2)),
    name="scipy.linalg.eigh of two",
)(_pair)


@offers(linalg.eigh)
def eigh(
    a: Any, b: Any = None, *, lower: bool = True, eigvals_only: bool = False,
    overwrite_a: bool = False, overwrite_b: bool = False, type: int = 1,
    check_finite: bool = True, subset_by_index: Any = None, subset_by_value: Any = None,
    driver: Any = None,
) -> Any:  # fmt: skip
    """`scipy.linalg.eigh`, of one matrix or two."""
    w: Any
    v: Any
    if b is None:
        a = arrays(a, check_finite=check_finite)
        if eigvals_only:
            w, v = np.linalg.eigvalsh(a, "L" if lower else "U"), None
        else:
            w, v = _eigh(a, bool(lower))
    else:
        a, b = arrays(a, b, check_finite=check_finite)
        a, b = mirrored(a, lower), mirrored(b, lower)
        if type not in (1, 2, 3):
            raise ValueError('"type" keyword only accepts 1, 2, and 3.')
        # Types 2 and 3, a b v = v w and b a v = v w, are type 1 with the inverse of b.
        w, v = _pairs(a, b if type == 1 else np.linalg.inv(b))
        v = np.linalg.solve(b, v) if type == 2 else v
    w, v = _subset(w, v, subset_by_index, subset_by_value)
    return w if eigvals_only else (w, v)


@offers(linalg.eigvalsh)
def eigvalsh(
    a: Any, b: Any = None, *, lower: bool = True, overwrite_a: bool = False,
    overwrite_b: bool = False, type: int = 1, check_finite: bool = True,
    subset_by_index: Any = None, subset_by_value: Any = None, driver: Any = None,
) -> Any:  # fmt: skip
    """`scipy.linalg.eigvalsh`, of one matrix or two."""
    return eigh(
        a, b, lower=lower, eigvals_only=True, type=type, check_finite=check_finite,
        subset_by_index=subset_by_index, subset_by_value=subset_by_value,
    )  # fmt: skip


# ------------------------------------------------------------------ tridiagonal, banded
def _tridiagonal_jvp(ts: Any, ans: Any, d: Any, e: Any) -> Any:
    (w, v), (t_d, t_e) = ans, ts
    inside: Any = 0
    if t_d is not None:
        inside = np.matmul(mH(v), np.expand_dims(t_d, -1) * v)
    if t_e is not None:
        half = np.matmul(mH(v[..., :-1, :]), np.expand_dims(t_e, -1) * v[..., 1:, :])
        inside = inside + (half + mH(half))
    return _real_diagonal(inside), np.matmul(v, over_gaps(w, inside))


def _tridiagonal_d(g: Any, ans: Any, d: Any, e: Any) -> Array:
    v = ans[1]
    return np.sum(v * np.matmul(v, eigh_inside(g, ans)), axis=-1)


def _tridiagonal_e(g: Any, ans: Any, d: Any, e: Any) -> Array:
    v = ans[1]
    return 2 * np.sum(v[..., 1:, :] * np.matmul(v[..., :-1, :], eigh_inside(g, ans)), axis=-1)


@primitive(
    linalg.eigh_tridiagonal, jvp=_tridiagonal_jvp, vjp=[_tridiagonal_d, _tridiagonal_e],
    several=True,
    impl=over_batch(lambda d, e: linalg.eigh_tridiagonal(d, e, check_finite=False), (1, 1)),
)  # fmt: skip
def _tridiagonal(d: Any, e: Any) -> Any:
    return stacked([d, e], (1, 1)), {}


_few = constant(
    linalg.eigvalsh_tridiagonal,
    lambda d, e, index: (stacked([d, e], (1, 1)), {"index": index}),
    impl=over_batch(
        lambda d, e, *, index: linalg.eigh_tridiagonal(d, e, select="i", select_range=index)[1],
        (1, 1),
    ),
)


def range_of(select: Any, select_range: Any) -> tuple[Any, Any]:
    """A range of indices, and of values."""
    if select in ("a", "all", 0):
        return None, None
    return (select_range, None) if select in ("i", "index", 2) else (None, select_range)


@offers(linalg.eigh_tridiagonal)
def eigh_tridiagonal(
    d: Any, e: Any, eigvals_only: bool = False, select: Any = "a", select_range: Any = None,
    check_finite: bool = True, tol: float = 0.0, lapack_driver: str = "auto",
) -> Any:  # fmt: skip
    """`scipy.linalg.eigh_tridiagonal`."""
    d, e = arrays(d, e, check_finite=check_finite)
    if d.dtype.kind == "c":
        raise TypeError("Only real arrays currently supported")
    index, interval = range_of(select, select_range)
    w, v = _tridiagonal(d, e)
    w, v = _subset(w, v, index, interval)
    if eigvals_only:
        return w
    if index is not None:  # by another algorithm, whose vectors may point the other way
        same = _few(stop_gradient_leaf(d), stop_gradient_leaf(e), tuple(map(int, index)))
        v = v * np.sign(np.sum(stop_gradient_leaf(v) * same, axis=-2, keepdims=True))
    return w, v


@offers(linalg.eigvalsh_tridiagonal)
def eigvalsh_tridiagonal(
    d: Any, e: Any, select: Any = "a", select_range: Any = None, check_finite: bool = True,
    tol: float = 0.0, lapack_driver: str = "auto",
) -> Any:  # fmt: skip
    """`scipy.linalg.eigvalsh_tridiagonal`."""
    return eigh_tridiagonal(d, e, True, select, select_range, check_finite)


# ------------------------------------------------------------------ general
def _general_jvp(ts: Any, ans: Any, a: Any, b: Array) -> Any:
    """Of a v = b v w. With y the inverse of b v: dw = y (da - w db) v, and so on as for one."""
    (w, v), (t_a, t_b) = ans, ts
    inside: Any = 0
    if t_a is not None:
        inside = np.matmul(t_a, v)
    if t_b is not None:
        inside = inside - np.matmul(t_b, v) * np.expand_dims(w, -2)
    inside = np.linalg.solve(np.matmul(b, v), inside)
    still = np.logical_or(np.eye(shape_of(w)[-1], dtype=bool), equal_pairs(w))
    slope = np.where(still, np.where(equal_pairs(w), np.nan, 0), 1 / np.where(still, 1, gaps(w)))
    turn = np.matmul(v, slope * inside)
    along = np.sum(np.conj(v) * turn, axis=-2, keepdims=True)
    return np.diagonal(inside, 0, -2, -1), turn - v * along


_general = primitive(
    linalg.eig,
    jvp=_general_jvp,
    vjp=transposes(_general_jvp, 2),
    several=True,
    impl=over_batch(lambda a, b: linalg.eig(a, b, check_finite=False), (2, 2)),
)(_pair)


@offers(linalg.eig)
def eig(
    a: Any, b: Any = None, left: bool = False, right: bool = True, overwrite_a: bool = False,
    overwrite_b: bool = False, check_finite: bool = True, homogeneous_eigvals: bool = False,
) -> Any:  # fmt: skip
    """`scipy.linalg.eig`; of two matrices, of which the second has an inverse."""
    if homogeneous_eigvals:
        raise NoRuleError(
            "`scipy.linalg.eig` of traced values has no homogeneous eigenvalues.",
            "homogeneous_eigvals=True",
            "leave it away; w is then their quotient",
        )
    if b is None:
        w, v = np.linalg.eig(arrays(a, check_finite=check_finite))
        bv = v
    else:
        a, b = arrays(a, b, check_finite=check_finite)
        w, v = _general(a, b)
        bv = np.matmul(b, v)
    w = w.astype(np.result_type(w.dtype, np.complex64))
    out = [w]
    if left:
        u = mH(np.linalg.inv(bv))
        out.append(u / np.linalg.norm(u, axis=-2, keepdims=True))
    if right:
        out.append(v)
    return out[0] if len(out) == 1 else tuple(out)


@offers(linalg.eigvals)
def eigvals(
    a: Any, b: Any = None, overwrite_a: bool = False, check_finite: bool = True,
    homogeneous_eigvals: bool = False,
) -> Any:  # fmt: skip
    """`scipy.linalg.eigvals`: always complex."""
    return eig(a, b, right=False, check_finite=check_finite,
               homogeneous_eigvals=homogeneous_eigvals)  # fmt: skip


# ------------------------------------------------------------------ singular values
@offers(linalg.svd)
def svd(
    a: Any, full_matrices: bool = True, compute_uv: bool = True, overwrite_a: bool = False,
    check_finite: bool = True, lapack_driver: str = "gesdd",
) -> Any:  # fmt: skip
    """`scipy.linalg.svd`."""
    a = arrays(a, check_finite=check_finite)
    if not compute_uv:
        return np.linalg.svdvals(a)
    return tuple(np.linalg.svd(a, full_matrices))


@offers(linalg.svdvals)
def svdvals(a: Any, overwrite_a: bool = False, check_finite: bool = True) -> Any:
    """`scipy.linalg.svdvals`."""
    return np.linalg.svdvals(arrays(a, check_finite=check_finite))
