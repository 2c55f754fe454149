"""The stand-in's array class: CuPy's `ndarray`, with the values in a NumPy array that it hides.

It is no subclass of NumPy's: what NumPy would do with one in silence fails here, as it does with
CuPy's. What the host would have to wait for is counted in `traffic`.
"""

from __future__ import annotations

import types
from typing import Any, NoReturn

import numpy as np

from fgrad.arrays import is_a

from . import indexing
from .contract import DTYPES
from .traffic import TRAFFIC

#: The module that stands in for ``cupy``; `library` fills it.
LIBRARY: Any = types.ModuleType("cupy")

SCALARS = (bool, int, float, complex, np.generic)
COMPARISONS = {"equal", "not_equal", "less", "less_equal", "greater", "greater_equal"}
METHODS = ("__call__", "outer", "at", "reduce", "accumulate", "reduceat")


def wrap(value: Any) -> Any:
    """NumPy's results as the stand-in's: arrays and scalars alike, in tuples and lists too."""
    if is_a(value, (np.ndarray, np.generic)):
        return ndarray._of(np.asarray(value))
    if is_a(value, (tuple, list)):  # CuPy has no tuples with names
        return (list if is_a(value, list) else tuple)(map(wrap, value))
    return value


def unwrap(x: Any) -> Any:
    """The stand-in's arrays as NumPy's, for which there is no way in: they are refused."""
    if is_a(x, ndarray):
        return x._a
    if is_a(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    if type(x) in (tuple, list):
        return type(x)(map(unwrap, x))
    return x


def checked_dtype(dtype: Any) -> np.dtype[Any]:
    """A dtype that CuPy has."""
    new = np.dtype(dtype)
    if new not in DTYPES:
        raise ValueError(f"Unsupported dtype {new}")
    return new


class Flags:
    """``x.flags``: how the memory lies, and nothing that can be set."""

    def __init__(self, a: np.ndarray) -> None:
        self.c_contiguous, self.f_contiguous = a.flags.c_contiguous, a.flags.f_contiguous
        self.owndata, self.fnc = a.flags.owndata, a.flags.fnc
        self.forc = a.flags.forc


class Device:
    """``x.device``."""

    id = 0

    def __enter__(self) -> Device:
        return self

    def __exit__(self, *error: Any) -> None: ...

    def __eq__(self, other: Any) -> bool:
        return is_a(other, Device)

    def __hash__(self) -> int:
        return 0


class MemoryPointer:
    """``x.data``."""

    def __init__(self, ptr: int) -> None:
        self.ptr, self.device_id = ptr, Device.id


class Stream:
    """``cupy.cuda.get_current_stream()``: the one that there is."""

    ptr = 0


class ndarray:
    """CuPy's array."""

    __slots__ = ("__weakref__", "_a", "base")
    __module__ = "cupy"
    __array_priority__ = 100
    __hash__: Any = None

    def __init__(self, shape: Any, dtype: Any = float, memptr: Any = None, strides: Any = None,
                 order: str = "C") -> None:  # fmt: skip
        self._a = poisoned(shape, dtype, order)
        self.base = None

    @classmethod
    def _of(cls, a: np.ndarray, base: Any = None) -> Any:
        x = object.__new__(cls)
        x._a = a if a.dtype in DTYPES else a.astype(checked_dtype(a.dtype))
        x.base = base
        return x

    def _view(self, a: Any) -> Any:
        owner = self if self.base is None else self.base
        return ndarray._of(np.asarray(a), owner if np.may_share_memory(a, self._a) else None)

    # ------------------------------------------------------------------ facts
    shape = property(lambda x: x._a.shape)
    dtype = property(lambda x: x._a.dtype)
    strides = property(lambda x: x._a.strides)
    ndim = property(lambda x: x._a.ndim)
    size = property(lambda x: x._a.size)
    itemsize = property(lambda x: x._a.itemsize)
    nbytes = property(lambda x: x._a.nbytes)
    flags = property(lambda x: Flags(x._a))
    device = property(lambda x: Device())
    data = property(lambda x: MemoryPointer(x._a.ctypes.data))
    cstruct = property(lambda x: MemoryPointer(x._a.ctypes.data))
    T = property(lambda x: x._view(x._a.T))
    mT = property(lambda x: x._view(x._a.mT))
    flat = property(lambda x: iter(x.ravel()))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {"shape": self.shape, "typestr": self.dtype.str, "version": 3,
                "data": (self._a.ctypes.data, False), "strides": None}  # fmt: skip

    @property
    def real(self) -> Any:
        return self._view(self._a.real)

    @real.setter
    def real(self, value: Any) -> None:
        self._a.real = unwrap(value)

    @property
    def imag(self) -> Any:
        a = self._a
        return self._view(a.imag if a.dtype.kind == "c" else np.zeros(a.shape, a.dtype))

    @imag.setter
    def imag(self, value: Any) -> None:
        self._a.imag = unwrap(value)

    def __len__(self) -> int:
        return len(self._a)

    def __iter__(self) -> Any:
        if not self.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[i] for i in range(self.shape[0]))

    # ------------------------------------------------------------------ to the host
    def get(self, stream: Any = None, order: str = "C", out: Any = None,
            blocking: bool = True) -> np.ndarray:  # fmt: skip
        TRAFFIC.down()
        return self._a.copy(order)

    def set(self, arr: Any, stream: Any = None) -> None:
        TRAFFIC.to_device += 1
        self._a[...] = arr

    def item(self) -> Any:
        TRAFFIC.down()
        return self._a.item()

    def tolist(self) -> Any:
        TRAFFIC.down()
        return self._a.tolist()

    def tobytes(self, order: str = "C") -> bytes:
        TRAFFIC.down()
        return self._a.tobytes(order)

    def __bool__(self) -> bool:
        TRAFFIC.down()
        return bool(self._a)

    def __float__(self) -> float:
        return float(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __repr__(self) -> str:
        TRAFFIC.down()
        return repr(self._a)

    def __str__(self) -> str:
        TRAFFIC.down()
        return str(self._a)

    def __format__(self, format_spec: str) -> str:
        TRAFFIC.down()
        return format(self._a, format_spec)

    def __array__(self, dtype: Any = None) -> NoReturn:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to "
            "construct a NumPy array explicitly."
        )

    def __reduce__(self) -> Any:
        return _from_host, (self.get(),)

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    # ------------------------------------------------------------------ values
    def __getitem__(self, slices: Any) -> Any:
        return self._view(indexing.read(self._a, slices, ndarray))

    def __setitem__(self, slices: Any, value: Any) -> None:
        if is_a(value, np.ndarray):
            if value.ndim:
                raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
            value = value.item()
        elif not is_a(value, (ndarray, *SCALARS)):
            raise TypeError(f"Unsupported type {type(value)}")
        indexing.write(self._a, slices, unwrap(value), ndarray)

    def scatter_add(self, slices: Any, value: Any) -> None:
        LIBRARY.add.at(self, slices, value)

    def scatter_max(self, slices: Any, value: Any) -> None:
        LIBRARY.maximum.at(self, slices, value)

    def scatter_min(self, slices: Any, value: Any) -> None:
        LIBRARY.minimum.at(self, slices, value)

    def fill(self, value: Any) -> None:
        self[...] = value

    def astype(self, dtype: Any, order: str = "K", casting: Any = None, subok: Any = None,
               copy: bool = True) -> Any:  # fmt: skip
        new = checked_dtype(dtype)
        if not copy and new == self.dtype:
            return self
        with np.errstate(all="ignore"):
            a = self._a.real if self.dtype.kind == "c" and new.kind != "c" else self._a
            return ndarray._of(a.astype(new, order))

    def copy(self, order: str = "C") -> Any:
        return ndarray._of(self._a.copy(order))

    def view(self, dtype: Any = None, array_class: Any = None) -> Any:
        return self._view(self._a.view() if dtype is None else self._a.view(checked_dtype(dtype)))

    def reshape(self, *shape: Any, order: str = "C", copy: Any = None) -> Any:
        new = shape[0] if len(shape) == 1 else shape
        more = {} if copy is None else {"copy": copy}  # NumPy 2.0 has no such argument
        return self._view(self._a.reshape(_integers(new), order=order, **more))

    def transpose(self, *axes: Any) -> Any:
        return self._view(self._a.transpose(*axes))

    def swapaxes(self, axis1: int, axis2: int) -> Any:
        return self._view(self._a.swapaxes(axis1, axis2))

    def flatten(self, order: str = "C") -> Any:
        return ndarray._of(self._a.flatten(order))

    def ravel(self, order: str = "C") -> Any:
        return self._view(self._a.ravel(order))

    def squeeze(self, axis: Any = None) -> Any:
        return self._view(self._a.squeeze(axis))

    def conj(self) -> Any:
        return LIBRARY.conjugate(self) if self.dtype.kind == "c" else self

    conjugate = conj

    def dot(self, b: Any, out: Any = None) -> Any:
        return LIBRARY.dot(self, b, out)

    # ------------------------------------------------------------------ NumPy's protocols
    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        name = ufunc.__name__
        if "out" in kwargs:
            if len(kwargs["out"]) != 1:
                raise ValueError("The 'out' parameter must have exactly one array value")
            kwargs["out"] = kwargs["out"][0]
        mine = getattr(LIBRARY, name, None) or getattr(LIBRARY._special, name, None)
        operands = [*inputs, *([kwargs["out"]] if "out" in kwargs else [])]
        if method not in METHODS or mine is None or not all(map(_passes, operands)):
            return NotImplemented
        if method == "__call__":
            return mine(*inputs, **kwargs)
        return getattr(mine, method)(*inputs, **kwargs)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        home: Any = LIBRARY
        for part in func.__module__.split(".")[1:]:
            home = getattr(home, part, None)
        mine = getattr(home, func.__name__, None)
        if mine is None or mine is func:
            return NotImplemented
        if any(t is not ndarray and t is not np.ndarray for t in types):
            return NotImplemented
        return mine(*args, **kwargs)


def _from_host(a: np.ndarray) -> Any:
    TRAFFIC.to_device += 1
    return ndarray._of(a)


def _integers(shape: Any) -> Any:
    """A shape, in which the device's numbers have no place."""
    return tuple(int(n.__index__()) for n in shape) if is_a(shape, (tuple, list)) else shape


def _passes(x: Any) -> bool:
    """The gate of ``__array_ufunc__``: what may be an operand, or seems so at first."""
    if is_a(x, SCALARS):
        return not is_a(x, np.generic) or x.dtype in DTYPES
    return is_a(x, (ndarray, np.ndarray)) or hasattr(x, "__cuda_array_interface__")


def poisoned(shape: Any, dtype: Any, order: str = "C") -> np.ndarray:
    """`numpy.empty`, with values that nobody takes for results."""
    new = checked_dtype(dtype)
    poison = np.nan if new.kind in "fc" else True if new.kind == "b" else np.iinfo(new).max
    return np.full(_integers(shape), poison, new, order)
