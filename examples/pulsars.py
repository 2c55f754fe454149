"""Find pulsars among candidates with a small network, trained by fgrad on plain NumPy code.

    python examples/pulsars.py
    python examples/pulsars.py --data candidates.csv --seed 3 --out pictures
    python examples/pulsars.py --way all --seeds 10

Without `--data` it simulates its candidates (see `pulsar_data.py`). It prints the batch error every
50 steps and then the shares found, and saves two pictures. The shares are of all samples, the same
that the batches were drawn from: they tell that training works, not how well it would generalise.

`--way` tells how the network is written: `lists` as bare lists of arrays, here; `nn` with layers,
loss and optimizer of `fgrad_nn`, in `pulsar_ways.py`; `jit` the same with the step compiled; `all`
compares the three. With any but `lists`, a quarter of the candidates is held out, and the shares
are of these.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pulsar_plots
import pulsar_ways
from program import at_least
from pulsar_data import Candidates, DataError, read_csv, simulate, standardise
from pulsar_ways import Trained
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

import fgrad
from fgrad import random
from fgrad_nn import apply_updates, scaled_normal, sgd

SHAPES = ((25, 8), (25, 1), (10, 25), (10, 1), (2, 10), (2, 1))  # W1, b1, W2, b2, W3, b3
LEARNING_RATE = 0.01
BATCH = 100
REPORT_EVERY = 50


def network(params: list[np.ndarray], X: np.ndarray) -> np.ndarray:
    """Scores (samples, 2) of features (samples, 8): for "no pulsar" and for "pulsar"."""
    y = X.T
    for w, b in zip(params[::2], params[1::2], strict=True):
        y = np.tanh(w @ y + b)
    return y.T


def loss(params: list[np.ndarray], X: np.ndarray, Y: np.ndarray) -> np.floating:
    """Mean squared distance of the scores from one-hot labels Y (samples, 2)."""
    return np.mean((network(params, X) - Y) ** 2)


def train(
    X: np.ndarray,
    Y: np.ndarray,
    *,
    steps: int,
    rng: np.random.Generator,
    progress: bool = False,
    report: bool = True,
) -> tuple[list[np.ndarray], list[float]]:
    """Fit the network by stochastic gradient descent; return parameters and batch errors."""
    params = [scaled_normal(rng, shape) for shape in SHAPES]
    loss_and_gradient = fgrad.value_and_grad(loss)
    optimizer = sgd(LEARNING_RATE)
    state = optimizer.init(params)
    errors = []
    with _bar(steps, progress) as bar:
        for step in range(1, steps + 1):
            batch = rng.integers(len(X), size=BATCH)  # with replacement
            error, gradient = loss_and_gradient(params, X[batch], Y[batch])
            updates, state = optimizer.update(gradient, state, params)
            params = apply_updates(params, updates)
            errors.append(float(error))
            _tell(bar, step, errors[-1], report)
    return params, errors


def _bar(steps: int, progress: bool) -> Any:
    # disable=None shows the bar on terminals only, so that a log holds none
    return tqdm(total=steps, unit="step", disable=None if progress else True)


def _tell(bar: Any, step: int, error: float, report: bool) -> None:
    """Move the bar on, and now and then print the batch error."""
    bar.update()
    if report and step % REPORT_EVERY == 0:
        bar.write(f"step {step:5d}   batch error {error:.4f}", file=sys.stdout)


def shares(params: list[np.ndarray], X: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Shares of pulsars found, of non-pulsars found, and of all samples right."""
    return pulsar_ways.shares(network(params, X), labels)


def summary(found: dict[str, float], labels: np.ndarray) -> Table:
    """The shares as a table."""
    counts = (np.sum(labels == 1), np.sum(labels == 0), len(labels))
    table = Table(title="After training", title_justify="left")
    table.add_column("")
    table.add_column("samples", justify="right")
    table.add_column("share", justify="right")
    for (name, share), count in zip(found.items(), counts, strict=True):
        table.add_row(name, f"{count}", f"{share:.1%}")
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the data or the output folder are not usable."""
    options = _parser().parse_args(arguments)
    data_rng, training_rng = np.random.default_rng(options.seed).spawn(2)
    try:
        candidates = read_csv(options.data) if options.data else simulate(options.samples, data_rng)
        options.out.mkdir(parents=True, exist_ok=True)
        if options.way == "lists":
            _run(candidates, options, training_rng)
        else:
            _compare(candidates, options)
    except (DataError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _run(candidates: Candidates, options: argparse.Namespace, rng: np.random.Generator) -> None:
    """Train on the candidates, print the summary, save the pictures."""
    _tell_source(candidates, options)
    X, Y = standardise(candidates.features), np.eye(2)[candidates.labels]
    params, errors = train(X, Y, steps=options.steps, rng=rng, progress=options.progress)
    found = shares(params, X, candidates.labels)
    Console(file=sys.stdout).print(summary(found, candidates.labels))
    pictures = [
        pulsar_plots.loss_curve(options.out / "loss_curve.png", errors),
        pulsar_plots.decision_boundary(
            options.out / "decision_boundary.png", candidates, lambda Z: network(params, Z), X
        ),
    ]
    print("Pictures:", *pictures, sep="\n  ")


def _tell_source(candidates: Candidates, options: argparse.Namespace) -> None:
    source = options.data or "simulated"
    print(
        f"{len(candidates.labels)} candidates ({source}), {candidates.labels.sum()} of them pulsars"
    )


def _compare(candidates: Candidates, options: argparse.Namespace) -> None:
    """Train each way on the same candidates; print shares of those held out, save pictures."""
    _tell_source(candidates, options)
    ways = list(pulsar_ways.WAYS) if options.way == "all" else [options.way]
    found: dict[str, list[tuple[float, dict[str, float]]]] = {way: [] for way in ways}
    pictures = []
    for seed in range(options.seed, options.seed + options.seeds):
        split_key, training_key = random.split(random.key(seed))
        parts = pulsar_ways.split(candidates, split_key)
        X, labels = parts.held_out
        for way in ways:
            trained = _trained(way, parts, seed, training_key, options)
            found[way].append((trained.seconds, pulsar_ways.shares(trained.scores(X), labels)))
            if seed == options.seed:
                pictures += _pictures(way, trained, candidates, parts.features, options.out)
    Console(file=sys.stdout).print(pulsar_ways.comparison(found, len(labels)))
    print("Pictures:", *pictures, sep="\n  ")


def _trained(
    way: str, parts: pulsar_ways.Split, seed: int, key: Any, options: argparse.Namespace
) -> Trained:
    """Train in one of the ways; the batch errors of a single run are printed."""
    report = options.way != "all" and options.seeds == 1
    if way == "lists":
        X, labels = parts.train
        begin = time.perf_counter()
        params, errors = train(
            X, np.eye(2)[labels], steps=options.steps, rng=np.random.default_rng(seed),
            progress=options.progress, report=report,
        )  # fmt: skip
        return Trained(lambda Z: network(params, Z), errors, time.perf_counter() - begin)
    with _bar(options.steps, options.progress) as bar:
        return pulsar_ways.train(
            parts.train, steps=options.steps, batch=BATCH, key=key, jit=way == "jit",
            report=lambda step, error: _tell(bar, step, error, report),
        )  # fmt: skip


def _pictures(
    way: str, trained: Trained, candidates: Candidates, features: np.ndarray, out: Path
) -> list[Path]:
    error = "mean squared error" if way == "lists" else "mean cross entropy"
    return [
        pulsar_plots.loss_curve(out / f"loss_curve_{way}.png", trained.errors, error=error),
        pulsar_plots.decision_boundary(
            out / f"decision_boundary_{way}.png", candidates, trained.scores, features
        ),
    ]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description="Train a small network to find pulsars among candidates."
    )
    parser.add_argument(
        "--data", type=Path, help="CSV with eight feature columns and `label`; default: simulate"
    )
    parser.add_argument(
        "--way",
        choices=[*pulsar_ways.WAYS, "all"],
        default="lists",
        help="how the network is written: bare lists, fgrad_nn, the same compiled, or all of these",
    )
    parser.add_argument("--seed", type=at_least(0), default=0, help="of all random draws")
    parser.add_argument(
        "--seeds",
        type=at_least(1),
        default=1,
        help="how many seeds to try, from --seed on; not for `--way lists`",
    )
    parser.add_argument("--steps", type=at_least(1), default=1000, help="of gradient descent")
    parser.add_argument(
        "--samples", type=at_least(10), default=3000, help="how many candidates to simulate"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("pulsar_plots"), help="folder for the pictures"
    )
    parser.add_argument(
        "--no-progress", dest="progress", action="store_false", help="show no progress bar"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
