"""Primitives that are taken apart: the same answers, and other programs."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import elementwise, grad, jit, primitive
from fgrad.compiler.formulas import recorded
from fgrad.compiler.program import Call

X = np.linspace(-2.0, 3.0, 12)


def _soft(x):
    return np.log1p(np.exp(x))


def _soft_in_place(x, out=None):
    return np.log1p(np.exp(x, out=out), out=out)


RULE = lambda ans, x: np.exp(x - ans)  # noqa: E731
apart = elementwise(_soft, RULE, name="soft_apart", formula=True)
both = elementwise(_soft, RULE, impl=_soft_in_place, name="soft", writes=True, formula=_soft)
wrong = elementwise(_soft, RULE, name="soft_wrong", formula=lambda x: _soft(x).astype(np.float32))


@pytest.mark.parametrize("f", [apart, both, wrong])
@pytest.mark.parametrize("backend", ["numpy", "native"])
@pytest.mark.parametrize("x", [X, X.astype(np.float32), np.float64(0.5), np.ones((3, 0))])
def test_the_answer_is_that_of_the_primitive(f, backend, x):
    if backend == "native":
        pytest.importorskip("llvmlite")
    compiled = jit(lambda x: (f(x), grad(lambda x: np.sum(f(x)))(x)), backend=backend)
    compiled(x)
    want = f(x), np.exp(x - f(x))
    for a, b in zip(compiled(x), want, strict=True):
        assert (np.shape(a), a.dtype) == (np.shape(b), b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-6 if a.dtype == np.float32 else 1e-14)


def test_numpys_code_takes_apart_what_is_no_slower_so():
    assert "log1p(" in jit(apart).source(X)
    assert "log1p(" not in jit(both).source(X)


def test_machine_code_takes_apart_what_has_a_formula():
    pytest.importorskip("llvmlite")
    many = np.ones(5000)
    said = jit(lambda x: both(x) * 2, backend="native")
    said(many)
    assert "left to NumPy" not in said.explain()
    said = jit(lambda x: wrong(x) * 2, backend="native")  # its formula has another dtype
    said(many)
    assert "soft_wrong" in said.explain()


def test_without_loose_bits_the_code_itself_runs():
    pytest.importorskip("llvmlite")
    exact = jit(lambda x: both(x) * 2, backend="native", reassociate=False)
    exact(X)
    np.testing.assert_array_equal(exact(X), both(X) * 2)


def test_formulas_of_several_answers():
    pytest.importorskip("llvmlite")

    def halves(x):
        n = len(x) // 2
        return x[:n] * x[n:], x[:n] + x[n:]

    rule = lambda g, ans, x: np.concatenate([x, x])  # noqa: E731
    pair = primitive(
        halves, name="halves", jvp=lambda ts, ans, x: ans, vjp=[rule], several=True, formula=halves
    )(lambda x: ((x,), {}))
    compiled = jit(lambda x: [2 * y for y in pair(x)], backend="native")
    compiled(X)
    for got, want in zip(compiled(X), halves(X), strict=True):
        np.testing.assert_array_equal(got, 2 * want)


def test_a_formula_is_recorded_once_for_each_kind_of_operands():
    (equation,) = fgrad.make_graph(both)(X).equations
    p = equation.primitive
    kinds = ((X.shape, X.dtype),)
    assert recorded(Call(p, {}), kinds) is recorded(Call(p, {}), kinds)
