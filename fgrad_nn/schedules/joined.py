"""Schedules made of others: one after another, after a warm-up, in cycles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from fgrad.errors import ArgumentError
from fgrad.tracebacks import boundary
from fgrad_nn.optimizers.leaves import choose
from fgrad_nn.optimizers.numbers import POSITIVE, real, whole
from fgrad_nn.optimizers.records import Schedule

from .formulas import (
    constant_schedule,
    cosine_decay_schedule,
    exponential_decay,
    linear_schedule,
    piecewise_interpolate_schedule,
)


@boundary
def join_schedules(schedules: Sequence[Schedule], boundaries: Sequence[int]) -> Schedule:
    """One schedule after another; each counts from its own beginning.

    >>> schedule = join_schedules([linear_schedule(0.0, 1.0, 2), constant_schedule(5.0)], [2])
    >>> [float(schedule(count)) for count in range(4)]
    [0.0, 0.5, 5.0, 5.0]

    Args:
        schedules: functions of counts.
        boundaries: the count at which each but the first begins, in growing order.

    Raises:
        ArgumentError: there are not so many boundaries, or they don't grow.
    """
    schedules = list(schedules)
    where = [whole("A boundary", count, 0) for count in boundaries]
    if len(where) != len(schedules) - 1 or where != sorted(where):
        raise ArgumentError(
            f"{len(schedules)} schedules want {max(len(schedules) - 1, 0)} boundaries that grow.",
            str(where),
            "pass the count at which each schedule but the first begins",
        )

    def schedule(count: Any) -> Any:
        value = schedules[0](count)
        for end, later in zip(where, schedules[1:], strict=True):
            value = choose(count < end, value, later(count - end))
        return value

    return schedule


def _after_warmup(init_value: Any, peak_value: Any, steps: int, then: Schedule) -> Schedule:
    if whole("warmup_steps", steps, 0) == 0:
        return then
    return join_schedules([linear_schedule(init_value, peak_value, steps), then], [steps])


@boundary
def warmup_constant_schedule(init_value: Any, peak_value: Any, warmup_steps: int) -> Schedule:
    """Grow along a line, then stay.

    >>> [float(warmup_constant_schedule(0.0, 1.0, 2)(count)) for count in range(4)]
    [0.0, 0.5, 1.0, 1.0]

    Args:
        init_value, peak_value: the first and the last value.
        warmup_steps: the steps between them; 0 to begin at the peak.
    """
    return _after_warmup(init_value, peak_value, warmup_steps, constant_schedule(peak_value))


@boundary
def warmup_cosine_decay_schedule(
    init_value: Any,
    peak_value: Any,
    warmup_steps: int,
    decay_steps: int,
    end_value: Any = 0.0,
    exponent: Any = 1.0,
) -> Schedule:
    """Grow along a line, then fall along a cosine.

    >>> schedule = warmup_cosine_decay_schedule(0.0, 1.0, 2, 6)
    >>> [round(float(schedule(count)), 3) for count in range(8)]
    [0.0, 0.5, 1.0, 0.854, 0.5, 0.146, 0.0, 0.0]

    Args:
        init_value, peak_value, end_value: the first, the greatest and the last value.
        warmup_steps: the steps to the peak.
        decay_steps: all steps, to the last value.
        exponent: as for :func:`cosine_decay_schedule`.

    Raises:
        ArgumentError: `decay_steps` isn't greater than `warmup_steps`, or a number is out of range.
    """
    steps = whole("warmup_steps", warmup_steps, 0)
    left = whole("decay_steps, with those of the warm-up,", decay_steps, steps + 1) - steps
    peak, end = real("peak_value", peak_value), real("end_value", end_value)
    # from the difference, not as a part of the peak, which may be 0
    wave = cosine_decay_schedule(1.0, left, exponent=exponent)
    return _after_warmup(init_value, peak, steps, lambda count: end + (peak - end) * wave(count))


@boundary
def warmup_exponential_decay_schedule(
    init_value: Any,
    peak_value: Any,
    warmup_steps: int,
    transition_steps: int,
    decay_rate: Any,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: Any = None,
) -> Schedule:
    """Grow along a line, then decay.

    >>> schedule = warmup_exponential_decay_schedule(0.0, 1.0, 2, 1, 0.5)
    >>> [float(schedule(count)) for count in range(5)]
    [0.0, 0.5, 1.0, 0.5, 0.25]

    Args:
        init_value, peak_value: the first and the greatest value.
        warmup_steps: the steps between them.
        transition_steps, decay_rate, transition_begin, staircase, end_value: as for
            :func:`exponential_decay`, counted from the peak on.
    """
    then = exponential_decay(
        peak_value, transition_steps, decay_rate, transition_begin, staircase, end_value
    )
    return _after_warmup(init_value, peak_value, warmup_steps, then)


@boundary
def sgdr_schedule(cosine_kwargs: Iterable[Mapping[str, Any]]) -> Schedule:
    """Cycles of `warmup_cosine_decay_schedule`: restarts.

    >>> cycle = {"init_value": 1.0, "peak_value": 1.0, "warmup_steps": 0}
    >>> schedule = sgdr_schedule([{**cycle, "decay_steps": 2}, {**cycle, "decay_steps": 4}])
    >>> [round(float(schedule(count)), 3) for count in range(7)]
    [1.0, 0.5, 1.0, 0.854, 0.5, 0.146, 0.0]

    Args:
        cosine_kwargs: the arguments of each cycle.

    Source: as for :func:`cosine_decay_schedule`.
    """
    cycles = list(cosine_kwargs)
    ends = list(itertools.accumulate(cycle["decay_steps"] for cycle in cycles))
    return join_schedules([warmup_cosine_decay_schedule(**c) for c in cycles], ends[:-1])


def _one_cycle(kind: str, steps: int, first: float, parts: Mapping[float, Any]) -> Schedule:
    """Interpolate between counts that are parts of the steps, which must not fall together."""
    where = [int(part * steps) for part in parts]
    if not where[0] > 0 or any(a >= b for a, b in itertools.pairwise(where)):
        raise ArgumentError(
            "The parts of a cycle must each have a step, in their order.",
            f"they end at the counts {where}",
            "take more transition_steps, or other parts",
        )
    return piecewise_interpolate_schedule(
        kind, first, dict(zip(where, parts.values(), strict=True))
    )


@boundary
def linear_onecycle_schedule(
    transition_steps: int,
    peak_value: Any,
    pct_start: float = 0.3,
    pct_final: float = 0.85,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Grow to a peak, fall back, and fall to almost nothing, along lines.

    >>> schedule = linear_onecycle_schedule(20, 1.0)
    >>> [round(float(schedule(count)), 3) for count in (0, 6, 17, 20)]
    [0.04, 1.0, 0.04, 0.0]

    Args:
        transition_steps: all steps.
        peak_value: the greatest value.
        pct_start, pct_final: the parts of the steps that are over at the peak, and when it has
            fallen back.
        div_factor: the peak, divided by the first value.
        final_div_factor: the first value, divided by the last.

    Raises:
        ArgumentError: a number is out of range, or there are too few steps.

    Source: Smith and Topin, Super-convergence (2018).
    """
    steps, peak, div, final = _cycle(transition_steps, peak_value, div_factor, final_div_factor)
    parts = {pct_start: div, pct_final: 1.0 / div, 1.0: 1.0 / final}
    return _one_cycle("linear", steps, peak / div, parts)


