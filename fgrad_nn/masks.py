"""What functions of arrays share: places for results, masks, whole numbers as floats."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fgrad
from fgrad.core import home
from fgrad.ops.choice import kept as keep

__all__ = ["beside", "fractional", "given", "keep"]


def given(x: Any, out: Any) -> Any:
    """X; in the place for it, if there is one.

    >>> place = np.zeros(2)
    >>> given(np.ones(2), place) is place
    True
    """
    if out is None:
        return x
    out[...] = x
    return out


def fractional(x: Any) -> Any:
    """Whole numbers as floats of the dtype that exp gives them: differences of them wrap around.

    >>> fractional(np.array([1, 2], np.uint8)).dtype, fractional(np.arange(2)).dtype
    (dtype('float16'), dtype('float64'))
    """
    dtype = getattr(x, "dtype", None)  # a Python number has none
    if dtype is None or dtype.kind not in "biu":
        return x
    return x.astype(np.result_type(dtype, np.float16))


def _placed(x: Any, host: Any) -> Any:
    """An array of the host's on the device; a number goes with the launch that fills it in."""
    return host.asarray(x) if np.ndim(x) else host.full((), x, np.result_type(x))


_moved: Callable[..., Any] = fgrad.constant(
    _placed, lambda x, host: ((x,), {"host": host}), name="to_device"
)  # fmt: skip


def beside(mask: Any, x: Any) -> Any:
    """A mask, or numbers, drawn on the host, on the device of x.

    It is an operation, so that a compiled function draws and moves another mask at each call.

    >>> mask = np.array([True, False])
    >>> beside(mask, np.ones(2)) is mask
    True
    """
    host = home(x)
    return mask if host is np or home(mask) is host else _moved(mask, host)
