"""Training on several ranks: each has a part of every batch, and all have the same parameters."""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fgrad import tree
from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.distributed import Communicator, broadcast, pmean, psum
from fgrad.errors import ArgumentError, CommunicationError, FgradError, FileError, describe
from fgrad.moving import host_array

from ..masks import beside

PyTree = Any


class DataParallel(NamedTuple):
    """How ranks train together; ``train_step(..., comm=comm)`` means ``DataParallel(comm)``.

    >>> from fgrad.distributed import world
    >>> DataParallel(world(), check_every=1000).comm
    world[0 of 1]
    """

    comm: Communicator
    """The ranks."""
    check_every: int | None = 100
    """After so many steps, and before the first one, it is checked that the states of all ranks
    are the same to the last bit; None for never."""
    weight: Callable[[PyTree], Any] | None = None
    """How much a rank's batch counts; by default as much as it has examples, by the first axis of
    its first leaf. For padded batches ``lambda batch: np.sum(batch[1])``, of the mask."""


def as_parallel(parallel: Any) -> DataParallel | None:
    """What `train_step` was given; None for one process, which needs nothing of this.

    Raises:
        ArgumentError: it is neither a communicator nor `DataParallel`, or a number is wrong.
    """
    if isinstance(parallel, Communicator):
        parallel = DataParallel(parallel)
    if parallel is None:
        return None
    if not isinstance(parallel, DataParallel) or not isinstance(parallel.comm, Communicator):
        raise ArgumentError(
            "train_step wants a communicator as comm.",
            describe(parallel),
            "pass fgrad.distributed.world(), or DataParallel(world(), check_every=...)",
        )
    every = parallel.check_every
    if every is not None:
        try:
            wrong = operator.index(every) < 1 or is_a(every, bool)
        except TypeError:
            wrong = True
        if wrong:
            raise ArgumentError(
                "DataParallel wants an integer from 1 on as check_every.",
                describe(every),
                "pass a number of steps, or None for never",
            )
    return parallel if parallel.comm.size > 1 else None


# ------------------------------------------------------------------ one step
def averaged(parallel: DataParallel, batch: PyTree, x: PyTree) -> PyTree:
    """The mean over the ranks, weighted by their examples; all in one collective operation.

    Integers that no mean is taken of, such as counters, are left out.
    """
    weight = _weight(parallel, batch)
    leaves, structure = tree.flatten(x)
    moving = [i for i, y in enumerate(leaves) if _dtype(y).kind in "fc"]
    near = next((y for y in leaves if home(y) is not np), None)
    if near is not None:  # all of it travels between devices
        weight = beside(weight, near)
        for i in moving:
            leaves[i] = beside(leaves[i], near)
    guarded = parallel.weight is not None
    terms = [_times(leaves[i], weight, guarded) for i in moving]
    total, sums = psum((weight, terms), parallel.comm)
    for i, y in zip(moving, sums, strict=True):
        dtype = _dtype(leaves[i])
        mean = y / total.astype(_real(y.dtype))
        leaves[i] = mean if mean.dtype == dtype else mean.astype(dtype)
    return tree.unflatten(structure, leaves)


def as_floats(metrics: PyTree) -> PyTree:
    """Metrics that are counted, or true or false, as numbers of which there is a mean."""
    return tree.map(lambda y: y if _dtype(y).kind in "fc" else np.multiply(y, 1.0), metrics)


def _weight(parallel: DataParallel, batch: PyTree) -> Any:
    if parallel.weight is not None:
        return np.float64(1.0) * parallel.weight(batch)
    leaves = tree.leaves(batch)
    if not leaves or not np.shape(leaves[0]):
        raise ArgumentError(
            "A parallel step wants batches whose first axis counts the examples.",
            describe(leaves[0]) if leaves else "a batch without arrays",
            "give DataParallel weight=, a function of a batch",
        )
    return np.float64(np.shape(leaves[0])[0])


