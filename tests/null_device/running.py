"""Start the sweep's program, with what CuPy's wheel needs around it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def swept(libraries: Path, part: int, parts: int) -> list[dict[str, Any]]:
    """What the sweep's program prints of a part of the rows."""
    environment = {
        **os.environ, "LD_LIBRARY_PATH": str(libraries), "CUPY_ACCELERATORS": "",
        "PYTHONPATH": str(ROOT), "CUPY_CACHE_SAVE_CUDA_SOURCE": "0",
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.null_device.sweep", str(part), str(parts)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return [json.loads(line) for line in done.stdout.splitlines()]
