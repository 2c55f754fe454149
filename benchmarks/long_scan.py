"""What checkpoints cost: the gradient of a scan of 10,000 steps of a cell of 64 units.

``python -m benchmarks.long_scan`` prints time, ratio to the plain gradient, and peak memory.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from typing import Any

import numpy as np

from fgrad import grad
from fgrad.control import scan

OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    'checkpoint_every="auto"': {"checkpoint_every": "auto"},
    "checkpoint_every=25": {"checkpoint_every": 25},
    "checkpoint_memory=3 MB": {"checkpoint_memory": 3_000_000},
}


def main(steps: int = 10_000, units: int = 64, rounds: int = 5) -> None:
    """Measure and print."""
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(units, units)) / units**0.5
    first, xs = rng.normal(size=units), 0.1 * rng.normal(size=(steps, units))

    def gradient(options: dict[str, Any]) -> Any:
        def loss(w: Any) -> Any:
            last, _ = scan(lambda h, x: (np.tanh(w @ h + x), None), first, xs, **options)
            return np.sum(last**2)

        return grad(loss)(weights)

    wanted = gradient({})
    best = dict.fromkeys(OPTIONS, float("inf"))
    for _ in range(rounds):
        for name, options in OPTIONS.items():
            start = time.perf_counter()
            got = gradient(options)
            best[name] = min(best[name], time.perf_counter() - start)
            np.testing.assert_allclose(got, wanted, rtol=1e-6, atol=1e-12)
    for name, options in OPTIONS.items():
        tracemalloc.start()
        gradient(options)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        ratio = best[name] / best["plain"]
        print(f"{name:24} {best[name] * 1e3:8.1f} ms  x{ratio:.2f}  peak {peak / 1e6:6.1f} MB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