def _times(y: Any, weight: Any, guarded: bool) -> Any:
    """A leaf times the weight; if guarded, 0 for a rank without examples, whose mean is NaN."""
    wide = np.float32 if _dtype(y).itemsize < 4 else _dtype(y)
    y = y.astype(wide) if _dtype(y) != wide else y
    w = weight.astype(_real(wide))
    return y * w if not guarded else np.where(beside(w == 0, y), 0, y * w)


def _real(dtype: Any) -> Any:
    return np.zeros((), dtype).real.dtype


def _dtype(y: Any) -> Any:
    return np.dtype(getattr(y, "dtype", None) or np.result_type(type(y)))


def shared_objective(
    parallel: DataParallel, batch: PyTree, objective: Callable[[PyTree], Any]
) -> Callable[[PyTree], Any]:
    """The loss of all ranks' batches together, of parameters that all share.

    Its derivatives are those in the parameters as one thing: the adjoint of pmean adds up what
    each rank's copy contributes, and there are as many results that all read the mean.
    """

    def together(params: PyTree) -> Any:
        return averaged(parallel, batch, objective(pmean(params, parallel.comm)))

    return together


# ------------------------------------------------------------------ the same on all ranks
def check_same(parallel: DataParallel, state: PyTree, when: str) -> None:
    """Refuse states that differ between ranks, by a digest of all their bits.

    Raises:
        CommunicationError: they do, on all ranks; it names the first leaf.
    """
    comm = parallel.comm
    pairs = [(tree.path_str(path), _digest(x)) for path, x in tree.leaves_with_path(state)]
    text = "\n".join(f"{path}: {digest}" for path, digest in pairs)
    whole = hashlib.blake2b(text.encode(), digest_size=7).digest()
    if comm.all_equal(int.from_bytes(whole, "little")):
        return
    columns = zip(*(t.split("\n") for t in comm.texts(text)), strict=False)
    places = [row[0].rpartition(":")[0] for row in columns if len(set(row)) > 1]
    raise CommunicationError(
        f"Parallel training wants the same state on all {comm.size} ranks, to the last bit.",
        f"different numbers {when} at {', '.join(places[:3])}"
        + (f" and {len(places) - 3} more" if len(places) > 3 else ""),
        "begin with the same on all of them, from the same key or by "
        "fgrad.distributed.broadcast(state, comm); what a step adds to it must not depend on the "
        "rank, nor on the clock",
    )


def _digest(x: Any) -> str:
    x = host_array(x)
    kind = f"{x.dtype.name}{x.shape}"
    return hashlib.blake2b(x.tobytes() + kind.encode(), digest_size=8).hexdigest()


# ------------------------------------------------------------------ the loop
class Ranks:
    """What the loop asks the other ranks for; nothing, if there are none."""

    def __init__(self, parallel: DataParallel | None) -> None:
        self._comm = None if parallel is None else parallel.comm
        self.is_root = self._comm is None or self._comm.rank == 0

    def any(self, flag: bool) -> bool:
        """Whether some rank says so."""
        return flag if self._comm is None else self._comm.any(flag)

    def from_root(self, x: Any) -> Any:
        """What rank 0 has: numbers and texts, in lists and dicts."""
        if self._comm is None:
            return x
        text: Any = json.loads(self._comm.texts(json.dumps(x) if self.is_root else "null")[0])
        return text

    def state_from_root(self, state: PyTree) -> PyTree:
        """The state that rank 0 has, each leaf as what it is here."""
        if self._comm is None:
            return state
        shared = broadcast(state, self._comm)
        return state if self.is_root else tree.map(_as, state, shared)

    def on_root(self, do: Callable[[], Any]) -> Any:
        """``do()`` on rank 0, None on the others; its error is raised on all of them."""
        if self._comm is None:
            return do()
        result, error = None, None
        if self.is_root:
            try:
                result = do()
            except (FgradError, OSError) as e:
                error = e
        said = self.from_root(None if error is None else str(error))
        if error is not None:
            raise error
        if said is not None:
            raise FileError("fit wants rank 0 to read and write its files.", said, "see rank 0")
        return result


def _as(leaf: Any, value: Any) -> Any:
    if is_a(leaf, np.ndarray):
        out = np.empty_like(leaf)
        out[...] = value
        return out
    return type(leaf)(value)
