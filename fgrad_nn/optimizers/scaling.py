"""Steps that multiply updates by a number: learning rates, schedules, norms of layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fgrad import tree
from fgrad.arrays import is_a
from fgrad.errors import ArgumentError, describe
from fgrad.tracebacks import boundary

from .leaves import choose, conjugate, each, global_norm, norm, rms
from .numbers import (
    ANY,
    COUNT,
    NOT_NEGATIVE,
    POSITIVE,
    cast,
    real,
    real_or_schedule,
    weak,
    with_numbers,
)
from .paths import check_patterns, match_all
from .records import GradientTransformation, PyTree, Schedule, empty_state, transformation

Rate = Any
"""A number, a schedule, or a dict of them by patterns of paths."""


class ScaleByScheduleState(NamedTuple):
    """Steps made."""

    count: Any


@boundary
def scale(step_size: Any) -> GradientTransformation:
    """Multiply updates by a number.

    >>> opt = scale(-0.5)
    >>> opt.update([4.0], opt.init([1.0]), [1.0])[0]
    [-2.0]

    Args:
        step_size: any finite real number.
    """
    return _scale(real("step_size", step_size), False)


@boundary
def scale_by_schedule(step_size_fn: Schedule) -> GradientTransformation:
    """Multiply updates by a function of the number of steps made before.

    >>> opt = scale_by_schedule(lambda count: -1.0 / (1 + count))
    >>> state = opt.init([1.0])
    >>> updates, state = opt.update([4.0], state, [1.0])
    >>> updates, opt.update([4.0], state, [1.0])[0]
    ([-4.0], [-2.0])

    Args:
        step_size_fn: called with 0 at the first step.

    Raises:
        ArgumentError: it is no function; from `update`, what it returned is no number.
    """
    if not callable(step_size_fn):
        raise ArgumentError(
            "scale_by_schedule wants a function of the step count.",
            describe(step_size_fn),
            "pass a schedule, or use scale for a number",
        )
    return _scale_by_schedule(step_size_fn, False)


@boundary
def scale_by_learning_rate(
    learning_rate: Rate, *, flip_sign: bool = True
) -> GradientTransformation:
    """Turn gradients into steps downhill: updates become -learning_rate * conj(update).

    `grad` of a real function of complex z is dx - i*dy, as in JAX; the way down is its conjugate,
    and that is what complex parameters get (optax leaves the conjugating to the user).

    >>> opt = scale_by_learning_rate({"*.bias": 0.25, "*": lambda count: 1.0 / (1 + count)})
    >>> params = {"w": 1.0, "bias": 1.0}
    >>> opt.update({"w": 8.0, "bias": 8.0}, opt.init(params), params)[0]
    {'w': -8.0, 'bias': -2.0}

    Args:
        learning_rate: a finite real number, not negative; or a schedule, a function of the steps
            made before; or a dict of these by patterns of the parameters' paths (see
            :func:`match_paths`), of which the first that matches counts.
        flip_sign: without it, updates are multiplied by the rate alone.

    Raises:
        ArgumentError: the rate is none of these; from `init` and `update`, a pattern matches
            nothing, or a parameter matches no pattern.
    """
    if isinstance(learning_rate, Mapping):
        return _scale_by_path(learning_rate, flip_sign)
    rate = real_or_schedule("A learning rate", learning_rate, NOT_NEGATIVE)
    return (_scale_by_schedule if callable(rate) else _scale)(rate, flip_sign)


def _down(minus_rate: Any, update: Any) -> Any:
    return minus_rate * conjugate(update)


def _up(rate: Any, update: Any) -> Any:
    return rate * update


def _scale(rate: Any, flip: bool) -> GradientTransformation:
    f = with_numbers(_down, -rate) if flip else with_numbers(_up, rate)

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        return each(f, updates), state

    return transformation(empty_state, rule)


def scheduled(schedule: Schedule, count: Any) -> Any:
    """The value of a schedule, if it is a number.

    Raises:
        ArgumentError: it is none.
    """
    value = schedule(count)
    if is_a(value, (float, int)) or getattr(value, "shape", None) == ():
        return value
    raise ArgumentError(
        "A schedule must return a number.",
        describe(value),
        "return a float or an array of shape () for a step count",
    )


def _scale_by_schedule(schedule: Schedule, flip: bool) -> GradientTransformation:
    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        rate = scheduled(schedule, state.count)
        f = with_numbers(_down, -rate) if flip else with_numbers(_up, rate)
        return each(f, updates), ScaleByScheduleState(state.count + 1)

    return transformation(lambda params: ScaleByScheduleState(COUNT), rule)


def _scale_by_path(rates: Mapping[Any, Any], flip: bool) -> GradientTransformation:
    patterns = check_patterns(tuple(rates))
    values = [real_or_schedule("A learning rate", r, NOT_NEGATIVE) for r in rates.values()]
    apply, sign = (_down, -1) if flip else (_up, 1)

    def init(params: PyTree) -> ScaleByScheduleState:
        match_all(patterns, tree.structure(params))
        return ScaleByScheduleState(COUNT)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        structure = tree.structure(updates)
        now = [sign * weak(scheduled(r, state.count) if callable(r) else r) for r in values]
        places = match_all(patterns, structure)
        factors = structure.unflatten([now[i] for i in places])
        scaled = each(lambda u, rate: apply(cast(rate, u), u), updates, factors)
        return scaled, ScaleByScheduleState(state.count + 1)

    return transformation(init, rule)


@boundary
def scale_by_sign() -> GradientTransformation:
    """Replace each element by its sign.

    >>> opt = scale_by_sign()
    >>> opt.update([-4.0], opt.init([1.0]), [1.0])[0]
    [-1.0]
    """

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        return each(np.sign, updates), state

    return transformation(empty_state, rule)


@boundary
def scale_by_trust_ratio(
    min_norm: Any = 0.0, trust_coefficient: Any = 1.0, eps: Any = 0.0
) -> GradientTransformation:
    """Make the update of each leaf as long as the leaf itself.

    >>> opt = scale_by_trust_ratio()
    >>> params = [np.array([3.0, 4.0])]
    >>> opt.update([np.array([0.1, 0.0])], opt.init(params), params)[0]
    [array([5., 0.])]

    Args:
        min_norm: the least value that both norms get.
        trust_coefficient: the length of the update divided by that of the parameter.
        eps: added to the norm of the update.

    Returns:
        A transformation that leaves an update as it is, if one of the norms is 0.

    Source: You, Gitman and Ginsburg, Large batch training of convolutional networks (2017).
    """
    numbers = (
        real("min_norm", min_norm, NOT_NEGATIVE),
        real("trust_coefficient", trust_coefficient, NOT_NEGATIVE),
        real("eps", eps, NOT_NEGATIVE),
    )

    def leaf(least: Any, trust: Any, eps: Any, u: Any, p: Any) -> Any:
        length, size = np.maximum(norm(u), least), np.maximum(norm(p), least)
        zero = (size == 0.0) | (length == 0.0)
        return u * choose(zero, 1.0, trust * size / (choose(zero, 1.0, length) + eps))

    f = with_numbers(leaf, *numbers)

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        return each(f, updates, params), state

    return transformation(empty_state, rule)


@boundary
def scale_by_param_block_norm(min_scale: Any = 1e-3) -> GradientTransformation:
    """Multiply the update of each leaf by the norm of the leaf.

    >>> opt = scale_by_param_block_norm()
    >>> opt.update([2.0], opt.init([-3.0]), [-3.0])[0]
    [6.0]

    Args:
        min_scale: the least value that the norm gets.
    """
    return _by_block(norm, min_scale)


@boundary
def scale_by_param_block_rms(min_scale: Any = 1e-3) -> GradientTransformation:
    """Multiply the update of each leaf by the root of the mean square of the leaf.

    >>> opt = scale_by_param_block_rms()
    >>> opt.update([2.0], opt.init([-3.0]), [-3.0])[0]
    [6.0]

    Args:
        min_scale: the least value that the root gets.
    """
    return _by_block(rms, min_scale)


def _by_block(size: Any, min_scale: Any) -> GradientTransformation:
    least = real("min_scale", min_scale, NOT_NEGATIVE)
    f = with_numbers(lambda least, u, p: u * np.maximum(size(p), least), least)

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        return each(f, updates, params), state

    return transformation(empty_state, rule)


@boundary
def normalize_by_update_norm(scale_factor: Any = 1.0, eps: Any = 1e-6) -> GradientTransformation:
    """Divide all updates by their norm, taken as one vector.

    >>> opt = normalize_by_update_norm(eps=0.0)
    >>> opt.update([3.0, 4.0], opt.init([1.0, 1.0]), [1.0, 1.0])[0]
    [0.6, 0.8]

    Args:
        scale_factor: the norm of the result.
        eps: added to the norm.
    """
    factor = real("scale_factor", scale_factor, ANY)
    eps = real("eps", eps, NOT_NEGATIVE)

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        length = weak(global_norm(updates)) + eps
        f = with_numbers(lambda length, factor, u: u / length * factor, length, factor)
        return each(f, updates), state

    return transformation(empty_state, rule)


@boundary
def centralize() -> GradientTransformation:
    """Subtract from each row of a matrix its mean; vectors and numbers stay.

    >>> opt = centralize()
    >>> params = [np.ones((1, 2))]
    >>> opt.update([np.array([[1.0, 3.0]])], opt.init(params), params)[0]
    [array([[-1.,  1.]])]

    Of an array with more axes, all but the first are averaged over.

    Source: Yong et al., Gradient centralization: a new optimization technique for deep neural
    networks (2020).
    """

    def leaf(u: Any) -> Any:
        if np.ndim(u) < 2:
            return u
        return u - np.mean(u, axis=tuple(range(1, np.ndim(u))), keepdims=True)

    def rule(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        return each(leaf, updates), state

    return transformation(empty_state, rule)


@boundary
def scale_by_polyak(
    f_min: Any = 0.0, max_learning_rate: Any = 1.0, eps: Any = 0.0, variant: str = "sps"
) -> GradientTransformation:
    """Scale by the step that would reach the least value if the function were linear.

    >>> opt = scale_by_polyak()
    >>> opt.update([4.0], opt.init([2.0]), [2.0], value=4.0)[0]
    [1.0]

    Args:
        f_min: the least value of the function.
        max_learning_rate: the greatest factor.
        eps: added to the square of the norm.
        variant: 'sps', or 'sps+', which makes no step where the value is below f_min.

    Returns:
        A transformation whose `update` wants `value=`, the value of the function at `params`.

    Raises:
        ArgumentError: the variant is another; from `update`, there is no value.

    Source: Loizou et al., Stochastic Polyak step-size for SGD (2021), equation 7.
    """
    numbers = real("f_min", f_min), real("max_learning_rate", max_learning_rate, POSITIVE)
    eps = real("eps", eps, NOT_NEGATIVE)
    if variant not in ("sps", "sps+"):
        raise ArgumentError(
            "variant must be 'sps' or 'sps+'.", describe(variant), "pass one of the two"
        )

    def rule(
        updates: PyTree, state: PyTree, params: PyTree, *, value: Any = None, **extra: Any
    ) -> Any:
        square = global_norm(updates) ** 2 + eps
        gap = wanted_value("scale_by_polyak", value) - numbers[0]
        gap = np.maximum(gap, 0.0) if variant == "sps+" else gap
        flat = square <= np.finfo(float).eps
        step = choose(flat, 0.0, np.minimum(gap / choose(flat, 1.0, square), numbers[1]))
        return each(with_numbers(_up, step), updates), state

    return transformation(empty_state, rule)


def wanted_value(who: str, value: Any) -> Any:
    """The value of the function that a rule needs.

    Raises:
        ArgumentError: there is none.
    """
    if value is None or getattr(value, "shape", ()) != ():
        raise ArgumentError(
            f"The update of {who} wants the value of the function at params.",
            "no value=" if value is None else describe(value),
            "call opt.update(grads, state, params, value=loss), with fgrad.value_and_grad",
        )
    return value
