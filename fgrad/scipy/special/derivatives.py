"""Derivatives of the Bessel functions, which SciPy has as functions of their own."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...doors import offers
from ...errors import ArgumentError


def _derivative(
    fn: Callable[..., Any], of: Callable[..., Any], sign: int, phase: int
) -> Callable[..., Any]:
    """Declare the n-th derivative of a Bessel function, DLMF 10.6.7 and 10.29.5."""

    def front(v: Any, z: Any, n: int = 1) -> Any:
        if operator.index(n) < 0:
            raise ArgumentError(
                f"`{fn.__name__}` wants how often to differentiate.",
                f"n={n!r}",
                "pass n=0, n=1, n=2, ...",
            )
        if n == 0:
            return of(v, z)
        v = v if hasattr(v, "dtype") else np.asarray(v)  # as in SciPy: not weak
        terms = (phase**n * sign**k * math.comb(n, k) * of(v - n + 2 * k, z) for k in range(n + 1))
        return sum(terms) / 2**n

    front.__name__ = fn.__name__
    return offers(fn)(front)


jvp = _derivative(special.jvp, special.jv, -1, 1)
yvp = _derivative(special.yvp, special.yv, -1, 1)
h1vp = _derivative(special.h1vp, special.hankel1, -1, 1)
h2vp = _derivative(special.h2vp, special.hankel2, -1, 1)
ivp = _derivative(special.ivp, special.iv, 1, 1)
kvp = _derivative(special.kvp, special.kv, 1, -1)
