"""Operations between processes on arrays of the device: by NCCL's calls, in each transformation."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import fgrad
import fgrad_nn as nn
from fgrad import distributed, jit, random, tree
from fgrad.distributed.communicator import Communicator
from fgrad.distributed.transports import Alone

from . import laws
from .array import ndarray
from .traffic import counted

X = np.arange(6.0).reshape(2, 3) / 4


class Backend:
    """What `cupyx.distributed.init_process_group` returns, between two ranks with equal arrays."""

    def all_reduce(self, x, out, op="sum"):
        out[...] = 2 * x if op == "sum" else x

    def reduce(self, x, out, root=0, op="sum"):
        if root == 0:
            out[...] = 2 * x

    def broadcast(self, x, root=0):
        assert x.flags.c_contiguous

    def all_gather(self, x, out, count):
        out[...] = x

    def reduce_scatter(self, x, out, count, op="sum"):
        out[...] = 2 * x.reshape(2, -1)[0]

    def send(self, x, peer):
        self.sent = x.copy()

    def recv(self, out, peer):
        out[...] = self.sent


class Two(Alone):
    """The agreements of two ranks that always agree."""

    size = 2


@pytest.fixture
def comm(monkeypatch):
    group = SimpleNamespace(groupStart=lambda: None, groupEnd=lambda: None)
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", group)
    return Communicator(Two(), "two", Backend)


OPERATIONS = {
    "psum": (lambda x, comm: distributed.psum(x, comm), lambda x: 2 * x),
    "pmean": (lambda x, comm: distributed.pmean(x, comm), lambda x: x),
    "pmax": (lambda x, comm: distributed.pmax(x, comm), lambda x: x),
    "all_gather": (
        lambda x, comm: distributed.all_gather(x, comm),
        lambda x: np.stack([x, x]),
    ),
    "broadcast": (lambda x, comm: distributed.broadcast(x, comm), lambda x: x),
    "ppermute": (lambda x, comm: distributed.ppermute(x, comm, [(0, 1), (1, 0)]), lambda x: x),
}


@pytest.mark.parametrize("how", ["now", "compiled", "recorded", "mapped"])
@pytest.mark.parametrize("name", OPERATIONS)
def test_answers_stay_on_the_device(cupy, comm, name, how):
    operation, wanted = OPERATIONS[name]
    x = {"a": X, "b": [X[0].astype(np.float32)]}
    want = tree.map(wanted, x)

    def f(x):
        return operation(x, comm)

    there = tree.to_device(x, cupy)
    if how == "mapped":
        want = tree.map(lambda *ys: np.stack(ys), want, want)
        there = tree.map(lambda y: np.stack([y, y]), there)
        f = fgrad.vmap(f)
    f = jit(f, strict=True) if how == "compiled" else f
    f = fgrad.make_graph(f)(there) if how == "recorded" else f
    for _ in range(2):
        with counted() as traffic:
            got = f(there)
    assert all(isinstance(y, ndarray) for y in tree.leaves(got))
    assert (traffic.syncs, traffic.to_host) == (0, 0)
    laws.close(laws.back(got), want, name)


@pytest.mark.parametrize("name", OPERATIONS)
def test_derivatives_stay_on_the_device(cupy, comm, name):
    operation, _ = OPERATIONS[name]
    x = cupy.asarray(X)
    with counted() as traffic:
        y, t = fgrad.jvp(lambda x: operation(np.sin(x), comm), (x,), (x,))
        (g,) = fgrad.vjp(lambda x: operation(np.sin(x), comm), x)[1](y)
    assert all(isinstance(v, ndarray) for v in (y, t, g))
    assert (traffic.syncs, traffic.to_host) == (0, 0)


def test_ranks_train_together(cupy, comm):
    x, y = np.random.default_rng(0).normal(size=(8, 3)), np.ones((8, 2))
    net, optimizer = nn.mlp([4, 2], np.tanh), nn.adam(0.1)
    _, params = net.init(random.key(0), (-1, 3))

    def loss(params, batch):
        return np.mean((net.apply(params, batch[0]) - batch[1]) ** 2)

    def trained(params, batch, **options):
        step = nn.train_step(loss, optimizer, **options)
        state = nn.TrainState.create(params, optimizer)
        for _ in range(3):
            state, _ = step(state, batch)
        return state.params

    got = trained(tree.to_device(params, cupy), tree.to_device((x, y), cupy), comm=comm)
    assert all(isinstance(p, ndarray) for p in tree.leaves(got))
    laws.close(laws.back(got), trained(params, (x, y)), "two ranks with equal batches")


def test_a_single_process_computes_as_it_is(cupy):
    comm = Communicator(Alone(), "one")
    for name, (operation, _) in OPERATIONS.items():
        if name != "ppermute":
            got = operation(cupy.asarray(X), comm)
            want = operation(X, comm)
            assert isinstance(got, ndarray)
            np.testing.assert_array_equal(got._a, want)
