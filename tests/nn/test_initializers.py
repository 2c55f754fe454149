"""`scaled_normal`: its spread, its dtype, and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from fgrad.errors import ArgumentError, DtypeError, ShapeError
from fgrad_nn import scaled_normal


@pytest.mark.parametrize("shape", [(400, 100), (50, 2000), [300, 300]])
def test_mean_and_spread(shape):
    values = scaled_normal(np.random.default_rng(0), shape)
    expected = 1 / np.sqrt(sum(shape))
    assert values.shape == tuple(shape)
    assert values.std() == pytest.approx(expected, rel=0.02)
    assert abs(values.mean()) < 4 * expected / np.sqrt(values.size)


def test_the_generator_decides():
    draws = [scaled_normal(np.random.default_rng(seed), (3, 4)) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, "float32"])
def test_dtype(dtype):
    assert scaled_normal(np.random.default_rng(0), (2, 2), dtype).dtype == dtype


def test_what_is_refused():
    rng = np.random.default_rng(0)
    with pytest.raises(ArgumentError, match="default_rng"):
        scaled_normal(7, (2, 2))
    for shape in [(3,), (2, 0), (2, 3, 4)]:
        with pytest.raises(ShapeError, match="rows, columns"):
            scaled_normal(rng, shape)
    for dtype in [int, complex, bool]:
        with pytest.raises(DtypeError, match="floating"):
            scaled_normal(rng, (2, 2), dtype)
