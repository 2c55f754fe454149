"""Activations, and the functions of logits: stable at any argument, each with a rule of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

import fgrad
from fgrad.errors import DtypeError, ShapeError, describe


def _relu(x: Any) -> Any:
    """max(x, 0); its derivative at 0 is 0.

    >>> import numpy as np, fgrad
    >>> relu(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    >>> fgrad.grad(relu)(0.0)
    0.0
    """
    return np.maximum(x, 0)


relu = fgrad.elementwise(_relu, lambda t, ans, x: np.where(np.greater(x, 0), t, 0), name="relu")


def _sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), to full precision for negative x too.

    >>> sigmoid(0.0), bool(sigmoid(-40.0) > 4e-18)
    (np.float64(0.5), True)
    """
    e = np.exp(-np.abs(x))
    return np.where(np.greater_equal(x, 0), 1.0, e)[()] / (1 + e)


sigmoid = fgrad.elementwise(_sigmoid, lambda ans, x: ans * _sigmoid(-x), name="sigmoid")


def softplus(x: Any) -> Any:
    """log(1 + exp(x)), which doesn't overflow.

    >>> softplus(1000.0)
    np.float64(1000.0)

    Args:
        x: real arrays of any shape.
    """
    return np.logaddexp(x, 0.0)


# ------------------------------------------------------------------ functions along an axis
def _top(x: Any, axis: int) -> Any:
    """The greatest entry, to be taken away before exp; 0 where it is infinite."""
    top = np.max(x, axis=axis, keepdims=True)
    return np.where(np.isfinite(top), top, 0)


def _softmax_of(x: Any, axis: int) -> Any:
    e = np.exp(x - np.max(x, axis=axis, keepdims=True))
    return e / np.sum(e, axis=axis, keepdims=True)


def _softmax_pull(g: Any, ans: Any, x: Any, axis: int) -> Any:
    c = g * ans
    return c - ans * np.sum(c, axis=axis, keepdims=True)


def _log_softmax_of(x: Any, axis: int) -> Any:
    shifted = x - _top(x, axis)
    return shifted - np.log(np.sum(np.exp(shifted), axis=axis, keepdims=True))


def _logsumexp_of(x: Any, axis: int, keepdims: bool) -> Any:
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


_softmax = fgrad.primitive(
    _softmax_of, name="softmax",
    jvp=lambda ts, ans, x, axis: _softmax_pull(ts[0], ans, x, axis), vjp=[_softmax_pull],
)(lambda x, axis: ((x,), {"axis": axis}))  # fmt: skip
_log_softmax = fgrad.primitive(
    _log_softmax_of, name="log_softmax",
    jvp=lambda ts, ans, x, axis: ts[0] - np.sum(np.exp(ans) * ts[0], axis=axis, keepdims=True),
    vjp=[lambda g, ans, x, axis: g - np.exp(ans) * np.sum(g, axis=axis, keepdims=True)],
)(lambda x, axis: ((x,), {"axis": axis}))  # fmt: skip
_logsumexp = fgrad.primitive(_logsumexp_of, name="logsumexp", jvp=_sum_jvp, vjp=[_sum_vjp])(
    lambda x, axis, keepdims: ((x,), {"axis": axis, "keepdims": keepdims})
)


def _along(x: Any, axis: int, name: str) -> int:
    """The axis counted from the end, so that a batch axis in front leaves it as it is."""
    n = np.ndim(x)
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)) or not -n <= axis < n:
        raise ShapeError(
            f"{name} wants one axis of its argument.",
            f"axis={axis!r} for {describe(x)}",
            f"give an integer from {-n} to {n - 1}" if n else "pass an array that has axes",
        )
    return int(axis) - n if axis >= 0 else int(axis)


def softmax(x: Any, axis: int = -1) -> Any:
    """exp(x) divided by its sum along an axis.

    >>> softmax(np.array([1000.0, 1000.0]))
    array([0.5, 0.5])

    Args:
        x: real logits.
        axis: the axis of the classes.

    Returns:
        An array like x, whose sums along the axis are 1.

    Raises:
        ShapeError: x has no such axis.
    """
    return _softmax(x, _along(x, axis, "softmax"))


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of `softmax`, which is finite where the softmax underflows.

    >>> log_softmax(np.array([0.0, -1000.0]))
    array([    0., -1000.])

    Args, Returns, Raises: see `softmax`.
    """
    return _log_softmax(x, _along(x, axis, "log_softmax"))


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
    places = np.expand_dims(np.asarray(x) if isinstance(x, int) else x, -1)
    out = np.equal(places, np.arange(num_classes)).astype(dtype)
    return out if axis == -1 else np.moveaxis(out, -1, axis)
