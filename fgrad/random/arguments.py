"""What the arguments of random functions may be, and what is said of others."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import is_a, is_cupy, shape_of
from ..core import full_lower
from ..errors import ArgumentError, DomainError, DtypeError, NoRuleError, ShapeError, describe
from ..ops.casts import known
from ..ops.creation import as_array

_FLOATS = "efd"


def check_key(key: Any, name: str) -> Any:
    """A key, or the error that says what it is instead."""
    shape, dtype = getattr(key, "shape", None), getattr(key, "dtype", None)
    if shape == (2,) and dtype == np.uint64:
        return key
    wanted = f"`{name}` wants a key: an array of two uint64, made by fgrad.random.key."
    if dtype == np.uint64 and shape and shape[-1] == 2:
        raise ShapeError(
            wanted,
            f"{math.prod(shape[:-1])} keys, {describe(key)}",
            f"call it with one of them, or with all by fgrad.vmap(lambda key: {name}(key, ...))",
        )
    if is_a(key, (int, np.integer)) or (shape == () and dtype is not None):
        raise ArgumentError(
            wanted, describe(key), f"{name}(fgrad.random.key(seed), ...) makes a key of a number"
        )
    raise ArgumentError(
        wanted, describe(key), "key = fgrad.random.key(seed) makes one, and `split` more of it"
    )


def check_shape(shape: Any, name: str) -> tuple[int, ...]:
    """A shape as a tuple of Python's integers."""
    try:
        axes = tuple(operator.index(n) for n in shape) if _is_sequence(shape) else (
            operator.index(shape),
        )  # fmt: skip
    except TypeError:
        raise ArgumentError(
            f"`{name}` wants a shape: a tuple of integers.",
            describe(shape),
            "give the lengths of the axes of the result, () for a single number; a traced value "
            "cannot be a length",
        ) from None
    if any(n < 0 for n in axes):
        raise ShapeError(
            f"`{name}` wants a shape of lengths that are not negative.",
            f"shape={axes}",
            "give 0 for an axis without elements",
        )
    return axes


def _is_sequence(shape: Any) -> bool:
    return isinstance(shape, (tuple, list)) or np.ndim(shape) == 1


def float_dtype(dtype: Any, name: str) -> np.dtype[Any]:
    """A dtype of real numbers: float16, float32 or float64."""
    new = any_dtype(dtype, name)
    if new.char not in _FLOATS:
        raise DtypeError(
            f"`{name}` makes floating-point numbers: float16, float32 or float64.",
            f"dtype={new}",
            "leave dtype away for float64, or convert the result with .astype(dtype)",
        )
    return new


def integer_dtype(dtype: Any, name: str) -> np.dtype[Any]:
    """A dtype of integers."""
    new = any_dtype(dtype, name)
    if new.kind not in "iu":
        raise DtypeError(
            f"`{name}` makes integers.",
            f"dtype={new}",
            "leave dtype away for int64, or convert the result with .astype(dtype)",
        )
    return new


def any_dtype(dtype: Any, name: str) -> np.dtype[Any]:
    """What NumPy takes for a dtype; int64 for int, and float64 for None."""
    try:
        # Python's int is 32 bits wide on some platforms' NumPy; the numbers shall be the same.
        return np.dtype(np.int64 if dtype is int else np.float64 if dtype is None else dtype)
    except TypeError:
        raise DtypeError(
            f"`{name}` wants a dtype.",
            describe(dtype),
            'give one of NumPy\'s, such as np.float32 or "float32"',
        ) from None


def parameter(x: Any, dtype: np.dtype[Any], name: str) -> Any:
    """A distribution's parameter, plain or traced, as an array of a dtype."""
    if is_cupy(full_lower(x)):
        raise NoRuleError(
            f"`{name}` wants its parameters on the host, where random numbers are drawn.",
            f"{describe(x)}, of CuPy's",
            "move it, fgrad.tree.to_host(x); or move numbers that were drawn without parameters, "
            "fgrad.tree.to_device(random.uniform(key, shape), x), and compute with them there",
        )
    try:
        x = as_array(x)
    except ValueError:
        x = np.asarray(x, object)
    if x.dtype.kind not in "fiub":
        raise DtypeError(
            f"`{name}` wants its parameters to be real numbers.",
            describe(x),
            "pass a number or an array of numbers",
        )
    return x if x.dtype == dtype else x.astype(dtype)


def sample_shape(shape: Any, name: str, *parameters: Any) -> tuple[int, ...]:
    """The shape of a sample: the one given, to which the parameters broadcast, or theirs."""
    shapes = [shape_of(x) for x in parameters]
    try:
        least = np.broadcast_shapes(*shapes)
    except ValueError:
        raise ShapeError(
            f"`{name}` wants parameters whose shapes broadcast.",
            f"the shapes {', '.join(map(str, shapes))}",
            "give them axes of length one: x[:, None]",
        ) from None
    if shape is None:
        return least
    axes = check_shape(shape, name)
    try:
        fits = np.broadcast_shapes(axes, least) == axes
    except ValueError:
        fits = False
    if not fits:
        raise ShapeError(
            f"`{name}` wants a shape to which its parameters broadcast.",
            f"shape={axes} and parameters of the shapes {', '.join(map(str, shapes))}",
            "shape is that of the whole result, the parameters' axes included",
        )
    return axes


def require(
    name: str, wanted: str, wrong: Callable[..., Any], x: Any, *others: Any, to_do: str
) -> None:
    """Refuse parameters outside of their domain, where their values may be known.

    Under vmap and in graphs they may not; such samples are NaN, or -1 where they are integers.
    """
    values = [known(y) for y in (x, *others)]
    if any(v is None for v in values):
        return
    with np.errstate(invalid="ignore"):
        bad = np.asarray(wrong(*values))
    if bad.any():
        first, *_ = np.broadcast_to(np.asarray(values[0]), bad.shape)[bad]
        raise DomainError(f"`{name}` wants {wanted}.", f"{first!r} among its values", to_do)


def positive(name: str, what: str, x: Any) -> None:
    """Refuse numbers that are not greater than 0."""
    require(
        name, f"{what} > 0", lambda v: v <= 0, x,
        to_do="np.exp(x) or np.logaddexp(0, x) makes any number positive",
    )  # fmt: skip


def probability(name: str, what: str, x: Any) -> None:
    """Refuse numbers outside of [0, 1]."""
    require(
        name, f"{what} in [0, 1]", lambda v: (v < 0) | (v > 1), x,
        to_do="1 / (1 + np.exp(-x)) makes a probability of any number",
    )  # fmt: skip
