"""The tables of `docs/coming_from/`: each row runs, and both columns give the same."""

from __future__ import annotations

import importlib
import importlib.util
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fgrad import tree

PAGES = Path(__file__).resolve().parent.parent / "docs" / "coming_from"
#: The page's name of the other library, and what to import.
LIBRARIES = {"autograd": "autograd", "jax": "jax", "mygrad": "mygrad", "pytorch": "torch"}
TITLES = {"autograd": "autograd", "jax": "JAX", "mygrad": "MyGrad", "pytorch": "PyTorch"}
#: JAX computes in float32.
RTOL = 1e-5


def rows(page: str) -> list[tuple[str, str, str]]:
    """What a row is about, and the code of its two columns, which may be empty."""
    found = []
    for line in (PAGES / f"{page}.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[2].startswith("`"):
            found.append((cells[0], cells[1].strip("`"), cells[2].strip("`")))
    return found


def namespace(page: str, title: str) -> dict[str, Any]:
    """What a column begins with: its own block, and the one for both."""
    blocks = re.findall(
        r"```py\n# (.*?)\n(.*?)```", (PAGES / f"{page}.md").read_text("utf-8"), re.S
    )
    names: dict[str, Any] = {}
    done = set()
    for heading, code in blocks:
        if heading in (title, "both") and heading not in done:
            done.add(heading)  # later blocks of a library show more than the table needs
            exec(code, names)
    return names


def leaves(x: Any) -> list[np.ndarray]:
    """The numbers of a result of any of the libraries."""
    if callable(x) or x is None:
        return []
    return [
        np.asarray(leaf.detach() if hasattr(leaf, "detach") else leaf) for leaf in tree.leaves(x)
    ]


@pytest.mark.parametrize("page", LIBRARIES)
def test_each_row_of_fgrad_runs(page: str) -> None:
    names = namespace(page, "fgrad")
    assert len(rows(page)) > 10
    for _, _, ours in rows(page):
        eval(ours, names)


@pytest.mark.parametrize("page", LIBRARIES)
def test_both_columns_give_the_same(page: str) -> None:
    if importlib.util.find_spec(LIBRARIES[page]) is None:
        pytest.skip(f"{LIBRARIES[page]} isn't installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the other library
        names = namespace(page, TITLES[page])
        theirs = {what: leaves(eval(code, names)) for what, code, _ in rows(page) if code}
    names = namespace(page, "fgrad")
    for what, code, ours in rows(page):
        if code:
            found = leaves(eval(ours, names))
            assert len(found) == len(theirs[what]), what
            for a, b in zip(theirs[what], found, strict=True):
                np.testing.assert_allclose(a, b, rtol=RTOL, atol=1e-6, err_msg=what)
