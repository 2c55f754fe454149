"""Numbers moved between GPUs by NCCL, through `cupyx.distributed`.

Every call is put onto the current stream, so it waits for what has computed its operands, and
nothing waits for it on the host. What ranks must agree on, they have agreed on through MPI before.
"""

from __future__ import annotations

import importlib
from typing import Any

from ..arrays import namespace
from ..core import Array
from ..errors import DtypeError, describe

#: dtypes whose numbers NCCL adds up and compares.
NUMBERS = "bBiIlLqQefdFD"


class Nccl:
    """The transport of CuPy's arrays.

    Args:
        backend: what ``cupyx.distributed.init_process_group`` returns.
        rank, size: those of the process.
    """

    def __init__(self, backend: Any, rank: int, size: int) -> None:
        self._backend, self.rank, self.size = backend, rank, size

    def reduce(self, x: Array, op: str) -> Array:
        out = namespace(x).empty_like(x)
        self._backend.all_reduce(_known(x), out, op)
        return out

    def gather(self, x: Array) -> Array:
        out = namespace(x).empty((self.size, *x.shape), x.dtype)
        self._backend.all_gather(x, out, x.size)
        return out

    def scatter(self, x: Array) -> Array:
        out = namespace(x).empty(x.shape[1:], x.dtype)
        self._backend.reduce_scatter(_known(x), out, out.size, "sum")
        return out

    def collect(self, x: Array, root: int) -> Array:
        out = namespace(x).zeros_like(x)
        self._backend.reduce(_known(x), out, root, "sum")
        return out

    def spread(self, x: Array, root: int) -> Array:
        out = x.copy()
        self._backend.broadcast(out, root)
        return out

    def exchange(self, x: Array, source: int | None, dest: int | None) -> Array:
        out = namespace(x).zeros_like(x)
        nccl = importlib.import_module("cupy.cuda.nccl")
        nccl.groupStart()  # both at once: each alone would wait for its partner
        try:
            if dest is not None:
                self._backend.send(x, dest)
            if source is not None:
                self._backend.recv(out, source)
        finally:
            nccl.groupEnd()
        return out

    def send(self, x: Array, dest: int, tag: int) -> None:
        self._backend.send(x, dest)

    def receive(self, like: Array, source: int, tag: int) -> Array:
        out = namespace(like).empty_like(like)
        self._backend.recv(out, source)
        return out


def _known(x: Array) -> Array:
    """A contiguous array of numbers that NCCL adds up."""
    if x.dtype.char not in NUMBERS:
        raise DtypeError(
            "NCCL wants numbers of 8, 32 or 64 bits, or float16.",
            describe(x),
            "convert it: x.astype(np.int32)",
        )
    return x
