"""``np.add.at`` for rows: the gradient of ``x[rows]``, such as that of an embedding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import ndarray

#: So few rows are added up by a product of matrices, of so many entries at a time.
FEW, ENTRIES = 128, 1 << 20


def add_at(x: Any, index: tuple[Any, ...], v: Any, basic: bool) -> None:
    """``np.add.at(x, index, v)``; rows of plain arrays in a half to a fifth of its time.

    A basic index, which has no arrays in it, names no place twice.
    """
    if basic:
        x[index] += v
        return
    if not _are_rows(x, index, v):
        np.add.at(x, index, v)
        return
    rows = np.ravel(index[0]).astype(np.intp, copy=False)  # int8 would wrap around below
    wide = math.prod(x.shape[1:])
    values, table = v.reshape(-1, wide), x.reshape(-1, wide)
    if len(table) <= FEW <= len(rows) and _add_product(table, rows, values):
        return
    places = rows[:, None] * wide + np.arange(wide)
    np.add.at(table.reshape(-1), places.reshape(-1), values.reshape(-1))


def _are_rows(x: Any, index: tuple[Any, ...], v: Any) -> bool:
    """Whether whole rows of one array in C order are added to those of another."""
    rows = index[0]
    if type(x) is not ndarray or type(v) is not ndarray or type(rows) is not ndarray:
        return False
    if rows.dtype.kind not in "iu" or not all(
        type(i) is slice and i == slice(None) for i in index[1:]
    ):
        return False
    fits = x.ndim > 1 and x.dtype == v.dtype and v.shape == (*rows.shape, *x.shape[1:])
    if not fits or not x.flags.c_contiguous or x.dtype.char not in "fd" or not v.size:
        return False
    # What isn't there is NumPy's to refuse.
    return -len(x) <= int(rows.min()) and int(rows.max()) < len(x)


def _add_product(table: Any, rows: Any, values: Any) -> bool:
    """Add a product with ones and zeros; not if that would spread a NaN or an infinity."""
    total = np.zeros_like(table)
    step = ENTRIES // len(table)
    for i in range(0, len(rows), step):
        part = rows[i : i + step]
        chosen = np.zeros((len(table), len(part)), table.dtype)
        chosen[part, np.arange(len(part))] = 1
        with np.errstate(invalid="ignore"):  # 0 * inf
            total += chosen @ values[i : i + step]
    if not np.isfinite(total).all():
        return False
    table += total
    return True
