"""Systems of equations whose matrix has a few diagonals: what splines solve for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import interpolate as sp
from scipy import linalg

from ...arrays import shape_of
from ...broadcasting import cast, leading
from ...core import Array, Params, bind
from ...rules import primitive


def _impl(ab: Any, b: Any, *, lower: int, upper: int) -> Any:
    if ab.ndim == 2:
        return linalg.solve_banded((lower, upper), ab, b, check_finite=False)
    out = np.zeros(b.shape, np.result_type(ab, b))
    for i in np.ndindex(ab.shape[:-2]):
        out[i] = linalg.solve_banded((lower, upper), ab[i], b[i], check_finite=False)
    return out


def _product(ab: Array, x: Array, lower: int, upper: int) -> Array:
    """The matrix times x: row d of ab holds A[i, j] with i = j + d - upper."""
    n = shape_of(x)[-2]
    terms = [
        _moved(np.expand_dims(ab[..., d, :], -1) * x, d - upper, n)
        for d in range(lower + upper + 1)
        if abs(d - upper) < n
    ]
    return sum(terms[1:], terms[0])


def _moved(x: Array, by: int, n: int) -> Array:
    """Rows moved down, with zeros in their place; up if ``by`` is negative."""
    if by == 0:
        return x
    widths = [(0, 0)] * (len(shape_of(x)) - 2) + [(max(by, 0), max(-by, 0)), (0, 0)]
    return np.pad(x, widths)[..., max(-by, 0) : max(-by, 0) + n, :]


def _transposed(ab: Array, lower: int, upper: int) -> Array:
    """The bands of the transposed matrix, which has as many below as this one has above."""
    n = shape_of(ab)[-1]
    rows = []
    for d in range(upper, -lower - 1, -1):  # A[j - d, j] becomes A'[j, j - d]
        row = np.expand_dims(ab[..., upper - d, :], -1)
        rows.append(_moved(row, -d, n)[..., 0] if abs(d) < n else np.zeros_like(row[..., 0]))
    return np.stack(rows[::-1], axis=-2)


def _jvp(ts: Any, ans: Array, ab: Array, b: Array, *, lower: int, upper: int) -> Array:
    right = ts[1]
    if ts[0] is not None:
        change = _product(ts[0], ans, lower, upper)
        right = -change if right is None else right - change
    return solve(ab, right, lower, upper)


def _b_vjp(g: Array, ans: Array, ab: Array, b: Any, *, lower: int, upper: int) -> Array:
    return cast(solve(_transposed(ab, lower, upper), g, upper, lower), b.dtype)


def _ab_vjp(g: Array, ans: Array, ab: Array, b: Any, *, lower: int, upper: int) -> Array:
    n = shape_of(ab)[-1]
    left = solve(_transposed(ab, lower, upper), g, upper, lower)
    rows = []
    for d in range(lower + upper + 1):
        if abs(d - upper) < n:
            rows.append(-np.sum(_moved(left, upper - d, n) * ans, axis=-1))
        else:
            rows.append(np.zeros_like(ans[..., 0]))
    return cast(np.stack(rows, axis=-2), ab.dtype)


def _batch(p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params) -> Any:
    ab, b = xs
    if batched[0]:
        return leading(p, size, xs, batched, params)
    # One matrix: all right hand sides as columns.
    b = np.moveaxis(b, 0, -2)
    shape = shape_of(b)
    x = bind(p, (ab, np.reshape(b, (*shape[:-2], shape[-2] * shape[-1]))), params)
    return np.moveaxis(np.reshape(x, shape), -2, 0)


@primitive(
    sp.make_interp_spline, jvp=_jvp, vjp=[_ab_vjp, _b_vjp], batch=_batch, impl=_impl,
    name="scipy.interpolate.solve_bands",
)  # fmt: skip
def solve(ab: Any, b: Any, lower: int, upper: int) -> Any:
    """The solution of A x = b: A by its bands, as `scipy.linalg.solve_banded` takes them."""
    return (ab, b), {"lower": lower, "upper": upper}
