"""The cross entropy of logits and the numbers of the right classes, with a rule of its own.

Logits are taken relative to that of the right class, whose own term is left out of the sum: with
r = sum_{j != l} exp(x_j - x_l) the value is log(1 + r), and its derivatives are exp(x_j - x_l) /
(1 + r) and -r / (1 + r). Nothing cancels where the network is sure and right, and no maximum is
needed; where r is too great for a floating-point number the log-sum-exp is taken as usual.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import fgrad
from fgrad.core import home
from fgrad.errors import DomainError

from .activations import log_softmax, softmax
from .masks import given
from .softmaxes import CHUNK, is_plain, row_sums


def _terms(x: Any, labels: Any, place: Any = None) -> Iterator[tuple[slice, Any, Any, Any]]:
    """For some rows at a time: which, exp(x_j - x_l) but 0 for j = l, their sums, and the labels.

    With a place the first are written there, else in one that is used again.
    """
    # As unsigned numbers negative ones are too great, too; none of them may count from the end.
    if labels.size and labels.astype(np.uint64).max() >= x.shape[-1]:
        raise DomainError(
            f"Labels must be the numbers of classes, from 0 to {x.shape[-1] - 1}.",
            f"labels from {labels.min()} to {labels.max()}",
            "count classes from 0; ignore_index= names a label that doesn't count",
        )
    step = max(1, CHUNK // x.shape[-1])
    room = None if place is not None else np.empty((min(step, len(x)), x.shape[-1]), x.dtype)
    for i in range(0, len(x), step):
        rows = slice(i, i + step)
        part, mine = x[rows], labels[rows]
        to = place[rows] if room is None else room[: len(part)]
        each = np.arange(len(part))
        np.subtract(part, part[each, mine][:, None], out=to)
        np.exp(to, out=to)
        to[each, mine] = 0
        yield rows, to, row_sums(to), mine


def _known(x: Any, labels: Any) -> bool:
    return is_plain(x, -1) and type(labels) is np.ndarray


def _value_of(x: Any, labels: Any, *, out: Any = None) -> Any:
    if not _known(x, labels):
        return given(_formula(x, labels), out)
    out = np.empty(x.shape[:-1], x.dtype) if out is None else out
    flat, of, to = x.reshape(-1, x.shape[-1]), labels.reshape(-1), out.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, _, rest, _ in _terms(flat, of):
            np.log1p(rest[:, 0], out=to[rows])
            if (bad := _not_finite(rest, rows)) is not None:
                to[bad] = _formula(flat[bad], of[bad])
    return out


def _formula(x: Any, labels: Any) -> Any:
    return -np.take_along_axis(log_softmax(x), np.expand_dims(labels, -1), axis=-1)[..., 0]


def _pull_of(g: Any, x: Any, labels: Any, *, out: Any = None) -> Any:
    if not (_known(x, labels) and type(g) is np.ndarray and g.dtype == x.dtype):
        return given(_pull_formula(g, x, labels), out)
    out = np.empty(x.shape, x.dtype) if out is None else out
    n = x.shape[-1]
    flat, of, to, gs = x.reshape(-1, n), labels.reshape(-1), out.reshape(-1, n), g.reshape(-1, 1)
    with np.errstate(over="ignore", invalid="ignore"):
        for rows, part, rest, mine in _terms(flat, of, to):
            share = gs[rows] / (1 + rest)
            part *= share
            part[np.arange(len(part)), mine] = (-rest * share)[:, 0]
            if (bad := _not_finite(rest, rows)) is not None:
                to[bad] = _pull_formula(gs[bad, 0], flat[bad], of[bad])
    return out


def _not_finite(rest: Any, rows: slice) -> Any:
    """The numbers of the rows whose sums are NaN or infinite; None if there are none."""
    fine = np.isfinite(rest[:, 0])
    return None if np.all(fine) else rows.start + np.flatnonzero(~fine)


def _pull_formula(g: Any, x: Any, labels: Any) -> Any:
    right = np.equal(np.expand_dims(labels, -1), home(labels).arange(x.shape[-1]))
    return np.expand_dims(g, -1) * (softmax(x) - right.astype(x.dtype))


# ------------------------------------------------------------------ the primitives
def _spread(t: Any, x: Any) -> Any:
    """The derivative of the softmax of x, times t; it is symmetric."""
    p = softmax(x)
    return p * (t - np.sum(p * t, axis=-1, keepdims=True))


def _pull_push(ts: Any, g: Any, x: Any, labels: Any) -> Any:
    terms = [] if ts[0] is None else [_pull(ts[0], x, labels)]
    if ts[1] is not None:
        terms.append(np.expand_dims(g, -1) * _spread(ts[1], x))
    return sum(terms[1:], terms[0])


_pull: Callable[..., Any] = fgrad.primitive(
    _pull_of, name="label_cross_entropy_pull", writes=True,
    jvp=lambda ts, out, g, x, labels: _pull_push(ts, g, x, labels),
    vjp=[
        lambda c, out, g, x, labels: np.sum(_pull(np.ones_like(g), x, labels) * c, axis=-1),
        lambda c, out, g, x, labels: _spread(np.expand_dims(g, -1) * c, x),
        None,
    ],
)(lambda g, x, labels: ((g, x, labels), {}))  # fmt: skip
label_cross_entropy: Callable[..., Any] = fgrad.primitive(
    _value_of, name="label_cross_entropy", writes=True,
    jvp=lambda ts, ans, x, labels: np.sum(
        _pull(np.ones_like(ans), x, labels) * ts[0], axis=-1
    ),
    vjp=[lambda g, ans, x, labels: _pull(g, x, labels), None],
)(lambda x, labels: ((x, labels), {}))  # fmt: skip
