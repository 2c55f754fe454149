"""Hypothesis profiles: `ci` draws the same few examples each time, `thorough` searches.

`HYPOTHESIS_PROFILE=thorough python -m pytest tests/test_tree.py` takes the second.
"""

from __future__ import annotations

import gc
import os

# Tests run in several processes: BLAS threads would fight for their cores. Before NumPy is loaded.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("FGRAD_TRACEBACK", "full")  # a failing test is looked for in fgrad itself

from hypothesis import HealthCheck, settings  # noqa: E402

settings.register_profile(
    "ci", derandomize=True, max_examples=50, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
settings.register_profile("thorough", max_examples=1000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_collection_finish() -> None:
    """Set the thousands of collected tests aside: each `gc.collect()` would go through them."""
    gc.collect()
    gc.freeze()
