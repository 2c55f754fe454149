"""The operations between ranks as primitives: their rules, and when they run.

With the inner product of all ranks together, the sum over the ranks of ``<g, t>``, each linear
operation has an adjoint that is one of them again:

    psum        psum                     (the sum is read by all ranks)
    all_gather  reduce_scatter           and the other way round
    broadcast   reduce, to the root      and the other way round
    ppermute    ppermute, backwards

They have an effect on others, so that none is left out, done twice, or moved before another one:
ranks whose programs were compiled at different times still meet in one order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..arrays import aval, is_array, is_cupy, shape_of
from ..core import EFFECTS, Array, Params, Primitive, Tracer, bind, effects, full_lower, home
from ..ops.casts import stop_gradient_leaf
from . import messages
from .communicator import Communicator
from .transports import MAX, MIN

Arrays = Sequence[Any]


@dataclass(frozen=True, eq=False)
class Meeting:
    """One operation at one place of a program; no two are equal, so that none is left out.

    Attributes:
        comm: the ranks.
        structure, places: what the operands are leaves of, and which, for messages.
        root: the rank that has, or gets, the values.
        perm: pairs of a rank that sends and the rank that receives.
    """

    comm: Communicator
    structure: Any = None
    places: tuple[int, ...] = ()
    root: int = 0
    perm: tuple[tuple[int, int], ...] = ()

    def __repr__(self) -> str:
        detail = f", perm={list(self.perm)}" if self.perm else ""
        return f"{self.comm!r}{detail}"

    def of(self, which: Sequence[int]) -> Meeting:
        """A new meeting, for some of the operands."""
        places = tuple(self.places[i] for i in which) if self.places else ()
        return replace(self, places=places)

    @property
    def back(self) -> Meeting:
        """The same permutation the other way."""
        return replace(self, perm=tuple((b, a) for a, b in self.perm))


def later_or_now(
    p: Primitive, xs: Arrays, params: Params, examples: Callable[[], list[Any]],
    do: Callable[[], Any],
) -> tuple[Any, ...]:  # fmt: skip
    """Do it now, or give examples of the answers while a program is recorded."""
    when = EFFECTS.get()
    if when == "later":
        return tuple(examples())
    if any(isinstance(x, Tracer) for x in xs):
        # What has run before is computed again, in a program that is being recorded: all ranks do
        # so, and so must that program.
        with effects("now"):
            return tuple(bind(p, xs, params))
    return tuple(do())


def example(x: Any) -> Any:
    """A plain array of the shape and dtype of an operand, with its values where it has any."""
    plain, a = full_lower(x), aval(x)
    if is_array(plain) and shape_of(plain) == a.shape:
        return plain
    return home(x).ones(a.shape, a.dtype)


def copied(x: Any) -> Any:
    """An array that nobody else holds, where it is; a number as NumPy's."""
    return x.copy() if is_cupy(x) else np.array(x)[()]


# ------------------------------------------------------------------ linear operations
def linear(
    name: str,
    do: Callable[[Any, Arrays, Meeting], list[Any]],
    alike: Callable[[Any, Meeting], Any],
    transpose: Callable[[], Primitive],
    *,
    backwards: bool = False,
    into: Callable[[Any], Any] = lambda x: x,
    out_of: Callable[[Any], Any] = lambda y: y,
) -> Primitive:
    """Declare an operation that is linear in each operand by itself, with an answer for each.

    Args:
        name: its name.
        do: ``do(transport, arrays, meeting)``, the answers.
        alike: ``alike(array, meeting)``, an array like the answer.
        transpose: the primitive that is its adjoint.
        backwards: that goes the other way of the permutation.
        into, out_of: bring an operand with a batch axis in front into the form that ``do`` takes,
            and the answer back.
    """

    def impl(*xs: Any, meeting: Meeting) -> tuple[Any, ...]:
        def now() -> list[Any]:
            comm = meeting.comm
            transport = comm.transport(xs)
            detail = f"(root={meeting.root})" if meeting.root else ""
            detail += f"(perm={list(meeting.perm)})" if meeting.perm else ""
            comm.meet(name + detail, meeting.structure, meeting.places, xs)
            return do(transport, xs, meeting)

        def examples() -> list[Any]:
            return [alike(example(x), meeting) for x in xs]

        return later_or_now(p, xs, {"meeting": meeting}, examples, now)

    def jvp(ans: Any, xs: Arrays, ts: Arrays, params: Params) -> Any:
        moving = [i for i, t in enumerate(ts) if t is not None]
        if not moving:
            return None
        out: list[Any] = [None] * len(xs)
        us = bind(p, [ts[i] for i in moving], {"meeting": params["meeting"].of(moving)})
        for i, u in zip(moving, us, strict=True):
            out[i] = u
        return out

    def vjp(active: Any, g: Any, ans: Any, xs: Arrays, params: Params) -> list[Any]:
        read = [i for i in active if i in g]
        meeting = params["meeting"].of(read)
        meeting = meeting.back if backwards else meeting
        cts = bind(transpose(), [g[i] for i in read], {"meeting": meeting}) if read else ()
        given = dict(zip(read, cts, strict=True))
        return [given.get(i) for i in active]

    def batch(
        p: Primitive, size: int, xs: Arrays, batched: Sequence[bool], params: Params
    ) -> list[Any]:
        ins = [into(x) if b else x for x, b in zip(xs, batched, strict=True)]
        ys = bind(p, ins, {"meeting": replace(params["meeting"])})
        return [
            out_of(y) if b else np.broadcast_to(y, (size, *shape_of(y)))
            for y, b in zip(ys, batched, strict=True)
        ]

    p = Primitive(name, impl, jvp, vjp, batch, several=True, effect=True, shaped=True)
    return p


