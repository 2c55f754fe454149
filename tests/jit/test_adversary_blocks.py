"""Unfriendly shapes of large arrays in compiled functions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fgrad import jit, tree

RNG = np.random.default_rng(0)


def agree(f: Any, x: Any, **options: Any) -> None:
    want = f(x)
    compiled = jit(f, **options)
    for _ in range(2):
        got = compiled(x)
        for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
            assert a.shape == b.shape
            assert a.dtype == b.dtype
            np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [
        ((140000, 1), 0), ((1, 140000), 1), ((140000, 1), (0, 1)), ((300, 500), (0, 1)),
        ((300, 500), None), ((1, 300, 500), (0, 1)), ((300, 1, 500), (1, 2)),
        ((300, 1, 500), (0, 1)), ((300, 500, 1), (1, 2)), ((1, 140000, 1), 1),
    ],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("keepdims", [True, False])
def test_sums_of_large_arrays_with_axes_of_length_one(shape, axis, keepdims):
    x = RNG.normal(size=shape)
    for value in (x, np.asfortranarray(x)):
        agree(lambda x: np.sum(x, axis=axis, keepdims=keepdims), value)
        agree(lambda x: np.sum(np.exp(x), axis=axis, keepdims=keepdims), value)


@pytest.mark.parametrize("length", [2, 3, 8, 16, 17])
@pytest.mark.parametrize("f", [np.max, np.min])
def test_extremes_of_short_rows(f, length):
    x = RNG.normal(size=(140000 // (2 * length) + 1, 2, length))
    agree(lambda x: f(np.exp(x) * 2 + x, axis=2), x)
    agree(lambda x: x - f(np.tanh(x) * x, axis=-1, keepdims=True), x)


@pytest.mark.parametrize("number", [-1, 300, 7])
def test_where_forces_numbers_into_the_dtype(number):
    x = (np.arange(140001) % 251).astype(np.uint8)
    try:
        np.where(x > 3, x, number)
    except OverflowError:  # NumPy refuses it from 2.5 on
        with pytest.raises(OverflowError, match="out of bounds for uint8"):
            jit(lambda x: np.where(x > 3, x, number) + x * 2 + x)(x)
        return
    agree(lambda x: np.where(x > 3, x, number) + x * 2 + x, x)
    agree(lambda x: np.where(x > 3, number, x * 2) - x, x)
