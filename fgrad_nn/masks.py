"""Places for results; and `keep`: numbers where a mask is True, 0 elsewhere, without branches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fgrad
from fgrad.core import home

_BITS = {"f": np.int32, "d": np.int64}


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


def select(t: Any, mask: Any, out: Any = None) -> Any:
    """`keep`, of arrays that nothing traces; written to `out`, of the same dtype, if it is given.

    The bits of the numbers are multiplied with 0 or 1: the processor need not guess a branch for
    each, and an infinity where the mask is False leaves nothing behind.
    """
    dtype = getattr(t, "dtype", None)
    if dtype is None or dtype.char not in _BITS:
        return given(np.where(mask, t, 0), out)
    bits = _BITS[dtype.char]
    if out is None:
        return np.multiply(t.view(bits), mask).view(dtype)
    np.multiply(t.view(bits), mask, out=out.view(bits))
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


keep: Callable[..., Any] = fgrad.linear(
    select, lambda g, t, mask: (keep(g, mask),), name="keep", operands=1, writes=True
)(lambda t, mask: ((t, mask), {}))  # fmt: skip
