"""Rows of Fourier transforms: lengths longer and shorter, axes, norms."""

from __future__ import annotations

import numpy as np

from .row import linear

#: How a transform of one axis is called, and of several.
ONE = [
    ((4,), {}), ((5,), {}), ((2, 3), {"n": 5, "axis": 0, "norm": "ortho"}),
    ((2, 5), {"n": 4, "norm": "forward"}), ((3,), {"n": 1}), ((4,), {"n": 2, "norm": "backward"}),
]  # fmt: skip
SEVERAL = [
    ((3, 4), {}), ((2, 3, 4), {"axes": (0, -1), "norm": "ortho"}),
    ((3, 4), {"s": (2, 5), "axes": (1, 0), "norm": "forward"}), ((2, 3, 4), {"axes": (1,)}),
    ((3, 4), {"s": (-1, 3), "axes": (0, 1)}),
]  # fmt: skip


def _with(fn, keywords):
    return lambda x: fn(x, **keywords)


ROWS = [
    *(
        linear(f, [shape], _with(f, kw))
        for f in (np.fft.fft, np.fft.ifft, np.fft.irfft, np.fft.hfft)
        for shape, kw in ONE
    ),
    *(
        linear(f, [shape], _with(f, kw), complex=False)
        for f in (np.fft.rfft, np.fft.ihfft)
        for shape, kw in ONE
    ),
    *(linear(f, [s], _with(f, kw)) for f in (np.fft.fftn, np.fft.ifft2) for s, kw in SEVERAL),
    *(linear(f, [(3, 4)], f) for f in (np.fft.fft2, np.fft.ifftn)),
    *(linear(np.fft.rfftn, [s], _with(np.fft.rfftn, kw), complex=False) for s, kw in SEVERAL),
    *(linear(np.fft.irfftn, [s], _with(np.fft.irfftn, kw)) for s, kw in SEVERAL),
    linear(np.fft.rfft2, [(3, 4)], np.fft.rfft2, complex=False),
    linear(np.fft.irfft2, [(3, 4)], np.fft.irfft2),
    *(linear(f, [(3, 4)], f) for f in (np.fft.fftshift, np.fft.ifftshift)),
    *(linear(f, [(3, 5)], _with(f, {"axes": 1})) for f in (np.fft.fftshift, np.fft.ifftshift)),
]
