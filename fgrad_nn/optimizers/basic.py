"""Optimizers made of gradients, signs and momentum.

What all of them share: `learning_rate` is a number, a schedule, or a dict of these by patterns of
the parameters' paths, as for :func:`scale_by_learning_rate`. A bad number is an `ArgumentError`,
and `update` raises a `TreeError`, `ShapeError` or `DtypeError` where gradients don't match the
parameters.
"""

from __future__ import annotations

from typing import Any

from fgrad.tracebacks import boundary

from .accumulating import ema, scale_by_optimistic_gradient, trace
from .adding import add_decayed_weights, add_noise
from .combining import chain
from .masking import Mask, masked
from .numbers import NOT_NEGATIVE, real_or_schedule
from .records import GradientTransformation
from .scaling import (
    Rate,
    scale_by_learning_rate,
    scale_by_polyak,
    scale_by_sign,
    scale_by_trust_ratio,
)
from .shapes import scale_by_novograd, scale_by_sm3
from .signs import scale_by_lion, scale_by_rprop


@boundary
def sgd(
    learning_rate: Rate, momentum: Any = None, nesterov: bool = False
) -> GradientTransformation:
    """Stochastic gradient descent: each parameter moves by -learning_rate * gradient.

    >>> import numpy as np
    >>> from fgrad_nn.optimizers import apply_updates
    >>> params = {"w": np.array([1.0, 2.0]), "b": 0.5}
    >>> grads = {"w": np.array([10.0, -10.0]), "b": 1.0}
    >>> opt = sgd(0.1)
    >>> updates, state = opt.update(grads, opt.init(params), params)
    >>> apply_updates(params, updates)
    {'w': array([0., 3.]), 'b': 0.4}

    Args:
        momentum: the discount of the sum of gradients that takes the place of the gradient, at
            least 0 and less than 1; None for plain gradients.
        nesterov: look one step ahead with the momentum.

    Source: as for :func:`trace`.
    """
    down = scale_by_learning_rate(learning_rate)
    return down if momentum is None else chain(trace(momentum, nesterov), down)


@boundary
def noisy_sgd(
    learning_rate: Rate, eta: Any = 0.01, gamma: Any = 0.55, *, key: Any
) -> GradientTransformation:
    """Gradient descent with normal noise of variance eta / step**gamma on the gradients.

    >>> from fgrad import random
    >>> opt = noisy_sgd(0.1, key=random.key(0))
    >>> updates, state = opt.update([1.0], opt.init([1.0]), [1.0])
    >>> bool(abs(updates[0] + 0.1) < 0.05)
    True

    Args:
        eta, gamma, key: as for :func:`add_noise`.
    """
    return chain(add_noise(eta, gamma, key), scale_by_learning_rate(learning_rate))


@boundary
def sign_sgd(learning_rate: Rate) -> GradientTransformation:
    """Move each element by the learning rate, against the sign of its gradient.

    >>> opt = sign_sgd(0.5)
    >>> opt.update([-4.0], opt.init([1.0]), [1.0])[0]
    [0.5]

    Source: Bernstein et al., signSGD: compressed optimisation for non-convex problems (2018).
    """
    return chain(scale_by_sign(), scale_by_learning_rate(learning_rate))


@boundary
def signum(learning_rate: Rate, beta: Any = 0.9) -> GradientTransformation:
    """Like `sign_sgd`, with the sign of the moving average of gradients.

    >>> opt = signum(0.5)
    >>> opt.update([-4.0], opt.init([1.0]), [1.0])[0]
    [0.5]

    Args:
        beta: the decay of the average.

    Source: as for :func:`sign_sgd`, algorithm 2.
    """
    return chain(ema(beta, debias=False), scale_by_sign(), scale_by_learning_rate(learning_rate))


