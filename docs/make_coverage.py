"""Writes `docs/coverage.md`, by running it: transformations, and each function of `functions.csv`.

    python docs/make_coverage.py           # prints what has neither a case that works nor a reason
    python docs/make_coverage.py --write   # runs all cases and writes the table; takes a minute

The cases are the rows of the tests' table; `coverage_samples.py` adds what has no row there, and
`transform_table.py` has those of transformations.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

DOCS = Path(__file__).resolve().parent
sys.path[:0] = [str(DOCS.parent), str(DOCS)]

import transform_samples  # noqa: E402
from coverage_samples import CASES, CHECKS, EAGER, FACTS, RAISES  # noqa: E402
from transform_table import SECTIONS  # noqa: E402

import fgrad  # noqa: E402
from fgrad.errors import FgradError  # noqa: E402
from tests import laws, laws_of_vmap  # noqa: E402
from tests.examples import TABLE, Row, methods  # noqa: E402

LAWS: dict[str, Callable[..., None]] = {
    "forward, reverse": laws.first_order,
    "second order": laws.second_order,
    "vmap": laws_of_vmap.batching,
    "graph": laws.staging,
}


@dataclass
class Finding:
    """What fgrad does with one function."""

    module: str
    function: str
    status: str = "missing"
    rows: Sequence[Row] = ()
    note: str = ""
    only: Sequence[str] = ()
    passed: dict[str, bool] = field(default_factory=dict)


def rows_by_function() -> dict[Any, list[Row]]:
    """The rows of the tests' table for each function of NumPy and SciPy."""
    found: dict[Any, list[Row]] = defaultdict(list)
    for row in TABLE:
        found[row.of].append(row)
    return found


def resolve(module: str, function: str) -> Any:
    """The function itself, or None if the installed library doesn't have it."""
    try:
        here = importlib.import_module(module)
        for part in function.split("."):
            here = getattr(here, part)
    except (ImportError, AttributeError):
        return None
    return here


def rows_of_method(name: str) -> list[Row]:
    """The rows that call a method of an array by its name."""
    codes = ((row, getattr(row.call, "__code__", None)) for row in methods.ROWS)
    return [row for row, code in codes if code is not None and name in code.co_names]


def find(module: str, function: str, known: dict[Any, list[Row]]) -> Finding:
    """What there is to run for one function."""
    name = f"{module}.{function}"
    out = Finding(module, function)
    if name in RAISES:
        out.status = "raises"
        return out
    if name in FACTS:
        out.status = "fact"
        return out
    if name in CHECKS:
        out.status = "yes"
        return out
    if name in CASES:
        rows = [CASES[name]]
    elif name in EAGER:
        rows, out.only = [EAGER[name]], ("forward, reverse", "second order")
    elif module == "numpy.ndarray":
        # NumPy 2.0 still has the name of `ptp`, which raises.
        gone = not hasattr(np.ndarray, function) or function == "ptp"
        if function.isidentifier() and gone and function != "at":
            out.status = "absent"
            return out
        rows = rows_of_method(function)
    else:
        fn = resolve(module, function)
        if fn is None:
            out.status = "absent"
            return out
        rows = known.get(fn, [])
    if rows:
        out.status = "constant" if all(r.kind == "constant" for r in rows) else "yes"
        out.rows = rows
    return out


def run(finding: Finding) -> None:
    """Run the cases of a finding and note the laws that hold."""
    name = f"{finding.module}.{finding.function}"
    if finding.status == "raises":
        try:
            fgrad.vjp(RAISES[name], np.array([[1.5, 0.5, 2.5], [0.25, 3.0, 1.0]]))
        except FgradError as e:
            finding.note = " ".join(f"{e.wanted} To do: {e.to_do}.".split())
        else:
            raise AssertionError(f"{name} was to raise")
    elif finding.status == "fact":
        x = np.array([[1.5, 0.5, 2.5], [0.25, 3.0, 1.0]])
        seen: list[Any] = []
        fgrad.vjp(lambda x: (seen.append(FACTS[name](x)), x)[1], x)
        np.testing.assert_equal(seen[0], FACTS[name](x))
    elif name in CHECKS:
        CHECKS[name]()
        finding.passed = dict.fromkeys(LAWS, True)
    for row in finding.rows:
        for law, check in LAWS.items():
            if finding.only and law not in finding.only:
                continue
            if row.kind == "constant":
                check = {"forward, reverse": laws.constant, "second order": None}.get(law, check)
            if check is not None:
                check(row)
                finding.passed[law] = True
        if row.complex and row.kind != "constant":
            laws.first_order(row, np.complex128)
            finding.passed["complex"] = True


#: What the words in the table mean.
WORDS = {
    "yes": "yes",
    "constant": "yes, derivative zero",
    "fact": "yes, a fact",
    "raises": "raises",
    "absent": "not in the installed library",
}


def table(findings: Sequence[Finding]) -> str:
    """The page."""
    count: dict[str, int] = defaultdict(int)
    for f in findings:
        count[f.status] += 1
    lines = [
        "# Coverage",
        "",
        "What fgrad has of the transformations that there are, and what it does with the functions "
        "of NumPy and SciPy. `docs/make_coverage.py` writes this page, and runs all of it.",
        "",
        transform_samples.section(SECTIONS),
        "## Functions",
        "",
        "For each function the cases of the tests' table (`tests/examples`) are run.",
        f"Of {len(findings)} functions {count['yes']} have derivatives, {count['constant']} are "
        "piecewise constant and have the derivative zero, "
        f"{count['fact']} are facts about an array, which work and have no derivative, and "
        f"{count['raises']} raise an error that says why and what to do."
        + (f" {count['absent']} are not in the installed libraries." if count["absent"] else ""),
        "",
        "A mark says that the law holds in all cases: forward is the difference quotient and "
        "reverse its adjoint; both again at second order; vmap is the stack of calls; a recorded "
        "graph is the function on other data, with its derivatives; and the first for complex "
        "numbers, where the function takes them. Functions whose result has a shape that depends "
        "on values (`unique`) work eagerly and raise under `vmap` and in graphs.",
    ]
    module = None
    columns = [*LAWS, "complex"]
    for f in findings:
        if f.module != module:
            module = f.module
            head = " | ".join(columns)
            lines += ["", f"## {module}", "", f"| function | fgrad | cases | {head} |"]
            lines += [f"|---|---|---:|{':---:|' * len(columns)}"]
        if f.note:
            cells = f"{WORDS[f.status]}: {f.note.replace('|', chr(92) + '|')} | |" + " |" * len(
                columns
            )
        else:
            marks = " | ".join("✓" if f.passed.get(c) else "" for c in columns)
            cells = f"{WORDS[f.status]} | {len(f.rows) or ''} | {marks} |"
        lines.append(f"| `{f.function}` | {cells}")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Find, run, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help="run all cases, write the table")
    options = parser.parse_args()
    known = rows_by_function()
    with open(DOCS / "functions.csv", newline="") as file:
        findings = [find(e["module"], e["function"], known) for e in csv.DictReader(file)]
    missing = [f"{f.module}.{f.function}" for f in findings if f.status == "missing"]
    for name in missing:
        print(name)
    if missing or not options.write:
        return len(missing) > 0
    for row in (row for rows in SECTIONS.values() for row in rows if row.code):
        transform_samples.run(row)
    for finding in findings:
        with laws.quiet():
            run(finding)
    (DOCS / "coverage.md").write_text(table(findings))
    return 0


if __name__ == "__main__":
    sys.exit(main())
