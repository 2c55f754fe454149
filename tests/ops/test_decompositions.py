"""Decompositions: their tuples, what they refuse, and matrices with equal values."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad.errors import NoRuleError

A = np.array([[2.0, 1.0], [0.5, 3.0], [1.0, -1.0]])


@pytest.mark.parametrize("f", [np.linalg.qr, np.linalg.svd, np.linalg.eig, np.linalg.eigh])
def test_the_answer_is_numpys_named_tuple(f):
    def call(x):
        answer = f(x)
        assert type(answer) is type(f(A[:2]))
        return answer[0].sum()

    fgrad.vjp(call, A[:2])


@pytest.mark.parametrize(
    ("f", "text"),
    [
        (np.linalg.svd, "full_matrices=False"),
        (lambda x: np.linalg.qr(x, "complete"), "use mode 'reduced'"),
        (lambda x: np.linalg.qr(x, "raw"), "mode='raw' has no rule"),
        (lambda x: np.quantile(x, 0.5, method="inverted_cdf"), "use one of linear"),
    ],
)
def test_what_has_no_derivative_says_so(f, text):
    with pytest.raises(NoRuleError, match=text):
        fgrad.vjp(f, A)


def test_quantiles_out_of_range():
    for f in (lambda x: np.quantile(x, 1.5), lambda x: np.nanpercentile(x, [50, -1])):
        with pytest.raises(ValueError, match=r"range \[0, 1\]"):
            fgrad.vjp(f, A)


def test_what_equal_values_do_not_change():
    x = 2 * np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    weights = np.arange(9.0).reshape(3, 3)

    def polar(x):
        u, _, vh = np.linalg.svd(x)
        return np.sum(weights * (u @ vh))

    t = np.random.default_rng(1).normal(size=(3, 3))
    want = (polar(x + 1e-5 * t) - polar(x - 1e-5 * t)) / 2e-5
    np.testing.assert_allclose(fgrad.jvp(polar, (x,), (t,))[1], want, rtol=1e-7)
    np.testing.assert_allclose(np.sum(fgrad.grad(polar)(x) * t), want, rtol=1e-7)
    nuclear = fgrad.grad(lambda x: np.linalg.norm(x, "nuc"))(np.ones((3, 3)))
    np.testing.assert_allclose(nuclear, np.ones((3, 3)) / 3, atol=1e-14)
    spread = fgrad.grad(lambda x: np.sum(np.linalg.eigvalsh(x) ** 2))(np.ones((3, 3)))
    np.testing.assert_allclose(spread, 2 * np.ones((3, 3)), atol=1e-14)
