"""Optimizers that rescale gradients without Adam's two means: Adagrad, RMSProp, Adafactor, Muon.

`learning_rate` is a number, a schedule, or a dict of these by patterns of the parameters' paths,
as for :func:`scale_by_learning_rate`. A bad number is an `ArgumentError`, and `update` raises a
`TreeError`, `ShapeError` or `DtypeError` where gradients don't match the parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fgrad import tree
from fgrad.tracebacks import boundary

from .accumulating import ema, trace
from .adding import add_decayed_weights
from .clipping import clip_by_block_rms
from .combining import chain
from .masking import Mask, partition
from .moments import (
    scale_by_adam,
)
from .records import GradientTransformation
from .scaling import (
    Rate,
    scale_by_learning_rate,
    scale_by_param_block_rms,
)
from .shapes import scale_by_factored_rms, scale_by_muon, scale_by_shape
from .squares import scale_by_adadelta, scale_by_rms, scale_by_rss, scale_by_stddev


@boundary
def adagrad(
    learning_rate: Rate, initial_accumulator_value: Any = 0.1, eps: Any = 1e-7
) -> GradientTransformation:
    """Adagrad: gradients divided by the root of the sum of all their squares.

    >>> opt = adagrad(0.5, initial_accumulator_value=0.0)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.5

    Args:
        initial_accumulator_value, eps: as for :func:`scale_by_rss`.

    Source: as for :func:`scale_by_rss`.
    """
    return chain(
        scale_by_rss(initial_accumulator_value, eps), scale_by_learning_rate(learning_rate)
    )


@boundary
def adadelta(
    learning_rate: Rate = 1.0,
    rho: Any = 0.9,
    eps: Any = 1e-6,
    weight_decay: Any = 0.0,
    weight_decay_mask: Mask = None,
) -> GradientTransformation:
    """Adadelta: steps as long as the steps before, so that it needs no learning rate.

    >>> opt = adadelta()
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    0.003162

    Args:
        rho, eps: as for :func:`scale_by_adadelta`.
        weight_decay, weight_decay_mask: added, times the parameters, to the gradient.

    Source: as for :func:`scale_by_adadelta`.
    """
    return chain(
        add_decayed_weights(weight_decay, weight_decay_mask),
        scale_by_adadelta(rho, eps),
        scale_by_learning_rate(learning_rate),
    )


@boundary
def rmsprop(
    learning_rate: Rate,
    decay: Any = 0.9,
    eps: Any = 1e-8,
    initial_scale: Any = 0.0,
    eps_in_sqrt: bool = True,
    centered: bool = False,
    momentum: Any = None,
    nesterov: bool = False,
    bias_correction: bool = False,
) -> GradientTransformation:
    """RMSProp: gradients divided by the root of the mean of their squares.

    >>> opt = rmsprop(0.5, decay=0.75)
    >>> round(opt.update([-4.0], opt.init([1.0]), [1.0])[0][0], 6)
    1.0

    Args:
        decay, initial_scale, eps_in_sqrt, bias_correction: as for :func:`scale_by_rms`.
        centered: divide by the standard deviation.
        momentum, nesterov: as for :func:`sgd`; the momentum is that of the steps.

    Source: as for :func:`scale_by_rms` and :func:`scale_by_stddev`.
    """
    divide = scale_by_stddev if centered else scale_by_rms
    steps = [
        divide(decay, eps, initial_scale, eps_in_sqrt, bias_correction),
        scale_by_learning_rate(learning_rate),
    ]
    return chain(*steps, *([] if momentum is None else [trace(momentum, nesterov)]))


@boundary
def adafactor(
    learning_rate: Rate | None = None,
    min_dim_size_to_factor: int = 128,
    decay_rate: Any = 0.8,
    decay_offset: int = 0,
    multiply_by_parameter_scale: bool = True,
    clipping_threshold: Any = 1.0,
    momentum: Any = None,
    weight_decay_rate: Any = None,
    eps: Any = 1e-30,
    factored: bool = True,
    weight_decay_mask: Mask = None,
) -> GradientTransformation:
    """Adafactor: the mean of squares as row and column means, steps relative to parameters.

    >>> opt = adafactor(0.5)
    >>> round(opt.update([-4.0], opt.init([3.0]), [3.0])[0][0], 6)
    1.5

    Args:
        learning_rate: None for 1.
        min_dim_size_to_factor, decay_rate, factored: as for :func:`scale_by_factored_rms`.
        decay_offset: the steps that were made before, when training goes on.
        multiply_by_parameter_scale: multiply updates by the root mean square of their parameter.
        clipping_threshold: as for :func:`clip_by_block_rms`; None for no limit.
        momentum: the decay of a moving average of updates; None for none.
        weight_decay_rate, weight_decay_mask: added, times the parameters, after the learning
            rate; None for none.
        eps: added to the squares.

    Source: as for :func:`scale_by_factored_rms`.
    """
    steps = [scale_by_factored_rms(factored, decay_rate, decay_offset, min_dim_size_to_factor, eps)]
    if clipping_threshold is not None:
        steps.append(clip_by_block_rms(clipping_threshold))
    if learning_rate is not None:
        steps.append(scale_by_learning_rate(learning_rate, flip_sign=False))
    if multiply_by_parameter_scale:
        steps.append(scale_by_param_block_rms())
    if momentum is not None:
        steps.append(ema(momentum, debias=False))
    if weight_decay_rate is not None:
        steps.append(add_decayed_weights(weight_decay_rate, weight_decay_mask))
    return chain(*steps, scale_by_learning_rate(1.0))


@boundary
def muon(
    learning_rate: Rate,
    ns_coeffs: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
    ns_steps: int = 5,
    beta: Any = 0.95,
    eps: Any = 1e-8,
    weight_decay: Any = 0.0,
    weight_decay_mask: Mask = None,
    *,
    nesterov: bool = True,
    adam_b1: Any = 0.9,
    adam_b2: Any = 0.999,
    adam_eps_root: Any = 0.0,
    adam_weight_decay: Any = 0.0,
    adam_learning_rate: Rate | None = None,
    consistent_rms: Any = None,
) -> GradientTransformation:
    """Muon for matrices, AdamW for all other parameters.

    >>> opt = muon(0.5)
    >>> params = {"w": np.eye(2), "b": np.ones(2)}
    >>> updates, state = opt.update(params, opt.init(params), params)
    >>> bool(np.all(updates["b"] < 0)), bool(np.all(np.diag(updates["w"]) < 0))
    (True, True)

    The update of an (m, n) matrix is multiplied by sqrt(max(1, n / m)).

    Args:
        ns_coeffs, ns_steps, beta, eps, nesterov: as for :func:`scale_by_muon`.
        weight_decay, weight_decay_mask: for matrices.
        adam_b1, adam_b2, adam_eps_root, adam_weight_decay: as for :func:`adamw`, for the others.
        adam_learning_rate: None for that of the matrices.
        consistent_rms: multiply by this number times sqrt(max(m, n)) instead, which makes it the
            root mean square of the updates.

    Source: Jordan et al., Muon: an optimizer for hidden layers in neural networks (2024); Liu et
    al., Muon is scalable for LLM training (2025), for `consistent_rms`.
    """
    apart = adam_learning_rate is not None
    for_matrices = chain(
        scale_by_muon(ns_coeffs, ns_steps, beta, eps, nesterov=nesterov),
        scale_by_shape(consistent_rms),
        add_decayed_weights(weight_decay, weight_decay_mask),
        *([scale_by_learning_rate(learning_rate)] if apart else []),
    )
    for_others = chain(
        scale_by_adam(adam_b1, adam_b2, eps, adam_eps_root, nesterov=nesterov),
        add_decayed_weights(adam_weight_decay),
        *([scale_by_learning_rate(adam_learning_rate)] if apart else []),
    )

    def label(p: Any) -> str:
        return "muon" if np.ndim(p) == 2 else "adam"

    groups = partition(
        {"muon": for_matrices, "adam": for_others}, lambda params: tree.map(label, params)
    )
    # a common rate stays outside of the groups, for its patterns are those of all parameters
    return groups if apart else chain(groups, scale_by_learning_rate(learning_rate))
