"""The bar that shows how training goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..extras import extra


class Progress:
    """A bar by tqdm on terminals, and nothing elsewhere."""

    def __init__(self, shown: bool, total: int | None, done: int, epochs: int) -> None:
        self._epochs = epochs
        self._latest: dict[str, float] = {}
        self._bar: Any = None
        if shown:
            tqdm = extra("tqdm", "fit with progress=True").tqdm
            # disable=None shows the bar on terminals only, so that a log holds none
            self._bar = tqdm(total=total, initial=done, unit="step", disable=None)
            if self._bar.disable:
                self._bar = None

    def step(self, epoch: int, metrics: Mapping[str, float]) -> None:
        """A step was made."""
        if self._bar is not None and self._bar.update():  # drawn; a few times each second
            self._draw(epoch, metrics)

    def epoch(self, epoch: int, record: Mapping[str, float]) -> None:
        """An epoch has ended."""
        if self._bar is not None:
            self._draw(epoch, record)

    def _draw(self, epoch: int, record: Mapping[str, float]) -> None:
        self._latest.update((k, v) for k, v in record.items() if k not in ("epoch", "step"))
        self._bar.set_description(f"epoch {epoch + 1}/{self._epochs}", refresh=False)
        self._bar.set_postfix({name: f"{x:.4g}" for name, x in self._latest.items()})

    def close(self) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
