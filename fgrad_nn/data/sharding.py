"""A rank's part of each batch."""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad import tree
from fgrad.distributed import Communicator
from fgrad.errors import ArgumentError, ShapeError, describe
from fgrad.tracebacks import boundary

from .batching import Batches, Position
from .examples import PyTree, take


class ShardedBatches(Batches):
    """An iterator over a rank's parts of batches; made by `shard`.

    Its positions and its number of steps are those of the whole batches, so that a run can go on
    with another number of ranks.
    """

    def __init__(self, whole: Batches, comm: Communicator, state: Position) -> None:
        super().__init__(
            whole._data, whole._size, whole._key, whole.remainder, whole._epochs, state
        )
        self._whole, self._comm = whole, comm

    def at(self, state: tuple[int, int], *epochs: Any, **options: Any) -> ShardedBatches:
        """Another iterator over the same batches, at a position; see `Batches.at`."""
        whole = self._whole.at(state, *epochs, **options)
        return ShardedBatches(whole, self._comm, whole.state)

    def _batch(self, epoch: int, step: int) -> PyTree:
        start = step * self._size
        real = min(self._size, self._n - start)
        rows = real if self.remainder in ("keep", "drop") else self._size
        rank, ranks = self._comm.rank, self._comm.size
        first, last = rows * rank // ranks, rows * (rank + 1) // ranks
        if self.remainder == "wrap":
            places = np.arange(start + first, start + last) % self._n
            return take(self._data, self._numbers(epoch)[places])
        until = min(last, real)  # behind it padding begins
        here = slice(start + first, start + max(first, until))
        batch = take(self._data, here if self._key is None else self._numbers(epoch)[here])
        if self.remainder != "pad":
            return batch
        missing = last - max(first, until)
        mask = np.arange(last - first) < last - first - missing
        return tree.map(lambda x: _padded(x, missing), batch) if missing else batch, mask


def _padded(x: Any, n: int) -> Any:
    return np.concatenate([x, np.zeros((n, *x.shape[1:]), x.dtype)])


@boundary
def shard(data: Batches, comm: Communicator) -> ShardedBatches:
    """This rank's part of each batch.

    >>> from fgrad.distributed import world
    >>> from fgrad_nn.data import batches
    >>> [int(np.sum(part)) for part in shard(batches(np.arange(6), 4), world())]
    [6, 9]

    The parts of all ranks, one after the other, are the batch: what is drawn depends on the key
    alone and not on the number of ranks. Parts differ by one example where a batch can't be
    divided; `train_step` weighs them. Only the part is read from arrays and files.

    Args:
        data: what `fgrad_nn.data.batches` has returned; `prefetch` takes the result.
        comm: the ranks.

    Raises:
        ArgumentError: the data are something else.
        ShapeError: a batch has fewer examples than there are ranks.
    """
    if not isinstance(data, Batches) or isinstance(data, ShardedBatches):
        raise ArgumentError(
            "shard wants what fgrad_nn.data.batches returns.",
            describe(data),
            "shard first, and prefetch then: prefetch(shard(batches(...), comm))",
        )
    if not isinstance(comm, Communicator):
        raise ArgumentError(
            "shard wants a communicator.", describe(comm), "pass fgrad.distributed.world()"
        )
    rest = data._n % data._size
    least = rest if rest and data.remainder == "keep" else data._size
    if least < comm.size:
        raise ShapeError(
            f"shard wants batches of at least {comm.size} examples, one for each rank.",
            f"one of {least}",
            "choose a larger batch size"
            if least == data._size
            else 'choose another remainder, such as "drop" or "wrap"',
        )
    return ShardedBatches(data, comm, data.state)
