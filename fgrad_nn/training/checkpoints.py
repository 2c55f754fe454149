"""Checkpoints: files from which training goes on as if it had never stopped."""

from __future__ import annotations

import operator
import os
import re
import warnings
from pathlib import Path
from typing import Any, NamedTuple

from fgrad.errors import ArgumentError, FileError, describe
from fgrad.tracebacks import boundary

from ..extras import extra
from ..files.atomic import remove_unfinished
from ..files.saving import load, load_metadata, save


class Checkpoints(NamedTuple):
    """Where and when checkpoints are written, and which stay.

    >>> Checkpoints("runs/first", every_steps=1000, keep=2).keep
    2
    """

    folder: str | os.PathLike[str]
    """A folder for one training run; it is made if it isn't there."""
    every_epochs: int | None = 1
    """After so many epochs one is written; None for none but those that `every_steps` asks for."""
    every_steps: int | None = None
    """After so many steps one is written."""
    keep: int = 3
    """So many of the last ones stay, beside that of the best epoch."""


class Found(NamedTuple):
    """What a checkpoint holds beside the state."""

    path: Path
    step: int
    notes: dict[str, Any]

    @property
    def best(self) -> int | None:
        """The step whose checkpoint has the best state, as far as this one knows."""
        best = self.notes.get("best")
        return None if best is None else int(best["step"])


class Folder:
    """A folder with the checkpoints of one run."""

    def __init__(self, options: Checkpoints) -> None:
        self.options = options
        self.path = Path(options.folder)
        #: Step -> the best step that its checkpoint names.
        self._best: dict[int, int | None] = {}

    def open(self, resume: bool) -> Found | None:
        """Make the folder ready, and find the checkpoint to go on from.

        Raises:
            FileError: there are checkpoints of a run that isn't to be resumed.
        """
        extra("safetensors", "fit with checkpoint=...")  # now, and not after hours
        self.path.mkdir(parents=True, exist_ok=True)
        files = list_checkpoints(self.path)
        if files and not resume:
            raise FileError(
                "fit with resume=False wants a folder without checkpoints.",
                f"{self.path}, with {len(files)} of them",
                "resume=True goes on; else remove them, or choose another folder",
            )
        remove_unfinished(self.path)
        latest = None
        for step, path in sorted(files.items()):
            found = _look(path, step)
            if found is not None:
                latest = found
                self._best[step] = found.best
        return latest

    def write(self, step: int, state: Any, notes: dict[str, Any]) -> Path:
        """Write a checkpoint, and then remove those that need not stay."""
        path = self.path / name_of(step)
        save(path, state, notes)
        best = notes.get("best")
        self._best[step] = None if best is None else best["step"]
        last = sorted(self._best)[-self.options.keep :]
        stay = {*last, *(self._best[i] for i in last)}
        for old in [i for i in self._best if i not in stay]:
            (self.path / name_of(old)).unlink(missing_ok=True)
            del self._best[old]
        return path


def _look(path: Path, step: int) -> Found | None:
    """A checkpoint's notes; of one that is damaged a warning."""
    try:
        notes = load_metadata(path)
    except FileError as error:
        warnings.warn(
            f"The checkpoint {path} is damaged and left aside: {error.came}", RuntimeWarning,
            stacklevel=5,
        )  # fmt: skip
        return None
    if "position" not in notes:
        raise FileError(
            "fit wants a folder with checkpoints of its own.",
            f"{path}, which another program has saved",
            "choose another folder for the checkpoints",
        )
    return Found(path, step, notes)


def name_of(step: int) -> str:
    """The name of the file for so many steps.

    >>> name_of(12)
    'step-0000000012.safetensors'
    """
    return f"step-{step:010d}.safetensors"


def list_checkpoints(folder: Path) -> dict[int, Path]:
    """The checkpoints of a folder by the number of steps."""
    found = ((re.fullmatch(r"step-(\d{10,})\.safetensors", p.name), p) for p in folder.iterdir())
    return {int(match[1]): path for match, path in found if match}


@boundary
def load_checkpoint(folder: str | os.PathLike[str], like: Any, *, best: bool = False) -> Any:
    """Load the state of the last checkpoint that `fit` has written, or that of the best epoch.

    >>> import tempfile
    >>> from fgrad_nn import sgd
    >>> from fgrad_nn.training import TrainState, fit, train_step
    >>> start = TrainState.create(5.0, sgd(0.1))
    >>> step = train_step(lambda w, batch: (w - batch) ** 2, sgd(0.1))
    >>> folder = tempfile.mkdtemp()
    >>> done = fit(step, start, [1.0, 1.0], epochs=2, checkpoint=folder, progress=False)
    >>> bool(load_checkpoint(folder, start).params == done.state.params)
    True

    Args:
        folder: that of the checkpoints.
        like: a state of the same structure, shapes and dtypes, such as the one before training.
        best: whether to load that of the best epoch.

    Raises:
        FileError: there is none, or it is damaged.
        TreeError, ShapeError, DtypeError: it doesn't fit `like`.
    """
    found = list_checkpoints(Path(folder))
    if found:
        last = max(found)
        if not best:
            return load(found[last], like)
        step = Found(found[last], last, load_metadata(found[last])).best
        if step in found:
            return load(found[step], like)
    raise FileError(
        "load_checkpoint wants a folder with checkpoints.",
        f"{folder}, with {len(found)} of them" + (" and no best one" if best and found else ""),
        "pass the folder that fit was given; a best one needs a metric to be monitored",
    )


def as_folder(checkpoint: Any) -> Folder | None:
    """What `fit` was given as a folder.

    Raises:
        ArgumentError: it is neither a path nor `Checkpoints`, or one of its numbers is wrong.
    """
    if checkpoint is None:
        return None
    if isinstance(checkpoint, str | os.PathLike):
        checkpoint = Checkpoints(checkpoint)
    if not isinstance(checkpoint, Checkpoints):
        raise ArgumentError(
            "fit wants a folder for checkpoints.",
            describe(checkpoint),
            "pass its path, or Checkpoints(path, every_steps=...)",
        )
    for name in ("every_epochs", "every_steps", "keep"):
        value = getattr(checkpoint, name)
        if value is None and name != "keep":
            continue
        try:
            wrong = operator.index(value) < 1
        except TypeError:
            wrong = True
        if wrong:
            raise ArgumentError(
                f"Checkpoints wants an integer from 1 on as {name}.",
                describe(value),
                "pass None for never" if name != "keep" else "pass 1 to keep the last one",
            )
    return Folder(checkpoint)
