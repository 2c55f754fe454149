"""Every row of the table of laws with CuPy's own arrays, on a GPU."""

from __future__ import annotations

import numpy as np
import pytest

from ..cupy import laws
from ..cupy.tables import is_scipy
from ..cupy.test_laws import WORKING

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("ignore")]


def test_laws_hold_on_a_gpu(cupy, row):
    modes = [laws.first_order]
    if row.kind != "constant" and not is_scipy(row):
        modes += [laws.second_order, laws.batched]
    for mode in modes:
        # The device's functions are right to a few units in the last place, not to the bit.
        laws.check(row, mode, waits=True, library=cupy, rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
def test_laws_hold_in_other_dtypes(cupy, dtype):
    for row in [r for r in WORKING if r.complex and not is_scipy(r)]:
        laws.check(row, laws.first_order, waits=True, library=cupy, dtype=dtype, rtol=1e-8)
