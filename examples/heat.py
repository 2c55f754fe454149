"""Find how well each place of a rod conducts heat, by the gradient through 1,000 time steps.

    python examples/heat.py
    python examples/heat.py --quick --out pictures

A rod of 64 cells is heated at one place, left alone for 1,000 time steps, and its temperatures are
measured, with noise; then the same at two other places. From the measurements at the end alone,
the conductivity between each two cells is to be found: 63 unknowns, and one number to minimise,
the misfit. Its gradient comes from going through all time steps backwards. By hand that takes the
adjoint equation, derived on paper; here `fgrad.grad` goes back through `fgrad.scan`, and the
adjoint by hand stands beside it to compare with.

Going back needs what the steps have computed. Kept all, it takes memory in proportion to their
number. With `checkpoint_every`, `scan` keeps only each k-th state and computes the steps between a
second time, when they are needed (A. Griewank and A. Walther, Algorithm 799: revolve, ACM TOMS 26,
2000). The gradient is the same; the table tells the memory and the time of each way.
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import program
import scipy.optimize

import fgrad

NOISE = 0.003  # standard deviation of the measured temperatures
ROUGHNESS = 0.15  # standard deviation of the change of log(conductivity) from cell to cell
START = 0.25  # the first guess of the conductivity, everywhere


# The physics -------------------------------------------------------------------------------------


class Experiment(NamedTuple):
    """What is known: the heat at the beginning, the temperatures at the end, the time steps."""

    before: np.ndarray  # (experiments, cells)
    after: np.ndarray  # (experiments, cells)
    steps: int


def evolve(u: Any, conductivity: Any) -> Any:
    """Temperatures (experiments, cells) one time step later; the ends of the rod are insulated.

    Heat flows between neighbours, in proportion to the difference of their temperatures. The
    conductivity (cells - 1,) is in units of a cell's length squared by a time step; the explicit
    method of Euler is stable as long as it is below 1/2.
    """
    flow = conductivity * np.diff(u)
    return u + np.diff(flow, prepend=0.0, append=0.0)


def final_temperatures(conductivity: Any, u: Any, steps: int, **memory: Any) -> Any:
    """Temperatures after all time steps; `memory` are the options of `scan` for checkpoints."""
    u, _ = fgrad.scan(lambda u, _: (evolve(u, conductivity), None), u, length=steps, **memory)
    return u


def true_conductivity(cells: int) -> np.ndarray:
    """What is to be found: good on the left, a bad weld in the middle, worse on the right."""
    x = (np.arange(cells - 1) + 1.0) / cells
    smooth = 0.3 - 0.12 / (1 + np.exp(-(x - 0.6) / 0.05))
    return smooth * (1 - 0.7 * np.exp(-(((x - 0.35) / 0.04) ** 2)))


def measure(cells: int, steps: int, rng: np.random.Generator) -> Experiment:
    """Heat the rod at three places, and measure after the time steps."""
    x = (np.arange(cells) + 0.5) / cells
    before = np.exp(-(((x - np.array([[0.1], [0.5], [0.9]])) / 0.08) ** 2))
    after = final_temperatures(true_conductivity(cells), before, steps)
    return Experiment(before, after + NOISE * rng.normal(size=after.shape), steps)


# The misfit and its gradients --------------------------------------------------------------------


def misfit(log_conductivity: Any, experiment: Experiment, **memory: Any) -> Any:
    """Minus the logarithm of the posterior probability, up to a constant.

    The unknown is the logarithm, which keeps conductivities positive. The second term says that
    neighbours are alike; without it the noise would be fitted.
    """
    found = final_temperatures(
        np.exp(log_conductivity), experiment.before, experiment.steps, **memory
    )
    errors = (found - experiment.after) / NOISE
    changes = np.diff(log_conductivity) / ROUGHNESS
    return 0.5 * np.sum(errors**2) + 0.5 * np.sum(changes**2)


def misfit_by_loop(log_conductivity: Any, experiment: Experiment) -> Any:
    """The same with Python's own loop in place of `scan`."""
    u, conductivity = experiment.before, np.exp(log_conductivity)
    for _ in range(experiment.steps):
        u = evolve(u, conductivity)
    errors = (u - experiment.after) / NOISE
    changes = np.diff(log_conductivity) / ROUGHNESS
    return 0.5 * np.sum(errors**2) + 0.5 * np.sum(changes**2)


