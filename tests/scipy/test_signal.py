"""Signals: backends, long signals, warnings, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
from scipy import signal as sp

import fgrad
import fgrad.scipy.fft
from fgrad.scipy import signal

X = np.random.default_rng(0).normal(size=300)


def test_fgrad_is_a_backend_of_scipys_transforms():
    with scipy.fft.set_backend(fgrad.scipy.fft):
        for f in (scipy.fft.dct, scipy.fft.fftn, scipy.fft.idstn):
            g = getattr(fgrad.scipy.fft, f.__name__)
            t = fgrad.jvp(f, (X,), (X,))[1]
            np.testing.assert_array_equal(t, fgrad.jvp(g, (X,), (X,))[1])
        np.testing.assert_array_equal(scipy.fft.rfft(X), np.fft.rfft(X))
    with pytest.raises(fgrad.errors.TracerConversionError, match=r"call fgrad\.scipy\.fft\.dct"):
        fgrad.grad(lambda x: scipy.fft.dct(x)[0])(X)


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
@pytest.mark.parametrize("size", [3, 250, 900])
def test_a_long_convolution_is_pulled_back_by_the_method_that_made_it(mode, size):
    h = np.random.default_rng(1).normal(size=size)
    g = np.random.default_rng(2).normal(size=len(sp.convolve(X, h, mode)))
    results = []
    for method in ("direct", "fft", "auto"):
        y, pullback = fgrad.vjp(lambda x, h, m=method: signal.convolve(x, h, mode, m), X, h)
        np.testing.assert_allclose(y, sp.convolve(X, h, mode), atol=1e-11)
        results.append(pullback(g))
    for dx, dh in results:
        np.testing.assert_allclose(np.sum(dx * X), np.sum(g * y), rtol=1e-9)
        np.testing.assert_allclose(np.sum(dh * h), np.sum(g * y), rtol=1e-9)
        np.testing.assert_allclose(dx, results[0][0], atol=1e-11)
        np.testing.assert_allclose(dh, results[0][1], atol=1e-11)


def test_integers_are_convolved_exactly():
    x = np.array([2**40, 3, 1])
    got = fgrad.vmap(lambda x: signal.convolve(x, x))(np.stack([x, x]))
    np.testing.assert_array_equal(got, [np.convolve(x, x)] * 2)
    assert got.dtype == x.dtype


def test_a_short_time_transform_comes_back():
    there_and_back = lambda x: signal.istft(signal.stft(x, nperseg=32)[2], nperseg=32)[1]  # noqa: E731
    t = np.cos(X)
    got = fgrad.jvp(there_and_back, (X,), (t,))[1][: len(X)]
    np.testing.assert_allclose(got, t, atol=1e-13)


def test_the_tangent_of_a_filter_of_long_signals_is_that_of_its_input():
    b, a = sp.butter(4, 0.2)
    got = fgrad.jvp(lambda x: signal.filtfilt(b, a, x), (X,), (np.sin(X),))[1]
    np.testing.assert_allclose(got, sp.filtfilt(b, a, np.sin(X)), atol=1e-9)


def test_warnings_are_scipys():
    with pytest.warns(UserWarning, match="nperseg = 256 is greater than input length"):
        fgrad.jvp(lambda x: signal.welch(x)[1], (X[:20],), (X[:20],))
    z = X[:20] + 0j
    with pytest.warns(UserWarning, match="switching to return_onesided=False"):
        fgrad.jvp(lambda x: signal.stft(x, nperseg=8)[2], (z,), (z,))
    z = np.ones((5, 3), complex)
    with pytest.warns(UserWarning, match="NOLA condition failed"):
        fgrad.jvp(lambda z: signal.istft(z, boundary=False)[1], (z,), (z,))


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda x: signal.convolve(x, x, "whole"), "acceptable mode flags"),
        (lambda x: signal.convolve(x, x, method="slow"), "Acceptable method flags"),
        (lambda x: signal.convolve(x, np.ones((2, 2))), "same rank"),
        (lambda x: signal.fftconvolve(np.ones((2, 9)), x[:6].reshape(3, 2), "valid"), "at least"),
        (lambda x: signal.convolve2d(x, x), "rank 2"),
        (lambda x: signal.stft(x, nperseg=8, noverlap=8), "noverlap must be less"),
        (lambda x: signal.stft(x, nperseg=8, nfft=4), "greater than or equal to nperseg"),
        (lambda x: signal.stft(x, nperseg=8, boundary="none"), "Unknown boundary"),
        (lambda x: signal.welch(x, nperseg=8, average="mode"), "'median' or 'mean'"),
        (lambda x: signal.detrend(x, type="square"), "'linear' or 'constant'"),
        (lambda x: signal.detrend(x, bp=[400]), "Breakpoints"),
        (lambda x: signal.filtfilt([1.0], [1.0, 0.1], x, padlen=300), "greater than padlen"),
        (lambda x: signal.savgol_filter(x[:3], 5, 2), "less than or equal to the size"),
        (lambda x: fgrad.scipy.fft.dct(x, type=5), "invalid value for type"),
        (lambda x: fgrad.scipy.fft.dct(x, norm="unit"), "Invalid norm value"),
    ],
)
def test_what_scipy_refuses_is_refused(call, match):
    with pytest.raises(ValueError, match=match):
        fgrad.jvp(call, (X,), (X,))


def test_what_has_no_rule_says_what_to_use():
    with pytest.raises(fgrad.errors.NoRuleError, match="use method='pad'"):
        fgrad.grad(lambda x: signal.filtfilt([1.0], [1.0, 0.1], x, method="gust")[0])(X)
