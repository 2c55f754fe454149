"""Measure what a second thread brings to a loop over large arrays; it wants two idle cores.

python benchmarks/threads.py
"""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import time  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

import fgrad  # noqa: E402

ROUNDS = 12


def chain(x: Any) -> Any:
    for _ in range(4):
        x = np.sin(x) * 0.5 + np.exp(-x * x)
    return np.sum(x)


def main() -> None:
    x = np.random.default_rng(0).normal(size=10**6)
    steps = {n: fgrad.jit(fgrad.value_and_grad(chain), threads=n) for n in (1, 2)}
    times: dict[int, list[float]] = {n: [] for n in steps}
    for step in steps.values():
        step(x)
    for _ in range(ROUNDS):
        for n, step in steps.items():
            start = time.perf_counter()
            step(x)
            times[n].append(time.perf_counter() - start)
    for n, seconds in times.items():
        print(f"threads={n}: {median(seconds) * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
