"""Numbers moved by MPI, straight from arrays to arrays: nothing is pickled.

All calls are nonblocking ones that are asked for until they are done. So a rank whose partner
never comes can say so when its patience ends; blocking calls of MPI wait for ever.
"""

from __future__ import annotations

import atexit
import importlib
import os
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..core import Array
from ..errors import CommunicationError, MissingPackageError
from .transports import MAX, MIN, SUM, Alone

#: Variables by which launchers tell a process that it is one of several.
LAUNCHED = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS")

#: After so many questions in vain the processor is offered to others before each further one.
SPINS = 1000

#: Seconds between two questions where there are more ranks than processors.
NAP = 50e-6

#: Tags: of messages of the user, the rest of a message's tag; of exchanges.
_TAGS, _EXCHANGE = 1 << 10, (1 << 12) + 1


def launch(timeout: float, environment: dict[str, str] | None = None) -> Alone | Mpi:
    """The transport of this program: by MPI if mpi4py is there, else of one process.

    Raises:
        MissingPackageError: mpi4py isn't there, and a launcher has started several processes.
    """
    environment = dict(os.environ) if environment is None else environment
    try:
        mpi = importlib.import_module("mpi4py.MPI")
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without an MPI library
        several = [name for name in LAUNCHED if environment.get(name, "1") != "1"]
        if several:
            raise MissingPackageError(
                "fgrad.distributed wants mpi4py where a launcher starts several processes.",
                f"{several[0]}={environment[several[0]]} and no MPI to import: {error}",
                'python -m pip install "fgrad[mpi]"; without it each process would think that it '
                "is the only one",
            ) from error
        return Alone()
    atexit.register(_end_all_after_an_error, mpi.COMM_WORLD)
    return of(mpi, mpi.COMM_WORLD, timeout)


def _end_all_after_an_error(comm: Any) -> None:
    """End the other ranks, if this one ends by an exception: they would wait for it for ever."""
    if comm.Get_size() > 1 and getattr(sys, "last_type", None) is not None:
        print(f"Rank {comm.Get_rank()} of {comm.Get_size()} has failed; all are ended.",
              file=sys.stderr, flush=True)  # fmt: skip
        comm.Abort(1)


def of(mpi: Any, comm: Any, timeout: float) -> Alone | Mpi:
    """The transport of a communicator of mpi4py, among whose messages ours don't get mixed."""
    if comm.Get_size() == 1:
        return Alone()
    here = comm.Split_type(mpi.COMM_TYPE_SHARED)
    crowded = here.Get_size() > _processors()
    here.Free()
    return Mpi(mpi, comm.Dup(), timeout, 0 if crowded else SPINS)


def _processors() -> int:
    """How many processors this process may use."""
    asked = getattr(os, "sched_getaffinity", None)  # Linux has it
    return (os.cpu_count() or 1) if asked is None else len(asked(0))


