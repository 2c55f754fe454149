"""The launches of training steps, kept in a file and in the documentation.

    python -m tests.jit_cupy.figures

writes both again.
"""

from __future__ import annotations

import json
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

from ..null_device import stubs
from ..null_device.running import ROOT, output_of

FILE = Path(__file__).with_name("figures.json")
PAGE = ROOT / "docs" / "gpu.md"
BEGIN, END = "<!-- launches of training steps -->", "<!-- end of launches -->"


def measured(libraries: Path) -> dict[str, Any]:
    """What the program prints."""
    found: dict[str, Any] = json.loads(output_of(str(libraries), "tests.jit_cupy.launches"))
    return found


def table(steps: dict[str, Any]) -> str:
    """The figures as the documentation shows them."""
    lines = [
        "| training step | as it is written | `jit`, CuPy's functions | `jit`, with kernels |",
        "|---|---|---|---|",
    ]
    for name, n in steps.items():
        lines.append(f"| {name} | {n['eager']} | {n['calls']} | {n['kernels']['launches']} |")
    return "\n".join(lines)


def in_page() -> str:
    """The table that the documentation has."""
    return PAGE.read_text(encoding="utf-8").split(BEGIN)[1].split(END)[0].strip()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stubs.build(Path(sysconfig.get_path("platlib")), Path(folder))
        steps = measured(Path(folder))["steps"]
    FILE.write_text(json.dumps(steps, indent=1) + "\n", encoding="utf-8")
    before, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(steps)}\n\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
