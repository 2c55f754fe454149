"""Starting values for parameters, drawn from a `numpy.random.Generator`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad.errors import ArgumentError, DtypeError, ShapeError, describe


def scaled_normal(
    rng: np.random.Generator, shape: Sequence[int], dtype: Any = np.float64
) -> np.ndarray:
    """Draw a matrix from normal(0, 1 / sqrt(rows + columns)).

    Glorot & Bengio 2010, equation 12, asks for the variance 2 / (rows + columns); this is half of
    it, which keeps tanh units further from saturation.

    >>> weights = scaled_normal(np.random.default_rng(0), (25, 8))
    >>> weights.shape, weights.dtype
    ((25, 8), dtype('float64'))
    >>> bool(abs(weights.std() * np.sqrt(25 + 8) - 1) < 0.1)
    True

    Args:
        rng: the generator to draw from, for example `np.random.default_rng(0)`; it moves on.
        shape: (rows, columns), both at least 1.
        dtype: a real floating dtype.

    Returns:
        A new array of the given shape and dtype.
    """
    if not isinstance(rng, np.random.Generator):
        raise ArgumentError(
            "scaled_normal draws from a numpy.random.Generator.",
            describe(rng),
            "pass np.random.default_rng(seed) first",
        )
    shape = tuple(shape)
    if len(shape) != 2 or min(shape) < 1:
        raise ShapeError(
            "scaled_normal wants the shape (rows, columns) of a matrix, both at least 1.",
            f"the shape {shape}",
            "write a bias for columns of samples as (rows, 1)",
        )
    if not np.issubdtype(dtype, np.floating):
        raise DtypeError(
            "scaled_normal draws real floating-point numbers.",
            f"dtype {np.dtype(dtype)}",
            "pass dtype=np.float32 or np.float64",
        )
    return rng.normal(0.0, 1.0 / math.sqrt(sum(shape)), shape).astype(dtype)
