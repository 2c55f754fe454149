"""Decompositions: their tuples, and matrices with equal values."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad

A = np.array([[2.0, 1.0], [0.5, 3.0], [1.0, -1.0]])


@pytest.mark.parametrize("f", [np.linalg.qr, np.linalg.svd, np.linalg.eig, np.linalg.eigh])
def test_the_answer_is_numpys_named_tuple(f):
    def call(x):
        answer = f(x)
        assert type(answer) is type(f(A[:2]))
        return answer[0].sum()

    fgrad.vjp(call, A[:2])


def test_quantiles_out_of_range():
    for f in (lambda x: np.quantile(x, 1.5), lambda x: np.nanpercentile(x, [50, -1])):
        with pytest.raises(ValueError, match=r"range \[0, 1\]"):
            fgrad.vjp(f, A)


def test_functions_of_equal_values():
    nuclear = fgrad.grad(lambda x: np.linalg.norm(x, "nuc"))(np.ones((3, 3)))
    np.testing.assert_allclose(nuclear, np.ones((3, 3)) / 3, atol=1e-14)
    spread = fgrad.grad(lambda x: np.sum(np.linalg.eigvalsh(x) ** 2))(np.ones((3, 3)))
    np.testing.assert_allclose(spread, 2 * np.ones((3, 3)), atol=1e-14)
    largest = fgrad.grad(lambda x: np.sum(np.linalg.eigh(x)[0] ** 2))(np.eye(3))
    np.testing.assert_allclose(largest, 2 * np.eye(3), atol=1e-14)


def _rebuilt(x):
    w, v = np.linalg.eigh(x)
    return np.sum(WEIGHTS * ((v * np.exp(w)) @ v.T))


def _put_together(x):
    u, s, vh = np.linalg.svd(x)
    return np.sum(WEIGHTS * ((u * s) @ vh))


WEIGHTS = np.arange(9.0).reshape(3, 3)


@pytest.mark.parametrize("f", [_rebuilt, _put_together])
def test_functions_of_the_vectors_of_equal_values_are_right_or_nan_in_reverse(f):
    x = 2 * np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    x = x @ np.diag([1.0, 1.0, 3.0]) @ x.T
    t = np.random.default_rng(1).normal(size=(3, 3))
    gradient = fgrad.grad(f)(x)
    if f is _put_together:  # the matrix itself, which reverse mode recognizes
        np.testing.assert_allclose(gradient, WEIGHTS, atol=1e-13)
    else:
        assert np.isnan(gradient).any()
    e = 1e-5
    numeric = (f(x + e * (t + t.T)) - f(x - e * (t + t.T))) / (2 * e)
    np.testing.assert_allclose(fgrad.jvp(f, (x,), (t + t.T,))[1], numeric, rtol=1e-6)
    apart = x + np.diag([0.1, 0.2, 0.4])
    numeric = (f(apart + e * (t + t.T)) - f(apart - e * (t + t.T))) / (2 * e)
    np.testing.assert_allclose(np.sum(fgrad.grad(f)(apart) * (t + t.T)), numeric, rtol=1e-6)
