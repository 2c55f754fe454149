"""What training on several ranks costs and brings, measured on two, and reckoned for more.

    python benchmarks/distributed.py
    python benchmarks/distributed.py --write

It starts `mpiexec -n 2` itself. `--write` saves the tables in `docs/distributed.md`. Times are the
least of some rounds: another program on the machine can only add to them.
"""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import argparse  # noqa: E402
import json  # noqa: E402
import os  # noqa: E402
import platform  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from functools import partial  # noqa: E402
from itertools import pairwise  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from network_costs import Network, allreduce, fit  # noqa: E402

import fgrad_nn as nn  # noqa: E402
from fgrad import random, tree  # noqa: E402
from fgrad.distributed import Communicator, psum, world  # noqa: E402
from fgrad_nn.training import DataParallel  # noqa: E402

PAGE = Path(__file__).parent.parent / "docs" / "distributed.md"
BEGIN, END = "<!-- {0}:begin -->", "<!-- {0}:end -->"
SIZES = [8, 8_000, 80_000, 800_000, 8_000_000]
#: Name -> units of each layer, batch of all ranks together.
NETWORKS = {"pulsars": ((8, 25, 10, 2), 128), "digits": ((784, 512, 512, 10), 2048)}
RANKS = (1, 2, 4, 8, 16)


#: Ten gigabits a second, and a round trip through the kernel's network code. Not measured here.
ETHERNET = Network("10 Gbit Ethernet (assumed)", 30e-6, 0.8e-9)


# ------------------------------------------------------------------ measuring, on each rank
def least(call: Callable[[], Any], comm: Communicator, seconds: float = 0.4) -> float:
    """The least time of a call that all ranks make."""
    call()
    times: list[float] = []
    end = time.perf_counter() + seconds
    while comm.any(len(times) < 5 or time.perf_counter() < end):  # all go on, or none
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def step_of(name: str, comm: Communicator | None, batch: int) -> Callable[[], Any]:
    """A call of a training step, of a rank's part of a batch."""
    units, _ = NETWORKS[name]
    net = nn.mlp(list(units[1:]), np.tanh)
    dtype = np.float32
    _, params = net.init(random.key(0), (-1, units[0]))
    params = tree.map(lambda p: p.astype(dtype), params)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(batch, units[0])).astype(dtype)
    y = rng.integers(units[-1], size=batch)

    def loss(params: Any, batch: Any) -> Any:
        return nn.cross_entropy(net.apply(params, batch[0]), batch[1])

    optimizer = nn.adam(0.001)
    parallel = None if comm is None else DataParallel(comm, check_every=None)
    step = nn.train_step(loss, optimizer, comm=parallel)
    state = nn.TrainState.create(params, optimizer)
    return lambda: step(state, (x, y))


