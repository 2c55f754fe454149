"""CuPy's indexing, on the NumPy arrays below: what it wraps, refuses, copies and leaves undefined.

Integer arrays wrap modulo the length of their axis, masks make the host wait, lists and NumPy
arrays are copied to the device, and of values written to one place any may win. Scatter-add has
the dtypes of the device's atomics, and no order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad.arrays import is_a

from .traffic import TRAFFIC

#: The dtypes of each kind of atomic operation.
ATOMIC = {
    "add": "ilqILQefd", "subtract": "iI", "maximum": "iILQfd", "minimum": "iILQfd",
    "bitwise_and": "ilqILQ", "bitwise_or": "ilqILQ", "bitwise_xor": "ilqILQ",
}  # fmt: skip

#: Chooses the order of what has none.
ORDER = np.random.default_rng(0)


def prepare(shape: tuple[int, ...], index: Any, array: type) -> tuple[Any, bool]:
    """The index for NumPy, and whether it has arrays in it."""
    items = list(index) if is_a(index, tuple) else [index]
    items = [_item(x, array) for x in items]
    used = sum(_width(x) for x in items)
    if used > len(shape):
        raise IndexError(f"too many indices for array: {used} of {len(shape)}")
    if not any(x is Ellipsis for x in items):
        items.append(Ellipsis)
    axis, out, advanced = 0, [], False
    for x in items:
        if x is Ellipsis:
            axis += len(shape) - used
        elif is_a(x, np.ndarray):
            advanced = True
            if x.dtype.kind == "b":
                if x.shape != shape[axis : axis + x.ndim]:
                    raise IndexError("boolean index did not match indexed array")
                TRAFFIC.down()
                axis += x.ndim
            else:
                if not shape[axis] and x.size:
                    raise IndexError("cannot index an axis of length 0")
                x = np.mod(x, shape[axis]) if x.size else x.astype(np.intp)
                axis += 1
        elif is_a(x, (bool, np.bool_)):
            advanced = True
        elif is_a(x, (int, np.integer)):
            if not -shape[axis] <= x < shape[axis]:
                raise IndexError(
                    f"Index {x} is out of bounds for axis {axis} with size {shape[axis]}"
                )
            axis += 1
        elif is_a(x, slice):
            axis += 1
        out.append(x)
    return tuple(out), advanced


def _width(x: Any) -> int:
    """How many axes an item of an index stands for."""
    if x is None or x is Ellipsis or is_a(x, (bool, np.bool_)):
        return 0
    return x.ndim if is_a(x, np.ndarray) and x.dtype.kind == "b" else 1


def _item(x: Any, array: type) -> Any:
    if is_a(x, array):
        x = x._a  # type: ignore[attr-defined]
    elif is_a(x, (list, np.ndarray)):
        TRAFFIC.to_device += 1
        x = np.asarray(x) if len(np.shape(x)) == 0 or len(x) else np.asarray(x, np.intp)
    elif x is None or x is Ellipsis or is_a(x, (slice, bool, np.bool_, int, np.integer)):
        return x
    else:
        raise IndexError(f"unsupported type {type(x)}")
    if x.dtype.kind not in "biu":
        raise IndexError("arrays used as indices must be of integer or boolean type")
    return x


def read(a: np.ndarray, index: Any, array: type) -> np.ndarray:
    """``x[index]``, a view where it is one."""
    key, _ = prepare(a.shape, index, array)
    return np.asarray(a[key])


def check_writable(a: np.ndarray) -> None:
    """Refuse to write where CuPy would write to several places at once, in silence."""
    if a.size and any(n > 1 and step == 0 for n, step in zip(a.shape, a.strides, strict=True)):
        raise ValueError("strict: a write through a view that repeats its elements")


def write(a: np.ndarray, index: Any, value: Any, array: type) -> None:
    """``x[index] = value``; of values for one place any may stay."""
    check_writable(a)
    key, advanced = prepare(a.shape, index, array)
    with np.errstate(all="ignore"):
        if not advanced:
            a[key] = value
            return
        places = np.arange(a.size).reshape(a.shape)[key]
        values = np.broadcast_to(value, places.shape).reshape(-1)
        order = ORDER.permutation(places.size)
        at = np.unravel_index(places.reshape(-1)[order], a.shape)
        a[at] = values[order]


def scatter(name: str, a: np.ndarray, index: Any, value: Any, array: type) -> None:
    """``ufunc.at(x, index, value)``, in any order."""
    if a.dtype.char not in ATOMIC[name]:
        raise TypeError(
            f"cupy.{name}.at only supports {', '.join(str(np.dtype(c)) for c in ATOMIC[name])}, "
            f"but {a.dtype} is provided"
        )
    check_writable(a)
    key, _ = prepare(a.shape, index, array)
    places = np.arange(a.size).reshape(a.shape)[key]
    values = np.broadcast_to(value, places.shape).reshape(-1)
    order = ORDER.permutation(places.size)
    at = np.unravel_index(places.reshape(-1)[order], a.shape)
    with np.errstate(all="ignore"):
        getattr(np, name).at(a, at, values[order].astype(a.dtype))
