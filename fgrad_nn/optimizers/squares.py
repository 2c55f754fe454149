"""Steps divided by the size that gradients had: RMSProp, Adagrad, Adadelta.

Arguments that they share: `decay` is that of the moving averages; `eps` keeps denominators from
being 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad.tracebacks import boundary

from .leaves import abs2, choose, correction, each_many, full, real_zeros, root, zeros
from .numbers import COUNT, DECAY, NOT_NEGATIVE, real, weak, with_numbers
from .records import GradientTransformation, PyTree, transformation


class ScaleByRssState(NamedTuple):
    """Sums of squares of gradients."""

    sum_of_squares: PyTree


class ScaleByRmsState(NamedTuple):
    """Steps made, means of squares of gradients."""

    count: Any
    nu: PyTree


class ScaleByStddevState(NamedTuple):
    """Steps made, means of gradients and of their squares."""

    count: Any
    mu: PyTree
    nu: PyTree


class ScaleByAdaDeltaState(NamedTuple):
    """Means of squares of gradients, and of updates."""

    e_g: PyTree
    e_x: PyTree


@boundary
def scale_by_rss(initial_accumulator_value: Any = 0.1, eps: Any = 1e-7) -> GradientTransformation:
    """Divide by the root of the sum of the squares of all gradients so far.

    >>> opt = scale_by_rss(0.0)
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> round(updates[0], 6)
    1.0

    Args:
        initial_accumulator_value: where the sums begin.
        eps: added under the root. Where the sum is 0 the update is 0.

    Source: Duchi, Hazan and Singer, Adaptive subgradient methods for online learning and
    stochastic optimization (2011), figure 1.
    """
    start = real("initial_accumulator_value", initial_accumulator_value, NOT_NEGATIVE)
    eps = real("eps", eps, NOT_NEGATIVE)

    def leaf(eps: Any, g: Any, total: Any) -> Any:
        total = total + abs2(g)
        return g / root(choose(total > 0, total + eps, 1.0)), total  # at 0, g is 0

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        updates, total = each_many(2, with_numbers(leaf, eps), updates, state.sum_of_squares)
        return updates, ScaleByRssState(total)

    return transformation(lambda params: ScaleByRssState(full(params, start)), rule)


@boundary
def scale_by_rms(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """Divide by the root of the moving average of the squares of gradients.

    >>> opt = scale_by_rms(0.75, eps=0.0)
    >>> opt.update([5.0], opt.init([1.0]), [1.0])[0]
    [2.0]

    Args:
        initial_scale: where the averages begin.
        eps_in_sqrt: whether eps is added under the root, or to the root.
        bias_correction: divide the averages by the sum of their weights.

    Source: Tieleman and Hinton, Neural networks for machine learning, lecture 6.5 (2012).
    """
    decay, eps = real("decay", decay, DECAY), real("eps", eps, NOT_NEGATIVE)
    start = real("initial_scale", initial_scale, NOT_NEGATIVE)

    def leaf(b: Any, a: Any, c: Any, eps: Any, g: Any, nu: Any) -> Any:
        nu = b * nu + a * abs2(g)
        mean = nu / c if bias_correction else nu
        return g / (root(mean + eps) if eps_in_sqrt else root(mean) + eps), nu

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        f = with_numbers(leaf, decay, 1 - decay, correction(decay, count), eps)
        updates, nu = each_many(2, f, updates, state.nu)
        return updates, ScaleByRmsState(count, nu)

    return transformation(lambda params: ScaleByRmsState(COUNT, full(params, start)), rule)


@boundary
def scale_by_stddev(
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    bias_correction: bool = False,
) -> GradientTransformation:
    """Divide by the standard deviation of gradients: `scale_by_rms`, centered.

    >>> opt = scale_by_stddev(0.5, eps=0.0)
    >>> opt.update([4.0], opt.init([1.0]), [1.0])[0]
    [2.0]

    Args:
        initial_scale, eps_in_sqrt, bias_correction: as for :func:`scale_by_rms`.

    Source: Graves, Generating sequences with recurrent neural networks (2013), section 4.2.
    """
    decay, eps = real("decay", decay, DECAY), real("eps", eps, NOT_NEGATIVE)
    start = real("initial_scale", initial_scale, NOT_NEGATIVE)

    def leaf(b: Any, a: Any, c: Any, eps: Any, g: Any, mu: Any, nu: Any) -> Any:
        mu, nu = b * mu + a * g, b * nu + a * abs2(g)
        mean, square = (mu / c, nu / c) if bias_correction else (mu, nu)
        variance = np.maximum(square - abs2(mean), 0.0)  # rounding may have made it negative
        return g / (root(variance + eps) if eps_in_sqrt else root(variance) + eps), mu, nu

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        f = with_numbers(leaf, decay, 1 - decay, correction(decay, count), eps)
        updates, mu, nu = each_many(3, f, updates, state.mu, state.nu)
        return updates, ScaleByStddevState(count, mu, nu)

    def init(params: PyTree) -> ScaleByStddevState:
        return ScaleByStddevState(COUNT, zeros(params), full(params, start))

    return transformation(init, rule)


@boundary
def scale_by_adadelta(rho: Any = 0.9, eps: Any = 1e-6) -> GradientTransformation:
    """Divide by the size of gradients and multiply by that of updates, so that units agree.

    >>> opt = scale_by_adadelta(0.0, eps=1.0)
    >>> opt.update([0.0], opt.init([1.0]), [1.0])[0]
    [0.0]

    Args:
        rho: the decay of both averages.
        eps: added under both roots.

    Source: Zeiler, Adadelta: an adaptive learning rate method (2012), algorithm 1.
    """
    rho, eps = real("rho", rho, DECAY), real("eps", eps, NOT_NEGATIVE)

    def leaf(b: Any, a: Any, eps: Any, g: Any, e_g: Any, e_x: Any) -> Any:
        e_g = b * e_g + a * abs2(g)
        step = root(e_x + eps) / root(e_g + eps) * g
        return step, e_g, b * e_x + a * abs2(step)

    f = with_numbers(leaf, rho, 1 - weak(rho), eps)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        updates, e_g, e_x = each_many(3, f, updates, state.e_g, state.e_x)
        return updates, ScaleByAdaDeltaState(e_g, e_x)

    def init(params: PyTree) -> ScaleByAdaDeltaState:
        return ScaleByAdaDeltaState(real_zeros(params), real_zeros(params))

    return transformation(init, rule)
