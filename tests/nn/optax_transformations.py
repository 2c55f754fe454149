"""Transformations that are made by the same calls of our library and of optax."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .optax_cases import LABELS, MASK, NO_SCALAR, RATE, Case, beside, cosine


def down(*names: str, **options: Any) -> Case:
    """Transformations without arguments, or one with keyword arguments, then a step down."""
    return Case(
        lambda o: o.chain(
            *(getattr(o, name)(**options) for name in names), o.scale_by_learning_rate(RATE)
        )
    )


def leafwise(f: Callable[[Any, Any, Any], Any]) -> Case:
    """A function of a namespace, an update and its parameter, before a step down."""
    return Case(
        lambda o: o.chain(
            o.stateless_with_tree_map(lambda u, p: f(o, u, p)), o.scale_by_learning_rate(RATE)
        )
    )


def clipped_examples(o: Any, update: Any, param: Any) -> Any:
    examples = update * np.array([0.5, 1.0, 2.0]).reshape(3, *[1] * update.ndim)
    return o.per_example_global_norm_clip([examples.astype(update.dtype)], 0.3)[0][0]


def after(first: int) -> Callable[[Any], Any]:
    return lambda step: step >= first


#: Transformations, each for itself and around others.
TRANSFORMATIONS: dict[str, Case] = {
    # clipping
    "clip": down("clip", max_delta=0.4),
    "clip_by_block_rms": down("clip_by_block_rms", threshold=0.4),
    "clip_by_global_norm": down("clip_by_global_norm", max_norm=1.5),
    "adaptive_grad_clip": down("adaptive_grad_clip", clipping=0.5, eps=0.1),
    "per_example_global_norm_clip": leafwise(clipped_examples),
    # scaling
    "scale": Case(lambda o: o.scale(-RATE)),
    "scale_by_schedule": Case(
        lambda o: o.scale_by_schedule(o.linear_schedule(-0.1, -0.01, 60)),
        read=beside(lambda state: state.count),
    ),
    "scale_by_trust_ratio": down("scale_by_trust_ratio", min_norm=0.5, trust_coefficient=0.7),
    "scale_by_param_block_norm": down("scale_by_param_block_norm"),
    "scale_by_param_block_rms": down("scale_by_param_block_rms"),
    "normalize_by_update_norm": down("normalize_by_update_norm", scale_factor=2.0, eps=0.1),
    "scale_by_polyak": Case(lambda o: o.chain(o.scale(-0.1), o.scale_by_polyak(-20.0, 0.5, 0.1))),
    # momentum
    "trace": down("trace", decay=0.8, nesterov=True),
    "ema": down("ema", decay=0.8),
    "ema, no debias": down("ema", decay=0.8, debias=False),
    "bias_correction": Case(
        lambda o: o.chain(o.ema(0.8, debias=False), o.bias_correction(0.8), o.scale(-RATE))
    ),
    "apply_every": Case(lambda o: o.chain(o.scale(-RATE), o.apply_every(4))),
    "scale_by_optimistic_gradient": down("scale_by_optimistic_gradient", alpha=0.8, beta=0.3),
    # means of squares
    "scale_by_adam": down("scale_by_adam", b1=0.7, nesterov=True),
    "scale_by_adamax": down("scale_by_adamax"),
    "scale_by_adan": down("scale_by_adan"),
    "scale_by_ademamix": down("scale_by_ademamix"),
    "scale_by_adopt": down("scale_by_adopt", nesterov=True),
    "scale_by_amsgrad": down("scale_by_amsgrad"),
    "scale_by_belief": down("scale_by_belief"),
    "scale_by_yogi": down("scale_by_yogi"),
    "scale_by_radam": down("scale_by_radam"),
    "scale_by_lion": down("scale_by_lion"),
    "scale_by_sign": down("scale_by_sign"),
    "scale_by_rss": down("scale_by_rss"),
    "scale_by_rms": down("scale_by_rms"),
    "scale_by_stddev": down("scale_by_stddev", initial_scale=0.5),
    "scale_by_adadelta": down("scale_by_adadelta"),
    "scale_by_novograd": down("scale_by_novograd"),
    "scale_by_factored_rms": down("scale_by_factored_rms", min_dim_size_to_factor=1),
    "scale_by_sm3": Case(
        lambda o: o.chain(o.masked(o.scale_by_sm3(b2=0.9), NO_SCALAR), o.scale(-RATE))
    ),
    "scale_by_rprop": Case(lambda o: o.chain(o.scale_by_rprop(RATE), o.scale(-1.0))),
    "scale_by_cocob": down("scale_by_cocob"),
    "scale_by_madgrad": Case(lambda o: o.scale_by_madgrad(RATE)),
    # adding
    "add_decayed_weights": down("add_decayed_weights", weight_decay=0.3, mask=MASK),
    "add_decayed_weights, schedule": Case(
        lambda o: o.chain(
            o.add_decayed_weights(o.linear_schedule(1.0, 0.0, 50)), o.scale_by_learning_rate(RATE)
        )
    ),
    "centralize": down("centralize"),
    "zero_nans": Case(lambda o: o.chain(o.clip(1.0), o.zero_nans(), o.sgd(RATE)), "broken"),
    "keep_params_nonnegative": Case(lambda o: o.chain(o.sgd(0.1), o.keep_params_nonnegative())),
    # chains
    "clip, adaptive_grad_clip, clip_by_global_norm, schedule": Case(
        lambda o: o.chain(
            o.clip(1.0),
            o.adaptive_grad_clip(0.5),
            o.clip_by_global_norm(0.5),
            o.trace(0.5),
            o.ema(0.5),
            o.centralize(),
            o.normalize_by_update_norm(),
            o.scale_by_schedule(o.warmup_cosine_decay_schedule(0.0, -0.1, 10, 80, -0.01)),
        )
    ),
    "named_chain": Case(
        lambda o: o.named_chain(("momentum", o.trace(0.9)), ("step", o.sgd(RATE))),
        read=lambda o, params, state: state["momentum"].trace,
    ),
    "snapshot": Case(
        lambda o: o.chain(o.snapshot("norm", o.global_norm), o.sgd(RATE)),
        read=beside(lambda state: state[0].measurement["norm"]),
    ),
    "global_norm": leafwise(lambda o, u, p: u / (1 + o.global_norm([u, p]))),
    "incremental_update, periodic_update": Case(
        lambda o: o.chain(
            o.stateless(
                lambda u, p: o.incremental_update(
                    o.periodic_update(u, p, 4, 2), o.periodic_update(u, p, 3, 2), 0.25
                )
            ),
            o.scale_by_learning_rate(RATE),
        )
    ),
    "identity, set_to_zero": Case(
        lambda o: o.chain(
            o.identity(), o.masked(o.set_to_zero(), MASK), o.scale_by_learning_rate(RATE)
        )
    ),
    # groups
    "multi_transform": Case(
        lambda o: o.multi_transform(
            {"slow": o.adam(RATE), "fast": o.adam(10 * RATE), "still": o.set_to_zero()}, LABELS
        )
    ),
    "partition": Case(
        lambda o: o.partition(
            {"slow": o.lion(RATE), "fast": o.adagrad(0.1), "still": o.sgd(RATE)},
            lambda params: {k: LABELS[k] for k in params},
        )
    ),
    "masked": Case(lambda o: o.chain(o.masked(o.trace(0.9), MASK), o.sgd(RATE))),
    "freeze": Case(lambda o: o.chain(o.adam(RATE), o.freeze(MASK))),
    "selective_transform": Case(lambda o: o.selective_transform(o.adam(RATE), freeze_mask=MASK)),
    # around an optimizer
    "MultiSteps": Case(lambda o: o.MultiSteps(o.adam(RATE), 3)),
    "MultiSteps, schedule of sums": Case(
        lambda o: o.MultiSteps(o.sgd(RATE, 0.9), lambda n: 1 + (n > 4), use_grad_mean=False),
        read=beside(lambda state: state.gradient_step),
    ),
    "MultiSteps, skip_not_finite": Case(
        lambda o: o.MultiSteps(o.adam(RATE), 2, True, o.skip_not_finite), "broken"
    ),
    "MultiSteps, skip_large_updates": Case(
        lambda o: o.MultiSteps(
            o.adam(RATE), 2, True, functools.partial(o.skip_large_updates, max_squared_norm=9.0)
        ),
        read=beside(lambda state: state.gradient_step),
    ),
    "apply_if_finite": Case(
        lambda o: o.apply_if_finite(o.adam(RATE), 5),
        "broken",
        beside(lambda state: state.total_notfinite),
    ),
    "lookahead": Case(lambda o: o.lookahead(o.adam(0.03), 5, 0.6)),
    "lookahead, reset": Case(lambda o: o.lookahead(o.sgd(0.03, 0.9), 7, 0.5, reset_state=True)),
    "params_ema": Case(
        lambda o: o.params_ema(o.adam(RATE), 0.9),
        read=lambda o, params, state: o.params_average(state),
    ),
    "conditionally_transform": Case(
        lambda o: o.chain(o.conditionally_transform(o.trace(0.9), after(5)), o.sgd(RATE))
    ),
    "conditionally_mask": Case(lambda o: o.conditionally_mask(o.adam(RATE), after(8))),
    "flatten": Case(lambda o: o.flatten(o.chain(o.clip_by_block_rms(0.3), o.adam(RATE)))),
    "split_real_and_imaginary": Case(lambda o: o.split_real_and_imaginary(o.adam(RATE))),
    "inject_hyperparams": Case(
        lambda o: o.inject_hyperparams(o.adamw)(cosine(o), weight_decay=0.1),
        read=beside(lambda state: state.hyperparams["learning_rate"]),
    ),
    "reduce_on_plateau": Case(
        lambda o: o.chain(o.adam(0.1), o.reduce_on_plateau(0.5, 3, 1e-2, 0.0, 2, 2, 0.05)),
        read=beside(lambda state: state[-1].scale),
    ),
}
