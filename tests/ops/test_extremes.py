"""Derivatives of very small and very large numbers: no formula overflows, none loses its digits."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad

from .. import laws
from ..examples.ufuncs import BINARY, SMOOTH

SIZES = [1e-300, 1e-160, 1e-20, 1e-5, 0.3, 0.9999999, 1.0000001, 3.0, 30.0, 1e5, 1e10, 1e160, 1e300]
X = np.array([0.0, *SIZES, *(-x for x in SIZES)])
PAIRS = [np.ravel(a) for a in np.meshgrid(X, X)]


def cotangents(f, xs):
    y, pullback = fgrad.vjp(f, *xs)
    return y, pullback(np.ones_like(y))


@pytest.mark.parametrize(
    "f", [*(f for f, *_ in SMOOTH), *(f for f, *_ in BINARY)], ids=lambda f: f.__name__
)
def test_double_precision_agrees_with_extended(f):
    xs = [X] if f.nin == 1 else PAIRS
    with laws.quiet():
        y, got = cotangents(f, xs)
        _, want = cotangents(f, [x.astype(np.longdouble) for x in xs])
        for c, w in zip(got, want, strict=True):
            inside = np.isfinite(y)
            np.testing.assert_allclose(c[inside], w.astype(np.float64)[inside], 1e-9, atol=1e-307)


NO_POLE = [np.arctan, np.arcsinh, np.tanh, np.sin, np.cos, np.expm1, np.fabs, np.square]


@pytest.mark.parametrize("f", NO_POLE, ids=lambda f: f.__name__)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_a_derivative_warns_only_where_the_value_does(f, dtype):
    info = np.finfo(dtype)
    with np.errstate(all="ignore"):
        x = np.array([0, info.tiny, 1, 1e2, info.max], dtype)
        fine = x[np.isfinite(f(x))]
    (ct,) = cotangents(f, [fine])[1]
    assert np.all(np.isfinite(ct))