@boundary
def lion(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.99,
    weight_decay: Any = 1e-3,
    mask: Mask = None,
) -> GradientTransformation:
    """Lion: the sign of a mean of gradients, with decoupled weight decay.

    >>> opt = lion(0.5, weight_decay=0.0)
    >>> opt.update([-4.0], opt.init([1.0]), [1.0])[0]
    [0.5]

    Its steps are longer than Adam's: take a third to a tenth of Adam's learning rate.

    Args:
        b1, b2: as for :func:`scale_by_lion`.
        weight_decay, mask: as for :func:`add_decayed_weights`.

    Source: as for :func:`scale_by_lion`.
    """
    return chain(
        scale_by_lion(b1, b2),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def lars(
    learning_rate: Rate,
    weight_decay: Any = 0.0,
    weight_decay_mask: Mask = True,
    trust_coefficient: Any = 1e-3,
    eps: Any = 0.0,
    trust_ratio_mask: Mask = True,
    momentum: Any = 0.9,
    nesterov: bool = False,
) -> GradientTransformation:
    """LARS: momentum, with updates in proportion to the norm of each leaf.

    >>> opt = lars(1.0, trust_coefficient=0.5)
    >>> opt.update([-4.0], opt.init([2.0]), [2.0])[0]
    [1.0]

    Args:
        weight_decay, weight_decay_mask: as for :func:`add_decayed_weights`.
        trust_coefficient, eps: as for :func:`scale_by_trust_ratio`.
        trust_ratio_mask: which parameters' updates get that proportion.
        momentum, nesterov: as for :func:`trace`.

    Source: You, Gitman and Ginsburg, Large batch training of convolutional networks (2017).
    """
    return chain(
        add_decayed_weights(weight_decay, weight_decay_mask),
        masked(
            scale_by_trust_ratio(trust_coefficient=trust_coefficient, eps=eps), trust_ratio_mask
        ),
        scale_by_learning_rate(learning_rate),
        trace(momentum, nesterov),
    )


@boundary
def fromage(learning_rate: Any, min_norm: Any = 1e-6) -> GradientTransformation:
    """Fromage: updates in proportion to the norm of each leaf, which then shrinks back.

    >>> opt = fromage(0.75)
    >>> round(opt.update([-4.0], opt.init([2.0]), [2.0])[0][0], 6)
    0.8

    Args:
        learning_rate: a number or a schedule.
        min_norm: the least norm of a leaf and its gradient.

    Source: Bernstein et al., On the distance between two neural networks and the stability of
    learning (2020), algorithm 1.
    """
    rate = real_or_schedule("A learning rate", learning_rate, NOT_NEGATIVE)

    def shrink(rate: Any) -> Any:
        return 1 / (1 + rate * rate) ** 0.5

    if callable(rate):
        step, decay = lambda c: rate(c) * shrink(rate(c)), lambda c: 1 - shrink(rate(c))
    else:
        step, decay = rate * shrink(rate), 1 - shrink(rate)
    return chain(
        scale_by_trust_ratio(min_norm),
        scale_by_learning_rate(step, flip_sign=False),
        add_decayed_weights(decay),
        scale_by_learning_rate(1.0),
    )


@boundary
def novograd(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.25,
    eps: Any = 1e-6,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
) -> GradientTransformation:
    """NovoGrad: gradients divided by a mean of the norms of their leaves, with momentum.

    >>> opt = novograd(0.5, eps=0.0)
    >>> opt.update([-4.0], opt.init([1.0]), [1.0])[0]
    [0.5]

    Args:
        b1, b2, eps, eps_root, weight_decay: as for :func:`scale_by_novograd`.

    Source: as for :func:`scale_by_novograd`.
    """
    return chain(
        scale_by_novograd(b1, b2, eps, eps_root, weight_decay),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def sm3(learning_rate: Rate, momentum: Any = 0.9) -> GradientTransformation:
    """SM3: Adagrad in memory for rows and columns only.

    >>> opt = sm3(0.5, momentum=0.0)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.5

    Args:
        momentum: the decay of the mean of updates.

    Source: as for :func:`scale_by_sm3`.
    """
    return chain(scale_by_sm3(momentum), scale_by_learning_rate(learning_rate))


@boundary
def rprop(
    learning_rate: Any,
    eta_minus: Any = 0.5,
    eta_plus: Any = 1.2,
    min_step_size: Any = 1e-6,
    max_step_size: Any = 50.0,
) -> GradientTransformation:
    """Rprop: for whole gradients; a step size for each element, from the signs of its gradient.

    >>> opt = rprop(0.5)
    >>> opt.update([-4.0], opt.init([1.0]), [1.0])[0]
    [0.5]

    Args:
        learning_rate: the first step size, a number.
        eta_minus, eta_plus, min_step_size, max_step_size: as for :func:`scale_by_rprop`.

    Source: as for :func:`scale_by_rprop`.
    """
    return chain(
        scale_by_rprop(learning_rate, eta_minus, eta_plus, min_step_size, max_step_size),
        scale_by_learning_rate(1.0),
    )


@boundary
def optimistic_gradient_descent(
    learning_rate: Rate, alpha: Any = 1.0, beta: Any = 1.0
) -> GradientTransformation:
    """Gradient descent that expects the gradient to change again as it just has; for games.

    >>> opt = optimistic_gradient_descent(0.5)
    >>> opt.update([-4.0], opt.init([1.0]), [1.0])[0]
    [2.0]

    Args:
        alpha, beta: as for :func:`scale_by_optimistic_gradient`.

    Source: as for :func:`scale_by_optimistic_gradient`.
    """
    return chain(scale_by_optimistic_gradient(alpha, beta), scale_by_learning_rate(learning_rate))


@boundary
def polyak_sgd(
    max_learning_rate: Any = 1.0,
    scaling: Rate = 1.0,
    f_min: Any = 0.0,
    eps: Any = 0.0,
    variant: str = "sps",
) -> GradientTransformation:
    """Gradient descent with the step of Polyak: as long as the value is far from the least one.

    >>> opt = polyak_sgd()
    >>> opt.update([4.0], opt.init([2.0]), [2.0], value=4.0)[0]
    [-1.0]

    Args:
        scaling: a factor of the steps, a number or a schedule.
        max_learning_rate, f_min, eps, variant: as for :func:`scale_by_polyak`.

    Returns:
        A transformation whose `update` wants `value=`.

    Source: as for :func:`scale_by_polyak`.
    """
    return chain(sgd(scaling), scale_by_polyak(f_min, max_learning_rate, eps, variant))
