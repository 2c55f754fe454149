"""Schedules that are one formula: lines, powers, exponentials, cosines."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary
from fgrad_nn.optimizers.leaves import choose
from fgrad_nn.optimizers.numbers import ANY, NOT_NEGATIVE, POSITIVE, real, whole
from fgrad_nn.optimizers.records import Schedule


@boundary
def constant_schedule(value: Any) -> Schedule:
    """The same value at all steps.

    >>> constant_schedule(0.5)(100)
    0.5
    """
    value = real("value", value, ANY)
    return lambda count: value + 0.0 * count


@boundary
def polynomial_schedule(
    init_value: Any, end_value: Any, power: Any, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From one value to another, as a power of the steps that are left.

    >>> [float(polynomial_schedule(1.0, 0.0, 2, 4)(count)) for count in range(6)]
    [1.0, 0.5625, 0.25, 0.0625, 0.0, 0.0]

    Args:
        init_value, end_value: the first and the last value.
        power: 1 for a line.
        transition_steps: how many steps lie between them.
        transition_begin: the count at which it begins.

    Raises:
        ArgumentError: a number is out of range.
    """
    first, last = real("init_value", init_value), real("end_value", end_value)
    power = real("power", power, POSITIVE)
    steps, begin = whole("transition_steps", transition_steps, 1), _begin(transition_begin)

    def schedule(count: Any) -> Any:
        left = 1 - np.clip(count - begin, 0, steps) / steps
        return (first - last) * left**power + last

    return schedule


def _begin(value: Any) -> int:
    return whole("transition_begin", value, 0)


@boundary
def linear_schedule(
    init_value: Any, end_value: Any, transition_steps: int, transition_begin: int = 0
) -> Schedule:
    """From one value to another along a line.

    >>> [float(linear_schedule(0.0, 1.0, 4)(count)) for count in range(6)]
    [0.0, 0.25, 0.5, 0.75, 1.0, 1.0]

    Args:
        init_value, end_value, transition_steps, transition_begin: as for
            :func:`polynomial_schedule`.
    """
    return polynomial_schedule(init_value, end_value, 1, transition_steps, transition_begin)


@boundary
def exponential_decay(
    init_value: Any,
    transition_steps: int,
    decay_rate: Any,
    transition_begin: int = 0,
    staircase: bool = False,
    end_value: Any = None,
) -> Schedule:
    """Multiply by `decay_rate` every `transition_steps` steps, evenly or at once.

    >>> [float(exponential_decay(1.0, 2, 0.25)(count)) for count in range(4)]
    [1.0, 0.5, 0.25, 0.125]
    >>> [float(exponential_decay(1.0, 2, 0.25, staircase=True)(count)) for count in range(4)]
    [1.0, 1.0, 0.25, 0.25]

    Args:
        init_value: the value up to `transition_begin`.
        staircase: in steps: PyTorch's StepLR.
        end_value: where it stops to fall (or to grow, if the rate is above 1); None for nowhere.
    """
    first, rate = real("init_value", init_value), real("decay_rate", decay_rate, POSITIVE)
    steps, begin = whole("transition_steps", transition_steps, 1), _begin(transition_begin)
    stop = None if end_value is None else real("end_value", end_value)

    def schedule(count: Any) -> Any:
        part = np.maximum(count - begin, 0) / steps
        value = first * rate ** (np.floor(part) if staircase else part)
        if stop is None:
            return value
        low, high = np.minimum(value, stop), np.maximum(value, stop)
        return choose(rate < 1.0, high, low)

    return schedule


@boundary
def inverse_time_decay(
    init_value: Any, transition_steps: int, decay_rate: Any, staircase: bool = False
) -> Schedule:
    """Divide by 1 + decay_rate * count / transition_steps.

    >>> [float(inverse_time_decay(1.0, 2, 2.0)(count)) for count in range(4)]
    [1.0, 0.5, 0.3333333333333333, 0.25]

    Args:
        init_value: the first value.
        transition_steps: the steps in which the divisor grows by `decay_rate`.
        staircase: at once, in place of evenly.

    Source: Robbins and Monro, A stochastic approximation method (1951), for such sequences.
    """
    first, rate = real("init_value", init_value), real("decay_rate", decay_rate, NOT_NEGATIVE)
    steps = whole("transition_steps", transition_steps, 1)

    def schedule(count: Any) -> Any:
        part = count / steps
        return first / (1 + rate * (np.floor(part) if staircase else part))

    return schedule


