"""CuPy's ufuncs: what they accept, their keywords and methods, and where dtypes differ."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special

from fgrad.arrays import is_a

from . import indexing
from .array import COMPARISONS, SCALARS, checked_dtype, ndarray, unwrap, wrap
from .contract import CONTRACT

#: Complex operands of these are taken for real ones, and the answer is complex again.
REAL_ONLY = {"arctan2", "copysign", "hypot", "nextafter"}
#: These refuse complex operands.
LOGICAL = {"logical_and", "logical_or", "logical_xor", "logical_not"}


class ufunc:
    """One of them, with NumPy's of the same name, or SciPy's, to compute it."""

    __module__ = "cupy"

    def __init__(self, name: str, fn: Any, nin: int, nout: int, methods: list[str]) -> None:
        self.__name__ = self._short = name
        self.name = f"cupy_{getattr(fn, '__name__', name)}"
        self.fn, self.nin, self.nout, self.methods = fn, nin, nout, methods
        self.nargs = nin + nout

    def __repr__(self) -> str:
        return f"<ufunc '{self.name}'>"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        extra = (
            ("axes", "axis", "keepdims", "order", "signature") if self._short == "matmul" else ()
        )
        wrong = {k: v for k, v in kwargs.items() if k not in ("out", "dtype", "casting", *extra)}
        if wrong:
            raise TypeError(f"Wrong arguments {wrong}")
        if len(args) not in (self.nin, self.nin + 1):
            raise TypeError(f"Wrong number of arguments for {self.name}")
        out = kwargs.pop("out", None)
        if len(args) > self.nin:
            args, out = args[: self.nin], args[self.nin]
        operands = [self._operand(x) for x in args]
        if out is not None:
            if is_a(out, tuple):
                (out,) = out
            if not is_a(out, ndarray):
                raise TypeError(f"Unsupported type {type(out)}")
            indexing.check_writable(out._a)
            if self._short != "matmul" and out.shape != np.broadcast_shapes(
                *map(np.shape, operands)
            ):
                raise ValueError("Out shape is mismatched")
            kwargs["out"] = out._a
        if kwargs.get("dtype") is not None:
            checked_dtype(kwargs["dtype"])
        try:
            with np.errstate(all="ignore"):
                answer = self._compute(operands, {k: v for k, v in kwargs.items() if v is not None})
        except np._core._exceptions._UFuncBinaryResolutionError as e:
            raise TypeError(str(e)) from None
        except np._core._exceptions.UFuncTypeError as e:
            raise TypeError(str(e)) from None
        return wrap(answer) if out is None else out

    def _operand(self, x: Any) -> Any:
        if is_a(x, ndarray):
            return x._a
        if is_a(x, np.ndarray) and not x.ndim and self._short in COMPARISONS:
            return x.item()
        if is_a(x, SCALARS):
            return x
        raise TypeError(f"Unsupported type {type(x)}")

    def _compute(self, operands: list[Any], keywords: dict[str, Any]) -> Any:
        name = self._short
        kinds = "".join(
            np.result_type(x if hasattr(x, "dtype") else type(x)).kind for x in operands
        )
        if "c" in kinds and name in LOGICAL:
            raise TypeError(f"Wrong type for {self.name}")
        if "c" in kinds and name in REAL_ONLY:
            dtype = np.result_type(*operands)
            return np.asarray(self.fn(*(np.real(x) for x in operands), **keywords)).astype(dtype)
        if name == "sign" and kinds == "b":
            return np.asarray(operands[0]).astype(np.int8)
        if name in ("power", "pow") and set(kinds) <= set("iu"):
            dtype = self.fn(np.ones_like(operands[0]), np.ones_like(operands[1])).dtype
            if np.any(np.less(operands[1], 0)):  # NumPy raises; the device computes something
                return self.fn(*(np.asarray(x, np.float64) for x in operands)).astype(dtype)
        return self.fn(*operands, **keywords)

    # ------------------------------------------------------------------ methods
    def _has(self, method: str) -> None:
        if method not in self.methods:
            raise NotImplementedError(f"`{self.name}.{method}` is not supported yet")

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        a, b = (np.asarray(self._operand(x)) for x in (A, B))
        return self(wrap(a.reshape(a.shape + (1,) * b.ndim)), wrap(b), **kwargs)

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        self._has("at")
        if not is_a(a, ndarray):
            raise TypeError(f"Unsupported type {type(a)}")
        indexing.scatter(self._short, a._a, indices, self._operand(b), ndarray)

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None,
               keepdims: bool = False) -> Any:  # fmt: skip
        self._has("reduce")
        return self._over("reduce", array, out, axis=axis, dtype=dtype, keepdims=keepdims)

    def accumulate(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None) -> Any:
        self._has("accumulate")
        return self._over("accumulate", array, out, axis=axis, dtype=dtype)

    def reduceat(self, array: Any, indices: Any, axis: Any = 0, dtype: Any = None,
                 out: Any = None) -> Any:  # fmt: skip
        self._has("reduceat")
        if not is_a(indices, ndarray):
            raise TypeError(f"Unsupported type {type(indices)}")
        return self._over("reduceat", array, out, unwrap(indices), axis=axis, dtype=dtype)

    def _over(self, method: str, array: Any, out: Any, *rest: Any, **keywords: Any) -> Any:
        if not is_a(array, ndarray):
            raise TypeError(f"Unsupported type {type(array)}")
        if out is not None:
            keywords["out"] = unwrap(out)
        with np.errstate(all="ignore"):
            answer = getattr(self.fn, method)(array._a, *rest, **keywords)
        return wrap(answer) if out is None else out


def _exp10(x: Any, **keywords: Any) -> Any:
    return np.power(np.asarray(10.0, np.result_type(x, np.float16)), x, **keywords)


_OWN = {"true_divide": np.true_divide, "exp10": _exp10}


def ufuncs(home: str) -> dict[str, ufunc]:
    """All ufuncs of a module, by name."""
    source = np if home == "cupy" else scipy.special
    out = {}
    for name, (module, nin, nout, methods) in CONTRACT["ufuncs"].items():
        fn = _OWN.get(name) or getattr(source, name, None)
        if module == home and fn is not None:
            out[name] = ufunc(name, fn, nin, nout, methods)
    if home == "cupy":
        out["matmul"] = ufunc("matmul", np.matmul, 2, 1, ["__call__"])
        # One function under each of its names, as in NumPy.
        for name, u in out.items():
            same = getattr(getattr(np, name), "__name__", name)
            if same != name and same in out:
                u._short = same
    return out
