"""What `import fgrad` loads, and that all public names are there when they are asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import fgrad

#: Modules that make an import slow, and that most programs don't need.
SLOW = [
    "fgrad.compiler", "fgrad.control", "fgrad.debug", "fgrad.drawing", "fgrad.numpy",
    "fgrad.random", "fgrad.solutions", "importlib.metadata", "json", "numpy.random", "scipy",
    "subprocess",
]  # fmt: skip


def names_for_type_checkers() -> set[tuple[str, str]]:
    """The pairs of module and name in the block that only type checkers read."""
    file = fgrad.__file__
    assert file is not None
    body = ast.parse(Path(file).read_text(encoding="utf-8")).body
    block = next(n for n in body if isinstance(n, ast.If))
    return {
        (n.module or "", a.name)
        for n in block.body
        if isinstance(n, ast.ImportFrom)
        for a in n.names
    }


def test_type_checkers_and_python_see_the_same_names() -> None:
    later = {(module, name) for module, names in fgrad._LATER.items() for name in names}
    assert names_for_type_checkers() == later | {("", name) for name in fgrad._SUBMODULES}


def test_each_name_is_found_and_listed() -> None:
    for name in dir(fgrad):
        assert getattr(fgrad, name) is getattr(fgrad, name)
    assert {"jit", "scan", "debug", "random", "__version__"} <= {*dir(fgrad)}


def test_completion_offers_no_module_of_the_inside() -> None:
    program = (
        "import fgrad, types; fgrad.jit; import fgrad.sparse\n"
        "print(*[n for n in dir(fgrad) if isinstance(getattr(fgrad, n), types.ModuleType)])"
    )
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == [
        "checkpoint_policies", "debug", "distributed", "errors", "numpy", "random", "sparse",
        "tree",
    ]  # fmt: skip


def test_a_name_that_is_none() -> None:
    with pytest.raises(AttributeError, match="module 'fgrad' has no attribute 'gard'"):
        fgrad.gard  # noqa: B018


def test_importing_leaves_what_is_slow() -> None:
    program = f"import sys, fgrad; print(*[m for m in {SLOW} if m in sys.modules])"
    out = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert out.stdout.split() == []
