"""What an array is: types, shapes, dtypes, and how the memory behind one is kept from changing."""

from __future__ import annotations

import sys
import weakref
from types import ModuleType
from typing import Any

import numpy as np

from .errors import DtypeError, describe

ndarray = np.ndarray

#: Python's numbers: weak operands that take their dtype from the array beside them (NEP 50).
PYTHON_SCALARS = (float, int, complex, bool)

#: dtype kinds that have derivatives: floating point and complex.
INEXACT = "fc"


class Aval:
    """The shape and dtype of an array that a rule doesn't need the values of.

    >>> Aval((2, 3), np.dtype("float32"))
    Aval((2, 3), float32)
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.shape, self.dtype = shape, dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    def __repr__(self) -> str:
        return f"Aval({self.shape}, {self.dtype})"


def aval(x: Any) -> Aval:
    """Shape and dtype of an array, a tracer or a Python number.

    >>> aval(1.5), aval(np.ones(3, np.float16))
    (Aval((), float64), Aval((3,), float16))
    """
    try:
        return Aval(x.shape, x.dtype)
    except AttributeError:
        return Aval((), np.result_type(type(x)))


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array, a tracer or a Python number, without converting it."""
    shape: tuple[int, ...] = getattr(x, "shape", ())
    return shape


def ndim_of(x: Any) -> int:
    """The rank of an array, a tracer or a Python number, without converting it."""
    return len(getattr(x, "shape", ()))


def is_array(x: Any) -> bool:
    """Whether ``x`` is an array or a number that fgrad computes with.

    >>> is_array(np.ones(2)), is_array(np.float32(1)), is_array(1.0), is_array([1.0])
    (True, True, True, False)
    """
    return isinstance(x, (ndarray, np.generic, *PYTHON_SCALARS)) or is_cupy(x)


def is_cupy(x: Any) -> bool:
    """Whether ``x`` is a CuPy array; never imports CuPy."""
    cupy = sys.modules.get("cupy")
    return cupy is not None and isinstance(x, cupy.ndarray)


def namespace(x: Any) -> ModuleType:
    """The module whose functions create arrays where ``x`` lives: numpy, or cupy."""
    return sys.modules["cupy"] if is_cupy(x) else np


def check_operand(x: Any, name: str) -> None:
    """Refuse an operand that is no array: lists, strings, None, object arrays, data frames.

    Raises:
        DtypeError: names the function, the operand and the conversion to type.
    """
    if is_array(x):
        if getattr(x, "dtype", None) is not None and x.dtype.kind not in "fcbiu":
            raise DtypeError(
                f"`{name}` on traced values wants arrays of numbers.",
                describe(x),
                "convert it first, for example with x.astype(np.float64)",
            )
        return
    to_do = (
        "wrap it in np.array(...), or in fgrad.numpy.array(...) where it holds traced values"
        if isinstance(x, (list, tuple))
        else "pass NumPy or CuPy arrays or Python numbers"
    )
    raise DtypeError(f"`{name}` on traced values wants arrays as operands.", describe(x), to_do)


def from_end(axis: int, ndim: int) -> int:
    """Count an axis from the end, so that a batch axis in front leaves it as it is.

    >>> from_end(0, 3), from_end(-1, 3)
    (-3, -1)
    """
    axis = axis.__index__()
    if not -ndim <= axis < ndim:
        raise np.exceptions.AxisError(axis, ndim)
    return axis - ndim if axis >= 0 else axis


def axes_from_end(axis: Any, ndim: int) -> tuple[int, ...]:
    """Several axes, or all of them for None, counted from the end and in order.

    >>> axes_from_end(None, 2), axes_from_end((1, 0), 3)
    ((-2, -1), (-3, -2))
    """
    if axis is None:
        return tuple(range(-ndim, 0))
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    out = tuple(sorted(from_end(a, ndim) for a in axes))
    if len(set(out)) != len(out):
        raise ValueError("duplicate value in 'axis'")
    return out


# ------------------------------------------------------------------ memory that must not change

#: Up to this many bytes an array is copied when it is saved: as cheap as locking it.
SMALL = 4096


class Hold(weakref.ref):  # type: ignore[type-arg]
    """One reason why an array is read-only; the last hold to go makes it writable again.

    The holds of an array are found through ``weakref.getweakrefs``, so the count lives with the
    array and nothing is shared between threads or nested transformations::

        grad(lambda w: grad(lambda v: (v * w * big).sum())(w).sum())(w)

    Here the inner gradient locks ``big`` first and lets go first, while the outer still needs it.
    """

    __slots__ = ("restore",)
    restore: bool


def lock(x: Any, holds: list[Hold]) -> None:
    """Make an array and the arrays that it is a view of read-only, and note that in ``holds``."""
    while type(x) is ndarray:
        hold = Hold(x)
        hold.restore = x.flags.writeable or any(
            h.restore for h in weakref.getweakrefs(x) if type(h) is Hold and h is not hold
        )
        x.flags.writeable = False
        holds.append(hold)
        x = x.base


def release(holds: list[Hold]) -> None:
    """Undo :func:`lock`, owners before views, leaving read-only what others hold."""
    while holds:
        hold = holds.pop()
        x = hold()
        if x is None or not hold.restore:
            continue
        others = [h for h in weakref.getweakrefs(x) if type(h) is Hold and h is not hold]
        if not others:
            x.flags.writeable = True


def digest(x: Any) -> bytes:
    """A fingerprint of an array's values: the sums over rows and over columns of its words.

    It sees every change of one element, every swap of two, and costs two passes over the memory.
    """
    words = np.frombuffer(np.ascontiguousarray(x).tobytes(), np.uint8)
    words = np.pad(words, (0, -len(words) % 2048)).view(np.uint64).reshape(-1, 256)
    total: bytes = words.sum(0).tobytes() + words.sum(1).tobytes()
    return total
