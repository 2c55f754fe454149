"""Rows of `scipy.special`."""

from __future__ import annotations

import numpy as np
import scipy.special as sp

from fgrad.scipy import special

from .row import row

#: (function, operands, whether it takes complex numbers)
UFUNCS = [
    (sp.erf, [(2, 3)]),
]  # fmt: skip

ROWS = [
    *(row(of, operands) for of, operands in UFUNCS),
    row(sp.logsumexp, [(2, 3)], special.logsumexp, bits=False),
    row(sp.logsumexp, [(2, 3)], lambda x: special.logsumexp(x, axis=1), bits=False),
    row(sp.logsumexp, [(2, 3)], lambda x: special.logsumexp(np.sin(x), axis=(0, 1)), bits=False),
]  # fmt: skip
