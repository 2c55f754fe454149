"""Per-example gradients beside the gradient of the whole batch, by each library for itself.

    python benchmarks/per_example.py
    python benchmarks/per_example.py --only fgrad,jax.jit --batch 32 --seconds 10

The network is that of `examples/pulsars.py`. A cell is the CPU time of ``vmap(grad(loss))`` over
the examples, as a ratio to that of ``grad(loss)`` of them all, by the same library: what it costs
to have the gradients one by one. An example is a row (1, 8), for which the loss of the batch
serves as it is, or a vector (8,), with the biases as columns ``b[:, 0]`` or as vectors.
"""

from __future__ import annotations

import one_thread

assert one_thread.DONE  # its import comes before NumPy's

import argparse  # noqa: E402
import importlib.util  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402
from measure import Call, check, interleave  # noqa: E402

Array = np.ndarray
#: How many samples the data set of that network has, from which a batch is drawn.
SAMPLES = 17_898


def losses(xp: Any) -> dict[str, Callable[..., Any]]:
    """The loss of a batch or a row, and of a vector with either kind of biases."""

    def rows(params: Any, X: Any, Y: Any) -> Any:
        y = X.T
        for w, b in zip(params[::2], params[1::2], strict=True):
            y = xp.tanh(w @ y + b)
        return xp.mean((y.T - Y) ** 2)

    def columns(params: Any, x: Any, y: Any) -> Any:
        for w, b in zip(params[::2], params[1::2], strict=True):
            x = xp.tanh(w @ x + b[:, 0])
        return xp.mean((x - y) ** 2)

    def vectors(params: Any, x: Any, y: Any) -> Any:
        for w, b in zip(params[::2], params[1::2], strict=True):
            x = xp.tanh(w @ x + b)
        return xp.mean((x - y) ** 2)

    return {"rows": rows, "columns": columns, "vectors": vectors}


def data(batch: int) -> tuple[list[Array], Array, Array]:
    """Parameters, and a batch drawn from standardised samples."""
    rng = np.random.default_rng(0)
    # To make so many is part of the measurement: a program that has never freed an array larger
    # than the gradients gets their memory from the system anew in each call.
    X = rng.normal(2.0, 3.0, size=(SAMPLES, 8))
    X = (X - X.mean(0)) / X.std(0)
    Y = np.eye(2)[rng.integers(2, size=SAMPLES)]
    shapes = ((25, 8), (25, 1), (10, 25), (10, 1), (2, 10), (2, 1))
    chosen = rng.integers(SAMPLES, size=batch)
    return [rng.normal(size=s) / s[-1] ** 0.5 for s in shapes], X[chosen], Y[chosen]


def calls_of(
    xp: Any, grad: Any, vmap: Any, params: Any, X: Any, Y: Any, finish: Any, compiled: Any
) -> dict[str, Call]:
    """The gradient of the batch and those of its examples, by one library's transformations."""
    f = losses(xp)
    flat = [p[:, 0] if p.shape[1] == 1 else p for p in params]

    def call(fn: Any, *args: Any) -> Call:
        fn = compiled(fn)
        return lambda: finish(fn(*args))

    def each(name: str) -> Any:
        return vmap(grad(f[name]), (None, 0, 0))

    return {
        "batch": call(grad(f["rows"]), params, X, Y),
        "rows": call(each("rows"), params, X[:, None], Y[:, None]),
        "columns": call(each("columns"), params, X, Y),
        "vectors": call(each("vectors"), flat, X, Y),
    }


def same(x: Any) -> Any:
    """What is called already is ready."""
    return x


def by_fgrad(params: Any, X: Any, Y: Any) -> dict[str, Call]:
    """fgrad on NumPy."""
    import fgrad

    return calls_of(np, fgrad.grad, fgrad.vmap, params, X, Y, same, same)


def by_fgrad_jit(params: Any, X: Any, Y: Any) -> dict[str, Call]:
    """The examples' gradients compiled, beside the eager gradient of the batch."""
    import fgrad

    calls = calls_of(np, fgrad.grad, fgrad.vmap, params, X, Y, same, fgrad.jit)
    return {**calls, "batch": by_fgrad(params, X, Y)["batch"]}


def by_torch(params: Any, X: Any, Y: Any) -> dict[str, Call]:
    """torch.func, torch's functional transformations."""
    import torch
    from torch.func import grad, vmap

    torch.set_num_threads(1)
    tensor = torch.tensor
    return calls_of(
        torch, grad, vmap, [tensor(p) for p in params], tensor(X), tensor(Y), same, same
    )


def _by_jax(params: Any, X: Any, Y: Any, compiled: bool) -> dict[str, Call]:
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    arrays = [jnp.asarray(p) for p in params], jnp.asarray(X), jnp.asarray(Y)
    ready = jax.block_until_ready
    return calls_of(jnp, jax.grad, jax.vmap, *arrays, ready, jax.jit if compiled else same)


#: Name -> what must be installed, and what makes the calls.
PEERS: dict[str, tuple[str, Callable[..., dict[str, Call]]]] = {
    "fgrad": ("fgrad", by_fgrad),
    "fgrad.jit (batch eager)": ("fgrad", by_fgrad_jit),
    "torch.func": ("torch", by_torch),
    "jax eager": ("jax", lambda *args: _by_jax(*args, compiled=False)),
    "jax.jit": ("jax", lambda *args: _by_jax(*args, compiled=True)),
}


def checked(calls: dict[str, Call]) -> None:
    """The mean of the examples' gradients is the gradient of the batch."""
    wanted = [np.asarray(g) for g in calls["batch"]()]
    for name, call in calls.items():
        if name != "batch":
            means = [np.mean(np.asarray(g), axis=0) for g in call()]
            pairs = zip(means, wanted, strict=True)
            check([m.reshape(w.shape) for m, w in pairs], wanted, 1e-10)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--only", help="names, separated by commas: " + ", ".join(PEERS))
    parser.add_argument("--batch", type=int, default=128, help="examples (default 128)")
    parser.add_argument("--seconds", type=float, default=4.0, help="for each library (default 4)")
    args = parser.parse_args(argv)
    print("| per-example gradients | batch | rows (1, 8) | vectors, b[:, 0] | vectors |")
    print("|---|---:|---:|---:|---:|")
    for name in args.only.split(",") if args.only else PEERS:
        module, make = PEERS[name]
        if importlib.util.find_spec(module) is None:
            print(f"skipped: {name} ({module} is not installed)")
            continue
        calls = make(*data(args.batch))
        checked(calls)
        timings = interleave(calls, args.seconds)
        ratios = [f"{t.cpu_ratio:.2f}" for key, t in timings.items() if key != "batch"]
        batch = f"{timings['batch'].cpu * 1e6:.0f} µs"
        print("| " + " | ".join([name, batch, *ratios]) + " |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
