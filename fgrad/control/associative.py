"""`associative_scan`: all partial results of an associative operation, in logarithmic depth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..arrays import aval, shape_of
from ..core import is_traceable, refuse_finished
from ..errors import ArgumentError, DtypeError, ShapeError, describe, name_of
from ..tracebacks import boundary
from .scans import check_step


@boundary
def associative_scan(
    fn: Callable[..., Any], elems: Any, reverse: bool = False, axis: int = 0
) -> Any:
    """Results of an associative operation on the first element, the first two, and so on.

    >>> import numpy as np
    >>> associative_scan(np.multiply, np.array([1.0, 2.0, 3.0, 4.0]))
    array([ 1.,  2.,  6., 24.])

    The operation is called about ``2 log2(n)`` times, on many elements at once: pairs are joined,
    their results scanned, and the elements between filled in (R. E. Ladner and M. J. Fischer,
    Parallel Prefix Computation, JACM 27, 1980).

    Args:
        fn: ``fn(a, b)`` of two pytrees like ``elems``, with any number of elements along the axis;
            it joins them element by element, is associative and returns a tree like them.
        elems: a pytree of arrays of the same length along the axis.
        reverse: scan from the last element to the first; ``fn`` gets the later element first, as
            in JAX.
        axis: the axis along which to scan.

    Returns:
        A pytree like ``elems``.

    Raises:
        ArgumentError, ShapeError, DtypeError, TreeError: elements of unequal lengths, or without
            the axis; ``fn`` returns something unlike its arguments.
    """
    check_step("associative_scan", fn)
    leaves, structure = tree.flatten(elems)
    n = _length(elems, axis)
    xs = [np.moveaxis(x, axis, 0) for x in leaves]
    if reverse:
        xs = [np.flip(x, 0) for x in xs]

    def join(a: list[Any], b: list[Any]) -> list[Any]:
        out = fn(*(tree.unflatten(structure, _placed(xs, axis)) for xs in (a, b)))
        ys = tree.flatten_up_to(
            structure, out,
            what="associative_scan wants a function that returns a tree like its arguments; "
            f"{name_of(fn)} does not.",
            to_do="return the same containers",
        )  # fmt: skip
        for path, y, x in zip(structure.accessors(), ys, _placed(a, axis), strict=True):
            got, like = (aval(y) if is_traceable(y) else None), aval(x)
            if got is None or (got.shape, got.dtype) != (like.shape, like.dtype):
                at = f" at {tree.path_str(path)}" if path else ""
                raise ShapeError(
                    "associative_scan wants a function that keeps shapes and dtypes: "
                    f"{describe(like)}{at}.",
                    f"{describe(y)}, from {name_of(fn)}",
                    "return an array like each argument; it has any length along the axis",
                )
        return [np.moveaxis(y, axis, 0) for y in ys]

    out = _prefixes(join, xs, n)
    if reverse:
        out = [np.flip(x, 0) for x in out]
    return tree.unflatten(structure, _placed(out, axis))


def _placed(xs: list[Any], axis: int) -> list[Any]:
    return [np.moveaxis(x, 0, axis) for x in xs]


def _length(elems: Any, axis: int) -> int:
    n, first = None, ""
    for path, x in tree.leaves_with_path(elems):
        where = f"elems{tree.path_str(path)}"
        refuse_finished(x, "associative_scan")
        ndim = len(shape_of(x))
        if not is_traceable(x) or not -ndim <= axis < ndim:
            raise (ShapeError if is_traceable(x) else DtypeError)(
                f"associative_scan wants arrays with axis {axis} as {where}.",
                describe(x),
                "pass arrays, and the number of an axis that all of them have",
            )
        if n is None:
            n, first = shape_of(x)[axis], where
        elif shape_of(x)[axis] != n:
            raise ShapeError(
                f"associative_scan wants arrays of one length: {n}, as {first} has it.",
                f"length {shape_of(x)[axis]} of {where} ({describe(x)})",
                "pass arrays of equal length along the axis",
            )
    if n is None:
        raise ArgumentError(
            "associative_scan wants arrays to scan.", describe(elems), "pass a pytree of arrays"
        )
    return n


def _prefixes(join: Callable[..., Any], xs: list[Any], n: int) -> list[Any]:
    """The joined elements up to each one, along the first axis."""
    if n < 2:
        return xs
    pairs = join([x[0 : n - 1 : 2] for x in xs], [x[1::2] for x in xs])
    odd = _prefixes(join, pairs, n // 2)
    if n == 2:
        return [np.concatenate([x[:1], y]) for x, y in zip(xs, odd, strict=True)]
    before = odd if n % 2 else [y[:-1] for y in odd]
    even = join(before, [x[2::2] for x in xs])
    even = [np.concatenate([x[:1], y]) for x, y in zip(xs, even, strict=True)]
    return [_woven(a, b) for a, b in zip(even, odd, strict=True)]


def _woven(even: Any, odd: Any) -> Any:
    """The rows of two arrays in turn."""
    m = shape_of(odd)[0]
    both = np.reshape(np.stack([even[:m], odd], axis=1), (2 * m, *shape_of(odd)[1:]))
    return both if shape_of(even)[0] == m else np.concatenate([both, even[m:]])
