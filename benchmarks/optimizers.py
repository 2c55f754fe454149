"""Optimizers beside optax's: how far their paths part over 100 steps, and what a step costs.

    python -m benchmarks.optimizers          # the paths, in float64 and float32
    python -m benchmarks.optimizers --time   # an Adam step: fgrad_nn, optax with jit, torch

It needs optax and, for the times, torch. optax counts steps in int32, which JAX divides in float32:
where a schedule, or the decay of Adafactor, does that, the paths part by 1e-8 in float64, too.
"""

from __future__ import annotations

import argparse
import itertools
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax

import fgrad_nn.optimizers as ours
import fgrad_nn.schedules as schedules

jax.config.update("jax_enable_x64", True)  # before optax makes constants

STEPS = 100
RATE = 1e-2

#: Name -> (ours, optax's), made with the same arguments. Not rprop: optax's makes each step one
#: call late.
PAIRS = {
    "sgd": (ours.sgd(RATE), optax.sgd(RATE)),
    "sgd, momentum": (ours.sgd(RATE, 0.9), optax.sgd(RATE, 0.9)),
    "sgd, Nesterov": (ours.sgd(RATE, 0.9, True), optax.sgd(RATE, 0.9, True)),
    "sign_sgd": (ours.sign_sgd(RATE), optax.sign_sgd(RATE)),
    "signum": (ours.signum(RATE), optax.signum(RATE)),
    "lion": (ours.lion(RATE), optax.lion(RATE)),
    "lars": (ours.lars(1.0, 0.01), optax.lars(1.0, 0.01)),
    "fromage": (ours.fromage(RATE), optax.fromage(RATE)),
    "novograd": (
        ours.novograd(RATE, weight_decay=0.01),
        optax.novograd(RATE, weight_decay=0.01),
    ),
    "sm3": (ours.sm3(RATE), optax.sm3(RATE)),
    "optimistic_gradient_descent": (
        ours.optimistic_gradient_descent(RATE),
        optax.optimistic_gradient_descent(RATE),
    ),
    "adam": (ours.adam(RATE), optax.adam(RATE)),
    "adam, eps_root": (ours.adam(RATE, eps_root=1e-4), optax.adam(RATE, eps_root=1e-4)),
    "nadam": (ours.nadam(RATE), optax.nadam(RATE)),
    "adamw": (ours.adamw(RATE, weight_decay=0.1), optax.adamw(RATE, weight_decay=0.1)),
    "nadamw": (ours.nadamw(RATE), optax.nadamw(RATE)),
    "adamax": (ours.adamax(RATE), optax.adamax(RATE)),
    "adamaxw": (ours.adamaxw(RATE), optax.adamaxw(RATE)),
    "amsgrad": (ours.amsgrad(RATE), optax.amsgrad(RATE)),
    "radam": (ours.radam(RATE), optax.radam(RATE)),
    "radam, nesterov": (ours.radam(RATE, nesterov=True), optax.radam(RATE, nesterov=True)),
    "adabelief": (ours.adabelief(RATE), optax.adabelief(RATE)),
    "yogi": (ours.yogi(RATE), optax.yogi(RATE)),
    "adan": (ours.adan(RATE), optax.adan(RATE)),
    "ademamix": (ours.ademamix(RATE), optax.contrib.ademamix(RATE)),
    "adopt": (ours.adopt(RATE), optax.contrib.adopt(RATE)),
    "lamb": (ours.lamb(RATE, weight_decay=0.1), optax.lamb(RATE, weight_decay=0.1)),
    "optimistic_adam": (ours.optimistic_adam(RATE), optax.optimistic_adam_v2(RATE)),
    "adagrad": (ours.adagrad(RATE), optax.adagrad(RATE)),
    "adadelta": (ours.adadelta(1.0), optax.adadelta(1.0)),
    "rmsprop": (ours.rmsprop(RATE), optax.rmsprop(RATE)),
    "rmsprop, centered, momentum": (
        ours.rmsprop(RATE, centered=True, momentum=0.9),
        optax.rmsprop(RATE, centered=True, momentum=0.9),
    ),
    "adafactor": (
        ours.adafactor(RATE, min_dim_size_to_factor=2, momentum=0.9, weight_decay_rate=1e-3),
        optax.adafactor(
            RATE,
            min_dim_size_to_factor=2,
            momentum=0.9,
            weight_decay_rate=1e-3,
            dtype_momentum=None,
        ),
    ),
    "muon": (ours.muon(RATE), optax.contrib.muon(RATE)),
    "lbfgs, no line search": (ours.lbfgs(0.1, linesearch=None), optax.lbfgs(0.1, linesearch=None)),
    "schedule_free_sgd": (ours.schedule_free_sgd(0.1, 5), optax.contrib.schedule_free_sgd(0.1, 5)),
    "schedule_free_adamw": (
        ours.schedule_free_adamw(RATE),
        optax.contrib.schedule_free_adamw(RATE),
    ),
    "dog": (
        ours.dog(init_distance=0.1),
        optax.contrib.dog(init_step=("distance", 0.1)),
    ),
    "dowg": (ours.dowg(1.0, 0.1), optax.contrib.dowg(1.0, 0.1)),
    "dadapt_adamw": (
        ours.dadapt_adamw(estim_lr0=0.01, weight_decay=0.1),
        optax.contrib.dadapt_adamw(estim_lr0=0.01, weight_decay=0.1),
    ),
    "prodigy": (
        ours.prodigy(estim_lr0=0.01, weight_decay=0.1),
        optax.contrib.prodigy(estim_lr0=0.01, weight_decay=0.1),
    ),
    "cocob": (ours.cocob(), optax.contrib.cocob()),
    "madgrad": (ours.madgrad(RATE), optax.contrib.madgrad(RATE)),
    "clip, adaptive_grad_clip, clip_by_global_norm, schedule": tuple(
        lib.chain(
            lib.clip(1.0),
            lib.adaptive_grad_clip(0.5),
            lib.clip_by_global_norm(0.5),
            lib.trace(0.5),
            lib.ema(0.5),
            lib.centralize(),
            lib.normalize_by_update_norm(),
            lib.scale_by_schedule(times.warmup_cosine_decay_schedule(0.0, -0.1, 10, 80, -0.01)),
        )
        for lib, times in ((ours, schedules), (optax, optax.schedules))
    ),
    "MultiSteps": (
        ours.MultiSteps(ours.adam(RATE), 3),
        optax.MultiSteps(optax.adam(RATE), 3, accumulator_dtype=jnp.float64),
    ),
}


