"""See how hidden layers bend the plane until two entangled classes lie on two sides of a line.

    python examples/bending_space.py
    python examples/bending_space.py --seed 3 --out pictures

The last unit of a classifier only draws a straight line, or a plane, through what the layers below
make of the data. So these have to bring the data to where a line is enough. With layers of two
units one can watch them: each turns, shears and shifts the plane, and then tanh squeezes it into a
square. A grid is drawn on the plane and carried along.

Two spirals, through four layers: the first picture shows layer after layer, the second the last
layer in the course of training. A table has the share of samples that the best straight line parts
rightly in each layer.

A layer of two units maps the plane continuously and one-to-one, if its matrix has an inverse. No
such map takes what a ring surrounds out of it, so for any number of these layers some of the ring
stays on the wrong side, unless it happens to fall between the samples. Three units bend the plane
into a cap in space, and a plane cuts off its top. The second table counts for how many random
starts training parts all samples, and the third picture shows the cap.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import program
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from sklearn.datasets import make_circles

import fgrad
import fgrad.scipy.optimize
import fgrad_nn as nn

PLANES = (2, 2, 2, 2, 2)  # the plane, and four layers of two units
RATE = 0.02
FLATNESS, SIZE = 0.01, 0.001  # how much the loss minds flat maps, and large weights
Params = list[tuple[Any, Any]]  # a matrix and a bias for each hidden layer, and for the last unit


# The data -----------------------------------------------------------------------------------------


def spirals(samples: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two spirals of one turn, each of so many samples, and a sign for each sample."""
    t = np.sqrt(np.linspace(0.05, 1.0, samples))
    arm = 1.5 * np.stack([t * np.cos(2 * np.pi * t), t * np.sin(2 * np.pi * t)], axis=1)
    X = np.concatenate([arm, -arm]) + rng.normal(scale=0.03, size=(2 * samples, 2))
    return X, np.repeat([-1.0, 1.0], samples)


