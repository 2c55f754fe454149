"""Arrays from numbers and lists that may hold traced values.

NumPy asks no protocol for these: `numpy.array` turns what it gets into an array at once. Their
front doors are the names in `fgrad.numpy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import kinds
from ..arrays import check_operand, is_a, is_cupy, ndim_of, shape_of
from ..core import Tracer, home
from ..doors import has_tracer
from ..errors import NoRuleError, ShapeError
from ..tracer import register


def as_array(x: Any, like: Any = None) -> Any:
    """An array, plain or traced, of what NumPy takes for one: a number, nested lists.

    It is made where ``like`` is, if that is given.
    """
    if hasattr(x, "dtype"):
        return x if x.shape else kinds.strong(x)
    return build(x) if has_tracer(x) else home(like).asarray(x)


def as_operand(x: Any, like: Any = None) -> Any:
    """`as_array`, but a Python number stays one, whose dtype is weak."""
    return as_array(x, like) if isinstance(x, (list, tuple)) else x


def first_array(xs: Sequence[Any]) -> Any:
    """The first array in nested sequences, beside which their numbers belong; None for none."""
    for x in xs:
        found = first_array(x) if isinstance(x, (list, tuple)) else x
        if hasattr(found, "dtype"):
            return found
    return None


def build(x: Any, like: Any = None) -> Any:
    """Stack nested sequences from the inside out."""
    if isinstance(x, (list, tuple)):
        like = first_array(x) if like is None else like
        parts = [build(y, like) for y in x]
        shapes = [shape_of(y) for y in parts]
        if len({*shapes}) > 1:
            raise ShapeError(
                "fgrad.numpy.array wants nested lists of equal lengths.",
                f"parts of the shapes {', '.join(map(str, shapes))}",
                "join parts of different lengths with np.concatenate",
            )
        return np.stack(parts) if parts else home(like).asarray(x)
    if isinstance(x, Tracer):
        return kinds.array(x)
    check_operand(x, "fgrad.numpy.array")
    return x if hasattr(x, "dtype") else home(like).asarray(x)


def array(
    object: Any, dtype: Any = None, *, copy: Any = True, order: str = "K", subok: bool = False,
    ndmin: int = 0, like: Any = None,
) -> Any:  # fmt: skip
    """`numpy.array`; nested lists and tuples may hold traced values.

    >>> array([[1.0, 2.0], [3.0, 4.0]])
    array([[1., 2.],
           [3., 4.]])
    """
    if is_cupy(object):
        return home(object).array(object, dtype, copy=bool(copy), ndmin=ndmin)
    if not has_tracer(object):
        return np.array(object, dtype, copy=copy, order=order, subok=subok, ndmin=ndmin)  # type: ignore[call-overload]
    out = build(object)
    if dtype is not None and out.dtype != np.dtype(dtype):
        out = out.astype(dtype)
    missing = ndmin - ndim_of(out)
    return out if missing <= 0 else np.reshape(out, (*(1,) * missing, *shape_of(out)))


def asarray(a: Any, dtype: Any = None, order: Any = None, **keywords: Any) -> Any:
    """`numpy.asarray`; traced arrays pass, nested lists may hold traced values."""
    if not has_tracer(a):
        return home(a).asarray(a, dtype, order, **keywords)
    return kinds.array(a) if isinstance(a, Tracer) and dtype is None else array(a, dtype)


def _at_least_1d(a: Any, dtype: Any = None, *, like: Any = None) -> Any:
    return np.atleast_1d(asarray(a, dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C", **keywords: Any) -> Any:
    """`numpy.full`; the fill value may be traced."""
    if not has_tracer(fill_value):
        return np.full(shape, fill_value, dtype, order, **keywords)  # type: ignore[call-overload]
    value = as_array(fill_value)
    return np.broadcast_to(value if dtype is None else value.astype(dtype), shape)


register(np.array, array)
register(np.asarray, asarray)
register(np.asanyarray, asarray)
register(np.ascontiguousarray, _at_least_1d)
register(np.asfortranarray, _at_least_1d)
register(np.full, full)


# ------------------------------------------------------------------ r_ and c_
class Joiner:
    """`numpy.r_` and `numpy.c_`: arrays, numbers and ranges, joined by indexing."""

    def __init__(self, plain: Any, axis: int, ndmin: int, place: int) -> None:
        self._plain, self._axis, self._ndmin, self._place = plain, axis, ndmin, place

    def __getitem__(self, key: Any) -> Any:
        items = list(key) if isinstance(key, tuple) else [key]
        if not has_tracer([(x.start, x.stop) if isinstance(x, slice) else x for x in items]):
            return self._plain[key]
        axis, ndmin, place = self._axis, self._ndmin, self._place
        if isinstance(items[0], str):
            numbers = [int(n) for n in _directive(items.pop(0)).split(",")]
            axis, ndmin, place = (*numbers, *(axis, ndmin, place)[len(numbers) :])
        like = first_array(items)
        items = [_span(x, like) if isinstance(x, slice) else as_operand(x, like) for x in items]
        dtype = np.result_type(*items)
        return np.concatenate(
            [_raised(as_array(x, like).astype(dtype), ndmin, place) for x in items], axis=axis
        )

    def __len__(self) -> int:
        return 0


def _directive(text: str) -> str:
    """The numbers that the first item of an index may give as a string."""
    if text in ("r", "c"):
        raise NoRuleError(
            "`np.r_` of traced values makes arrays, not matrices.",
            f"the directive {text!r}",
            "leave it away, and use np.atleast_2d(x) for a row, np.atleast_2d(x).T for a column",
        )
    return text


def _span(s: slice, like: Any) -> Any:
    """``start:stop:step``, or ``start:stop:5j`` for five points."""
    start, step = 0 if s.start is None else s.start, 1 if s.step is None else s.step
    if is_a(step, complex):
        return np.linspace(as_array(start, like), s.stop, int(abs(step)))
    return home(like).arange(start, s.stop, step)


def _raised(x: Any, ndmin: int, place: int) -> Any:
    """x with axes of length one, so that there are ``ndmin``; its own begin at ``place``."""
    n = ndim_of(x)
    missing = ndmin - n
    if missing <= 0:
        return x
    before = place if place >= 0 else missing + 1 + place
    return np.expand_dims(x, (*range(before), *range(before + n, ndmin)))


# ------------------------------------------------------------------ vectorize
class vectorize(np.vectorize):
    """`numpy.vectorize`, whose arguments may be traced: a call for each element, as in NumPy.

    `fgrad.vmap` makes one call for all, and is quicker.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not has_tracer((*args, *kwargs.values())):
            return super().__call__(*args, **kwargs)
        names = [k for k in kwargs if k not in self.excluded]
        places = [i for i in range(len(args)) if i not in self.excluded]
        mapped = [as_array(x) for x in (*(args[i] for i in places), *(kwargs[k] for k in names))]
        cores = [0] * len(mapped)
        if self.signature is None:  # then NumPy calls it with Python's numbers, which are doubles
            mapped = [_double(x) for x in mapped]
        else:
            terms = self.signature.replace(" ", "").split("->")[0][1:-1].split("),(")
            cores = [len(t.split(",")) if t else 0 for t in terms]
        shape = np.broadcast_shapes(
            *(shape_of(x)[: ndim_of(x) - c] for x, c in zip(mapped, cores, strict=True))
        )
        mapped = [
            np.broadcast_to(x, (*shape, *shape_of(x)[ndim_of(x) - c :]))
            for x, c in zip(mapped, cores, strict=True)
        ]
        results = []
        for index in np.ndindex(*shape):
            one = [x[index] for x in mapped]
            new, named = list(args), dict(kwargs)
            for i, x in zip(places, one, strict=False):
                new[i] = x
            named.update(zip(names, one[len(places) :], strict=True))
            results.append(self.pyfunc(*new, **named))
        if not results:
            raise ValueError("cannot call `vectorize` on size 0 inputs with traced values")
        if not isinstance(results[0], tuple):
            return self._joined(results, shape, 0)
        return tuple(self._joined(ys, shape, i) for i, ys in enumerate(zip(*results, strict=True)))

    def _joined(self, results: Any, shape: tuple[int, ...], number: int) -> Any:
        y = np.stack([as_array(y) for y in results])
        y = np.reshape(y, (*shape, *shape_of(y)[1:]))
        return y if self.otypes is None else y.astype(np.dtype(self.otypes[number]))


def _double(x: Any) -> Any:
    wide = {"f": np.float64, "c": np.complex128, "i": np.int64, "u": np.int64}.get(x.dtype.kind)
    return x if wide is None else x.astype(wide)
