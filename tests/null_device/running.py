"""Start programs for the null device, with what CuPy's wheel needs around them."""

from __future__ import annotations

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from .device import VERSION

ROOT = Path(__file__).resolve().parents[2]


def installed() -> str | None:
    """The version of CuPy's wheel for CUDA 12, which isn't imported here."""
    try:
        return importlib.metadata.version("cupy-cuda12x")
    except importlib.metadata.PackageNotFoundError:
        return None


def needs() -> list[tuple[bool, str]]:
    """What the programs need: whether it is there, and what to say if it isn't."""
    return [
        (installed() == VERSION, f"needs cupy-cuda12x {VERSION}"),
        (bool(shutil.which("gcc") and shutil.which("nm")), "needs gcc and nm"),
    ]


def output_of(libraries: str, module: str, *arguments: str, given: str = "") -> str:
    """What a program prints that runs with these folders of libraries, ``a:b``."""
    environment = {
        **os.environ, "LD_LIBRARY_PATH": libraries, "CUPY_ACCELERATORS": "",
        "PYTHONPATH": str(ROOT), "CUPY_CACHE_SAVE_CUDA_SOURCE": "0",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments], capture_output=True, text=True, cwd=ROOT,
        env=environment, check=False, input=given,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def swept(libraries: Path, part: int, parts: int) -> list[dict[str, Any]]:
    """What the sweep's program prints of a part of the rows."""
    out = output_of(str(libraries), "tests.null_device.sweep", str(part), str(parts))
    return [json.loads(line) for line in out.splitlines()]
