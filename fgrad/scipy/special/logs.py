"""Logarithms, exponentials and entropies that are right at 0, the logistic function, losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...doors import offers
from ...ops.ufuncs import ratio
from ...rules import elementwise
from .declare import function
from .series import exprel_slope, log1pc_slope, where


# ------------------------------------------------------------------ x log y
def _zero_over(x: Any, y: Any) -> Any:
    """x / y, and 0 where x is 0, whatever y is: the slope of x log(y) in y."""
    zero = np.equal(x, 0)
    return np.where(zero, 0, x) / np.where(zero, 1, y)


_zero_over.__name__ = "zero_over"
zero_over: Callable[..., Any] = function(
    _zero_over, lambda ans, x, y: 1 / y, lambda ans, x, y: -zero_over(ans, y)
)


def _log_ratio(x: Any, y: Any) -> Any:
    """log(x / y), also where the quotient overflows; NaN of negative numbers."""
    x, y = (np.where(np.less(z, 0), np.nan, z) for z in (x, y))
    q = x / np.where(np.equal(y, 0), 1, y)
    good = np.logical_and(np.greater(q, 1e-4), np.less(q, 1e4))
    return where(
        good, lambda x, y: np.log(x / y), lambda x, y: np.log(x) - np.log(y), (x, y),
        (1.0, 1.0), (1.0, 1.0),
    )  # fmt: skip


def _rel_entr_y(ans: Any, x: Any, y: Any) -> Any:
    outside = np.logical_or(np.less(x, 0), np.less(y, 0))
    return np.where(outside, np.nan, -zero_over(x, y))


def _kl_div_y(ans: Any, x: Any, y: Any) -> Any:
    # (y - x) / y has all digits where x and y are close; at y = 0 only x = 0 has a derivative.
    zero = np.equal(y, 0)
    slope = np.where(zero, 1 - zero_over(x, y), (y - x) / np.where(zero, 1, y))
    return np.where(np.logical_or(np.less(x, 0), np.less(y, 0)), np.nan, slope)


elementwise(special.xlogy, lambda ans, x, y: np.log(y), lambda ans, x, y: zero_over(x, y))
elementwise(special.xlog1py, lambda ans, x, y: np.log1p(y), lambda ans, x, y: zero_over(x, 1 + y))
elementwise(special.entr, lambda ans, x: -np.log(x) - 1)
elementwise(special.rel_entr, lambda ans, x, y: _log_ratio(x, y) + 1, _rel_entr_y)
elementwise(special.kl_div, lambda ans, x, y: _log_ratio(x, y), _kl_div_y)


# ------------------------------------------------------------------ the logistic function
elementwise(special.expit, lambda ans, x: ans * special.expit(-x))
elementwise(special.logit, lambda t, ans, x: t / (x * (1 - x)))
elementwise(special.log_expit, lambda ans, x: special.expit(-x))


@offers(special.softplus)
def softplus(x: Any, **kwargs: Any) -> Any:
    """`scipy.special.softplus`."""
    return np.logaddexp(0, x, **kwargs)


# ------------------------------------------------------------------ powers
def _boxcox_lmbda(x: Any, log: Any, lmbda: Any) -> Any:
    """The derivative in lmbda of expm1(lmbda * log) / lmbda, for log = log(x)."""
    near = np.abs(lmbda * np.where(np.isfinite(log), log, 0)) < 1
    near = np.logical_and(near, np.isfinite(log))

    def far(x: Any, log: Any, lmbda: Any) -> Any:
        power = np.exp(lmbda * log)
        return (special.xlogy(power, x) - np.expm1(lmbda * log) / lmbda) / lmbda

    return where(near, lambda x, log, lmbda: log * log * exprel_slope(lmbda * log), far,
                 (x, log, lmbda), (1.0, 0.0, 1.0), (1.0, 0.0, 1.0))  # fmt: skip


elementwise(
    special.boxcox,
    lambda ans, x, lmbda: np.power(x, lmbda - 1),
    lambda ans, x, lmbda: _boxcox_lmbda(x, np.log(x), lmbda),
)
elementwise(
    special.boxcox1p,
    lambda ans, x, lmbda: np.power(1 + x, lmbda - 1),
    lambda ans, x, lmbda: _boxcox_lmbda(1 + x, np.log1p(x), lmbda),
)
elementwise(
    special.inv_boxcox,
    lambda ans, y, lmbda: ans / (1 + lmbda * y),
    lambda ans, y, lmbda: ans * y * y * log1pc_slope(lmbda * y),
)
elementwise(
    special.inv_boxcox1p,
    lambda ans, y, lmbda: (1 + ans) / (1 + lmbda * y),
    lambda ans, y, lmbda: (1 + ans) * y * y * log1pc_slope(lmbda * y),
)


def _powm1_x(ans: Any, x: Any, y: Any) -> Any:
    zero = np.equal(y, 0)
    return np.where(zero, 0, y * np.power(x, np.where(zero, 1, y - 1)))


elementwise(
    special.powm1,
    _powm1_x,
    lambda ans, x, y: special.xlogy(1 + ans, x),
)


# ------------------------------------------------------------------ SciPy's own of NumPy's
elementwise(special.exp2, lambda ans, x: ans * math.log(2))
elementwise(special.exp10, lambda ans, x: ans * math.log(10))
elementwise(special.expm1, lambda ans, x: np.exp(x))
elementwise(special.log1p, lambda t, ans, x: t / (1 + x))
elementwise(special.cbrt, lambda ans, x: 1 / (3 * ans * ans))
elementwise(special.cosm1, lambda ans, x: -np.sin(x))
elementwise(special.exprel, lambda ans, x: exprel_slope(x))

_DEGREE = math.pi / 180
elementwise(special.sindg, lambda ans, x: _DEGREE * special.cosdg(x))
elementwise(special.cosdg, lambda ans, x: -_DEGREE * special.sindg(x))
elementwise(special.tandg, lambda ans, x: _DEGREE * (1 + ans * ans))
elementwise(special.cotdg, lambda ans, x: -_DEGREE * (1 + ans * ans))


# ------------------------------------------------------------------ losses
def _pseudo_huber_delta(ans: Any, delta: Any, r: Any) -> Any:
    root = np.hypot(delta, r)
    excess = r * ratio(r, root + delta)  # root - delta
    return excess * ratio(excess, root)


elementwise(
    special.huber,
    lambda ans, delta, r: np.maximum(np.abs(r) - delta, 0),
    lambda ans, delta, r: np.minimum(np.maximum(r, -delta), delta),
)
elementwise(
    special.pseudo_huber,
    _pseudo_huber_delta,
    lambda ans, delta, r: delta * ratio(r, np.hypot(delta, r)),
)
