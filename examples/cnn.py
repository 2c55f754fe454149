"""A convolutional network reads handwritten digits: its state explicit, its training step compiled.

    python examples/cnn.py
    python examples/cnn.py --quick --out pictures
    python examples/cnn.py --data mnist --epochs 3

Two convolutions with batch normalisation and max pooling, then two dense layers with dropout
between (after LeNet: Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Proc. IEEE 86, 1998). Nothing
in the network changes by itself. What training changes is one value, a `TrainState`: parameters,
the optimizer's moments, the running means and variances of batch normalisation, and the key from
which each step draws its dropout and small shifts of its images. `train_step` makes of loss,
gradient and update one function of that state and a batch, which `fgrad.jit` compiles; `fit` calls
it. All of it is float32.

Digits are those of `digit_images.py`: 5,000 of MNIST, or with `--quick` the small ones of
scikit-learn, enlarged; `--data` names a folder with MNIST's own files.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import digit_images
import numpy as np
import program
from digit_images import Images
from matplotlib.ticker import MaxNLocator
from threadpoolctl import threadpool_limits

import fgrad_nn as nn
from fgrad import random

SHAPE = (-1, 28, 28, 1)  # images of any number, one channel
BATCH = 64
LEARNING_RATE = 3e-3
FILTERS = "filters"  # the first convolution's name among the parameters


def network(first: int = 16, second: int = 32, units: int = 128) -> Any:
    """The layers.

    The convolutions need no bias, for the norm behind them takes the mean away; and the greatest of
    four numbers is cut off at 0 as well after as before it is chosen, but then it is one, not four.
    """
    return nn.serial(
        (FILTERS, nn.conv2d(first, 5, use_bias=False)),
        nn.batch_norm(),
        nn.max_pool2d(2),
        nn.relu,
        nn.conv2d(second, 3, use_bias=False),
        nn.batch_norm(),
        nn.max_pool2d(2),
        nn.relu,
        nn.flatten(),
        nn.dense(units),
        nn.relu,
        nn.dropout(0.2),
        nn.dense(10),
    )


class Run(NamedTuple):
    """A network after training."""

    state: nn.TrainState
    history: list[dict[str, float]]
    """For each epoch the mean loss of its batches, and loss and accuracy on held-out digits."""
    seconds: float
    step_ms: float
    """A step's time, the median over the last epoch."""


class Clock:
    """A callback for `fit` that notes when each step has ended."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_step(self, state: Any, record: Any) -> bool:
        """Note the time; False: go on."""
        self.times.append(time.perf_counter())
        return False

    def median_ms(self, last: int) -> float:
        """The median of the last steps' times, in milliseconds."""
        return 1e3 * float(np.median(np.diff(self.times[-last:]))) if last > 1 else float("nan")


def train(net: Any, images: Images, *, epochs: int, key: Any, progress: bool = False) -> Run:
    """Fit the network by Adam, with a learning rate that falls to 0 along half a cosine."""
    init_key, order_key, dropout_key = random.split(key, 3)
    _, params = net.init(init_key, SHAPE, np.float32)
    # parts of the digits, in an order that is new in each epoch; all batches have one shape
    data = nn.batches(
        (as_images(images.X), images.y), BATCH, order_key, remainder="wrap", epochs=epochs
    )
    steps = epochs * data.steps_per_epoch

    def loss(params: Any, batch: Any, *, state: Any, key: Any) -> tuple[Any, Any]:
        X, labels = batch
        shift_key, key = random.split(key)
        scores, state = net.apply(params, shifted(shift_key, X), state=state, key=key, train=True)
        return nn.cross_entropy(scores, labels), state

    optimizer = nn.adam(nn.schedules.cosine_decay_schedule(LEARNING_RATE, steps))
    start = nn.TrainState.create(
        params,
        optimizer,
        model_state=net.init_state(init_key, SHAPE, np.float32),
        key=dropout_key,
    )
    test = as_images(images.X_test), images.y_test
    clock, begin = Clock(), time.perf_counter()
    done = nn.fit(
        nn.train_step(loss, optimizer, has_state=True),
        start,
        data,
        epochs=epochs,
        validate=lambda state: held_out(scores(net, state, test[0]), test[1]),
        callbacks=[clock],
        progress=progress,
    )
    seconds = time.perf_counter() - begin
    return Run(done.state, done.history.epochs, seconds, clock.median_ms(data.steps_per_epoch))


def shifted(key: Any, X: Any, reach: int = 2) -> Any:
    """Move each image (n, 28, 28, 1) by up to so many pixels, whichever way the key says."""
    n, height, width, _ = X.shape
    down, right = random.randint(key, (2, n, 1, 1), 0, 2 * reach + 1)
    rows, columns = down + np.arange(height)[:, None], right + np.arange(width)
    around = ((0, 0), (reach, reach), (reach, reach), (0, 0))
    return np.pad(X, around)[np.arange(n)[:, None, None], rows, columns]


def as_images(X: np.ndarray) -> np.ndarray:
    """Rows of pixels (n, 784) as images (n, 28, 28, 1)."""
    return X.reshape(SHAPE)


