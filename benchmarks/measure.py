"""How it is measured: interleaved rounds, medians of ratios within a round, traced memory."""

from __future__ import annotations

import gc
import random
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

Call = Callable[[], Any]

LAP = 0.01  # seconds that one peer runs before it is the next one's turn
PAUSE = 0.002  # seconds between two turns
ROUNDS = 5  # at least


class Mismatch(Exception):
    """A peer's result is not that of the derivative written by hand."""


@dataclass(frozen=True)
class Timing:
    """Medians over the rounds, in seconds a call and as ratios to the first peer in each round."""

    cpu: float
    wall: float
    cpu_ratio: float
    wall_ratio: float
    rounds: int


def leaves(tree: Any) -> list[np.ndarray]:
    """The arrays of nested lists and tuples."""
    if isinstance(tree, (list, tuple)):
        return [leaf for part in tree for leaf in leaves(part)]
    return [np.asarray(tree)]


def check(result: Any, wanted: Any, tolerance: float) -> None:
    """Raise `Mismatch` unless both have the same arrays, relative to the greatest value of each."""
    got, want = leaves(result), leaves(wanted)
    if len(got) != len(want):
        raise Mismatch(f"{len(got)} arrays instead of {len(want)}")
    for i, (a, b) in enumerate(zip(got, want, strict=True)):
        if a.shape != b.shape:
            raise Mismatch(f"array {i} has shape {a.shape} instead of {b.shape}")
        error = np.max(np.abs(a - b)) / max(np.max(np.abs(b)), 1e-300)
        if not error <= tolerance:
            raise Mismatch(f"array {i} is off by {error:.1e} of its greatest value")


def lap(call: Call, repeats: int) -> tuple[float, float]:
    """CPU and wall time of one call, averaged over some.

    The pause and the call that isn't timed let the threads of the peer before come to rest, whose
    CPU time would be ours, and bring our data into the cache; long calls need neither.
    """
    if repeats > 1:
        time.sleep(PAUSE)
        call()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(repeats):
        call()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu / repeats, wall / repeats


def interleave(calls: dict[str, Call], seconds: float, rounds: int = ROUNDS) -> dict[str, Timing]:
    """Time the calls in turns, for about that long; ratios are to the first one's.

    Each ratio is taken within a round and the median of those is reported, so a change of the
    machine's speed from one round to another cancels. The order changes from round to round, so
    that nobody always comes after the same other.
    """
    repeats = {}
    for name, call in calls.items():
        call()
        _, once = lap(call, 1)
        repeats[name] = max(1, min(1000, int(LAP / max(once, 1e-7))))
    first, names = next(iter(calls)), list(calls)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    gc.collect()
    gc.freeze()  # else a collection walks through all of torch and JAX, on the peers' account
    order = random.Random(0)
    end, done = time.perf_counter() + seconds, 0
    while time.perf_counter() < end or done < rounds:
        for name in order.sample(names, len(names)):
            times[name].append(lap(calls[name], repeats[name]))
        done += 1
    gc.unfreeze()
    return {
        name: Timing(
            median(cpu for cpu, _ in ours),
            median(wall for _, wall in ours),
            median(a[0] / b[0] for a, b in zip(ours, times[first], strict=True)),
            median(a[1] / b[1] for a, b in zip(ours, times[first], strict=True)),
            done,
        )
        for name, ours in times.items()
    }


def peak_memory(call: Call) -> int:
    """Bytes that one call needs at its peak, above what there was before it, after a first call."""
    call()
    gc.collect()
    tracemalloc.start()
    try:
        call()
        gc.collect()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        call()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before
