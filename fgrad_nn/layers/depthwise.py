"""Convolutions of each channel by itself: no products of matrices, but entry by entry of a window.

The three functions are those of `convolution`, for as many groups as there are channels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad.arrays import namespace

from .windows import Form, chunks, pad, under


def convolve_depthwise(x: Any, w: Any, form: Form, window: Sequence[int]) -> Any:
    """Outputs, from inputs and weight."""
    places = form.places(x.shape[1:-1], window)
    x = pad(_repeated(x, w.shape[-1]), form.padding)
    w = w.reshape(*window, -1)
    out = np.empty_like(x, order="C", shape=(x.shape[0], *places, x.shape[-1]))
    for where in chunks(out.shape[0], places, 3 * out.shape[-1] * out.dtype.itemsize):
        mine = out[where]
        first = True
        for k in np.ndindex(*window):
            part = x[(where[0], *under(k, where[1], places, form))]
            if first:
                np.multiply(part, _row(w[k], mine.shape[-2]), out=mine)
            else:
                mine += part * _row(w[k], mine.shape[-2])
            first = False
    return out


def correlate_depthwise(x: Any, g: Any, form: Form, window: Sequence[int]) -> Any:
    """Weight, from inputs and outputs."""
    places, features = g.shape[1:-1], g.shape[-1]
    x = pad(_repeated(x, features), form.padding)
    total = np.zeros_like(x, order="C", shape=(*window, 1, features))
    for where in chunks(g.shape[0], places, 3 * features * g.dtype.itemsize):
        mine = g[where]
        ones = np.ones_like(g, order="C", shape=math.prod(mine.shape[:-1]))
        for k in np.ndindex(*window):
            product = x[(where[0], *under(k, where[1], places, form))] * mine
            total[(*k, 0)] += ones @ product.reshape(-1, features)
    return total


def back_depthwise(
    g: Any, w: Any, form: Form, lengths: Sequence[int], window: Sequence[int]
) -> Any:
    """Inputs, from outputs and weight."""
    places, groups = g.shape[1:-1], form.groups
    wide = [m + lo + hi for m, (lo, hi) in zip(lengths, form.padding, strict=True)]
    out = np.zeros_like(g, order="C", shape=(g.shape[0], *wide, groups))
    w = w.reshape(*window, -1)
    for where in chunks(g.shape[0], places, 3 * g.shape[-1] * g.dtype.itemsize):
        mine = g[where]
        for k in np.ndindex(*window):
            term = mine * _row(w[k], mine.shape[-2])
            if g.shape[-1] != groups:
                term = term.reshape(*term.shape[:-1], groups, -1).sum(-1)
            out[(where[0], *under(k, where[1], places, form))] += term
    return namespace(out).ascontiguousarray(pad(out, [(-lo, -hi) for lo, hi in form.padding]))


def _repeated(x: Any, features: int) -> Any:
    """Each channel as often as it has outputs."""
    n = features // x.shape[-1]
    return x if n == 1 else np.repeat(x, n, axis=-1)


def _row(w: Any, n: int) -> Any:
    """The weights of an entry along n places: long operands cost NumPy less."""
    return np.tile(w, (n, 1))
