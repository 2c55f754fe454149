"""Rows of convolutions in `scipy.signal`: modes, methods, ranks, boundaries."""

from __future__ import annotations

import numpy as np
import scipy.signal as sp

from fgrad.scipy import signal

from .row import linear, multilinear


def _with(name, *args, **keywords):
    return lambda x, y: getattr(signal, name)(x, y, *args, **keywords)


#: (function, shapes, call)
BILINEAR = [
    *((f, [(5,), (3,)], _with(f, mode)) for f in ("convolve", "correlate")
      for mode in ("full", "same", "valid")),
    ("convolve", [(2,), (4,)], _with("convolve", "same")),
    ("convolve", [(2,), (6,)], _with("convolve", "same", "fft")),
    ("convolve", [(2,), (4,)], _with("convolve", "valid", "direct")),
    ("convolve", [(4, 3), (2, 2)], _with("convolve", "full", "direct")),
    ("convolve", [(4, 3), (3, 2)], _with("convolve", "same", "fft")),
    ("convolve", [(2, 3, 2), (1, 2, 2)], _with("convolve", "same")),
    ("convolve", [(), ()], _with("convolve")),
    ("correlate", [(2,), (4,)], _with("correlate", "full", "fft")),
    ("correlate", [(3, 3), (2, 2)], _with("correlate", "same", method="direct")),
    ("fftconvolve", [(5,), (2,)], _with("fftconvolve", "same")),
    ("fftconvolve", [(2, 4), (1, 3)], _with("fftconvolve", "valid", axes=-1)),
    ("fftconvolve", [(3, 1), (2, 2)], _with("fftconvolve", mode="same", axes=0)),
    ("oaconvolve", [(2, 5), (2, 2)], _with("oaconvolve", axes=1)),
    *((f, [(3, 4), (2, 3)], _with(f, mode, boundary)) for f in ("convolve2d", "correlate2d")
      for mode, boundary in [("full", "fill"), ("same", "wrap"), ("same", "fill"),
                             ("full", "symm"), ("valid", "fill")]),
    ("correlate2d", [(2, 2), (3, 4)], _with("correlate2d", "valid")),
]  # fmt: skip

ROWS = [
    *(multilinear(getattr(sp, f), shapes, call, bits=False) for f, shapes, call in BILINEAR),
    linear(
        sp.convolve2d, [(2, 3), ()],
        lambda x, y: signal.convolve2d(x, np.array([[1.0, 2.0]]), "same", fillvalue=y), bits=False,
    ),
]  # fmt: skip
