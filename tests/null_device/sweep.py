"""Run rows of the table of laws through the real CuPy on the null device; a program.

    python -m tests.null_device.sweep PART PARTS

It prints a line of JSON for each row: for each mode, what came (shapes and dtypes of the results,
launches, copies and synchronisations) or the error that was raised; and what NumPy gives. Each row
runs in a process of its own, because on garbage some of CUDA's libraries crash.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any

from .device import NullDevice

DEVICE = NullDevice()
CUPY = DEVICE.install()

import numpy as np  # noqa: E402

import fgrad  # noqa: E402
from fgrad import tree  # noqa: E402

from ..cupy import laws  # noqa: E402
from ..examples import TABLE, Row  # noqa: E402
from ..laws import random_like  # noqa: E402

# The laws' own way of moving a row to a device, but to this one.
laws.LIBRARY, laws.ndarray = CUPY, CUPY.ndarray

#: Seconds after which a row is given up.
PATIENCE = 60


def value(h: Any, xs: list[Any], ts: list[Any], g: Any) -> Any:
    return h(*xs)


def forward(h: Any, xs: list[Any], ts: list[Any], g: Any) -> Any:
    return fgrad.jvp(h, tuple(xs), tuple(ts))[1]


def reverse(h: Any, xs: list[Any], ts: list[Any], g: Any) -> Any:
    return fgrad.vjp(h, *xs)[1](g)


def mapped(h: Any, xs: list[Any], ts: list[Any], g: Any) -> Any:
    return fgrad.vmap(h)(*(np.stack([x, x]) for x in xs))


MODES: dict[str, Callable[..., Any]] = {
    "value": value, "jvp": forward, "vjp": reverse, "vmap": mapped,
}  # fmt: skip


def described(out: Any) -> list[list[Any]]:
    """Kind, shape and dtype of each array of a result."""
    return [
        ["device" if isinstance(y, CUPY.ndarray) else "host", list(np.shape(y)), str(y.dtype)]
        if hasattr(y, "dtype") else [type(y).__name__, [], ""]
        for y in tree.leaves(out)
    ]  # fmt: skip


def attempt(call: Callable[[], Any]) -> dict[str, Any]:
    """What a call gives, or the error it raises."""
    try:
        with DEVICE.counted() as counts:
            out = call()
    except Exception as e:
        bases = [c.__name__ for c in type(e).__mro__]
        return {"error": type(e).__name__, "bases": bases, "text": str(e)[:600]}
    return {"out": described(out), "counts": dict(counts)}


def examine(row: Row) -> dict[str, Any]:
    """A row in all modes, on the host and on the device."""
    xs = row.arguments(0, np.float64)
    h, moving = laws.rows_of(row, xs, False)
    rng = np.random.default_rng(1)
    ts = random_like(list(moving), rng)
    g = random_like(h(*moving), rng)
    found: dict[str, Any] = {"row": str(row).split("#")[0], "number": TABLE.index(row)}
    for name, mode in MODES.items():
        if not moving and name != "value":
            continue
        host = attempt(lambda mode=mode: mode(h, moving, ts, g))  # type: ignore[misc]
        k, there = laws.rows_of(row, xs, True)
        ts_there, g_there = laws.move(ts), laws.move(g)
        run = lambda mode=mode: mode(k, there, ts_there, g_there)  # type: ignore[misc]  # noqa: E731
        run()  # kernels are compiled, and what is looked up once is
        found[name] = {"host": host, "device": attempt(run)}
    return found


def apart(row: Row) -> dict[str, Any]:
    """`examine` in a child of this process."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        signal.alarm(PATIENCE)
        with os.fdopen(write, "w") as pipe:
            try:
                found = examine(row)
            except Exception as e:
                bases = [c.__name__ for c in type(e).__mro__]
                found = {"error": type(e).__name__, "bases": bases, "text": str(e)[:600]}
            pipe.write(json.dumps(found))
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    name = {"row": str(row).split("#")[0], "number": TABLE.index(row)}
    return name | (json.loads(text) if text else {"crash": os.waitstatus_to_exitcode(status)})


def main() -> None:
    warnings.simplefilter("ignore")
    part, parts = map(int, sys.argv[1:])
    for row in TABLE[part::parts]:
        print(json.dumps(apart(row)), flush=True)
    sys.stdout.flush()
    os._exit(0)  # CuPy's own clean-up would call CUDA


if __name__ == "__main__":
    main()
