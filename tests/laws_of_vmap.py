"""Law 4: vmap is the stack of calls, alone and with derivatives inside and outside of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

import fgrad
from fgrad import tree

from .examples import Row
from .laws import F, close, random_like, same_like


def choices(n: int) -> list[tuple[bool, ...]]:
    """All ways to map some of n operands."""
    return [c for c in itertools.product((True, False), repeat=n) if any(c)]


def stacked(samples: Sequence[Any], like: Any) -> Any:
    """Pytrees stacked leaf by leaf; without samples, empty ones like ``like``."""
    if samples:
        return tree.map(lambda *ys: np.stack(ys), *samples)
    return tree.map(lambda y: np.zeros((0, *np.shape(y)), np.asarray(y).dtype), like)


def mapped(
    row: Row, f: F, calls: Sequence[Any], first: Any, flags: Any, what: str, axis: int = 0
) -> None:
    """vmap(f) on the stacked arguments of the calls is the stack of the calls."""
    args = [
        stacked([c[i] for c in calls], x) if b else x
        for i, (x, b) in enumerate(zip(first, flags, strict=True))
    ]
    args = [
        np.ascontiguousarray(np.moveaxis(x, 0, axis)) if b else x
        for x, b in zip(args, flags, strict=True)
    ]
    got = fgrad.vmap(f, tuple(axis if b else None for b in flags), axis)(*args)
    want = stacked([f(*c) for c in calls], f(*first))
    want = tree.map(lambda y: np.moveaxis(y, 0, axis), want)
    same_like(want, got, f"{row}: {what}, mapped {flags}")
    close(got, want, f"{row}: {what}, mapped {flags}, size {len(calls)}")


def calls_of(row: Row, flags: Any, size: int, dtype: Any) -> list[list[Any]]:
    """Arguments of each call of a batch: those that aren't mapped are the first call's."""
    calls = [row.arguments(seed, dtype) for seed in range(size)]
    return [[x if b else x0 for x, x0, b in zip(c, calls[0], flags, strict=True)] for c in calls]


def batching(row: Row, dtype: Any = np.float64) -> None:
    """Law 4: vmap is the stack of calls, for each choice of operands and for sizes 0, 1 and 3."""
    first = row.arguments(0, dtype)
    for flags in choices(len(first)):
        for size in (3, 0, 1) if all(flags) else (3,):
            mapped(row, row.call, calls_of(row, flags, size, dtype), first, flags, "vmap = stack")
    flags = (True,) * len(first)
    mapped(row, row.call, calls_of(row, flags, 2, dtype), first, flags, "vmap, last axes", axis=-1)


def batched_derivatives(row: Row, dtype: Any = np.float64) -> None:
    """Law 4 for derivatives: vmap of jvp and vjp, jvp and vjp of vmap."""
    first = row.arguments(0, dtype)
    n = len(first)
    moving = [i for i, x in enumerate(row.operands) if x.kind == "f"]

    def pushed(*args: Any) -> Any:
        h, xs = row.fix(args[:n])
        return fgrad.jvp(h, xs, args[n:])[1]

    def pulled(*args: Any) -> Any:
        h, xs = row.fix(args[:n])
        return fgrad.vjp(h, *xs)[1](tree.unflatten(structure, args[n:]))

    leaves, structure = tree.flatten(row.call(*first))
    for flags in choices(n):
        for size in (3, 0) if all(flags) else (3,):
            rng = np.random.default_rng(3)
            calls = calls_of(row, flags, size, dtype)
            base = calls[0] if calls else first
            ts = [random_like([c[i] for i in moving], rng) for c in [base, *calls]]
            ts = [
                [t if flags[i] else t0 for i, t, t0 in zip(moving, u, ts[0], strict=True)]
                for u in ts
            ]
            t_calls = [[*c, *u] for c, u in zip(calls, ts[1:], strict=True)]
            t_flags = (*flags, *(flags[i] for i in moving))
            mapped(row, pushed, t_calls, [*base, *ts[0]], t_flags, "vmap of jvp")
            gs = [random_like(leaves, rng) for _ in [base, *calls]]
            g_calls = [[*c, *g] for c, g in zip(calls, gs[1:], strict=True)]
            mapped(
                row,
                pulled,
                g_calls,
                [*base, *gs[0]],
                (*flags, *(True,) * len(leaves)),
                "vmap of vjp",
            )
            _through_vmap(row, flags, base, calls, ts, gs, structure)


def _through_vmap(
    row: Row, flags: Any, base: Any, calls: Any, ts: Any, gs: Any, structure: Any
) -> None:
    """jvp and vjp of vmap(f): what isn't mapped gets the sum of the cotangents."""
    moving = [i for i, x in enumerate(row.operands) if x.kind == "f"]
    args = [
        stacked([c[i] for c in calls], x) if b else x
        for i, (x, b) in enumerate(zip(base, flags, strict=True))
    ]
    f = fgrad.vmap(row.call, tuple(0 if b else None for b in flags))

    def h(*xs: Any) -> Any:
        new = dict(zip(moving, xs, strict=True))
        return f(*(new.get(i, x) for i, x in enumerate(args)))

    t = [
        stacked([u[k] for u in ts[1:]], ts[0][k]) if flags[i] else ts[0][k]
        for k, i in enumerate(moving)
    ]
    each = [(row.fix(c), u, g) for c, u, g in zip(calls, ts[1:], gs[1:], strict=True)]
    got = fgrad.jvp(h, [args[i] for i in moving], t)[1]
    if each:
        want = stacked([fgrad.jvp(k, xs, u)[1] for (k, xs), u, _ in each], None)
        close(got, want, f"{row}: jvp of vmap, mapped {flags}")
    g = tree.unflatten(structure, stacked(gs[1:], gs[0]))
    got = fgrad.vjp(h, *(args[i] for i in moving))[1](g)
    cts = [fgrad.vjp(k, *xs)[1](tree.unflatten(structure, g)) for (k, xs), _, g in each]
    for j, i in enumerate(moving):
        parts = stacked([c[j] for c in cts], np.asarray(base[i]))
        close(
            got[j],
            parts if flags[i] else np.sum(parts, axis=0),
            f"{row}: vjp of vmap, mapped {flags}",
        )
