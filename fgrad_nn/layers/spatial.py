"""What layers that slide windows share: their arguments, and batches of any number of axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, ShapeError, describe

from .making import Shape, check_inputs, count, is_shape
from .windows import Form

Padding = str | int | Sequence[int | Sequence[int]]
"""SAME, VALID, CAUSAL, or widths: one for all sides, one per dimension, or a pair for each."""


class Slide(NamedTuple):
    """The arguments of a layer that slides a window, checked."""

    name: str
    window: tuple[int, ...]
    strides: tuple[int, ...]
    padding: str | tuple[tuple[int, int], ...]
    dilation: tuple[int, ...]
    channels_last: bool

    @property
    def dims(self) -> int:
        """The number of dimensions along which the window slides."""
        return len(self.window)

    def form(self, lengths: Sequence[int], groups: int = 1) -> Form:
        """The form of the convolution for inputs of some lengths."""
        return Form(self.strides, self._widths(lengths), self.dilation, groups)

    def _widths(self, lengths: Sequence[int]) -> tuple[tuple[int, int], ...]:
        if not isinstance(self.padding, str):
            return self.padding
        out = []
        for n, k, s, d in zip(lengths, self.window, self.strides, self.dilation, strict=True):
            reach = d * (k - 1)
            if self.padding == "SAME":
                missing = max((-(-n // s) - 1) * s + reach + 1 - n, 0)
                out.append((missing // 2, missing - missing // 2))
            else:
                out.append((reach if self.padding == "CAUSAL" else 0, 0))
        return tuple(out)

    def places(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """How many windows there are along each dimension; -1 where the length is."""
        out = self.form(lengths).places(lengths, self.window)
        if any(p < 1 and n != -1 for p, n in zip(out, lengths, strict=True)):
            raise ShapeError(
                f"{self.name} wants inputs that are at least as long as its window of "
                f"{self.window}, with dilation {self.dilation}.",
                f"the lengths {tuple(lengths)}, with padding {self.padding!r}",
                'pass padding="SAME", a smaller window, or larger inputs',
            )
        return out

    def split(self, shape: Any) -> tuple[Shape, Shape, int]:
        """A shape as the batch axes, the lengths and the number of channels."""
        if not is_shape(shape) or len(shape) < self.dims + 1:
            letters = ", ".join("DHW"[-self.dims :]) if self.dims <= 3 else "lengths"
            want = f"(..., {letters}, C)" if self.channels_last else f"(..., C, {letters})"
            raise ShapeError(
                f"{self.name} wants inputs of shape {want}, after any number of batch axes.",
                f"the shape {shape}",
                "add the axis that is missing, x[..., None] for one channel",
            )
        n = len(shape) - self.dims - 1
        rest = shape[n:]
        if self.channels_last:
            return shape[:n], rest[:-1], rest[-1]
        return shape[:n], rest[1:], rest[0]

    def join(self, batch: Shape, lengths: Shape, channels: int) -> Shape:
        """The inverse of `split`."""
        if self.channels_last:
            return (*batch, *lengths, channels)
        return (*batch, channels, *lengths)

    def over(self, inputs: Any, call: Callable[[Any], Any]) -> Any:
        """What a function of (batch, *lengths, channels) makes of inputs of any batch axes."""
        batch = check_inputs(inputs, self.name)[: inputs.ndim - self.dims - 1]
        x = inputs if self.channels_last else np.moveaxis(inputs, -self.dims - 1, -1)
        if len(batch) != 1:
            x = np.reshape(x, (math.prod(batch), *x.shape[len(batch) :]))
        y = call(x)
        if len(batch) != 1:
            y = np.reshape(y, (*batch, *y.shape[1:]))
        return y if self.channels_last else np.moveaxis(y, -1, -self.dims - 1)


def slide(
    name: str,
    window: Any,
    strides: Any = 1,
    padding: Any = "VALID",
    dilation: Any = 1,
    dims: int | None = None,
    data_format: str = "channels_last",
) -> Slide:
    """Check the arguments of a layer that slides a window."""
    if dims is None and not isinstance(window, Sequence):
        raise ArgumentError(
            f"{name} wants the lengths of its window, one for each dimension.",
            describe(window),
            "pass a tuple such as (3, 3); conv2d, max_pool2d and their like take one number too",
        )
    n = dims or len(window)
    if data_format not in ("channels_last", "channels_first"):
        raise ArgumentError(
            f"{name} wants a data format.", describe(data_format),
            'pass "channels_last", which is the default, or "channels_first"',
        )  # fmt: skip
    return Slide(
        name,
        each(window, n, name, "window"),
        each(strides, n, name, "strides"),
        _padding(padding, n, name),
        each(dilation, n, name, "dilation"),
        data_format == "channels_last",
    )


def each(value: Any, n: int, name: str, what: str) -> tuple[int, ...]:
    """One positive integer for each of n dimensions, from one for all or from as many."""
    values = tuple(value) if isinstance(value, Sequence) else (value,) * n
    if len(values) != n or not values:
        raise ArgumentError(
            f"{name} wants its {what} as one number, or one for each of its {n} dimensions.",
            describe(value),
            f"pass {(2,) * n}, for example",
        )
    return tuple(count(v, name, f"its {what}") for v in values)


def _padding(padding: Any, n: int, name: str) -> str | tuple[tuple[int, int], ...]:
    if isinstance(padding, str) and padding.upper() in ("SAME", "VALID", "CAUSAL"):
        return padding.upper()
    if is_a(padding, int) and not is_a(padding, bool):
        padding = (padding,) * n
    try:
        if isinstance(padding, str):
            raise TypeError
        pairs = [(p, p) if is_a(p, int) else tuple(p) for p in padding]
        right = len(pairs) == n and all(
            len(p) == 2 and all(is_a(v, int) and v >= 0 for v in p) for p in pairs
        )
    except TypeError:
        right = False
    if not right:
        raise ArgumentError(
            f'{name} wants padding: "SAME", "VALID", "CAUSAL", or widths that are not negative.',
            describe(padding),
            f"pass a number, {n} numbers, or {n} pairs (before, after)",
        )
    return tuple(pairs)
