"""Steps that shrink when the loss stops to fall."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad.errors import ArgumentError
from fgrad.tracebacks import boundary

from .leaves import as_float64, choose, each
from .numbers import COUNT, FRACTION, INSIDE, NOT_NEGATIVE, real, whole, with_numbers
from .records import GradientTransformation, PyTree, transformation
from .scaling import wanted_value


class ReduceOnPlateauState(NamedTuple):
    """The factor now, best mean, checks without progress, checks to pause, values, their mean."""

    scale: Any
    best_value: Any
    plateau_count: Any
    cooldown_count: Any
    count: Any
    avg_value: Any


@boundary
def reduce_on_plateau(
    factor: Any = 0.1,
    patience: int = 10,
    rtol: Any = 1e-4,
    atol: Any = 0.0,
    cooldown: int = 0,
    accumulation_size: int = 1,
    min_scale: Any = 0.0,
) -> GradientTransformation:
    """Multiply updates by a number that falls each time the loss has not improved for a while.

    >>> opt = reduce_on_plateau(factor=0.5, patience=2)
    >>> state = opt.init([1.0])
    >>> for loss in (3.0, 3.0, 3.0):
    ...     updates, state = opt.update([1.0], state, [1.0], value=loss)
    >>> updates, state.scale
    ([0.5], np.float64(0.5))

    Args:
        factor: what the number is multiplied by.
        patience: how many checks without progress are waited for.
        rtol, atol: a mean below (1 - rtol) * best - atol is progress; one of them is positive.
        cooldown: how many checks pass after a reduction before any are counted again.
        accumulation_size: how many values are averaged for a check.
        min_scale: the least number.

    Returns:
        A transformation whose `update` wants `value=`, the loss.

    Raises:
        ArgumentError: a number is out of range; from `update`, there is no value.
    """
    factor, least = real("factor", factor, INSIDE), real("min_scale", min_scale, NOT_NEGATIVE)
    rtol, atol = real("rtol", rtol, FRACTION), real("atol", atol, NOT_NEGATIVE)
    if rtol == 0.0 and atol == 0.0:
        raise ArgumentError("rtol or atol must be positive.", "0 for both", "leave rtol out")
    patience, cooldown = whole("patience", patience, 1), whole("cooldown", cooldown, 0)
    size = whole("accumulation_size", accumulation_size, 1)

    def init(params: PyTree) -> ReduceOnPlateauState:
        return ReduceOnPlateauState(
            np.float64(1.0), np.float64(np.inf), COUNT, COUNT, COUNT, np.float64(0.0)
        )

    def check(state: ReduceOnPlateauState) -> ReduceOnPlateauState:
        better = state.avg_value < (1 - rtol) * state.best_value - atol
        best = choose(better, state.avg_value, state.best_value)
        waited = choose(better, 0, state.plateau_count + 1)
        pause = state.cooldown_count > 0
        reduce = ~pause & (waited == patience)
        return ReduceOnPlateauState(
            choose(reduce, np.maximum(state.scale * factor, least), state.scale),
            best,
            choose(pause | reduce, 0, waited),
            choose(pause, state.cooldown_count - 1, choose(reduce, cooldown, 0)),
            0 * state.count,
            0.0 * state.scale,
        )

    def rule(
        updates: PyTree, state: Any, params: PyTree, *, value: Any = None, **extra: Any
    ) -> Any:
        value = as_float64(wanted_value("reduce_on_plateau", value))
        count = state.count + 1
        seen = state._replace(
            count=count, avg_value=(state.count * state.avg_value + value) / count
        )
        full = count == size
        state = ReduceOnPlateauState(
            *(choose(full, new, old) for new, old in zip(check(seen), seen, strict=True))
        )
        return each(with_numbers(lambda s, u: s * u, state.scale), updates), state

    return transformation(init, rule)
