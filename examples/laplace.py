"""Approximate a posterior by a normal distribution, and ask how good that is.

    python examples/laplace.py
    python examples/laplace.py --quick --out pictures

Before the last flight of Challenger there had been 23 flights of space shuttles whose boosters were
recovered, and after seven of these the O-rings of the boosters showed damage (S. Dalal, E. Fowlkes,
B. Hoadley, J. American Statistical Association 84, 1989). How likely is damage at 31 degrees
Fahrenheit, the temperature of the last morning, if all earlier flights were above 50?

The model is logistic regression: log odds a + b x, with x = (temperature - 70) / 10 and a normal
prior of a given width for a and b. Laplace's method takes the posterior for a normal distribution
with its centre at the posterior's top and the inverse covariance -H, where H is the Hessian of the
logarithm there (D. MacKay, Information Theory, Inference, and Learning Algorithms, 2003, chapters
27 and 28). Newton's method finds the top, `fgrad.grad` and `fgrad.hessian` give what both need.

With two unknowns a grid can tell the truth, so each result stands beside its numerical integral.
Last, the width of the prior itself is chosen: the evidence is differentiated in it, twice, through
the search for the top and the determinant of the Hessian there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import program
import scipy.special
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

import fgrad
import fgrad.scipy.optimize

#: Temperature at the launch (degrees Fahrenheit), and whether O-rings were damaged, of 23 flights.
FAHRENHEIT = np.array(
    [66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78, 67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58.0]
)  # fmt: skip
DAMAGED = np.array(
    [0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1.0]
)  # fmt: skip
LAST_MORNING = 31.0
WIDTHS = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
LEVEL = 0.9  # of the bands


def scaled(fahrenheit: Any) -> Any:
    """Temperatures as the model takes them."""
    return (fahrenheit - 70.0) / 10.0


def log_joint(w: Any, width: Any) -> Any:
    """The logarithm of likelihood times prior, with all constants, at w = (a, b)."""
    log_odds = w[0] + w[1] * scaled(FAHRENHEIT)
    # log p of damage is -log(1 + exp(-log_odds)), of no damage -log(1 + exp(log_odds))
    log_likelihood = -np.sum(np.logaddexp(0.0, np.where(DAMAGED == 1, -log_odds, log_odds)))
    return log_likelihood - 0.5 * np.sum(w**2) / width**2 - np.log(2 * np.pi * width**2)


# Laplace's method --------------------------------------------------------------------------------


class Normal(NamedTuple):
    """The normal distribution in place of the posterior, and the logarithm of the evidence."""

    mean: np.ndarray
    covariance: np.ndarray
    log_evidence: float


def newton(width: float, *, tolerance: float = 1e-12, limit: int = 100) -> np.ndarray:
    """The top of the posterior, by Newton's method.

    The logarithm of the posterior is concave, so each Newton step leads upwards, if not too far;
    one that does is halved until it no longer does.
    """

    def height(w: np.ndarray) -> Any:
        return log_joint(w, width)

    w = np.zeros(2)
    for _ in range(limit):
        value, g = fgrad.value_and_grad(height)(w)
        step = np.linalg.solve(fgrad.hessian(height)(w), -g)
        rise = g @ step  # as the linear model foretells it: twice what the quadratic one does
        if rise < tolerance:
            return w + step
        length = 1.0
        while height(w + length * step) < value + 0.1 * length * rise:
            length /= 2
        w = w + length * step
    raise RuntimeError(f"Newton's method did not converge in {limit} steps for a width of {width}.")


def log_evidence(w: Any, width: Any) -> Any:
    """The logarithm of the integral of likelihood times prior, if w is the top.

    A normal distribution's integral is its height times sqrt(det(2 pi covariance)).
    """
    H = fgrad.hessian(log_joint)(w, width)
    _, log_det = np.linalg.slogdet(-H / (2 * np.pi))
    return log_joint(w, width) - 0.5 * log_det


def laplace(width: float) -> Normal:
    """Laplace's approximation for a prior of the given width."""
    top = newton(width)
    covariance = np.linalg.inv(-fgrad.hessian(log_joint)(top, width))
    return Normal(top, covariance, float(log_evidence(top, width)))


def evidence_of_width(log_width: Any) -> Any:
    """The evidence as a function of the prior alone, to be differentiated in it.

    The top moves with the width. `fgrad.scipy.optimize.minimize` is differentiated by the implicit
    function theorem: no step of the search is, but the equation that its result solves.
    """
    width = np.exp(log_width)
    found = fgrad.scipy.optimize.minimize(
        lambda w: -log_joint(w, width), np.zeros(2), method="trust-exact", tol=1e-10
    )
    return log_evidence(found.x, width)


