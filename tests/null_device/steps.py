"""What a training step asks of the device: launches, copies, synchronisations."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

import fgrad
import fgrad_nn as nn

from .device import NullDevice


def pulsar_step(cupy: Any) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """A step of gradient descent of the pulsars' network, and its arguments."""
    sizes = (8, 25, 10, 2)
    weights = [cupy.ones((n, m)) for m, n in pairwise(sizes)]
    biases = [cupy.zeros((n, 1)) for n in sizes[1:]]

    def loss(params: Any, x: Any, y: Any) -> Any:
        for w, b in zip(*params, strict=True):
            x = np.tanh(w @ x + b)
        return np.mean((x - y) ** 2)

    def step(params: Any, x: Any, y: Any) -> Any:
        value, grads = fgrad.value_and_grad(loss)(params, x, y)
        return value, fgrad.tree.map(lambda p, g: p - 0.1 * g, params, grads)

    return step, ((weights, biases), cupy.ones((8, 100)), cupy.ones((2, 100)))


def pulsar(cupy: Any) -> Callable[[], Any]:
    """The same step without arguments."""
    step, args = pulsar_step(cupy)
    return lambda: step(*args)


def trained(cupy: Any, net: Any, shape: tuple[int, ...], classes: int) -> Callable[[], Any]:
    """A step of Adam on a network of layers, with cross entropy."""
    _, host = net.init(fgrad.random.key(0), (-1, *shape))
    params = fgrad.tree.to_device(host, cupy)
    optimizer = nn.adam(1e-3)
    state = optimizer.init(params)
    x = cupy.ones((4, *shape), np.float32)
    labels = cupy.zeros((4,), np.int64)

    def loss(params: Any) -> Any:
        return nn.cross_entropy(net.apply(params, x), labels)

    def step() -> Any:
        value, grads = fgrad.value_and_grad(loss)(params)
        updates, new = optimizer.update(grads, state, params)
        return value, nn.apply_updates(params, updates), new

    return step


def makers(cupy: Any) -> dict[str, Callable[[], Callable[[], Any]]]:
    """The steps by name."""
    dense = nn.serial(nn.dense(16), nn.relu, nn.dense(4))
    conv = nn.serial(nn.conv(4, (3, 3)), nn.relu, nn.max_pool((2, 2)), nn.flatten(), nn.dense(4))
    return {
        "pulsar network, gradient descent": lambda: pulsar(cupy),
        "dense network, Adam": lambda: trained(cupy, dense, (8,), 4),
        "convolution, Adam": lambda: trained(cupy, conv, (8, 8, 1), 4),
    }


def counts(device: NullDevice, cupy: Any) -> dict[str, dict[str, int]]:
    """What each step asks for, once it has run."""
    out = {}
    for name, make in makers(cupy).items():
        step = make()
        step()
        with device.counted() as inside:
            step()
        out[name] = {k: inside[k] for k in ("launches", "syncs", "to host", "to device")}
    return out
