"""Windows over arrays of shape (batch, *lengths, channels): what convolutions and pools slide."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from fgrad.arrays import is_cupy, namespace

#: So many bytes of windows are made at a time: less than a core's second-level cache.
CHUNK = 3 << 18
#: On a device, where few and large products are quick.
LARGE_CHUNK = 1 << 28


class Form(NamedTuple):
    """What a convolution does apart from its numbers; all tuples have an entry per dimension."""

    strides: tuple[int, ...]
    padding: tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    groups: int = 1

    def places(self, lengths: Sequence[int], window: Sequence[int]) -> tuple[int, ...]:
        """How many windows there are along each dimension; -1 where the length is."""
        return tuple(
            -1 if n == -1 else (n + lo + hi - d * (k - 1) - 1) // s + 1
            for n, k, s, (lo, hi), d in zip(
                lengths, window, self.strides, self.padding, self.dilation, strict=True
            )
        )


def pad(x: Any, padding: Sequence[tuple[int, int]], value: Any = 0) -> Any:
    """x with so many entries of a value around its inner axes; negative widths cut off."""
    if not any(itertools.chain(*padding)):
        return x
    shape = [n + lo + hi for n, (lo, hi) in zip(x.shape[1:-1], padding, strict=True)]
    out = np.full_like(x, value, order="C", shape=(x.shape[0], *shape, x.shape[-1]))
    own, theirs = inner(x.shape[1:-1], padding)
    out[(slice(None), *own)] = x[(slice(None), *theirs)]
    return out


def inner(
    lengths: Sequence[int], padding: Sequence[tuple[int, int]]
) -> tuple[list[slice], list[slice]]:
    """Where a room with padding has what it is filled with, and where that is taken from."""
    own, theirs = [], []
    for n, (lo, hi) in zip(lengths, padding, strict=True):
        own.append(slice(max(lo, 0), max(lo, 0) + n + min(lo, 0) + min(hi, 0)))
        theirs.append(slice(max(-lo, 0), n + min(hi, 0)))
    return own, theirs


def windows(x: Any, window: Sequence[int], form: Form, value: Any = 0) -> Any:
    """A view of the padded x of shape (batch, *places, *window, channels)."""
    n = len(window)
    x = pad(x, form.padding, value)
    if is_cupy(x):  # whose own waits for the device
        bare = form._replace(padding=((0, 0),) * n)
        shape = (x.shape[0], *bare.places(x.shape[1:-1], window), *window, x.shape[-1])
        first, *inner, last = x.strides
        steps = [
            s * by
            for factors in (form.strides, form.dilation)
            for s, by in zip(inner, factors, strict=True)
        ]
        return namespace(x).lib.stride_tricks.as_strided(x, shape, (first, *steps, last))
    reach = tuple(d * (k - 1) + 1 for k, d in zip(window, form.dilation, strict=True))
    view = np.lib.stride_tricks.sliding_window_view(x, reach, tuple(range(1, n + 1)))
    steps = [slice(None, None, s) for s in form.strides]
    inner = [slice(None, None, d) for d in form.dilation]
    view = view[(slice(None), *steps, slice(None), *inner)]
    return np.moveaxis(view, n + 1, -1)


def chunks(
    batch: int, places: Sequence[int], item: int, like: Any = None
) -> Iterator[tuple[slice, slice]]:
    """Slices of the batch and of the first dimension whose windows fit into `CHUNK` bytes.

    Those of CuPy's arrays, such as ``like``, fit into `LARGE_CHUNK`.
    """
    size = LARGE_CHUNK if is_cupy(like) else CHUNK
    row = max(1, item * math.prod(places[1:]))
    whole = row * max(1, places[0])
    if whole <= size:
        n = size // whole
        for i in range(0, batch, n):
            yield slice(i, min(i + n, batch)), slice(0, places[0])
    else:
        rows = max(1, size // row)
        for i, j in itertools.product(range(batch), range(0, places[0], rows)):
            yield slice(i, i + 1), slice(j, min(j + rows, places[0]))


def under(k: Sequence[int], rows: slice, places: Sequence[int], form: Form) -> tuple[slice, ...]:
    """Where entry k of each window stands in the padded array, for some rows of places."""
    first = (rows.start, *(0,) * (len(places) - 1))
    last = (rows.stop, *places[1:])
    return tuple(
        slice(i * d + a * s, i * d + (b - 1) * s + 1, s)
        for i, d, a, b, s in zip(k, form.dilation, first, last, form.strides, strict=True)
    )
