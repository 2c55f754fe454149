"""Losses of scores of classes; `checking` tells what all their arguments mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad.core import home
from fgrad.errors import ArgumentError, DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from ..activations import log_softmax
from ..label_entropy import label_cross_entropy
from ..layers.making import fraction
from .checking import (
    counted,
    floating,
    integer_labels,
    kind_of,
    like,
    masked,
    of_classes,
    picked,
    reduced,
    same,
)


@boundary
def cross_entropy(
    logits: Any, labels: Any, *, label_smoothing: float = 0.0, class_weights: Any = None,
    ignore_index: int | None = None, weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """Minus the log of the probability that logits give to the right class.

    >>> logits = np.array([[2.0, 0.0], [0.0, 0.0]])
    >>> cross_entropy(logits, np.array([0, 1]), reduction="none").round(4)
    array([0.1269, 0.6931])
    >>> cross_entropy(logits, np.array([[1.0, 0.0], [0.0, 1.0]]), reduction="none").round(4)
    array([0.1269, 0.6931])

    Args:
        logits: scores before the softmax, of shape (..., classes).
        labels: numbers of classes, integers of shape (...), or their probabilities, floating, of
            shape (..., classes).
        label_smoothing: the part of each label's probability that all classes share (Szegedy et
            al. 2016).
        class_weights: of shape (classes,). With integers the mean is divided by the sum of the
            weights of the labels, as in PyTorch.
        ignore_index: a label that doesn't count; for integers.
        weights, reduction: as for `mean_squared_error`; values are of shape (...).

    Raises:
        ShapeError: the shapes don't fit, or there is nothing to average.
        DtypeError: logits aren't floating, or labels are neither integers nor probabilities.
        DomainError: a label isn't the number of a class (of traced ones some losses: IndexError).
    """
    if kind_of(labels) in tuple("iu"):
        return softmax_cross_entropy_with_integer_labels(
            logits, labels, label_smoothing=label_smoothing, class_weights=class_weights,
            ignore_index=ignore_index, weights=weights, reduction=reduction,
        )  # fmt: skip
    if ignore_index is not None:
        raise ShapeError(
            "cross_entropy takes ignore_index= with integer labels.",
            f"labels: {describe(labels)}",
            "give samples that don't count a weight of 0, weights=",
        )
    if np.shape(labels) == np.shape(logits)[:-1] != np.shape(logits):
        raise DtypeError(
            "cross_entropy wants numbers of classes as integers, or the probabilities of classes, "
            "of the shape of the logits.",
            f"labels: {describe(labels)}, for logits of shape {np.shape(logits)}",
            "write labels.astype(int), if these are numbers of classes",
        )
    return softmax_cross_entropy(
        logits, labels, label_smoothing=label_smoothing, class_weights=class_weights,
        weights=weights, reduction=reduction,
    )  # fmt: skip


@boundary
def softmax_cross_entropy_with_integer_labels(
    logits: Any, labels: Any, *, label_smoothing: float = 0.0, class_weights: Any = None,
    ignore_index: int | None = None, weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """`cross_entropy` with numbers of classes.

    >>> softmax_cross_entropy_with_integer_labels(np.zeros((1, 2)), np.array([0])).round(4)
    np.float64(0.6931)

    Args, Raises: see `cross_entropy`.
    """
    name = "softmax_cross_entropy_with_integer_labels"
    labels, seen = integer_labels(name, logits, labels, ignore_index)
    smoothing = fraction(label_smoothing, name, "label_smoothing")
    log_p = log_softmax(logits) if smoothing else None
    values = label_cross_entropy(logits, labels) if log_p is None else -picked(log_p, labels)
    each = of_classes(name, class_weights, logits)
    return _likelihood(name, values, log_p, labels, seen, smoothing, each, weights, reduction)


@boundary
def nll_loss(
    log_probabilities: Any, labels: Any, *, class_weights: Any = None,
    ignore_index: int | None = None, weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """Minus the log probability of the right class, from log probabilities.

    >>> nll_loss(np.log(np.array([[0.25, 0.75]])), np.array([1])).round(4)
    np.float64(0.2877)

    Args:
        log_probabilities: of shape (..., classes), such as `log_softmax` makes.
        labels, class_weights, ignore_index, weights, reduction: as for `cross_entropy`.
    """
    name = "nll_loss"
    labels, seen = integer_labels(name, log_probabilities, labels, ignore_index)
    values = -picked(log_probabilities, labels)
    each = of_classes(name, class_weights, log_probabilities)
    return _likelihood(name, values, None, labels, seen, 0.0, each, weights, reduction)


def _likelihood(
    name: str, values: Any, log_p: Any, labels: Any, seen: Any, smoothing: float, each: Any,
    weights: Any, reduction: str,
) -> Any:  # fmt: skip
    """Minus log probabilities, weighted; with smoothing, the log probabilities of all classes."""
    amounts = None if each is None else np.take(each, labels, axis=0)
    values = values if amounts is None else values * amounts
    if smoothing:
        shared = np.mean(log_p if each is None else log_p * each, axis=-1)
        values = (1 - smoothing) * values - smoothing * shared
    return counted(name, values, seen, weights, reduction, amounts)


@boundary
def softmax_cross_entropy(
    logits: Any, labels: Any, *, label_smoothing: float = 0.0, class_weights: Any = None,
    weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """`cross_entropy` with the probabilities of classes as labels.

    A class of probability 0 adds nothing, though its logit be -inf: optax's `safe_` form.

    >>> softmax_cross_entropy(np.array([[0.0, -np.inf]]), np.array([[1.0, 0.0]]))
    np.float64(0.0)

    Args, Raises: see `cross_entropy`.
    """
    name = "softmax_cross_entropy"
    smoothing = fraction(label_smoothing, name, "label_smoothing")
    logits, labels = same(name, logits, labels, "labels")
    _check_axis(name, logits)
    labels = smooth_labels(labels, smoothing) if smoothing else labels
    each = of_classes(name, class_weights, logits)
    parts = _times_log(labels, log_softmax(logits))
    values = -np.sum(parts if each is None else parts * each, axis=-1)
    return reduced(name, values, weights, reduction)


def _check_axis(name: str, x: Any) -> None:
    if not np.shape(x) or not np.shape(x)[-1]:
        raise ShapeError(
            f"{name} wants an axis of classes, the last one.",
            f"the shape {np.shape(x)}",
            "pass (batch, classes)",
        )


def _times_log(p: Any, log_q: Any) -> Any:
    """P times log q, and 0 where p and q are 0."""
    none = np.logical_and(np.equal(p, 0), np.equal(log_q, -np.inf))
    return p * np.where(none, 0, log_q)


@boundary
def smooth_labels(labels: Any, alpha: float) -> Any:
    """Take a part of the probability of each class and share it among all.

    >>> smooth_labels(np.array([0.0, 1.0]), 0.2)
    array([0.1, 0.9])

    Args:
        labels: probabilities, of shape (..., classes).
        alpha: the part that is shared.
    """
    floating("smooth_labels", labels, "labels")
    _check_axis("smooth_labels", labels)
    alpha = fraction(alpha, "smooth_labels", "alpha")
    return (1 - alpha) * labels + alpha / np.shape(labels)[-1]


@boundary
def poly_loss_cross_entropy(
    logits: Any, labels: Any, epsilon: float = 2.0, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """`cross_entropy` plus epsilon times the probability of the wrong classes: Leng et al. 2022.

    >>> poly_loss_cross_entropy(np.zeros((1, 2)), np.array([[1.0, 0.0]])).round(4)
    np.float64(1.6931)

    Args:
        logits: of shape (..., classes).
        labels: probabilities of the same shape.
        epsilon: a number of at least -1.
        weights, reduction: as for `cross_entropy`.
    """
    name = "poly_loss_cross_entropy"
    logits, labels = same(name, logits, labels, "labels")
    _check_axis(name, logits)
    log_p = log_softmax(logits)
    right = np.sum(labels * np.exp(log_p), axis=-1)
    values = -np.sum(_times_log(labels, log_p), axis=-1) + epsilon * (1 - right)
    return reduced(name, values, weights, reduction)


# ------------------------------------------------------------------ distributions
def _log(p: Any) -> Any:
    """The logarithm, and 0 of 0: what multiplies it is 0."""
    some = np.greater(p, 0)
    return np.where(some, np.log(np.where(some, p, 1)), 0)


@boundary
def kl_divergence(
    log_predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """sum(targets * (log(targets) - log_predictions)) over the last axis: Kullback & Leibler 1951.

    >>> kl_divergence(np.log(np.array([[0.5, 0.5]])), np.array([[1.0, 0.0]])).round(4)
    np.float64(0.6931)

    Args:
        log_predictions: log probabilities, of shape (..., classes), such as `log_softmax` makes.
        targets: probabilities, of the same shape.
        weights, reduction: as for `mean_squared_error`; values are of shape (...), so the mean is
            over the batch (PyTorch's "batchmean").
    """
    name = "kl_divergence"
    log_q, p = same(name, log_predictions, targets)
    _check_axis(name, log_q)
    values = np.sum(p * _log(p) - _times_log(p, log_q), axis=-1)
    return reduced(name, values, weights, reduction)


@boundary
def kl_divergence_with_log_targets(
    log_predictions: Any, log_targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """`kl_divergence` with log probabilities of both.

    >>> p = np.log(np.array([[0.5, 0.5]]))
    >>> kl_divergence_with_log_targets(p, p)
    np.float64(0.0)

    Args: see `kl_divergence`.
    """
    name = "kl_divergence_with_log_targets"
    log_q, log_p = same(name, log_predictions, log_targets)
    _check_axis(name, log_q)
    return reduced(name, _kl(log_p, log_q), weights, reduction)


def _kl(log_p: Any, log_q: Any) -> Any:
    p = np.exp(log_p)
    return np.sum(_times_log(p, log_p) - _times_log(p, log_q), axis=-1)


@boundary
def generalized_kl_divergence(
    log_predictions: Any, targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """`kl_divergence` of what doesn't add up to 1: plus sum(exp(log_predictions) - targets).

    >>> generalized_kl_divergence(np.log(np.array([[2.0, 2.0]])), np.array([[2.0, 0.0]]))
    np.float64(2.0)

    Args:
        log_predictions: logarithms of positive numbers, of shape (..., n).
        targets: numbers of at least 0, of the same shape.
        weights, reduction: as for `kl_divergence`.
    """
    name = "generalized_kl_divergence"
    log_q, p = same(name, log_predictions, targets)
    _check_axis(name, log_q)
    values = np.sum(p * _log(p) - _times_log(p, log_q) + np.exp(log_q) - p, axis=-1)
    return reduced(name, values, weights, reduction)


@boundary
def js_divergence(
    log_predictions: Any, log_targets: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """The mean of the divergences of both from the mean of both: Lin 1991; at most log(2).

    >>> far = np.array([[0.0, -np.inf]])
    >>> js_divergence(far, far[:, ::-1]).round(4)
    np.float64(0.6931)

    Args:
        log_predictions, log_targets: log probabilities, of shape (..., classes).
        weights, reduction: as for `kl_divergence`.
    """
    name = "js_divergence"
    log_q, log_p = same(name, log_predictions, log_targets)
    _check_axis(name, log_q)
    middle = np.logaddexp(log_p, log_q) - float(np.log(2.0))
    return reduced(name, 0.5 * (_kl(log_p, middle) + _kl(log_q, middle)), weights, reduction)


# ------------------------------------------------------------------ margins between classes
@boundary
def multi_margin_loss(
    scores: Any, labels: Any, *, margin: float = 1.0, p: int = 1, class_weights: Any = None,
    weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """What each wrong class comes too near to the right one: Weston & Watkins 1999.

    sum over wrong classes j of max(0, margin - scores[label] + scores[j])**p / classes.

    >>> multi_margin_loss(np.array([[1.0, 0.5, 0.0, 3.0]]), np.array([0]))
    np.float64(0.875)

    Args:
        scores: of shape (..., classes).
        labels: integers of shape (...).
        margin: how much the right score should be greater.
        p: 1 or 2.
        class_weights: of shape (classes,), with which values of a label are multiplied.
        weights, reduction: as for `mean_squared_error`.
    """
    name = "multi_margin_loss"
    labels, _ = integer_labels(name, scores, labels)
    if p not in (1, 2):
        raise ArgumentError(f"{name} wants a power of 1 or 2.", f"p={p!r}", "pass p=1 or p=2")
    over = np.maximum(margin - np.expand_dims(picked(scores, labels), -1) + scores, 0)
    wrong = _others(scores, labels)
    over = masked(over if p == 1 else over * over, wrong)
    values = np.mean(over, axis=-1)
    each = of_classes(name, class_weights, scores)
    values = values if each is None else values * np.take(each, labels, axis=0)
    return reduced(name, values, weights, reduction)


def _others(scores: Any, labels: Any) -> Any:
    """For each class, whether it is another than that of the label."""
    return np.not_equal(home(scores).arange(np.shape(scores)[-1]), np.expand_dims(labels, -1))


@boundary
def multiclass_hinge_loss(
    scores: Any, labels: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """What the best wrong class comes too near to the right one: Crammer & Singer 2001.

    >>> multiclass_hinge_loss(np.array([[1.0, 0.5, 3.0]]), np.array([0]))
    np.float64(3.0)

    Args:
        scores: of shape (..., classes).
        labels: integers of shape (...).
        weights, reduction: as for `mean_squared_error`.
    """
    name = "multiclass_hinge_loss"
    labels, _ = integer_labels(name, scores, labels)
    wrong = _others(scores, labels)
    values = np.max(scores + like(wrong, scores), axis=-1) - picked(scores, labels)
    return reduced(name, values, weights, reduction)
