"""Activations, and the functions of logits: stable at any argument, each with a rule of its own.

Those of single numbers are in `activations_smooth` and `activations_piecewise`, and in here too.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import fgrad
from fgrad import random
from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.errors import DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from .activations_piecewise import hard_shrink as hard_shrink
from .activations_piecewise import hard_sigmoid as hard_sigmoid
from .activations_piecewise import hard_silu as hard_silu
from .activations_piecewise import hard_swish as hard_swish
from .activations_piecewise import hard_tanh as hard_tanh
from .activations_piecewise import leaky_relu as leaky_relu
from .activations_piecewise import relu as relu
from .activations_piecewise import relu6 as relu6
from .activations_piecewise import soft_shrink as soft_shrink
from .activations_piecewise import sparse_plus as sparse_plus
from .activations_piecewise import sparse_sigmoid as sparse_sigmoid
from .activations_piecewise import tanh_shrink as tanh_shrink
from .activations_piecewise import threshold as threshold
from .activations_smooth import celu as celu
from .activations_smooth import elu as elu
from .activations_smooth import gelu as gelu
from .activations_smooth import log_sigmoid as log_sigmoid
from .activations_smooth import mish as mish
from .activations_smooth import selu as selu
from .activations_smooth import sigmoid as sigmoid
from .activations_smooth import silu as silu
from .activations_smooth import soft_sign as soft_sign
from .activations_smooth import softplus as softplus
from .activations_smooth import softsign as softsign
from .activations_smooth import squareplus as squareplus
from .activations_smooth import swish as swish
from .masks import fractional
from .softmaxes import masked_softmax, plain_softmax


# ------------------------------------------------------------------ functions along an axis
def _top(x: Any, axis: int) -> Any:
    """The greatest entry, to be taken away before exp; 0 where it is infinite."""
    top = np.max(x, axis=axis, keepdims=True)
    return np.where(np.isfinite(top), top, 0)


def _log_softmax_of(x: Any, axis: int) -> Any:
    x = fractional(x)
    shifted = x - _top(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _logsumexp_of(x: Any, axis: int, keepdims: bool) -> Any:
    x = fractional(x)
    top = _top(x, axis)
    with np.errstate(divide="ignore"):  # log(0) is right where all entries are -inf
        out = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return out if keepdims else np.squeeze(out, axis)


def _shares(ans: Any, x: Any, axis: int, keepdims: bool) -> Any:
    """The derivative of logsumexp: what each entry has in the sum; infinite ones share it."""
    ans = ans if keepdims else np.expand_dims(ans, axis)
    finite = np.isfinite(ans)
    mine = np.equal(x, ans).astype(x.dtype)
    even = mine / np.maximum(np.sum(mine, axis=axis, keepdims=True), 1)
    return np.where(finite, np.exp(x - np.where(finite, ans, 0)), even)


def _sum_jvp(ts: Any, ans: Any, x: Any, axis: int, keepdims: bool) -> Any:
    return np.sum(_shares(ans, x, axis, keepdims) * ts[0], axis=axis, keepdims=keepdims)


def _sum_vjp(g: Any, ans: Any, x: Any, axis: int, keepdims: bool) -> Any:
    return (g if keepdims else np.expand_dims(g, axis)) * _shares(ans, x, axis, keepdims)


_log_softmax = fgrad.primitive(
    _log_softmax_of, name="log_softmax", formula=_log_softmax_of,
    jvp=lambda ts, ans, x, axis: ts[0] - np.sum(np.exp(ans) * ts[0], axis=axis, keepdims=True),
    vjp=[lambda g, ans, x, axis: g - np.exp(ans) * np.sum(g, axis=axis, keepdims=True)],
)(lambda x, axis: ((x,), {"axis": axis}))  # fmt: skip
_logsumexp = fgrad.primitive(
    _logsumexp_of, name="logsumexp", jvp=_sum_jvp, vjp=[_sum_vjp], formula=_logsumexp_of
)(lambda x, axis, keepdims: ((x,), {"axis": axis, "keepdims": keepdims}))


def _along(x: Any, axis: int, name: str) -> int:
    """The axis counted from the end, so that a batch axis in front leaves it as it is."""
    n = np.ndim(x)
    if is_a(axis, bool) or not is_a(axis, (int, np.integer)) or not -n <= axis < n:
        raise ShapeError(
            f"{name} wants one axis of its argument.",
            f"axis={axis!r} for {describe(x)}",
            f"give an integer from {-n} to {n - 1}" if n else "pass an array that has axes",
        )
    return int(axis) - n if axis >= 0 else int(axis)


@boundary
def softmax(x: Any, axis: int = -1, where: Any = None) -> Any:
    """exp(x) divided by its sum along an axis.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    >>> softmax(np.array([3.0, 3.0, 9.0]), where=np.array([True, True, False]))
    array([0.5, 0.5, 0. ])

    Args:
        x: real logits.
        axis: the axis of the classes.
        where: an array of booleans that broadcasts to x: False is left out, and gets 0. Where
            all are left out, all get 0; in JAX they get NaN.

    Returns:
        An array like x, whose sums along the axis are 1.

    Raises:
        ShapeError: x has no such axis.
    """
    axis = _along(x, axis, "softmax")
    return plain_softmax(x, axis) if where is None else masked_softmax(x, where, axis)


@boundary
def softmin(x: Any, axis: int = -1) -> Any:
    """The `softmax` of -x.

    >>> softmin(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])
    """
    return plain_softmax(-fractional(x), _along(x, axis, "softmin"))


@boundary
def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of `softmax`, which is finite where the softmax underflows.

    >>> log_softmax(np.array([0.0, -1000.0]))
    array([    0., -1000.])

    Args, Returns, Raises: see `softmax`.
    """
    return _log_softmax(x, _along(x, axis, "log_softmax"))


