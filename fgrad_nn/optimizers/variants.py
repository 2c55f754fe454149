"""Later relatives of Adam: AdEMAMix, ADOPT, and Sophia, which asks for curvature.

What they share is said at the top of the other optimizers: `learning_rate` may be a number, a
schedule or a dict by patterns of paths; `b1` and `b2` are decays of moving averages; `eps` keeps
denominators from being 0; `weight_decay` and `mask` are as for :func:`add_decayed_weights`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fgrad import cond, hvp, random, tree
from fgrad.arrays import is_a
from fgrad.tracebacks import boundary

from ..masks import beside
from .adding import add_decayed_weights, keys_for
from .combining import chain
from .leaves import abs2, choose, correction, each, each_many, moment, real_zeros, root, zeros
from .linesearch import target
from .masking import Mask
from .moments import ScaleByAdamState
from .numbers import (
    COUNT,
    DECAY,
    NOT_NEGATIVE,
    POSITIVE,
    real,
    real_or_schedule,
    weak,
    whole,
    with_numbers,
)
from .records import GradientTransformation, PyTree, dtype_of, shape_of, transformation
from .scaling import Rate, scale_by_learning_rate, scheduled
from .shapes import no_complex


class ScaleByAdemamixState(NamedTuple):
    """Steps made, the fast and the slow mean of gradients, the mean of squares."""

    count: Any
    m1: PyTree
    m2: PyTree
    nu: PyTree


class ScaleBySophiaState(NamedTuple):
    """Steps made, the mean of gradients, that of the Hessian's diagonal, the next key."""

    count: Any
    mu: PyTree
    nu: PyTree
    rng_key: Any


@boundary
def scale_by_ademamix(
    b1: Any = 0.9,
    b2: Any = 0.999,
    b3: Any = 0.9999,
    alpha: Any = 6.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
) -> GradientTransformation:
    """Adam with a second, slow mean of gradients.

    >>> opt = scale_by_ademamix()
    >>> updates, state = opt.update([5.0], opt.init([1.0]), [1.0])
    >>> round(updates[0], 6)
    1.0006

    Args:
        b3: the decay of the slow mean, a number or a schedule.
        alpha: its weight, a number or a schedule.
        eps_root: added under the root.

    Source: Pagliardini, Ablin and Grangier, The AdEMAMix optimizer: better, faster, older (2024),
    algorithm 1.
    """
    b1, b2 = real("b1", b1, DECAY), real("b2", b2, DECAY)
    b3, alpha = real_or_schedule("b3", b3, DECAY), real_or_schedule("alpha", alpha, NOT_NEGATIVE)
    eps, eps_root = real("eps", eps, NOT_NEGATIVE), real("eps_root", eps_root, NOT_NEGATIVE)

    def leaf(
        c1: Any, c2: Any, alpha: Any, eps: Any, eps_root: Any, m1: Any, m2: Any, nu: Any
    ) -> Any:
        return (m1 / c1 + alpha * m2) / (root(nu / c2 + eps_root) + eps)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        count = state.count + 1
        slow, weight = (scheduled(x, state.count) if callable(x) else x for x in (b3, alpha))
        m1 = moment(b1, state.m1, updates)
        m2 = moment(slow, state.m2, updates)
        nu = moment(b2, state.nu, each(abs2, updates))
        f = with_numbers(leaf, correction(b1, count), correction(b2, count), weight, eps, eps_root)
        return each(f, m1, m2, nu), ScaleByAdemamixState(count, m1, m2, nu)

    def init(params: PyTree) -> ScaleByAdemamixState:
        return ScaleByAdemamixState(COUNT, zeros(params), zeros(params), real_zeros(params))

    return transformation(init, rule)


