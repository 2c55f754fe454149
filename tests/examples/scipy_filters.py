"""Rows of filters in `scipy.signal`: coefficients, states, ends, axes, lengths."""

from __future__ import annotations

import numpy as np
import scipy.signal as sp

from fgrad.scipy import signal

from .row import P, linear, multilinear, row

B, A = np.array([0.5, 0.2]), np.array([1.2, -0.4, 0.3])
SECTIONS = np.array([[0.5, 0.3, 0.2, 1.0, -0.3, 0.1], [1.0, 0.4, 0.0, 1.0, 0.2, 0.0]])


def _denominator(a):
    """Coefficients near those of a filter that is stable."""
    return A + 0.1 * a


def _smoothed(**keywords):
    return lambda x: signal.savgol_filter(x, 5, 2, **keywords)


ROWS = [
    row(
        sp.lfilter, [(2,), (3,), (5,)], bits=False, complex=True,
        call=lambda b, a, x: signal.lfilter(b, _denominator(a), x),
    ),
    row(
        sp.lfilter, [(3,), (3, 2), (2, 2)], bits=False, complex=True,
        call=lambda a, x, z: signal.lfilter(B, _denominator(a), x, axis=0, zi=z),
    ),
    linear(sp.lfilter, [(4,)], lambda x: signal.lfilter(A, [2.0], x), bits=False),
    row(
        sp.lfilter_zi, [(2,), (3,)], bits=False,
        call=lambda b, a: signal.lfilter_zi(b, _denominator(a)),
    ),
    row(
        sp.filtfilt, [(2,), (3,), (5, 2)], bits=False,
        call=lambda b, a, x: signal.filtfilt(b, _denominator(a), x, 0, padlen=2),
    ),
    linear(
        sp.filtfilt, [(12,)], bits=False, complex=False,
        call=lambda x: signal.filtfilt(B, A, x, padtype="even"),
    ),
    row(
        sp.sosfilt, [(2, 6), (4,), (2, 2)], bits=False,
        call=lambda s, x, z: signal.sosfilt(
            np.array([1, 1, 1, 0, 1, 1]) * 0.1 * s + SECTIONS, x, zi=z),
    ),
    linear(sp.sosfilt, [(3, 2)], lambda x: signal.sosfilt(SECTIONS, x, 0), bits=False),
    row(
        sp.sosfilt_zi, [(2, 6)], bits=False,
        call=lambda s: signal.sosfilt_zi(np.array([1, 1, 1, 0, 1, 1]) * 0.1 * s + SECTIONS),
    ),
    linear(
        sp.sosfiltfilt, [(13,)], bits=False, complex=False,
        call=lambda x: signal.sosfiltfilt(SECTIONS, x, padtype="constant"),
    ),
    *(
        linear(sp.savgol_filter, [(2, 6)], _smoothed(**kw), bits=False, complex=False)
        for kw in ({}, {"mode": "nearest"}, {"mode": "wrap"})
    ),
    linear(
        sp.savgol_filter, [(6, 2)], _smoothed(deriv=1, delta=0.5, axis=0), bits=False,
        complex=False,
    ),
    linear(
        sp.savgol_filter, [(5,), ()], bits=False, complex=False,
        call=lambda x, c: signal.savgol_filter(x, 4, 2, mode="constant", cval=c),
    ),
    linear(sp.hilbert, [(2, 5)], lambda x: signal.hilbert(x), bits=False, complex=False),
    linear(sp.hilbert, [(3, 2)], lambda x: signal.hilbert(x, 4, 0), bits=False, complex=False),
    *(
        linear(sp.resample, [(n,)], lambda x, m=m: signal.resample(x, m), bits=False)
        for n, m in [(6, 4), (4, 7)]
    ),
    row(
        sp.resample, [(5, 2), P(5)], bits=False,
        call=lambda x, w: signal.resample(x, 3, window=w),
    ),
    linear(
        sp.resample, [(2, 4)], bits=False,
        call=lambda x: signal.resample(x, 6, axis=1, domain="freq"),
    ),
    *(
        multilinear(
            sp.upfirdn, [(3,), shape], lambda h, x, kw=kw: signal.upfirdn(h, x, **kw), bits=False
        )
        for shape, kw in [((4,), {"up": 3, "down": 2}), ((4, 2), {"down": 2, "axis": 0})]
    ),
    row(sp.medfilt, [(5,)], lambda x: signal.medfilt(x)),
    row(sp.medfilt, [(3, 4)], lambda x: signal.medfilt(x, [1, 3])),
]  # fmt: skip
