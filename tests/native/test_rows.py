"""Every row of the primitives' table as machine code: value and pullback, several in one program.

What can't be lowered runs as NumPy runs it, between parts that are machine code however small they
are. LLVM's optimizer is left out, to whom all of these are alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import fgrad
from fgrad import tree
from fgrad.compiler.native import kernels, regions
from tests import laws
from tests.examples import TABLE

#: Rows of a program: to compile each by itself takes a third longer.
TOGETHER = 8


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Machine code for the smallest parts too, and without optimization."""
    monkeypatch.setattr(regions, "FEW", 0)
    compile = kernels.Kernel.compile
    monkeypatch.setattr(kernels.Kernel, "compile", lambda kernel, *_: compile(kernel, 1, 0))
    with np.errstate(all="ignore"):
        yield


def case(row: Any) -> tuple[Callable[..., Any], list[Any]]:
    """The function of a row with its pullback, and the arguments of two calls."""
    first, other = row.arguments(0), row.arguments(1)
    if row.kind == "constant":
        return row.call, [first, other]
    h, moving = row.fix(first)
    new = [o if x.kind == "f" else a for x, o, a in zip(row.operands, other, first, strict=True)]
    _, pullback = laws.derivatives(h, moving, np.random.default_rng(4))
    return lambda *xs: (h(*xs), pullback(*xs)), [moving, row.fix(new)[1]]


@pytest.mark.parametrize("start", range(0, len(TABLE), TOGETHER), ids=lambda k: str(TABLE[k]))
def test_machine_code_gives_what_the_functions_give(start: int) -> None:
    rows = TABLE[start : start + TOGETHER]
    cases = [case(row) for row in rows]
    g = fgrad.jit(lambda *calls: [f(*xs) for (f, _), xs in zip(cases, calls, strict=True)],
                  backend="native")  # fmt: skip
    wanted = [[f(*calls[k]) for f, calls in cases] for k in (0, 1)]
    results = []
    for k in (0, 0, 1):  # the first call records, and gives what it has recorded
        xs = [calls[k] for _, calls in cases]
        with laws.unchanged(tree.leaves(xs)):
            got = g(*xs)
        for row, a, b in zip(rows, got, wanted[k], strict=True):
            laws.close(a, b, f"{row}: machine code = eager")
        results.append((got, tree.map(np.copy, got)))
    for got, kept in results:
        laws.same_bits(got, kept, f"{rows}: a later call has changed an earlier result")
