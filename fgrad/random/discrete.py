"""Discrete distributions: whether, which, how many. Constant in their parameters."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from ..arrays import from_end, ndim_of, shape_of
from ..core import Tracer
from ..errors import ArgumentError, DomainError, ShapeError, describe
from ..ops.casts import stop_gradient_leaf
from ..tracebacks import boundary
from .arguments import (
    check_key,
    integer_dtype,
    parameter,
    probability,
    require,
    sample_shape,
)
from .continuous import waiting
from .counting import random_binomial, random_geometric, random_integers, random_poisson
from .keys import divide, use
from .normals import random_uniform

_DOUBLE = np.dtype(np.float64)


def _start(
    key: Any, shape: Any, dtype: Any, name: str, *parameters: Any
) -> tuple[tuple[int, ...], np.dtype[Any], list[Any]]:
    """Take the key, the shape, the dtype of integers and the parameters from the user."""
    check_key(key, name)
    new = integer_dtype(dtype, name)
    values = [stop_gradient_leaf(parameter(x, _DOUBLE, name)) for x in parameters]
    axes = sample_shape(shape, name, *values)
    use(key, name)
    return axes, new, values


@boundary
def bernoulli(key: Any, p: Any = 0.5, shape: Any = None) -> Any:
    """True with probability p, else False.

    Args:
        key: a key.
        p: probabilities.
        shape: the shape of the sample; p's, unless given.
    """
    axes, _, (p,) = _start(key, shape, int, "bernoulli", p)
    probability("bernoulli", "p", p)
    return np.less(random_uniform(key, shape=axes, dtype=_DOUBLE), p)


@boundary
def categorical(key: Any, logits: Any, axis: int = -1, shape: Any = None) -> Any:
    """Indices i, with probabilities proportional to exp(logits[i]).

    The place of the greatest logit, with `gumbel` noise added to each.

    >>> from fgrad import random
    >>> random.categorical(random.key(0), np.log([0.3, 0.0001, 0.7]), shape=(8,))
    array([2, 2, 2, 0, 2, 0, 0, 0])

    Args:
        key: a key.
        logits: unnormalised logarithms of probabilities; -inf for what never comes.
        axis: the axis of the categories.
        shape: the shape of the sample, which ends with that of the logits without their axis;
            just this, unless given.

    Returns:
        int64 indices.
    """
    check_key(key, "categorical")
    logits = stop_gradient_leaf(parameter(logits, _DOUBLE, "categorical"))
    if not ndim_of(logits) or not shape_of(logits)[from_end(axis, ndim_of(logits))]:
        raise ShapeError(
            "`categorical` wants logits with an axis of categories, one at least.",
            describe(logits),
            "give an array of logits; bernoulli(key, p) is for a single probability",
        )
    logits = np.moveaxis(logits, axis, -1)
    *rest, n = shape_of(logits)
    axes = sample_shape(shape, "categorical", np.empty(rest))
    use(key, "categorical")
    noise = -np.log(waiting(key, (*axes, n)))
    return np.argmax(noise + logits, axis=-1)


@boundary
def randint(key: Any, shape: Any, minval: Any, maxval: Any, dtype: Any = int) -> Any:
    """Integers from minval to maxval - 1, all equally likely.

    >>> from fgrad import random
    >>> random.randint(random.key(0), (5,), 1, 7)
    array([4, 6, 3, 2, 5])

    Args:
        key: a key.
        shape: the shape of the sample, to which the bounds broadcast.
        minval: the least integer.
        maxval: the integer after the greatest.
        dtype: int64, unless given. (JAX's default is int32.)

    Raises:
        DomainError: there is no integer between the bounds, or the dtype can't hold them.
    """
    check_key(key, "randint")
    new = integer_dtype(dtype, "randint")
    low, last = _bound(minval, 0, new), _bound(maxval, 1, new)
    axes = sample_shape(shape, "randint", low, last)
    require(
        "randint", "minval < maxval", np.greater, low, last,
        to_do="maxval is the integer after the greatest",
    )  # fmt: skip
    use(key, "randint")
    return random_integers(key, np.broadcast_to(low, axes), np.broadcast_to(last, axes))


def _bound(x: Any, less: int, dtype: np.dtype[Any]) -> Any:
    """A bound as an array of the dtype, less 1 for the upper one, which may be one too large."""
    if isinstance(x, Tracer):
        traced: Any = x
        if traced.dtype.kind not in "iu":
            raise _no_integers(x)
        return traced.astype(dtype) - np.asarray(less, dtype)
    values = np.asarray(x)
    if values.dtype.kind not in "iuO":
        raise _no_integers(x)
    try:
        exact = [operator.index(v) - less for v in values.ravel().tolist()]
    except TypeError:
        raise _no_integers(x) from None
    limits = np.iinfo(dtype)
    wrong = [v for v in exact if not limits.min <= v <= limits.max + (less == 0)]
    # minval == maxval == the least integer: an empty interval, of which `randint` tells.
    if wrong and not (less and min(wrong) == limits.min - 1):
        raise DomainError(
            f"`randint` wants bounds that {dtype} can hold.",
            f"{wrong[0] + less}",
            "give a wider dtype",
        )
    if wrong:
        raise DomainError(
            "`randint` wants minval < maxval.",
            f"maxval={wrong[0] + less}, the least number of {dtype}",
            "maxval is the integer after the greatest",
        )
    return np.array(exact, dtype).reshape(values.shape)


def _no_integers(x: Any) -> ArgumentError:
    return ArgumentError(
        "`randint` wants bounds that are integers.", describe(x), "convert them with x.astype(int)"
    )


# ------------------------------------------------------------------ how many
def _narrow(counts: Any, dtype: np.dtype[Any]) -> Any:
    """Counts in a dtype, of which the greatest stands for those that are too large for it."""
    if dtype.itemsize < 8:
        counts = np.minimum(counts, int(np.iinfo(dtype).max))
    return counts if dtype == np.int64 else counts.astype(dtype)


@boundary
def poisson(key: Any, lam: Any, shape: Any = None, dtype: Any = int) -> Any:
    """How many events there are where lam are expected.

    Args:
        key: a key.
        lam: means, from 0 up to 2**62.
        shape: the shape of the sample; lam's, unless given.
        dtype: int64, unless given.

    Raises:
        DomainError: lam is negative. (Where its value is hidden, by vmap or in a graph, the
            sample is -1.)
    """
    axes, new, (lam,) = _start(key, shape, dtype, "poisson", lam)
    require(
        "poisson", "lam in [0, 2**62)", lambda x: (x < 0) | (x >= 2.0**62), lam,
        to_do="np.exp(x) makes any number positive",
    )  # fmt: skip
    return _narrow(random_poisson(key, np.broadcast_to(lam, axes)), new)


@boundary
def binomial(key: Any, n: Any, p: Any, shape: Any = None, dtype: Any = int) -> Any:
    """How many of n trials succeed, each with probability p.

    Args:
        key: a key.
        n: whole numbers, up to 2**53.
        p: probabilities.
        shape: the shape of the sample; that of the parameters together, unless given.
        dtype: int64, unless given. (JAX's default is float32.)

    Raises:
        DomainError: n is negative, or p is no probability. (Where they are hidden, by vmap or in
            a graph, the sample is -1.)
    """
    axes, new, (n, p) = _start(key, shape, dtype, "binomial", n, p)
    _whole("binomial", n)
    probability("binomial", "p", p)
    n, p = np.broadcast_to(n, axes), np.broadcast_to(p, axes)
    return _narrow(random_binomial(key, n, p), new)


def _whole(name: str, n: Any) -> None:
    require(
        name, "n to be whole numbers in [0, 2**53]",
        lambda x: (x < 0) | (x > 2.0**53) | (x != np.floor(x)), n,
        to_do="n counts trials: pass integers",
    )  # fmt: skip


@boundary
def multinomial(key: Any, n: Any, p: Any, *, shape: Any = None, dtype: Any = int) -> Any:
    """How often each of several outcomes comes in n trials.

    Args:
        key: a key.
        n: whole numbers.
        p: probabilities of the outcomes, shape (..., k); they are divided by their sum.
        shape: the shape of the sample without the last axis.
        dtype: int64, unless given. (JAX's default is float32.)

    Returns:
        Counts, shape (..., k), whose sum is n.
    """
    check_key(key, "multinomial")
    new = integer_dtype(dtype, "multinomial")
    left, p = (stop_gradient_leaf(parameter(x, _DOUBLE, "multinomial")) for x in (n, p))
    if not ndim_of(p) or not shape_of(p)[-1]:
        raise ShapeError(
            "`multinomial` wants a vector of probabilities, or several.",
            describe(p),
            "give p of shape (..., k); binomial(key, n, p) is for a single one",
        )
    axes = sample_shape(shape, "multinomial", left, np.empty(shape_of(p)[:-1]))
    _whole("multinomial", left)
    probability("multinomial", "p", p)
    use(key, "multinomial")
    k = shape_of(p)[-1]
    rest = np.flip(np.cumsum(np.flip(p, -1), -1), -1)  # of the outcomes from each on
    share = np.clip(np.where(rest > 0, p / np.where(rest > 0, rest, 1.0), 0.0), 0.0, 1.0)
    left, counts = np.broadcast_to(left, axes), []
    for i, one in zip(range(k - 1), divide(key, k), strict=False):
        count = random_binomial(one, left, np.broadcast_to(share[..., i], axes))
        counts.append(count)
        left = left - count
    counts.append(left.astype(np.int64))
    return _narrow(np.stack(counts, axis=-1), new)


@boundary
def geometric(key: Any, p: Any, shape: Any = None, dtype: Any = int) -> Any:
    """How many trials there are up to the first success, each with probability p > 0.

    Args:
        key: a key.
        p: probabilities, in (0, 1].
        shape: the shape of the sample; p's, unless given.
        dtype: int64, unless given.
    """
    axes, new, (p,) = _start(key, shape, dtype, "geometric", p)
    require(
        "geometric", "p in (0, 1]", lambda x: (x <= 0) | (x > 1), p,
        to_do="1 / (1 + np.exp(-x)) makes a probability of any number",
    )  # fmt: skip
    return _narrow(random_geometric(key, np.broadcast_to(p, axes)), new)
