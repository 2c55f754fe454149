"""Losses of several labels and of rankings, and those that a regularized argmax makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fgrad.errors import DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from ..activations import log_sigmoid, logsumexp, sparsemax
from .checking import (
    floating,
    integer_labels,
    kind_of,
    masked,
    of_classes,
    picked,
    reduced,
    same,
    shares,
)  # fmt: skip


# ------------------------------------------------------------------ several labels
def _last_axis(name: str, x: Any) -> None:
    if not np.shape(x) or not np.shape(x)[-1]:
        raise ShapeError(
            f"{name} wants an axis of classes, the last one.",
            describe(x),
            "pass (batch, classes)",
        )


@boundary
def multilabel_soft_margin_loss(
    logits: Any, labels: Any, *, class_weights: Any = None, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """The mean over classes of the binary cross entropy, for samples of several labels each.

    >>> multilabel_soft_margin_loss(np.zeros((1, 3)), np.array([[1, 0, 1]])).round(4)
    np.float64(0.6931)

    Args:
        logits: of shape (..., classes).
        labels: 0 or 1, or between, of the same shape.
        class_weights: a factor for each class, of shape (classes,).
        weights, reduction: as for `mean_squared_error`; values are of shape (...).
    """
    name = "multilabel_soft_margin_loss"
    x, y = shares(name, logits, labels, "labels")
    _last_axis(name, x)
    each = -(y * log_sigmoid(x) + (1 - y) * log_sigmoid(-x))
    amounts = of_classes(name, class_weights, x)
    each = each if amounts is None else each * amounts
    return reduced(name, np.mean(each, axis=-1), weights, reduction)


@boundary
def multilabel_margin_loss(
    scores: Any, labels: Any, *, margin: float = 1.0, weights: Any = None, reduction: str = "mean"
) -> Any:
    """What wrong classes come too near to right ones: Crammer & Singer 2003, over all pairs.

    The sum of max(0, margin - (right - wrong)) over pairs of a right and a wrong class, divided by
    the number of classes.

    >>> multilabel_margin_loss(np.array([[0.1, 0.2, 0.4, 0.8]]), np.array([[1, 0, 0, 1]])).round(4)
    np.float64(0.85)

    Args:
        scores: of shape (..., classes).
        labels: booleans, or 0 and 1, of the same shape. (PyTorch's are lists of classes, ended by
            -1.)
        margin: by how much right scores should be greater.
        weights, reduction: as for `mean_squared_error`; values are of shape (...).
    """
    name = "multilabel_margin_loss"
    x, y = shares(name, scores, labels, "labels")
    _last_axis(name, x)
    gaps = margin - (np.expand_dims(x, -1) - np.expand_dims(x, -2))
    pairs = np.expand_dims(y, -1) * (1 - np.expand_dims(y, -2))
    values = np.sum(pairs * np.maximum(gaps, 0), axis=(-2, -1)) / np.shape(x)[-1]
    return reduced(name, values, weights, reduction)


@boundary
def multiclass_perceptron_loss(
    scores: Any, labels: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """By how much the best class beats the right one: Rosenblatt 1958, for several classes.

    >>> multiclass_perceptron_loss(np.array([[1.0, 0.5, 3.0]]), np.array([0]))
    np.float64(2.0)

    Args:
        scores: of shape (..., classes).
        labels: integers of shape (...).
        weights, reduction: as for `mean_squared_error`.
    """
    name = "multiclass_perceptron_loss"
    labels, _ = integer_labels(name, scores, labels)
    values = np.max(scores, axis=-1) - picked(scores, labels)
    return reduced(name, values, weights, reduction)


# ------------------------------------------------------------------ rankings
@boundary
def ranking_softmax_loss(
    logits: Any, labels: Any, *, where: Any = None, weights: Any = None, reduction: str = "mean"
) -> Any:
    """The cross entropy of the softmax over the items of a list, weighed by relevance: ListNet.

    Cao et al. 2007, Bruch et al. 2019: -sum of labels * log_softmax(logits) over each list.

    >>> ranking_softmax_loss(np.zeros((1, 2)), np.array([[1.0, 0.0]])).round(4)
    np.float64(0.6931)

    Args:
        logits: the scores of items, of shape (..., items).
        labels: how relevant they are, of the same shape, not negative.
        where: booleans of that shape, False for items that only fill the list up.
        weights, reduction: as for `mean_squared_error`; values are of shape (...).
    """
    name = "ranking_softmax_loss"
    x, y = same(name, logits, labels, "labels")
    _last_axis(name, x)
    if where is not None:
        if kind_of(where) != "b":
            raise DtypeError(
                f"{name} wants where= as booleans, True for items that count.",
                describe(where),
                "write mask.astype(bool)",
            )
        if np.shape(where) != np.shape(x):
            raise ShapeError(
                f"{name} wants a boolean for each item in where=.",
                f"where= of shape {np.shape(where)}, logits of shape {np.shape(x)}",
                "pass np.broadcast_to(mask, logits.shape) if it is that of all lists",
            )
        x, y = np.where(where, x, -np.inf), np.where(where, y, 0)
    whole = logsumexp(x, -1, keepdims=True)
    whole = np.where(np.isfinite(whole), whole, 0)
    log_p = masked(x, where) - whole
    return reduced(name, -np.sum(y * log_p, axis=-1), weights, reduction)


# ------------------------------------------------------------------ regularized argmax
@boundary
def fenchel_young_loss(
    potential: Callable[[Any], Any], scores: Any, targets: Any, *, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """potential(scores) - <scores, targets>: Blondel, Martins & Niculae 2020.

    The gradient by the scores is that of the potential, a kind of argmax, minus the targets. With
    `logsumexp` it is the cross entropy of the softmax, but for a constant; with the maximum it is
    the perceptron's loss.

    >>> from fgrad_nn import logsumexp
    >>> scores, targets = np.array([[2.0, 0.0]]), np.array([[1.0, 0.0]])
    >>> fenchel_young_loss(lambda x: logsumexp(x, -1), scores, targets).round(4)
    np.float64(0.1269)

    Args:
        potential: a convex function of scores of shape (..., classes), to values of shape (...).
        scores: of shape (..., classes).
        targets: of the same shape.
        weights, reduction: as for `mean_squared_error`.
    """
    name = "fenchel_young_loss"
    x, y = same(name, scores, targets)
    _last_axis(name, x)
    values = potential(x)
    if np.shape(values) != np.shape(x)[:-1]:
        raise ShapeError(
            f"{name} wants a potential that gives one value for each vector of scores.",
            f"shape {np.shape(values)} for scores of shape {np.shape(x)}",
            "sum over the last axis in it",
        )
    return reduced(name, values - np.sum(x * y, axis=-1), weights, reduction)


def _sparsemax_potential(x: Any) -> Any:
    """The greatest of <x, p> - |p|**2 / 2 + 1/2 over the simplex; its gradient is sparsemax(x)."""
    p = sparsemax(x)
    return np.sum(p * (x - 0.5 * p), axis=-1) + 0.5


@boundary
def multiclass_sparsemax_loss(
    scores: Any, labels: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """The loss whose gradient is sparsemax(scores) minus the right class: Martins & Astudillo 2016.

    It is exactly 0 once the right score is greater than all others by 1.

    >>> multiclass_sparsemax_loss(np.array([[2.0, 1.0], [0.0, 0.0]]), np.array([0, 1]),
    ...                           reduction="none")
    array([0.  , 0.25])

    Args:
        scores: of shape (..., classes).
        labels: integers of shape (...).
        weights, reduction: as for `mean_squared_error`.
    """
    name = "multiclass_sparsemax_loss"
    labels, _ = integer_labels(name, scores, labels)
    values = _sparsemax_potential(scores) - picked(scores, labels)
    return reduced(name, values, weights, reduction)


@boundary
def sparsemax_loss(
    logits: Any, labels: Any, *, weights: Any = None, reduction: str = "mean"
) -> Any:
    """`multiclass_sparsemax_loss` of two classes, with one logit: their scores' difference.

    With s = logit where the label is 1 and -logit where it is 0 it is 0 for s >= 1, -s for s <= -1
    and (s - 1)**2 / 4 between.

    >>> sparsemax_loss(np.array([2.0, 0.0, -2.0]), np.array([1, 1, 1]), reduction="none")
    array([0.  , 0.25, 2.  ])

    Args:
        logits: of any shape.
        labels: 0 or 1, of the same shape.
        weights, reduction: as for `mean_squared_error`.
    """
    name = "sparsemax_loss"
    floating(name, logits, "logits")
    x, y = shares(name, logits, labels, "labels")
    s = x * (2 * y - 1)
    values = np.square(np.clip(1 - s, 0, 2)) / 4 + np.maximum(-1 - s, 0)
    return reduced(name, values, weights, reduction)
