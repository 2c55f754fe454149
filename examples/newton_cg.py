"""Minimise functions of a thousand unknowns by Newton's method, with products of the Hessian.

    python examples/newton_cg.py
    python examples/newton_cg.py --quick --out pictures

Newton's method wants to solve H p = -g, with the gradient g and the Hessian H. For 1,000 unknowns H
has a million numbers, but conjugate gradients (CG) ask only for products H v, and `fgrad.hvp` gives
these for the price of a few gradients. Around CG stands a trust region, which keeps the steps short
where the quadratic model is not to be trusted, and in which CG may meet negative curvature
(T. Steihaug, SIAM J. Numer. Anal. 20, 1983; J. Nocedal and S. Wright, Numerical Optimization,
2006, algorithms 4.1 and 7.2).

Two such minimisers run here. One calls `fgrad.hvp` for each product. The other calls
`fgrad.linearize` of the gradient once at each point: it records the derivative, and the many
products that CG asks for at that point then only play the record. They are compared with SciPy's
methods, which get the same derivatives, on the Rosenbrock function and on logistic regression.
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
import scipy.optimize

import fgrad
import fgrad.scipy.optimize

Function = Callable[[np.ndarray], Any]
Product = Callable[[np.ndarray], np.ndarray]

TOLERANCE = 1e-6  # of the length of the gradient: all methods stop there
LIMIT = 1000  # iterations
PENALTY = 1e-5  # of logistic regression


# The problems ------------------------------------------------------------------------------------


class Problem(NamedTuple):
    """A function to minimise, and where to begin."""

    name: str
    function: Function
    start: np.ndarray


def rosenbrock(x: np.ndarray) -> Any:
    """The chained Rosenbrock function: a long, bent valley, with 0 at (1, ..., 1)."""
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def classes(samples: int, unknowns: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Features X (samples, unknowns) of unequal scales, and for each sample a sign, -1 or 1.

    Unequal scales are what makes it hard: the Hessian's eigenvalues span some orders of magnitude.
    """
    scales = np.geomspace(1.0, 0.01, unknowns)
    X = rng.normal(size=(samples, unknowns)) * scales
    truth = rng.normal(size=unknowns) / np.sqrt(unknowns * scales)
    return X, np.where(rng.random(samples) < 1 / (1 + np.exp(-X @ truth)), 1.0, -1.0)


def logistic_loss(X: np.ndarray, signs: np.ndarray) -> Function:
    """The loss of logistic regression with a quadratic penalty, as a function of the weights."""

    def loss(w: np.ndarray) -> Any:
        # logaddexp(0, -m) is log(1 + exp(-m)), for large margins too
        return np.mean(np.logaddexp(0.0, -signs * (X @ w))) + 0.5 * PENALTY * (w @ w)

    return loss


def problems(quick: bool, rng: np.random.Generator) -> list[Problem]:
    """The two problems, with 1,000 unknowns each, or 20 if it is to be quick."""
    n = 20 if quick else 1000
    loss = logistic_loss(*classes(2 * n, n, rng))
    return [
        Problem(f"Rosenbrock, {n} unknowns", rosenbrock, rng.uniform(0.0, 2.0, n)),
        Problem(f"logistic regression, {n} unknowns", loss, np.zeros(n)),
    ]


# Derivatives, counted ----------------------------------------------------------------------------


