"""Runs machine code under valgrind, which sees every access of memory; takes some minutes.

    python tests/native/under_valgrind.py

Valgrind's error messages about the interpreter, the dynamic linker and NumPy are left out: an error
counts if the code that makes it has no name, which is so for ours alone. A last program reads and
writes behind its arrays on purpose, and must be found.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

import fgrad
from fgrad.compiler.native import bodies, engine, entry, vectors
from tests.native.kernels import DTYPES, call

ROOT = Path(__file__).parents[2]


def functions() -> None:
    """All vector functions on arrays of lengths that leave a rest."""
    for name, count in vectors.ARITY.items():
        for kind in DTYPES:
            for n in (1, 7, 37):
                x = np.linspace(0.1, 0.9, n)
                call(name, *[x] * count, kind=kind)
    for name in ("sin", "cos", "tan"):
        call(name, np.geomspace(1e9, 1e308, 41))


def net(w: Any, v: Any, x: Any) -> Any:
    """A small net: matrix products, sums over axes, elementwise functions."""
    h = np.tanh(x @ w)
    return np.sum(np.log1p(np.exp(h @ v)) ** 2) + np.mean(np.max(h, axis=1))


def orbit(x: Any, v: Any) -> Any:
    """A loop over time with values that are kept for the way back."""

    def step(state: Any, force: Any) -> Any:
        x, v = state
        v = v - 0.1 * np.sin(x) + force
        return (x + 0.1 * v, v), np.sum(x * v)

    (x, v), energies = fgrad.scan(step, (x, v), np.linspace(0, 1, 13))
    return np.sum(x) + np.sum(energies)


def views(x: Any) -> Any:
    """Slices, transposes, joined and broadcast arrays."""
    y = np.concatenate([x[1:, ::-1], x[:2]], axis=0)
    z = np.where(y > 0, y.T[:, : y.shape[0]].sum(), y[:, :1] * y)
    return np.sum(z * np.arange(x.shape[1])) + np.cumsum(x)[-1] + np.sort(x, axis=0)[0, 0]


def picks(x: Any, rows: Any, columns: Any) -> Any:
    """Arrays of indices, additions into slices, running sums, places of extremes, einsum."""
    y = x[rows] * x[1, columns % x.shape[1]][:, None] + np.cumsum(x, axis=0)[rows]
    y = fgrad.at(np.exp(y))[rows % len(y), 0].add(x[rows, 1])
    z = np.einsum("ij,kj->ik", y, x) + np.prod(x, axis=1) * np.argmax(x, axis=0)[0]
    part = z[1:, :-1] * z[:-1, 1:] + z[1:, 1:]
    return np.sum(part) + np.sum(np.floor_divide(columns, 3)[columns % 2])


def bent(x: Any, xs: Any) -> Any:
    """A loop of NumPy's with machine code in it."""

    def step(c: Any, x: Any) -> Any:
        s = np.sort(np.tanh(c + x) * x + np.exp(-c * c))
        return s * 0.5 + np.cos(c) * c, np.sum(s * x)

    c, sums = fgrad.scan(step, x, xs)
    return np.sum(c) + np.sum(sums)


def check(f: Any, *arguments: Any) -> None:
    """Compare a compiled function and its gradient with the function; the first call records."""
    for g in (f, fgrad.grad(f)):
        compiled = fgrad.jit(g, backend="native", threads=2)
        compiled(*arguments)
        np.testing.assert_allclose(compiled(*arguments), g(*arguments), rtol=1e-9, atol=1e-11)


def indices() -> None:
    """What reads and writes where arrays say, what threads share, and loops of NumPy's."""
    rng = np.random.default_rng(1)
    bodies.BUSY = 1
    for n in (2, 9):
        x, rows = rng.normal(size=(n + 1, n)), rng.integers(-n - 1, n + 1, 2 * n)
        check(picks, x, rows, rng.integers(0, n, 2 * n))
        bad = fgrad.jit(picks, backend="native")
        bad(x, rows, abs(rows))
        with contextlib.suppress(IndexError):
            bad(x, rows + 10**12, abs(rows))
        check(bent, rng.normal(size=8 * n), rng.normal(size=(3, 8 * n)))
    check(net, rng.normal(size=(16, 5)), rng.normal(size=(5, 12)), rng.normal(size=(20, 16)))


def programs() -> None:
    """Compiled programs and their gradients, on dense arrays and on views."""
    rng = np.random.default_rng(0)
    for n in (1, 3, 10, 33):
        check(net, rng.normal(size=(n, 5)), rng.normal(size=(5, 2)), rng.normal(size=(7, n)))
        check(
            net, rng.normal(size=(5, n)).T, rng.normal(size=(5, 4))[:, ::2], rng.normal(size=(7, n))
        )
        check(orbit, rng.normal(size=n), rng.normal(size=n))
        check(views, rng.normal(size=(n + 2, n + 1)))
        check(views, rng.normal(size=(n + 1, n + 2)).T)


def broken() -> None:
    """A kernel that copies one number more than its arrays have."""
    parameters: list[entry.Array | entry.Scalar] = [
        entry.Array(np.dtype("f8"), (1000,)),
        entry.Array(np.dtype("f8"), (1000,), None, True),
    ]
    code = engine.compile_module(
        entry.declarations(parameters)
        + """
define void @kernel(ptr %p0, ptr %p1) {
  %from = getelementptr double, ptr %p0, i64 1000
  %to = getelementptr double, ptr %p1, i64 1000
  %x = load volatile double, ptr %from
  store volatile double %x, ptr %to
  ret void
}
"""
        + entry.wrapper("kernel", parameters)
    )
    assert entry.make_callable(code, "kernel", parameters)(np.ones(1000), np.ones(1000))


def errors_of(which: str) -> list[str]:
    """What valgrind says of our code while one of the functions above runs."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        run = subprocess.run(
            ["valgrind", "-q", "--undef-value-errors=no", "--error-limit=no", f"--log-file={log}",
             sys.executable, __file__, which],
            cwd=ROOT, check=False,
            env=os.environ | {"PYTHONMALLOC": "malloc", "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        text = re.sub(r"(?m)^==\d+== ?", "", log.read_text())
    if run.returncode:
        raise SystemExit(f"{which} has failed")
    errors = [e for e in text.split("\n\n") if e.strip()]
    return [e for e in errors if re.search(r"\n +at 0x[0-9A-F]+: \?\?\?", e)]


def main() -> None:
    """Run each part under valgrind, or the one that is named here and now."""
    parts = {f.__name__: f for f in (functions, programs, indices, broken)}
    if len(sys.argv) > 1:
        engine.LONGEST = float("inf")  # LLVM is fifty times as slow here
        parts[sys.argv[1]]()
        return
    for name in parts:
        errors = errors_of(name)
        print(f"{name}: {len(errors)} errors", flush=True)
        if name == "broken":
            assert len(errors) == 2, errors
        else:
            assert not errors, "\n\n".join(errors)


if __name__ == "__main__":
    main()
