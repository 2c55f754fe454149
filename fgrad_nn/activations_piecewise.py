"""Activations made of pieces: their derivative at a kink is the smaller one of both sides."""

from __future__ import annotations

from typing import Any

import numpy as np

import fgrad
from fgrad.tracebacks import boundary

from .masks import keep


def _relu(x: Any) -> Any:
    """max(x, 0); its derivative at 0 is 0.

    >>> import numpy as np, fgrad
    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    >>> fgrad.grad(relu)(0.0)
    0.0
    """
    return np.maximum(x, 0)


relu = fgrad.elementwise(
    _relu, lambda t, ans, x: keep(t, np.greater(ans, 0)), name="relu", formula=True
)


def _inside(x: Any, low: float, high: float) -> Any:
    """Where low < x < high."""
    return np.logical_and(np.greater(x, low), np.less(x, high))


_relu6 = fgrad.elementwise(
    lambda x: np.clip(x, 0, 6), lambda t, ans, x: np.where(_inside(x, 0, 6), t, 0), name="relu6",
    formula=True,
)  # fmt: skip


@boundary
def relu6(x: Any) -> Any:
    """min(max(x, 0), 6): Krizhevsky 2010.

    >>> relu6(np.array([-1.0, 2.0, 8.0]))
    array([0., 2., 6.])
    """
    return _relu6(x)


def _gentler(slope: Any) -> Any:
    """Of the slopes between 1 and another the one nearest to 0."""
    return np.clip(slope, 0, 1)


_leaky_relu = fgrad.elementwise(
    lambda x, slope: np.where(np.greater(x, 0), x, slope * x),
    lambda ans, x, slope: np.where(
        np.greater(x, 0), 1, np.where(np.equal(x, 0), _gentler(slope), slope)
    ),
    lambda ans, x, slope: np.where(np.greater(x, 0), 0, x),
    name="leaky_relu",
    formula=True,
)


@boundary
def leaky_relu(x: Any, negative_slope: Any = 0.01) -> Any:
    """X above 0, negative_slope * x below: Maas, Hannun & Ng 2013.

    >>> leaky_relu(np.array([-100.0, 2.0]))
    array([-1.,  2.])

    Args:
        x: real arrays of any shape.
        negative_slope: a number, or an array that broadcasts; it has a derivative too.
    """
    return _leaky_relu(x, negative_slope)


_hard_tanh = fgrad.elementwise(
    lambda x: np.clip(x, -1, 1), lambda t, ans, x: np.where(_inside(x, -1, 1), t, 0),
    name="hard_tanh", formula=True,
)  # fmt: skip


@boundary
def hard_tanh(x: Any) -> Any:
    """X, but not less than -1 and not more than 1.

    >>> hard_tanh(np.array([-3.0, 0.5, 2.0]))
    array([-1. ,  0.5,  1. ])
    """
    return _hard_tanh(x)


@boundary
def hard_sigmoid(x: Any) -> Any:
    """relu6(x + 3) / 6: Courbariaux, Bengio & David 2015, with the constants of MobileNetV3.

    >>> hard_sigmoid(np.array([-3.0, 0.0, 5.0]))
    array([0. , 0.5, 1. ])
    """
    return _relu6(x + 3) / 6


_hard_silu = fgrad.elementwise(
    lambda x: np.where(np.greater(x, -3), x, 0) * (np.clip(x, -3, 3) + 3) / 6,
    lambda ans, x: np.where(
        _inside(x, -3, 3), (2 * np.clip(x, -3, 3) + 3) / 6, np.greater_equal(x, 3)
    ),
    name="hard_silu",
    formula=True,
)


@boundary
def hard_silu(x: Any) -> Any:
    """X * hard_sigmoid(x), also called hard_swish: Howard et al. 2019, MobileNetV3.

    >>> hard_silu(np.array([-4.0, 0.0, 5.0]))
    array([0., 0., 5.])
    """
    return _hard_silu(x)


hard_swish = hard_silu


@boundary
def hard_shrink(x: Any, lambd: float = 0.5) -> Any:
    """X, or 0 where abs(x) <= lambd; it jumps there, and the derivative is 0.

    >>> hard_shrink(np.array([-2.0, 0.3, 0.5]))
    array([-2.,  0.,  0.])
    """
    return np.where(np.less_equal(np.abs(x), lambd), 0, x)


_soft_shrink = fgrad.elementwise(
    lambda x, lambd: x - np.clip(x, -lambd, lambd),
    lambda ans, x, lambd: np.greater(np.abs(x), lambd).astype(ans.dtype),
    lambda ans, x, lambd: -np.sign(ans),
    name="soft_shrink",
    formula=True,
)


@boundary
def soft_shrink(x: Any, lambd: Any = 0.5) -> Any:
    """X moved towards 0 by lambd, and 0 if it would pass it.

    >>> soft_shrink(np.array([-2.0, 0.3, 1.0]))
    array([-1.5,  0. ,  0.5])
    """
    return _soft_shrink(x, lambd)


@boundary
def tanh_shrink(x: Any) -> Any:
    """X - tanh(x).

    >>> tanh_shrink(np.array([0.0, 100.0]))
    array([ 0., 99.])
    """
    return x - np.tanh(x)


@boundary
def threshold(x: Any, threshold: float, value: float) -> Any:
    """X where it is greater than a threshold, a value elsewhere.

    >>> threshold(np.array([0.0, 2.0]), 1.0, -1.0)
    array([-1.,  2.])
    """
    return np.where(np.greater(x, threshold), x, value)


_sparse_plus = fgrad.elementwise(
    lambda x: np.where(
        np.less_equal(x, -1),
        0,
        np.where(np.greater_equal(x, 1), x, np.square(np.clip(x, -1, 1) + 1) / 4),
    ),
    lambda ans, x: sparse_sigmoid(x),
    name="sparse_plus",
    formula=True,
)


@boundary
def sparse_plus(x: Any) -> Any:
    """0 below -1, x above 1, a parabola between: the sparsemax of (x, 0) as softplus is to softmax.

    Martins & Astudillo 2016.

    >>> sparse_plus(np.array([-2.0, 0.0, 2.0]))
    array([0.  , 0.25, 2.  ])
    """
    return _sparse_plus(x)


@boundary
def sparse_sigmoid(x: Any) -> Any:
    """(x + 1) / 2, but not less than 0 and not more than 1: the derivative of `sparse_plus`.

    >>> sparse_sigmoid(np.array([-2.0, 0.0, 2.0]))
    array([0. , 0.5, 1. ])
    """
    return (_hard_tanh(x) + 1) / 2
