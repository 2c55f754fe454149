"""Smoothing, resampling and the analytic signal: linear in the signal."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from scipy import signal as sp

from ...arrays import from_end, is_a, ndim_of, shape_of
from ...doors import offers
from ...errors import NoRuleError
from ...numpy import asarray
from .convolution import convolution

_PADDING: dict[str, Any] = {
    "mirror": "reflect",
    "nearest": "edge",
    "wrap": "wrap",
    "constant": "constant",
}


@offers(sp.savgol_filter)
def savgol_filter(
    x: Any, window_length: int, polyorder: int, deriv: int = 0, delta: float = 1.0, axis: int = -1,
    mode: str = "interp", cval: Any = 0.0,
) -> Any:  # fmt: skip
    """`scipy.signal.savgol_filter`, in the signal and ``cval``."""
    if mode not in ("interp", *_PADDING):
        raise ValueError("mode must be 'mirror', 'constant', 'nearest' 'wrap' or 'interp'.")
    x = asarray(x)
    x = x if x.dtype.char in "fd" else x.astype(np.float64)
    axis = from_end(axis, ndim_of(x))
    y = np.moveaxis(x, axis, -1)
    n, half = shape_of(y)[-1], window_length // 2
    weights = sp.savgol_coeffs(window_length, polyorder, deriv=deriv, delta=delta).astype(x.dtype)
    if mode == "interp":
        if window_length > n:
            raise ValueError("If mode is 'interp', window_length must be less than or equal to "
                             "the size of x.")  # fmt: skip
        inner = convolution(y, weights, (window_length - 1,), (n - window_length + 1,), "direct")
        first, last = _ends(window_length, polyorder, deriv, delta, half, x.dtype)
        # Of an even window one end is shorter than the other.
        left = np.matmul(y[..., :window_length], first)
        right = np.matmul(y[..., n - window_length :], last)
        skip = 1 - window_length % 2
        y = np.concatenate([left, inner[..., skip:], right], axis=-1)
    else:
        widths = [(0, 0)] * (ndim_of(y) - 1) + [(half, half)]
        longer = np.pad(y, widths) if mode == "constant" else np.pad(y, widths, mode=_PADDING[mode])
        if mode == "constant":
            outside = 1 - np.pad(np.ones(n), (half, half))
            longer = longer + (cval * outside).astype(x.dtype)
        start = window_length - 1 + (1 - window_length % 2)
        y = convolution(longer, weights, (start,), (n,), "direct")
    return np.moveaxis(y, -1, axis)


def _ends(
    length: int, order: int, deriv: int, delta: float, half: int, dtype: Any
) -> tuple[Any, Any]:
    """From a window to the values of the polynomial through it, at its first and last places."""
    places = np.arange(length)
    fit = np.linalg.pinv(np.vander(places, order + 1))
    values = []
    for where in (places[:half], places[length - half :]):
        rows = [np.polyval(np.polyder(column, deriv), where) for column in fit.T]
        values.append((np.stack(rows) / delta**deriv).astype(dtype))
    return values[0], values[1]


@offers(sp.hilbert)
def hilbert(x: Any, N: int | None = None, axis: int = -1) -> Any:
    """`scipy.signal.hilbert`."""
    x = asarray(x)
    if x.dtype.kind == "c":
        raise ValueError("x must be real.")
    axis = from_end(axis, ndim_of(x))
    n = shape_of(x)[axis] if N is None else int(N)
    if n <= 0:
        raise ValueError("N must be positive.")
    x = np.moveaxis(x, axis, -1)
    single = x.dtype.char in "fe"
    weights: Any = np.zeros(n, np.float32 if single else np.float64)
    weights[0], weights[1 : (n + 1) // 2] = 1.0, 2.0
    if n % 2 == 0:
        weights[n // 2] = 1.0
    return np.moveaxis(np.fft.ifft(np.fft.fft(x, n) * weights), -1, axis)


@offers(sp.resample)
def resample(
    x: Any, num: int, t: Any = None, axis: int = 0, window: Any = None, domain: str = "time"
) -> Any:
    """`scipy.signal.resample`."""
    if domain not in ("time", "freq"):
        raise ValueError(f"Parameter {domain=} not in ('time', 'freq')!")
    x = np.moveaxis(asarray(x), axis, -1)
    n, num = shape_of(x)[-1], int(num)
    spectrum = np.fft.fft(x) if domain == "time" else x
    if window is not None:
        spectrum = spectrum * _frequency_window(window, n)
    m = min(num, n)
    half = (m + 1) // 2  # frequencies that both have, the one with no partner left out
    low, high = spectrum[..., :half], spectrum[..., n - (m - half - (1 - m % 2)) :]
    parts = [low]
    widths = [(0, 0)] * (ndim_of(x) - 1)
    if m % 2 == 0:
        middle = spectrum[..., m // 2 : m // 2 + 1]
        if num < n:
            parts.append(middle + spectrum[..., n - m // 2 : n - m // 2 + 1])
        elif num > n:
            parts.append(middle / 2)
            high = np.concatenate([middle / 2, high], axis=-1)
        else:
            parts.append(middle)
    gap = num - sum(shape_of(p)[-1] for p in parts) - shape_of(high)[-1]
    parts[-1] = np.pad(parts[-1], [*widths, (0, gap)])
    y = np.fft.ifft(np.concatenate([*parts, high], axis=-1) * (num / n))
    if x.dtype.kind != "c" and domain == "time":
        y = np.real(y).astype(np.float32 if x.dtype.char in "fe" else np.float64)
    y = np.moveaxis(y, -1, axis)
    if t is None:
        return y
    t = asarray(t)
    return y, np.arange(num) * (t[1] - t[0]) * n / float(num) + t[0]


def _frequency_window(window: Any, n: int) -> Any:
    if callable(window):
        return window(np.fft.fftfreq(n))
    if hasattr(window, "shape"):
        if shape_of(window) != (n,):
            raise ValueError("window length is not equal to number of frequency bins!")
        return window
    return np.fft.fftshift(sp.get_window(window, n))


@offers(sp.upfirdn)
def upfirdn(
    h: Any, x: Any, up: int = 1, down: int = 1, axis: int = -1, mode: str = "constant",
    cval: Any = 0,
) -> Any:  # fmt: skip
    """`scipy.signal.upfirdn`, in the filter and the signal, which is continued with zeros."""
    zero = is_a(cval, (int, float)) and cval == 0
    if mode != "constant" or not zero:
        raise NoRuleError(
            f"upfirdn has no rule for mode={mode!r} with cval={cval!r}.", "a traced array",
            "continue the signal with np.pad, and cut the result",
        )  # fmt: skip
    h, x = asarray(h), asarray(x)
    if ndim_of(h) != 1 or not shape_of(h)[0]:
        raise ValueError("h must be 1-D with non-zero length")
    if up < 1 or down < 1:
        raise ValueError("Both up and down must be >= 1")
    axis = from_end(axis, ndim_of(x))
    dtype = np.result_type(h.dtype, x.dtype, np.float32)
    h, y = h.astype(dtype), np.expand_dims(np.moveaxis(x.astype(dtype), axis, -1), -1)
    *lead, n, _ = shape_of(y)
    y = np.pad(y, [(0, 0)] * (len(lead) + 1) + [(0, up - 1)])
    size = (n - 1) * up + 1
    y = np.reshape(y, (*lead, n * up))[..., :size]
    y = convolution(y, h, (0,), (size + shape_of(h)[0] - 1,), "direct")
    return np.moveaxis(y[..., ::down], -1, axis)


@offers(sp.medfilt)
def medfilt(volume: Any, kernel_size: Any = None) -> Any:
    """`scipy.signal.medfilt`; entries of a window that tie share the derivative."""
    x = np.atleast_1d(asarray(volume))
    d = ndim_of(x)
    sizes = np.broadcast_to(3 if kernel_size is None else kernel_size, (d,)).tolist()
    if any(k % 2 == 0 for k in sizes):
        raise ValueError("Each element of kernel_size should be odd.")
    if any(k > n for k, n in zip(sizes, shape_of(x), strict=True)):
        warnings.warn(
            "kernel_size exceeds volume extent: the volume will be zero-padded.", stacklevel=3
        )
    index = []
    for axis, (n, k) in enumerate(zip(shape_of(x), sizes, strict=True)):
        window = np.arange(n)[:, None] + np.arange(k)
        shape = [1] * (2 * d)
        shape[axis], shape[d + axis] = n, k
        index.append(window.reshape(shape))
    windows = np.pad(x, [(k // 2, k // 2) for k in sizes])[tuple(index)]
    return np.median(windows, axis=tuple(range(d, 2 * d))).astype(x.dtype)
