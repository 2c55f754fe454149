"""Communicators and operations of one process: values, errors, and what they refuse."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest

from fgrad import jit, vmap
from fgrad.distributed import (
    all_gather,
    broadcast,
    from_mpi,
    mpi,
    pmax,
    pmean,
    ppermute,
    psum,
    recv,
    reduce_scatter,
    send,
    world,
)
from fgrad.distributed.agreement import Signature, difference, kinds_of
from fgrad.distributed.communicator import Communicator
from fgrad.distributed.messages import groups, pack, unpack
from fgrad.distributed.transports import Alone
from fgrad.errors import (
    ArgumentError,
    CommunicationError,
    DtypeError,
    MissingPackageError,
    ShapeError,
)

COMM = world()


class Pair(Alone):
    """Rank 0 of two, as far as arguments are checked."""

    size = 2


PAIR = Communicator(Pair(), "pair")


def text(error):
    return str(error.value).split("\n")


@pytest.mark.parametrize(
    ("call", "kind", "lines"),
    [
        (lambda: psum(1.0, "i"), ArgumentError, [
            "fgrad.distributed.psum wants a communicator.", "  It got: 'i' (a str)",
            "  To do: pass fgrad.distributed.world(); for a mapped axis call fgrad's function of "
            "that name"]),
        (lambda: psum({"w": [1.0, "x"]}, COMM), DtypeError, [
            "psum wants pytrees of arrays of numbers.", "  It got: 'x' (a str) at ['w'][1]",
            "  To do: leave out what is none"]),
        (lambda: pmax(1j, COMM), DtypeError, [
            "pmax wants pytrees of arrays of real numbers.", "  It got: 1j (a complex)",
            "  To do: leave out what is none"]),
        (lambda: pmax([np.array(["a"])], COMM), DtypeError, [
            "pmax wants pytrees of arrays of real numbers.",
            "  It got: a <U1 array of shape (1,) at [0]", "  To do: leave out what is none"]),
        (lambda: broadcast(1.0, COMM, 1), ArgumentError, [
            "broadcast wants a rank from 0 to 0 as root.", "  It got: 1 (an int)",
            "  To do: pass the number of one of comm.size ranks"]),
        (lambda: ppermute(1.0, PAIR, [(0, 1), (0, 0)]), ArgumentError, [
            "ppermute wants each rank at most once as a source.", "  It got: perm=[(0, 1), (0, 0)]",
            "  To do: leave one of its pairs away, or call ppermute once for each"]),
        (lambda: ppermute(1.0, PAIR, [(0, 1), (1, 1)]), ArgumentError, [
            "ppermute wants each rank at most once as a destination.",
            "  It got: perm=[(0, 1), (1, 1)]",
            "  To do: leave one of its pairs away, or call ppermute once for each"]),
        (lambda: ppermute(1.0, PAIR, [(0, "b")]), ArgumentError, [
            "ppermute wants a rank from 0 to 1 as destination.", "  It got: 'b' (a str)",
            "  To do: pass the number of one of comm.size ranks"]),
        (lambda: all_gather({"a": np.ones(3)}, COMM, axis=2), ShapeError, [
            "all_gather wants an axis within the rank of the result, 2.",
            "  It got: axis=2 for a float64 array of shape (3,) at ['a']",
            "  To do: choose one of its axes"]),
        (lambda: all_gather(np.float32(3), COMM, tiled=True), ShapeError, [
            "all_gather wants an axis within the rank of the result, 0.",
            "  It got: axis=0 for a float32 array of shape ()",
            "  To do: choose one of its axes, or tiled=False"]),
        (lambda: reduce_scatter([np.ones((3, 2))], PAIR), ShapeError, [
            "reduce_scatter wants an axis 0 of length 2, the number of ranks.",
            "  It got: a float64 array of shape (3, 2) at [0]",
            "  To do: reshape it, or pass tiled=True for a multiple"]),
        (lambda: reduce_scatter(np.ones((2, 3)), PAIR, axis=-1, tiled=True), ShapeError, [
            "reduce_scatter wants an axis -1 of length a multiple of 2.",
            "  It got: a float64 array of shape (2, 3)", "  To do: pad it"]),
        (lambda: send(1.0, 1, COMM), ArgumentError, [
            "send to rank 1 wants another rank.", "  It got: rank 1, and a single process",
            "  To do: start the program by mpiexec -n 2, or leave the call out where comm.size == "
            "1"]),
        (lambda: send(1.0, 0, PAIR), ArgumentError, [
            "send wants another rank.", "  It got: rank 0 itself",
            "  To do: use the values as they are"]),
        (lambda: recv(1.0, 1, PAIR, tag=1024), ArgumentError, [
            "recv wants an integer from 0 to 1023 as tag.", "  It got: 1024 (an int)",
            "  To do: pass such a number"]),
        (lambda: world(timeout=0), ArgumentError, [
            "world wants a number of seconds above 0 as timeout.", "  It got: 0 (an int)",
            "  To do: pass a number, such as 600, or math.inf to wait for ever"]),
        (lambda: from_mpi("x"), ArgumentError, [
            "from_mpi wants a communicator of mpi4py.", "  It got: 'x' (a str)",
            "  To do: pass mpi4py.MPI.COMM_WORLD, or call fgrad.distributed.world()"]),
    ],
)  # fmt: skip
def test_errors(call, kind, lines):
    with pytest.raises(kind) as error:
        call()
    assert text(error) == lines


def test_without_mpi_there_is_one_process(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)  # makes its import fail
    assert isinstance(mpi.launch(math.inf, {}), Alone)
    assert isinstance(mpi.launch(math.inf, {"PMI_SIZE": "1"}), Alone)
    with pytest.raises(MissingPackageError) as error:
        mpi.launch(math.inf, {"PMI_SIZE": "4"})
    lines = text(error)
    assert lines[0] == ("fgrad.distributed wants mpi4py where a launcher starts several processes.")
    assert lines[1].startswith("  It got: PMI_SIZE=4 and no MPI to import: ")
    assert lines[2] == (
        '  To do: python -m pip install "fgrad[mpi]"; without it each process would think that it '
        "is the only one"
    )


def test_answers_share_no_memory_with_operands():
    x = np.ones(3)
    for f in (psum, pmean, broadcast):
        y = f(x, COMM)
        y[:] = 7
    all_gather(x, COMM)[:] = 7
    ppermute(x, COMM, [(0, 0)])[:] = 7
    np.testing.assert_array_equal(x, 1)
    np.testing.assert_array_equal(jit(lambda x: psum(x, COMM) + x)(x), 2)
    np.testing.assert_array_equal(x, 1)


def test_one_rank_is_neutral():
    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=(1, 3)), "n": 2, "c": np.float32(1.5)}
    for f in (psum, pmean, pmax, broadcast):
        y = f(x, COMM)
        np.testing.assert_array_equal(y["a"], x["a"])
        assert y["c"].dtype == np.float32
        assert y["n"] == 2
    np.testing.assert_array_equal(reduce_scatter(x["a"], COMM), x["a"][0])
    np.testing.assert_array_equal(vmap(lambda a: psum(a, COMM))(x["a"]), x["a"])
    assert (COMM.any(True), COMM.any(False), COMM.all_equal(3)) == (True, False, True)
    assert COMM.texts("a") == ["a"]
    assert COMM.split(1).size == 1
    assert COMM.split(None) is None
    assert COMM.is_root
    COMM.barrier()
    COMM.abort()  # ends nobody
    with pytest.raises(ZeroDivisionError), world():
        _ = 1 / 0


def test_small_arrays_of_a_dtype_travel_together():
    small, large = np.ones(3), np.ones(1 << 18)
    xs = [small, small.astype("f4"), large, small, small.astype("f4"), large.astype("f4")]
    assert groups(xs) == [[0, 3], [1, 4], [2], [5]]
    flat = pack([np.arange(4.0).reshape(2, 2), np.arange(3.0)], np.float64)
    np.testing.assert_array_equal(flat, [0, 1, 2, 3, 0, 1, 2])
    a, b = unpack(flat, [(2, 2), (3,)], [np.dtype(float)] * 2)
    np.testing.assert_array_equal(a, [[0, 1], [2, 3]])
    assert a.base is None
    assert b.base is None


def test_signatures_tell_everything_apart_that_matters():
    def number(name="psum", *xs):
        return Signature(name, None, (), kinds_of(xs)).number

    x = np.ones(3)
    every = [
        number("psum", x), number("pmax", x), number("psum", x, x), number("psum", x[None]),
        number("psum", x.astype("f4")), number("psum"), number("psum", x[:2]),
    ]  # fmt: skip
    assert len(set(every)) == len(every)
    assert all(0 < n < 1 << 62 for n in every)
    assert number("psum", x) == number("psum", x + 1)
    assert difference({0: "a\nb", 1: "a\nc", 2: "a\nb"}) == "b on ranks 0, 2; c on rank 1"


class Deaf(Alone):
    """Other ranks that are somewhere else."""

    size = 2

    def extent(self, number, what):
        return number - 5, number

    def texts(self, text):
        return [text, "all_gather\na float64 array of shape (4,)"]


def test_disagreement_says_what_each_rank_does():
    comm = Communicator(Deaf(), "deaf")
    with pytest.raises(CommunicationError) as error:
        psum(np.ones(3), comm)
    assert text(error) == [
        "psum wants arrays of the same structure, shapes and dtypes on all ranks, in the same "
        "order of calls.",
        "  It got: psum on rank 0; all_gather on rank 1",
        "  To do: let all ranks make the same calls with arrays of the same shapes; where one has "
        "fewer examples than another, pad them",
    ]
    with pytest.raises(CommunicationError, match="any on rank 0; all_gather on rank 1"):
        comm.any(True)
