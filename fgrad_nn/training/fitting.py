"""`fit`: the loop of training, with validation, early stopping, checkpoints and a bar."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from .checkpoints import as_folder
from .feeding import Feed
from .history import Best, History
from .loop import Loop, Settings
from .parallel import Ranks
from .progress import Progress


class Fitted(NamedTuple):
    """What `fit` returns."""

    state: Any
    """The state after the last step."""
    history: History
    best: Best | None
    """The state after the epoch with the best value of what is monitored; None if nothing was."""
    reason: str
    """Why it ended: "epochs", "early stopping" or "callback"."""


@boundary
def fit(
    step: Callable[..., Any], state: Any, data: Any, *, epochs: int,
    validate: Callable[[Any], Any] | None = None, validate_every: int = 1,
    callbacks: Sequence[Any] = (), checkpoint: Any = None, resume: bool = True,
    progress: bool = True, patience: int | None = None, min_delta: float = 0.0,
    monitor: str | None = None, mode: str = "min", log_every: int | None = None,
    check_finite: bool = True,
) -> Fitted:  # fmt: skip
    """Train for some epochs.

    >>> from fgrad_nn import sgd
    >>> from fgrad_nn.training import TrainState, train_step
    >>> step = train_step(lambda w, batch: (w - batch) ** 2, sgd(0.25))
    >>> done = fit(step, TrainState.create(5.0, sgd(0.25)), [1.0, 1.0], epochs=2, progress=False)
    >>> done.history.epochs
    [{'epoch': 0, 'step': 2, 'loss': 10.0}, {'epoch': 1, 'step': 4, 'loss': 0.625}]

    With `checkpoint`, a run that was killed goes on where its last checkpoint was, and ends with
    the same bits as one that wasn't: call `fit` again with the same arguments. That needs
    steps that are functions of state and batch alone, and batches that come again, as those of
    `fgrad_nn.data.batches` do.

    On several ranks (``train_step(..., comm=comm)``) all call it alike. Rank 0 reads and writes
    the checkpoints, from which any number of ranks can go on, shows the bar, and its validation
    is what counts; a callback of any rank can end the training of all.

    Args:
        step: ``step(state, batch) -> (state, metrics)``, by `train_step` or your own; metrics are
            a dict of numbers.
        state: a `TrainState`, or whatever `step` takes.
        data: `batches(...)`, whose own number of epochs doesn't count here, or a `prefetch` of
            them; a list of batches; or a function of the number of the epoch, from 0, that
            returns an iterable of batches.
        epochs: the number of epochs in all, those before a resumption included.
        validate: ``validate(state)``, which returns metrics; see `evaluate`. They are recorded as
            "val_loss" and so on.
        validate_every: after so many epochs, and after the last.
        callbacks: objects with methods ``on_step(state, record)`` or ``on_epoch(state, record)``,
            or both. The one that returns True ends the training.
        checkpoint: a folder, or `Checkpoints`. One is also written when training ends, and for
            each new best epoch.
        resume: whether to go on from the last checkpoint in the folder, if there is one.
        progress: whether to show a bar; where the output is no terminal there is none.
        patience: end after so many epochs in a row that brought nothing better.
        min_delta: by how much better is better.
        monitor: the name in the epoch's record that tells what is best; by default "val_loss"
            with `validate`, else "loss".
        mode: "min" or "max", what is best.
        log_every: after so many steps, the step's metrics are recorded in ``history.steps``.
        check_finite: whether to look for NaN and infinity in the loss and the parameters, after
            each step.

    Returns:
        A `Fitted` of state, history, best and reason.

    Raises:
        NonFiniteError: the loss or a parameter has become NaN or infinite. The error has ``step``,
            the number of that step, and ``state``, the one before it, of which a checkpoint is
            written if there is a folder.
        ArgumentError: an argument, or what a function returned, is not what it should be.
        FileError: the folder has checkpoints of another run.
        TreeError, ShapeError, DtypeError: the checkpoint is of another model.
    """
    for name, value in (("step", step), ("validate", validate)):
        if not callable(value) and not (name == "validate" and value is None):
            to_do = "pass train_step(...)" if name == "step" else "pass a function of the state"
            raise ArgumentError(f"fit wants a function as {name}.", describe(value), to_do)
    _integer("epochs", epochs)
    _integer("validate_every", validate_every)
    for name, number in (("patience", patience), ("log_every", log_every)):
        if number is not None:
            _integer(name, number)
    if mode not in ("min", "max"):
        raise ArgumentError(
            'fit wants "min" or "max" as mode.', describe(mode), 'pass "max" for an accuracy'
        )
    for callback in callbacks:
        if not (hasattr(callback, "on_step") or hasattr(callback, "on_epoch")):
            raise ArgumentError(
                "fit wants callbacks with a method on_step(state, record) or on_epoch.",
                describe(callback),
                "make a class with one of them",
            )
    settings = Settings(
        step, epochs, validate, validate_every, tuple(callbacks), patience, min_delta, monitor,
        mode, log_every, check_finite,
    )  # fmt: skip
    feed, folder = Feed(data, epochs), as_folder(checkpoint)
    ranks = Ranks(getattr(step, "parallel", None))
    loop = Loop(settings, state, feed, folder, ranks)
    if folder is not None:
        loop.resume(ranks.on_root(lambda: folder.open(resume)))
    total = None if feed.steps_per_epoch is None else epochs * feed.steps_per_epoch
    bar = Progress(progress and ranks.is_root, total, loop.steps, epochs)
    try:
        reason = loop.run(bar)
    finally:
        bar.close()
        feed.close()
    return Fitted(loop.state, loop.history, loop.best, reason)


def _integer(name: str, value: Any) -> None:
    try:
        wrong = operator.index(value) < 1 or is_a(value, bool)
    except TypeError:
        wrong = True
    if wrong:
        raise ArgumentError(
            f"fit wants an integer from 1 on as {name}.",
            describe(value),
            "pass a number, such as 10",
        )
