"""Places for results, and masks that are where their arrays are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fgrad
from fgrad.core import home
from fgrad.ops.choice import kept as keep

__all__ = ["beside", "given", "keep"]


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
