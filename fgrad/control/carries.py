"""What a loop carries from step to step: a tree that keeps its structure, shapes and dtypes."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

from .. import tree
from ..arrays import aval, ndarray, shape_of
from ..closures import example
from ..core import Tracer, is_traceable, refuse_finished
from ..errors import DtypeError, ShapeError, describe, name_of
from .bodies import Leaves, Recorded
from .branches import as_dtype, typed


def _short(a: Any) -> str:
    """``float64[3]``, what messages call a leaf of a carry."""
    return f"{a.dtype}[{','.join(map(str, a.shape))}]"


class Carry:
    """What the carry of a loop is like.

    A Python number among its first leaves is weak: the first step decides its dtype.
    """

    def __init__(self, name: str, body: Any, init: Any) -> None:
        self.name, self.body = name, body
        self.leaves, self.structure = tree.flatten(init)
        for path, x in tree.leaves_with_path(init):
            refuse_finished(x, name)
            if not is_traceable(x):
                at = f" at {tree.path_str(path)}" if path else ""
                raise DtypeError(
                    f"{name} wants a carry that is a pytree of arrays.",
                    f"{describe(x)}{at} of the first carry",
                    "let the function close over what is no array",
                )
        self._single = self.structure == tree.structure(0)
        self._like = [aval(x) for x in self.leaves]
        self._weak = [not hasattr(x, "dtype") or _is_weak(x) for x in self.leaves]

    def tree(self, leaves: Leaves) -> Any:
        """The carry of these leaves."""
        if self._single:
            return leaves[0]
        return tree.unflatten(self.structure, leaves)

    def next(self, out: Any) -> list[Any]:
        """The leaves of the carry that a step returns, which must be like those before."""
        if self._single and (type(out) is ndarray or isinstance(out, Tracer)):
            ys = [out]
        else:
            ys = self.flat(out)
        for k, (y, like) in enumerate(zip(ys, self._like, strict=True)):
            if type(y) is ndarray and y.shape == like.shape and y.dtype is like.dtype:
                continue
            if not is_traceable(y):
                raise DtypeError(
                    f"{self.name} wants a carry that is a pytree of arrays.",
                    f"{describe(y)}{self._at(k)} of the carry that {name_of(self.body)} returns",
                    "let the function close over what is no array",
                )
            a = aval(y)
            if self._weak[k] and a.shape == () == like.shape:
                self._like[k] = a
            elif (a.shape, a.dtype) != (like.shape, like.dtype):
                self._changed(k, a)
            self._weak[k] = False
        return ys

    def settled(self) -> list[Any] | None:
        """The first leaves in the dtypes that a step gave to Python numbers, if it gave any."""
        new = [
            x if aval(x).dtype == a.dtype else as_dtype(x, a.dtype)
            for x, a in zip(self.leaves, self._like, strict=True)
        ]
        return None if all(map(operator.is_, new, self.leaves)) else new

    def flat(self, out: Any) -> list[Any]:
        """The leaves of a carry whose shapes and dtypes are seen to later."""
        leaves, structure = tree.flatten(out)
        return leaves if structure == self.structure else self.matched(out)

    def _at(self, k: int) -> str:
        path = tree.path_str(self.structure.accessors()[k])
        return f" at {path}" if path else ""

    def _changed(self, k: int, a: Any) -> None:
        like = self._like[k]
        reshaped = a.shape != like.shape
        raise (ShapeError if reshaped else DtypeError)(
            f"{self.name} wants a carry that keeps its shapes and dtypes from step to step.",
            f"a carry that began as {_short(like)}{self._at(k)} and became {_short(a)}, in "
            f"{name_of(self.body)}",
            f"begin with an array of shape {a.shape}, such as np.zeros({a.shape}), or return one "
            f"of shape {like.shape}"
            if reshaped
            else f"begin with x.astype(np.{a.dtype.name}), or return "
            f"y.astype(np.{like.dtype.name})",
        )

    def matched(self, out: Any) -> list[Any]:
        """The leaves of a tree that has the carry's structure."""
        tree.check_same_structure(
            self.tree([0.0] * len(self.leaves)), out,
            what=f"The carries of {self.name} before and after {name_of(self.body)}",
            to_do="return the carry as it came in, with the same containers and keys",
        )  # fmt: skip
        return tree.flatten_up_to(self.structure, out)

    def settle(self, record: Callable[[Sequence[Any]], Recorded], which: int) -> Recorded:
        """Functions recorded on the first carry, whose weak leaves become what a step returns.

        ``record(leaves)`` records them; the carry is in front of the results of the one that
        ``which`` says.
        """
        for _ in range(4):
            recorded = record([example(x) for x in self.leaves])
            like = typed(recorded.graphs[which])[: len(self.leaves)]
            again = False
            for k, ((a, weak), was) in enumerate(zip(like, self._like, strict=True)):
                if (a.shape, a.dtype) != (was.shape, was.dtype):
                    if not (self._weak[k] and a.shape == () == was.shape):
                        self._changed(k, a)
                elif weak or hasattr(self.leaves[k], "dtype"):
                    continue
                self.leaves[k], self._like[k] = as_dtype(self.leaves[k], a.dtype), a
                again = True
            if not again:
                return recorded
            self._weak = [not hasattr(x, "dtype") or _is_weak(x) for x in self.leaves]
        self._changed(0, like[0][0])
        return recorded


def _is_weak(x: Any) -> bool:
    return shape_of(x) == () and not hasattr(example(x), "dtype")
