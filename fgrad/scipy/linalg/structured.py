"""Matrices made from vectors and from blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from ...arrays import ndim_of, shape_of
from ...core import home
from ...doors import offers
from ...numpy import asarray
from ...ops.index import take


def _vector(x: Any) -> Any:
    """An array with an axis at least."""
    x = asarray(x)
    return np.reshape(x, (1,)) if ndim_of(x) == 0 else x


def placed(values: Any, index: Any) -> Any:
    """A matrix whose entries are those of a vector, at an array of indices, or 0 for -1."""
    host = home(values)
    entry = take(values, host.asarray(np.maximum(index, 0)), axis=-1)
    return np.where(host.asarray(index < 0), 0, entry) if np.any(index < 0) else entry


def _join(*xs: Any) -> Any:
    """Vectors one after the other, with their batch axes broadcast."""
    lead = np.broadcast_shapes(*(shape_of(x)[:-1] for x in xs))
    return np.concatenate([np.broadcast_to(x, (*lead, shape_of(x)[-1])) for x in xs], axis=-1)


@offers(linalg.toeplitz)
def toeplitz(c: Any, r: Any = None) -> Any:
    """`scipy.linalg.toeplitz`."""
    c = _vector(c)
    r = np.conj(c) if r is None else _vector(r)
    rows, columns = shape_of(c)[-1], shape_of(r)[-1]
    place = np.arange(rows)[:, None] - np.arange(columns)
    return placed(_join(c, r), np.where(place < 0, rows - place, place))


@offers(linalg.circulant)
def circulant(c: Any) -> Any:
    """`scipy.linalg.circulant`."""
    c = _vector(c)
    n = shape_of(c)[-1]
    return placed(c, (np.arange(n)[:, None] - np.arange(n)) % max(n, 1))


@offers(linalg.hankel)
def hankel(c: Any, r: Any = None) -> Any:
    """`scipy.linalg.hankel`; what is no vector is flattened, as SciPy does until 1.19."""
    c = np.reshape(asarray(c), (-1,))
    r = np.zeros_like(c) if r is None else np.reshape(asarray(r), (-1,))
    rows, columns = shape_of(c)[0], shape_of(r)[0]
    return placed(_join(c, r[1:]), np.arange(rows)[:, None] + np.arange(columns))


@offers(linalg.leslie)
def leslie(f: Any, s: Any) -> Any:
    """`scipy.linalg.leslie`."""
    f, s = _vector(f), _vector(s)
    n = shape_of(f)[-1]
    if shape_of(s)[-1] != n - 1 or n < 2:
        raise ValueError("The length of s must be one less than the length of f, and 1 at least.")
    index = np.full((n, n), -1)
    index[0] = np.arange(n)
    index[np.arange(1, n), np.arange(n - 1)] = np.arange(n, 2 * n - 1)
    return placed(_join(f, s), index)


@offers(linalg.companion)
def companion(a: Any) -> Any:
    """`scipy.linalg.companion`."""
    a = _vector(a)
    n = shape_of(a)[-1]
    if n < 2:
        raise ValueError("The length of `a` along the last axis must be at least 2.")
    row = -a[..., 1:] / a[..., :1]
    index = np.full((n - 1, n - 1), -1)
    index[0] = np.arange(n - 1)
    return placed(row, index) + np.eye(n - 1, k=-1, dtype=row.dtype)


@offers(linalg.fiedler)
def fiedler(a: Any) -> Any:
    """`scipy.linalg.fiedler`."""
    a = _vector(a)
    return np.abs(np.expand_dims(a, -1) - np.expand_dims(a, -2))


@offers(linalg.fiedler_companion)
def fiedler_companion(a: Any) -> Any:
    """`scipy.linalg.fiedler_companion`."""
    a = _vector(a)
    n = shape_of(a)[-1] - 1
    if n < 1:
        return a[..., :0]
    a = a / a[..., :1]
    index, ones = np.full((n, n), -1), np.zeros((n, n))
    lower, upper = np.arange(2, n, 2), np.arange(0, n - 1, 2)
    index[lower, lower - 1], index[upper, upper + 1] = lower + 1, upper + 2
    odd = np.arange(3, n, 2)
    ones[odd, odd - 2] = 1
    even = np.arange(0, n - 2, 2)
    ones[even, even + 2] = 1
    index[0, 0] = 1
    if n > 1:
        ones[1, 0] = 1
    return placed(-a, index) + ones.astype(a.dtype)


@offers(linalg.convolution_matrix)
def convolution_matrix(a: Any, n: int, mode: str = "full") -> Any:
    """`scipy.linalg.convolution_matrix`."""
    a = _vector(a)
    m = shape_of(a)[-1]
    if n <= 0:
        raise ValueError("n must be a positive integer.")
    if mode not in ("full", "valid", "same"):
        raise ValueError("'mode' argument must be one of ('full', 'valid', 'same')")
    place = np.arange(m + n - 1)[:, None] - np.arange(n)
    trim = 0 if mode == "full" else min(n, m) - 1
    before = trim if mode == "valid" else trim // 2
    after = trim if mode == "valid" else trim - before
    index = np.where((place < 0) | (place >= m), -1, place)
    return placed(a, index[before : m + n - 1 - after])


@offers(linalg.block_diag)
def block_diag(*arrs: Any) -> Any:
    """`scipy.linalg.block_diag`."""
    blocks = [np.expand_dims(x, 0) if ndim_of(x) == 1 else x for x in map(_vector, arrs)]
    lead = np.broadcast_shapes(*(shape_of(x)[:-2] for x in blocks))
    dtype = np.result_type(*(x.dtype for x in blocks))
    width, left, rows = sum(shape_of(x)[-1] for x in blocks), 0, []
    for x in blocks:
        height, own = shape_of(x)[-2:]
        host = home(x)
        sides = (host.zeros((*lead, height, k), dtype) for k in (left, width - left - own))
        before, after = sides
        x = np.broadcast_to(x.astype(dtype), (*lead, height, own))
        rows.append(np.concatenate([before, x, after], axis=-1))
        left += own
    return np.concatenate(rows, axis=-2)


@offers(linalg.khatri_rao)
def khatri_rao(a: Any, b: Any) -> Any:
    """`scipy.linalg.khatri_rao`: the Kronecker products of columns."""
    a, b = asarray(a), asarray(b)
    if shape_of(a)[-1] != shape_of(b)[-1]:
        raise ValueError("The number of columns for both arrays should be equal.")
    c = np.expand_dims(a, -2) * np.expand_dims(b, -3)
    shape = shape_of(c)
    return np.reshape(c, (*shape[:-3], shape[-3] * shape[-2], shape[-1]))


@offers(linalg.diagsvd)
def diagsvd(s: Any, M: int, N: int) -> Any:
    """`scipy.linalg.diagsvd`."""
    s = _vector(s)
    if shape_of(s)[-1] not in (M, N):
        raise ValueError("Length of s must be M or N.")
    index = np.full((M, N), -1)
    i = np.arange(min(M, N, shape_of(s)[-1]))
    index[i, i] = i
    return placed(s, index)
