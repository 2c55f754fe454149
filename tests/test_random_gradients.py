"""Samples move with their parameters as quantiles do, and so do means over them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, special, stats

from fgrad import grad, jvp, make_graph, random, vjp, vmap
from fgrad.random import gammas, normals
from fgrad.testing import check_grads

KEY = random.key(5)
SHAPE = (200,)

#: A sample of parameters, and its quantile function in SciPy.
QUANTILES = {
    "gamma": (random.gamma, special.gammaincinv, (0.4,)),
    "gamma 1": (random.gamma, special.gammaincinv, (1.0,)),
    "gamma 30": (random.gamma, special.gammaincinv, (30.0,)),
    "chisquare": (random.chisquare, lambda df, u: stats.chi2.ppf(u, df), (3.0,)),
    "truncated": (
        random.truncated_normal, lambda a, b, u: stats.truncnorm.ppf(u, a, b), (-0.3, 1.2)),
    "truncated tail": (
        random.truncated_normal, lambda a, b, u: stats.truncnorm.ppf(u, a, b), (2.0, 5.0)),
    "triangular": (
        random.triangular,
        lambda a, c, b, u: stats.triang.ppf(u, (c - a) / (b - a), a, b - a), (1.0, 2.0, 4.0)),
    "weibull_min": (
        random.weibull_min, lambda s, c, u: stats.weibull_min.ppf(u, c, 0, s), (2.0, 1.5)),
    "pareto": (random.pareto, lambda b, u: stats.pareto.ppf(u, b), (2.5,)),
    "wald": (random.wald, lambda m, u: stats.invgauss.ppf(u, m), (1.5,)),
    "wald 0.1": (random.wald, lambda m, u: stats.invgauss.ppf(u, m), (0.1,)),
    "lognormal": (random.lognormal, lambda s, u: stats.lognorm.ppf(u, s), (0.6,)),
    "rayleigh": (random.rayleigh, lambda s, u: stats.rayleigh.ppf(u, 0, s), (1.5,)),
    "uniform": (
        lambda k, a, b, s: random.uniform(k, s, minval=a, maxval=b),
        lambda a, b, u: a + u * (b - a), (-1.0, 2.0)),
}  # fmt: skip

CDFS = {
    "gamma": special.gammainc,
    "chisquare": lambda df, x: stats.chi2.cdf(x, df),
    "truncated": lambda a, b, x: stats.truncnorm.cdf(x, a, b),
    "triangular": lambda a, c, b, x: stats.triang.cdf(x, (c - a) / (b - a), a, b - a),
    "weibull_min": lambda s, c, x: stats.weibull_min.cdf(x, c, 0, s),
    "pareto": lambda b, x: stats.pareto.cdf(x, b),
    "wald": lambda m, x: stats.invgauss.cdf(x, m),
    "lognormal": lambda s, x: stats.lognorm.cdf(x, s),
    "rayleigh": lambda s, x: stats.rayleigh.cdf(x, 0, s),
    "uniform": lambda a, b, x: (x - a) / (b - a),
}


@pytest.mark.parametrize("name", QUANTILES)
def test_the_derivative_is_that_of_the_quantile(name):
    draw, quantile, parameters = QUANTILES[name]
    x = draw(KEY, *parameters, SHAPE)
    u = CDFS[name.split()[0]](*parameters, x)
    good = (u > 0.01) & (u < 0.99)
    for i, p in enumerate(parameters):

        def at(v, i=i):
            return (*parameters[:i], v, *parameters[i + 1 :])

        t = jvp(lambda v, at=at: draw(KEY, *at(v), SHAPE), (p,), (1.0,))[1]
        h = 1e-4 * p
        points = [quantile(*at(p + k * h), u[good]) for k in (-2, -1, 1, 2)]
        want = np.dot([1 / 12, -2 / 3, 2 / 3, -1 / 12], points) / h
        np.testing.assert_allclose(t[good], want, rtol=2e-7, atol=1e-9)


def test_the_derivative_of_gamma_by_an_integral():
    for a, u in [(1e-3, 0.5), (0.05, 0.9), (0.7, 0.02), (2.0, 0.999), (40.0, 0.3), (3e3, 0.6)]:
        x = float(special.gammaincinv(a, u))
        below = x > 0 and u < 0.6

        def log_density(t, a=a):
            return special.xlogy(a - 1, t) - t - special.gammaln(a)

        def f(s, a=a, log_density=log_density):
            return (s - special.digamma(a)) * np.exp(log_density(np.exp(s)) + s)

        y = math.log(x) if x > 1e-300 else (math.log(u) + special.gammaln(a + 1)) / a
        if below and y > -30:
            total, _ = integrate.quad(f, y - 60 / min(a, 1), y, epsabs=0, epsrel=1e-12, limit=500,
                                      points=[y - 1 / math.sqrt(a)])  # fmt: skip
        elif y > -30:
            top = math.log(a + 40 * math.sqrt(a) + 60)
            total = -integrate.quad(f, y, top, epsabs=0, epsrel=1e-12, limit=500)[0]
        else:  # x**a / gamma(a + 1)
            np.testing.assert_allclose(
                gammas.loggamma_slope(a, y), (special.digamma(a + 1) - y) / a, rtol=1e-13
            )
            continue
        want = -total / np.exp(log_density(x) + math.log(x))
        np.testing.assert_allclose(gammas.loggamma_slope(a, y), want, rtol=1e-9)


def test_the_formulas_for_the_slope_agree_where_they_meet():
    a, y = gammas._LARGE, np.log(gammas._LARGE) + np.linspace(-5, 5, 11) / math.sqrt(gammas._LARGE)
    np.testing.assert_allclose(
        gammas.loggamma_slope(a * (1 - 1e-12), y), gammas.loggamma_slope(a * (1 + 1e-12), y),
        rtol=1e-11,
    )  # fmt: skip
    for a in (0.01, 0.3, 1.0):
        y = gammas._TINY
        np.testing.assert_allclose(
            gammas.loggamma_slope(a, y - 1e-9), gammas.loggamma_slope(a, y + 1e-9), rtol=1e-8
        )


@pytest.mark.parametrize("a", [0.05, 0.5, 3.0, 50.0])
def test_means_have_the_derivatives_of_means(a):
    n = 20_000

    def mean(f):
        return lambda a: np.mean(f(random.gamma(KEY, a, (n,))))

    for f, want in ((lambda x: x, 1.0), (np.square, 2 * a + 1)):
        got = grad(mean(f))(a)
        assert abs(got - want) < 20 * abs(want) * math.sqrt(max(1 / a, 1) / n)
    logs = grad(lambda a: np.mean(random.loggamma(KEY, a, (n,))))(a)
    np.testing.assert_allclose(logs, special.polygamma(1, a), rtol=0.03)
    second = grad(grad(lambda a: np.mean(random.loggamma(KEY, a, (n,)))))(a)
    np.testing.assert_allclose(second, special.polygamma(2, a), rtol=0.1)
    assert abs(grad(grad(mean(np.square)))(a) - 2) < 0.4


def test_means_of_beta_and_dirichlet_and_t():
    n, a, b = 40_000, 0.7, 2.0
    got = grad(lambda a, b: np.mean(random.beta(KEY, a, b, (n,))), (0, 1))(a, b)
    np.testing.assert_allclose(got, (b / (a + b) ** 2, -a / (a + b) ** 2), rtol=0.05)
    alpha = np.array([0.5, 1.0, 2.0])
    got = grad(lambda x: np.mean(random.dirichlet(KEY, x, (n,))[:, 1]))(alpha)
    np.testing.assert_allclose(got, (np.array([0, 1, 0]) - alpha[1] / 3.5) / 3.5, atol=0.01)
    df = 9.0
    got = grad(lambda df: np.mean(random.t(KEY, df, (n,)) ** 2))(df)
    np.testing.assert_allclose(got, -2 / (df - 2) ** 2, rtol=0.25)
    got = grad(lambda m: np.mean(random.wald(KEY, m, (n,)) ** 2))(0.5)
    np.testing.assert_allclose(got, 2 * 0.5 + 3 * 0.5**2, rtol=0.1)
    p = 3.0
    got = grad(lambda p: np.mean(np.abs(random.generalized_normal(KEY, p, (n,)))))(p)
    want = grad_of_mean_of_gennorm(p)
    np.testing.assert_allclose(got, want, rtol=0.05)


def grad_of_mean_of_gennorm(p):
    def mean(p):
        return special.gamma(2 / p) / special.gamma(1 / p)

    return (mean(p + 1e-5) - mean(p - 1e-5)) / 2e-5


def test_beta_of_small_parameters_keeps_its_digits():
    x = random.beta(KEY, 1e-3, 1e-3, (1000,))
    assert np.all((x >= 0) & (x <= 1))
    assert 0.4 < np.mean(x > 0.5) < 0.6
    t = jvp(lambda a: random.beta(KEY, a, 1e-3, (1000,)), (1e-3,), (1.0,))[1]
    assert np.all(np.isfinite(t))
    x = random.dirichlet(KEY, np.full(3, 1e-4), (100,))
    np.testing.assert_allclose(x.sum(-1), 1)


def test_normal_parameters():
    z = random.normal(KEY, (3,))
    y, pullback = vjp(lambda m, s: m + s * random.normal(KEY, (3,)), 1.0, 2.0)
    assert np.array_equal(y, 1.0 + 2.0 * z)
    assert pullback(np.ones(3)) == (3.0, np.sum(z))
    a = np.array([[2.0, 0.3], [0.1, 1.0]])
    for method in ("cholesky", "eigh", "svd"):
        check_grads(
            lambda m, a, method=method: random.multivariate_normal(
                KEY, m, a @ a.T, (3,), method=method),
            (np.ones(2), a), order=2,
        )  # fmt: skip


def test_entries_keep_their_derivatives():
    x = np.arange(1.0, 6.0)
    order = random.permutation(KEY, 5)
    w = np.array([1.0, 10.0, 100.0, 1000.0, 10000.0])
    g = grad(lambda x: np.sum(w * random.permutation(KEY, x)))(x)
    assert np.array_equal(g[order], w)
    g = grad(lambda x: np.sum(random.choice(KEY, x, (50,))))(x)
    assert g.sum() == 50
    assert np.array_equal(g, np.bincount(random.choice(KEY, 5, (50,)), minlength=5))


def test_what_is_counted_is_constant():
    x = np.array([0.2, 0.7])
    for draw in (
        lambda p: random.bernoulli(KEY, p, (4, 2)) * 1.0,
        lambda p: random.poisson(KEY, p) * 1.0,
        lambda p: random.binomial(KEY, 9, p) * 1.0,
        lambda p: random.geometric(KEY, p) * 1.0,
        lambda p: random.categorical(KEY, p) * 1.0,
        lambda p: random.choice(KEY, 2, (3,), p=p / np.sum(p)) * 1.0,
        lambda p: random.multinomial(KEY, 9, p) * 1.0,
    ):
        assert np.array_equal(grad(lambda p, draw=draw: np.sum(draw(p)))(x), [0, 0])


def test_dtypes_of_gradients():
    for dtype in (np.float16, np.float32):
        a = np.array([0.5, 3.0], dtype)

        def f(a, dtype=dtype):
            return np.sum(random.gamma(KEY, a, dtype=dtype))

        assert f(a).dtype == dtype
        assert grad(f)(a).dtype == dtype
        np.testing.assert_allclose(
            grad(f)(a), grad(lambda a: np.sum(random.gamma(KEY, a)))(a.astype(float)), rtol=2e-3
        )
    g = grad(lambda s: random.truncated_normal(KEY, s, 2.0, dtype=np.float32))(0.5)
    assert type(g) is float


def test_derivatives_at_the_edges_of_truncation():
    def f(a, b):
        return random.truncated_normal(KEY, a, b)

    assert grad(f, (0, 1))(-math.inf, math.inf) == (0.0, 0.0)
    assert grad(f, (0, 1))(40.0, math.inf)[1] == 0.0
    # Far out the whole sample moves with the bound.
    np.testing.assert_allclose(grad(f)(300.0, math.inf), 1.0, rtol=1e-3)
    np.testing.assert_allclose(grad(grad(f))(-math.inf, 1.0), 0.0)
    x = normals.truncated(np.array([1e-12, 0.5]), np.array([40.0, -40.0]), np.array([50.0, 40.0]))
    np.testing.assert_allclose(x, [40.0, 0.0], atol=1e-10)


def test_graphs_and_batches_of_derivatives():
    a, keys = np.array([0.3, 4.0, 60.0]), random.split(KEY, 3)
    d = grad(lambda a, k: random.gamma(k, a))
    want = [d(x, k) for x, k in zip(a, keys, strict=True)]
    np.testing.assert_allclose(vmap(d)(a, keys), want, rtol=1e-12)
    graph = make_graph(vmap(d))(a, keys)
    np.testing.assert_allclose(graph(a + 1, keys), vmap(d)(a + 1, keys), rtol=1e-12)


def test_hidden_parameters_outside_of_their_domain():
    a = np.array([1.0, -1.0, 0.0, np.nan])
    x = vmap(lambda a: random.gamma(KEY, a))(a)
    assert np.array_equal(np.isnan(x), [False, True, True, True])
    assert np.isnan(vmap(lambda a: random.wald(KEY, a))(a)).tolist() == [False, True, True, True]
    assert random.gamma(KEY, np.inf) == np.inf
    assert vmap(lambda a: random.poisson(KEY, a))(a).tolist()[1::2] == [-1, -1]
    assert vmap(lambda p: random.binomial(KEY, 5, p))(a).tolist()[1::2] == [-1, -1]
    assert vmap(lambda p: random.geometric(KEY, p))(a).tolist() == [1, -1, -1, -1]
    assert np.isnan(vmap(lambda a: random.truncated_normal(KEY, a, -2.0))(a)[0])
