"""Users' programs pass the type checkers, and mistakes in them are found."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PROGRAMS = sorted((HERE / "programs").glob("*.py"))


@pytest.fixture(scope="module", params=["mypy", "pyright"])
def found(request: pytest.FixtureRequest) -> dict[str, list[int]]:
    """For each program, the lines in which a checker finds errors."""
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    if request.param == "pyright":
        started = subprocess.run([sys.executable, "-m", "pyright", "--version"], check=False)
        if started.returncode:
            pytest.skip("pyright doesn't start")
    options = (
        ["--strict", "--follow-imports=silent", "--no-error-summary"]
        if request.param == "mypy"
        else []
    )
    out = subprocess.run(
        [sys.executable, "-m", request.param, *options, *map(str, PROGRAMS)],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    assert out.returncode in (0, 1), out.stdout + out.stderr
    lines: dict[str, list[int]] = {p.name: [] for p in PROGRAMS}
    for name, number in re.findall(r"([a-z_]+\.py):(\d+).*error", out.stdout):
        if name not in lines:
            pytest.fail(out.stdout)
        lines[name].append(int(number))
    return lines


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_errors_are_found_where_there_are_some(program: Path, found: dict[str, list[int]]) -> None:
    text = program.read_text(encoding="utf-8").splitlines()
    wrong = [i for i, line in enumerate(text, 1) if "# error" in line]
    assert found[program.name] == wrong


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda p: p.stem)
def test_the_programs_run(program: Path) -> None:
    out = subprocess.run(
        [sys.executable, str(program)], capture_output=True, text=True, check=False, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert (out.returncode == 0) == (program.stem != "mistakes"), out.stderr