def gradient_by_hand(log_conductivity: np.ndarray, experiment: Experiment) -> np.ndarray:
    """The gradient of `misfit` by the adjoint equation, derived and written by hand.

    A step is u' = u - G.T (k * G u), with G the differences of neighbours. So what the misfit owes
    to u' it owes to u by the same step, for it is symmetric: the adjoint is the heat equation too,
    run backwards. To k it owes minus the product of the differences of both, at each step.
    """
    k = np.exp(log_conductivity)
    states = [experiment.before]
    for _ in range(experiment.steps):
        states.append(evolve(states[-1], k))
    adjoint = (states.pop() - experiment.after) / NOISE**2
    slope = np.zeros_like(k)
    while states:
        slope -= np.sum(np.diff(adjoint) * np.diff(states.pop()), axis=0)
        adjoint = evolve(adjoint, k)
    changes = np.diff(log_conductivity) / ROUGHNESS**2
    return slope * k - np.diff(changes, prepend=0.0, append=0.0)


def ways(experiment: Experiment) -> dict[str, Callable[[np.ndarray], np.ndarray]]:
    """All ways to the gradient, as functions of log(conductivity)."""

    def through_scan(**memory: Any) -> Callable[[np.ndarray], np.ndarray]:
        return fgrad.grad(lambda k: misfit(k, experiment, **memory))

    return {
        "adjoint by hand": lambda k: gradient_by_hand(k, experiment),
        "grad of a Python loop": fgrad.grad(lambda k: misfit_by_loop(k, experiment)),
        "grad of scan": through_scan(),
        'checkpoint_every="auto"': through_scan(checkpoint_every="auto"),
        "checkpoint_every=10": through_scan(checkpoint_every=10),
        "checkpoint_memory=50_000": through_scan(checkpoint_memory=50_000),
    }


class Cost(NamedTuple):
    """A gradient, the most memory in use while it was computed, and the time."""

    gradient: np.ndarray
    bytes: int
    seconds: float


def cost(gradient: Callable[[np.ndarray], np.ndarray], at: np.ndarray, repeats: int) -> Cost:
    """Measure a way to the gradient; time and memory apart, for watching memory takes time."""
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        found = gradient(at)
        times.append(time.perf_counter() - begin)
    tracemalloc.start()
    gradient(at)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Cost(found, peak, min(times))


def compare(
    experiment: Experiment, at: np.ndarray, repeats: int, progress: Callable[[], Any]
) -> dict[str, Cost]:
    """Measure all ways to the gradient."""
    costs = {}
    for name, gradient in ways(experiment).items():
        costs[name] = cost(gradient, at, repeats)
        progress()
    return costs


# The search --------------------------------------------------------------------------------------


class Found(NamedTuple):
    """The conductivity that fits best, how sure it is, and what the search for it took."""

    conductivity: np.ndarray
    error: np.ndarray  # standard deviation of its logarithm
    misfits: list[float]
    evaluations: int


def search(
    experiment: Experiment, *, iterations: int, progress: Callable[[], Any] = lambda: None
) -> Found:
    """Minimise the misfit by SciPy's L-BFGS-B, with the gradient through checkpointed steps."""
    cells = experiment.before.shape[1]
    both = fgrad.value_and_grad(lambda k: misfit(k, experiment, checkpoint_every="auto"))
    misfits = []

    def follow(intermediate_result: Any) -> None:
        misfits.append(float(intermediate_result.fun))
        progress()

    # conductivities of 1/2 and more would make the time steps unstable
    limits = scipy.optimize.Bounds(np.log(0.01), np.log(0.49))
    found = scipy.optimize.minimize(
        both, np.full(cells - 1, np.log(START)), jac=True, method="L-BFGS-B", bounds=limits,
        callback=follow, options={"maxiter": iterations, "maxcor": 30},
    )  # fmt: skip
    return Found(np.exp(found.x), standard_error(found.x, experiment), misfits, found.nfev)


def standard_error(log_conductivity: np.ndarray, experiment: Experiment) -> np.ndarray:
    """Standard deviations of log(conductivity) in the posterior, taken for normal near its top.

    The inverse covariance is the Gauss-Newton matrix of the misfit; its Jacobian comes by forward
    mode, in which all columns go through the time steps together, and nothing is kept.
    """

    def errors(k: Any) -> Any:
        found = final_temperatures(np.exp(k), experiment.before, experiment.steps)
        return np.concatenate([found.ravel() / NOISE, np.diff(k) / ROUGHNESS])

    J = fgrad.jacfwd(errors)(log_conductivity)
    return np.sqrt(np.diag(np.linalg.inv(J.T @ J)))


