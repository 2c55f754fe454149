"""Dtypes, copies, arrays like others, and what only asks for facts."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import PYTHON_SCALARS, is_a, is_cupy, namespace, shape_of
from ..core import Tracer, full_lower
from ..errors import NoRuleError
from ..rules import constant, line_up, linear
from ..tracer import register


def _astype_impl(x: Any, *, dtype: Any) -> Any:
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x).astype(dtype)[()]


@linear(np.astype, lambda g, x, *, dtype: g.astype(dtype), batch=line_up, impl=_astype_impl)
def _astype_inexact(x: Any, *, dtype: Any) -> Any:
    return (x,), {"dtype": dtype}


def _to_exact(x: Any, *, dtype: Any) -> Any:
    return (x,), {"dtype": dtype}


_to_exact.__name__ = "astype_exact"
_astype_exact = constant(_to_exact, _to_exact, batch=line_up, impl=_astype_impl)


def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: None = None) -> Any:
    """`numpy.astype`; from complex to real it keeps the real part, to integers it is constant."""
    new = np.dtype(dtype)
    if new == x.dtype and new.isnative:
        return x
    if new.kind in "fc":
        if x.dtype.kind == "c" and new.kind == "f":
            x = np.real(x)
        return _astype_inexact(x, dtype=new)
    return _astype_exact(x, dtype=new)


register(np.astype, astype)


@linear(np.copy, lambda g, x: g, batch=line_up)
def copy(a: Any, order: str = "K", subok: bool = False) -> Any:
    """`numpy.copy`."""
    return (a,), {}


def _identity(x: Any) -> Any:
    return x


_identity.__name__ = "stop_gradient"
stop_gradient_leaf = constant(_identity, lambda x: ((x,), {}), batch=line_up, impl=_identity)


def known(x: Any) -> Any:
    """The plain values of x, if they may be known: not under vmap, nor while a graph is made.

    Nor those of CuPy's arrays, for which the host would have to wait.
    """
    y = stop_gradient_leaf(x) if isinstance(x, Tracer) else x
    return None if isinstance(y, Tracer) or is_cupy(y) else y


def view(a: Any, dtype: Any = None, type: Any = None) -> Any:
    """`numpy.ndarray.view`: complex numbers as pairs of real ones, and such pairs as complex."""
    new = a.dtype if dtype is None else np.dtype(dtype)
    if new == a.dtype and type is None:
        return a
    shape, pair = shape_of(a), np.result_type(a.dtype, np.complex64)
    if a.dtype.kind == "c" and new == np.empty(0, a.dtype).real.dtype and shape:
        return np.reshape(np.stack([np.real(a), np.imag(a)], axis=-1), (*shape[:-1], 2 * shape[-1]))
    if new == pair and a.dtype.char in "fd" and shape and shape[-1] % 2 == 0:
        return a[..., ::2] + 1j * a[..., 1::2]
    raise NoRuleError(
        "`x.view` of traced values wants their own dtype, or the complex or real one of its size.",
        f"x.view({dtype or type!r}) of {a!r}",
        "convert the values with x.astype(dtype); take the bytes of the untraced array",
    )


register(np.ndarray.view, view)


# ------------------------------------------------------------------ arrays like others
def _like(name: str) -> Any:
    def like(a: Any, dtype: Any = None, order: str = "K", subok: bool = True, shape: Any = None, *,
             device: None = None) -> Any:  # fmt: skip
        create = getattr(namespace(full_lower(a)), name)
        return create(a.shape if shape is None else shape, a.dtype if dtype is None else dtype)

    like.__name__ = f"{name}_like"
    return like


for _fn, _name in ((np.zeros_like, "zeros"), (np.ones_like, "ones"), (np.empty_like, "empty")):
    register(_fn, _like(_name))


def full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
    shape: Any = None, *, device: None = None,
) -> Any:  # fmt: skip
    """`numpy.full_like`; the fill value may be traced."""
    dtype = a.dtype if dtype is None else np.dtype(dtype)
    shape = a.shape if shape is None else shape
    if not hasattr(fill_value, "dtype"):
        return namespace(full_lower(a)).full(shape, fill_value, dtype)
    return np.broadcast_to(fill_value.astype(dtype), shape)


register(np.full_like, full_like)


# ------------------------------------------------------------------ facts
register(np.shape, lambda a: shape_of(a))
register(np.ndim, lambda a: len(shape_of(a)))
register(np.iscomplexobj, lambda x: x.dtype.kind == "c")
register(np.isrealobj, lambda x: x.dtype.kind != "c")
register(np.common_type, lambda *xs: np.common_type(*(np.empty(0, x.dtype) for x in xs)))


def size(a: Any, axis: Any = None) -> int:
    """`numpy.size`."""
    shape = shape_of(a)
    axes = range(len(shape)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    out = 1
    for i in axes:
        out *= shape[i]
    return out


register(np.size, size)


def _dtype_of(x: Any) -> Any:
    """What NumPy promotes by: a Python number is weak, under a tracer too."""
    if not isinstance(x, Tracer):
        return x
    value = full_lower(x)
    return value if is_a(value, PYTHON_SCALARS) else value.dtype


register(np.result_type, lambda *xs: np.result_type(*map(_dtype_of, xs)))
register(np.can_cast, lambda x, to, casting="safe": np.can_cast(_dtype_of(x), to, casting))
