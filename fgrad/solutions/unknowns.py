"""Unknowns: a pytree of arrays as one real vector, in their own precision.

Solvers compute with the vector; a user's function gets the tree, with the dtypes that came. A
complex number is two real ones, so that no function has to be holomorphic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arrays import INEXACT, PYTHON_SCALARS, aval, is_a, ndarray, shape_of
from ..core import Tracer, home, is_traceable, refuse_finished
from ..errors import DtypeError, ShapeError, TreeError, describe, name_of
from .crossing import to_here, to_there

_DOUBLE = np.dtype(np.float64)


def at_path(path: Any) -> str:
    """Where a leaf is, for messages."""
    return f" at {tree.path_str(path)}" if path else ""


class Unknowns:
    """How a pytree lies in a vector.

    Attributes:
        size: the length of the vector.
        dtype: that of the vector, at least float32.
        structure: that of the tree.
        vector: what came, as a vector.

    Args:
        like: the tree. An integer among its leaves stands for a float64.
        name, what: whose unknowns they are, and what holds them, for messages.
        settle: for a tree with Python numbers, a function of it whose result is like it: these take
            its dtypes.
    """

    def __init__(
        self, like: Any, name: str, what: str, settle: Callable[[Any], Any] | None = None
    ) -> None:
        self.name, self.what = name, what
        leaves, self.structure = tree.flatten(like)
        for path, x in tree.leaves_with_path(like):
            refuse_finished(x, name)
            if not is_traceable(x) or aval(x).dtype.kind not in "fciu":
                raise DtypeError(
                    f"{name} wants {what} as a pytree of arrays of numbers.",
                    f"{describe(x)}{at_path(path)}",
                    "let the functions close over what is no number",
                )
        if not leaves:
            raise TreeError(
                f"{name} wants {what} as a pytree of arrays of numbers.",
                "a tree without leaves",
                "give it one array at least",
            )
        self.homes = [home(x) for x in leaves]
        self.kinds = [type(x) for x in leaves]
        self.shapes = [shape_of(x) for x in leaves]
        self.dtypes = [d if d.kind in INEXACT else _DOUBLE for d in (aval(x).dtype for x in leaves)]
        if settle is not None and any(k in PYTHON_SCALARS for k in self.kinds):
            self._settle(tree.leaves(settle(like)))
        parts = [np.empty(0, d).real.dtype for d in self.dtypes]
        self.dtype = np.result_type(np.float32, *parts)
        self.vector = self._flat(leaves)
        self.size = shape_of(self.vector)[0]

    def _settle(self, results: Sequence[Any]) -> None:
        """Give Python numbers the dtypes of a function's results."""
        if len(results) != len(self.dtypes):
            return  # the error is for `pack`, which knows whose result it is
        for i, (kind, y) in enumerate(zip(self.kinds, results, strict=True)):
            dtype = getattr(y, "dtype", _DOUBLE)
            if kind in PYTHON_SCALARS and dtype.kind == self.dtypes[i].kind:
                self.dtypes[i] = dtype

    def _flat(self, leaves: Sequence[Any]) -> Any:
        parts = []
        for x, shape, dtype in zip(leaves, self.shapes, self.dtypes, strict=True):
            x = x if hasattr(x, "dtype") else np.asarray(x, dtype)
            x = x if home(x) is np else to_here(x, home(x))
            if dtype.kind == "c":
                x = np.stack([np.real(x), np.imag(x)])
                shape = (2, *shape)
            x = x if len(shape) == 1 else np.reshape(x, (-1,))
            parts.append(x if x.dtype == self.dtype else x.astype(self.dtype))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def unpack(self, v: Any) -> Any:
        """The tree of a vector."""
        leaves, start = [], 0
        for shape, dtype, host in zip(self.shapes, self.dtypes, self.homes, strict=True):
            n = math.prod(shape)
            x = self._part(v, start, shape)
            start += n
            if dtype.kind == "c":
                x = x + 1j * self._part(v, start, shape)
                start += n
            x = x if x.dtype == dtype else x.astype(dtype)
            leaves.append(x if host is np else to_there(x, host))
        return tree.unflatten(self.structure, leaves)

    def _part(self, v: Any, start: int, shape: tuple[int, ...]) -> Any:
        if not shape:
            return v[start]
        n = math.prod(shape)
        x = v if n == self.size else v[start : start + n]
        return x if shape == (n,) else np.reshape(x, shape)

    def pack(
        self, out: Any, source: Callable[..., Any], what: str = "a function that returns"
    ) -> Any:
        """The vector of a tree that a function has returned, of this structure, shapes, dtypes."""
        wanted = f"{self.name} wants {what} a pytree like {self.what}; {name_of(source)} does not."
        to_do = f"return an array for each array of {self.what}, in the same containers"
        leaves = tree.flatten_up_to(self.structure, out, what=wanted, to_do=to_do)
        paths = self.structure.accessors()
        for path, y, shape, dtype in zip(paths, leaves, self.shapes, self.dtypes, strict=True):
            if not is_traceable(y) or shape_of(y) != shape:
                raise ShapeError(
                    wanted,
                    f"{describe(y)}{at_path(path)}, where the shape {shape} was wanted",
                    to_do,
                )
            refuse_finished(y, self.name)
            # A Python number takes the dtype that is wanted, and so does an integer.
            weak = not hasattr(y, "dtype") and (dtype.kind == "c" or not is_a(y, complex))
            weak = weak or aval(y).dtype.kind in "iu"
            if not weak and aval(y).dtype != dtype:
                raise DtypeError(
                    wanted,
                    f"{describe(y)}{at_path(path)}, where {dtype} was wanted",
                    f"convert it with .astype(np.{dtype.name}), or begin with an array of that "
                    "dtype",
                )
        return self._flat(leaves)

    def finish(self, v: Any) -> Any:
        """The tree for the user, with the kinds of the leaves that came."""
        leaves, structure = tree.flatten(self.unpack(v))
        out = []
        for x, kind, dtype in zip(leaves, self.kinds, self.dtypes, strict=True):
            if not isinstance(x, Tracer):
                if kind in PYTHON_SCALARS and dtype in (_DOUBLE, np.complex128):
                    x = complex(x) if dtype.kind == "c" else float(x)
                elif type(x) is ndarray and (x.base is not None or x is v):
                    x = x.copy()
                elif kind is ndarray:
                    x = np.asarray(x)
            out.append(x)
        return tree.unflatten(structure, out)
