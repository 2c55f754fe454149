"""When an optimizer makes a step: after several gradients, under conditions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fgrad import cond, tree
from fgrad.tracebacks import boundary

from .leaves import choose, each, square_sum, zeros
from .numbers import COUNT, POSITIVE, real, whole, with_numbers
from .records import GradientTransformation, PyTree, rule_of, transformation


class MultiStepsState(NamedTuple):
    """Gradients since the last step, steps, the inner state, the mean or sum, what was skipped."""

    mini_step: Any
    gradient_step: Any
    inner_opt_state: PyTree
    acc_grads: PyTree
    skip_state: PyTree


class ApplyIfFiniteState(NamedTuple):
    """Bad updates in a row, whether the last was good, all bad updates, the inner state."""

    notfinite_count: Any
    last_finite: Any
    total_notfinite: Any
    inner_state: PyTree


class ConditionalState(NamedTuple):
    """Steps made, the inner state."""

    step: Any
    inner_state: PyTree


@boundary
def MultiSteps(  # optax's name
    opt: GradientTransformation,
    every_k_schedule: int | Callable[[Any], Any],
    use_grad_mean: bool = True,
    should_skip_update_fn: Callable[[PyTree, Any, PyTree], tuple[Any, PyTree]] | None = None,
) -> GradientTransformation:
    """Make one step of an optimizer with the mean of k gradients: large batches in small memory.

    >>> from fgrad_nn.optimizers import sgd
    >>> opt = MultiSteps(sgd(0.5), 2)
    >>> state = opt.init([1.0])
    >>> updates, state = opt.update([4.0], state, [1.0])
    >>> updates, opt.update([8.0], state, [1.0])[0]
    ([0.0], [-3.0])

    Unlike optax's it is a transformation itself, with `init` and `update`, and accumulates in the
    parameters' dtype. Updates are 0 in between, and so are updates of skipped gradients.

    Args:
        opt: the inner optimizer.
        every_k_schedule: k, or a function that gives k for the number of steps made.
        use_grad_mean: take the mean of the k gradients, else their sum.
        should_skip_update_fn: called as f(grads, gradient_step, params), returns whether to leave
            this gradient out, and a tree that is kept in the state as `skip_state`; see
            :func:`skip_not_finite` and :func:`skip_large_updates`.

    Raises:
        ArgumentError: k is no positive integer.
    """
    rule = rule_of(opt)
    fixed = every_k_schedule if callable(every_k_schedule) else whole("k", every_k_schedule, 1)
    skip = should_skip_update_fn or (lambda grads, gradient_step, params: (np.False_, ()))

    def init(params: PyTree) -> MultiStepsState:
        _, skip_state = skip(zeros(params), COUNT, params)
        return MultiStepsState(COUNT, COUNT, opt[0](params), zeros(params), skip_state)

    def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        skipped, skip_state = skip(updates, state.gradient_step, params)
        k = fixed(state.gradient_step) if callable(fixed) else fixed

        def wait(updates: PyTree, state: Any) -> Any:
            return zeros(updates), state

        def collect(updates: PyTree, state: Any) -> Any:
            share = 1.0 / (state.mini_step + 1) if use_grad_mean else 1.0
            rest = state.mini_step * share if use_grad_mean else 1.0
            mean = with_numbers(lambda r, s, g, a: r * a + s * g, rest, share)
            total = each(mean, updates, state.acc_grads)
            return cond(state.mini_step >= k - 1, emit, hold, total, state)

        def hold(total: PyTree, state: Any) -> Any:
            return zeros(total), state._replace(mini_step=state.mini_step + 1, acc_grads=total)

        def emit(total: PyTree, state: Any) -> Any:
            new, inner = rule(total, state.inner_opt_state, params, **extra)
            return new, MultiStepsState(
                0 * state.mini_step, state.gradient_step + 1, inner, zeros(total), state.skip_state
            )

        new, state = cond(skipped, wait, collect, updates, state)
        return new, state._replace(skip_state=skip_state)

    return transformation(init, update)


@boundary
def has_updated(state: Any) -> Any:
    """Tell whether the last update of :func:`MultiSteps` was a step.

    Args:
        state: the state that it returned.

    Returns:
        A bool, traced where the state is.
    """
    return (state.mini_step == 0) & (state.gradient_step > 0)


@boundary
def skip_not_finite(
    updates: PyTree, gradient_step: Any, params: PyTree
) -> tuple[Any, dict[str, Any]]:
    """Skip gradients with NaN or infinities; for :func:`MultiSteps`.

    >>> skip_not_finite([np.nan, 1.0], 0, None)
    (np.True_, {'should_skip': np.True_, 'num_not_finite': np.int64(1)})
    """
    bad = sum((np.sum(~np.isfinite(x)) for x in tree.leaves(updates)), np.int64(0))
    return bad > 0, {"should_skip": bad > 0, "num_not_finite": bad}


@boundary
def skip_large_updates(
    updates: PyTree, gradient_step: Any, params: PyTree, max_squared_norm: Any
) -> tuple[Any, dict[str, Any]]:
    """Skip gradients that are too long; for :func:`MultiSteps`, after `functools.partial`.

    >>> skip_large_updates([3.0, 4.0], 0, None, 10.0)
    (np.True_, {'should_skip': np.True_, 'norm_squared': np.float64(25.0)})
    """
    limit = real("max_squared_norm", max_squared_norm, POSITIVE)
    square = square_sum(updates)
    skip = ~(square < limit)  # NaN is too long, too
    return skip, {"should_skip": skip, "norm_squared": square}


@boundary
def apply_if_finite(
    inner: GradientTransformation, max_consecutive_errors: int
) -> GradientTransformation:
    """Make no step, and keep the state, when a gradient has NaN or infinities.

    >>> from fgrad_nn.optimizers import sgd
    >>> opt = apply_if_finite(sgd(0.5), 3)
    >>> updates, state = opt.update([np.nan], opt.init([1.0]), [1.0])
    >>> updates, state.total_notfinite
    ([0.0], np.int64(1))

    Args:
        inner: the optimizer.
        max_consecutive_errors: how many such gradients in a row are ignored; the next one is
            applied, so that the failure is seen.
    """
    rule, most = rule_of(inner), whole("max_consecutive_errors", max_consecutive_errors, 0)

    def init(params: PyTree) -> ApplyIfFiniteState:
        return ApplyIfFiniteState(COUNT, np.True_, COUNT, inner[0](params))

    def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        bad, _ = skip_not_finite(updates, None, None)
        row = choose(bad, state.notfinite_count + 1, 0)

        def apply(updates: PyTree, inner_state: PyTree) -> Any:
            return rule(updates, inner_state, params, **extra)

        def reject(updates: PyTree, inner_state: PyTree) -> Any:
            return zeros(updates), inner_state

        new, inner_state = cond(~bad | (row > most), apply, reject, updates, state.inner_state)
        total = state.total_notfinite + choose(bad, 1, 0)
        return new, ApplyIfFiniteState(row, ~bad, total, inner_state)

    return transformation(init, update)


@boundary
def conditionally_transform(
    inner: GradientTransformation,
    should_transform_fn: Callable[..., Any],
    forward_extra_args: bool = False,
) -> GradientTransformation:
    """Transform the updates in steps where a function says so, and pass them on in others.

    >>> from fgrad_nn.optimizers import scale
    >>> opt = conditionally_transform(scale(2.0), lambda step: step >= 1)
    >>> state = opt.init([1.0])
    >>> updates, state = opt.update([1.0], state, [1.0])
    >>> updates, opt.update([1.0], state, [1.0])[0]
    ([1.0], [2.0])

    Args:
        inner: its state changes only where it is applied.
        should_transform_fn: called with the number of steps made, returns a bool.
        forward_extra_args: pass it the keyword arguments of `update`, too.
    """
    return _conditional(inner, should_transform_fn, forward_extra_args, lambda updates: updates)


@boundary
def conditionally_mask(
    inner: GradientTransformation,
    should_transform_fn: Callable[..., Any],
    forward_extra_args: bool = False,
) -> GradientTransformation:
    """Transform the updates in steps where a function says so, and make them 0 in others.

    >>> from fgrad_nn.optimizers import scale
    >>> opt = conditionally_mask(scale(2.0), lambda step: step >= 1)
    >>> opt.update([1.0], opt.init([1.0]), [1.0])[0]
    [0.0]

    Args:
        inner, should_transform_fn, forward_extra_args: as for :func:`conditionally_transform`.
    """
    return _conditional(inner, should_transform_fn, forward_extra_args, zeros)


def _conditional(
    inner: GradientTransformation,
    should_transform_fn: Callable[..., Any],
    forward: bool,
    otherwise: Callable[[PyTree], PyTree],
) -> GradientTransformation:
    rule = rule_of(inner)

    def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        new, inner_state = cond(
            should_transform_fn(state.step, **(extra if forward else {})),
            lambda updates, inner_state: rule(updates, inner_state, params, **extra),
            lambda updates, inner_state: (otherwise(updates), inner_state),
            updates,
            state.inner_state,
        )
        return new, ConditionalState(state.step + 1, inner_state)

    return transformation(lambda params: ConditionalState(COUNT, inner[0](params)), update)
