"""Training on the device: the pulsars and a convolutional network, step by step as on the host."""

from __future__ import annotations

import cnn
import numpy as np
import pulsars
import pytest

import fgrad
import fgrad_nn as nn
from fgrad import random, tree
from fgrad_nn.files import tensors

from .array import ndarray
from .traffic import counted

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(40, 8)), RNG.integers(2, size=40)
PARAMS = [nn.scaled_normal(RNG, shape) for shape in pulsars.SHAPES]
OPTIMIZERS = {
    "sgd": nn.sgd(0.01), "momentum": nn.sgd(0.01, momentum=0.9), "adam": nn.adam(1e-2),
    "adamw": nn.adamw(1e-2),
}  # fmt: skip


def pulsar_steps(params, X, Y, optimizer, steps=5):
    state = optimizer.init(params)
    loss_and_gradient = fgrad.value_and_grad(pulsars.loss)
    for _ in range(steps):
        _, gradient = loss_and_gradient(params, X, Y)
        updates, state = optimizer.update(gradient, state, params)
        params = nn.apply_updates(params, updates)
    return params


def near(got, want, tolerance):
    """Equal up to a tolerance, on the device."""
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        assert isinstance(a, ndarray)
        np.testing.assert_allclose(a._a, b, atol=tolerance)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pulsars_train_without_waiting(cupy, name):
    Y, optimizer = np.eye(2)[LABELS], OPTIMIZERS[name]
    want = pulsar_steps(PARAMS, X, Y, optimizer)
    params, x, y = tree.to_device((PARAMS, X, Y), cupy)
    with counted() as traffic:
        got = pulsar_steps(params, x, y, optimizer)
    assert (traffic.syncs, traffic.to_host, traffic.to_device) == (0, 0, 0)
    near(got, want, 1e-14)


def cnn_steps(net, params, state, X, labels, key, steps=2):
    optimizer = nn.adam(1e-2)
    moments = optimizer.init(params)

    def loss(params, state, key):
        scores, state = net.apply(params, X, state=state, key=key, train=True)
        return nn.cross_entropy(scores, labels), state

    for i in range(steps):
        (_, state), gradient = fgrad.value_and_grad(loss, has_aux=True)(
            params, state, random.fold_in(key, i)
        )
        updates, moments = optimizer.update(gradient, moments, params)
        params = nn.apply_updates(params, updates)
    return params, state


def test_a_convolutional_network_trains_without_waiting(cupy):
    net = cnn.network(2, 4, 8)
    init_key, key = random.split(random.key(0))
    _, params = net.init(init_key, cnn.SHAPE, np.float32)
    state = net.init_state(init_key, cnn.SHAPE, np.float32)
    images = RNG.normal(size=(6, *cnn.SHAPE[1:])).astype(np.float32)
    labels = RNG.integers(10, size=6)
    want = cnn_steps(net, params, state, images, labels, key)
    args = tree.to_device((params, state, images, labels), cupy)
    with counted() as traffic:
        got = cnn_steps(net, *args, key)
    assert (traffic.syncs, traffic.to_host) == (0, 0)
    assert traffic.to_device == 2  # what dropout drops, once in each step
    near(got, want, 1e-5)


# ------------------------------------------------------------------ random numbers, files
def test_the_same_key_gives_the_same_numbers(cupy):
    key = random.key(7)
    want = random.normal(key, (3, 2))
    with counted() as traffic:
        got = tree.to_device(random.normal(key, (3, 2)), cupy)
    np.testing.assert_array_equal(got._a, want)
    assert (traffic.syncs, traffic.to_device) == (0, 1)


@pytest.mark.parametrize("draw", [random.normal, random.uniform])
def test_keys_are_the_hosts(cupy, draw):
    with pytest.raises(fgrad.errors.NoRuleError, match="wants NumPy arrays"):
        draw(cupy.asarray(random.key(7)), (3,))


def test_what_is_saved_on_one_device_loads_on_the_other(cupy, tmp_path):
    params = {"w": X.astype(np.float32), "b": [X[0] + 1j, np.arange(3)]}
    there = tree.to_device(params, cupy)
    nn.save(tmp_path / "there.safetensors", there)
    nn.save(tmp_path / "here.safetensors", params)
    for file in ("there", "here"):
        path = tmp_path / f"{file}.safetensors"
        for a, b in zip(tree.leaves(nn.load(path)), tree.leaves(params), strict=True):
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)
        near(nn.load(path, like=there), params, 0)
    assert tensors.pack(there["w"], ())[1]["kind"] == "array"
