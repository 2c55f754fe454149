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
    random,
    reduce,
    scipy_fft,
    scipy_filters,
    scipy_interpolate,
    scipy_linalg,
    scipy_ndimage,
    scipy_signal,
    scipy_solvers,
    scipy_spatial,
    scipy_special,
    scipy_special_functions,
    scipy_spectra,
    scipy_stats,
    scipy_stats_vectors,
    shape,
    ufuncs,
)
from .row import Operand as Operand
from .row import Row as Row
from .row import row as row

TABLE: list[Row] = [
    *ufuncs.ROWS, *reduce.ROWS, *shape.ROWS, *index.ROWS, *contract.ROWS, *newer.ROWS,
    *numeric.ROWS, *fft.ROWS, *decompositions.ROWS, *methods.ROWS, *scipy_special.ROWS,
    *scipy_special_functions.ROWS, *scipy_linalg.ROWS, *scipy_stats.ROWS,
    *scipy_stats_vectors.ROWS, *scipy_signal.ROWS, *scipy_solvers.ROWS,
    *scipy_fft.ROWS, *scipy_spectra.ROWS, *scipy_filters.ROWS, *scipy_ndimage.ROWS,
    *scipy_interpolate.ROWS, *scipy_spatial.ROWS, *random.ROWS,
]  # fmt: skip

#: Functions that answer questions about shapes, dtypes and known values: they return no arrays
#: that depend on the values of their arguments in a way that the laws could test.
FACTS = {
    np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.common_type, np.result_type,
    np.can_cast, np.nonzero, np.flatnonzero, np.array_equal, np.array_equiv, np.ufunc.at,
    np.tril_indices_from, np.triu_indices_from, np.diag_indices_from, np.argwhere,
    np.histogram_bin_edges, np.unique, np.union1d, np.intersect1d, np.setdiff1d, np.setxor1d,
    np.trim_zeros,
}  # fmt: skip
