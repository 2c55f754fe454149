"""Batches for the loop, epoch by epoch, from whatever the user has, and from any position on."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from typing import Any

from fgrad.errors import ArgumentError, describe

_END: Any = object()


class Feed:
    """Batches in epochs.

    Args:
        data: `Batches`, or a prefetch of them; an iterable that can be walked through again; or a
            function of the number of the epoch that returns an iterable.
        epochs: how many will be asked for.
    """

    def __init__(self, data: Any, epochs: int) -> None:
        self._data = data
        self._iterator: Any = None
        self.steps_per_epoch: int | None = getattr(data, "steps_per_epoch", None)
        self.has_positions = hasattr(data, "at") and self.steps_per_epoch is not None
        if self.steps_per_epoch is None and hasattr(data, "__len__"):
            self.steps_per_epoch = len(data)
        if self.has_positions or callable(data):
            return
        if not isinstance(data, Iterable):
            raise ArgumentError(
                "fit wants batches.",
                describe(data),
                "pass fgrad_nn.data.batches(...), a list of batches, or a function of the epoch",
            )
        if isinstance(data, Iterator) and epochs > 1:
            raise ArgumentError(
                f"fit wants data that can be walked through {epochs} times.",
                describe(data),
                "pass batches(...), or a function that makes a generator for each epoch",
            )

    @property
    def start(self) -> tuple[int, int]:
        """The position at which data begin that have positions."""
        return self._data.state if self.has_positions else (0, 0)

    def epoch(self, epoch: int, step: int) -> Iterator[tuple[Any, bool]]:
        """The batches of an epoch from a step on, each with whether it is the last one."""
        if self.has_positions:
            if self._iterator is None:  # one for all epochs, so that a thread needs no new start
                self._iterator = self._data.at((epoch, step), epochs=None)
            while True:
                batch = next(self._iterator)
                last = self._iterator.state[0] > epoch
                yield batch, last
                if last:
                    return
        source = self._data(epoch) if callable(self._data) else self._data
        items = itertools.islice(iter(source), step, None)
        batch = next(items, _END)
        while batch is not _END:
            following = next(items, _END)
            yield batch, following is _END
            batch = following

    def close(self) -> None:
        """End the thread that prefetches, if there is one."""
        with contextlib.suppress(AttributeError):
            self._iterator.close()
