"""Machine code by `fgrad.jit(backend="native")` beside NumPy's calls and other compilers.

    python benchmarks/native.py
    python benchmarks/native.py --only pulsar,kepler --seconds 10
    python benchmarks/native.py --write

Every peer's result is checked against fgrad's eager one. Ratios are of CPU time, one thread each,
NumPy arrays in and out. `--write` saves two tables in `benchmarks/README.md`: the second is made by
another process, in which nobody but torch uses AVX-512.
"""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import argparse  # noqa: E402
import importlib.util  # noqa: E402
import os  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import loops  # noqa: E402
import numpy as np  # noqa: E402
import peers  # noqa: E402
import workloads  # noqa: E402
from measure import Call, check, interleave  # noqa: E402

import fgrad  # noqa: E402

README = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- native:begin -->", "<!-- native:end -->"
COLUMNS = ("hand", "fgrad.jit", "jax.jit", "torch.compile")
#: What the environment says to us, NumPy and its BLAS, and by way of us to XLA, where none is to
#: use AVX-512. What torch compiles without it fails the check of its results, so torch keeps it.
WITHOUT_AVX512 = {
    "FGRAD_NATIVE_CPU": "haswell", "NPY_DISABLE_CPU_FEATURES": "X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Haswell",
}  # fmt: skip
if os.environ.get("FGRAD_NATIVE_CPU") == WITHOUT_AVX512["FGRAD_NATIVE_CPU"]:
    os.environ["XLA_FLAGS"] += " --xla_cpu_max_isa=AVX2"
#: Name of a workload -> the ratio that is wanted, and to whom.
AIMS = {
    "pulsar": (0.22, "hand"), "elementwise1e4": (0.25, "hand"), "elementwise1e6": (0.16, "hand"),
    "mixture": (0.45, "hand"),
}  # fmt: skip


class Row:
    """One function with its peers."""

    def __init__(self, name: str, title: str, aim: tuple[float, str]) -> None:
        self.name, self.title, self.aim = name, title, aim
        self.calls: dict[str, Call] = {}
        self.first = 0.0

    def native(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        """Compile, and note how long it takes."""
        compiled = fgrad.jit(fn, backend="native")
        start = time.process_time()
        compiled(*args)
        self.first = time.process_time() - start
        self.calls = {"native": lambda: compiled(*args)}

    def add(self, name: str, call: Call) -> None:
        """Another peer, whose answers must be the same."""
        check(call(), self.calls["native"](), 1e-7)
        self.calls[name] = call


def of_workload(work: Any) -> Row:
    """A row of `workloads`."""
    fn, args = peers._fgrad_function(work)
    row = Row(work.name, work.title, AIMS[work.name])
    row.native(fn, args)
    row.add("hand", peers.hand(work)[0])
    compiled = fgrad.jit(fn, backend="numpy")
    row.add("fgrad.jit", lambda: compiled(*args))
    if importlib.util.find_spec("jax"):
        row.add("jax.jit", peers.jax_jit_numpy(work)[0])
    if importlib.util.find_spec("torch"):
        call, convert = peers.torch_compile(work)
        row.add("torch.compile", lambda: convert(call()))
    return row


def of_loop(loop: loops.Loop) -> Row:
    """A row of `loops`."""
    fn = fgrad.value_and_grad(loop.make(np, fgrad.scan))
    args = (loop.params, *loop.data)
    row = Row(loop.name, loop.title, (loop.aim, "hand" if loop.hand else "jax.jit"))
    row.native(fn, args)
    if loop.hand:
        by_hand = loop.hand

        def both() -> Any:
            value, slopes = by_hand(*args)
            return value, tuple(slopes)

        row.add("hand", both)
    compiled = fgrad.jit(fn, backend="numpy")
    row.add("fgrad.jit", lambda: compiled(*args))
    if importlib.util.find_spec("jax"):
        import jax

        jax.config.update("jax_enable_x64", True)
        theirs = jax.jit(jax.value_and_grad(loop.make(jax.numpy, jax.lax.scan)))
        row.add("jax.jit", lambda: jax.tree.map(np.asarray, theirs(*args)))
    return row


def cells(row: Row, seconds: float) -> list[str]:
    """The row of the table."""
    timings = interleave(row.calls, seconds)
    ratio = {name: 1 / t.cpu_ratio for name, t in timings.items() if name != "native"}
    aim, whose = row.aim
    reached = ratio.get(whose)
    wanted = f"{aim:.2f} of {whose}"
    if reached is not None:
        wanted += ", reached" if reached <= aim else f", missed by {reached / aim - 1:.0%}"
    return [
        row.title,
        f"{timings['native'].cpu * 1e6:,.1f} µs",
        *(f"{ratio[c]:.3f}" if c in ratio else "-" for c in COLUMNS),
        wanted,
        f"{row.first * 1e3:.0f} ms",
    ]


def table(names: Sequence[str], seconds: float, tiny: bool) -> list[str]:
    """The lines of the table."""
    head = ["value and gradient of", "native", *(f"/ {c}" for c in COLUMNS), "aim", "first call"]
    lines = [f"| {' | '.join(head)} |", "|---|" + "---:|" * (len(head) - 1)]
    once = fgrad.jit(fgrad.grad(lambda x: np.sum(np.tanh(np.exp(np.sin(np.log(x)))))),
                     backend="native")  # fmt: skip
    once(np.ones(9))  # the vector functions are compiled once for all programs
    works = workloads.tiny() if tiny else workloads.workloads()
    made: list[tuple[Any, Any]] = [(of_workload, w) for w in works if w.name in AIMS]
    made += [(of_loop, x) for x in (loops.tiny() if tiny else loops.loops())]
    for make, what in made:
        if not names or what.name in names:
            lines.append(f"| {' | '.join(cells(make(what), seconds))} |")
            print(lines[-1], flush=True)
    return lines


def main() -> int:
    """Measure, print, and write if that is asked for."""
    parser = argparse.ArgumentParser(description="Time machine code beside other compilers.")
    parser.add_argument("--only", default="", help="names of rows, with commas between them")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each row")
    parser.add_argument("--tiny", action="store_true", help="next to nothing to compute")
    parser.add_argument("--write", action="store_true", help="save in benchmarks/README.md")
    args = parser.parse_args()
    warnings.filterwarnings("ignore")  # of the peers, about NumPy's newer versions
    lines = table([n for n in args.only.split(",") if n], args.seconds, args.tiny)
    if args.write:
        rest = [x for x in sys.argv[1:] if x != "--write"]
        again = subprocess.run(
            [sys.executable, __file__, *rest], env=os.environ | WITHOUT_AVX512, check=True,
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        more = [line for line in again.stdout.splitlines() if line.startswith("|")]
        lines += [
            "",
            "The same without AVX-512, which only torch.compile uses here:",
            "",
            *lines[:2],
        ]
        lines += more
        before, _, rest = README.read_text().partition(BEGIN)
        text = "\n".join(["", "", *lines, "", ""])
        README.write_text(f"{before}{BEGIN}{text}{END}{rest.partition(END)[2]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
