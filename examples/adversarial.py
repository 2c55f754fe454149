"""Fool a classifier of digits with changes that one hardly sees, and train one that is fooled less.

    python examples/adversarial.py
    python examples/adversarial.py --data mnist --size 0.05 --out pictures

Training asks how the loss changes with the parameters. The same loss is a function of the image,
too, and `fgrad.grad` by its second argument says which pixels to change to make it grow: a small
step along the signs of that gradient makes an adversarial image (I. Goodfellow, J. Shlens and
C. Szegedy, arXiv:1412.6572). `fgrad.vmap` does it for all images at once, each by its own loss.

A second network is trained in the same way, but for normal noise of width 0.1 around 0.3 that is
added to each batch anew. It never sees an adversarial image, and yet gets many of those right that
fool the first, for the price of some plain ones. Not all of that is owed to the noise: images made
for one network fool any other less. So there is a third network, which starts where the second does
and sees no noise; and each network is also shown images that are made against itself, which the
noise helps little against.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import digit_images
import numpy as np
import program
from digit_images import Images

import fgrad
import fgrad_nn as nn
import fgrad_nn.data

BATCH = 64
RATE = 1e-3  # of Adam
WIDTH, SHIFT = 0.1, 0.3  # of the noise

network: Any = nn.mlp([128, 64, 10], nn.relu, weight_init=nn.initializers.he_normal())


def loss(params: Any, X: Any, y: Any) -> Any:
    """Cross entropy of the classes y, (...), for images X, (..., 784): the mean over all."""
    log_shares = nn.log_softmax(network.apply(params, X))
    return -np.mean(np.sum(nn.one_hot(y, 10, dtype=X.dtype) * log_shares, axis=-1))


def train(
    images: Images, *, epochs: int, key: Any, noisy: bool, bar: Any
) -> tuple[Any, list[float]]:
    """Train a network by Adam; with noise on each batch if it is to be `noisy`.

    Returns the parameters and the losses of all batches.
    """
    init_key, order_key, noise_key = fgrad.random.split(key, 3)
    _, params = network.init(init_key, images.X.shape, dtype=np.float32)
    optimizer = nn.adam(RATE)
    state = optimizer.init(params)

    @fgrad.jit
    def step(params: Any, state: Any, X: Any, y: Any) -> tuple[Any, Any, Any]:
        value, gradient = fgrad.value_and_grad(loss)(params, X, y)
        updates, state = optimizer.update(gradient, state, params)
        return value, nn.apply_updates(params, updates), state

    losses: list[float] = []
    for X, y in nn.data.batches((images.X, images.y), BATCH, order_key, epochs=epochs):
        if noisy:
            fresh = fgrad.random.fold_in(noise_key, len(losses))
            X = X + SHIFT + WIDTH * fgrad.random.normal(fresh, X.shape, np.float32)
        value, params, state = step(params, state, X, y)
        losses.append(float(value))
        bar.update()
    return params, losses


def classes(params: Any, X: np.ndarray) -> Any:
    """What a network takes each image for."""
    return network.apply(params, X).argmax(axis=-1)


def perturbations(params: Any, X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """For each image, the signs of the gradient of its loss by its pixels."""
    by_pixels = fgrad.vmap(fgrad.grad(loss, argnums=1), in_axes=(None, 0, 0))
    return np.sign(by_pixels(params, X, y))


def adversarial(params: Any, X: np.ndarray, y: np.ndarray, size: float) -> np.ndarray:
    """The images, with each pixel moved by `size` so that the loss grows, but not out of 0 to 1."""
    return np.clip(X + np.float32(size) * perturbations(params, X, y), 0.0, 1.0)


# What is shown ------------------------------------------------------------------------------------

NAMES = ("first", "second, with noise", "third, without")
SIZES = np.linspace(0.0, 0.3, 13)


def report(networks: list[Any], images: Images, size: float) -> np.ndarray:
    """Print how many images each network gets right; return which ones fool the first.

    An image fools it if it was right about the image before, and is wrong about the changed one.
    """
    X, y = images.X_test, images.y_test
    changed = adversarial(networks[0], X, y, size)
    fooled = (classes(networks[0], X) == y) & (classes(networks[0], changed) != y)
    rows = []
    for name, params in zip(NAMES, networks, strict=True):
        own = adversarial(params, X, y, size)
        rows.append(
            [
                name, f"{np.sum(classes(params, X) == y)}",
                f"{np.sum(classes(params, changed[fooled]) == y[fooled])}",
                f"{np.sum(classes(params, own) == y)}",
            ]
        )  # fmt: skip
    columns = [
        "network", f"test images ({len(y)})", f"images that fool the first ({fooled.sum()})",
        f"images against itself ({len(y)})",
    ]  # fmt: skip
    program.table(f"Right, where pixels are moved by {size:g}", columns, rows)
    return fooled


def images_picture(
    path: Path, networks: list[Any], images: Images, size: float, shown: Any
) -> Path:
    """Some images, what is added to them, what comes out, and what two networks take it for."""
    X, y = images.X_test[shown], images.y_test[shown]
    changed = adversarial(networks[0], X, y, size)
    figure, panels = program.canvas(3, len(X), size=(1.5 * len(X), 5.4))
    answers = [classes(params, changed) for params in networks[:2]]
    for i in range(len(X)):
        rows = (X[i], changed[i] - X[i], changed[i])
        limits = ((0, 1), (-size, size), (0, 1))
        titles = (
            f"a {images.names[y[i]]}", f"± {size:g}",
            f"first: {images.names[answers[0][i]]}\nsecond: {images.names[answers[1][i]]}",
        )  # fmt: skip
        for row, (pixels, (low, high), title) in enumerate(zip(rows, limits, titles, strict=True)):
            axes = panels[row * len(X) + i]
            axes.imshow(
                pixels.reshape(digit_images.SIDE, -1), vmin=low, vmax=high,
                cmap="RdBu_r" if row == 1 else "gray_r",
            )  # fmt: skip
            axes.set_axis_off()
            axes.set_title(title, fontsize=11)
    figure.suptitle("Images, changes, and changed images that fool the first network", fontsize=13)
    return program.save(figure, path)


def shares_picture(path: Path, networks: list[Any], images: Images, size: float) -> Path:
    """The share right over how far the pixels are moved: against the first, against itself."""
    figure, panels = program.canvas(1, 2, size=(11.0, 4.4), sharey=True)
    X, y = images.X_test, images.y_test
    colors = (program.RED, program.BLUE, program.OCHRE)
    for name, params, color in zip(NAMES, networks, colors, strict=True):
        for axes, against in zip(panels, (networks[0], params), strict=True):
            shares = [np.mean(classes(params, adversarial(against, X, y, e)) == y) for e in SIZES]
            axes.plot(SIZES, 100 * np.array(shares), color=color, linewidth=1.8, label=name)
    panels[0].set_title("made against the first network", loc="left", fontsize=13)
    panels[1].set_title("made against itself", loc="left", fontsize=13)
    panels[0].set_ylabel("% right")
    panels[1].legend(frameon=False, title="network")
    for axes in panels:
        axes.set_xlabel("how far pixels are moved")
        axes.axvline(size, color=program.INK, linewidth=0.8, linestyle=":")
        axes.set_ylim(0, 100)
    return program.save(figure, path)


def work(chosen: argparse.Namespace) -> list[Path]:
    """Train three networks, and show them adversarial images."""
    if chosen.data:
        images = digit_images.from_idx(chosen.data)
    else:
        images = (digit_images.small_digits if chosen.quick else digit_images.mnist)(chosen.seed)
    epochs = chosen.epochs or (3 if chosen.quick else 10)
    print(f"{images.source}: {len(images.y)} to train, {len(images.y_test)} to test\n")
    first, other = fgrad.random.split(fgrad.random.key(chosen.seed))
    networks = []
    with program.bar(chosen, 3 * epochs * -(-len(images.y) // BATCH), "batch") as bar:
        for key, noisy in ((first, False), (other, True), (other, False)):
            networks.append(train(images, epochs=epochs, key=key, noisy=noisy, bar=bar)[0])
    fooled = report(networks, images, chosen.size)
    # one of each class, as far as there is one
    some = [np.flatnonzero(fooled & (images.y_test == label))[:1] for label in range(10)]
    pictures = [shares_picture(chosen.out / "shares.png", networks, images, chosen.size)]
    if fooled.any():
        shown = np.concatenate(some)[: 4 if chosen.quick else 10]
        path = chosen.out / "images.png"
        pictures.append(images_picture(path, networks, images, chosen.size, shown))
    return pictures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program; 0 on success, 2 when the data or the output folder are not usable."""
    options = program.parser(
        "Adversarial images of digits, and noise against them.", "adversarial_plots"
    )
    options.add_argument("--data", type=Path, help="folder with four IDX files; default: digits")
    options.add_argument("--epochs", type=program.at_least(1), help="how often to see all images")
    options.add_argument(
        "--size", type=program.positive, default=0.1, help="how far pixels are moved"
    )
    try:
        return program.run(options, arguments, work)
    except digit_images.DataError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
