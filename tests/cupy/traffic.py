"""What a device would have been asked: synchronisations, and copies between host and device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Traffic:
    """Counts since the program began; see `counted`."""

    syncs: int = 0
    to_host: int = 0
    to_device: int = 0

    def down(self) -> None:
        """A copy from the device, for which the host waits."""
        self.syncs += 1
        self.to_host += 1


TRAFFIC = Traffic()


@contextmanager
def counted() -> Iterator[Traffic]:
    """Counts of what happens inside, which are there when it has ended."""
    before = Traffic(**vars(TRAFFIC))
    inside = Traffic()
    try:
        yield inside
    finally:
        for name, value in vars(TRAFFIC).items():
            setattr(inside, name, value - getattr(before, name))
