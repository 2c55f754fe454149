"""The examples, compiled steps and the speed of a training step, on a GPU."""

from __future__ import annotations

import sys
from pathlib import Path

import cnn
import numpy as np
import pytest

import fgrad
from fgrad import random, tree

from ..cupy.test_training import LABELS, OPTIMIZERS, PARAMS, X, cnn_steps, pulsar_steps

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"
pytestmark = pytest.mark.gpu


def near(got, want, tolerance):
    for a, b in zip(tree.leaves(tree.to_host(got)), tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, atol=tolerance)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_pulsars_train_as_on_the_host(cupy, name):
    Y, optimizer = np.eye(2)[LABELS], OPTIMIZERS[name]
    want = pulsar_steps(PARAMS, X, Y, optimizer)
    near(pulsar_steps(*tree.to_device((PARAMS, X, Y), cupy), optimizer), want, 1e-10)


def test_a_convolutional_network_trains_as_on_the_host(cupy):
    net = cnn.network(2, 4, 8)
    init_key, key = random.split(random.key(0))
    _, params = net.init(init_key, cnn.SHAPE, np.float32)
    state = net.init_state(init_key, cnn.SHAPE, np.float32)
    rng = np.random.default_rng(0)
    images = rng.normal(size=(6, *cnn.SHAPE[1:])).astype(np.float32)
    labels = rng.integers(10, size=6)
    want = cnn_steps(net, params, state, images, labels, key)
    args = tree.to_device((params, state, images, labels), cupy)
    near(cnn_steps(net, *args, key), want, 1e-4)


def test_a_training_step_is_not_waited_for(cupy):
    params, x, y = tree.to_device((PARAMS, X, np.eye(2)[LABELS]), cupy)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        pulsar_steps(params, x, y, OPTIMIZERS["adam"])
        stream.synchronize()
        event = cupy.cuda.Event()
        pulsar_steps(params, x, y, OPTIMIZERS["adam"])
        event.record()
        event.synchronize()
    assert event.done


def test_speed_beside_torch(cupy, capsys):
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("torch finds no device")
    sys.path.insert(0, str(BENCHMARKS))
    import gpu

    with capsys.disabled():
        gpu.main(["--seconds", "1"])
    assert fgrad.__version__
