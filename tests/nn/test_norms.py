"""Normalizations, dropout and the layers that move numbers: what they say they compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad
import fgrad_nn as nn
from fgrad import random
from fgrad.errors import ArgumentError, ShapeError, TreeError
from fgrad.testing import check_grads
from fgrad_nn.layers.moments import mean_over

KEY = random.key(0)
X = 3 + 2 * random.normal(random.key(5), (6, 4, 3, 8))


def apply(net, x=X, **kwargs):
    shape = (-1, *x.shape[1:])
    params = net.init(KEY, shape, x.dtype)[1]
    if len(net) == 3:
        return net.apply(params, x, state=net.init_state(KEY, shape, x.dtype), **kwargs)
    return net.apply(params, x, **kwargs)


@pytest.mark.parametrize(
    ("net", "axes", "split"),
    [
        (nn.layer_norm(), (3,), None),
        (nn.layer_norm((-1, -2)), (2, 3), None),
        (nn.instance_norm(), (1, 2), None),
        (nn.group_norm(2), (1, 2, 4), 2),
        (nn.batch_norm(), (0, 1, 2), None),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mean_0_and_variance_1_over_the_axes(net, axes, split, dtype):
    y = apply(net, X.astype(dtype), train=True)
    y = y[0] if isinstance(y, tuple) else y
    assert y.dtype == dtype
    y = y.reshape(*y.shape[:-1], split, -1) if split else y
    np.testing.assert_allclose(y.mean(axes), 0, atol=1e-5)
    np.testing.assert_allclose(y.std(axes), 1, atol=1e-4)


def test_scale_and_bias_come_last():
    for net in (nn.layer_norm(), nn.group_norm(4), nn.instance_norm()):
        params = net.init(KEY, X.shape)[1]
        plain = net.apply(params, X)
        scale, bias = random.normal(KEY, (2, 8))
        np.testing.assert_allclose(
            net.apply({"scale": scale, "bias": bias}, X), scale * plain + bias, atol=1e-12
        )
    bare = nn.layer_norm(use_scale=False, use_bias=False)
    assert bare.init(KEY, X.shape)[1] == {}
    np.testing.assert_allclose(bare.apply({}, X), plain * 0 + nn.standardize(X), atol=1e-12)


def test_rms_and_local_response():
    y = apply(nn.rms_norm(epsilon=0.0))
    np.testing.assert_allclose(np.mean(y**2, -1), 1)
    y = apply(nn.local_response_norm(3, alpha=0.5, beta=0.6, k=2.0))
    squares = np.pad(X**2, [(0, 0)] * 3 + [(1, 1)])
    near = squares[..., :-2] + squares[..., 1:-1] + squares[..., 2:]
    np.testing.assert_allclose(y, X / (2 + 0.5 / 3 * near) ** 0.6)


def test_normalize_and_standardize():
    v = nn.normalize(X, ord=3)
    np.testing.assert_allclose(np.sum(np.abs(v) ** 3, -1), 1)
    assert np.all(nn.normalize(np.zeros(3)) == 0)
    check_grads(nn.normalize, (X[0, 0],), order=2)
    check_grads(lambda x: nn.standardize(x, (0, -1)), (X[0, 0],), order=2)


@pytest.mark.parametrize("shape", [(64, 50, 50, 2), (100_001, 4), (513, 2)])
def test_the_mean_of_many_float32_numbers_is_exact_enough(shape):
    x = np.full(shape, 1000.1, np.float32)
    net = nn.batch_norm(momentum=0.0)
    params = net.init(KEY, shape, np.float32)[1]
    state = net.init_state(KEY, shape, np.float32)
    _, state = net.apply(params, x, state=state, train=True)
    np.testing.assert_allclose(state["mean"], np.float32(1000.1), rtol=1e-5)


def test_a_mean_in_parts_is_the_mean():
    x = random.normal(KEY, (2, 1100, 3))
    np.testing.assert_allclose(mean_over(x, (1,)), x.mean(1, keepdims=True), atol=1e-14)
    np.testing.assert_allclose(mean_over(x, (0, 1, -1)), [[[x.mean()]]], atol=1e-14)
    g = fgrad.grad(lambda x: np.sum(mean_over(x, (1,))[0]))(x)
    np.testing.assert_allclose(g[0], 1 / 1100)
    assert not np.any(g[1])


# ------------------------------------------------------------------ batch norm
def test_batch_norm_in_training_and_after():
    net = nn.batch_norm(momentum=0.75, epsilon=0.0)
    params, state = net.init(KEY, (-1, 3))[1], net.init_state(KEY, (-1, 3))
    x = 5 + random.normal(KEY, (64, 3))
    y, new = net.apply(params, x, state=state, train=True)
    np.testing.assert_allclose(y, (x - x.mean(0)) / x.std(0))
    np.testing.assert_allclose(new["mean"], 0.25 * x.mean(0))
    np.testing.assert_allclose(new["var"], 0.75 + 0.25 * x.var(0))
    assert np.all(state["mean"] == 0)
    y, same = net.apply(params, x, state=new)
    np.testing.assert_allclose(y, (x - new["mean"]) / np.sqrt(new["var"]))
    assert same is new


def test_no_gradient_goes_through_the_state():
    net = nn.batch_norm()
    params, state = net.init(KEY, (-1, 3))[1], net.init_state(KEY, (-1, 3))

    def moved(x):
        return np.sum(net.apply(params, x, state=state, train=True)[1]["mean"])

    np.testing.assert_array_equal(fgrad.grad(moved)(np.ones((4, 3))), 0)


def test_synchronised_batch_norm_sees_the_whole_batch():
    net, parts = nn.batch_norm(), nn.batch_norm(axis_name="devices")
    params, state = net.init(KEY, (-1, 3))[1], net.init_state(KEY, (-1, 3))
    x = random.normal(KEY, (6, 3))
    whole, new = net.apply(params, x, state=state, train=True)
    split, states = fgrad.vmap(
        lambda x: parts.apply(params, x, state=state, train=True), axis_name="devices"
    )(x.reshape(2, 3, 3))
    np.testing.assert_allclose(split.reshape(6, 3), whole)
    np.testing.assert_allclose(states["var"], [new["var"]] * 2)


@pytest.mark.parametrize("synchronised", [False, True])
@pytest.mark.parametrize("use_bias", [False, True])
def test_derivatives_of_batch_norm_are_those_of_its_formula(synchronised, use_bias):
    net = nn.batch_norm(use_bias=use_bias, axis_name="devices" if synchronised else None)
    params, state = net.init(KEY, (-1, 2))[1], net.init_state(KEY, (-1, 2))
    params = {k: p + np.array([0.5, -2.0]) for k, p in params.items()}
    x, target = 3 + random.normal(KEY, (2, 3, 2)), random.normal(random.key(1), (2, 3, 2))

    def layer(params, x):
        if not synchronised:
            return net.apply(params, x, state=state, train=True)[0]
        part = fgrad.vmap(
            lambda x: net.apply(params, x, state=state, train=True)[0], axis_name="devices"
        )
        return part(x)

    def formula(params, x):
        centred = x - np.mean(x, axis=(0, 1))
        y = params["scale"] * centred / np.sqrt(np.mean(centred**2, axis=(0, 1)) + 1e-5)
        return y + params.get("bias", 0)

    def error(f):
        return lambda params, x: np.sum((f(params, x) - target) ** 3)

    for derivative in (fgrad.grad, fgrad.jacfwd, fgrad.hessian):
        got, want = (derivative(error(f), (0, 1))(params, x) for f in (layer, formula))
        for a, b in zip(fgrad.tree.leaves(got), fgrad.tree.leaves(want), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9)


def test_batch_norm_without_its_state():
    net = nn.batch_norm()
    params = net.init(KEY, (-1, 3))[1]
    with pytest.raises(ArgumentError, match=r"batch_norm has state(.|\n)*init_state"):
        net.apply(params, np.ones((2, 3)))
    with pytest.raises(TreeError, match=r"wants its state as a dict of 'mean', 'var'"):
        net.apply(params, np.ones((2, 3)), state={"mean": 0})
    with pytest.raises(ShapeError, match=r"\['mean'\]: a float64 array of shape \(4,\)"):
        net.apply(params, np.ones((2, 3)), state=net.init_state(KEY, (-1, 4)))
    with pytest.raises(ShapeError, match="isn't empty"):
        net.apply(params, np.ones((0, 3)), state=net.init_state(KEY, (-1, 3)), train=True)


# ------------------------------------------------------------------ dropout
NOISY = [
    nn.dropout(0.3), nn.dropout(0.3, broadcast=-1), nn.spatial_dropout(0.3, 1), nn.drop_path(0.3),
    nn.alpha_dropout(0.3), nn.feature_alpha_dropout(0.3, 1), nn.gaussian_dropout(0.3),
    nn.gaussian_noise(0.3), nn.rrelu(),
]  # fmt: skip


@pytest.mark.parametrize("net", NOISY, ids=lambda net: net.name)
def test_random_layers_want_a_key_in_training_only(net):
    x = random.normal(KEY, (3, 4, 2))
    np.testing.assert_array_equal(net.apply({}, x), net.apply({}, x, key=random.key(1)))
    with pytest.raises(ArgumentError, match=rf"{net.name} draws(.|\n)*key=None(.|\n)*fold_in"):
        net.apply({}, x, train=True)
    y = net.apply({}, x, key=random.key(1), train=True)
    assert not np.array_equal(y, net.apply({}, x))
    np.testing.assert_array_equal(y, net.apply({}, x, key=random.key(1), train=True))
    others = [net.apply({}, x, key=random.key(i), train=True) for i in range(2, 8)]
    assert not all(np.array_equal(y, other) for other in others)


@pytest.mark.parametrize(
    "net", [net for net in NOISY if "alpha" not in net.name and net.name != "rrelu"],
    ids=lambda net: net.name,
)  # fmt: skip
def test_means_and_their_gradients_stay(net):
    many = random.split(random.key(2), 4000)
    x = np.array([[[1.0, -0.5]]])
    y = fgrad.vmap(lambda k: net.apply({}, x, key=k, train=True))(many)
    np.testing.assert_allclose(y.mean(0), x, atol=0.05)
    g = fgrad.vmap(lambda k: fgrad.grad(lambda x: np.sum(net.apply({}, x, key=k, train=True)))(x))
    np.testing.assert_allclose(g(many).mean(0), 1, atol=0.05)


def test_a_dropped_entry_is_zero_and_others_are_scaled():
    y = nn.dropout(0.25).apply({}, np.ones(10_000, np.float32), key=KEY, train=True)
    assert set(np.unique(y)) == {np.float32(0), np.float32(1 / 0.75)}
    assert abs(np.mean(y == 0) - 0.25) < 0.02
    assert nn.dropout(0.0).apply({}, y, train=True) is y


@pytest.mark.parametrize(
    ("net", "axes"),
    [
        (nn.spatial_dropout(0.5, 1), 1),
        (nn.drop_path(0.5), (1, 2)),
        (nn.dropout(0.5, broadcast=0), 0),
    ],
)
def test_what_is_dropped_together(net, axes):
    y = net.apply({}, np.ones((20, 5, 6)), key=KEY, train=True)
    assert np.all(np.ptp(y, axis=axes) == 0)
    assert set(np.unique(y)) == {0, 2}


def test_alpha_dropout_keeps_mean_and_variance():
    x = random.normal(KEY, (200_000,))
    y = nn.alpha_dropout(0.3).apply({}, x, key=random.key(1), train=True)
    assert abs(y.mean()) < 0.01
    assert abs(y.var() - 1) < 0.02


# ------------------------------------------------------------------ moving numbers
def test_pixel_shuffles_are_inverse_and_count_channels_first():
    x = np.arange(2 * 3 * 8.0).reshape(1, 2, 3, 8)
    y = nn.pixel_shuffle(2).apply({}, x)
    np.testing.assert_array_equal(nn.pixel_unshuffle(2).apply({}, y), x)
    np.testing.assert_array_equal(y[0, :2, :2, 0], x[0, 0, 0, :4].reshape(2, 2))
    np.testing.assert_array_equal(y[0, :2, :2, 1], x[0, 0, 0, 4:].reshape(2, 2))


@given(st.integers(1, 6), st.integers(1, 9), st.sampled_from(["linear", "cubic"]))
def test_resizing_keeps_constants_and_lines_inside(n, m, method):
    net = nn.resize((m,), method)
    np.testing.assert_allclose(net.apply({}, np.ones((1, n, 1))), np.ones((1, m, 1)))
    x = np.arange(n) + 0.5
    y = net.apply({}, x.reshape(1, n, 1))[0, :, 0]
    places = (np.arange(m) + 0.5) * n / m
    inside = (places > 2) & (places < n - 2)
    if method == "linear" or n == m:
        np.testing.assert_allclose(y, np.clip(places, 0.5, n - 0.5), atol=1e-12)
    assert np.all(np.abs(y - places)[inside] < 0.2)


def test_nearest_takes_the_entry_in_whose_cell_a_place_lies():
    x = np.arange(3.0).reshape(1, 3, 1)
    np.testing.assert_array_equal(
        nn.resize((7,), "nearest").apply({}, x)[0, :, 0], [0, 0, 0, 1, 1, 2, 2]
    )
    np.testing.assert_array_equal(nn.upsample((2,)).apply({}, x)[0, :, 0], [0, 0, 1, 1, 2, 2])


def test_padding_is_numpys():
    x = random.normal(KEY, (2, 4, 5, 3))
    widths = ((1, 2), (0, 3))
    for make, mode in ((nn.zero_pad, "constant"), (nn.reflection_pad, "reflect"),
                       (nn.replication_pad, "edge"), (nn.circular_pad, "wrap")):  # fmt: skip
        want = np.pad(x, [(0, 0), *widths, (0, 0)], mode=mode)
        np.testing.assert_array_equal(make(widths).apply({}, x), want)
    sevens = nn.constant_pad(1, dims=2, value=7.0, data_format="channels_first").apply({}, x)
    assert sevens.shape == (2, 4, 7, 5)
    assert sevens[0, 0, 0, 0] == 7
