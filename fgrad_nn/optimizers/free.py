"""Training without a schedule: the schedule-free method."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad.tracebacks import boundary

from .adding import add_decayed_weights
from .basic import sgd
from .combining import apply_updates, chain
from .leaves import as_float64, choose, each
from .masking import Mask
from .numbers import COUNT, INSIDE, NOT_NEGATIVE, real, real_or_schedule, whole, with_numbers
from .records import GradientTransformation, PyTree, rule_of, transformation
from .scaling import scale_by_learning_rate, scheduled
from .squares import scale_by_rms


class ScheduleFreeState(NamedTuple):
    """Steps made, weights so far, greatest rate so far, the inner state, where it would be, b1."""

    count: Any
    weight_sum: Any
    max_lr: Any
    base_optimizer_state: PyTree
    z: PyTree
    b1: Any


@boundary
def schedule_free(
    base_optimizer: GradientTransformation,
    learning_rate: Any,
    b1: Any = 0.9,
    weight_lr_power: Any = 2.0,
) -> GradientTransformation:
    """Average the parameters while training, in place of lowering the learning rate.

    The parameters that it trains are not those to be used afterwards: these are
    ``schedule_free_eval_params(state, params)``.

    >>> from fgrad_nn.optimizers import sgd
    >>> opt = schedule_free(sgd(1.0), 1.0, b1=0.5)
    >>> state = opt.init([0.0])
    >>> updates, state = opt.update([-4.0], state, [0.0])
    >>> updates, state.z
    ([4.0], [4.0])

    Args:
        base_optimizer: without momentum of its own.
        learning_rate: that of the base optimizer, for the weights of the average.
        b1: where between average (1) and base optimizer (0) gradients are taken.
        weight_lr_power: the weights are the greatest learning rate so far to this power; where
            it is a schedule, that of the next step counts, too, as in optax.

    Source: Defazio et al., The road less scheduled (2024), algorithm 1.
    """
    rule, b1 = rule_of(base_optimizer), real("b1", b1, INSIDE)
    rate = real_or_schedule("A learning rate", learning_rate, NOT_NEGATIVE)
    power = real("weight_lr_power", weight_lr_power, NOT_NEGATIVE)

    def init(params: PyTree) -> ScheduleFreeState:
        zero = np.float64(0.0)
        return ScheduleFreeState(
            COUNT, zero, zero, base_optimizer[0](params), params, as_float64(b1)
        )

    def leaf(b1: Any, c: Any, y: Any, old: Any, new: Any) -> Any:
        x = (y - (1 - b1) * old) / b1
        x = (1 - c) * x + c * new
        return b1 * x + (1 - b1) * new - y

    def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        now = as_float64(scheduled(rate, count) if callable(rate) else rate)
        most = np.maximum(state.max_lr, now)
        weight = most**power
        total = state.weight_sum + weight
        share = choose(total == 0, 0.0, weight / choose(total == 0, 1.0, total))
        steps, inner_state = rule(updates, state.base_optimizer_state, params, **extra)
        z = apply_updates(state.z, steps)
        new = each(with_numbers(leaf, b1, share), params, state.z, z)
        return new, ScheduleFreeState(count, total, most, inner_state, z, state.b1)

    return transformation(init, update)


@boundary
def schedule_free_eval_params(state: ScheduleFreeState, params: PyTree) -> PyTree:
    """The averaged parameters of :func:`schedule_free`, which are those to be used.

    >>> from fgrad_nn.optimizers import apply_updates, sgd
    >>> opt = schedule_free(sgd(1.0), 1.0, b1=0.5)
    >>> updates, state = opt.update([-4.0], opt.init([0.0]), [0.0])
    >>> schedule_free_eval_params(state, apply_updates([0.0], updates))
    [4.0]

    Args:
        state: that of the last step.
        params: those that were trained.
    """
    return each(with_numbers(lambda b1, y, z: (y - (1 - b1) * z) / b1, state.b1), params, state.z)


def _warm(learning_rate: Any, steps: int | None) -> Any:
    """A rate that grows from 0 in so many steps."""
    rate = real("A learning rate", learning_rate, NOT_NEGATIVE)
    if steps is None:
        return rate
    steps = whole("warmup_steps", steps, 1)
    return lambda count: rate * np.minimum(count / steps, 1.0)


@boundary
def schedule_free_sgd(
    learning_rate: Any = 1.0,
    warmup_steps: int | None = None,
    b1: Any = 0.9,
    weight_decay: Any = 0.0,
    weight_lr_power: Any = 2.0,
) -> GradientTransformation:
    """Schedule-free gradient descent.

    >>> opt = schedule_free_sgd(0.5)
    >>> opt.update([4.0], opt.init([1.0]), [1.0])[0]
    [-2.0]

    Args:
        learning_rate: a number.
        warmup_steps: steps in which it grows from 0.
        b1, weight_lr_power: as for :func:`schedule_free`.
        weight_decay: added, times the parameters, to the gradient.
    """
    rate = _warm(learning_rate, warmup_steps)
    inner = chain(add_decayed_weights(weight_decay), sgd(rate))
    return schedule_free(inner, rate, b1, weight_lr_power)


@boundary
def schedule_free_adamw(
    learning_rate: Any = 0.0025,
    warmup_steps: int | None = None,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    weight_lr_power: Any = 2.0,
    mask: Mask = None,
) -> GradientTransformation:
    """Schedule-free AdamW.

    >>> opt = schedule_free_adamw(0.5)
    >>> round(opt.update([4.0], opt.init([1.0]), [1.0])[0][0], 6)
    -0.5

    Args:
        learning_rate, warmup_steps: as for :func:`schedule_free_sgd`.
        b1, weight_lr_power: as for :func:`schedule_free`.
        b2, eps: as for :func:`adam`.
        weight_decay, mask: as for :func:`adamw`.
    """
    rate = _warm(learning_rate, warmup_steps)
    inner = chain(
        scale_by_rms(b2, eps, eps_in_sqrt=False, bias_correction=True),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(rate),
    )
    return schedule_free(inner, rate, b1, weight_lr_power)
