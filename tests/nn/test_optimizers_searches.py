"""Line searches keep their conditions, and L-BFGS with them finds minima."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad
import fgrad_nn.optimizers as opts
from fgrad.errors import ArgumentError, ShapeError


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def minimize(f, x, steps, opt=None, **extra):
    opt = opts.lbfgs() if opt is None else opt
    state, values = opt.init(x), []
    for _ in range(steps):
        value, grad = opts.value_and_grad_from_state(f)(x, state=state, **extra)
        updates, state = opt.update(grad, state, x, value=value, grad=grad, value_fn=f, **extra)
        x = opts.apply_updates(x, updates)
        values.append(value)
    return x, values, state


def search_once(search, f, x, direction):
    """The step of a search along a direction; and the value and slope at both ends."""
    value, grad = fgrad.value_and_grad(f)(x)
    opt = opts.chain(opts.stateless(lambda updates, params: direction), search)
    step, state = opt.update(grad, opt.init(x), x, value=value, grad=grad, value_fn=f)
    new_value, new_grad = fgrad.value_and_grad(f)(x + step)
    slopes = np.sum(grad * direction), np.sum(new_grad * direction)
    return state[1], (value, new_value), slopes


def wavy(x):
    return np.sum(0.1 * x**2 + np.cos(3 * x + 1))


@given(st.floats(-10, 10), st.sampled_from([-1, 1]), st.floats(-3, 3), st.sampled_from([0.1, 0.9]))
def test_the_strong_wolfe_conditions_hold(x, sign, size, c2):
    x = np.array([x])
    grad = fgrad.grad(wavy)(x)
    direction = -(10.0**size) * grad
    if abs(grad[0]) < 1e-3:
        return
    search = opts.scale_by_zoom_linesearch(50, curv_rtol=c2, approx_dec_rtol=None)
    state, values, slopes = search_once(search, wavy, x, direction)
    t = state.learning_rate
    assert t > 0
    assert values[1] <= values[0] + 1e-4 * t * slopes[0] + 1e-12
    assert abs(slopes[1]) <= c2 * abs(slopes[0]) * (1 + 1e-9)
    assert state.info.decrease_error == state.info.curvature_error == 0.0
    assert state.value == values[1]
    np.testing.assert_array_equal(state.grad, fgrad.grad(wavy)(x + t * direction))


@given(st.floats(-10, 10), st.floats(-3, 3), st.floats(0.1, 0.9))
def test_armijos_condition_holds_after_backtracking(x, size, shrink):
    x = np.array([x])
    grad = fgrad.grad(wavy)(x)
    if abs(grad[0]) < 1e-3:
        return
    search = opts.scale_by_backtracking_linesearch(200, decrease_factor=shrink, store_grad=True)
    state, values, slopes = search_once(search, wavy, x, -(10.0**size) * grad)
    t = state.learning_rate
    assert 0 < t <= 1
    assert values[1] <= values[0] + 1e-4 * t * slopes[0]
    assert state.value == values[1]
    np.testing.assert_allclose(state.grad, fgrad.grad(wavy)(x - t * 10.0**size * grad))
    if t < 1:  # the step before it was too long
        longer = wavy(x - t / shrink * 10.0**size * grad)
        assert longer > values[0] + 1e-4 * t / shrink * slopes[0]


def test_backtracking_begins_with_a_longer_step_than_the_last():
    opt = opts.chain(opts.sgd(1.0), opts.scale_by_backtracking_linesearch(30, increase_factor=1.5))
    f, x = (lambda x: 5 * np.sum(x**2)), np.array([1.0, 2.0])
    state, rates = opt.init(x), []
    for _ in range(3):
        value, grad = fgrad.value_and_grad(f)(x)
        updates, state = opt.update(grad, state, x, value=value, grad=grad, value_fn=f)
        x = x + updates
        rates.append(float(state[1].learning_rate))
    want, rate = [], 1.0
    for _ in range(3):
        rate = min(1.5 * rate, 1.0)
        while rate > 0.2 * (1 - 1e-4):  # (1 - 10 t)**2 - 1 is above -20 t / 10**4
            rate *= 0.8
        want.append(rate)
    assert rates == pytest.approx(want)


@pytest.mark.parametrize(
    ("f", "points"),
    [
        (lambda x: np.sum(x**2 - 2 * x), 2),  # the parabola of the first two points
        (lambda x: np.sum(x**3 - 3 * x), 3),  # the cubic of the first three
    ],
)
def test_parabolas_and_cubics_need_as_many_points_as_they_have_turns(f, points):
    search = opts.scale_by_zoom_linesearch(20, curv_rtol=1e-9)
    state, _, _ = search_once(search, f, np.zeros(1), np.array([2.5]))  # least at 1
    assert state.info.num_linesearch_steps == points
    assert state.learning_rate == pytest.approx(0.4, rel=1e-12)


def test_conditions_may_be_missed_by_a_tolerance():
    f, x, down = (lambda x: np.sum(x**2)), np.ones(1), -1.9 * np.ones(1)
    for tol, rate in ((0.0, 10 / 19), (4.0, 1.0)):  # at -0.9 the slope is 3.42, for 0.38 at most
        search = opts.scale_by_zoom_linesearch(20, tol=tol, curv_rtol=0.1)
        state, _, _ = search_once(search, f, x, down)
        assert state.learning_rate == pytest.approx(rate)
        assert state.info.curvature_error <= tol


def test_differences_below_the_least_normal_number_have_no_weight():
    x, opt = np.float32([1.0, 2.0]), opts.scale_by_lbfgs()
    state = opt.init(x)
    for _ in range(3):
        updates, state = opt.update(np.float32(1e-20) * x, state, x)
        assert np.all(np.isfinite(updates))
        x = x - updates


@pytest.mark.parametrize("kind", ["zoom", "backtracking"])
def test_no_step_is_made_where_none_is_good(kind):
    search = {
        "zoom": opts.scale_by_zoom_linesearch(8),
        "backtracking": opts.scale_by_backtracking_linesearch(8),
    }[kind]

    def broken(x):
        return np.sum(np.where(x > 0.9, x, np.nan))

    x = np.array([1.0])
    state, _, _ = search_once(search, broken, x, np.array([-1e6]))
    assert state.learning_rate == 0.0
    assert state.info.decrease_error == np.inf
    uphill, _, _ = search_once(opts.scale_by_zoom_linesearch(8), wavy, x, fgrad.grad(wavy)(x))
    assert uphill.learning_rate == 0.0


def test_a_narrow_interval_is_narrowed_until_the_function_falls():
    found = [
        search_once(
            opts.scale_by_zoom_linesearch(30, curv_rtol=1e-9, stepsize_precision=precision),
            wavy, np.array([-8.0]), np.array([10.0]),
        )[0].info.num_linesearch_steps
        for precision in (0.0, 0.01, 1.0)
    ]  # fmt: skip
    assert found[0] > found[1] > found[2] == 3  # the first point where the function falls


@pytest.mark.parametrize(
    "search", [opts.scale_by_zoom_linesearch(8), opts.scale_by_backtracking_linesearch(8)]
)
def test_a_search_that_found_nothing_begins_anew(search):
    def f(x, broken):
        return np.sum(x**2) + np.where(broken & (np.sum(x) != 2), np.inf, 0.0)

    opt, x = opts.chain(opts.sgd(0.1), search), np.ones(2)
    state = opt.init(x)
    for broken in (True, False):
        value, grad = fgrad.value_and_grad(f)(x, broken)
        updates, state = opt.update(
            grad, state, x, value=value, grad=grad, value_fn=f, broken=broken
        )
        assert np.any(updates != 0) != broken
        x = x + updates


def test_a_zoom_search_stays_below_its_longest_step():
    search = opts.scale_by_zoom_linesearch(20, max_learning_rate=4.0)
    state, _, _ = search_once(search, lambda x: np.sum(-x), np.zeros(2), np.ones(2))
    assert state.learning_rate == 4.0
    assert state.info.num_linesearch_steps == 3  # 1, 2, 4, and then no longer ones
    state, _, _ = search_once(
        opts.scale_by_zoom_linesearch(6), lambda x: np.sum(-x), np.zeros(2), np.ones(2)
    )
    assert state.learning_rate == 32.0  # the best of six


@pytest.mark.parametrize("n", [2, 10])
def test_lbfgs_finds_the_minimum_of_rosenbrocks_function(n):
    x, values, _ = minimize(rosenbrock, np.full(n, -1.0), 80)
    np.testing.assert_allclose(x, 1.0, atol=1e-6)
    assert all(b <= a for a, b in itertools.pairwise(values))


def test_lbfgs_works_on_trees_in_float32_and_on_complex_numbers():
    target = {"a": np.float32([1.0, -2.0]), "b": [np.float32(3.0)]}

    def distance(params):
        gaps = fgrad.tree.map(lambda x, t: np.cosh(x - t), params, target)
        return sum(np.sum(x) for x in leaves(gaps))

    leaves = fgrad.tree.leaves
    x, _, _ = minimize(distance, fgrad.tree.map(np.zeros_like, target), 15)
    for a, b in zip(leaves(x), leaves(target), strict=True):
        assert a.dtype == np.float32
        np.testing.assert_allclose(a, b, atol=1e-3)
    goal = np.array([1 + 2j, -3j])
    curved = lambda z: np.sum(np.abs(z - goal) ** 2 + np.real((z - goal) ** 2) * 0.5)  # noqa: E731
    z, _, _ = minimize(curved, np.zeros(2, complex), 15)
    np.testing.assert_allclose(z, goal, atol=1e-6)


def test_the_state_saves_evaluations_and_arguments_reach_the_function():
    calls = []

    def f(x, shift):
        calls.append(shift)
        return np.sum((x - shift) ** 2)

    x, _, state = minimize(f, np.zeros(2), 3, shift=2.0)
    np.testing.assert_allclose(x, 2.0)
    calls.clear()
    opts.value_and_grad_from_state(f)(x, state=state, shift=2.0)
    assert calls == []


def test_values_and_gradients_of_the_state_are_those_of_the_function():
    opt, x = opts.lbfgs(), np.full(3, -1.0)
    state = opt.init(x)
    for _ in range(5):
        value, grad = opts.value_and_grad_from_state(rosenbrock)(x, state=state)
        want = fgrad.value_and_grad(rosenbrock)(x)
        assert value == want[0]
        np.testing.assert_allclose(grad, want[1], rtol=1e-12)
        updates, state = opt.update(grad, state, x, value=value, grad=grad, value_fn=rosenbrock)
        x = x + updates


def test_what_a_search_needs_is_asked_for():
    x = np.ones(2)
    opt = opts.lbfgs()
    with pytest.raises(
        ArgumentError, match=r"zoom line search wants value=[\s\S]*no value=, value_fn="
    ):
        opt.update(x, opt.init(x), x, grad=x)
    with pytest.raises(ArgumentError, match=r"value_fn=3 \(an int\)"):
        opt.update(x, opt.init(x), x, grad=x, value=1.0, value_fn=3)
    with pytest.raises(ArgumentError, match=r"keeps gradients[\s\S]*use lbfgs"):
        opts.value_and_grad_from_state(rosenbrock)(x, state=opts.adam(0.1).init(x))


@pytest.mark.parametrize(
    "opt", [opts.lbfgs(), opts.chain(opts.sgd(1.0), opts.scale_by_backtracking_linesearch(3))]
)
def test_the_gradient_of_a_search_must_fit(opt):
    x = np.ones(2)
    with pytest.raises(ShapeError, match=r"Each gradient must[\s\S]*\(2, 1\)"):
        opt.update(x, opt.init(x), x, value=1.0, grad=np.ones((2, 1)), value_fn=np.sum)
