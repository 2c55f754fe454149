"""Schedules: their values at the edges, on arrays of counts, where counts are traced; errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fgrad
from fgrad.errors import ArgumentError
from fgrad_nn import schedules as s

CYCLE = {"init_value": 0.1, "peak_value": 1.0, "warmup_steps": 3, "decay_steps": 9}

#: Name -> (schedule, the formula for one count).
SCHEDULES = {
    "constant": (s.constant_schedule(0.5), lambda n: 0.5),
    "polynomial": (
        s.polynomial_schedule(2.0, 0.5, 3, 10, 4),
        lambda n: 0.5 + 1.5 * (1 - min(max(n - 4, 0), 10) / 10) ** 3,
    ),
    "linear": (s.linear_schedule(0.0, 2.0, 8), lambda n: 2.0 * min(n, 8) / 8),
    "exponential": (
        s.exponential_decay(2.0, 5, 0.5, 3), lambda n: 2.0 * 0.5 ** (max(n - 3, 0) / 5)
    ),
    "staircase": (
        s.exponential_decay(2.0, 5, 0.5, 3, staircase=True),
        lambda n: 2.0 * 0.5 ** (max(n - 3, 0) // 5),
    ),
    "floor": (
        s.exponential_decay(2.0, 5, 0.5, end_value=0.7), lambda n: max(2.0 * 0.5 ** (n / 5), 0.7)
    ),
    "ceiling": (
        s.exponential_decay(2.0, 5, 1.5, end_value=7.0), lambda n: min(2.0 * 1.5 ** (n / 5), 7.0)
    ),
    "inverse time": (s.inverse_time_decay(2.0, 5, 0.5), lambda n: 2.0 / (1 + 0.5 * n / 5)),
    "inverse time, staircase": (
        s.inverse_time_decay(2.0, 5, 0.5, staircase=True), lambda n: 2.0 / (1 + 0.5 * (n // 5))
    ),
    "piecewise": (
        s.piecewise_constant_schedule(2.0, {9: 0.1, 4: 0.5}),
        lambda n: 2.0 * (0.5 if n >= 4 else 1) * (0.1 if n >= 9 else 1),
    ),
    "lines": (
        s.piecewise_interpolate_schedule("linear", 2.0, {10: 0.25, 4: 0.5}),
        lambda n: np.interp(n, [0, 4, 10], [2.0, 1.0, 0.25]),
    ),
    "waves": (
        s.piecewise_interpolate_schedule("cosine", 2.0, {4: 0.5, 10: 0.25}),
        lambda n: (
            1.5 + 0.5 * np.cos(np.pi * n / 4)
            if n < 4
            else 0.625 + 0.375 * np.cos(np.pi * min(n - 4, 6) / 6)
        ),
    ),
    "cosine": (
        s.cosine_decay_schedule(2.0, 8, 0.1, 2.0),
        lambda n: 2.0 * (0.9 * (0.5 + 0.5 * np.cos(np.pi * min(n, 8) / 8)) ** 2 + 0.1),
    ),
    "warmup constant": (
        s.warmup_constant_schedule(0.5, 2.0, 4), lambda n: 0.5 + 1.5 * min(n, 4) / 4
    ),
    "warmup cosine": (
        s.warmup_cosine_decay_schedule(0.1, 1.0, 3, 9, 0.2),
        lambda n: (
            0.1 + 0.3 * n if n < 3 else 0.2 + 0.4 * (1 + np.cos(np.pi * min(n - 3, 6) / 6))
        ),
    ),
    "no warmup": (
        s.warmup_cosine_decay_schedule(5.0, 1.0, 0, 6),
        lambda n: 0.5 * (1 + np.cos(np.pi * min(n, 6) / 6)),
    ),
    "warmup exponential": (
        s.warmup_exponential_decay_schedule(0.0, 1.0, 4, 2, 0.5),
        lambda n: n / 4 if n < 4 else 0.5 ** ((n - 4) / 2),
    ),
    "sgdr": (
        s.sgdr_schedule([CYCLE, {**CYCLE, "peak_value": 0.5}]),
        lambda n: s.warmup_cosine_decay_schedule(
            **({**CYCLE, "peak_value": 0.5} if n >= 9 else CYCLE)
        )(n - 9 if n >= 9 else n),
    ),
    "linear cycle": (
        s.linear_onecycle_schedule(20, 1.0, 0.3, 0.8, 10.0, 100.0),
        lambda n: np.interp(n, [0, 6, 16, 20], [0.1, 1.0, 0.1, 0.001]),
    ),
    "cosine cycle": (
        s.cosine_onecycle_schedule(20, 1.0, 0.3, 10.0, 100.0),
        lambda n: (
            0.55 - 0.45 * np.cos(np.pi * n / 6)
            if n < 6
            else 0.5005 + 0.4995 * np.cos(np.pi * (min(n, 20) - 6) / 14) - 1e-3 + 1e-3
        ),
    ),
    "triangles": (
        s.cyclic_schedule(1.0, 2.0, 3, 2), lambda n: np.interp(n % 5, [0, 3, 5], [1.0, 2.0, 1.0])
    ),
    "joined": (
        s.join_schedules([lambda n: 1.0 * n, lambda n: -1.0 * n, lambda n: 7.0 + n], [3, 6]),
        lambda n: n if n < 3 else (-(n - 3) if n < 6 else 7 + n - 6),
    ),
}  # fmt: skip

EACH = pytest.mark.parametrize("name", SCHEDULES)
COUNTS = np.arange(30)


@EACH
def test_values_are_those_of_the_formula(name):
    schedule, formula = SCHEDULES[name]
    np.testing.assert_allclose([schedule(n) for n in COUNTS], [formula(n) for n in COUNTS],
                               atol=1e-12)  # fmt: skip
    assert np.shape(schedule(np.int64(3))) == ()


@EACH
def test_arrays_of_counts_and_traced_ones_give_the_same(name):
    schedule, _ = SCHEDULES[name]
    want = [schedule(n) for n in COUNTS]
    np.testing.assert_allclose(schedule(COUNTS), want)
    np.testing.assert_allclose(fgrad.vmap(schedule)(COUNTS), want)
    graph = fgrad.make_graph(schedule)(np.int64(1))
    np.testing.assert_allclose([graph(np.int64(n)) for n in COUNTS], want)


@given(st.integers(0, 40), st.floats(0.1, 3))
def test_a_schedule_differentiates_by_its_values(count, peak):
    def value(peak):
        return s.warmup_cosine_decay_schedule(0.0, peak, 5, 30)(count)

    # the warm-up begins at 0, and so it is linear in the peak
    assert fgrad.grad(value)(peak) == pytest.approx(value(peak) / peak, abs=1e-12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: s.constant_schedule(np.nan), "value must be a finite real number"),
        (lambda: s.linear_schedule(1.0, 0.0, 0), "transition_steps must be an integer"),
        (lambda: s.linear_schedule(1.0, 0.0, 2.5), r"2\.5 \(a float\)"),
        (lambda: s.linear_schedule(1.0, 0.0, 2, -1), "transition_begin must be an integer"),
        (lambda: s.polynomial_schedule(1.0, 0.0, 0.0, 2), "power must be .* greater than 0"),
        (lambda: s.exponential_decay(1.0, 2, 0.0), "decay_rate must be .* greater than 0"),
        (lambda: s.piecewise_constant_schedule(1.0, {2: -1.0}), "A scale must be"),
        (lambda: s.piecewise_constant_schedule(1.0, {2.5: 1.0}), "A boundary must be an integer"),
        (lambda: s.piecewise_interpolate_schedule("cubic", 1.0), "'linear' or 'cosine'"),
        (lambda: s.cosine_decay_schedule(1.0, 0), "decay_steps must be an integer, at least 1"),
        (lambda: s.join_schedules([abs, abs], []), "2 schedules want 1 boundaries that grow"),
        (lambda: s.join_schedules([abs, abs, abs], [5, 2]), r"\[5, 2\]"),
        (lambda: s.warmup_cosine_decay_schedule(0.0, 1.0, 5, 5), "must be an integer, at least 6"),
        (lambda: s.linear_onecycle_schedule(2, 1.0), r"they end at the counts \[0, 1, 2\]"),
        (lambda: s.cosine_onecycle_schedule(10, 1.0, div_factor=0.0), "div_factor must be"),
        (lambda: s.cyclic_schedule(0.0, 1.0, 0), "steps_up must be an integer, at least 1"),
    ],
)  # fmt: skip
def test_what_makes_no_schedule_is_refused(make, text):
    with pytest.raises(ArgumentError, match=text):
        make()
