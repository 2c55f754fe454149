"""Fourier transforms: those of one axis are linear primitives, the others are made of them.

The matrix of a transform is symmetric, so `fft` is its own transpose, under any norm. Where n is
not the length of the axis, the operand is cut or padded with zeros before, and so the cotangent
after. `rfft` keeps half of a spectrum whose other half is its conjugate; `irfft` reads such a
half, of which all frequencies count twice but the first and, for even n, the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import from_end, is_a, ndim_of, shape_of
from ..core import Array, Params
from ..fronts import given
from ..rules import cast, linear
from ..tracer import register
from .index import getitem

#: What scales the transform back: the norm of its transpose.
_BACK: dict[str, Any] = {"backward": "forward", "ortho": "ortho", "forward": "backward"}


def _part(x: Array, axis: int, start: int | None, stop: int | None) -> Array:
    return getitem(x, (..., slice(start, stop), *(slice(None),) * (-axis - 1)))


def _fitted(c: Array, x: Any, axis: int) -> Array:
    """A cotangent cut or padded to the operand's length, in the operand's dtype."""
    have, want = shape_of(c)[axis], x.shape[axis]
    if have > want:
        c = _part(c, axis, None, want)
    elif have < want:
        widths = [(0, 0)] * ndim_of(c)
        widths[axis] = (0, want - have)
        c = np.pad(c, widths)
    return cast(c, x.dtype)


def _call(x: Any, n: int, axis: int, norm: str) -> tuple[Sequence[Any], Params]:
    return (x,), {"n": n, "axis": axis, "norm": norm}


def _complex(fn: Any) -> Any:
    def transpose(g: Array, x: Any, *, n: int, axis: int, norm: Any) -> Array:
        return _fitted(fn(g, n, axis, norm), x, axis)

    return linear(fn, transpose)(_call)


def _rfft_transpose(g: Array, x: Any, *, n: int, axis: int, norm: Any) -> Array:
    return _fitted(np.real(np.fft.fft(g, n, axis, norm)), x, axis)


def _irfft_transpose(g: Array, x: Any, *, n: int, axis: int, norm: Any) -> Array:
    c = np.conj(np.fft.rfft(g, n, axis, _BACK[norm]))
    last = (n + 1) // 2
    first, twice, rest = (_part(c, axis, i, j) for i, j in ((0, 1), (1, last), (last, None)))
    c = np.concatenate([first, 2 * twice, rest] if n > 1 else [first], axis=axis)
    return _fitted(c, x, axis)


_rfft = linear(np.fft.rfft, _rfft_transpose)(_call)
_irfft = linear(np.fft.irfft, _irfft_transpose)(_call)


def _norm(norm: Any) -> str:
    if norm is None:
        return "backward"
    if norm not in _BACK:
        raise ValueError(f'Invalid norm value {norm}; should be "backward", "ortho" or "forward".')
    return str(norm)


def _along(front: Any, half: bool = False) -> Any:
    """A transform of one axis as NumPy calls it."""

    def transform(
        a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None
    ) -> Any:
        given(out=out)
        axis = from_end(axis, ndim_of(a))
        if n is None:
            n = 2 * (shape_of(a)[axis] - 1) if half else shape_of(a)[axis]
        if n < 1:
            raise ValueError(f"Invalid number of FFT data points ({n}) specified.")
        return front(a, int(n), axis, _norm(norm))

    return transform


fft, ifft = _along(_complex(np.fft.fft)), _along(_complex(np.fft.ifft))
rfft, irfft = _along(_rfft), _along(_irfft, half=True)


def hfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Any:
    """`numpy.fft.hfft`."""
    return irfft(np.conj(a), n, axis, _BACK[_norm(norm)], out)


def ihfft(a: Any, n: int | None = None, axis: int = -1, norm: Any = None, out: None = None) -> Any:
    """`numpy.fft.ihfft`."""
    return np.conj(rfft(a, n, axis, _BACK[_norm(norm)], out))


# ------------------------------------------------------------------ several axes
def _lengths(a: Any, s: Any, axes: Any, half: bool = False) -> tuple[list[Any], list[int]]:
    """A length, or None for all there is, for each axis."""
    if axes is None:
        axes = range(ndim_of(a)) if s is None else range(-len(s), 0)
    axes = [from_end(i, ndim_of(a)) for i in axes]
    if s is None:
        return [None] * len(axes), axes
    if len(s) != len(axes):
        raise ValueError("Shape and axes have different lengths.")
    # -1 stands for the length of the axis; of the half spectrum NumPy takes that as it is.
    lengths = [shape_of(a)[i] if n == -1 else n for n, i in zip(s, axes, strict=True)]
    return [None if n is None else int(n) for n in lengths], axes


def _over(front: Any, default: Any) -> Any:
    """`fftn` and `fft2`: the last axis first."""

    def transform(
        a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: None = None
    ) -> Any:
        given(out=out)
        lengths, places = _lengths(a, s, axes)
        for n, axis in reversed([*zip(lengths, places, strict=True)]):
            a = front(a, n, axis, norm)
        return a

    return transform


def _over_real(default: Any) -> Any:
    def transform(
        a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: None = None
    ) -> Any:
        given(out=out)
        lengths, places = _lengths(a, s, axes)
        a = rfft(a, lengths[-1], places[-1], norm)
        for n, axis in reversed([*zip(lengths[:-1], places[:-1], strict=True)]):
            a = fft(a, n, axis, norm)
        return a

    return transform


def _over_half(default: Any) -> Any:
    def transform(
        a: Any, s: Any = None, axes: Any = default, norm: Any = None, out: None = None
    ) -> Any:
        given(out=out)
        lengths, places = _lengths(a, s, axes)
        for n, axis in zip(lengths[:-1], places[:-1], strict=True):
            a = ifft(a, n, axis, norm)
        return irfft(a, lengths[-1], places[-1], norm)

    return transform


# ------------------------------------------------------------------ shifts
def _shift(back: bool) -> Any:
    def shift(x: Any, axes: Any = None) -> Any:
        axes = (
            tuple(range(ndim_of(x)))
            if axes is None
            else (axes,)
            if is_a(axes, (int, np.integer))
            else tuple(axes)
        )
        shifts = tuple(shape_of(x)[i] // 2 for i in axes)
        return np.roll(x, tuple(-n for n in shifts) if back else shifts, axes)

    return shift


for _fn, _front in (
    (np.fft.fft, fft), (np.fft.ifft, ifft), (np.fft.rfft, rfft), (np.fft.irfft, irfft),
    (np.fft.hfft, hfft), (np.fft.ihfft, ihfft),
    (np.fft.fftn, _over(fft, None)), (np.fft.fft2, _over(fft, (-2, -1))),
    (np.fft.ifftn, _over(ifft, None)), (np.fft.ifft2, _over(ifft, (-2, -1))),
    (np.fft.rfftn, _over_real(None)), (np.fft.rfft2, _over_real((-2, -1))),
    (np.fft.irfftn, _over_half(None)), (np.fft.irfft2, _over_half((-2, -1))),
    (np.fft.fftshift, _shift(back=False)), (np.fft.ifftshift, _shift(back=True)),
):  # fmt: skip
    register(_fn, _front)
