"""Products of matrices in parts are products, whatever the parts are."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgrad.compiler import small
from fgrad_nn.layers import products

ROWS = st.integers(0, 40)
SIZES = st.integers(1, 4)


def stack(rng, leading, rows, columns, turned):
    """Matrices whose rows stand together in memory, or whose columns do."""
    if turned:
        return np.swapaxes(rng.normal(size=(*leading, columns, rows)), -1, -2)
    return rng.normal(size=(*leading, rows, columns))


@given(
    st.sampled_from([(), (1,), (3,)]), ROWS, SIZES, SIZES, st.booleans(), st.booleans(),
    st.sampled_from([1, 30, 60, math.inf]), st.integers(0, 2**32),
)  # fmt: skip
def test_parts_make_up_the_product(leading, rows, inner, columns, turned, placed, most, seed):
    rng = np.random.default_rng(seed)
    a, b = stack(rng, leading, rows, inner, turned), rng.normal(size=(*leading, inner, columns))
    c = rng.normal(size=(*leading, rows, columns))
    out = np.full(c.shape, np.nan) if placed else None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(products, "FEW_ROWS", 1)
        patch.setattr(products, "FEW_ADDED", 1)
        got = products.multiply(a, b, most, out)
        np.testing.assert_allclose(got, a @ b, atol=1e-13)
        assert out is None or got is out
        got = products.multiply_transposed(a, c, most)
        np.testing.assert_allclose(got, np.swapaxes(a, -1, -2) @ c, atol=1e-13)


@pytest.mark.parametrize(
    ("few", "rows", "most", "parts"),
    [(32, 120, 1000, 2), (101, 120, 1000, 1), (32, 100, 1000, 1), (1, 0, 1, 1)],
)
def test_rows_are_divided_where_it_pays(few, rows, most, parts):
    assert products._parts(rows, 10, most, few) == parts


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.complex128, object])
def test_what_blas_does_not_multiply_stays_whole(monkeypatch, dtype):
    monkeypatch.setattr(small, "_has_kernels", lambda: True)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert products.small(np.ones(1)) == small.SMALL
    assert products.small(np.ones(1, dtype)) == math.inf
