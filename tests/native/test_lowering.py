"""What is lowered gives what NumPy gives: shapes, strides, views, sums, products, joins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fgrad
from fgrad import grad, value_and_grad
from fgrad.scipy import special

from .laws_of_native import close, kernels, left, same

RNG = np.random.default_rng(0)


def normal(*shape: int, dtype: type = np.float64) -> np.ndarray:
    return RNG.normal(size=shape).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(), (5,), (33,), (3, 4), (7, 1, 6), (40, 30)])
def test_elementwise_with_sums(shape, dtype):
    def f(x, y):
        z = np.tanh(x) * y + np.exp(-x * x)
        return z, np.sum(z), np.sum(z * z, axis=-1 if shape else None), np.max(z), np.min(x - y)

    same(f, *[(normal(*shape, dtype=dtype), normal(*shape, dtype=dtype)) for _ in range(2)], ulp=64)


def test_arithmetic_has_the_same_bits():
    def f(x, y):
        r = np.sqrt(np.abs(x)) / (y * y + 1) - x * y + y / 3
        return np.where(x > y, r, np.maximum(x, -y)), np.floor(x) * np.rint(y), np.sign(x)

    g = same(f, (normal(100), normal(100)), ulp=0, reassociate=False)
    assert len(kernels(g)) == 1
    same(f, (normal(100), normal(100)))


@pytest.mark.parametrize("axis", [0, 1, 2, (0, 1), (0, 2), (1, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_reductions_along_axes(axis, keepdims):
    def f(x):
        y = x * 2 + 1
        s = np.sum(y, axis=axis, keepdims=keepdims)
        return s, np.max(y, axis=axis, keepdims=keepdims), np.min(y * y, axis=axis), y.mean(axis)

    same(f, (normal(5, 6, 7),), ulp=16)


def test_special_values_go_through():
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1e308, -1e308, 1.0, 2.0])
    y = x[::-1].copy()

    def f(x, y):
        pairs = x + y, x * y, x / y, np.maximum(x, y), np.minimum(x, y), np.fmax(x, y)
        tests = x < y, x == y, x != y, np.isnan(x), np.isinf(y), np.isfinite(x), np.logical_not(x)
        return *pairs, *tests, np.sqrt(x), np.sign(x), np.where(np.isnan(x), 1.0, y)

    same(f, (x, y), ulp=0)
    for part in (np.max, np.min, np.sum):
        same(lambda x, part=part: (part(x + 1), part(np.sqrt(x).reshape(2, 5), axis=1)), (x,))


def test_sums_of_negative_zeros_have_numpys_sign():
    def f(x):
        y = np.copysign(x, -1)
        return np.sum(y), np.sum(y, axis=0), np.sum(y, axis=1), np.max(y), y

    x = np.zeros((3, 4))
    g = same(f, (x,))
    assert [np.signbit(y).all() for y in g(x)] == [np.signbit(y).all() for y in f(x)]


@pytest.mark.parametrize("size", [4096 * 3, 4097 * 3, 10007, 20000])
def test_long_sums_are_cut_into_parts(size):
    x = RNG.uniform(0.5, 1, size)
    g = same(lambda x: np.sum(x * x + 1), (x,), ulp=512)
    exact = float(np.sum(x.astype(np.longdouble) ** 2 + 1))
    assert abs(float(g(x)) - exact) <= 64 * np.spacing(exact)


def test_views_cost_nothing():
    def f(x):
        a = np.exp(x)
        b = a.T.reshape(6, 2, 2)[::-1, :, None, 1]
        return np.sum(b * b), a[1:, ::2] * 2, a[..., None, -1] + 1, np.transpose(b, (2, 0, 1)) * 3

    same(f, (normal(4, 6),))
    same(f, (np.asfortranarray(normal(4, 6)),))
    same(f, (normal(8, 12)[::2, ::-2],))


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((7,), (7,)), ((3, 7), (7,)), ((7,), (7, 5)), ((3, 7), (7, 5)), ((2, 2), (2, 2)),
        ((1, 9), (9, 1)), ((9, 1), (1, 9)), ((20, 30), (30, 25)), ((60, 40), (40, 50)),
        ((4, 3, 5), (5, 6)), ((4, 3, 5), (4, 5, 6)), ((2, 1, 3, 5), (4, 5, 6)),
        ((4, 3, 5), (5,)), ((5,), (4, 5, 6)), ((3, 30, 40), (3, 40, 50)), ((400,), (400, 60)),
    ],
)  # fmt: skip
def test_products(a, b):
    def f(x, y):
        return (x * 2) @ y + 1, np.sum((x @ y) ** 2)

    x, y = normal(*a), normal(*b)
    same(f, (x, y), ulp=64)
    same(value_and_grad(lambda x, y: np.sum(np.tanh(x @ y / 9)), (0, 1)), (x, y), ulp=64)
    if x.ndim == y.ndim == 2:
        same(f, (np.asfortranarray(x), y.T.copy().T), ulp=64)
        same(lambda x, y: y.T @ x.T + (x @ y).T, (x[::-1], y[:, ::-1]), ulp=64)


def test_products_of_single_precision():
    x, y = normal(40, 50, dtype=np.float32), normal(50, 30, dtype=np.float32)
    same(lambda x, y: np.tanh(x @ y) * 2 + 1, (x, y), ulp=256)


def test_additions_into_arrays():
    def f(x, y):
        z = fgrad.at(np.zeros(12)).__getitem__(slice(2, 8)).add(x)
        z = fgrad.at(z)[::3].add(y * 2)
        return fgrad.at(z * 1.5)[5].add(y[0]), z

    same(f, (normal(6), normal(4)))
    same(grad(lambda x: np.sum(np.tanh(x[2:] * x[:-2] + x[1:-1]))), (normal(50),))
    same(grad(lambda x: np.sum(np.tanh(x[2:] * x[:-2] + x[1:-1]))), (normal(5),))


SLICES = [
    ((slice(1, -1), slice(1, -1)), (slice(2, None), slice(1, -1)), (slice(1, -1), slice(None, -2))),
    ((0,), (slice(None), 3), (slice(2, 4),)), ((..., -1), (None, slice(1, 5)), (2, None, slice(3))),
    ((slice(None, None, 2),), (slice(1, 3),)), ((slice(4, 1, -1),), (0, 0)), ((slice(2, 3),),),
    tuple((slice(k, k + 2), slice(k, k + 2)) for k in range(5)),
]  # fmt: skip


@pytest.mark.parametrize("spec", SLICES, ids=str)
@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 2), (5, 7, 30)])
def test_slices_are_added_up(spec, shape):
    def loss(x, y):
        y = np.exp(y)
        return sum(np.sum(((k + 2) * y[s] * x[s]) ** 2) for k, s in enumerate(spec))

    g = same(value_and_grad(loss, (0, 1)), (normal(*shape), normal(*shape)), ulp=256)
    assert not left(g)


@pytest.mark.parametrize("n", [2, 30])
def test_joins(n):
    def f(x, y):
        z = np.concatenate([x, np.tanh(y), x[::-1] * 2, x])
        return z * 2, np.concatenate([np.exp(x)[:, None], y[:, None]], axis=1)

    same(f, (normal(n), normal(n)))


def test_integers_and_truth_values():
    def f(i, j, x, b):
        k = i * 3 + j - 2
        masked = np.where((i > j) & ~b | (x > 0), x, i * 0.5)
        return k, -i, np.maximum(i, j), masked, i / 2, x * b, i < 2.5, k == j, b ^ (x < 1)

    i, j = RNG.integers(-5, 5, (2, 20))
    same(f, (i, j, normal(20), normal(20) > 0), ulp=0)
    same(f, (i.astype(np.int32), j.astype(np.int32), normal(20), normal(20) > 0), ulp=0)
    big = np.full(20, 2**62)
    same(lambda i, j, x: (i * 3 + j, -i, i + x), (big, j, normal(20)), ulp=0)


def test_numbers_of_python():
    def f(x, a, n):
        return x * a + n, np.sum(x) * a, np.exp(x * n), (x > n) & (x < a)

    g = fgrad.jit(f, backend="native")
    single = normal(20, dtype=np.float32)
    for xs in ((normal(20), 0.5, 3), (normal(20), -1.5, 10**30), (single, 0.1, 2)):
        for _ in range(2):
            with np.errstate(all="ignore"):
                for a, b in zip(g(*xs), f(*xs), strict=True):
                    close(a, b, 16)
    assert len(kernels(g)) == 2


def test_what_cannot_be_lowered_stays_with_numpy():
    def f(x):
        y = np.exp(x) * 2 + np.tanh(x)
        z = np.sort(y) + np.fft.ifft(np.fft.fft(y * 2)).real
        return np.sum(np.cos(z) * z - y), np.linalg.inv(np.outer(z, y) + np.eye(20) * 50)

    g = same(f, (normal(20),), ulp=4096)
    assert len(kernels(g)) >= 2
    assert {"fft.fft", "linalg.inv"} <= left(g).keys()


def test_results_are_new_arrays_and_arguments_are_left_alone():
    x = normal(30)
    g = fgrad.jit(lambda x: (x, x[::-1], x.T, np.exp(x), np.exp(x)), backend="native")
    first, second = g(x), g(x)
    outs = [*first, *second]
    for k, a in enumerate(outs):
        assert not np.shares_memory(a, x)
        assert not any(np.shares_memory(a, b) for b in outs[k + 1 :])


def test_captured_arrays_are_read_at_each_call():
    scale = normal(30)
    g = fgrad.jit(lambda x: np.sum(np.exp(x) * scale + x), backend="native")
    x = normal(30)
    g(x)
    scale[:] = 2.0
    np.testing.assert_allclose(g(x), np.sum(np.exp(x) * 2 + x))


@st.composite
def programs(draw):
    """A few operations over arrays that broadcast, and the arrays."""
    shape = tuple(draw(st.lists(st.integers(1, 9), min_size=1, max_size=3)))
    parts = [tuple(n if draw(st.booleans()) else 1 for n in shape) for _ in range(2)]
    steps = draw(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 99), st.integers(0, 99)),
                          min_size=3, max_size=14))  # fmt: skip
    return [shape, *parts], steps


def run(steps, *xs):
    """The program: each step makes a value of two that are there."""
    values = list(xs)
    for op, i, j in steps:
        x, y = values[i % len(values)], values[j % len(values)]
        if op == 5:
            values.append(np.sum(x * y, axis=-1, keepdims=True) * 0.1)
        elif op == 6:
            values.append(np.max(x, axis=0, keepdims=True) - y)
        elif op == 7:
            values.append(np.sum(x * 0.1) + y)
        elif op == 8:
            values.append(x[::-1] * y)
        elif op == 9:
            values.append(np.where(x > 0.1, x, y * 0.5))
        else:
            values.append((np.tanh(x + y), x * y, x - y, np.sin(x) * y, np.abs(x) + y)[op])
        values[-1] = values[-1] / (1 + np.abs(values[-1]))
    return values[3:]


@settings(max_examples=8, deadline=None)
@given(programs())
def test_random_programs(made):
    shapes, steps = made
    rng = np.random.default_rng(len(steps))
    xs = [rng.normal(size=shape) for shape in shapes]
    same(lambda *xs: run(steps, *xs), xs, ulp=4096)
    same(grad(lambda *xs: sum(np.sum(y) for y in run(steps, *xs))), xs, ulp=2**20)


@pytest.mark.parametrize("n", [2, 30])
def test_moves(n):
    def f(x):
        y = np.exp(x)
        rolled = np.roll(y, 1, 0), np.roll(y, -3, 1), np.roll(y, 5), np.roll(x, (1, 2), (0, 1))
        padded = np.pad(y, ((1, 0), (0, 2))) * 2, np.flip(y, 1) * y, np.flip(x)
        return rolled, padded, fgrad.at(y)[1:, 0].set(x[1:, 1]), fgrad.at(y)[0].set(2)

    g = same(f, (normal(n, 3),))
    assert not left(g)
    same(grad(lambda x: sum(np.sum(np.sin(y)) for y in fgrad.tree.leaves(f(x)))), (normal(n, 3),))


def test_functions_of_scipy():
    f = lambda x: special.expit(x) * special.erf(x) + np.logaddexp(x, 0)  # noqa: E731
    g = same(f, (normal(50) * 3,), (np.array([-np.inf, np.inf, np.nan, 0.0, -800.0] * 10),))
    assert not left(g)
    same(grad(lambda x: np.sum(f(x))), (normal(50),), ulp=16)
