"""Trees of arrays whose first axis counts examples: how many, checked, and some of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad import tree
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, DtypeError, ShapeError, describe

PyTree = Any


def is_host(x: Any) -> bool:
    """Whether an array is NumPy's, or a memory-mapped file."""
    return type(x) is np.ndarray or is_a(x, np.memmap)


def count_examples(data: PyTree, who: str) -> int:
    """The length of the first axis of all leaves.

    >>> count_examples({"x": np.zeros((5, 2)), "y": np.zeros(5)}, "batches")
    5

    Raises:
        DtypeError: a leaf is no array.
        ShapeError: a leaf has no axis, lengths differ, or there are no examples.
        ArgumentError: the tree has no leaves.
    """
    leaves = tree.leaves_with_path(data)
    wanted = f"{who} wants a tree of arrays whose first axis counts the examples."
    if not leaves:
        raise ArgumentError(wanted, "a tree without leaves", "pass arrays, such as (x, y)")
    for path, x in leaves:
        foreign = is_a(x, np.ndarray) and not is_host(x)
        if foreign or not hasattr(x, "shape") or not hasattr(x, "__getitem__"):
            raise DtypeError(
                wanted,
                f"{_place(path)}: {describe(x)}",
                "make it a NumPy array; tables of pandas have .to_numpy()",
            )
        if not x.shape:
            raise ShapeError(
                wanted,
                f"{_place(path)}: {describe(x)}, which has no axis",
                "leave it out, or repeat it for each example with np.full(n, value)",
            )
    lengths = [x.shape[0] for _, x in leaves]
    if len(set(lengths)) > 1:
        came = ", ".join(f"{_place(p)}: {n}" for (p, _), n in zip(leaves, lengths, strict=True))
        raise ShapeError(
            f"{who} wants as many examples in each leaf.",
            f"lengths of the first axis {came}",
            "bring the arrays to one length, the axis of the examples first",
        )
    if not lengths[0]:
        raise ShapeError(wanted, "no examples: the first axis has the length 0", "pass some data")
    return int(lengths[0])


def _place(path: Any) -> str:
    return f"at {tree.path_str(path)}" if path else "at the root"


def take(data: PyTree, index: Any) -> PyTree:
    """New arrays of the examples that a slice or an array of numbers selects.

    Of a memory-mapped file only these are read.
    """

    def leaf(x: Any) -> Any:
        if not isinstance(index, slice):
            return np.asarray(x[index]) if is_host(x) else x[index]
        return np.array(x[index]) if is_host(x) else x[index].copy()

    return tree.map(leaf, data)
