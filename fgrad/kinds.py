"""Kinds of numbers: Python's, NumPy's scalars, arrays without axes. What is of one kind stays so.

A derivative in a Python float is a Python float, which takes its dtype from the array beside it::

    grad(lambda x: x * x)(2.0) * np.ones(3, np.float32)      # float32

It is one under other transformations too, so that they change no dtype.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import PYTHON_SCALARS, aval, is_a, namespace, ndarray
from .core import Params, Primitive, Tracer, bind, full_lower


def kind_of(x: Any) -> type | None:
    """The class of a number: a Python one, `numpy.generic`, `numpy.ndarray`; None of an array.

    >>> kind_of(2.0), kind_of(np.float32(2)), kind_of(np.array(2.0)), kind_of(np.ones(1))
    (<class 'float'>, <class 'numpy.generic'>, <class 'numpy.ndarray'>, None)
    """
    for kind in (*PYTHON_SCALARS[::-1], np.generic, ndarray):  # a bool is an int to Python
        if type(x) is kind or (kind is np.generic and is_a(x, kind)):
            return kind if kind is not ndarray or not x.ndim else None
    return None


def as_kind(x: Any, kind: type) -> Any:
    """A number as one of a kind.

    >>> as_kind(np.float64(2), float), as_kind(2.0, np.ndarray)
    (2.0, array(2.))
    """
    if kind is ndarray:
        return np.array(x)
    return np.asarray(x)[()] if kind is np.generic else kind(x)


def _impl(x: Any, *, kind: type) -> Any:
    return as_kind(x, kind)


def _push(ans: Any, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    return ts[0]


def _pull(
    active: Sequence[int], g: Any, ans: Any, operands: Sequence[Any], params: Params
) -> list[Any]:
    return [g]


def _batch(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    return xs[0]


#: ``as_kind`` of traced values.
KIND = Primitive("kind", _impl, _push, _pull, _batch)


def alike(leaf: Any, c: Any) -> Any:
    """A traced number as one of the kind that ``leaf`` is below its tracers; arrays as they are."""
    kind = kind_of(full_lower(leaf))
    return c if kind is None else _as(c, float if kind in (int, bool) else kind)


def same_kind(leaf: Any, c: Any) -> Any:
    """A number as one of the kind that ``leaf`` is below its tracers; arrays as they are."""
    kind = kind_of(full_lower(leaf))
    return c if kind is None else _as(c, kind)


def strong(x: Any) -> Any:
    """What NumPy makes of a traced Python number where it wants an array: one, with a dtype."""
    return _as(x, ndarray) if type(full_lower(x)) in PYTHON_SCALARS else x


def array(x: Any) -> Any:
    """A traced number as an array of no axes."""
    return _as(x, ndarray)


def scalar(x: Any) -> Any:
    """A number, traced or not, as one of NumPy's scalars; arrays as they are."""
    return _as(x, np.generic)


def python(x: Any, *operands: Any) -> Any:
    """What Python's operators make of Python numbers, traced or not: another one."""
    if all(type(full_lower(y)) in PYTHON_SCALARS for y in operands):
        return _as(x, type(np.asarray(full_lower(x)).item()))
    return x


def _as(x: Any, kind: type) -> Any:
    """A number as one of a kind; a trace whose ``kinds`` is false takes no notice."""
    owner: Any = None
    low = x
    while isinstance(low, Tracer):
        owner, low = low.owner, low.value
    now = kind_of(low)
    if now is kind or now is None or not getattr(owner, "kinds", True):
        return x
    return as_kind(x, kind) if owner is None else bind(KIND, (x,), {"kind": kind})


def with_dtype(leaf: Any, t: Any) -> Any:
    """A Python number given as the derivative in a leaf, in the leaf's dtype."""
    if type(t) not in PYTHON_SCALARS:
        return t
    kind = type(full_lower(leaf))
    if kind in PYTHON_SCALARS:
        return complex(t) if kind is complex else t
    return leaf.dtype.type(t)


def zero_like(leaf: Any) -> Any:
    """The zero that is the derivative in a leaf on which nothing depends, of the leaf's kind."""
    if type(leaf) is ndarray:
        return np.zeros(leaf.shape, leaf.dtype)
    low = full_lower(leaf)
    if isinstance(leaf, Tracer) and kind_of(low) is None:
        return np.zeros_like(leaf)
    if is_a(low, PYTHON_SCALARS):
        return type(low)(0)
    zero = namespace(low).zeros(aval(leaf).shape, aval(leaf).dtype)
    return zero[()] if is_a(low, np.generic) else zero
