"""Losses of embeddings: what is alike shall lie near; `checking` tells what arguments mean."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad.core import home
from fgrad.errors import DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from ..activations import logsumexp
from .checking import floating, kind_of, like, masked, positive, ratio, reduced, same, shares, signs


@boundary
def cosine_similarity(
    predictions: Any, targets: Any, *, axis: int = -1, epsilon: float = 1e-8
) -> Any:
    """The cosine of the angle between vectors, along an axis; it isn't reduced.

    >>> cosine_similarity(np.array([3.0, 0.0]), np.array([1.0, 1.0])).round(4)
    np.float64(0.7071)

    Args:
        predictions: vectors, of any shape.
        targets: of the same shape.
        axis: the axis along which the vectors lie.
        epsilon: what norms are at least, so that the cosine of a zero is 0.
    """
    a, b = same("cosine_similarity", predictions, targets)
    return _cosine(a, b, axis, epsilon)


def _cosine(a: Any, b: Any, axis: int = -1, epsilon: float = 1e-8) -> Any:
    return np.sum(_unit(a, axis, epsilon) * _unit(b, axis, epsilon), axis=axis)


def _unit(x: Any, axis: int = -1, epsilon: float = 1e-8) -> Any:
    return x / np.maximum(np.linalg.norm(x, axis=axis, keepdims=True), epsilon)


@boundary
def cosine_distance(
    predictions: Any, targets: Any, *, epsilon: float = 1e-8, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """1 - `cosine_similarity` along the last axis.

    >>> cosine_distance(np.array([[3.0, 0.0]]), np.array([[0.0, 1.0]]))
    np.float64(1.0)

    Args:
        predictions, targets: vectors of shape (..., features).
        epsilon: as for `cosine_similarity`.
        weights, reduction: as for `mean_squared_error`; values are of shape (...).
    """
    a, b = same("cosine_distance", predictions, targets)
    _features("cosine_distance", a)
    return reduced("cosine_distance", 1 - _cosine(a, b, -1, epsilon), weights, reduction)


def _features(name: str, x: Any) -> None:
    if not np.shape(x):
        raise ShapeError(
            f"{name} wants vectors along the last axis.", describe(x), "pass (batch, features)"
        )


@boundary
def cosine_embedding_loss(
    x1: Any, x2: Any, targets: Any, *, margin: float = 0.0, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """1 - cosine for pairs that belong together, max(0, cosine - margin) for others.

    >>> x = np.array([[1.0, 0.0], [1.0, 0.0]])
    >>> cosine_embedding_loss(x, x, np.array([1, -1]), reduction="none")
    array([0., 1.])

    Args:
        x1, x2: vectors of shape (..., features).
        targets: 1 or -1, of shape (...).
        margin: the cosine up to which other pairs cost nothing.
        weights, reduction: as for `mean_squared_error`.
    """
    name = "cosine_embedding_loss"
    a, b = same(name, x1, x2)
    _features(name, a)
    cosine, y = signs(name, _cosine(a, b), targets)
    values = np.where(np.greater(y, 0), 1 - cosine, np.maximum(cosine - margin, 0))
    return reduced(name, values, weights, reduction)


def _distance(a: Any, b: Any, p: float = 2.0) -> Any:
    return np.linalg.norm(a - b, ord=p, axis=-1)


@boundary
def pairwise_distance(x1: Any, x2: Any, *, p: float = 2.0, keepdims: bool = False) -> Any:
    """The p-norm of differences along the last axis; it isn't reduced.

    PyTorch adds 1e-6 to differences, for their slope at 0; here that is 0, and nothing is added.

    >>> pairwise_distance(np.array([[3.0, 0.0]]), np.array([[0.0, 4.0]]))
    array([5.])

    Args:
        x1, x2: vectors of shape (..., features).
        p: of the norm.
        keepdims: whether the last axis stays, with length one.
    """
    a, b = same("pairwise_distance", x1, x2)
    positive("pairwise_distance", "a p", p, zero=True)
    _features("pairwise_distance", a)
    d = _distance(a, b, p)
    return np.expand_dims(d, -1) if keepdims else d


@boundary
def contrastive_loss(
    x1: Any, x2: Any, targets: Any, *, margin: float = 1.0, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """Half d**2 for pairs that belong together, half max(0, margin - d)**2 for others.

    Hadsell, Chopra & LeCun 2006; d is the distance of the two.

    >>> x = np.zeros((2, 1))
    >>> contrastive_loss(x, x + 0.5, np.array([1, 0]), reduction="none")
    array([0.125, 0.125])

    Args:
        x1, x2: vectors of shape (..., features).
        targets: 1 (or True) for pairs that belong together, else 0, of shape (...).
        margin: the distance from which other pairs cost nothing.
        weights, reduction: as for `mean_squared_error`.
    """
    name = "contrastive_loss"
    a, b = same(name, x1, x2)
    _features(name, a)
    near = np.sum(np.square(a - b), axis=-1)
    near, y = shares(name, near, targets)
    far = np.square(np.maximum(margin - _distance(a, b), 0))
    return reduced(name, 0.5 * (y * near + (1 - y) * far), weights, reduction)


@boundary
def triplet_margin_loss(
    anchors: Any, positives: Any, negatives: Any, *, margin: float = 1.0, p: float = 2.0,
    swap: bool = False, weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """max(0, d(anchor, positive) - d(anchor, negative) + margin): Schroff et al. 2015.

    >>> x = np.zeros((1, 2))
    >>> triplet_margin_loss(x, x, x)
    np.float64(1.0)

    Args:
        anchors, positives, negatives: vectors of shape (..., features).
        margin: how much farther the negative should be.
        p: of the norm that is the distance.
        swap: take d(positive, negative) for the second distance if that is less (Balntas et al.
            2016).
        weights, reduction: as for `mean_squared_error`; values are of shape (...).
    """
    name = "triplet_margin_loss"
    a, b = same(name, anchors, positives, "positives")
    _, c = same(name, anchors, negatives, "negatives")
    positive(name, "a p", p, zero=True)
    _features(name, a)
    far = _distance(a, c, p)
    far = np.minimum(far, _distance(b, c, p)) if swap else far
    return reduced(name, np.maximum(_distance(a, b, p) - far + margin, 0), weights, reduction)


@boundary
def hinge_embedding_loss(
    distances: Any, targets: Any, *, margin: float = 1.0, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """The distance for pairs that belong together, max(0, margin - distance) for others.

    >>> hinge_embedding_loss(np.array([0.3, 0.3]), np.array([1, -1]), reduction="none")
    array([0.3, 0.7])

    Args:
        distances: of any shape.
        targets: 1 or -1, of the same shape.
        margin: the distance from which other pairs cost nothing.
        weights, reduction: as for `mean_squared_error`.
    """
    name = "hinge_embedding_loss"
    d, y = signs(name, distances, targets)
    values = np.where(np.greater(y, 0), d, np.maximum(margin - d, 0))
    return reduced(name, values, weights, reduction)


@boundary
def margin_ranking_loss(
    x1: Any, x2: Any, targets: Any, *, margin: float = 0.0, weights: Any = None,
    reduction: str = "mean",
) -> Any:  # fmt: skip
    """max(0, -targets * (x1 - x2) + margin).

    >>> margin_ranking_loss(np.array([1.0]), np.array([3.0]), np.array([1]))
    np.float64(2.0)

    Args:
        x1, x2: scores of any shape.
        targets: 1 where x1 should be greater, -1 where x2 should be; of the same shape.
        margin: by how much.
        weights, reduction: as for `mean_squared_error`.
    """
    name = "margin_ranking_loss"
    a, b = same(name, x1, x2)
    d, y = signs(name, a - b, targets)
    return reduced(name, np.maximum(margin - y * d, 0), weights, reduction)


# ------------------------------------------------------------------ one against many
@boundary
def info_nce(
    queries: Any, positives: Any, negatives: Any = None, *, temperature: float = 0.1,
    weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """The cross entropy of finding a query's own positive among others: van den Oord et al. 2018.

    >>> x = np.eye(2)
    >>> info_nce(x, x, temperature=1.0).round(4)
    np.float64(0.3133)

    Args:
        queries: vectors of shape (batch, features); only their directions count.
        positives: one for each query, of the same shape.
        negatives: vectors of shape (n, features), the others for all queries; the positives of
            the other queries if they aren't given.
        temperature: what cosines are divided by.
        weights, reduction: as for `mean_squared_error`; values are of shape (batch,).
    """
    name = "info_nce"
    q, k = same(name, queries, positives, "positives")
    positive(name, "a temperature", temperature)
    if q.ndim != 2:
        raise ShapeError(
            f"{name} wants queries of shape (batch, features).",
            describe(q),
            "fgrad.vmap maps it over other axes",
        )
    q, k = _unit(q), _unit(k)
    own = np.sum(q * k, axis=-1) / temperature
    if negatives is None:
        everyone = logsumexp(q @ k.T / temperature, -1)
    else:
        floating(name, negatives, "negatives")
        if np.shape(negatives)[1:] != np.shape(queries)[1:] or negatives.ndim != 2:
            raise ShapeError(
                f"{name} wants negatives of shape (n, {q.shape[-1]}).",
                describe(negatives),
                "give them the features of the queries",
            )
        others = logsumexp(q @ _unit(like(negatives, queries)).T / temperature, -1)
        everyone = np.logaddexp(own, others)
    return reduced(name, everyone - own, weights, reduction)


@boundary
def ntxent(
    embeddings: Any, labels: Any, *, temperature: float = 0.07, reduction: str = "mean"
) -> Any:
    """For each pair of the same label, the cross entropy of finding it: Chen et al. 2020 (SimCLR).

    -log(e(i, j) / (e(i, j) + sum of e(i, k) over k of other labels)), where e is
    exp(cosine / temperature).

    >>> x = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    >>> ntxent(x, np.array([0, 0, 1, 1]), temperature=1.0).round(4)
    np.float64(0.5514)

    Args:
        embeddings: vectors of shape (batch, features); only their directions count.
        labels: integers of shape (batch,); two views of one sample have the same.
        temperature: what cosines are divided by.
        reduction: "mean" over all ordered pairs of one label (0 if there are none), "sum", or
            "none" for an array of shape (batch, batch), 0 where there is no such pair.
    """
    name = "ntxent"
    floating(name, embeddings, "embeddings")
    positive(name, "a temperature", temperature)
    if kind_of(labels) not in tuple("iu"):
        raise DtypeError(f"{name} wants integer labels.", describe(labels), "use .astype(int)")
    if np.ndim(embeddings) != 2 or np.shape(labels) != np.shape(embeddings)[:1]:
        raise ShapeError(
            f"{name} wants embeddings of shape (batch, features) and labels of shape (batch,).",
            f"the shapes {np.shape(embeddings)} and {np.shape(labels)}",
            "put the views of all samples one after the other in one batch",
        )
    unit = _unit(embeddings)
    logits = unit @ unit.T / temperature
    alike = np.equal(np.expand_dims(labels, -1), np.expand_dims(labels, -2))
    itself = home(labels).eye(np.shape(labels)[0], dtype=bool)
    pairs = np.logical_and(alike, np.logical_not(itself))
    others = logsumexp(np.where(alike, -np.inf, logits), -1, keepdims=True)
    values = masked(np.logaddexp(logits, others) - logits, pairs)
    if reduction == "mean":
        return ratio(np.sum(values), np.sum(like(pairs, values)))
    return reduced(name, values, None, reduction)
