"""Schedules that are made by the same calls of our library and of optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: What `sgdr_schedule` takes for a cycle.
CYCLE = {
    "init_value": 0.1,
    "peak_value": 1.0,
    "warmup_steps": 5,
    "decay_steps": 30,
    "end_value": 0.01,
    "exponent": 1.5,
}

#: Name -> called with a namespace that has the functions of a library, returns the schedule.
SCHEDULES: dict[str, Callable[[Any], Callable[[Any], Any]]] = {
    "constant_schedule": lambda o: o.constant_schedule(0.3),
    "linear_schedule": lambda o: o.linear_schedule(0.1, 2.0, 60, 7),
    "polynomial_schedule": lambda o: o.polynomial_schedule(2.0, 0.5, 3, 80, 10),
    "polynomial_schedule, root": lambda o: o.polynomial_schedule(0.5, 2.0, 0.5, 200),
    "exponential_decay": lambda o: o.exponential_decay(2.0, 20, 0.5),
    "exponential_decay, staircase": lambda o: o.exponential_decay(2.0, 20, 0.5, 7, True),
    "exponential_decay, floor": lambda o: o.exponential_decay(2.0, 20, 0.5, 7, False, 0.3),
    "exponential_decay, ceiling": lambda o: o.exponential_decay(2.0, 20, 1.5, 0, True, 6.0),
    "piecewise_constant_schedule": lambda o: o.piecewise_constant_schedule(2.0, {60: 0.1, 30: 0.5}),
    "piecewise_constant_schedule, none": lambda o: o.piecewise_constant_schedule(2.0),
    "piecewise_interpolate_schedule, linear": lambda o: o.piecewise_interpolate_schedule(
        "linear", 2.0, {30: 0.5, 80: 3.0}
    ),
    "piecewise_interpolate_schedule, cosine": lambda o: o.piecewise_interpolate_schedule(
        "cosine", 2.0, {30: 0.5, 80: 3.0}
    ),
    "cosine_decay_schedule": lambda o: o.cosine_decay_schedule(2.0, 70),
    "cosine_decay_schedule, exponent": lambda o: o.cosine_decay_schedule(2.0, 70, 0.1, 2.0),
    "warmup_constant_schedule": lambda o: o.warmup_constant_schedule(0.1, 2.0, 30),
    "warmup_cosine_decay_schedule": lambda o: o.warmup_cosine_decay_schedule(
        0.1, 2.0, 20, 90, 0.2, 1.5
    ),
    "warmup_exponential_decay_schedule": lambda o: o.warmup_exponential_decay_schedule(
        0.1, 2.0, 20, 15, 0.5, 10, True, 0.2
    ),
    "sgdr_schedule": lambda o: o.sgdr_schedule(
        [CYCLE, {**CYCLE, "peak_value": 0.5, "decay_steps": 40}, CYCLE]
    ),
    "linear_onecycle_schedule": lambda o: o.linear_onecycle_schedule(90, 2.0),
    "linear_onecycle_schedule, parts": lambda o: o.linear_onecycle_schedule(
        90, 2.0, 0.2, 0.7, 10.0, 100.0
    ),
    "cosine_onecycle_schedule": lambda o: o.cosine_onecycle_schedule(90, 2.0),
    "cosine_onecycle_schedule, parts": lambda o: o.cosine_onecycle_schedule(
        90, 2.0, 0.4, 10.0, 100.0
    ),
    "join_schedules": lambda o: o.join_schedules(
        [
            o.linear_schedule(0.0, 1.0, 15),
            o.constant_schedule(0.7),
            o.exponential_decay(1.0, 9, 0.5),
        ],
        [20, 45],
    ),
}
