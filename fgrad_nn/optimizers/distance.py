"""Rates without a choice: from how far the parameters have gone from where they began.

In all of these a learning rate of 1 is meant to be right; a schedule from 1 to 0 helps at the end
of a run. Their first steps are tiny, and grow by themselves.
"""

from __future__ import annotations

import functools
import operator
from typing import Any, NamedTuple

import numpy as np

from fgrad import tree
from fgrad.tracebacks import boundary

from .adding import add_decayed_weights
from .combining import chain
from .leaves import (
    abs2,
    add_scaled,
    as_float64,
    choose,
    conjugate,
    correction,
    each,
    global_norm,
    moment,
    real_zeros,
    root,
    square_sum,
    vdot,
    zeros,
)  # fmt: skip
from .masking import Mask
from .numbers import COUNT, DECAY, NOT_NEGATIVE, POSITIVE, real, real_or_schedule, with_numbers
from .records import GradientTransformation, PyTree, transformation
from .scaling import Rate, scale_by_learning_rate, scheduled


class DoGState(NamedTuple):
    """Where the run began, the greatest distance from there, the sum of gradients' squares."""

    start: PyTree
    distance: Any
    squares: Any


class DAdaptState(NamedTuple):
    """Steps made, means of gradients and squares, their weighted sum, and the distance so far.

    Of `prodigy` also where the run began; of `dadapt_adamw` that is None.
    """

    count: Any
    mu: PyTree
    nu: PyTree
    sum: PyTree
    start: PyTree
    distance: Any
    numerator: Any


def _times(factor: Any, leaf: Any) -> Any:
    return factor * leaf


@boundary
def scale_by_dog(init_distance: Any = 1e-6, eps: Any = 1e-8) -> GradientTransformation:
    """Scale by the greatest distance from the start, over the root of the sum of squares.

    >>> opt = scale_by_dog(init_distance=0.1)
    >>> round(opt.update([4.0], opt.init([2.0]), [2.0])[0][0], 6)
    0.1

    Args:
        init_distance: the distance at first, small beside the one to be gone.
        eps: added to the sum of squares.

    Source: Ivgi, Hinder and Carmon, DoG is SGD's best friend (2023), algorithm 1.
    """
    least, eps = real("init_distance", init_distance, POSITIVE), real("eps", eps, NOT_NEGATIVE)

    def init(params: PyTree) -> DoGState:
        return DoGState(params, np.float64(least), np.float64(0.0))

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        gone = as_float64(global_norm(each(operator.sub, params, state.start)))
        distance = np.maximum(state.distance, gone)
        squares = state.squares + as_float64(square_sum(updates))
        rate = distance / root(squares + eps)
        new = DoGState(state.start, distance, squares)
        return each(with_numbers(_times, rate), updates), new

    return transformation(init, rule)


