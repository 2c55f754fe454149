"""Sums and maxima over windows: primitives, for the layers in `pooling`.

Each goes through the entries of the window, and takes for each entry the slice of the inputs that
it sees, for all windows at once.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fgrad

from ..masks import select
from .windows import Form, pad, under


def _entries(x: Any, form: Form, window: Sequence[int], value: Any = 0) -> Any:
    """What each entry of the window sees of x: (batch, *places, channels)."""
    places = form.places(x.shape[1:-1], window)
    x = pad(x, form.padding, value)
    for k in np.ndindex(*window):
        yield x[(slice(None), *under(k, slice(0, places[0]), places, form))]


def _spread(
    terms: Any, like: Any, form: Form, lengths: Sequence[int], window: Sequence[int],
    masks: Sequence[Any] | None = None,
) -> Any:  # fmt: skip
    """The transpose of `_entries`: add a term for each entry to where it was taken from.

    With masks only what they select of the terms.
    """
    wide = [n + lo + hi for n, (lo, hi) in zip(lengths, form.padding, strict=True)]
    places = like.shape[1:-1]
    apart = all(
        d == 1 and k <= s for d, k, s in zip(form.dilation, window, form.strides, strict=True)
    )
    covered = apart and all(
        k == s and p * s == n for k, s, p, n in zip(window, form.strides, places, wide, strict=True)
    )
    make = np.empty_like if covered else np.zeros_like
    out = make(like, order="C", shape=(like.shape[0], *wide, like.shape[-1]))
    for i, (k, term) in enumerate(zip(np.ndindex(*window), terms, strict=True)):
        place = out[(slice(None), *under(k, slice(0, places[0]), places, form))]
        if apart and masks is not None:  # each number is in one window at most
            select(term, masks[i], out=place)
        elif apart:
            place[...] = term
        else:
            place += term if masks is None else select(term, masks[i])
    return np.ascontiguousarray(pad(out, [(-lo, -hi) for lo, hi in form.padding]))


def _merged(
    p: Any, size: int, xs: Sequence[Any], batched: Sequence[bool], params: dict[str, Any]
) -> Any:
    """Batch rule: the axis in front goes into the batch."""
    xs = [
        x if b else np.broadcast_to(x, (size, *x.shape)) for x, b in zip(xs, batched, strict=True)
    ]
    flat = [np.reshape(x, (size * x.shape[1], *x.shape[2:])) for x in xs]
    out = CALLS[p.name](*flat, **params)
    return np.reshape(out, (size, xs[0].shape[1], *out.shape[1:]))


# ------------------------------------------------------------------ sums
def _window_sum(x: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    out = None
    for part in _entries(x, form, window):
        if out is None:
            out = np.array(part, order="C", copy=True)
        else:
            out += part
    return out


def _window_sum_back(g: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    return _spread((g for _ in np.ndindex(*window)), g, form, lengths, window)


window_sum: Callable[..., Any] = fgrad.linear(
    _window_sum, lambda g, x, **params: window_sum_back(g, **params),
    batch=_merged, name="window_sum",
)(lambda x, *, form, lengths, window: (
    (x,), {"form": form, "lengths": lengths, "window": window}
))  # fmt: skip
window_sum_back: Callable[..., Any] = fgrad.linear(
    _window_sum_back, lambda c, g, **params: window_sum(c, **params),
    batch=_merged, name="window_sum_back",
)(lambda g, *, form, lengths, window: (
    (g,), {"form": form, "lengths": lengths, "window": window}
))  # fmt: skip


# ------------------------------------------------------------------ the entries themselves
def _window_gather(x: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    return np.stack(list(_entries(x, form, window)), axis=-2)


def _window_scatter(g: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    parts = (g[..., k, :] for k in range(g.shape[-2]))
    return _spread(parts, g[..., 0, :], form, lengths, window)


window_gather: Callable[..., Any] = fgrad.linear(
    _window_gather, lambda g, x, **params: window_scatter(g, **params),
    batch=_merged, name="window_gather",
)(lambda x, *, form, lengths, window: (
    (x,), {"form": form, "lengths": lengths, "window": window}
))  # fmt: skip
window_scatter: Callable[..., Any] = fgrad.linear(
    _window_scatter, lambda c, g, **params: window_gather(c, **params),
    batch=_merged, name="window_scatter",
)(lambda g, *, form, lengths, window: (
    (g,), {"form": form, "lengths": lengths, "window": window}
))  # fmt: skip


# ------------------------------------------------------------------ maxima
def _lowest(x: Any) -> Any:
    return -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min


def _window_max(x: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    out = None
    for part in _entries(x, form, window, _lowest(x)):
        if out is None:
            out = np.array(part, order="C", copy=True)
        else:
            np.maximum(out, part, out=out)
    return out


def _ties(x: Any, top: Any, form: Form, window: Any) -> tuple[list[Any], Any]:
    """For each entry of the window where it is the greatest, and how many are; None for one each.

    Where no number is the greatest, for it is NaN, one is counted.
    """
    hits = [np.equal(part, top) for part in _entries(x, form, window, _lowest(x))]
    found = functools.reduce(np.logical_or, hits)
    if sum(map(np.count_nonzero, hits)) == np.count_nonzero(found):
        return hits, None
    count = hits[0].astype(np.uint8 if len(hits) < 256 else np.int64)
    for hit in hits[1:]:
        count += hit
    return hits, np.maximum(count, 1)


def _window_pick(t: Any, x: Any, top: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    """The mean of the entries of t where those of x are the greatest of a window."""
    hits, count = _ties(x, top, form, window)
    out = np.zeros_like(top, dtype=t.dtype, order="C")
    for part, hit in zip(_entries(t, form, window), hits, strict=True):
        out += select(part, hit)
    return out if count is None else out / count.astype(t.dtype)


def _window_pick_back(g: Any, x: Any, top: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    """The transpose: g goes to the greatest entry of each window, in parts if there are several."""
    hits, count = _ties(x, top, form, window)
    share = g if count is None else g / count.astype(g.dtype)
    return _spread((share for _ in hits), share, form, lengths, window, hits)


window_pick: Callable[..., Any] = fgrad.linear(
    _window_pick, lambda g, t, x, top, **params: (window_pick_back(g, x, top, **params),),
    batch=_merged, name="window_pick", operands=1,
)(lambda t, x, top, *, form, lengths, window: (
    (t, x, top), {"form": form, "lengths": lengths, "window": window}
))  # fmt: skip
window_pick_back: Callable[..., Any] = fgrad.linear(
    _window_pick_back, lambda c, g, x, top, **params: (window_pick(c, x, top, **params),),
    batch=_merged, name="window_pick_back", operands=1,
)(lambda g, x, top, *, form, lengths, window: (
    (g, x, top), {"form": form, "lengths": lengths, "window": window}
))  # fmt: skip
window_max = fgrad.primitive(
    _window_max, name="window_max", batch=_merged,
    jvp=lambda ts, ans, x, **params: window_pick(ts[0], x, ans, **params),
    vjp=[lambda g, ans, x, **params: window_pick_back(g, x, ans, **params)],
)(lambda x, *, form, lengths, window: (
    (x,), {"form": form, "lengths": lengths, "window": window}
))  # fmt: skip

CALLS = {
    "window_sum": window_sum, "window_sum_back": window_sum_back, "window_pick": window_pick,
    "window_gather": window_gather, "window_scatter": window_scatter,
    "window_pick_back": window_pick_back, "window_max": window_max,
}  # fmt: skip
