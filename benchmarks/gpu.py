"""A training step on a GPU: fgrad with CuPy, compiled too, beside torch; three dense layers.

    python benchmarks/gpu.py
    python benchmarks/gpu.py --seconds 10 --sizes 100x64,10000x1024

A size is batch x width. The times are of the value and the gradient, in milliseconds, from the call
until the device has done its work; torch's is that of its own autograd on the same numbers, which
are compared first. Without torch its column stays empty.
"""

from __future__ import annotations

import argparse
import importlib.util
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fgrad
from fgrad import tree

SIZES = "100x64,1000x256,10000x1024"


def network(params: Sequence[Any], x: Any) -> Any:
    """Three dense layers, with tanh between them."""
    for w, b in params[:-1]:
        x = np.tanh(x @ w + b)
    w, b = params[-1]
    return x @ w + b


def loss(params: Sequence[Any], x: Any, y: Any) -> Any:
    """Mean squared distance."""
    return np.mean((network(params, x) - y) ** 2)


def data(batch: int, width: int) -> Any:
    """Parameters, inputs and targets in single precision."""
    rng = np.random.default_rng(0)
    shapes = ((width, width), (width, width), (width, 10))
    params = [
        (rng.normal(size=s).astype(np.float32) / np.float32(width**0.5), np.zeros(s[1], np.float32))
        for s in shapes
    ]
    x = rng.normal(size=(batch, width)).astype(np.float32)
    return params, x, rng.normal(size=(batch, 10)).astype(np.float32)


def with_fgrad(
    cupy: Any, batch: int, width: int, compiled: bool
) -> tuple[Callable[[], Any], Callable[[], None]]:
    """The step, as it is or compiled, and how to wait for it."""
    args = tree.to_device(data(batch, width), cupy)
    step = fgrad.value_and_grad(loss)
    step = fgrad.jit(step) if compiled else step
    return lambda: step(*args), cupy.cuda.Device().synchronize


def with_torch(batch: int, width: int) -> tuple[Callable[[], Any], Callable[[], None]]:
    """The same of torch's."""
    import torch

    params, x, y = data(batch, width)
    leaves = [torch.tensor(p, device="cuda", requires_grad=True) for pair in params for p in pair]
    x, y = (torch.tensor(a, device="cuda") for a in (x, y))

    def step() -> Any:
        h = x
        for i in (0, 2):
            h = torch.tanh(h @ leaves[i] + leaves[i + 1])
        value = torch.mean((h @ leaves[4] + leaves[5] - y) ** 2)
        return value, torch.autograd.grad(value, leaves)

    return step, torch.cuda.synchronize


def milliseconds(step: Callable[[], Any], wait: Callable[[], None], seconds: float) -> float:
    """The median of a step's time."""
    times = []
    for _ in range(3):
        step()
    wait()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        step()
        wait()
        times.append(time.perf_counter() - start)
    return 1e3 * float(np.median(times))


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line for each size."""
    import cupy

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each cell")
    parser.add_argument("--sizes", default=SIZES)
    options = parser.parse_args(arguments)
    torch = importlib.util.find_spec("torch") is not None
    print(f"{'batch x width':>14} {'fgrad, CuPy':>12} {'jit':>8} {'torch':>8}   ms")
    for size in options.sizes.split(","):
        batch, width = map(int, size.split("x"))
        cells = []
        for compiled in (False, True):
            ours, wait = with_fgrad(cupy, batch, width, compiled)
            cells.append(f"{milliseconds(ours, wait, options.seconds):.3f}")
        if torch:
            theirs, wait = with_torch(batch, width)
            a, b = float(ours()[0]), float(theirs()[0])
            assert abs(a - b) <= 1e-3 * abs(b), f"losses differ: {a} and {b}"
            cells.append(f"{milliseconds(theirs, wait, options.seconds):.3f}")
        print(f"{size:>14} {cells[0]:>12} {' '.join(f'{cell:>8}' for cell in cells[1:])}")


if __name__ == "__main__":
    main()
