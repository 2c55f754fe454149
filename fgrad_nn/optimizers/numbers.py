"""The numbers that optimizers are made with: how they are checked, and meet arrays of any dtype.

A hyperparameter may be traced, so that a whole training run differentiates by it, and a step count
is traced in a graph. Their float64 must not turn float32 parameters into float64 ones, so a plain
number becomes a Python float, which NumPy adapts to the array beside it, and a traced one is cast.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, describe

from .records import dtype_of, shape_of

_RANGES: dict[str, Callable[[float], bool]] = {
    "": lambda x: True,
    ", not negative": lambda x: x >= 0,
    ", greater than 0": lambda x: x > 0,
    ", at least 0 and less than 1": lambda x: 0 <= x < 1,
    ", between 0 and 1": lambda x: 0 <= x <= 1,
    ", greater than 0 and less than 1": lambda x: 0 < x < 1,
    ", at least 1": lambda x: x >= 1,
    ", greater than 4": lambda x: x > 4,
}
ANY, NOT_NEGATIVE, POSITIVE, DECAY, FRACTION, INSIDE, AT_LEAST_1, MORE_THAN_4 = _RANGES

COUNT = np.int64(0)
"""Where counts of steps begin. It is a scalar of NumPy: a leaf with a dtype, and not writable."""


def real(name: str, value: Any, range_: str = ANY) -> Any:
    """Check a hyperparameter; NumPy's numbers become Python floats, a tracer stays what it is.

    Raises:
        ArgumentError: it is no finite real number, or out of range.
    """
    number = is_a(value, (int, float)) or hasattr(value, "dtype")
    kind = dtype_of(value).kind if number and shape_of(value) == () else ""
    if is_plain(value):
        if kind and kind in "iuf" and math.isfinite(value) and _RANGES[range_](value):
            return float(value)
    elif kind == "f":
        return value
    raise ArgumentError(
        f"{name} must be a finite real number{range_}.",
        describe(value),
        "pass such a number, as a float or an array of shape ()",
    )


def real_or_schedule(name: str, value: Any, range_: str = ANY) -> Any:
    """Check a hyperparameter that may be a function of the step count."""
    return value if callable(value) and not hasattr(value, "dtype") else real(name, value, range_)


def whole(name: str, value: Any, least: int) -> int:
    """Check a number of steps or items.

    Raises:
        ArgumentError: it is no integer, or less than `least`.
    """
    integer = is_a(value, (int, np.integer)) and not is_a(value, (bool, np.bool_))
    if integer and value >= least:
        return int(value)
    raise ArgumentError(
        f"{name} must be an integer, at least {least}.", describe(value), "pass such a number"
    )


def is_plain(x: Any) -> bool:
    """Whether x is a value of NumPy or Python, and no tracer."""
    return is_a(x, (np.ndarray, np.generic, float, int, complex))


def weak(x: Any) -> Any:
    """A plain number as a Python float, which takes the dtype of the array beside it."""
    return float(x) if is_a(x, (np.ndarray, np.generic, int)) else x


def cast(x: Any, leaf: Any) -> Any:
    """A number that `weak` returned, for arithmetic with a leaf: it won't change its dtype."""
    if type(x) is float or not hasattr(x, "dtype") or not hasattr(leaf, "dtype"):
        return x
    dtype = np.empty(0, leaf.dtype).real.dtype
    return x if x.dtype == dtype else x.astype(dtype)


def with_numbers(f: Callable[..., Any], *numbers: Any) -> Callable[..., Any]:
    """Make of `f(*numbers, leaf, ...)` a function of leaves, where numbers suit the first one."""
    numbers = tuple(map(weak, numbers))
    if all(type(x) is float for x in numbers):
        return functools.partial(f, *numbers)
    return lambda leaf, *rest: f(*(cast(x, leaf) for x in numbers), leaf, *rest)


def is_zero(x: Any) -> bool:
    """Whether a checked number is known to be 0; a traced one is not."""
    return type(x) is float and x == 0.0
