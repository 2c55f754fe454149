"""Rows of `scipy.fft`: types, lengths longer and shorter, axes, norms, weights at the ends."""

from __future__ import annotations

import scipy.fft as sp

from fgrad.scipy import fft as sfft

from .row import linear

#: How a cosine or sine transform of one axis is called.
ONE = [
    ((4,), {}), ((5,), {"type": 1}), ((2, 3), {"type": 3, "axis": 0, "n": 3}),
    ((2, 5), {"type": 4, "n": 4, "norm": "forward"}), ((3,), {"norm": "ortho"}),
    ((4,), {"type": 3, "norm": "ortho", "orthogonalize": True}),
    ((4,), {"type": 1, "norm": "ortho"}),
    ((4,), {"type": 2, "norm": "forward", "orthogonalize": True}),
]  # fmt: skip
ONE_REAL = [((4,), {"type": t, "norm": "ortho", "orthogonalize": False}) for t in (1, 2, 3)]
SEVERAL = [
    ((3, 4), {}), ((2, 3, 4), {"axes": (0, -1), "norm": "ortho"}),
    ((3, 4), {"type": 1, "s": (2, 5), "axes": (1, 0)}), ((2, 3), {"type": 3, "s": 4}),
]  # fmt: skip


def _with(name, keywords):
    return lambda x: getattr(sfft, name)(x, **keywords)


ROWS = [
    *(linear(getattr(sp, f), [s], _with(f, kw)) for f in ("dct", "dst") for s, kw in ONE),
    *(
        linear(getattr(sp, f), [s], _with(f, kw), complex=False)
        for f in ("dct", "dst")
        for s, kw in ONE_REAL
    ),
    *(linear(getattr(sp, f), [s], _with(f, kw)) for f in ("idct", "idst") for s, kw in ONE[2:4]),
    *(linear(getattr(sp, f), [s], _with(f, kw)) for f in ("dctn", "dstn") for s, kw in SEVERAL),
    *(
        linear(getattr(sp, f), [s], _with(f, kw))
        for f in ("idctn", "idstn")
        for s, kw in SEVERAL[3:]
    ),
    linear(sp.fft, [(2, 3)], lambda x: sfft.fft(x, 4, 0, "ortho"), bits=False),
    linear(sp.ifft, [(2, 3)], lambda x: sfft.ifft(x, workers=1), bits=False),
    linear(sp.rfft, [(4,)], lambda x: sfft.rfft(x), complex=False, bits=False),
    linear(sp.irfft, [(2, 3)], lambda x: sfft.irfft(x, n=5, axis=0), bits=False),
    linear(sp.hfft, [(3,)], lambda x: sfft.hfft(x), bits=False),
    linear(sp.ihfft, [(4,)], lambda x: sfft.ihfft(x, norm="forward"), complex=False, bits=False),
    linear(sp.fftn, [(2, 3)], lambda x: sfft.fftn(x, s=3, axes=0), bits=False),
    linear(sp.ifftn, [(2, 3)], lambda x: sfft.ifftn(x), bits=False),
    linear(sp.fft2, [(2, 3)], lambda x: sfft.fft2(x), bits=False),
    linear(sp.ifft2, [(2, 3)], lambda x: sfft.ifft2(x, norm="ortho"), bits=False),
    linear(sp.rfftn, [(2, 3)], lambda x: sfft.rfftn(x), complex=False, bits=False),
    linear(sp.irfftn, [(2, 3)], lambda x: sfft.irfftn(x), bits=False),
    linear(sp.rfft2, [(2, 3)], lambda x: sfft.rfft2(x), complex=False, bits=False),
    linear(sp.irfft2, [(2, 3)], lambda x: sfft.irfft2(x, s=(3, 3)), bits=False),
    linear(sp.hfftn, [(2, 3)], lambda x: sfft.hfftn(x, norm="ortho"), bits=False),
    linear(sp.ihfftn, [(2, 3)], lambda x: sfft.ihfftn(x), complex=False, bits=False),
    linear(sp.hfft2, [(2, 3)], lambda x: sfft.hfft2(x), bits=False),
    linear(sp.ihfft2, [(2, 3)], lambda x: sfft.ihfft2(x), complex=False, bits=False),
]
