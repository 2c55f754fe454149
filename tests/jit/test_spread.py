"""Numbers that all rows share, in loops over blocks: written out once, the same to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from fgrad import grad, jit

ROWS = {
    "one short row": ((4000, 48), (48,)),
    "places and channels": ((70, 9, 11, 16), (16,)),
    "an axis of length one": ((70, 9, 11, 16), (1, 1, 1, 16)),
    "a row of several axes": ((1001, 9, 16), (9, 16)),
    "part of a row": ((1001, 9, 16), (9, 1)),
    "too long to be written out": ((300, 600), (600,)),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=lambda d: d.__name__)
@pytest.mark.parametrize(("shape", "row"), ROWS.values(), ids=ROWS)
def test_values_and_slopes(shape, row, dtype):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(dtype)
    scale, shift = (rng.normal(size=row).astype(dtype) for _ in "ab")

    def f(x, scale, shift):
        y = np.tanh(x * scale + shift)
        return (y - shift) * scale + x * y

    def loss(x, scale, shift):
        return np.sum(f(x, scale, shift) ** 2) / x.size

    compiled = jit(f)
    for k in (1, 2):  # the second call has other numbers in the same memory
        np.testing.assert_array_equal(compiled(x, k * scale, shift), f(x, k * scale, shift))
    both = grad(loss, argnums=(0, 1, 2))
    for got, want in zip(jit(both)(x, scale, shift), both(x, scale, shift), strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-3 if dtype == np.float32 else 1e-10,
                                   atol=1e-6 if dtype == np.float32 else 1e-14)  # fmt: skip
        assert got.dtype == dtype


def test_it_is_done_where_it_pays():
    f = jit(lambda x, c: np.tanh(x * c + c) * c)
    long, short = np.ones((20000, 16)), np.ones((300, 600))
    assert "T0" in f.source(long, np.ones(16))
    assert "T0" not in f.source(short, np.ones(600))
