"""Pooling: one number for each window over the inputs, channel by channel."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.errors import ArgumentError, ShapeError, describe
from fgrad.tracebacks import boundary

from ..types import Layer, PyTree
from .making import check_inputs, layer
from .moments import sum_over
from .pools import window_max, window_sum
from .spatial import Padding, Slide, each, slide

Lengths = int | Sequence[int]


def _pool(shape: Slide, compute: Callable[[Any, dict[str, Any]], Any]) -> Layer:
    """A layer that makes a number of each window."""

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, lengths, channels = shape.split(input_shape)
        return shape.join(batch, shape.places(lengths), channels), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        shape.split(check_inputs(inputs, shape.name))

        def call(x: Any) -> Any:
            lengths = x.shape[1:-1]
            shape.places(lengths)
            how = {"form": shape.form(lengths), "lengths": lengths, "window": shape.window}
            return compute(x, how)

        return shape.over(inputs, call)

    return layer(init, apply, name=shape.name)


def _slide(
    name: str, window: Lengths, strides: Lengths | None, padding: Padding, dims: int | None,
    dilation: Lengths, data_format: str,
) -> Slide:  # fmt: skip
    strides = window if strides is None else strides
    return slide(name, window, strides, padding, dilation, dims, data_format)


@boundary
def max_pool(
    window: Lengths,
    strides: Lengths | None = None,
    padding: Padding = "VALID",
    *,
    dilation: Lengths = 1,
    data_format: str = "channels_last",
    dims: int | None = None,
    name: str = "max_pool",
) -> Layer:
    """Take the greatest number of each window; its gradient is shared where there are several.

    >>> layer = max_pool((2, 2))
    >>> layer.init(None, (-1, 28, 28, 16))[0]
    (-1, 14, 14, 16)
    >>> layer.apply({}, np.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
    array([[ 5.,  7.],
           [13., 15.]])

    Args:
        window: the length of the window in each dimension.
        strides: by how much the window moves on; as far as it is long if that isn't given, as in
            PyTorch and Keras (in flax it is 1).
        padding: as for `conv`; what is added is less than any number.
        dilation: the distance between neighbours in the window.
        data_format: as for `conv`.
        dims: the number of dimensions, where `window` is one number.
        name: the name of the layer.

    Returns:
        A layer that takes any number of batch axes.
    """
    shape = _slide(name, window, strides, padding, dims, dilation, data_format)
    return _pool(shape, lambda x, how: window_max(x, **how))


@boundary
def min_pool(window: Lengths, strides: Lengths | None = None, padding: Padding = "VALID",
             **options: Any) -> Layer:  # fmt: skip
    """Take the smallest number of each window; the arguments are those of `max_pool`.

    >>> min_pool((2,)).apply({}, np.array([[[3.0], [1.0]]]))
    array([[[1.]]])
    """
    options = {"dilation": 1, "data_format": "channels_last", "dims": None, **options}
    shape = _slide(options.pop("name", "min_pool"), window, strides, padding, **options)
    return _pool(shape, lambda x, how: -window_max(-x, **how))


@boundary
def sum_pool(window: Lengths, strides: Lengths | None = None, padding: Padding = "VALID",
             **options: Any) -> Layer:  # fmt: skip
    """Take the sum of each window; the arguments are those of `max_pool`.

    >>> sum_pool((2,)).apply({}, np.array([[[3.0], [1.0]]]))
    array([[[4.]]])
    """
    options = {"dilation": 1, "data_format": "channels_last", "dims": None, **options}
    shape = _slide(options.pop("name", "sum_pool"), window, strides, padding, **options)
    return _pool(shape, lambda x, how: window_sum(x, **how))


@boundary
def avg_pool(
    window: Lengths,
    strides: Lengths | None = None,
    padding: Padding = "VALID",
    *,
    count_include_pad: bool = True,
    **options: Any,
) -> Layer:
    """Take the mean of each window.

    >>> avg_pool((2,)).apply({}, np.array([[[3.0], [1.0]]]))
    array([[[2.]]])

    Args:
        window, strides, padding: see `max_pool`.
        count_include_pad: whether the zeros of the padding count, as in flax and PyTorch.
        **options: the other arguments of `max_pool`.
    """
    options = {"dilation": 1, "data_format": "channels_last", "dims": None, **options}
    shape = _slide(options.pop("name", "avg_pool"), window, strides, padding, **options)
    size = math.prod(shape.window)

    def compute(x: Any, how: dict[str, Any]) -> Any:
        total = window_sum(x, **how)
        if count_include_pad or not any(map(any, how["form"].padding)):
            return total / size
        dtype = x.dtype if x.dtype.kind == "f" else np.float64
        ones = home(x).ones((1, *x.shape[1:-1], 1), dtype)
        return total / np.maximum(window_sum(ones, **how), 1)

    return _pool(shape, compute)


@boundary
def lp_pool(norm: float, window: Lengths, strides: Lengths | None = None,
            padding: Padding = "VALID", **options: Any) -> Layer:  # fmt: skip
    """Take the p-norm of each window: sum(abs(x)**p) ** (1 / p).

    >>> lp_pool(2, (2,)).apply({}, np.array([[[3.0], [4.0]]]))
    array([[[5.]]])

    PyTorch leaves the absolute value away, which makes NaN of negative sums for odd p. Where a
    window is all zeros the derivative is 0.

    Args:
        norm: p, a number of at least 1.
        window, strides, padding, options: see `max_pool`.
    """
    if is_a(norm, bool) or not is_a(norm, (int, float)) or not 1 <= norm < math.inf:
        raise ArgumentError(
            "lp_pool wants the p of its norm, a number of at least 1.",
            describe(norm),
            "pass 2 for the usual length; the greatest number is max_pool's",
        )
    options = {"dilation": 1, "data_format": "channels_last", "dims": None, **options}
    shape = _slide(options.pop("name", "lp_pool"), window, strides, padding, **options)

    def compute(x: Any, how: dict[str, Any]) -> Any:
        powers = np.square(x) if norm == 2 else np.abs(x) ** norm
        total = window_sum(powers, **how)
        some = np.greater(total, 0)
        return np.where(some, np.where(some, total, 1) ** (1 / norm), 0)

    return _pool(shape, compute)


def _fixed(pool: Callable[..., Layer], base: str, dims: int) -> Callable[..., Layer]:
    """A pool of a number of dimensions, whose window may be one number."""

    def make(window: Lengths, strides: Lengths | None = None, padding: Padding = "VALID",
             **options: Any) -> Layer:  # fmt: skip
        return pool(window, strides, padding, dims=dims, name=f"{base}{dims}d", **options)

    make.__name__ = make.__qualname__ = f"{base}{dims}d"
    make.__doc__ = f"`{base}` over {dims} dimension{'s' * (dims > 1)}; a window may be one number."
    return boundary(make)


max_pool1d, max_pool2d, max_pool3d = (_fixed(max_pool, "max_pool", n) for n in (1, 2, 3))
avg_pool1d, avg_pool2d, avg_pool3d = (_fixed(avg_pool, "avg_pool", n) for n in (1, 2, 3))


# ------------------------------------------------------------------ over everything
@boundary
def global_avg_pool(dims: int = 2, *, data_format: str = "channels_last") -> Layer:
    """Take the mean over all places.

    >>> global_avg_pool().init(None, (-1, 7, 7, 16))[0]
    (-1, 16)

    Args:
        dims: the number of dimensions of the places.
        data_format: as for `conv`.
    """

    def mean(x: Any, axis: Sequence[int]) -> Any:
        return sum_over(x, axis) / math.prod(x.shape[a] for a in axis)

    return _global("global_avg_pool", mean, dims, data_format)


@boundary
def global_max_pool(dims: int = 2, *, data_format: str = "channels_last") -> Layer:
    """Take the greatest number over all places; the arguments are those of `global_avg_pool`.

    >>> global_max_pool(1).apply({}, np.array([[[3.0], [1.0]]]))
    array([[3.]])
    """
    return _global("global_max_pool", np.max, dims, data_format)


def _global(name: str, reduce: Callable[..., Any], dims: int, data_format: str) -> Layer:
    shape = slide(name, (1,) * dims, data_format=data_format)
    last = shape.channels_last
    axes = tuple(range(-dims - last, 0 if not last else -1))

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, _, channels = shape.split(input_shape)
        return (*batch, channels), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        shape.split(check_inputs(inputs, name))
        return reduce(inputs, axis=axes)

    return layer(init, apply, name=name)


@boundary
def adaptive_pool(
    reduce: Callable[..., Any],
    places: Lengths,
    *,
    dims: int | None = None,
    data_format: str = "channels_last",
    name: str = "adaptive_pool",
) -> Layer:
    """Divide the lengths into a given number of parts, and make one number of each.

    Part i of n over a length m goes from floor(i m / n) to ceil((i + 1) m / n), as in PyTorch.

    >>> adaptive_avg_pool((2,)).apply({}, np.array([[[1.0], [2.0], [6.0]]]))[0, :, 0]
    array([1.5, 4. ])

    Args:
        reduce: a function such as `np.mean`, called with an array and `axis=`, one axis at a time
            (a mean or a maximum over several axes is one over each in turn).
        places: the number of parts, for each dimension.
        dims: the number of dimensions, where `places` is one number.
        data_format: as for `conv`.
        name: the name of the layer.
    """
    shape = slide(name, places, dims=dims, data_format=data_format)
    counts = each(places, shape.dims, name, "places")

    def check(lengths: Sequence[int]) -> None:
        if any(m == 0 for m in lengths):
            raise ShapeError(
                f"{name} wants lengths of at least 1.", f"the lengths {tuple(lengths)}",
                "leave inputs without places out",
            )  # fmt: skip

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, lengths, channels = shape.split(input_shape)
        check(lengths)
        return shape.join(batch, counts, channels), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        check(shape.split(check_inputs(inputs, name))[1])

        def call(x: Any) -> Any:
            for axis, n in enumerate(counts, 1):
                m = x.shape[axis]
                if m % n == 0:
                    x = reduce(
                        np.reshape(x, (*x.shape[:axis], n, m // n, *x.shape[axis + 1 :])),
                        axis=axis + 1,
                    )
                    continue
                ends = [(i * m // n, -(-(i + 1) * m // n)) for i in range(n)]
                before = (slice(None),) * axis
                parts = [reduce(x[(*before, slice(a, b))], axis=axis) for a, b in ends]
                x = np.stack(parts, axis=axis)
            return x

        return shape.over(inputs, call)

    return layer(init, apply, name=name)


@boundary
def adaptive_avg_pool(places: Lengths, **options: Any) -> Layer:
    """Take means over a given number of parts: `adaptive_pool` of `np.mean`.

    >>> adaptive_avg_pool((7, 7)).init(None, (-1, 32, 30, 4))[0]
    (-1, 7, 7, 4)
    """
    return adaptive_pool(np.mean, places, **{"name": "adaptive_avg_pool", **options})


@boundary
def adaptive_max_pool(places: Lengths, **options: Any) -> Layer:
    """Take maxima over a given number of parts: `adaptive_pool` of `np.max`.

    >>> adaptive_max_pool((2,)).apply({}, np.array([[[1.0], [2.0], [6.0]]]))[0, :, 0]
    array([2., 6.])
    """
    return adaptive_pool(np.max, places, **{"name": "adaptive_max_pool", **options})
