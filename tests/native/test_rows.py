"""Every row of the primitives' table as machine code: value and pullback, in one program.

What can't be lowered runs as NumPy runs it, between parts that are machine code however small they
are. LLVM's optimizer is left out, to whom all of these are alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fgrad
from fgrad import tree
from fgrad.compiler.native import kernels, regions
from tests import laws
from tests.examples import TABLE


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Machine code for the smallest parts too, and without optimization."""
    monkeypatch.setattr(regions, "FEW", 0)
    compile = kernels.Kernel.compile
    monkeypatch.setattr(kernels.Kernel, "compile", lambda kernel, level=2: compile(kernel, 0))
    with np.errstate(all="ignore"):
        yield


@pytest.mark.parametrize("row", TABLE, ids=str)
def test_machine_code_gives_what_the_function_gives(row: Any) -> None:
    first, other = row.arguments(0), row.arguments(1)
    f: Any = row.call
    calls = [first, other]
    if row.kind != "constant":
        h, moving = row.fix(first)
        new = [o if x.kind == "f" else a for x, o, a in zip(row.operands, other, first,
                                                            strict=True)]  # fmt: skip
        _, pullback = laws.derivatives(h, moving, np.random.default_rng(4))
        f = lambda *xs: (h(*xs), pullback(*xs))  # noqa: E731
        calls = [moving, row.fix(new)[1]]
    g = fgrad.jit(f, backend="native")
    results = []
    wanted = [f(*xs) for xs in calls]
    for k in (0, 0, 1):  # the first call records, and gives what it has recorded
        with laws.unchanged(calls[k]):
            got = g(*calls[k])
        laws.close(got, wanted[k], f"{row}: machine code = eager")
        results.append((got, tree.map(np.copy, got)))
    for got, kept in results:
        laws.same_bits(got, kept, f"{row}: a later call has changed an earlier result")
