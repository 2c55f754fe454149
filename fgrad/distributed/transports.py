"""What moves the numbers: the interface, and that of a single process.

A transport knows flat arrays alone: contiguous, of one axis (``n`` numbers), or of two with a row
for each rank. Every method is called by all ranks, and its results are arrays of their own.
"""

from __future__ import annotations

from typing import Any, NoReturn, Protocol

import numpy as np

from ..core import Array
from ..errors import ArgumentError

#: How reductions are called.
SUM, MAX, MIN = "sum", "max", "min"


class Transport(Protocol):
    """What a communicator needs."""

    rank: int
    size: int

    def reduce(self, x: Array, op: str) -> Array:
        """``x`` of all ranks, added up (or their maximum, or minimum), on all of them."""

    def gather(self, x: Array) -> Array:
        """``x`` of each rank as a row of (size, n), on all of them."""

    def scatter(self, x: Array) -> Array:
        """``x`` of shape (size, n) of all ranks, added up: this rank's row of the sum."""

    def collect(self, x: Array, root: int) -> Array:
        """``x`` of all ranks, added up, on one rank; zeros on the others."""

    def spread(self, x: Array, root: int) -> Array:
        """``x`` of one rank, on all of them."""

    def exchange(self, x: Array, source: int | None, dest: int | None) -> Array:
        """Send ``x`` to one rank and get that of another; zeros if there is none."""

    def send(self, x: Array, dest: int, tag: int) -> None:
        """Send ``x`` to a rank that receives it."""

    def receive(self, like: Array, source: int, tag: int) -> Array:
        """What a rank sends."""


class Local(Transport, Protocol):
    """A transport that also lets the ranks agree; its arrays are NumPy's."""

    def extent(self, number: int, what: str) -> tuple[int, int]:
        """The least and the greatest number of all ranks; all operations begin with this."""

    def agree_with(self, peer: int, number: int, tag: int, what: str) -> bool:
        """Whether another rank has the number, with the other sign."""

    def texts(self, text: str) -> list[str]:
        """A text of each rank, on all of them."""

    def text_of(self, peer: int, text: str, tag: int) -> str:
        """The text of another rank, for one's own."""

    def split(self, color: int | None, key: int) -> Any:
        """The transport among the ranks of one color; None for the color None."""

    def abort(self, code: int) -> None:
        """End all processes; returns where there are no others."""

    def close(self) -> None:
        """Let go of what the transport holds."""


class Alone:
    """One process: what moves stays where it is."""

    rank, size = 0, 1

    def reduce(self, x: Array, op: str) -> Array:
        return x.copy()

    def gather(self, x: Array) -> Array:
        return x[None].copy()

    def scatter(self, x: Array) -> Array:
        return x[0].copy()

    def collect(self, x: Array, root: int) -> Array:
        return x.copy()

    def spread(self, x: Array, root: int) -> Array:
        return x.copy()

    def exchange(self, x: Array, source: int | None, dest: int | None) -> Array:
        return np.zeros_like(x) if source is None else x.copy()

    def send(self, x: Array, dest: int, tag: int) -> NoReturn:
        raise self._nobody("send", dest)

    def receive(self, like: Array, source: int, tag: int) -> NoReturn:
        raise self._nobody("recv", source)

    def extent(self, number: int, what: str) -> tuple[int, int]:
        return number, number

    def agree_with(self, peer: int, number: int, tag: int, what: str) -> NoReturn:
        raise self._nobody(what, peer)

    def texts(self, text: str) -> list[str]:
        return [text]

    def text_of(self, peer: int, text: str, tag: int) -> NoReturn:
        raise self._nobody("text_of", peer)

    def split(self, color: int | None, key: int) -> Alone | None:
        return None if color is None else self

    def abort(self, code: int) -> None:
        """Nobody to end: the process ends by its own error."""

    def close(self) -> None:
        """Nothing is held."""

    def _nobody(self, what: str, peer: int) -> ArgumentError:
        return ArgumentError(
            f"{what} wants another rank.",
            f"rank {peer}, and a single process",
            "start the program by mpiexec -n 2, or leave the call out where comm.size == 1",
        )
