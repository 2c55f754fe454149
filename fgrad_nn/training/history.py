"""What happened in training: a record for each epoch, and for steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Records(list[dict[str, Any]]):
    """A list of dicts of numbers.

    >>> Records([{"epoch": 0, "loss": 2.0}, {"epoch": 1, "loss": 1.0, "val_loss": 3.0}]).arrays()
    {'epoch': array([0, 1]), 'loss': array([2., 1.]), 'val_loss': array([nan,  3.])}
    """

    def arrays(self) -> dict[str, Any]:
        """An array for each name, with NaN where a record doesn't have it."""
        names = dict.fromkeys(name for record in self for name in record)
        return {name: np.array([r.get(name, np.nan) for r in self]) for name in names}


class History(NamedTuple):
    """The records of a training run."""

    epochs: Records
    """For each epoch: "epoch" (from 0), "step" (steps made), the mean of each metric over the
    steps of the epoch, and what validation gave, as "val_loss" and so on."""
    steps: Records
    """The same for single steps, as often as `log_every` says."""


class Best(NamedTuple):
    """The best state so far."""

    state: Any
    value: float
    """The metric that is monitored."""
    epoch: int


def is_better(value: float, best: float | None, mode: str, min_delta: float) -> bool:
    """Whether a value improves on the best; a NaN never does.

    >>> is_better(1.0, 2.0, "min", 0.5), is_better(1.0, 2.0, "max", 0.0)
    (True, False)
    """
    if np.isnan(value):
        return False
    return best is None or (value < best - min_delta if mode == "min" else value > best + min_delta)
