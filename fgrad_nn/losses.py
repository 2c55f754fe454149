"""Losses: how far predictions are from targets, as one number."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad.errors import ShapeError


def mean_squared_error(predictions: Any, targets: Any) -> Any:
    """Mean over all elements of (predictions - targets)**2.

    The shapes must be equal: (n,) against (n, 1) would broadcast to (n, n) and train on nonsense.

    >>> mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)

    Args:
        predictions: a real array of any shape but an empty one.
        targets: an array of the same shape.

    Returns:
        A scalar of the predictions' dtype.

    Raises:
        ShapeError: the shapes differ, or there is nothing to average.
    """
    if np.shape(predictions) != np.shape(targets) or 0 in np.shape(predictions):
        raise ShapeError(
            "mean_squared_error wants predictions and targets of one shape, and not empty.",
            f"predictions of shape {np.shape(predictions)}, targets of shape {np.shape(targets)}",
            "reshape one of them so that each prediction meets its target",
        )
    return np.mean((predictions - targets) ** 2)
