"""Training steps compiled for the stand-in: the host's numbers, step by step, without waiting."""

from __future__ import annotations

import numpy as np
import pulsars
import pytest

import fgrad
import fgrad_nn as nn
from fgrad import jit, random, tree

from ..cupy.array import ndarray
from ..cupy.traffic import counted

RNG = np.random.default_rng(0)
OPTIMIZERS = {
    "sgd": nn.sgd(0.01), "momentum": nn.sgd(0.01, momentum=0.9), "adam": nn.adam(1e-2),
    "adamw": nn.adamw(1e-2),
}  # fmt: skip


def train(cupy, loss, params, data, optimizer, tolerance, steps=4):
    """A few steps on the host as they are written, and compiled on the device."""

    def step(params, state, *data):
        value, gradient = fgrad.value_and_grad(loss)(params, *data)
        updates, state = optimizer.update(gradient, state, params)
        return nn.apply_updates(params, updates), state, value

    compiled = jit(step, strict=True)
    here = params, optimizer.init(params)
    there_params, there_data = tree.to_device((params, data), cupy)
    there = there_params, optimizer.init(there_params)
    for k in range(steps):
        *here, value = step(*here, *data)
        with counted() as traffic:
            *there, there_value = compiled(*there, *there_data)
        assert k == 0 or (traffic.syncs, traffic.to_host, traffic.to_device) == (0, 0, 0)
        for a, b in zip(tree.leaves((there, there_value)), tree.leaves((here, value)), strict=True):
            assert isinstance(a, ndarray) or np.ndim(b) == 0
            np.testing.assert_allclose(getattr(a, "_a", a), b, atol=tolerance)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pulsars(cupy, name):
    x, labels = RNG.normal(size=(40, 8)), RNG.integers(2, size=40)
    params = [nn.scaled_normal(RNG, shape) for shape in pulsars.SHAPES]
    train(cupy, pulsars.loss, params, (x, np.eye(2)[labels]), OPTIMIZERS[name], 1e-13)


def test_a_convolutional_network(cupy):
    net = nn.serial(
        nn.conv(4, (3, 3)), nn.relu, nn.max_pool((2, 2)), nn.flatten(), nn.dense(8), nn.gelu,
        nn.dense(4),
    )  # fmt: skip
    _, params = net.init(random.key(0), (-1, 8, 8, 1), np.float32)
    images = RNG.normal(size=(6, 8, 8, 1)).astype(np.float32)
    labels = RNG.integers(4, size=6)

    def loss(params, images, labels):
        return nn.cross_entropy(net.apply(params, images), labels)

    train(cupy, loss, params, (images, labels), nn.adam(1e-2), 1e-5)


def test_dropout_draws_another_mask_at_each_call(cupy):
    net = nn.serial(nn.dense(16), nn.relu, nn.dropout(0.5), nn.dense(2))
    _, params = net.init(random.key(0), (-1, 4))
    x = RNG.normal(size=(8, 4))

    def loss(params, x, key):
        return np.mean(net.apply(params, x, key=key, train=True) ** 2)

    gradient = fgrad.value_and_grad(loss)
    compiled = jit(gradient, strict=True)
    there = tree.to_device((params, x), cupy)
    values = set()
    for k in range(3):
        key = random.key(k)
        want = gradient(params, x, key)
        with counted() as traffic:
            got = compiled(*there, key)
        assert k == 0 or (traffic.syncs, traffic.to_host, traffic.to_device) == (0, 0, 1)
        for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
            np.testing.assert_allclose(a._a, b, rtol=1e-12)
        values.add(float(want[0]))
    assert len(values) == 3
