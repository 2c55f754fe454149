"""Adam and its family: averages of gradients, divided by the root of averages of their squares.

Arguments that they share: `b1` and `b2` are the decays of the first and the second average;
`eps` is added to the root, `eps_root` under it. The states have a tree of the parameters' dtype
for each average; second moments of complex parameters are real.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad.tracebacks import boundary

from .leaves import abs2, choose, correction, each, each_many, full, moment, real_zeros, root, zeros
from .numbers import (
    COUNT,
    DECAY,
    INSIDE,
    MORE_THAN_4,
    NOT_NEGATIVE,
    is_zero,
    real,
    weak,
    with_numbers,
)
from .records import GradientTransformation, PyTree, transformation


class ScaleByAdamState(NamedTuple):
    """Steps made, first moments, second moments."""

    count: Any
    mu: PyTree
    nu: PyTree


class ScaleByAmsgradState(NamedTuple):
    """Steps made, first moments, second moments, and the greatest of these so far."""

    count: Any
    mu: PyTree
    nu: PyTree
    nu_max: PyTree


class ScaleByAdanState(NamedTuple):
    """Averages of gradients, their differences, squares; the last gradient; steps made."""

    m: PyTree
    v: PyTree
    n: PyTree
    g: PyTree
    t: Any


def _two_moments(params: PyTree) -> ScaleByAdamState:
    return ScaleByAdamState(COUNT, zeros(params), real_zeros(params))


def _checked(b1: Any, b2: Any, eps: Any, eps_root: Any = 0.0) -> tuple[Any, Any, Any, Any]:
    return (
        real("b1", b1, DECAY),
        real("b2", b2, DECAY),
        real("eps", eps, NOT_NEGATIVE),
        real("eps_root", eps_root, NOT_NEGATIVE),
    )


def _ahead(nesterov: bool, b1: Any, count: Any) -> tuple[Any, Any]:
    """Weights of moment and gradient in the corrected first moment.

    With Nesterov's look ahead: Dozat, Incorporating Nesterov momentum into Adam (2016).
    """
    if not nesterov:
        return 1 / correction(b1, count), 0.0
    return weak(b1) / correction(b1, count + 1), (1 - weak(b1)) / correction(b1, count)


@boundary
def scale_by_adam(
    b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8, eps_root: Any = 0.0, *, nesterov: bool = False
) -> GradientTransformation:
    """Divide the mean of gradients by the root of the mean of their squares.

    >>> opt = scale_by_adam()
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> round(updates[0], 6), state.count
    (1.0, np.int64(1))

    Args:
        nesterov: look one step ahead, as Dozat (2016) does.

    Source: Kingma and Ba, Adam: a method for stochastic optimization (2015), algorithm 1.
    """
    b1, b2, eps, eps_root = _checked(b1, b2, eps, eps_root)

    def leaf(
        b1: Any, a1: Any, b2: Any, a2: Any, m1: Any, g1: Any, k: Any, e: Any, r: Any,
        g: Any, mu: Any, nu: Any,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        mu = b1 * mu + a1 * g
        nu = b2 * nu + a2 * abs2(g)
        top = m1 * mu + g1 * g if nesterov else mu
        under = nu if is_zero(r) else nu + r
        return top / (root(under) * k + e), mu, nu

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        # mu/c1 / (sqrt(nu/c2 + eps_root) + eps), with the corrections c1, c2 drawn out of the
        # arrays: a small array's cost is the number of operations on it
        count = state.count + 1
        c2 = correction(b2, count)
        m1, g1 = _ahead(nesterov, b1, count)
        unit = 1.0 if nesterov else 1 / m1
        r = 0.0 if is_zero(eps_root) else eps_root * c2
        f = with_numbers(leaf, b1, 1 - b1, b2, 1 - b2, m1, g1, unit / c2**0.5, eps * unit, r)
        updates, mu, nu = each_many(3, f, updates, state.mu, state.nu)
        return updates, ScaleByAdamState(count, mu, nu)

    return transformation(_two_moments, rule)


@boundary
def scale_by_amsgrad(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformation:
    """Adam that divides by the greatest second moment so far, so steps don't grow again.

    >>> opt = scale_by_amsgrad()
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> round(updates[0], 6)
    1.0

    Args:
        bias_correction_mu, bias_correction_nu: whether to correct the moments for having begun
            at 0; the second one before the greatest is taken, as optax does.

    Source: Reddi, Kale and Kumar, On the convergence of Adam and beyond (2018), algorithm 2.
    """
    b1, b2, eps, eps_root = _checked(b1, b2, eps, eps_root)

    def leaf(c1: Any, c2: Any, eps: Any, eps_root: Any, mu: Any, nu: Any, top: Any) -> Any:
        top = np.maximum(top, nu / c2)
        return (mu / c1) / (root(top + eps_root) + eps), top

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        mu = moment(b1, state.mu, updates)
        nu = moment(b2, state.nu, each(abs2, updates))
        c1 = correction(b1, count) if bias_correction_mu else 1.0
        c2 = correction(b2, count) if bias_correction_nu else 1.0
        f = with_numbers(leaf, c1, c2, eps, eps_root)
        updates, nu_max = each_many(2, f, mu, nu, state.nu_max)
        return updates, ScaleByAmsgradState(count, mu, nu, nu_max)

    def init(params: PyTree) -> ScaleByAmsgradState:
        return ScaleByAmsgradState(COUNT, zeros(params), real_zeros(params), real_zeros(params))

    return transformation(init, rule)


@boundary
def scale_by_adamax(b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8) -> GradientTransformation:
    """Divide the mean of gradients by the greatest, discounted absolute value so far.

    >>> opt = scale_by_adamax()
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> round(updates[0], 6)
    1.0

    Args:
        eps: added to the absolute value of each gradient.

    Source: Kingma and Ba, Adam: a method for stochastic optimization (2015), algorithm 2.
    """
    b1, b2, eps, _ = _checked(b1, b2, eps)

    def leaf(b1: Any, a1: Any, b2: Any, c1: Any, eps: Any, g: Any, mu: Any, nu: Any) -> Any:
        mu, nu = b1 * mu + a1 * g, np.maximum(np.abs(g) + eps, b2 * nu)
        return mu / c1 / nu, mu, nu

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        f = with_numbers(leaf, b1, 1 - b1, b2, correction(b1, count), eps)
        updates, mu, nu = each_many(3, f, updates, state.mu, state.nu)
        return updates, ScaleByAdamState(count, mu, nu)

    return transformation(_two_moments, rule)


@boundary
def scale_by_belief(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-16,
    eps_root: Any = 1e-16,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam whose second moment is that of the gradient's distance from its mean.

    >>> opt = scale_by_belief()
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> round(updates[0], 6)
    1.111111

    Args:
        eps_root: added to the second moment at each step, as the paper has it.
        nesterov: look one step ahead.

    Source: Zhuang et al., AdaBelief optimizer (2020), algorithm 2.
    """
    b1, b2, eps, eps_root = _checked(b1, b2, eps, eps_root)

    def leaf(
        b1: Any, a1: Any, b2: Any, a2: Any, m1: Any, g1: Any, c2: Any, eps: Any, eps_root: Any,
        g: Any, mu: Any, nu: Any,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        mu = b1 * mu + a1 * g
        nu = b2 * nu + a2 * abs2(g - mu) + eps_root
        top = m1 * mu + g1 * g if nesterov else m1 * mu
        return top / (root(nu / c2) + eps), mu, nu

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        weights = (*_ahead(nesterov, b1, count), correction(b2, count))
        f = with_numbers(leaf, b1, 1 - b1, b2, 1 - b2, *weights, eps, eps_root)
        updates, mu, nu = each_many(3, f, updates, state.mu, state.nu)
        return updates, ScaleByAdamState(count, mu, nu)

    return transformation(_two_moments, rule)


@boundary
def scale_by_yogi(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-3,
    eps_root: Any = 0.0,
    initial_accumulator_value: Any = 1e-6,
) -> GradientTransformation:
    """Adam whose second moment moves by a bounded amount, whatever it was.

    >>> opt = scale_by_yogi()
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> round(updates[0], 6)
    0.999782

    Args:
        initial_accumulator_value: where both moments begin.

    Source: Zaheer et al., Adaptive methods for nonconvex optimization (2018), algorithm 2.
    """
    b1, b2, eps, eps_root = _checked(b1, b2, eps, eps_root)
    start = real("initial_accumulator_value", initial_accumulator_value, NOT_NEGATIVE)

    def leaf(
        b1: Any, a1: Any, a2: Any, c1: Any, c2: Any, eps: Any, eps_root: Any,
        g: Any, mu: Any, nu: Any,
    ) -> tuple[Any, Any, Any]:  # fmt: skip
        squares = abs2(g)
        mu, nu = b1 * mu + a1 * g, nu - a2 * np.sign(nu - squares) * squares
        return (mu / c1) / (root(nu / c2 + eps_root) + eps), mu, nu

    def init(params: PyTree) -> ScaleByAdamState:
        moments = zeros(params), full(params, start)
        return ScaleByAdamState(COUNT, each(lambda z, x: z + x, *moments), moments[1])

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        corrections = correction(b1, count), correction(b2, count)
        f = with_numbers(leaf, b1, 1 - b1, 1 - b2, *corrections, eps, eps_root)
        updates, mu, nu = each_many(3, f, updates, state.mu, state.nu)
        return updates, ScaleByAdamState(count, mu, nu)

    return transformation(init, rule)


@boundary
def scale_by_radam(
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam that begins as momentum, until its second moment can be relied on.

    >>> opt = scale_by_radam()
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> round(updates[0], 6)
    5.0

    Args:
        threshold: the length of the average from which on it divides by the second moment; more
            than 4, for only then is the variance of that known.
        nesterov: look one step ahead.

    Source: Liu et al., On the variance of the adaptive learning rate and beyond (2020),
    algorithm 2.
    """
    b1, b2, eps, eps_root = _checked(b1, b2, eps, eps_root)
    b2 = real("b2 of radam", b2, INSIDE)
    threshold = real("threshold", threshold, MORE_THAN_4)
    longest = 2 / (1 - b2) - 1

    def leaf(
        m1: Any, g1: Any, c2: Any, scale: Any, steady: Any, eps: Any, eps_root: Any,
        g: Any, mu: Any, nu: Any,
    ) -> Any:  # fmt: skip
        top = m1 * mu + g1 * g if nesterov else m1 * mu
        return top * (steady * scale / (root(nu / c2 + eps_root) + eps) + (1 - steady))

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        mu = moment(b1, state.mu, updates)
        nu = moment(b2, state.nu, each(abs2, updates))
        c2 = correction(b2, count)
        length = longest - 2 * count * (1 - c2) / c2
        steady = length >= threshold
        top = choose(longest > 4, longest, 6.0)  # else it is never steady; 6 keeps the root real
        known = choose(steady, length, top)
        scale = root((known - 4) * (known - 2) * top / ((top - 4) * (top - 2) * known))
        weights = (*_ahead(nesterov, b1, count), c2, scale, choose(steady, 1.0, 0.0))
        f = with_numbers(leaf, *weights, eps, eps_root)
        return each(f, updates, mu, nu), ScaleByAdamState(count, mu, nu)

    return transformation(_two_moments, rule)


@boundary
def scale_by_adan(
    b1: Any = 0.98, b2: Any = 0.92, b3: Any = 0.99, eps: Any = 1e-8, eps_root: Any = 0.0
) -> GradientTransformation:
    """Adam with a mean of the differences of gradients, which looks ahead as Nesterov does.

    >>> opt = scale_by_adan()
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> round(updates[0], 6)
    1.0

    Args:
        b2: the decay of the mean of differences.
        b3: the decay of the second moment.

    Source: Xie et al., Adan: adaptive Nesterov momentum algorithm (2022), algorithm 1.
    """
    b1, b2, eps, eps_root = _checked(b1, b2, eps, eps_root)
    b3 = real("b3", b3, DECAY)

    def leaf(
        b1: Any, b2: Any, b3: Any, c1: Any, c2: Any, c3: Any, later: Any, eps: Any, eps_root: Any,
        g: Any, m: Any, v: Any, n: Any, last: Any,
    ) -> tuple[Any, Any, Any, Any]:  # fmt: skip
        step = later * (g - last)  # the first gradient has no difference
        m, v = b1 * m + (1 - b1) * g, b2 * v + (1 - b2) * step
        n = b3 * n + (1 - b3) * abs2(g + (1 - b2) * step)
        return (m / c1 + (1 - b2) * (v / c2)) / (root(n / c3 + eps_root) + eps), m, v, n

    def init(params: PyTree) -> ScaleByAdanState:
        return ScaleByAdanState(
            zeros(params), zeros(params), real_zeros(params), zeros(params), COUNT
        )

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        t = state.t + 1
        corrections = (correction(b, t) for b in (b1, b2, b3))
        later = choose(t > 1, 1.0, 0.0)
        f = with_numbers(leaf, b1, b2, b3, *corrections, later, eps, eps_root)
        new, m, v, n = each_many(4, f, updates, state.m, state.v, state.n, state.g)
        return new, ScaleByAdanState(m, v, n, updates, t)

    return transformation(init, rule)
