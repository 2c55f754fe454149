"""Connectionist temporal classification: labels of a sequence whose places in it aren't known."""

from __future__ import annotations

from typing import Any

import numpy as np

import fgrad
from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.errors import ArgumentError, DomainError, DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from ..activations import log_softmax
from ..layers.recurrent import lengths_mask
from .checking import floating, kind_of, reduced


@boundary
def ctc_loss(
    logits: Any, labels: Any, logit_lengths: Any = None, label_lengths: Any = None, *,
    blank: int = 0, weights: Any = None, reduction: str = "mean",
) -> Any:  # fmt: skip
    """Minus the log of the probability of all paths that spell the labels: Graves et al. 2006.

    A path has a class at each time; it spells what is left when repetitions and then blanks are
    taken away. Its probability is the product of those of its classes. The sum over all paths is
    that of the paper's section 4.1, in logarithms.

    >>> ctc_loss(np.zeros((1, 2, 3)), np.array([[1]])).round(4)  # 11, 1-, -1: of 9 paths 3
    np.float64(1.0986)

    Args:
        logits: scores before the softmax, of shape (batch, time, classes).
        labels: integers of shape (batch, n), none of them the blank.
        logit_lengths: how many times of each sequence count, integers of shape (batch,); all by
            default.
        label_lengths: how many of its labels; all by default.
        blank: the class that stands for nothing.
        weights, reduction: as for `mean_squared_error`; values are of shape (batch,). PyTorch's
            mean divides each by the number of its labels, this one, as optax's, doesn't.

    Returns:
        A number; inf, with gradient 0, of a sequence that is too short to spell its labels.

    Raises:
        ShapeError, DtypeError: as for `cross_entropy`.
        DomainError: a label that counts is the blank, or no class.
    """
    name = "ctc_loss"
    shape = np.shape(floating(name, logits, "logits"))
    if kind_of(labels) not in tuple("iu") or not hasattr(labels, "dtype"):
        raise DtypeError(
            f"{name} wants labels that are integers.", describe(labels), "use .astype(int)"
        )
    if len(shape) != 3 or np.ndim(labels) != 2 or np.shape(labels)[0] != shape[0]:
        raise ShapeError(
            f"{name} wants logits of shape (batch, time, classes) and labels of shape (batch, n).",
            f"the shapes {shape} and {np.shape(labels)}",
            "pad sequences and labels, and pass their lengths",
        )
    n = np.shape(labels)[1]
    kept = None if label_lengths is None else lengths_mask(label_lengths, np.shape(labels), name)
    _check_labels(name, labels, kept, blank, shape[-1])
    labels = labels if kept is None else np.where(kept, labels, blank)
    counts = home(labels).full(shape[:1], n) if label_lengths is None else label_lengths
    times = None if logit_lengths is None else lengths_mask(logit_lengths, shape[:2], name)
    values = -_log_likelihood(log_softmax(logits), labels, times, counts, blank)
    return reduced(name, values, weights, reduction)


def _check_labels(name: str, labels: Any, kept: Any, blank: int, classes: int) -> None:
    if not is_a(blank, int) or not 0 <= blank < classes:
        raise ArgumentError(
            f"{name} wants a blank that is one of the {classes} classes.",
            describe(blank),
            f"pass a number from 0 to {classes - 1}",
        )
    if not is_a(labels, np.ndarray) or not (kept is None or is_a(kept, np.ndarray)):
        return
    seen = labels if kept is None else labels[kept]
    if seen.size and (seen.min() < 0 or seen.max() >= classes or np.any(seen == blank)):
        raise DomainError(
            f"{name} wants labels from 0 to {classes - 1}, without the blank, {blank}.",
            f"labels from {seen.min()} to {seen.max()}",
            "say with label_lengths= which labels are padding; blank= names another blank",
        )


# ------------------------------------------------------------------ one step of all paths
def _later(x: Any, by: int, fill: float) -> Any:
    """X moved on by a number of places."""
    by = min(by, x.shape[-1])
    return np.concatenate([np.full_like(x[..., :by], fill), x[..., : x.shape[-1] - by]], axis=-1)


def _sooner(x: Any, by: int) -> Any:
    """The transpose of `_later`."""
    by = min(by, x.shape[-1])
    return np.concatenate([x[..., by:], np.zeros_like(x[..., :by])], axis=-1)


