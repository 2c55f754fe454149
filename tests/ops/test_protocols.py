"""Law 8: NumPy's protocols, methods and operators do what NumPy's functions do."""

from __future__ import annotations

import operator
from functools import partial

import numpy as np
import pytest

import fgrad
import fgrad.numpy as fnp
from fgrad.core import FRONTS
from fgrad.tracer import METHODS

from .. import laws
from ..examples import FACTS, TABLE

X = np.array([[0.3, -1.2, 2.0], [1.5, 0.7, -0.4]])
V = np.array([2.0, 3.0, 5.0])

CALLS = {
    "add.reduce": lambda x: np.add.reduce(x),
    "add.reduce axis 1": lambda x: np.add.reduce(x, axis=1),
    "add.reduce all": lambda x: np.add.reduce(x, axis=None),
    "multiply.reduce": lambda x: np.multiply.reduce(x),
    "maximum.reduce": lambda x: np.maximum.reduce(x),
    "minimum.reduce": lambda x: np.minimum.reduce(x, axis=-1, keepdims=True),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "multiply.accumulate": lambda x: np.multiply.accumulate(x, axis=1),
    "multiply.outer": lambda x: np.multiply.outer(x, V),
    "subtract.outer": lambda x: np.subtract.outer(V, x),
    "dtype=": lambda x: np.add(x, 1, dtype=np.float32),
    "sum of a list": lambda x: sum([x[0], x[1]]),
    "max of rows": lambda x: np.max(np.stack([row * 2 for row in x]), axis=0),
    "unpacking": lambda x: (lambda a, b: a * b)(*x),
    "plain on the left": lambda x: X + x - 2 * x / X,
    "number on the left": lambda x: 2 - x * (1 / (x + 3)) ** 2,
    "power of a number": lambda x: 2.0**x,
    "reverse matmul": lambda x: X.T @ x,
    "divmod": lambda x: divmod(x, 0.7),
    "reverse divmod": lambda x: divmod(3.0, x)[1],
    "comparison": lambda x: np.where((x > 0) & ~(x >= 2) | (x == -0.4), x, 0),
    "abs": abs,
    "neg": operator.neg,
    "pos": operator.pos,
    "T": lambda x: x.T,
    "real": lambda x: x.real + x.imag,
    "flatten": lambda x: x.flatten(),
    "astype": lambda x: x.astype(np.float32),
    "len": lambda x: x * len(x) * x.ndim * x.size,
}


@pytest.mark.parametrize("name", CALLS)
def test_traced_calls_are_numpys(name):
    f = CALLS[name]
    laws.same_bits(fgrad.vjp(f, X)[0], f(X), name)
    laws.same_bits(fgrad.jvp(f, (X,), (X,))[0], f(X), name)
    laws.adjoint(name, f, [X], np.random.default_rng(0))


def test_every_method_is_in_the_table_of_laws():
    assert set(METHODS) & set(FRONTS) <= {row.of for row in TABLE} | FACTS


def test_what_writes_into_an_array_is_refused():
    with pytest.raises(fgrad.errors.TracerConversionError, match=r"fgrad\.at"):
        fgrad.grad(lambda x: np.add.at(x, 0, 1.0))(V)
    with pytest.raises(fgrad.errors.TracerConversionError, match=r"np\.where"):
        fgrad.grad(lambda x: np.sum(np.exp(x, where=x > 0)))(V)
    with pytest.raises(fgrad.errors.TracerConversionError, match="a = a \\+ x"):
        fgrad.grad(lambda x: np.sum(np.exp(x, out=V.copy())))(V)
    out = np.zeros(3)
    for f in (
        np.sum,
        partial(np.clip, a_min=0, a_max=1),
        np.cumsum,
        np.round,
        np.argmax,
        np.any,
        np.ptp,
        np.max,
        np.prod,
    ):
        with pytest.raises(fgrad.errors.NoRuleError, match="out="):
            fgrad.grad(lambda x, f=f: np.sum(f(x, out=out)))(V)
    for f in (np.dot, np.outer, np.take):
        with pytest.raises(fgrad.errors.NoRuleError, match="out="):
            fgrad.grad(lambda x, f=f: np.sum(f(x, np.array([0, 1]), out=out)))(V)
    for f in (np.stack, np.concatenate, np.hstack):
        with pytest.raises((fgrad.errors.NoRuleError, TypeError), match="out"):
            fgrad.grad(lambda x, f=f: np.sum(f([x, x], out=out)))(V)
    with pytest.raises(fgrad.errors.NoRuleError, match=r"`np\.einsum` (.|\n)*out="):
        fgrad.grad(lambda x: np.einsum("i->", x, out=out))(V)


def test_fgrad_numpy_sees_what_the_protocols_cannot():
    i = np.array([1, 0])
    np.testing.assert_array_equal(fgrad.vmap(lambda i: fnp.take(V, i))(i), V[i])
    assert fgrad.grad(lambda v: fnp.full_like(X, v).sum())(2.0) == 6.0
    assert fgrad.grad(lambda v: fnp.array([[v, 1.0], [2 * v, v]]).sum())(2.0) == 4.0
    assert fnp.mean([1.0, 2.0]) == 1.5
    out = np.zeros(2)
    assert fnp.sum(X, axis=1, out=out) is out


def test_questions_about_known_values_are_answered():
    nans = np.array([np.nan, 1.0])

    def f(x):
        assert np.array_equal(x, x, equal_nan=True)
        assert not np.array_equal(x, x)
        assert not np.array_equal(x, V)
        assert np.allclose(x, x, equal_nan=True)
        assert np.nonzero(x > 0)[0].tolist() == np.flatnonzero(x > 0).tolist() == [1]
        assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 0)) == ((2,), 1, 2, 2)
        assert np.isrealobj(x)
        assert not np.iscomplexobj(x)
        assert np.result_type(x, np.float32) == np.common_type(x) == np.float64
        assert np.can_cast(x.dtype, np.float64)
        return np.sum(x)

    np.testing.assert_array_equal(fgrad.grad(f)(nans), [1, 1])


def test_a_truth_value_beside_other_indices_has_no_batch_rule():
    with pytest.raises(fgrad.errors.NoRuleError, match="under vmap"):
        fgrad.vmap(lambda x: x[True, 0])(X)


def test_arguments_are_found_in_every_place():
    np.testing.assert_array_equal(fgrad.grad(lambda x: np.sum(a=x))(V), np.ones(3))
    np.testing.assert_array_equal(fgrad.grad(lambda x: np.max(axis=0, a=x))(V), [0, 0, 1])
    np.testing.assert_array_equal(
        fgrad.grad(lambda x: np.concatenate((x, V), axis=0).sum())(V), np.ones(3)
    )
