"""Which results of a linear map depend on which arguments, found by calling it.

Most linear operations pick (each result is one of the arguments) or add up (each argument goes to
one result); numbered arguments, or numbered cotangents, show that in a few calls. Any other map is
searched: the arguments are halved again and again, and those parts that no result has in common
are tried in one call, so that a banded map takes a few calls for each halving. The numbers tried
are random, so nothing cancels; a result that is NaN counts as one that depends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .colors import color_columns

#: Numbers that all calls of a search may compute together; it stops there, with parts as wholes.
BUDGET = 1 << 24

#: Integers below are exact in float32, in which some operations compute.
EXACT = 1 << 24

Linear = Callable[[Any], Any]


def linear_pattern(fn: Linear, pull: Linear | None, n: int, m: int, dtype: Any) -> Any:
    """Where the matrix of a linear map has entries; perhaps in a few places more.

    Args:
        fn: the map, from n numbers to m numbers, as vectors.
        pull: its transpose; None if there is none.
        n, m: how many there are.
        dtype: in which to try, float64 or complex128.

    Returns:
        A boolean csr_array of shape (m, n).
    """
    if n == 0 or m == 0:
        return csr_array((m, n), dtype=bool)
    with np.errstate(all="ignore"):
        numbers = _numbers(n, dtype)
        if n < EXACT:
            found = _picked(fn, n, m, numbers)
            if found is not None:
                return found
        if pull is not None and m < EXACT and dtype == np.float64:
            found = _added(pull, n, m)
            if found is not None:
                return found
        return _searched(fn, n, m, numbers)


def is_linear(fn: Linear, n: int, dtype: Any) -> bool:
    """Whether a function of n numbers is linear, as far as random numbers tell."""
    rng = np.random.default_rng(4)
    with np.errstate(all="ignore"):
        for _ in range(3):
            u, v = rng.normal(size=(2, n)).astype(dtype)
            try:
                apart, together = fn(u) - 1.5 * fn(v), fn(u - 1.5 * v)
            except ValueError:  # not defined everywhere, which linear functions are
                return False
            size = max(1e-300, float(np.max(abs(apart), initial=0.0)))
            if not np.all(abs(apart - together) <= 1e-7 * size):
                return False
    return True


def _numbers(n: int, dtype: Any, seed: int = 0) -> Any:
    """Random numbers that are exact in float32."""
    rng = np.random.default_rng(seed)
    out = rng.uniform(1, 2, n).astype(np.float32).astype(dtype)
    if np.dtype(dtype).kind == "c":
        out += 1j * rng.uniform(1, 2, n).astype(np.float32)
    return out


def selection(places: Any, n: int) -> Any:
    """The boolean matrix that picks numbers by their places, and nothing for -1."""
    here = places >= 0
    starts = np.concatenate([[0], np.cumsum(here)])
    return csr_array((np.ones(int(here.sum()), bool), places[here], starts), shape=(len(places), n))


def _picked(fn: Linear, n: int, m: int, numbers: Any) -> Any:
    """The pattern, if each result is an argument or zero."""
    codes = fn(np.arange(1, n + 1).astype(numbers.dtype))
    places = np.nan_to_num(np.real(codes), nan=-1.0, posinf=-1.0, neginf=-1.0) - 1
    if not (np.all(places == np.rint(places)) and np.all(places >= -1) and np.all(places < n)):
        return None
    places = places.astype(np.intp)
    for r in (numbers, _numbers(n, numbers.dtype, seed=1)):
        if not np.array_equal(fn(r), np.concatenate([r, [0]])[places]):
            return None
    return selection(places, n)


def _added(pull: Linear, n: int, m: int) -> Any:
    """The pattern, if each argument goes to one result or none, whatever its factor."""
    weights, codes = pull(np.ones(m)), pull(np.arange(1.0, m + 1))
    moving = weights != 0
    places = np.full(n, -1)
    ratio = codes[moving] / weights[moving]
    near = np.rint(ratio)
    if not (np.all(np.abs(ratio - near) < 1e-6) and np.all(near >= 1) and np.all(near <= m)):
        return None
    places[moving] = near.astype(np.intp) - 1
    for seed in (0, 1):
        r = _numbers(m, np.float64, seed)
        want = weights * np.concatenate([r, [0]])[places]
        if not np.all(np.abs(pull(r) - want) <= 1e-6 * np.abs(weights)):
            return None
    return csr_array(selection(places, m).T)


def _searched(fn: Linear, n: int, m: int, numbers: Any) -> Any:
    """The pattern by halving the arguments, and trying parts without a common result together."""
    calls = max(64, BUDGET // (n + m))
    starts, stops = np.array([0]), np.array([n])
    rows = np.flatnonzero(fn(numbers) != 0)
    parts = np.zeros(len(rows), np.intp)
    while np.any(stops - starts > 1):
        wide = stops - starts > 1
        pairs = csr_array(
            (np.ones(len(rows), bool), (rows, parts)), shape=(m, len(starts))
        )  # fmt: skip
        colors = color_columns(pairs, np.arange(len(starts)))
        count = int(colors.max(initial=-1)) + 1
        calls -= 2 * count
        if calls < 0:
            break
        part = np.repeat(np.arange(len(starts)), stops - starts)
        middles = np.where(wide, (starts + stops) // 2, stops)
        left = np.arange(n) < middles[part]
        order = np.argsort(colors[parts], kind="stable")
        ends = np.searchsorted(colors[parts[order]], np.arange(count + 1))
        new_rows, new_parts = [rows[~wide[parts]]], [2 * parts[~wide[parts]]]
        for color in range(count):
            mine = order[ends[color] : ends[color + 1]]
            mine = mine[wide[parts[mine]]]
            chosen = (colors[part] == color) & wide[part]
            for half, side in enumerate((left, ~left)):
                touched = fn(np.where(chosen & side, numbers, 0)) != 0
                hit = mine[touched[rows[mine]]]
                new_rows.append(rows[hit])
                new_parts.append(2 * parts[hit] + half)
        rows, parts = np.concatenate(new_rows), np.concatenate(new_parts)
        starts = np.stack([starts, middles], axis=1).ravel()
        stops = np.stack([middles, stops], axis=1).ravel()
        full = stops > starts
        # Parts without arguments go; those that no result depends on stay, for the places of all.
        parts = (np.cumsum(full) - 1)[parts]
        starts, stops = starts[full], stops[full]
    pairs = csr_array((np.ones(len(rows), bool), (rows, parts)), shape=(m, len(starts)))
    part = np.repeat(np.arange(len(starts)), stops - starts)
    members = csr_array((np.ones(n, bool), (part, np.arange(n))), shape=(len(starts), n))
    return csr_array(pairs @ members)
