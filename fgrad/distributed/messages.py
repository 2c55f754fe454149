"""Arrays as messages: small ones travel together, large ones by themselves, in a dtype that can.

What moves is packed as octets, of any dtype. What is added up or compared goes as numbers: float16,
which MPI doesn't know, as float32, and booleans as octets. Integers keep their dtype.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from ..arrays import namespace
from ..core import Array
from .transports import MAX, MIN, SUM, Transport

#: An array of so many octets is a message of its own: to copy it costs more than a message.
LARGE = 1 << 20

#: Numbers that travel as others.
WIRE = {"e": np.dtype(np.float32), "?": np.dtype(np.uint8)}


def groups(xs: Sequence[Array], large: int = LARGE) -> list[list[int]]:
    """Which arrays share a message: small ones of one dtype, in their order.

    >>> groups([np.ones(2), np.ones(3, np.float32), np.ones(4), np.ones(1 << 18)])
    [[0, 2], [1], [3]]
    """
    fused: dict[tuple[str, int], list[int]] = {}
    alone = []
    for i, x in enumerate(xs):
        if x.nbytes < large:
            fused.setdefault((x.dtype.kind, x.dtype.itemsize), []).append(i)
        else:
            alone.append([i])
    return [*fused.values(), *alone]


def pack(xs: Sequence[Array], dtype: Any, rows: tuple[int, ...] = ()) -> Array:
    """The numbers of some arrays, one after the other; with ``rows``, of each of their rows."""
    xp = namespace(xs[0])
    flat = [x.reshape((*rows, -1)) for x in xs]
    whole = flat[0] if len(flat) == 1 else xp.concatenate(flat, axis=-1)
    return xp.ascontiguousarray(whole, dtype=dtype)


def unpack(flat: Array, shapes: Iterable[tuple[int, ...]], dtypes: Iterable[Any]) -> list[Array]:
    """Arrays of their own again, of what `pack` or a gathering has made; rows are kept."""
    out, start = [], 0
    rows = flat.shape[:-1]
    for shape, dtype in zip(shapes, dtypes, strict=True):
        stop = start + math.prod(shape)
        part = flat[..., start:stop].reshape((*rows, *shape))
        if dtype != flat.dtype or part.size < flat.size:
            part = part.astype(dtype)
        out.append(part if part.ndim else part[()])  # NumPy's scalars, as NumPy does
        start = stop
    return out


def _each(
    xs: Sequence[Array], move: Callable[[Array, Any], Array], rows: int = 0, octets: bool = False
) -> list[Array]:
    """Pack, move and unpack; with ``rows`` the first axis of each array counts ranks."""
    out: list[Any] = [None] * len(xs)
    for places in groups(xs):
        some = [xs[i] for i in places]
        dtype = some[0].dtype.newbyteorder("=")
        wire = dtype if octets else WIRE.get(dtype.char, dtype)
        flat = pack(some, wire, (rows,) if rows else ())
        answer = move(flat.view(np.uint8), dtype).view(wire) if octets else move(flat, dtype)
        shapes = [x.shape[1:] if rows else x.shape for x in some]
        for i, y in zip(places, unpack(answer, shapes, [dtype] * len(some)), strict=True):
            out[i] = y
    return out


def add(t: Transport, xs: Sequence[Array]) -> list[Array]:
    """The sum over the ranks."""
    return _each(xs, lambda x, dtype: t.reduce(x, SUM))


def extreme(t: Transport, xs: Sequence[Array], op: str) -> list[Array]:
    """The maximum or minimum over the ranks; NaN where one has NaN, as of `numpy.maximum`."""
    return _each(xs, lambda x, dtype: _compared(t, x, op))


def _compared(t: Transport, x: Array, op: str) -> Array:
    if x.dtype.kind != "f":
        return t.reduce(x, op)
    # Which of NaN and a number, or of 0.0 and -0.0, MPI prefers may differ by rank.
    xp = namespace(x)
    nan = xp.isnan(x)
    none = {MAX: -np.inf, MIN: np.inf}[op]
    y = t.reduce(xp.where(nan, x.dtype.type(none), x), op) + 0.0
    return xp.where(t.reduce(nan.view(np.uint8), MAX).view(np.bool_), x.dtype.type(np.nan), y)


def gather(t: Transport, xs: Sequence[Array]) -> list[Array]:
    """Those of all ranks, with an axis for the ranks in front."""
    return _each(xs, lambda x, dtype: t.gather(x), octets=True)


def scatter(t: Transport, xs: Sequence[Array]) -> list[Array]:
    """Of the sum over the ranks, what stands at this rank's place of the first axis."""
    return _each(xs, lambda x, dtype: t.scatter(x), rows=t.size)


def collect(t: Transport, xs: Sequence[Array], root: int) -> list[Array]:
    """The sum over the ranks, on one rank; zeros on the others."""
    return _each(xs, lambda x, dtype: t.collect(x, root))


def spread(t: Transport, xs: Sequence[Array], root: int) -> list[Array]:
    """Those of one rank."""
    return _each(xs, lambda x, dtype: t.spread(x, root), octets=True)


def exchange(
    t: Transport, xs: Sequence[Array], source: int | None, dest: int | None
) -> list[Array]:
    """Those of another rank, for one's own; zeros if there is none."""
    return _each(xs, lambda x, dtype: t.exchange(x, source, dest), octets=True)


def send(t: Transport, xs: Sequence[Array], dest: int, tag: int) -> None:
    """Send them to one rank."""
    for places in groups(xs):
        some = [xs[i] for i in places]
        t.send(pack(some, some[0].dtype.newbyteorder("=")).view(np.uint8), dest, tag)


def receive(t: Transport, like: Sequence[Array], source: int, tag: int) -> list[Array]:
    """What one rank has sent, of these shapes and dtypes."""
    return _each(like, lambda x, dtype: t.receive(x, source, tag), octets=True)
