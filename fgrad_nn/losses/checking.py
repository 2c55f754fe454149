"""What all losses share: checks of what they are given, and the reduction at their end.

Arguments of all losses, which are described here once:

- predictions come first, targets second; broadcasting is not done.
- `reduction`: "mean", "sum" or "none". Optax's losses, of the same names, reduce nothing.
- `weights`: how much each value counts, an array of the values' shape, or of their first axes
  (one weight for each sample). "mean" is then sum(weights * values) / sum(weights), so a weight of
  0 leaves a value out; where all are 0 it is 0.

Targets are brought to the predictions' dtype, and results have it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.errors import ArgumentError, DomainError, DtypeError, ShapeError, describe

from ..masks import beside

REDUCTIONS = ("mean", "sum", "none")


def kind_of(x: Any) -> str:
    """The kind of an array's dtype, or of a number."""
    dtype = getattr(x, "dtype", None)
    return np.result_type(type(x)).kind if is_a(x, (bool, int, float)) else dtype.kind if (
        dtype is not None
    ) else ""  # fmt: skip


def floating(name: str, x: Any, what: str = "predictions") -> Any:
    """An argument that must be an array of real floating numbers."""
    if kind_of(x) != "f":
        raise DtypeError(
            f"{name} wants {what} that are real floating numbers.",
            describe(x),
            "convert them with np.asarray(x, float)",
        )
    return x


def like(x: Any, other: Any) -> Any:
    """X in the dtype of another array."""
    dtype = getattr(other, "dtype", np.dtype(np.float64))
    if is_a(x, (bool, int, float)):
        return dtype.type(x)
    return x if x.dtype == dtype else x.astype(dtype)


def same(name: str, predictions: Any, targets: Any, what: str = "targets") -> Any:
    """Predictions and targets of one shape, in the dtype of the predictions."""
    floating(name, predictions)
    if kind_of(targets) not in tuple("fiub"):
        raise DtypeError(
            f"{name} wants {what} that are real numbers.",
            describe(targets),
            "pass an array of numbers",
        )
    if np.shape(predictions) != np.shape(targets):
        raise ShapeError(
            f"{name} wants predictions and {what} of one shape.",
            f"predictions of shape {np.shape(predictions)}, {what} of shape {np.shape(targets)}",
            "reshape one of them so that each prediction meets its target: (n,) against (n, 1) "
            "would be all pairs",
        )
    return predictions, like(targets, predictions)


def integer_labels(
    name: str, scores: Any, labels: Any, ignore_index: int | None = None
) -> tuple[Any, Any]:
    """The labels, 0 where they are ignored, and where they are not; None for everywhere."""
    floating(name, scores)
    shape = np.shape(scores)
    labels = np.asarray(labels) if is_a(labels, int) else labels
    if kind_of(labels) not in tuple("iu") or not hasattr(labels, "dtype"):
        raise DtypeError(
            f"{name} wants labels that are the numbers of classes, as integers.",
            describe(labels),
            "convert them with .astype(int); for probabilities of classes there is "
            "softmax_cross_entropy",
        )
    if not shape or np.shape(labels) != shape[:-1]:
        raise ShapeError(
            f"{name} wants scores of shape (..., classes) and labels of shape (...).",
            f"scores of shape {shape}, labels of shape {np.shape(labels)}",
            "squeeze an axis of length one away, or add the axis of the classes",
        )
    seen = None if ignore_index is None else np.not_equal(labels, ignore_index)
    labels = labels if seen is None else np.where(seen, labels, 0)
    if is_a(labels, np.ndarray) and labels.size:
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= shape[-1]:
            raise DomainError(
                f"{name} wants labels from 0 to {shape[-1] - 1}, the last of its classes.",
                f"labels from {low} to {high}",
                "count classes from 0; ignore_index= names a label that doesn't count",
            )
    return labels, seen


def shares(name: str, predictions: Any, targets: Any, what: str = "targets") -> Any:
    """Predictions, and targets that are from 0 to 1, of one shape."""
    predictions, targets = same(name, predictions, targets, what)
    inside(name, targets, what, "write (y + 1) / 2 for those that are -1 or 1")
    return predictions, targets


def inside(name: str, x: Any, what: str, to_do: str) -> None:
    """Refuse known numbers that are not from 0 to 1."""
    if is_a(x, np.ndarray) and x.size and not (x.min() >= 0 and x.max() <= 1):
        raise DomainError(
            f"{name} wants {what} that are 0 or 1, or between them.",
            f"{what} from {x.min()} to {x.max()}",
            to_do,
        )


