"""Each distribution of `fgrad.random` is what it says, by SciPy's distribution functions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from fgrad import random, vmap

N = 20_000

#: A sample with parameters, and its distribution.
CONTINUOUS = {
    "uniform": (lambda k, s: random.uniform(k, s, minval=-1.0, maxval=3.0), stats.uniform(-1, 4)),
    "normal": (random.normal, stats.norm()),
    "truncated_normal": (
        lambda k, s: random.truncated_normal(k, -0.5, 2.0, s), stats.truncnorm(-0.5, 2)),
    "truncated_normal above": (
        lambda k, s: random.truncated_normal(k, 3.0, np.inf, s), stats.truncnorm(3, np.inf)),
    "truncated_normal below": (
        lambda k, s: random.truncated_normal(k, -9.0, -8.0, s), stats.truncnorm(-9, -8)),
    "truncated_normal whole": (
        lambda k, s: random.truncated_normal(k, -np.inf, np.inf, s), stats.norm()),
    "exponential": (random.exponential, stats.expon()),
    "gumbel": (random.gumbel, stats.gumbel_r()),
    "laplace": (random.laplace, stats.laplace()),
    "logistic": (random.logistic, stats.logistic()),
    "cauchy": (random.cauchy, stats.cauchy()),
    "lognormal": (lambda k, s: random.lognormal(k, 0.7, s), stats.lognorm(0.7)),
    "maxwell": (random.maxwell, stats.maxwell()),
    "double_sided_maxwell": (
        lambda k, s: np.abs(random.double_sided_maxwell(k, 1.0, 2.0, s) - 1), stats.maxwell(0, 2)),
    "rayleigh": (lambda k, s: random.rayleigh(k, 2.0, s), stats.rayleigh(0, 2)),
    "pareto": (lambda k, s: random.pareto(k, 3.0, s), stats.pareto(3)),
    "weibull_min": (lambda k, s: random.weibull_min(k, 2.0, 1.5, s), stats.weibull_min(1.5, 0, 2)),
    "triangular": (lambda k, s: random.triangular(k, 1.0, 2.0, 5.0, s), stats.triang(0.25, 1, 4)),
    "gamma 0.01": (lambda k, s: random.loggamma(k, 0.01, s), stats.loggamma(0.01)),
    "gamma 0.4": (lambda k, s: random.gamma(k, 0.4, s), stats.gamma(0.4)),
    "gamma 1": (lambda k, s: random.gamma(k, 1.0, s), stats.gamma(1)),
    "gamma 7.5": (lambda k, s: random.gamma(k, 7.5, s), stats.gamma(7.5)),
    "gamma 1e9": (lambda k, s: random.gamma(k, 1e9, s), stats.gamma(1e9)),
    "chisquare": (lambda k, s: random.chisquare(k, 3.0, s), stats.chi2(3)),
    "beta": (lambda k, s: random.beta(k, 0.5, 2.0, s), stats.beta(0.5, 2)),
    "beta small": (lambda k, s: 1 - random.beta(k, 9.0, 0.2, s), stats.beta(0.2, 9)),
    "dirichlet": (lambda k, s: random.dirichlet(k, np.array([1.0, 2.0, 0.5]), s)[..., 1],
                  stats.beta(2, 1.5)),
    "f": (lambda k, s: random.f(k, 3.0, 5.0, s), stats.f(3, 5)),
    "t": (lambda k, s: random.t(k, 2.5, s), stats.t(2.5)),
    "generalized_normal": (
        lambda k, s: random.generalized_normal(k, 1.5, s), stats.gennorm(1.5)),
    "ball": (lambda k, s: np.sum(random.ball(k, 3, shape=s) ** 2, -1) ** 1.5, stats.uniform()),
    "ball 1": (lambda k, s: np.sum(np.abs(random.ball(k, 2, 1, s)), -1) ** 2, stats.uniform()),
    "wald": (lambda k, s: random.wald(k, 2.0, s), stats.invgauss(2)),
    "wald small": (lambda k, s: random.wald(k, 0.01, s), stats.invgauss(0.01)),
    "bits": (lambda k, s: random.bits(k, s) / 2.0**64, stats.uniform()),
    "multivariate_normal": (
        lambda k, s: random.multivariate_normal(
            k, np.array([1.0, 2.0]), np.array([[2.0, 0.5], [0.5, 1.0]]), s) @ np.array([1.0, 2.0]),
        stats.norm(5, math.sqrt(8))),
    "orthogonal": (lambda k, s: random.orthogonal(k, 3, s)[..., 2, 1], stats.uniform(-1, 2)),
}  # fmt: skip

#: The same for integers: from the least of them on.
DISCRETE = {
    "poisson 0": (lambda k, s: random.poisson(k, 0.0, s), stats.poisson(0)),
    "poisson 0.5": (lambda k, s: random.poisson(k, 0.5, s), stats.poisson(0.5)),
    "poisson 9.9": (lambda k, s: random.poisson(k, 9.9, s), stats.poisson(9.9)),
    "poisson 10": (lambda k, s: random.poisson(k, 10.0, s), stats.poisson(10)),
    "poisson 333": (lambda k, s: random.poisson(k, 333.0, s), stats.poisson(333)),
    "binomial few": (lambda k, s: random.binomial(k, 12, 0.3, s), stats.binom(12, 0.3)),
    "binomial mirrored": (lambda k, s: random.binomial(k, 12, 0.9, s), stats.binom(12, 0.9)),
    "binomial many": (lambda k, s: random.binomial(k, 50, 0.4, s), stats.binom(50, 0.4)),
    "binomial most": (lambda k, s: random.binomial(k, 10**6, 0.7, s), stats.binom(10**6, 0.7)),
    "binomial rare": (lambda k, s: random.binomial(k, 10**9, 1e-9, s), stats.poisson(1)),
    "binomial sure": (lambda k, s: random.binomial(k, 5, 1.0, s), stats.binom(5, 1)),
    "multinomial": (
        lambda k, s: random.multinomial(k, 9, np.array([0.2, 0.5, 0.3]), shape=s)[..., 2],
        stats.binom(9, 0.3)),
    "geometric": (lambda k, s: random.geometric(k, 0.3, s), stats.geom(0.3)),
    "bernoulli": (lambda k, s: random.bernoulli(k, 0.3, s).astype(int), stats.bernoulli(0.3)),
    "rademacher": (lambda k, s: (random.rademacher(k, s) + 1) // 2, stats.bernoulli(0.5)),
    "randint": (lambda k, s: random.randint(k, s, -3, 4), stats.randint(-3, 4)),
    "categorical": (
        lambda k, s: random.categorical(k, np.log([0.1, 0.2, 0.7]) + 3, shape=s),
        stats.rv_discrete(values=([0, 1, 2], [0.1, 0.2, 0.7]))),
    "choice": (lambda k, s: random.choice(k, 5, s), stats.randint(0, 5)),
    "choice by chance": (
        lambda k, s: random.choice(k, 4, s, p=np.array([0.1, 0.0, 0.9, 0.0])),
        stats.rv_discrete(values=([0, 2], [0.1, 0.9]))),
}  # fmt: skip


@pytest.mark.parametrize("name", CONTINUOUS)
def test_kolmogorov_and_smirnov_see_no_difference(name):
    draw, law = CONTINUOUS[name]
    x = draw(random.key(sum(map(ord, name))), (N // 2, 2))
    assert x.shape == (N // 2, 2)
    assert x.dtype == np.float64
    assert stats.kstest(x.ravel(), law.cdf).pvalue > 1e-3
    rows = stats.kendalltau(x[:2000, 0], x[:2000, 1])  # and neighbours know nothing of each other
    assert rows.pvalue > 1e-3


@pytest.mark.parametrize("name", DISCRETE)
def test_the_counts_are_those_of_the_distribution(name):
    draw, law = DISCRETE[name]
    x = draw(random.key(sum(map(ord, name))), (N,))
    assert x.dtype == np.int64
    low, high = (int(law.ppf(q)) for q in (1e-3, 1 - 1e-3))
    values = np.unique(np.linspace(low, high, 30).astype(int))
    want = np.diff(law.cdf([-math.inf, *values, math.inf])) * N
    got = np.diff([0, *(np.sum(x <= v) for v in values), N])
    assert not np.any(got[want == 0])
    got, want = got[want > 0], want[want > 0]
    if len(want) > 1:
        statistic = np.sum((got - want) ** 2 / want)
        assert stats.chi2.sf(statistic, len(want) - 1) > 1e-3


@pytest.mark.parametrize("mean", [1e5, 1e12, 1e18])
def test_poisson_samples_of_great_means(mean):
    x = random.poisson(random.key(1), mean, (N,))
    z = (x - mean) / math.sqrt(mean)
    assert stats.kstest(z, stats.norm.cdf).pvalue > 1e-3


def test_moments_of_vectors():
    k1, k2, k3 = random.split(random.key(5), 3)
    cov = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.6]])
    mean = np.array([1.0, -2.0, 0.0])
    for k, method in zip(random.split(k1, 3), ("cholesky", "eigh", "svd"), strict=True):
        x = random.multivariate_normal(k, mean, cov, (50_000,), method=method)
        np.testing.assert_allclose(x.mean(0), mean, atol=0.03)
        np.testing.assert_allclose(np.cov(x.T), cov, atol=0.05)
    alpha = np.array([0.5, 1.0, 3.0])
    x = random.dirichlet(k2, alpha, (50_000,))
    np.testing.assert_allclose(x.sum(-1), 1.0, rtol=1e-14)
    np.testing.assert_allclose(x.mean(0), alpha / 4.5, atol=0.005)
    p = np.array([0.2, 0.5, 0.3])
    x = random.multinomial(k3, 7, p, shape=(20_000,))
    assert np.all(x.sum(-1) == 7)
    np.testing.assert_allclose(np.cov(x.T), 7 * (np.diag(p) - np.outer(p, p)), atol=0.05)


def test_orthogonal_matrices():
    for m in (2, 4, 3, None):
        q = random.orthogonal(random.key(2), 3, (5,), m=m)
        assert q.shape == (5, 3, m or 3)
        small = q @ q.mT if (m or 3) > 3 else q.mT @ q
        np.testing.assert_allclose(small, np.broadcast_to(np.eye(small.shape[-1]), small.shape),
                                   atol=1e-14)  # fmt: skip
    q = random.orthogonal(random.key(3), 2, (4000,))
    assert abs(np.mean(np.linalg.det(q) > 0) - 0.5) < 0.03  # rotations and reflections


def test_permutations_are_equally_likely():
    keys = random.split(random.key(4), 12_000)
    orders = vmap(lambda k: random.permutation(k, 4))(keys)
    assert np.all(np.sort(orders, -1) == np.arange(4))
    _, counts = np.unique(orders @ [1000, 100, 10, 1], return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-3


def test_choice_without_replacement_is_drawing_one_after_the_other():
    p = np.array([0.5, 0.3, 0.2, 0.0])
    keys = random.split(random.key(6), 20_000)
    pairs = vmap(lambda k: random.choice(k, 4, (2,), replace=False, p=p))(keys)
    seen = np.zeros((4, 4))
    np.add.at(seen, (pairs[:, 0], pairs[:, 1]), 1)
    want = np.outer(p, p) / (1 - p)[:, None] * (1 - np.eye(4)) * len(keys)
    assert not np.any(seen[want == 0])
    inside = want > 0
    assert stats.chi2.sf(np.sum((seen - want)[inside] ** 2 / want[inside]), 5) > 1e-3


def test_the_bounds_of_integers():
    k = random.key(8)
    for dtype in (np.int8, np.uint8, np.int64, np.uint64):
        info = np.iinfo(dtype)
        x = random.randint(k, (1000,), info.min, int(info.max) + 1, dtype)
        assert x.dtype == dtype
        middle = (int(info.max) + info.min) // 2
        assert abs(np.mean(x > middle) - 0.5) < 0.05
    assert set(random.randint(k, (100,), 5, 6).tolist()) == {5}
    low = random.randint(k, (3, 500), np.array([[0], [10], [-10]]), np.array([[2], [12], [-8]]))
    assert [sorted(set(row.tolist())) for row in low] == [[0, 1], [10, 11], [-10, -9]]
    wide = random.randint(k, (4000,), -(2**62), 2**63 - 1)
    law = stats.uniform(-(2.0**62), 3 * 2.0**62)
    assert stats.kstest(wide.astype(float), law.cdf).pvalue > 1e-3


def test_uniform_numbers_do_not_reach_the_upper_bound():
    x = random.uniform(random.key(0), (50_000,), np.float16, 1.0, 2.0)
    assert x.dtype == np.float16
    assert x.min() == 1
    assert x.max() == np.nextafter(np.float16(2), np.float16(1))
    x = random.uniform(random.key(0), (50_000,), np.float16)
    assert x.min() == 0
    assert x.max() < 1


def test_truncated_normal_numbers_far_out():
    for low in (30.0, 37.0, 40.0, 300.0):
        x = random.truncated_normal(random.key(1), low, np.inf, (5000,))
        # The tail is close to that of an exponential distribution there.
        assert np.all(x > low)
        assert abs(np.mean(x - low) * low - 1) < 0.05
    x = random.truncated_normal(random.key(1), 1e-9, 2e-9, (1000,))
    assert np.all((x >= 1e-9) & (x <= 2e-9))
    assert stats.kstest(x, stats.uniform(1e-9, 1e-9).cdf).pvalue > 1e-3
    assert random.truncated_normal(random.key(1), 2.0, 2.0) == 2.0
