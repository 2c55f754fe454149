"""Where fgrad's time goes: microseconds per operation, beside NumPy with its derivative by hand.

    python benchmarks/profile_ops.py
    python benchmarks/profile_ops.py --only tanh,matmul --seconds 3

Each operation is repeated in a chain within one `value_and_grad`. "forward" is the operation itself
and its record; "backward" is the walk back over the record, which includes adding up the
cotangents of the second operand. What a call costs without any operation stands in the last lines.
"""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import argparse  # noqa: E402
import gc  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from statistics import median  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

import fgrad  # noqa: E402

LENGTH = 25  # operations in a chain; more of (25, 100) would leave the cache
SHAPES = ((4, 1), (25, 100))
Array = np.ndarray
Times = tuple[float, float]


@dataclass(frozen=True)
class Op:
    """An operation ``forward(x, w)`` that keeps the shape of x.

    Attributes:
        name: what the table says.
        forward: the operation; w is differentiated too if `operand` says so.
        backward: cotangents of x and w (or None) by hand, of ``(g, x, ans, w)``.
        operand: the shape of w, given that of x.
        traced: whether w is a parameter, and not data.
        saves: whether `backward` reads x or the answer; if not, they aren't kept.
    """

    name: str
    forward: Callable[[Any, Any], Any]
    backward: Callable[[Array, Array, Array, Array], tuple[Array, Array | None]]
    operand: Callable[[tuple[int, ...]], tuple[int, ...]] = lambda shape: shape
    traced: bool = False
    saves: bool = True


def _getitem_backward(g: Array, x: Array, ans: Array, w: Array) -> tuple[Array, None]:
    c = np.zeros_like(x)
    c[0:] = g
    return c, None


