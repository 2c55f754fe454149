"""Cutting a signal into segments that overlap, its transpose, and trends taken away."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from scipy import signal as sp

from ...arrays import from_end, ndim_of, shape_of
from ...core import Array
from ...doors import offers
from ...numpy import asarray
from ...rules import cast, linear


# ------------------------------------------------------------------ segments
def _frames_impl(x: Any, *, length: int, step: int) -> Any:
    return np.lib.stride_tricks.sliding_window_view(x, length, axis=-1)[..., ::step, :].copy()


def _frames_transpose(g: Array, x: Any, *, length: int, step: int) -> Array:
    return cast(overlapped(g, step, x.shape[-1]), x.dtype)


@linear(sp.stft, _frames_transpose, impl=_frames_impl, name="scipy.signal.frames")
def frames(x: Any, length: int, step: int) -> Any:
    """Segments of the last axis: (..., n) to (..., number of segments, length)."""
    return (x,), {"length": length, "step": step}


def _overlapped_impl(y: Any, *, step: int, size: int) -> Any:
    *lead, n, length = y.shape
    times = -(-length // step)  # a segment in pieces that lie side by side with its neighbours'
    y = np.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, times * step - length)])
    out = np.zeros((*lead, max(size, (n + times - 1) * step)), y.dtype)
    for k in range(times):
        piece = y[..., k * step : (k + 1) * step]
        out[..., k * step : (k + n) * step] += piece.reshape((*lead, n * step))
    return out[..., :size]


def _overlapped_transpose(g: Array, y: Any, *, step: int, size: int) -> Array:
    return cast(frames(g, y.shape[-1], step), y.dtype)


@linear(sp.istft, _overlapped_transpose, impl=_overlapped_impl, name="scipy.signal.overlapped")
def overlapped(y: Any, step: int, size: int) -> Any:
    """The sum of segments that are moved by a step each: the transpose of `frames`."""
    return (y,), {"step": step, "size": size}


# ------------------------------------------------------------------ trends
@offers(sp.detrend)
def detrend(
    data: Any, axis: int = -1, type: str = "linear", bp: Any = 0, overwrite_data: bool = False
) -> Any:
    """`scipy.signal.detrend`: the residual of a projection, for each piece."""
    if type not in ("linear", "l", "constant", "c"):
        raise ValueError("Trend type must be 'linear' or 'constant'.")
    x = asarray(data)
    if type in ("constant", "c"):
        return x - np.mean(x, axis=axis, keepdims=True)
    x = x if x.dtype.char in "dfDF" else x.astype(np.float64)
    axis = from_end(axis, ndim_of(x))
    n = shape_of(x)[axis]
    cuts = np.unique(np.concatenate([[0], np.ravel(bp), [n]])).astype(int)
    if cuts[-1] > n:
        raise ValueError("Breakpoints must be less than length of data along given axis.")
    x = np.moveaxis(x, axis, -1)
    pieces = [_flattened(x[..., a:b]) for a, b in pairwise(cuts.tolist())]
    return np.moveaxis(np.concatenate(pieces, axis=-1) if pieces else x, -1, axis)


def _flattened(x: Any) -> Any:
    """x minus the line through it, along the last axis."""
    n = shape_of(x)[-1]
    line = np.stack([np.ones(n), np.arange(n) - (n - 1) / 2], axis=1)
    basis = np.linalg.qr(line)[0].astype(np.real(np.zeros(0, x.dtype)).dtype)
    return x - np.matmul(np.matmul(x, basis), basis.T)
