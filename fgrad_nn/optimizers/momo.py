"""MoMo: momentum whose rate follows from the values of the loss and their lower bound."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad.tracebacks import boundary

from .leaves import as_float64, choose, conjugate, each, square_sum, vdot, zeros
from .numbers import ANY, COUNT, DECAY, NOT_NEGATIVE, real, real_or_schedule, with_numbers
from .records import GradientTransformation, PyTree, transformation
from .scaling import scheduled, wanted_value


class MomoState(NamedTuple):
    """Steps made; means of gradients, values and of gradient times parameters; the lower bound."""

    count: Any
    mu: PyTree
    value: Any
    product: Any
    bound: Any


@boundary
def momo(
    learning_rate: Any = 1.0,
    beta: Any = 0.9,
    lower_bound: Any = 0.0,
    weight_decay: Any = 0.0,
    adapt_lower_bound: bool = False,
) -> GradientTransformation:
    """Momentum with the step to where its model of the loss meets the lower bound.

    The model is the mean of the tangents of the last steps; no step is longer than the rate.

    >>> opt = momo()
    >>> opt.update([4.0], opt.init([2.0]), [2.0], value=4.0)[0]
    [-1.0]

    Args:
        learning_rate: the greatest rate, a number or a schedule.
        beta: the decay of the means.
        lower_bound: of the loss; 0 for most.
        weight_decay: decoupled, times the greatest rate.
        adapt_lower_bound: estimate a bound that is nearer.

    Returns:
        A transformation whose `update` wants `value=`; its updates are steps downhill already.

    Source: Schaipp et al., MoMo: momentum models for adaptive learning rates (2023), algorithm 1,
    and section 4.2 for the bound.
    """
    rate = real_or_schedule("learning_rate", learning_rate)
    beta, least = real("beta", beta, DECAY), real("lower_bound", lower_bound, ANY)
    decay = real("weight_decay", weight_decay, NOT_NEGATIVE)

    def init(params: PyTree) -> MomoState:
        nothing = np.float64(0.0)
        return MomoState(COUNT, zeros(params), nothing, nothing, np.float64(least))

    def step(shrink: Any, tau: Any, mu: Any, p: Any) -> Any:
        return -shrink * p - tau * mu

    def average(kept_share: Any, share: Any, new: Any, kept: Any) -> Any:
        return kept_share * kept + share * new

    def rule(
        updates: PyTree, state: Any, params: PyTree, *, value: Any = None, **extra: Any
    ) -> Any:
        updates = each(conjugate, updates)
        now = scheduled(rate, state.count) if callable(rate) else rate
        kept = choose(state.count > 0, beta, 0.0)  # the first values are the first means
        new = as_float64(wanted_value("momo", value))
        mean = kept * state.value + (1 - kept) * new
        mu = each(with_numbers(average, kept, 1 - kept), updates, state.mu)
        along = kept * state.product + (1 - kept) * as_float64(vdot(updates, params))
        square, here = as_float64(square_sum(mu)), as_float64(vdot(mu, params))
        growth = 1 + now * decay
        bound = state.bound
        if adapt_lower_bound:
            cap = growth * (mean - along) + here
            lower = np.maximum(cap / (2 * growth), least)
            bound = choose(cap < growth * bound, lower, bound)
        gap = np.maximum(growth * (mean - bound - along) + here, 0.0)
        flat = square <= np.finfo(float).eps
        tau = np.minimum(now, choose(flat, 0.0, gap / choose(flat, 1.0, square)))
        if adapt_lower_bound:
            bound = np.maximum(mean + here - along - 0.5 * tau * square, least)
        f = with_numbers(step, now * decay / growth, tau)
        return each(f, mu, params), MomoState(state.count + 1, mu, mean, along, bound)

    return transformation(init, rule)
