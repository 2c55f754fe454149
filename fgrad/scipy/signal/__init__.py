"""The functions of `scipy.signal` on traced signals."""

from __future__ import annotations

from .convolution import convolve as convolve
from .convolution import convolve2d as convolve2d
from .convolution import correlate as correlate
from .convolution import correlate2d as correlate2d
from .convolution import fftconvolve as fftconvolve
from .convolution import oaconvolve as oaconvolve
from .filters import filtfilt as filtfilt
from .filters import lfilter as lfilter
from .filters import lfilter_zi as lfilter_zi
from .filters import sosfilt as sosfilt
from .filters import sosfilt_zi as sosfilt_zi
from .filters import sosfiltfilt as sosfiltfilt
from .frames import detrend as detrend
from .inverse import istft as istft
from .smoothing import hilbert as hilbert
from .smoothing import medfilt as medfilt
from .smoothing import resample as resample
from .smoothing import savgol_filter as savgol_filter
from .smoothing import upfirdn as upfirdn
from .spectra import coherence as coherence
from .spectra import csd as csd
from .spectra import periodogram as periodogram
from .spectra import spectrogram as spectrogram
from .spectra import stft as stft
from .spectra import welch as welch