@boundary
def ademamix(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    b3: Any = 0.9999,
    alpha: Any = 5.0,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """AdEMAMix: AdamW with a second, slow mean of gradients.

    >>> opt = ademamix(0.5)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.50025

    Args:
        b3, alpha, eps_root: as for :func:`scale_by_ademamix`.

    Source: as for :func:`scale_by_ademamix`.
    """
    return chain(
        scale_by_ademamix(b1, b2, b3, alpha, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def scale_by_adopt(
    b1: Any = 0.9,
    b2: Any = 0.9999,
    eps: Any = 1e-6,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
) -> GradientTransformation:
    """Divide by the mean of squares before this gradient, then take the mean: converges for any b2.

    >>> opt = scale_by_adopt(b1=0.0, use_clipping=False)
    >>> state = opt.init([1.0])
    >>> first, state = opt.update([5.0], state, [1.0])
    >>> first, opt.update([10.0], state, [1.0])[0]  # the first gradient only gives the squares
    ([0.0], [2.0])

    Args:
        eps: the least root that is divided by.
        nesterov: look one step ahead.
        use_clipping: clip what is divided to +-steps**0.25.

    Source: Taniguchi et al., ADOPT: modified Adam can converge with any beta2 with the optimal
    rate (2024), algorithms 1 and 2.
    """
    b1, b2, eps = real("b1", b1, DECAY), real("b2", b2, DECAY), real("eps", eps, POSITIVE)

    def leaf(
        b1: Any, b2: Any, later: Any, limit: Any, eps: Any, g: Any, mu: Any, nu: Any
    ) -> tuple[Any, Any, Any]:
        step = later * g / np.maximum(root(nu), eps)
        if use_clipping:
            step = step / np.maximum(np.abs(step) / limit, 1.0)
        mu = b1 * mu + (1 - b1) * step
        keep = later * b2
        return b1 * mu + (1 - b1) * step if nesterov else mu, mu, keep * nu + (1 - keep) * abs2(g)

    def rule(updates: PyTree, state: Any, params: PyTree, **extra: Any) -> Any:
        later = choose(state.count > 0, 1.0, 0.0)
        limit = np.maximum(state.count, 1) ** 0.25
        f = with_numbers(leaf, b1, b2, later, limit, eps)
        updates, mu, nu = each_many(3, f, updates, state.mu, state.nu)
        return updates, ScaleByAdamState(state.count + 1, mu, nu)

    def init(params: PyTree) -> ScaleByAdamState:
        return ScaleByAdamState(COUNT, zeros(params), real_zeros(params))

    return transformation(init, rule)


@boundary
def adopt(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.9999,
    eps: Any = 1e-6,
    *,
    nesterov: bool = False,
    use_clipping: bool = True,
) -> GradientTransformation:
    """ADOPT: Adam that divides by the mean of squares before this gradient.

    >>> opt = adopt(0.5)
    >>> opt.update([-4.0], opt.init([1.0]), [1.0])[0]
    [-0.0]

    Args:
        nesterov, use_clipping: as for :func:`scale_by_adopt`.

    Source: as for :func:`scale_by_adopt`.
    """
    return chain(
        scale_by_adopt(b1, b2, eps, nesterov=nesterov, use_clipping=use_clipping),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def scale_by_sophia(
    b1: Any = 0.965,
    b2: Any = 0.99,
    eps: Any = 1e-8,
    gamma: Any = 0.01,
    clip_threshold: Any = 1.0,
    update_interval: int = 10,
    key: Any = 0,
) -> GradientTransformation:
    """Divide by the diagonal of the Hessian, which is estimated now and then; clip.

    >>> f = lambda x: np.sum(np.array([1.0, 100.0]) * x**2)
    >>> opt = scale_by_sophia(b1=0.0, b2=0.0, gamma=1.0)
    >>> x = np.array([0.1, 0.1])
    >>> opt.update(np.array([2.0, 200.0]) * x, opt.init(x), x, value_fn=f)[0]
    array([0.1, 0.1])

    Args:
        b2: the decay of the mean of estimates.
        eps: the least denominator.
        gamma: what the mean of estimates is multiplied by.
        clip_threshold: the greatest absolute value of an update; None for any.
        update_interval: how many steps pass from one estimate to the next.
        key: a key of `fgrad.random`, or an integer to make one of.

    Returns:
        A transformation whose `update` wants `value_fn=`, the function of the parameters; other
        keyword arguments go to it if it has arguments of these names.

    Raises:
        DtypeError: from `init`, a parameter is complex.
        ArgumentError: from `update`, `value_fn` is missing.

    Source: Liu et al., Sophia: a scalable stochastic second-order optimizer for language model
    pre-training (2023), algorithms 1 and 3. The estimate is used in the step that makes it, and
    the mean of gradients isn't corrected, as there; optax does otherwise in both.
    """
    b1, b2 = real("b1", b1, DECAY), real("b2", b2, DECAY)
    eps, gamma = real("eps", eps, POSITIVE), real("gamma", gamma, POSITIVE)
    limit = None if clip_threshold is None else real("clip_threshold", clip_threshold, POSITIVE)
    interval = whole("update_interval", update_interval, 1)
    key = random.key(key) if is_a(key, (int, np.integer)) else key

    def init(params: PyTree) -> ScaleBySophiaState:
        no_complex("sophia", params)
        return ScaleBySophiaState(COUNT, zeros(params), zeros(params), key)

    def sign(p: Any, key: Any) -> Any:
        signs = beside(random.rademacher(key, shape_of(p), dtype_of(p)), p)
        return float(signs) if type(p) is float else signs

    def leaf(gamma: Any, eps: Any, m: Any, h: Any) -> Any:
        return m / np.maximum(gamma * h, eps)

    def rule(
        updates: PyTree, state: Any, params: PyTree, *, value_fn: Any = None, **extra: Any
    ) -> Any:
        f = target("sophia", value_fn, extra)

        def estimate(params: PyTree, nu: PyTree, key: Any) -> Any:
            following, here = random.split(key)
            if not tree.leaves(params):
                return nu, following  # a function of nothing has no Hessian
            signs = tree.map(sign, params, keys_for(here, params))
            product = hvp(f, (params,), (signs,))
            return moment(b2, nu, each(np.multiply, product, signs)), following

        nu, following = cond(
            state.count % interval == 0,
            estimate,
            lambda params, nu, key: (nu, key),
            params,
            state.nu,
            state.rng_key,
        )
        mu = moment(b1, state.mu, updates)
        new = each(with_numbers(leaf, gamma, eps), mu, nu)
        if limit is not None:
            new = each(with_numbers(lambda t, u: np.clip(u, -t, t), weak(limit)), new)
        return new, ScaleBySophiaState(state.count + 1, mu, nu, following)

    return transformation(init, rule)


@boundary
def sophia(
    learning_rate: Rate,
    b1: Any = 0.965,
    b2: Any = 0.99,
    eps: Any = 1e-8,
    weight_decay: Any = 1e-4,
    mask: Mask = None,
    gamma: Any = 0.01,
    clip_threshold: Any = 1.0,
    update_interval: int = 10,
    key: Any = 0,
) -> GradientTransformation:
    """Sophia: gradients divided by an estimate of the Hessian's diagonal, and clipped.

    >>> opt = sophia(0.5, weight_decay=0.0)
    >>> opt.update([-4.0], opt.init([1.0]), [1.0], value_fn=lambda p: (p[0] - 3.0) ** 2)[0]
    [0.5]

    Args:
        gamma, clip_threshold, update_interval, key: as for :func:`scale_by_sophia`.

    Returns:
        A transformation whose `update` wants `value_fn=`.

    Source: as for :func:`scale_by_sophia`.
    """
    return chain(
        scale_by_sophia(b1, b2, eps, gamma, clip_threshold, update_interval, key),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )
