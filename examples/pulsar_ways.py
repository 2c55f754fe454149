"""The network of `pulsars.py` once more, from parts of `fgrad_nn`, and what the ways have found.

Batch normalisation keeps two running statistics of each unit beside the parameters. They aren't
hidden in the network: the loss takes them and returns new ones, and both are in the training state.
Candidates are held out by class, with a key, and neither training nor the scale of the features
sees them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count, islice
from typing import Any, NamedTuple

import numpy as np
from pulsar_data import Candidates, DataError
from rich.table import Table

import fgrad_nn as nn
from fgrad import random

UNITS = (25, 10)
LEARNING_RATE = 0.01
HELD_OUT = 0.25

#: What each way is, for the table.
WAYS = {
    "lists": "bare lists, sgd, squared error",
    "nn": "fgrad_nn, adam, cross entropy",
    "jit": "the same with fgrad.jit",
}


class Trained(NamedTuple):
    """A network after training."""

    scores: Callable[[np.ndarray], np.ndarray]
    """From standardised features (samples, 8) to scores (samples, 2)."""
    errors: list[float]
    """The batch error of each step."""
    seconds: float
    """How long training took, with what is done once, such as compiling."""


class Split(NamedTuple):
    """Standardised features and labels, for training and held out."""

    train: tuple[np.ndarray, np.ndarray]
    held_out: tuple[np.ndarray, np.ndarray]
    features: np.ndarray
    """Of all candidates."""


def split(candidates: Candidates, key: Any) -> Split:
    """Hold out a share of each class, and scale all by mean and deviation of the rest.

    Raises:
        DataError: a class has one sample only.
    """
    parts = []
    for label, part_key in enumerate(random.split(key)):
        members = np.flatnonzero(candidates.labels == label)
        if len(members) < 2:
            raise DataError(
                "To hold out candidates, two of each class are wanted.",
                f"{len(members)} with the label {label}",
                "add candidates, or choose --way lists, which holds out none",
            )
        parts.append(nn.train_test_split(members, HELD_OUT, part_key))
    train, held_out = (np.concatenate(part) for part in zip(*parts, strict=True))
    features = nn.fit_standardizer(candidates.features[train]).apply(candidates.features)
    labels = candidates.labels
    return Split((features[train], labels[train]), (features[held_out], labels[held_out]), features)


def network() -> Any:
    """Two hidden layers, as in the bare lists, each with batch normalisation."""
    hidden = [
        layer
        for units in UNITS
        for layer in (nn.dense(units, use_bias=False), nn.batch_norm(), np.tanh)
    ]
    return nn.serial(*hidden, nn.dense(2))


def train(
    data: tuple[np.ndarray, np.ndarray],
    *,
    steps: int,
    batch: int,
    key: Any,
    jit: bool,
    report: Callable[[int, float], None],
) -> Trained:
    """Fit the network by Adam to the mean cross entropy; `jit` compiles the entire step."""
    net = network()
    init_key, order_key = random.split(key)
    shape = (-1, data[0].shape[1])
    _, params = net.init(init_key, shape)

    def loss(params: Any, batch: Any, *, state: Any) -> tuple[Any, Any]:
        X, labels = batch
        scores, state = net.apply(params, X, state=state, train=True)
        return nn.cross_entropy(scores, labels), state

    optimizer = nn.adam(nn.schedules.cosine_decay_schedule(LEARNING_RATE, steps))
    step = nn.train_step(loss, optimizer, has_state=True, jit=jit)
    state = nn.TrainState.create(
        params, optimizer, model_state=net.init_state(init_key, shape)
    )  # fmt: skip
    # wrap: the last batch of an epoch is filled up, so that all have one shape
    stream = nn.batches(data, batch, order_key, remainder="wrap", epochs=None)
    errors: list[float] = []
    begin = time.perf_counter()
    for number, samples in zip(count(1), islice(stream, steps)):
        state, metrics = step(state, samples)
        errors.append(float(metrics["loss"]))
        report(number, errors[-1])
    seconds = time.perf_counter() - begin

    def scores(X: np.ndarray) -> np.ndarray:
        return net.apply(state.params, X, state=state.model_state)[0]  # train=False: running means

    return Trained(scores, errors, seconds)


def shares(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Shares of pulsars found, of non-pulsars found, and of all samples right."""
    right = scores.argmax(axis=1) == labels
    return {
        "pulsars found": float(right[labels == 1].mean()),
        "non-pulsars found": float(right[labels == 0].mean()),
        "all samples right": float(right.mean()),
    }


def comparison(found: dict[str, list[tuple[float, dict[str, float]]]], samples: int) -> Table:
    """Seconds and shares of each way as a table: medians over the seeds.

    Args:
        found: way -> for each seed the seconds of training, and the shares of the held-out samples.
        samples: how many were held out.
    """
    seeds = len(next(iter(found.values())))
    title = f"On {samples} held-out candidates" + (f", medians of {seeds} seeds" * (seeds > 1))
    table = Table(title=title, title_justify="left")
    table.add_column("")
    for name in ("seconds", "pulsars", "non-pulsars", "all right"):
        table.add_column(name, justify="right")
    for way, runs in found.items():
        seconds = np.median([time for time, _ in runs])
        medians = np.median([list(part.values()) for _, part in runs], axis=0)
        table.add_row(WAYS[way], f"{seconds:.2f}", *(f"{share:.1%}" for share in medians))
    return table