def scores(net: Any, state: nn.TrainState, X: np.ndarray) -> np.ndarray:
    """Scores (n, 10) without dropout, and with the running means and variances."""
    parts = [
        net.apply(state.params, part, state=state.model_state)[0]
        for part in np.array_split(X, -(-len(X) // 500))
    ]
    return np.concatenate(parts)


def held_out(scores: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Mean cross entropy and share of right classes."""
    return {
        "loss": float(nn.cross_entropy(scores, labels)),
        "accuracy": float(np.mean(scores.argmax(axis=1) == labels)),
    }


# What it has learnt -------------------------------------------------------------------------------


def report(images: Images, found: np.ndarray, run: Run) -> None:
    """Print how many digits of each class are read rightly, and what training has cost."""
    right = found.argmax(axis=1) == images.y_test
    rows = []
    for label, name in enumerate(images.names):
        of_class = images.y_test == label
        wrong = found.argmax(axis=1)[of_class & ~right]
        taken_for = ", ".join(images.names[i] for i in np.unique(wrong)) or "-"
        share = f"{right[of_class].mean():.1%}" if of_class.any() else "-"
        rows.append([name, f"{of_class.sum()}", share, taken_for])
    rows.append(["all", f"{len(right)}", f"{right.mean():.1%}", ""])
    program.table("Held-out images", ["", "images", "read rightly", "else taken for"], rows)
    epochs = len(run.history)
    print(
        f"{len(images.y)} images, {epochs} epochs: {run.seconds:.1f} s, compiling and validation "
        f"included; {run.step_ms:.1f} ms for a step of {BATCH} images"
    )


def training_curve(path: Path, history: list[dict[str, float]]) -> Path:
    """Loss, and the share of errors on held-out images, over the epochs."""
    figure, (losses, errors) = program.canvas(1, 2, size=(10.0, 4.2))
    epochs = np.arange(1, len(history) + 1)
    losses.semilogy(epochs, [h["loss"] for h in history], "o-", color=program.BLUE, markersize=4)
    losses.semilogy(epochs, [h["val_loss"] for h in history], "o-", color=program.RED, markersize=4)
    for name, color, y in (
        ("batches, with dropout and shifts", program.BLUE, 0.93),
        ("held out", program.RED, 0.86),
    ):
        losses.text(0.97, y, name, color=color, transform=losses.transAxes, ha="right", fontsize=11)
    losses.set(xlabel="epoch", ylabel="mean cross entropy")
    missed = [100 * (1 - h["val_accuracy"]) for h in history]
    errors.plot(epochs, missed, "o-", color=program.RED, markersize=4)
    errors.annotate(f"{missed[-1]:.1f} %", (epochs[-1], missed[-1]), xytext=(0, 8),
                    textcoords="offset points", ha="center", fontsize=11)  # fmt: skip
    errors.set(xlabel="epoch", ylabel="held-out images misread (%)", ylim=(0, None))
    for axes in (losses, errors):
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return program.save(figure, path)


def filters(path: Path, weight: np.ndarray) -> Path:
    """The first convolution's windows; weight (5, 5, 1, features)."""
    count = weight.shape[-1]
    columns = min(count, 8)
    figure, panels = program.canvas(-(-count // columns), columns, size=(9.0, 2.9))
    reach = float(np.abs(weight).max())
    for axes, window in zip(panels, np.moveaxis(weight[:, :, 0, :], -1, 0), strict=False):
        shown = axes.imshow(window, cmap="RdBu_r", vmin=-reach, vmax=reach)
    for axes in panels:
        axes.axis("off")
    figure.colorbar(shown, ax=panels, shrink=0.8, label="weight")
    figure.suptitle("Filters of the first convolution", x=0.01, ha="left", fontsize=13)
    return program.save(figure, path)


def misread(path: Path, images: Images, found: np.ndarray, most: int = 24) -> Path:
    """The held-out images that are misread, the surest mistakes first."""
    chances = nn.softmax(found)
    taken_for = chances.argmax(axis=1)
    wrong = np.flatnonzero(taken_for != images.y_test)
    wrong = wrong[np.argsort(-chances[wrong, taken_for[wrong]])][:most]
    columns = 8
    rows = max(1, -(-len(wrong) // columns))
    figure, panels = program.canvas(rows, columns, size=(10.0, 0.7 + 1.5 * rows))
    for axes in panels:
        axes.axis("off")
    for axes, i in zip(panels, wrong, strict=False):
        axes.imshow(images.X_test[i].reshape(28, 28), cmap="gray_r", vmin=0, vmax=1)
        label, guess = images.names[images.y_test[i]], images.names[taken_for[i]]
        sure = f"{chances[i, taken_for[i]]:.0%}"
        axes.set_title(f"{label}, read as\n{guess} ({sure} sure)", fontsize=9)
    of = f"{len(wrong)} of {np.sum(taken_for != images.y_test)}"
    figure.suptitle(f"Misread images, {of}", x=0.01, ha="left", fontsize=13)
    return program.save(figure, path)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Train the network, tell what it can read, and show what it can't."""
    if chosen.data is not None:
        images = digit_images.from_idx(chosen.data)
    else:
        images = (digit_images.small_digits if chosen.quick else digit_images.mnist)(chosen.seed)
    net = network(4, 8, 32) if chosen.quick else network()
    print(f"{len(images.y)} images for training, {len(images.y_test)} held out: {images.source}")
    print(nn.summary(net, SHAPE, np.float32))
    epochs = chosen.epochs or (2 if chosen.quick else 12)
    # products of matrices this small lose more than they gain by being divided among threads
    with threadpool_limits(limits=1):
        run = train(
            net, images, epochs=epochs, key=random.key(chosen.seed), progress=chosen.progress
        )
    found = scores(net, run.state, as_images(images.X_test))
    report(images, found, run)
    return [
        training_curve(chosen.out / "training.png", run.history),
        filters(chosen.out / "filters.png", run.state.params[FILTERS]["weight"]),
        misread(chosen.out / "misread.png", images, found),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the data or the output folder are not usable."""
    options = program.parser("A convolutional network that reads handwritten digits.", "cnn_plots")
    options.add_argument("--data", type=Path, help="folder with the four files of MNIST")
    options.add_argument(
        "--epochs", type=program.at_least(1), help="default: 12, or 2 with --quick"
    )
    try:
        return program.run(options, arguments, work)
    except digit_images.DataError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
