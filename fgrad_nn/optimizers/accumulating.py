"""Momentum: updates that remember the gradients before them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad.tracebacks import boundary

from .leaves import choose, correction, each, moment, zeros
from .numbers import COUNT, DECAY, real, weak, whole, with_numbers
from .records import GradientTransformation, PyTree, transformation


class TraceState(NamedTuple):
    """The discounted sum of gradients."""

    trace: PyTree


class EmaState(NamedTuple):
    """Steps made, the moving average."""

    count: Any
    ema: PyTree


class BiasCorrectionState(NamedTuple):
    """Steps made."""

    count: Any


class ApplyEveryState(NamedTuple):
    """Steps since the last update went out, the sum of updates since then."""

    count: Any
    grad_acc: PyTree


class ScaleByOptimisticGradientState(NamedTuple):
    """Whether no step was made yet, the last gradient."""

    is_initial_step: Any
    previous_gradient: PyTree


@boundary
def trace(decay: Any, nesterov: bool = False) -> GradientTransformation:
    """Add up gradients, each step discounting the ones before: momentum.

    >>> opt = trace(0.5)
    >>> state = opt.init([1.0])
    >>> updates, state = opt.update([4.0], state, [1.0])
    >>> opt.update([1.0], state, [1.0])[0]
    [3.0]

    Args:
        decay: the discount, at least 0 and less than 1.
        nesterov: look one step ahead.

    Source: Polyak, Some methods of speeding up the convergence of iteration methods (1964);
    Sutskever et al., On the importance of initialization and momentum in deep learning (2013).
    """
    decay = real("decay", decay, DECAY)
    f = with_numbers(lambda decay, g, t: g + decay * t, decay)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        new = each(f, updates, state.trace)
        return each(f, updates, new) if nesterov else new, TraceState(new)

    return transformation(lambda params: TraceState(zeros(params)), rule)


@boundary
def ema(decay: Any, debias: bool = True) -> GradientTransformation:
    """Replace the updates by their exponential moving average.

    For an average of parameters see :func:`fgrad_nn.optimizers.params_ema`.

    >>> opt = ema(0.5)
    >>> state = opt.init([1.0])
    >>> updates, state = opt.update([4.0], state, [1.0])
    >>> updates, state
    ([4.0], EmaState(count=np.int64(1), ema=[2.0]))

    Args:
        decay: the weight of what came before, at least 0 and less than 1.
        debias: divide by the sum of the weights, for the average begins at 0.
    """
    decay = real("decay", decay, DECAY)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count, new = state.count + 1, moment(decay, state.ema, updates)
        return _corrected(new, decay, count) if debias else new, EmaState(count, new)

    return transformation(lambda params: EmaState(COUNT, zeros(params)), rule)


@boundary
def bias_correction(decay: Any) -> GradientTransformation:
    """Divide an exponential moving average, which began at 0, by the sum of its weights.

    >>> opt = bias_correction(0.5)
    >>> opt.update([2.0], opt.init([1.0]), [1.0])[0]
    [4.0]

    Args:
        decay: that of the average.
    """
    decay = real("decay", decay, DECAY)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        return _corrected(updates, decay, count), BiasCorrectionState(count)

    return transformation(lambda params: BiasCorrectionState(COUNT), rule)


def _corrected(average: PyTree, decay: Any, count: Any) -> PyTree:
    return each(with_numbers(lambda c, x: x / c, correction(decay, count)), average)


@boundary
def apply_every(k: int) -> GradientTransformation:
    """Hold updates back, and let their sum out every k steps.

    It is the last of a chain: the steps before it have already made updates of each gradient.
    For a mean of gradients see :func:`fgrad_nn.optimizers.MultiSteps`.

    >>> opt = apply_every(2)
    >>> state = opt.init([1.0])
    >>> updates, state = opt.update([1.0], state, [1.0])
    >>> updates, opt.update([2.0], state, [1.0])[0]
    ([0.0], [3.0])

    Args:
        k: a number of steps.
    """
    k = whole("k", k, 1)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        c = state.count % k
        held = each(
            with_numbers(lambda keep, g, a: keep * a + g, choose(c != 0, 1.0, 0.0)),
            updates,
            state.grad_acc,
        )
        out = each(with_numbers(lambda emit, a: emit * a, choose(c == k - 1, 1.0, 0.0)), held)
        return out, ApplyEveryState((state.count + 1) % k, held)

    return transformation(lambda params: ApplyEveryState(COUNT, zeros(params)), rule)


@boundary
def scale_by_optimistic_gradient(alpha: Any = 1.0, beta: Any = 1.0) -> GradientTransformation:
    """Add to the gradient its change since the last step, which is a guess at the next change.

    >>> opt = scale_by_optimistic_gradient()
    >>> state = opt.init([1.0])
    >>> updates, state = opt.update([4.0], state, [1.0])
    >>> updates, opt.update([3.0], state, [1.0])[0]
    ([4.0], [2.0])

    Args:
        alpha: weight of the gradient.
        beta: weight of its change.

    Source: Mokhtari, Ozdaglar and Pattathil, A unified analysis of extra-gradient and optimistic
    gradient methods for saddle point problems (2020).
    """
    alpha, beta = real("alpha", alpha), real("beta", beta)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        later = choose(state.is_initial_step, 0.0, 1.0)
        f = with_numbers(lambda a, b, g, last: a * g + b * (g - last), alpha, weak(beta) * later)
        new = each(f, updates, state.previous_gradient)
        return new, ScaleByOptimisticGradientState(np.False_, updates)

    def init(params: PyTree) -> ScaleByOptimisticGradientState:
        return ScaleByOptimisticGradientState(np.True_, zeros(params))

    return transformation(init, rule)
