"""Optimizers that find their rate, MADGRAD, and what looks at gradients: by their formulas."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fgrad
import fgrad_nn.optimizers as opts
from fgrad.errors import ArgumentError, DtypeError

STEPS = 30
CURVE = np.array([1.0, 3.0, 0.2])


def gradient(x):
    return CURVE * x + 0.1 * np.sin(9 * x)


def dog(x, distance=0.1, eps=1e-8):
    start, total = x, 0.0
    while True:
        g = gradient(x)
        distance, total = max(distance, np.linalg.norm(x - start)), total + g @ g
        x = x - distance / np.sqrt(total + eps) * g
        yield x


def dowg(x, square=0.01, eps=1e-4):
    start, total = x, 0.0
    while True:
        g = gradient(x)
        square = max(square, np.sum((x - start) ** 2))
        total += square * (g @ g)
        x = x - square / (np.sqrt(total) + eps) * g
        yield x


def dadapt(x, d=0.01, b1=0.9, b2=0.999, eps=1e-8, decay=0.1):
    m = v = s = np.zeros(3)
    r, slow = 0.0, np.sqrt(b2)
    for k in itertools.count(1):
        g = gradient(x)
        rate = d * np.sqrt(1 - b2**k) / (1 - b1**k)
        r = slow * r + (1 - slow) * rate * np.sum(g * s / (np.sqrt(v) + eps))
        m, v = b1 * m + (1 - b1) * rate * g, b2 * v + (1 - b2) * g * g
        s = slow * s + (1 - slow) * rate * g
        x = x - m / (np.sqrt(v) + eps) - decay * rate * x
        d = max(d, r / ((1 - slow) * np.sum(np.abs(s))))
        yield x


def prodigy(x, d=0.01, b1=0.9, b2=0.999, eps=1e-8, decay=0.1):
    start, first, b3 = x, d, np.sqrt(b2)
    m = v = s = np.zeros(3)
    r = 0.0
    for k in itertools.count(1):
        g = gradient(x)
        rate = d * np.sqrt(1 - b2**k) / (1 - b1**k)
        r = b3 * r + d / first * rate * (g @ (start - x))
        m, v = b1 * m + (1 - b1) * d * g, b2 * v + (1 - b2) * (d * g) ** 2
        s = b3 * s + rate / first * d * g
        d = max(d, r / np.sum(np.abs(s)))
        x = x - rate * m / (np.sqrt(v) + d * eps) - decay * rate * x
        yield x


def cocob(x, alpha=100.0, eps=1e-8):
    start = x
    scale, absolute, reward, total = eps, 0.0, 0.0, 0.0
    while True:
        g = -gradient(x)  # bets on the way down
        scale, absolute = np.maximum(scale, np.abs(g)), absolute + np.abs(g)
        reward, total = np.maximum(reward + (x - start) * g, 0), total + g
        share = total / (scale * np.maximum(absolute + scale, alpha * scale))
        x = start + share * (scale + reward)
        yield x


def madgrad(x, rate=0.03, momentum=0.9, eps=1e-6):
    start, total, squares = x, 0.0, 0.0
    for k in itertools.count():
        g = gradient(x)
        weight = (rate + eps) * np.sqrt(k + 1)
        total, squares = total + weight * g, squares + weight * g * g
        x = momentum * x + (1 - momentum) * (start - total / (np.cbrt(squares) + eps))
        yield x


FORMULAS = {
    "dog": (opts.dog(init_distance=0.1), dog),
    "dowg": (opts.dowg(init_estim_sq_dist=0.01), dowg),
    "dadapt_adamw": (opts.dadapt_adamw(estim_lr0=0.01, weight_decay=0.1), dadapt),
    "prodigy": (opts.prodigy(estim_lr0=0.01, weight_decay=0.1), prodigy),
    "cocob": (opts.cocob(), cocob),
    "madgrad": (opts.madgrad(0.03), madgrad),
}


@pytest.mark.parametrize(("opt", "formula"), FORMULAS.values(), ids=FORMULAS)
def test_paths_are_those_of_the_formulas(opt, formula):
    x = np.array([1.0, -0.5, 2.0])
    state, path = opt.init(x), formula(x)
    for _ in range(STEPS):
        updates, state = opt.update(gradient(x), state, x)
        x = opts.apply_updates(x, updates)
        np.testing.assert_allclose(x, next(path), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("opt", [opt for opt, _ in FORMULAS.values()], ids=FORMULAS)
def test_nothing_moves_without_a_gradient(opt):
    x = np.array([1.0, 0.0])
    state = opt.init(x)
    for _ in range(3):
        updates, state = opt.update(np.zeros(2), state, x)
        assert np.all(np.isfinite(updates))
        assert np.all(np.abs(updates) <= 0.11)  # what decays, decays


def test_momo_goes_where_its_model_meets_the_bound():
    # Of a linear loss the model is exact: one step reaches the bound.
    opt = opts.momo(10.0, lower_bound=1.0)
    x, slope = np.array([3.0, 4.0]), np.array([1.0, 2.0])
    updates, _ = opt.update(slope, opt.init(x), x, value=slope @ x)
    np.testing.assert_allclose(slope @ (x + updates), 1.0)
    # With a smaller rate it is momentum.
    opt = opts.momo(0.01, beta=0.5)
    state, mean = opt.init(x), slope
    for k in range(4):
        g = slope * (k + 1)
        mean = g if k == 0 else 0.5 * mean + 0.5 * g
        updates, state = opt.update(g, state, x, value=1e3)
        np.testing.assert_allclose(updates, -0.01 * mean)
    with pytest.raises(ArgumentError, match=r"momo wants the value(.|\n)*no value="):
        opt.update(slope, state, x)


def test_a_snapshot_changes_nothing():
    seen = opts.snapshot("norm", opts.global_norm)
    opt = opts.chain(seen, opts.sgd(0.5))
    step = fgrad.jit(opt.update)
    updates, state = step([3.0, 4.0], opt.init([1.0, 0.0]), [1.0, 0.0])
    assert updates == [-1.5, -2.0]
    np.testing.assert_allclose(state[0].measurement["norm"], 5.0)
    with pytest.raises(DtypeError, match="cocob"):
        opts.cocob().init(np.ones(2, complex))


def test_sharpness_is_felt_where_the_loss_is_greatest_nearby():
    def loss(params, scale):
        return scale * np.sum(params["w"] ** 4), params["w"][0]

    params = {"w": np.array([1.0, -2.0])}
    step = opts.sharpness_aware(loss, 0.1, has_aux=True)
    (value, aux), got = step(params, 2.0)
    plain = fgrad.grad(lambda p: loss(p, 2.0)[0])
    g = plain(params)["w"]
    np.testing.assert_allclose(got["w"], plain({"w": params["w"] + 0.1 * g / np.sqrt(g @ g)})["w"])
    assert (value, aux) == (34.0, 1.0)
    np.testing.assert_allclose(fgrad.jit(step)(params, 2.0)[1]["w"], got["w"])
    assert np.all(step({"w": np.zeros(2)}, 2.0)[1]["w"] == 0)