class Mpi:
    """The transport of several processes.

    Args:
        mpi: the module ``mpi4py.MPI``.
        comm: a communicator that nobody else uses.
        timeout: for how many seconds to wait for others.
        spins: how often to ask before others may use the processor; 0 to sleep in between.
    """

    def __init__(self, mpi: Any, comm: Any, timeout: float, spins: int) -> None:
        self._mpi, self._comm, self._timeout, self._spins = mpi, comm, timeout, spins
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        self._ops = {SUM: mpi.SUM, MAX: mpi.MAX, MIN: mpi.MIN}
        #: What MPI still writes into after a wait that was given up, and why it was.
        self._given_up: list[Any] = []

    # ------------------------------------------------------------------ numbers
    def reduce(self, x: Array, op: str) -> Array:
        out = np.empty_like(x)
        self._wait([self._comm.Iallreduce(x, out, self._ops[op])], "psum", x, out)
        return out

    def gather(self, x: Array) -> Array:
        out = np.empty((self.size, *x.shape), x.dtype)
        self._wait([self._comm.Iallgather(x, out)], "all_gather", x, out)
        return out

    def scatter(self, x: Array) -> Array:
        out = np.empty(x.shape[1:], x.dtype)
        self._wait([self._comm.Ireduce_scatter_block(x, out)], "reduce_scatter", x, out)
        return out

    def collect(self, x: Array, root: int) -> Array:
        out = np.zeros_like(x)
        request = self._comm.Ireduce(x, out if self.rank == root else None, root=root)
        self._wait([request], "reduce", x, out)
        return out

    def spread(self, x: Array, root: int) -> Array:
        out = x.copy()
        self._wait([self._comm.Ibcast(out, root)], "broadcast", out)
        return out

    def exchange(self, x: Array, source: int | None, dest: int | None) -> Array:
        out = np.zeros_like(x)
        requests = []
        if source is not None:
            requests.append(self._comm.Irecv(out, source, _EXCHANGE))
        if dest is not None:
            requests.append(self._comm.Isend(x, dest, _EXCHANGE))
        self._wait(requests, "ppermute", x, out)
        return out

    def send(self, x: Array, dest: int, tag: int) -> None:
        self._wait([self._comm.Isend(x, dest, tag)], f"send to rank {dest}", x)

    def receive(self, like: Array, source: int, tag: int) -> Array:
        out = np.empty_like(like)
        self._wait([self._comm.Irecv(out, source, tag)], f"recv from rank {source}", out)
        return out

    # ------------------------------------------------------------------ agreement
    def extent(self, number: int, what: str) -> tuple[int, int]:
        mine = np.array([number, -number])
        most = np.empty_like(mine)
        self._wait([self._comm.Iallreduce(mine, most, self._mpi.MAX)], what, mine, most)
        return -int(most[1]), int(most[0])

    def agree_with(self, peer: int, number: int, tag: int, what: str) -> bool:
        mine, theirs = np.array([number]), np.empty(1, np.int64)
        self._swap(mine, theirs, peer, tag + _TAGS, what)
        return bool(theirs[0] == -number)

    def texts(self, text: str) -> list[str]:
        octets = np.frombuffer(text.encode(), np.uint8)
        longest = int(self.reduce(np.array([octets.size]), MAX)[0])
        rows = self.gather(np.pad(octets, (0, longest - octets.size)))
        return [row.tobytes().rstrip(b"\0").decode() for row in rows]

    def text_of(self, peer: int, text: str, tag: int) -> str:
        octets = np.frombuffer(text.encode(), np.uint8)
        length = np.empty(1, np.int64)
        self._swap(np.array([octets.size]), length, peer, tag + _TAGS, "send")
        theirs = np.empty(int(length[0]), np.uint8)
        self._swap(octets, theirs, peer, tag + _TAGS, "send")
        return theirs.tobytes().decode()

    def _swap(self, mine: Array, theirs: Array, peer: int, tag: int, what: str) -> None:
        requests = [self._comm.Irecv(theirs, peer, tag), self._comm.Isend(mine, peer, tag)]
        self._wait(requests, what, mine, theirs)

    # ------------------------------------------------------------------ the rest
    def split(self, color: int | None, key: int) -> Alone | Mpi | None:
        new = self._comm.Split(self._mpi.UNDEFINED if color is None else color, key)
        if color is None:
            return None
        return Alone() if new.Get_size() == 1 else Mpi(self._mpi, new, self._timeout, self._spins)

    def abort(self, code: int) -> None:
        self._comm.Abort(code)

    def close(self) -> None:
        if not self._given_up:
            self._comm.Free()

    def _wait(self, requests: Sequence[Any], what: str, *buffers: Array) -> None:
        """Wait until all is done.

        Raises:
            CommunicationError: nobody came in time. What was begun can't be taken back, so the
                communicator is of no more use, and MPI keeps the buffers.
        """
        done = self._mpi.Request.Testall
        for _ in range(self._spins):
            if done(requests):
                return
        begin = time.monotonic()
        while not done(requests):
            if self._spins:
                os.sched_yield()
            else:
                time.sleep(NAP)
            if time.monotonic() - begin > self._timeout:
                self._given_up.append((requests, buffers))
                raise CommunicationError(
                    f"{what} wants all ranks that take part in it.",
                    f"rank {self.rank} of {self.size}, which has waited {self._timeout:g} s for "
                    "others",
                    "look at what they do instead (all ranks must make the same calls in the same "
                    "order, on the way back too), or give world(timeout=...) more seconds",
                )
