"""Rows of the table of laws, compiled for the stand-in: the host's numbers, without waiting."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import fgrad
from fgrad import tree

from ..cupy import laws
from ..cupy.array import ndarray
from ..cupy.tables import DIFFERENT, REFUSED_BY_CUPY, available, is_random, is_scipy, may_wait
from ..cupy.tables import name_of as called
from ..cupy.traffic import counted
from ..examples import TABLE
from ..laws import close, random_like

ROWS = [
    row for row in TABLE
    if available(row) and not is_random(row) and not is_scipy(row) and not may_wait(row)
    and any(x.kind == "f" for x in row.operands)
    and called(row) not in {*DIFFERENT, *REFUSED_BY_CUPY}
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS[::8], ids=str)
def test_a_row_is_compiled(cupy, row):
    xs = row.arguments(0, np.float64)
    h, moving = row.fix(xs)
    with np.errstate(all="ignore"):
        g = random_like(h(*moving), np.random.default_rng(1))
        value, pullback = fgrad.vjp(h, *moving)
        want = value, pullback(g)
    there, arguments = laws.on_there(row, xs, cupy)
    g = laws.move(g, cupy)

    def both(xs, g):
        value, pullback = fgrad.vjp(there, *xs)
        return value, pullback(g)

    compiled = fgrad.jit(both)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "jit wants a function of CuPy's arrays")
        close(laws.back(compiled(list(arguments), g)), want, f"{row}: the first call")
    with counted() as traffic:
        got = compiled(list(arguments), g)
    close(laws.back(got), want, f"{row}: the second call")
    assert all(isinstance(y, ndarray) for y in tree.leaves(got))
    assert (traffic.syncs, traffic.to_host) == (0, 0)
