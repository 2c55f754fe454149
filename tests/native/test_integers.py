"""Whole numbers of all sizes: division, shifts, casts to and from floats, as NumPy has them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pytest

from fgrad import jit

from .laws_of_native import left, same

RNG = np.random.default_rng(2)
WIDTHS = [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16, np.uint32, np.uint64]


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """NumPy warns of what is divided by zero; machine code doesn't."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def pairs(dtype):
    """Two arrays of any numbers, with all that division finds hard."""
    ends = np.iinfo(dtype)
    a, b = RNG.integers(ends.min, ends.max, (2, 40), dtype, endpoint=True)
    a[:9] = ends.min
    b[:4], b[4:8] = 0, ends.min + ends.max  # which is -1, where there is a sign
    b[20:30], a[30:] = RNG.integers(0, 9, (2, 10))
    return a, b


@pytest.mark.parametrize("dtype", WIDTHS)
def test_division_shifts_and_bits(dtype):
    def f(a, b):
        three = dtype(3)
        divided = a // b, a % b, np.fmod(a, b), a // three, a % three, a / b
        shifted = a << b, a >> b, a << (b % dtype(70)), a >> (b % dtype(70))
        bits = a & b, a | b, a ^ b, ~a, np.abs(a), np.sign(a), np.square(a), a**5, np.floor(a)
        return divided, shifted, bits, a + b, a - b, a * b, np.maximum(a, b), a < b, a == b

    g = same(f, pairs(dtype), ulp=0)
    assert not left(g)


@pytest.mark.parametrize("dtype", WIDTHS)
def test_reductions(dtype):
    def f(a, b):
        matrix = a.reshape(5, 8) * b[:1]
        rows = np.sum(matrix, 0), np.prod(matrix, 1), np.max(matrix, axis=0, keepdims=True)
        tests = np.any(a), np.all(matrix, 1), np.count_nonzero(matrix, axis=0)
        return rows, tests, np.sum(a), np.min(b), np.cumsum(a), np.cumprod(b), np.mean(a, None)

    g = same(f, pairs(dtype))
    assert not left(g)


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint16])
@pytest.mark.parametrize("single", [False, True])
def test_floats_as_integers(dtype, single):
    hard = [np.nan, np.inf, -np.inf, 1e300, -1e300, 3e9, -3e9, -(2**31) - 0.5, 2**31 - 0.1,
            1e19, -1e19, 9.3e18, 200, -200, 7e4, -0.5, 0.5, -1, 255, 256]  # fmt: skip
    x = np.concatenate([hard, RNG.normal(size=13) * 100])
    x = x.astype(np.float32) if single else x
    g = same(lambda x: (x.astype(dtype), (x * 2).astype(dtype) + dtype(1), -x), (x,), ulp=0)
    assert not left(g)


def test_floats_as_large_integers_without_a_sign_stay_with_numpy():
    g = same(lambda x: (x.astype(np.uint64), x * 2 + 1, -x, x - 1), (np.arange(40.0),))
    assert "floats that become uint64" in left(g)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_division_of_floats_has_the_same_bits(dtype):
    hard = [1.5, -1.5, 3, -3, 0.0, -0.0, np.inf, -np.inf, np.nan, 1e30, 1e-45, -7.25, 7, 2, 0.1]
    x, y = (z.ravel().astype(dtype) for z in np.meshgrid(hard, hard))
    g = same(lambda x, y: (x // y, x % y, np.fmod(x, y)), (x, y), (x * 3, y + dtype(1)), ulp=0)
    assert not left(g)


def test_integers_of_several_sizes():
    def f(i, u, x, s):
        return i + u, u * s, s - i, np.where(u > 3, i, s), x * u, i.astype(np.uint8) // 3, s < u

    i, u, s = (RNG.integers(0, 99, 30).astype(t) for t in (np.int32, np.uint8, np.int16))
    g = same(f, (i, u, np.float32(1.5) * s, s), ulp=0)
    assert not left(g)


def test_comparisons_that_no_type_can_make_stay_with_numpy():
    big = np.full(20, 2**64 - 1, np.uint64)
    g = same(lambda u, i: (u > i, u + 1, i * 2, u == i), (big, np.full(20, 2**63 - 1)))
    assert "greater of these dtypes" in left(g)


def test_nothing_warns_of_a_division_by_zero():
    g = jit(lambda i: (i // 0 + i % 0 + i) * i, backend="native")
    i = np.arange(20)
    g(i)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(g(i), i * i)


@pytest.mark.parametrize("dtype", WIDTHS)
def test_comparisons_with_numbers_that_the_dtype_has_not(dtype):
    ends = np.iinfo(dtype)
    x = np.array([ends.min, 0, 1, 100, ends.max], dtype)

    def f(x):
        numbers = ends.min - 1, ends.min, ends.max, ends.max + 1
        tests = [test(x, n) for n in numbers for test in (np.less, np.greater_equal, np.not_equal)]
        return [np.where(test, x * 0.5, -1.0) for test in tests]

    same(f, (x,))
