"""Parameters as functions of where they began and of all gradients since: COCOB and MADGRAD."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad.tracebacks import boundary

from .adding import add_decayed_weights
from .combining import chain
from .leaves import abs2, conjugate, each_many, full, real_zeros, zeros
from .masking import Mask
from .numbers import (
    COUNT,
    DECAY,
    NOT_NEGATIVE,
    POSITIVE,
    real,
    real_or_schedule,
    with_numbers,
)  # fmt: skip
from .records import GradientTransformation, PyTree, transformation
from .scaling import Rate, scale_by_learning_rate, scheduled
from .shapes import no_complex


class COCOBState(NamedTuple):
    """Where the run began; gradients added up, the greatest, absolute ones added up, the reward."""

    start: PyTree
    sum: PyTree
    scale: PyTree
    absolute: PyTree
    reward: PyTree


class MadgradState(NamedTuple):
    """Steps made, where the run began, the weighted sums of gradients and of their squares."""

    count: Any
    start: PyTree
    sum: PyTree
    squares: PyTree


@boundary
def scale_by_cocob(alpha: Any = 100.0, eps: Any = 1e-8) -> GradientTransformation:
    """Bet on the sign of each gradient, with what the bets before have won.

    >>> opt = scale_by_cocob()
    >>> round(opt.update([4.0], opt.init([2.0]), [2.0])[0][0], 6)
    -0.01

    Args:
        alpha: how many gradients the first bets count as; the greater, the smaller they are.
        eps: what the greatest gradient is taken for at first.

    Returns:
        A transformation whose updates are steps downhill already.

    Raises:
        DtypeError: from `init`, a parameter is complex.

    Source: Orabona and Tommasi, Training deep networks without learning rates through coin
    betting (2017), algorithm 2.
    """
    alpha, eps = real("alpha", alpha, POSITIVE), real("eps", eps, POSITIVE)

    def leaf(
        alpha: Any, g: Any, p: Any, start: Any, total: Any, scale: Any, absolute: Any, reward: Any
    ) -> tuple[Any, ...]:
        scale = np.maximum(scale, np.abs(g))
        absolute = absolute + np.abs(g)
        reward = np.maximum(reward - g * (p - start), 0.0)
        total = total - g
        share = total / (scale * np.maximum(absolute + scale, alpha * scale))
        return start + share * (scale + reward) - p, total, scale, absolute, reward

    def init(params: PyTree) -> COCOBState:
        no_complex("cocob", params)
        return COCOBState(params, zeros(params), full(params, eps), zeros(params), zeros(params))

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        updates, *rest = each_many(5, with_numbers(leaf, alpha), updates, params, *state)
        return updates, COCOBState(state.start, *rest)

    return transformation(init, rule)


@boundary
def cocob(
    learning_rate: Rate = 1.0,
    alpha: Any = 100.0,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """COCOB-Backprop: optimization as betting on coins, without a rate to choose.

    >>> opt = cocob()
    >>> round(opt.update([4.0], opt.init([2.0]), [2.0])[0][0], 6)
    -0.01

    Args:
        learning_rate: a factor of the gradients, a number, a schedule or a dict by patterns.
        alpha, eps: as for :func:`scale_by_cocob`.
        weight_decay, mask: as for :func:`add_decayed_weights`.

    Source: as for :func:`scale_by_cocob`.
    """
    return chain(
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate, flip_sign=False),
        scale_by_cocob(alpha, eps),
    )


@boundary
def scale_by_madgrad(
    learning_rate: Any, momentum: Any = 0.9, eps: Any = 1e-6
) -> GradientTransformation:
    """Go towards the start minus all gradients, over the cube root of the sum of their squares.

    >>> opt = scale_by_madgrad(0.1, momentum=0.0, eps=0.0)
    >>> round(opt.update([1.0], opt.init([2.0]), [2.0])[0][0], 6)
    -0.215443

    Args:
        learning_rate: a number or a schedule.
        momentum: how much of the parameters stays.
        eps: added to the rate, and to the cube root.

    Returns:
        A transformation whose updates are steps downhill already.

    Source: Defazio and Jelassi, Adaptivity without compromise (2021), algorithm 1.
    """
    rate = real_or_schedule("learning_rate", learning_rate)
    momentum, eps = real("momentum", momentum, DECAY), real("eps", eps, NOT_NEGATIVE)

    def leaf(
        weight: Any, rest: Any, eps: Any, g: Any, p: Any, start: Any, total: Any, squares: Any
    ) -> tuple[Any, Any, Any]:
        total, squares = total + weight * conjugate(g), squares + weight * abs2(g)
        base = np.cbrt(squares) + eps
        some = base > 0
        target = start - total * np.where(some, 1 / np.where(some, base, 1), 0)
        return rest * (target - p), total, squares

    def init(params: PyTree) -> MadgradState:
        return MadgradState(COUNT, params, zeros(params), real_zeros(params))

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        now = scheduled(rate, state.count) if callable(rate) else rate
        weight = (now + eps) * np.sqrt(state.count + 1)
        f = with_numbers(leaf, weight, 1 - momentum, eps)
        updates, total, squares = each_many(
            3, f, updates, params, state.start, state.sum, state.squares
        )
        return updates, MadgradState(state.count + 1, state.start, total, squares)

    return transformation(init, rule)


@boundary
def madgrad(
    learning_rate: Any, momentum: Any = 0.9, weight_decay: Any = 0.0, eps: Any = 1e-6
) -> GradientTransformation:
    """MADGRAD: dual averaging with momentum and a rate for each number.

    >>> opt = madgrad(0.1, momentum=0.0, eps=0.0)
    >>> round(opt.update([1.0], opt.init([2.0]), [2.0])[0][0], 6)
    -0.215443

    Args:
        learning_rate, momentum, eps: as for :func:`scale_by_madgrad`.
        weight_decay: added to the gradients, times the parameters.

    Source: as for :func:`scale_by_madgrad`.
    """
    return chain(add_decayed_weights(weight_decay), scale_by_madgrad(learning_rate, momentum, eps))
