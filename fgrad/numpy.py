"""NumPy's names, for values that NumPy's own protocols can't catch.

``import numpy as np`` is enough almost everywhere. ``import fgrad.numpy as fnp`` offers the same
functions, which see traced values among all of their arguments and in lists, and those for which
NumPy asks no protocol: `array`, `full`, `r_`, `c_`, `vectorize`.

>>> import numpy as np
>>> import fgrad, fgrad.numpy as fnp
>>> fgrad.grad(lambda x: fnp.array([x, 2 * x, 1.0]).sum())(3.0)
3.0
"""

from __future__ import annotations

from typing import Any

import numpy as _np

from . import ops as _ops  # noqa: F401  fills FRONTS
from .core import FRONTS as _FRONTS
from .doors import door as _door
from .ops.creation import Joiner as _Joiner
from .ops.creation import array as array
from .ops.creation import as_array as _as_array
from .ops.creation import asarray as asarray
from .ops.creation import full as full
from .ops.creation import vectorize as vectorize

r_ = _Joiner(_np.r_, axis=0, ndmin=1, place=-1)
c_ = _Joiner(_np.c_, axis=-1, ndmin=2, place=0)

#: Functions whose first argument is a list of arrays, not an array.
_OF_LISTS = {
    _np.concatenate, _np.stack, _np.vstack, _np.hstack, _np.dstack, _np.column_stack, _np.block,
    _np.select, _np.lexsort, _np.histogramdd, _np.array, _np.asarray, _np.asanyarray, _np.einsum,
}  # fmt: skip


def _of_arrays(fn: Any, front: Any) -> Any:
    """A front whose first argument may be a list that holds traced values."""
    if fn in _OF_LISTS:
        return front

    def call(*args: Any, **kwargs: Any) -> Any:
        if args and isinstance(args[0], (list, tuple)):
            args = (_as_array(args[0]), *args[1:])
        return front(*args, **kwargs)

    return call


_FUNCTIONS = {
    fn.__name__: _door(fn, _of_arrays(fn, front))
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
