"""Layers that move numbers about: shapes, padding, resizing, channels."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.core import home
from fgrad.errors import ArgumentError, ShapeError, describe
from fgrad.tracebacks import boundary

from ..types import Layer, PyTree
from .making import check_inputs, count, is_shape, layer
from .spatial import Slide, slide


def _one_batch_axis(shape: Any, name: str, least: int = 1) -> Any:
    if not is_shape(shape) or len(shape) < least:
        raise ShapeError(
            f"{name} wants inputs with a batch axis first"
            + (f" and at least {least - 1} more." if least > 1 else "."),
            f"the shape {shape}",
            "add the axis of the batch, x[None]; for many batch axes map the layer by fgrad.vmap",
        )
    return shape


@boundary
def flatten() -> Layer:
    """Make one axis of all but the first, which is that of the batch.

    >>> flatten().init(None, (-1, 7, 7, 16))
    ((-1, 784), {})
    >>> flatten().apply({}, np.ones((2, 3, 4))).shape
    (2, 12)
    """

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        shape = _one_batch_axis(input_shape, "flatten")
        return (shape[0], -1 if -1 in shape[1:] else math.prod(shape[1:])), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        shape = _one_batch_axis(check_inputs(inputs, "flatten"), "flatten")
        return np.reshape(inputs, (shape[0], math.prod(shape[1:])))

    return layer(init, apply)


@boundary
def reshape(shape: Sequence[int]) -> Layer:
    """Give all axes but the first, which is that of the batch, another shape.

    >>> reshape((2, -1)).init(None, (-1, 6))
    ((-1, 2, 3), {})
    >>> reshape((2, 3)).apply({}, np.ones((5, 6))).shape
    (5, 2, 3)

    Args:
        shape: the new shape without the batch axis; one length may be -1.
    """
    try:
        new = tuple(operator.index(n) for n in shape)
    except TypeError:
        new = (-2,)
    if any(n < -1 for n in new) or new.count(-1) > 1:
        raise ArgumentError(
            "reshape wants a shape, without the axis of the batch.",
            describe(shape),
            "pass a tuple of integers, of which one may be -1",
        )

    def wanted(old: Sequence[int]) -> tuple[int, ...]:
        size, known = math.prod(old[1:]), math.prod(n for n in new if n != -1)
        if size != known and (-1 not in new or known == 0 or size % known):
            raise ShapeError(
                f"reshape wants inputs that have as many entries as {new}.",
                f"the shape {tuple(old)}",
                "change one of them",
            )
        return tuple(size // known if n == -1 else n for n in new)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        old = _one_batch_axis(input_shape, "reshape")
        if -1 in old[1:]:
            raise ShapeError(
                "reshape wants inputs of which all lengths but the batch's are known.",
                f"the input shape {old}",
                "give them; -1 is for the first axis",
            )
        return (old[0], *wanted(old)), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        old = _one_batch_axis(check_inputs(inputs, "reshape"), "reshape")
        return np.reshape(inputs, (old[0], *wanted(old)))

    return layer(init, apply)


@boundary
def permute(*axes: int) -> Layer:
    """Bring the last axes into another order: `permute(-1, -3, -2)` puts channels first.

    >>> permute(-1, -3, -2).init(None, (-1, 28, 30, 3))
    ((-1, 3, 28, 30), {})

    Args:
        *axes: the last axes, counted from the end, in their new order.
    """
    n = len(axes)
    if sorted(axes) != list(range(-n, 0)):
        raise ArgumentError(
            "permute wants the last axes, each once, counted from the end.",
            describe(axes),
            "pass such as permute(-1, -3, -2)",
        )

    def moved(shape: Any) -> Any:
        if not is_shape(shape) or len(shape) < n:
            raise ShapeError(
                f"permute wants inputs of at least {n} axes.", f"the shape {shape}",
                "name fewer axes",
            )  # fmt: skip
        return (*shape[: len(shape) - n], *(shape[a] for a in axes))

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        return moved(input_shape), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        m = len(moved(check_inputs(inputs, "permute")))
        return np.transpose(inputs, (*range(m - n), *(m + a for a in axes)))

    return layer(init, apply)


# ------------------------------------------------------------------ padding
@boundary
def pad(
    width: int | Sequence[Any], mode: Any = "constant", value: float = 0.0, *,
    dims: int | None = None, data_format: str = "channels_last", name: str = "pad",
) -> Layer:  # fmt: skip
    """Put entries around the places of the inputs.

    >>> pad(((1, 1),), value=7.0).apply({}, np.ones((1, 2, 1)))[0, :, 0]
    array([7., 1., 1., 7.])

    Args:
        width: for each dimension how many entries, a number or a pair (before, after).
        mode: "constant", "reflect" (as in a mirror on the last entry), "edge" (that entry again),
            "wrap" (from the other end), as for `np.pad`.
        value: what is put there, for "constant".
        dims: the number of dimensions, where `width` is one number.
        data_format: as for `conv`.
        name: the name of the layer.
    """
    modes = ("constant", "reflect", "edge", "wrap")
    widths: Any = (width,) * (dims or 0) if is_a(width, int) else width
    pairs = [(w, w) if is_a(w, int) else tuple(w) for w in widths]
    good = all(len(p) == 2 and all(is_a(v, int) and v >= 0 for v in p) for p in pairs)
    if mode not in modes or not pairs or not good or dims not in (None, len(pairs)):
        raise ArgumentError(
            f"{name} wants a width for each dimension, not negative, and a mode of "
            f"{', '.join(modes)}.",
            f"width={width!r}, mode={mode!r}, dims={dims}",
            "pass ((1, 1), (1, 1)), or one number and dims=2",
        )
    shape = slide(name, (1,) * len(pairs), data_format=data_format)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, lengths, channels = shape.split(input_shape)
        new = tuple(n if n == -1 else n + a + b for n, (a, b) in zip(lengths, pairs, strict=True))
        _check_mode(lengths)
        return shape.join(batch, new, channels), {}

    def _check_mode(lengths: Sequence[int]) -> None:
        for n, p in zip(lengths, pairs, strict=True):
            low = {"reflect": max(p) + 1, "wrap": max(p), "edge": 1}.get(mode, 0)
            if n != -1 and n < low and max(p) > 0:
                raise ShapeError(
                    f"{name} of mode {mode!r} wants lengths of at least {low} here.",
                    f"the lengths {tuple(lengths)}",
                    "pad less, or with another mode",
                )

    def apply(params: PyTree, inputs: Any) -> Any:
        batch, lengths, _ = shape.split(check_inputs(inputs, name))
        _check_mode(lengths)
        before, after = ([], [(0, 0)]) if shape.channels_last else ([(0, 0)], [])
        widths = [*[(0, 0)] * len(batch), *before, *pairs, *after]
        if mode == "constant":
            return np.pad(inputs, widths, constant_values=value)
        return np.pad(inputs, widths, mode)

    return layer(init, apply, name=name)


def _padding(name: str, mode: str) -> Callable[..., Layer]:
    def make(width: int | Sequence[Any], **options: Any) -> Layer:
        return pad(width, mode, **{"name": name, **options})

    make.__name__ = make.__qualname__ = name
    make.__doc__ = f'Put entries around the places of the inputs: `pad` with mode "{mode}".'
    return boundary(make)


zero_pad = _padding("zero_pad", "constant")
constant_pad = _padding("constant_pad", "constant")
reflection_pad = _padding("reflection_pad", "reflect")
replication_pad = _padding("replication_pad", "edge")
circular_pad = _padding("circular_pad", "wrap")


# ------------------------------------------------------------------ channels
@boundary
def pixel_shuffle(factor: int) -> Layer:
    """Make places of channels: (..., H, W, C r r) becomes (..., H r, W r, C).

    Shi et al. 2016. The order of the channels is PyTorch's: C is the slowest.

    >>> pixel_shuffle(2).apply({}, np.arange(4.0).reshape(1, 1, 1, 4))[0, :, :, 0]
    array([[0., 1.],
           [2., 3.]])
    """
    r = count(factor, "pixel_shuffle", "a factor")
    shape = slide("pixel_shuffle", (1, 1))

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, (h, w), c = shape.split(input_shape)
        h, w = (n if n == -1 else n * r for n in (h, w))
        return (*batch, h, w, _divided(c, r * r, "pixel_shuffle", "channels", input_shape)), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        batch, (h, w), c = shape.split(check_inputs(inputs, "pixel_shuffle"))
        new = _divided(c, r * r, "pixel_shuffle", "channels", inputs.shape)
        x = np.reshape(inputs, (*batch, h, w, new, r, r))
        x = np.moveaxis(x, (-2, -1), (-4, -2))  # (..., h, r, w, r, channels)
        return np.reshape(x, (*batch, h * r, w * r, new))

    return layer(init, apply)


@boundary
def pixel_unshuffle(factor: int) -> Layer:
    """Make channels of places: the inverse of `pixel_shuffle`.

    >>> pixel_unshuffle(2).init(None, (-1, 4, 4, 3))[0]
    (-1, 2, 2, 12)
    """
    r = count(factor, "pixel_unshuffle", "a factor")
    shape = slide("pixel_unshuffle", (1, 1))

    def each(n: int, of: Any) -> int:
        return _divided(n, r, "pixel_unshuffle", "lengths", of)

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, lengths, c = shape.split(input_shape)
        h, w = (n if n == -1 else each(n, input_shape) for n in lengths)
        return (*batch, h, w, c if c == -1 else c * r * r), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        batch, lengths, c = shape.split(check_inputs(inputs, "pixel_unshuffle"))
        h, w = (each(n, inputs.shape) for n in lengths)
        x = np.reshape(inputs, (*batch, h, r, w, r, c))
        x = np.moveaxis(x, (-4, -2), (-2, -1))  # (..., h, w, channels, r, r)
        return np.reshape(x, (*batch, h, w, c * r * r))

    return layer(init, apply)


@boundary
def channel_shuffle(groups: int) -> Layer:
    """Mix the channels, the last axis, of groups: Zhang et al. 2018, ShuffleNet.

    >>> channel_shuffle(2).apply({}, np.arange(6.0)[None])
    array([[0., 3., 1., 4., 2., 5.]])
    """
    g = count(groups, "channel_shuffle", "a number of groups")

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        channels = _one_batch_axis(input_shape, "channel_shuffle")[-1]
        _divided(channels, g, "channel_shuffle", "channels", input_shape)
        return input_shape, {}

    def apply(params: PyTree, inputs: Any) -> Any:
        shape = _one_batch_axis(check_inputs(inputs, "channel_shuffle"), "channel_shuffle")
        each = _divided(shape[-1], g, "channel_shuffle", "channels", shape)
        x = np.reshape(inputs, (*shape[:-1], g, each))
        return np.reshape(np.swapaxes(x, -1, -2), shape)

    return layer(init, apply)


def _divided(n: int, by: int, name: str, what: str, shape: Any) -> int:
    if n < 0 or n % by:
        raise ShapeError(
            f"{name} wants {what} that can be divided by {by}.",
            f"{n}, in the shape {shape}",
            "change the factor, or what stands before the layer",
        )
    return n // by


# ------------------------------------------------------------------ resizing
@boundary
def upsample(
    scale: int | Sequence[int], method: str = "nearest", *, dims: int | None = None,
    data_format: str = "channels_last",
) -> Layer:  # fmt: skip
    """Make lengths an integer number of times as long.

    >>> upsample((2,)).apply({}, np.array([[[1.0], [3.0]]]))[0, :, 0]
    array([1., 1., 3., 3.])

    Args:
        scale: the factor for each dimension.
        method: as for `resize`.
        dims: the number of dimensions, where `scale` is one number.
        data_format: as for `conv`.
    """
    shape = slide("upsample", scale, dims=dims, data_format=data_format)
    return _resize(shape, lambda lengths: [
        n if n == -1 else n * s for n, s in zip(lengths, shape.window, strict=True)
    ], method)  # fmt: skip


@boundary
def resize(
    places: int | Sequence[int], method: str = "linear", *, dims: int | None = None,
    data_format: str = "channels_last",
) -> Layer:  # fmt: skip
    """Give the inputs other lengths by interpolation.

    Places are the middles of cells ("half-pixel centres"), as in `jax.image.resize` and PyTorch
    with `align_corners=False`; nothing is smoothed before lengths become smaller.

    >>> resize((4,)).apply({}, np.array([[[1.0], [3.0]]]))[0, :, 0]
    array([1. , 1.5, 2.5, 3. ])

    Args:
        places: the new lengths.
        method: "nearest", "linear" or "cubic" (Keys 1981, with a = -0.75 as in PyTorch).
        dims: the number of dimensions, where `places` is one number.
        data_format: as for `conv`.
    """
    shape = slide("resize", places, dims=dims, data_format=data_format)
    return _resize(shape, lambda lengths: list(shape.window), method)


def _resize(shape: Slide, new_lengths: Callable[[Any], list[int]], method: str) -> Layer:
    if method not in ("nearest", "linear", "cubic"):
        raise ArgumentError(
            f"{shape.name} wants a method.", describe(method), 'pass "nearest", "linear" or "cubic"'
        )

    def init(key: Any, input_shape: Any, dtype: Any) -> tuple[Any, PyTree]:
        batch, lengths, channels = shape.split(input_shape)
        return shape.join(batch, tuple(new_lengths(lengths)), channels), {}

    def apply(params: PyTree, inputs: Any) -> Any:
        shape.split(check_inputs(inputs, shape.name))

        def call(x: Any) -> Any:
            for axis, n in enumerate(new_lengths(x.shape[1:-1]), 1):
                x = _along(x, axis, n, method)
            return x

        return shape.over(inputs, call)

    return layer(init, apply, name=shape.name)


def _along(x: Any, axis: int, n: int, method: str) -> Any:
    """x with n places along an axis."""
    m, host = x.shape[axis], home(x)
    if m == n:
        return x
    if method == "nearest":
        return np.take(x, host.arange(n) * m // n, axis=axis)
    centres = (host.arange(n) + 0.5) * m / n - 0.5
    first = np.floor(centres).astype(int) - (method == "cubic")
    matrix = host.zeros((n, m))
    for k in range(4 if method == "cubic" else 2):
        weight = _kernel(np.abs(centres - (first + k)), method)
        here = np.clip(first + k, 0, m - 1)[:, None] == host.arange(m)
        matrix = matrix + here * weight[:, None]
    dtype = x.dtype if x.dtype.kind == "f" else np.float64
    return np.moveaxis(np.matmul(np.moveaxis(x, axis, -1), matrix.T.astype(dtype)), -1, axis)


def _kernel(d: Any, method: str) -> Any:
    if method == "linear":
        return np.maximum(1 - d, 0)
    a = -0.75
    near = ((a + 2) * d - (a + 3)) * d * d + 1
    far = a * (((d - 5) * d + 8) * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0))