def best_width(start: float = 1.0, steps: int = 6) -> tuple[float, list[float]]:
    """The width with the greatest evidence, by Newton's method; and the widths on the way to it."""
    slope = fgrad.grad(evidence_of_width)
    log_width, seen = float(np.log(start)), [start]
    for _ in range(steps):
        g, curvature = slope(log_width), fgrad.grad(slope)(log_width)
        # uphill where the curvature has the wrong sign, and never by more than a factor of e
        log_width += float(np.clip(g / abs(curvature), -1.0, 1.0))
        seen.append(float(np.exp(log_width)))
    return seen[-1], seen


# The truth on a grid -----------------------------------------------------------------------------


class Grid(NamedTuple):
    """The posterior by numerical integration: points, their probabilities, and the evidence."""

    points: np.ndarray  # (n, n, 2)
    probabilities: np.ndarray  # (n, n), with sum 1
    log_evidence: float


def integrate(
    width: float, normal: Normal, n: int, *, reach: float = 12.0, across: Any = None
) -> Grid:
    """Integrate over a grid that is laid along the axes of the approximation.

    Equal weights: for a smooth function that vanishes at the edges that is exact nearly to
    rounding, as soon as the grid is finer than the function.

    Args:
        width: of the prior.
        normal: the approximation, from whose mean the grid goes.
        n: points along each of the two axes.
        reach: how far the grid goes, in standard deviations of the approximation.
        across: two coefficients; the grid is turned so that this combination of a and b is the
            same all along its second axis.
    """
    axes = np.linalg.cholesky(normal.covariance)
    if across is not None:
        cos, sin = axes.T @ across / np.linalg.norm(axes.T @ across)
        axes = axes @ np.array([[cos, -sin], [sin, cos]])
    steps = np.linspace(-reach, reach, n)
    z = np.stack(np.meshgrid(steps, steps, indexing="ij"), axis=-1)
    points = normal.mean + z @ axes.T
    # log_joint is written for one point; vmap makes it a function of all of them
    heights = fgrad.vmap(log_joint, in_axes=(0, None))(points.reshape(-1, 2), width)
    total = scipy.special.logsumexp(heights)
    area = float(np.linalg.det(axes)) * (steps[1] - steps[0]) ** 2
    probabilities = np.exp(heights - total).reshape(n, n)
    return Grid(points, probabilities, float(total + np.log(area)))


# Predictions -------------------------------------------------------------------------------------


