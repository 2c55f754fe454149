"""docs/coverage.md says of each function what is so."""

from __future__ import annotations

import csv
import importlib.util
import re
import sys
from pathlib import Path

import pytest

from . import laws

DOCS = Path(__file__).resolve().parent.parent / "docs"
TEXT = (DOCS / "coverage.md").read_text()


def load(name):
    """A script of the documentation as a module."""
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


samples = load("coverage_samples")
coverage = load("make_coverage")
KNOWN = coverage.rows_by_function()
with open(DOCS / "functions.csv", newline="") as _file:
    ENTRIES = [(e["module"], e["function"]) for e in csv.DictReader(_file)]
OWN = {
    name: coverage.find(*split, KNOWN)
    for split in ENTRIES
    if (name := ".".join(split)) in samples.CASES | samples.EAGER | samples.FACTS | samples.RAISES
}


def test_every_function_has_a_line_that_is_still_true():
    lines, module = [], None
    for line in TEXT.splitlines():
        if line.startswith("## "):
            module = line[3:]
        found = re.match(r"\| `(.+?)` \| ([^|:]+)", line)
        if found:
            lines.append((module, found[1], found[2].strip()))
    assert [line[:2] for line in lines] == ENTRIES
    for module, function, words in lines:
        finding = coverage.find(module, function, KNOWN)
        if finding.status == "absent":  # from this version of NumPy or SciPy
            continue
        assert words == coverage.WORDS[finding.status], f"{module}.{function}: write it again"


def test_the_samples_are_of_functions_that_are_listed():
    names = {".".join(entry) for entry in ENTRIES}
    for table in (samples.CASES, samples.EAGER, samples.CHECKS, samples.FACTS, samples.RAISES):
        assert set(table) <= names


@pytest.mark.parametrize("name", OWN)
def test_a_case_of_the_page_alone(name):
    with laws.quiet():
        coverage.run(OWN[name])
    if OWN[name].note:
        assert OWN[name].note.replace("|", "\\|") in TEXT
