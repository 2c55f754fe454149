"""The state of a training loop, and what each step and each epoch do to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fgrad import tree
from fgrad.errors import ArgumentError, FileError, NonFiniteError, ShapeError, describe

from ..files.saving import load
from .checkpoints import Folder, Found, name_of
from .feeding import Feed
from .history import Best, History, Records, is_better
from .parallel import Ranks
from .progress import Progress
from .steps import numbers


class Settings(NamedTuple):
    """The arguments of `fit` that don't change."""

    step: Callable[..., Any]
    epochs: int
    validate: Callable[[Any], Any] | None
    validate_every: int
    callbacks: tuple[Any, ...]
    patience: int | None
    min_delta: float
    monitor: str | None
    mode: str
    log_every: int | None
    check_finite: bool


class Loop:
    """A training run at a moment between two steps; a checkpoint holds all of it."""

    def __init__(
        self, settings: Settings, state: Any, feed: Feed, folder: Folder | None, ranks: Ranks
    ) -> None:
        self.settings, self.state, self.feed, self.folder = settings, state, feed, folder
        self.ranks = ranks
        #: The position of the next batch, steps made in all, and those of this epoch.
        (self.epoch, self.position), self.steps, self.count = feed.start, 0, 0
        #: Sums of the metrics over the steps of this epoch.
        self.sums: dict[str, float] = {}
        self.history = History(Records(), Records())
        self.best: Best | None = None
        self.best_step = 0
        #: How many epochs in a row brought nothing better.
        self.waited = 0
        self.written = -1

    # ------------------------------------------------------------------ checkpoints
    def save(self) -> str:
        """Write a checkpoint; say where."""
        assert self.folder is not None
        best = self.best and {
            "step": self.best_step, "value": self.best.value, "epoch": self.best.epoch,
        }  # fmt: skip
        notes = {
            "position": [self.epoch, self.position], "steps": self.steps, "count": self.count,
            "steps_per_epoch": self.feed.steps_per_epoch, "sums": self.sums,
            "epochs": list(self.history.epochs), "logged": list(self.history.steps),
            "best": best, "waited": self.waited,
        }  # fmt: skip
        self.written = self.steps
        if not self.ranks.is_root:
            return str(self.folder.path / name_of(self.steps))
        return str(self.folder.write(self.steps, self.state, notes))

    def resume(self, found: Found | None) -> None:
        """Go on from a checkpoint, which rank 0 reads.

        Raises:
            ShapeError: the data have another number of steps in an epoch.
            TreeError, ShapeError, DtypeError: it is of another model.
            FileError: the one of the best epoch isn't there.
        """
        best = self.ranks.on_root(lambda: self._load(found))
        notes = self.ranks.from_root(None if found is None else found.notes)
        if notes is None:
            return
        self.state = self.ranks.state_from_root(self.state)
        (self.epoch, self.position), self.steps = notes["position"], notes["steps"]
        self.count, self.sums, self.waited = notes["count"], notes["sums"], notes["waited"]
        self.history = History(Records(notes["epochs"]), Records(notes["logged"]))
        self.written = self.steps
        if notes["best"] is not None:
            self.best_step = notes["best"]["step"]
            state = self.ranks.state_from_root(self.state if best is None else best)
            self.best = Best(state, notes["best"]["value"], notes["best"]["epoch"])

    def _load(self, found: Found | None) -> Any:
        """Load the state of a checkpoint; return that of the best epoch, if there is one."""
        if found is None:
            return None
        notes, like = found.notes, self.state
        if notes["steps_per_epoch"] != self.feed.steps_per_epoch:
            raise ShapeError(
                "fit wants the data that the checkpoint was made with.",
                f"{self.feed.steps_per_epoch} steps an epoch, not {notes['steps_per_epoch']} as in "
                f"{found.path}",
                "pass the same data and batch size, or another folder for a new run",
            )
        self.state = load(found.path, like)
        if notes["best"] is None:
            return None
        step = notes["best"]["step"]
        file = found.path.with_name(name_of(step))
        if not file.exists():
            raise FileError(
                "fit wants the checkpoint of the best epoch, too.",
                f"{found.path}, without {file.name} beside it",
                "put that back, or begin anew in another folder",
            )
        return self.state if step == found.step else load(file, like)

    # ------------------------------------------------------------------ the loop
    def run(self, bar: Progress) -> str:
        """Train to the end; tell why it ended."""
        reason = self._stops_early()
        while self.epoch < self.settings.epochs and not reason:
            reason = self._run_epoch(bar)
        if self.folder is not None and self.written != self.steps:
            self.save()
        return reason or "epochs"

    def _stops_early(self) -> str:
        patience = self.settings.patience
        return "early stopping" if patience is not None and self.waited >= patience else ""

    def _run_epoch(self, bar: Progress) -> str:
        every = None if self.folder is None else self.folder.options.every_steps
        last, reason, due = False, "", False
        for batch, last in self.feed.epoch(self.epoch, self.position):
            record = self._step(batch)
            bar.step(self.epoch, record)
            reason = self._call("on_step", record)
            due = every is not None and self.steps % every == 0
            if last:  # what is due waits for the end of the epoch
                break
            if due:
                self.save()
            if reason:
                return reason
        if not last:
            raise ArgumentError(
                "fit wants at least one batch in each epoch.",
                f"none in epoch {self.epoch} from step {self.position} on",
                "pass data that can be walked through for each epoch, and as much as before",
            )
        return self._end_epoch(bar, due) or reason

    def _step(self, batch: Any) -> dict[str, Any]:
        out = self.settings.step(self.state, batch)
        if not (isinstance(out, tuple) and len(out) == 2):
            raise ArgumentError(
                "fit wants a step that returns (state, metrics).",
                describe(out),
                "make it by train_step, or return a pair",
            )
        state, metrics = out[0], numbers(out[1])
        if self.settings.check_finite:
            self._check_finite(state, metrics)
        self.state = state
        self.steps, self.count, self.position = self.steps + 1, self.count + 1, self.position + 1
        for name, value in metrics.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        record = {"epoch": self.epoch, "step": self.steps, **metrics}
        every = self.settings.log_every
        if every is not None and self.steps % every == 0:
            self.history.steps.append(record)
        return dict(record)

    def _end_epoch(self, bar: Progress, due: bool) -> str:
        settings = self.settings
        means = {name: total / self.count for name, total in self.sums.items()}
        record: dict[str, Any] = {"epoch": self.epoch, "step": self.steps, **means}
        done = self.epoch + 1
        if settings.validate is not None and (
            done % settings.validate_every == 0 or done == settings.epochs
        ):
            values = self.ranks.from_root(numbers(settings.validate(self.state)))
            record |= {f"val_{name}": value for name, value in values.items()}
        self.history.epochs.append(record)
        better = self._compare(record)
        self.epoch, self.position, self.sums, self.count = done, 0, {}, 0
        bar.epoch(self.epoch - 1, record)
        reason = self._call("on_epoch", dict(record)) or self._stops_early()
        if self.folder is not None:
            every = self.folder.options.every_epochs
            if due or better or (every is not None and done % every == 0):
                self.save()
        return reason

    def _compare(self, record: dict[str, Any]) -> bool:
        """Whether the epoch is the best so far."""
        settings = self.settings
        name = settings.monitor or ("val_loss" if settings.validate else "loss")
        if name not in record:
            asked = settings.monitor is not None or settings.patience is not None
            if asked and self.epoch % settings.validate_every == settings.validate_every - 1:
                raise ArgumentError(
                    f"fit wants to monitor {name!r}, which is not among the metrics of the epoch.",
                    ", ".join(record),
                    "pass the name of one of them as monitor",
                )
            return False
        best = self.best and self.best.value
        if is_better(record[name], best, settings.mode, settings.min_delta):
            self.best, self.best_step = Best(self.state, record[name], self.epoch), self.steps
            self.waited = 0
            return True
        self.waited += 1
        return False

    def _call(self, name: str, record: dict[str, Any]) -> str:
        """Let all callbacks know; one that returns True ends the training."""
        callbacks = self.settings.callbacks
        answers = [getattr(c, name)(self.state, record) for c in callbacks if hasattr(c, name)]
        ends = any(answer is True for answer in answers)
        return "callback" if callbacks and self.ranks.any(ends) else ""

    # ------------------------------------------------------------------ NaN
    def _check_finite(self, state: Any, metrics: dict[str, float]) -> None:
        came = ""
        if not np.isfinite(metrics.get("loss", 0.0)):
            came = f"loss {metrics['loss']}"
        else:
            params = getattr(state, "params", state)
            if not all_finite(params):
                came = next(
                    f"at {tree.path_str(path) or 'the root'} of the parameters: {describe(x)}"
                    for path, x in tree.leaves_with_path(params)
                    if not all_finite(x)
                )
        if not came:
            return
        where = ""
        if self.folder is not None:
            where = f"; the state before it is in {self.save()}"
        error = NonFiniteError(
            f"fit wants finite numbers, which step {self.steps + 1} (epoch {self.epoch}) has not "
            "brought.",
            came + where,
            "lower the learning rate, clip gradients, or look at the batch; check_finite=False "
            "goes on",
        )
        error.step, error.state = self.steps + 1, self.state  # type: ignore[attr-defined]
        raise error


def all_finite(params: Any) -> bool:
    """Whether all numbers of a tree are finite.

    >>> all_finite({"w": np.ones(3), "n": 2}), all_finite([np.array([1.0, np.nan])])
    (True, False)
    """
    found = [x for x in tree.leaves(params) if np.dtype(getattr(x, "dtype", type(x))).kind in "fc"]
    with np.errstate(over="ignore", invalid="ignore"):
        total = sum(np.add.reduce(x, axis=None) for x in found)
    # The sum is quicker; that of large finite numbers may overflow.
    return bool(np.isfinite(total)) or all(np.all(np.isfinite(x)) for x in found)