def signs(name: str, predictions: Any, targets: Any) -> Any:
    """Predictions, and targets that are -1 or 1, of one shape."""
    predictions, targets = same(name, predictions, targets)
    if is_a(targets, (np.ndarray, np.generic)) and np.any(np.abs(targets) != 1):
        raise DomainError(
            f"{name} wants targets that are -1 or 1.",
            f"targets from {targets.min()} to {targets.max()}",
            "write 2 * targets - 1 for targets that are 0 or 1",
        )
    return predictions, targets


def reduced(name: str, values: Any, weights: Any, reduction: str) -> Any:
    """The values of a loss, weighted and reduced."""
    if reduction not in REDUCTIONS:
        raise ArgumentError(
            f"{name} wants a reduction.", describe(reduction), 'pass "mean", "sum" or "none"'
        )
    shape = np.shape(values)
    if weights is None:
        if reduction == "none":
            return values
        if reduction == "sum":
            return np.sum(values)
        if 0 in shape:
            raise ShapeError(
                f"{name} has nothing to average.",
                f"values of shape {shape}",
                "leave empty batches out, or pass reduction='sum'",
            )
        return np.mean(values)
    given = np.shape(weights)
    if kind_of(weights) not in tuple("fiub") or given != shape[: len(given)]:
        raise (ShapeError if kind_of(weights) in tuple("fiub") else DtypeError)(
            f"{name} wants weights of shape {shape}, that of its values, or of their first axes.",
            describe(weights),
            "pass a weight for each value, or one for each sample",
        )
    weights = np.reshape(like(weights, values), (*given, *(1,) * (len(shape) - len(given))))
    # 0 * inf would be NaN. Finite values stay, for the slope by a weight of 0 is the value.
    left_out = np.logical_and(np.equal(weights, 0), np.logical_not(np.isfinite(values)))
    weighted = np.where(left_out, 0, values) * weights
    if reduction == "none":
        return weighted
    total = np.sum(weighted)
    if reduction == "sum":
        return total
    return ratio(total, np.sum(np.broadcast_to(weights, shape)))


def of_classes(name: str, class_weights: Any, scores: Any) -> Any:
    """A weight for each class, in the dtype of the scores; None if there are none."""
    if class_weights is None:
        return None
    fits = kind_of(class_weights) in tuple("fiub")
    if not fits or np.shape(class_weights) != np.shape(scores)[-1:]:
        raise (ShapeError if fits else DtypeError)(
            f"{name} wants a weight for each of {np.shape(scores)[-1]} classes.",
            describe(class_weights),
            "pass an array of shape (classes,)",
        )
    return like(class_weights, scores)


def ratio(total: Any, amount: Any) -> Any:
    """Total / amount, and 0 where there is nothing."""
    amount = beside(amount, total)
    some = np.not_equal(amount, 0)
    return np.where(some, total, 0) / np.where(some, amount, 1)


def masked(values: Any, seen: Any) -> Any:
    """Values where they count, 0 elsewhere."""
    return values if seen is None else np.where(seen, values, 0)


def counted(
    name: str, values: Any, seen: Any, weights: Any, reduction: str, amounts: Any = None
) -> Any:
    """`reduced`, with values left out where `seen` is False; `amounts` weigh in the mean too.

    The values have been multiplied with the amounts.
    """
    values = masked(values, seen)
    if reduction != "mean" or (seen is None and amounts is None):
        return reduced(name, values, weights, reduction)
    total = reduced(name, values, weights, "sum")
    ones = np.ones_like(values) if amounts is None else amounts
    return ratio(total, reduced(name, masked(ones, seen), weights, "sum"))


def picked(x: Any, labels: Any) -> Any:
    """The entries of the last axis at the labels."""
    if home(x, labels) is np and not is_a(labels, np.ndarray):
        # Traced, -1 would be the last class in silence; without a sign it is too great.
        labels = labels.astype(np.uint32)
    return np.take_along_axis(x, np.expand_dims(labels, -1), axis=-1)[..., 0]


def positive(name: str, what: str, value: Any, *, zero: bool = False) -> Any:
    """A number greater than 0, or not less."""
    ok = is_a(value, (int, float)) and not is_a(value, bool)
    if not ok or not (value > 0 or (zero and value == 0)):
        raise ArgumentError(
            f"{name} wants {what}, a number {'of at least' if zero else 'greater than'} 0.",
            describe(value),
            "pass 1.0, for example",
        )
    return value


def elementwise(
    name: str, predictions: Any, targets: Any, weights: Any, reduction: str,
    value: Callable[[Any, Any], Any],
) -> Any:  # fmt: skip
    """A loss of each prediction and its target."""
    predictions, targets = same(name, predictions, targets)
    return reduced(name, value(predictions, targets), weights, reduction)