@boundary
def dog(
    learning_rate: Rate = 1.0,
    init_distance: Any = 1e-6,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """DoG, distance over gradients: gradient descent without a rate to choose.

    >>> opt = dog(init_distance=0.1)
    >>> round(opt.update([4.0], opt.init([2.0]), [2.0])[0][0], 6)
    -0.1

    Args:
        learning_rate: a factor of the steps, a number, a schedule or a dict by patterns of paths.
        init_distance, eps: as for :func:`scale_by_dog`. In optax it is a pair, of which this is
            `("distance", init_distance)`.
        weight_decay, mask: as for :func:`add_decayed_weights`.

    Source: as for :func:`scale_by_dog`. Its authors take a mean of the parameters at the end, such
    as :func:`params_average` keeps.
    """
    return chain(
        add_decayed_weights(weight_decay, mask),
        scale_by_dog(init_distance, eps),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def scale_by_dowg(init_estim_sq_dist: Any = None, eps: Any = 1e-4) -> GradientTransformation:
    """Like `scale_by_dog`, with later gradients weighing more: by the distance at their time.

    >>> opt = scale_by_dowg(0.01, eps=0.0)
    >>> round(opt.update([4.0], opt.init([2.0]), [2.0])[0][0], 6)
    0.1

    Args:
        init_estim_sq_dist: the square of the distance at first; eps, if it is None.
        eps: added to the root of the weighted sum.

    Source: Khaled, Mishchenko and Jin, DoWG unleashed (2023), algorithm 1.
    """
    eps = real("eps", eps, NOT_NEGATIVE)
    given = eps if init_estim_sq_dist is None else init_estim_sq_dist
    least = real("init_estim_sq_dist", given, POSITIVE)

    def init(params: PyTree) -> DoGState:
        return DoGState(params, np.float64(least), np.float64(0.0))

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        gone = as_float64(square_sum(each(operator.sub, params, state.start)))
        distance = np.maximum(state.distance, gone)
        squares = state.squares + distance * as_float64(square_sum(updates))
        base = root(squares) + eps
        rate = choose(base > 0, distance / choose(base > 0, base, 1.0), 0.0)
        new = DoGState(state.start, distance, squares)
        return each(with_numbers(_times, rate), updates), new

    return transformation(init, rule)


@boundary
def dowg(
    learning_rate: Rate = 1.0,
    init_estim_sq_dist: Any = None,
    eps: Any = 1e-4,
    weight_decay: Any = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """DoWG, distance over weighted gradients: `dog` with later gradients weighing more.

    >>> opt = dowg(init_estim_sq_dist=0.01, eps=0.0)
    >>> round(opt.update([4.0], opt.init([2.0]), [2.0])[0][0], 6)
    -0.1

    Args:
        learning_rate, weight_decay, mask: as for :func:`dog`.
        init_estim_sq_dist, eps: as for :func:`scale_by_dowg`.

    Source: as for :func:`scale_by_dowg`.
    """
    return chain(
        add_decayed_weights(weight_decay, mask),
        scale_by_dowg(init_estim_sq_dist, eps),
        scale_by_learning_rate(learning_rate),
    )


def _absolute_sum(updates: PyTree) -> Any:
    """The sum of all absolute values, in float64."""
    parts = (as_float64(np.sum(np.abs(x))) for x in tree.leaves(updates))
    return functools.reduce(operator.add, parts, np.float64(0.0))


def _farther(distance: Any, numerator: Any, denominator: Any) -> Any:
    """The greater one of a distance and a quotient, which counts if there is a gradient yet."""
    some = denominator > 0
    return np.maximum(distance, choose(some, numerator / choose(some, denominator, 1.0), 0.0))


def _adam_step(decay: Any, rate: Any, eps: Any, mu: Any, nu: Any, p: Any) -> Any:
    """Minus the step of Adam with decoupled decay; 0 where there were no gradients."""
    base = root(nu) + eps
    some = base > 0
    return -decay * p - rate * mu * np.where(some, 1 / np.where(some, base, 1), 0)


@boundary
def dadapt_adamw(
    learning_rate: Any = 1.0,
    betas: tuple[Any, Any] = (0.9, 0.999),
    eps: Any = 1e-8,
    estim_lr0: Any = 1e-6,
    weight_decay: Any = 0.0,
) -> GradientTransformation:
    """AdamW whose rate is a lower bound of the distance to the solution, which grows.

    >>> opt = dadapt_adamw(estim_lr0=0.1)
    >>> params, state = [2.0], opt.init([2.0])
    >>> for _ in range(200):
    ...     updates, state = opt.update([2 * params[0]], state, params)
    ...     params = [params[0] + updates[0]]
    >>> abs(params[0]) < 0.1
    True

    Args:
        learning_rate: a factor of the rate, a number or a schedule.
        betas: the decays of the means of gradients and of their squares.
        eps: added to the root.
        estim_lr0: the bound at first.
        weight_decay: decoupled, times the rate.

    Source: Defazio and Mishchenko, Learning-rate-free learning by D-adaptation (2023),
    algorithm 5.
    """
    b1, b2 = (real(f"betas[{i}]", b, DECAY) for i, b in enumerate(betas))
    eps, least = real("eps", eps, NOT_NEGATIVE), real("estim_lr0", estim_lr0, POSITIVE)
    decay = real("weight_decay", weight_decay, NOT_NEGATIVE)
    rate = real_or_schedule("learning_rate", learning_rate)
    slow = root(b2)

    def init(params: PyTree) -> DAdaptState:
        start, nothing = np.float64(least), np.float64(0.0)
        z = zeros(params)
        return DAdaptState(COUNT, z, real_zeros(params), z, None, start, nothing)

    def weighed(eps: Any, total: Any, nu: Any) -> Any:
        base = root(nu) + eps
        return total * np.where(base > 0, 1 / np.where(base > 0, base, 1), 0)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        updates = each(conjugate, updates)
        now = scheduled(rate, state.count) if callable(rate) else rate
        step = state.distance * now * root(correction(b2, count)) / correction(b1, count)
        before = each(with_numbers(weighed, eps), state.sum, state.nu)
        numerator = slow * state.numerator + (1 - slow) * step * as_float64(vdot(updates, before))
        moved = each(with_numbers(_times, step), updates)
        mu, nu = moment(b1, state.mu, moved), moment(b2, state.nu, each(abs2, updates))
        total = moment(slow, state.sum, moved)
        distance = _farther(state.distance, numerator, (1 - slow) * _absolute_sum(total))
        new = DAdaptState(count, mu, nu, total, None, distance, numerator)
        return each(with_numbers(_adam_step, decay * step, 1.0, eps), mu, nu, params), new

    return transformation(init, rule)


@boundary
def prodigy(
    learning_rate: Any = 1.0,
    betas: tuple[Any, Any] = (0.9, 0.999),
    beta3: Any = None,
    eps: Any = 1e-8,
    estim_lr0: Any = 1e-6,
    estim_lr_coef: Any = 1.0,
    weight_decay: Any = 0.0,
    safeguard_warmup: bool = False,
) -> GradientTransformation:
    """AdamW whose rate is an estimate of the distance to the solution; faster than `dadapt_adamw`.

    >>> opt = prodigy(estim_lr0=0.1)
    >>> params, state = [2.0], opt.init([2.0])
    >>> for _ in range(200):
    ...     updates, state = opt.update([2 * params[0]], state, params)
    ...     params = [params[0] + updates[0]]
    >>> abs(params[0]) < 0.1
    True

    Args:
        learning_rate, betas, eps, estim_lr0, weight_decay: as for :func:`dadapt_adamw`.
        beta3: the decay of the sums behind the estimate; the root of betas[1] by default.
        estim_lr_coef: a factor of the estimate.
        safeguard_warmup: leave the rate out of the denominator, for schedules that begin near 0.

    Source: Mishchenko and Defazio, Prodigy: an expeditiously adaptive parameter-free learner
    (2023), algorithm 4.
    """
    b1, b2 = (real(f"betas[{i}]", b, DECAY) for i, b in enumerate(betas))
    b3 = root(b2) if beta3 is None else real("beta3", beta3, DECAY)
    eps, least = real("eps", eps, NOT_NEGATIVE), real("estim_lr0", estim_lr0, POSITIVE)
    coefficient = real("estim_lr_coef", estim_lr_coef, POSITIVE)
    decay = real("weight_decay", weight_decay, NOT_NEGATIVE)
    rate = real_or_schedule("learning_rate", learning_rate)

    def init(params: PyTree) -> DAdaptState:
        start, nothing = np.float64(least), np.float64(0.0)
        z = zeros(params)
        return DAdaptState(COUNT, z, real_zeros(params), z, params, start, nothing)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count, d = state.count + 1, state.distance
        updates = each(conjugate, updates)
        now = scheduled(rate, state.count) if callable(rate) else rate
        step = d * now * root(correction(b2, count)) / correction(b1, count)
        gone = as_float64(vdot(updates, each(operator.sub, state.start, params)))
        numerator = b3 * state.numerator + d / least * step * gone
        moved = each(with_numbers(_times, d), updates)
        mu, nu = moment(b1, state.mu, moved), moment(b2, state.nu, each(abs2, moved))
        weight = (d if safeguard_warmup else step) / least
        total = add_scaled(each(with_numbers(_times, b3), state.sum), weight, moved)
        distance = _farther(d, coefficient * numerator, _absolute_sum(total))
        new = DAdaptState(count, mu, nu, total, state.start, distance, numerator)
        f = with_numbers(_adam_step, decay * step, step, distance * eps)
        return each(f, mu, nu, params), new

    return transformation(init, rule)
