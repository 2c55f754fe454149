"""Checkpoints of a loop: which carries are kept, and in which order blocks of steps run again.

With ``every`` steps a checkpoint, each block of steps runs twice: once forward, once to be pulled
back through. With less memory than that takes, checkpoints move: the binomial schedule of
A. Griewank and A. Walther, Algorithm 799: revolve, ACM TOMS 26 (2000), is the one that repeats the
fewest steps for a given number of checkpoints.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import comb, isqrt
from typing import Any

import numpy as np

from ..arrays import aval, is_a
from ..core import rerun
from ..derivatives import vjp
from ..errors import ArgumentError, describe
from ..graph import Graph
from .bodies import Leaves, chosen, fresh, inexact, replaced, zeros


@dataclass(frozen=True)
class Schedule:
    """How many steps are pulled back through at once, and how many carries may be kept."""

    block: int
    snapshots: int | None = None

    def positions(self, n: int) -> list[int]:
        """The steps before which the first run keeps its carry."""
        if self.snapshots is None:
            return list(range(0, n, self.block)) or [0]
        out = [0]
        while len(out) < self.snapshots and n - out[-1] > self.block:
            out.append(out[-1] + self.ahead(n - out[-1], self.snapshots - len(out)))
        return out

    def ahead(self, steps: int, free: int) -> int:
        """How far to run from a checkpoint to the next one, ``free`` of them being left."""
        count = -(-steps // self.block)
        return steps - self.block if free == 0 else (count - after(count, free)) * self.block


def after(count: int, free: int) -> int:
    """How many of so many blocks come after the next checkpoint, by the binomial schedule.

    >>> [after(10, free) for free in (1, 2, 3)]
    [4, 6, 9]
    """
    s = free + 1
    r = 1
    while comb(s + r, s) < count:
        r += 1
    ahead = max(count - comb(s + r - 1, s - 1), comb(s + r - 2, s), 1)
    return count - ahead


def schedule_of(every: Any, memory: Any, n: int, carry: int, graph: Graph) -> Schedule | None:
    """What ``checkpoint_every`` and ``checkpoint_memory`` of `scan` mean."""
    if every is not None and memory is not None:
        raise ArgumentError(
            "scan wants checkpoint_every or checkpoint_memory.", "both", "leave one of them away"
        )
    if memory is not None:
        _check_number("checkpoint_memory", memory, "a number of bytes", "such as 10_000_000")
        octets = sum(400 + v.aval.nbytes for e in graph.equations for v in e.outputs)
        block = max(1, int(memory) // 2 // max(octets, 1))
        return Schedule(min(block, max(n, 1)), max(2, int(memory) // 2 // max(carry, 1)))
    if every == "auto":
        return Schedule(max(1, isqrt(max(n - 1, 0)) + 1))
    if every is not None:
        _check_number("checkpoint_every", every, "a number of steps", 'or "auto", their root')
        return Schedule(int(every))
    return None


def _check_number(name: str, value: Any, what: str, hint: str) -> None:
    if is_a(value, bool) or not is_a(value, (int, np.integer)) or value < 1:
        raise ArgumentError(
            f"scan wants {name} as {what}, at least 1.", describe(value), f"give an integer, {hint}"
        )


def blocks(layout: Any, xs: Leaves, run: Callable[..., Any]) -> Any:
    """The answers of a loop, and what pulls back through it block by block, for `folds`."""
    schedule: Schedule = layout.params["every"]
    n, c = layout.length(xs), layout.carries
    carry, slices, consts = layout.split(xs)

    def steps(carry: Leaves, inputs: Leaves, begin: int, end: int) -> tuple[Any, ...]:
        """Params and operands of a part of the loop."""
        low, high = (n - end, n - begin) if layout.reverse else (begin, end)
        slices, consts = inputs[: layout.slices], inputs[layout.slices :]
        params = {**layout.params, "length": high - low}
        if layout.first:
            params["start"] = layout.start + low
        return params, [*carry, *(x[low:high] for x in slices), *consts], slice(low, high)

    saved: list[tuple[int, Leaves]] = []
    pieces = []
    stops = [*schedule.positions(n), n]
    for begin, end in pairwise(stops):
        # Copies: a carry may be a view of an array that is the user's.
        saved.append((begin, [np.copy(x) if hasattr(x, "dtype") else x for x in carry]))
        params, operands, _ = steps(carry, [*slices, *consts], begin, end)
        outs = run(params, operands)
        carry = outs[:c]
        pieces.append(outs[c:])
    columns = zip(*(pieces[::-1] if layout.reverse else pieces), strict=True)
    answers = (*carry, *(ys[0] if len(ys) == 1 else np.concatenate(ys) for ys in columns))

    like = [aval(y) for y in answers]

    def pull(active: Sequence[int], g: dict[int, Any], *inputs: Any) -> list[Any]:
        moving = [i for i in inexact([aval(x) for x in xs]) if i < c or i in active]
        results = inexact(layout.answers)
        if not moving or not any(k < c or k in g for k in results):
            return [None] * len(xs)
        cts = {k: g[k] if k in g else zeros(aval(like[k]), xs) for k in results if k < c}
        sums: dict[int, Any] = {}
        parts: dict[int, list[Any]] = {i: [] for i in moving if c <= i < c + layout.slices}

        def back(begin: int, end: int, carry: Leaves) -> None:
            params, operands, here = steps(carry, inputs, begin, end)
            live = [k for k in results if k < c or k in g]

            def f(*ms: Any) -> Any:
                return chosen(rerun(run, params, replaced(operands, moving, ms)), live)

            _, pullback = vjp(f, *chosen(operands, moving))
            found = pullback([cts[k] if k < c else g[k][here] for k in live])
            for i, ct in zip(moving, found, strict=True):
                if i < c:
                    cts[i] = ct
                elif i in parts:
                    parts[i].append(ct)
                else:
                    sums[i] = sums[i] + ct if i in sums else ct

        end = n
        # A copy, because a pullback may be called again; what is used is let go of.
        stack = saved.copy()
        while stack and end > 0:
            begin, carry = stack[-1]
            if end - begin <= schedule.block:
                back(begin, end, carry)
                end = begin
                stack.pop()
                continue
            free = 0 if schedule.snapshots is None else max(schedule.snapshots - len(stack), 0)
            ahead = schedule.ahead(end - begin, free)
            params, operands, _ = steps(carry, inputs, begin, begin + ahead)
            stack.append((begin + ahead, rerun(run, params, operands)[:c]))
        out: list[Any] = [None] * len(xs)
        for i in moving:
            if i < c:
                out[i] = cts[i]
            elif i in parts:
                order = parts[i] if layout.reverse else parts[i][::-1]
                out[i] = np.concatenate(order) if order else None
            else:
                out[i] = sums.get(i)
        return out

    return fresh(answers, xs), [pull, *slices, *consts]
