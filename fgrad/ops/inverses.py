"""Generalised inverses, least squares, powers and chains of matrices, condition and rank."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import is_cupy, ndim_of, shape_of
from ..core import Array, Tracer, home
from ..rules import constant, primitive
from ..tracer import register
from .casts import stop_gradient_leaf
from .contract import mT
from .creation import as_array
from .equal import eye, mH

NONE: Any = np._NoValue


def _check_square(a: Any) -> None:
    if ndim_of(a) < 2 or shape_of(a)[-1] != shape_of(a)[-2]:
        raise np.linalg.LinAlgError("Last 2 dimensions of the array must be square")


# ------------------------------------------------------------------ pseudo-inverse
def pinv_jvp(ts: Any, ans: Array, a: Array, **params: Any) -> Array:
    """Golub and Pereyra, 1973, where the rank doesn't change."""
    t, p = ts[0], ans
    tH, pH = mH(t), mH(p)
    rows = np.matmul(np.matmul(p, pH), tH)
    columns = np.matmul(tH, np.matmul(pH, p))
    rows = rows - np.matmul(np.matmul(rows, a), p)
    columns = columns - np.matmul(p, np.matmul(a, columns))
    return rows + columns - np.matmul(np.matmul(p, t), p)


def pinv_vjp(g: Array, ans: Array, a: Array, **params: Any) -> Array:
    """The transpose of `pinv_jvp`."""
    p, pH, gH = ans, mH(ans), mT(g)
    rows = np.matmul(gH, np.matmul(p, pH))
    columns = np.matmul(np.matmul(pH, p), gH)
    rows = rows - np.matmul(a, np.matmul(p, rows))
    columns = columns - np.matmul(np.matmul(columns, p), a)
    return np.conj(rows + columns - np.matmul(np.matmul(pH, mH(gH)), pH))


def _pinv_impl(a: Any, **params: Any) -> Any:
    if is_cupy(a):  # whose own waits for the device, and knows fewer keywords
        return _pinv_by_values(a, **params)
    return np.linalg.pinv(a, **params)


def _pinv_by_values(a: Any, *, hermitian: bool, rcond: Any = None, rtol: Any = NONE) -> Any:
    if rcond is None:
        rcond = 1e-15 if rtol is NONE else rtol
    u, s, vh = np.linalg.svd(a, full_matrices=False)
    rcond = max(a.shape[-2:]) * float(np.finfo(s.dtype).eps) if rcond is None else rcond
    kept = np.greater(s, rcond * np.max(s, axis=-1, keepdims=True))
    inverse = np.where(kept, 1 / np.where(kept, s, 1), 0)
    return np.matmul(mH(vh), np.expand_dims(inverse, -1) * mH(u))


@primitive(np.linalg.pinv, jvp=pinv_jvp, vjp=[pinv_vjp], impl=_pinv_impl)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = NONE) -> Any:
    """`numpy.linalg.pinv` (Golub and Pereyra, 1973), where the rank doesn't change."""
    params = {"rcond": rcond, "hermitian": hermitian}
    return (a,), params if rtol is NONE else {"rtol": rtol, "hermitian": hermitian}


# ------------------------------------------------------------------ least squares
def lstsq(a: Any, b: Any, rcond: Any = None) -> tuple[Any, Any, Any, Any]:
    """`numpy.linalg.lstsq`; residuals as for full rank where the rank is not known."""
    a, b = as_array(a, b), as_array(b, a)
    (m, n), vector = shape_of(a), ndim_of(b) == 1
    kind = np.result_type(a.dtype, b.dtype)
    eps = float(np.finfo(kind).eps) if kind.kind in "fc" else float(np.finfo(np.float64).eps)
    rcond = eps * max(m, n) if rcond is None else eps if rcond == -1 else rcond
    x = np.matmul(np.linalg.pinv(a, rcond), b)
    s = np.linalg.svd(a, compute_uv=False)
    known = stop_gradient_leaf(s)
    rank = np.sum(np.greater(known, rcond * np.max(known) if shape_of(known)[-1] else 0)).astype(
        np.int32
    )
    if m <= n or (not isinstance(rank, Tracer) and not is_cupy(rank) and rank < n):
        residuals: Any = home(a).zeros(0, s.dtype)
    else:
        r = b - np.matmul(a, x)
        residuals = np.sum(np.real(r * np.conj(r)), axis=0, keepdims=vector)
    return x, residuals, rank, s


# ------------------------------------------------------------------ powers and chains
def matrix_power(a: Any, n: int) -> Any:
    """`numpy.linalg.matrix_power`: squared again and again."""
    n = n.__index__()
    _check_square(a)
    if n == 0:
        one = eye(a).astype(a.dtype)
        return np.broadcast_to(one, shape_of(a)) + np.zeros_like(a)
    if n < 0:
        a, n = np.linalg.inv(a), -n
    if n == 3:
        return np.matmul(np.matmul(a, a), a)
    power: Any = a
    out: Any = None
    while True:
        n, bit = divmod(n, 2)
        if bit:
            out = power if out is None else np.matmul(out, power)
        if not n:
            return np.copy(a) if out is a else out
        power = np.matmul(power, power)


