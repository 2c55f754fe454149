"""Data made ready: parts for training and for testing, and features on one scale."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from fgrad import random, tree
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, DomainError, DtypeError, ShapeError, describe
from fgrad.tracebacks import boundary

from .examples import PyTree, count_examples, take

#: So many elements are looked at at a time, which bounds the memory for a mapped file.
BLOCK = 1 << 20


@boundary
def train_test_split(data: PyTree, fraction: Any, key: Any = None) -> tuple[PyTree, PyTree]:
    """Divide examples into a part for training and a part for testing.

    >>> from fgrad import random
    >>> train, test = train_test_split({"x": np.arange(10)}, 0.3, random.key(0))
    >>> train["x"], test["x"]
    (array([0, 2, 3, 4, 5, 8, 9]), array([1, 6, 7]))

    Args:
        data: a pytree of arrays of shapes (n, ...).
        fraction: the share of the examples that are for testing, between 0 and 1; their number is
            rounded to the nearest, and at least 1.
        key: a key of `fgrad.random`, which draws the examples for testing. Without one they are
            the last, as is right for a series in time.

    Returns:
        ``(train, test)``, new arrays in the order of the data; without a key, views of it.

    Raises:
        ArgumentError: the fraction isn't between 0 and 1.
        ShapeError: leaves have different lengths, or there are too few examples for two parts.
    """
    n = count_examples(data, "train_test_split")
    if not is_a(fraction, (float, np.floating)) or not 0 < fraction < 1:
        raise ArgumentError(
            "train_test_split wants the share of examples for testing, between 0 and 1.",
            describe(fraction),
            "pass 0.2 for a fifth",
        )
    tests = max(1, round(n * float(fraction)))
    if tests >= n:
        raise ShapeError(
            "train_test_split wants examples for both parts.",
            f"{n} examples, of which {tests} would be for testing",
            "choose a smaller fraction, or pass more data",
        )
    if key is None:
        cut = n - tests
        return tree.map(lambda x: x[:cut], data), tree.map(lambda x: x[cut:], data)
    order = random.permutation(key, n)
    return take(data, np.sort(order[tests:])), take(data, np.sort(order[:tests]))


class Standardizer(NamedTuple):
    """Means and standard deviations, and what to do with them; made by `fit_standardizer`.

    It is a pytree, which `fgrad_nn.save` saves beside the parameters.
    """

    mean: PyTree
    std: PyTree

    def apply(self, data: PyTree) -> PyTree:
        """Subtract the mean and divide by the standard deviation; a pure function.

        Raises:
            TreeError, ShapeError: the data doesn't fit.
        """
        return self._each(lambda x, mean, std: (x - mean) / std, data)

    def invert(self, data: PyTree) -> PyTree:
        """Undo `apply`."""
        return self._each(lambda x, mean, std: x * std + mean, data)

    def _each(self, f: Any, data: PyTree) -> PyTree:
        def leaf(path: Any, mean: Any, std: Any, x: Any) -> Any:
            shape = getattr(x, "shape", None)
            if shape is None or not _stretches(mean.shape, shape):
                raise ShapeError(
                    f"The standardizer wants arrays of shape {_any_length(mean.shape)}.",
                    f"at {tree.path_str(path) or 'the root'}: {describe(x)}",
                    "pass data with the same features as those it was fitted to",
                )
            return f(x, mean, std)

        return tree.map_with_path(leaf, self.mean, self.std, data)


def _stretches(small: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    return len(small) == len(shape) and all(a in (1, b) for a, b in zip(small, shape, strict=True))


def _any_length(shape: tuple[int, ...]) -> str:
    return (
        "("
        + ", ".join("any" if n == 1 else str(n) for n in shape)
        + ("," * (len(shape) == 1))
        + ")"
    )


@boundary
def fit_standardizer(data: PyTree, axis: int | tuple[int, ...] = 0) -> Standardizer:
    """Learn the mean and the standard deviation of features from training data.

    >>> train, test = np.array([[1.0, 5.0], [3.0, 5.0]]), np.array([[2.0, 6.0]])
    >>> scale = fit_standardizer(train)
    >>> scale.apply(train), scale.apply(test)
    (array([[-1.,  0.],
           [ 1.,  0.]]), array([[0., 1.]]))
    >>> scale.invert(scale.apply(test))
    array([[2., 6.]])

    Args:
        data: a pytree of arrays of real numbers; the same in memory-mapped files, which are read
            in parts.
        axis: what is averaged over, the axis 0 of the examples included; (0, 1, 2) for the
            channels of images (n, height, width, channels).

    Returns:
        A `Standardizer`. A feature that doesn't vary has the standard deviation 1, so that it
        becomes 0. The numbers are computed in float64, and have the dtype of their leaf if that
        is a floating one.

    Raises:
        DtypeError: a leaf isn't real.
        DomainError: there are NaNs or infinities.
        ArgumentError: the axis isn't one, or leaves out the examples.
    """
    n = count_examples(data, "fit_standardizer")
    axes = axis if isinstance(axis, tuple) else (axis,)

    def leaf(path: Any, x: Any) -> tuple[Any, Any]:
        place = f"at {tree.path_str(path) or 'the root'}: "
        if x.dtype.kind not in "fiub":
            raise DtypeError(
                "fit_standardizer wants real numbers.",
                place + describe(x),
                "standardize the numbers alone, and leave the other leaves out",
            )
        if 0 not in axes or not all(type(i) is int and 0 <= i < x.ndim for i in axes):
            raise ArgumentError(
                "fit_standardizer wants axes of each leaf, that of the examples included.",
                f"axis={axis!r} for {place}{describe(x)}",
                "pass 0, or a tuple such as (0, 1, 2), counted from the front",
            )
        mean, std = _moments(x, n, axes)
        if not (np.all(np.isfinite(mean)) and np.all(np.isfinite(std))):
            bad = int(np.sum(~np.isfinite(mean) | ~np.isfinite(std)))
            raise DomainError(
                "fit_standardizer wants finite numbers.",
                f"{place}{describe(x)} with NaN or infinity in {bad} of {mean.size} features",
                "fill in what is missing, or leave these examples out",
            )
        dtype = x.dtype if x.dtype.kind == "f" else np.dtype(np.float64)
        small = std <= 0 if dtype.kind != "f" else std.astype(dtype) == 0
        return mean.astype(dtype), np.where(small, 1.0, std).astype(dtype)

    structure = tree.structure(data)
    pairs = [leaf(path, x) for path, x in tree.leaves_with_path(data)]
    return Standardizer(*(tree.unflatten(structure, part) for part in zip(*pairs, strict=True)))


def _moments(x: Any, n: int, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """Mean and standard deviation, of a block of examples after the other."""
    size = max(1, BLOCK * n // max(x.size, 1))
    blocks = [slice(i, i + size) for i in range(0, n, size)]
    count = math.prod(x.shape[i] for i in axes)

    def total(f: Any) -> Any:
        return sum(np.sum(f(x[b].astype(np.float64)), axis=axes, keepdims=True) for b in blocks)

    with np.errstate(invalid="ignore", over="ignore"):
        mean = total(lambda part: part) / count
        # corrected for what rounding of the mean adds: Chan, Golub and LeVeque 1983, eq. 1.7
        square = total(lambda part: (part - mean) ** 2)
        drift = total(lambda part: part - mean)
        return mean, np.sqrt(np.maximum(square - drift**2 / count, 0.0) / count)
