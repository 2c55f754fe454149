"""The axes that vmap maps: what in_axes and out_axes say, how long they are, how many at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import tree
from .arrays import NUMBERS, is_a, ndarray, shape_of
from .core import is_traceable, refuse_finished
from .errors import ArgumentError, DtypeError, ShapeError, describe

_FLOAT = np.dtype(float)

#: What "auto" makes of the memory for the mapped arguments, in octets.
AUTO = 1 << 24


def chunk_length(chunk_size: Any, size: int, octets: int, name: str) -> int:
    """How many of ``size`` elements, of so many octets each, to compute at once; at least 1."""
    if chunk_size is None:
        return max(size, 1)
    if chunk_size == "auto":
        return max(1, AUTO // max(octets, 1))
    if is_a(chunk_size, bool) or not is_a(chunk_size, (int, np.integer)):
        wrong = True
    else:
        wrong = chunk_size < 1
    if wrong:
        raise ArgumentError(
            f'{name} wants chunk_size as a number of elements, at least 1, or as "auto".',
            describe(chunk_size),
            "leave it away to compute all at once",
        )
    return int(chunk_size)


def spread(prefix: Any, full: Any, leaves: int, name: str) -> list[int | None]:
    """One axis for each of so many leaves of ``full``, from a pytree prefix of axes."""
    if prefix is None or type(prefix) is int:
        return [prefix] * leaves
    try:
        axes = tree.broadcast_prefix(prefix, full)
    except ValueError as e:
        raise ArgumentError(
            f"vmap wants {name} as an integer, None, or a pytree prefix of what it stands for.",
            f"{name}={prefix!r}: {e}",
            "give one integer for a whole subtree, or a container of the same kind and length",
        ) from None
    for axis in axes:
        if axis is not None and (is_a(axis, bool) or not hasattr(axis, "__index__")):
            raise ArgumentError(
                f"vmap wants integers or None as the leaves of {name}.",
                describe(axis),
                "give the number of the axis, or None for what isn't mapped",
            )
    return axes


def spread_over_arguments(axes: Sequence[Any], args: Any, kwargs: Any, leaves: int) -> Any:
    """`spread` for in_axes, over so many leaves of ``(args, kwargs)``; keywords have axis 0."""
    flat: list[int | None] = []
    # One axis for all of an argument is by far the commonest, and needs no trees to be matched.
    for axis, x in zip(axes, args, strict=True):
        if axis is not None and type(axis) is not int:
            full = (tuple(axes), dict.fromkeys(kwargs, 0))
            return spread(full, (args, kwargs), leaves, "in_axes")
        flat += [axis] * (1 if type(x) is ndarray else len(tree.leaves(x)))
    return flat + [0] * (leaves - len(flat))


def common_length(
    leaves: Sequence[Any],
    axes: Sequence[Any],
    moving: Sequence[int],
    path: Callable[[int], str],
    axis_size: int | None,
) -> int:
    """The length of the mapped axes, which must be the same for all.

    Args:
        leaves, axes: the arguments' leaves, and for each the axis that is mapped or None.
        moving: the numbers of the leaves that are mapped.
        path: gives the path of a leaf, for errors.
        axis_size: the length that the user has named.
    """
    if axis_size is not None and (not is_a(axis_size, (int, np.integer)) or axis_size < 0):
        raise ArgumentError(
            "vmap wants axis_size as a number of elements.",
            describe(axis_size),
            "give an integer from 0, or leave it away where an argument is mapped",
        )
    size, first = axis_size, -1
    for i in moving:
        x, axis = leaves[i], axes[i]
        shape = shape_of(x)
        if type(x) is not ndarray or x.dtype.kind not in NUMBERS:
            refuse_finished(x, "vmap")
            _check_mapped(x, i, path)
        if not -len(shape) <= axis < len(shape):
            raise ShapeError(
                f"vmap wants an array with axis {axis} as {path(i)}.",
                describe(x),
                "set its in_axes to None if it is the same for all elements; pass a list of "
                "numbers as np.array(...)",
            )
        if size is None:
            size, first = shape[axis], i
        elif shape[axis] != size:
            source = "axis_size" if first < 0 else path(first)
            raise ShapeError(
                f"vmap wants all mapped axes of one length: {size}, as {source} has it.",
                f"length {shape[axis]} along axis {axis} of {path(i)} ({describe(x)})",
                "map another axis with in_axes, or pass arrays of equal length",
            )
    if size is None:
        raise ArgumentError(
            "vmap wants at least one argument with a mapped axis.",
            "arguments without arrays, or in_axes None for all of them",
            "set in_axes for one of them, or give axis_size",
        )
    return size


def _check_mapped(x: Any, i: int, path: Callable[[int], str]) -> None:
    """Refuse to map over what is no array of numbers."""
    if not is_traceable(x) or getattr(x, "dtype", _FLOAT).kind not in NUMBERS:
        raise DtypeError(
            f"vmap wants an array of numbers as {path(i)}.",
            describe(x),
            "set its in_axes to None if it is the same for all elements; convert it to an array "
            "of numbers otherwise",
        )


def path_of(args: Any, kwargs: Any, i: int) -> str:
    """``args[0]['w']`` for the leaf of that number in ``(args, kwargs)``."""
    text = tree.path_str(tree.leaves_with_path((args, kwargs))[i][0])
    return f"args{text[3:]}" if text.startswith("[0]") else f"kwargs{text[3:]}"


def to_front(x: Any, axis: int) -> Any:
    """The mapped axis in front, counted from the start of x."""
    return x if axis == 0 else np.moveaxis(x, axis, 0)
