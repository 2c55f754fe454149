"""Rows of short-time transforms and of spectra: windows, overlaps, lengths, axes, averages."""

from __future__ import annotations

import numpy as np
import scipy.signal as sp

from fgrad.scipy import signal

from .row import P, R, linear, row


def _last(name, **keywords):
    """What a function returns beside frequencies and times."""
    return lambda *xs: getattr(signal, name)(*xs, **keywords)[-1]


BOTH = {"return_onesided": False}

#: (function, shape, keywords): linear in the signal
LINEAR = [
    (sp.stft, (9,), {"nperseg": 4, **BOTH}),
    (sp.stft, (7, 2), {"nperseg": 3, "noverlap": 2, "nfft": 5, "axis": 0, **BOTH}),
    (sp.stft, (6,), {"nperseg": 3, "scaling": "psd", "fs": 3.0, **BOTH}),
    (sp.stft, (8,), {"nperseg": 4, "boundary": "odd", "padded": False, "fs": 2.0, **BOTH}),
]  # fmt: skip
LINEAR_REAL = [
    (sp.stft, (8,), {"nperseg": 4, "boundary": "even", "detrend": "linear", "window": "boxcar"}),
    (sp.stft, (8,), {"nperseg": 5, "noverlap": 1, "boundary": "constant", "detrend": "constant"}),
    (sp.stft, (2, 6), {"nperseg": 4, "boundary": None, "window": ("kaiser", 2.0)}),
]
SMOOTH = [
    (sp.welch, [(10,)], {"nperseg": 4}, False),
    (sp.welch, [(9, 2)], {"nperseg": 4, "axis": 0, "scaling": "spectrum", "fs": 2.0, **BOTH}, True),
    (sp.welch, [(11,)], {"nperseg": 4, "average": "median", "detrend": "linear"}, False),
    (sp.csd, [(10,), (8,)], {"nperseg": 5, "noverlap": 3, "nfft": 6}, False),
    (sp.csd, [(2, 6), (1, 6)], {"nperseg": 4, "detrend": False, **BOTH}, True),
    (sp.csd, [(9,), (9,)], {"nperseg": 3, "noverlap": 0, "average": "median"}, False),
    (sp.periodogram, [(6,)], {"nfft": 4}, False),
    (sp.periodogram, [(4,)], {"nfft": 6, "detrend": "linear", "window": "hann"}, False),
    (sp.spectrogram, [(8,)], {"nperseg": 4, "noverlap": 2}, False),
    (sp.spectrogram, [(8,)], {"nperseg": 4, "mode": "magnitude", **BOTH}, False),
    (sp.spectrogram, [(6,)], {"nperseg": 4, "mode": "phase", "detrend": False}, False),
    (sp.coherence, [(10,), (10,)], {"nperseg": 4}, False),
]

ROWS = [
    linear(sp.detrend, [(2, 5)], lambda x: signal.detrend(x), bits=False),
    linear(sp.detrend, [(5, 2)], lambda x: signal.detrend(x, 0, "constant"), bits=False),
    linear(sp.detrend, [(6, 2)], lambda x: signal.detrend(x, axis=0, bp=[3, 5]), bits=False),
    *(linear(f, [s], _last(f.__name__, **kw), bits=False) for f, s, kw in LINEAR),
    *(
        linear(f, [s], _last(f.__name__, **kw), complex=False, bits=False)
        for f, s, kw in LINEAR_REAL
    ),
    linear(sp.istft, [(3, 4)], _last("istft"), bits=False),
    linear(
        sp.istft, [(4, 3, 2)], bits=False,
        call=_last("istft", time_axis=0, freq_axis=1, input_onesided=False, noverlap=2, nperseg=3,
                   nfft=3, scaling="psd", fs=2.0),
    ),
    linear(
        sp.istft, [(3, 3)], bits=False,
        call=_last("istft", window="boxcar", boundary=False, nperseg=5, noverlap=1),
    ),
    row(
        sp.stft, [(6,), P(4)], bits=False,
        call=lambda x, w: signal.stft(x, window=w, nperseg=4, noverlap=3)[2],
    ),
    row(
        sp.istft, [(3, 3), P(4)], bits=False,
        call=lambda x, w: signal.istft(x + 1j * np.sin(x), window=w, noverlap=2)[1],
    ),
    # SciPy makes a window that it gets read-only.
    row(
        sp.csd, [(8,), (8,), R(4, low=1.0)], bits=False,
        call=lambda x, y, w: signal.csd(x, y, window=1.0 * w, scaling="spectrum")[1],
    ),
    *(
        row(f, shapes, _last(f.__name__, **kw), complex=takes, bits=False)
        for f, shapes, kw, takes in SMOOTH
    ),
]  # fmt: skip
