"""The hypergeometric functions, with derivatives in their parameters too.

The latter are right to a few roundings of the function's own size, by `orders.slope`; for small
arguments, where the functions are close to 1, they are those of the power series.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...rules import elementwise
from .declare import refuse
from .orders import from_poles, slope
from .series import where

_TERMS = 17


def _series_slope(xs: Any, i: int, tops: int) -> Any:
    """The derivative in the i-th parameter of the power series, whose variable is the last."""
    *parameters, z = xs
    p = parameters[i]
    term: Any = 1.0
    out: Any = 0.0
    moving: Any = 0.0
    for n in range(_TERMS):
        factor = z / (n + 1)
        for k, a in enumerate(parameters):
            if k != i:
                factor = factor * (a + n) if k < tops else factor / (a + n)
        if i < tops:
            moving, term = (moving * (p + n) + term) * factor, term * (p + n) * factor
        else:
            factor = factor / (p + n)
            moving, term = (moving - term / (p + n)) * factor, term * factor
        out = out + moving
    return out


def _smooth(x: Any) -> Any:
    """The width in a parameter on which functions of x move by a factor of their own size."""
    return 0.5 / (1 + np.abs(np.log(np.abs(np.where(np.equal(x, 0), 1, x)))))


def _near_one(z: Any) -> Any:
    return np.minimum(_smooth(z), _smooth(1 - z))


def _parameter(
    fn: Callable[..., Any], i: int, tops: int, width: Callable[[Any], Any]
) -> Callable[..., Any]:
    """The derivative in the i-th parameter, of which the first ``tops`` stand in numerators."""

    def far(*xs: Any) -> Any:
        h = width(xs[-1])
        if tops == 2:  # at z = 1 it is a quotient of gamma functions, DLMF 15.4.20
            a, b, c, z = xs
            h = np.where(np.equal(z, 1), np.minimum(h, from_poles(c - a - b) / 8), h)
        return slope(fn, i, h if i < tops else np.minimum(h, from_poles(xs[i]) / 8), *xs)

    def partial(ans: Any, *xs: Any) -> Any:
        size = np.abs(xs[-1])
        near: Any = True
        for k, p in enumerate(xs[:-1]):
            size = size if k >= tops else size * (1 + np.abs(p))
            near = near if k < tops else np.logical_and(near, np.greater(p, 0))
        near = np.logical_and(near, size < (0.05 if tops == 2 else 0.5))
        return where(near, lambda *xs: _series_slope(xs, i, tops), far, xs,
                     (*(1.0,) * (len(xs) - 1), 0.0), (*(1.0,) * (len(xs) - 1), 0.5))  # fmt: skip

    return partial


elementwise(
    special.hyp0f1,
    _parameter(special.hyp0f1, 0, 0, _smooth),
    lambda ans, v, z: special.hyp0f1(v + 1, z) / v,
)
elementwise(
    special.hyp1f1,
    _parameter(special.hyp1f1, 0, 1, _smooth),
    _parameter(special.hyp1f1, 1, 1, _smooth),
    lambda ans, a, b, x: special.hyp1f1(a + 1, b + 1, x) * a / b,
)
elementwise(
    special.hyp2f1,
    _parameter(special.hyp2f1, 0, 2, _near_one),
    _parameter(special.hyp2f1, 1, 2, _near_one),
    _parameter(special.hyp2f1, 2, 2, _near_one),
    lambda ans, a, b, c, z: special.hyp2f1(a + 1, b + 1, c + 1, z) * a * b / c,
)
# SciPy's hyperu has up to ten wrong digits; the derivative of the polynomial would have more.
_FEW = "pass them untraced, or fgrad.stop_gradient of them"
elementwise(
    special.hyperu,
    refuse("hyperu", "`a` and `b`, of which SciPy's values have too few digits", _FEW),
    refuse("hyperu", "`a` and `b`, of which SciPy's values have too few digits", _FEW),
    lambda ans, a, b, x: -a * special.hyperu(a + 1, b + 1, x),
)
