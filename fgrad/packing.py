"""Pytrees as vectors of float64, which is what SciPy's solvers compute with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import INEXACT, PYTHON_SCALARS, is_a, is_cupy, shape_of
from .core import Tracer, full_lower, is_traceable
from .errors import DtypeError, NoRuleError, ShapeError, describe

_FLOAT = np.dtype(np.float64)


def array_like(x: Any) -> Any:
    """A list or tuple of numbers as an array, as SciPy takes it; any other pytree as it is.

    >>> array_like([1, 2]), array_like({"a": [1, 2]})
    (array([1, 2]), {'a': [1, 2]})
    """
    if not isinstance(x, (list, tuple)) or not x:
        return x
    items = [array_like(y) for y in x]
    if any(not is_traceable(y) for y in items):
        return x
    nested = all(isinstance(y, (list, tuple)) for y in x)
    shape = shape_of(items[0])
    if any(shape_of(y) != shape for y in items) or (shape != () and not nested):
        return x
    return np.stack(items) if any(isinstance(y, Tracer) for y in items) else np.asarray(x)


def refuse_device(leaves: Sequence[Any], name: str, what: str) -> None:
    """Refuse arrays of CuPy's where a solver goes by values, on the host.

    Raises:
        NoRuleError: says what to move.
    """
    if any(is_cupy(full_lower(x)) for x in leaves):
        raise NoRuleError(
            f"{name} computes on the host.",
            f"{what} with arrays of CuPy's",
            "move it first, fgrad.tree.to_host(x), and the arrays that the functions read",
        )


def vector_of(out: Any, name: str, what: str) -> Any:
    """All numbers in a pytree as one vector of float64; a complex number is two."""
    parts = []
    for path, y in tree.leaves_with_path(out):
        if not is_traceable(y) or getattr(y, "dtype", _FLOAT).kind not in "fcbiu":
            where = f" at {tree.path_str(path)}" if path else ""
            raise DtypeError(
                f"{name} wants {what} as a pytree of arrays of numbers.",
                f"{describe(y)}{where}",
                "keep what is no number in args=, or let the function close over it",
            )
        if not hasattr(y, "dtype"):
            y = np.asarray(y)
        if y.dtype.kind == "c":
            y = y.astype(np.complex128) if y.dtype != np.complex128 else y
            y = np.stack([np.real(y), np.imag(y)])
        y = np.reshape(y, (-1,)) if shape_of(y) != (math.prod(shape_of(y)),) else y
        parts.append(y if y.dtype == _FLOAT else y.astype(_FLOAT))
    if not parts:
        return np.zeros(0)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


class Packing:
    """How a pytree lies in a vector.

    Attributes:
        size: the length of the vector.
        structure: that of the tree.
    """

    def __init__(self, like: Any, name: str, what: str) -> None:
        self.name, self.what = name, what
        leaves, self.structure = tree.flatten(like)
        refuse_device(leaves, name, what)
        self.vector = vector_of(like, name, what)
        self.kinds = [type(x) for x in leaves]
        self.shapes = [shape_of(x) for x in leaves]
        dtypes = [np.result_type(type(x)) if not hasattr(x, "dtype") else x.dtype for x in leaves]
        self.dtypes = [d if d.kind in INEXACT else _FLOAT for d in dtypes]
        self.size = shape_of(self.vector)[0]

    def unpack(self, v: Any) -> Any:
        """The tree in double precision, for the function; axes in front of v's last stay there."""
        if len(self.shapes) == 1 and self.dtypes[0].kind == "f":
            lead = shape_of(v)[:-1]
            leaf = v if shape_of(v) == (*lead, *self.shapes[0]) else _shaped(v, self.shapes[0])
            return tree.unflatten(self.structure, [leaf])
        leaves, start = [], 0
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            n = math.prod(shape)
            x = v[..., start : start + n]
            start += n
            if dtype.kind == "c":
                x = x + 1j * v[..., start : start + n]
                start += n
            leaves.append(_shaped(x, shape))
        return tree.unflatten(self.structure, leaves)

    def finish(self, v: Any, last: bool = False) -> Any:
        """The tree for the user, with the dtypes and kinds of the leaves that came.

        With ``last``, the axis in front of v's last becomes the last one of each leaf.
        """
        leaves, structure = tree.flatten(self.unpack(v))
        out = []
        for x, dtype, kind in zip(leaves, self.dtypes, self.kinds, strict=True):
            x = x if x.dtype == dtype else x.astype(dtype)
            if len(shape_of(v)) > 1:
                x = np.moveaxis(x, 0, -1) if last else x
            elif kind in PYTHON_SCALARS and not isinstance(x, Tracer):
                x = complex(x) if dtype.kind == "c" else float(x)
            elif not isinstance(x, Tracer) and x.ndim == 0 and issubclass(kind, np.generic):
                x = x[()]
            out.append(np.array(x) if is_a(x, np.ndarray) and x.base is not None else x)
        return tree.unflatten(structure, out)

    def like(self, out: Any, what: str) -> Any:
        """A tree of the structure and the shapes of this one, as a vector."""
        if self.structure.is_leaf():
            return self.same(_as_complex(array_like(out), self.dtypes[0]), what)
        wanted = f"{self.name} wants {what} as a pytree like {self.what}."
        to_do = f"return an array for each array of {self.what}, in the same containers"
        leaves = tree.flatten_up_to(self.structure, out, what=wanted, to_do=to_do)
        for path, y, shape in zip(self.structure.accessors(), leaves, self.shapes, strict=True):
            if shape_of(y) != shape:
                raise ShapeError(wanted, f"{describe(y)} at {tree.path_str(path)}", to_do)
        parts = [_as_complex(y, dtype) for y, dtype in zip(leaves, self.dtypes, strict=True)]
        return self.same(parts, what)

    def same(self, out: Any, what: str) -> Any:
        """A tree of as many numbers as this one, as a vector."""
        v = vector_of(out, self.name, what)
        if shape_of(v) != (self.size,):
            raise ShapeError(
                f"{self.name} wants {what} with as many numbers as {self.what}: {self.size}.",
                f"{describe(out) if tree.structure(out).is_leaf() else tree.structure(out)}"
                f" with {shape_of(v)[0]} numbers",
                f"return a pytree like {self.what}, an array for each of its arrays",
            )
        return v


def _as_complex(y: Any, dtype: np.dtype[Any]) -> Any:
    """An array that stands for a complex one as such, if it is real."""
    if dtype.kind != "c" or not is_traceable(y):
        return y
    y = y if hasattr(y, "dtype") else np.asarray(y)
    return y if y.dtype.kind == "c" else y.astype(np.complex128)


def _shaped(x: Any, shape: tuple[int, ...]) -> Any:
    """An array with its last axis in another shape."""
    new = np.reshape(x, (*shape_of(x)[:-1], *shape))
    return new[()] if is_a(new, np.ndarray) and new.ndim == 0 else new
