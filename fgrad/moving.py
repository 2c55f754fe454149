"""Pytrees from one device to another: NumPy's arrays to CuPy's, and back."""

from __future__ import annotations

import types
from typing import Any

import numpy as np
from optree import _C

from .arrays import is_a, is_cupy, namespace, ndarray
from .errors import ArgumentError, DtypeError, describe
from .frozen import NAMESPACE, at


def to_device(tree: Any, like: Any) -> Any:
    """The tree with its NumPy arrays as arrays of another library, which are on its device.

    >>> import numpy as np
    >>> to_device({"w": np.ones(2), "rate": 0.1}, np)  # with CuPy: to_device(params, cupy)
    {'w': array([1., 1.]), 'rate': 0.1}

    Args:
        tree: a pytree. Python's numbers and leaves that are no arrays stay as they are, and so do
            arrays that are there already: they are shared, not copied.
        like: the module, numpy or cupy, or an array that is where the others are to go.

    Returns:
        The same tree with other leaves, of the same shapes and dtypes.

    Raises:
        ArgumentError: ``like`` is neither a module of arrays nor an array.
        DtypeError: CuPy has no arrays of a leaf's dtype.
    """
    host = like if isinstance(like, types.ModuleType) else None
    if host is None and (is_cupy(like) or is_a(like, (ndarray, np.generic))):
        host = namespace(like)
    if host is None or not hasattr(host, "ndarray"):
        raise ArgumentError(
            "to_device wants a module of arrays, or an array of one.",
            describe(like),
            "write to_device(tree, cupy), or to_device(tree, x) with x an array that is there",
        )
    if host is np:
        return to_host(tree)
    leaves, structure = _C.flatten(tree, None, False, NAMESPACE)
    new = []
    for i, x in enumerate(leaves):
        if is_a(x, (ndarray, np.generic)):
            try:
                x = host.asarray(x)
            except ValueError:
                raise DtypeError(
                    f"to_device wants arrays of dtypes that {host.__name__} has.",
                    f"{at(structure.accessors()[i])}: {describe(x)}",
                    "convert it to a number of up to 64 bits, or 128 for a complex one",
                ) from None
        new.append(x)
    return structure.unflatten(new)


def to_host(tree: Any) -> Any:
    """The tree with its CuPy arrays as NumPy arrays; the host waits for their values.

    >>> to_host([1.0, "name"])
    [1.0, 'name']

    Args:
        tree: a pytree. Everything else in it stays as it is.
    """
    leaves, structure = _C.flatten(tree, None, False, NAMESPACE)
    return structure.unflatten([x.get() if is_cupy(x) else x for x in leaves])


def host_array(x: Any) -> Any:
    """An array of NumPy's with the values of an array or a number, for those who look at them."""
    return np.asarray(x.get() if is_cupy(x) else x)


def check_one_device(tree: Any, name: str) -> None:
    """Refuse a tree with NumPy arrays beside CuPy's, which nothing can compute with together.

    Raises:
        DtypeError: names a leaf of each.
    """
    leaves, structure = _C.flatten(tree, None, False, NAMESPACE)
    there = next((i for i, x in enumerate(leaves) if is_cupy(x)), None)
    here = next((i for i, x in enumerate(leaves) if is_a(x, ndarray)), None)
    if there is not None and here is not None:
        paths = structure.accessors()
        raise DtypeError(
            f"{name} wants the arrays of a tree to be on one device.",
            f"{at(paths[here])}: a NumPy array; {at(paths[there])}: a CuPy array",
            "move the tree first: fgrad.tree.to_device(tree, cupy) or fgrad.tree.to_host(tree)",
        )
