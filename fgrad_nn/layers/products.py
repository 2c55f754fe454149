"""Products of tall matrices in parts that a BLAS library multiplies at once.

The tall and narrow products of convolutions take so much longer by the copies that BLAS makes of
large matrices that parts without copies need 0.5 to 0.8 of the time; see `fgrad.compiler.small`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fgrad.compiler.small import at_once

#: Parts of fewer rows gain nothing.
FEW_ROWS = 32
#: Where their results are added up, which takes time, too.
FEW_ADDED = 96


def small(like: Any) -> float:
    """So many multiplications are done at a time, of matrices like this one; infinity for all."""
    return at_once(like.dtype) if type(like) is np.ndarray else math.inf


def _parts(rows: int, work: int, most: float, least: int) -> int:
    """Into how many parts of equal length rows go, each with so much work."""
    if rows * work <= most or least * work > most:
        return 1
    return math.ceil(rows * work / most)


def _taken_apart(x: Any, parts: int) -> Any:
    """A view of (..., rows, columns) as (..., parts, rows of a part, columns), without the rest."""
    each = x.shape[-2] // parts
    if each * parts < x.shape[-2]:
        x = x[..., : each * parts, :]
    return x.reshape(*x.shape[:-2], parts, each, x.shape[-1])


def multiply(a: Any, b: Any, most: float, out: Any = None) -> Any:
    """The product a @ b of (..., rows, n) and (..., n, columns), in parts of the rows.

    >>> multiply(np.ones((3, 2)), np.ones((2, 1)), small(np.ones(1)))
    array([[2.],
           [2.],
           [2.]])

    Args:
        a, b: stacks of matrices of the same shape but for the last two axes.
        most: how many multiplications are done at a time; see `small`.
        out: a contiguous array for the result.
    """
    rows = a.shape[-2]
    parts = _parts(rows, b.shape[-2] * b.shape[-1], most, FEW_ROWS)
    if parts == 1:
        return np.matmul(a, b, out=out)
    if out is None:
        out = np.empty_like(a, order="C", shape=(*a.shape[:-1], b.shape[-1]))
    np.matmul(_taken_apart(a, parts), b[..., None, :, :], out=_taken_apart(out, parts))
    rest = rows % parts
    if rest:
        np.matmul(a[..., -rest:, :], b, out=out[..., -rest:, :])
    return out


def multiply_transposed(a: Any, b: Any, most: float) -> Any:
    """The product of a's transpose and b, (..., rows, n) and (..., rows, columns), in such parts.

    >>> multiply_transposed(np.ones((3, 2)), np.ones((3, 1)), small(np.ones(1)))
    array([[3.],
           [3.]])
    """
    rows = a.shape[-2]
    parts = _parts(rows, a.shape[-1] * b.shape[-1], most, FEW_ADDED)
    if parts == 1:
        return np.matmul(np.swapaxes(a, -1, -2), b)
    each = np.matmul(np.swapaxes(_taken_apart(a, parts), -1, -2), _taken_apart(b, parts))
    total = np.add.reduce(each, axis=-3)
    rest = rows % parts
    if rest:
        total += np.matmul(np.swapaxes(a[..., -rest:, :], -1, -2), b[..., -rest:, :])
    return total
