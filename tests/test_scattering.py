"""Rows added at places that may repeat: the same as NumPy's slow way, on every path."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad
from fgrad.ops.scattering import FEW, add_at


@given(
    rows=st.sampled_from([1, 3, FEW, FEW + 1, 1000]), picked=st.sampled_from([1, 50, 300, 20000]),
    wide=st.sampled_from([(1,), (4,), (2, 3)]), dtype=st.sampled_from(["f4", "f8", "c16", "i8"]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_rows_are_added_as_numpy_does(rows, picked, wide, dtype, seed):
    draw = np.random.default_rng(seed)
    index = draw.integers(-rows, rows, (picked,))
    values = draw.integers(-9, 9, (picked, *wide)).astype(dtype)  # whose sums are exact
    x = draw.integers(-9, 9, (rows, *wide)).astype(dtype)
    mine, wanted = x.copy(), x.copy()
    add_at(mine, (index,), values, basic=False)
    np.add.at(wanted, (index,), values)
    np.testing.assert_array_equal(mine, wanted)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_stays_in_its_row(bad):
    values = np.ones((500, 3))
    values[7] = bad
    index = np.arange(500) % 5
    w = np.zeros((5, 3))
    (c,) = fgrad.vjp(lambda w: fgrad.numpy.take(w, index, axis=0), w)[1](values)
    assert np.all(np.isfinite(np.delete(c, 2, 0)))
    assert not np.any(np.isfinite(c[2]))


@pytest.mark.parametrize("wrong", [5, -6])
def test_a_row_that_is_not_there(wrong):
    x = np.zeros((5, 3))
    with pytest.raises(IndexError, match=f"index {wrong} is out of bounds"):
        add_at(x, (np.array([0, wrong]),), np.ones((2, 3)), basic=False)


def test_other_indices_and_layouts():
    v = np.ones((4, 2))
    for make in (lambda: np.zeros((5, 2), order="F"), lambda: np.zeros((10, 2))[::2]):
        mine, wanted = make(), make()
        add_at(mine, (np.array([0, 1, 1, 4]),), v, basic=False)
        np.add.at(wanted, np.array([0, 1, 1, 4]), v)
        np.testing.assert_array_equal(mine, wanted)
    mine = np.zeros((5, 2))
    add_at(mine, (np.array([0, 1, 1, 4]), slice(None)), v, basic=False)
    np.testing.assert_array_equal(mine, [[1, 1], [2, 2], [0, 0], [0, 0], [1, 1]])
    add_at(mine, (slice(None), np.array([0, 0])), 1.0, basic=False)
    np.testing.assert_array_equal(mine[:, 0], [3, 4, 2, 2, 3])
    add_at(mine, (2,), 5.0, basic=True)
    np.testing.assert_array_equal(mine[2], [7, 5])


@pytest.mark.parametrize("dtype", ["i1", "u1", "i2", "u4", "u8"])
def test_places_that_an_index_of_few_bits_can_not_count(dtype):
    index = np.array([90, 3, 90], dtype)
    values = np.arange(18.0).reshape(3, 6)
    mine, wanted = np.zeros((100, 6)), np.zeros((100, 6))
    add_at(mine, (index,), values, basic=False)
    np.add.at(wanted, (index.astype(int),), values)
    np.testing.assert_array_equal(mine, wanted)


@pytest.mark.parametrize("mode", ["wrap", "clip"])
def test_indices_of_few_bits_into_a_long_axis(mode):
    x, index = np.arange(300.0), np.array([-100, 99, 3], np.int8)
    pick = fgrad.jit(lambda x, i: np.take(x, i, mode=mode))
    np.testing.assert_array_equal(pick(x, index), np.take(x, index, mode=mode))


def test_places_of_few_bits_in_a_long_axis():
    places = fgrad.jit(lambda i: np.unravel_index(i, (2, 300)))
    index = np.array([100, 3], np.int8)
    np.testing.assert_array_equal(places(index), np.unravel_index(index, (2, 300)))
