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


def through(f, formula):
    """A primitive whose code, or formula, is a function of the user's."""
    return primitive(
        lambda x: f(x), name="through", jvp=lambda ts, ans, x: ts[0], vjp=[lambda g, ans, x: g],
        formula=True if formula is None else formula,
    )(lambda x: ((x,), {}))  # fmt: skip


@pytest.mark.parametrize("backend", ["numpy", "native"])
@pytest.mark.parametrize("apart", [False, True])
def test_what_a_formula_captures_may_change(backend, apart):
    if backend == "native":
        pytest.importorskip("llvmlite")
    scale, some, many = 2.0, [3.0], np.ones(len(X))

    def said(x):
        return np.tanh(scale * x) + some[0] * many

    p = through(said, (lambda x: said(x)) if apart else None)
    f = jit(lambda x: p(x) + 1, backend=backend)

    def check():
        for _ in range(3):  # the first one may record
            np.testing.assert_allclose(f(X), said(X) + 1, rtol=1e-15)

    check()
    scale = 0.5
    check()
    some[0] = 4.0
    check()
    many[2:] = 7.0
    check()
    many = np.arange(len(X)) * 1.0
    check()


def test_what_rules_capture_may_change():
    scale, many = 2.0, np.ones(len(X))
    p = primitive(
        lambda x: x * 1, name="scaled", jvp=lambda ts, ans, x: ts[0] * scale * many,
        vjp=[lambda g, ans, x: g * scale * many],
    )(lambda x: ((x,), {}))  # fmt: skip
    f = jit(grad(lambda x: np.sum(p(x))))

    def check():
        for _ in range(3):
            np.testing.assert_array_equal(f(X), scale * many)

    check()
    scale = 0.5
    check()
    many[2:] = 7.0
    check()
    many = np.arange(len(X)) * 1.0
    check()
