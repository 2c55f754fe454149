"""The law of `jit`: a compiled function gives what the function gives, in any composition."""

from __future__ import annotations

from typing import Any

import numpy as np

import fgrad
from fgrad import tree

from . import laws
from .examples.row import Row


def compiled(row: Row, dtype: Any = np.float64) -> None:
    """Value and derivatives on the recorded data, on other data, and exactly without rounding."""
    first, other = row.arguments(0, dtype), row.arguments(1, dtype)
    exact = fgrad.jit(row.call, reassociate=False)
    agree(exact, row.call, (first, other), f"{row}: jit = eager")
    if row.kind == "constant":
        return
    rng = np.random.default_rng(4)
    h, moving = row.fix(first)
    new = row.fix(
        [o if x.kind == "f" else f for x, o, f in zip(row.operands, other, first, strict=True)]
    )[1]
    forward, reverse = laws.derivatives(h, moving, rng)
    agree(fgrad.jit(reverse), reverse, (moving, new), f"{row}: jit of the pullback")
    if dtype == np.float64:
        agree(fgrad.jit(forward), forward, (moving, new), f"{row}: jit of the pushforward")


def agree(f: Any, g: Any, calls: Any, what: str) -> None:
    """Both functions give the same, leave their arguments alone, and give fresh arrays."""
    results = []
    for xs in calls:
        with laws.unchanged(xs):
            got = f(*xs)
        want = g(*xs)
        laws.close(got, want, what)
        for y in tree.leaves(got):
            if isinstance(y, np.ndarray):
                assert not any(np.shares_memory(y, x) for x in xs), f"{what}: shared memory"
        results.append((got, tree.map(np.copy, got)))
    for got, kept in results:
        laws.same_bits(got, kept, f"{what}: a later call has changed an earlier result")
