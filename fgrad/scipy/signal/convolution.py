"""Convolution and correlation: one bilinear primitive of which all are windows.

The primitive gives the entries ``start`` to ``start + size`` of the full convolution along the last
axes, where entries outside of that are zero; the axes before them broadcast. Pulled back to one
operand, such a window is a window of the convolution with the other one reversed:

    y[k] = sum over i of x[i] h[k + start - i]
    x's cotangent at i = sum over k of g[k] h[k + start - i] = (g * reversed h)[i + M - 1 - start]

so that one primitive is closed under derivatives, and each product costs what its window costs.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import signal as sp

from ...arrays import axes_from_end, is_a, ndim_of, shape_of
from ...core import Array
from ...doors import offers
from ...errors import ShapeError
from ...numpy import asarray
from ...rules import line_up, multilinear, unbroadcast

Ints = tuple[int, ...]

#: Up to so many products, lines are convolved all at once, longer ones each by itself.
SHORT = 2000


# ------------------------------------------------------------------ the primitive
def _x_transpose(
    g: Array, ans: Array, x: Any, h: Array, *, start: Ints, size: Ints, method: str
) -> Array:
    return _pulled(g, x, h, start, method)


def _h_transpose(
    g: Array, ans: Array, x: Array, h: Any, *, start: Ints, size: Ints, method: str
) -> Array:
    return _pulled(g, h, x, start, method)


def _pulled(g: Array, x: Any, h: Array, start: Ints, method: str) -> Array:
    """The cotangent of one operand, x, from the other, h."""
    k = len(start)
    new = tuple(m - 1 - a for m, a in zip(shape_of(h)[-k:], start, strict=True))
    c = convolution(g, reverse(h, k), new, tuple(x.shape[-k:]), method)
    return unbroadcast(c, x.shape, x.dtype)


def reverse(h: Array, k: int) -> Array:
    """h with its last k axes turned around."""
    return np.flip(h, tuple(range(-k, 0)))


def _impl(x: Any, h: Any, *, start: Ints, size: Ints, method: str) -> Any:
    dtype = np.result_type(x, h)
    k = len(start)
    lead = np.broadcast_shapes(x.shape[:-k], h.shape[:-k])
    if 0 in lead or 0 in size:
        return np.zeros((*lead, *size), dtype)
    if method == "direct":
        wide = np.dtype(np.float32) if dtype == np.float16 else dtype  # SciPy has no float16
        return _direct(x.astype(wide), h.astype(wide), lead, start, size).astype(dtype)
    rank = len(lead) + k
    x, h = (y.reshape((1,) * (rank - y.ndim) + y.shape) for y in (x, h))
    y = sp.fftconvolve(x, h, axes=tuple(range(-k, 0)))
    y = _window(np.rint(y) if dtype.kind in "biu" else y, start, size)
    return y.astype(dtype)


def _direct(x: Any, h: Any, lead: Ints, start: Ints, size: Ints) -> Any:
    k = len(start)
    n, m = x.shape[-k:], h.shape[-k:]
    mode = _mode_of(n, m, start, size)
    if mode is None:
        if math.prod(n) < math.prod(m):
            x, h, n, m = h, x, m, n
        first = tuple(a - j + 1 for a, j in zip(start, m, strict=True))
        x = _window(x, first, tuple(s + j - 1 for s, j in zip(size, m, strict=True)))
        n, mode = x.shape[-k:], "valid"
    if not lead:
        return _alone(x, h, mode)
    if k == 1 and h.size == m[0] and n[0] * m[0] <= SHORT:  # many short lines as an image
        rows = np.broadcast_to(x, lead + n).reshape(-1, n[0])
        return _alone(rows, h.reshape(1, -1), mode).reshape(lead + size)
    x, h = (np.broadcast_to(y, lead + y.shape[-k:]) for y in (x, h))
    out = np.empty(lead + size, x.dtype)
    for i in np.ndindex(lead):
        out[i] = _alone(x[i], h[i], mode)
    return out


def _alone(x: Any, h: Any, mode: str) -> Any:
    """SciPy's direct convolution, by the quicker one of its ways for images."""
    if x.ndim == 2 and x.dtype.kind in "fc":
        return sp.convolve2d(x, h, mode)
    return sp.convolve(x, h, mode, "direct")