class Counted:
    """A function and its derivatives by fgrad, with a record of what was asked of them.

    Attributes:
        values, gradients, products: how often each was called.
        seconds: the time that all these calls took.
        path: (seconds, length of the gradient) after each gradient.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.values = self.gradients = self.products = 0
        self.seconds = 0.0
        self.path: list[tuple[float, float]] = []

    def value(self, x: np.ndarray) -> float:
        """The value itself: a plain call, in which fgrad has no part."""
        self.values += 1
        return float(self._timed(self.function, x))

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """The gradient, by reverse mode."""
        self.gradients += 1
        g: np.ndarray = self._timed(fgrad.grad(self.function), x)
        self.path.append((self.seconds, float(np.linalg.norm(g))))
        return g

    def product(self, x: np.ndarray, v: np.ndarray) -> np.ndarray:
        """The Hessian times a vector: forward mode over reverse mode, all of it anew."""
        self.products += 1
        return self._timed(fgrad.hvp, self.function, (x,), (v,))

    def products_at(self, x: np.ndarray) -> Product:
        """The Hessian as a linear function: the same, with the part that depends on x only once."""
        _, linear = self._timed(fgrad.linearize, fgrad.grad(self.function), x)

        def product(v: np.ndarray) -> np.ndarray:
            self.products += 1
            return self._timed(linear, v)

        return product

    def stop_when_done(self, *_: Any) -> None:
        """A callback for SciPy, so that its methods stop at the same length of the gradient."""
        if self.path[-1][1] <= TOLERANCE:
            raise StopIteration

    def _timed(self, function: Callable[..., Any], *args: Any) -> Any:
        begin = time.perf_counter()
        answer = function(*args)
        self.seconds += time.perf_counter() - begin
        return answer


# The minimiser -----------------------------------------------------------------------------------


def steihaug(g: np.ndarray, product: Product, radius: float, tolerance: float) -> np.ndarray:
    """About the least point of g.p + p.H.p / 2 with |p| <= radius, by conjugate gradients.

    The residual H p + g goes down to `tolerance`, unless the path of CG leaves the trust region or
    finds a direction of negative curvature; both end at the region's boundary.
    """
    p = np.zeros_like(g)
    residual, direction = g, -g
    for _ in range(2 * len(g)):
        if np.linalg.norm(residual) <= tolerance:
            break
        bent = product(direction)
        curvature = direction @ bent
        if curvature <= 0:
            return p + to_boundary(p, direction, radius) * direction
        step = (residual @ residual) / curvature
        if np.linalg.norm(p + step * direction) >= radius:
            return p + to_boundary(p, direction, radius) * direction
        p = p + step * direction
        following = residual + step * bent
        direction = -following + (following @ following) / (residual @ residual) * direction
        residual = following
    return p


def to_boundary(p: np.ndarray, direction: np.ndarray, radius: float) -> float:
    """The t >= 0 with |p + t direction| = radius, for a p inside."""
    a, b, c = direction @ direction, p @ direction, p @ p - radius**2
    root = np.sqrt(b * b - a * c)
    # of the two forms of the root the one in which nothing cancels
    return float(-c / (b + root) if b > 0 else (root - b) / a)


def newton_cg(problem: Counted, start: np.ndarray, *, linearized: bool) -> tuple[np.ndarray, int]:
    """Minimise in a trust region; return the point and the number of iterations."""
    x, radius = start, 1.0
    value, g = problem.value(x), problem.gradient(x)
    product = _products(problem, x, linearized)
    for iteration in range(LIMIT):
        length = float(np.linalg.norm(g))
        if length <= TOLERANCE:
            return x, iteration
        # min(1/2, sqrt(|g|)) |g|: as the gradient vanishes, the convergence is superlinear
        p = steihaug(g, product, radius, min(0.5, np.sqrt(length)) * length)
        predicted = -(g @ p + 0.5 * (p @ product(p)))
        new_value = problem.value(x + p)
        # near the minimum both numbers are rounding errors, and their ratio says nothing
        rounding = 10 * np.finfo(float).eps * abs(value)
        agreement = (value - new_value + rounding) / (predicted + rounding)
        if agreement < 0.25:
            radius = 0.25 * float(np.linalg.norm(p))
        elif agreement > 0.75 and np.linalg.norm(p) >= 0.99 * radius:
            radius = 2 * radius
        if agreement > 0.1:
            x, value, g = x + p, new_value, problem.gradient(x + p)
            product = _products(problem, x, linearized)
    return x, LIMIT


def _products(problem: Counted, x: np.ndarray, linearized: bool) -> Product:
    return problem.products_at(x) if linearized else lambda v: problem.product(x, v)


# The comparison ----------------------------------------------------------------------------------


class Run(NamedTuple):
    """What a method did on a problem."""

    method: str
    x: np.ndarray
    iterations: int
    counted: Counted
    seconds: float


def _scipy(counted: Counted, start: np.ndarray, method: str) -> tuple[np.ndarray, int]:
    """A method of SciPy's, with derivatives by fgrad."""
    second = {} if method == "L-BFGS-B" else {"hessp": counted.product}
    # their own tests for the end are put out of reach
    out = {
        "L-BFGS-B": {"ftol": 0.0, "gtol": 0.0, "maxfun": 50 * LIMIT, "maxiter": 50 * LIMIT},
        "Newton-CG": {"xtol": 0.0, "maxiter": LIMIT},
        "trust-ncg": {"gtol": TOLERANCE, "maxiter": LIMIT},
    }[method]
    found = scipy.optimize.minimize(
        counted.value, start, jac=counted.gradient, method=method, options=out,
        callback=counted.stop_when_done, **second,
    )  # fmt: skip
    return found.x, found.nit


