"""Nests that threads share: the same bits, however many threads there are, and whoever calls."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from fgrad import grad, jit, tree, value_and_grad
from fgrad.compiler.native import bodies

from .laws_of_native import kernels, left, same

RNG = np.random.default_rng(5)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small nests are shared too."""
    monkeypatch.setattr(bodies, "BUSY", 1)


def shared(g) -> list[int]:
    """How many parts the shared nests have."""
    return [fn.parts for k in kernels(g) for fn in k.loops.functions if fn.parts]


def everything(x, y):
    """Results, sums along all axes, and some that overlap with others."""
    z = np.tanh(x) * y + np.exp(-x * x)
    sums = [np.sum(z, axis) for axis in (None, *range(z.ndim))]
    ends = np.max(z), np.min(x * y, axis=0), np.prod(1 + z * 1e-3, axis=-1), np.any(z > 1, 0)
    return z, sums, ends, np.mean(z, axis=0, keepdims=True), np.count_nonzero(x > 0), np.sum(x * y)


SHAPES = [(4096 * 2,), (4096 * 12,), (40, 30), (16, 9, 5), (7, 600), (25, 1, 10), (2, 3000)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_threads_change_no_bits(shape):
    x, y = RNG.normal(size=(2, *shape))
    results = []
    for threads in (1, 2, 3, 16):
        g = same(everything, (x, y[:1] if len(shape) > 1 else y), ulp=512, threads=threads)
        assert not left(g)
        if shape[0] not in (7, 25):  # whose divisors are few
            assert max(shared(g)) > 1
        results.append(tree.leaves(g(x, y[:1] if len(shape) > 1 else y)))
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("shape", SHAPES[:4], ids=str)
def test_derivatives(shape):
    x, y = RNG.normal(size=(2, *shape))
    loss = lambda x, y: np.sum(np.sin(everything(x, y)[0]) + np.sum(x * y, axis=0))  # noqa: E731
    same(value_and_grad(loss, (0, 1)), (x, y), ulp=512, threads=2)
    transposed = np.asfortranarray(x), y
    same(grad(loss), transposed, ulp=512, threads=2)


def test_a_thread_of_the_users_does_all_by_itself():
    x, y = RNG.normal(size=(2, 40, 300))
    g = jit(everything, backend="native", threads=2)
    g(x, y)
    want = tree.leaves(g(x, y))
    found = []
    others = [threading.Thread(target=lambda: found.append(g(x, y))) for _ in range(6)]
    for t in others:
        t.start()
    for _ in range(20):
        g(x, y)
    for t in others:
        t.join()
    assert len(found) == 6
    for got in found:
        for a, b in zip(tree.leaves(got), want, strict=True):
            np.testing.assert_array_equal(a, b)
    text = kernels(g)[0].loops
    assert text.threads == 2


def test_a_number_of_rows_that_does_not_divide_is_not_shared():
    x = RNG.normal(size=(13, 11))
    g = same(lambda x: np.sum(np.exp(x) * x + 1), (x,), ulp=64, threads=2)
    assert not shared(g)
