"""The Fourier, cosine and sine transforms of `scipy.fft`.

What SciPy's own functions would refuse they hand to this module where it is their backend:

>>> import numpy as np, scipy.fft
>>> import fgrad, fgrad.scipy.fft
>>> with scipy.fft.set_backend(fgrad.scipy.fft):
...     fgrad.grad(lambda x: scipy.fft.dct(x, norm="forward")[0])(np.arange(4.0))
array([0.25, 0.25, 0.25, 0.25])
"""

from __future__ import annotations

from typing import Any as _Any

from numpy.fft import fftshift as fftshift
from numpy.fft import ifftshift as ifftshift
from scipy.fft import fftfreq as fftfreq
from scipy.fft import next_fast_len as next_fast_len
from scipy.fft import prev_fast_len as prev_fast_len
from scipy.fft import rfftfreq as rfftfreq

from ...core import FRONTS as _FRONTS
from ...doors import has_tracer as _has_tracer
from .cosines import dct as dct
from .cosines import dctn as dctn
from .cosines import dst as dst
from .cosines import dstn as dstn
from .cosines import idct as idct
from .cosines import idctn as idctn
from .cosines import idst as idst
from .cosines import idstn as idstn
from .fourier import fft as fft
from .fourier import fft2 as fft2
from .fourier import fftn as fftn
from .fourier import hfft as hfft
from .fourier import hfft2 as hfft2
from .fourier import hfftn as hfftn
from .fourier import ifft as ifft
from .fourier import ifft2 as ifft2
from .fourier import ifftn as ifftn
from .fourier import ihfft as ihfft
from .fourier import ihfft2 as ihfft2
from .fourier import ihfftn as ihfftn
from .fourier import irfft as irfft
from .fourier import irfft2 as irfft2
from .fourier import irfftn as irfftn
from .fourier import rfft as rfft
from .fourier import rfft2 as rfft2
from .fourier import rfftn as rfftn

#: The protocol of SciPy's backends.
__ua_domain__ = "numpy.scipy.fft"


def __ua_function__(method: _Any, args: _Any, kwargs: _Any) -> _Any:
    """Ours where an argument is traced; else SciPy's next backend."""
    front = _FRONTS.get(method)
    if front is None or not _has_tracer((*args, *kwargs.values())):
        return NotImplemented
    return front(*args, **kwargs)