# The program -------------------------------------------------------------------------------------


def report(experiment: Experiment, costs: dict[str, Cost], found: Found) -> None:
    """Print the cost of the gradients, and how near the truth the search came."""
    reference = costs["adjoint by hand"].gradient
    scale = np.max(np.abs(reference))
    rows = [
        [name, f"{cost.bytes / 1e6:.3f}", f"{cost.seconds:.3f}",
         f"{np.max(np.abs(cost.gradient - reference)) / scale:.1e}"]
        for name, cost in costs.items()
    ]  # fmt: skip
    columns = ["", "peak memory (MB)", "seconds", "off the adjoint by hand"]
    program.table(f"The gradient through {experiment.steps} steps", columns, rows)
    truth = true_conductivity(len(found.conductivity) + 1)
    away = np.log(found.conductivity / truth)
    errors = (
        final_temperatures(found.conductivity, experiment.before, experiment.steps)
        - experiment.after
    ) / NOISE
    rows = [
        ["iterations", f"{len(found.misfits)}"],
        ["gradients", f"{found.evaluations}"],
        ["typical error of the first guess", f"{rms(np.log(START / truth)):.1%}"],
        ["typical error of the conductivity found", f"{rms(away):.1%}"],
        ["the same in its standard errors", f"{rms(away / found.error):.2f}"],
        ["typical misfit of a temperature (noise = 1)", f"{rms(errors):.2f}"],
    ]
    program.table("The search", ["", ""], rows)


def rms(x: np.ndarray) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(x**2)))


def picture(path: Path, experiment: Experiment, found: Found) -> Path:
    """Truth, first guess and what was found; and the temperatures before, measured and fitted."""
    figure, (left, right) = program.canvas(1, 2, size=(11.0, 4.6))
    cells = experiment.before.shape[1]
    between = np.arange(1, cells)
    low, high = (found.conductivity * np.exp(s * found.error) for s in (-2, 2))
    left.fill_between(
        between, low, high, color=program.RED, alpha=0.2, linewidth=0, label="± 2 standard errors"
    )
    left.plot(between, true_conductivity(cells), color=program.INK, linewidth=1.8, label="truth")
    left.axhline(START, color=program.OCHRE, linestyle="--", linewidth=1.6, label="first guess")
    left.plot(between, found.conductivity, color=program.RED, linewidth=1.8, label="found")
    left.set(xlabel="cell", ylabel="conductivity (cells² per step)", ylim=(0.0, 0.55))
    left.set_title("Conductivity of the rod", loc="left", fontsize=13)
    left.legend(frameon=False, loc="upper right", ncols=2)
    fitted = final_temperatures(found.conductivity, experiment.before, experiment.steps)
    colors = (program.BLUE, program.GREEN, program.RED)
    at = np.arange(cells) + 0.5
    for i, color in enumerate(colors):
        labels = ["before", "measured after", "fitted"] if i == 0 else [None] * 3
        right.plot(at, experiment.before[i], ":", color=color, linewidth=1.3, label=labels[0])
        right.plot(at, experiment.after[i], ".", color=color, markersize=5, alpha=0.6,
                   label=labels[1])  # fmt: skip
        right.plot(at, fitted[i], "-", color=color, linewidth=1.3, label=labels[2])
    right.set(xlabel="cell", ylabel="temperature", ylim=(0.0, 1.2))
    right.set_title(f"Three experiments of {experiment.steps} steps", loc="left", fontsize=13)
    right.legend(frameon=False, loc="upper right", ncols=3)
    return program.save(figure, path)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Measure the rod, compare the gradients, find the conductivity, and show it."""
    cells, steps, iterations = (16, 100, 15) if chosen.quick else (64, 1000, 150)
    repeats = 1 if chosen.quick else 5
    experiment = measure(cells, steps, np.random.default_rng(chosen.seed))
    start = np.full(cells - 1, np.log(START))
    with program.bar(chosen, len(ways(experiment)) + iterations, "step") as bar:
        costs = compare(experiment, start, repeats, bar.update)
        found = search(experiment, iterations=iterations, progress=bar.update)
    report(experiment, costs, found)
    return [picture(chosen.out / "heat.png", experiment, found)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the output folder is not usable."""
    options = program.parser(
        "Find the conductivity of a rod, by the gradient through 1,000 time steps.", "heat_plots"
    )
    return program.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