def trees(dtype, noise):
    draw = np.random.default_rng(0)
    params = {"w": draw.normal(size=(4, 3)), "b": draw.normal(size=3), "c": draw.normal(size=5)}
    curve = {name: np.exp(draw.normal(size=x.shape)) for name, x in params.items()}
    noise = {name: noise * draw.normal(size=(STEPS, *x.shape)) for name, x in params.items()}
    return tuple({k: v.astype(dtype) for k, v in t.items()} for t in (params, curve, noise))


def path_of_ours(opt, dtype, noise):
    params, curve, noise = trees(dtype, noise)
    state, path = opt.init(params), []
    for i in range(STEPS):
        grads = {k: curve[k] * params[k] + noise[k][i] for k in params}
        updates, state = opt.update(grads, state, params)
        params = ours.apply_updates(params, updates)
        path.append(params)
    return path


def path_of_optax(opt, dtype, noise):
    params, curve, noise = trees(dtype, noise)

    def step(carry, noise):
        params, state = carry
        grads = {k: curve[k] * params[k] + noise[k] for k in params}
        updates, state = opt.update(grads, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    params = jax.tree.map(jnp.asarray, params)
    return jax.lax.scan(step, (params, opt.init(params)), noise)[1]


def difference(name, dtype):
    noise = 0.0 if name.startswith("lbfgs") else 0.1  # it measures curvature by differences
    mine = path_of_ours(PAIRS[name][0], dtype, noise)
    theirs = path_of_optax(PAIRS[name][1], dtype, noise)
    for params in mine:
        assert all(x.dtype == dtype for x in params.values()), name
    gaps = (
        np.max(np.abs(params[k].astype(float) - np.asarray(theirs[k][i], float)))
        for (i, params), k in itertools.product(enumerate(mine), "wbc")
    )
    return max(gaps)


def compare():
    print(f"{'greatest difference in ' + str(STEPS) + ' steps':57} float64   float32")
    for name in PAIRS:
        gaps = [difference(name, dtype) for dtype in (np.float64, np.float32)]
        print(f"{name:57} {gaps[0]:.1e}   {gaps[1]:.1e}")


def microseconds(f, repeat=7, number=500):
    for _ in range(50):
        f()
    best = float("inf")
    for _ in range(repeat):
        start = time.perf_counter()
        for _ in range(number):
            f()
        best = min(best, (time.perf_counter() - start) / number)
    return 1e6 * best


def measure():
    import torch

    torch.set_num_threads(1)
    draw = np.random.default_rng(0)
    shapes = [(8, 16), (16,), (16, 16), (16,), (16, 1), (1,)]
    params = [draw.normal(size=s) for s in shapes]
    grads = [draw.normal(size=s) for s in shapes]

    def step(opt, apply):
        def run(params, state):
            updates, state = opt.update(grads, state, params)
            return apply(params, updates), state

        return run

    for name, opt in (
        ("sgd", ours.sgd(RATE)),
        ("adam", ours.adam(RATE)),
        ("flatten(adam)", ours.flatten(ours.adam(RATE))),
        ("adamw", ours.adamw(RATE)),
    ):
        run, state = step(opt, ours.apply_updates), opt.init(params)
        print(f"fgrad_nn {name:20} {microseconds(lambda: run(params, state)):7.1f} us")  # noqa: B023
    opt = optax.adam(RATE)
    theirs = jax.tree.map(jnp.asarray, params)
    gs = jax.tree.map(jnp.asarray, grads)
    state = opt.init(theirs)

    @jax.jit
    def jitted(params, state, grads):
        updates, state = opt.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    took = microseconds(lambda: jax.block_until_ready(jitted(theirs, state, gs)))
    print(f"optax adam, jit               {took:7.1f} us")
    for fused in (False, True):
        leaves = [torch.tensor(p, requires_grad=True) for p in params]
        for leaf, g in zip(leaves, grads, strict=True):
            leaf.grad = torch.tensor(g)
        adam = torch.optim.Adam(leaves, RATE, fused=fused)
        print(f"torch.optim.Adam, fused={fused!s:5} {microseconds(adam.step):7.1f} us")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--time", action="store_true")
    (measure if parser.parse_args().time else compare)()
