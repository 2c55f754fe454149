"""The stand-in for CuPy, put together: the module ``cupy`` and its submodules."""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.special

from fgrad.arrays import is_a

from . import kernels, operators, ufuncs
from .array import LIBRARY, SCALARS, Device, Stream, checked_dtype, ndarray, poisoned, unwrap, wrap
from .contract import CONTRACT, signature
from .functions import PLAIN, WHOLE, declare
from .traffic import TRAFFIC

FUNCTIONS = CONTRACT["functions"]


# ------------------------------------------------------------------ creation
def array(obj: Any, dtype: Any = None, copy: Any = True, order: str = "K", subok: bool = False,
          ndmin: int = 0, *, blocking: bool = False) -> Any:  # fmt: skip
    if is_a(obj, ndarray):
        if copy or (dtype is not None and np.dtype(dtype) != obj.dtype):
            return obj.astype(obj.dtype if dtype is None else dtype, order)
        return obj
    if is_a(obj, (list, tuple)) and _holds(obj):
        joined = LIBRARY.stack([array(x, copy=False) for x in obj])
        return joined if dtype is None else joined.astype(dtype)
    if not is_a(obj, SCALARS):
        TRAFFIC.to_device += 1
    return wrap(np.array(obj, dtype if dtype is None else checked_dtype(dtype), ndmin=ndmin))


def _holds(x: Any) -> bool:
    return is_a(x, ndarray) or (is_a(x, (list, tuple)) and any(map(_holds, x)))


def asarray(a: Any, dtype: Any = None, order: Any = None, *, copy: Any = None,
            blocking: bool = False) -> Any:  # fmt: skip
    return array(a, dtype, bool(copy), order or "K")


def ascontiguousarray(a: Any, dtype: Any = None) -> Any:
    return wrap(np.ascontiguousarray(unwrap(array(a, dtype, False))))


def asfortranarray(a: Any, dtype: Any = None) -> Any:
    return wrap(np.asfortranarray(unwrap(array(a, dtype, False))))


def empty(shape: Any, dtype: Any = float, order: str = "C") -> Any:
    return ndarray._of(poisoned(shape, dtype, order))


def empty_like(prototype: Any, dtype: Any = None, order: str = "K", subok: Any = None,
               shape: Any = None) -> Any:  # fmt: skip
    return empty(prototype.shape if shape is None else shape, dtype or prototype.dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> Any:
    if is_a(fill_value, np.ndarray) and fill_value.ndim:
        raise ValueError("non-scalar numpy.ndarray cannot be used for fill")
    return wrap(np.full(shape, getattr(fill_value, "_a", fill_value), dtype, order))


def full_like(a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: Any = None,
              shape: Any = None) -> Any:  # fmt: skip
    return full(a.shape if shape is None else shape, fill_value, dtype or a.dtype)


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *,
            blocking: bool = True) -> np.ndarray:  # fmt: skip
    return a.get() if is_a(a, ndarray) else np.asarray(a)


def get_array_module(*args: Any) -> Any:
    return LIBRARY if any(is_a(x, ndarray) for x in args) else np


CREATION: dict[str, Callable[..., Any]] = {
    "array": array, "asarray": asarray, "asanyarray": asarray, "empty": empty, "full": full,
    "empty_like": empty_like, "full_like": full_like, "ascontiguousarray": ascontiguousarray,
    "asfortranarray": asfortranarray,
}  # fmt: skip


# ------------------------------------------------------------------ linalg
def _solved(fn: Callable[..., Any], rank: bool, stacked: bool) -> Callable[..., Any]:
    """A solver that gives NaN for singular matrices, in silence, and refuses float16.

    With ``stacked`` it wants as many right sides as matrices.
    """

    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        if a.dtype == np.float16:
            raise TypeError("float16 is unsupported in linalg")
        if stacked and args[0].shape[: a.ndim - 1] != a.shape[:-1]:
            raise ValueError(
                "a must have (..., M, M) shape and b must have (..., M) or (..., M, K)"
            )
        if fn is np.linalg.solve and args[0].ndim > 1 and a.shape[:-1] != args[0].shape[:-1]:
            raise ValueError("a must have (..., M, M) shape and b must have (..., M, K)")
        try:
            answer = fn(a, *args, **kwargs)
        except np.linalg.LinAlgError as e:
            if "must be" in str(e):
                raise
            whole = np.where(np.eye(a.shape[-1], dtype=bool), 1.0, 0.0) + 0 * a[..., :1, :1]
            with np.errstate(all="ignore"):
                answer = fn(np.where(np.isfinite(whole), whole, 1), *args, **kwargs)
            answer = [y * np.nan for y in answer] if is_a(answer, tuple) else answer * np.nan
        if rank and is_a(answer, np.ndarray):
            answer = np.asarray(answer, order="F")
        return answer

    return call


