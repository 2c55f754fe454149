"""Chunks: a long program as several functions, which are compiled one after the other.

Python's compiler takes 4 kB for each line while it works, and keeps them until the function is
done: for a thousand lines that is more than many a program's arrays.
"""

from __future__ import annotations

import linecache
import re
from collections.abc import Sequence
from itertools import count
from typing import Any

#: Lines of a function.
LONG = 150

_NAME = re.compile(r"[A-Za-z_]\w*")
_ASSIGNED = re.compile(r"((?:\w+, )*\w+,?) = ")
_serial = count(1)


def chunks(
    lines: Sequence[str], known: Sequence[str], after: Sequence[str]
) -> tuple[list[str], list[str]]:
    """Functions that do what lines do, and lines that call them; no functions for few lines.

    Args:
        lines: statements; those that begin with a space belong to the one before.
        known: local names that are there before.
        after: code that reads what the lines have made.
    """
    if len(lines) < 2 * LONG:
        return [], [*lines]
    groups: list[list[str]] = [[]]
    for line in lines:
        if len(groups[-1]) >= LONG and not line.startswith(" "):
            groups.append([])
        groups[-1].append(line)
    read = [set(_NAME.findall("\n".join(group))) for group in groups]
    later = set(_NAME.findall("\n".join(after)))
    wanted = [later]
    for names in reversed(read[1:]):
        wanted.insert(0, wanted[0] | names)
    functions, calls = [], []
    there = dict.fromkeys(known)
    for k, group in enumerate(groups):
        found = [m[1] for line in group if (m := _ASSIGNED.match(line.lstrip()))]
        made = dict.fromkeys(name for names in found for name in _NAME.findall(names))
        given = ", ".join(name for name in there if name in read[k])
        answers = [name for name in made if name in wanted[k]]
        text = "".join(f"{name}, " for name in answers)
        functions.append("\n".join([
            f"def chunk{k}({given}):",
            *(f"    {line}" for line in group),
            *([f"    return {text}"] if answers else []),
        ]))  # fmt: skip
        calls.append(f"{text.rstrip()} = chunk{k}({given})" if answers else f"chunk{k}({given})")
        there.update(made)
    return functions, calls


class Lines(Sequence[str]):
    """The lines of a text, which is split when somebody reads them."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __len__(self) -> int:
        return self._text.count("\n") + 1

    def __getitem__(self, index: Any) -> Any:
        return self._text.splitlines(True)[index]


def execute(functions: Sequence[str], names: dict[str, Any]) -> tuple[str, str]:
    """Define functions among names; the whole source, and the file that tracebacks find it by."""
    file = f"<fgrad.jit {next(_serial)}>"
    source = "\n".join(functions)
    linecache.cache[file] = len(source), None, Lines(source), file  # type: ignore[assignment]
    before = 0
    for text in functions:
        exec(compile("\n" * before + text, file, "exec"), names)
        before += text.count("\n") + 1
    return source, file
