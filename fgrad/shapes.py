"""`eval_shape`: shapes and dtypes of results, without the results.

The function runs as `vmap` runs it, on a batch of no elements: each argument stands for arrays of
its shape behind an axis of length 0, so NumPy itself says what shapes and dtypes come out, of
every function that has a batch rule, and there is no element to store or to compute.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import PYTHON_SCALARS, aval, is_a
from .batch import Batch, BatchTracer
from .checks import run, say
from .core import check_function, effects, is_traceable, refuse_finished
from .errors import ArgumentError, DtypeError, TracerConversionError, name_of
from .tracebacks import boundary


class ShapeDtypeStruct:
    """The shape and the dtype of an array, and no array; what `eval_shape` takes and returns.

    >>> import numpy as np
    >>> x = ShapeDtypeStruct((2, 3), np.float32)
    >>> x, x.size
    (ShapeDtypeStruct(shape=(2, 3), dtype=float32), 6)

    Two of the same shape and dtype are equal. It is a leaf of a pytree.

    Args:
        shape: a tuple of lengths, or one length.
        dtype: anything that `numpy.dtype` takes.

    Raises:
        ArgumentError: a length is no integer from 0, or the dtype is none.
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: int | Sequence[int], dtype: Any) -> None:
        try:
            lengths = (shape,) if hasattr(shape, "__index__") else tuple(shape)
            self.shape = tuple(n.__index__() for n in lengths)
            self.dtype = np.dtype(dtype)
            wrong = dtype is None or any(n < 0 for n in self.shape)
        except (AttributeError, TypeError):
            wrong = True
        if wrong:
            raise ArgumentError(
                "ShapeDtypeStruct wants a shape and a dtype.",
                f"shape={shape!r} and dtype={dtype!r}",
                "write ShapeDtypeStruct((2, 3), np.float32)",
            )

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """The octets that such an array takes."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of unsized object")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"ShapeDtypeStruct(shape={self.shape}, dtype={self.dtype})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ShapeDtypeStruct):
            return NotImplemented
        return (self.shape, self.dtype) == (other.shape, other.dtype)

    def __hash__(self) -> int:
        return hash((self.shape, self.dtype))


@boundary
def eval_shape(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The shapes and dtypes that ``f`` returns, without computing on the arguments.

    >>> import numpy as np
    >>> A = ShapeDtypeStruct((2000, 100_000), np.float32)
    >>> eval_shape(lambda a, x: {"y": a @ x, "n": np.sum(x)}, A, ShapeDtypeStruct(100_000, "f4"))
    {'y': ShapeDtypeStruct(shape=(2000,), dtype=float32),
     'n': ShapeDtypeStruct(shape=(), dtype=float32)}

    Python code of ``f`` runs, loops included. What it computes of captured arrays alone is
    computed, and so are bodies that `cond`, `while_loop` and `checkpoint` record, on ones.

    Args:
        f: a function of arrays in pytrees that returns a pytree of arrays.
        args, kwargs: its arguments: pytrees of arrays, of which the values are not read, or of
            anything else that has a ``shape`` and a ``dtype``. Python numbers are taken for the
            values that they are: a shape may depend on them, and they don't decide a dtype.

    Returns:
        The tree of the result, with a `ShapeDtypeStruct` in place of each array.

    Raises:
        TracerConversionError: ``f`` asks for a value of an argument, as in ``if x > 0``.
        NoRuleError, ShapeError: the shape of a result depends on values, as that of `np.nonzero`.
        DtypeError: an argument or a result is no array.
    """
    check_function(f, "eval_shape", direct=True)
    leaves, structure = tree.flatten((args, kwargs))
    paths = [path for path, _ in tree.leaves_with_path((args, kwargs))]
    trace = Batch("eval_shape", f, 0)
    inputs = [_stand_in(trace, x, path) for x, path in zip(leaves, paths, strict=True)]
    new_args, new_kwargs = tree.unflatten(structure, inputs)
    try:
        with effects("later"):
            out = run(trace, f, new_args, new_kwargs)
    except TracerConversionError as error:
        raise TracerConversionError(
            "eval_shape wants a function that doesn't ask for values of its arguments, of which "
            f"only shapes and dtypes are known; {name_of(f)} does.",
            error.came,
            "make it depend on shapes, on captured values, or on Python numbers among the "
            f"arguments; {error.to_do}",
        ) from error
    finally:
        trace.finish()
    outs, out_structure = tree.flatten(out)
    places = [path for path, _ in tree.leaves_with_path(out)]
    return tree.unflatten(
        out_structure, [_found(trace, f, y, p) for y, p in zip(outs, places, strict=True)]
    )


def _stand_in(trace: Batch, x: Any, path: Any) -> Any:
    """A value that stands for any of a shape and dtype."""
    refuse_finished(x, "eval_shape")
    if is_a(x, PYTHON_SCALARS) and not is_a(x, np.generic):
        return x
    shape, dtype = getattr(x, "shape", None), getattr(x, "dtype", None)
    if not isinstance(shape, tuple) or getattr(dtype, "kind", "?") not in "fcbiu":
        text = tree.path_str(path)
        where = f"args{text[3:]}" if text.startswith("[0]") else f"kwargs{text[3:]}"
        raise DtypeError(
            "eval_shape wants arrays of numbers, or what has their shape and dtype, as arguments.",
            f"{say(x)} at {where}",
            "bind it beforehand: eval_shape(lambda x: f(x, option), x)",
        )
    return trace.tracer(np.empty((0, *shape), dtype))


def _found(trace: Batch, f: Any, y: Any, path: Any) -> ShapeDtypeStruct:
    """Shape and dtype of one result."""
    if not (type(y) is BatchTracer and y.owner is trace):
        refuse_finished(y, "eval_shape")
    if not is_traceable(y):
        where = f" at {tree.path_str(path)}" if path else ""
        raise DtypeError(
            f"eval_shape wants a function that returns arrays in pytrees; {name_of(f)} does not.",
            f"{say(y)}{where}",
            "return arrays and numbers; None stands for nothing",
        )
    a = aval(y)
    return ShapeDtypeStruct(a.shape, a.dtype)