@boundary
def cosine_onecycle_schedule(
    transition_steps: int,
    peak_value: Any,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Schedule:
    """Grow to a peak, and fall to almost nothing, along cosines.

    >>> schedule = cosine_onecycle_schedule(10, 1.0)
    >>> [round(float(schedule(count)), 3) for count in (0, 3, 10)]
    [0.04, 1.0, 0.0]

    Args:
        transition_steps, peak_value, pct_start, div_factor, final_div_factor: as for
            :func:`linear_onecycle_schedule`.
    """
    steps, peak, div, final = _cycle(transition_steps, peak_value, div_factor, final_div_factor)
    return _one_cycle("cosine", steps, peak / div, {pct_start: div, 1.0: 1.0 / (div * final)})


def _cycle(steps: int, peak: Any, div: Any, final: Any) -> tuple[int, Any, Any, Any]:
    return (
        whole("transition_steps", steps, 1),
        real("peak_value", peak),
        real("div_factor", div, POSITIVE),
        real("final_div_factor", final, POSITIVE),
    )


@boundary
def cyclic_schedule(
    base_value: Any, max_value: Any, steps_up: int, steps_down: int | None = None
) -> Schedule:
    """Grow and fall along lines, again and again: PyTorch's CyclicLR, 'triangular'.

    >>> [float(cyclic_schedule(0.0, 1.0, 2)(count)) for count in range(6)]
    [0.0, 0.5, 1.0, 0.5, 0.0, 0.5]

    Args:
        base_value, max_value: the least and the greatest value.
        steps_up, steps_down: the steps between them; None for the same number.

    Source: Smith, Cyclical learning rates for training neural networks (2017).
    """
    low, high = real("base_value", base_value), real("max_value", max_value)
    up = whole("steps_up", steps_up, 1)
    down = up if steps_down is None else whole("steps_down", steps_down, 1)

    def schedule(count: Any) -> Any:
        place = count % (up + down)
        part = choose(place < up, place / up, (up + down - place) / down)
        return low + (high - low) * part

    return schedule
