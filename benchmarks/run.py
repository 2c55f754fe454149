"""Compare fgrad with derivatives written by hand and with other libraries.

    python benchmarks/run.py
    python benchmarks/run.py --only pulsar,small --peers hand,fgrad --seconds 20
    python benchmarks/run.py --write

Every peer's result is checked against the one written by hand before it is timed. `--write` saves
the tables in `benchmarks/README.md`.
"""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import argparse  # noqa: E402
import platform  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Sequence  # noqa: E402
from pathlib import Path  # noqa: E402

from measure import Call, Mismatch, Timing, check, interleave, peak_memory  # noqa: E402
from peers import COMPILERS, NUMPY_PEERS, PEERS, Unsupported, installed, versions  # noqa: E402
from workloads import Workload, chains, tiny, tiny_chains, workloads  # noqa: E402

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table:begin -->", "<!-- table:end -->"
Row = list[str]


def ready(work: Workload, names: Sequence[str]) -> tuple[dict[str, Call], dict[str, str]]:
    """Checked calls by peer, and for the other peers a word that says why there is none."""
    calls: dict[str, Call] = {}
    missing: dict[str, str] = {}
    wanted, _ = PEERS["hand"][1](work)
    wanted = wanted()
    for name in names:
        if name in work.slow:
            missing[name] = "slow"
            continue
        try:
            call, convert = PEERS[name][1](work)
            for _ in range(2):  # the second call of a compiled function takes another way
                check(convert(call()), wanted, work.tolerance)
        except Unsupported:
            missing[name] = "-"
        except Mismatch as error:
            missing[name] = "wrong"
            print(f"{work.name}: {name}: {error}", file=sys.stderr)
        else:
            calls[name] = call
    return calls, missing


def time_cell(timing: Timing) -> str:
    return f"{timing.cpu_ratio:.2f} / {timing.wall_ratio:.2f}"


def duration(seconds: float) -> str:
    """With a unit of its own: 57 µs, 3.1 ms."""
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        if seconds * factor >= 1 or unit == "µs":
            return f"{seconds * factor:.3g} {unit}"
    raise AssertionError("unreachable")


def time_table(works: Sequence[Workload], names: Sequence[str], seconds: float) -> list[Row]:
    """Ratios of time, a row for each workload."""
    rows = [["value and gradient of", "hand", *names[1:], "aim for fgrad", "for fgrad.jit"]]
    for work in works:
        calls, missing = ready(work, names)
        timings = interleave(calls, seconds)
        cells = [
            time_cell(timings[name]) if name in timings else missing.get(name, "")
            for name in names[1:]
        ]
        aims = ["" if aim is None else f"{aim:.2f}" for aim in (work.aim, work.jit_aim)]
        rows.append([work.title, duration(timings["hand"].cpu), *cells, *aims])
        show(rows[-1], rows[0], timings["hand"].rounds)
    return rows


def memory_table(works: Sequence[Workload], names: Sequence[str]) -> list[Row]:
    """Ratios of peak memory, for the peers that allocate through NumPy."""
    names = [name for name in names if name in NUMPY_PEERS]
    rows = [["peak memory of", "hand", *names[1:], "aim for fgrad"]]
    for work in works:
        calls, missing = ready(work, names)
        peaks = {name: peak_memory(call) for name, call in calls.items()}
        cells = [
            f"{peaks[name] / peaks['hand']:.2f}" if name in peaks else missing[name]
            for name in names[1:]
        ]
        aim = "" if work.memory_aim is None else f"{work.memory_aim:.2f}"
        rows.append([work.title, f"{peaks['hand'] / 2**20:.1f} MiB", *cells, aim])
        show(rows[-1], rows[0])
    return rows


def compile_table(works: Sequence[Workload], names: Sequence[str]) -> list[Row]:
    """Wall time of the first call, for the peers that compile; the second call's in brackets."""
    names = [name for name in names if name in COMPILERS]
    rows = [["first call of", *names]]
    for work in works:
        cells = []
        for name in names:
            if name in work.slow:
                cells.append("slow")
                continue
            try:
                call, _ = PEERS[name][1](work)
            except Unsupported:
                cells.append("-")
                continue
            first, second = wall(call), wall(call)
            cells.append(f"{duration(first)} ({duration(second)})")
        rows.append([work.title, *cells])
        show(rows[-1], rows[0])
    return rows


