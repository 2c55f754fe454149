"""Train the pulsar network on several processes, and compare with one.

    python examples/distributed.py                # one process
    mpiexec -n 2 python examples/distributed.py   # two, on this machine
    mpiexec -n 8 --hosts a,b python examples/distributed.py --checkpoint run

The program is the same for any number of processes, called ranks. Each takes its part of every
batch; the gradient is averaged over all, so all take the same step and keep the same parameters.
Rank 0 then trains once more by itself, and prints how far the two are apart: nothing but rounding.

With `--checkpoint` a run that was stopped goes on, also with another number of ranks.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import program
import pulsar_ways
from pulsar_data import simulate

import fgrad_nn as nn
from fgrad import random, tree
from fgrad.distributed import Communicator, world

UNITS = (25, 10)
BATCH = 100
LEARNING_RATE = 0.01


def network() -> Any:
    """Two hidden layers, 8-25-10-2."""
    return nn.mlp([*UNITS, 2], np.tanh)


def train(
    data: tuple[np.ndarray, np.ndarray],
    key: Any,
    epochs: int,
    comm: Communicator | None,
    **options: Any,
) -> Any:
    """Fit the network to features and labels, on all ranks or, with None, on this one alone."""
    net = network()
    init_key, order_key = random.split(key)
    _, params = net.init(init_key, (-1, data[0].shape[1]))

    def loss(params: Any, batch: Any) -> Any:
        X, labels = batch
        return nn.cross_entropy(net.apply(params, X), labels)

    optimizer = nn.adam(LEARNING_RATE)
    batches = nn.batches(data, BATCH, order_key)
    step = nn.train_step(loss, optimizer, comm=comm)
    return nn.fit(
        step, nn.TrainState.create(params, optimizer),
        batches if comm is None else nn.shard(batches, comm), epochs=epochs, **options,
    )  # fmt: skip


def digest(params: Any) -> str:
    """A few letters that stand for all bits of the parameters."""
    text = b"".join(np.asarray(x).tobytes() for x in tree.leaves(params))
    return hashlib.blake2b(text, digest_size=4).hexdigest()


def distance(params: Any, others: Any) -> float:
    """The greatest difference of a parameter, relative to the greatest parameter."""
    pairs = zip(tree.leaves(params), tree.leaves(others), strict=True)
    scale = max(np.max(np.abs(x)) for x in tree.leaves(others))
    return float(max(np.max(np.abs(a - b)) for a, b in pairs) / scale)


def row(name: str, batch: str, seconds: float, done: Any, held_out: Any, apart: str) -> list[str]:
    """What a training has brought, as a row of the table: shares are of those held out."""
    X, labels = held_out
    found = pulsar_ways.shares(network().apply(done.state.params, X), labels)
    loss = done.history.epochs[-1]["loss"]
    return [name, batch, f"{seconds:.2f}", f"{loss:.9f}", *map("{:.1%}".format, found.values()),
            digest(done.state.params), apart]  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program."""
    options = _parser().parse_args(arguments)
    with world() as comm:
        _run(options, comm)
    return 0


def _run(options: argparse.Namespace, comm: Communicator) -> None:
    split_key, key = random.split(random.key(options.seed))  # the same on all ranks, like these:
    candidates = simulate(options.samples, np.random.default_rng(options.seed))
    parts = pulsar_ways.split(candidates, split_key)
    comm.barrier()
    begin = time.perf_counter()
    done = train(
        parts.train, key, options.epochs, comm, checkpoint=options.checkpoint,
        progress=options.progress,
    )  # fmt: skip
    seconds = time.perf_counter() - begin
    digests = comm.texts(digest(done.state.params))
    if comm.is_root:
        begin = time.perf_counter()
        alone = train(parts.train, key, options.epochs, None, progress=options.progress)
        took = time.perf_counter() - begin
        apart = f"{distance(done.state.params, alone.state.params):.1e}"
        size = comm.size
        ranks = f"{size} rank{'s' * (size > 1)}"
        program.table(
            f"{len(parts.train[1])} candidates to learn from, {len(parts.held_out[1])} held out",
            ["", "batch", "seconds", "loss", "pulsars", "others", "all right", "digest", "apart"],
            [row(ranks, f"{BATCH}/{size}", seconds, done, parts.held_out, apart),
             row("alone", f"{BATCH}", took, alone, parts.held_out, "")],
        )  # fmt: skip
        same = "the same" if len(set(digests)) == 1 else "DIFFERENT"
        print(f"The parameters are {same} to the last bit on all ranks, after", end=" ")
        print(f"{int(done.state.step)} steps.")


def _parser() -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(description="Train the pulsar network on several processes.")
    count = program.at_least(1)
    options.add_argument("--epochs", type=count, default=15, help="passes over the candidates")
    options.add_argument("--samples", type=program.at_least(200), default=17898, help="candidates")
    options.add_argument("--seed", type=program.at_least(0), default=0, help="of all random draws")
    options.add_argument("--checkpoint", type=Path, help="a folder to go on from")
    options.add_argument(
        "--no-progress", dest="progress", action="store_false", help="show no progress bar"
    )
    return options


if __name__ == "__main__":
    sys.exit(main())
