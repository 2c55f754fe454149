"""Losses of real predictions; `checking` tells what all their arguments mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, DomainError, describe
from fgrad.tracebacks import boundary

from .checking import elementwise, positive, same


@boundary
def mean_squared_error(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """Mean over all elements of (predictions - targets)**2.

    The shapes must be equal: (n,) against (n, 1) would broadcast to (n, n) and train on nonsense.

    >>> mean_squared_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(2.0)

    Args:
        predictions: real floating numbers, of any shape.
        targets: real numbers of the same shape.
        weights: how much each value counts.
        reduction: "mean", "sum" or "none".

    Returns:
        A scalar of the predictions' dtype; an array of their shape for "none".

    Raises:
        ShapeError: the shapes differ, or there is nothing to average.
        DtypeError: predictions aren't floating.
    """
    return elementwise(
        "mean_squared_error", predictions, targets, weights, reduction,
        lambda x, y: np.square(x - y),
    )  # fmt: skip


@boundary
def l2_loss(predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean") -> Any:
    """Half of (predictions - targets)**2, whose slope is their difference.

    >>> l2_loss(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(1.0)

    Args, Returns, Raises: see `mean_squared_error`.
    """
    return elementwise(
        "l2_loss", predictions, targets, weights, reduction, lambda x, y: 0.5 * np.square(x - y)
    )


@boundary
def mean_absolute_error(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """Mean over all elements of abs(predictions - targets), whose slope is 0 where they are equal.

    >>> mean_absolute_error(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    np.float64(1.0)

    Args, Returns, Raises: see `mean_squared_error`.
    """
    return elementwise(
        "mean_absolute_error", predictions, targets, weights, reduction, lambda x, y: np.abs(x - y)
    )


def _huber(d: Any, delta: float) -> Any:
    near = np.clip(d, -delta, delta)  # no abs, whose kink at 0 would take the curvature there
    return near * (d - 0.5 * near)


@boundary
def huber_loss(
    predictions: Any, targets: Any, delta: float = 1.0, *, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """Quadratic for differences up to delta, linear beyond: Huber 1964.

    0.5 d**2 for d = abs(predictions - targets) <= delta, else delta (d - 0.5 delta).

    >>> huber_loss(np.array([0.5, 3.0]), np.array([0.0, 0.0]), reduction="none")
    array([0.125, 2.5  ])

    Args:
        predictions, targets, weights, reduction: as for `mean_squared_error`.
        delta: where it becomes linear.
    """
    positive("huber_loss", "a delta", delta)
    return elementwise(
        "huber_loss", predictions, targets, weights, reduction,
        lambda x, y: _huber(x - y, delta),
    )  # fmt: skip


@boundary
def smooth_l1_loss(
    predictions: Any, targets: Any, beta: float = 1.0, *, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """`huber_loss` divided by beta, so that its slope far out is 1: Girshick 2015.

    >>> smooth_l1_loss(np.array([0.5, 3.0]), np.array([0.0, 0.0]), 0.5, reduction="none")
    array([0.25, 2.75])

    Args:
        predictions, targets, weights, reduction: as for `mean_squared_error`.
        beta: where it becomes linear; 0 makes it the absolute difference.
    """
    positive("smooth_l1_loss", "a beta", beta, zero=True)

    def value(x: Any, y: Any) -> Any:
        return np.abs(x - y) if beta == 0 else _huber(x - y, beta) / beta

    return elementwise("smooth_l1_loss", predictions, targets, weights, reduction, value)


@boundary
def log_cosh(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """log(cosh(predictions - targets)): about d**2 / 2 near 0, abs(d) - log(2) far out.

    >>> bool(np.isclose(log_cosh(np.array([1000.0]), np.array([0.0])), 1000 - np.log(2)))
    True

    Args, Returns, Raises: see `mean_squared_error`.
    """

    def value(x: Any, y: Any) -> Any:
        d = x - y
        return np.logaddexp(d, -d) - math.log(2)

    return elementwise("log_cosh", predictions, targets, weights, reduction, value)


@boundary
def quantile_loss(
    predictions: Any, targets: Any, quantile: float = 0.5, *, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """The loss whose best prediction is a quantile of the targets: Koenker & Bassett 1978.

    quantile * d for d = targets - predictions >= 0, else (quantile - 1) * d.

    >>> quantile_loss(np.array([0.0, 0.0]), np.array([1.0, -1.0]), 0.75, reduction="none")
    array([0.75, 0.25])

    Args:
        predictions, targets, weights, reduction: as for `mean_squared_error`.
        quantile: a number between 0 and 1.
    """
    if not is_a(quantile, float) or not 0 < quantile < 1:
        raise ArgumentError(
            "quantile_loss wants a quantile, a number between 0 and 1.",
            describe(quantile),
            "pass 0.5 for the median",
        )
    return elementwise(
        "quantile_loss", predictions, targets, weights, reduction,
        lambda x, y: np.maximum(quantile * (y - x), (quantile - 1) * (y - x)),
    )  # fmt: skip


@boundary
def poisson_nll_loss(
    predictions: Any, targets: Any, *, log_input: bool = True, epsilon: float = 1e-8,
    weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """Minus the log probability of counts under Poisson rates, without the log of the factorial.

    >>> poisson_nll_loss(np.array([0.0]), np.array([3.0]))
    np.float64(1.0)

    Args:
        predictions: logarithms of the rates.
        targets: the counts, of the same shape.
        log_input: False for predictions that are the rates themselves.
        epsilon: what is added to these before the logarithm.
        weights, reduction: as for `mean_squared_error`.
    """

    def value(x: Any, y: Any) -> Any:
        return np.exp(x) - y * x if log_input else x - y * np.log(x + epsilon)

    return elementwise("poisson_nll_loss", predictions, targets, weights, reduction, value)


@boundary
def gaussian_nll_loss(
    predictions: Any, targets: Any, variances: Any, *, full: bool = False, epsilon: float = 1e-6,
    weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """Minus the log density of targets under normal distributions: Nix & Weigend 1994.

    0.5 (log(v) + (targets - predictions)**2 / v), where v is the variance or epsilon, if greater.

    >>> gaussian_nll_loss(np.array([1.0]), np.array([3.0]), np.array([1.0]))
    np.float64(2.0)

    Args:
        predictions: means.
        targets: of the same shape.
        variances: of the same shape.
        full: whether to add log(2 pi) / 2.
        epsilon: the least variance. Beneath it the variance has no gradient.
        weights, reduction: as for `mean_squared_error`.
    """
    positive("gaussian_nll_loss", "an epsilon", epsilon)
    constant = 0.5 * math.log(2 * math.pi) if full else 0.0
    _, v = same("gaussian_nll_loss", predictions, variances, "variances")
    if is_a(v, np.ndarray) and np.any(v < 0):
        raise DomainError(
            "gaussian_nll_loss wants variances that are at least 0.",
            f"a variance of {v.min()}",
            "pass np.exp(x), or softplus(x), of what a network makes",
        )
    v = np.maximum(v, epsilon)
    return elementwise(
        "gaussian_nll_loss", predictions, targets, weights, reduction,
        lambda x, y: 0.5 * (np.log(v) + np.square(x - y) / v) + constant,
    )  # fmt: skip
