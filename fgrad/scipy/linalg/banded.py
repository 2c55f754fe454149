"""Banded, Toeplitz and circulant matrices, which are solved without being written out."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from ...arrays import ndim_of, shape_of
from ...core import Array, Tracer
from ...doors import offers
from ...ops.casts import stop_gradient_leaf
from ...ops.contract import mT
from ...ops.equal import mH
from ...rules import primitive, total
from .eigen import eigh, range_of
from .solving import cho_solve
from .structured import placed, toeplitz
from .tools import arrays, as_columns, over_batch, stacked


# ------------------------------------------------------------------ bands
# A matrix with l diagonals below its main one and u above is ab[u + i - j, j] = a[i, j].
def _shifted(x: Array, k: int) -> Array:
    """x[j + k] at place j of the last axis, and 0 beyond its ends."""
    n = shape_of(x)[-1]
    if k == 0:
        return x
    zeros = np.zeros_like(x)[..., : min(abs(k), n)]
    parts = [x[..., k:], zeros] if k > 0 else [zeros, x[..., : max(n + k, 0)]]
    return np.concatenate(parts, axis=-1)


def _times(ab: Array, x: Array, u: int) -> Array:
    """a x."""
    across = mT(x)
    rows = range(shape_of(ab)[-2])
    return mT(total([_shifted(ab[..., r, None, :] * across, u - r) for r in rows]))


def _transposed(ab: Array, lower: int) -> Array:
    """The bands of the transpose."""
    last = shape_of(ab)[-2] - 1
    rows = [_shifted(ab[..., last - r, :], r - lower) for r in range(last + 1)]
    return np.stack(rows, axis=-2)


def _banded_jvp(ts: Any, x: Array, ab: Array, b: Any, *, lower: int, upper: int) -> Array:
    t_ab, t_b = ts
    moved = None if t_ab is None else -_times(t_ab, x, upper)
    return _banded(ab, total([t_b, moved]), lower, upper)


def _banded_b(g: Array, x: Any, ab: Array, b: Any, *, lower: int, upper: int) -> Array:
    return _banded(_transposed(ab, lower), g, upper, lower)


def _banded_ab(g: Array, x: Array, ab: Array, b: Any, *, lower: int, upper: int) -> Array:
    c = mT(_banded(_transposed(ab, lower), g, upper, lower))
    across = mT(x)
    rows = [-np.sum(_shifted(c, r - upper) * across, axis=-2) for r in range(lower + upper + 1)]
    return np.stack(rows, axis=-2)


def _banded_impl(ab: Any, b: Any, *, lower: int, upper: int) -> Any:
    return linalg.solve_banded((lower, upper), ab, b, check_finite=False)


def _banded_stacks(ab: Any, b: Any, **params: Any) -> Any:
    return _each(ab, b, **params) if b.size else np.zeros(b.shape, b.dtype)


_each = over_batch(_banded_impl, (2, 2))


@primitive(
    linalg.solve_banded,
    jvp=_banded_jvp,
    vjp=[_banded_ab, _banded_b],
    impl=_banded_stacks,
)
def _banded(ab: Any, b: Any, lower: int, upper: int) -> Any:
    return stacked([ab, b], (2, 2)), {"lower": lower, "upper": upper}


@offers(linalg.solve_banded)
def solve_banded(
    l_and_u: tuple[int, int], ab: Any, b: Any, overwrite_ab: bool = False,
    overwrite_b: bool = False, check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.solve_banded`."""
    lower, upper = map(int, l_and_u)
    ab, b = arrays(ab, b, check_finite=check_finite)
    if shape_of(ab)[-2] != lower + upper + 1:
        raise ValueError(
            f"invalid values for the number of lower and upper diagonals: l+u+1 "
            f"({lower + upper + 1}) does not equal ab.shape[0] ({shape_of(ab)[-2]})"
        )
    return as_columns(lambda a, y: _banded(a, y, lower, upper), ab, b)


# ------------------------------------------------------------------ Hermitian bands
def _both_sides(ab: Array, lower: bool) -> Array:
    """All bands of a Hermitian matrix from those on one side."""
    u = shape_of(ab)[-2] - 1
    own = [ab[..., k if lower else u - k, :] for k in range(u + 1)]  # from the main diagonal on
    main = own[0] if ab.dtype.kind != "c" else np.real(own[0]).astype(ab.dtype)
    other = [np.conj(_shifted(own[k], -k if lower else k)) for k in range(1, u + 1)]
    above, below = (other, own[1:]) if lower else (own[1:], other)
    return np.stack([*reversed(above), main, *below], axis=-2)


