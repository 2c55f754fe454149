"""Products of matrices that are done in parts, by machine code."""

from __future__ import annotations

import numpy as np
import pytest

from fgrad import jit
from fgrad.compiler import small
from fgrad.compiler.native import products

SHAPES = [(2048, 64, 64), (512, 128, 32), (64, 512, 512), (64, 100, 400), (128, 128, 512),
          (32, 128, 64), (32, 256, 512), (2039, 64, 64), (300, 40, 90)]  # fmt: skip


@pytest.fixture
def taken(monkeypatch):
    """Kernels for small matrices, one thread; and the ways that were taken."""
    ways = []

    def way(p):
        ways.append(original(p))
        return ways[-1]

    original = products._way
    monkeypatch.setattr(products, "_way", way)
    monkeypatch.setattr(small, "_has_kernels", lambda: True)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    return ways


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_they_are_the_products(shape, dtype, taken):
    m, k, n = shape
    rng = np.random.default_rng(m + k + n)
    x, w = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(n, k)).astype(dtype)
    y, g = np.ascontiguousarray(w.T), rng.normal(size=(m, n)).astype(dtype)
    stack = np.stack([x, 2 * x])

    def f(x, y, w, g, stack):
        return np.tanh(x @ y / k), x @ w.T + 1, x.T @ g * 2, stack @ y - 1, (x @ y)[:, ::2]

    args = x, y, w, g, stack
    native = jit(f, backend="native")
    native(*args)
    for got, want in zip(native(*args), f(*args), strict=True):
        assert got.dtype == want.dtype
        scale = np.max(np.abs(want))
        np.testing.assert_allclose(got / scale, want / scale, atol=50 * np.finfo(dtype).eps)
    assert taken


def test_every_way_is_taken(taken):
    for shape in SHAPES:
        test_they_are_the_products(shape, "f8", taken)
    assert {way.by for way in taken if way} == {"rows", "columns", "copied", "terms"}
