"""Optimizers around optimizers: accumulation, conditions, slow weights, averages, numbers kept."""

from __future__ import annotations

import functools
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad_nn.optimizers as opts
from fgrad import tree
from fgrad_nn.schedules import linear_schedule

P = np.array([1.0, -2.0])


def path(opt, all_grads, params=P, **extra):
    """Parameters after each step, and the last state."""
    state, out = opt.init(params), []
    for grads in all_grads:
        updates, state = opt.update(grads, state, params, **extra)
        params = opts.apply_updates(params, updates)
        out.append(params)
    return out, state


def some(n):
    return list(np.random.default_rng(0).normal(size=(n, 2)))


@pytest.mark.parametrize("mean", [True, False])
@given(k=st.integers(1, 4))
def test_steps_of_k_gradients_are_steps_with_their_mean_or_sum(mean, k):
    grads = some(3 * k + 1)
    got, state = path(opts.MultiSteps(opts.adam(0.1), k, use_grad_mean=mean), grads)
    groups = [sum(grads[i : i + k]) / (k if mean else 1) for i in range(0, len(grads) // k * k, k)]
    want, inner = path(opts.adam(0.1), groups)
    for i, params in enumerate(got):
        made = (i + 1) // k
        np.testing.assert_allclose(params, want[made - 1] if made else P, rtol=1e-12)
    assert state.gradient_step == len(grads) // k
    assert state.inner_opt_state[0].count == inner[0].count
    assert bool(opts.has_updated(state)) is (k == 1)


def test_k_may_grow():
    opt = opts.MultiSteps(opts.sgd(1.0), lambda step: step + 1)
    got, _ = path(opt, [np.ones(2)] * 6)
    np.testing.assert_allclose([p[0] for p in got], [0.0, 0.0, -1.0, -1.0, -1.0, -2.0])


def test_gradients_can_be_left_out_of_the_mean():
    bad = np.array([np.nan, 1.0])
    grads = [np.ones(2), bad, 3 * np.ones(2)]
    opt = opts.MultiSteps(opts.sgd(1.0), 2, should_skip_update_fn=opts.skip_not_finite)
    got, state = path(opt, grads)
    np.testing.assert_allclose(got, [P, P, P - 2.0])
    assert state.skip_state["num_not_finite"] == 0
    large = functools.partial(opts.skip_large_updates, max_squared_norm=10.0)
    got, state = path(opts.MultiSteps(opts.sgd(1.0), 1, should_skip_update_fn=large), grads)
    np.testing.assert_allclose(got, [P - 1, P - 1, P - 1])
    assert state.skip_state["norm_squared"] == 18.0


def test_bad_gradients_are_ignored_until_there_are_too_many_in_a_row():
    bad, good = np.array([np.inf, 1.0]), np.ones(2)
    got, state = path(opts.apply_if_finite(opts.sgd(0.1, 0.9), 2), [good, bad, bad, good])
    want, inner = path(opts.sgd(0.1, 0.9), [good, good])
    np.testing.assert_array_equal(got[2], want[0])
    np.testing.assert_array_equal(got[3], want[1])
    np.testing.assert_array_equal(state.inner_state[0].trace, inner[0].trace)
    assert (state.notfinite_count, state.total_notfinite) == (0, 2)
    assert state.last_finite
    got, _ = path(opts.apply_if_finite(opts.sgd(0.1), 2), [bad, bad, bad])
    assert np.isfinite(got[1]).all()
    assert not np.isfinite(got[2]).all()


def test_conditions_see_the_step_and_may_see_more():
    opt = opts.conditionally_mask(opts.sgd(1.0, 0.5), lambda step, on: on & (step != 1), True)
    grads = [np.ones(2)] * 3
    got, state = path(opt, grads, on=True)
    want, _ = path(opts.sgd(1.0, 0.5), grads[:2])
    np.testing.assert_array_equal(got, [want[0], want[0], want[1]])
    assert state.step == 3
    np.testing.assert_array_equal(path(opt, grads, on=False)[0][-1], P)
    passed = opts.conditionally_transform(opts.scale(2.0), lambda step: step < 1)
    np.testing.assert_array_equal(path(passed, grads[:2])[0], [P + 2, P + 3])


@pytest.mark.parametrize("reset", [False, True])
def test_lookahead_is_the_papers_algorithm(reset):
    grads, k, alpha = some(7), 3, 0.4
    got, _ = path(opts.lookahead(opts.sgd(0.1, 0.9), k, alpha, reset), grads)
    slow = fast = P
    m = 0.0
    for i, g in enumerate(grads):
        m = 0.9 * m + g
        fast = fast - 0.1 * m
        if (i + 1) % k == 0:
            slow = fast = slow + alpha * (fast - slow)
            m = 0.0 if reset else m
        np.testing.assert_allclose(got[i], fast, rtol=1e-12)


def test_averages_of_parameters():
    grads, decay = some(5), 0.8
    got, state = path(opts.params_ema(opts.sgd(0.1), decay), grads)
    weights = decay ** np.arange(5)[::-1]
    want = np.average(got, axis=0, weights=weights)
    np.testing.assert_allclose(opts.params_average(state), want)
    got, state = path(opts.params_ema(opts.sgd(0.1), decay, debias=False), grads)
    want = P
    for p in got:
        want = decay * want + (1 - decay) * p
    np.testing.assert_allclose(opts.params_average(state), want)


def test_complex_parameters_as_pairs_of_real_ones():
    z, g = np.array([1 + 2j]), np.array([3 - 1j])
    got, _ = path(opts.split_real_and_imaginary(opts.adam(0.1)), [g, 2 * g], z)
    pair = np.array([[1.0, 2.0]])
    want, _ = path(opts.adam(0.1), [np.array([[3.0, 1.0]]), np.array([[6.0, 2.0]])], pair)
    np.testing.assert_allclose(got[-1], want[-1][:, 0] + 1j * want[-1][:, 1])


def test_one_vector_is_all_parameters():
    params = {"w": np.ones((2, 2)), "b": np.float32(1.0)}
    grads = [tree.map(lambda p, i=i: p * (1 + i), params) for i in range(2)]
    got, _ = path(opts.flatten(opts.sgd(0.1, 0.9)), grads, params)
    want, _ = path(opts.sgd(0.1, 0.9), grads, params)
    np.testing.assert_allclose(got[-1]["w"], want[-1]["w"])
    assert got[-1]["b"].dtype == np.float32


def test_schedule_free_evaluation_is_at_the_average():
    grads = some(6)
    got, state = path(opts.schedule_free_sgd(0.1, b1=0.7), grads)
    z = P - 0.1 * np.cumsum(grads, axis=0)
    x = np.mean(z, axis=0)
    np.testing.assert_allclose(opts.schedule_free_eval_params(state, got[-1]), x)
    np.testing.assert_allclose(got[-1], 0.7 * x + 0.3 * z[-1])


def test_a_schedule_free_warm_up_weighs_steps_by_their_rates():
    grads, steps = some(6), 4
    got, state = path(opts.schedule_free_sgd(0.1, steps), grads)
    rates = 0.1 * np.minimum(np.arange(7) / steps, 1.0)
    z = P - np.cumsum(rates[:6, None] * grads, axis=0)
    x = np.average(z, axis=0, weights=rates[1:] ** 2)  # as optax, of the rate after the step
    np.testing.assert_allclose(opts.schedule_free_eval_params(state, got[-1]), x)


def test_the_learning_rate_is_read_and_written_in_the_state():
    make = opts.inject_hyperparams(opts.adamw)
    opt = make(linear_schedule(0.1, 0.3, 2), weight_decay=0.0)
    got, state = path(opt, some(3))
    want, _ = path(opts.adamw(linear_schedule(0.1, 0.3, 2), weight_decay=0.0), some(3))
    np.testing.assert_allclose(got, want)
    assert state.hyperparams["learning_rate"] == pytest.approx(0.3)
    assert set(state.hyperparams) == {
        "learning_rate", "b1", "b2", "eps", "eps_root", "weight_decay"
    }  # fmt: skip
    opt = opts.inject_hyperparams(opts.sgd)(0.5)
    state = opt.init(P)
    state = state._replace(hyperparams={"learning_rate": np.float64(2.0)})
    np.testing.assert_array_equal(opt.update(P, state, P)[0], -2 * P)
    static = opts.inject_hyperparams(opts.adam, static_args=("b1", "b2"))(0.1)
    assert set(static.init(P).hyperparams) == {"learning_rate", "eps", "eps_root"}


def plateau(values, **options):
    opt = opts.reduce_on_plateau(**options)
    state, scales = opt.init(P), []
    for value in values:
        updates, state = opt.update(P, state, P, value=value)
        np.testing.assert_array_equal(updates, P * state.scale)
        scales.append(float(state.scale))
    return scales


def test_steps_shrink_on_a_plateau():
    assert plateau([3, 2, 2, 2, 2, 2], factor=0.5, patience=2) == [1, 1, 1, 0.5, 0.5, 0.25]
    assert plateau([3, 2, 1, 0.5], factor=0.5, patience=1) == [1, 1, 1, 1]
    assert plateau([1] * 6, factor=0.5, patience=1, cooldown=2) == [1, 0.5, 0.5, 0.5, 0.25, 0.25]
    assert plateau([1] * 4, factor=0.1, patience=1, min_scale=0.05) == [1, 0.1, 0.05, 0.05]
    assert plateau([4, 2, 2, 4, 3, 3], factor=0.5, patience=1, accumulation_size=2) == [
        1, 1, 1, 0.5, 0.5, 0.25
    ]  # fmt: skip
    assert plateau([1, 0.95, 0.9], factor=0.5, patience=1, rtol=0.0, atol=0.07) == [1, 0.5, 0.5]


def test_states_are_trees_of_numbers_that_can_be_stored_leaf_by_leaf():
    opt = opts.MultiSteps(opts.apply_if_finite(opts.chain(opts.clip(1.0), opts.lamb(0.1)), 3), 2)
    _, state = path(opt, some(3))
    leaves, structure = tree.flatten(state)
    assert all(isinstance(x, (np.ndarray, np.generic)) for x in leaves)
    stored = [np.asarray(x).tobytes() for x in leaves]
    restored = structure.unflatten(
        np.frombuffer(s, np.asarray(x).dtype).reshape(np.shape(x))
        for s, x in zip(stored, leaves, strict=True)
    )
    got, want = (opt.update(P, s, P) for s in (restored, state))
    np.testing.assert_array_equal(got[0], want[0])
    assert pickle.loads(pickle.dumps(state))._fields == state._fields
