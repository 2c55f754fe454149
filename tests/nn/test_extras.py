"""`import fgrad_nn` needs no extra, and takes no time for what a program doesn't use."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from fgrad.errors import MissingPackageError
from fgrad_nn.extras import extra

FILES = sorted((Path(__file__).parents[2] / "fgrad_nn").rglob("*.py"))


def test_no_file_imports_an_extra():
    for file in FILES:
        for node in ast.walk(ast.parse(file.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {n.partition(".")[0] for n in names} & {"safetensors", "tqdm"}, file


def test_a_missing_package_is_named():
    with pytest.raises(
        MissingPackageError, match=r"(?s)draw wants the package no_such.*fgrad\[nn\]"
    ):
        extra("no_such.module", "draw")
    with pytest.raises(ImportError):  # of a package that is there, it is Python's own
        extra("numpy.no_such", "draw")
