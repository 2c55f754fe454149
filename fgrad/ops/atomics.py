"""What CuPy leaves open where an index names a place twice: sums of all, and who comes last.

Its scatter-add is made of atomic operations, which the device has for some dtypes, and among
several values that are written to one place any may stay.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import namespace

#: Dtypes of numbers that the device adds up in one step.
ATOMIC = frozenset(map(np.dtype, "iIlLqQefd"))


def add_each(x: Any, index: tuple[Any, ...], v: Any) -> None:
    """``np.add.at(x, index, v)`` for a CuPy array, of any dtype.

    Complex numbers are added by their parts, small integers and truth values as larger integers.
    """
    host = namespace(x)
    if x.dtype in ATOMIC:
        host.add.at(x, index, v)
    elif x.dtype.kind == "c":
        host.add.at(x.real, index, v.real)
        host.add.at(x.imag, index, v.imag)
    else:
        wide = x.astype(np.int32)
        host.add.at(wide, index, v.astype(np.int32))
        x[...] = wide.astype(x.dtype)


def last_writers(shape: tuple[int, ...], index: tuple[Any, ...], host: Any) -> tuple[Any, Any]:
    """For each element that an index picks its number, and the last number of its place."""
    place = host.zeros(shape, np.uint64)  # of signed ones the device compares 32 bits alone
    picked = place[index]
    number = host.arange(picked.size, dtype=np.uint64).reshape(picked.shape)
    host.maximum.at(place, index, number)
    return number.astype(np.int64), place[index].astype(np.int64)


def set_each(x: Any, index: tuple[Any, ...], v: Any) -> None:
    """``x[index] = v`` for a CuPy array; of values for one place the last one stays."""
    host = namespace(x)
    _, last = last_writers(x.shape, index, host)
    if last.size and v.ndim:
        v = host.broadcast_to(v, last.shape).ravel()[last]
    x[index] = v
