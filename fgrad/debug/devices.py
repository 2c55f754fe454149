"""Errors where CuPy has none: singular matrices, and indices that are out of range."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..arrays import is_a
from ..errors import FgradError, describe
from ..libraries import WATCHED
from ..ops.indices import HERE

#: Primitives whose first operand after so many others is an index, as in `ops.index`.
_INDEXED = {"getitem": 1, "index_add": 2, "index_set": 2}
_SOLVERS = ("linalg.solve", "linalg.inv", "linalg.cholesky")


class OutOfRangeError(FgradError, IndexError):
    """An index that names no place, which CuPy would take modulo the length of its axis."""


class SingularError(FgradError, np.linalg.LinAlgError):
    """A matrix without an inverse, for which CuPy would answer with NaN."""


@contextmanager
def debug_cupy() -> Iterator[None]:
    """In a ``with`` block CuPy's arrays get the errors that NumPy's would get.

    CuPy answers with NaN for a singular matrix, and takes an index that is out of range modulo the
    length of its axis. Here fgrad looks at the values: the host waits for the device at each such
    operation, so a training step takes longer.

    >>> with debug_cupy():
    ...     pass

    Raises:
        OutOfRangeError: an index array names a place that isn't there. An IndexError.
        SingularError: a matrix that is solved, inverted or decomposed by Cholesky is singular, or
            not positive definite. A `numpy.linalg.LinAlgError`.
    """
    token = WATCHED.set(_look)
    try:
        yield
    finally:
        WATCHED.reset(token)


def _look(name: str, operands: Sequence[Any], params: Any, answer: Any) -> None:
    if name in _INDEXED:
        _check_places(name, operands[0], operands[_INDEXED[name] :], params["spec"])
    elif name in _SOLVERS and not _finite(answer) and all(map(_finite, operands)):
        raise SingularError(
            f"`{name}` wants matrices that are regular"
            + (", and positive definite." if name == "linalg.cholesky" else "."),
            describe(operands[0]) + " that is not",
            "add a small multiple of the identity, or solve by fgrad.numpy.linalg.lstsq",
        )


def _finite(x: Any) -> bool:
    return bool(np.all(np.isfinite(x)))


def _check_places(name: str, x: Any, arrays: Sequence[Any], spec: Any) -> None:
    used = sum(1 for s in spec if s is HERE or is_a(s, (int, slice)))
    axis, rest = 0, iter(arrays)
    for s in spec:
        if s is Ellipsis:
            axis += len(x.shape) - used
        elif s is HERE:
            places, n = next(rest), x.shape[axis]
            if places.size and not (int(places.min()) >= -n and int(places.max()) < n):
                raise OutOfRangeError(
                    f"`{name}` wants indices from {-n} to {n - 1} for axis {axis}, whose length "
                    f"is {n}.",
                    f"indices from {int(places.min())} to {int(places.max())}",
                    "clip the indices, or make the axis longer",
                )
            axis += 1
        elif is_a(s, (int, slice)) and not is_a(s, bool):
            axis += 1
