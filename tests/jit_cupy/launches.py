"""What compiled training steps ask of the device, on the null device; a program.

    python -m tests.jit_cupy.launches

It prints the steps as JSON: for each, the launches of the function as it is written, compiled
without kernels of our own, and with them; the synchronisations and copies of the last; and the
sources and options of the kernels.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import fgrad
import fgrad_nn as nn
from fgrad import random, tree
from fgrad.compiler.cupy import recording, scalars

from ..null_device.device import NullDevice
from ..null_device.steps import pulsar_step

#: What makes a compiled function, or leaves it as it is.
Compile = Callable[[Callable[..., Any]], Callable[..., Any]]
#: What makes a step with that, and the step's arguments.
Step = tuple[Callable[[Compile], Callable[..., Any]], tuple[Any, ...]]


def trained(
    cupy: Any, net: Any, shape: tuple[int, ...], classes: int, inside: bool = False
) -> Step:
    """A step of Adam on a network of layers, with cross entropy.

    With ``inside`` the loss is compiled, and not the step around it.
    """
    _, host = net.init(random.key(0), (-1, *shape), np.float32)
    params = tree.to_device(host, cupy)
    optimizer = nn.adam(1e-3)

    def loss(params: Any, x: Any, labels: Any) -> Any:
        return nn.cross_entropy(net.apply(params, x), labels)

    def make(compiled: Compile) -> Callable[..., Any]:
        gradient = fgrad.value_and_grad(compiled(loss) if inside else loss)

        def step(params: Any, state: Any, x: Any, labels: Any) -> Any:
            value, grads = gradient(params, x, labels)
            updates, state = optimizer.update(grads, state, params)
            return value, nn.apply_updates(params, updates), state

        return step if inside else compiled(step)

    x, labels = cupy.ones((4, *shape), np.float32), cupy.zeros((4,), np.int64)
    return make, (params, optimizer.init(params), x, labels)


def steps(cupy: Any) -> dict[str, Step]:
    """The steps by name."""
    dense = nn.serial(nn.dense(16), nn.relu, nn.dense(4))
    conv = nn.serial(nn.conv(4, (3, 3)), nn.relu, nn.max_pool((2, 2)), nn.flatten(), nn.dense(4))
    pulsar, args = pulsar_step(cupy)
    return {
        "pulsar network, gradient descent": (lambda compiled: compiled(pulsar), args),
        "dense network, Adam": trained(cupy, dense, (8,), 4),
        "the same, `value_and_grad(jit(loss))`": trained(cupy, dense, (8,), 4, inside=True),
        "convolution, Adam": trained(cupy, conv, (8, 8, 1), 4),
        "Elman network, 20 steps of time": trained(cupy, recurrent(nn.rnn(16)), (20, 3), 4),
        "LSTM, 20 steps of time": trained(cupy, recurrent(nn.lstm(16)), (20, 3), 4),
        "GRU, 20 steps of time": trained(cupy, recurrent(nn.gru(16)), (20, 3), 4),
    }


def recurrent(layer: Any) -> Any:
    """A network that tells classes of sequences."""
    return nn.serial(layer, lambda hidden: np.mean(hidden, axis=1), nn.dense(4))


def functions(cupy: Any, dtype: Any) -> Step:
    """Every function that a kernel may compute."""
    names = [*scalars.FUNCTIONS, *scalars.FLOATS, *scalars.NUMBERS]
    every = [vars(np)[name] for name in names if name in vars(np)]

    def step(x: Any) -> Any:
        y = np.where(np.logical_and(x > 0, np.isfinite(x)), x, np.inf)
        for f in every:
            y = y + (f(x) if f.nin == 1 else f(x, y))
        return y.astype(np.int32).astype(dtype) * y

    return lambda compiled: compiled(step), (cupy.ones((3, 4), dtype),)


def counted(device: NullDevice, f: Callable[..., Any], args: tuple[Any, ...]) -> dict[str, int]:
    """What the third call of a function asks for."""
    f(*args)
    f(*args)
    with device.counted() as counts:
        f(*args)
    return {k: counts[k] for k in ("launches", "syncs", "to host", "to device")}


def as_it_is(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function itself."""
    return f


def with_kernels(f: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled function."""
    return fgrad.jit(f, strict=True)


def with_calls(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled without kernels of our own."""
    plain: Any = fgrad.jit(f, strict=True)
    plain._options = replace(plain._options, without=frozenset({"clusters"}))
    made: Callable[..., Any] = plain
    return made


def main() -> None:
    device = NullDevice()
    cupy = device.install()
    recording.LOOKED_AT = 0  # there are no values to look at
    out: dict[str, Any] = {}
    for name, (make, args) in steps(cupy).items():
        out[name] = {
            "eager": counted(device, make(as_it_is), args)["launches"],
            "calls": counted(device, make(with_calls), args)["launches"],
            "kernels": counted(device, make(with_kernels), args),
        }
    for dtype in (np.float32, np.float64):
        make, args = functions(cupy, dtype)
        counted(device, make(with_kernels), args)
    ours = {
        source: options
        for source, options in zip(device.sources, device.options, strict=True)
        if "fgrad_" in source
    }
    print(json.dumps({"steps": out, "sources": [*ours.items()]}), flush=True)
    os._exit(0)  # CuPy's own clean-up would call CUDA


if __name__ == "__main__":
    main()