@boundary
def logsumexp(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) along an axis, or of all entries.

    >>> bool(np.isclose(logsumexp(np.array([1000.0, 1000.0])), 1000 + np.log(2)))
    True

    Args:
        x: a real array. `fgrad.scipy.special.logsumexp` takes weights and several axes too.
        axis: the axis that is summed over; all of them for None.
        keepdims: whether it stays, with length one.

    Raises:
        ShapeError: x has no such axis.
    """
    if axis is not None:
        return _logsumexp(x, _along(x, axis, "logsumexp"), keepdims)
    out = _logsumexp(np.reshape(x, (-1,)), -1, False)
    return np.reshape(out, (1,) * np.ndim(x)) if keepdims else out


@boundary
def one_hot(x: Any, num_classes: int, *, dtype: Any = np.float64, axis: int = -1) -> Any:
    """An array with a 1 in the place of each class, and 0 elsewhere.

    >>> one_hot(np.array([0, 2]), 3)
    array([[1., 0., 0.],
           [0., 0., 1.]])

    Args:
        x: integers, the numbers of the classes; others than 0 to num_classes - 1 have no 1.
        num_classes: the length of the new axis.
        dtype: that of the result; JAX's default is float32.
        axis: where the new axis stands.

    Raises:
        DtypeError: x isn't made of integers.
    """
    if getattr(x, "dtype", np.result_type(type(x))).kind not in "iu":
        raise DtypeError(
            "one_hot wants the numbers of classes as integers.",
            describe(x),
            "convert them with .astype(int); for probabilities use them as they are",
        )
    places = np.expand_dims(np.asarray(x) if is_a(x, int) else x, -1)
    out = np.equal(places, home(x).arange(num_classes)).astype(dtype)
    return out if axis == -1 else np.moveaxis(out, -1, axis)


@boundary
def logmeanexp(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """log(mean(exp(x))) along an axis, or of all entries.

    >>> logmeanexp(np.array([1000.0, 1000.0]))
    np.float64(1000.0)

    Args, Raises: see `logsumexp`.
    """
    n = np.size(x) if axis is None else np.shape(x)[_along(x, axis, "logmeanexp")]
    return logsumexp(x, axis, keepdims) - float(np.log(n))


def _log1mexp_of(x: Any) -> Any:
    near = np.less(x, np.log(2.0))
    with np.errstate(divide="ignore"):  # log(0) is right at 0
        low = np.log(-np.expm1(-np.where(near, x, 1)))
    return np.where(near, low, np.log1p(-np.exp(-np.where(near, 1, x))))


_log1mexp = fgrad.elementwise(
    _log1mexp_of, lambda t, ans, x: t / np.expm1(x), name="log1mexp",
    formula=_log1mexp_of,
)  # fmt: skip


@boundary
def log1mexp(x: Any) -> Any:
    """log(1 - exp(-x)) for x >= 0, to full precision near 0 and far out: Maechler 2012.

    >>> bool(np.isclose(log1mexp(np.array(1e-20)), np.log(1e-20)))
    True
    """
    return _log1mexp(x)


@boundary
def glu(x: Any, axis: int = -1) -> Any:
    """The first half along an axis times the sigmoid of the second: Dauphin et al. 2017.

    >>> glu(np.array([3.0, 0.0]))
    array([1.5])

    Raises:
        ShapeError: the axis isn't there, or its length is odd.
    """
    axis = _along(x, axis, "glu")
    n = x.shape[axis]
    if n % 2:
        raise ShapeError(
            "glu wants an axis of even length, which it halves.",
            f"axis={axis} of {describe(x)}",
            "make the layer before it twice as wide as the result",
        )
    first, second = np.split(x, 2, axis=axis)
    return first * sigmoid(second)


@boundary
def gumbel_softmax(
    key: Any, logits: Any, temperature: float = 1.0, hard: bool = False, axis: int = -1
) -> Any:
    """A random choice by logits, softened so that it has a derivative.

    Jang, Gu & Poole 2017; Maddison, Mnih & Teh 2017: the softmax of logits plus Gumbel noise.

    >>> from fgrad import random
    >>> gumbel_softmax(random.key(0), np.zeros(3), hard=True)
    array([0., 0., 1.])

    Args:
        key: a key of fgrad.random.
        logits: real numbers.
        temperature: the smaller, the closer to a choice of one.
        hard: whether to return the choice itself; its derivative is that of the softened one.
        axis: the axis of the classes.
    """
    axis = _along(logits, axis, "gumbel_softmax")
    noise = random.gumbel(key, np.shape(logits), logits.dtype)
    soft = plain_softmax((logits + noise) / temperature, axis)
    if not hard:
        return soft
    one = one_hot(np.argmax(soft, axis=axis), soft.shape[axis], dtype=soft.dtype, axis=axis)
    return soft + fgrad.stop_gradient(one - soft)


def _sparsemax_of(x: Any, axis: int) -> Any:
    z = np.flip(np.sort(x, axis=axis), axis)
    n = x.shape[axis]
    ranks = home(x).arange(1, n + 1, dtype=x.dtype).reshape(-1, *(1,) * (-1 - axis))
    excess = np.cumsum(z, axis=axis) - 1
    size = np.sum(np.greater(ranks * z, excess), axis=axis, keepdims=True)
    level = np.take_along_axis(excess, size - 1, axis=axis) / size.astype(x.dtype)
    return np.maximum(x - level, 0)


def _sparsemax_pull(g: Any, ans: Any, axis: int) -> Any:
    support = np.greater(ans, 0).astype(g.dtype)
    mean = np.sum(support * g, axis=axis, keepdims=True) / np.sum(support, axis=axis, keepdims=True)
    return support * (g - mean)


_sparsemax = fgrad.primitive(
    _sparsemax_of, name="sparsemax", formula=_sparsemax_of,
    jvp=lambda ts, ans, x, axis: _sparsemax_pull(ts[0], ans, axis),
    vjp=[lambda g, ans, x, axis: _sparsemax_pull(g, ans, axis)],
)(lambda x, axis: ((x,), {"axis": axis}))  # fmt: skip


@boundary
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The point of the probability simplex that is nearest to x: Martins & Astudillo 2016.

    >>> sparsemax(np.array([1.0, 0.8, -1.0]))
    array([0.6, 0.4, 0. ])

    Args, Returns, Raises: see `softmax`; unlike there, most results are 0.
    """
    return _sparsemax(x, _along(x, axis, "sparsemax"))
