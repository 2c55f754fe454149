"""Errors of layers, losses, optimizers and training show the user's lines, and none of ours."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fgrad_nn as nn
from fgrad import fronts, random, tracebacks

X = np.ones((2, 3))
KEY = random.key(0)


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FGRAD_TRACEBACK", raising=False)


class Mine(Exception):
    pass


def raises(*args: Any, **kwargs: Any) -> Any:
    raise Mine("in the user's function")


NET = nn.serial(nn.dense(4), np.tanh)
_, PARAMS = NET.init(KEY, (-1, 3))
ADAM = nn.adam(0.01)
STATE = nn.TrainState.create(PARAMS, ADAM)

CALLS: dict[str, Callable[[], Any]] = {
    "making a layer": lambda: nn.dense(-4),
    "init": lambda: NET.init(KEY, ("a",)),
    "init of a layer": lambda: nn.conv(3, (3, 3)).init(KEY, (5,)),
    "apply": lambda: NET.apply(PARAMS, np.ones((2, 5))),
    "apply of a layer": lambda: nn.dense(4).apply(PARAMS["0_dense"], np.ones((2, 5))),
    "apply with state": lambda: nn.batch_norm().apply({}, X),
    "a loss": lambda: nn.mean_squared_error(X, np.ones(4)),
    "a metric": lambda: nn.metrics.accuracy(X, np.ones(5)),
    "an optimizer": lambda: ADAM.update({"a": X}, ADAM.init({"b": X}), {"b": X}),
    "a schedule": lambda: nn.schedules.cosine_decay_schedule(1.0, -1),
    "a step": lambda: nn.train_step(raises, ADAM)(PARAMS, X),
    "a file": lambda: nn.load("no such folder/x.safetensors"),
    "an activation": lambda: nn.gelu("x"),
    "an activation that is a rule": lambda: nn.relu("x"),
    "an activation along an axis": lambda: nn.softmax(X, 3),
    "data": lambda: nn.batches((X, np.ones(5)), 2, KEY),
}

USERS: dict[str, Callable[[], Any]] = {
    "a layer": lambda: nn.serial(nn.dense(4), raises).apply(PARAMS, X),
    "a step": lambda: nn.train_step(raises, ADAM)(STATE, X, KEY),
    "fit": lambda: nn.fit(raises, STATE, [X], epochs=1),
    "evaluate": lambda: nn.evaluate(raises, PARAMS, [X]),
}


def frames(call: Callable[[], Any]) -> tuple[BaseException, list[str]]:
    try:
        call()
    except Exception as e:
        return e, [f.filename for f in traceback.extract_tb(e.__traceback__)]
    pytest.fail("nothing was raised")


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_shows_the_users_line(name: str) -> None:
    _, files = frames(CALLS[name])
    assert not [f for f in files if f.startswith(tracebacks.OURS)]
    assert files[-1] == __file__


@pytest.mark.parametrize("name", USERS)
def test_an_error_of_the_users_function_shows_only_their_frames(name: str) -> None:
    e, files = frames(USERS[name])
    assert isinstance(e, Mine)
    assert set(files) == {__file__}


#: What checks nothing and is called at each entry of a network.
PLAIN = ("fgrad_nn.softmaxes", "fgrad_nn.label_entropy")
PUBLIC = {
    f"{module.__name__}.{name}": f
    for module in (nn, nn.data, nn.files, nn.initializers, nn.layers, nn.losses, nn.metrics,
                   nn.optimizers, nn.projections, nn.schedules, nn.training)
    for name, f in vars(module).items()
    if name[0] != "_" and inspect.isfunction(f) and f.__module__.startswith(module.__name__)
    and not f.__module__.startswith(PLAIN)
}  # fmt: skip


def test_every_public_function_hides_our_frames() -> None:
    shut = (tracebacks.__file__, fronts.__file__)  # what is a rule itself hides them too
    open_doors = [n for n, f in PUBLIC.items() if f.__code__.co_filename not in shut]
    assert open_doors == []
