"""Draw from distributions by Hamiltonian Monte Carlo, in many chains at once.

    python examples/hmc.py
    python examples/hmc.py --quick --seed 3

To draw from a density, Hamiltonian Monte Carlo takes a point for a ball in the valley
-log(density), gives it a random push, follows it for a while, and takes the place where it is for
the next draw. The leapfrog method follows it by the gradient; its error of energy is made good by
refusing some of the moves (R. Neal, MCMC using Hamiltonian dynamics, 2011). The step size is found
in a warm-up, by dual averaging (M. Hoffman and A. Gelman, The No-U-Turn Sampler, JMLR 15, 2014,
section 3.2), such that four of five moves are accepted, or another share that is aimed at.

`transition` is written for one chain, as one would write it down. `fgrad.vmap` makes it one for all
chains: its random numbers, its gradients and its loop. `fgrad.make_graph` records that once, and
the record is played for each draw. Three distributions are drawn from (see `hmc_targets.py`), and
what the draws say of their moments stands beside the truth. One of them, a banana, has thin ends in
which the steps that suit its middle fly off to infinity: divergent moves, which are refused. So the
chains hardly get there, or hardly away, and tell the wrong moments; aiming at more accepted moves,
and so at smaller steps, mends that.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import program
from hmc_diagnostics import effective_size, r_hat
from hmc_targets import Target, banana, correlated_gaussian, eight_schools, eight_schools_grid

import fgrad
from fgrad import random

AIM = 0.8  # the share of accepted moves that the warm-up aims at
DIVERGENT = 1000.0  # an error of energy: who has it lost touch with the ball's path
MOST_STEPS = 200  # of the leapfrog method in a move


# One chain ---------------------------------------------------------------------------------------


class Move(NamedTuple):
    """Where a chain is after a move, the probability of accepting it, and the error of energy."""

    x: Any
    acceptance: Any
    energy_error: Any


def transition(log_density: Callable[[Any], Any], key: Any, x: Any, size: Any, steps: Any) -> Move:
    """One move of one chain: a push, `steps` leapfrog steps of the given size, and the decision.

    Args:
        log_density: of one point, up to a constant.
        key: of the random numbers of this move.
        x: where the chain is, shape (dimension,).
        size, steps: of the leapfrog method.
    """
    value_and_slope = fgrad.value_and_grad(log_density)
    push_key, decision_key = random.split(key)
    push = random.normal(push_key, x.shape)
    value, slope = value_and_slope(x)

    def leapfrog(_: Any, state: Any) -> Any:
        x, momentum, _, slope = state
        momentum = momentum + 0.5 * size * slope
        x = x + size * momentum
        value, slope = value_and_slope(x)
        return x, momentum + 0.5 * size * slope, value, slope

    new_x, momentum, new_value, _ = fgrad.fori_loop(0, steps, leapfrog, (x, push, value, slope))
    gain = new_value - 0.5 * momentum @ momentum - (value - 0.5 * push @ push)
    # where the steps ran away to infinity the gain may be NaN: that is no move to accept
    gain = np.where(np.isnan(gain), -np.inf, gain)
    accepted = np.log(random.uniform(decision_key)) < gain
    return Move(np.where(accepted, new_x, x), np.exp(np.minimum(gain, 0.0)), -gain)


def all_chains(target: Target, chains: int) -> Callable[..., Move]:
    """The transition of all chains, recorded: a function of keys, points, size and steps."""

    def one(key: Any, x: Any, size: Any, steps: Any) -> Move:
        return transition(target.log_density, key, x, size, steps)

    keys, x = random.split(random.key(0), chains), np.zeros((chains, target.dimension))
    # the keys and points of a chain are its own; the size and the number of steps are for all
    recorded = fgrad.make_graph(fgrad.vmap(one, in_axes=(0, 0, None, None)))(keys, x, 0.1, 1)

    def move(*args: Any) -> Move:
        with np.errstate(over="ignore", invalid="ignore"):  # of paths that run away to infinity
            return recorded(*args)

    return move


# The step size -----------------------------------------------------------------------------------


class DualAveraging(NamedTuple):
    """A step size on its way, by Nesterov's dual averaging of the error of the acceptance.

    Hoffman and Gelman 2014, equation 6 and algorithm 5, whose constants these are.
    """

    aim: float
    anchor: float  # mu: log(step size) is drawn to it
    log_size: float
    log_average: float = 0.0
    error: float = 0.0
    moves: int = 0

    @classmethod
    def starting(cls, size: float, aim: float) -> DualAveraging:
        """At a first step size; it is cheap to try larger ones first."""
        return cls(aim, anchor=float(np.log(10 * size)), log_size=float(np.log(size)))

    def updated(self, acceptance: float) -> DualAveraging:
        """After a move that was accepted with this probability."""
        moves = self.moves + 1
        share = 1.0 / (moves + 10)
        error = (1 - share) * self.error + share * (self.aim - acceptance)
        log_size = self.anchor - np.sqrt(moves) / 0.05 * error
        weight = moves**-0.75
        log_average = weight * log_size + (1 - weight) * self.log_average
        return DualAveraging(
            self.aim, self.anchor, float(log_size), float(log_average), error, moves
        )


def reasonable_size(move: Callable[..., Move], keys: Any, x: np.ndarray) -> float:
    """A first step size, doubled or halved until one step is accepted half of the time.

    (Hoffman and Gelman 2014, algorithm 4, with the mean over the chains.)
    """
    size = 1.0
    upwards = np.mean(move(keys, x, size, 1).acceptance) > 0.5
    while (np.mean(move(keys, x, size, 1).acceptance) > 0.5) == upwards and 1e-8 < size < 1e8:
        size = 2 * size if upwards else size / 2
    return size


# Sampling ----------------------------------------------------------------------------------------


class Samples(NamedTuple):
    """What the chains drew, and how it went."""

    draws: np.ndarray  # (chains, warm-up + draws, dimension)
    warmup: int
    aim: float
    sizes: np.ndarray  # the step size in each move
    acceptance: float
    divergent: np.ndarray  # (chains, draws), whether the move ran away
    gradients: int  # of all chains together
    seconds: float

    @property
    def kept(self) -> np.ndarray:
        """The draws after the warm-up, (chains, draws, dimension)."""
        return self.draws[:, self.warmup :]


def sample(
    target: Target, key: Any, *, chains: int, warmup: int, draws: int, aim: float = AIM,
    progress: Callable[[], Any] = lambda: None,
) -> Samples:  # fmt: skip
    """Draw from a target: begin anywhere, find the step size in a warm-up, and go on with it."""
    begin = time.perf_counter()
    move = all_chains(target, chains)
    start_key, size_key, length_key, move_key = random.split(key, 4)
    x = random.normal(start_key, (chains, target.dimension))
    first = reasonable_size(move, random.split(size_key, chains), x)
    averaging = DualAveraging.starting(first, aim)
    # paths of one length may return to where they began, over and over: lengths are drawn too
    shares = random.uniform(length_key, (warmup + draws,), minval=0.4, maxval=1.6)
    seen, sizes, accepted, divergent, gradients = [], [], [], [], 0
    for i in range(warmup + draws):
        size = np.exp(averaging.log_size if i < warmup else averaging.log_average)
        steps = int(np.clip(np.round(target.trajectory * shares[i] / size), 1, MOST_STEPS))
        keys = random.split(random.fold_in(move_key, i), chains)
        x, acceptance, energy_error = move(keys, x, size, steps)
        if i < warmup:
            averaging = averaging.updated(float(np.mean(acceptance)))
        else:
            accepted.append(np.mean(acceptance))
            divergent.append(energy_error > DIVERGENT)
        seen.append(x)
        sizes.append(size)
        gradients += chains * (steps + 1)
        progress()
    return Samples(
        np.stack(seen, axis=1), warmup, aim, np.array(sizes), float(np.mean(accepted)),
        np.stack(divergent, axis=1), gradients, time.perf_counter() - begin,
    )  # fmt: skip


# The program -------------------------------------------------------------------------------------


def report(results: list[tuple[Target, Samples]]) -> None:
    """Print how the sampling went, and the moments beside the truth."""
    rows, moments = [], []
    for target, samples in results:
        kept, label = samples.kept, f"{target.name}, {samples.aim:g}"
        hats = [r_hat(kept[..., i]) for i in range(target.dimension)]
        sizes = [effective_size(kept[..., i]) for i in range(target.dimension)]
        rows.append(
            [
                label, f"{samples.sizes[-1]:.3f}", f"{samples.acceptance:.2f}",
                f"{np.sum(samples.divergent)}", f"{samples.gradients:,}", f"{samples.seconds:.1f}",
                f"{max(hats):.4f}", f"{min(sizes):,.0f}", f"{min(sizes) / samples.seconds:,.0f}",
            ]
        )  # fmt: skip
        for i, name in enumerate(target.names[:2]):
            x = kept[..., i]
            error = x.std() / np.sqrt(sizes[i])
            moments.append(
                [
                    f"{label}: {name}", f"{target.mean[i]:.4f}", f"{x.mean():.4f}",
                    f"{error:.4f}", f"{(x.mean() - target.mean[i]) / error:+.1f}",
                    f"{target.deviation[i]:.4f}", f"{x.std():.4f}",
                ]
            )  # fmt: skip
    chains, draws, _ = results[0][1].kept.shape
    columns = ["target, aim", "step", "accepted", "divergent", "gradients", "seconds",
               "worst R-hat", "least ESS", "per second"]  # fmt: skip
    program.table(f"{chains} chains of {draws} draws, after the warm-up", columns, rows)
    columns = ["", "mean", "of draws", "its error", "errors off", "deviation", "of draws"]
    program.table("Moments: the truth, and what the draws say", columns, moments)


def picture(path: Path, results: list[tuple[Target, Samples]]) -> Path:
    """Draws over the densities of two targets, traces, and the step sizes of the warm-up."""
    figure, panels = program.canvas(2, 3, size=(15.0, 8.5))
    for column, (target, samples) in enumerate(results[-2:]):
        _banana(panels[column], target, samples)
        shown = samples.kept[:4, :300, 1]
        for x, color in zip(
            shown, (program.BLUE, program.OCHRE, program.GREEN, program.INK), strict=True
        ):
            panels[column + 3].plot(x, color=color, linewidth=0.7)
        panels[column + 3].set(xlabel="draw", ylabel="x2", ylim=(-5, 13))
        panels[column + 3].set_title("The same: traces of four chains", loc="left", fontsize=13)
    schools, steps = panels[2], panels[5]
    mu, log_tau, probabilities = eight_schools_grid(201)
    grid_mu, grid_tau = np.meshgrid(mu, log_tau, indexing="ij")
    _draws_over(schools, results[1][1], grid_mu, grid_tau, probabilities)
    schools.set(xlabel="mu", ylabel="log tau", xlim=(-10, 20), ylim=(-6, 4))
    schools.set_title("Eight schools, over the integral", loc="left", fontsize=13)
    colors = (program.BLUE, program.GREEN, program.OCHRE, program.RED)
    for (target, samples), color in zip(results, colors, strict=True):
        steps.semilogy(samples.sizes[: samples.warmup], color=color, linewidth=0.8, alpha=0.6)
        steps.axhline(samples.sizes[-1], color=color, linewidth=1.6, linestyle="--",
                      label=f"{target.name}, {samples.aim:g}")  # fmt: skip
    steps.set(xlabel="move of the warm-up", ylabel="step size (dashed: kept)", ylim=(0.05, 10))
    steps.set_title("Dual averaging", loc="left", fontsize=13)
    steps.legend(frameon=False, loc="upper right", ncols=2)
    return program.save(figure, path)


def _banana(axes: Any, target: Target, samples: Samples) -> None:
    x1, x2 = np.meshgrid(np.linspace(-8, 8, 161), np.linspace(-6, 14, 201), indexing="ij")
    points = np.stack([x1.ravel(), x2.ravel()], axis=1)
    density = np.exp(fgrad.vmap(target.log_density)(points)).reshape(x1.shape)
    _draws_over(axes, samples, x1, x2, density)
    left = samples.kept[samples.divergent]
    axes.plot(left[:, 0], left[:, 1], "x", color=program.INK, markersize=3, alpha=0.5,
              label=f"{len(left)} divergent moves began here")  # fmt: skip
    axes.set(xlabel="x1", ylabel="x2", xlim=(-8, 8), ylim=(-6, 14))
    axes.set_title(f"Banana, aim {samples.aim:g}", loc="left", fontsize=13)
    axes.legend(frameon=False, loc="upper center")


def _draws_over(axes: Any, samples: Samples, x: Any, y: Any, density: Any) -> None:
    """Some draws, and contours that hold 50, 90 and 99 % of the density."""
    ordered = np.sort(density.ravel())[::-1]
    held = np.cumsum(ordered) / ordered.sum()
    levels = [float(ordered[np.searchsorted(held, share)]) for share in (0.99, 0.9, 0.5)]
    draws = samples.kept.reshape(-1, samples.kept.shape[-1])
    some = draws[:: max(1, len(draws) // 3000)]
    axes.plot(some[:, 0], some[:, 1], ".", color=program.BLUE, alpha=0.45, markersize=3.5,
              markeredgewidth=0)  # fmt: skip
    axes.contour(x, y, density, levels, colors=program.RED, linewidths=1.2)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Draw from the targets, and show what came."""
    aims = [(correlated_gaussian(), AIM), (eight_schools(), AIM), (banana(), AIM), (banana(), 0.98)]
    chains, warmup, draws = (8, 30, 30) if chosen.quick else (32, 500, 1000)
    results = []
    with program.bar(chosen, len(aims) * (warmup + draws), "move") as bar:
        keys = random.split(random.key(chosen.seed), len(aims))
        for (target, aim), key in zip(aims, keys, strict=True):
            samples = sample(
                target, key, chains=chains, warmup=warmup, draws=draws, aim=aim,
                progress=bar.update,
            )  # fmt: skip
            results.append((target, samples))
    report(results)
    return [picture(chosen.out / "hmc.png", results)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the output folder is not usable."""
    options = program.parser("Hamiltonian Monte Carlo in many chains at once.", "hmc_plots")
    return program.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
