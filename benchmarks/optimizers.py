"""Optimizers beside optax's: how far their paths part over 100 steps, and what a step costs.

    python -m benchmarks.optimizers          # the paths, in float64, float32 and complex128
    python -m benchmarks.optimizers --write  # optax's paths, for the tests
    python -m benchmarks.optimizers --time   # an Adam step: fgrad_nn, optax with jit, torch

It needs optax and, for the times, torch. `--write` writes `tests/nn/optax_paths.npz`, with which
`tests/nn/test_optimizers_optax.py` compares our paths; the optimizers stand in
`tests/nn/optax_cases.py`.
"""

from __future__ import annotations

import argparse
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fgrad_nn.optimizers as ours
from benchmarks import optimizers_optax as theirs
from fgrad import vmap
from tests.nn import optax_reference
from tests.nn.optax_recipe import COUNTS, make_recipe, of_dtype, path_of_ours
from tests.nn.optax_schedules import SCHEDULES
from tests.nn.optax_searches import SEARCHES, results

RATE = 1e-2


def reference():
    """All of optax's paths."""
    recipe = make_recipe()
    paths = {
        dtype: {
            name: theirs.path(case, of_dtype(recipe, case.kind, dtype))
            for name, case in ((name, optax_reference.CASES[name]) for name in names)
        }
        for dtype, names in optax_reference.COMPARED.items()
    }
    values = {name: theirs.schedule_values(make) for name, make in SCHEDULES.items()}
    found = {name: theirs.search_results(make) for name, make in SEARCHES.items()}
    return optax_reference.Reference(
        optax.__version__, theirs.public_defaults(), recipe, paths, values, found
    )


def write():
    optax_reference.save(reference())
    size = optax_reference.FILE.stat().st_size
    print(f"{optax_reference.FILE}: {size / 1000:.0f} kB, of optax {optax.__version__}")


def compare():
    of_optax, lib = reference(), optax_reference.OURS
    title = "greatest difference in 100 steps"
    print(f"{title:57}" + "".join(f"{dtype:>12}" for dtype in of_optax.paths))
    for name, case in optax_reference.CASES.items():
        cells = []
        for dtype, paths in of_optax.paths.items():
            cell = ""
            if name in paths:
                path = path_of_ours(lib, case, of_dtype(of_optax.recipe, case.kind, dtype))
                cell = f"{optax_reference.gap(path, paths[name]):.1e}"
            cells.append(f"{cell:>12}")
        print(f"{name:57}" + "".join(cells))
    for name, values in of_optax.schedules.items():
        print(f"{name:57}{optax_reference.gap(SCHEDULES[name](lib)(COUNTS), values):12.1e}")
    for name, found in of_optax.searches.items():
        mine = results(lib, SEARCHES[name], np, vmap)
        print(f"{name:57}{optax_reference.gap(mine, found):12.1e}")


def microseconds(f, repeat=7, number=500):
    for _ in range(50):
        f()
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(number):
            f()
        best = min(best, (time.perf_counter() - start) / number)
    return 1e6 * best


def measure():
    import torch

    jax.config.update("jax_enable_x64", True)

    torch.set_num_threads(1)
    draw = np.random.default_rng(0)
    shapes = [(8, 16), (16,), (16, 16), (16,), (16, 1), (1,)]
    params = [draw.normal(size=s) for s in shapes]
    grads = [draw.normal(size=s) for s in shapes]

    def step(opt, apply):
        def run(params, state):
            updates, state = opt.update(grads, state, params)
            return apply(params, updates), state

        return run

    for name, opt in (
        ("sgd", ours.sgd(RATE)),
        ("adam", ours.adam(RATE)),
        ("flatten(adam)", ours.flatten(ours.adam(RATE))),
        ("adamw", ours.adamw(RATE)),
    ):
        run, state = step(opt, ours.apply_updates), opt.init(params)
        print(f"fgrad_nn {name:20} {microseconds(lambda: run(params, state)):7.1f} us")  # noqa: B023
    opt = optax.adam(RATE)
    theirs = jax.tree.map(jnp.asarray, params)
    gs = jax.tree.map(jnp.asarray, grads)
    state = opt.init(theirs)

    @jax.jit
    def jitted(params, state, grads):
        updates, state = opt.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    took = microseconds(lambda: jax.block_until_ready(jitted(theirs, state, gs)))
    print(f"optax adam, jit               {took:7.1f} us")
    for fused in (False, True):
        leaves = [torch.tensor(p, requires_grad=True) for p in params]
        for leaf, g in zip(leaves, grads, strict=True):
            leaf.grad = torch.tensor(g)
        adam = torch.optim.Adam(leaves, RATE, fused=fused)
        print(f"torch.optim.Adam, fused={fused!s:5} {microseconds(adam.step):7.1f} us")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--write", action="store_true", help="write optax's paths for the tests")
    choice.add_argument("--time", action="store_true", help="measure steps")
    args = parser.parse_args()
    (write if args.write else measure if args.time else compare)()
