"""Batches made ahead of time, in a thread."""

from __future__ import annotations

import contextvars
import operator
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary


class _Source:
    """What the thread calls; it holds no reference to the consumer, whose end must be seen."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator, self._ended = iterator, False

    def take(self) -> tuple[Any, Any]:
        """The next item, and the position behind it."""
        if self._ended:
            raise StopIteration
        self._ended = True  # unless an item comes
        item = next(self._iterator)
        self._ended = False
        return item, getattr(self._iterator, "state", None)


class Prefetch(Iterator[Any]):
    """An iterator whose next items are made in a thread; made by `prefetch`.

    It is a context manager, too, at the end of which the thread has ended.
    """

    def __init__(self, source: Iterable[Any], size: int) -> None:
        self._items, self._size = source, size
        iterator = iter(source)
        self._state = getattr(iterator, "state", None)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fgrad_nn.prefetch")
        context = contextvars.copy_context()  # NumPy's errstate, for example
        take = _Source(iterator).take
        self._take = lambda: context.run(take)
        self._ready: deque[Future[Any]] = deque(
            self._thread.submit(self._take) for _ in range(size)
        )
        self._finalizer = weakref.finalize(
            self, self._thread.shutdown, wait=False, cancel_futures=True
        )

    @property
    def state(self) -> Any:
        """The position of the next item that this iterator gives; None if the source has none."""
        return self._state

    @property
    def steps_per_epoch(self) -> Any:
        """That of the source; None if it has none."""
        return getattr(self._items, "steps_per_epoch", None)

    @property
    def remainder(self) -> Any:
        """That of the source; None if it has none."""
        return getattr(self._items, "remainder", None)

    def at(self, state: Any, **options: Any) -> Prefetch:
        """Another one over the same items, at a position; of a source that has `at`, as `batches`.

        Raises:
            ArgumentError: the source has no positions.
        """
        if not hasattr(self._items, "at"):
            raise ArgumentError(
                "prefetch wants a source with positions for `at`.",
                describe(self._items),
                "prefetch the result of fgrad_nn.data.batches",
            )
        return Prefetch(self._items.at(state, **options), self._size)

    def __next__(self) -> Any:
        if not self._ready:
            raise StopIteration
        try:
            item, self._state = self._ready.popleft().result()
        except BaseException:
            self.close()
            raise
        self._ready.append(self._thread.submit(self._take))
        return item

    def close(self) -> None:
        """End the thread, after the item that it is making; nothing comes any more."""
        self._ready.clear()
        self._finalizer.detach()
        self._thread.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@boundary
def prefetch(iterator: Iterable[Any], size: int = 2) -> Prefetch:
    """Make the next items of an iterator in a thread while those before are used.

    >>> import numpy as np
    >>> from fgrad_nn.data import batches
    >>> with prefetch(batches(np.arange(4), 2)) as ahead:
    ...     for batch in ahead:
    ...         print(batch, ahead.state)
    [0 1] Position(epoch=0, step=1)
    [2 3] Position(epoch=1, step=0)

    Worthwhile where items come from a disk, or where making them takes NumPy a while. An exception
    of the iterator is raised where its item would have come. The thread ends with the iterator,
    when the context is left, and when this object is no longer used.

    Args:
        iterator: the items. Only the thread may use it from now on.
        size: how many items there are at most, ready or being made.

    Returns:
        An iterator; its ``state`` is the position of what has been taken, not of what is ready.

    Raises:
        ArgumentError: it can't be iterated, or the size is no integer from 1 on.
    """
    try:
        number = operator.index(size)
    except TypeError:
        number = 0
    if number < 1 or is_a(size, bool):
        raise ArgumentError(
            "prefetch wants a size from 1 on.", describe(size), "pass an integer, such as 2"
        )
    if not hasattr(iterator, "__iter__"):
        raise ArgumentError(
            "prefetch wants an iterator.", describe(iterator), "pass batches(...), or a generator"
        )
    return Prefetch(iterator, number)
