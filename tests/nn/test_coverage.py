"""docs/nn_coverage.md tells the truth, and leaves nothing out that is common."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
_spec = importlib.util.spec_from_file_location("make_nn_coverage", DOCS / "make_nn_coverage.py")
coverage = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(coverage)
ROWS = coverage.rows()


def test_the_page_is_what_the_script_writes():
    assert coverage.PAGE.read_text(encoding="utf-8") == coverage.page(), "write it again"


@pytest.mark.parametrize("category", coverage.TITLES)
def test_every_name_is_there(category):
    names = [name for row in ROWS if row.category == category for name in row.here]
    assert names
    assert [name for name in names if coverage.find(name) is None] == []


def test_what_is_core_or_common_is_built_and_what_is_not_has_a_reason():
    assert {row.category for row in ROWS} == {*coverage.TITLES}
    assert [row.name for row in ROWS if row.priority != "rare" and not row.here] == []
    assert [row.name for row in ROWS if not row.here and not row.note] == []
    assert {row.priority for row in ROWS} == {"core", "common", "rare"}


def test_a_name_that_is_not_there_is_found_out():
    assert coverage.find("layers.no_such_layer") is None
    assert coverage.find("no.such.module") is None
