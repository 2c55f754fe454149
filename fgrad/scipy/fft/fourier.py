"""Fourier transforms: those of NumPy with the keywords of SciPy, and more Hermitian ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import fft as sp

from ...doors import offers
from ...numpy import asarray
from ...ops import fft as ours
from .cosines import shape_and_axes

_BACK = {"backward": "forward", None: "forward", "ortho": "ortho", "forward": "backward"}


def _array(x: Any) -> Any:
    x = asarray(x)
    return x.astype(np.float32) if x.dtype == np.float16 else x


def _one(fn: Any, front: Any) -> Any:
    def transform(
        x: Any, n: int | None = None, axis: int = -1, norm: Any = None, overwrite_x: bool = False,
        workers: Any = None, *, plan: None = None,
    ) -> Any:  # fmt: skip
        return front(_array(x), n, axis, norm)

    return offers(fn)(transform)


def _several(fn: Any, front: Any, default: Any) -> Any:
    def transform(
        x: Any, s: Any = None, axes: Any = default, norm: Any = None, overwrite_x: bool = False,
        workers: Any = None, *, plan: None = None,
    ) -> Any:  # fmt: skip
        x = _array(x)
        lengths, places = shape_and_axes(x, s, axes)
        return front(x, lengths, places, norm)

    return offers(fn)(transform)


def _fftn(x: Any, lengths: Any, axes: Any, norm: Any) -> Any:
    for n, axis in reversed([*zip(lengths, axes, strict=True)]):
        x = ours.fft(x, n, axis, norm)
    return x


def _ifftn(x: Any, lengths: Any, axes: Any, norm: Any) -> Any:
    for n, axis in reversed([*zip(lengths, axes, strict=True)]):
        x = ours.ifft(x, n, axis, norm)
    return x


def _rfftn(x: Any, lengths: Any, axes: Any, norm: Any) -> Any:
    x = ours.rfft(x, lengths[-1], axes[-1], norm)
    return _fftn(x, lengths[:-1], axes[:-1], norm)


def _irfftn(x: Any, lengths: Any, axes: Any, norm: Any) -> Any:
    x = _ifftn(x, lengths[:-1], axes[:-1], norm)
    return ours.irfft(x, lengths[-1], axes[-1], norm)


def _hfftn(x: Any, lengths: Any, axes: Any, norm: Any) -> Any:
    """The spectrum, which is real, of an array of which half is given: the rest is its mirror."""
    return _irfftn(np.conj(x), lengths, axes, _BACK[norm])


def _ihfftn(x: Any, lengths: Any, axes: Any, norm: Any) -> Any:
    return np.conj(_rfftn(x, lengths, axes, _BACK[norm]))


fft, ifft = _one(sp.fft, ours.fft), _one(sp.ifft, ours.ifft)
rfft, irfft = _one(sp.rfft, ours.rfft), _one(sp.irfft, ours.irfft)
hfft, ihfft = _one(sp.hfft, ours.hfft), _one(sp.ihfft, ours.ihfft)
fftn, ifftn = _several(sp.fftn, _fftn, None), _several(sp.ifftn, _ifftn, None)
rfftn, irfftn = _several(sp.rfftn, _rfftn, None), _several(sp.irfftn, _irfftn, None)
hfftn, ihfftn = _several(sp.hfftn, _hfftn, None), _several(sp.ihfftn, _ihfftn, None)
fft2, ifft2 = _several(sp.fft2, _fftn, (-2, -1)), _several(sp.ifft2, _ifftn, (-2, -1))
rfft2, irfft2 = _several(sp.rfft2, _rfftn, (-2, -1)), _several(sp.irfft2, _irfftn, (-2, -1))
hfft2, ihfft2 = _several(sp.hfft2, _hfftn, (-2, -1)), _several(sp.ihfft2, _ihfftn, (-2, -1))
