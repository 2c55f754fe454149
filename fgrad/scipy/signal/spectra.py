"""Short-time Fourier transforms and the spectra that are averages of them.

Sources: Welch (1967), The use of fast Fourier transform for the estimation of power spectra; Allen
and others, FINDCHIRP (2005, appendix B), for the bias of a median.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import signal as sp

from ...arrays import ndim_of, shape_of
from ...doors import offers
from ...numpy import asarray
from .frames import detrend as _detrend
from .frames import frames


# ------------------------------------------------------------------ what all of them ask
def _windowing(window: Any, nperseg: int | None, n: int) -> tuple[Any, int]:
    """The window's values and length, for a signal of length n."""
    if not isinstance(window, (str, tuple)):
        win = asarray(window)
        if ndim_of(win) != 1:
            raise ValueError("window must be 1-D")
        if n < shape_of(win)[0]:
            raise ValueError("window is longer than input signal")
        if nperseg is not None and int(nperseg) != shape_of(win)[0]:
            raise ValueError("value specified for nperseg is different from length of window")
        return win, shape_of(win)[0]
    length = 256 if nperseg is None else int(nperseg)
    if length < 1:
        raise ValueError("nperseg must be a positive integer")
    if length > n:
        warnings.warn(
            f"nperseg = {length} is greater than input length = {n}, using nperseg = {n}",
            stacklevel=4,
        )
        length = n
    return sp.get_window(window, length), length


def _lengths(nperseg: int, noverlap: int | None, nfft: int | None) -> tuple[int, int]:
    """The overlap, and the length of the Fourier transforms."""
    nfft = nperseg if nfft is None else int(nfft)
    if nfft < nperseg:
        raise ValueError("nfft must be greater than or equal to nperseg.")
    noverlap = nperseg // 2 if noverlap is None else int(noverlap)
    if noverlap >= nperseg:
        raise ValueError("noverlap must be less than nperseg.")
    return noverlap, nfft


def _transforms(x: Any, win: Any, noverlap: int, nfft: int, detrend: Any, onesided: bool) -> Any:
    """Fourier transforms of the windowed segments: (..., n) to (..., segments, frequencies)."""
    length = shape_of(win)[0]
    y = frames(x, length, length - noverlap)
    if callable(detrend):
        y = detrend(y)
    elif detrend:
        y = _detrend(y, type=detrend)
    return np.fft.rfft(y * win, nfft) if onesided else np.fft.fft(y * win, nfft)


def _frequencies(nfft: int, fs: Any, onesided: bool) -> Any:
    return np.fft.rfftfreq(nfft, 1 / fs) if onesided else np.fft.fftfreq(nfft, 1 / fs)


def _power(x: Any) -> Any:
    return np.square(np.real(x)) + np.square(np.imag(x))


def _scale(scaling: str, win: Any, fs: Any) -> Any:
    """What squared magnitudes are multiplied by."""
    if scaling == "density":
        return 1 / (fs * np.sum(_power(win) if win.dtype.kind == "c" else np.square(win)))
    if scaling == "spectrum":
        return 1 / np.square(np.abs(np.sum(win)))
    raise ValueError(f"Unknown scaling: {scaling!r}")


