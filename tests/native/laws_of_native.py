"""The law of machine code: it gives what the function gives, within rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

import fgrad
from fgrad import tree
from tests import laws


def same(f: Callable[..., Any], *calls: Sequence[Any], ulp: float = 4, **options: Any) -> Any:
    """Compare with the function itself for some arguments; the compiled function.

    Args:
        f: the function.
        calls: the arguments of each call.
        ulp: how many units in the last place of the largest entry the results may differ by.
        options: of `jit`.
    """
    g = fgrad.jit(f, backend="native", **options)
    kept = []
    for xs in (*calls, *calls):
        with np.errstate(all="ignore"):
            want = f(*xs)
            with laws.unchanged(xs):
                got = g(*xs)
        assert tree.structure(got) == tree.structure(want)
        for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
            close(a, b, ulp)
        kept.append((got, tree.map(np.copy, got)))
    for got, before in kept:
        laws.same_bits(got, before, "a later call has changed an earlier result")
    return g


def close(got: Any, want: Any, ulp: float) -> None:
    """Refuse another shape or dtype, other infinities and NaN, and larger errors."""
    got, want = np.asarray(got), np.asarray(want)
    assert (got.shape, got.dtype) == (want.shape, want.dtype)
    if want.dtype.kind != "f":
        assert np.array_equal(got, want)
        return
    finite = np.isfinite(want)
    assert np.array_equal(got[~finite], want[~finite], equal_nan=True)
    if finite.any():
        size = np.abs(want[finite]).max()
        error = np.abs(got[finite] - want[finite]).max() / np.spacing(size)
        assert error <= ulp, f"{error} units in the last place of {size}, shape {want.shape}"


def kernels(g: Any) -> list[Any]:
    """What of a compiled function is machine code."""
    return [k for spec in g._specs for k in getattr(spec.root.native, "kernels", [])]


def left(g: Any) -> dict[str, int]:
    """What was left to NumPy, and how many operations."""
    (spec,) = g._specs
    return dict(spec.root.native.reasons)
