"""Train a classifier of images, 784-512-512-10, with its loss printed as it goes.

    python examples/fashion.py
    python examples/fashion.py --data fashion-mnist --epochs 5
    python examples/fashion.py --check --out pictures

`--data` names a folder with the four files of Fashion-MNIST as published (H. Xiao, K. Rasul and
R. Vollgraf, arXiv:1708.07747), or those of MNIST; without it, there are 5,000 digits of MNIST that
a package brings along. All numbers are float32, as in the libraries made for this.

The training step is one function of NumPy arrays: the loss, its gradient by `fgrad.value_and_grad`
and the step down. `fgrad.jit` records it once, for batches of 64, and from then on runs the record.
Beside it stands the same gradient derived by hand. The program begins by comparing the two on one
batch; with `--check` it also trains by hand, from the same start on the same batches, and compares
the losses.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import digit_images
import numpy as np
import program
from digit_images import Images

import fgrad
import fgrad_nn as nn
import fgrad_nn.data

SIZES = (784, 512, 512, 10)
BATCH = 64
REPORT_EVERY = 100  # batches
Params = list[np.ndarray]  # W1, b1, W2, b2, W3, b3


# The network --------------------------------------------------------------------------------------


def start(key: Any, sizes: Sequence[int] = SIZES) -> Params:
    """Weights and biases from uniform(-1, 1) / sqrt(inputs), in float32."""
    params = []
    for inputs, outputs in pairwise(sizes):
        key, k1, k2 = fgrad.random.split(key, 3)
        for k, shape in ((k1, (inputs, outputs)), (k2, (outputs,))):
            drawn = fgrad.random.uniform(k, shape, np.float32, -1.0, 1.0)
            params.append(drawn / np.float32(np.sqrt(inputs)))
    return params


def network(params: Params, X: Any) -> Any:
    """Scores (n, 10) of images (n, 784): the higher, the likelier the class."""
    h = X
    for W, b in zip(params[:-2:2], params[1:-2:2], strict=True):
        h = nn.relu(h @ W + b)
    return h @ params[-2] + params[-1]


def loss(params: Params, X: Any, Y: Any) -> Any:
    """Cross entropy of the classes, given as rows of zeros and a one: the mean over the images."""
    return -np.sum(Y * nn.log_softmax(network(params, X))) / len(Y)


def by_hand(params: Params, X: np.ndarray, Y: np.ndarray) -> tuple[Any, Params]:
    """The loss and its gradient, derived on paper.

    By the scores, the slope of the cross entropy is (softmax - Y) / n. Going down through a layer
    s = h W + b, the slopes by W, b and h are h^T g, the column sums of g, and g W^T; through a
    rectifier go the slopes of units that are on.
    """
    hs = [X]
    for W, b in zip(params[:-2:2], params[1:-2:2], strict=True):
        hs.append(np.maximum(hs[-1] @ W + b, 0))
    scores = hs[-1] @ params[-2] + params[-1]
    shifted = scores - scores.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    sums = exponentials.sum(axis=1, keepdims=True)
    value = -np.sum(Y * (shifted - np.log(sums))) / len(Y)
    g = (exponentials / sums - Y) / len(Y)
    gradient: Params = []
    for W, h in zip(params[-2::-2], reversed(hs), strict=True):
        gradient[:0] = [h.T @ g, g.sum(axis=0)]
        if h is not X:
            g = (g @ W.T) * (h > 0)
    return value, gradient


# Training -----------------------------------------------------------------------------------------

Step = Callable[[Params, np.ndarray, np.ndarray], tuple[Any, Params]]
ONE_HOT = np.eye(SIZES[-1], dtype=np.float32)


def step_of(value_and_gradient: Callable[..., Any], rate: float) -> Step:
    """A step of gradient descent: from parameters and a batch to the loss and new parameters."""

    def step(params: Params, X: np.ndarray, Y: np.ndarray) -> tuple[Any, Params]:
        value, gradient = value_and_gradient(params, X, Y)
        return value, [p - rate * g for p, g in zip(params, gradient, strict=True)]

    return step


def test(params: Params, X: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    """The share of images that are classified rightly, and their mean loss."""
    right = np.mean(network(params, X).argmax(axis=1) == y)
    return float(right), float(loss(params, X, ONE_HOT[y]))


class Course(NamedTuple):
    """How a training went: the loss of each batch; after each epoch the share right and mean loss.

    Both of the latter are those of the test images. `seconds` are those of the steps alone.
    """

    losses: list[float]
    tests: list[tuple[float, float]]
    seconds: float


def train(
    step: Step, images: Images, *, epochs: int, seed: int, bar: Any, say: Callable[[str], None]
) -> tuple[Params, Course]:
    """Go through the images so often, in another order each time."""
    params_key, order_key = fgrad.random.split(fgrad.random.key(seed))
    params, losses, tests, seconds = start(params_key), [], [], 0.0
    for epoch in range(epochs):
        say(f"Epoch {epoch + 1}\n-------------------------------")
        order, seen = fgrad.random.fold_in(order_key, epoch), 0
        for number, (X, y) in enumerate(nn.data.batches((images.X, images.y), BATCH, order)):
            begin = time.perf_counter()
            value, params = step(params, X, ONE_HOT[y])
            seconds += time.perf_counter() - begin
            losses.append(float(value))
            seen += len(y)
            if number % REPORT_EVERY == 0:
                say(f"loss: {value:>7f} [{seen:>5d}/{len(images.y):>5d}]")
            bar.update()
        tests.append(test(params, images.X_test, images.y_test))
        say(f"Test: accuracy {tests[-1][0]:.1%}, average loss {tests[-1][1]:.6f}\n")
    return params, Course(losses, tests, seconds)


# What is shown ------------------------------------------------------------------------------------


def compare(images: Images, seed: int) -> float:
    """Print how far the gradient by fgrad is from that by hand; return the greatest, in float32.

    The distances are those of the numbers of an array that differ most, as parts of its greatest.
    """
    rows, worst = [], {}
    for dtype in (np.float32, np.float64):
        params = [p.astype(dtype) for p in start(fgrad.random.key(seed))]
        X, Y = images.X[:BATCH].astype(dtype), ONE_HOT[images.y[:BATCH]].astype(dtype)
        value, by_fgrad = fgrad.jit(fgrad.value_and_grad(loss))(params, X, Y)
        expected, on_paper = by_hand(params, X, Y)
        parts = [(abs(value - expected), abs(expected))]
        parts += [
            (np.abs(a - b).max(), np.abs(b).max()) for a, b in zip(by_fgrad, on_paper, strict=True)
        ]
        distances = [float(difference / size) for difference, size in parts]
        rows.append([np.dtype(dtype).name, *(f"{distance:.0e}" for distance in distances)])
        worst[dtype] = max(distances)
    columns = ["dtype", "loss", *(f"{kind}{i}" for i in (1, 2, 3) for kind in "Wb")]
    program.table("By fgrad, beside by hand: greatest relative differences", columns, rows)
    return worst[np.float32]


def course_picture(path: Path, course: Course) -> Path:
    """The losses of the batches and of the test images; the share of these that is right."""
    figure, (left, right) = program.canvas(1, 2, size=(11.0, 4.2))
    epochs = np.arange(1, len(course.tests) + 1)
    batches = np.arange(1, len(course.losses) + 1) * len(epochs) / len(course.losses)
    shares, means = np.transpose(course.tests)
    left.plot(batches, course.losses, color=program.RED, linewidth=0.6, alpha=0.6, label="batches")
    left.plot(epochs, means, color=program.INK, linewidth=1.8, label="test images")
    left.set_ylabel("cross entropy")
    left.legend(frameon=False)
    right.plot(epochs, 100 * shares, color=program.BLUE, linewidth=1.8, marker=".")
    right.set_ylabel("% of test images right")
    for axes in (left, right):
        axes.set_xlabel("epoch")
        axes.set_ylim(bottom=0)
    return program.save(figure, path)


def samples_picture(path: Path, params: Params, images: Images, rows: int) -> Path:
    """Test images from all over, with the classes that they got; in red those that are wrong."""
    figure, panels = program.canvas(rows, 8, size=(12.0, 1.8 * rows))
    found = network(params, images.X_test).argmax(axis=1)
    for i, axes in zip(
        np.linspace(0, len(found) - 1, len(panels)).astype(int), panels, strict=True
    ):
        got, right = images.names[found[i]], images.names[images.y_test[i]]
        axes.imshow(images.X_test[i].reshape(digit_images.SIDE, -1), cmap="gray_r")
        axes.set_axis_off()
        if got == right:
            axes.set_title(got, fontsize=11, color=program.INK)
        else:
            axes.set_title(f"{got}, not {right}", fontsize=11, color=program.RED)
    figure.suptitle("What test images are taken for\n", fontsize=13)
    return program.save(figure, path)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Compare the gradients, train, test."""
    if chosen.data:
        images = digit_images.from_idx(chosen.data)
    else:
        images = (digit_images.small_digits if chosen.quick else digit_images.mnist)(chosen.seed)
    epochs = chosen.epochs or (1 if chosen.quick else 5 if chosen.data else 100)
    print(f"{images.source}: {len(images.y)} to train, {len(images.y_test)} to test\n")
    compare(images, chosen.seed)
    compiled = fgrad.jit(step_of(fgrad.value_and_grad(loss), chosen.rate))
    steps: dict[str, Callable[..., Any]] = {"fgrad": compiled}
    if chosen.check:
        steps["by hand"] = step_of(by_hand, chosen.rate)
    results: dict[str, tuple[Params, Course]] = {}
    with program.bar(chosen, len(steps) * epochs * -(-len(images.y) // BATCH), "batch") as bar:
        for name, step in steps.items():
            results[name] = train(
                step, images, epochs=epochs, seed=chosen.seed, bar=bar,
                say=(lambda text: bar.write(text, file=sys.stdout)) if not results else _silent,
            )  # fmt: skip
    rows = [
        [
            name, f"{course.losses[0]:.6f}", f"{course.losses[-1]:.6f}",
            f"{course.tests[-1][0]:.1%}", f"{course.tests[-1][1]:.6f}",
            f"{course.seconds / len(course.losses) * 1e3:.2f}",
        ]
        for name, (_, course) in results.items()
    ]  # fmt: skip
    columns = ["gradient", "first loss", "last loss", "test: right", "average loss", "ms a step"]
    program.table(f"{epochs} epochs", columns, rows)
    params, course = results["fgrad"]
    return [
        course_picture(chosen.out / "training.png", course),
        samples_picture(chosen.out / "images.png", params, images, 1 if chosen.quick else 3),
    ]


def _silent(text: str) -> None:
    """Say nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the data or the output folder are not usable."""
    options = program.parser("Train a classifier of images of clothes or digits.", "fashion_plots")
    options.add_argument("--data", type=Path, help="folder with four IDX files; default: digits")
    options.add_argument("--epochs", type=program.at_least(1), help="how often to see all images")
    options.add_argument("--rate", type=program.positive, default=1e-3, help="the learning rate")
    options.add_argument("--check", action="store_true", help="train by hand, too, and compare")
    try:
        return program.run(options, arguments, work)
    except digit_images.DataError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
