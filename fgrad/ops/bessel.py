"""The modified Bessel functions of the first kind, for `numpy.i0` and its derivatives."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..arrays import is_a
from ..core import Array
from ..rules import line_up, primitive
from ..tracer import register
from .creation import as_array

#: Beyond it the asymptotic expansion is exact to rounding.
_FAR = 30.0


def _values(x: Any, *, order: int) -> Any:
    """NumPy's own I_0; other orders by their series of positive terms (DLMF 10.25.2).

    For large x by their asymptotic expansion (DLMF 10.40.1).
    """
    if order == 0:
        return np.i0(x)
    x = np.asarray(x) if is_a(x, float) else x
    size = np.abs(x).astype(np.float64)
    near, far = np.minimum(size, _FAR), np.maximum(size, _FAR)
    q, series = np.square(near / 2), 0.0
    for k in range(70, 0, -1):
        series = (series + 1) * q / (k * (k + order))
    series = (series + 1) * (near / 2) ** order / math.factorial(order)
    tail, mu = 0.0, 4.0 * order * order
    for k in range(25, 0, -1):
        tail = -(tail + 1) * (mu - (2 * k - 1) ** 2) / (8 * k * far)
    large = np.exp(far) / np.sqrt(2 * np.pi * far) * (1 + tail)
    y = np.where(size < _FAR, series, large)
    return (np.where(np.less(x, 0), -y, y) if order % 2 else y).astype(x.dtype)


def _slope(x: Array, order: int) -> Array:
    """I_n' is the mean of its neighbours (DLMF 10.29.1)."""
    if order == 0:
        return _bessel(x, 1)
    return (_bessel(x, order - 1) + _bessel(x, order + 1)) / 2


@primitive(
    np.i0,
    jvp=lambda ts, ans, x, *, order: ts[0] * _slope(x, order),
    vjp=[lambda g, ans, x, *, order: g * _slope(x, order)],
    batch=line_up,
    impl=_values,
)
def _bessel(x: Any, order: int) -> Any:
    return (x,), {"order": order}


def i0(x: Any) -> Any:
    """`numpy.i0`."""
    x = as_array(x)
    if x.dtype.kind == "c":
        raise TypeError("i0 not supported for complex values")
    return _bessel(x if x.dtype.kind == "f" else x.astype(np.float64), 0)


register(np.i0, i0)
