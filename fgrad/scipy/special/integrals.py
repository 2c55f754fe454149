"""Functions that are integrals: their derivatives are what is integrated."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from ...rules import elementwise
from .declare import several, whole
from .series import log1pc, sinc, sinhc


def _expn_x(ans: Any, n: Any, x: Any) -> Any:
    # DLMF 8.19.13; E_-1 is (exp(-x) + E_0) / x, which SciPy does not have.
    first = np.equal(n, 0)
    return np.where(first, -(np.exp(-x) + ans) / x, -special.expn(np.maximum(n - 1, 0), x))


elementwise(special.expi, lambda ans, x: np.exp(x) / x)
elementwise(special.exp1, lambda ans, x: -np.exp(-x) / x)
elementwise(special.expn, whole("expn"), _expn_x)
elementwise(special.spence, lambda ans, x: -log1pc(x - 1))
several(special.sici, lambda ans, x: (sinc(x), np.cos(np.where(np.isinf(x), 0, x)) / x))
several(special.shichi, lambda ans, x: (sinhc(x), np.cosh(x) / x))
several(
    special.fresnel,
    lambda ans, x: (np.sin(0.5 * math.pi * x * x), np.cos(0.5 * math.pi * x * x)),
)

# Airy's equation, y'' = x y.
several(special.airy, lambda ans, x: (ans[1], x * ans[0], ans[3], x * ans[2]))