def multi_dot(arrays: Any, *, out: None = None) -> Any:
    """`numpy.linalg.multi_dot`: in the order that takes the fewest multiplications."""
    xs = list(arrays)
    if len(xs) < 2:
        raise ValueError("Expecting at least two arrays.")
    first, last = ndim_of(xs[0]), ndim_of(xs[-1])
    if first == 1:
        xs[0] = np.reshape(xs[0], (1, -1))
    if last == 1:
        xs[-1] = np.reshape(xs[-1], (-1, 1))
    if any(ndim_of(x) != 2 for x in xs):
        raise np.linalg.LinAlgError("multi_dot wants matrices, and vectors at its ends only")
    y = _chain(xs, _order([*(shape_of(x)[0] for x in xs), shape_of(xs[-1])[1]]), 0, len(xs) - 1)
    shape = shape_of(y)[first == 1 : 2 - (last == 1)]
    return np.reshape(y, shape) if len(shape) < 2 else y


def _order(sizes: Sequence[int]) -> dict[tuple[int, int], int]:
    """Where to split each part of the chain (Cormen et al., Introduction to Algorithms, 15.2)."""
    n = len(sizes) - 1
    cost: dict[tuple[int, int], float] = {(i, i): 0 for i in range(n)}
    split: dict[tuple[int, int], int] = {}
    for length in range(1, n):
        for i in range(n - length):
            j = i + length
            cost[i, j] = math.inf
            for k in range(i, j):
                c = cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
                if c < cost[i, j]:
                    cost[i, j], split[i, j] = c, k
    return split


def _chain(xs: Sequence[Any], split: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return xs[i]
    k = split[i, j]
    return np.dot(_chain(xs, split, i, k), _chain(xs, split, k + 1, j))


# ------------------------------------------------------------------ condition and rank
def cond(x: Any, p: Any = None) -> Any:
    """`numpy.linalg.cond`."""
    if p in (None, 2, -2):
        s = np.linalg.svd(x, compute_uv=False)
        top, low = np.max(s, axis=-1), np.min(s, axis=-1)
        return low / top if p == -2 else top / low
    _check_square(x)
    return np.linalg.norm(x, p, (-2, -1)) * np.linalg.norm(np.linalg.inv(x), p, (-2, -1))


def _rank_impl(A: Any, *, tol: Any, hermitian: bool, rtol: Any) -> Any:
    if not is_cupy(A):
        return np.linalg.matrix_rank(A, tol, hermitian, rtol=rtol)
    s = np.linalg.svd(A, compute_uv=False)
    if tol is None:
        rtol = max(A.shape[-2:]) * float(np.finfo(s.dtype).eps) if rtol is None else rtol
        tol = np.max(s, axis=-1, keepdims=True) * rtol
    return np.sum(np.greater(s, tol), axis=-1)


def _rank(A: Any, **params: Any) -> Any:
    return (A,), params


_matrix_rank = constant(np.linalg.matrix_rank, _rank, impl=_rank_impl)


def matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    """`numpy.linalg.matrix_rank`."""
    if ndim_of(A) < 2:
        return np.any(np.not_equal(A, 0)).astype(int)
    return _matrix_rank(A, tol=tol, hermitian=hermitian, rtol=rtol)


# ------------------------------------------------------------------ tensors
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """`numpy.linalg.tensorsolve`."""
    n = ndim_of(a)
    if axes is not None:
        back = [i % n for i in axes]
        a = np.transpose(a, [i for i in range(n) if i not in back] + back)
    inner = shape_of(a)[ndim_of(b) :]
    size = math.prod(inner)
    if math.prod(shape_of(a)) != size * size:
        raise np.linalg.LinAlgError(
            "Input arrays must satisfy the requirement "
            "prod(a.shape[b.ndim:]) == prod(a.shape[:b.ndim])"
        )
    return np.reshape(np.linalg.solve(np.reshape(a, (size, size)), np.ravel(b)), inner)


def tensorinv(a: Any, ind: int = 2) -> Any:
    """`numpy.linalg.tensorinv`."""
    if ind <= 0:
        raise ValueError("Invalid ind argument.")
    shape = shape_of(a)
    flat = np.reshape(a, (math.prod(shape[:ind]), math.prod(shape[ind:])))
    return np.reshape(np.linalg.inv(flat), (*shape[ind:], *shape[:ind]))


for _fn in (lstsq, matrix_power, multi_dot, cond, matrix_rank, tensorsolve, tensorinv):
    register(getattr(np.linalg, _fn.__name__), _fn)
