"""From the tape to the user: what a gradient looks like when it leaves."""

from __future__ import annotations

from collections.abc import Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from . import tree
from .arrays import PYTHON_SCALARS, given_out, is_a, is_cupy, namespace, ndarray
from .core import Trace, Tracer, full_lower, refuse_finished
from .kinds import alike, zero_like
from .rules import cast
from .tracer import ArrayTracer


def lower(tape: Trace, x: Any) -> Any:
    """The value below a tracer of this tape; anything else as it is."""
    return x.value if isinstance(x, Tracer) and x.owner is tape else x


_ONE = np.float64(1)


def one_like(value: Any) -> Any:
    """The cotangent that starts a gradient: a one of the dtype of a scalar."""
    if type(value) is np.float64:
        return _ONE
    if is_a(value, np.generic):
        return type(value)(1)
    x = lowest = value
    while isinstance(x, Tracer):
        lowest = x
        if getattr(x.owner, "size", None) == 0:
            return value * 0 + 1  # of a batch of no elements, for which nothing is computed
        x = x.value
    if isinstance(value, Tracer):
        traced: Any = value
        one = namespace(x).ones((), traced.dtype) if is_cupy(x) else traced.dtype.type(1)
        follow = getattr(lowest.owner, "follow", None)
        return one if follow is None else follow(one)
    return np.ones_like(value) if hasattr(value, "dtype") else 1.0


def _count(cts: Sequence[Any]) -> int:
    """How often the last of some arrays is held, as counted by the loop in `surface`."""
    n = 0
    for _, c in zip(range(len(cts)), cts, strict=True):
        n = getrefcount(c)
    return n


#: The count of an array that only the list holds.
_ALONE = _count([np.empty(1)])


def surface(
    leaves: Sequence[Any], cts: list[Any], seen: Sequence[Any] = (), plain: bool = False
) -> list[Any]:
    """Cotangents as users get them: zeros for None, the leaf's own kind, no shared memory.

    The cotangents of x and y in ``x + y`` are one array inside; whoever scales one of the two in
    place must not scale the other. ``plain`` says that all leaves are arrays.
    """
    if plain:
        for leaf, c in zip(leaves, cts, strict=True):
            if (
                type(c) is not ndarray
                or c.dtype is not leaf.dtype
                or c.base is not None
                or getrefcount(c) != _ALONE
            ):
                break
        else:
            return cts
    out = []
    ids = {id(x) for x in seen}
    for leaf, c in zip(leaves, cts, strict=True):
        if type(c) is ndarray and type(leaf) is ndarray:
            if c.dtype is not leaf.dtype:  # such as big-endian
                c = c.astype(leaf.dtype)
            elif c.base is not None or id(c) in ids:
                c = c.copy()
            ids.add(id(c))
            out.append(c)
        elif is_cupy(c) and is_cupy(leaf):
            c = cast(c, leaf.dtype)
            if c.base is not None or id(c) in ids:
                c = c.copy()
            ids.add(id(c))
            out.append(c)
        elif (
            isinstance(c, ArrayTracer)
            and type(leaf) is ndarray
            and c.dtype is leaf.dtype
            and leaf.ndim
        ):
            out.append(c)
        else:
            out.append(_like(leaf, c))
    return out


def _like(leaf: Any, c: Any) -> Any:
    """A cotangent of the kind of its leaf: float for float, array for array."""
    if c is None:
        return zero_like(leaf)
    if isinstance(c, Tracer):
        traced: Any = c
        dtype = getattr(leaf, "dtype", None)
        return alike(leaf, traced if dtype is None or traced.dtype == dtype else cast(c, dtype))
    if is_cupy(c):
        if is_cupy(full_lower(leaf)):
            return cast(c, leaf.dtype).copy()
        c = c.get()  # of a number that took part beside arrays of CuPy's
    elif is_cupy(leaf):
        return namespace(leaf).asarray(c, leaf.dtype)
    if is_a(leaf, PYTHON_SCALARS) and not is_a(leaf, np.generic):
        return complex(c) if is_a(leaf, complex) else float(c)
    if type(leaf) is ndarray and type(c) is not ndarray:
        return np.asarray(c, leaf.dtype)
    c = cast(c, leaf.dtype)
    if isinstance(leaf, Tracer):
        c = alike(leaf, c)
    if type(c) is ndarray:  # of a NumPy scalar, or of an array in a file
        c = c[()] if is_a(leaf, np.generic) else c.copy()
    return c


def filled(leaves: Sequence[Any], active: Sequence[int], new: Sequence[Any]) -> list[Any]:
    """A copy of the leaves, with new ones in some places."""
    out = list(leaves)
    for i, x in zip(active, new, strict=True):
        out[i] = x
    return out


def lower_aux(trace: Any, aux: Any, own: bool = False) -> Any:
    """The aux tree with the values below the tracers of a trace that has ended.

    A view of an array that was held is read-only itself, for no reason that users could see: they
    get a copy. With ``own`` they get copies of all values, because the tape goes on reading them.
    """

    def one(y: Any) -> Any:
        if not (isinstance(y, Tracer) and y.owner is trace):
            refuse_finished(y, trace.name)
            return y
        return given_out(y.value, own)

    return tree.map(one, aux)
