"""`map`: a function of each slice of arrays, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..arrays import is_a, shape_of
from ..batch import vmap
from ..errors import ArgumentError, describe
from ..tracebacks import boundary
from .scans import check_step, length_of, scan


@boundary
def map(f: Callable[..., Any], xs: Any, *, batch_size: int | None = None) -> Any:
    """``f`` of each slice of arrays, one after the other; `vmap` takes all at once.

    >>> import numpy as np
    >>> from fgrad.control import map
    >>> map(lambda x: np.sum(x), np.ones((2, 3)))
    array([3., 3.])

    Args:
        f: a function of a slice that returns a pytree of arrays.
        xs: a pytree of arrays, to be sliced along their first axis.
        batch_size: so many slices at once, by `vmap`. It bounds the memory of that.

    Raises: see `scan`.
    """
    check_step("map", f)
    columns, structure = tree.flatten(xs)
    if not columns:
        raise ArgumentError(
            "map wants arrays to map over.", describe(xs), "pass a pytree with an array in it"
        )
    n = length_of(columns, xs, None, "map")
    if batch_size is None:
        return scan(lambda _, x: (None, f(x)), None, xs)[1]
    if is_a(batch_size, bool) or not is_a(batch_size, int) or batch_size < 1:
        raise ArgumentError(
            "map wants batch_size as a positive integer.", describe(batch_size), "leave it away"
        )
    whole = n // batch_size * batch_size
    mapped = vmap(f)
    parts = []
    if whole or not n:
        chunks = [np.reshape(x[:whole], (-1, batch_size, *shape_of(x)[1:])) for x in columns]
        out = scan(lambda _, x: (None, mapped(x)), None, tree.unflatten(structure, chunks))[1]
        parts.append(tree.map(lambda y: np.reshape(y, (whole, *shape_of(y)[2:])), out))
    if whole < n:
        parts.append(mapped(tree.unflatten(structure, [x[whole:] for x in columns])))
    return parts[0] if len(parts) == 1 else tree.map(lambda *ys: np.concatenate(ys), *parts)
