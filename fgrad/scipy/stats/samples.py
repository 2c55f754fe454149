"""Statistics of samples: the standard error of the mean, ranks, the mode."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import scipy.stats

from ...arrays import axes_from_end, from_end, ndim_of, shape_of
from ...doors import door, offers
from ...errors import NoRuleError
from ...rules import constant


@offers(scipy.stats.sem)
def sem(
    a: Any, axis: Any = 0, ddof: int = 1, nan_policy: str = "propagate", *, keepdims: bool = False
) -> Any:
    """`scipy.stats.sem`; of a traced sample with NaNs it is NaN."""
    if nan_policy != "propagate":
        raise NoRuleError(
            "`scipy.stats.sem` of traced values takes nan_policy='propagate' only.",
            f"nan_policy={nan_policy!r}",
            "for nan_policy='omit' write np.nanstd(x, axis, ddof=1) / np.sqrt(count of numbers)",
        )
    axes = axes_from_end(axis, ndim_of(a))
    n = math.prod(shape_of(a)[i] for i in axes)
    return np.std(a, axis=axes, ddof=ddof, keepdims=keepdims) / math.sqrt(n)


# ------------------------------------------------------------------ ranks
def _rank(
    a: Any, method: Any = "average", *, axis: Any = None, nan_policy: str = "propagate"
) -> Any:
    if axis is None:
        a, axis = np.reshape(a, (-1,)), -1
    params = {"method": method, "axis": from_end(axis, ndim_of(a)), "nan_policy": nan_policy}
    return (a,), params


#: `scipy.stats.rankdata`: the ranks, which are constant.
rankdata = door(scipy.stats.rankdata, constant(scipy.stats.rankdata, _rank))


# ------------------------------------------------------------------ mode
#: The named tuple that SciPy returns.
ModeResult: Any = type(scipy.stats.mode(np.zeros(1)))


def mode_and_count(a: Any, nan_policy: str) -> Any:
    """The most frequent value along the last axis, as a constant, and how often it stands there."""
    return (a,), {"nan_policy": nan_policy}


def _mode_impl(a: Any, *, nan_policy: str) -> tuple[Any, Any]:
    found = scipy.stats.mode(a, axis=-1, nan_policy=nan_policy)
    return found.mode, np.nan_to_num(found.count).astype(np.int64)  # no floats for no samples


_most_frequent = constant(mode_and_count, mode_and_count, impl=_mode_impl, several=True)


@offers(scipy.stats.mode)
def mode(a: Any, axis: Any = 0, nan_policy: str = "propagate", keepdims: bool = False) -> Any:
    """`scipy.stats.mode`; entries that are the mode share its derivative evenly."""
    rank = ndim_of(a)
    if axis is None or rank == 0:
        x, axes = np.reshape(a, (-1,)), tuple(range(-rank, 0))
    else:
        x, axes = np.moveaxis(a, axis, -1), (from_end(axis, rank),)
    value, count = _most_frequent(x, nan_policy)
    at = np.logical_and(np.equal(x, np.expand_dims(value, -1)), np.isfinite(x))
    moved = np.where(at, x - np.where(at, np.expand_dims(value, -1), 0), 0)
    value = value + np.sum(moved, axis=-1) / np.maximum(count, 1).astype(moved.dtype)
    if keepdims and axes:
        value, count = np.expand_dims(value, axes), np.expand_dims(count, axes)
    return ModeResult(value, count)
