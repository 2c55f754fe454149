"""Law 6 for pairs of dtypes: gradients keep the parameter's dtype whatever stands beside it."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import tree

from .. import laws
from ..examples import TABLE
from ..examples.ufuncs import BINARY as BINARY_ROWS
from ..examples.ufuncs import SMOOTH

OTHERS = {
    "float": 2.0,
    "int": 2,
    "float64 scalar": np.float64(2.0),
    "float32 scalar": np.float32(2.0),
    "int8 array": np.array([1, 2, 3], np.int8),
    "int64 0-d array": np.array(2),
    "bool": True,
    "float64 array": np.array([1.0, 2.0, 3.0]),
}

BINARY = [
    np.add, np.subtract, np.multiply, np.true_divide, np.power, np.maximum, np.minimum, np.fmax,
    np.logaddexp, np.hypot, np.arctan2, np.remainder, np.fmod, np.copysign, np.matmul, np.dot,
]  # fmt: skip


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("fn", BINARY, ids=lambda f: f.__name__)
def test_the_gradient_has_the_parameters_dtype(fn, other, dtype):
    y = OTHERS[other]
    x = np.array([0.7, 1.6, 2.5], dtype)
    for f in (lambda x: fn(x, y), lambda x: fn(y, x)):
        try:
            value = f(x)
        except (TypeError, ValueError):  # NumPy has no such function, or no such pair
            continue
        got, pullback = fgrad.vjp(f, x)
        laws.same_bits(got, value, "value = NumPy's")
        (ct,) = pullback(np.ones_like(got))
        assert (ct.dtype, ct.shape) == (x.dtype, x.shape)
        t = fgrad.jvp(f, (x,), (np.ones_like(x),))[1]
        assert (t.dtype, t.shape) == (value.dtype, value.shape)
        wide = np.array(x, np.result_type(x, np.float64))
        exact = fgrad.vjp(f, wide)
        if fn not in (np.remainder, np.fmod):  # rounding moves their jumps
            want = exact[1](np.ones_like(exact[0]))[0]
            np.testing.assert_allclose(ct, want, rtol=8 * float(np.finfo(dtype).eps))


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, bool])
def test_integers_and_booleans_have_no_derivative(dtype):
    x = np.ones(3, dtype)
    message = "wants"
    with pytest.raises(fgrad.errors.DtypeError, match=message):
        fgrad.grad(np.sum)(x)
    with pytest.raises(fgrad.errors.DtypeError, match=message):
        fgrad.vjp(np.sum, x)
    with pytest.raises(fgrad.errors.DtypeError, match=message):
        fgrad.jvp(np.sum, (x,), (x,))


NUMBERS = [
    0.7,
    np.float64(0.7),
    np.float32(0.7),
    np.float16(0.7),
    np.array(0.7),
    np.array(0.7, "f4"),
]


@pytest.mark.parametrize("x", NUMBERS, ids=lambda x: f"{type(x).__name__}-{np.asarray(x).dtype}")
def test_a_gradient_is_of_its_arguments_kind(x):
    for f, *_ in SMOOTH:
        if f is np.arccosh:
            continue
        rtol = 16 * float(np.finfo(np.asarray(x).dtype).eps)
        (want,) = fgrad.vjp(f, np.array([0.7]))[1](np.ones(1))
        got = fgrad.grad(f)(x)
        assert type(got) is type(x), f
        assert np.asarray(got).dtype == np.asarray(x).dtype, f
        np.testing.assert_allclose(got, want[0], rtol, err_msg=f.__name__)
        np.testing.assert_allclose(fgrad.jvp(f, (x,), (x,))[1], want[0] * x, rtol)
        second = fgrad.grad(fgrad.grad(f))(x)
        assert type(second) is type(x), f
        exact = fgrad.grad(fgrad.grad(f))(np.float64(0.7))
        np.testing.assert_allclose(second, exact, 8 * rtol, atol=rtol, err_msg=f.__name__)


@pytest.mark.parametrize("x", NUMBERS, ids=lambda x: f"{type(x).__name__}-{np.asarray(x).dtype}")
def test_gradients_of_two_numbers_are_of_their_kinds(x):
    for f, *_ in BINARY_ROWS:
        got = fgrad.grad(f, argnums=(0, 1))(x, x / 2)
        rtol = 32 * float(np.finfo(np.asarray(x).dtype).eps)
        want = fgrad.grad(f, argnums=(0, 1))(np.float64(0.7), np.float64(0.35))
        assert [type(c) for c in got] == [type(x), type(x / 2)], f
        np.testing.assert_allclose(got, want, rtol, atol=rtol, err_msg=f.__name__)


TAKING_INTEGERS = {
    np.sum, np.mean, np.prod, np.cumsum, np.var, np.max, np.matmul, np.reshape, np.concatenate,
    np.square, np.add, np.multiply, np.true_divide, np.sin, np.absolute, np.clip, np.where,
    np.negative,
}  # fmt: skip
INTEGERS = [row for row in TABLE if row.of in TAKING_INTEGERS]


@pytest.mark.parametrize("row", INTEGERS, ids=str)
@pytest.mark.parametrize("dtype", ["int8", "int64", "bool"])
def test_integers_under_vmap_and_in_graphs_are_numpys(row, dtype):
    xs = [np.asarray(np.round(np.abs(x) + 1)).astype(dtype) if x.dtype.kind == "f" else x
          for x in row.arguments()]  # fmt: skip
    try:
        want = row.call(*xs)
    except TypeError:  # the negative of a boolean, and its like
        return
    graph = fgrad.make_graph(row.call)(*xs)
    laws.same_like(want, graph(*xs), f"{row}: graph")
    laws.close(graph(*xs), want, f"{row}: graph")
    got = fgrad.vmap(row.call)(*(np.stack([x, x]) for x in xs))
    laws.same_like(want, tree.map(lambda y: y[0], got), f"{row}: vmap")
    laws.close(tree.map(lambda y: y[1], got), want, f"{row}: vmap")
