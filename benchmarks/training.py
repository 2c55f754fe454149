"""One step of training with Adam: fgrad_nn, eager and compiled, beside PyTorch and JAX with optax.

    python benchmarks/training.py
    python benchmarks/training.py --only hand,fgrad.jit --seconds 20

The network is that of `examples/pulsars.py` (8-25-10-2, tanh), the batch has 100 samples, all in
float64 on one thread: value, gradient, Adam's moments and new parameters. `hand` is the same in
NumPy, written on paper. A cell is the time as a ratio to `hand`; the losses after 20 steps are
compared first. Libraries that aren't installed are left out.
"""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import argparse  # noqa: E402
import importlib.util  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from measure import check, interleave  # noqa: E402
from workloads import net, net_hand, net_loss  # noqa: E402

RATE, B1, B2, EPS = 1e-2, 0.9, 0.999, 1e-8
WORK = net("pulsar", (8, 25, 10, 2), 100)

#: A function that makes a step each time it is called, and returns the loss before it.
Step = Callable[[], Any]


def hand() -> Step:
    """NumPy."""
    params = [p.copy() for p in WORK.params]
    m, v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]
    count = 0

    def step() -> Any:
        nonlocal params, m, v, count
        value, grads = net_hand(params, *WORK.data)
        count += 1
        m = [B1 * a + (1 - B1) * g for a, g in zip(m, grads, strict=True)]
        v = [B2 * a + (1 - B2) * g * g for a, g in zip(v, grads, strict=True)]
        c1, c2 = 1 - B1**count, 1 - B2**count
        params = [
            p - RATE * (a / c1) / (np.sqrt(b / c2) + EPS)
            for p, a, b in zip(params, m, v, strict=True)
        ]
        return value

    return step


def fgrad(jit: bool, backend: str | None = None) -> Step:
    """The step of `fgrad_nn.train_step`."""
    import fgrad_nn as nn

    loss = net_loss(np)
    optimizer = nn.adam(RATE, B1, B2, EPS)
    advance = nn.train_step(
        lambda params, batch: loss(params, *batch), optimizer, jit=jit, backend=backend
    )
    state = nn.TrainState.create(WORK.params, optimizer)

    def step() -> Any:
        nonlocal state
        state, metrics = advance(state, WORK.data)
        return metrics["loss"]

    return step


def fit() -> Step:
    """What a step costs in `fgrad_nn.fit`: batches are drawn and copied, records kept."""
    import fgrad_nn as nn
    from fgrad import random

    loss = net_loss(np)
    optimizer = nn.adam(RATE, B1, B2, EPS)
    advance = nn.train_step(lambda params, batch: loss(params, *batch), optimizer)
    state = nn.TrainState.create(WORK.params, optimizer)
    data = nn.batches(tuple(np.repeat(x, 20, axis=0) for x in WORK.data), 100, random.key(0))

    def epoch() -> Any:
        done = nn.fit(advance, state, data, epochs=1, progress=False)
        return done.history.epochs[-1]["loss"]

    return epoch


def torch_step(fused: bool) -> Step:
    """PyTorch's usual autograd and its Adam."""
    import torch

    torch.set_num_threads(1)
    params = [torch.tensor(p, requires_grad=True) for p in WORK.params]
    X, Y = map(torch.tensor, WORK.data)
    loss = net_loss(torch)
    optimizer = torch.optim.Adam(params, RATE, (B1, B2), EPS, fused=fused)

    def step() -> Any:
        optimizer.zero_grad()
        value = loss(params, X, Y)
        value.backward()
        optimizer.step()
        return value.detach().numpy()

    return step


def jax_step(numpy_in: bool) -> Step:
    """JAX and optax, compiled; with `numpy_in` the batch comes from NumPy."""
    import jax
    import jax.numpy as jnp
    import optax

    jax.config.update("jax_enable_x64", True)
    optimizer = optax.adam(RATE, B1, B2, EPS)
    loss = net_loss(jnp)

    @jax.jit
    def advance(params: Any, memory: Any, X: Any, Y: Any) -> Any:
        value, grads = jax.value_and_grad(loss)(params, X, Y)
        updates, memory = optimizer.update(grads, memory, params)
        return optax.apply_updates(params, updates), memory, value

    params = jax.tree.map(jnp.asarray, WORK.params)
    memory = optimizer.init(params)
    data = WORK.data if numpy_in else tuple(map(jnp.asarray, WORK.data))

    def step() -> Any:
        nonlocal params, memory
        params, memory, value = advance(params, memory, *data)
        return value.block_until_ready()

    return step


PEERS: dict[str, tuple[tuple[str, ...], Callable[[], Step]]] = {
    "hand": ((), hand),
    "fgrad": ((), lambda: fgrad(jit=False)),
    "fgrad.jit": ((), lambda: fgrad(jit=True)),
    "fgrad.jit, native": (("llvmlite",), lambda: fgrad(jit=True, backend="native")),
    "torch": (("torch",), lambda: torch_step(fused=False)),
    "torch, fused": (("torch",), lambda: torch_step(fused=True)),
    "jax.jit, optax": (("jax", "optax"), lambda: jax_step(numpy_in=False)),
    "jax.jit, optax, NumPy in": (("jax", "optax"), lambda: jax_step(numpy_in=True)),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default=";".join(PEERS), help="names of peers, parted by ; or ,")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long to measure")
    options = parser.parse_args(arguments)
    names = options.only.split(";" if ";" in options.only else ",")
    names = [
        name
        for name in names
        if all(importlib.util.find_spec(package) for package in PEERS[name][0])
    ]
    steps = {name: PEERS[name][1]() for name in dict.fromkeys(["hand", *names])}
    losses = {name: [float(step()) for _ in range(20)] for name, step in steps.items()}
    for name in steps:
        check(losses[name], losses["hand"], 1e-7)
    times = interleave(steps, options.seconds)
    print("| one step with Adam | CPU / wall, ratio to hand | CPU time |")
    print("|---|---:|---:|")
    for name, time in times.items():
        ratios = f"{time.cpu_ratio:.2f} / {time.wall_ratio:.2f}"
        print(f"| {name} | {ratios} | {1e6 * time.cpu:.0f} µs |")
    epoch = fit()
    once = interleave({"hand": steps["hand"], "fit": epoch}, options.seconds / 4)["fit"]
    print(f"| fgrad.jit in `fit`, with batches | {once.cpu_ratio / 20:.2f} / "
          f"{once.wall_ratio / 20:.2f} | {1e6 * once.cpu / 20:.0f} µs |")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
