"""`numpy.where`, and `kept`: choices of numbers, by arithmetic on their bits where that is quicker.

NumPy's `where` has a branch for each entry, which the processor must guess. Where a mask has no
pattern that costs ten times what the arithmetic costs: bits times 0 or 1, which is exact.
"""

from __future__ import annotations

from math import copysign
from typing import Any

import numpy as np

from ..arrays import is_a, ndarray
from ..core import Array
from ..rules import line_up, primitive
from ..tracer import register
from .creation import as_operand, first_array

#: For each dtype the integers that have as many bits.
INTEGERS = {"f": np.int32, "d": np.int64}
#: Of fewer entries NumPy's way takes no longer.
MANY = 1 << 11
#: Numbers that take their dtype from the array beside them.
_NUMBERS = (int, float)


def kept(x: Any, mask: Any, out: Any = None) -> Any:
    """X where a mask of truth values is True, 0 elsewhere; also in place of NaN and infinities.

    >>> kept(np.array([np.inf, 2.0]), np.array([False, True]))
    array([0., 2.])

    Args:
        x: an array, or a value that is traced.
        mask: an array of booleans, whose shape broadcasts with that of x.
        out: an array of the answer's dtype for the answer; made if it is None.
    """
    if type(x) is ndarray and type(mask) is ndarray and x.dtype.char in INTEGERS and x.shape:
        bits = INTEGERS[x.dtype.char]
        if out is not None:
            np.multiply(x.view(bits), mask, out=out.view(bits))
            return out
        if x.dtype.isnative:
            return np.multiply(x.view(bits), mask).view(x.dtype)
    chosen = np.where(mask, x, 0)
    if out is None:
        return chosen
    out[...] = chosen
    return out


def _chosen(c: Any, x: Any, y: Any) -> Any:
    """`numpy.where`, of arrays that nothing traces."""
    if type(c) is ndarray and c.size >= MANY and c.dtype == np.bool_:
        if type(y) in _NUMBERS and is_zero(y) and _is_floating(x):
            return kept(x, c)
        if type(x) in _NUMBERS and is_zero(x) and _is_floating(y):
            return kept(y, np.logical_not(c))
        if _is_floating(x) and _is_floating(y) and x.dtype == y.dtype:
            bits = INTEGERS[x.dtype.char]
            y = y.view(bits)
            out = np.bitwise_xor(x.view(bits), y)
            out = np.multiply(out, c, out=out if out.shape == c.shape else None)
            return np.bitwise_xor(out, y, out=out).view(x.dtype)
    return np.where(c, x, y)


def is_zero(number: Any) -> bool:
    """Whether all bits of a number are 0.

    >>> is_zero(0), is_zero(-0.0), is_zero(None)
    (True, False, False)
    """
    return is_a(number, (int, float, np.floating)) and not number and copysign(1, number) > 0


def _is_floating(x: Any) -> bool:
    return type(x) is ndarray and x.dtype.char in INTEGERS and x.dtype.isnative and x.ndim > 0


def _where_jvp(ts: Any, ans: Array, c: Array, x: Array, y: Array) -> Array:
    return _chosen(c, *(0 if t is None else t for t in ts[1:]))


@primitive(
    np.where,
    impl=_chosen,
    jvp=_where_jvp,
    vjp=[
        None,
        lambda g, ans, c, x, y: _chosen(c, g, 0),
        lambda g, ans, c, x, y: _chosen(c, 0, g),
    ],
    batch=line_up,
)
def _where(c: Any, x: Any, y: Any) -> Any:
    return (c, x, y), {}


def where(condition: Any, x: Any = None, y: Any = None, /) -> Any:
    """`numpy.where`."""
    if x is None and y is None:
        return np.nonzero(condition)
    lists = (list, tuple)
    if isinstance(condition, lists) or isinstance(x, lists) or isinstance(y, lists):
        like = first_array((condition, x, y))
        condition, x, y = (as_operand(z, like) for z in (condition, x, y))
    return _where(condition, x, y)


register(np.where, where)
