"""docs/coverage.md says of each function what is so."""

from __future__ import annotations

import csv
import dataclasses
import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

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
ROWS = [row for rows in coverage.SECTIONS.values() for row in rows]
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


# ------------------------------------------------------------------ transformations
@pytest.mark.parametrize("row", [r for r in ROWS if r.code], ids=lambda r: r.capability)
def test_what_a_row_says_comes_of_it(row):
    coverage.transform_samples.run(row)


def test_the_page_has_the_rows():
    assert coverage.transform_samples.section(coverage.SECTIONS) in TEXT
    names = [row.capability for row in ROWS]
    assert len(set(names)) == len(names)
    assert all(row.note for row in ROWS if not row.code), "a row without code says why"


def test_an_if_under_vmap_is_told_of_cond():
    with pytest.raises(coverage.fgrad.errors.TracerConversionError, match=r"fgrad\.cond\(cond"):
        coverage.fgrad.vmap(lambda x: x if x > 0 else -x)(np.ones(2))


def test_a_sparse_matrix_is_told_how_to_stay_one():
    s = scipy.sparse.csr_array([[0.0, 2.0], [1.0, 0.0]])
    with pytest.raises(coverage.fgrad.errors.DtypeError, match=r"fgrad\.linear\(lambda v: v @ S"):
        coverage.fgrad.jacrev(lambda x: x @ s)(np.ones(2))
    for f in (lambda x: s @ x, lambda x: s.dot(x)):  # SciPy asks for an array
        with pytest.raises(coverage.fgrad.errors.TracerConversionError):
            coverage.fgrad.jacrev(f)(np.ones(2))


def test_a_row_that_is_wrong_is_found():
    row = next(row for row in ROWS if row.capability == "hessian")
    for wrong in (dataclasses.replace(row, value=row.value + 1e-6),
                  dataclasses.replace(row, value=ValueError)):  # fmt: skip
        with pytest.raises(AssertionError, match="hessian"):
            coverage.transform_samples.run(wrong)
