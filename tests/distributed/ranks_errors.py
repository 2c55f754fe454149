"""What goes wrong between ranks, one case for each name: run by mpiexec."""

from __future__ import annotations

import os
import signal
import sys
import time

import numpy as np

from fgrad.distributed import (
    all_gather,
    broadcast,
    pmax,
    ppermute,
    psum,
    recv,
    reduce_scatter,
    send,
    world,
)
from fgrad.errors import CommunicationError


def differ() -> None:
    """Ranks that disagree: the same error on all of them, after which they go on."""
    with world(timeout=60) as comm:
        first = comm.rank == 0
        x = np.ones(3)
        cases = {
            "shape": lambda: psum({"w": x, "b": x if first else np.ones(2)}, comm),
            "dtype": lambda: psum([x, x if first else np.float32(x)], comm),
            "structure": lambda: psum({"a": x} if first else {"b": x}, comm),
            "count": lambda: psum([x] if first else [x, x], comm),
            "operation": lambda: psum(x, comm) if first else pmax(x, comm),
            "root": lambda: broadcast(x, comm, 0 if first else 1),
            "perm": lambda: ppermute(x, comm, [(0, 1)] if first else [(1, 0)]),
            "gather": lambda: all_gather(x if first else np.ones(4), comm),
            "scatter": lambda: reduce_scatter(
                np.ones((comm.size, 2 if first else 3)), comm
            ),
            "transfer": lambda: send(x, 1, comm) if first else recv(np.ones(4), 0, comm),
            "both send": lambda: send(x, 1 - comm.rank, comm),
        }  # fmt: skip
        for name, case in cases.items():
            try:
                case()
            except CommunicationError as error:
                texts = comm.texts(str(error))
                assert len({text.split("\n")[1] for text in texts}) == 1, texts
                if first:
                    print(f"{name}: {error.came}")
            else:
                raise AssertionError(name)
            np.testing.assert_array_equal(psum(x, comm), comm.size * x)


def absent() -> None:
    """A rank that never comes."""
    with world(timeout=0.5) as comm:
        if comm.rank == 0:
            psum({"w": np.ones(3)}, comm)
        else:
            time.sleep(30)


def forgetting() -> None:
    """A rank that goes another way, and meets the others in another operation."""
    with world(timeout=5) as comm:
        if comm.rank == 0:
            psum(np.ones(3), comm)
        comm.barrier()
        psum(np.ones(2), comm)


def careless() -> None:
    """An exception on one rank, in a program without a context."""
    comm = world()
    if comm.rank == 1:
        raise ValueError("the disk of this rank is full")
    psum(np.ones(3), comm)


def raises() -> None:
    """An exception on one rank, while the others wait for it."""
    with world() as comm:
        if comm.rank == 1:
            raise ValueError("the disk of this rank is full")
        psum(np.ones(3), comm)


def leaves() -> None:
    """One rank leaves with an exit code."""
    with world() as comm:
        if comm.rank == 1:
            sys.exit(7)
        psum(np.ones(3), comm)


def killed() -> None:
    """One rank is killed by the system, as it is without memory."""
    with world() as comm:
        if comm.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        psum(np.ones(3), comm)


if __name__ == "__main__":
    globals()[sys.argv[1]]()
