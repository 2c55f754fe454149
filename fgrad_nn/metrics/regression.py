"""How near numbers come to what they should be."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad.tracebacks import boundary

from ..losses import mean_squared_error
from ..losses.checking import reduced, same


@boundary
def root_mean_squared_error(predictions: Any, targets: Any, *, weights: Any = None) -> Any:
    """The root of `mean_squared_error`.

    >>> root_mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0])).round(4)
    np.float64(1.4142)

    Args: see `mean_squared_error`.
    """
    return np.sqrt(mean_squared_error(predictions, targets, weights=weights))


@boundary
def r2_score(predictions: Any, targets: Any, *, weights: Any = None) -> Any:
    """1 - sum of squared errors / sum of squares around the mean, over all elements.

    1 is perfect, 0 as good as the mean of the targets. Targets that are all the same give -inf,
    or NaN if they are met, for there is nothing to explain.

    >>> r2_score(np.array([1.0, 2.0, 4.0]), np.array([1.0, 2.0, 3.0]))
    np.float64(0.5)

    Args:
        predictions, targets: real numbers of one shape.
        weights: as for `mean_squared_error`.
    """
    x, y = same("r2_score", predictions, targets)
    mean = reduced("r2_score", y, weights, "mean")
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - reduced("r2_score", np.square(x - y), weights, "sum") / reduced(
            "r2_score", np.square(y - mean), weights, "sum"
        )


@boundary
def perplexity(log_probabilities: Any, *, weights: Any = None) -> Any:
    """exp of minus the mean log probability of what came: among how many it was like guessing.

    >>> perplexity(np.log(np.array([0.25, 0.25]))).round(4)
    np.float64(4.0)

    Args:
        log_probabilities: those of the tokens that came, of any shape, such as
            -cross_entropy(logits, tokens, reduction="none").
        weights: how much each counts, 0 for padding.
    """
    return np.exp(-reduced("perplexity", log_probabilities, weights, "mean"))
