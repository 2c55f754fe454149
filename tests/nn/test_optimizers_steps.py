"""The steps that optimizers are chained of: clipping, decay, noise, averages, norms, masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad_nn.optimizers as opts
from fgrad import random, tree
from fgrad_nn.schedules import linear_schedule


def one(opt, grads, params=None, **extra):
    params = tree.map(np.ones_like, grads) if params is None else params
    return opt.update(grads, opt.init(params), params, **extra)[0]


def steps(opt, all_grads, params):
    state, out = opt.init(params), []
    for grads in all_grads:
        updates, state = opt.update(grads, state, params)
        out.append(updates)
    return out, state


floats = st.floats(-1e3, 1e3, width=32)
vectors = st.lists(floats, min_size=1, max_size=5).map(np.array)


@given(vectors, vectors, st.floats(0.01, 100))
def test_a_global_norm_is_never_above_its_limit_and_directions_stay(a, b, limit):
    new = one(opts.clip_by_global_norm(limit), {"a": a, "b": b})
    length = np.sqrt(np.sum(a**2) + np.sum(b**2))
    assert opts.global_norm(new) <= limit * (1 + 1e-9)
    factor = min(1.0, limit / length) if length else 1.0
    np.testing.assert_allclose(new["a"], a * factor, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(new["b"], b * factor, rtol=1e-9, atol=1e-12)


def test_nan_and_float16_are_not_hidden_by_clipping():
    assert np.isnan(one(opts.clip_by_global_norm(1.0), [np.array([np.nan, 1.0])])[0]).all()
    big = np.full(4, 1000.0, np.float16)  # its square is no float16
    np.testing.assert_allclose(one(opts.clip_by_global_norm(1.0), [big])[0], 0.5, rtol=1e-3)
    np.testing.assert_allclose(one(opts.clip_by_block_rms(2.0), [big])[0], 2.0, rtol=1e-3)


@given(vectors, st.floats(0.01, 100))
def test_elements_are_clipped_alone_and_complex_ones_keep_their_angle(g, limit):
    np.testing.assert_array_equal(one(opts.clip(limit), [g])[0], np.clip(g, -limit, limit))
    z = g * (3 + 4j) / 5
    new = one(opts.clip(limit), [z])[0]
    np.testing.assert_allclose(np.abs(new), np.minimum(np.abs(z), limit), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("shape", [(), (4,), (4, 3), (2, 4, 3), (2, 2, 4, 3)])
def test_adaptive_clipping_limits_each_unit_by_its_weights(shape):
    draw = np.random.default_rng(0)
    g, p = draw.normal(size=(2, *shape)) * np.array([10.0, 1.0]).reshape(2, *[1] * len(shape))
    axes = {0: (), 1: (0,), 2: (0,), 3: (0,), 4: (0, 1, 2)}[len(shape)]
    norm = lambda x: np.sqrt(np.sum(x**2, axis=axes, keepdims=True))  # noqa: E731
    want = g * np.minimum(1.0, 0.5 * np.maximum(norm(p), 1e-3) / norm(g))
    np.testing.assert_allclose(one(opts.adaptive_grad_clip(0.5), [g], [p])[0], want)


def test_examples_are_clipped_one_by_one():
    draw = np.random.default_rng(0)
    grads = {"w": draw.normal(size=(5, 2, 3)), "b": draw.normal(size=5)}
    summed, clipped = opts.per_example_global_norm_clip(grads, 1.5)
    alone = [
        one(opts.clip_by_global_norm(1.5), tree.map(lambda x, i=i: x[i], grads)) for i in range(5)
    ]
    np.testing.assert_allclose(summed["w"], sum(a["w"] for a in alone))
    np.testing.assert_allclose(summed["b"], sum(a["b"] for a in alone))
    lengths = [opts.global_norm(tree.map(lambda x, i=i: x[i], grads)) for i in range(5)]
    assert clipped == sum(length > 1.5 for length in lengths)


def test_decay_follows_its_schedule_and_its_mask():
    opt = opts.add_decayed_weights(linear_schedule(0.0, 1.0, 2), opts.match_paths("*.w"))
    params = {"w": 2.0, "b": 2.0}
    out, _ = steps(opt, [{"w": 1.0, "b": 1.0}] * 3, params)
    assert [u["w"] for u in out] == [1.0, 2.0, 3.0]
    assert [u["b"] for u in out] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("mask", [None, [True]])
def test_complex_weights_decay_towards_zero(mask):
    z = np.array([1 + 2j])
    opt = opts.chain(opts.add_decayed_weights(0.5, mask), opts.scale_by_learning_rate(1.0))
    np.testing.assert_array_equal(one(opt, [0 * z], [z])[0], -0.5 * z)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
def test_noise_has_its_variance_and_is_new_at_each_step(dtype):
    opt, params = opts.add_noise(4.0, 1.0, random.key(1)), np.zeros(20_000, dtype)
    (first, second), _ = steps(opt, [params] * 2, params)
    assert first.dtype == dtype
    np.testing.assert_allclose(np.mean(np.abs(first) ** 2), 4.0, rtol=0.05)
    np.testing.assert_allclose(np.mean(np.abs(second) ** 2), 2.0, rtol=0.05)
    assert abs(np.mean(first * np.conj(second))) < 0.1


def test_two_leaves_of_one_shape_get_different_noise():
    new = one(opts.add_noise(1.0, 0.0, 0), [np.zeros(3), np.zeros(3)])
    assert not np.any(new[0] == new[1])


@given(st.lists(floats, min_size=1, max_size=6), st.floats(0, 0.99))
def test_an_average_without_bias_is_the_weighted_mean(values, decay):
    out, _ = steps(opts.ema(decay), [[v] for v in values], [0.0])
    weights = [decay ** (len(values) - 1 - i) for i in range(len(values))]
    mean = np.dot(weights, values) / np.sum(weights)
    assert out[-1][0] == pytest.approx(mean, rel=1e-6, abs=1e-6)
    raw = opts.chain(opts.ema(decay, debias=False), opts.bias_correction(decay))
    assert steps(raw, [[v] for v in values], [0.0])[0][-1][0] == pytest.approx(
        mean, rel=1e-6, abs=1e-6
    )


@given(st.lists(floats, min_size=1, max_size=7), st.integers(1, 3))
def test_updates_that_are_held_back_come_out_as_their_sum(values, k):
    out, _ = steps(opts.apply_every(k), [[v] for v in values], [0.0])
    for i, (update,) in enumerate(out):
        group = values[i + 1 - k : i + 1] if (i + 1) % k == 0 else []
        assert update == pytest.approx(sum(group), abs=1e-9)


def test_a_trust_ratio_keeps_updates_whose_norm_or_parameter_is_zero():
    params = [np.zeros(2), np.array([3.0, 4.0]), np.array([3.0, 4.0])]
    grads = [np.array([1.0, 2.0]), np.zeros(2), np.array([0.0, 2.0])]
    new = one(opts.scale_by_trust_ratio(trust_coefficient=0.5), grads, params)
    for a, b in zip(new, [[1.0, 2.0], [0.0, 0.0], [0.0, 2.5]], strict=True):
        np.testing.assert_allclose(a, b)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 3, 4)])
def test_rows_are_centered(shape):
    g = np.random.default_rng(0).normal(size=shape)
    new = one(opts.centralize(), [g])[0]
    if len(shape) < 2:
        np.testing.assert_array_equal(new, g)
    else:
        np.testing.assert_allclose(np.mean(new, axis=tuple(range(1, len(shape)))), 0, atol=1e-15)
        assert new.shape == shape


def test_blocks_scale_by_the_size_of_their_parameters():
    p, g = np.array([3.0, 4.0]), np.array([1.0, 2.0])
    np.testing.assert_allclose(one(opts.scale_by_param_block_norm(), [g], [p])[0], 5 * g)
    rms = 5 / np.sqrt(2)
    np.testing.assert_allclose(one(opts.scale_by_param_block_rms(), [g], [p])[0], rms * g)
    np.testing.assert_allclose(one(opts.scale_by_param_block_norm(0.5), [g], [0 * p])[0], 0.5 * g)
    length = opts.global_norm(one(opts.normalize_by_update_norm(3.0), [g, p]))
    assert length == pytest.approx(3.0)


def test_zero_nans_tells_where_they_were():
    updates, state = steps(opts.zero_nans(), [[np.array([np.nan, 1.0]), 2.0]], [np.ones(2), 1.0])
    np.testing.assert_array_equal(updates[0][0], [0.0, 1.0])
    assert [bool(x) for x in state.found_nan] == [True, False]


@given(vectors, st.floats(0, 10))
def test_parameters_stay_nonnegative(g, p):
    params = np.full(g.shape, p)
    new = params + one(opts.keep_params_nonnegative(), g, params)
    assert np.all(new >= 0)
    np.testing.assert_allclose(new, np.maximum(params + g, 0), atol=1e-9)


def test_frozen_parameters_stay_where_gradients_are_not_finite():
    opt = opts.chain(opts.sgd(0.1), opts.freeze(opts.match_paths("b")))
    new = one(opt, {"w": 1.0, "b": np.inf}, {"w": 1.0, "b": 1.0})
    assert new == {"w": -0.1, "b": 0.0}


def test_groups_keep_no_state_for_others_and_match_optimizers_of_their_own():
    params = {"a": np.ones(2), "b": {"c": np.ones(3), "d": np.ones(1)}}
    grads = [tree.map(lambda p, i=i: p * (i + 1), params) for i in range(3)]
    labels = {"a": "x", "b": "y"}  # a prefix
    opt = opts.partition({"x": opts.adam(0.1), "y": opts.sgd(0.1, 0.9)}, labels)
    out, state = steps(opt, grads, params)
    alone_a, _ = steps(opts.adam(0.1), [g["a"] for g in grads], params["a"])
    alone_b, _ = steps(opts.sgd(0.1, 0.9), [g["b"] for g in grads], params["b"])
    for got, a, b in zip(out, alone_a, alone_b, strict=True):
        np.testing.assert_array_equal(got["a"], a)
        np.testing.assert_array_equal(got["b"]["c"], b["c"])
    assert len(tree.leaves(state.inner_states["x"])) == 3  # count, mu, nu of one parameter
    same = opts.selective_transform(opts.adam(0.1), freeze_mask={"a": False, "b": True})
    out, state = steps(same, grads, params)
    np.testing.assert_array_equal(out[-1]["a"], alone_a[-1])
    np.testing.assert_array_equal(out[-1]["b"]["c"], 0.0)


def test_rates_by_path_take_the_first_pattern_that_matches():
    params = {"layers": [{"w": 1.0, "bias": 1.0}, {"w": 1.0, "bias": 1.0}], "bias": 1.0}
    rates = {"layers.0.*": 0.5, "*.bias": lambda count: 1.0 + count, "*": 2.0}
    (first, second), _ = steps(opts.sgd(rates), [params] * 2, params)
    assert first == {
        "layers": [{"w": -0.5, "bias": -0.5}, {"w": -2.0, "bias": -1.0}], "bias": -1.0
    }  # fmt: skip
    assert second["bias"] == -2.0


def test_a_named_chain_is_a_chain():
    pairs = (("a", opts.clip(1.0)), ("b", opts.adam(0.1)))
    named, plain = opts.named_chain(*pairs), opts.chain(*(t for _, t in pairs))
    params, grads = [np.ones(3)], [np.array([1.0, 5.0, -2.0])]
    out, state = steps(named, [grads] * 2, params)
    want, _ = steps(plain, [grads] * 2, params)
    np.testing.assert_array_equal(out[1][0], want[1][0])
    assert list(state) == ["a", "b"]


def test_functions_of_users_are_transformations():
    params, grads = [np.array([2.0])], [np.array([6.0])]
    halve = opts.GradientTransformation(
        lambda params: (), lambda grads, state, params: (tree.map(lambda g: g / 2, grads), state)
    )
    named = (lambda params: 0, lambda grads, state, params, value: (grads, state + value))
    opt = opts.chain(halve, named, opts.sgd(1.0))
    updates, state = opt.update(grads, opt.init(params), params, value=3, other=4)
    np.testing.assert_array_equal(updates[0], [-3.0])
    assert state[1] == 3
    by_leaf = opts.stateless_with_tree_map(lambda u, p: u * p)
    np.testing.assert_array_equal(one(by_leaf, grads, params)[0], [12.0])


def test_targets_move_towards_new_values():
    old, new = {"a": np.zeros(2, np.float32)}, {"a": np.ones(2, np.float32)}
    moved = opts.incremental_update(new, old, np.float64(0.25))
    np.testing.assert_array_equal(moved["a"], np.float32([0.25, 0.25]))
    assert moved["a"].dtype == np.float32
    assert opts.periodic_update(new, old, 4, 2) is not old
    np.testing.assert_array_equal(opts.periodic_update(new, old, 3, 2)["a"], [0.0, 0.0])
