"""Every row of the table of laws with arrays of the stand-in: the same numbers, no waiting."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

import fgrad
from fgrad.arrays import is_cupy
from fgrad.core import full_lower
from fgrad.errors import FgradError

from ..examples import TABLE
from ..examples import row as row_of
from . import laws
from .tables import (
    DIFFERENT,
    PARTLY,
    REFUSED_BY_CUPY,
    UNAVAILABLE,
    WAITS,
    available,
    is_random,
    is_scipy,
    may_wait,
    name_of,
)

ROWS = [row for row in TABLE if not is_random(row)]
NAMES = {name_of(row) for row in ROWS}
IN_PART = [row for row in ROWS if is_scipy(row) and name_of(row) in PARTLY]
WORKING = [
    row
    for row in ROWS
    if available(row) and row not in IN_PART
    and (is_scipy(row) or name_of(row) not in {*DIFFERENT, *REFUSED_BY_CUPY})
]  # fmt: skip

pytestmark = pytest.mark.filterwarnings("ignore")


def check(row):
    """All modes that the row's kind has."""
    modes = [laws.first_order]
    if row.kind != "constant" and not is_scipy(row):
        modes += [laws.second_order, laws.batched]
    for mode in modes:
        laws.check(row, mode, waits=may_wait(row))


@pytest.mark.parametrize("row", WORKING, ids=str)
def test_laws_hold_on_the_device(row):
    check(row)


@pytest.mark.parametrize("row", [r for r in ROWS if not available(r)], ids=str)
def test_what_cupy_lacks_is_refused(row):
    with pytest.raises((FgradError, TypeError)):
        laws.check(row, laws.first_order)


@pytest.mark.parametrize("row", IN_PART, ids=str)
def test_what_cupy_has_in_part_is_right_or_refused(row):
    with contextlib.suppress(FgradError, TypeError):
        laws.check(row, laws.first_order, waits=True)


@pytest.mark.parametrize("name", REFUSED_BY_CUPY)
def test_what_cupy_refuses_stays_refused(name):
    refused = 0
    for row in ROWS:
        if name_of(row) == name:
            try:
                check(row)
            except (FgradError, TypeError, NotImplementedError):
                refused += 1
    assert refused


@pytest.mark.parametrize("name", DIFFERENT)
def test_what_differs_still_differs(name):
    differs = 0
    for row in ROWS:
        if name_of(row) == name:
            try:
                check(row)
            except (AssertionError, FgradError):
                differs += 1
    assert differs


def test_the_tables_name_functions_that_there_are():
    for table in (WAITS, REFUSED_BY_CUPY, DIFFERENT, UNAVAILABLE, PARTLY):
        assert {*table} - NAMES == set()


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_laws_hold_in_other_dtypes(dtype):
    rows = [r for r in WORKING if r.complex and not is_scipy(r)]
    for row in rows[::7]:
        laws.check(row, laws.first_order, waits=may_wait(row), dtype=dtype)


# ------------------------------------------------------------------ the laws can fail
def asks(x):
    return x * float(np.sum(fgrad.stop_gradient(x)))


def leaves_the_device(x):
    return np.sum(x).astype(np.float64), np.linspace(0, 1, 3)


def differs(x):
    return x * (2.0 if is_cupy(full_lower(x)) else 1.0)


@pytest.mark.parametrize(
    ("call", "says"),
    [(asks, "Traffic"), (leaves_the_device, "a result is"), (differs, "on the device = on the")],
)
def test_what_breaks_a_law_is_caught(call, says):
    with pytest.raises(AssertionError, match=says):
        laws.check(row_of(call, [(2, 3)], kind="smooth"), laws.first_order)
