"""Arrays of another library: who computes with them, what they share, and where they live."""

from __future__ import annotations

import operator
import types

import numpy as np
import pytest

import fgrad
from fgrad import tree
from fgrad.arrays import is_cupy, library, namespace
from fgrad.errors import ArgumentError, DtypeError, NoRuleError
from fgrad.libraries import implementation

from .array import ndarray
from .traffic import counted

X = np.arange(1.0, 7.0).reshape(2, 3)


# ------------------------------------------------------------------ which function computes
@pytest.mark.parametrize(
    ("fn", "path"),
    [
        (np.tanh, "tanh"), (np.concatenate, "concatenate"), (np.linalg.solve, "linalg.solve"),
        (np.fft.rfft, "fft.rfft"),
    ],
)  # fmt: skip
def test_a_primitive_is_computed_by_cupys_own_function(cupy, fn, path):
    want = cupy
    for part in path.split("."):
        want = getattr(want, part)
    assert implementation(fn, ndarray) is want


def test_operators_and_our_own_functions_compute_themselves():
    def own(x):
        return x

    assert implementation(operator.add, ndarray) is operator.add
    assert implementation(own, ndarray) is own


def test_the_library_is_that_of_the_class(cupy):
    assert library(ndarray) is cupy
    assert library(np.ndarray) is np
    assert namespace(cupy.ones(2)) is cupy
    assert namespace(2.0) is np
    assert is_cupy(cupy.ones(2))
    assert not is_cupy(np.ones(2))