# ------------------------------------------------------------------ putting it together
def _fill(module: Any, home: str, source: Any) -> None:
    for name, text in FUNCTIONS.get(home, {}).items():
        if home == "cupy" and name in WHOLE:
            fn = _signed(name, text, WHOLE[name])
        elif home == "cupy" and name in CREATION:
            fn = _signed(name, text, CREATION[name])
        else:
            fn = PLAIN.get(name) if home in ("cupy", "cupy.lib.stride_tricks") else None
            fn = fn or getattr(source, name, None)
            if fn is None:
                continue
            if home == "cupy.linalg":
                fn = _solved(fn, name in ("solve", "inv", "cholesky"), name == "solve")
            fn = declare(name, text, fn, home)
        setattr(module, name, fn)


def _signed(name: str, text: str, fn: Callable[..., Any]) -> Callable[..., Any]:
    """A function of ours, under CuPy's signature."""
    sig = signature(text)

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            sig.bind(*args, **kwargs)
        except TypeError as e:
            raise TypeError(f"{name}() {e}") from None
        with np.errstate(all="ignore"):
            return fn(*args, **kwargs)

    call.__name__ = call.__qualname__ = name
    call.__module__ = "cupy"
    call.__signature__ = sig  # type: ignore[attr-defined]
    return call


def _build() -> dict[str, types.ModuleType]:
    linalg, fft, lib, tricks, special = (
        types.ModuleType(n)
        for n in ("cupy.linalg", "cupy.fft", "cupy.lib", "cupy.lib.stride_tricks",
                  "cupyx.scipy.special")
    )  # fmt: skip
    cupyx, cupyx_scipy = types.ModuleType("cupyx"), types.ModuleType("cupyx.scipy")
    cuda = types.ModuleType("cupy.cuda")
    for name in CONTRACT["numpy's own"]:
        if hasattr(np, name):
            setattr(LIBRARY, name, getattr(np, name))
    for name, u in ufuncs.ufuncs("cupy").items():
        setattr(LIBRARY, name, u)
    for name, u in ufuncs.ufuncs("cupyx.scipy.special").items():
        setattr(special, name, u)
    _fill(LIBRARY, "cupy", np)
    _fill(linalg, "cupy.linalg", np.linalg)
    _fill(fft, "cupy.fft", np.fft)
    _fill(tricks, "cupy.lib.stride_tricks", np.lib.stride_tricks)
    _fill(special, "cupyx.scipy.special", scipy.special)
    linalg.LinAlgError = np.linalg.LinAlgError
    cuda.Device, cuda.is_available = Device, lambda: True
    cuda.get_current_stream = Stream
    cuda.runtime = types.SimpleNamespace(getDevice=lambda: Device.id)
    for name, x in {"ndarray": ndarray, "ufunc": ufuncs.ufunc,
                    "ElementwiseKernel": kernels.ElementwiseKernel,
                    "ReductionKernel": kernels.ReductionKernel, "linalg": linalg, "fft": fft,
                    "lib": lib, "cuda": cuda, "asnumpy": asnumpy,
                    "get_array_module": get_array_module, "newaxis": None, "pi": np.pi,
                    "e": np.e, "inf": np.inf, "nan": np.nan, "_special": special,
                    "__version__": CONTRACT["version"]}.items():  # fmt: skip
        setattr(LIBRARY, name, x)
    lib.stride_tricks, cupyx.scipy, cupyx_scipy.special = tricks, cupyx_scipy, special
    return {"cupy": LIBRARY, "cupy.linalg": linalg, "cupy.fft": fft, "cupy.lib": lib,
            "cupy.lib.stride_tricks": tricks, "cupy.cuda": cuda,
            "cupyx": cupyx, "cupyx.scipy": cupyx_scipy, "cupyx.scipy.special": special}  # fmt: skip


MODULES = _build()


@contextmanager
def installed() -> Iterator[Any]:
    """The stand-in under CuPy's names, for a while."""
    before = {name: sys.modules.get(name) for name in MODULES}
    sys.modules.update(MODULES)
    try:
        yield LIBRARY
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


__all__ = ["LIBRARY", "MODULES", "installed", "operators"]
