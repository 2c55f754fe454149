"""All optimizers, for the tests that hold for each of them."""

from __future__ import annotations

import numpy as np

import fgrad
import fgrad_nn.optimizers as opts
from fgrad import random, tree
from fgrad_nn import schedules

#: Name -> the optimizer for a learning rate.
OPTIMIZERS = {
    "sgd": opts.sgd,
    "sgd, momentum": lambda rate: opts.sgd(rate, 0.9),
    "sgd, Nesterov": lambda rate: opts.sgd(rate, 0.9, True),
    "sign_sgd": opts.sign_sgd,
    "signum": opts.signum,
    "lion": opts.lion,
    "lars": lambda rate: opts.lars(10 * rate, 0.01, trust_coefficient=0.1),
    "fromage": opts.fromage,
    "novograd": lambda rate: opts.novograd(rate, weight_decay=0.01),
    "sm3": opts.sm3,
    "rprop": opts.rprop,
    "optimistic_gradient_descent": opts.optimistic_gradient_descent,
    "adam": opts.adam,
    "nadam": lambda rate: opts.nadam(rate, eps_root=1e-6),
    "adamw": opts.adamw,
    "nadamw": opts.nadamw,
    "adamax": opts.adamax,
    "adamaxw": opts.adamaxw,
    "amsgrad": opts.amsgrad,
    "radam": lambda rate: opts.radam(rate, b2=0.7, threshold=4.01),
    "adabelief": opts.adabelief,
    "yogi": opts.yogi,
    "adan": opts.adan,
    "lamb": lambda rate: opts.lamb(rate, weight_decay=0.01),
    "optimistic_adam": opts.optimistic_adam,
    "ademamix": opts.ademamix,
    "adopt": opts.adopt,
    "sophia": lambda rate: opts.sophia(rate, update_interval=2),
    "adagrad": opts.adagrad,
    "adadelta": opts.adadelta,
    "rmsprop": opts.rmsprop,
    "rmsprop, momentum": lambda rate: opts.rmsprop(rate, momentum=0.5, bias_correction=True),
    "rmsprop, centered": lambda rate: opts.rmsprop(rate, centered=True, eps=1.0),
    "adafactor": lambda rate: opts.adafactor(
        rate, min_dim_size_to_factor=2, momentum=0.5, weight_decay_rate=1e-3
    ),
    "muon": opts.muon,
    "lbfgs": lambda rate: opts.lbfgs(rate, memory_size=3),
    "lbfgs, no line search": lambda rate: opts.lbfgs(rate, memory_size=3, linesearch=None),
    "backtracking": lambda rate: opts.chain(
        opts.sgd(rate), opts.scale_by_backtracking_linesearch(5, store_grad=True)
    ),
    "polyak_sgd": lambda rate: opts.polyak_sgd(scaling=rate, max_learning_rate=5.0),
    "schedule_free_sgd": opts.schedule_free_sgd,
    "schedule_free_adamw": lambda rate: opts.schedule_free_adamw(rate, 3),
    "dog": lambda rate: opts.dog(10 * rate, 0.1),
    "dowg": lambda rate: opts.dowg(10 * rate, 0.1),
    "dadapt_adamw": lambda rate: opts.dadapt_adamw(10 * rate, estim_lr0=0.05),
    "prodigy": lambda rate: opts.prodigy(10 * rate, estim_lr0=0.05),
    "cocob": lambda rate: opts.cocob(10 * rate, alpha=10.0),
    "madgrad": opts.madgrad,
    "momo": lambda rate: opts.momo(rate, adapt_lower_bound=True),
    "noisy_sgd": lambda rate: opts.noisy_sgd(rate, key=random.key(0)),
    "MultiSteps": lambda rate: opts.MultiSteps(opts.adam(rate), 2),
    "apply_if_finite": lambda rate: opts.apply_if_finite(opts.adam(rate), 2),
    "lookahead": lambda rate: opts.lookahead(opts.adam(rate), 2, 0.5, reset_state=True),
    "params_ema": lambda rate: opts.params_ema(opts.adam(rate), 0.9),
    "flatten": lambda rate: opts.flatten(opts.adam(rate)),
    "split": lambda rate: opts.split_real_and_imaginary(opts.rprop(rate)),
    "partition": lambda rate: opts.partition(
        {"a": opts.adam(rate), "b": opts.sgd(rate)}, opts.label_paths({"*.b": "a", "*": "b"})
    ),
    "rates by path": lambda rate: opts.adam(
        {"*.b": rate, "*": schedules.warmup_cosine_decay_schedule(0.01, 0.05, 2, 5)}
    ),
    "freeze": lambda rate: opts.chain(opts.adam(rate), opts.freeze(opts.match_paths("*.b"))),
    "inject_hyperparams": lambda rate: opts.inject_hyperparams(opts.adamw)(
        rate, weight_decay=schedules.linear_schedule(0.0, 0.1, 3)
    ),
    "conditionally_mask": lambda rate: opts.conditionally_mask(opts.adam(rate), lambda s: s >= 1),
    "reduce_on_plateau": lambda rate: opts.chain(
        opts.adam(rate), opts.reduce_on_plateau(patience=1, rtol=0.9)
    ),
    "clipped": lambda rate: opts.chain(
        opts.clip(1.0),
        opts.adaptive_grad_clip(0.5),
        opts.clip_by_global_norm(0.5),
        opts.clip_by_block_rms(0.1),
        opts.zero_nans(),
        opts.scale_by_learning_rate(rate),
    ),
    "scaled": lambda rate: opts.chain(
        opts.trace(0.5),
        opts.ema(0.5),
        opts.centralize(),
        opts.normalize_by_update_norm(),
        opts.scale_by_param_block_norm(),
        opts.scale_by_learning_rate(rate),
        opts.apply_every(2),
    ),
}

#: Rules that have no meaning for complex numbers, and say so.
REAL_ONLY = {"sm3", "rprop", "sophia", "cocob"}


def some_params(dtype=np.float64):
    draw = np.random.default_rng(0)
    params = {
        "layers": [{"w": draw.normal(size=(2, 3)), "b": draw.normal(size=3)}],
        "scale": draw.normal(size=()),
    }
    if np.dtype(dtype).kind == "c":
        params = tree.map(lambda x: x + 1j * draw.normal(size=x.shape), params)
    return tree.map(lambda x: np.asarray(x, dtype), params)


def loss(params):
    """Convex, least at 0, and no quadratic."""
    squares = [np.real(x * np.conj(x)) for x in tree.leaves(params)]
    return sum((np.sum(x + 0.1 * x**2) for x in squares), 0.0)


def train(opt, params, steps, state=None, loss=loss):
    state = opt.init(params) if state is None else state
    for _ in range(steps):
        value, grads = fgrad.value_and_grad(loss)(params)
        updates, state = opt.update(grads, state, params, value=value, grad=grads, value_fn=loss)
        params = opts.apply_updates(params, updates)
    return params, state
