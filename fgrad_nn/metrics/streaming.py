"""Metrics of many batches, as pure functions: a state goes in and a state comes out.

`state = metric.update(state, ...)` for each batch, `metric.compute(state)` at the end. `merge` puts
together what several processes have seen. All of them work in jit and scan.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from ..layers.making import count
from ..losses.checking import ratio, reduced
from ..masks import beside
from .classification import accuracy, confusion_matrix


class Metric(NamedTuple):
    """A metric of a stream of batches: four pure functions."""

    init: Callable[[], Any]
    """`init() -> state`, of nothing seen."""
    update: Callable[..., Any]
    """`update(state, *args) -> state`."""
    compute: Callable[[Any], Any]
    """`compute(state)`: the value of all that was seen."""
    merge: Callable[[Any, Any], Any]
    """`merge(state, state) -> state`, of what both have seen."""


class Mean(NamedTuple):
    """The state of a running mean."""

    total: Any
    weight: Any


@boundary
def running_mean() -> Metric:
    """The mean of all values of all batches: `update(state, values, weights=None)`.

    >>> mean = running_mean()
    >>> state = mean.update(mean.init(), np.array([1.0, 2.0]))
    >>> state = mean.update(state, np.array([6.0]))
    >>> mean.compute(state)
    np.float64(3.0)

    The values may be losses with reduction="none"; weights are as for these. Of nothing it is 0.
    """

    def update(state: Mean, values: Any, weights: Any = None) -> Mean:
        values = values if hasattr(values, "dtype") else np.asarray(values, np.float64)
        one = np.ones_like(values, np.float64)
        return Mean(
            state.total + reduced("running_mean", values, weights, "sum"),
            state.weight + reduced("running_mean", one, weights, "sum"),
        )

    return Metric(
        lambda: Mean(np.float64(0), np.float64(0)), update,
        lambda state: ratio(state.total, state.weight),
        lambda a, b: Mean(a.total + b.total, a.weight + b.weight),
    )  # fmt: skip


@boundary
def running_accuracy() -> Metric:
    """`accuracy` of all batches: `update(state, predictions, labels)`.

    >>> metric = running_accuracy()
    >>> state = metric.update(metric.init(), np.array([0, 1, 1]), np.array([0, 1, 0]))
    >>> metric.compute(metric.update(state, np.array([1]), np.array([1])))
    np.float64(0.75)
    """
    mean = running_mean()

    def update(state: Mean, predictions: Any, labels: Any) -> Mean:
        n = float(np.size(labels))
        return Mean(state.total + n * accuracy(predictions, labels), state.weight + n)

    return mean._replace(update=update)


@boundary
def running_confusion(num_classes: int) -> Metric:
    """`confusion_matrix` of all batches: `update(state, predictions, labels)`.

    >>> metric = running_confusion(2)
    >>> metric.compute(metric.update(metric.init(), np.array([0, 1]), np.array([0, 0])))
    array([[1, 1],
           [0, 0]])

    Args:
        num_classes: the number of classes.
    """
    n = count(num_classes, "running_confusion", "a number of classes")

    def added(a: Any, b: Any) -> Any:
        return beside(a, b) + beside(b, a)

    return Metric(
        lambda: np.zeros((n, n), np.int64),
        lambda state, predictions, labels: added(state, confusion_matrix(predictions, labels, n)),
        lambda state: state,
        added,
    )


class Moments(NamedTuple):
    """The state of running moments: how many, their mean, their squares around it."""

    count: Any
    mean: Any
    squares: Any


@boundary
def running_moments() -> Metric:
    """Mean and variance of all values of all batches: `update(state, values)`.

    Chan, Golub & LeVeque 1979, Welford's method for batches; `compute` gives a pair (mean,
    variance), the variance divided by n.

    >>> moments = running_moments()
    >>> state = moments.update(moments.init(), np.array([1.0, 3.0]))
    >>> mean, variance = moments.compute(moments.update(state, np.array([5.0])))
    >>> mean, variance.round(4)
    (np.float64(3.0), np.float64(2.6667))
    """

    def merge(a: Moments, b: Moments) -> Moments:
        n = a.count + b.count
        d = b.mean - a.mean
        part = ratio(b.count, n)
        return Moments(n, a.mean + d * part, a.squares + b.squares + d * d * a.count * part)

    def update(state: Moments, values: Any) -> Moments:
        values = values if hasattr(values, "dtype") else np.asarray(values, np.float64)
        if 0 in np.shape(values):
            return state
        mean = np.mean(values)
        return merge(state, Moments(float(np.size(values)), mean, np.sum(np.square(values - mean))))

    return Metric(
        lambda: Moments(np.float64(0), np.float64(0), np.float64(0)), update,
        lambda state: (state.mean, ratio(state.squares, state.count)), merge,
    )  # fmt: skip


@boundary
def several(**metrics: Metric) -> Metric:
    """Several metrics of the same arguments, with names: states and values are dicts.

    >>> both = several(accuracy=running_accuracy(), confusion=running_confusion(2))
    >>> both.compute(both.update(both.init(), np.array([0, 1]), np.array([0, 0])))["accuracy"]
    np.float64(0.5)

    Args:
        **metrics: metrics, by name.
    """
    for name, m in metrics.items():
        if not isinstance(m, Metric):
            raise ArgumentError(
                "several wants metrics.", f"as {name!r}: {describe(m)}", "pass running_accuracy()"
            )
    return Metric(
        lambda: {k: m.init() for k, m in metrics.items()},
        lambda state, *args: {k: m.update(state[k], *args) for k, m in metrics.items()},
        lambda state: {k: m.compute(state[k]) for k, m in metrics.items()},
        lambda a, b: {k: m.merge(a[k], b[k]) for k, m in metrics.items()},
    )
