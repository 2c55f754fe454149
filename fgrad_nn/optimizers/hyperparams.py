"""Hyperparameters that can be read from a state, and written into it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, name_of
from fgrad.tracebacks import boundary

from .numbers import COUNT
from .records import GradientTransformation, PyTree, rule_of, transformation
from .scaling import scheduled


class InjectHyperparamsState(NamedTuple):
    """Steps made, the numbers of the last step, the inner state."""

    count: Any
    hyperparams: dict[str, Any]
    inner_state: PyTree


@boundary
def inject_hyperparams(
    inner_factory: Callable[..., GradientTransformation],
    static_args: str | Sequence[str] = (),
) -> Callable[..., GradientTransformation]:
    """Make a function like `adam` whose numbers are kept in the state.

    >>> from fgrad_nn.optimizers import sgd
    >>> opt = inject_hyperparams(sgd)(learning_rate=lambda count: 1.0 / (1 + count))
    >>> state = opt.init([1.0])
    >>> for _ in range(2):
    ...     updates, state = opt.update([4.0], state, [1.0])
    >>> updates, state.hyperparams["learning_rate"]
    ([-2.0], np.float64(0.5))

    A number that no schedule sets may be changed from outside:

    >>> opt = inject_hyperparams(sgd)(0.5)
    >>> state = opt.init([1.0])
    >>> state.hyperparams["learning_rate"] = np.float64(0.25)
    >>> opt.update([4.0], state, [1.0])[0]
    [-1.0]

    Args:
        inner_factory: a function that makes a transformation.
        static_args: names of arguments that are passed on as they are. So are bools, integers,
            strings, trees, and arguments that are left out and have no number as default.

    Returns:
        A function with the same arguments. Floats among them are put into the state, and
        functions, unless static, are taken for schedules: called with the number of steps made.

    Raises:
        ArgumentError: a static name is no argument of the factory.
    """
    signature = inspect.signature(inner_factory)
    static = {static_args} if isinstance(static_args, str) else set(static_args)
    if unknown := static - set(signature.parameters):
        raise ArgumentError(
            f"static_args must name arguments of {name_of(inner_factory)}.",
            ", ".join(sorted(unknown)),
            f"choose from {', '.join(signature.parameters)}",
        )

    def make(*args: Any, **kwargs: Any) -> GradientTransformation:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        numbers, schedules, others = {}, {}, {}
        for name, value in bound.arguments.items():
            if name in static:
                others[name] = value
            elif callable(value) and not hasattr(value, "dtype"):
                schedules[name] = value
            elif is_a(value, float) or (
                getattr(value, "shape", None) == () and np.dtype(value.dtype).kind == "f"
            ):
                numbers[name] = np.float64(value) if is_a(value, float) else value
            else:
                others[name] = value

        def inner(now: dict[str, Any]) -> GradientTransformation:
            return _call(inner_factory, signature, {**others, **now})

        def init(params: PyTree) -> InjectHyperparamsState:
            now = {**numbers, **_now(schedules, COUNT)}
            return InjectHyperparamsState(COUNT, now, inner(now).init(params))

        def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
            now = {**state.hyperparams, **_now(schedules, state.count)}
            updates, inner_state = rule_of(inner(now))(updates, state.inner_state, params, **extra)
            return updates, InjectHyperparamsState(state.count + 1, now, inner_state)

        inner({**numbers, **_now(schedules, COUNT)})  # a bad argument is refused here and now
        return transformation(init, update)

    return make


def _now(schedules: dict[str, Any], count: Any) -> dict[str, Any]:
    values = {name: scheduled(f, count) for name, f in schedules.items()}
    return {k: np.float64(v) if is_a(v, (float, int)) else v for k, v in values.items()}


def _call(f: Callable[..., Any], signature: inspect.Signature, values: dict[str, Any]) -> Any:
    bound = inspect.BoundArguments(signature, type(signature.bind_partial().arguments)())
    bound.arguments.update((name, values[name]) for name in signature.parameters if name in values)
    return f(*bound.args, **bound.kwargs)
