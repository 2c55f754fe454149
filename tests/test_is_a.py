"""fgrad's own code has to tell arrays from tracers: it asks `is_a`, never `isinstance`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: Classes in lower case that no tracer stands for.
HARMLESS = {
    "array.array", "bytearray", "bytes", "dict", "frozenset", "functools.partial", "list",
    "np.matrix", "np.ufunc", "property", "set", "slice", "str", "tuple", "type", "types.ModuleType",
    "weakref.ref", "_np.ufunc", "deque", "partial", "range", "staticmethod", "classmethod",
}  # fmt: skip
#: By file, what goes by the class of no array and no number.
ALLOWED = {
    ("fgrad/__init__.py", "type(_typing)"),
    ("fgrad/batch.py", "__class__"),  # its definition
    ("fgrad/compiler/captured.py", "CONTAINERS"),
    ("fgrad/compiler/captured.py", "DESCRIPTORS"),
    ("fgrad/elsewhere.py", "__class__"),
    ("fgrad/elsewhere.py", "type(sys)"),
    ("fgrad/ops/choice.py", "lists"),
    ("fgrad/tracebacks.py", "EXPECTED"),
    ("fgrad/tracer.py", "__class__"),  # its definition
}
NUMERIC = {"Complex", "Integral", "Number", "Rational", "Real"}


def _classes_in(node: ast.AST) -> Iterator[str]:
    """The classes that an expression for one, or for several, is made of."""
    if isinstance(node, ast.Tuple):
        for part in node.elts:
            yield from _classes_in(part)
    elif isinstance(node, ast.BinOp):
        yield from _classes_in(node.left)
        yield from _classes_in(node.right)
    elif isinstance(node, ast.Starred):
        yield from _classes_in(node.value)
    else:
        yield ast.unparse(node)


def _asks_for_a_number(node: ast.AST, file: str) -> bool:
    """Whether a class may be that of an array or a number: it isn't known to be another."""
    for name in _classes_in(node):
        word = name.rpartition(".")[2]
        other = re.fullmatch(r"_*[A-Z]\w*[a-z]\w*", word) and word not in NUMERIC
        if not other and name not in HARMLESS and (file, name) not in ALLOWED:
            return True
    return False


def _offences(source: str, file: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        where = f"{file}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, (ast.Name, ast.Attribute)):
            word = node.id if isinstance(node, ast.Name) else node.attr
            reads = word == "__class__" and isinstance(node.ctx, ast.Load)
            if (reads or word == "singledispatch") and (file, word) not in ALLOWED:
                yield f"{where}: {word} is that of what a tracer stands for; write type(...)"
        if isinstance(node, ast.MatchClass) and _asks_for_a_number(node.cls, file):
            yield f"{where}: case {ast.unparse(node)}"
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "isinstance"
            and _asks_for_a_number(node.args[1], file)
        ):
            yield f"{where}: {ast.unparse(node)}; write is_a(...) of fgrad.arrays"


def test_ours_asks_for_the_class_itself() -> None:
    found: list[str] = []
    for package in ("fgrad", "fgrad_nn"):
        for path in sorted((ROOT / package).rglob("*.py")):
            found += _offences(path.read_text(), path.relative_to(ROOT).as_posix())
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "text",
    [
        "isinstance(x, np.ndarray)",
        "isinstance(x, (list, float))",
        "isinstance(x, float | str)",
        "isinstance(x, PYTHON_SCALARS)",
        "isinstance(x, kinds)",
        "isinstance(x, np.generic)",
        "isinstance(x, numbers.Number)",
        "match x:\n    case int(): pass",
        "f = functools.singledispatch(g)",
        "x.__class__ is float",
    ],
)
def test_a_slip_would_be_found(text: str) -> None:
    assert list(_offences(text, "a.py"))


@pytest.mark.parametrize(
    "text",
    [
        "isinstance(x, (Tracer, list))",
        "isinstance(x, np.ufunc)",
        "isinstance(x, str | os.PathLike)",
    ],
)
def test_other_classes_are_free(text: str) -> None:
    assert not list(_offences(text, "a.py"))
