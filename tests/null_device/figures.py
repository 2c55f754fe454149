"""The launches, copies and synchronisations of each row and training step, kept in a file.

    python -m tests.null_device.figures

writes them again. A row has the launches of its jvp, vjp and vmap.
"""

from __future__ import annotations

import json
import sysconfig
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from . import stubs
from .running import swept

FILE = Path(__file__).with_name("figures.json")


def figures_of(found: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What the file holds of a sweep's lines."""
    out: dict[str, dict[str, Any]] = {"rows": {}, "steps": {}}
    for line in found:
        if "steps" in line:
            out["steps"] = line["steps"]
        elif "crash" not in line:
            modes = (line[mode]["device"] for mode in ("jvp", "vjp", "vmap"))
            out["rows"][line["row"]] = [m.get("counts", {}).get("launches", -1) for m in modes]
    return out


def read() -> dict[str, dict[str, Any]]:
    """What the file holds."""
    found: dict[str, dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        stubs.build(Path(sysconfig.get_path("platlib")), Path(folder))
        found = figures_of(swept(Path(folder), 0, 1))
    lines = ",\n".join(
        f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in sorted(found["rows"].items())
    )
    steps = json.dumps(found["steps"], indent=1)
    FILE.write_text(f'{{"steps": {steps},\n"rows": {{\n{lines}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