def _doubled(p: Any, nfft: int) -> Any:
    """A one-sided spectrum stands for both sides, but for the frequencies that have one only."""
    weights = np.full(nfft // 2 + 1, 2.0)
    weights[0] = 1.0
    if nfft % 2 == 0:
        weights[-1] = 1.0
    return p * weights


def _complex_type(*xs: Any) -> Any:
    return np.result_type(*(x.dtype for x in xs), np.complex64)


def _wide(x: Any) -> Any:
    """In double precision, in which windows are."""
    return x.astype(np.complex128 if x.dtype.kind == "c" else np.float64)


# ------------------------------------------------------------------ averaged spectra
@offers(sp.csd)
def csd(
    x: Any, y: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None,
    noverlap: int | None = None, nfft: int | None = None, detrend: Any = "constant",
    return_onesided: bool = True, scaling: str = "density", axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Any]:  # fmt: skip
    """`scipy.signal.csd`; a callable ``detrend`` gets segments along the last axis."""
    same = y is x
    xs = [asarray(x)] if same else [asarray(x), asarray(y)]
    axis, dtype = int(axis), _complex_type(*xs)
    rows = [_wide(np.moveaxis(z, axis, -1)) for z in xs]
    n = max(shape_of(z)[-1] for z in rows)
    rows = [_longer(z, n - shape_of(z)[-1]) for z in rows]
    win, nperseg = _windowing(window, nperseg, n)
    noverlap, nfft = _lengths(nperseg, noverlap, nfft)
    onesided = return_onesided and xs[0].dtype.kind != "c"
    win = _wide(win)
    parts = [_transforms(z, np.conj(win), noverlap, nfft, detrend, onesided) for z in rows]
    p = _power(parts[0]) if same else np.conj(parts[0]) * parts[1]
    p = p * _scale(scaling, win, fs)
    p = _averaged(_doubled(p, nfft) if onesided else p, average)
    p = p.astype(np.zeros(0, dtype).real.dtype if same else dtype)
    return _frequencies(nfft, fs, onesided), np.moveaxis(p, -1, axis)


def _longer(x: Any, n: int) -> Any:
    return np.pad(x, [(0, 0)] * (ndim_of(x) - 1) + [(0, n)]) if n else x


def _averaged(p: Any, average: str) -> Any:
    """The mean, or a median without bias, over the segments."""
    n = shape_of(p)[-2]
    if n == 1:
        return p[..., 0, :]
    if average == "mean":
        return np.mean(p, axis=-2)
    if average != "median":
        raise ValueError(f"Parameter {average=} must be 'median' or 'mean'!")
    k = 2.0 * np.arange(1, (n - 1) // 2 + 1)
    bias = 1 + np.sum(1 / (k + 1) - 1 / k)
    if p.dtype.kind == "c":
        return (np.median(np.real(p), axis=-2) + 1j * np.median(np.imag(p), axis=-2)) / bias
    return np.median(p, axis=-2) / bias


@offers(sp.welch)
def welch(
    x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None,
    noverlap: int | None = None, nfft: int | None = None, detrend: Any = "constant",
    return_onesided: bool = True, scaling: str = "density", axis: int = -1,
    average: str = "mean",
) -> tuple[Any, Any]:  # fmt: skip
    """`scipy.signal.welch`."""
    return csd(
        x, x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, average
    )  # fmt: skip


@offers(sp.periodogram)
def periodogram(
    x: Any, fs: Any = 1.0, window: Any = "boxcar", nfft: int | None = None,
    detrend: Any = "constant", return_onesided: bool = True, scaling: str = "density",
    axis: int = -1,
) -> tuple[Any, Any]:  # fmt: skip
    """`scipy.signal.periodogram`."""
    x = asarray(x)
    n = shape_of(x)[axis]
    if nfft is not None and nfft < n:
        x, n, nfft = np.moveaxis(np.moveaxis(x, axis, -1)[..., :nfft], -1, axis), nfft, None
    window = "boxcar" if window is None else window
    if hasattr(window, "size") and window.size != n:
        raise ValueError(
            "the size of the window must be the same size of the input on the specified axis"
        )
    return welch(x, fs, window, n, 0, nfft, detrend, return_onesided, scaling, axis)


@offers(sp.coherence)
def coherence(
    x: Any, y: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = None,
    noverlap: int | None = None, nfft: int | None = None, detrend: Any = "constant",
    axis: int = -1,
) -> tuple[Any, Any]:  # fmt: skip
    """`scipy.signal.coherence`."""
    rest = (fs, window, nperseg, noverlap, nfft, detrend)
    freqs, pxx = welch(x, *rest, axis=axis)
    pyy, pxy = welch(y, *rest, axis=axis)[1], csd(x, y, *rest, axis=axis)[1]
    return freqs, _power(pxy) / pxx / pyy


# ------------------------------------------------------------------ spectra in time
def extended(x: Any, n: int, boundary: str | None) -> Any:
    """The last axis, longer by n at both ends."""
    if boundary is None or n < 1:
        return x
    widths = [(0, 0)] * (ndim_of(x) - 1) + [(n, n)]
    if boundary == "zeros":
        return np.pad(x, widths)
    if boundary == "constant":
        return np.pad(x, widths, mode="edge")
    if n > shape_of(x)[-1] - 1:
        raise ValueError(
            f"The extension length n ({n}) is too big. "
            f"It must not exceed x.shape[axis]-1, which is {shape_of(x)[-1] - 1}."
        )
    even = np.pad(x, widths, mode="reflect")
    if boundary == "even":
        return even
    left, right = 2 * x[..., :1] - even[..., :n], 2 * x[..., -1:] - even[..., -n:]
    return np.concatenate([left, x, right], axis=-1)


def _in_time(
    x: Any, fs: Any, window: Any, nperseg: int | None, noverlap: int | None, nfft: int | None,
    detrend: Any, return_onesided: bool, scaling: str, axis: int, boundary: str | None,
    padded: bool, psd: bool,
) -> tuple[Any, Any, Any]:  # fmt: skip
    """Frequencies, times, and the transforms or their powers, frequencies where the axis was."""
    if boundary not in ("even", "odd", "constant", "zeros", None):
        raise ValueError(
            f"Unknown boundary option '{boundary}', must be one of: "
            "['even', 'odd', 'constant', 'zeros', None]"
        )
    x = asarray(x)
    axis, dtype = int(axis), _complex_type(x)
    if return_onesided and x.dtype.kind == "c":
        warnings.warn("Input data is complex, switching to return_onesided=False", stacklevel=3)
        return_onesided = False
    z = _wide(np.moveaxis(x, axis, -1))
    win, nperseg = _windowing(window, nperseg, shape_of(z)[-1])
    noverlap, nfft = _lengths(nperseg, noverlap, nfft)
    step = nperseg - noverlap
    z = extended(z, nperseg // 2, boundary)
    if padded:
        z = _longer(z, (-(shape_of(z)[-1] - nperseg) % step) % nperseg)
    win = _wide(win)
    y = _transforms(z, win, noverlap, nfft, detrend, return_onesided)
    scale = _scale(scaling, win, fs)
    if psd:
        y = _power(y) * scale
        y = _doubled(y, nfft) if return_onesided else y
        y = y.astype(np.zeros(0, dtype).real.dtype)
    else:
        y = (y * np.sqrt(scale)).astype(dtype)
    times = np.arange(nperseg / 2, shape_of(z)[-1] - nperseg / 2 + 1, step) / float(fs)
    times = times - (nperseg / 2) / fs if boundary is not None else times
    axis = axis - 1 if axis < 0 else axis
    y = np.moveaxis(np.swapaxes(y, -1, -2), -2, axis)
    return _frequencies(nfft, fs, return_onesided), times, y


@offers(sp.stft)
def stft(
    x: Any, fs: Any = 1.0, window: Any = "hann", nperseg: int | None = 256,
    noverlap: int | None = None, nfft: int | None = None, detrend: Any = False,
    return_onesided: bool = True, boundary: str | None = "zeros", padded: bool = True,
    axis: int = -1, scaling: str = "spectrum",
) -> tuple[Any, Any, Any]:  # fmt: skip
    """`scipy.signal.stft`; a callable ``detrend`` gets segments along the last axis."""
    if scaling not in ("spectrum", "psd"):
        raise ValueError(f"Parameter {scaling=} not in ['spectrum', 'psd']!")
    scaling = "density" if scaling == "psd" else scaling
    return _in_time(
        x, fs, window, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, boundary,
        padded, psd=False,
    )  # fmt: skip


@offers(sp.spectrogram)
def spectrogram(
    x: Any, fs: Any = 1.0, window: Any = ("tukey", 0.25), nperseg: int | None = None,
    noverlap: int | None = None, nfft: int | None = None, detrend: Any = "constant",
    return_onesided: bool = True, scaling: str = "density", axis: int = -1, mode: str = "psd",
) -> tuple[Any, Any, Any]:  # fmt: skip
    """`scipy.signal.spectrogram`."""
    if mode not in ("psd", "complex", "magnitude", "angle", "phase"):
        raise ValueError(f"unknown value for mode {mode}")
    x = asarray(x)
    win, nperseg = _windowing(window, nperseg, shape_of(x)[axis])
    noverlap = nperseg // 8 if noverlap is None else noverlap
    freqs, times, y = _in_time(
        x, fs, win, nperseg, noverlap, nfft, detrend, return_onesided, scaling, axis, None, False,
        psd=mode == "psd",
    )  # fmt: skip
    if mode == "magnitude":
        y = np.abs(y)
    elif mode in ("angle", "phase"):
        y = np.angle(y)
        # The axis of frequencies, as in SciPy, although the phase goes on in time.
        y = np.unwrap(y, axis=axis - 1 if axis < 0 else axis) if mode == "phase" else y
    return freqs, times, y
