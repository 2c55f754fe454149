"""Learn "exclusive or" with two hidden units, and see that fgrad's gradient is the one by hand.

    python examples/xor.py
    python examples/xor.py --gif --out pictures

One straight line can't part the corners (0, 0) and (1, 1) of a square from the other two, so no
single unit knows "exclusive or"; two hidden units are enough (M. Minsky and S. Papert, Perceptrons,
1969; D. Rumelhart, G. Hinton and R. Williams, Nature 323, 1986). This is the smallest network for
which the chain rule has something to do, and it fits on a page by hand, so here it stands twice:
as the loss, which `fgrad.value_and_grad` differentiates, and as `by_hand`, what one would have
written instead.

Gradient descent doesn't always find the way: from some starts it comes to rest where one of the
corners stays wrong. So `fgrad.vmap` trains a number of networks at once, with code that was written
for one, and a table tells how many have learnt it. The pictures show the surface of one of these.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import program
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from PIL import Image

import fgrad
import fgrad_nn as nn

CORNERS = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
TARGETS = np.array([0.0, 1.0, 1.0, 0.0])
RATE, MOMENTUM = 2.0, 0.9
COLORS = LinearSegmentedColormap.from_list("scores", [program.RED, "#f7f3ee", program.BLUE])


# The network, twice ------------------------------------------------------------------------------


class Params(NamedTuple):
    """The nine numbers of the network: two hidden units of two inputs, and one unit on top."""

    W: np.ndarray  # (2, 2), from inputs to hidden units
    b: np.ndarray  # (2,)
    v: np.ndarray  # (2,), from hidden units to the output
    c: np.ndarray  # ()


def network(params: Params, X: np.ndarray) -> Any:
    """The outputs (n,) for inputs (n, 2), between 0 and 1."""
    hidden = nn.sigmoid(X @ params.W + params.b)
    return nn.sigmoid(hidden @ params.v + params.c)


def loss(params: Params) -> Any:
    """Half of the squared errors at the four corners."""
    return 0.5 * np.sum((network(params, CORNERS) - TARGETS) ** 2)


def by_hand(params: Params) -> tuple[Any, Params]:
    """The loss and its gradient, derived on paper.

    With the sums z = X W + b and y = h v + c, the units h = s(z) and o = s(y), and the slope
    s' = s (1 - s) of the sigmoid, the chain rule says, from the top to the bottom:

        dL/do = o - t          dL/dv = h^T dL/dy      dL/dz = (dL/dy v^T) * h (1 - h)
        dL/dy = dL/do o (1-o)  dL/dc = sum of dL/dy   dL/dW = X^T dL/dz,  dL/db = sum of dL/dz
    """
    h = 1 / (1 + np.exp(-(CORNERS @ params.W + params.b)))
    o = 1 / (1 + np.exp(-(h @ params.v + params.c)))
    dy = (o - TARGETS) * o * (1 - o)
    dz = np.outer(dy, params.v) * h * (1 - h)
    gradient = Params(CORNERS.T @ dz, dz.sum(axis=0), h.T @ dy, dy.sum())
    return 0.5 * np.sum((o - TARGETS) ** 2), gradient


def compare(params: Params) -> float:
    """Print both gradients, number by number; return the greatest difference."""
    _, by_fgrad = fgrad.value_and_grad(loss)(params)
    _, on_paper = by_hand(params)
    rows, worst = [], 0.0
    for name in Params._fields:
        ours, theirs = np.ravel(getattr(by_fgrad, name)), np.ravel(getattr(on_paper, name))
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            place = (
                f"{name}{[int(k) for k in np.unravel_index(i, np.shape(getattr(params, name)))]}"
            )
            rows.append([place.replace("[]", ""), f"{a: .16f}", f"{b: .16f}", f"{abs(a - b):.1e}"])
            worst = max(worst, abs(float(a - b)))
    program.table(
        "The gradient of a network before training",
        ["parameter", "by fgrad", "by hand", "difference"],
        rows,
    )
    return worst


# Training ----------------------------------------------------------------------------------------


def start(key: Any) -> Params:
    """Normal random numbers for all parameters."""
    keys = fgrad.random.split(key, 4)
    shapes = (2, 2), (2,), (2,), ()
    return Params(*(fgrad.random.normal(k, shape) for k, shape in zip(keys, shapes, strict=True)))


def train(params: Params, steps: int, bar: Any) -> list[Params]:
    """Train networks side by side; `params` has one more axis in front, and so has each answer.

    Returns the parameters before the first step, and after each.
    """
    optimizer = nn.sgd(RATE, MOMENTUM)

    def step(params: Params, state: Any) -> tuple[Params, Any]:  # of one network
        updates, state = optimizer.update(fgrad.grad(loss)(params), state, params)
        return nn.apply_updates(params, updates), state

    step_all = fgrad.jit(fgrad.vmap(step))
    state = fgrad.vmap(optimizer.init)(params)
    path = [params]
    for _ in range(steps):
        params, state = step_all(params, state)
        path.append(params)
        bar.update()
    return path


def learnt(params: Params) -> np.ndarray:
    """For each of the networks, whether all four corners are on the right side of 1/2."""
    outputs = fgrad.vmap(network, (0, None))(params, CORNERS)
    return np.all((outputs > 0.5) == (TARGETS > 0.5), axis=1)


# The pictures ------------------------------------------------------------------------------------


def surface(axes: Axes, params: Params, title: str) -> None:
    """What a network says about the square: its outputs, and the line of each hidden unit."""
    ticks = np.linspace(-0.35, 1.35, 120)
    x, y = np.meshgrid(ticks, ticks)
    z = network(params, np.stack([x, y], axis=-1).reshape(-1, 2)).reshape(x.shape)
    axes.contourf(x, y, z, levels=np.linspace(0, 1, 21), cmap=COLORS)
    axes.contour(x, y, z, levels=[0.5], colors=program.INK, linewidths=1.8)
    for unit in range(2):
        sums = x * params.W[0, unit] + y * params.W[1, unit] + params.b[unit]
        axes.contour(x, y, sums, levels=[0.0], colors=program.INK, linewidths=1, linestyles="--")
    for (a, b), target in zip(CORNERS, TARGETS, strict=True):
        color = program.BLUE if target else program.RED
        axes.scatter(a, b, s=110, color=color, edgecolor="white", linewidth=1.5, zorder=3)
    axes.set_title(title, fontsize=12, loc="left")
    axes.set_xticks([0, 1])
    axes.set_yticks([0, 1])
    axes.set_aspect("equal")


def moments(path: list[Params], count: int) -> list[int]:
    """Steps between which the outputs at the corners change equally much."""
    outputs = np.stack([network(params, CORNERS) for params in path])
    moved = np.cumsum(np.abs(np.diff(outputs, axis=0, prepend=outputs[:1])).sum(axis=1))
    return np.searchsorted(moved, np.linspace(0.0, moved[-1], count)).tolist()


def strip(file: Path, path: list[Params]) -> Path:
    """Eight pictures of the surface while it is learnt."""
    figure, panels = program.canvas(2, 4, size=(12.0, 6.8))
    figure.set_layout_engine("constrained", h_pad=0.1)
    for axes, i in zip(panels, moments(path, len(panels)), strict=True):
        surface(axes, path[i], f"step {i}, loss {loss(path[i]):.3f}")
    figure.suptitle(
        "Outputs from 0 (red) to 1 (blue); dashed: where a hidden unit is 1/2\n", fontsize=13
    )
    return program.save(figure, file)


def film(file: Path, path: list[Params], frames: int) -> Path:
    """The same as an animated GIF."""
    images = []
    for i in moments(path, frames):
        figure, (axes,) = program.canvas(size=(4.0, 4.2))
        figure.set_dpi(80)
        surface(axes, path[i], f"step {i}, loss {loss(path[i]):.3f}")
        shown: Any = FigureCanvasAgg(figure)
        shown.draw()
        images.append(Image.fromarray(np.asarray(shown.buffer_rgba())).convert("RGB"))
    images[0].save(file, save_all=True, append_images=images[1:], duration=120, loop=0)
    return file


def work(chosen: argparse.Namespace) -> list[Path]:
    """Compare the gradients, train, show the surface."""
    networks, steps = (8, 300) if chosen.quick else (100, 1500)
    key = fgrad.random.key(chosen.seed)
    params = fgrad.vmap(start)(fgrad.random.split(key, networks))
    worst = compare(fgrad.tree.map(lambda p: p[0], params))
    print(f"The greatest difference is {worst:.1e}.\n")
    with program.bar(chosen, steps, "step") as bar:
        path = train(params, steps, bar)
    losses = fgrad.vmap(loss)(path[-1])
    rows = [
        [f"{k}", f"{learnt(path[k]).sum()}", f"{np.median(fgrad.vmap(loss)(path[k])):.4f}"]
        for k in sorted({0, *(steps * np.arange(1, 7) // 6)})
    ]
    program.table(f"{networks} networks", ["steps", "have learnt it", "median loss"], rows)
    best = int(np.argmin(losses))
    program.table(
        "The best of them",
        ["corner", "wanted", "output"],
        [
            [f"{corner[0]:g} {corner[1]:g}", f"{target:g}", f"{output:.4f}"]
            for corner, target, output in zip(
                CORNERS, TARGETS, network(_one(path[-1], best), CORNERS), strict=True
            )
        ],
    )
    way = [_one(params, best) for params in path]
    pictures = [strip(chosen.out / "xor.png", way)]
    if chosen.gif:
        pictures.append(film(chosen.out / "xor.gif", way, 12 if chosen.quick else 40))
    return pictures


def _one(params: Params, i: int) -> Params:
    """Network i out of all."""
    return Params(*(p[i] for p in params))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the output folder is not usable."""
    options = program.parser('Learn "exclusive or" with two hidden units.', "xor_plots")
    options.add_argument("--gif", action="store_true", help="save an animation, too")
    return program.run(options, arguments, work)


if __name__ == "__main__":
    sys.exit(main())
