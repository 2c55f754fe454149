"""The benchmark of a step runs, and compares losses with those of NumPy written by hand."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_it_prints_a_row_for_each_peer():
    command = [sys.executable, str(ROOT / "benchmarks" / "training.py")]
    done = subprocess.run(
        [*command, "--only", "fgrad,fgrad.jit", "--seconds", "0.01"], check=True, text=True,
        capture_output=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    rows = [line.split(" | ")[0] for line in done.stdout.splitlines()[2:]]
    assert rows == ["| hand", "| fgrad", "| fgrad.jit", "| fgrad.jit in `fit`, with batches"]
