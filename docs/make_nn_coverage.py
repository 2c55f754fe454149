"""Writes `docs/nn_coverage.md`: what other libraries of networks offer, and what it is here.

    python docs/make_nn_coverage.py           # prints names that `fgrad_nn` doesn't have
    python docs/make_nn_coverage.py --write   # writes the page

The rows are those of `nn_names.csv`: layers, losses, optimizers and the rest that PyTorch, flax,
equinox, stax, haiku and optax have; names in `fgrad_nn`, or a reason for there being none.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

DOCS = Path(__file__).resolve().parent
sys.path.insert(0, str(DOCS.parent))

import numpy as np  # noqa: E402

import fgrad_nn  # noqa: E402

PAGE = DOCS / "nn_coverage.md"

TITLES = {
    "layer": "Layers", "combinator": "Combinators", "activation": "Activations", "loss": "Losses",
    "initializer": "Initializers", "optimizer": "Optimizers",
    "optimizer wrapper": "Around optimizers", "schedule": "Schedules",
    "gradient transformation": "Transformations of gradients", "projection": "Projections",
    "metric": "Metrics", "model utility": "Models as a whole",
}  # fmt: skip


class Row(NamedTuple):
    """One thing that a library of networks may have."""

    category: str
    name: str
    priority: str
    here: tuple[str, ...]
    note: str


def rows() -> list[Row]:
    """The table."""
    with open(DOCS / "nn_names.csv", newline="", encoding="utf-8") as file:
        return [
            Row(
                r["category"], r["name"], r["priority"],
                tuple(filter(None, r["here"].split(", "))), r["note"],
            )
            for r in csv.DictReader(file)
        ]  # fmt: skip


def find(name: str) -> Any:
    """What a name of the table stands for, in `fgrad_nn` or NumPy; None if there is nothing."""
    numpys = name.startswith("numpy.")
    found: Any = np if numpys else fgrad_nn
    for part in name.removeprefix("numpy.").split("."):
        found = getattr(found, part, None)
    return found


def page() -> str:
    """The text of the page."""
    by_category = defaultdict(list)
    for row in rows():
        by_category[row.category].append(row)
    built = sum(bool(row.here) for row in rows())
    lines = [
        "# What other libraries have",
        "",
        "What PyTorch, flax, equinox, stax, haiku and optax offer for networks, and its name in "
        "`fgrad_nn`.",
        f"Of {len(rows())} rows {built} are here; the others say why they aren't, and what to do.",
        "`python docs/make_nn_coverage.py --write` writes this page.",
    ]
    for category, title in TITLES.items():
        lines += ["", f"## {title}", "", "| | in `fgrad_nn` | |", "|---|---|---|"]
        for row in by_category[category]:
            here = ", ".join(f"`{name}`" for name in row.here) or "-"
            lines.append(f"| {row.name} | {here} | {row.note} |".replace("  |", " |"))
    return "\n".join(lines) + "\n"


def main() -> None:
    """Check, and write if asked to."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    if options.parse_args().write:
        PAGE.write_text(page(), encoding="utf-8")
    for row in rows():
        for name in row.here:
            if find(name) is None:
                print(f"{row.category}: {row.name}: no {name}")


if __name__ == "__main__":
    main()
