"""Activations: the laws, the values far out, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

from fgrad import grad, vmap
from fgrad.errors import DtypeError, ShapeError
from fgrad_nn import (
    log_softmax,
    logsumexp,
    one_hot,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    sparsemax,
)
from fgrad_nn.activations import softmin

from .. import laws, laws_of_vmap
from ..examples.row import row

X = np.array([[-1000.0, -40.0, -1.0], [0.5, 40.0, 1000.0]])
ROWS = [
    row(relu, [(2, 3)]),
    row(sigmoid, [(2, 3)]),
    row(softplus, [(2, 3)]),
    row(softmax, [(2, 3)]),
    row(softmax, [(2, 3)], lambda x: softmax(x, 0)),
    row(log_softmax, [(2, 3)]),
    row(log_softmax, [(2, 3)], lambda x: log_softmax(x, 0)),
    row(logsumexp, [(2, 3)]),
    row(logsumexp, [(2, 3)], lambda x: logsumexp(x, 0, keepdims=True)),
    row(logsumexp, [(2, 3)], lambda x: logsumexp(x, -1)),
    row(sparsemax, [(2, 3)]),
    row(sparsemax, [(3, 2)], lambda x: sparsemax(x, 0)),
]


@pytest.mark.parametrize("case", ROWS, ids=str)
def test_laws(case):
    for law in (
        laws.first_order, laws.second_order, laws.staging, laws.dtypes,
        laws_of_vmap.batching, laws_of_vmap.batched_derivatives,
    ):  # fmt: skip
        law(case)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (sigmoid, scipy.special.expit),
        (softmax, lambda x: scipy.special.softmax(x, axis=-1)),
        (log_softmax, lambda x: scipy.special.log_softmax(x, axis=-1)),
        (logsumexp, scipy.special.logsumexp),
        (
            lambda x: logsumexp(x, keepdims=True),
            lambda x: scipy.special.logsumexp(x, keepdims=True),
        ),
    ],
)
def test_values_are_scipys(ours, theirs):
    np.testing.assert_allclose(ours(X), theirs(X), rtol=1e-14)
    np.testing.assert_allclose(ours(X.astype("f4")), theirs(X.astype("f4")), rtol=1e-6)
    assert ours(X.astype("f4")).dtype == np.float32


def test_far_out_and_at_kinks():
    g = vmap(grad(sigmoid))(X.ravel())
    np.testing.assert_allclose(g, scipy.special.expit(X.ravel()) * scipy.special.expit(-X.ravel()))
    np.testing.assert_array_equal(vmap(grad(softplus))(np.array([-1000.0, 1000.0])), [0, 1])
    np.testing.assert_array_equal(
        grad(lambda x: np.sum(relu(x)))(np.array([-1.0, 0, 2])), [0, 0, 1]
    )
    inf = np.array([-np.inf, -np.inf])
    assert logsumexp(inf) == -np.inf
    np.testing.assert_array_equal(grad(logsumexp)(inf), [0.5, 0.5])
    np.testing.assert_array_equal(grad(logsumexp)(np.array([np.inf, 0.0])), [1, 0])
    np.testing.assert_allclose(grad(lambda x: log_softmax(x)[1])(np.array([0.0, -800.0])), [-1, 1])


def test_one_hot():
    np.testing.assert_array_equal(one_hot(np.array([[0, 2], [1, 5]]), 3)[1], [[0, 1, 0], [0, 0, 0]])
    assert one_hot(np.array([0, 2]), 3, dtype=np.float32, axis=0).shape == (3, 2)
    np.testing.assert_array_equal(one_hot(1, 3), [0, 1, 0])
    np.testing.assert_array_equal(
        vmap(lambda n: one_hot(n, 3))(np.array([2, 0])), np.eye(3)[[2, 0]]
    )
    with pytest.raises(DtypeError, match=r"one_hot wants(.|\n)*float64 array(.|\n)*astype\(int\)"):
        one_hot(np.ones(2), 3)


@pytest.mark.parametrize("f", [softmax, log_softmax, lambda x, axis=-1: logsumexp(x, axis)])
def test_an_axis_that_is_not_there(f):
    for x, axis in ((X, 2), (X, -3), (np.array(1.0), -1), (X, (0, 1)), (X, True)):
        with pytest.raises(ShapeError, match=r"wants one axis(.|\n)*axis="):
            f(x, axis)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint16, np.int64])
def test_functions_of_logits_take_whole_numbers(dtype):
    x, shown = np.array([[1, 2, 0], [100, 3, 101]], dtype), np.array([True, True, False])
    for f in (
        softmax, lambda x: softmax(x, where=shown), log_softmax,
        lambda x: logsumexp(x, -1), softmin, sigmoid, silu,
    ):  # fmt: skip
        np.testing.assert_allclose(f(x), f(x.astype(float)), rtol=2e-2, atol=1e-3)
