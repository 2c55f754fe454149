"""Products of stacks that lie in memory as those who read them want it."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgrad import grad, jit, value_and_grad

RNG = np.random.default_rng(0)


def normals(*shapes, dtype=np.float64):
    return [(RNG.normal(size=s) / 2).astype(dtype) for s in shapes]


def near(got, want, rtol=1e-12):
    assert type(got) is type(want)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    np.testing.assert_allclose(got, want, rtol=rtol, atol=rtol)


def attention(x, w):
    """Two heads of three features each, beside each other in the end."""
    q, k, v = (
        np.reshape(x.reshape(-1, 6) @ w[i], (*x.shape[:2], 2, 3)).transpose(0, 2, 1, 3)
        for i in range(3)
    )
    out = np.tanh(q @ np.swapaxes(k, -1, -2)) @ v
    return np.reshape(out.transpose(0, 2, 1, 3), (-1, 6)) @ w[3]


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_heads_are_written_side_by_side(dtype):
    """No array is copied where heads become features again, forward or backward."""
    x, w = normals((4, 5, 6), (4, 6, 6), dtype=dtype)

    def loss(w, x):
        return np.sum(np.square(attention(x, w)))

    compiled = jit(value_and_grad(loss))
    code = compiled.source(w, x)
    assert re.search(r"\bmatmul\(.*, v\d+\)", code)
    assert not re.search(r"^ *t\d+ = [bv]\d+.*reshape", code, re.M)  # but views, made once
    first = compiled(w, x)
    kept = [np.copy(a) for a in first]
    for k in range(3):
        args = w * (1 - k), x + k
        for got, want in zip(compiled(*args), value_and_grad(loss)(*args), strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-10 if dtype is np.float64 else 2e-4)
    for a, b in zip(first, kept, strict=True):  # no result lies in what later calls write
        np.testing.assert_array_equal(a, b)


@settings(max_examples=60, deadline=None)
@given(
    st.permutations(range(4)), st.tuples(*[st.integers(0, 3)] * 5), st.booleans(), st.booleans(),
    st.booleans(),
)  # fmt: skip
def test_any_order_of_axes(order, lengths, again, escapes, through):
    """The product may be read in another order too, be a result, and be made of its own kind."""
    a, b, n, k, m = lengths
    x, y = normals((a, b, n, k), (a, b, k, m))

    def f(x, y):
        z = (x * 2) @ (y + 1)
        flat = np.reshape(np.transpose(z, order), (-1,))
        out = [np.exp(flat) if through else flat]
        if again:
            out.append(np.reshape(np.swapaxes(z, 0, 3) * 2, (-1,)))
        if escapes:
            out.append(z)
        return out

    compiled = jit(f)
    earlier = compiled(x, y)
    kept = [np.copy(r) for r in earlier]
    for args in ((x, y), (x[::-1] + 1, -y)):
        for got, want in zip(compiled(*args), f(*args), strict=True):
            near(got, want)
            assert got.flags.writeable
    for r, s in zip(earlier, kept, strict=True):
        np.testing.assert_array_equal(r, s)


def test_places_are_not_shared_while_they_are_read():
    """Products of one shape in two orders, alive together and one after the other."""
    xs = normals(*[(2, 3, 4, 4)] * 3)

    def f(x, y, z):
        one = np.reshape(((x + 1) @ y).transpose(0, 2, 1, 3), (8, 12))
        two = np.reshape(((y + 1) @ z).transpose(0, 3, 1, 2), (8, 12))
        three = np.reshape(((one + two).reshape(2, 3, 4, 4) @ x).transpose(1, 2, 0, 3), (12, 8))
        return np.sum(np.sin(one) * np.cos(two)) + np.sum(three * three.T.reshape(12, 8))

    compiled = jit(grad(f))
    for scale in (1.0, -0.5, 2.0):
        args = [x * scale for x in xs]
        near(compiled(*args), grad(f)(*args), 1e-9)


def test_last_bits_stay_where_they_must():
    x, w = normals((4, 5, 6), (4, 6, 6), dtype=np.float32)
    exact = jit(attention, reassociate=False)
    np.testing.assert_array_equal(exact(x, w), attention(x, w))
