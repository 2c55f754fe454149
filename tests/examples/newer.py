"""Rows of the functions that came after NumPy 2.0, where the installed NumPy has them."""

from __future__ import annotations

import numpy as np

from .row import Row, linear, multilinear, row

ROWS: list[Row] = []

if hasattr(np, "unstack"):  # 2.1
    ROWS += [
        linear(
            np.cumulative_sum,
            [(3, 4)],
            lambda x: np.cumulative_sum(x, axis=1, include_initial=True),
        ),
        row(np.cumulative_prod, [(4,)], np.cumulative_prod),
        row(
            np.cumulative_prod,
            [(3, 4)],
            lambda x: np.cumulative_prod(x, axis=0, include_initial=True),
        ),
        linear(np.unstack, [(2, 3)], lambda x: np.unstack(x, axis=1)),
    ]

if hasattr(np, "matvec"):  # 2.2
    ROWS += [
        multilinear(np.matvec, [(4, 2, 3), (3,)]),
        multilinear(np.vecmat, [(2,), (4, 2, 3)], bits=False),  # conjugates inside its loop
    ]

if np.lib.NumpyVersion(np.__version__) >= "2.2.0":
    ROWS.append(linear(np.pad, [(2, 3)], lambda x: np.pad(x, {-1: (1, 2)})))
