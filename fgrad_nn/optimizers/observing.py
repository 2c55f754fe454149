"""`snapshot`: a number about the updates, kept in the state, where it can be read and logged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from fgrad.tracebacks import boundary

from .records import GradientTransformation, PyTree, transformation


class SnapshotState(NamedTuple):
    """What was measured, by its name."""

    measurement: dict[str, Any]


@boundary
def snapshot(measure_name: str, measure: Callable[[PyTree], Any]) -> GradientTransformation:
    """Measure the updates as they pass, and leave them as they are.

    >>> from fgrad_nn.optimizers import chain, clip_by_global_norm, global_norm, sgd
    >>> opt = chain(snapshot("norm", global_norm), clip_by_global_norm(1.0), sgd(0.1))
    >>> updates, state = opt.update([3.0, 4.0], opt.init([0.0, 0.0]), [0.0, 0.0])
    >>> print(state[0].measurement["norm"])
    5.0

    Args:
        measure_name: the key of the measurement in the state.
        measure: a function of the updates; before the first step it is called with the
            parameters, for what it returns then must be of the same structure.
    """

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        return updates, SnapshotState({measure_name: measure(updates)})

    return transformation(lambda params: SnapshotState({measure_name: measure(params)}), rule)
