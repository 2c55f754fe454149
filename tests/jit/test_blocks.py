"""Loops over blocks of rows: they give what the operations give one by one, of whatever shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgrad import grad, jit, scan, value_and_grad, vjp
from fgrad.compiler import blocks, looping, passes, rows
from fgrad.compiler.rows import rows_of

RNG = np.random.default_rng(0)


def near(got, want, dtype=np.float64):
    rtol = 1e-11 if np.dtype(dtype).itemsize == 8 else 2e-4
    got, want = (y if isinstance(y, (list, tuple)) else [y] for y in (got, want))
    for a, b in zip(got, want, strict=True):
        if isinstance(a, (list, tuple)):
            near(a, b, dtype)
            continue
        assert (np.shape(a), np.asarray(a).dtype) == (np.shape(b), np.asarray(b).dtype)
        scale = max(1.0, float(np.max(np.abs(b), initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * scale)


def loops(f, *xs):
    """How many loops over blocks the compiled function has."""
    return jit(f).source(*xs).count("def block")


# ------------------------------------------------------------------ functions of large arrays
def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def cross_entropy(w, x, y):
    z = np.tanh(x) * w
    return -np.mean(np.sum(np.log(softmax(z)) * y, axis=-1))


def batch_norm(params, x, axes=(0, 1, 2)):
    scale, bias = params
    centred = x - np.mean(x, axis=axes, keepdims=True)
    spread = np.sqrt(np.mean(centred**2, axis=axes, keepdims=True) + 1e-5)
    return np.sum(np.tanh(centred / spread * scale + bias) ** 2)


def layer_norm(params, x):
    scale, bias = params
    centred = x - np.mean(x, axis=-1, keepdims=True)
    y = centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-5)
    return np.sum(np.exp(y * scale + bias))


def standardized(x):
    y = (np.exp(x) - np.sum(x, axis=0)) / np.sum(np.abs(x), axis=0)
    return y, np.sum(y * y), np.where(y > 0, y, 0.0), (y > 1).astype(np.int64)


WIDE = RNG.normal(size=(3000, 50))
IMAGES = RNG.normal(size=(6, 40, 40, 16))
PLANES = RNG.normal(size=(4, 8, 70, 70))
CHANNELS = RNG.normal(size=16), RNG.normal(size=16)
PER_PLANE = RNG.normal(size=(8, 1, 1)), RNG.normal(size=(8, 1, 1))

CASES = {
    "softmax": (softmax, (WIDE,), 1),
    "cross entropy": (
        lambda *a: value_and_grad(cross_entropy)(*a), (WIDE[0], WIDE, softmax(WIDE)), 1),
    "batch norm": (
        lambda *a: value_and_grad(batch_norm, (0, 1))(*a), (CHANNELS, IMAGES), 3),
    "batch norm, channels first": (
        lambda p, x: value_and_grad(lambda *a: batch_norm(*a, (0, 2, 3)), (0, 1))(p, x),
        (PER_PLANE, PLANES), 2),
    "layer norm": (
        lambda *a: value_and_grad(layer_norm, (0, 1))(*a), (CHANNELS, IMAGES), 1),
    "over columns": (standardized, (WIDE,), 2),
    "bias gradient": (
        lambda b, x: grad(lambda b: np.sum(np.tanh(x + b) ** 2 * x))(b), (WIDE[0], WIDE), 1),
    "rows without their axis": (
        lambda x: np.sum(np.exp(x) * np.sum(np.sin(x), axis=1)[:, None], axis=1), (WIDE,), 1),
    "a view of the answers": (
        lambda x: (np.reshape(np.exp(x) * 2 + x, (-1,))[::2], np.sum(np.exp(x)[:, 1:3])),
        (WIDE,), 0),
    "long rows": (
        lambda x, b: np.sum((np.exp(x) * b + x) / np.sum(np.exp(x), axis=1, keepdims=True), 0),
        (RNG.normal(size=(6, 30000)), RNG.normal(size=(6, 1))), 1),
    "rows too long": (
        lambda x: np.sum(np.exp(x * 2.0) / 3 + x, axis=1), (RNG.normal(size=(2, 80000)),), 1),
    "a row like a column": (
        lambda x: np.exp(np.exp(x * 2) / np.sum(np.exp(x * 2) + x, axis=1)) * x + 1.0,
        (RNG.normal(size=(400, 400)),), 2),
    "one row": (
        lambda x: np.sin(np.exp(x) * 2 / np.sum(np.exp(x) * 2)) + x,
        (RNG.normal(size=(1, 1, 200000)),), 2),
}  # fmt: skip


@pytest.mark.parametrize("reassociate", [True, False])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", CASES)
def test_loops_give_what_the_operations_give(name, dtype, reassociate):
    f, args, count = CASES[name]
    args = jit(lambda *a: a)(*args)
    cast = tuple(
        tuple(y.astype(dtype) for y in x) if isinstance(x, tuple) else x.astype(dtype) for x in args
    )
    if dtype is np.float64 and reassociate:
        assert loops(f, *cast) >= count
    compiled = jit(f, reassociate=reassociate)
    want = f(*cast)
    for _ in range(2):
        near(compiled(*cast), want, dtype)


@pytest.mark.parametrize("f", [softmax, lambda x: layer_norm((x[0], 1.0), x) * 0 + softmax(x)])
def test_rows_keep_their_bits(f):
    """Where last bits stay, a sum within a row is the one that NumPy computes of the whole."""
    np.testing.assert_array_equal(jit(f, reassociate=False)(WIDE), f(WIDE))
    assert "def block" in jit(f, reassociate=False).source(WIDE)


def test_arguments_in_other_orders():
    """A program that is made for one order of memory is right for all."""

    def f(x, b):
        y = np.exp(x) * b + x
        return y / np.sum(y, axis=1, keepdims=True), np.sum(y, axis=0)

    b = WIDE[:, :1]
    orders = WIDE, np.asfortranarray(WIDE), np.repeat(WIDE, 2, axis=0)[::2], WIDE[::-1, ::-1]
    for first in orders:
        compiled = jit(f)
        compiled(first, b)
        for x in orders:
            near(compiled(x, b), f(x, b))


def test_a_large_sum_outside_of_a_loop_is_a_product():
    code = jit(lambda x: np.sum(x, axis=0)).source(WIDE)
    assert ".dot(" in code
    assert "def block" not in code
    near(jit(lambda x: np.sum(x, axis=(0, 1)))(IMAGES), np.sum(IMAGES, axis=(0, 1)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("rows", [700, 40_000])
def test_maxima_of_short_rows(rows, dtype):
    """Column by column, of small and of large arrays; a NaN is the greatest and the least."""

    def f(x):
        e = np.exp(x - np.max(x, axis=-1, keepdims=True))
        y = e / np.sum(e, axis=-1, keepdims=True)
        return y, np.min(np.sin(x), axis=1), np.max(x.reshape(-1, 2, 5), axis=2)

    x = RNG.normal(size=(rows, 10)).astype(dtype)
    compiled = jit(f)
    for _ in range(2):
        near(compiled(x), f(x), dtype)
    assert compiled.source(x).count("maximum(") >= 9
    assert "maximum_reduce" not in compiled.source(x)
    x[3, 4], x[5, 0], x[6] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        for got, want in zip(compiled(x), f(x), strict=True):
            np.testing.assert_array_equal(np.isnan(got), np.isnan(want))


def test_effects_stay_in_their_order():
    from fgrad import debug

    said = []

    def f(x):
        total = np.sum(np.exp(x) * x + x)
        debug.callback(lambda t: said.append(("total", float(t))), total)
        y = np.sin(x) * total + x * 2 - 1
        debug.callback(lambda t: said.append(("first", float(t))), y[0])
        return y

    x = RNG.normal(size=200_000)
    compiled = jit(f)
    for _ in range(2):
        said.clear()
        near(compiled(x), f_plain(x))
        assert [name for name, _ in said] == ["total", "first"]


def f_plain(x):
    return np.sin(x) * np.sum(np.exp(x) * x + x) + x * 2 - 1


def test_answers_may_lie_where_operands_were():
    """An array that nobody reads any more is written over by a loop, a block at a time."""

    def f(x, w):
        y = x @ w
        y = np.tanh(y) * 2 + y
        y = y @ w
        return np.sum(np.exp(y) / 3 - y + 1.0, axis=0) @ w

    x, w = RNG.normal(size=(4000, 40)), RNG.normal(size=(40, 40)) / 7
    compiled = jit(f)
    for _ in range(2):
        near(compiled(x, w), f(x, w))
    code = compiled.source(x, w)
    assert code.count("ndarray((4000, 40), float64") <= 2, code


def test_loops_of_steps_beside_loops_over_blocks():
    def f(x, w):
        total = np.sum(np.exp(x) * x + np.sin(x))
        c, ys = scan(lambda c, t: (np.tanh(c * t), c * 2), total / 1e6, w)
        y = np.exp(x * c) * ys[0] + x
        return np.sum(y * y), y

    def g(x, w):
        def step(c, t):
            c = np.exp(-np.abs(c * t)) * c + np.sin(c)
            return c, np.sum(c * c)

        c, ys = scan(step, x, w)
        return np.sum(c) + np.sum(ys)

    x, w = RNG.normal(size=200_000), RNG.normal(size=5)
    near(jit(f)(x, w), f(x, w))
    for h in (lambda x, w: f(x, w)[0], g):
        compiled = jit(value_and_grad(h, (0, 1)))
        for _ in range(2):
            near(compiled(x, w), value_and_grad(h, (0, 1))(x, w))


def test_rows():
    assert rows_of((64, 28, 28, 16)) == (64,)
    assert rows_of((1, 1000, 1000)) == (1, 1000)
    assert rows_of((7,)) == (7,)
    assert rows_of((3, 1000, 50000)) == (3, 1000, 50000)


# ------------------------------------------------------------------ any program
UNARY = [np.exp, np.sin, np.tanh, lambda x: x * 0.5, lambda x: x * x, np.abs, lambda x: 1.0 - x]
BINARY = [np.add, np.subtract, np.multiply, np.maximum, lambda x, y: x / (1.5 + y * y),
          lambda x, y: np.where(x > y, x, y * 0.5)]  # fmt: skip
SUMS = [np.sum, np.mean, np.max]


@st.composite
def programs(draw):
    """A function of a large array, a row, a column and whatever else broadcasts along it."""
    shape = draw(st.sampled_from([(7, 9), (40, 6), (5, 4, 3), (3, 2, 5, 2), (64,), (2, 1, 30)]))
    small = [tuple(n if draw(st.booleans()) else 1 for n in shape) for _ in range(2)]
    steps = draw(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 99), st.integers(0, 99),
                                    st.integers(0, 99)), min_size=3, max_size=12))  # fmt: skip
    keep = draw(st.integers(0, 7))

    def f(*xs):
        values = list(xs)
        for kind, a, b, c in steps:
            x, y = values[a % len(values)], values[b % len(values)]
            if kind == 0:
                values.append(UNARY[c % len(UNARY)](np.tanh(x)))
            elif kind == 1:
                values.append(BINARY[c % len(BINARY)](x, y))
            else:
                axes = tuple(i for i in range(len(shape)) if c >> i & 1) or None
                values.append(np.tanh(SUMS[c % 3](x, axis=axes, keepdims=True) * 0.1))
        out = values[-1 - keep % len(steps) :]
        return list(out), sum(np.mean(np.sin(y)) for y in out)

    rng = np.random.default_rng(draw(st.integers(0, 99)))
    return f, [rng.normal(size=s) for s in (shape, *small)]


@settings(max_examples=40, deadline=None)
@given(programs(), st.booleans(), st.sampled_from([4, 8, 100]), st.sampled_from([1, 1, 2]))
def test_any_program(case, differentiated, row, threads):
    """With a low bar for what is large, so that small arrays are gone over in blocks."""
    f, xs = case
    if differentiated:
        f = derivative(f)
    want = f(*xs)
    with pytest.MonkeyPatch.context() as patch:
        for module in (blocks, passes.sums):
            patch.setattr(module, "BLOCKED", 20)
        patch.setattr(blocks, "FEW", 1)
        patch.setattr(looping, "BLOCK", 64)
        patch.setattr(rows, "ROW", row)
        patch.setattr(looping, "BUSY", 1)
        compiled = jit(f, threads=threads)
        compiled(*xs)
    for _ in range(2):
        near(compiled(*xs), want)


def derivative(f):
    def g(*xs):
        value, pull = vjp(lambda *xs: f(*xs)[1], *xs)
        return value, list(pull(1.0))

    return g
