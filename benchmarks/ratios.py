"""Print the ratios of this process as JSON; `history.py` calls it once for each measurement."""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import argparse  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402

from measure import interleave  # noqa: E402
from peers import installed  # noqa: E402
from run import machine, ready  # noqa: E402
from workloads import tiny, workloads  # noqa: E402

NAMES = ["hand", "fgrad", "fgrad.jit"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--only", default="")
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    names = [*installed(NAMES)]
    found = {}
    for work in tiny() if args.tiny else workloads():
        if not args.only or work.name in args.only.split(","):
            timings = interleave(ready(work, names)[0], args.seconds)
            for name in names[1:]:
                found[f"{work.name}/{name}"] = round(timings[name].cpu_ratio, 4)
    numpy = sys.modules["numpy"].__version__
    print(json.dumps({"about": f"{machine()}, NumPy {numpy}", "ratios": found}))


if __name__ == "__main__":
    main()
