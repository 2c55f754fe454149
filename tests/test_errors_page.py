"""The page of errors says what fgrad says."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
sys.path.insert(0, str(DOCS))

import make_errors  # noqa: E402
from mistakes import MISTAKES  # noqa: E402

PAGE = (DOCS / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: m.title)
def test_a_mistake_gets_the_answer_on_the_page(mistake):
    said = make_errors.by_fgrad(mistake.fgrad)
    assert f"```py\n{mistake.fgrad}\n```\n\n```text\n{said}\n```" in PAGE
    wanted, came, to_do = said.split("\n")
    assert wanted.startswith("fgrad.errors.")
    assert came.startswith("  It got: ")
    assert to_do.startswith("  To do: ")


def test_there_are_twenty():
    assert len(MISTAKES) == 20
