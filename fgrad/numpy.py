"""NumPy's names, for values that NumPy's own protocols can't catch.

``import numpy as np`` is enough almost everywhere. ``import fgrad.numpy as fnp`` offers the same
functions, and makes arrays from lists that hold traced values:

>>> import numpy as np
>>> import fgrad, fgrad.numpy as fnp
>>> fgrad.grad(lambda x: fnp.array([x, 2 * x, 1.0]).sum())(3.0)
3.0
"""

from __future__ import annotations

from typing import Any

import numpy as _np

from . import ops as _ops  # noqa: F401  fills FRONTS
from .arrays import check_operand as _check_operand
from .arrays import shape_of as _shape_of
from .core import FRONTS as _FRONTS
from .core import Tracer as _Tracer
from .doors import door as _door
from .doors import has_tracer as _has_tracer
from .errors import ShapeError as _ShapeError


def array(object: Any, dtype: Any = None, *, copy: bool = True, ndmin: int = 0) -> Any:
    """`numpy.array`; nested lists and tuples may hold traced values.

    >>> array([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [3., 4.]])
    """
    out = _build(object) if _has_tracer(object) else _np.array(object, dtype, copy=copy)
    if dtype is not None and out.dtype != _np.dtype(dtype):
        out = out.astype(dtype)
    missing = ndmin - len(_shape_of(out))
    return out if missing <= 0 else _np.reshape(out, (*(1,) * missing, *_shape_of(out)))


def asarray(a: Any, dtype: Any = None) -> Any:
    """`numpy.asarray`; traced arrays pass, nested lists may hold traced values."""
    if isinstance(a, _Tracer) or _has_tracer(a):
        return array(a, dtype) if not isinstance(a, _Tracer) or dtype is not None else a
    return _np.asarray(a, dtype)


asanyarray = asarray
ascontiguousarray = asarray


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """`numpy.full`; the fill value may be traced."""
    if not isinstance(fill_value, _Tracer):
        return _np.full(shape, fill_value, dtype)
    value: Any = fill_value
    return _np.broadcast_to(value if dtype is None else value.astype(dtype), shape)


def _build(x: Any) -> Any:
    """Stack nested sequences from the inside out."""
    if isinstance(x, (list, tuple)):
        parts = [_build(y) for y in x]
        shapes = [_shape_of(y) for y in parts]
        if len({*shapes}) > 1:
            raise _ShapeError(
                "fgrad.numpy.array wants nested lists of equal lengths.",
                f"parts of the shapes {', '.join(map(str, shapes))}",
                "join parts of different lengths with np.concatenate",
            )
        return _np.stack(parts) if parts else _np.asarray(x)
    if isinstance(x, _Tracer):
        return x
    _check_operand(x, "fgrad.numpy.array")
    return x if hasattr(x, "dtype") else _np.asarray(x)


_FUNCTIONS = {
    fn.__name__: _door(fn, front)
    for fn, front in _FRONTS.items()
    if getattr(_np, getattr(fn, "__name__", ""), None) is fn and not isinstance(fn, _np.ufunc)
}


def __getattr__(name: str) -> Any:
    """NumPy's own attribute, or our function of that name, which sees all traced arguments."""
    if name.startswith("__"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _FUNCTIONS.get(name) or getattr(_np, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(_np)})
