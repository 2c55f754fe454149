"""`send` and `recv`: values from one rank to another, differentiable on both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .. import tree
from ..arrays import INEXACT, aval, is_a, shape_of
from ..control.bodies import zeros
from ..core import Params, Primitive, bind
from ..errors import ArgumentError, describe
from ..tracebacks import boundary
from . import messages
from .collectives import PyTree, checked, rank_of
from .communicator import Communicator
from .primitives import Arrays, copied, example, later_or_now


@dataclass(frozen=True, eq=False)
class Transfer:
    """One transfer at one place of a program; no two are equal, so that none is left out.

    Attributes:
        comm: the ranks.
        peer: the other rank.
        tag: what tells it from others between the two.
        count: how many operands move; those behind only make the transfer a part of what is
            differentiated.
    """

    comm: Communicator
    peer: int
    tag: int
    count: int

    def __repr__(self) -> str:
        return f"{self.comm!r} with {self.peer}, tag {self.tag}"


def _inexact(xs: Arrays) -> list[int]:
    return [i for i, x in enumerate(xs) if aval(x).dtype.kind in INEXACT]


def _filled(given: dict[int, Any], xs: Arrays, places: Sequence[int]) -> list[Any]:
    """Tangents or cotangents, zeros where they are missing: the other rank waits for all."""
    return [given[i] if given.get(i) is not None else zeros(aval(xs[i]), [xs[i]]) for i in places]


def _move(p: Primitive, xs: Arrays, transfer: Transfer) -> dict[int, Any]:
    """Tangents and cotangents move as the values did: all that can have any, and by number."""
    places = range(len(xs))
    ys = bind(p, xs, {"transfer": replace(transfer, count=len(xs))})
    return dict(zip(places, ys, strict=True))


# ------------------------------------------------------------------ send
def _send(*xs: Any, transfer: Transfer) -> tuple[Any, ...]:
    def now() -> list[Any]:
        comm = transfer.comm
        transport = comm.transport(xs)
        comm.meet_one(transfer.peer, xs, transfer.tag, True)
        messages.send(transport, xs, transfer.peer, transfer.tag)
        return [copied(x) for x in xs]

    def examples() -> list[Any]:
        return [copied(example(x)) for x in xs]

    return later_or_now(SEND, xs, {"transfer": transfer}, examples, now)


def _send_jvp(ans: Any, xs: Arrays, ts: Arrays, params: Params) -> Any:
    if all(t is None for t in ts):
        return None
    moving = _inexact(xs)
    sent = _move(SEND, _filled(dict(enumerate(ts)), xs, moving), params["transfer"])
    return [sent[moving.index(i)] if i in moving else None for i in range(len(xs))]


def _send_vjp(active: Any, g: Any, ans: Any, xs: Arrays, params: Params) -> list[Any]:
    moving = _inexact(xs)
    own = _filled(g, xs, moving)
    came = _move(RECV, own, params["transfer"])
    sums = {i: own[k] + came[k] for k, i in enumerate(moving)}
    return [sums.get(i) for i in active]


# ------------------------------------------------------------------ recv
def _recv(*xs: Any, transfer: Transfer) -> tuple[Any, ...]:
    like = xs[: transfer.count]

    def now() -> list[Any]:
        comm = transfer.comm
        transport = comm.transport(like)
        comm.meet_one(transfer.peer, like, transfer.tag, False)
        return messages.receive(transport, like, transfer.peer, transfer.tag)

    def examples() -> list[Any]:
        return [copied(example(x)) for x in like]

    return later_or_now(RECV, xs, {"transfer": transfer}, examples, now)


def _recv_jvp(ans: Any, xs: Arrays, ts: Arrays, params: Params) -> Any:
    if all(t is None for t in ts):
        return None
    moving = _inexact(ans)
    came = _move(RECV, _filled({}, ans, moving), params["transfer"])
    return [came[moving.index(i)] if i in moving else None for i in range(len(ans))]


def _recv_vjp(active: Any, g: Any, ans: Any, xs: Arrays, params: Params) -> list[Any]:
    transfer = params["transfer"]
    like = xs[: transfer.count]
    _move(SEND, _filled(g, like, _inexact(like)), transfer)
    return [None] * len(active)  # what comes doesn't depend on them


def _batch(
    p: Primitive, size: int, xs: Arrays, batched: Sequence[bool], params: Params
) -> list[Any]:
    transfer = params["transfer"]
    # All elements at once. Both ranks map alike, and then the shapes agree.
    whole = [
        x if b else np.broadcast_to(x, (size, *shape_of(x)))
        for x, b in zip(xs, batched, strict=True)
    ]
    return list(bind(p, whole, {"transfer": replace(transfer)}))


def _declare(name: str, impl: Any, jvp: Any, vjp: Any) -> Primitive:
    return Primitive(name, impl, jvp, vjp, _batch, several=True, effect=True, shaped=True)


SEND = _declare("send", _send, _send_jvp, _send_vjp)
RECV = _declare("recv", _recv, _recv_jvp, _recv_vjp)


# ------------------------------------------------------------------ public
@boundary
def send(x: PyTree, dest: int, comm: Communicator, *, tag: int = 0) -> PyTree:
    """Send values to another rank, and return them.

    Under a derivative the program must go on with what this returns: on the way back, it is there
    that the cotangent of the other rank comes in. It waits until the other rank receives, so two
    ranks that both send first wait for each other; see `ppermute`.

    >>> from fgrad.distributed import recv, world
    >>> comm = world()
    >>> def first_half(w):  # on rank 0
    ...     return send(np.tanh(w), 1, comm)
    >>> def second_half(w):  # on rank 1
    ...     h = recv(np.zeros(3), 0, comm, after=w)
    ...     return np.sum(w * h)

    With ``g0 = vjp(first_half, w)[1](np.zeros(3))`` on rank 0, and ``g1 = grad(second_half)(w)`` on
    rank 1, each has the gradient of its weights.

    Args:
        x: a pytree of arrays.
        dest: the rank that receives them.
        comm: the ranks.
        tag: an integer from 0 to 1023; a transfer is received by a call with the same one.

    Raises:
        CommunicationError: the other rank receives other shapes or dtypes, or doesn't receive.
    """
    leaves, structure = checked(x, comm, "send")
    transfer = Transfer(comm, _peer(dest, comm, "send"), _tag(tag, "send"), len(leaves))
    return tree.unflatten(structure, bind(SEND, leaves, {"transfer": transfer}))


@boundary
def recv(
    like: PyTree, source: int, comm: Communicator, *, tag: int = 0, after: PyTree = None
) -> PyTree:
    """Receive values from another rank; see `send`.

    Args:
        like: a pytree of arrays of the shapes and dtypes that come; their values don't count.
        source: the rank that sends them.
        comm, tag: see `send`.
        after: a pytree of arrays that are differentiated. Cotangents are sent back if ``like`` or
            these are: what comes is otherwise a constant to a derivative, and the rank that has
            sent it would wait.

    Returns:
        What has come, of the structure of ``like``.
    """
    leaves, structure = checked(like, comm, "recv")
    behind, _ = checked(after, comm, "recv")
    transfer = Transfer(comm, _peer(source, comm, "recv"), _tag(tag, "recv"), len(leaves))
    return tree.unflatten(structure, bind(RECV, [*leaves, *behind], {"transfer": transfer}))


def _peer(rank: Any, comm: Communicator, name: str) -> int:
    if comm.size > 1:
        rank = rank_of(rank, comm, name, "the other rank")
        if rank == comm.rank:
            raise ArgumentError(
                f"{name} wants another rank.", f"rank {rank} itself", "use the values as they are"
            )
    return rank


def _tag(tag: Any, name: str) -> int:
    if is_a(tag, bool) or not is_a(tag, int) or not 0 <= tag < 1024:
        raise ArgumentError(
            f"{name} wants an integer from 0 to 1023 as tag.", describe(tag), "pass such a number"
        )
    return tag
