"""The inverse of the short-time Fourier transform."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import signal as sp

from ...arrays import ndim_of, shape_of
from ...core import Tracer
from ...doors import offers
from ...numpy import asarray
from .frames import overlapped


@offers(sp.istft)
def istft(
    Zxx: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None,
    noverlap: int | None = None, nfft: int | None = None, input_onesided: bool = True,
    boundary: bool = True, time_axis: int = -1, freq_axis: int = -2, scaling: str = "spectrum",
) -> tuple[Any, Any]:  # fmt: skip
    """`scipy.signal.istft`."""
    z = asarray(Zxx) + 0j
    rank = ndim_of(z)
    if rank < 2:
        raise ValueError("Input stft must be at least 2d!")
    time_axis, freq_axis = time_axis % rank, freq_axis % rank
    if freq_axis == time_axis:
        raise ValueError("Must specify differing time and frequency axes!")
    z = np.moveaxis(z, (time_axis, freq_axis), (-2, -1))
    n, bins = shape_of(z)[-2:]
    whole = 2 * (bins - 1) if input_onesided else bins
    nperseg = whole if nperseg is None else int(nperseg)
    if nperseg < 1:
        raise ValueError("nperseg must be a positive integer")
    if nfft is None:
        nfft = nperseg if input_onesided and nperseg == whole + 1 else whole
    elif nfft < nperseg:
        raise ValueError("nfft must be greater than or equal to nperseg.")
    noverlap = nperseg // 2 if noverlap is None else int(noverlap)
    if noverlap >= nperseg:
        raise ValueError("noverlap must be less than nperseg.")
    step = nperseg - noverlap
    win = sp.get_window(window, nperseg) if isinstance(window, (str, tuple)) else asarray(window)
    if shape_of(win) != (nperseg,):
        raise ValueError(f"window must have length of {nperseg}")
    y = np.fft.irfft(z, int(nfft)) if input_onesided else np.fft.ifft(z, int(nfft))
    # Windows are double; the result has the precision of what is inverted.
    win = win.astype(y.dtype if win.dtype.kind == "c" else np.zeros(0, y.dtype).real.dtype)
    if scaling == "spectrum":
        gain = np.sum(win)
    elif scaling == "psd":
        gain = np.sqrt(fs * np.sum(np.square(win)))
    else:
        raise ValueError(f"Parameter {scaling=} not in ['spectrum', 'psd']!")
    size = nperseg + (n - 1) * step
    x = overlapped(y[..., :nperseg] * gain * win, step, size)
    norm = overlapped(np.broadcast_to(np.square(win), (n, nperseg)), step, size)
    if boundary:
        x, norm = (a[..., nperseg // 2 : size - nperseg // 2] for a in (x, norm))
    enough = np.real(norm) > 1e-10
    if not isinstance(enough, Tracer) and not np.all(enough):
        because = "" if boundary else " Possibly due to missing boundary"
        warnings.warn(f"NOLA condition failed, STFT may not be invertible.{because}", stacklevel=2)
    x = x / np.where(enough, norm, 1)
    x = np.real(x) if input_onesided else x
    x = np.moveaxis(x, -1, time_axis - (freq_axis < time_axis))
    return np.arange(shape_of(x)[0]) / float(fs), x
