"""Follow the ratios of the benchmarks from commit to commit.

    python benchmarks/history.py                   measure, and compare with the last record
    python benchmarks/history.py --record          the same, and append to benchmarks/history.jsonl
    python benchmarks/history.py --compare A B     measure two commits side by side

What is compared are ratios to the same derivative written by hand, never times. Each is measured
in several processes. The exit status is 1 if one has clearly become worse: if the best of its new
measurements is worse than the worst of the old ones, and the medians differ by more than
`--tolerance`. Records of another processor, Python or NumPy aren't compared.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
HISTORY = HERE / "history.jsonl"

#: Ratios by ``workload/peer``, one for each process that measured.
Ratios = dict[str, list[float]]


class Regression:
    """How one ratio has changed."""

    def __init__(self, name: str, old: Sequence[float], new: Sequence[float]) -> None:
        self.name, self.old, self.new = name, median(old), median(new)
        self.change = self.new / self.old - 1
        self.apart = min(new) > max(old)

    def clear(self, tolerance: float) -> bool:
        """Whether it has become worse by more than noise."""
        return self.apart and self.change > tolerance


def compared(old: Ratios, new: Ratios) -> list[Regression]:
    """The changes of what both have measured, the worst first."""
    both = [Regression(k, old[k], new[k]) for k in old if k in new]
    return sorted(both, key=lambda r: -r.change)


def table(changes: Sequence[Regression], tolerance: float) -> str:
    """A line for each ratio: before, after, the change, and a word if it is a regression."""
    width = max((len(r.name) for r in changes), default=0)
    return "\n".join(
        f"{r.name:<{width}}  {r.old:7.3f}  {r.new:7.3f}  {r.change:+7.1%}"
        + ("  worse" if r.clear(tolerance) else "")
        for r in changes
    )


# ------------------------------------------------------------------ measuring
def measured(checkout: Path, options: Sequence[str]) -> dict[str, Any]:
    """What a process of its own measures of the fgrad in a checkout."""
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    command = [sys.executable, str(HERE / "ratios.py"), *options]
    done = subprocess.run(
        command, env=environment, stdout=subprocess.PIPE, text=True, check=True, cwd=HERE
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rounds(
    checkouts: Mapping[str, Path], times: int, options: Sequence[str],
    measure: Callable[[Path, Sequence[str]], dict[str, Any]] = measured,
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Measure each checkout so many times, in turns whose order changes."""
    out: dict[str, dict[str, Any]] = {}
    for k in range(times):
        names = [*checkouts]
        for name in names if k % 2 == 0 else names[::-1]:
            found = measure(checkouts[name], options)
            entry = out.setdefault(name, {"about": found["about"], "ratios": {}})
            for key, ratio in found["ratios"].items():
                entry["ratios"].setdefault(key, []).append(ratio)
    return out


def git(*args: str) -> str:
    """What git prints."""
    command = ["git", "-C", str(ROOT), *args]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def side_by_side(commits: Sequence[str], times: int, options: Sequence[str]) -> list[Ratios]:
    """The ratios of two commits, measured in turns by the benchmarks of this checkout."""
    with tempfile.TemporaryDirectory() as folder:
        places = {}
        try:
            for k, commit in enumerate(commits):
                place = Path(folder, str(k))
                git("worktree", "add", "--detach", str(place), commit)
                places[str(k)] = place
            found = rounds(places, times, options)
        finally:
            for place in places.values():
                git("worktree", "remove", "--force", str(place))
    return [found[str(k)]["ratios"] for k in range(len(commits))]


# ------------------------------------------------------------------ the file
def records(file: Path) -> list[dict[str, Any]]:
    """The records of a history, the oldest first."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def last_like(known: Sequence[dict[str, Any]], about: str) -> dict[str, Any] | None:
    """The last record of the same processor and versions."""
    return next((r for r in reversed(known) if r["about"] == about), None)


def append(file: Path, entry: dict[str, Any]) -> None:
    """Add a record to the history."""
    with file.open("a", encoding="utf-8") as out:
        out.write(json.dumps(entry, sort_keys=True) + "\n")


# ------------------------------------------------------------------ the command
def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--compare", nargs=2, metavar=("OLD", "NEW"), help="two commits")
    parser.add_argument("--record", action="store_true", help="append to the history")
    parser.add_argument("--history", type=Path, default=HISTORY, help="the file of the history")
    parser.add_argument("--times", type=int, default=5, help="processes for each (default 5)")
    parser.add_argument("--seconds", default="1", help="for each workload and process (default 1)")
    parser.add_argument("--only", help="names of workloads, separated by commas")
    parser.add_argument("--tiny", action="store_true", help="little data, to see whether it runs")
    parser.add_argument(
        "--tolerance", type=float, default=0.1, help="a greater change is clear (default 0.1)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, compare, and say whether something has become worse."""
    args = arguments(argv)
    options = ["--seconds", args.seconds]
    options += ["--only", args.only] if args.only else []
    options += ["--tiny"] if args.tiny else []
    if args.compare:
        old, new = side_by_side(args.compare, args.times, options)
    else:
        now = rounds({"": ROOT}, args.times, options)[""]
        before = last_like(records(args.history), now["about"])
        if args.record:
            date = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
            append(args.history, {"commit": git("rev-parse", "HEAD"), "date": date, **now})
        old, new = before["ratios"] if before else now["ratios"], now["ratios"]
        print("nothing to compare with" if before is None else f"since {before['commit'][:10]}")
    changes = compared(old, new)
    print(table(changes, args.tolerance))
    return int(any(r.clear(args.tolerance) for r in changes))


if __name__ == "__main__":
    sys.exit(main())
