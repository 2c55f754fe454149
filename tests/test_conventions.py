"""Derivatives at kinks, ties, zeros and infinities: each convention is a row of the table."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad

from . import laws
from .examples.special import HESSIANS, SPECIAL

RTOL = 1e-13


def name(x):
    return getattr(x, "__qualname__", x.__name__).replace("<lambda>", "f") if callable(x) else None


@pytest.mark.parametrize(("f", "args", "want"), SPECIAL, ids=name)
def test_special_points(f, args, want):
    xs = [np.array(x) for x in args]
    want = [np.array(w, x.dtype) for w, x in zip(want, xs, strict=True)]
    with laws.quiet():
        y, pullback = fgrad.vjp(f, *xs)
        laws.same_bits(y, f(*xs), "value = NumPy's")
        cts = pullback(np.ones_like(y))
        for got, w in zip(cts, want, strict=True):
            np.testing.assert_allclose(got, w, RTOL, err_msg="reverse")
        for i, (x, w) in enumerate(zip(xs, want, strict=True)):
            for place in np.ndindex(x.shape):
                got = directional(f, xs, i, place)
                np.testing.assert_allclose(
                    got, 0 if np.isnan(w[place]) else w[place], RTOL, err_msg="forward"
                )


def directional(f, xs, i, place):
    """The derivative of the sum in one element, forward; of complex z, d/dx - i d/dy.

    NaNs are left out: the tangent 0 of another element times an infinite slope.
    """
    units = [1, 1j] if xs[i].dtype.kind == "c" else [1]
    out = 0
    for unit in units:
        ts = [np.zeros_like(x) for x in xs]
        ts[i][place] = unit
        out += np.nansum(fgrad.jvp(f, xs, ts)[1]) * np.conj(unit)
    return out


@pytest.mark.parametrize(("f", "x", "want"), HESSIANS, ids=name)
def test_second_derivatives_at_special_points(f, x, want):
    x = np.array(x)
    with laws.quiet():
        gradient = fgrad.grad(f)
        rows = [fgrad.jvp(gradient, (x,), (e,))[1] for e in np.eye(x.size)]
        np.testing.assert_allclose(rows, want, atol=1e-14, err_msg="forward over reverse")
        _, pullback = fgrad.vjp(gradient, x)
        rows = [pullback(e)[0] for e in np.eye(x.size)]
        np.testing.assert_allclose(rows, want, atol=1e-14, err_msg="reverse over reverse")


def test_at_a_pole_numpy_warns_as_it_does_outside():
    with pytest.warns(RuntimeWarning, match="divide by zero"):
        assert fgrad.grad(np.sqrt)(np.float64(0.0)) == np.inf


@pytest.mark.parametrize(
    ("f", "x", "want"),
    [
        (np.log2, 0.0, np.inf), (lambda x: x**0.5, 0.0, np.inf), (np.arctanh, 1.0, np.inf),
        (fgrad.grad(lambda x: x**0.5), 0.0, -np.inf), (lambda x: 1 / x, 0.0, -np.inf),
        (lambda x: np.where(x > 0, np.log(x), 0.0), 0.0, np.nan),
    ],
)  # fmt: skip
def test_at_a_pole_python_floats_are_as_numpys(f, x, want):
    with laws.quiet():
        assert fgrad.grad(f)(x) == pytest.approx(want, nan_ok=True)
        if not np.isnan(want):
            assert fgrad.jvp(f, (x,), (1.0,))[1] == want
