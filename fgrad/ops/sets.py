"""Functions whose answer has a shape or a dtype that depends on values: these must be known.

They work under grad, vjp and jvp; under vmap, and while a graph is made, they raise. The entries
that they return are entries of their arguments, and entries that tie share the derivative.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import from_end, ndim_of, shape_of
from ..errors import TracerConversionError
from ..tracer import register
from .casts import known
from .creation import as_array
from .index import take
from .update import at


def _values(x: Any, name: str, to_do: str) -> Any:
    values = known(x)
    if values is None:
        raise TracerConversionError(
            f"`np.{name}` wants values that are known: they fix the shape of its result.",
            repr(x),
            to_do,
        )
    return values


_OUTSIDE = (
    "call it outside of vmap and make_graph, on plain arrays, or keep the shape: np.sort(x), "
    "np.isin(x, y), np.where(mask, x, y)"
)


# ------------------------------------------------------------------ sets
def _of_groups(x: Any, group: Any, first: Any, counts: Any) -> Any:
    """The entries x[first], each the mean of a group of equal entries in its derivative."""
    if np.all(counts == 1):
        return take(x, first, axis=0)
    plain = known(x)
    finite = np.isfinite(plain)
    # Zero, but it moves as the mean does: there may be no such difference of infinities.
    moves = np.where(finite, x, 0) - np.where(finite, plain, 0)
    total = at(np.zeros((len(first), *plain.shape[1:]), plain.dtype))[group].add(moves)
    shape = (-1, *(1,) * (plain.ndim - 1))
    return plain[first] + total / counts.reshape(shape).astype(plain.real.dtype)


def unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False,
    return_counts: bool = False, axis: Any = None, *, equal_nan: bool = True, sorted: bool = True,
) -> Any:  # fmt: skip
    """`numpy.unique`, of values that are known; entries that tie share the derivative."""
    x = np.atleast_1d(as_array(ar))
    values = _values(x, "unique", _OUTSIDE)
    wanted = (return_index, return_inverse, return_counts)
    found = np.unique(values, True, True, True, axis=axis, equal_nan=equal_nan)
    first, group, counts = found[1:]
    if values.dtype.kind not in "fc":
        y = found[0]
    elif axis is None:
        y = _of_groups(np.reshape(x, (-1,)), np.reshape(group, (-1,)), first, counts)
    else:
        rows = _of_groups(np.moveaxis(x, axis, 0), np.reshape(group, (-1,)), first, counts)
        y = np.moveaxis(rows, 0, axis)
    extra = [z for z, want in zip(found[1:], wanted, strict=True) if want]
    return (y, *extra) if extra else y


def _all_of(*arrays: Any) -> Any:
    return np.concatenate([np.ravel(as_array(a)) for a in arrays])


def union1d(ar1: Any, ar2: Any) -> Any:
    """`numpy.union1d`; what is in both shares the derivative."""
    both = _all_of(ar1, ar2)
    _values(both, "union1d", _OUTSIDE)
    return unique(both)


def intersect1d(
    ar1: Any, ar2: Any, assume_unique: bool = False, return_indices: bool = False
) -> Any:
    """`numpy.intersect1d`; the entries of both arrays share the derivative."""
    both = _all_of(ar1, ar2)
    _values(both, "intersect1d", _OUTSIDE)
    a, b = known(as_array(ar1)), known(as_array(ar2))
    found, *places = np.intersect1d(a, b, assume_unique, return_indices=True)
    every = unique(both)
    y = every[np.searchsorted(known(every), found)]
    return (y, *places) if return_indices else y


def setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """`numpy.setdiff1d`."""
    x, a, b = as_array(ar1), known(as_array(ar1)), known(as_array(ar2))
    _values(x if a is None else as_array(ar2), "setdiff1d", _OUTSIDE)
    x = np.ravel(x) if assume_unique else unique(x)
    return x[np.isin(known(x), b, assume_unique=True, invert=True)]


def setxor1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Any:
    """`numpy.setxor1d`."""
    both = _all_of(ar1, ar2)
    _values(both, "setxor1d", _OUTSIDE)
    found = np.setxor1d(known(as_array(ar1)), known(as_array(ar2)), assume_unique)
    every = unique(both)
    return every[np.searchsorted(known(every), found)]


# ------------------------------------------------------------------ zeros and dtypes
def trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Any:
    """`numpy.trim_zeros`, of values that are known."""
    x = as_array(filt)
    n = ndim_of(x)
    there = _values(np.not_equal(x, 0), "trim_zeros", "keep the zeros")
    trim = trim.lower()
    if trim not in ("fb", "bf", "f", "b"):
        raise ValueError(f"unexpected character(s) in `trim`: {trim!r}")
    axes = range(n) if axis is None else axis if isinstance(axis, (tuple, list)) else (axis,)
    index = [slice(None)] * n
    for i in (from_end(i, n) + n for i in axes):
        places = np.flatnonzero(there.any(axis=tuple(k for k in range(n) if k != i)))
        start, stop = (int(places[0]), int(places[-1]) + 1) if places.size else (0, 0)
        index[i] = slice(
            start if "f" in trim or not places.size else None,
            stop if "b" in trim or not places.size else None,
        )
    return x[tuple(index)]


def real_if_close(a: Any, tol: float = 100) -> Any:
    """`numpy.real_if_close`: the values of complex numbers fix the dtype, so they must be known."""
    a = as_array(a)
    if a.dtype.kind != "c":
        return a
    imaginary = known(np.imag(a))
    if imaginary is None:
        raise TracerConversionError(
            "`np.real_if_close` of complex numbers wants values that are known: they fix the "
            "dtype of its result.",
            repr(a),
            "use np.real(z), or leave the numbers complex",
        )
    tol = tol * float(np.finfo(imaginary.dtype).eps) if tol > 1 else tol
    return np.real(a) if np.all(np.absolute(imaginary) < tol) else a


def argwhere(a: Any) -> Any:
    """`numpy.argwhere`, of values that are known."""
    a = as_array(a)
    there = _values(np.not_equal(a, 0), "argwhere", "use np.where(condition, x, y)")
    return np.argwhere(there)


# ------------------------------------------------------------------ functions by cases
def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Any:
    """`numpy.piecewise`: each function sees the entries for which its condition holds.

    Under vmap and in graphs, where these are not known, it sees all of x, and in place of the
    entries that aren't its own the first one that is: it must be elementwise.
    """
    x = as_array(x)
    x = x if ndim_of(x) else np.reshape(x, ())
    single = not isinstance(condlist, (list, tuple)) or np.ndim(condlist[0]) == 0
    if single and (ndim_of(x) or not isinstance(condlist, (list, tuple))):
        listed = hasattr(condlist, "dtype") and ndim_of(condlist) > max(ndim_of(x), 0)
        condlist = list(condlist) if listed else [condlist]
    conditions = [as_array(c, x).astype(bool) for c in condlist]
    n = len(conditions)
    if len(funclist) == n + 1:
        rest = conditions[0]
        for c in conditions[1:]:
            rest = np.logical_or(rest, c)
        conditions.append(np.logical_not(rest))
    elif len(funclist) != n:
        raise ValueError(f"with {n} condition(s), either {n} or {n + 1} functions are expected")
    y = np.zeros_like(x)
    for condition, function in zip(conditions, funclist, strict=True):
        mask = known(condition)
        if not callable(function):
            y = np.where(condition, as_array(function, x).astype(x.dtype), y)
        elif mask is None:
            own = np.reshape(x, (-1,))[np.argmax(np.reshape(condition, (-1,)))]
            z = function(np.where(condition, x, own), *args, **kw)
            y = np.where(condition, as_array(z, x).astype(x.dtype), y)
        elif np.any(mask):
            mask = np.broadcast_to(mask, shape_of(x))
            y = at(y)[mask].set(as_array(function(x[mask], *args, **kw)).astype(x.dtype))
    return y


def vectors_to_mesh(*args: Any) -> tuple[Any, ...]:
    """`numpy.ix_`."""
    out = []
    for i, x in enumerate(map(as_array, args)):
        if ndim_of(x) != 1:
            raise ValueError("Cross index must be 1 dimensional")
        if x.dtype == bool:
            x = np.flatnonzero(_values(x, "ix_", "give the numbers of the places"))
        out.append(np.reshape(x, (*(1,) * i, -1, *(1,) * (len(args) - i - 1))))
    return tuple(out)


register(np.ix_, vectors_to_mesh)
for _fn in (
    unique, union1d, intersect1d, setdiff1d, setxor1d, trim_zeros, real_if_close, argwhere,
    piecewise,
):  # fmt: skip
    register(getattr(np, _fn.__name__), _fn)
