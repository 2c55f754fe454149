"""Sums and maxima over windows: primitives, for the layers in `pooling`.

Sums and maxima are taken along one axis after the other. Their transposes go through the entries
of the window, and take for each entry the slice of the inputs that it sees, for all windows at
once; or row by row, where windows lie side by side.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fgrad
from fgrad.arrays import is_cupy, namespace

from ..masks import given, keep
from .windows import Form, pad, under

#: Entries that are done at a time, so that what is between two axes stays in the cache.
CHUNK = 1 << 17


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
    room = make(like, order="C", shape=(like.shape[0], *wide, like.shape[-1]))
    for i, (k, term) in enumerate(zip(np.ndindex(*window), terms, strict=True)):
        place = room[(slice(None), *under(k, slice(0, places[0]), places, form))]
        if apart and masks is not None:  # each number is in one window at most
            keep(term, masks[i], out=place)
        elif apart:
            place[...] = term
        else:
            place += term if masks is None else keep(term, masks[i])
    return namespace(room).ascontiguousarray(pad(room, [(-lo, -hi) for lo, hi in form.padding]))


def _fold(f: Any, x: Any, form: Form, window: Sequence[int], value: Any, out: Any) -> Any:
    """A ufunc over the entries of each window, along one axis after the other."""
    places = form.places(x.shape[1:-1], window)
    if out is None:
        out = np.empty_like(x, order="C", shape=(x.shape[0], *places, x.shape[-1]))
    step = max(1, CHUNK * x.shape[0] // max(x.size, 1))
    for i in range(0, x.shape[0], step):
        part, to = pad(x[i : i + step], form.padding, value), out[i : i + step]
        for axis, (n, k, s, d) in enumerate(
            zip(places, window, form.strides, form.dilation, strict=True), 1
        ):
            seen = [
                part[(slice(None),) * axis + (slice(j * d, j * d + (n - 1) * s + 1, s),)]
                for j in range(k)
            ]
            part = seen[0]
            for j, other in enumerate(seen[1:]):
                place = to if axis == len(window) else part if j else None
                part = f(part, other, out=place)
        if part is not to:
            to[...] = part
    return out


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
def _window_sum(x: Any, *, form: Form, lengths: Any, window: Any, out: Any = None) -> Any:
    return _fold(np.add, x, form, window, 0, out)


def _window_sum_back(g: Any, *, form: Form, lengths: Any, window: Any) -> Any:
    return _spread((g for _ in np.ndindex(*window)), g, form, lengths, window)


window_sum: Callable[..., Any] = fgrad.linear(
    _window_sum, lambda g, x, **params: window_sum_back(g, **params),
    batch=_merged, name="window_sum", writes=True,
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


def _window_max(x: Any, *, form: Form, lengths: Any, window: Any, out: Any = None) -> Any:
    return _fold(np.maximum, x, form, window, _lowest(x), out)


def _ties(x: Any, top: Any, form: Form, window: Any) -> tuple[list[Any], Any]:
    """For each entry of the window where it is the greatest, and how many are; None for one each.

    Where no number is the greatest, for it is NaN, one is counted.
    """
    hits = [np.equal(part, top) for part in _entries(x, form, window, _lowest(x))]
    found = functools.reduce(np.logical_or, hits)
    if not is_cupy(x) and sum(map(np.count_nonzero, hits)) == np.count_nonzero(found):
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
        out += keep(part, hit)
    return out if count is None else out / count.astype(t.dtype)


def _window_pick_back(
    g: Any, x: Any, top: Any, *, form: Form, lengths: Any, window: Any, out: Any = None
) -> Any:
    """The transpose: g goes to the greatest entry of each window, in parts if there are several."""
    if out is None:
        out = np.empty_like(g, order="C", shape=x.shape)
    apart = _lie_side_by_side(form, lengths, window) and not is_cupy(x)  # which would have to wait
    if apart and _pick_back_rows(g, x, top, window, out):
        return out
    hits, count = _ties(x, top, form, window)
    share = g if count is None else g / count.astype(g.dtype)
    return given(_spread((share for _ in hits), share, form, lengths, window, hits), out)


def _lie_side_by_side(form: Form, lengths: Sequence[int], window: Sequence[int]) -> bool:
    """Whether each number is in exactly one window."""
    return not any(map(any, form.padding)) and all(
        d == 1 and k == s and n % k == 0
        for d, k, s, n in zip(form.dilation, window, form.strides, lengths, strict=True)
    )


def _pick_back_rows(g: Any, x: Any, top: Any, window: Sequence[int], out: Any) -> bool:
    """`_window_pick_back` of windows side by side; False where a window has more tops, or none.

    Each row of windows is stretched to the length of the rows of x, and compared with these.
    """
    step, found = max(1, CHUNK * x.shape[0] // max(x.size, 1)), 0
    for i in range(0, x.shape[0], step):
        images = slice(i, i + step)
        high, share = top[images], g[images]
        for axis, k in enumerate(window[1:], 2):
            high, share = np.repeat(high, k, axis), np.repeat(share, k, axis)
        for j in range(window[0]):
            hit = np.equal(x[images, j :: window[0]], high)
            found += int(np.count_nonzero(hit))
            keep(share, hit, out[images, j :: window[0]])
    # A NaN, which equals nothing, could make up for a tie.
    return found == top.size and not np.isnan(np.max(top, initial=0))


window_pick: Callable[..., Any] = fgrad.linear(
    _window_pick, lambda g, t, x, top, **params: (window_pick_back(g, x, top, **params),),
    batch=_merged, name="window_pick", operands=1,
)(lambda t, x, top, *, form, lengths, window: (
    (t, x, top), {"form": form, "lengths": lengths, "window": window}
))  # fmt: skip
window_pick_back: Callable[..., Any] = fgrad.linear(
    _window_pick_back, lambda c, g, x, top, **params: (window_pick(c, x, top, **params),),
    batch=_merged, name="window_pick_back", operands=1, writes=True,
)(lambda g, x, top, *, form, lengths, window: (
    (g, x, top), {"form": form, "lengths": lengths, "window": window}
))  # fmt: skip
window_max = fgrad.primitive(
    _window_max, name="window_max", batch=_merged, writes=True,
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