def _column(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape[0], 1


OPS = (
    Op("add", lambda x, w: x + w, lambda g, x, y, w: (g, g), traced=True, saves=False),
    Op(
        "add bias",
        lambda x, w: x + w,
        lambda g, x, y, w: (g, g.sum(1, keepdims=True)),
        _column,
        traced=True,
        saves=False,
    ),
    Op(
        "matmul",
        lambda x, w: w @ x,
        lambda g, x, y, w: (w.T @ g, g @ x.T),
        lambda shape: (shape[0], shape[0]),
        traced=True,
    ),
    Op("multiply", lambda x, w: x * w, lambda g, x, y, w: (g * w, g * x), traced=True),
    Op("tanh", lambda x, w: np.tanh(x), lambda g, x, y, w: (g * (1 - y * y), None)),
    Op("exp", lambda x, w: np.exp(-x), lambda g, x, y, w: (-(g * y), None)),
    Op("square", lambda x, w: x**2, lambda g, x, y, w: (g * (2 * x), None)),
    Op(
        "add mean",
        lambda x, w: x + np.mean(x),
        lambda g, x, y, w: (g + np.broadcast_to(g.sum() / x.size, x.shape), None),
    ),
    Op("T twice", lambda x, w: x.T.T, lambda g, x, y, w: (g.T.T, None), saves=False),
    Op("subtract data", lambda x, w: x - w, lambda g, x, y, w: (g, None), saves=False),
    Op("multiply by data", lambda x, w: x * w, lambda g, x, y, w: (g * w, None), saves=False),
    Op("multiply by float", lambda x, w: x * 1.0, lambda g, x, y, w: (g * 1.0, None), saves=False),
    Op("getitem slice", lambda x, w: x[0:], _getitem_backward),
)


def by_hand(op: Op, x: Array, w: Array, length: int) -> Callable[[], Times]:
    """Forward and backward time of a chain in NumPy."""

    def run() -> Times:
        y, saved = x * 1.0, []
        start = time.perf_counter()
        for _ in range(length):
            ans = op.forward(y, w)
            saved.append((y, ans) if op.saves else None)
            y = ans
        middle = time.perf_counter()
        g, total = np.ones(y.shape), None
        while saved:
            operand, ans = saved.pop() or (x, x)
            g, c = op.backward(g, operand, ans, w)
            if c is not None:
                total = c if total is None else total + c
        return middle - start, time.perf_counter() - middle

    return run


def by_fgrad(op: Op, x: Array, w: Array, length: int) -> Callable[[], Times]:
    """Forward time of a chain within `value_and_grad`, and the time of all the rest."""
    inside = [0.0]

    def chain(x: Any, w: Any) -> Any:
        y = x * 1.0  # a value that fgrad has made; inputs are protected, which costs more
        start = time.perf_counter()
        for _ in range(length):
            y = op.forward(y, w)
        inside[0] = time.perf_counter() - start
        return np.sum(y)

    value_and_grad = fgrad.value_and_grad(chain, argnums=(0, 1) if op.traced else 0)

    def run() -> Times:
        start = time.perf_counter()
        value_and_grad(x, w)
        return inside[0], time.perf_counter() - start - inside[0]

    return run


def medians(runs: Sequence[Callable[[], Times]], seconds: float) -> list[Times]:
    """Medians of both times for each, measured in turns."""
    results: list[list[Times]] = [[] for _ in runs]
    for run in runs:
        run()
    gc.collect()
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(results[0]) < 5:
        for run, times in zip(runs, results, strict=True):
            times.append(run())
    return [(median(a for a, _ in times), median(b for _, b in times)) for times in results]


def operand(op: Op, shape: tuple[int, ...]) -> Array:
    """Values on which the chain neither overflows nor vanishes."""
    w_shape = op.operand(shape)
    if op.name == "matmul":
        return np.eye(w_shape[0])
    return np.ones(w_shape) if "multiply" in op.name else np.zeros(w_shape)


def profile(op: Op, shape: tuple[int, ...], seconds: float) -> tuple[Times, Times]:
    """Microseconds per operation, forward and backward: by hand, and by fgrad."""
    x, w = np.ones(shape), operand(op, shape)
    hand, ours, empty = medians(
        [by_hand(op, x, w, LENGTH), by_fgrad(op, x, w, LENGTH), by_fgrad(op, x, w, 0)], seconds
    )
    scale = 1e6 / LENGTH
    return (hand[0] * scale, hand[1] * scale), (ours[0] * scale, (ours[1] - empty[1]) * scale)


def fixed_costs(seconds: float) -> list[tuple[str, float]]:
    """Microseconds of calls that do almost nothing."""
    one, six = np.ones((4, 1)), [np.ones((4, 1)) for _ in range(6)]
    first, total = np.sum, fgrad.value_and_grad(lambda p: np.sum(p[0]))
    data = np.ones((100, 8)), np.ones((100, 2))
    grad = fgrad.value_and_grad(first)
    with_data = fgrad.value_and_grad(lambda p, X, Y: np.sum(p[0]))
    everything = fgrad.value_and_grad(lambda p: np.sum(p[0] + p[1] + p[2] + p[3] + p[4] + p[5]))
    calls: list[tuple[str, Callable[[], Any]]] = [
        ("np.sum(x), without fgrad", lambda: np.sum(one)),
        ("value_and_grad(np.sum)(x)", lambda: grad(one)),
        ("value_and_grad of the sum of one of six parameters", lambda: total(six)),
        ("the same with two arguments of data", lambda: with_data(six, *data)),
        ("value_and_grad of the sum of all six", lambda: everything(six)),
    ]

    def timed(call: Callable[[], Any]) -> Callable[[], Times]:
        def run() -> Times:
            start = time.perf_counter()
            for _ in range(20):
                call()
            return (time.perf_counter() - start) / 20, 0.0

        return run

    times = medians([timed(call) for _, call in calls], seconds)
    return [(name, t * 1e6) for (name, _), (t, _) in zip(calls, times, strict=True)]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", help="names of operations, separated by commas")
    parser.add_argument("--seconds", type=float, default=1.0, help="for each line (default 1)")
    args = parser.parse_args(argv)
    ops = [op for op in OPS if not args.only or op.name in args.only.split(",")]
    for shape in SHAPES:
        print(f"\nµs per operation on {shape}      by hand          fgrad          fgrad more")
        print(
            "                            forw.   backw.   forw.   backw.   forw.   backw.   ratio"
        )
        for op in ops:
            hand, ours = profile(op, shape, args.seconds)
            print(
                f"{op.name:24s} {hand[0]:8.2f} {hand[1]:8.2f} {ours[0]:8.2f} {ours[1]:8.2f} "
                f"{ours[0] - hand[0]:8.2f} {ours[1] - hand[1]:8.2f} {sum(ours) / sum(hand):7.2f}",
                flush=True,
            )
    if not args.only:
        print("\nµs per call")
        for name, cost in fixed_costs(args.seconds):
            print(f"{cost:8.2f}  {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