def measure(seconds: float) -> dict[str, Any]:
    """All that two ranks measure."""
    from mpi4py import MPI

    comm, raw = world(), MPI.COMM_WORLD
    other = 1 - comm.rank
    messages, sums, calls = [], [], []
    for octets in SIZES:
        x, y = np.ones(octets // 8), np.empty(octets // 8)
        swap = partial(raw.Sendrecv, x, other, 0, y, other, 0)
        messages.append(least(swap, comm, seconds))
        sums.append(least(partial(raw.Allreduce, x, y), comm, seconds))
        calls.append(least(partial(psum, x, comm), comm, seconds))
    x, y = np.ones(10**6), np.ones(10**6)
    out: dict[str, Any] = {
        "message": messages, "allreduce": sums, "psum": calls,
        "gamma": least(lambda: np.add(x, y, out=y), comm, seconds) / 8e6, "overlap": overlap(raw),
    }  # fmt: skip
    for name, (_, batch) in NETWORKS.items():
        out[name] = least(step_of(name, comm, batch // 2), comm, 4 * seconds)
    return out


def alone(seconds: float) -> dict[str, Any]:
    """What one process measures: steps of a part of the batch each."""
    out: dict[str, Any] = {}
    with world() as comm:
        for name, (units, batch) in NETWORKS.items():
            out[f"{name} alone"] = [
                least(step_of(name, None, batch // ranks), comm, 4 * seconds) for ranks in RANKS
            ]
            out[f"{name} octets"] = 4 * sum(a * b + b for a, b in pairwise(units))
    return out


def overlap(raw: Any) -> list[list[float]]:
    """A product and a sum of 8 MB, one after the other and at the same time.

    Returns:
        For each way the least seconds, and the median over the rounds of its ratio to the first.
    """
    from mpi4py import MPI

    a, b = np.ones((400, 400)), np.empty((400, 400))
    x, y = np.ones(10**6), np.empty(10**6)

    def compute() -> None:
        for _ in range(4):
            np.matmul(a, a, out=b)

    def apart() -> None:
        compute()
        raw.Iallreduce(x, y).Wait()

    def together() -> None:
        request = raw.Iallreduce(x, y)
        compute()
        request.Wait()

    def asking() -> None:
        request = raw.Iallreduce(x, y)
        for _ in range(4):
            np.matmul(a, a, out=b)
            request.Test()
        request.Wait()

    times: dict[Any, list[float]] = {apart: [], together: [], asking: []}
    for _ in range(40):
        for call, found in times.items():
            raw.Barrier()
            begin = time.perf_counter()
            call()
            found.append(raw.allreduce(time.perf_counter() - begin, MPI.MAX))
    first = np.array(times[apart])
    return [[min(found), float(np.median(found / first))] for found in times.values()]


# ------------------------------------------------------------------ tables
def launch(seconds: float, **environment: str) -> dict[str, Any]:
    """What two ranks measure, started from here."""
    mpiexec = Path(sys.executable).parent / "mpiexec"
    command = [str(mpiexec), "-n", "2", sys.executable, __file__]
    run = subprocess.run(
        [*command, "--worker", "--seconds", str(seconds)], env={**os.environ, **environment},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows in Markdown."""
    lines = [columns, ["---"] + ["---:"] * (len(columns) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def micro(seconds: float) -> str:
    """Microseconds, to three digits."""
    return f"{seconds * 1e6:,.3g}" if seconds < 1e-3 else f"{seconds * 1e6:,.0f}"


def messages_table(found: dict[str, Any], here: Network) -> str:
    rows = [
        [f"{n:,}", micro(a), micro(b), micro(c), micro(allreduce(here, found["gamma"], 2, n))]
        for n, a, b, c in zip(
            SIZES, found["message"], found["allreduce"], found["psum"], strict=True
        )
    ]
    columns = ["octets", "exchange, µs", "MPI's sum, µs", "`psum`, µs", "model of a sum, µs"]
    return table(columns, rows) + (
        f"\n\nLatency {here.alpha * 1e6:.2g} µs, bandwidth {1e-9 / here.beta:.2g} GB/s, "
        f"{found['gamma'] * 1e9:.2g} ns to add an octet; {machine()}."
    )


def scaling_table(found: dict[str, Any], here: Network) -> str:
    rows = []
    for name, (units, batch) in NETWORKS.items():
        octets = found[f"{name} octets"]
        # What a step takes besides the message itself, by what two ranks have taken.
        rest = max(0.0, found[name] - found[f"{name} alone"][1] - allreduce(
            here, found["gamma"], 2, octets))  # fmt: skip
        for k, ranks in enumerate(RANKS):
            local = found[f"{name} alone"][k]
            row = [f"{'-'.join(map(str, units))}, batch {batch}" * (k == 0), str(ranks)]
            measured = {1: local, 2: found[name]}.get(ranks)
            row.append("" if measured is None else micro(measured))
            for network in (here, ETHERNET):
                message = allreduce(network, found["gamma"], ranks, octets)
                whole = local + (rest + message) * (ranks > 1)
                row.append(f"{micro(whole)} ({found[f'{name} alone'][0] / whole:.2f})")
            rows.append(row)
    columns = [f"{n.name}, µs (speed-up)" for n in (here, ETHERNET)]
    return table(["network", "ranks", "measured, µs", *columns], rows)


def overlap_table(plain: list[list[float]], helped: list[list[float]]) -> str:
    names = ["one after the other", "at the same time", "the same, MPI asked after each product"]
    rows = [
        [n, *(f"{micro(seconds)} ({ratio:.2f})" for seconds, ratio in both)]
        for n, *both in zip(names, plain, helped, strict=True)
    ]
    return table(["", "µs (ratio)", "with MPI's own thread, µs (ratio)"], rows)


def machine() -> str:
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}"
    return f"{os.cpu_count()} cores, one BLAS thread, {versions}"


def write(tables: dict[str, str]) -> None:
    text = PAGE.read_text()
    for name, content in tables.items():
        begin, end = BEGIN.format(name), END.format(name)
        head, rest = text.split(begin)
        text = f"{head}{begin}\n\n{content}\n\n{end}{rest.split(end)[1]}"
    PAGE.write_text(text)


def main(arguments: Sequence[str] | None = None) -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--write", action="store_true", help="save the tables")
    options.add_argument("--seconds", type=float, default=0.4, help="for each measurement")
    options.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    chosen = options.parse_args(arguments)
    if chosen.worker:
        found = measure(chosen.seconds)
        if world().rank == 0:
            print(json.dumps(found))
        return
    found = {**launch(chosen.seconds), **alone(chosen.seconds)}
    helped = launch(0.01, MPICH_ASYNC_PROGRESS="1")
    here = Network("this machine", *fit(SIZES, found["message"]))
    tables = {
        "messages": messages_table(found, here),
        "scaling": scaling_table(found, here),
        "overlap": overlap_table(found["overlap"], helped["overlap"]),
    }
    for content in tables.values():
        print(content, end="\n\n")
    if chosen.write:
        write(tables)


if __name__ == "__main__":
    main()