@offers(linalg.solveh_banded)
def solveh_banded(
    ab: Any, b: Any, overwrite_ab: bool = False, overwrite_b: bool = False, lower: bool = False,
    check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.solveh_banded`."""
    ab, b = arrays(ab, b, check_finite=check_finite)
    u = shape_of(ab)[-2] - 1
    return solve_banded((u, u), _both_sides(ab, lower), b, check_finite=False)


def _places(rows: int, n: int, lower: bool) -> tuple[Any, Any]:
    """Row numbers in the matrix of the entries of one-sided bands, and which are in it."""
    i = np.arange(rows)[:, None] - (0 if lower else rows - 1) + np.arange(n)
    return i, (i >= 0) & (i < n)


def _dense(ab: Array, lower: bool) -> Array:
    """The triangle that one-sided bands are of."""
    rows, n = shape_of(ab)[-2:]
    i, inside = _places(rows, n, lower)
    index = np.full((n, n), -1)
    r, j = np.nonzero(inside)
    index[i[r, j], j] = r * n + j
    return placed(np.reshape(ab, (*shape_of(ab)[:-2], rows * n)), index)


def _whole(ab: Array, lower: bool) -> Array:
    """The Hermitian matrix of one-sided bands."""
    part = _dense(ab, lower)
    side = np.tril(part, -1) if lower else np.triu(part, 1)
    main = part - side
    main = np.real(main).astype(ab.dtype) if ab.dtype.kind == "c" else main
    return main + side + mH(side)


@offers(linalg.cholesky_banded)
def cholesky_banded(
    ab: Any, overwrite_ab: bool = False, lower: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.cholesky_banded`."""
    ab = arrays(ab, check_finite=check_finite)
    rows, n = shape_of(ab)[-2:]
    factor = np.linalg.cholesky(_whole(ab, lower), upper=not lower)
    i, inside = _places(rows, n, lower)
    index = np.where(inside, i * n + np.arange(n), -1)
    bands = placed(np.reshape(factor, (*shape_of(ab)[:-2], n * n)), index)
    return np.where(inside, bands, ab)


@offers(linalg.cho_solve_banded)
def cho_solve_banded(
    cb_and_lower: Any, b: Any, overwrite_b: bool = False, check_finite: bool = True
) -> Any:
    """`scipy.linalg.cho_solve_banded`."""
    cb, lower = cb_and_lower
    cb, b = arrays(cb, b, check_finite=check_finite)
    lower = bool(np.all(lower))
    return cho_solve((_dense(cb, lower), lower), b, check_finite=False)


@offers(linalg.eig_banded)
def eig_banded(
    a_band: Any, lower: bool = False, eigvals_only: bool = False, overwrite_a_band: bool = False,
    select: Any = "a", select_range: Any = None, max_ev: int = 0, check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.eig_banded`."""
    a = arrays(a_band, check_finite=check_finite)
    index, interval = range_of(select, select_range)
    return eigh(_whole(a, lower), lower=lower, eigvals_only=eigvals_only, subset_by_index=index,
                subset_by_value=interval)  # fmt: skip


@offers(linalg.eigvals_banded)
def eigvals_banded(
    a_band: Any, lower: bool = False, overwrite_a_band: bool = False, select: Any = "a",
    select_range: Any = None, check_finite: bool = True,
) -> Any:  # fmt: skip
    """`scipy.linalg.eigvals_banded`."""
    return eig_banded(a_band, lower, True, False, select, select_range, 0, check_finite)


# ------------------------------------------------------------------ Toeplitz, circulant
def _column_and_row(c_or_cr: Any) -> tuple[Any, Any]:
    if isinstance(c_or_cr, tuple):
        return c_or_cr
    return c_or_cr, np.conj(c_or_cr)


def _wide(*xs: Any) -> Any:
    """Of double precision, as SciPy's functions of Toeplitz matrices are."""
    return [x.astype(np.result_type(x.dtype, np.float64)) for x in xs]


@offers(linalg.solve_toeplitz)
def solve_toeplitz(c_or_cr: Any, b: Any, check_finite: bool = True) -> Any:
    """`scipy.linalg.solve_toeplitz`; by elimination, which is stable for all matrices."""
    c, r = _column_and_row(c_or_cr)
    c, r, b = _wide(*arrays(c, r, b, check_finite=check_finite))
    return np.linalg.solve(toeplitz(c, r), b)


@offers(linalg.matmul_toeplitz)
def matmul_toeplitz(
    c_or_cr: Any, x: Any, check_finite: bool = False, workers: int | None = None
) -> Any:
    """`scipy.linalg.matmul_toeplitz`."""
    c, r = _column_and_row(c_or_cr)
    c, r, x = _wide(*arrays(c, r, x, check_finite=check_finite))
    rows, width = shape_of(c)[-1], shape_of(r)[-1]
    n = rows + width - 1
    y = np.expand_dims(x, -1) if ndim_of(x) == 1 else x
    first = np.concatenate([c, np.flip(r[..., 1:], -1)], axis=-1)
    f = np.expand_dims(np.fft.fft(first), -1) * np.fft.fft(y, n, axis=-2)
    out = np.fft.ifft(f, axis=-2)[..., :rows, :]
    out = out if x.dtype.kind == "c" else np.real(out)
    return out[..., 0] if ndim_of(x) == 1 else out


@offers(linalg.solve_circulant)
def solve_circulant(
    c: Any, b: Any, singular: str = "raise", tol: float | None = None, caxis: int = -1,
    baxis: int = 0, outaxis: int = 0,
) -> Any:  # fmt: skip
    """`scipy.linalg.solve_circulant`."""
    c, b = arrays(c, b, check_finite=False)
    f = np.fft.fft(np.moveaxis(c, caxis, -1))
    size = np.abs(stop_gradient_leaf(f))
    if tol is None:
        eps = float(np.finfo(np.float64).eps) * shape_of(f)[-1]
        near = np.less_equal(size, eps * np.max(size, axis=-1, keepdims=True))
    else:
        near = np.less_equal(size, tol)
    if singular == "raise" and not isinstance(near, Tracer) and np.any(near):
        raise np.linalg.LinAlgError("near singular circulant matrix.")
    q = np.fft.fft(np.moveaxis(b, baxis, -1)) / np.where(near, 1, f)
    x = np.fft.ifft(np.where(near, 0 if singular == "lstsq" else np.nan, q))
    x = x if c.dtype.kind == "c" else np.real(x)
    return np.moveaxis(x, -1, outaxis)