def test_numpys_protocols_are_not_asked(cupy, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise AssertionError("asked")

    x = cupy.asarray(X)
    graph = fgrad.make_graph(lambda x: np.tanh(x) + np.concatenate([x, np.exp(x)])[:2])(x)
    monkeypatch.setattr(ndarray, "__array_ufunc__", refuse)
    monkeypatch.setattr(ndarray, "__array_function__", refuse)
    assert isinstance(graph(x), ndarray)


def test_a_function_that_cupy_lacks_is_named(cupy):
    with pytest.raises(NoRuleError) as info:
        fgrad.grad(lambda x: np.sum(x * np.spacing(x)))(cupy.asarray(X))
    assert str(info.value) == (
        "`np.spacing` wants NumPy arrays.\n"
        "  It got: arrays of CuPy, which has no function of that name\n"
        "  To do: write it with functions that CuPy has, or move the arrays first: "
        "fgrad.tree.to_host(x)"
    )


# ------------------------------------------------------------------ two libraries at once
def test_operands_of_two_libraries_are_named(cupy):
    with pytest.raises(DtypeError) as info:
        fgrad.grad(lambda x: np.sum(x * X))(cupy.asarray(X))
    assert str(info.value) == (
        "`multiply` wants arrays of one library.\n"
        "  It got: a float64 ndarray of shape (2, 3), a float64 array of shape (2, 3)\n"
        "  To do: move them to one device first: fgrad.tree.to_device(x, like) or "
        "fgrad.tree.to_host(x)"
    )


@pytest.mark.parametrize("transform", [fgrad.grad, fgrad.value_and_grad])
def test_a_tree_on_two_devices_names_its_leaves(cupy, transform):
    params = {"w": cupy.asarray(X), "b": [np.ones(2)]}
    with pytest.raises(DtypeError) as info:
        transform(lambda p: 0.0)(params)
    assert str(info.value) == (
        f"{transform.__name__} wants the arrays of a tree to be on one device.\n"
        "  It got: at ['b'][0]: a NumPy array; at ['w']: a CuPy array\n"
        "  To do: move the tree first: fgrad.tree.to_device(tree, cupy) or "
        "fgrad.tree.to_host(tree)"
    )


# ------------------------------------------------------------------ moving
def test_a_tree_moves_there_and_back(cupy):
    params = {"w": X.astype(np.float32), "b": [np.float64(2), 3, None, "name"]}
    with counted() as traffic:
        there = tree.to_device(params, cupy)
    assert traffic.to_device == 1  # a number is no copy
    assert isinstance(there["w"], ndarray)
    assert there["b"][1:] == [3, None, "name"]
    assert tree.to_device(there, there["w"])["w"] is there["w"]
    back = tree.to_host(there)
    assert back["w"].dtype == np.float32
    np.testing.assert_array_equal(back["w"], params["w"])
    np.testing.assert_array_equal(tree.to_device(there, np)["w"], X)


def test_what_cupy_has_no_dtype_for_is_named(cupy):
    with pytest.raises(DtypeError) as info:
        tree.to_device({"w": np.ones(2, np.longdouble)}, cupy)
    first, second, third = str(info.value).split("\n")
    assert first == "to_device wants arrays of dtypes that cupy has."
    assert second.startswith("  It got: at ['w']: a ")
    assert third.startswith("  To do: ")


@pytest.mark.parametrize("like", [3.0, "cupy", types, None])
def test_to_device_wants_a_library(like):
    with pytest.raises(ArgumentError, match="to_device wants a module of arrays"):
        tree.to_device(X, like)


# ------------------------------------------------------------------ what is whose
def test_writing_into_an_argument_afterwards_changes_no_derivative(cupy):
    x, c = cupy.asarray(X), cupy.asarray(X)
    value, pullback = fgrad.vjp(lambda x: np.sum(x * x * c + np.exp(x)), x)
    want = pullback(cupy.ones(()))[0]
    x[...] = 0.0
    c[...] = 0.0
    value[...] = 7.0
    np.testing.assert_array_equal(pullback(cupy.ones(()))[0]._a, want._a)


def test_writing_into_a_constant_inside_changes_no_derivative(cupy):
    c = cupy.asarray(X)

    def f(x):
        y = np.sum(x * c)
        fgrad.stop_gradient(x)[...] = 0.0
        c[...] = 5.0
        return y

    got = fgrad.grad(f)(cupy.asarray(X))
    np.testing.assert_array_equal(got._a, X)


def test_a_result_that_is_known_is_a_copy(cupy):
    def f(x):
        y = np.exp(x)
        fgrad.stop_gradient(y)[...] = 0.0
        return np.sum(y)

    x = cupy.asarray(X)
    np.testing.assert_allclose(fgrad.grad(f)(x)._a, np.exp(X))


def test_gradients_share_no_memory(cupy):
    x, y = cupy.asarray(X), cupy.asarray(X)
    dx, dy = fgrad.grad(lambda x, y: np.sum(x + y), (0, 1))(x, y)
    dx += 1
    np.testing.assert_array_equal(dy._a, np.ones((2, 3)))
    assert dx.base is None
    assert dy.base is None


def test_a_graph_keeps_its_constants(cupy):
    c = cupy.asarray(X)
    graph = fgrad.make_graph(lambda x: x * c)(cupy.asarray(X))
    c[...] = 0.0
    np.testing.assert_array_equal(graph(cupy.asarray(X))._a, X * X)


def test_a_number_gets_a_number(cupy):
    x = cupy.asarray(X)
    assert type(fgrad.grad(lambda a: np.sum(a * x))(2.0)) is float
    got = fgrad.grad(lambda a: np.sum(a * x))(np.float64(2.0))
    assert type(got) is np.float64
    assert got == X.sum()


# ------------------------------------------------------------------ atomics
DTYPES = ["float16", "float32", "float64", "complex64", "complex128", "int32", "int64", "int8",
          "int16", "uint8", "bool"]  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_adding_up_works_in_every_dtype(cupy, dtype):
    x = np.arange(4).astype(dtype)
    i, v = np.array([0, 2, 0, 3]), np.array([1, 1, 1, 0]).astype(dtype)
    got = fgrad.at(cupy.asarray(x))[cupy.asarray(i)].add(cupy.asarray(v))
    np.testing.assert_array_equal(got._a, fgrad.at(x)[i].add(v))
    assert got.dtype == x.dtype


@pytest.mark.parametrize("index", [[0, 2, 0, 0], [3, 3, 3, 3], []])
def test_the_last_value_stays(cupy, index):
    i, v = np.array(index, int), np.arange(float(len(index)))
    got = fgrad.at(cupy.zeros(4))[cupy.asarray(i)].set(cupy.asarray(v))
    np.testing.assert_array_equal(got._a, fgrad.at(np.zeros(4))[i].set(v))
