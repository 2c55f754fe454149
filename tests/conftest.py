"""Hypothesis profiles: `ci` draws the same few examples each time, `dev` searches."""

from __future__ import annotations

import gc
import os

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "ci", derandomize=True, max_examples=50, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.register_profile("dev", max_examples=300, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(scope="session", autouse=True)
def _heap_of_the_collected_tests_left_alone():
    """Tests that call the garbage collector wait for their own objects, not for all tests'."""
    gc.collect()
    gc.freeze()
