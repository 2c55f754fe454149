"""Run rows of the table of laws through the real CuPy on the null device; a program.

    python -m tests.null_device.sweep PART PARTS

It prints a line of JSON for each row: for each mode, what came (shapes and dtypes of the results,
launches, copies and synchronisations) or the error that was raised; and what NumPy gives. After a
crash, which garbage may lead to, the next process goes on behind that row.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

import fgrad
from fgrad import tree

from ..cupy import laws
from ..cupy.tables import (
    DIFFERENT,
    REFUSED_BY_CUPY,
    available,
    is_random,
    is_scipy,
    may_wait,
    name_of,
)
from ..examples import TABLE, Row
from ..laws import random_like
from . import steps
from .blind import BLIND, BLIND_ROWS
from .device import NullDevice

#: NumPy's functions that the strict stand-in finds equal on both.
ROWS = [
    row for row in TABLE
    if not is_random(row) and not is_scipy(row) and available(row)
    and any(x.kind == "f" for x in row.operands) and not may_wait(row)
    and name_of(row) not in {*DIFFERENT, *REFUSED_BY_CUPY, *BLIND}
]  # fmt: skip

#: Seconds after which a row is given up.
PATIENCE = 60


def forward(h: Any, xs: list[Any], ts: list[Any], g: Any) -> Any:
    return fgrad.jvp(h, tuple(xs), tuple(ts))


def reverse(h: Any, xs: list[Any], ts: list[Any], g: Any) -> Any:
    value, pullback = fgrad.vjp(h, *xs)
    return value, pullback(g)


def mapped(h: Any, xs: list[Any], ts: list[Any], g: Any) -> Any:
    return fgrad.vmap(h)(*(np.stack([x, x]) for x in xs))


MODES: dict[str, Callable[..., Any]] = {"jvp": forward, "vjp": reverse, "vmap": mapped}


def described(out: Any) -> list[list[Any]]:
    """Kind, shape and dtype of each array of a result."""

    def where(y: Any) -> str:
        return "host" if isinstance(y, (np.ndarray, np.generic)) else "device"

    return [
        [where(y), list(np.shape(y)), str(y.dtype)] if hasattr(y, "dtype") else [str(type(y))]
        for y in tree.leaves(out)
    ]


def attempt(device: NullDevice, call: Callable[[], Any]) -> dict[str, Any]:
    """What a call gives, or the error it raises."""
    try:
        with device.counted() as counts:
            out = call()
    except Exception as e:
        return {"error": f"{type(e).__name__}: {str(e)[:600]}"}
    return {"out": described(out), "counts": dict(counts)}


def examine(row: Row, device: NullDevice, cupy: Any) -> dict[str, Any]:
    """A row in all modes, on the host and on the device."""
    xs = row.arguments(0, np.float64)
    h, moving = row.fix(xs)
    rng = np.random.default_rng(1)
    ts = random_like(list(moving), rng)
    g = random_like(h(*moving), rng)
    k, there = laws.on_there(row, xs, cupy)
    ts_there, g_there = laws.move(ts, cupy), laws.move(g, cupy)
    return {
        name: {
            "host": attempt(device, lambda mode=mode: mode(h, moving, ts, g)),  # type: ignore[misc]
            "device": attempt(device, lambda mode=mode: mode(k, there, ts_there, g_there)),  # type: ignore[misc]
        }
        for name, mode in MODES.items()
    }


def examined(rows: list[Row], begin: int, device: NullDevice, cupy: Any) -> int:
    """Examine the rows from ``begin`` on, in a child of this process; how many it came through."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with os.fdopen(write, "w") as pipe:
            for row in rows[begin:]:
                signal.alarm(PATIENCE)
                print(json.dumps({"row": label(row), **examine(row, device, cupy)}), flush=True)
                pipe.write(".")
                pipe.flush()
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as pipe:
        done = len(pipe.read())
    os.waitpid(child, 0)
    return done


def label(row: Row) -> str:
    """What a row is called in the figures: its name, and which of that name it is."""
    name = str(row).split("#")[0]
    return f"{name} {[r for r in ROWS if str(r).split('#')[0] == name].index(row)}"


def main() -> None:
    warnings.simplefilter("ignore")
    device = NullDevice()
    cupy = device.install()
    part, parts = map(int, sys.argv[1:])
    rows, begin = [r for r in ROWS if label(r) not in BLIND_ROWS][part::parts], 0
    while begin < len(rows):
        begin += examined(rows, begin, device, cupy)
        if begin < len(rows):
            print(json.dumps({"row": label(rows[begin]), "crash": True}), flush=True)
            begin += 1
    if part == 0:
        print(json.dumps({"steps": steps.counts(device, cupy)}), flush=True)
    os._exit(0)  # CuPy's own clean-up would call CUDA


if __name__ == "__main__":
    main()
