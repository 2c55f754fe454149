"""A training run, and a program that starts and kills it: `training_program.py FOLDER KILLS`.

The program forks, so that what it imports is imported once. It prints how far each run has come.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from fgrad import random
from fgrad_nn import adam, batches, dropout, fit, mlp, prefetch, train_step
from fgrad_nn.training import Checkpoints, TrainState
from fgrad_nn.training.checkpoints import list_checkpoints

EPOCHS = 7
NET = mlp([6, 1], np.tanh)
DROP = dropout(0.3)
X = np.random.default_rng(0).normal(size=(22, 3))
Y = np.sin(X[:, :1]) + X[:, 1:2] ** 2


def loss(params, batch, *, state, key):
    x, y = batch
    x = DROP.apply({}, x, key=key, train=True)
    return np.mean((NET.apply(params, x) - y) ** 2), {"seen": state["seen"] + len(x)}


def start():
    _, params = NET.init(random.key(1), (-1, 3))
    state = {"seen": np.zeros(())}
    return TrainState.create(params, adam(0.01), model_state=state, key=random.key(2))


def train(folder, callbacks=(), jit=False, **options):
    """Six steps in an epoch, a checkpoint after every second, so that one falls within it."""
    step = train_step(loss, adam(0.01), has_state=True, jit=jit)
    data = prefetch(batches((X, Y), 4, random.key(3)))
    checkpoint = folder and Checkpoints(folder, every_steps=2, keep=2)

    def validate(state):
        return np.mean((NET.apply(state.params, X) - Y) ** 2)

    return fit(
        step, start(), data, validate=validate, checkpoint=checkpoint, callbacks=callbacks,
        log_every=5, progress=False, **{"epochs": EPOCHS, **options},
    )  # fmt: skip


class Slowly:
    """It tells of each step, and gives time to be killed."""

    def __init__(self, pipe):
        self.pipe = pipe

    def on_step(self, state, record):
        os.write(self.pipe, b".")
        time.sleep(0.004)


def main(folder, kills):
    draw = np.random.default_rng()
    for _ in range(kills):
        heard, told = os.pipe()
        child = os.fork()
        if not child:
            try:
                train(folder, [Slowly(told)])
            finally:
                os._exit(0)
        os.close(told)  # so that reading ends with the child
        for _ in range(draw.integers(3, 6)):
            os.read(heard, 1)
        time.sleep(draw.uniform(0, 0.006))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(heard)
        print(max(list_checkpoints(Path(folder)), default=0), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
