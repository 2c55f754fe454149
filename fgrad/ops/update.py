"""The front door of changed copies: ``x.at[i].set(v)`` and its like."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import is_cupy, ndim_of
from ..core import Tracer, home
from ..errors import TracerConversionError
from ..tracebacks import boundary
from ..tracer import ArrayTracer, register
from .index import (
    HERE,
    bind_getitem,
    bind_index_add,
    bind_index_set,
    getitem,
    split_index,
)
from .indices import join_index


class At:
    """Changed copies of an array; made by ``x.at`` and `at`."""

    __slots__ = ("_x",)

    def __init__(self, x: Any) -> None:
        self._x = x

    def __getitem__(self, index: Any) -> Updater:
        return Updater(self._x, index)


class Updater:
    """The part ``x.at[index]`` of an array, to be changed in a copy of it."""

    __slots__ = ("_index", "_x")

    def __init__(self, x: Any, index: Any) -> None:
        self._x, self._index = x, index

    @boundary
    def get(self) -> Any:
        """``x[index]``."""
        return getitem(self._x, self._index)

    @boundary
    def set(self, value: Any) -> Any:
        """A copy of x with ``x[index] = value``; of values for one place the last one stays."""
        if (
            isinstance(self._index, ArrayTracer)
            and self._index.dtype == bool
            and np.ndim(value) == 0
        ):
            mask: Any = self._index
            mask = np.reshape(mask, (*mask.shape, *(1,) * (ndim_of(self._x) - mask.ndim)))
            return np.where(mask, _typed(value, self._x), self._x)
        spec, arrays = split_index(self._x, self._index)
        return bind_index_set(self._x, _typed(value, self._x), arrays, spec)

    @boundary
    def add(self, value: Any) -> Any:
        """A copy of x with ``x[index] += value``; values for one place add up."""
        spec, arrays = split_index(self._x, self._index)
        return bind_index_add(self._x, _typed(value, self._x), arrays, spec)

    @boundary
    def subtract(self, value: Any) -> Any:
        """A copy of x with ``x[index] -= value``."""
        return self.add(-_typed(value, self._x))

    @boundary
    def multiply(self, value: Any) -> Any:
        """A copy of x with ``x[index] *= value``; values for one place multiply."""
        return self._combine(np.multiply, value)

    @boundary
    def min(self, value: Any) -> Any:
        """A copy of x with the smaller of ``x[index]`` and the value."""
        return self._combine(np.minimum, value)

    @boundary
    def max(self, value: Any) -> Any:
        """A copy of x with the larger of ``x[index]`` and the value."""
        return self._combine(np.maximum, value)

    def _combine(self, fn: Any, value: Any) -> Any:
        """Set ``fn(x[index], value)``, in several rounds where an index names a place twice."""
        x = self._x
        spec, arrays = split_index(x, self._index)
        value = _typed(value, x)
        if not arrays:
            return bind_index_set(x, fn(bind_getitem(x, (), spec), value), (), spec)
        if any(isinstance(a, Tracer) for a in arrays):
            raise TracerConversionError(
                f"x.at[i].{fn.__name__} wants indices whose values are known.",
                "a traced array of indices",
                "where no index occurs twice, write fgrad.at(x)[i].set(f(x[i], v))",
            )
        # Which places occur twice is found on the host.
        arrays = [a.get() if is_cupy(a) else a for a in arrays]
        flat = np.arange(int(np.prod(x.shape))).reshape(x.shape)[join_index(spec, arrays)]
        value = np.reshape(np.broadcast_to(value, flat.shape), (-1,))
        x_flat, host = np.reshape(x, (-1,)), home(x)
        for places in _rounds(flat.reshape(-1)):
            target = host.asarray(flat.reshape(-1)[places])
            new = fn(bind_getitem(x_flat, [target], (HERE,)), value[host.asarray(places)])
            x_flat = bind_index_set(x_flat, new, [target], (HERE,))
        return np.reshape(x_flat, x.shape)


def _rounds(flat: Any) -> list[Any]:
    """Positions by how often their entry occurred before: within a round no entry occurs twice."""
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    first = np.searchsorted(ordered, ordered, side="left")
    occurrence = np.empty(flat.size, np.intp)
    occurrence[order] = np.arange(flat.size) - first
    return [np.flatnonzero(occurrence == k) for k in range(occurrence.max(initial=-1) + 1)]


def _typed(value: Any, x: Any) -> Any:
    """The value in the dtype of the array it goes into, as in ``x[i] = value``."""
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return home(x).asarray(value, x.dtype)
    return value if dtype == x.dtype else value.astype(x.dtype)


def at(x: Any) -> At:
    """Changed copies of an array, plain or traced: ``at(x)[i].set(v)``.

    >>> import numpy as np
    >>> x = np.zeros(3)
    >>> at(x)[1].set(5.0), at(x)[[0, 0]].add(np.array([1.0, 2.0]))
    (array([0., 5., 0.]), array([3., 0., 0.]))

    Args:
        x: an array. It isn't changed.

    Returns:
        An object to be indexed; what comes back has ``set``, ``add``, ``subtract``, ``multiply``,
        ``min``, ``max`` and ``get``. Indices that occur twice add, multiply ... twice.
    """
    return At(x)


register(ArrayTracer.at, At)
