"""Choose the strength of a penalty by gradient descent on the validation loss.

    python examples/ridge.py
    python examples/ridge.py --quick --seed 3

A regression's weights w minimise a training loss plus a penalty, whose strengths are usually found
on a grid. But w is a function of the strengths: it solves the equation that the gradient in w is
zero, F(w, s) = 0, so it has the derivative dw/ds = -(dF/dw)^-1 dF/ds (the implicit function
theorem), whatever found w. With it the loss on validation data has a gradient in the strengths, and
descends (Y. Bengio, Gradient-based optimization of hyperparameters, 2000). The strengths are
positive, so it descends in their logarithms.

Two models show two ways. Ridge regression has a solution of its own, found by plain NumPy:
`fgrad.implicit` puts the equation behind it. Logistic regression with an elastic penalty, smooth
near zero, of two strengths, takes `fgrad.argmin`. Each gradient is compared with a difference of
two solutions.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import program

import fgrad

Loss = Callable[[np.ndarray], Any]

#: Below this size the penalty of a weight is a parabola, above it nearly its absolute value.
SMOOTH = 0.05


# The data ----------------------------------------------------------------------------------------


class Data(NamedTuple):
    """Features X (samples, features) and targets y (samples,), to train and to validate."""

    X: np.ndarray
    y: np.ndarray
    X_valid: np.ndarray
    y_valid: np.ndarray


def simulate(rng: np.random.Generator, samples: int, features: int, labels: bool) -> Data:
    """Correlated features, of which a fifth counts most; noisy targets, or labels 0 and 1."""
    w = np.where(np.arange(features) % 5 == 0, 1.0, 0.4) * rng.normal(size=features)
    shape = (3 * samples, features)
    X = rng.normal(size=shape) + 0.5 * rng.normal(size=(shape[0], 1))
    line = X @ w
    noise = rng.logistic(size=len(X)) if labels else 2 * rng.normal(size=len(X))
    y = np.where(line + noise > 0, 1.0, 0.0) if labels else line + noise
    return Data(X[:samples], y[:samples], X[samples:], y[samples:])


# The models --------------------------------------------------------------------------------------


def ridge(data: Data) -> Loss:
    """The validation loss of ridge regression, of the logarithm of its strength, shape (1,)."""
    n, features = data.X.shape
    matrix, right = data.X.T @ data.X / n, data.X.T @ data.y / n

    def normal_equations(w: np.ndarray, log_strength: np.ndarray) -> np.ndarray:
        return matrix @ w + np.exp(log_strength) * w - right

    @fgrad.implicit(normal_equations)
    def weights(log_strength: np.ndarray) -> np.ndarray:
        return np.linalg.solve(matrix + np.exp(log_strength) * np.eye(features), right)

    return lambda log_strength: (
        np.mean((data.X_valid @ weights(log_strength) - data.y_valid) ** 2) / 2
    )


def logistic(data: Data) -> Loss:
    """The validation loss of logistic regression, of the logarithms of two strengths."""
    features = data.X.shape[1]

    def error(w: np.ndarray, X: np.ndarray, y: np.ndarray) -> Any:
        return np.mean(np.logaddexp(0.0, X @ w) - y * (X @ w))

    def training(w: np.ndarray, log_strengths: np.ndarray) -> Any:
        absolute, square = np.exp(log_strengths)
        elastic = absolute * np.sum(np.sqrt(w**2 + SMOOTH**2)) + square / 2 * np.sum(w**2)
        return error(w, data.X, data.y) + elastic

    def validation(log_strengths: np.ndarray) -> Any:
        w = fgrad.argmin(training, np.zeros(features), log_strengths)
        return error(w, data.X_valid, data.y_valid)

    return validation


# The descent -------------------------------------------------------------------------------------


def by_differences(loss: Loss, at: np.ndarray, h: float = 1e-4) -> np.ndarray:
    """The gradient by central differences: two solutions for each number."""
    units = np.eye(len(at))
    return np.array([(loss(at + h * u) - loss(at - h * u)) / (2 * h) for u in units])


class Descent(NamedTuple):
    """Where it went: logarithms of strengths (steps + 1, strengths), losses, the last gradient."""

    path: np.ndarray
    losses: np.ndarray
    gradient: np.ndarray


def descend(loss: Loss, start: np.ndarray, steps: int, tick: Callable[[], Any]) -> Descent:
    """Gradient descent whose rate doubles after a step, and halves until a step goes down."""
    value_and_gradient = fgrad.value_and_grad(loss)
    at, rate = start, 1.0
    value, gradient = value_and_gradient(at)
    path, losses = [at], [value]
    for _ in range(steps):
        length = np.sum(gradient**2)
        if length < 1e-8:
            break
        # a step that is no longer than 1 changes no strength by more than a factor of e
        rate = min(2 * rate, 1 / np.sqrt(length))
        while (new := loss(at - rate * gradient)) > value - 0.3 * rate * length and rate > 1e-9:
            rate /= 2
        if not new < value:
            break
        at = at - rate * gradient
        value, gradient = value_and_gradient(at)
        path.append(at)
        losses.append(value)
        tick()
    return Descent(np.array(path), np.array(losses), gradient)


# The program -------------------------------------------------------------------------------------


class Model(NamedTuple):
    """A validation loss, the names of its strengths, and where to look for them."""

    name: str
    loss: Loss
    strengths: tuple[str, ...]
    start: np.ndarray
    limits: tuple[tuple[float, float], ...]


def models(rng: np.random.Generator, quick: bool) -> tuple[Model, Model]:
    """The two regressions, on data of their own."""
    samples, features = (40, 20) if quick else (80, 60)
    first = ridge(simulate(rng, samples, features, labels=False))
    second = logistic(simulate(rng, 2 * samples, features, labels=True))
    return (
        Model("ridge", first, ("strength",), np.array([-6.0]), ((-7.0, 4.0),)),
        Model("logistic", second, ("absolute", "square"), np.array([-6.5, -1.0]),
              ((-7.5, -1.5), (-7.5, 0.0))),
    )  # fmt: skip


def gradients(models: Sequence[Model]) -> None:
    """Print the gradients at the start, by the theorem and by differences."""
    rows = []
    for model in models:
        exact, near = fgrad.grad(model.loss)(model.start), by_differences(model.loss, model.start)
        for strength, a, b in zip(model.strengths, exact, near, strict=True):
            rows.append([f"{model.name}: {strength}", f"{a:.9f}", f"{b:.9f}", f"{abs(a - b):.0e}"])
    columns = ("d validation loss / d log", "implicit", "difference", "gap")
    program.table("Gradients at the start", columns, rows)


def summary(models: Sequence[Model], descents: Sequence[Descent]) -> None:
    """Print where the descents began and ended."""
    rows = []
    for model, d in zip(models, descents, strict=True):
        for k, strength in enumerate(model.strengths):
            rows.append(
                [f"{model.name}: {strength}", f"{np.exp(d.path[0, k]):.2g}",
                 f"{np.exp(d.path[-1, k]):.4g}", f"{d.losses[0]:.4f}", f"{d.losses[-1]:.4f}",
                 f"{len(d.path) - 1}", f"{d.gradient[k]:.0e}"]
            )  # fmt: skip
    columns = ("descent", "from", "to", "loss from", "to", "steps", "last gradient")
    program.table("Gradient descent on the validation loss", columns, rows)


def picture(path: Path, models: Sequence[Model], descents: Sequence[Descent], points: int) -> Path:
    """Save the validation loss over the strengths, with the ways of the descents, as a PNG."""
    figure, (left, right) = program.canvas(1, 2, size=(11.0, 4.8))
    (curve, plane), (down, way) = models, descents
    grid = np.linspace(*curve.limits[0], 4 * points)
    losses = [curve.loss(np.array([s])) for s in grid]
    left.plot(np.exp(grid), losses, color=program.BLUE, linewidth=2)
    left.plot(np.exp(down.path[:, 0]), down.losses, "o-", color=program.RED, markersize=5)
    left.set(xscale="log", xlabel="strength of the penalty", ylabel="validation loss")
    left.set_title("Ridge regression", loc="left", fontsize=13)
    axes = [np.linspace(*limits, points) for limits in plane.limits]
    values = np.array([[plane.loss(np.array([a, b])) for a in axes[0]] for b in axes[1]])
    mesh = [np.exp(axis) for axis in axes]
    shades = right.contourf(*mesh, values, levels=18, cmap="Blues_r")
    right.plot(*np.exp(way.path).T, "o-", color=program.RED, markersize=5)
    right.set(xscale="log", yscale="log", xlabel="strength of |w|", ylabel="strength of w²")
    right.set_title("Logistic regression, elastic penalty", loc="left", fontsize=13)
    figure.colorbar(shades, ax=right, label="validation loss")
    for panel, x, y in (
        (left, np.exp(down.path[-1, 0]), down.losses[-1]),
        (right, *np.exp(way.path[-1])),
    ):
        panel.plot(x, y, "*", color=program.OCHRE, markersize=17, markeredgecolor=program.INK)
    return program.save(figure, path)


def work(options: argparse.Namespace) -> list[Path]:
    """Descend for both models; print the tables, save the picture."""
    rng = np.random.default_rng(options.seed)
    both = models(rng, options.quick)
    gradients(both)
    steps, points = (6, 5) if options.quick else (60, 18)
    with program.bar(options, total=2 * steps, unit="step") as bar:
        descents = [descend(model.loss, model.start, steps, bar.update) for model in both]
    summary(both, descents)
    return [picture(options.out / "validation_loss.png", both, descents, points)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the output folder is not usable."""
    options = program.parser(
        "Choose the strength of a penalty by gradient descent on the validation loss.",
        "ridge_plots",
    )
    return program.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
