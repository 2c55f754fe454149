"""Embeddings: a vector for each integer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import fgrad
from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.errors import ArgumentError, DomainError, DtypeError, describe
from fgrad.tracebacks import boundary

from .. import initializers
from ..initializers import Initializer
from ..types import Layer, PyTree
from .making import check_input_shape, check_inputs, count, layer, take


@boundary
def embedding(num: int, features: int, *, weight_init: Initializer | None = None) -> Layer:
    """Take a row of a table for each integer.

    >>> from fgrad import random
    >>> shape, params = embedding(10, 4).init(random.key(0), (-1, 7))
    >>> shape, params["weight"].shape
    ((-1, 7, 4), (10, 4))
    >>> embedding(10, 4).apply(params, np.array([[3, 3]])).shape
    (1, 2, 4)

    Args:
        num: the number of integers, which are 0 to num - 1.
        features: the length of each vector.
        weight_init: of the table, of shape (num, features); by default normal numbers of
            variance 1 / features, as in flax.

    Raises, when it is applied:
        DtypeError: the inputs are no integers.
        DomainError: one of them is negative, or too great; an IndexError where they are traced.
    """
    num = count(num, "embedding", "a number of integers")
    features = count(features, "embedding", "a number of features")
    weight_init = weight_init or initializers.normal(1 / math.sqrt(features))

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, "embedding", ())
        return (*shape, features), {"weight": weight_init(key, (num, features), dtype)}

    def apply(params: PyTree, inputs: Any) -> Any:
        (weight,) = take(params, "embedding", {"weight": (num, features)})
        _check_integers(inputs, num, "embedding")
        if home(inputs) is np and not is_a(inputs, np.ndarray):
            # Traced, -1 would be the last row in silence; without a sign it is too great.
            inputs = inputs.astype(np.uint32)
        return fgrad.numpy.take(weight, inputs, axis=0)

    return layer(init, apply)


@boundary
def embedding_bag(
    num: int, features: int, mode: str = "mean", *, weight_init: Initializer | None = None
) -> Layer:
    """Combine the vectors of the integers along the last axis of the inputs to one vector.

    >>> from fgrad import random
    >>> embedding_bag(10, 4).init(random.key(0), (-1, 7))[0]
    (-1, 4)

    Args:
        num, features, weight_init: as for `embedding`.
        mode: "mean", "sum" or "max".
    """
    modes: dict[str, Any] = {"mean": np.mean, "sum": np.sum, "max": np.max}
    if mode not in modes:
        raise ArgumentError(
            "embedding_bag wants a mode.", describe(mode), 'pass "mean", "sum" or "max"'
        )
    table = embedding(num, features, weight_init=weight_init)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = check_input_shape(input_shape, "embedding_bag", (None,))
        return (*shape[:-1], features), table.init(key, shape, dtype)[1]

    def apply(params: PyTree, inputs: Any) -> Any:
        check_inputs(inputs, "embedding_bag", (None,))
        return modes[mode](table.apply(params, inputs), axis=-2)

    return layer(init, apply)


def _check_integers(inputs: Any, num: int, name: str) -> None:
    check_inputs(inputs, name)
    if inputs.dtype.kind not in "iu":
        raise DtypeError(
            f"{name} wants integers.",
            describe(inputs),
            "convert them with .astype(int); for real numbers there is dense",
        )
    if is_a(inputs, np.ndarray) and inputs.size:
        low, high = int(inputs.min()), int(inputs.max())
        if low < 0 or high >= num:
            raise DomainError(
                f"{name} wants integers from 0 to {num - 1}.",
                f"numbers from {low} to {high}",
                "count from 0, and make the table as long as there are numbers",
            )
