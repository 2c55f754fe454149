"""Functions whose answer has a shape that depends on values: the laws where these are known."""

import numpy as np
import pytest

import fgrad
import fgrad.numpy as fnp
from fgrad import grad, jvp, make_graph, vjp, vmap
from fgrad.errors import TracerConversionError
from tests import laws
from tests.examples.row import R, linear, row

TIES = np.array([2.0, 1.0, 2.0, 3.0, 2.0])
HOLES = np.array([0.0, 0.0, 1.0, 0.0, 2.0, 0.0])
INTEGERS = np.array([3, 1, 3, 2])

ROWS = [
    linear(np.unique, [(5,)], np.unique, kind="smooth"),
    linear(np.unique, [(2, 3)], lambda x: np.unique(x, axis=1), kind="smooth"),
    linear(np.unique, [(2, 3)], lambda x: np.unique(x)[::-1] * x[0, 0], kind="smooth"),
    row(np.union1d, [(3,), (2,)], np.union1d),
    row(np.setdiff1d, [(4,)], lambda x: np.setdiff1d(x, x[:2] * 1.0)),
    row(np.setxor1d, [(4,)], lambda x: np.setxor1d(x, [9.0, 8.0])),
    row(np.trim_zeros, [R(3)], lambda x: np.trim_zeros(np.concatenate([[0.0], x, [0.0, 0.0]]))),
    *(
        row(np.trim_zeros, [R(2, 2)], lambda x: np.trim_zeros(np.pad(x, 1), "b", axis=-1))
        for _ in range(np.lib.NumpyVersion(np.__version__) >= "2.2.0")
    ),
    row(np.real_if_close, [(3,)], lambda x: np.real_if_close(x * x + 0j)),
    row(np.real_if_close, [(3,)], np.real_if_close, complex=True),
]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_the_laws(case):
    for dtype in (np.float64, np.complex128)[: 1 + case.complex]:
        laws.first_order(case, dtype)
        laws.second_order(case, dtype)
        laws.value(case, dtype)
        laws.protocols(case, dtype)
    laws.value(case, np.float32)


def test_entries_that_tie_share_the_derivative():
    y, pullback = vjp(np.unique, TIES)
    np.testing.assert_array_equal(y, [1.0, 2.0, 3.0])
    np.testing.assert_allclose(pullback(np.array([1.0, 6.0, 5.0]))[0], [2, 1, 2, 5, 2])
    t = jvp(np.unique, (TIES,), (np.array([3.0, 1.0, 6.0, 2.0, 0.0]),))[1]
    np.testing.assert_allclose(t, [1, 3, 2])
    a, b = np.array([1.0, 2.0, 3.0]), np.array([3.0, 5.0])
    c = np.arange(1.0, 5.0)
    ga, gb = grad(lambda a, b: np.sum(np.union1d(a, b) * c), (0, 1))(a, b)
    np.testing.assert_array_equal(ga, [1, 2, 1.5])
    np.testing.assert_array_equal(gb, [1.5, 4])
    ga, gb = grad(lambda a, b: np.sum(np.intersect1d(a, b)), (0, 1))(a, b)
    np.testing.assert_array_equal(ga, [0, 0, 0.5])
    np.testing.assert_array_equal(gb, [0.5, 0])
    np.testing.assert_array_equal(grad(lambda a: np.sum(np.setdiff1d(a, b)))(a), [1, 1, 0])
    np.testing.assert_array_equal(grad(lambda a: np.sum(np.setxor1d(a, b)))(a), [1, 1, 0])
    rows = np.array([[1.0, 2.0], [0.0, 5.0], [1.0, 2.0]])
    g = grad(lambda x: np.sum(np.unique(x, axis=0) * np.array([[1.0, 2.0], [4.0, 6.0]])))(rows)
    np.testing.assert_array_equal(g, [[2, 3], [1, 2], [2, 3]])
    infinite = np.array([np.inf, 1.0, np.inf])
    np.testing.assert_array_equal(vjp(np.unique, infinite)[0], [1.0, np.inf])


def test_what_else_they_return():
    def f(x):
        y, *rest = np.unique(x, True, True, True)
        z, *places = np.intersect1d(x, TIES[:2], return_indices=True)
        return np.sum(y) + np.sum(z), (rest, places, np.argwhere(x > 1), fnp.trim_zeros(HOLES))

    value, (rest, places, where, trimmed) = f(TIES)
    got, (rest2, places2, where2, trimmed2) = grad(lambda x: f(x), has_aux=True)(TIES)
    assert got.shape == TIES.shape
    for a, b in ((rest, rest2), (places, places2), ([where], [where2]), ([trimmed], [trimmed2])):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_array_equal(x, y)
    assert value == 9.0
    counts = vmap(lambda x: x.sum() + np.unique(INTEGERS, return_counts=True)[1].sum())(TIES[None])
    assert counts == 14.0


def test_indices_from_shapes():
    x = np.ones((3, 3))
    for f in (np.tril_indices_from, np.triu_indices_from, np.diag_indices_from):
        got = vmap(lambda x, f=f: x[f(x)])(np.stack([x, 2 * x]))
        assert got.shape == (2, len(f(x)[0]))
    assert grad(lambda x: np.sum(x[np.triu_indices_from(x, 1)]))(x).sum() == 3.0


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (np.unique, "np.unique(.|\n)*fix the shape(.|\n)*np.sort"),
        (lambda x: np.union1d(x, TIES), "np.union1d"),
        (lambda x: np.intersect1d(TIES, x), "np.intersect1d"),
        (lambda x: np.setdiff1d(TIES, x), "np.setdiff1d"),
        (lambda x: np.setxor1d(x, TIES), "np.setxor1d"),
        (np.trim_zeros, "np.trim_zeros"),
        (np.argwhere, r"np.argwhere(.|\n)*np.where"),
        (np.nonzero, r"np.nonzero"),
        (lambda x: np.ix_(np.ravel(x) > 1), "np.ix_"),
        (lambda x: np.real_if_close(x + 0j), "np.real_if_close"),
        (lambda x: np.histogram(x, "auto"), "np.histogram(.|\n)*the number of the bins"),
        (lambda x: x[x > 1], "mask"),
        (lambda x: np.delete(np.arange(9), (0 * x).astype(int)), "np.delete"),
        (lambda x: np.insert(np.arange(9.0), (0 * x).astype(int), 1.0), "np.insert"),
    ],
)
def test_values_that_are_not_known_are_asked_for_by_name(f, text):
    for transform in (vmap, make_graph):
        with pytest.raises(TracerConversionError, match=text):
            transform(f)(np.stack([TIES, TIES]))


def test_bins_by_rule():
    x = np.linspace(0.0, 1.0, 20) ** 2
    n, edges = vjp(lambda x: np.histogram(x, "sturges"), x)[0]
    for got, want in zip((n, edges), np.histogram(x, "sturges"), strict=True):
        np.testing.assert_array_equal(got, want)
    assert grad(lambda x: np.histogram_bin_edges(x, 4)[1])(x)[[0, -1]].tolist() == [0.75, 0.25]
    assert fgrad.grad(lambda x: np.histogram(np.where(x > 9, x, 2.0), 2)[1].sum())(x).sum() == 0.0