def wall(call: Call) -> float:
    """Wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def chain_table(works: Sequence[Workload], names: Sequence[str], seconds: float) -> list[Row]:
    """CPU time per operation for each length of a chain, forward and backward together."""
    names = [name for name in names if name not in works[0].slow]
    rows = [["µs per operation, forward and backward", *names]]
    for work in works:
        calls, missing = ready(work, names)
        timings = interleave(calls, seconds, rounds=3)
        cells = [
            f"{timings[name].cpu / work.operations * 1e6:.2f}" if name in timings else missing[name]
            for name in names
        ]
        rows.append([work.title, *cells])
        show(rows[-1], rows[0], timings["hand"].rounds)
    return rows


def show(row: Row, header: Row, rounds: int = 0) -> None:
    """Print one row as it comes."""
    cells = "   ".join(f"{name} {cell}" for name, cell in zip(header[1:], row[1:], strict=True))
    print(f"{row[0]}\n    {cells}" + (f"   ({rounds} rounds)" if rounds else ""), flush=True)


def markdown(rows: list[Row]) -> str:
    """The rows as a table, the first one the header; fgrad's column in bold."""
    bold = rows[0].index("fgrad") if "fgrad" in rows[0] else -1
    lines = [
        "| " + " | ".join(rows[0]) + " |",
        "|---|" + "---:|" * (len(rows[0]) - 1),
        *(
            "| " + " | ".join(f"**{c}**" if i == bold else c for i, c in enumerate(row)) + " |"
            for row in rows[1:]
        ),
    ]
    return "\n".join(lines)


def machine() -> str:
    """The processor, the system and Python, without names of hosts or folders."""
    cpu = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return f"{cpu}, {platform.system()}, Python {platform.python_version()}"


def write(tables: list[list[Row]], about: str) -> None:
    """Put the tables between the markers in the README."""
    text = README.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    body = "\n\n".join([about, *(markdown(rows) for rows in tables)])
    README.write_text(f"{head}{BEGIN}\n\n{body}\n\n{END}{tail}", encoding="utf-8")


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument(
        "--only", help="names of workloads, separated by commas ('chain' for these)"
    )
    parser.add_argument("--peers", help="names of peers, separated by commas: " + ", ".join(PEERS))
    parser.add_argument("--seconds", type=float, default=6.0, help="to spend on a row (default 6)")
    parser.add_argument("--tiny", action="store_true", help="little data, to see whether it runs")
    parser.add_argument("--write", action="store_true", help="save the tables in the README")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    args = arguments(argv)
    wanted = args.peers.split(",") if args.peers else list(PEERS)
    found = installed(["hand", *(name for name in wanted if name != "hand")])
    for name in wanted:
        if name not in found:
            print(f"skipped: {name} ({PEERS[name][0]} is not installed)")
    names = list(found)
    works, lengths = (tiny(), tiny_chains()) if args.tiny else (workloads(), chains())
    if args.only:
        only = args.only.split(",")
        works = [work for work in works if work.name in only]
        lengths = lengths if "chain" in only else []
    warnings.filterwarnings("ignore")  # of the peers, about NumPy's newer versions
    about = (
        machine() + "; " + ", ".join(f"{k} {v}" for k, v in versions(list(found.values())).items())
    )
    print(about)
    tables = []
    if works:
        # Before they are timed: the first call in this process is what is measured.
        if any(name in COMPILERS for name in names):
            tables.append(compile_table(works, names))
        tables.append(time_table(works, names, args.seconds))
    if any(work.memory for work in works):
        tables.append(memory_table([work for work in works if work.memory], names))
    if lengths:
        tables.append(chain_table(lengths, names, args.seconds))
    if args.write:
        write(tables, f"Measured on {about}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
