"""The real CuPy, without a GPU: shapes, dtypes, refusals, launches, copies, synchronisations.

Needs CuPy's wheel of the version that the null device knows, on Linux, with gcc; see `device.py`.
"""

from __future__ import annotations

import sysconfig
from pathlib import Path

import pytest

from . import stubs
from .figures import FILE, figures_of, read
from .running import needs, swept

PARTS = 4


pytestmark = [pytest.mark.skipif(not ok, reason=reason) for ok, reason in needs()]


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries that do nothing, compiled."""
    folder = tmp_path_factory.mktemp("stubs")
    stubs.build(Path(sysconfig.get_path("platlib")), folder)
    return folder


@pytest.mark.parametrize("part", range(PARTS))
def test_rows_are_on_the_device_as_on_the_host_without_waiting(libraries: Path, part: int) -> None:
    found = swept(libraries, part, PARTS)
    assert len(found) > 100
    wrong = []
    for row in found:
        if "crash" in row:
            wrong.append(f"{row['row']}: a crash")
        for mode in ("jvp", "vjp", "vmap"):
            if mode not in row:
                continue
            host, device = row[mode]["host"], row[mode]["device"]
            what = f"{row['row']}, {mode}: "
            if "error" in device or "error" in host:
                wrong.append(what + device.get("error", host.get("error", "")))
                continue
            wanted = [["device", *y[1:]] for y in host["out"]]
            if device["out"] != wanted:
                wrong.append(f"{what}{device['out']}, not {wanted}")
            waited = {k: device["counts"].get(k, 0) for k in ("syncs", "to host")}
            if any(waited.values()):
                wrong.append(f"{what}{waited}")
    assert wrong == []
    old = read()
    for what, new in figures_of(found).items():
        changed = {k: (old[what].get(k), v) for k, v in new.items() if old[what].get(k) != v}
        assert changed == {}, f"write {FILE.name} again: python -m tests.null_device.figures"


def test_a_training_step_waits_for_nothing() -> None:
    steps = read()["steps"]
    assert len(steps) >= 3
    for counts in steps.values():
        assert counts["launches"] > 0
        assert (counts["syncs"], counts["to host"], counts["to device"]) == (0, 0, 0)
