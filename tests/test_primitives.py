"""The laws, for each row of the table."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad.core import FRONTS, PRIMITIVES

from . import laws, laws_of_jit, laws_of_vmap
from .examples import FACTS, TABLE

SMOOTH = [row for row in TABLE if row.kind != "constant"]
CONSTANT = [row for row in TABLE if row.kind == "constant"]
COMPLEX = [row for row in SMOOTH if row.complex]
#: Where functions live that users don't call: a rule of NumPy's or SciPy's functions calls them.
OWN = ("fgrad.ops", "fgrad.random", "fgrad.scipy")


def each(rows):
    return pytest.mark.parametrize("row", rows, ids=str)


def test_the_table_has_a_row_for_every_function_and_no_other():
    rows = {row.of for row in TABLE} - {fgrad.at, fgrad.stop_gradient}
    functions, known = (
        {fn for fn in fns if not getattr(fn, "__module__", "").startswith(OWN)}
        for fns in (rows, FRONTS)
    )
    assert not functions & FACTS
    assert not known - functions - FACTS, "functions without a row"
    assert not (functions | FACTS) - known, "rows of functions that fgrad doesn't know"


def test_the_table_has_a_row_for_every_primitive():
    used = set()
    for row in TABLE:
        used.update(laws.primitives_of(row))
    assert set(PRIMITIVES) == used


@each(SMOOTH)
def test_forward_is_the_central_difference_and_reverse_its_adjoint(row):
    laws.first_order(row)


@each(COMPLEX)
def test_forward_and_reverse_of_complex_numbers(row):
    laws.first_order(row, np.complex128)


@each(SMOOTH)
def test_second_order_in_all_four_nestings(row):
    laws.second_order(row)


@each(COMPLEX)
def test_second_order_of_complex_numbers(row):
    laws.second_order(row, np.complex128)


@each(CONSTANT)
def test_the_derivative_of_a_constant_is_zero(row):
    laws.constant(row)


@each(TABLE)
def test_vmap_is_the_stack_of_calls(row):
    laws_of_vmap.batching(row)
    laws_of_vmap.batched_dtypes(row)
    if row.complex:
        laws_of_vmap.batching(row, np.complex128)


@each(SMOOTH)
def test_vmap_under_and_over_derivatives(row):
    laws_of_vmap.batched_derivatives(row)
    if row.complex:
        laws_of_vmap.batched_derivatives(row, np.complex128)


@each(TABLE)
def test_a_graph_is_the_function_on_other_data(row):
    laws.staging(row)


@each(TABLE)
def test_the_compiled_function_is_the_function(row):
    laws_of_jit.compiled(row)
    if row.complex:
        laws_of_jit.compiled(row, np.complex128)


@each(SMOOTH)
def test_dtype_in_is_dtype_out(row):
    laws.dtypes(row)


@each(TABLE)
def test_the_value_is_numpys(row):
    for dtype in ("float64", "float32", *(("complex128",) if row.complex else ())):
        laws.value(row, dtype)


@each(TABLE)
def test_fgrad_numpy_is_numpy(row):
    laws.protocols(row)
