"""Training on several ranks, one case for each name: run by mpiexec."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import fgrad_nn as nn
from fgrad import grad, hvp, random, tree
from fgrad.distributed import world
from fgrad.errors import CommunicationError, FileError
from fgrad_nn.optimizers import scale_by_zoom_linesearch
from fgrad_nn.training import Checkpoints, DataParallel
from fgrad_nn.training.parallel import shared_objective

rng = np.random.default_rng(0)
X = rng.normal(size=(203, 4))
Y = np.stack([np.sin(X[:, 0]), X[:, 1] * X[:, 2]], axis=1)
NET = nn.mlp([8, 2], np.tanh)
_, PARAMS = NET.init(random.key(1), (-1, 4))


def loss(params, batch):
    x, y = batch
    return np.mean((NET.apply(params, x) - y) ** 2)


def apart(a, b):
    return max(np.max(np.abs(x - y)) for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True))


def run(comm, data, optimizer, *, epochs=4, objective=loss, state=None, step=None, **options):
    """Train on ranks, and on one process."""
    out = []
    for ranks in (comm, None):
        shown = data if ranks is None else nn.shard(data, ranks)
        begin = state or nn.TrainState.create(PARAMS, optimizer)
        made = nn.train_step(objective, optimizer, comm=ranks, **(step or {}))
        out.append(nn.fit(made, begin, shown, epochs=epochs, progress=False, **options))
    return out


def same_as_one(comm):
    """All kinds of batches, losses and optimizers give what one process computes."""
    data = (X, Y)
    for remainder in ("keep", "drop", "wrap"):
        for key in (None, random.key(3)):
            batches = nn.batches(data, 32, key, remainder)
            many, one = run(comm, batches, nn.adam(0.02))
            assert apart(many.state.params, one.state.params) < 1e-13, remainder
            assert np.isclose(many.history.epochs[-1]["loss"], one.history.epochs[-1]["loss"])
            texts = comm.texts(str(many.history.epochs))
            assert len(set(texts)) == 1
    assert int(many.state.step) == 28

    def masked(params, batch):
        (x, y), mask = batch
        each = np.mean((NET.apply(params, x) - y) ** 2, axis=1)
        return np.sum(each * mask) / np.sum(mask)

    # 203 examples in batches of 100: the last one has 3, all of them on rank 0.
    batches = nn.batches(data, 100, random.key(3), "pad")
    parallel = DataParallel(comm, check_every=1, weight=lambda batch: np.sum(batch[1]))
    with np.errstate(invalid="ignore", divide="ignore"):
        step = nn.train_step(masked, nn.sgd(0.1), comm=parallel)
        state = nn.TrainState.create(PARAMS, nn.sgd(0.1))
        many = nn.fit(step, state, nn.shard(batches, comm), epochs=3, progress=False)
    one = nn.fit(nn.train_step(masked, nn.sgd(0.1)), state, batches, epochs=3, progress=False)
    assert apart(many.state.params, one.state.params) < 1e-13

    # In the last batch one rank has a part of a length that is new to it, and another hasn't.
    many, one = run(comm, nn.batches(data, 2 * comm.size - 1), nn.sgd(0.1), epochs=2)
    assert apart(many.state.params, one.state.params) < 1e-13

    # A line search evaluates the loss of all ranks' examples, and its gradient.
    search = nn.chain(nn.sgd(1.0), scale_by_zoom_linesearch(8))
    for jit in (True, False):
        batches = nn.batches(data, 203)
        many, one = run(comm, batches, search, epochs=5, step={"jit": jit})
        assert apart(many.state.params, one.state.params) < 1e-10
    part = next(nn.shard(nn.batches(data, 32), comm))
    shared = shared_objective(DataParallel(comm), part, lambda params: loss(params, part))
    whole = (X[:32], Y[:32])
    assert np.isclose(shared(PARAMS), loss(PARAMS, whole))
    assert apart(grad(shared)(PARAMS), grad(loss)(PARAMS, whole)) < 1e-13
    t = tree.map(np.cos, PARAMS)
    both = [hvp(f, (PARAMS,), (t,)) for f in (shared, lambda params: loss(params, whole))]
    assert apart(*both) < 1e-12
    low = tree.map(lambda p: p.astype(np.float32), PARAMS)
    many, one = run(
        comm, nn.batches((X.astype(np.float32), Y.astype(np.float32)), 32), nn.adam(0.02),
        state=nn.TrainState.create(low, nn.adam(0.02)),
    )  # fmt: skip
    assert apart(many.state.params, one.state.params) < 1e-4
    assert all(p.dtype == np.float32 for p in tree.leaves(many.state.params))


def state_and_metrics(comm):
    """The state of layers and metrics are averages; keys differ by rank, batches by part."""
    net = nn.serial(nn.dense(8), nn.batch_norm(), np.tanh, nn.dropout(0.5), nn.dense(2))
    _, params = net.init(random.key(1), (-1, 4))

    def objective(params, batch, *, state, key):
        x, y = batch
        out, state = net.apply(params, x, state=state, key=key, train=True)
        aux = {
            "draw": random.uniform(key),
            "right": np.sum(out[:, 0] > y[:, 0]),
            "mean": np.mean(x),
        }
        return np.mean((out - y) ** 2), (state, aux)

    optimizer = nn.adam(0.01)
    start = nn.TrainState.create(
        params, optimizer, model_state=net.init_state(random.key(1), (-1, 4)), key=random.key(5)
    )
    step = nn.train_step(objective, optimizer, has_aux=True, has_state=True, comm=comm)
    part = next(nn.shard(nn.batches((X, Y), 100), comm))
    state, metrics = step(start, part)
    assert np.isclose(float(metrics["mean"]), X[:100].mean())
    assert metrics["right"] != int(metrics["right"]) or comm.size == 1 or comm.size == 2
    assert len(set(comm.texts(str(tree.leaves(state))))) == 1
    key = random.fold_in(random.key(5), 0)
    draws = [random.uniform(random.fold_in(key, rank)) for rank in range(comm.size)]
    parts = np.diff([100 * rank // comm.size for rank in range(comm.size + 1)])
    assert np.isclose(float(metrics["draw"]), np.average(draws, weights=parts))
    kept = state.model_state
    wanted = (X[:100] @ params["0_dense"]["weight"]).mean(axis=0)
    moved = [x for x in tree.leaves(kept) if np.shape(x) == (8,)]
    scale = min(np.max(np.abs(x / wanted - (x / wanted)[0])) for x in moved)
    assert scale < 1e-10, scale  # a running mean: a multiple of the mean of all examples


def ends_together(comm):
    """A callback of one rank, and early stopping, end the training of all."""

    class Enough:
        def on_step(self, state, record):
            return record["step"] == 5 and comm.rank == comm.size - 1

    step = nn.train_step(loss, nn.sgd(0.1), comm=comm)
    start = nn.TrainState.create(PARAMS, nn.sgd(0.1))
    data = nn.shard(nn.batches((X, Y), 32), comm)
    done = nn.fit(step, start, data, epochs=9, callbacks=[Enough()], progress=False)
    assert (int(done.state.step), done.reason) == (5, "callback")
    # What rank 0 validates counts, whatever the others see.
    worse = iter(range(100))
    done = nn.fit(
        step, start, data, epochs=9, patience=2, progress=False,
        validate=lambda state: float(next(worse) if comm.rank == 0 else -next(worse)),
    )  # fmt: skip
    assert (int(done.state.step), done.reason) == (21, "early stopping")


def differs(comm):
    """States that differ between ranks are found, at the beginning and later."""
    params = tree.map(np.copy, PARAMS)
    params["0_dense"]["bias"][3] += 1e-300 * comm.rank
    step = nn.train_step(loss, nn.sgd(0.1), comm=comm)
    part = next(nn.shard(nn.batches((X, Y), 32), comm))
    with pytest.raises(CommunicationError) as e:
        step(nn.TrainState.create(params, nn.sgd(0.1)), part)
    came = "different numbers before the first step at .params['0_dense']['bias']"
    assert e.value.came == came
    drifting = nn.chain(nn.sgd(0.1), nn.optimizers.GradientTransformation(
        lambda params: (), lambda g, s, p=None: (tree.map(lambda x: x * (1 + comm.rank), g), s)
    ))  # fmt: skip
    step = nn.train_step(loss, drifting, comm=DataParallel(comm, check_every=3))
    state = nn.TrainState.create(PARAMS, drifting)
    for _ in range(2):
        state, _ = step(state, part)
    with pytest.raises(CommunicationError, match=r"after step 3 at \.params.* and 1 more"):
        step(state, part)


def half(comm, folder):
    """Train, and stop in the middle of an epoch."""

    class PowerFails:
        def on_step(self, state, record):
            return record["step"] == 11

    _checkpointed(comm, folder, [PowerFails()])


def rest(comm, folder):
    """Go on with what `half` has left."""
    done = _checkpointed(comm, folder, [])
    one = nn.fit(
        nn.train_step(loss, nn.adam(0.02)), nn.TrainState.create(PARAMS, nn.adam(0.02)),
        nn.batches((X, Y), 32, random.key(3)), epochs=4, progress=False,
    )  # fmt: skip
    assert apart(done.state, one.state) < 1e-13
    assert [r["step"] for r in done.history.epochs] == [7, 14, 21, 28]
    assert len(set(comm.texts(str(tree.leaves(done.state)) + str(done.history)))) == 1
    assert done.best is not None
    assert len(set(comm.texts(str(tree.leaves(done.best.state))))) == 1
    if comm.rank == 0:
        print("went on", comm.size)


def _checkpointed(comm, folder, callbacks):
    # Each rank has a folder of its own: only that of rank 0 is written to.
    mine = Path(folder) if comm.rank == 0 else Path(folder) / f"rank{comm.rank}"
    done = nn.fit(
        nn.train_step(loss, nn.adam(0.02), comm=comm),
        nn.TrainState.create(PARAMS, nn.adam(0.02)),
        nn.shard(nn.batches((X, Y), 32, random.key(3)), comm), epochs=4, progress=False,
        checkpoint=Checkpoints(mine, every_steps=4), callbacks=callbacks,
    )  # fmt: skip
    assert comm.rank == 0 or not mine.exists()
    return done


def damaged(comm, folder):
    """What rank 0 can't read is an error on all ranks."""
    if comm.rank == 0:
        (Path(folder) / "step-0000000009.safetensors").write_bytes(b"\0" * 100)
    comm.barrier()
    start = nn.TrainState.create(PARAMS, nn.adam(0.02))
    step = nn.train_step(loss, nn.adam(0.02), comm=comm)
    data = nn.shard(nn.batches((X, Y), 32), comm)
    with pytest.raises(FileError, match="without checkpoints"):
        nn.fit(step, start, data, epochs=1, progress=False, checkpoint=folder, resume=False)


if __name__ == "__main__":
    with world(timeout=60) as comm:
        if len(sys.argv) > 1:
            globals()[sys.argv[1]](comm, *sys.argv[2:])
        else:
            for case in (same_as_one, state_and_metrics, ends_together, differs):
                case(comm)
                if comm.rank == 0:
                    print("holds", case.__name__, flush=True)
