"""How well classes are told apart: counts of right and wrong, and what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.errors import ArgumentError, DomainError, DtypeError, ShapeError, describe
from fgrad.moving import host_array
from fgrad.tracebacks import boundary

from ..layers.making import count
from ..losses.checking import floating, integer_labels, kind_of, ratio

AVERAGES = ("binary", "micro", "macro", "weighted", "none")


def _classes(name: str, predictions: Any, labels: Any) -> tuple[Any, Any]:
    """Predicted classes, the best of scores if these are given, and labels, of one shape."""
    if kind_of(predictions) == "f":
        labels, _ = integer_labels(name, predictions, labels)
        return np.argmax(predictions, axis=-1), labels
    for x in (predictions, labels):
        if kind_of(x) not in tuple("iub"):
            raise DtypeError(
                f"{name} wants numbers of classes as integers or booleans, or floating scores of "
                "shape (..., classes) with integer labels.",
                describe(x),
                "for two classes write probabilities > 0.5",
            )
    if np.shape(predictions) != np.shape(labels):
        raise ShapeError(
            f"{name} wants predictions and labels of one shape.",
            f"predictions of shape {np.shape(predictions)}, labels of shape {np.shape(labels)}",
            "reshape one of them so that each prediction meets its label",
        )
    return predictions, labels


def _some(name: str, x: Any) -> None:
    if 0 in np.shape(x):
        raise ShapeError(
            f"{name} has nothing to average.",
            f"an array of shape {np.shape(x)}",
            "leave empty batches out",
        )


@boundary
def accuracy(predictions: Any, labels: Any) -> Any:
    """The part of predictions that is right.

    >>> accuracy(np.array([0, 1, 1]), np.array([0, 1, 0])).round(4)
    np.float64(0.6667)
    >>> accuracy(np.array([[0.2, 0.8], [0.9, 0.1]]), np.array([1, 1]))
    np.float64(0.5)

    Args:
        predictions: classes, integers or booleans of shape (...), or their scores, floating, of
            shape (..., classes), of which the greatest is the prediction.
        labels: the right classes, of shape (...).

    Raises:
        ShapeError: the shapes don't fit, or there is nothing to average.
        DtypeError: predictions of two classes are probabilities.
    """
    predictions, labels = _classes("accuracy", predictions, labels)
    _some("accuracy", labels)
    return np.mean(np.equal(predictions, labels).astype(np.float64))


@boundary
def top_k_accuracy(scores: Any, labels: Any, k: int = 5) -> Any:
    """The part of labels that are among the k classes with the greatest scores.

    A class with the score of the label counts as greater if its number is less, and one whose
    score is NaN in any case; so a network that has become NaN is never right.

    >>> top_k_accuracy(np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]), np.array([1, 0]), k=2)
    np.float64(0.5)

    Args:
        scores: floating, of shape (..., classes).
        labels: integers of shape (...).
        k: how many classes are looked at.
    """
    k = count(k, "top_k_accuracy", "k")
    labels, _ = integer_labels("top_k_accuracy", scores, labels)
    _some("top_k_accuracy", labels)
    places = np.expand_dims(labels, -1)
    own = np.take_along_axis(scores, places, axis=-1)
    earlier = np.less(home(scores).arange(np.shape(scores)[-1]), places)
    ahead = np.logical_or(scores > own, np.logical_and(np.equal(scores, own), earlier))
    ahead = np.logical_or(ahead, np.isnan(scores))
    found = np.logical_and(np.less(np.sum(ahead, axis=-1), k), np.equal(own, own)[..., 0])
    return np.mean(found.astype(np.float64))


@boundary
def confusion_matrix(predictions: Any, labels: Any, num_classes: int | None = None) -> Any:
    """How often a label (row) was predicted as a class (column).

    >>> confusion_matrix(np.array([0, 1, 1]), np.array([0, 1, 0]))
    array([[1, 1],
           [0, 1]])

    Args:
        predictions, labels: as for `accuracy`.
        num_classes: the number of rows and columns; that of scores, or one more than the greatest
            class, if it isn't given. Traced classes need it.

    Returns:
        Integers of shape (num_classes, num_classes).
    """
    name = "confusion_matrix"
    if num_classes is None and kind_of(predictions) == "f":
        num_classes = np.shape(predictions)[-1]
    predictions, labels = (np.reshape(x, (-1,)) for x in _classes(name, predictions, labels))
    if num_classes is None:
        tops = [int(np.max(x)) for x in (predictions, labels) if x.size]
        num_classes = 1 + max([1, *tops])
    n = count(num_classes, name, "a number of classes")
    for x in (predictions, labels):
        if is_a(x, np.ndarray) and x.size and (x.min() < 0 or x.max() >= n):
            raise DomainError(
                f"{name} wants classes from 0 to {n - 1}.",
                f"classes from {x.min()} to {x.max()}",
                "count from 0, and give num_classes= as it is",
            )
    rows, columns = (
        np.equal(np.expand_dims(x, -1), home(x).arange(n)) for x in (labels, predictions)
    )
    return rows.T.astype(np.int64) @ columns.astype(np.int64)


def _parts(
    name: str, predictions: Any, labels: Any, average: str, num_classes: int | None
) -> tuple[Any, Any, Any, Any]:
    """True positives, predicted and real ones, of each class that counts, and their weights."""
    if average not in AVERAGES:
        raise ArgumentError(
            f"{name} wants an average.",
            describe(average),
            f"pass one of {', '.join(map(repr, AVERAGES))}",
        )
    table = confusion_matrix(predictions, labels, num_classes)
    if average == "binary" and np.shape(table)[0] != 2:
        raise ArgumentError(
            f'{name} wants two classes for average="binary".',
            f"{np.shape(table)[0]} classes",
            'pass average="macro", "micro", "weighted" or "none"',
        )
    right, found, there = np.diagonal(table), np.sum(table, axis=0), np.sum(table, axis=1)
    if average == "binary":
        return right[1], found[1], there[1], None
    if average == "micro":
        return np.sum(right), np.sum(found), np.sum(there), None
    if average == "none":
        return right, found, there, None
    # A class that nobody speaks of is not averaged over.
    spoken = np.greater(found + there, 0).astype(np.float64)
    return right, found, there, spoken if average == "macro" else there.astype(np.float64)


def _averaged(values: Any, weights: Any) -> Any:
    return values if weights is None else ratio(np.sum(values * weights), np.sum(weights))


@boundary
def precision(
    predictions: Any, labels: Any, *, average: str = "binary", num_classes: int | None = None
) -> Any:
    """The part of what was predicted as a class that is of it; 0 where nothing was.

    >>> precision(np.array([1, 1, 0]), np.array([1, 0, 1]))
    np.float64(0.5)

    Args:
        predictions, labels, num_classes: as for `confusion_matrix`.
        average: "binary" for class 1 of two; "micro" for all counts together; "macro" for the
            mean over the classes that occur in predictions or labels; "weighted" for the mean
            weighted by how often they occur in labels; "none" for an array, one for each class.
    """
    right, found, _, weights = _parts("precision", predictions, labels, average, num_classes)
    return _averaged(ratio(right, found), weights)


@boundary
def recall(
    predictions: Any, labels: Any, *, average: str = "binary", num_classes: int | None = None
) -> Any:
    """The part of what is of a class that was predicted as it; 0 where nothing is.

    >>> recall(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 1])).round(4)
    np.float64(0.3333)

    Args: see `precision`.
    """
    right, _, there, weights = _parts("recall", predictions, labels, average, num_classes)
    return _averaged(ratio(right, there), weights)


@boundary
def f1_score(
    predictions: Any, labels: Any, *, average: str = "binary", num_classes: int | None = None
) -> Any:
    """The harmonic mean of `precision` and `recall`: 2 tp / (2 tp + fp + fn).

    >>> f1_score(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 1])).round(4)
    np.float64(0.4)

    Args: see `precision`.
    """
    right, found, there, weights = _parts("f1_score", predictions, labels, average, num_classes)
    return _averaged(ratio(2 * right, found + there), weights)


# ------------------------------------------------------------------ curves
@boundary
def roc_curve(scores: Any, labels: Any, *, weights: Any = None) -> tuple[Any, Any, Any]:
    """The rates of false and of true positives, from each score on: Fawcett 2006.

    >>> roc_curve(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    (array([0. , 0. , 0.5, 1. ]), array([0. , 0.5, 1. , 1. ]), array([inf, 0.8, 0.4, 0.1]))

    Args:
        scores: floating, of shape (n,), not traced; CuPy's arrays are moved to the host.
        labels: 0 and 1, or booleans, of shape (n,), both of which occur.
        weights: how much each sample counts, of shape (n,).

    Returns:
        The rates of false positives, those of true ones, and the thresholds, which fall; equal
        scores are one step.

    Raises:
        ShapeError, DtypeError: of shapes that differ, and of labels that are no classes.
        DomainError: a score is NaN, a weight is negative, or one of the labels doesn't occur.
    """
    floating("roc_curve", scores, "scores")
    if kind_of(labels) not in tuple("iub"):
        raise DtypeError(
            "roc_curve wants labels that are integers or booleans.", describe(labels),
            "write labels > 0.5",
        )  # fmt: skip
    shapes = [np.shape(x) for x in (scores, labels, *(() if weights is None else (weights,)))]
    if any(s != shapes[0] or len(s) != 1 for s in shapes):
        raise ShapeError(
            "roc_curve wants scores, labels and weights of one shape, (n,).",
            f"the shapes {', '.join(map(str, shapes))}",
            "for several classes call it for each",
        )
    scores, labels = host_array(scores), host_array(labels)
    yes = labels == 1
    if not yes.any() or yes.all() or not np.isin(labels, (0, 1)).all():
        raise DomainError(
            "roc_curve wants labels 0 and 1, both of which occur.",
            f"the labels {np.unique(labels)[:5]}",
            "without one of them there are no rates",
        )
    if np.isnan(scores).any():
        raise DomainError(
            "roc_curve wants scores that can be ordered.",
            f"{np.isnan(scores).sum()} NaN among {len(scores)} scores",
            "call the network inside of fgrad.debug_nans(), which tells where they come from",
        )
    each = np.ones(len(yes)) if weights is None else host_array(weights).astype(np.float64)
    if not (each >= 0).all() or not each[yes].any() or not each[~yes].any():
        raise DomainError(
            "roc_curve wants weights that are not negative, nor all 0 for one of the labels.",
            f"from {each.min()} to {each.max()}, of sums {each[~yes].sum()} and {each[yes].sum()}",
            "leave weights= away, or give samples of both labels some",
        )
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last = np.append(ranked[1:] != ranked[:-1], True)
    true, false = (np.cumsum((each * m)[order])[last] for m in (yes, ~yes))
    rates = [np.concatenate([[0.0], x / x[-1]]) for x in (false, true)]
    return rates[0], rates[1], np.concatenate([[np.inf], ranked[last]])


@boundary
def roc_auc(scores: Any, labels: Any, *, weights: Any = None) -> Any:
    """The area under `roc_curve`: how often a yes has a greater score than a no, ties by half.

    >>> roc_auc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([0, 0, 1, 1]))
    np.float64(0.875)

    Args, Raises: see `roc_curve`.
    """
    false, true, _ = roc_curve(scores, labels, weights=weights)
    return np.trapezoid(true, false)
