"""Sums of products as products of stacks, and transposed matrices that are copied once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgrad import grad, jit, value_and_grad

RNG = np.random.default_rng(0)


def normals(*shapes, dtype=np.float64):
    return [(RNG.normal(size=s) / 4).astype(dtype) for s in shapes]


def recurrent(params, xs):
    w, u, b = params
    h = np.tanh(xs[0] @ w + b)
    for x in xs[1:]:
        h = np.tanh(x @ w + b + h @ u)
    return np.sum(h * h)


def near(got, want, rtol=1e-10):
    for a, b in zip(got, want, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol * max(1, np.max(np.abs(b))))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("batch", [3, 32])
@pytest.mark.parametrize("together", [True, False])
def test_the_gradients_of_shared_weights(together, batch, dtype):
    """Inputs may be one array, whose rows are taken as they lie, or a list, which is copied."""
    params = normals((7, 6), (6, 6), (6,), dtype=dtype)
    xs = normals(*[(batch, 7)] * 23, dtype=dtype)
    xs = np.stack(xs) if together else xs
    compiled = jit(grad(recurrent))
    code = compiled.source(params, xs)
    assert code.count("copyto(") >= 1
    products = sum(".dot(" in line for line in code.splitlines())
    assert products < 23 * 4 + 12  # not 23 * 6: those of w, u and b are a few each
    for scale in (1.0, 0.5):
        args = [(p * scale).astype(dtype) for p in params], xs
        near(compiled(*args), grad(recurrent)(*args), 1e-10 if dtype is np.float64 else 1e-4)


def test_last_bits_stay_where_they_must():
    params, xs = normals((7, 6), (6, 6), (6,)), normals(*[(5, 7)] * 9)
    exact = jit(grad(recurrent), reassociate=False)
    assert "stack" not in exact.source(params, xs)
    assert ", 240)" not in exact.source(params, xs)


def test_memory_orders_other_than_the_first():
    params, xs = normals((7, 6), (6, 6), (6,)), np.stack(normals(*[(5, 7)] * 9))
    compiled = jit(grad(recurrent))
    compiled(params, xs)
    for other in (np.asfortranarray(xs), xs[::-1], np.repeat(xs, 2, axis=1)[:, ::2]):
        near(compiled(params, other), grad(recurrent)(params, other))
    turned = [np.asfortranarray(p) for p in params]
    near(compiled(turned, xs), grad(recurrent)(turned, xs))


def test_transposed_weights_are_copied_once():
    (u,) = normals((6, 6))
    h = normals((20, 6))[0]

    def f(u, h):
        for _ in range(6):
            h = np.tanh(h @ u.T)
        return h

    compiled = jit(f)
    assert compiled.source(u, h).count("copyto(") == 1
    for _ in range(2):
        np.testing.assert_allclose(compiled(u, h), f(u, h), rtol=1e-12)


def test_a_matrix_may_stand_in_a_stack_twice():
    def f(w, x):
        for _ in range(5):
            x = np.tanh(x @ w)
        return np.sum(np.tanh(x @ w) ** 2) + np.sum(np.tanh(x @ w))  # the last x, twice

    (w,), x = normals((5, 5)), normals((4, 5))[0]
    compiled = jit(value_and_grad(f, (0, 1)))
    for _ in range(2):
        near(compiled(w, x)[1], value_and_grad(f, (0, 1))(w, x)[1])


@st.composite
def networks(draw):
    """A network in which a few weights are used again and again, on whatever there is so far."""
    width = draw(st.sampled_from([2, 5]))
    steps = draw(st.lists(
        st.tuples(st.integers(0, 4), st.integers(0, 5), st.integers(0, 3)),
        min_size=5, max_size=14))  # fmt: skip
    kept = draw(st.sets(st.integers(0, 13), max_size=3))

    def f(weights, xs):
        values, out = [xs[0] * 1.0], []
        for k, (kind, which, back) in enumerate(steps):
            h = values[-1 - back % len(values)]
            w = weights[which % len(weights)]
            if kind == 0:
                h = np.tanh(h @ w)
            elif kind == 1:
                h = np.tanh(h @ w + xs[which % len(xs)] @ weights[0])
            elif kind == 2:
                h = np.tanh(h @ w.T) + h
            elif kind == 3:
                h = h * np.sum(w, axis=0) + np.mean(h @ w)
            else:
                h = np.maximum(h @ w, 0.1 * h)
            values.append(h)
            out += [h] if k in kept else []
        return np.sum(values[-1] ** 2) + sum(np.sum(h) for h in out), out

    rng = np.random.default_rng(draw(st.integers(0, 99)))
    weights = [rng.normal(size=(width, width)) / 2 for _ in range(2)]
    return f, weights, rng.normal(size=(3, draw(st.sampled_from([1, 4])), width))


@settings(max_examples=60, deadline=None)
@given(networks(), st.booleans())
def test_any_network(network, listed):
    f, weights, xs = network
    xs = list(xs) if listed else xs
    g = value_and_grad(f, (0, 1), has_aux=True)
    compiled = jit(g)
    (value, kept), (of_weights, of_xs) = g(weights, xs)
    for _ in range(3):
        (got, kept_too), (of_weights_too, of_xs_too) = compiled(weights, xs)
        near([np.asarray(got), *kept_too, *of_weights_too, *of_xs_too],
             [np.asarray(value), *kept, *of_weights, *of_xs])  # fmt: skip
