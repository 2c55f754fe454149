"""Batches of a tree of arrays, in an order that a key fixes, with a position to go on from."""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from fgrad import random, tree
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, ShapeError, describe
from fgrad.tracebacks import boundary

from .examples import PyTree, count_examples, take

REMAINDERS = ("keep", "drop", "pad", "wrap")
_SAME: Any = object()


class Position(NamedTuple):
    """Where an iteration is: the next batch is number `step` of the epoch, both from 0."""

    epoch: int
    step: int


class Batches(Iterator[PyTree]):
    """An iterator over batches; made by `batches`.

    Attributes:
        steps_per_epoch: the number of batches of one epoch.
        remainder: what becomes of the last one.
    """

    def __init__(
        self, data: PyTree, batch_size: int, key: Any, remainder: str, epochs: int | None,
        state: Position,
    ) -> None:  # fmt: skip
        self._data, self._size, self._key = data, batch_size, key
        self.remainder, self._epochs = remainder, epochs
        self._n = count_examples(data, "batches")
        whole, rest = divmod(self._n, batch_size)
        self.steps_per_epoch = whole + (rest > 0 and remainder != "drop")
        self._state = state
        self._order: tuple[int, Any] | None = None

    @property
    def state(self) -> Position:
        """The position of the next batch, for `at` or `batches(..., state=...)`."""
        return self._state

    def at(self, state: tuple[int, int], epochs: int | None = _SAME) -> Batches:
        """Another iterator over the same batches, at a position; this one stays where it is.

        Args:
            state: (epoch, step), such as `state` was.
            epochs: where it ends, as for `batches`; by default where this one does.
        """
        epochs = self._epochs if epochs is _SAME else epochs
        return batches(
            self._data, self._size, self._key, self.remainder, epochs=epochs, state=state
        )

    def __len__(self) -> int:
        """The number of batches that are still to come."""
        if self._epochs is None:
            raise TypeError("batches without end have no length")
        epoch, step = self._state
        return max(0, (self._epochs - epoch) * self.steps_per_epoch - step)

    def __next__(self) -> PyTree:
        epoch, step = self._state
        if self._epochs is not None and epoch >= self._epochs:
            raise StopIteration
        batch = self._batch(epoch, step)
        step += 1
        ends = step == self.steps_per_epoch
        self._state = Position(epoch + 1, 0) if ends else Position(epoch, step)
        return batch

    def _batch(self, epoch: int, step: int) -> PyTree:
        start, stop = step * self._size, (step + 1) * self._size
        short = max(0, stop - self._n)
        if short and self.remainder == "wrap":
            batch = take(self._data, self._numbers(epoch)[np.arange(start, stop) % self._n])
        elif self._key is None:
            batch = take(self._data, slice(start, stop))
        else:
            batch = take(self._data, self._numbers(epoch)[start:stop])
        if self.remainder != "pad":
            return batch
        mask = np.arange(self._size) < self._size - short
        return (tree.map(lambda x: _pad(x, short), batch) if short else batch), mask

    def _numbers(self, epoch: int) -> Any:
        """The examples of an epoch in their order."""
        if self._key is None:
            return np.arange(self._n)
        if self._order is None or self._order[0] != epoch:
            self._order = epoch, random.permutation(random.fold_in(self._key, epoch), self._n)
        return self._order[1]


def _pad(x: Any, n: int) -> Any:
    return np.concatenate([x, np.zeros_like(x[:1], shape=(n, *x.shape[1:]))])


@boundary
def batches(
    data: PyTree, batch_size: int, key: Any = None, remainder: str = "keep", epochs: int | None = 1,
    *, state: tuple[int, int] = (0, 0),
) -> Batches:  # fmt: skip
    """Iterate over batches of a tree of arrays.

    >>> x, y = np.arange(5.0), np.arange(5)
    >>> [batch for _, batch in batches((x, y), 2)]
    [array([0, 1]), array([2, 3]), array([4])]

    The order depends on the key and the number of the epoch alone, so any batch can be asked for
    again, and an iteration goes on where another one was:

    >>> from fgrad import random
    >>> first = batches(x, 2, random.key(0), epochs=3)
    >>> _, _, third = next(first), next(first), next(first)
    >>> first.state
    Position(epoch=1, step=0)
    >>> bool(np.all(next(first) == next(first.at((1, 0)))))
    True

    Args:
        data: a pytree of arrays of shapes (n, ...), which share the axis of the n examples.
            Memory-mapped files (``np.load(path, mmap_mode="r")``, ``np.memmap``) are read batch
            by batch.
        batch_size: the number of examples of a batch.
        key: a key of `fgrad.random` for an order that is drawn anew for each epoch; without one
            the examples come as they stand.
        remainder: what becomes of the last batch of an epoch, if n is no multiple: "keep" gives a
            smaller one, "drop" none; "wrap" fills it with the first examples of the same epoch;
            "pad" fills it with zeros, and makes each batch a pair of it and a mask, of shape
            (batch_size,), which is False where there is no example.
        epochs: the number of passes over the data; None for no end.
        state: the position (epoch, step) to begin at.

    Returns:
        An iterator over trees of new arrays. It has ``state``, the position of the next batch,
        ``at(state)``, ``steps_per_epoch`` and a length.

    Raises:
        ShapeError: leaves have different lengths (the message names them), or there is no batch.
        DtypeError: a leaf is no array.
        ArgumentError: another argument is not what it should be.
    """
    size = _integer(batch_size, "a batch size", 1)
    if remainder not in REMAINDERS:
        raise ArgumentError(
            f"batches wants one of {', '.join(map(repr, REMAINDERS))} for the remainder.",
            describe(remainder),
            'choose "keep" for all examples, "drop" for batches of one size',
        )
    if epochs is not None:
        epochs = _integer(epochs, "a number of epochs", 1)
    if key is not None:
        random.fold_in(key, 0)  # says what is wrong with it, if anything is
    pair = isinstance(state, tuple) and len(state) == 2
    if not pair:
        raise ArgumentError(
            "batches wants a position (epoch, step) as state.",
            describe(state),
            "pass what the attribute `state` of batches was",
        )
    epoch, step = (_integer(i, "a position of integers", 0) for i in state)
    out = Batches(data, size, key, remainder, epochs, Position(epoch, step))
    if not out.steps_per_epoch:
        raise ShapeError(
            "batches wants at least one batch of data.",
            f'batches of {size} of {count_examples(data, "batches")} examples, remainder="drop"',
            "choose a smaller batch size, or another remainder",
        )
    if step >= out.steps_per_epoch:
        raise ArgumentError(
            f"batches wants a step below {out.steps_per_epoch}, the steps of an epoch.",
            f"state=({epoch}, {step})",
            "pass a position of an iteration over the same data, with the same batch size",
        )
    return out


def _integer(value: Any, what: str, least: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        number = least - 1
    if number < least or is_a(value, bool):
        raise ArgumentError(
            f"batches wants {what}, from {least} on.", describe(value), "pass an integer"
        )
    return number
