"""Optimizers that divide gradients by the size they had.

What all of them share: `learning_rate` is a number, a schedule, or a dict of these by patterns of
the parameters' paths, as for :func:`scale_by_learning_rate`; `b1` and `b2` are the decays of the
means of gradients and of their squares; `eps` is added to the root, and `eps_root` under it;
`weight_decay` and `mask` are as for :func:`add_decayed_weights`. A bad number is an
`ArgumentError`, and `update` raises a `TreeError`, `ShapeError` or `DtypeError` where gradients
don't match the parameters.
"""

from __future__ import annotations

from typing import Any

from fgrad.tracebacks import boundary

from .accumulating import scale_by_optimistic_gradient
from .adding import add_decayed_weights
from .combining import chain
from .masking import Mask
from .moments import (
    scale_by_adam,
    scale_by_adamax,
    scale_by_adan,
    scale_by_amsgrad,
    scale_by_belief,
    scale_by_radam,
    scale_by_yogi,
)
from .records import GradientTransformation
from .scaling import (
    Rate,
    scale_by_learning_rate,
    scale_by_trust_ratio,
)


@boundary
def adam(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """Adam: the mean of gradients, divided by the root of the mean of their squares.

    >>> opt = adam({"*.bias": 0.5, "*": lambda count: 1.0 / (1 + count)})
    >>> params = {"w": 1.0, "bias": 1.0}
    >>> updates, state = opt.update({"w": -4.0, "bias": 4.0}, opt.init(params), params)
    >>> {name: round(u, 6) for name, u in updates.items()}
    {'w': 1.0, 'bias': -0.5}

    Args:
        nesterov: look one step ahead.

    Source: Kingma and Ba, Adam: a method for stochastic optimization (2015), algorithm 1.
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, nesterov=nesterov),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def nadam(
    learning_rate: Rate, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8, eps_root: Any = 0.0
) -> GradientTransformation:
    """NAdam: Adam that looks one step ahead, as Nesterov's momentum does.

    >>> opt = nadam(0.5)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.736842

    Source: Dozat, Incorporating Nesterov momentum into Adam (2016).
    """
    return adam(learning_rate, b1, b2, eps, eps_root, nesterov=True)


@boundary
def adamw(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 1e-4,
    mask: Mask = None,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """AdamW: Adam with weight decay that isn't divided by the size of gradients.

    >>> opt = adamw(0.5, weight_decay=0.1, mask={"w": True, "b": False})
    >>> params = {"w": 1.0, "b": 1.0}
    >>> updates, state = opt.update({"w": -4.0, "b": -4.0}, opt.init(params), params)
    >>> {name: round(u, 6) for name, u in updates.items()}
    {'w': 0.45, 'b': 0.5}

    The decay is multiplied by the learning rate, as in PyTorch and optax; in the paper it is
    multiplied by the schedule alone.

    Args:
        nesterov: look one step ahead.

    Source: Loshchilov and Hutter, Decoupled weight decay regularization (2019), algorithm 2.
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, nesterov=nesterov),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def nadamw(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    weight_decay: Any = 1e-4,
    mask: Mask = None,
) -> GradientTransformation:
    """NAdamW: AdamW that looks one step ahead.

    >>> opt = nadamw(0.5, weight_decay=0.0)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.736842

    Source: as for :func:`nadam` and :func:`adamw`.
    """
    return adamw(learning_rate, b1, b2, eps, eps_root, weight_decay, mask, nesterov=True)


@boundary
def adamax(
    learning_rate: Rate, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-8
) -> GradientTransformation:
    """Adamax: Adam with the greatest absolute value in place of the mean square.

    >>> opt = adamax(0.5)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.5

    Source: as for :func:`scale_by_adamax`.
    """
    return chain(scale_by_adamax(b1, b2, eps), scale_by_learning_rate(learning_rate))


