"""What pages need when their code runs: a folder for each, no display, few random examples."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

os.environ.setdefault("MPLBACKEND", "Agg")
settings.register_profile(
    "pages", derandomize=True, max_examples=15, deadline=None, database=None,
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


@pytest.fixture(autouse=True)
def _page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a page write its pictures and files where they do no harm; close its figures."""
    monkeypatch.chdir(tmp_path)
    profile = settings.get_current_profile_name()
    settings.load_profile("pages")
    with threadpool_limits(1):  # as in other tests: several processes share the cores
        yield
    settings.load_profile(profile)
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        pyplot.close("all")
