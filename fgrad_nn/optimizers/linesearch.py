"""Line searches: how far to go along a direction, found by asking the function.

Their `update` wants `value=`, `grad=` and `value_fn=`: the function, its value and its gradient at
params. Other keyword arguments go to the function if it has arguments of these names. The search
runs as a loop of fgrad, so it can be mapped and recorded; the steps are constants to derivatives
only as far as the comparisons are that stop it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fgrad import cond, tree, value_and_grad, while_loop
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from .leaves import add_scaled, as_float64, choose, conjugate, each, vdot, zeros
from .numbers import AT_LEAST_1, COUNT, INSIDE, NOT_NEGATIVE, POSITIVE, real, whole, with_numbers
from .records import GradientTransformation, PyTree, fit, transformation


class LinesearchInfo(NamedTuple):
    """How many points the search looked at; by how much it missed its condition, 0 if it didn't."""

    num_linesearch_steps: Any
    decrease_error: Any


class ScaleByBacktrackingLinesearchState(NamedTuple):
    """The step; value and gradient at its end (NaN and zeros before the first, or if not kept)."""

    learning_rate: Any
    value: Any
    grad: PyTree
    info: LinesearchInfo


def target(
    who: str, value_fn: Any, extra: dict[str, Any], **others: Any
) -> Callable[[PyTree], Any]:
    """The function of the parameters alone, with the keyword arguments that it takes.

    Raises:
        ArgumentError: the function, or one of the others, is missing.
    """
    wanted = {**others, "value_fn": value_fn}
    missing = [f"{name}=" for name, x in wanted.items() if x is None]
    if missing or not callable(value_fn):
        raise ArgumentError(
            f"The update of {who} wants {', '.join(f'{name}=' for name in wanted)}, "
            "a function of params.",
            f"no {', '.join(missing)}" if missing else f"value_fn={describe(value_fn)}",
            "call opt.update(grads, state, params, value=value, grad=grads, value_fn=loss)",
        )
    named = inspect.signature(value_fn).parameters.values()
    every = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in named)
    names = {p.name for p in named}
    taken = {k: v for k, v in extra.items() if every or k in names}
    return lambda params: value_fn(params, **taken)


def slope_along(updates: PyTree, grad: PyTree) -> Any:
    """The derivative of the function along the updates; gradients are dx - i dy."""
    return as_float64(vdot(updates, tree.map(conjugate, grad)))


