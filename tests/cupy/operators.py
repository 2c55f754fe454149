"""The operators and methods of the stand-in's arrays, which are functions of its library.

They go by `isinstance`, as CuPy's do; the functions, by the type itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from . import indexing
from .array import LIBRARY, SCALARS, ndarray, wrap
from .contract import CONTRACT


def _uses_reflected(x: Any, y: Any) -> bool:
    if hasattr(y, "__array_ufunc__"):
        return y.__array_ufunc__ is None
    return getattr(y, "__array_priority__", -1e6) > getattr(x, "__array_priority__", -1e6)


def _operator(name: str, unary: bool = False) -> None:
    stem = {"true_divide": "truediv", "floor_divide": "floordiv", "remainder": "mod",
            "subtract": "sub", "multiply": "mul", "power": "pow", "left_shift": "lshift",
            "right_shift": "rshift"}.get(name, name.removeprefix("bitwise_"))  # fmt: skip

    def method(x: Any, y: Any) -> Any:
        if _uses_reflected(x, y):
            return NotImplemented
        mine = isinstance(x, ndarray) and isinstance(y, (ndarray, *SCALARS, np.ndarray))
        return getattr(LIBRARY if mine else np, name)(x, y)

    def reflected(x: Any, y: Any) -> Any:
        mine = isinstance(y, (*SCALARS, np.ndarray))
        return getattr(LIBRARY if mine else np, name)(y, x)

    def in_place(x: Any, y: Any) -> Any:
        if _uses_reflected(x, y):
            return NotImplemented
        indexing.check_writable(x._a)
        return getattr(LIBRARY, name)(x, y, out=x)

    setattr(ndarray, f"__{stem}__", method)
    setattr(ndarray, f"__r{stem}__", reflected)
    if name not in ("divmod", "matmul"):
        setattr(ndarray, f"__i{stem}__", in_place)


def _comparison(name: str, stem: str) -> None:
    def method(x: Any, y: Any) -> Any:
        if y is None and name in ("equal", "not_equal"):
            return wrap(np.full(x.shape, name == "not_equal"))
        if _uses_reflected(x, y):
            return NotImplemented
        mine = isinstance(y, (ndarray, *SCALARS, np.ndarray))
        return getattr(LIBRARY if mine else np, name)(x, y)

    setattr(ndarray, f"__{stem}__", method)


def _method(name: str) -> None:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        return getattr(LIBRARY, name)(self, *args, **kwargs)

    method.__name__ = name
    setattr(ndarray, name, method)


for _name in ("add", "subtract", "multiply", "true_divide", "floor_divide", "remainder", "power",
              "matmul", "bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift",
              "divmod"):  # fmt: skip
    _operator(_name)
for _name, _stem in zip(("less", "less_equal", "greater", "greater_equal", "equal", "not_equal"),
                        ("lt", "le", "gt", "ge", "eq", "ne"), strict=True):  # fmt: skip
    _comparison(_name, _stem)
for _name, _stem in zip(("negative", "positive", "absolute", "invert"),
                        ("neg", "pos", "abs", "invert"), strict=True):  # fmt: skip
    setattr(ndarray, f"__{_stem}__", lambda x, name=_name: getattr(LIBRARY, name)(x))
for _name in ("max", "min", "sum", "prod", "mean", "var", "std", "all", "any", "argmax", "argmin",
              "cumsum", "cumprod", "ptp", "clip", "round", "trace", "diagonal", "repeat", "take",
              "put", "choose", "argsort", "partition", "argpartition", "searchsorted", "nonzero",
              "compress"):  # fmt: skip
    if _name in CONTRACT["methods"]:
        _method(_name)


def _sort(self: ndarray, axis: int = -1, kind: Any = None) -> None:
    self._a.sort(axis)


setattr(ndarray, "sort", _sort)  # noqa: B010
