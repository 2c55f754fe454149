"""What an array is: types, shapes, dtypes, and how the memory behind one is kept from changing."""

from __future__ import annotations

import math
import sys
import threading
import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import numpy as np

from .errors import DtypeError, describe

ndarray = np.ndarray

#: Python's numbers: weak operands that take their dtype from the array beside them (NEP 50).
PYTHON_SCALARS = (float, int, complex, bool)

#: Python's floats as NumPy's, which divide by zero without raising.
_STRONG: dict[type, Any] = {float: np.float64, complex: np.complex128}


def strong(x: Any) -> Any:
    """NumPy's scalar for a Python float, for the rules of a function of Python numbers alone.

    The smallest program that fails without: ``grad(np.log2)(0.0)``, where the derivative would
    divide by a Python 0.0 and raise ZeroDivisionError.
    """
    kind = _STRONG.get(type(x))
    return x if kind is None else kind(x)


#: dtype kinds that have derivatives: floating point and complex.
INEXACT = "fc"
#: dtype kinds of all numbers, truth values among them.
NUMBERS = "fcbiu"


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
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __repr__(self) -> str:
        return f"Aval({self.shape}, {self.dtype})"


_new_aval = object.__new__


def aval(x: Any) -> Aval:
    """Shape and dtype of an array, a tracer or a Python number.

    >>> aval(1.5), aval(np.ones(3, np.float16))
    (Aval((), float64), Aval((3,), float16))
    """
    try:
        out = _new_aval(Aval)
        out.shape, out.dtype = x.shape, x.dtype
    except AttributeError:  # a Python number
        return Aval((), np.result_type(type(x)))
    return out


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array, a tracer or a Python number, without converting it."""
    shape: tuple[int, ...] = getattr(x, "shape", ())
    return shape


def ndim_of(x: Any) -> int:
    """The rank of an array, a tracer or a Python number, without converting it."""
    return len(getattr(x, "shape", ()))


def is_a(x: Any, kinds: type[Any] | tuple[type[Any], ...]) -> bool:
    """Whether ``x`` itself is of a class, or of one of several.

    `isinstance` goes by what a tracer stands for, so that users' code finds an array where it asks
    for one. Ours asks for arrays and numbers in this way, which a tracer is not.

    >>> is_a(1.5, (int, float)), is_a(np.ones(2), np.ndarray), is_a(True, int)
    (True, True, True)
    """
    return issubclass(type(x), kinds)


def is_array(x: Any) -> bool:
    """Whether ``x`` is an array or a number that fgrad computes with.

    >>> is_array(np.ones(2)), is_array(np.float32(1)), is_array(1.0), is_array([1.0])
    (True, True, True, False)
    >>> is_array(np.ma.ones(2))  # of ndarray's subclasses only np.memmap, which adds no meaning
    False
    """
    if issubclass(type(x), ndarray):
        return type(x) is ndarray or issubclass(type(x), np.memmap)
    return issubclass(type(x), (np.generic, *PYTHON_SCALARS)) or is_cupy(x)


#: The types of which NumPy computes everything: no other library is asked about them.
NATIVE = frozenset({ndarray, np.memmap, *PYTHON_SCALARS, *np.sctypeDict.values()})


def _library(cls: type) -> ModuleType:
    """The library of arrays of a class: CuPy for its own, NumPy for anything else.

    >>> library(np.ndarray).__name__, library(float).__name__
    ('numpy', 'numpy')
    """
    for c in cls.__mro__:
        if c.__name__ == "ndarray" and c.__module__.partition(".")[0] == "cupy":
            return sys.modules["cupy"]
    return np


#: `_library`, which looks at each class once.
library: Callable[[type], ModuleType] = lru_cache(maxsize=512)(_library)


def is_cupy(x: Any) -> bool:
    """Whether ``x`` is a CuPy array; never imports CuPy."""
    return type(x) not in NATIVE and library(type(x)) is not np


def namespace(x: Any) -> ModuleType:
    """The module whose functions create arrays where ``x`` lives: numpy, or cupy."""
    return np if type(x) in NATIVE else library(type(x))


def check_operand(x: Any, name: str) -> None:
    """Refuse an operand that is no array: lists, strings, None, object arrays, data frames.

    Raises:
        DtypeError: names the function, the operand and the conversion to type.
    """
    if is_array(x):
        if getattr(x, "dtype", None) is not None and x.dtype.kind not in NUMBERS:
            raise DtypeError(
                f"`{name}` on traced values wants arrays of numbers.",
                describe(x),
                "convert it first, for example with x.astype(np.float64)",
            )
        return
    if isinstance(x, (list, tuple)):
        to_do = "wrap it in np.array(...), or fgrad.numpy.array(...) where it holds traced values"
    elif issubclass(type(x), ndarray):
        to_do = "pass np.asarray(x): what a subclass adds would be lost"
    elif hasattr(x, "tocsr"):
        to_do = (
            "pass x.toarray(); to keep the matrix S sparse, declare its product with v: "
            "fgrad.linear(lambda v: v @ S.T, lambda g, v: g @ S)(lambda v: ((v,), {}))"
        )
    elif hasattr(x, "__array__"):
        to_do = "pass its values as an array: x.to_numpy() or np.asarray(x)"
    else:
        to_do = "pass NumPy or CuPy arrays or Python numbers"
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
SMALL = 16384
#: Larger arrays are copied too, up to this many bytes in all: as cheap as a fingerprint.
SPARE = 1 << 18


class Hold(weakref.ref):  # type: ignore[type-arg]
    """One reason why an array is read-only; the last hold to go makes it writable again.

    The holds of an array are found through ``weakref.getweakrefs``, so the count lives with the
    array and nothing is shared between threads or nested transformations::

        grad(lambda w: grad(lambda v: (v * w * big).sum())(w).sum())(w)

    Here the inner gradient locks ``big`` first and lets go first, while the outer still needs it.
    """

    __slots__ = ("restore", "waiting")
    restore: bool
    #: Views that can't become writable before this array does.
    waiting: list[Any]


#: Guards the few lines in which holds are counted. Reentrant, because the collection of a forgotten
#: pullback may call `release` in the middle of them.
_COUNTING = threading.RLock()


def lock(x: Any, holds: list[Hold]) -> None:
    """Make an array and the arrays that it is a view of read-only, and note that in ``holds``."""
    with _COUNTING:
        while issubclass(type(x), ndarray):
            # The holds are asked before there is one of ours: the last of them may go meanwhile.
            restore = x.flags.writeable or any(
                h.restore for h in weakref.getweakrefs(x) if type(h) is Hold
            )
            hold = Hold(x)
            hold.restore, hold.waiting = restore, []
            x.flags.writeable = False
            holds.append(hold)
            x = x.base


def release(holds: list[Hold]) -> None:
    """Undo :func:`lock`, owners before views, leaving read-only what others hold."""
    if not holds:
        return
    with _COUNTING:
        while holds:
            hold = holds.pop()
            x = hold()
            if x is not None:
                _let_go(x, hold)


def _let_go(x: Any, hold: Hold) -> None:
    others = _holds(x, hold)
    if others:  # the last of them does what we can't do yet
        others[0].waiting.extend(hold.waiting)
    elif hold.restore:
        owner = x.base
        held = _holds(owner, hold) if issubclass(type(owner), ndarray) else []
        if held:
            held[0].waiting.append(weakref.ref(x))
            return
        x.flags.writeable = True
        for view in (ref() for ref in hold.waiting):
            if view is not None and not _holds(view, hold):
                view.flags.writeable = True


def _holds(x: Any, but: Hold) -> list[Hold]:
    """The holds of an array, but for one."""
    return [h for h in weakref.getweakrefs(x) if type(h) is Hold and h is not but]


def shield(answer: Any, operands: Sequence[Any]) -> Any:
    """An answer without a derivative, read-only if it is an operand or a view of one.

    The smallest program that fails without: ``y = np.exp(x); stop_gradient(y)[:] = 0; return
    y.sum()``, where the derivative of exp reads y on the way back.
    """
    if type(answer) is ndarray and answer.ndim:
        for x in operands:
            if answer is x or (
                # A tracer's own trace has shielded the answer already.
                answer.base is not None
                and issubclass(type(x), (ndarray, np.generic))
                and np.may_share_memory(answer, x)
            ):
                answer = answer.view()
                answer.flags.writeable = False
                break
    elif is_cupy(answer) and any(_shares(answer, x) for x in operands):
        return answer.copy()  # which nothing makes read-only
    return answer


def _shares(x: Any, y: Any) -> bool:
    """Whether two CuPy arrays are views of one, or it and a view of it."""
    return is_cupy(y) and (x if x.base is None else x.base) is (y if y.base is None else y.base)


def given_out(y: Any, own: bool) -> Any:
    """A value of a tape as users get it: with ``own``, or where it is held, a copy."""
    if type(y) is ndarray:
        return y.copy() if own or not y.flags.writeable else y
    return y.copy() if own and is_cupy(y) else y


def lockable(x: Any) -> bool:
    """Whether making x and its bases read-only keeps everybody from writing into its memory.

    Not so if the memory belongs to something else that writes, such as a bytearray or a mapped
    file: ``np.frombuffer(bytearray(8000))``.
    """
    while issubclass(type(x.base), ndarray):
        x = x.base
    return x.base is None or isinstance(x.base, bytes) or not x.flags.writeable


def digest(x: Any) -> tuple[int, ...]:
    """A fingerprint of an array's values, in one pass at the speed of memory.

    It sees every change of one element, and every exchange of two, of two rows, or of any parts
    that don't all move by multiples of a prime number of words.

    >>> x = np.arange(6.0).reshape(2, 3)
    >>> before = digest(x)
    >>> x[1, 2] += 1
    >>> digest(x) == before
    False
    """
    flags = x.flags
    if flags.c_contiguous or flags.f_contiguous:
        return _digest(x.ravel("K"), x.strides)
    # What is repeated (np.broadcast_to) counts once.
    x = x[tuple(slice(0, 1) if step == 0 else slice(None) for step in x.strides)]
    rows = max(1, (1 << 20) * len(x) // max(x.nbytes, 1))
    blocks = (np.ascontiguousarray(x[i : i + rows]) for i in range(0, len(x), rows))
    return tuple(word for block in blocks for word in _digest(block.reshape(-1), block.strides))


#: Odd multipliers: a change of one word changes the sum of the products (mod 2 ** 64).
_ODD = np.arange(1, 2048, 2, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)


def _digest(x: Any, strides: Sequence[int]) -> tuple[int, ...]:
    """Sums over words a prime number apart, in a sum with odd multipliers; the octets left over."""
    width = 1021 if all(step % 1021 for step in strides) else 1019
    octets = x.view(np.uint8)
    rows, rest = divmod(octets.size, 8 * width)
    words = octets[: octets.size - rest].view(np.uint64)
    columns = np.add.reduce(words.reshape(rows, width), 0)
    return int(columns.dot(_ODD[:width])), hash(octets[octets.size - rest :].tobytes())


def references(arrays: Sequence[Any], i: int) -> int:
    """How many places hold the i-th array of a list; `ALONE` if only this list does."""
    return sys.getrefcount(arrays[i])


ALONE = references([np.empty(1)], 0)