def _mode_of(n: Ints, m: Ints, start: Ints, size: Ints) -> str | None:
    """SciPy's mode that gives such a window, if there is one."""
    for mode in ("full", "valid", "same"):
        if (start, size) == _place(n, m, mode) and (mode != "valid" or min(size) > 0):
            return mode
    return None


def _place(n: Ints, m: Ints, mode: str) -> tuple[Ints, Ints]:
    """Where the window of a mode starts and how long it is, for operands of lengths n and m."""
    if mode == "full":
        return (0,) * len(n), tuple(i + j - 1 for i, j in zip(n, m, strict=True))
    if mode == "same":
        return tuple((j - 1) // 2 for j in m), tuple(n)
    return tuple(j - 1 for j in m), tuple(i - j + 1 for i, j in zip(n, m, strict=True))


def _window(x: Any, start: Ints, size: Ints) -> Any:
    """``x[start : start + size]`` along the last axes, with zeros outside of x."""
    cuts, widths = [], [(0, 0)] * (x.ndim - len(start))
    for a, s, n in zip(start, size, x.shape[-len(start) :], strict=True):
        first, last = min(max(a, 0), n), min(max(a + s, 0), n)
        before = min(max(-a, 0), s)
        cuts.append(slice(first, last))
        widths.append((before, s - before - (last - first)))
    x = x[(..., *cuts)]
    return np.pad(x, widths) if any(map(any, widths)) else x


@multilinear(
    sp.convolve, _x_transpose, _h_transpose, batch=line_up, impl=_impl,
    name="scipy.signal.convolve",
)  # fmt: skip
def convolution(x: Any, h: Any, start: Ints, size: Ints, method: str) -> Any:
    """A window of the full convolution along the last ``len(start)`` axes."""
    return (x, h), {"start": start, "size": size, "method": method}


# ------------------------------------------------------------------ as SciPy calls it
def _checked(mode: Any) -> str:
    if mode not in ("full", "same", "valid"):
        raise ValueError("acceptable mode flags are 'valid', 'same', or 'full'")
    return str(mode)


def _ordered(x: Any, h: Any, k: int, mode: str) -> tuple[Any, Any]:
    """For "valid" the longer one first, which must be so in all of the last k axes."""
    n, m = shape_of(x)[-k:], shape_of(h)[-k:]
    if mode != "valid" or all(i >= j for i, j in zip(n, m, strict=True)):
        return x, h
    if all(i <= j for i, j in zip(n, m, strict=True)):
        return h, x
    raise ShapeError(
        'Mode "valid" wants one input that is at least as long as the other along every axis.',
        f"lengths {n} and {m}",
        'pass arrays of which one fits into the other, or take mode="full" and cut it',
    )


def _same_rank(x: Any, h: Any) -> None:
    if ndim_of(x) != ndim_of(h):
        raise ShapeError(
            "A convolution wants inputs of the same rank.",
            f"shapes {shape_of(x)} and {shape_of(h)}",
            "give the one of lower rank axes of length 1 with np.expand_dims, or fgrad.vmap it",
        )


@offers(sp.convolve)
def convolve(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """`scipy.signal.convolve`."""
    x, h = asarray(in1), asarray(in2)
    _same_rank(x, h)
    mode, k = _checked(mode), ndim_of(x)
    if k == 0:
        return x * h
    x, h = _ordered(x, h, k, mode)
    if 0 in (*shape_of(x), *shape_of(h)):
        raise ShapeError("A convolution wants arrays with entries.", "an empty one", "leave it out")
    if method == "auto":
        method = _method(x, h, mode)
    if method not in ("fft", "direct"):
        raise ValueError("Acceptable method flags are 'auto', 'direct', or 'fft'.")
    return convolution(x, h, *_place(shape_of(x), shape_of(h), mode), method)


def _method(x: Any, h: Any, mode: str) -> str:
    """What SciPy finds quicker for these shapes; integers are added up exactly."""
    if x.dtype.kind in "biu" and h.dtype.kind in "biu":
        return "direct"
    like = (np.broadcast_to(np.zeros((), y.dtype), shape_of(y)) for y in (x, h))
    return str(sp.choose_conv_method(*like, mode=mode))


@offers(sp.correlate)
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """`scipy.signal.correlate`."""
    h = asarray(in2)
    return convolve(
        in1, np.conj(reverse(h, ndim_of(h))) if ndim_of(h) else np.conj(h), mode, method
    )


def _by_fft(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    x, h = (y.astype(np.float32) if y.dtype == np.float16 else y for y in map(asarray, (in1, in2)))
    _same_rank(x, h)
    mode, n = _checked(mode), ndim_of(x)
    if n == 0:
        return x * h
    if axes is not None and not np.size(axes):
        raise ValueError("when provided, axes cannot be empty")
    s, t = shape_of(x), shape_of(h)
    # An axis of length 1 broadcasts.
    along = [i for i in axes_from_end(axes, n) if s[i] != 1 and t[i] != 1]
    k = len(along)
    if k == 0:
        return _trimmed(x * h, s, mode, ())
    last = list(range(-k, 0))
    x, h = (np.moveaxis(y, along, last) for y in (x, h))
    x, h = _ordered(x, h, k, mode)
    place = _place(shape_of(x)[-k:], shape_of(h)[-k:], mode)
    y = np.moveaxis(convolution(x, h, *place, "fft"), last, along)
    return _trimmed(y, s, mode, tuple(along))


def _trimmed(y: Any, shape: Ints, mode: str, along: Ints) -> Any:
    """Mode "same" gives the shape of the first input, also where that was broadcast."""
    n = len(shape)
    have = shape_of(y)
    if mode != "same" or all(have[i] == shape[i] for i in range(-n, 0) if i not in along):
        return y
    begin = [(have[i] - shape[i]) // 2 for i in range(n)]
    return y[tuple(slice(a, a + m) for a, m in zip(begin, shape, strict=True))]


@offers(sp.fftconvolve)
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """`scipy.signal.fftconvolve`."""
    return _by_fft(in1, in2, mode, axes)


@offers(sp.oaconvolve)
def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """`scipy.signal.oaconvolve`; of traced values as `fftconvolve`, in one piece."""
    return _by_fft(in1, in2, mode, axes)


# ------------------------------------------------------------------ of images
_BOUNDARIES: dict[str, Any] = {
    "fill": "constant", "pad": "constant", "wrap": "wrap", "circular": "wrap",
    "symm": "symmetric", "symmetric": "symmetric",
}  # fmt: skip


def _image(in1: Any, in2: Any, mode: str, boundary: str, fillvalue: Any, correlates: bool) -> Any:
    x, h = asarray(in1), asarray(in2)
    if ndim_of(x) != 2 or ndim_of(h) != 2:
        raise ShapeError(
            "A convolution of images wants two arrays of rank 2.",
            f"shapes {shape_of(x)} and {shape_of(h)}",
            "map it over the other axes with fgrad.vmap, or use convolve",
        )
    if boundary not in _BOUNDARIES:
        raise ValueError("Acceptable boundary flags are 'fill', 'circular' (or 'wrap'), and "
                         "'symmetric' (or 'symm').")  # fmt: skip
    mode = _checked(mode)
    swapped = _ordered(x, h, 2, mode)[0] is not x
    if correlates:
        h = np.conj(reverse(h, 2))
    x, h = (h, x) if swapped else (x, h)
    n, m = shape_of(x), shape_of(h)
    start, size = _place(n, m, mode)
    if correlates and mode == "same":
        start = tuple(j // 2 for j in m)
    if mode != "valid":
        plain = is_a(fillvalue, (int, float, complex)) and fillvalue == 0
        if _BOUNDARIES[boundary] != "constant":
            widths = [(j - 1, j - 1) for j in m]
            x = np.pad(x, widths, mode=_BOUNDARIES[boundary])
            start = tuple(a + j - 1 for a, j in zip(start, m, strict=True))
        elif not plain:
            widths = [(j - 1, j - 1) for j in m]
            outside = 1 - np.pad(np.ones(n, np.real(np.zeros(0, x.dtype)).dtype), widths)
            x = np.pad(x, widths) + fillvalue * outside
            start = tuple(a + j - 1 for a, j in zip(start, m, strict=True))
    y = convolution(x, h, start, size, "direct")
    # Of swapped inputs SciPy's correlate2d is the conjugate of what it is elsewhere.
    return np.conj(y) if correlates and swapped else y


@offers(sp.convolve2d)
def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """`scipy.signal.convolve2d`; the fill value has a derivative too."""
    return _image(in1, in2, mode, boundary, fillvalue, correlates=False)


@offers(sp.correlate2d)
def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """`scipy.signal.correlate2d`; the fill value has a derivative too."""
    return _image(in1, in2, mode, boundary, fillvalue, correlates=True)
