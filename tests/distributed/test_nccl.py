"""Arrays of GPUs go through NCCL: which calls it gets, from a stand-in that works on the host."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from fgrad.distributed import communicator, messages
from fgrad.distributed.communicator import Communicator
from fgrad.distributed.nccl import Nccl
from fgrad.distributed.transports import Alone
from fgrad.errors import ArgumentError, DtypeError


class Backend:
    """What `cupyx.distributed.init_process_group` returns, between two ranks with equal arrays."""

    def __init__(self):
        self.calls = []

    def _note(self, name, *arrays):
        for x in arrays:
            assert x.flags.c_contiguous
            assert x.dtype.char in "bBiIlLqQefdFD"
        self.calls.append((name, *(x.dtype.char for x in arrays[:1])))

    def all_reduce(self, x, out, op="sum"):
        self._note(f"all_reduce {op}", x, out)
        out[...] = 2 * x if op == "sum" else x

    def reduce(self, x, out, root=0, op="sum"):
        self._note(f"reduce {op} {root}", x, out)
        if root == 0:
            out[...] = 2 * x

    def broadcast(self, x, root=0):
        self._note(f"broadcast {root}", x)

    def all_gather(self, x, out, count):
        assert count == x.size
        self._note("all_gather", x, out)
        out[...] = np.stack([x, x])

    def reduce_scatter(self, x, out, count, op="sum"):
        assert (count, x.size) == (out.size, 2 * out.size)
        self._note(f"reduce_scatter {op}", x, out)
        out[...] = 2 * x.reshape(2, -1)[0]

    def send(self, x, peer):
        self._note(f"send {peer}", x)
        self.sent = x.copy()

    def recv(self, out, peer):
        self._note(f"recv {peer}", out)
        out[...] = self.sent


@pytest.fixture
def backend():
    return Backend()


@pytest.fixture
def nccl(backend, monkeypatch):
    group = SimpleNamespace(groupStart=lambda: backend.calls.append(("start",)),
                            groupEnd=lambda: backend.calls.append(("end",)))  # fmt: skip
    monkeypatch.setitem(sys.modules, "cupy.cuda.nccl", group)
    return Nccl(backend, 0, 2)


X = [np.arange(6.0).reshape(2, 3), np.ones(2, np.float16), np.array([True, False]), np.ones(4) * 1j]


def test_each_operation_is_one_call_for_each_dtype(nccl, backend):
    for got, x in zip(messages.add(nccl, X[:2] + X[3:]), X[:2] + X[3:], strict=True):
        np.testing.assert_array_equal(got, 2 * x)
        assert got.dtype == x.dtype
    assert backend.calls == [("all_reduce sum", c) for c in "dfD"]
    backend.calls.clear()
    for got, x in zip(messages.gather(nccl, X), X, strict=True):
        np.testing.assert_array_equal(got, np.stack([x, x]))
    assert backend.calls == [("all_gather", "B")] * 4
    backend.calls.clear()
    (got,) = messages.scatter(nccl, [X[0]])
    np.testing.assert_array_equal(got, 2 * X[0][0])
    (got,) = messages.collect(nccl, [X[0]], 1)
    np.testing.assert_array_equal(got, 0 * X[0])
    messages.spread(nccl, X, 1)
    assert backend.calls == [
        ("reduce_scatter sum", "d"), ("reduce sum 1", "d"), *[("broadcast 1", "B")] * 4
    ]  # fmt: skip


def test_extremes_keep_nan_and_booleans(nccl, backend):
    x = np.array([np.nan, 1.0, -np.inf])
    got, flags = messages.extreme(nccl, [x, X[2]], "max")
    np.testing.assert_array_equal(got, x)
    assert flags.dtype == np.bool_
    assert backend.calls == [
        ("all_reduce max", "d"), ("all_reduce max", "B"), ("all_reduce max", "B")
    ]  # fmt: skip


def test_an_exchange_is_one_group(nccl, backend):
    (got,) = messages.exchange(nccl, [X[0]], 1, 1)
    np.testing.assert_array_equal(got, X[0])
    assert [c[0] for c in backend.calls] == ["start", "send 1", "recv 1", "end"]
    (got,) = messages.exchange(nccl, [X[0]], None, None)
    np.testing.assert_array_equal(got, 0 * X[0])
    messages.send(nccl, [X[0]], 1, 0)
    (got,) = messages.receive(nccl, [X[0]], 1, 0)
    np.testing.assert_array_equal(got, X[0])


def test_dtypes_that_nccl_does_not_know_are_refused(nccl):
    with pytest.raises(DtypeError) as error:
        messages.add(nccl, [np.ones(2, np.int16)])
    assert str(error.value).split("\n") == [
        "NCCL wants numbers of 8, 32 or 64 bits, or float16.",
        "  It got: an int16 array of shape (2,)",
        "  To do: convert it: x.astype(np.int32)",
    ]


class Two(Alone):
    size = 2


def test_the_type_of_the_arrays_decides(monkeypatch, backend):
    made = []
    comm = Communicator(Two(), "two", lambda: made.append(1) or backend)
    x, y = np.ones(2), np.zeros(3)
    assert comm.transport([x]) is comm._local
    monkeypatch.setattr(communicator, "is_cupy", lambda a: a is x)
    assert isinstance(comm.transport([x]), Nccl)
    assert comm.transport([x]) is comm.transport([x])
    assert made == [1]  # once, when the first array moves
    with pytest.raises(DtypeError) as error:
        comm.transport([x, y])
    assert str(error.value).split("\n") == [
        "A collective operation wants all arrays on the host, or all on a GPU.",
        "  It got: a float64 array of shape (3,) on the host, beside others on a GPU",
        "  To do: move them: fgrad.tree.map(cupy.asarray, tree)",
    ]
    part = Communicator(Two(), "part")
    with pytest.raises(ArgumentError, match="NCCL wants the communicator of all processes"):
        part.transport([x])


def test_the_group_is_made_of_all_processes(monkeypatch):
    made = []
    module = ModuleType("cupyx.distributed")
    module.init_process_group = lambda n, rank, use_mpi: made.append((n, rank, use_mpi))
    mpi = ModuleType("mpi4py.MPI")
    mpi.COMM_WORLD = SimpleNamespace(Get_size=lambda: 4, Get_rank=lambda: 3)
    monkeypatch.setitem(sys.modules, "cupyx.distributed", module)
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", mpi)
    communicator._init_process_group()
    assert made == [(4, 3, True)]
