"""Rows of `fgrad.random`: keys are operands of integers."""

from __future__ import annotations

import numpy as np
from scipy import special

import fgrad
from fgrad import random
from fgrad.random import gammas, inverse_gaussian

from .row import I, P, R, Row, constant, row

K = I(2, high=2**40)
F32 = np.float32


def _key(k):
    return k.astype(np.uint64)


def _at_quantiles(a):
    """The logarithms of gamma samples at fixed quantiles, whose derivative is `moving`'s alone."""
    u = np.array([[0.1, 0.5, 0.9], [0.02, 0.7, 0.999]])
    a = a.astype(np.float64)
    x = special.gammaincinv(fgrad.stop_gradient(a), u)
    return gammas.moving(fgrad.stop_gradient(np.log(x)), a)


def _wald_at_quantiles(mean):
    """The same for the mean of Wald's distribution; quantiles by Newton's method from the mode."""
    u = np.array([0.1, 0.5, 0.9])
    m = fgrad.stop_gradient(mean.astype(np.float64))
    x = m * (np.sqrt(1 + 2.25 * m * m) - 1.5 * m)
    for _ in range(12):
        s = np.sqrt(x)
        total = special.ndtr(s / m - 1 / s) + np.exp(2 / m) * special.ndtr(-s / m - 1 / s)
        density = np.exp(-0.5 * np.square(s / m - 1 / s)) / (x * s * np.sqrt(2 * np.pi))
        x = x + (u - total) / density
    return inverse_gaussian.moving(fgrad.stop_gradient(x), mean.astype(np.float64))


ROWS: list[Row] = [
    # New keys.
    constant(random.key, [I(low=-4, high=4)], random.key),
    constant(random.split, [K], lambda k: random.split(_key(k), (2, 3))),
    constant(random.fold_in, [K, I(low=-4, high=4)], lambda k, i: random.fold_in(_key(k), i)),
    # Constant samples.
    constant(random.bits, [K], lambda k: random.bits(_key(k), (2, 3), np.int16)),
    constant(random.uniform, [K], lambda k: random.uniform(_key(k), (2, 3), F32)),
    constant(random.normal, [K], lambda k: random.normal(_key(k), (2, 3))),
    constant(random.normal, [K], lambda k: random.normal(_key(k), (3,), np.complex64)),
    constant(random.laplace, [K], lambda k: random.laplace(_key(k), (3,))),
    constant(random.orthogonal, [K], lambda k: random.orthogonal(_key(k), 2), bits=False),
    constant(random.permutation, [K], lambda k: random.permutation(_key(k), 5)),
    constant(random.randint, [K], lambda k: random.randint(_key(k), (2, 3), -9, 9)),
    constant(random.bernoulli, [K, R(3, low=0.2, high=0.8)],
             lambda k, p: random.bernoulli(_key(k), p, (2, 3))),
    constant(random.categorical, [K, (3, 2)],
             lambda k, x: random.categorical(_key(k), x, axis=0, shape=(4, 2))),
    constant(random.poisson, [K, R(3, low=2.0, high=30.0)],
             lambda k, x: random.poisson(_key(k), x, (2, 3))),
    constant(random.binomial, [K, R(3, low=0.2, high=0.8)],
             lambda k, p: random.binomial(_key(k), 40, p, (2, 3))),
    constant(random.choice, [K, R(3, low=0.2, high=0.8)],
             lambda k, p: random.choice(_key(k), 3, (4,), p=p / np.sum(p))),
    constant(random.geometric, [K], lambda k: random.geometric(_key(k), 0.2, (3,))),
    constant(random.multinomial, [K, P(3)],
             lambda k, p: random.multinomial(_key(k), 20, p / np.sum(p))),
    # Samples that move with their parameters.
    row(random.uniform, [K, (3,), P(2, 1)],
        lambda k, x, y: random.uniform(_key(k), (2, 3), minval=x, maxval=x + y)),
    row(random.truncated_normal, [K, R(3, low=-2.0, high=-0.5), R(2, 1, low=0.5, high=2.0)],
        lambda k, x, y: random.truncated_normal(_key(k), x, y)),
    row(random.truncated_normal, [K, R(3, low=4.0, high=5.0)],
        lambda k, x: random.truncated_normal(_key(k), x, np.inf, (2, 3))),
    row(random.triangular, [K, R(3, low=0.0, high=1.0)],
        lambda k, x: random.triangular(_key(k), x, x + 1.5, 4.0)),
    row(random.weibull_min, [K, P(3), P(3)],
        lambda k, x, y: random.weibull_min(_key(k), x, y)),
    row(random.multivariate_normal, [K, (2,), (2, 2)],
        lambda k, m, x: random.multivariate_normal(_key(k), m, x @ x.T + 2 * np.eye(2), (2,)),
        bits=False),
    row(random.permutation, [K, (3, 2)],
        lambda k, x: random.permutation(_key(k), x, 1, independent=True)),
    row(random.choice, [K, (3, 2)],
        lambda k, x: random.choice(_key(k), x, (2,), replace=False)),
    row(random.gamma, [R(2, 3, low=0.05, high=0.9)], _at_quantiles, bits=False),
    row(random.gamma, [R(2, 3, low=1.0, high=30.0)], _at_quantiles, bits=False),
    row(random.wald, [R(2, 3, low=0.3, high=2.5)], _wald_at_quantiles, bits=False),
    row(random.wald, [R(2, 3, low=0.5, high=9.0)], inverse_gaussian.mills, bits=False),
    # The samples themselves are drawn by rejection, and constant to the derivative rules.
    constant(random.gamma, [K, R(3, low=0.3, high=5.0)],
             lambda k, a: random.gamma(_key(k), fgrad.stop_gradient(a), (2, 3))),
]  # fmt: skip
