"""Arguments of distributions: numbers of one dtype, parameters in order, masks and replacements."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...arrays import is_a, is_cupy
from ...core import Tracer
from ...errors import DtypeError, describe
from ...numpy import asarray
from ...ops.casts import stop_gradient_leaf

INF, NAN = math.inf, math.nan


# ------------------------------------------------------------------ numbers
def number(x: Any) -> Any:
    """An argument as floating point: arrays keep their precision, Python numbers stay weak."""
    if type(x) in (float, int, bool):
        return float(x)
    x = x if hasattr(x, "dtype") else asarray(x)
    kind = x.dtype.kind
    if kind in "biu":
        return x.astype(np.float64)
    if kind != "f":
        raise DtypeError(
            "A distribution wants real numbers.",
            describe(x),
            "pass np.real(x), or an array of float64",
        )
    return x


def strong(values: Sequence[Any]) -> list[Any]:
    """Python numbers as NumPy's, in the dtype of those beside them: 1 / 0 is no error then."""
    arrays = [v for v in values if type(v) is not float]
    scalar = np.result_type(*arrays).type if arrays else np.float64
    return [scalar(v) if type(v) is float else v for v in values]


def known(x: Any) -> Any:
    """The value of what has no derivative here: counts, and what decides between cases."""
    return stop_gradient_leaf(x) if isinstance(x, Tracer) else x


def arguments(
    names: Sequence[str], defaults: dict[str, Any], args: Sequence[Any], kwds: dict[str, Any]
) -> list[Any]:
    """The parameters in order, given by position or by name."""
    values = {**defaults, **kwds}
    values.update(zip(names, args, strict=False))
    if len(args) > len(names) or len(args) + len(kwds) > len({*names[: len(args)], *kwds}):
        raise TypeError(f"too many parameters, or one of them twice; wanted {', '.join(names)}")
    if values.keys() != {*names}:
        raise TypeError(
            f"wanted the parameters {', '.join(names)}, but got {', '.join(values) or 'none'}"
        )
    return [number(values[name]) for name in names]


# ------------------------------------------------------------------ masks
def empty(mask: Any) -> bool:
    """Whether a mask is known to be false everywhere."""
    return not isinstance(mask, Tracer) and not is_cupy(mask) and not np.any(mask)


def either(*masks: Any) -> Any:
    """Where one of the masks holds; those that are known to be empty don't count."""
    out: Any = False
    for mask in masks:
        if not empty(mask):
            out = mask if out is False else np.logical_or(out, mask)
    return out


def fill(mask: Any, value: Any, x: Any) -> Any:
    """x, but the value where the mask holds."""
    return x if empty(mask) else np.where(mask, value, x)


def finish(x: Any) -> Any:
    """A result as NumPy's functions return it: scalars for arrays of rank 0."""
    if isinstance(x, Tracer):
        return x
    return x[()] if is_a(x, np.ndarray) else np.float64(x) if type(x) is float else x


def fits(*conditions: Any) -> Any:
    """Where all conditions hold."""
    out = conditions[0]
    for condition in conditions[1:]:
        out = np.logical_and(out, condition)
    return out
