"""Small products: how many multiplications BLAS does at a time without copies.

OpenBLAS, which NumPy's wheels contain, first copies the matrices of a product in an order that
suits the processor. Up to a million multiplications it leaves that out where the processor has
AVX-512 (its `small matrix` kernels), and parts of that size need less time than the whole
(`tiling`). With several threads OpenBLAS divides large products among them, which is worth more:
there nothing is taken apart.
"""

from __future__ import annotations

import math
import os
from functools import cache
from typing import Any

import numpy as np

from .threads import cores

#: Multiplications of the largest product that is done without copies.
SMALL = 100**3
#: What tells OpenBLAS how many threads it may have, in its order.
VARIABLES = ("OPENBLAS_NUM_THREADS", "GOTO_NUM_THREADS", "OMP_NUM_THREADS")
#: NumPy's names of a processor that has these kernels.
FEATURES = ("AVX512_SKX", "X86_V4")


def at_once(dtype: Any) -> float:
    """So many multiplications of numbers of a dtype are done at a time; infinity for all.

    >>> at_once(np.dtype(np.int64))
    inf
    """
    small = dtype.char in "fd" and dtype.isnative and _has_kernels() and _one_thread()
    return SMALL if small else math.inf


@cache
def _has_kernels() -> bool:
    """Whether NumPy's BLAS has kernels for small matrices, and the processor can run them."""
    config: Any = np.show_config(mode="dicts")
    name = config.get("Build Dependencies", {}).get("blas", {}).get("name", "")
    core = getattr(np, "_core", None)
    known = getattr(getattr(core, "_multiarray_umath", None), "__cpu_features__", {})
    return "openblas" in name and any(known.get(feature) for feature in FEATURES)


def _one_thread() -> bool:
    """Whether matrices are multiplied by a single thread."""
    for name in VARIABLES:
        word = os.environ.get(name, "").strip()
        if word.isdecimal() and int(word):
            return int(word) == 1
    return cores() == 1
