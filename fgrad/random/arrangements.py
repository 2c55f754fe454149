"""Random orders, and random entries of arrays. The entries keep their derivatives."""

from __future__ import annotations

import math
import operator
from typing import Any

import numpy as np

from ..arrays import from_end, ndim_of, shape_of
from ..core import Tracer
from ..errors import ArgumentError, DomainError, ShapeError, describe
from ..ops.casts import stop_gradient_leaf
from ..ops.index import take, take_along_axis
from ..tracebacks import boundary
from .arguments import check_key, check_shape, parameter, probability, require
from .continuous import waiting
from .counting import random_integers
from .keys import use
from .normals import random_open_uniform, random_words

_DOUBLE = np.dtype(np.float64)


@boundary
def permutation(key: Any, x: Any, axis: int = 0, independent: bool = False) -> Any:
    """An array in random order, all orders equally likely.

    >>> from fgrad import random
    >>> random.permutation(random.key(0), 5)
    array([1, 4, 0, 3, 2])

    Args:
        key: a key.
        x: an array, with derivatives, or an integer n for the numbers 0 to n - 1.
        axis: the axis along which it is shuffled.
        independent: give each vector along the axis an order of its own.
    """
    check_key(key, "permutation")
    x = _items(x, "permutation")
    axis = from_end(axis, ndim_of(x))
    use(key, "permutation")
    if independent:
        order = np.argsort(random_words(key, shape=shape_of(x)), axis=axis, kind="stable")
        return take_along_axis(x, order, axis)
    return take(x, _order(key, shape_of(x)[axis]), axis=axis)


@boundary
def choice(
    key: Any, a: Any, shape: Any = (), replace: bool = True, p: Any = None, axis: int = 0
) -> Any:
    """Entries of an array, chosen with or without replacement.

    Args:
        key: a key.
        a: an array, with derivatives, or an integer n for the numbers 0 to n - 1.
        shape: the shape of the sample, which stands in place of the axis.
        replace: whether an entry may come twice.
        p: the probabilities of the entries, a vector whose sum is 1; all equally likely, unless
            given.
        axis: the axis along which entries are chosen.

    Raises:
        DomainError: p has negative numbers, or its sum is not 1; or more entries than there are
            are wanted without replacement.
    """
    check_key(key, "choice")
    a = _items(a, "choice")
    axis = from_end(axis, ndim_of(a))
    axes = check_shape(shape, "choice")
    n, size = shape_of(a)[axis], math.prod(axes)
    if size > (0 if n == 0 else math.inf if replace else n):
        raise DomainError(
            "`choice` wants no more entries than there are"
            f"{'' if n == 0 else ', without replacement'}.",
            f"shape={axes} of {n} entries",
            "give a smaller shape" + ("" if n == 0 else ", or replace=True"),
        )
    if p is not None:
        p = _chances(p, n, 0 if replace else size)
    use(key, "choice")
    if p is None:
        index = (
            random_integers(key, np.zeros(size, np.int64), np.full(size, n - 1))
            if replace
            else _order(key, n)[:size]
        )
    elif replace:
        index = _by_chance(key, p, size)
    else:
        # The greatest of log(p) + Gumbel noise, as if they were drawn one after the other.
        never = np.equal(p, 0)
        logits = np.where(never, -np.inf, np.log(np.where(never, 1.0, p)))
        index = np.argsort(np.log(waiting(key, (n,))) - logits, kind="stable")[:size]
    entries = take(a, index, axis=axis)
    front, back = shape_of(a)[:axis], shape_of(a)[axis:][1:]
    return np.reshape(entries, (*front, *axes, *back))


def _order(key: Any, n: int) -> Any:
    """The numbers 0 to n - 1 in random order: that of n words."""
    return np.argsort(random_words(key, shape=(n,)), axis=-1, kind="stable")


def _by_chance(key: Any, p: Any, size: int) -> Any:
    """Indices, by the inverse of the distribution function."""
    total = np.cumsum(p, axis=-1)
    u = random_open_uniform(key, shape=(size,))
    return np.searchsorted(total / total[-1], u, side="right")


def _chances(p: Any, n: int, least: int) -> Any:
    """A vector of n probabilities, of which so many are not 0."""
    given = getattr(p, "dtype", _DOUBLE)
    p = stop_gradient_leaf(parameter(p, _DOUBLE, "choice"))
    slack = math.sqrt(np.finfo(given if given.kind == "f" else _DOUBLE).eps)
    if shape_of(p) != (n,):
        raise ShapeError(
            "`choice` wants a probability for each entry.",
            f"p of shape {shape_of(p)} for {n} entries",
            "give a vector of that length",
        )
    probability("choice", "p", p)
    require(
        "choice", "probabilities p whose sum is 1", lambda s: np.abs(s - 1) > slack, np.sum(p),
        to_do="divide them by their sum: p / p.sum()",
    )  # fmt: skip
    require(
        "choice", f"{least} entries of a probability > 0, without replacement",
        lambda count: count < least, np.sum(np.greater(p, 0)),
        to_do="give a smaller shape, or replace=True",
    )  # fmt: skip
    return p


def _items(x: Any, name: str) -> Any:
    """An array with axes, of one or of the count of its entries."""
    if not isinstance(x, Tracer) and not np.ndim(x):
        try:
            count = operator.index(np.asarray(x)[()])
        except TypeError:
            count = -1
        if count < 0:
            raise ArgumentError(
                f"`{name}` wants an array, or an integer that is not negative.",
                describe(x),
                "give an array with an axis, or n for np.arange(n)",
            )
        return np.arange(count, dtype=np.int64)
    if not shape_of(x) and isinstance(x, Tracer):
        raise ArgumentError(
            f"`{name}` wants an array with an axis.",
            describe(x),
            "a traced value cannot be a length: give np.arange(n) for a known n",
        )
    return x if hasattr(x, "dtype") else np.asarray(x)