class Prediction(NamedTuple):
    """The probability of damage at some temperatures: its mean, and the bounds of its band."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def predict(normal: Normal, fahrenheit: np.ndarray) -> Prediction:
    """Predict by the approximation: the log odds are normal, and their mean and variance known."""
    x = np.stack([np.ones_like(fahrenheit), scaled(fahrenheit)], axis=-1)
    centre, spread = x @ normal.mean, np.sqrt(np.sum(x @ normal.covariance * x, axis=-1))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    shares = scipy.special.expit(centre[:, None] + spread[:, None] * nodes)
    reach = float(scipy.special.ndtri(0.5 + LEVEL / 2)) * spread
    return Prediction(
        shares @ weights / np.sqrt(2 * np.pi),
        scipy.special.expit(centre - reach),
        scipy.special.expit(centre + reach),
    )


def predict_exactly(width: float, normal: Normal, fahrenheit: np.ndarray, n: int) -> Prediction:
    """Predict by grids, one for each temperature, along whose first axis the log odds lie."""
    rows = []
    for x in scaled(fahrenheit):
        grid = integrate(width, normal, n, across=np.array([1.0, x]))
        odds, marginal = grid.points[:, 0] @ np.array([1.0, x]), grid.probabilities.sum(axis=1)
        # the sum up to a point is the probability of all odds up to the middle to the next
        below, upper_edges = np.cumsum(marginal), odds + 0.5 * (odds[1] - odds[0])
        low, high = np.interp([0.5 - LEVEL / 2, 0.5 + LEVEL / 2], below, upper_edges)
        shares = scipy.special.expit(odds)
        rows.append((marginal @ shares, scipy.special.expit(low), scipy.special.expit(high)))
    return Prediction(*np.transpose(rows))


# The program -------------------------------------------------------------------------------------


def report(widths: Sequence[float], n: int) -> None:
    """Print the approximation for some widths of the prior, beside the truth."""
    rows = []
    at = np.array([LAST_MORNING])
    for width in widths:
        normal = laplace(width)
        grid = integrate(width, normal, n)
        guess, truth = predict(normal, at), predict_exactly(width, normal, at, n)
        rows.append(
            [
                f"{width:.4g}", *(f"{m:.3f}" for m in normal.mean),
                f"{normal.log_evidence:.4f}", f"{grid.log_evidence:.4f}",
                f"{normal.log_evidence - grid.log_evidence:+.4f}",
                f"{guess.mean[0]:.4f}", f"{truth.mean[0]:.4f}",
            ]
        )  # fmt: skip
    columns = ["prior width", "top a", "top b", "log evidence", "by grid", "difference",
               f"p({LAST_MORNING:g} °F)", "by grid"]  # fmt: skip
    program.table("Laplace's method and the truth; the last width is the best", columns, rows)


def picture(path: Path, width: float, widths: np.ndarray, n: int) -> Path:
    """The posterior, the predictions, and the evidence of widths; approximated and true."""
    figure, (left, middle, right) = program.canvas(1, 3, size=(14.5, 5.2))
    normal = laplace(width)
    grid = integrate(width, normal, n)
    _posterior(left, normal, grid)
    t = np.linspace(28.0, 85.0, 58)
    _predictions(middle, t, predict(normal, t), predict_exactly(width, normal, t, n // 2))
    approximate = [laplace(w) for w in widths]
    exact = [integrate(w, a, n // 2).log_evidence for w, a in zip(widths, approximate, strict=True)]
    right.semilogx(widths, exact, color=program.BLUE, linewidth=4, alpha=0.5, label="grid")
    right.semilogx(widths, [a.log_evidence for a in approximate], color=program.RED,
                   linewidth=1.6, label="Laplace")  # fmt: skip
    right.axvline(width, color=program.INK, linewidth=0.9, linestyle=":", label="best width")
    right.set(xlabel="width of the prior", ylabel="log evidence")
    right.set_title("Evidence", loc="left", fontsize=13)
    right.legend(frameon=False, loc="lower left")
    return program.save(figure, path)


def _posterior(axes: Any, normal: Normal, grid: Grid) -> None:
    a, b = np.moveaxis(grid.points, -1, 0)
    # the height of a normal distribution at 1, 2 and 3 standard deviations, seen from its top
    levels = np.exp(-0.5 * np.array([3.0, 2.0, 1.0, 0.0]) ** 2)
    heights = grid.probabilities / grid.probabilities.max()
    axes.contourf(a, b, heights, levels, colors=["#d5e1e9", "#a5c0d0", "#6f9ab3"])
    z = np.linalg.solve(
        np.linalg.cholesky(normal.covariance), (grid.points - normal.mean)[..., None]
    )
    approximation = np.exp(-0.5 * np.sum(z[..., 0] ** 2, axis=-1))
    axes.contour(a, b, approximation, levels[:-1], colors=program.RED, linewidths=1.4)
    inside = np.maximum(heights, approximation) > 0.5 * levels[0]
    axes.set(xlim=(a[inside].min(), a[inside].max()), ylim=(b[inside].min(), b[inside].max()))
    axes.set(xlabel="a (log odds at 70 °F)", ylabel="b (change by 10 °F)")
    axes.set_title("Posterior", loc="left", fontsize=13)
    handles = [
        Patch(color="#6f9ab3", label="grid"),
        Line2D([], [], color=program.RED, label="Laplace"),
    ]
    axes.legend(handles=handles, frameon=False, loc="lower right")


def _predictions(axes: Any, t: np.ndarray, approximate: Prediction, exact: Prediction) -> None:
    axes.fill_between(t, exact.low, exact.high, color=program.BLUE, alpha=0.25, linewidth=0,
                      label=f"grid, {LEVEL:.0%} band")  # fmt: skip
    axes.plot(t, exact.mean, color=program.BLUE, linewidth=4, alpha=0.5, label="grid, mean")
    axes.plot(t, approximate.mean, color=program.RED, linewidth=1.6, label="Laplace, mean")
    axes.plot(t, approximate.low, "--", color=program.RED, linewidth=1.2, label="Laplace, band")
    axes.plot(t, approximate.high, "--", color=program.RED, linewidth=1.2)
    axes.plot(FAHRENHEIT, DAMAGED, "o", color=program.INK, alpha=0.5, markersize=5, label="flights")
    axes.axvline(LAST_MORNING, color=program.INK, linewidth=0.9, linestyle=":")
    axes.text(LAST_MORNING + 0.7, 0.02, "28 January 1986", rotation=90, fontsize=9)
    axes.set(xlabel="temperature (°F)", ylabel="probability of damage", ylim=(-0.04, 1.04))
    axes.set_title("Prediction", loc="left", fontsize=13)
    axes.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=3)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Find the best width, compare the approximation with the grid, and show both."""
    best, seen = best_width()
    print("The width of the greatest evidence:", " -> ".join(f"{width:.4f}" for width in seen))
    n, count = (101, 7) if chosen.quick else (301, 25)
    widths = np.geomspace(WIDTHS[0], WIDTHS[-1], count)
    report([*WIDTHS, best], n)
    return [picture(chosen.out / "laplace.png", best, widths, n)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the output folder is not usable."""
    options = program.parser(
        "Laplace's approximation of a posterior, beside its numerical integral.",
        "laplace_plots",
        seed=False,
    )
    return program.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
