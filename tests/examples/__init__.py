"""The table of the laws: rows for every function that fgrad knows."""

from __future__ import annotations

import numpy as np

from . import (
    contract,
    decompositions,
    fft,
    index,
    methods,
    newer,
    numeric,
    reduce,
    scipy_linalg,
    scipy_signal,
    scipy_solvers,
    scipy_special,
    scipy_stats,
    shape,
    ufuncs,
)
from .row import Operand as Operand
from .row import Row as Row
from .row import row as row

TABLE: list[Row] = [
    *ufuncs.ROWS, *reduce.ROWS, *shape.ROWS, *index.ROWS, *contract.ROWS, *newer.ROWS,
    *numeric.ROWS, *fft.ROWS, *decompositions.ROWS, *methods.ROWS, *scipy_special.ROWS,
    *scipy_linalg.ROWS, *scipy_stats.ROWS, *scipy_signal.ROWS, *scipy_solvers.ROWS,
]  # fmt: skip

#: Functions that answer questions about shapes, dtypes and known values: they return no arrays
#: that depend on the values of their arguments in a way that the laws could test.
FACTS = {
    np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.common_type, np.result_type,
    np.can_cast, np.nonzero, np.flatnonzero, np.array_equal, np.array_equiv,
}  # fmt: skip
