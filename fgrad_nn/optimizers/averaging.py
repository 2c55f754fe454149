"""Optimizers around optimizers: slow weights, averages of parameters, other views of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad import cond, tree
from fgrad.tracebacks import boundary

from .combining import apply_updates
from .leaves import conjugate, each, is_complex, moment, zeros
from .numbers import COUNT, DECAY, FRACTION, real, whole, with_numbers
from .records import GradientTransformation, PyTree, rule_of, transformation


class LookaheadState(NamedTuple):
    """The fast optimizer's state, steps since fast and slow parameters met, slow parameters."""

    fast_state: PyTree
    steps_since_sync: Any
    slow: PyTree


class ParamsEmaState(NamedTuple):
    """The average of parameters, the weight it has beside zeros, the inner state."""

    ema: PyTree
    weight: Any
    inner_state: PyTree


class SplitRealAndImaginaryState(NamedTuple):
    """The inner state, for pairs of real numbers in place of complex ones."""

    inner_state: PyTree


class SplitParts(NamedTuple):
    """A complex leaf as two real ones."""

    real: Any
    imaginary: Any


@boundary
def lookahead(
    fast_optimizer: GradientTransformation,
    sync_period: int,
    slow_step_size: Any,
    reset_state: bool = False,
) -> GradientTransformation:
    """Every k steps go back, to a point between where the steps began and where they led.

    >>> from fgrad_nn.optimizers import apply_updates, sgd
    >>> opt = lookahead(sgd(1.0), sync_period=2, slow_step_size=0.5)
    >>> params = [0.0]
    >>> state = opt.init(params)
    >>> for _ in range(2):
    ...     updates, state = opt.update([-3.0], state, params)
    ...     params = apply_updates(params, updates)
    >>> params
    [3.0]

    Unlike in optax the slow parameters are in the state (as `slow`), so that it wraps an optimizer
    like any other wrapper does.

    Args:
        fast_optimizer: makes the steps.
        sync_period: the number k of them.
        slow_step_size: where the point lies: 0 is where the steps began, 1 where they led.
        reset_state: begin with a new state of the fast optimizer after each period.

    Source: Zhang et al., Lookahead optimizer: k steps forward, 1 step back (2019), algorithm 1.
    """
    rule, period = rule_of(fast_optimizer), whole("sync_period", sync_period, 1)
    size = real("slow_step_size", slow_step_size, FRACTION)

    def init(params: PyTree) -> LookaheadState:
        return LookaheadState(fast_optimizer[0](params), COUNT, params)

    def meet(updates: PyTree, params: PyTree, fast_state: PyTree, slow: PyTree) -> Any:
        back = with_numbers(lambda size, u, p, s: size * (p + u - s) + (s - p), size)
        updates = each(back, updates, params, slow)
        if reset_state:
            fast_state = fast_optimizer[0](params)
        return updates, fast_state, apply_updates(params, updates)

    def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        updates, fast_state = rule(updates, state.fast_state, params, **extra)
        updates, fast_state, slow = cond(
            state.steps_since_sync == period - 1,
            meet,
            lambda updates, params, fast_state, slow: (updates, fast_state, slow),
            updates,
            params,
            fast_state,
            state.slow,
        )
        return updates, LookaheadState(fast_state, (state.steps_since_sync + 1) % period, slow)

    return transformation(init, update)


@boundary
def params_ema(
    inner: GradientTransformation, decay: Any, debias: bool = True
) -> GradientTransformation:
    """Keep an exponential moving average of the parameters that an optimizer arrives at.

    >>> from fgrad_nn.optimizers import apply_updates, sgd
    >>> opt = params_ema(sgd(1.0), 0.5)
    >>> params = [0.0]
    >>> state = opt.init(params)
    >>> for _ in range(2):
    ...     updates, state = opt.update([-3.0], state, params)
    ...     params = apply_updates(params, updates)
    >>> params, params_average(state)
    ([6.0], [5.0])

    Args:
        inner: the optimizer, with all that follows it before the updates are applied.
        decay: the weight of what came before.
        debias: begin the average at 0, and divide it by its weights; else it begins at the first
            parameters.
    """
    rule, decay = rule_of(inner), real("decay", decay, DECAY)

    def init(params: PyTree) -> ParamsEmaState:
        first = zeros(params) if debias else params
        return ParamsEmaState(first, np.float64(not debias), inner[0](params))

    def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        updates, inner_state = rule(updates, state.inner_state, params, **extra)
        average = moment(decay, state.ema, apply_updates(params, updates))
        weight = decay * state.weight + (1 - decay)
        return updates, ParamsEmaState(average, weight, inner_state)

    return transformation(init, update)


@boundary
def params_average(state: ParamsEmaState) -> PyTree:
    """The average of parameters in a state of :func:`params_ema`.

    Args:
        state: after at least one step.
    """
    return each(with_numbers(lambda weight, x: x / weight, state.weight), state.ema)


@boundary
def split_real_and_imaginary(inner: GradientTransformation) -> GradientTransformation:
    """Optimize complex parameters as pairs of real ones.

    >>> from fgrad_nn.optimizers import rprop
    >>> opt = split_real_and_imaginary(rprop(0.5))
    >>> opt.update([3.0 - 4.0j], opt.init([1.0j]), [1.0j])[0]
    [(-0.5-0.5j)]

    Args:
        inner: an optimizer, for real numbers.
    """
    rule = rule_of(inner)

    def split(x: Any) -> Any:
        return SplitParts(np.real(x), np.imag(x)) if is_complex(x) else x

    def join(update: Any, parts: Any) -> Any:
        return parts[0] + 1j * parts[1] if is_complex(update) else parts

    def init(params: PyTree) -> SplitRealAndImaginaryState:
        return SplitRealAndImaginaryState(inner[0](tree.map(split, params)))

    def update(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        # the gradient of x + iy is dx - i dy
        parts = tree.map(lambda g: split(conjugate(g)), updates)
        new, inner_state = rule(parts, state.inner_state, tree.map(split, params), **extra)
        return each(join, updates, new), SplitRealAndImaginaryState(inner_state)

    return transformation(init, update)


@boundary
def flatten(inner: GradientTransformation) -> GradientTransformation:
    """Give an optimizer all parameters as one vector: fewer, longer operations.

    >>> from fgrad_nn.optimizers import adam, sgd
    >>> opt = flatten(adam(0.1))
    >>> opt.init({"w": np.ones((2, 3)), "b": np.zeros(3)})[0].mu.shape
    (9,)

    It suits rules that work element by element; those that look at leaves (trust ratios, factored
    moments) see one leaf.

    Args:
        inner: the optimizer.
    """
    rule = rule_of(inner)

    def init(params: PyTree) -> PyTree:
        return inner[0](tree.ravel(params)[0])

    def update(updates: PyTree, state: PyTree, params: PyTree, **extra: Any) -> Any:
        vector, unravel = tree.ravel(updates)
        new, state = rule(vector, state, tree.ravel(params)[0], **extra)
        return unravel(new), state

    return transformation(init, update)
