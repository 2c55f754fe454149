"""Law 4: vmap is the stack of calls, alone and with derivatives inside and outside of it."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

import fgrad
from fgrad import tree
from fgrad.testing import check_vmap

from .examples import Row
from .laws import F, close, random_like, same_like


def choices(n: int) -> list[tuple[bool, ...]]:
    """All ways to map some of n operands; of more than three: all, each, and all but each."""
    every = [c for c in itertools.product((True, False), repeat=n) if any(c)]
    return every if n <= 3 else [c for c in every if sum(c) in (1, n - 1, n)]


def stacked(samples: Sequence[Any], like: Any) -> Any:
    """Pytrees stacked leaf by leaf; without samples, empty ones like ``like``."""
    if samples:
        return tree.map(lambda *ys: np.stack(ys), *samples)
    return tree.map(lambda y: np.zeros((0, *np.shape(y)), np.asarray(y).dtype), like)


def mapped(row: Row, f: F, calls: Sequence[Any], first: Any, flags: Any, what: str) -> Any:
    """vmap(f) on the stacked arguments of the calls is the stack of the calls, which it returns."""
    args = [
        stacked([c[i] for c in calls], x) if b else x
        for i, (x, b) in enumerate(zip(first, flags, strict=True))
    ]
    got = fgrad.vmap(f, tuple(0 if b else None for b in flags))(*args)
    want = stacked([f(*c) for c in calls], None if calls else f(*first))
    same_like(want, got, f"{row}: {what}, mapped {flags}")
    close(got, want, f"{row}: {what}, mapped {flags}, size {len(calls)}")
    return want


def calls_of(samples: Sequence[Any], flags: Any) -> list[list[Any]]:
    """Arguments of each call of a batch: those that aren't mapped are the first call's."""
    return [
        [x if b else x0 for x, x0, b in zip(c, samples[0], flags, strict=True)] for c in samples
    ]


def batching(row: Row, dtype: Any = np.float64) -> None:
    """Law 4: vmap is the stack of calls, for each choice of operands and for sizes 0, 1 and 3."""
    first, *others = (tuple(row.arguments(seed, dtype)) for seed in range(3))
    check_vmap(row.call, first, calls=others, err_msg=str(row))
    check_vmap(row.call, first, -1, sizes=(2,), calls=others[:1], err_msg=f"{row}, last axes")


def batched_dtypes(row: Row) -> None:
    """Law 6 of law 4: of float32 a batch has the dtypes of a call, also a batch of none."""
    args = row.arguments(0, np.float32)
    flags = [isinstance(x, np.ndarray) for x in args]
    if not any(flags):
        return
    want = row.call(*args)
    for size in (2, 0):
        batch = [
            np.broadcast_to(x, (size, *x.shape)).copy() if b else x
            for x, b in zip(args, flags, strict=True)
        ]
        got = fgrad.vmap(row.call, tuple(0 if b else None for b in flags))(*batch)
        same_like(stacked([want] * size, want), got, f"{row}: float32, a batch of {size}")


def batched_derivatives(row: Row, dtype: Any = np.float64) -> None:
    """Law 4 for derivatives: vmap of jvp and vjp, jvp and vjp of vmap."""
    samples = [row.arguments(seed, dtype) for seed in range(3)]
    n = len(row.operands)
    moving = [i for i, x in enumerate(row.operands) if x.kind == "f"]

    def pushed(*args: Any) -> Any:
        h, xs = row.fix(args[:n])
        return fgrad.jvp(h, xs, args[n:])[1]

    def pulled(*args: Any) -> Any:
        h, xs = row.fix(args[:n])
        return fgrad.vjp(h, *xs)[1](tree.unflatten(structure, args[n:]))

    leaves, structure = tree.flatten(row.call(*samples[0]))
    for flags in choices(n):
        for size in (3, 0) if all(flags) else (3,):
            rng = np.random.default_rng(3)
            calls = calls_of(samples[:size], flags)
            base = samples[0]
            ts = [random_like([c[i] for i in moving], rng) for c in [base, *calls]]
            ts = [
                [t if flags[i] else t0 for i, t, t0 in zip(moving, u, ts[0], strict=True)]
                for u in ts
            ]
            t_calls = [[*c, *u] for c, u in zip(calls, ts[1:], strict=True)]
            t_flags = (*flags, *(flags[i] for i in moving))
            tangent = mapped(row, pushed, t_calls, [*base, *ts[0]], t_flags, "vmap of jvp")
            gs = [random_like(leaves, rng) for _ in [base, *calls]]
            g_calls = [[*c, *g] for c, g in zip(calls, gs[1:], strict=True)]
            g_flags = (*flags, *(True,) * len(leaves))
            cts = mapped(row, pulled, g_calls, [*base, *gs[0]], g_flags, "vmap of vjp")
            t = [
                stacked([u[k] for u in ts[1:]], ts[0][k]) if flags[i] else ts[0][k]
                for k, i in enumerate(moving)
            ]
            g = tree.unflatten(structure, stacked(gs[1:], gs[0]))
            _through_vmap(row, flags, base, calls, t, g, tangent, cts)


def _through_vmap(
    row: Row, flags: Any, base: Any, calls: Any, t: Any, g: Any, tangent: Any, cts: Any
) -> None:
    """jvp and vjp of vmap(f): what isn't mapped gets the sum of the cotangents.

    Args:
        row, flags, calls: the calls whose arguments are stacked.
        base: the arguments that are not.
        t, g: tangents of the stacked arguments, and cotangents of the results.
        tangent, cts: the derivatives of the calls, stacked.
    """
    moving = [i for i, x in enumerate(row.operands) if x.kind == "f"]
    args = [
        stacked([c[i] for c in calls], x) if b else x
        for i, (x, b) in enumerate(zip(base, flags, strict=True))
    ]
    f = fgrad.vmap(row.call, tuple(0 if b else None for b in flags))

    def h(*xs: Any) -> Any:
        new = dict(zip(moving, xs, strict=True))
        return f(*(new.get(i, x) for i, x in enumerate(args)))

    xs = [args[i] for i in moving]
    close(fgrad.jvp(h, xs, t)[1], tangent, f"{row}: jvp of vmap, mapped {flags}")
    for i, got, parts in zip(moving, fgrad.vjp(h, *xs)[1](g), cts, strict=True):
        want = parts if flags[i] else np.sum(parts, axis=0)
        close(got, want, f"{row}: vjp of vmap, mapped {flags}")
