"""Integrals whose integrand falls off exponentially, by the tanh-sinh rule.

The nodes crowd at both ends like a double exponential, so an integrand may change fast there. All
is NumPy, with an axis for the nodes behind the others, so it can be differentiated again.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special

from ...core import home
from ...ops.casts import stop_gradient_leaf

#: Where an integrand ends: at exp(-42) of its greatest value.
DECAY = 42.0


def _tanh_sinh(step: float, count: int) -> tuple[Any, Any]:
    """Nodes and weights of the integral from 0 to 1 (Takahasi and Mori, 1974)."""
    u = step * np.arange(-count, count + 1)
    arc = 0.5 * math.pi * np.sinh(u)
    nodes = special.expit(2 * arc)
    weights = step * 0.25 * math.pi * np.cosh(u) / np.square(np.cosh(arc))
    return nodes, weights


_NODES, _WEIGHTS = _tanh_sinh(0.05, 64)


#: How many numbers an integrand is asked for at once.
_BLOCK = 2**17


def integral(f: Callable[..., Any], bounds: Sequence[Any], *xs: Any) -> Any:
    """The sum of the integrals of ``f(s, *xs)`` between bounds; the xs get an axis for s."""
    count = max(1, _BLOCK // max(1, np.size(bounds[-1])))
    xs = tuple(np.expand_dims(x, -1) for x in xs)
    out = 0.0
    for low, high in itertools.pairwise(stop_gradient_leaf(s) for s in bounds):
        length = high - low
        start = np.expand_dims(low, -1) if hasattr(low, "dtype") else low
        scale = np.expand_dims(length, -1)
        nodes, weights = (home(length).asarray(c) for c in (_NODES, _WEIGHTS))
        for k in range(0, len(_NODES), count):
            values = f(start + scale * nodes[k : k + count], *xs)
            out = out + np.sum(values * weights[k : k + count], -1) * length
    return out
