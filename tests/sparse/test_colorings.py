"""Colourings: what was compressed can be read back, and the colours are few."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import coo_array, csr_array, eye_array, kron

from fgrad.errors import ArgumentError, DtypeError, ShapeError
from fgrad.sparse import Coloring, coloring
from fgrad.sparse.colors import ORDERS, color_star


def banded(n, width):
    return csr_array(np.abs(np.subtract.outer(np.arange(n), np.arange(n))) <= width)


def grid(k):
    """The five-point Laplacian of a square of k by k points."""
    line, one = banded(k, 1), eye_array(k, dtype=bool)
    return kron(line, one) + kron(one, line)


def arrow(n):
    out = np.eye(n, dtype=bool)
    out[0] = out[:, 0] = True
    return out


def matrices(square=False):
    """Random sparse patterns, some with a dense row or column, some empty."""

    def build(shape, seed, density, full):
        rng = np.random.default_rng(seed)
        m, n = (shape[0], shape[0]) if square else shape
        out = rng.uniform(size=(m, n)) < density
        if full and m and n:
            out[rng.integers(m)] = True
            out[:, rng.integers(n)] = True
        return out | out.T if square else out

    sizes = st.tuples(st.integers(0, 14), st.integers(0, 14))
    return st.builds(
        build, sizes, st.integers(0, 999), st.sampled_from([0.05, 0.2, 0.5]), st.booleans()
    )


def recovered(c, matrix):
    """The matrix, read from its products with the colours."""
    columns = np.zeros((c.forward, matrix.shape[1]))
    rows = np.zeros((c.reverse, matrix.shape[0]))
    for seeds, colors in ((columns, c.columns), (rows, c.rows)):
        seeds[colors[colors >= 0], np.flatnonzero(colors >= 0)] = 1
    return c.read(columns @ matrix.T, rows @ matrix, np.float64).toarray()


def values(pattern, seed=0):
    return np.random.default_rng(seed).normal(size=pattern.shape) * pattern


@given(matrices(), st.sampled_from(["auto", "forward", "reverse", "bidirectional"]),
       st.sampled_from(["auto", *ORDERS]))  # fmt: skip
def test_recovered_is_dense(pattern, mode, order):
    matrix = values(pattern)
    c = coloring(pattern, mode, order)
    np.testing.assert_allclose(recovered(c, matrix), matrix, atol=1e-14)
    assert mode != "forward" or c.reverse == 0
    assert mode != "reverse" or c.forward == 0


@given(matrices(square=True), st.sampled_from(["auto", *ORDERS]))
def test_recovered_is_symmetric(pattern, order):
    matrix = values(pattern)
    matrix = matrix + matrix.T
    c = coloring(pattern, "symmetric", order)
    np.testing.assert_allclose(recovered(c, matrix), matrix, atol=1e-14)


@given(matrices(square=True), st.integers(0, 99))
def test_star_colouring(pattern, seed):
    """Neighbours differ, and no path of four vertices has two colours, in any order."""
    np.fill_diagonal(pattern, False)
    n = len(pattern)
    colors = color_star(csr_array(pattern), np.random.default_rng(seed).permutation(n))
    edges = [(i, j) for i, j in zip(*np.nonzero(pattern), strict=True)]
    assert all(colors[i] != colors[j] for i, j in edges)
    for (a, b), (c, d) in itertools.product(edges, edges):
        if pattern[b, c] and len({a, b, c, d}) == 4:
            assert len({colors[a], colors[b], colors[c], colors[d]}) > 2


@pytest.mark.parametrize(
    ("pattern", "mode", "most"),
    [
        (banded(500, 1), "forward", 3),
        (banded(500, 1), "reverse", 3),
        (banded(500, 1), "symmetric", 3),
        (banded(500, 3), "auto", 7),
        (grid(20), "auto", 8),
        (grid(20), "symmetric", 6),
        (arrow(200), "auto", 3),
        (arrow(200), "symmetric", 2),
        (np.kron(np.eye(50), np.ones((4, 4))), "auto", 4),
        (np.ones((3, 40)), "auto", 3),
        (np.ones((40, 3)), "auto", 3),
        (np.zeros((5, 5)), "auto", 0),
    ],
)  # fmt: skip
def test_colours_are_few(pattern, mode, most):
    c = coloring(pattern, mode)
    assert c.forward + c.reverse <= most


def test_stored_zeros_count():
    stored = coo_array((np.zeros(2), ([0, 1], [1, 0])), shape=(2, 2))
    assert coloring(stored).sparsity.nnz == 2
    assert coloring(np.zeros((2, 2))).sparsity.nnz == 0


def test_an_arrow_takes_both_ways():
    c = coloring(arrow(50))
    assert (c.forward, c.reverse) == (2, 1)
    assert coloring(arrow(50), "forward").forward == 50


def test_pattern_is_copied():
    given_ = banded(5, 1)
    c = coloring(given_)
    given_.indices[:] = 0
    assert np.array_equal(c.sparsity.toarray(), banded(5, 1).toarray())


def test_colours_of_ones_own():
    c = Coloring(banded(7, 1), columns=np.arange(7) % 3)
    matrix = values(banded(7, 1).toarray())
    np.testing.assert_array_equal(recovered(c, matrix), matrix)
    assert repr(c) == "Coloring of 19 entries of a (7, 7) matrix: 3 forward, 0 reverse"


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Coloring(banded(4, 1), columns=[0, 1, 0, 1]), ArgumentError,
         r"each entry can be read[\s\S]*mix entry \(1, 0\)[\s\S]*fgrad.sparse.coloring"),
        (lambda: Coloring(banded(4, 1)), ArgumentError, r"each entry can be read"),
        (lambda: Coloring(banded(4, 1), columns=[0, 1]), ShapeError,
         r"each of the 4 columns[\s\S]*shape \(2,\)[\s\S]*shape \(4,\)"),
        (lambda: Coloring(banded(2, 1), rows=[0.0, 1.0]), DtypeError,
         r"integers[\s\S]*float64[\s\S]*number the colours"),
        (lambda: coloring(np.ones(3)), ShapeError, r"is a matrix[\s\S]*\(3,\)[\s\S]*boolean array"),
        (lambda: coloring(banded(3, 1), "sideways"), ArgumentError,
         r"mode[\s\S]*'sideways'[\s\S]*leave mode away"),
        (lambda: coloring(banded(3, 1), order="random"), ArgumentError,
         r"order[\s\S]*'random'[\s\S]*leave order away"),
        (lambda: coloring(np.triu(np.ones((3, 3))), "symmetric"), ArgumentError,
         r"symmetric[\s\S]*\(3, 3\)[\s\S]*sparsity \+ sparsity.T"),
        (lambda: coloring(np.ones((2, 3)), "symmetric"), ArgumentError, r"\(2, 3\)"),
    ],
)  # fmt: skip
def test_errors(make, error, text):
    with pytest.raises(error, match=text):
        make()
