"""Compiled steps through the real CuPy, without a GPU: launches, waiting, and NVRTC."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from ..null_device import stubs
from ..null_device.running import needs, output_of
from . import figures

PACKAGES = Path(sysconfig.get_path("platlib"))
NVRTC = PACKAGES / "nvidia" / "cuda_nvrtc" / "lib"


pytestmark = [pytest.mark.skipif(not ok, reason=reason) for ok, reason in needs()]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The libraries that do nothing, compiled."""
    folder = tmp_path_factory.mktemp("stubs")
    stubs.build(PACKAGES, folder)
    return folder


@pytest.fixture(scope="module")
def found(libraries: Path) -> dict[str, Any]:
    """What the steps ask of the device."""
    return figures.measured(libraries)


def test_launches_are_those_of_the_documentation(found: dict[str, Any]) -> None:
    kept = json.loads(figures.FILE.read_text(encoding="utf-8"))
    assert found["steps"] == kept, "write them again: python -m tests.jit_cupy.figures"
    assert figures.in_page() == figures.table(kept)


def test_a_compiled_step_waits_for_nothing_and_launches_less(found: dict[str, Any]) -> None:
    for n in found["steps"].values():
        with_kernels = n["kernels"]
        waits = [with_kernels[k] for k in ("syncs", "to host", "to device")]
        assert waits == [0, 0, 0]
        assert with_kernels["launches"] < min(n["calls"], n["eager"])


@pytest.mark.skipif(not NVRTC.exists(), reason="needs nvidia-cuda-nvrtc-cu12")
def test_kernels_compile_for_several_gpus(libraries: Path, found: dict[str, Any]) -> None:
    sources = found["sources"]
    assert len(sources) >= 5
    out = output_of(
        f"{libraries}:{NVRTC}", "tests.jit_cupy.compiling", given=json.dumps(sources)
    )  # fmt: skip
    sizes = [[int(n) for n in line.split()] for line in out.splitlines()]
    assert len(sizes) == len(sources)
    assert all(len(s) == 3 and min(s) > 1000 for s in sizes)
