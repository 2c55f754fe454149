"""Start programs for the null device, with what CuPy's wheel needs around them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


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