def rings(samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A ring around a disc's edge, each of so many samples, and a sign for each sample."""
    X, inner = make_circles(2 * samples, noise=0.05, factor=0.4, random_state=seed)
    return X, 2.0 * inner - 1.0


# The network --------------------------------------------------------------------------------------


def places(params: Params, X: Any) -> list[Any]:
    """Where points (n, 2) are: in the plane, and then after each hidden layer."""
    found = [X]
    for W, b in params[:-1]:
        found.append(np.tanh(found[-1] @ W + b))
    return found


def score(params: Params, X: Any) -> Any:
    """Positive on one side of a line through the last of these places, negative on the other."""
    w, c = params[-1]
    return places(params, X)[-1] @ w + c


def loss(params: Params, X: Any, signs: Any) -> Any:
    """The loss of logistic regression: the mean of log(1 + exp(-sign * score))."""
    return np.mean(nn.softplus(-signs * score(params, X)))


def flatness(W: Any) -> Any:
    """0 if a matrix (2, m) turns and scales the plane, and infinite if it flattens it to a line.

    With the singular values s and t it is (s**2 + t**2) / (2 s t) - 1.
    """
    products = W @ W.T
    area = np.sqrt(products[0, 0] * products[1, 1] - products[0, 1] * products[1, 0])
    return (products[0, 0] + products[1, 1]) / (2 * area) - 1


def objective(params: Params, X: Any, signs: Any) -> Any:
    """The loss, and small penalties that keep the maps such that one can see what they do."""
    matrices = [W for W, _ in params[:-1]]
    penalties = sum(FLATNESS * flatness(W) + SIZE * np.sum(W**2) for W in matrices)
    return loss(params, X, signs) + penalties


def start(key: Any, sizes: Sequence[int]) -> Params:
    """Random rotations for the matrices; `sizes` are the dimensions of all places."""
    *keys, last = fgrad.random.split(key, len(sizes))
    params = [
        (fgrad.random.orthogonal(k, max(m, n))[:m, :n], np.zeros(n))
        for k, (m, n) in zip(keys, pairwise(sizes), strict=True)
    ]
    return [*params, (fgrad.random.normal(last, (sizes[-1],)), np.zeros(()))]


def train(
    key: Any, sizes: Sequence[int], starts: int, steps: int, data: Any, bar: Any
) -> list[Params]:
    """Train from some random starts at once, by Adam on all samples.

    Returns the parameters before the first step and after each; their arrays have one more axis in
    front, for the starts.
    """
    optimizer = nn.adam(RATE)

    def step(params: Params, state: Any) -> tuple[Params, Any]:
        updates, state = optimizer.update(fgrad.grad(objective)(params, *data), state, params)
        return nn.apply_updates(params, updates), state

    all_steps = fgrad.jit(fgrad.vmap(step))
    params = fgrad.vmap(lambda k: start(k, sizes))(fgrad.random.split(key, starts))
    state = fgrad.vmap(optimizer.init)(params)
    path = [params]
    for _ in range(steps):
        params, state = all_steps(params, state)
        path.append(params)
        bar.update()
    return path


def right(params: Params, X: np.ndarray, signs: np.ndarray) -> float:
    """The share of samples on their side of the line."""
    return float(np.mean(np.sign(score(params, X)) == signs))


def one(params: Params, i: int) -> Params:
    """Start i of all."""
    return fgrad.tree.map(lambda p: p[i], params)


def best_line(X: np.ndarray, signs: np.ndarray) -> float:
    """The share of samples that logistic regression parts rightly, with a straight line."""

    def penalised(line: Any) -> Any:
        return loss([(line[:-1], line[-1])], X, signs) + 1e-6 * np.sum(line**2)

    found = fgrad.scipy.optimize.minimize(penalised, np.zeros(X.shape[1] + 1), method="BFGS")
    return right([(found.x[:-1], found.x[-1])], X, signs)


# The pictures -------------------------------------------------------------------------------------


def grid(lines: int = 25, points: int = 100) -> np.ndarray:
    """The lines of a grid on the plane, (2 lines, points, 2)."""
    along, across = np.meshgrid(np.linspace(-1.7, 1.7, points), np.linspace(-1.7, 1.7, lines))
    return np.concatenate([np.stack([along, across], -1), np.stack([across, along], -1)])


def bent(params: Params, layer: int, lines: np.ndarray) -> np.ndarray:
    """The lines, carried to a layer."""
    flat: np.ndarray = places(params, lines.reshape(-1, lines.shape[-1]))[layer]
    return flat.reshape(*lines.shape[:-1], flat.shape[-1])


def panel(axes: Axes, params: Params, layer: int, X: np.ndarray, signs: np.ndarray) -> None:
    """The grid and the samples in a layer, coloured by the side on which the network has them."""
    lines = bent(params, layer, grid())
    pieces = np.stack([lines[:, :-1], lines[:, 1:]], axis=-2).reshape(-1, 2, 2)
    sides = np.where(score(params, grid()[:, :-1].reshape(-1, 2)) > 0, program.BLUE, program.RED)
    axes.add_collection(LineCollection(list(pieces), colors=list(sides), linewidths=0.6, alpha=0.6))
    samples = places(params, X)[layer]
    for sign, color in ((-1, program.RED), (1, program.BLUE)):
        x, y = samples[signs == sign].T
        axes.scatter(x, y, s=16, color=color, edgecolor="white", linewidth=0.4, zorder=3)
    low, high = lines.min(axis=(0, 1)), lines.max(axis=(0, 1))
    middle, reach = (low + high) / 2, 0.53 * np.max(high - low)
    axes.set_xlim(middle[0] - reach, middle[0] + reach)
    axes.set_ylim(middle[1] - reach, middle[1] + reach)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_aspect("equal")
    if layer == len(params) - 1:
        ends = line_through(params[-1])
        axes.plot(*ends.T, color=program.INK, linewidth=2, zorder=4)


def line_through(unit: tuple[Any, Any]) -> np.ndarray:
    """Two far points on the line where the last unit is 0."""
    w, c = unit
    foot, along = -c * w / (w @ w), np.array([-w[1], w[0]]) / np.linalg.norm(w)
    return np.stack([foot - 4 * along, foot + 4 * along])


def layers_picture(path: Path, params: Params, X: np.ndarray, signs: np.ndarray) -> Path:
    """The trained network, layer after layer."""
    figure, panels = program.canvas(1, len(params), size=(15.0, 3.4))
    for layer, axes in enumerate(panels):
        panel(axes, params, layer, X, signs)
        axes.set_title(f"after layer {layer}" if layer else "the plane", fontsize=13)
    return program.save(figure, path)


def training_picture(path: Path, course: list[Params], X: np.ndarray, signs: np.ndarray) -> Path:
    """The last layer while it learns, at steps between which the scores change equally much."""
    scores = np.tanh(np.stack([score(params, X) for params in course]))
    moved = np.cumsum(np.abs(np.diff(scores, axis=0, prepend=scores[:1])).sum(axis=1))
    figure, panels = program.canvas(2, 4, size=(12.0, 6.6))
    moments = np.searchsorted(moved, np.linspace(0.0, moved[-1], len(panels)))
    for axes, i in zip(panels, moments, strict=True):
        panel(axes, course[i], len(course[i]) - 1, X, signs)
        axes.set_title(f"step {i}: {right(course[i], X, signs):.0%} right", fontsize=12)
    return program.save(figure, path)


def space_picture(path: Path, params: Params, X: np.ndarray, signs: np.ndarray) -> Path:
    """The plane in the space of three hidden units, seen along the plane that cuts it."""
    figure = Figure(figsize=(7.0, 5.0), dpi=160)
    axes: Any = figure.add_axes((-0.25, -0.45, 1.5, 1.7), projection="3d")
    w, c = params[-1]
    upward = w / np.linalg.norm(w)
    side = np.linalg.svd(upward[None])[2][1:]
    turn = np.stack([*side, upward])  # the cut is level in these coordinates
    level = -c / np.linalg.norm(w)
    for line in bent(params, 1, grid() * 0.75) @ turn.T:
        axes.plot(*line.T, color="#9a9a9a", linewidth=0.5)
    samples = places(params, X)[1] @ turn.T
    for sign, color in ((-1, program.RED), (1, program.BLUE)):
        x, y, z = samples[signs == sign].T
        axes.scatter(x, y, z, s=14, color=color, depthshade=False)
    low, high = samples.min(axis=0), samples.max(axis=0)
    x, y = np.meshgrid([low[0], high[0]], [low[1], high[1]])
    axes.plot_surface(x, y, np.full((2, 2), level), color=program.OCHRE, alpha=0.35)
    axes.view_init(elev=14, azim=-60)
    axes.set_axis_off()
    figure.suptitle("Rings in three hidden units, and the plane that parts them", fontsize=13)
    return program.save(figure, path)


# The program --------------------------------------------------------------------------------------


def choose(course: list[Params], X: np.ndarray, signs: np.ndarray) -> tuple[int, list[float]]:
    """The start with the least objective in the end, and the shares right of all."""
    starts = range(len(course[-1][-1][1]))
    losses = [float(objective(one(course[-1], i), X, signs)) for i in starts]
    return int(np.argmin(losses)), [right(one(course[-1], i), X, signs) for i in starts]


def work(chosen: argparse.Namespace) -> list[Path]:
    """Bend the plane for the spirals and for the rings."""
    samples, starts, steps = (40, 4, 400) if chosen.quick else (150, 16, 3000)
    key = fgrad.random.key(chosen.seed)
    spiral = spirals(samples, np.random.default_rng(chosen.seed))
    ring = rings(samples, chosen.seed)
    with program.bar(chosen, 3 * steps, "step") as bar:
        course = train(key, PLANES, starts, steps, spiral, bar)
        in_plane = train(key, PLANES, starts, steps, ring, bar)
        in_space = train(key, (2, 3), starts, steps, ring, bar)
    best, _ = choose(course, *spiral)
    way = [one(params, best) for params in course]
    rows = [
        [f"layer {i}" if i else "the plane", f"{best_line(place, spiral[1]):.1%}"]
        for i, place in enumerate(places(way[-1], spiral[0]))
    ]
    program.table("Two spirals", ["in", "parted by the best straight line"], rows)
    rows = []
    for name, found, data in (
        ("spirals, 4 layers of 2 units", course, spiral),
        ("rings, 4 layers of 2 units", in_plane, ring),
        ("rings, 1 layer of 3 units", in_space, ring),
    ):
        shares = choose(found, *data)[1]
        solved = sum(share == 1.0 for share in shares)
        rows.append([name, f"{starts}", f"{solved}", f"{max(shares):.1%}"])
    program.table("Random starts", ["", "starts", "all right", "best share"], rows)
    best_ring, _ = choose(in_space, *ring)
    return [
        layers_picture(chosen.out / "layers.png", way[-1], *spiral),
        training_picture(chosen.out / "training.png", way, *spiral),
        space_picture(chosen.out / "rings.png", one(in_space[-1], best_ring), *ring),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the output folder is not usable."""
    options = program.parser(
        "How hidden layers bend the plane until a straight line parts two classes.",
        "bending_space_plots",
    )
    return program.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
