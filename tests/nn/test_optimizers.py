"""The laws of `sgd` and `apply_updates`, and what trees that don't match get."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad
from fgrad.errors import ArgumentError, DtypeError, ShapeError, TreeError
from fgrad_nn import Optimizer, apply_updates, sgd


def step(params, grads, rate=0.1):
    opt = sgd(rate)
    updates, state = opt.update(grads, opt.init(params), params)
    return apply_updates(params, updates), state


def test_a_step_goes_against_the_gradient():
    (w, b), state = step([np.array([1.0, 2.0]), 3.0], [np.array([10.0, -10.0]), 5.0])
    np.testing.assert_array_equal(w, [0.0, 3.0])
    assert b == 2.5
    assert type(b) is float
    assert state == ()
    assert isinstance(sgd(0.1), Optimizer)


@given(st.floats(0, 10), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_a_step_is_one_multiplication_and_one_addition(rate, param, grad):
    new, _ = step(param, grad, rate)
    assert new == param + -rate * grad


def test_a_rate_of_zero_changes_nothing():
    params = {"w": np.array([1.0, 2.0])}
    new, _ = step(params, {"w": np.array([3.0, 4.0])}, rate=0)
    np.testing.assert_array_equal(new["w"], params["w"])


def test_descent_on_a_quadratic_follows_its_closed_form():
    params, rate = np.array([1.0, -2.0]), 0.1
    gradient = fgrad.grad(lambda x: np.sum(x**2))
    for _ in range(10):
        params, _ = step(params, gradient(params), rate)
    np.testing.assert_allclose(params, np.array([1.0, -2.0]) * (1 - 2 * rate) ** 10)


def test_complex_parameters_descend():
    target = np.array([1.0 + 2.0j])

    def distance(z):
        return np.sum(np.real((z - target) * np.conj(z - target)))

    z = np.array([0.0 + 0.0j])
    for _ in range(60):
        z, _ = step(z, fgrad.grad(distance)(z))
    np.testing.assert_allclose(z, target, atol=1e-5)


def test_a_training_step_differentiates_by_its_learning_rate():
    def after(rate):
        new, _ = step(np.array([1.0, 2.0]), np.array([3.0, 4.0]), rate)
        return np.sum(new**2)

    # new = p - rate g, so the derivative at 0 is -2 p.g
    assert fgrad.grad(after)(0.0) == pytest.approx(-22.0)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.complex64])
@pytest.mark.parametrize("rate", [0.1, np.float64(0.1), np.array(0.1), np.float32(0.1), 1])
def test_dtypes_stay(dtype, rate):
    new, _ = step([np.ones(3, dtype)], [np.ones(3, dtype)], rate)
    assert new[0].dtype == dtype


def test_nothing_is_written_into_the_trees_that_come_in():
    params, grads = {"w": np.ones(3)}, {"w": np.ones(3)}
    params["w"].flags.writeable = grads["w"].flags.writeable = False
    new, _ = step(params, grads)
    assert new["w"] is not params["w"]
    np.testing.assert_array_equal(params["w"], np.ones(3))


def test_structures_come_back_in_kind():
    params = OrderedDict(b=(np.ones(2), [np.zeros(1)]), a=None)
    new, _ = step(params, params)
    assert isinstance(new, OrderedDict)
    assert list(new) == ["b", "a"]
    assert isinstance(new["b"], tuple)
    assert new["a"] is None


def test_the_order_of_dicts_does_not_matter():
    new, _ = step({"a": 1.0, "b": 2.0}, {"b": 20.0, "a": 10.0})
    assert new == {"a": 0.0, "b": 0.0}


W = np.ones(3)


@pytest.mark.parametrize(
    ("params", "grads", "error", "text"),
    [
        ([W], [np.ones((3, 1))], ShapeError, r"at \[0\]: a float64 array of shape \(3, 1\)"),
        ({"w": W}, {"w": np.ones(2)}, ShapeError, r"at \['w'\]: .*\(2,\) for .*\(3,\)"),
        (W, np.ones(2), ShapeError, "at the root"),
        ([W], [1.0], ShapeError, r"1\.0 \(a float\)"),
        ([W], [W.astype(np.float32)], DtypeError, "a float32 array .* for a float64"),
        ([1.0], ["down"], DtypeError, "'down'"),
        ([W], [W, W], TreeError, "a list of 2 items, where a list of 1"),
        ([W, W], [W], TreeError, "a list of 1 item, where a list of 2"),
        ({"w": W}, {"v": W}, TreeError, r"\['w'\]: key missing"),
        ([W], [[1.0, 1.0, 1.0]], TreeError, r"at \[0\]: \[1\.0, .* \(a list\) for a float64"),
        ([W], (W,), TreeError, "a tuple of 1 item, where a list"),
        ([W], [None], TreeError, r"at \[0\]: None for a float64 array"),
    ],
)
def test_trees_that_do_not_match_are_refused(params, grads, error, text):
    opt = sgd(0.1)
    with pytest.raises(error, match=text):
        opt.update(grads, opt.init(params), params)
    with pytest.raises(error, match=text):
        apply_updates(params, grads)


@pytest.mark.parametrize(
    "rate", [-0.1, np.nan, np.inf, "0.1", None, True, 1j, [0.1], np.ones(2), np.array(1j)]
)
def test_a_learning_rate_that_is_none_is_refused(rate):
    with pytest.raises(ArgumentError, match="finite real number"):
        sgd(rate)
