"""Patterns of linear maps from calls, and of products from their labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgrad.sparse import probes
from fgrad.sparse.contractions import contraction_pattern
from fgrad.sparse.probes import linear_pattern


def maps():
    """Matrices of all kinds: selections, sums, bands, random, empty, dense."""

    def build(kind, m, n, seed):
        rng = np.random.default_rng(seed)
        if kind == "selection":
            out = np.zeros((m, n))
            if n:
                out[np.arange(m), rng.integers(0, n, m)] = rng.uniform(size=m) < 0.8
            return out
        if kind == "sum":
            return build("selection", n, m, seed).T * rng.normal(size=(m, n))
        if kind == "band":
            return (np.abs(np.subtract.outer(np.arange(m), np.arange(n))) < 3) * rng.normal(
                size=(m, n)
            )
        return rng.normal(size=(m, n)) * (rng.uniform(size=(m, n)) < rng.choice([0, 0.1, 1]))

    kinds = st.sampled_from(["selection", "sum", "band", "random"])
    sizes = st.integers(0, 40)
    return st.builds(build, kinds, sizes, sizes, st.integers(0, 999))


@given(maps(), st.booleans())
def test_pattern_is_that_of_the_matrix(matrix, transposed):
    m, n = matrix.shape
    pull = (lambda g: matrix.T @ g) if transposed else None
    for dtype in (np.float64, np.complex128):
        found = linear_pattern(lambda v: matrix @ v, pull, n, m, dtype)
        np.testing.assert_array_equal(found.toarray(), matrix != 0)


def test_differences_do_not_cancel():
    """Each argument is taken from what it is added to: all sums of columns are zero."""
    matrix = np.eye(6) - np.roll(np.eye(6), 1, axis=0)
    found = linear_pattern(lambda v: matrix @ v, lambda g: matrix.T @ g, 6, 6, np.float64)
    np.testing.assert_array_equal(found.toarray(), matrix != 0)


def test_nan_counts():
    matrix = np.array([[np.nan, 1.0], [0.0, 2.0]])
    found = linear_pattern(lambda v: matrix @ v, None, 2, 2, np.float64).toarray()
    assert np.all(found[0])
    assert found[1, 1]


def test_search_that_takes_too_long_keeps_parts_whole(monkeypatch):
    monkeypatch.setattr(probes, "BUDGET", 0)
    calls = []

    def cumsum(v):
        calls.append(v)
        return np.cumsum(v)

    found = linear_pattern(cumsum, None, 300, 300, np.float64).toarray()
    assert not np.any(np.tri(300, dtype=bool) & ~found)
    assert not found.all()
    assert len(calls) < 80


def test_a_band_takes_few_calls():
    calls = []

    def smooth(v):
        calls.append(v)
        return np.convolve(v, [1.0, 2.0, 1.0], "same")

    found = linear_pattern(smooth, smooth, 4096, 4096, np.float64)
    assert found.nnz == 3 * 4096 - 2
    assert len(calls) < 120


@pytest.mark.parametrize(
    "subscripts", ["ij,jk->ik", "ij,j->i", "ii->i", "ij,ij->", "i,j->ij", "ijk,kj->i", "i,i,i->",
                   "bij,bjk->bik", "ij->ji", "ii,i->i"],
)  # fmt: skip
@pytest.mark.parametrize("known", [False, True])
def test_contraction_is_einsums(subscripts, known):
    """Result by result, with random operands in which a third of the entries is zero."""
    rng = np.random.default_rng(len(subscripts))
    inputs, output = subscripts.split("->")
    sizes = {"i": 3, "j": 2, "k": 4, "b": 2}
    inputs = inputs.split(",")
    operands = [np.ones([sizes[c] for c in s]) for s in inputs]
    if known:
        operands = [x * (rng.uniform(size=x.shape) < 0.67) for x in operands]
    labels = [*map(tuple, inputs), tuple(output)]
    result = np.einsum(subscripts, *operands)
    shapes = [*(x.shape for x in operands), np.shape(result)]
    for k, x in enumerate(operands):
        values = [y if known and i != k else None for i, y in enumerate(operands)]
        found = contraction_pattern(labels, shapes, values, k).toarray()
        for j in range(x.size):
            unit = np.zeros(x.size)
            unit[j] = 1
            moved = [unit.reshape(x.shape) if i == k else y for i, y in enumerate(operands)]
            column = np.einsum(subscripts, *moved) != 0
            np.testing.assert_array_equal(found[:, j], np.ravel(column))
