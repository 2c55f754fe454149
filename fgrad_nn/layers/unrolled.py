"""Windows as the rows of matrices (im2col: Chellapilla, Puri & Simard 2006), some at a time."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .windows import Form, chunks, inner, pad, windows

#: Of fewer channels than these, windows are gathered place by place and not entry by entry, if
#: single numbers are copied.
FEW = 8


def matrices(
    x: Any, window: Sequence[int], form: Form
) -> Iterator[tuple[tuple[slice, slice], Any]]:
    """For each chunk: where it is, and its windows as (groups, rows, entries of a window).

    A chunk is a slice of the batch and one of the first dimension of places. The memory of a matrix
    is used again for the next one.

    >>> form = Form((1,), ((0, 0),), (1,))
    >>> for where, matrix in matrices(np.arange(4.0).reshape(1, 4, 1), (3,), form):
    ...     print(matrix[0])
    [[0. 1. 2.]
     [1. 2. 3.]]
    """
    groups = form.groups
    each = x.shape[-1] // groups
    entries = math.prod(window) * each
    places = form.places(x.shape[1:-1], window)
    parts = [*chunks(x.shape[0], places, entries * groups * x.dtype.itemsize, x)]
    # A few images at a time have room between their paddings, which is filled again and again.
    padded = any(map(any, form.padding))
    room = pad(x[parts[0][0] if parts else slice(0)], form.padding) if padded else x
    if padded:
        own, theirs = inner(x.shape[1:-1], form.padding)
        core, seen = room[(slice(None), *own)], x[(slice(None), *theirs)]
    view, before, along = _view(room, window, places, form)
    matrix = inside = shape = None
    for where in parts:
        images, rows = where
        if padded and images != inside:
            core[: images.stop - images.start] = seen[images]
            inside = images
        here = slice(images.stop - images.start) if padded else images
        part = view[(*(slice(None),) * before, here, rows)]
        if part.shape != shape:
            shape = part.shape
            buffer = np.empty_like(x, dtype=view.dtype, order="C", shape=shape)
            numbers = buffer.reshape(-1).view(x.dtype)
            if along:
                matrix = np.swapaxes(numbers.reshape(groups, entries, -1), -1, -2)
            else:
                matrix = numbers.reshape(groups, -1, entries)
        np.copyto(buffer, part)
        yield where, matrix


def _view(
    x: Any, window: Sequence[int], places: Sequence[int], form: Form
) -> tuple[Any, int, bool]:
    """The windows of x in the order of a matrix.

    Numbers that stand together in x and in the matrix are one item of the view, copied at once.

    Returns:
        The view; how many axes come before those of the batch and of the places; and whether these
        come last, which makes the matrix a transposed one. With few channels that is quicker.
    """
    n, groups = len(window), form.groups
    each = x.shape[-1] // groups
    first, *steps, _ = x.strides  # the last one is no measure, where there is one channel
    moves = [s * by for s, by in zip(steps, form.strides, strict=True)]
    entries = [s * by for s, by in zip(steps, form.dilation, strict=True)]
    plain = type(x) is np.ndarray and x.flags.c_contiguous and not x.dtype.hasobject
    if plain and x.size and groups == 1:
        if each == form.strides[-1] == 1 < n:
            shape = (*window, x.shape[0], *places[:-1])
            item = np.dtype((np.void, places[-1] * x.itemsize))
            return np.ndarray(shape, item, x, 0, (*entries, first, *moves[:-1])), n, True
        if form.dilation[-1] == 1:
            shape = (x.shape[0], *places, *window[:-1])
            item = np.dtype((np.void, window[-1] * each * x.itemsize))
            return np.ndarray(shape, item, x, 0, (first, *moves, *entries[:-1])), 0, False
    view = windows(x, window, form._replace(padding=((0, 0),) * n))
    view = np.moveaxis(view.reshape(*view.shape[:-1], groups, each), -2, 0)
    if each >= FEW:
        return view, 1, False
    return np.moveaxis(view, range(n + 2, 2 * n + 3), range(1, n + 2)), n + 2, True
