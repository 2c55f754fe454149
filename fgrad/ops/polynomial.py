"""Polynomials by their coefficients, the highest power first."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import namespace, ndim_of, shape_of
from ..core import full_lower
from ..tracer import register
from .index import getitem


def polyval(p: Any, x: Any) -> Any:
    """`numpy.polyval`: Horner's rule."""
    x = x if hasattr(x, "dtype") else np.asarray(x)
    p = p if hasattr(p, "dtype") else np.asarray(p)
    y = np.zeros_like(x)
    for i in range(shape_of(p)[0]):
        y = y * x + p[i]
    return y


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """`numpy.vander`."""
    if ndim_of(x) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    n = shape_of(x)[0]
    columns = n if N is None else N
    x = np.reshape(x.astype(np.promote_types(x.dtype, int)), (n, 1))
    powers = np.cumprod(np.broadcast_to(x, (n, max(columns - 1, 0))), axis=1)
    y = np.concatenate([np.ones_like(x), powers], axis=1) if columns else powers
    return y if increasing else np.flip(y, 1)


def polyadd(a1: Any, a2: Any) -> Any:
    """`numpy.polyadd`."""
    x, y = np.atleast_1d(a1), np.atleast_1d(a2)
    missing = shape_of(x)[0] - shape_of(y)[0]
    return np.pad(x, (max(-missing, 0), 0)) + np.pad(y, (max(missing, 0), 0))


def polyder(p: Any, m: int = 1) -> Any:
    """`numpy.polyder`."""
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    for _ in range(int(m)):
        n = shape_of(p)[0] - 1
        p = getitem(p, slice(None, -1)) * namespace(full_lower(p)).arange(n, 0, -1) if n >= 0 else p
    return p


register(np.polyval, polyval)
register(np.vander, vander)
register(np.polyadd, polyadd)
register(np.polysub, lambda a1, a2: polyadd(a1, -np.atleast_1d(a2)))
register(np.polyder, polyder)