@boundary
def scale_by_backtracking_linesearch(
    max_backtracking_steps: int,
    slope_rtol: Any = 1e-4,
    decrease_factor: Any = 0.8,
    increase_factor: Any = 1.5,
    max_learning_rate: Any = 1.0,
    atol: Any = 0.0,
    rtol: Any = 0.0,
    store_grad: bool = False,
) -> GradientTransformation:
    """Shorten the step until the function falls by a part of what its slope promises.

    >>> from fgrad_nn.optimizers import chain, sgd
    >>> f = lambda params: np.sum(params ** 2)
    >>> opt = chain(sgd(1.0), scale_by_backtracking_linesearch(20))
    >>> x = np.array([1.0])
    >>> updates, state = opt.update(2 * x, opt.init(x), x, value=f(x), grad=2 * x, value_fn=f)
    >>> bool(f(x + updates) < f(x)), state[1].learning_rate.round(3)
    (True, np.float64(0.8))

    It begins with the last step, made longer, but with `max_learning_rate` at most. Where every
    value is NaN or infinite no step is made, and the next search begins with 1 again (optax's stays
    at 0).

    Args:
        max_backtracking_steps: how often a step is shortened.
        slope_rtol: the part of the promise, c1 in the condition of Armijo.
        decrease_factor: what a step is multiplied by that is too long.
        increase_factor: what the last step is multiplied by for the first trial.
        max_learning_rate: the longest step, in units of the updates.
        atol, rtol: how much of a rise, absolute and of the value, is forgiven.
        store_grad: compute the gradient at the end of the step, for
            :func:`value_and_grad_from_state`.

    Raises:
        ArgumentError: a number is out of range; from `update`, value, grad or value_fn is missing.

    Source: Nocedal and Wright, Numerical optimization (2006), algorithm 3.1.
    """
    most = whole("max_backtracking_steps", max_backtracking_steps, 0)
    c1 = real("slope_rtol", slope_rtol, NOT_NEGATIVE)
    shrink = real("decrease_factor", decrease_factor, INSIDE)
    grow = real("increase_factor", increase_factor, AT_LEAST_1)
    longest = real("max_learning_rate", max_learning_rate, POSITIVE)
    atol, rtol = real("atol", atol, NOT_NEGATIVE), real("rtol", rtol, NOT_NEGATIVE)

    def init(params: PyTree) -> ScaleByBacktrackingLinesearchState:
        grad = zeros(params) if store_grad else ()
        info = LinesearchInfo(COUNT, np.float64(np.inf))
        return ScaleByBacktrackingLinesearchState(np.float64(1.0), np.float64(np.nan), grad, info)

    def rule(
        updates: PyTree,
        state: Any,
        params: PyTree,
        *,
        value: Any = None,
        grad: Any = None,
        value_fn: Any = None,
        **extra: Any,
    ) -> Any:
        f = target("a backtracking line search", value_fn, extra, value=value, grad=grad)
        start = as_float64(value)
        slope = slope_along(updates, fit("gradient", grad, params))

        def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
            tried, rate, _, _ = carry
            rate = choose(tried > 0, shrink * rate, rate)
            new = as_float64(f(add_scaled(params, rate, updates)))
            error = new - (1 + rtol) * start - rate * c1 * slope
            error = np.maximum(choose(np.isnan(error), np.inf, error), 0.0)
            return tried + 1, rate, new, error

        last = choose(state.learning_rate > 0, grow * state.learning_rate, 1.0)
        first = np.minimum(last, longest)
        tried, rate, new, error = while_loop(
            lambda carry: ~(carry[3] <= atol) & (carry[0] <= most),
            step,
            (COUNT, first, start, np.float64(np.inf)),
        )
        rate = choose(np.isinf(error), 0.0, rate)  # no step is better than one to infinity
        new = choose(np.isinf(error), start, new)
        updates = each(with_numbers(lambda rate, u: rate * u, rate), updates)
        if store_grad:
            end = tree.map(lambda p, u: p + u, params, updates)
            grad = value_and_grad(f)(end)[1]
        else:
            grad = ()
        return updates, ScaleByBacktrackingLinesearchState(
            rate, new, grad, LinesearchInfo(tried, error)
        )

    return transformation(init, rule)


@boundary
def value_and_grad_from_state(value_fn: Callable[..., Any]) -> Callable[..., tuple[Any, PyTree]]:
    """Make `value_and_grad` of a function, that takes both from a line search's state if it can.

    >>> from fgrad_nn.optimizers import apply_updates, lbfgs
    >>> f = lambda x: np.sum((x - 1.0) ** 2)
    >>> opt, x = lbfgs(), np.zeros(2)
    >>> state = opt.init(x)
    >>> for _ in range(3):
    ...     value, grad = value_and_grad_from_state(f)(x, state=state)
    ...     updates, state = opt.update(grad, state, x, value=value, grad=grad, value_fn=f)
    ...     x = apply_updates(x, updates)
    >>> x
    array([1., 1.])

    Args:
        value_fn: a function of the parameters, that returns a real scalar.

    Returns:
        A function `(params, *args, state, **kwargs) -> (value, grad)`. The state must be that of
        the step that led to these parameters, and the function the same.

    Raises:
        ArgumentError: from the function, there is no line search with a gradient in the state.
    """
    both = value_and_grad(value_fn)

    def known(params: PyTree, *args: Any, state: PyTree, **kwargs: Any) -> tuple[Any, PyTree]:
        kept = _find(state)
        if kept is None:
            raise ArgumentError(
                "value_and_grad_from_state wants the state of a line search that keeps gradients.",
                describe(state),
                "use lbfgs(), or scale_by_backtracking_linesearch(..., store_grad=True)",
            )

        def compute(value: Any, grad: PyTree, params: PyTree) -> tuple[Any, PyTree]:
            value, grad = both(params, *args, **kwargs)
            return as_float64(value), grad

        return cond(
            np.isnan(kept.value),
            compute,
            lambda value, grad, params: (value, grad),
            kept.value,
            kept.grad,
            params,
        )

    return known


def _is_empty(grad: PyTree) -> bool:
    return isinstance(grad, tuple) and not grad


def _find(state: PyTree) -> Any:
    """The first state of a line search in a tree of states."""
    fields = getattr(state, "_fields", ())
    if "value" in fields and "grad" in fields and not _is_empty(state.grad):
        return state
    inside = state.values() if isinstance(state, dict) else state
    for part in inside if isinstance(inside, (tuple, list)) or isinstance(state, dict) else ():
        if (found := _find(part)) is not None:
            return found
    return None