@boundary
def adamaxw(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    weight_decay: Any = 1e-4,
    mask: Mask = None,
) -> GradientTransformation:
    """Adamax with decoupled weight decay.

    >>> opt = adamaxw(0.5, weight_decay=0.1)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.45

    Source: as for :func:`scale_by_adamax` and :func:`adamw`.
    """
    return chain(
        scale_by_adamax(b1, b2, eps),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def amsgrad(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    bias_correction_mu: bool = True,
    bias_correction_nu: bool = True,
) -> GradientTransformation:
    """AMSGrad: Adam that divides by the greatest mean square so far.

    >>> opt = amsgrad(0.5)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.5

    Args:
        bias_correction_mu, bias_correction_nu: as for :func:`scale_by_amsgrad`.

    Source: as for :func:`scale_by_amsgrad`.
    """
    return chain(
        scale_by_amsgrad(b1, b2, eps, eps_root, bias_correction_mu, bias_correction_nu),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def radam(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    threshold: Any = 5.0,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """RAdam: Adam that begins as momentum, until its mean square can be relied on.

    >>> opt = radam(0.5)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    2.0

    Args:
        threshold, nesterov: as for :func:`scale_by_radam`.

    Source: as for :func:`scale_by_radam`.
    """
    return chain(
        scale_by_radam(b1, b2, eps, eps_root, threshold, nesterov=nesterov),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def adabelief(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-16,
    eps_root: Any = 1e-16,
    *,
    nesterov: bool = False,
) -> GradientTransformation:
    """AdaBelief: Adam that steps far where gradients are as their mean foretells.

    >>> opt = adabelief(0.5)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.555556

    Args:
        nesterov: look one step ahead.

    Source: as for :func:`scale_by_belief`.
    """
    return chain(
        scale_by_belief(b1, b2, eps, eps_root, nesterov=nesterov),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def yogi(
    learning_rate: Rate, b1: Any = 0.9, b2: Any = 0.999, eps: Any = 1e-3
) -> GradientTransformation:
    """Yogi: Adam whose mean square changes slowly.

    >>> opt = yogi(0.5)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.499858

    Source: as for :func:`scale_by_yogi`.
    """
    return chain(scale_by_yogi(b1, b2, eps), scale_by_learning_rate(learning_rate))


@boundary
def adan(
    learning_rate: Rate,
    b1: Any = 0.98,
    b2: Any = 0.92,
    b3: Any = 0.99,
    eps: Any = 1e-8,
    eps_root: Any = 1e-8,
    weight_decay: Any = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """Adan: Adam that looks ahead by the mean of the differences of gradients.

    >>> opt = adan(0.5)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.5

    Args:
        b2: the decay of the mean of differences.
        b3: the decay of the mean of squares.

    Source: as for :func:`scale_by_adan`.
    """
    return chain(
        scale_by_adan(b1, b2, b3, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def lamb(
    learning_rate: Rate,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-6,
    eps_root: Any = 0.0,
    weight_decay: Any = 0.0,
    mask: Mask = None,
) -> GradientTransformation:
    """LAMB: AdamW with updates in proportion to the norm of each leaf.

    >>> opt = lamb(0.5)
    >>> round(opt.update([-4.0], opt.init([3.0]), [3.0])[0][0], 6)
    1.5

    Source: You et al., Large batch optimization for deep learning (2020), algorithm 2.
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root),
        add_decayed_weights(weight_decay, mask),
        scale_by_trust_ratio(),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def optimistic_adam(
    learning_rate: Rate,
    *,
    alpha: Any = 1.0,
    beta: Any = 1.0,
    b1: Any = 0.9,
    b2: Any = 0.999,
    eps: Any = 1e-8,
    eps_root: Any = 0.0,
    nesterov: bool = True,
) -> GradientTransformation:
    """Adam that expects its updates to change again as they just have; for games.

    >>> opt = optimistic_adam(0.5)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.736842

    optax has it as `optimistic_adam_v2`.

    Args:
        alpha, beta: as for :func:`scale_by_optimistic_gradient`.
        nesterov: look one step ahead.

    Source: Daskalakis et al., Training GANs with optimism (2018), algorithm 1.
    """
    return chain(
        scale_by_adam(b1, b2, eps, eps_root, nesterov=nesterov),
        scale_by_optimistic_gradient(alpha, beta),
        scale_by_learning_rate(learning_rate),
    )