METHODS: dict[str, Callable[[Counted, np.ndarray], tuple[np.ndarray, int]]] = {
    "ours, linearize": lambda counted, start: newton_cg(counted, start, linearized=True),
    "ours, hvp": lambda counted, start: newton_cg(counted, start, linearized=False),
    "SciPy trust-ncg": lambda counted, start: _scipy(counted, start, "trust-ncg"),
    "SciPy Newton-CG": lambda counted, start: _scipy(counted, start, "Newton-CG"),
    "SciPy L-BFGS-B": lambda counted, start: _scipy(counted, start, "L-BFGS-B"),
}


def compare(problem: Problem, progress: Callable[[], Any]) -> list[Run]:
    """Run all methods on a problem, and call `progress` after each."""
    runs = []
    for method, minimise in METHODS.items():
        counted = Counted(problem.function)
        begin = time.perf_counter()
        x, iterations = minimise(counted, problem.start)
        runs.append(Run(method, x, iterations, counted, time.perf_counter() - begin))
        progress()
    return runs


def bridge(problem: Problem) -> tuple[Any, float]:
    """The short way, `fgrad.scipy.optimize`: SciPy's method, and no word about derivatives."""
    begin = time.perf_counter()
    found = fgrad.scipy.optimize.minimize(
        problem.function, problem.start, method="trust-ncg", options={"gtol": TOLERANCE}
    )
    return found, time.perf_counter() - begin


def report(problem: Problem, runs: list[Run]) -> None:
    """Print what all methods did."""
    rows = [
        [
            run.method, f"{run.iterations}", f"{run.counted.values}", f"{run.counted.gradients}",
            f"{run.counted.products}", f"{run.seconds:.2f}", f"{problem.function(run.x):.8g}",
            f"{np.linalg.norm(fgrad.grad(problem.function)(run.x)):.1e}",
        ]
        for run in runs
    ]  # fmt: skip
    found, seconds = bridge(problem)
    rows.append(
        [
            "fgrad.scipy.optimize", f"{found.nit}", f"{found.nfev}", f"{found.njev}",
            f"{found.nhev}", f"{seconds:.2f}", f"{found.fun:.8g}",
            f"{np.linalg.norm(found.jac):.1e}",
        ]
    )  # fmt: skip
    columns = [
        "",
        "iterations",
        "values",
        "gradients",
        "products",
        "seconds",
        "value",
        "|gradient|",
    ]
    program.table(problem.name, columns, rows)


def picture(path: Path, results: list[tuple[Problem, list[Run]]]) -> Path:
    """The length of the gradient over the time spent in the function and its derivatives."""
    figure, panels = program.canvas(1, len(results), size=(11.0, 4.6))
    styles = [
        (program.RED, "-"), (program.RED, ":"), (program.BLUE, "-"), (program.BLUE, ":"),
        (program.OCHRE, "-"),
    ]  # fmt: skip
    for axes, (problem, runs) in zip(panels, results, strict=True):
        for run, (color, line) in zip(runs, styles, strict=True):
            seconds, lengths = np.transpose(run.counted.path)
            axes.semilogy(seconds, lengths, line, color=color, linewidth=1.6, label=run.method)
        axes.axhline(TOLERANCE, color=program.INK, linewidth=0.8, label="tolerance")
        axes.set_xlabel("seconds in f and its derivatives")
        axes.set_title(problem.name, loc="left", fontsize=13)
    panels[0].set_ylabel("length of the gradient")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=6, frameon=False
    )
    return program.save(figure, path)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Minimise both functions by all methods, and show how it went."""
    posed = problems(chosen.quick, np.random.default_rng(chosen.seed))
    with program.bar(chosen, len(posed) * len(METHODS), "run") as bar:
        results = [(problem, compare(problem, bar.update)) for problem in posed]
    for problem, runs in results:
        report(problem, runs)
    return [picture(chosen.out / "newton_cg.png", results)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the output folder is not usable."""
    options = program.parser(
        "Newton's method with conjugate gradients, on thousands of unknowns.", "newton_cg_plots"
    )
    return program.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
