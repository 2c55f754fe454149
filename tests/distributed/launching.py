"""Starting several processes: `mpiexec`, with the interpreter and the packages of the tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
#: Wheels of MPI put it beside the interpreter.
MPIEXEC = Path(sys.executable).parent / "mpiexec"


def mpiexec(
    ranks: int, *command: object, timeout: float = 120.0
) -> subprocess.CompletedProcess[str]:
    """Run a Python program on some ranks."""
    pytest.importorskip("mpi4py", reason="the extra mpi")
    if not MPIEXEC.exists():
        pytest.skip("no mpiexec beside the interpreter")
    path = os.pathsep.join([str(ROOT), str(ROOT / "examples"), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [str(MPIEXEC), "-n", str(ranks), sys.executable, *map(str, command)],
        env=environment, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip
