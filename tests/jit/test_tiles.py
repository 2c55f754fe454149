"""Products as stacks of small ones: products, whatever way they are done."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fgrad import grad, jit
from fgrad.compiler import small
from fgrad.compiler.tiling import parts

#: m, k, n of a product, and how it is done for x @ y, x @ w.T and h.T @ y; None for as a whole.
SHAPES = {
    (2048, 64, 64): ("rows", "copied", "sums"),
    (512, 128, 32): ("rows", "copied", "sums"),
    (64, 512, 512): (None, "columns", "rows"),
    (64, 100, 400): (None, None, "rows"),
    (128, 128, 512): (None, None, None),
    (32, 128, 64): (None, "columns", None),
    (32, 512, 128): (None, "columns", "rows"),
    (32, 256, 512): ("columns", "columns", "rows"),
    (2039, 64, 64): (None, None, None),  # a prime has no parts
    (100, 50, 30): (None, None, None),  # small as it is
    (4096, 512, 512): (None, None, None),  # no part is small
}
#: What tells the ways apart in the text of a program.
SIGNS = {
    "rows": "matmul(",
    "copied": "copyto(",
    "sums": "add_reduce(",
    "columns": ".transpose(1, 0, 2)",
}


@pytest.fixture
def kernels(monkeypatch):
    """Kernels for small matrices, and one thread."""
    monkeypatch.setattr(small, "_has_kernels", lambda: True)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")


def operands(m, k, n, dtype):
    rng = np.random.default_rng(m + k + n)
    x, y = rng.normal(size=(m, k)), rng.normal(size=(k, n)) / np.sqrt(k)
    return x.astype(dtype), y.astype(dtype)


def check(f, args, way):
    compiled = jit(f)
    text = compiled.source(*args)
    got, again, want = compiled(*args), compiled(*args), f(*args)
    np.testing.assert_array_equal(got, again)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    scale = np.max(np.abs(want))
    np.testing.assert_allclose(got / scale, want / scale, atol=30 * np.finfo(want.dtype).eps)
    if way is None:
        assert not any(sign in text for sign in SIGNS.values()), text
    else:
        assert "matmul(" in text
        assert SIGNS[way] in text, text


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.usefixtures("kernels")
def test_products_are_done_in_parts(shape, dtype):
    m, k, n = shape
    whole, turned, transposed = SHAPES[shape]
    x, y = operands(m, k, n, dtype)
    check(lambda x, y: np.tanh(x @ y), (x, y), whole)
    check(lambda x, w: np.tanh(x @ w.T), (x, np.ascontiguousarray(y.T)), turned)
    # x (m, k) and g (m, n): the gradient of a weight, a sum over the m rows
    g = operands(m, n, 1, dtype)[0]
    check(lambda x, g: x.T @ g * 1.5, (x, g), transposed)
    check(lambda x, y: x @ y, (x, y), whole)  # into a new array
    fortran = np.asfortranarray(x), np.asfortranarray(y)
    check(lambda x, y: np.tanh(x @ y), fortran, None)


@pytest.mark.usefixtures("kernels")
def test_gradients_through_products_in_parts():
    rng = np.random.default_rng(0)
    x, w = rng.normal(size=(32, 64, 64)), [rng.normal(size=(64, 64)) / 8 for _ in range(3)]

    def loss(w, x):
        h = x
        for each in w:
            h = np.tanh(h @ each)
        return np.sum(h * h)

    got, want = jit(grad(loss))(w, x), grad(loss)(w, x)
    assert jit(grad(loss)).source(w, x).count("matmul(") >= 8
    for a, b in zip(got, want, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-11 * np.max(np.abs(b)))


def test_they_are_whole_without_kernels_and_with_more_threads(monkeypatch):
    x, y = operands(2048, 64, 64, "f8")
    product = lambda x, y: x @ y  # noqa: E731
    monkeypatch.setattr(small, "_has_kernels", lambda: True)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "2")
    assert "matmul(" not in jit(product).source(x, y)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert "matmul(" in jit(product).source(x, y)
    assert "matmul(" not in jit(product, reassociate=False).source(x, y)
    monkeypatch.setattr(small, "_has_kernels", lambda: False)
    assert "matmul(" not in jit(product).source(x, y)


@pytest.mark.parametrize(
    ("variables", "cores", "one"),
    [
        ({}, 1, True), ({}, 2, False), ({"OMP_NUM_THREADS": "1"}, 2, True),
        ({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "2"}, 1, False),
        ({"OMP_NUM_THREADS": "4", "GOTO_NUM_THREADS": "1"}, 2, True),
        ({"OMP_NUM_THREADS": "many", "OPENBLAS_NUM_THREADS": "0"}, 2, False),
    ],
)  # fmt: skip
def test_who_says_how_many_threads_there_are(monkeypatch, variables, cores, one):
    monkeypatch.setattr(small, "_has_kernels", lambda: True)
    monkeypatch.setattr(small, "cores", lambda: cores)
    for name in small.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, word in variables.items():
        monkeypatch.setenv(name, word)
    assert small.at_once(np.dtype("f8")) == (small.SMALL if one else math.inf)
    assert small.at_once(np.dtype("f2")) == small.at_once(np.dtype(">f8")) == math.inf


def test_parts_are_equal_and_small():
    for length in range(1, 300):
        p = parts(length, 1000, 20_000, 7)
        assert length % p == 0
        assert p == 1 or (length // p * 1000 <= 20_000 and length // p >= 7)
