"""Communicators: the processes that compute together, as a value."""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from ..arrays import is_a, is_cupy
from ..core import Array
from ..errors import ArgumentError, DtypeError, describe
from .agreement import Agreement, Signature, kinds_of
from .mpi import launch, of
from .nccl import Nccl
from .transports import Local, Transport

#: How long to wait for other ranks, in seconds.
PATIENCE = 1800.0


class Communicator:
    """Processes, called ranks, that run the same program; made by `world` and `split`.

    It is a context manager. If the program leaves the context by an exception, this prints it and
    ends the other ranks too, which would wait for this one for ever.

    >>> from fgrad.distributed import psum, world
    >>> with world() as comm:
    ...     total = psum(2.0, comm)
    >>> comm.rank, comm.size, total
    (0, 1, np.float64(2.0))

    Attributes:
        rank: the number of this process, from 0 on.
        size: how many there are.
    """

    def __init__(self, local: Local, name: str, nccl: Callable[[], Any] | None = None) -> None:
        self.rank, self.size = local.rank, local.size
        self._local, self._name, self._agreement = local, name, Agreement(local)
        self._devices = Devices(local, nccl)

    def __repr__(self) -> str:
        return f"{self._name}[{self.rank} of {self.size}]"

    @property
    def is_root(self) -> bool:
        """Whether this is rank 0, which prints, and writes files."""
        return self.rank == 0

    # ------------------------------------------------------------------ for users
    def barrier(self) -> None:
        """Wait until all ranks are here. It takes no part in what is traced; see `barrier`."""
        self._meet("barrier")

    def split(self, color: int | None, key: int | None = None) -> Communicator | None:
        """Communicators of some of the ranks each: those that pass the same color.

        Args:
            color: an integer from 0 on, or None for a rank that is to be in none.
            key: by which the ranks of a color are ordered; by default their numbers here.

        Returns:
            The communicator of this rank's color; None for the color None.
        """
        self._meet("split")
        new = self._local.split(color, self.rank if key is None else key)
        return None if new is None else Communicator(new, f"{self._name}.split({color})")

    def all_equal(self, number: int) -> bool:
        """Whether all ranks pass the same number, of less than 63 bits, such as a hash."""
        self._meet("all_equal")
        return self._local.extent(number, "all_equal") == (number, number)

    def any(self, flag: bool) -> bool:
        """Whether some rank passes True."""
        return self._agreement.any(bool(flag))

    def texts(self, text: str) -> list[str]:
        """A text of each rank, on all ranks."""
        self._meet("texts")
        return self._local.texts(text)

    def abort(self, code: int = 1) -> None:
        """End all ranks, at once. Does nothing where this is the only one."""
        sys.stdout.flush()
        sys.stderr.flush()
        self._local.abort(code)

    def close(self) -> None:
        """Let go of it; the end of its context does that too."""
        self._local.close()

    def __enter__(self) -> Communicator:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, where: Any) -> None:
        if error is not None and self.size > 1 and not _is_success(error):
            if not isinstance(error, SystemExit):
                traceback.print_exception(error)
            sys.stdout.flush()
            print(f"Rank {self.rank} of {self.size} has failed; all are ended.", file=sys.stderr)
            code = error.code if isinstance(error, SystemExit) else 1
            self.abort(1 if code is None or isinstance(code, str) else code)
        self.close()

    # ------------------------------------------------------------------ for the operations
    def _meet(self, name: str) -> None:
        self.meet(name, None, (), ())

    def meet(self, name: str, structure: Any, places: tuple[int, ...], xs: Sequence[Array]) -> None:
        """Let all ranks agree on an operation; an error on all of them if they don't."""
        self._agreement.check(Signature(name, structure, places, kinds_of(xs)))

    def meet_one(self, peer: int, xs: Sequence[Array], tag: int, sends: bool) -> None:
        """Let two ranks agree on what one sends and the other receives."""
        signature = Signature("send", None, tuple(range(len(xs))), kinds_of(xs))
        self._agreement.check_with(peer, signature, tag, sends)

    def transport(self, xs: Sequence[Array]) -> Transport:
        """What moves these arrays: MPI those of the host, NCCL those of a GPU.

        Raises:
            DtypeError: there are some of either.
        """
        devices = {is_cupy(x) for x in xs}
        if len(devices) > 1:
            here = next(x for x in xs if not is_cupy(x))
            raise DtypeError(
                "A collective operation wants all arrays on the host, or all on a GPU.",
                f"{describe(here)} on the host, beside others on a GPU",
                "move them: fgrad.tree.map(cupy.asarray, tree)",
            )
        return self._devices.transport() if devices == {True} else self._local


def _is_success(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and error.code in (None, 0)


class Devices:
    """The transport among GPUs, made when the first array of one moves."""

    def __init__(self, local: Local, make: Callable[[], Any] | None) -> None:
        self._local, self._make = local, make
        self._made: list[Transport] = []

    def transport(self) -> Transport:
        """It.

        Raises:
            ArgumentError: the communicator is a part of another.
        """
        if self._local.size == 1:
            return self._local
        if not self._made:
            if self._make is None:
                raise ArgumentError(
                    "NCCL wants the communicator of all processes.",
                    f"one of {self._local.size} ranks that is a part of it",
                    "use fgrad.distributed.world() for arrays on GPUs",
                )
            self._made.append(Nccl(self._make(), self._local.rank, self._local.size))
        return self._made[0]


def world(timeout: float = PATIENCE) -> Communicator:
    """The communicator of all processes that a launcher such as mpiexec has started.

    >>> world()
    world[0 of 1]

    Without a launcher, or without mpi4py, it is a single process: programs run unchanged, and all
    operations are those of one rank. It is to be called by all ranks alike.

    Args:
        timeout: for how many seconds a rank waits for the others before it raises an error.

    Raises:
        MissingPackageError: there are several processes, and no mpi4py (the extra ``mpi``).
    """
    return Communicator(launch(_seconds(timeout)), "world", _init_process_group)


def from_mpi(comm: Any, timeout: float = PATIENCE) -> Communicator:
    """The communicator of the processes of one of mpi4py's.

    It uses a copy, so its messages don't meet those that the program sends through ``comm``.

    Args:
        comm: an ``mpi4py.MPI.Intracomm``.
        timeout: see `world`.
    """
    module = sys.modules.get("mpi4py.MPI")
    if module is None or not isinstance(comm, module.Intracomm):
        raise ArgumentError(
            "from_mpi wants a communicator of mpi4py.",
            describe(comm),
            "pass mpi4py.MPI.COMM_WORLD, or call fgrad.distributed.world()",
        )
    return Communicator(of(module, comm, _seconds(timeout)), "from_mpi")


def _seconds(timeout: Any) -> float:
    if is_a(timeout, bool) or not is_a(timeout, (int, float)) or not timeout > 0:
        raise ArgumentError(
            "world wants a number of seconds above 0 as timeout.",
            describe(timeout),
            "pass a number, such as 600, or math.inf to wait for ever",
        )
    return float(timeout)


def _init_process_group() -> Any:
    """cupyx's communicator of all processes."""
    module = importlib.import_module("cupyx.distributed")
    mpi = sys.modules["mpi4py.MPI"].COMM_WORLD
    return module.init_process_group(mpi.Get_size(), mpi.Get_rank(), use_mpi=True)
