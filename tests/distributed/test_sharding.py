"""Parts of batches, and what data-parallel training refuses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fgrad import random
from fgrad.distributed import world
from fgrad.distributed.communicator import Communicator
from fgrad.distributed.transports import Alone
from fgrad.errors import ArgumentError, ShapeError
from fgrad_nn import sgd, train_step
from fgrad_nn.data import batches, prefetch, shard
from fgrad_nn.training import DataParallel, TrainState
from fgrad_nn.training.parallel import as_parallel, averaged


class Rank(Alone):
    """One of several ranks; what they would do together isn't done."""

    def __init__(self, rank, size):
        self.rank, self.size = rank, size


def rank_of(rank, size):
    return Communicator(Rank(rank, size), "some")


@given(
    st.integers(1, 40), st.integers(1, 12), st.integers(1, 5), st.booleans(),
    st.sampled_from(["keep", "drop", "pad", "wrap"]), st.integers(0, 3),
)  # fmt: skip
def test_the_parts_of_all_ranks_are_the_batch(n, size, ranks, keyed, remainder, skipped):
    data = {"x": np.arange(n), "y": np.arange(2.0 * n).reshape(n, 2)}
    if remainder == "drop" and n < size:
        return
    whole = batches(data, size, random.key(1) if keyed else None, remainder, epochs=2)
    rest = n % size
    if (rest if rest and remainder == "keep" else size) < ranks:
        with pytest.raises(ShapeError):
            shard(whole, rank_of(0, ranks))
        return
    start = (1, min(skipped, whole.steps_per_epoch - 1))
    parts = [shard(whole, rank_of(rank, ranks)) for rank in range(ranks)]
    assert all(p.steps_per_epoch == whole.steps_per_epoch for p in parts)
    for batch, *mine in zip(whole.at(start), *(p.at(start) for p in parts), strict=True):
        pairs = (batch, mine)
        if remainder == "pad":
            np.testing.assert_array_equal(batch[1], np.concatenate([mask for _, mask in mine]))
            pairs = (batch[0], [part for part, _ in mine])
        for name in data:
            joined = np.concatenate([part[name] for part in pairs[1]])
            np.testing.assert_array_equal(pairs[0][name], joined)
        lengths = [len(part["x"]) for part in pairs[1]]
        assert max(lengths) - min(lengths) <= 1
        assert min(lengths) >= 1


def test_positions_are_those_of_whole_batches():
    whole = batches(np.arange(10), 4, random.key(0), epochs=None)
    part = prefetch(shard(whole, rank_of(1, 2)))
    with part:
        for _ in range(4):
            next(part)
        assert part.state == (1, 1)
        assert part.steps_per_epoch == 3
        again = shard(whole, rank_of(1, 2)).at(part.state)
        np.testing.assert_array_equal(next(part), next(again))


@pytest.mark.parametrize(
    ("call", "kind", "lines"),
    [
        (lambda: shard([1], world()), ArgumentError, [
            "shard wants what fgrad_nn.data.batches returns.", "  It got: [1] (a list)",
            "  To do: shard first, and prefetch then: prefetch(shard(batches(...), comm))"]),
        (lambda: shard(batches(np.ones(3), 2), 2), ArgumentError, [
            "shard wants a communicator.", "  It got: 2 (an int)",
            "  To do: pass fgrad.distributed.world()"]),
        (lambda: shard(batches(np.ones(9), 4), rank_of(0, 2)), ShapeError, [
            "shard wants batches of at least 2 examples, one for each rank.", "  It got: one of 1",
            '  To do: choose another remainder, such as "drop" or "wrap"']),
        (lambda: shard(batches(np.ones(9), 3), rank_of(0, 4)), ShapeError, [
            "shard wants batches of at least 4 examples, one for each rank.", "  It got: one of 3",
            "  To do: choose a larger batch size"]),
        (lambda: train_step(abs, sgd(0.1), comm=2), ArgumentError, [
            "train_step wants a communicator as comm.", "  It got: 2 (an int)",
            "  To do: pass fgrad.distributed.world(), or DataParallel(world(), check_every=...)"]),
        (lambda: train_step(abs, sgd(0.1), comm=DataParallel(world(), 0)), ArgumentError, [
            "DataParallel wants an integer from 1 on as check_every.", "  It got: 0 (an int)",
            "  To do: pass a number of steps, or None for never"]),
        (lambda: averaged(DataParallel(rank_of(0, 2)), 3.0, 1.0), ArgumentError, [
            "A parallel step wants batches whose first axis counts the examples.",
            "  It got: 3.0 (a float)",
            "  To do: give DataParallel weight=, a function of a batch"]),
    ],
)  # fmt: skip
def test_errors(call, kind, lines):
    with pytest.raises(kind) as error:
        call()
    assert str(error.value).split("\n") == lines


def test_one_rank_takes_the_step_of_one_process():
    assert as_parallel(world()) is None
    state = TrainState.create(np.ones(3), sgd(0.1))

    def loss(w, x):
        return np.mean((x @ w) ** 2)

    x = np.arange(6.0).reshape(2, 3)
    one, many = (train_step(loss, sgd(0.1), comm=comm)(state, x)[0] for comm in (None, world()))
    np.testing.assert_array_equal(one.params, many.params)