def _ways(alpha: Any, jump: Any) -> list[Any]:
    """What comes to each place: from itself, from the one before, over a blank."""
    over = np.where(jump, _later(alpha, 2, -np.inf), -np.inf)
    return [alpha, _later(alpha, 1, -np.inf), over]


def _advance_of(alpha: Any, emitted: Any, jump: Any) -> Any:
    stay, one, two = _ways(alpha, jump)
    return np.logaddexp(np.logaddexp(stay, one), two) + emitted


def _parts(ans: Any, alpha: Any, emitted: Any, jump: Any) -> list[Any]:
    """What each way has in the sum; nothing where the sum is 0."""
    some = np.isfinite(ans)
    total = np.where(some, ans, 0) - np.where(some, emitted, 0)
    return [np.exp(np.where(some, x, -np.inf) - total) for x in _ways(alpha, jump)]


def _advance_jvp(ts: Any, ans: Any, alpha: Any, emitted: Any, jump: Any) -> Any:
    ta, te = ts[0], ts[1]
    if ta is None:
        return te
    parts = _parts(ans, alpha, emitted, jump)
    t = sum(w * (_later(ta, k, 0.0) if k else ta) for k, w in enumerate(parts))
    return t if te is None else t + te


def _advance_vjp(g: Any, ans: Any, alpha: Any, emitted: Any, jump: Any) -> Any:
    stay, one, two = _parts(ans, alpha, emitted, jump)
    return g * stay + _sooner(g * one, 1) + _sooner(g * two, 2)


_advance = fgrad.primitive(
    _advance_of, name="ctc_step", jvp=_advance_jvp,
    vjp=[_advance_vjp, lambda g, ans, alpha, emitted, jump: g, None],
)(lambda alpha, emitted, jump: ((alpha, emitted, jump), {}))  # fmt: skip


def _log_likelihood(log_p: Any, labels: Any, times: Any, counts: Any, blank: int) -> Any:
    """The log probability of the labels of each sequence.

    Labels stand between blanks: - a - b -. A path is at one of these 2 n + 1 places, and goes on
    by 0 or 1, or by 2 over a blank between different labels.
    """
    batch, steps, _ = np.shape(log_p)
    n = np.shape(labels)[1]
    there = home(log_p, labels)
    blanks = there.full((batch, n, 1), blank, labels.dtype)
    pairs = np.concatenate([blanks, np.expand_dims(labels, -1)], axis=-1)
    places = np.concatenate([np.reshape(pairs, (batch, 2 * n)), blanks[:, :1, 0]], axis=-1) if (
        n
    ) else there.full((batch, 1), blank)  # fmt: skip
    size = 2 * n + 1
    index = np.broadcast_to(np.expand_dims(places, 1), (batch, steps, size))
    emitted = np.moveaxis(np.take_along_axis(log_p, index, axis=-1), 1, 0)
    # over a blank: to a label that isn't the one before
    jump = np.concatenate(
        [there.zeros((batch, 2), bool), np.not_equal(places[:, 2:], places[:, :-2])], axis=-1
    )[:, :size]
    dtype = log_p.dtype
    numbers = there.arange(size)
    start = np.broadcast_to(np.where(numbers == 0, 0.0, -np.inf).astype(dtype), (batch, size))

    def step(alpha: Any, xs: Any) -> tuple[Any, None]:
        log_e, now = xs
        new = _advance(alpha, log_e, jump)
        return (new if now is None else np.where(now, new, alpha)), None

    now = None if times is None else np.expand_dims(np.moveaxis(times, 1, 0), -1)
    # Before the first time a path stands at the first blank, from which it may go on to a label.
    alpha, _ = fgrad.scan(step, start, (emitted, now))
    last = np.expand_dims(2 * counts, -1)
    ends = np.logical_or(
        np.equal(numbers, last),
        np.logical_and(np.equal(numbers, last - 1), np.greater(last, 0)),
    )
    total = np.where(ends, alpha, -np.inf)
    top = fgrad.stop_gradient(np.max(total, axis=-1, keepdims=True))
    possible = np.isfinite(top)
    shown = np.where(possible, total - np.where(possible, top, 0), 0)
    sums = np.log(np.sum(np.exp(shown), axis=-1)) + np.where(possible, top, 0)[:, 0]
    return np.where(possible[:, 0], sums, -np.inf)