def _boundaries(boundaries_and_scales: Mapping[int, Any] | None) -> tuple[list[int], list[Any]]:
    pairs = sorted((boundaries_and_scales or {}).items())
    where = [whole("A boundary", count, 0) for count, _ in pairs]
    return where, [real("A scale", scale, NOT_NEGATIVE) for _, scale in pairs]


@boundary
def piecewise_constant_schedule(
    init_value: Any, boundaries_and_scales: Mapping[int, Any] | None = None
) -> Schedule:
    """Multiply by a number at each of some counts: PyTorch's MultiStepLR.

    >>> schedule = piecewise_constant_schedule(1.0, {2: 0.5, 4: 0.1})
    >>> [float(schedule(count)) for count in range(6)]
    [1.0, 1.0, 0.5, 0.5, 0.05, 0.05]

    Args:
        init_value: the first value.
        boundaries_and_scales: the factor for each count from which on it applies.
    """
    first = real("init_value", init_value)
    where, scales = _boundaries(boundaries_and_scales)

    def schedule(count: Any) -> Any:
        value = first + 0.0 * count
        for end, scale in zip(where, scales, strict=True):
            value = value * choose(count < end, 1.0, scale)
        return value

    return schedule


@boundary
def piecewise_interpolate_schedule(
    interpolate_type: str, init_value: Any, boundaries_and_scales: Mapping[int, Any] | None = None
) -> Schedule:
    """Like `piecewise_constant_schedule`, with a way from each value to the next.

    >>> schedule = piecewise_interpolate_schedule("linear", 1.0, {2: 3.0, 4: 0.5})
    >>> [float(schedule(count)) for count in range(6)]
    [1.0, 2.0, 3.0, 2.25, 1.5, 1.5]

    Args:
        interpolate_type: 'linear' or 'cosine'.
        init_value: the first value.
        boundaries_and_scales: for each count the factor by which the value there differs from
            that of the count before.

    Raises:
        ArgumentError: the type is another, or a number is out of range.
    """
    if interpolate_type not in ("linear", "cosine"):
        raise ArgumentError(
            "interpolate_type must be 'linear' or 'cosine'.",
            describe(interpolate_type),
            "pass one of the two",
        )
    first = real("init_value", init_value)
    where, scales = _boundaries(boundaries_and_scales)
    values = list(itertools.accumulate([first, *scales], lambda value, scale: value * scale))

    def schedule(count: Any) -> Any:
        value = values[0] + 0.0 * count
        for low, high, start, end in zip([0, *where], where, values, values[1:], strict=False):
            part = np.clip((count - low) / max(high - low, 1), 0.0, 1.0)
            if interpolate_type == "cosine":
                part = 0.5 * (1 - np.cos(np.pi * part))
            value = choose(count < low, value, start + (end - start) * part)
        return choose(count < where[-1], value, values[-1]) if where else value

    return schedule


@boundary
def cosine_decay_schedule(
    init_value: Any, decay_steps: int, alpha: Any = 0.0, exponent: Any = 1.0
) -> Schedule:
    """Fall along half a wave of the cosine.

    >>> [round(float(cosine_decay_schedule(1.0, 4)(count)), 3) for count in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]

    Args:
        init_value: the first value.
        decay_steps: the steps of the fall.
        alpha: the last value, as a part of the first.
        exponent: a power of the wave.

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (2017),
    equation 5.
    """
    first, alpha = real("init_value", init_value), real("alpha", alpha)
    steps, power = whole("decay_steps", decay_steps, 1), real("exponent", exponent, POSITIVE)

    def schedule(count: Any) -> Any:
        part = np.clip(count, 0, steps) / steps
        wave = np.maximum(0.5 * (1 + np.cos(np.pi * part)), 0.0)
        return first * ((1 - alpha) * wave**power + alpha)

    return schedule
