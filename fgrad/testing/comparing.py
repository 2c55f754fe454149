"""Whether two results are alike, and close: the same structure, shapes, dtypes and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fgrad import tree
from fgrad.errors import TreeError

from ..moving import host_array
from .differences import by_leaf
from .failures import CheckError
from .leaves import dtype_of, epsilon, numbers, place, spans, vector


def check_like(
    want: Any,
    got: Any,
    what: str,
    noun: str,
    other: str = "what it belongs to",
    paths: Sequence[str] | None = None,
    derivative: bool = False,
) -> None:
    """Structure, shapes and dtypes are those of another tree.

    Args:
        want: the other tree.
        got: the tree in question.
        what: the function.
        noun: what the tree is.
        other: what the other tree is.
        paths: where its leaves are.
        derivative: the tree is one, so what stands for integers doesn't matter.
    """
    said = f"The {noun} of the {what} and {other}"
    try:
        tree.check_same_structure(want, got, what=said, to_do="return a tree of this structure")
    except TreeError as error:
        raise CheckError(error.wanted, error.came, error.to_do) from None
    places = tree.leaves_with_path(want)
    for i, ((path, y), t) in enumerate(zip(places, tree.leaves(got), strict=True)):
        if derivative and dtype_of(y).kind not in "fc":
            continue
        if (np.shape(y), dtype_of(y)) != (np.shape(t), dtype_of(t)):
            where = paths[i] if paths else f"result{tree.path_str(path)}"
            raise CheckError(
                f"The {noun} of the {what} must have the shape and dtype of {other}: "
                f"{dtype_of(y)}, {np.shape(y)} for {where}.",
                f"{dtype_of(t)}, {np.shape(t)}",
                "return it with .reshape and .astype of what it belongs to",
                path=where,
            )


def check_close(
    want: Any,
    got: Any,
    what: str,
    other: str,
    xs: Sequence[Any] = (),
    atol: float | None = None,
    rtol: float | None = None,
) -> None:
    """Numbers are the same up to rounding, or to tolerances; integers are equal.

    Args:
        want, got, what, other: as for `check_like`; the leaves are arrays.
        xs: arrays that they are computed from; rounding is that of the coarsest.
        atol, rtol: None for rounding.
    """
    ys = numbers(want)
    part = max(64 * epsilon([*xs, *ys]), 1e-11) if rtol is None else rtol
    a, b, leaf = vector(numbers(got)), vector(ys), spans(ys)
    room = (atol or 0.0) + part * by_leaf(np.where(np.isfinite(b), np.abs(b), 0.0), leaf)
    with np.errstate(invalid="ignore"):
        near = (np.abs(a - b) <= room) | (a == b) | (np.isnan(a) & np.isnan(b))
    if not near.all():
        i = int(np.argmin(near))
        where = place(want, i)
        raise CheckError(
            f"The {what} gives other numbers than {other}.",
            f"{a[i]:.9g} at {where}, not {b[i]:.9g}; {int((~near).sum())} of {near.size} numbers "
            "differ",
            "correct what computes them, or give atol and rtol if rounding explains it",
            path=where,
        )
    for (path, y), z in zip(tree.leaves_with_path(want), tree.leaves(got), strict=True):
        if dtype_of(y).kind not in "fc" and not np.array_equal(host_array(y), host_array(z)):
            raise CheckError(
                f"The {what} gives other numbers than {other}.",
                f"{z} at result{tree.path_str(path)}, not {y}",
                "correct what computes them",
                path=f"result{tree.path_str(path)}",
            )