def _swapped(x: Any) -> Any:
    return np.swapaxes(x, 0, 1)


def _exchange(t: Any, xs: Arrays, m: Meeting) -> list[Any]:
    rank = m.comm.rank
    source = next((a for a, b in m.perm if b == rank), None)
    dest = next((b for a, b in m.perm if a == rank), None)
    return messages.exchange(t, xs, source, dest)


def _copied(x: Any, m: Meeting) -> Any:
    return copied(x)


def _rows(x: Any, m: Meeting) -> Any:
    return np.stack([x] * m.comm.size)


PSUM: Primitive = linear("psum", lambda t, xs, m: messages.add(t, xs), _copied, lambda: PSUM)
GATHER: Primitive = linear(
    "all_gather", lambda t, xs, m: messages.gather(t, xs), _rows, lambda: SCATTER, out_of=_swapped
)
SCATTER: Primitive = linear(
    "reduce_scatter", lambda t, xs, m: messages.scatter(t, xs), lambda x, m: x[m.comm.rank],
    lambda: GATHER, into=_swapped,
)  # fmt: skip
BROADCAST: Primitive = linear(
    "broadcast", lambda t, xs, m: messages.spread(t, xs, m.root), _copied,
    lambda: REDUCE,
)  # fmt: skip
REDUCE: Primitive = linear(
    "reduce", lambda t, xs, m: messages.collect(t, xs, m.root), _copied,
    lambda: BROADCAST,
)  # fmt: skip
PPERMUTE: Primitive = linear("ppermute", _exchange, _copied, lambda: PPERMUTE, backwards=True)


# ------------------------------------------------------------------ maxima and minima
def _extreme(name: str, op: str) -> Primitive:
    """The maximum or minimum over the ranks: those that tie share its derivative."""

    def impl(*xs: Any, meeting: Meeting) -> tuple[Any, ...]:
        def now() -> list[Array]:
            transport = meeting.comm.transport(xs)
            meeting.comm.meet(name, meeting.structure, meeting.places, xs)
            return messages.extreme(transport, xs, op)

        def examples() -> list[Any]:
            return [copied(example(x)) for x in xs]

        return later_or_now(p, xs, {"meeting": meeting}, examples, now)

    def shares(xs: Arrays, ans: Arrays, which: Sequence[int], meeting: Meeting) -> list[Any]:
        mine = [
            np.equal(stop_gradient_leaf(xs[i]), stop_gradient_leaf(ans[i])).astype(xs[i].dtype)
            for i in which
        ]
        counts = bind(PSUM, mine, {"meeting": meeting.of(which)})
        return [m / n for m, n in zip(mine, counts, strict=True)]

    def jvp(ans: Any, xs: Arrays, ts: Arrays, params: Params) -> Any:
        moving = [i for i, t in enumerate(ts) if t is not None]
        if not moving:
            return None
        meeting = params["meeting"]
        parts = shares(xs, ans, moving, meeting)
        terms = [s * ts[i] for s, i in zip(parts, moving, strict=True)]
        out: list[Any] = [None] * len(xs)
        us = bind(PSUM, terms, {"meeting": meeting.of(moving)})
        for i, u in zip(moving, us, strict=True):
            out[i] = u
        return out

    def vjp(active: Any, g: Any, ans: Any, xs: Arrays, params: Params) -> list[Any]:
        read = [i for i in active if i in g]
        meeting = params["meeting"]
        if not read:
            return [None] * len(active)
        parts = shares(xs, ans, read, meeting)
        sums = bind(PSUM, [g[i] for i in read], {"meeting": meeting.of(read)})
        given = {i: s * c for i, s, c in zip(read, parts, sums, strict=True)}
        return [given.get(i) for i in active]

    def batch(
        p: Primitive, size: int, xs: Arrays, batched: Sequence[bool], params: Params
    ) -> list[Any]:
        ys = bind(p, xs, {"meeting": replace(params["meeting"])})
        return [
            y if b else np.broadcast_to(y, (size, *shape_of(y)))
            for y, b in zip(ys, batched, strict=True)
        ]

    p = Primitive(name, impl, jvp, vjp, batch, needs=lambda i, k: True, several=True, effect=True)
    return p


PMAX, PMIN = _extreme("pmax", MAX), _extreme("pmin", MIN)


# ------------------------------------------------------------------ waiting
def _wait(*xs: Any, meeting: Meeting) -> tuple[Any, ...]:
    def now() -> list[Any]:
        meeting.comm.barrier()
        return [copied(x) for x in xs]

    def examples() -> list[Any]:
        return [copied(example(x)) for x in xs]

    return later_or_now(BARRIER, xs, {"meeting": meeting}, examples, now)


def _wait_batch(
    p: Primitive, size: int, xs: Arrays, batched: Sequence[bool], params: Params
) -> list[Any]:
    ys = bind(p, xs, {"meeting": replace(params["meeting"])})
    return [
        y if b else np.broadcast_to(y, (size, *shape_of(y)))
        for y, b in zip(ys, batched, strict=True)
    ]


def _wait_vjp(active: Any, g: Any, ans: Any, xs: Arrays, params: Params) -> list[Any]:
    return [g.get(i) for i in active]


BARRIER = Primitive(
    "barrier", _wait, lambda ans, xs, ts, params: list(ts), _wait_vjp, _wait_batch,
    several=True, effect=True, shaped=True,
)  # fmt: skip
