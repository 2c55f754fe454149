"""A run that was killed and goes on ends with the same bits as one that wasn't."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fgrad import tree
from fgrad.errors import FileError, ShapeError, TreeError
from fgrad_nn import adam, fit, load, load_metadata, save, sgd, train_step
from fgrad_nn.training import Checkpoints, TrainState, load_checkpoint

from . import training_program as program

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def whole():
    return program.train(None)


def check_same(found, wanted):
    def compare(a, b):
        a, b = np.asarray(a), np.asarray(b)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())

    tree.map(compare, found.state, wanted.state)
    tree.map(compare, found.best.state, wanted.best.state)
    assert found.history == wanted.history
    assert found.best[1:] == wanted.best[1:]
    assert found.reason == wanted.reason


def names(folder):
    return sorted(os.listdir(folder))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the program forks")
def test_a_killed_program_goes_on(tmp_path, whole):
    """Killed at six moments, by SIGKILL, each time to go on from what it left."""
    command = [sys.executable, program.__file__, str(tmp_path), "6"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    steps = [int(step) for step in done.stdout.split()]
    assert len(steps) == 6
    assert steps == sorted(steps)
    assert steps[0] >= 2
    assert steps[-1] < 6 * program.EPOCHS, "it should not have come to the end"
    assert len(set(steps)) > 2
    check_same(program.train(tmp_path), whole)


class Crash(BaseException):
    """The power fails."""


@pytest.mark.parametrize("which", ["fsync", "replace", "unlink"])
def test_a_crash_at_any_operation_of_the_disk_does_no_harm(tmp_path, monkeypatch, whole, which):
    crashes = 0
    module = Path if which == "unlink" else os
    true = getattr(module, which)
    for i in range(1, 40):
        folder = tmp_path / str(i)
        calls = iter(range(1, 1000))

        def crash(*args, calls=calls, i=i, **kwargs):
            if next(calls) == i:
                raise Crash
            return true(*args, **kwargs)

        with monkeypatch.context() as patch:
            patch.setattr(module, which, crash)
            try:
                program.train(folder, epochs=2)
            except Crash:
                crashes += 1
            else:
                break
        if i % 4 == 1:  # a few of them, for the time that it takes
            check_same(program.train(folder), whole)
    assert crashes > 2


class StopAt:
    def __init__(self, step):
        self.step = step

    def on_step(self, state, record):
        return record["step"] == self.step


@pytest.mark.parametrize("jit", [False, True])
def test_a_stopped_run_goes_on(tmp_path, whole, jit):
    """Compiled too: a first step after the start has the bits of one later on."""
    whole = program.train(None, jit=True) if jit else whole
    for step in (1, 5, 6, 7, 12):
        folder = tmp_path / str(step)
        assert program.train(folder, [StopAt(step)], jit).reason == "callback"
        assert f"step-{step:010d}.safetensors" in names(folder)
    for step in (1, 5, 12) if jit else (1, 6, 7):
        check_same(program.train(tmp_path / str(step), jit=jit), whole)


def test_more_epochs_and_fewer(tmp_path, whole):
    assert program.train(tmp_path, epochs=2).state.step == 12
    before = names(tmp_path)
    assert len(program.train(tmp_path, epochs=1).history.epochs) == 2
    assert names(tmp_path) == before
    check_same(program.train(tmp_path), whole)
    check_same(program.train(tmp_path), whole)  # there is nothing left to do


def test_the_last_and_the_best_stay(tmp_path):
    class Worse:
        """Validation that has its best value in epoch 1."""

        values = iter([3.0, 1.0, 2.0, 5.0, 4.0])

    optimizer = sgd(0.1)
    start = TrainState.create(4.0, optimizer)
    step = train_step(lambda w, batch: (w - batch) ** 2, optimizer, jit=False)
    done = fit(
        step, start, [1.0, 2.0], epochs=5, validate=lambda state: next(Worse.values),
        checkpoint=Checkpoints(tmp_path, keep=2), progress=False,
    )  # fmt: skip
    assert names(tmp_path) == [f"step-{i:010d}.safetensors" for i in (4, 8, 10)]
    assert done.best[1:] == (1.0, 1)
    assert load_checkpoint(tmp_path, start, best=True) == done.best.state
    assert load_checkpoint(tmp_path, start) == done.state
    assert load(tmp_path / "step-0000000010.safetensors", start).params == done.state.params
    notes = load_metadata(tmp_path / "step-0000000010.safetensors")
    assert notes["best"] == {"step": 4, "value": 1.0, "epoch": 1}
    assert notes["epochs"] == done.history.epochs


def test_patience_and_the_best_survive_a_resumption(tmp_path):
    values = {2: 3.0, 4: 1.0, 6: 2.0, 8: 1.5, 10: 4.0}
    optimizer = sgd(0.1)
    start = TrainState.create(4.0, optimizer)
    step = train_step(lambda w, batch: (w - batch) ** 2, optimizer, jit=False)

    def run(folder, *callbacks):
        return fit(
            step, start, [1.0, 2.0], epochs=9, validate=lambda state: values[int(state.step)],
            patience=3, checkpoint=folder and Checkpoints(folder, keep=1), callbacks=callbacks,
            progress=False,
        )  # fmt: skip

    whole = run(None)
    assert whole.reason == "early stopping"
    assert whole.best[1:] == (1.0, 1)
    for stop in (3, 5, 6, 7, 9):
        assert run(tmp_path / str(stop), StopAt(stop)).reason == "callback"
        check_same(run(tmp_path / str(stop)), whole)
        check_same(run(tmp_path / str(stop)), whole)  # it has ended, and stays so


def test_leftovers_and_damaged_checkpoints(tmp_path, whole):
    program.train(tmp_path, epochs=2)
    (tmp_path / ".step-0000000099.safetensors.abcd.unfinished").write_bytes(b"half")
    latest = tmp_path / names(tmp_path)[-1]
    latest.write_bytes(latest.read_bytes()[:-3])
    with pytest.warns(RuntimeWarning, match=r"checkpoint .* is damaged and left aside"):
        check_same(program.train(tmp_path), whole)
    assert not any("unfinished" in name for name in names(tmp_path))


# ------------------------------------------------------------------ errors
def test_another_run_is_not_overwritten(tmp_path):
    program.train(tmp_path, epochs=1)
    with pytest.raises(FileError, match=r"(?s)without checkpoints.*with 2 of them.*resume=True"):
        program.train(tmp_path, resume=False)
    step = train_step(lambda w, batch: w**2, adam(0.1))
    other = TrainState.create(1.0, adam(0.1))
    with pytest.raises(
        ShapeError, match=r"(?s)the data that the checkpoint.*2 steps an epoch, not 6"
    ):
        fit(step, other, [1, 2], epochs=9, checkpoint=tmp_path, progress=False)
    with pytest.raises(TreeError, match=r"(?s)structure of `like`.*at \.params"):
        fit(step, other, [1] * 6, epochs=9, checkpoint=tmp_path, progress=False)


def test_foreign_folders_are_refused(tmp_path):
    with pytest.raises(FileError, match=r"(?s)a folder with checkpoints.*with 0 of them"):
        load_checkpoint(tmp_path, 1.0)
    save(tmp_path / "step-0000000001.safetensors", 1.0)
    with pytest.raises(FileError, match=r"(?s)checkpoints of its own.*another program"):
        program.train(tmp_path)


def test_the_best_must_be_there(tmp_path):
    step = train_step(lambda w, batch: w**2 + batch, sgd(0.1), jit=False)
    start = TrainState.create(1.0, sgd(0.1))

    def run(epochs):
        return fit(step, start, lambda epoch: [float(epoch)], epochs=epochs, checkpoint=tmp_path,
                   progress=False)  # fmt: skip

    assert run(2).best.epoch == 0
    (tmp_path / "step-0000000001.safetensors").unlink()
    with pytest.raises(
        FileError, match=r"(?s)of the best epoch.*without step-0000000001.*put that"
    ):
        run(3)
