"""Losses of yes or no, for one class or for many at once; `checking` tells what arguments mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from ..activations import log_sigmoid
from ..layers.moments import sum_over
from .checking import inside, kind_of, like, positive, reduced, shares, signs

_FROM_LOGITS = "for logits there is sigmoid_binary_cross_entropy"


@boundary
def sigmoid_binary_cross_entropy(
    logits: Any, labels: Any, *, pos_weight: Any = None, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """Minus the log of the probability that the sigmoid of a logit gives to a yes or a no.

    Several classes that don't exclude each other (multi-label) are several logits.

    >>> logits = np.array([0.0, 1000.0])
    >>> sigmoid_binary_cross_entropy(logits, np.array([1.0, 1.0]), reduction="none").round(4)
    array([0.6931, 0.    ])

    Args:
        logits: scores before the sigmoid, of any shape.
        labels: 0 or 1, or probabilities, of the same shape.
        pos_weight: how much more a yes counts: a number, or an array of shape (classes,), for
            the last axis.
        weights, reduction: as for `mean_squared_error`.
    """
    name = "sigmoid_binary_cross_entropy"
    logits, labels = shares(name, logits, labels, "labels")
    fits = pos_weight is None or kind_of(pos_weight) in tuple("fiub")
    if not fits or (
        pos_weight is not None and np.shape(pos_weight) not in ((), np.shape(logits)[-1:])
    ):
        raise (ShapeError if fits else DtypeError)(
            f"{name} wants pos_weight as a number, or one for each class, the last axis.",
            describe(pos_weight),
            f"pass an array of shape {np.shape(logits)[-1:]}",
        )
    yes = labels if pos_weight is None else labels * like(pos_weight, logits)
    values = -(yes * log_sigmoid(logits) + (1 - labels) * log_sigmoid(-logits))
    return reduced(name, values, weights, reduction)


@boundary
def binary_cross_entropy(
    probabilities: Any, labels: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """Minus the log of the probability of a yes or a no, from probabilities.

    From logits `sigmoid_binary_cross_entropy` is exact; here a probability of 0 or 1 that is
    wrong costs minus the log of the smallest normal number of the dtype (708 for float64), and
    has no gradient.

    >>> binary_cross_entropy(np.array([0.25]), np.array([1.0])).round(4)
    np.float64(1.3863)

    Args:
        probabilities: from 0 to 1, of any shape.
        labels: 0 or 1, or probabilities, of the same shape.
        weights, reduction: as for `mean_squared_error`.
    """
    inside("binary_cross_entropy", probabilities, "probabilities", _FROM_LOGITS)

    def value(p: Any, y: Any) -> Any:
        tiny = float(np.finfo(np.result_type(p)).tiny)
        return -(y * np.log(np.maximum(p, tiny)) + (1 - y) * np.log(np.maximum(1 - p, tiny)))

    return reduced(
        "binary_cross_entropy",
        value(*shares("binary_cross_entropy", probabilities, labels, "labels")),
        weights,
        reduction,
    )


@boundary
def sigmoid_focal_loss(
    logits: Any, labels: Any, alpha: float | None = None, gamma: float = 2.0, *,
    weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """`sigmoid_binary_cross_entropy` times (1 - p)**gamma, p what the right answer has: Lin 2017.

    >>> sigmoid_focal_loss(np.array([0.0]), np.array([1.0])).round(4)
    np.float64(0.1733)

    Args:
        logits, labels, weights, reduction: as for `sigmoid_binary_cross_entropy`.
        alpha: the weight of a yes; that of a no is 1 - alpha. None for equal weights of 1.
        gamma: how much easy samples are left aside.
    """
    positive("sigmoid_focal_loss", "a gamma", gamma, zero=True)
    if alpha is not None and is_a(alpha, (int, float)) and not 0 <= alpha <= 1:
        raise ArgumentError(
            "sigmoid_focal_loss wants an alpha from 0 to 1.",
            describe(alpha),
            "pass None for equal weights of 1",
        )

    def value(x: Any, y: Any) -> Any:
        yes, no = log_sigmoid(x), log_sigmoid(-x)
        # log(1 - p) of p = y sigmoid(x) + (1 - y) sigmoid(-x)
        log_wrong = np.logaddexp(_log(y) + no, _log(1 - y) + yes)
        out = -np.exp(gamma * log_wrong) * (y * yes + (1 - y) * no)
        return out if alpha is None else out * (alpha * y + (1 - alpha) * (1 - y))

    return reduced(
        "sigmoid_focal_loss",
        value(*shares("sigmoid_focal_loss", logits, labels, "labels")),
        weights,
        reduction,
    )


def _log(p: Any) -> Any:
    """The logarithm, -inf of 0 without a warning."""
    some = np.greater(p, 0)
    return np.where(some, np.log(np.where(some, p, 1)), -np.inf)


# ------------------------------------------------------------------ margins
@boundary
def hinge_loss(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """max(0, 1 - predictions * targets): Cortes & Vapnik 1995.

    >>> hinge_loss(np.array([2.0, 0.5]), np.array([1, 1]), reduction="none")
    array([0. , 0.5])

    Args:
        predictions: scores of any shape.
        targets: -1 or 1, of the same shape.
        weights, reduction: as for `mean_squared_error`.

    Raises:
        DomainError: a target is neither -1 nor 1; a traced one can't be seen.
    """
    x, y = signs("hinge_loss", predictions, targets)
    return reduced("hinge_loss", np.maximum(1 - x * y, 0), weights, reduction)


@boundary
def squared_hinge_loss(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """The square of `hinge_loss`, which has no kink.

    >>> squared_hinge_loss(np.array([2.0, 0.5]), np.array([1, 1]), reduction="none")
    array([0.  , 0.25])

    Args, Raises: see `hinge_loss`.
    """
    x, y = signs("squared_hinge_loss", predictions, targets)
    over = np.maximum(1 - x * y, 0)
    return reduced("squared_hinge_loss", over * over, weights, reduction)


@boundary
def perceptron_loss(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """max(0, -predictions * targets): Rosenblatt 1958.

    >>> perceptron_loss(np.array([2.0, -0.5]), np.array([1, 1]), reduction="none")
    array([0. , 0.5])

    Args, Raises: see `hinge_loss`.
    """
    x, y = signs("perceptron_loss", predictions, targets)
    return reduced("perceptron_loss", np.maximum(-x * y, 0), weights, reduction)


@boundary
def soft_margin_loss(
    predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """log(1 + exp(-predictions * targets)).

    >>> soft_margin_loss(np.array([0.0]), np.array([-1])).round(4)
    np.float64(0.6931)

    Args, Raises: see `hinge_loss`.
    """
    x, y = signs("soft_margin_loss", predictions, targets)
    return reduced("soft_margin_loss", -log_sigmoid(x * y), weights, reduction)


# ------------------------------------------------------------------ overlaps
@boundary
def tversky_loss(
    probabilities: Any, targets: Any, alpha: float = 0.5, beta: float = 0.5, *,
    smooth: float = 1.0, weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """1 - (tp + smooth) / (tp + alpha fp + beta fn + smooth): Salehi, Erdogmus & Gholipour 2017.

    True positives, false positives and false negatives are sums over all places of a class.

    >>> mask = np.array([[[1.0], [0.0], [1.0]]])
    >>> tversky_loss(mask, mask)
    np.float64(0.0)

    Args:
        probabilities: of shape (batch, *places, classes), such as a sigmoid or softmax makes.
        targets: 0 or 1, or probabilities, of the same shape.
        alpha: the weight of false positives.
        beta: the weight of false negatives.
        smooth: what keeps the ratio from 0 / 0 where there is nothing to find.
        weights, reduction: as for `mean_squared_error`; values are of shape (batch, classes).
    """
    return _overlap("tversky_loss", probabilities, targets, alpha, beta, smooth, weights, reduction)


@boundary
def dice_loss(
    probabilities: Any, targets: Any, *, smooth: float = 1.0, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """`tversky_loss` with alpha = beta = 0.5: Milletari, Navab & Ahmadi 2016.

    1 - 2 (tp + smooth) / (sum of probabilities + sum of targets + 2 smooth). Optax's takes logits
    unless it is told otherwise; this one takes probabilities.

    >>> mask = np.array([[[1.0], [0.0], [1.0]]])
    >>> dice_loss(1 - mask, mask, smooth=0.0)
    np.float64(1.0)

    Args: see `tversky_loss`.
    """
    return _overlap("dice_loss", probabilities, targets, 0.5, 0.5, smooth, weights, reduction)


def _overlap(
    name: str, probabilities: Any, targets: Any, alpha: float, beta: float, smooth: float,
    weights: Any, reduction: str,
) -> Any:  # fmt: skip
    p, t = shares(name, probabilities, targets)
    inside(name, p, "probabilities", "pass sigmoid(logits), or softmax(logits)")
    positive(name, "a smooth", smooth, zero=True)
    if p.ndim < 3:
        raise ShapeError(
            f"{name} wants probabilities of shape (batch, *places, classes).",
            describe(p),
            "add an axis of length one for a single class: p[..., None]",
        )
    axes = tuple(range(1, p.ndim - 1))
    tp = sum_over(p * t, axes)
    fp, fn = sum_over(p, axes) - tp, sum_over(t, axes) - tp
    values = 1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)
    return reduced(name, values, weights, reduction)
