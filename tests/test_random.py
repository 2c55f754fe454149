"""Keys and samples as values: no state, every transformation, errors."""

from __future__ import annotations

import inspect
import random as python_random
import threading

import numpy as np
import pytest
from scipy import stats

from fgrad import grad, make_graph, random, vmap
from fgrad.random import philox

KEY = random.key(2026)

#: A call of every function that draws numbers.
DRAW = {
    "ball": lambda k: random.ball(k, 2),
    "bernoulli": random.bernoulli,
    "beta": lambda k: random.beta(k, 2.0, 3.0),
    "binomial": lambda k: random.binomial(k, 5000, 0.5),
    "bits": random.bits,
    "categorical": lambda k: random.categorical(k, np.zeros(9)),
    "cauchy": random.cauchy,
    "chisquare": lambda k: random.chisquare(k, 2.0),
    "choice": lambda k: random.choice(k, 10, (3,)),
    "dirichlet": lambda k: random.dirichlet(k, np.ones(3)),
    "double_sided_maxwell": lambda k: random.double_sided_maxwell(k, 0.0, 1.0),
    "exponential": random.exponential,
    "f": lambda k: random.f(k, 2.0, 3.0),
    "gamma": lambda k: random.gamma(k, 2.0),
    "generalized_normal": lambda k: random.generalized_normal(k, 3.0),
    "geometric": lambda k: random.geometric(k, 0.1),
    "gumbel": random.gumbel,
    "laplace": random.laplace,
    "loggamma": lambda k: random.loggamma(k, 0.5),
    "logistic": random.logistic,
    "lognormal": random.lognormal,
    "maxwell": random.maxwell,
    "multinomial": lambda k: random.multinomial(k, 30, np.ones(3) / 3),
    "multivariate_normal": lambda k: random.multivariate_normal(k, np.zeros(2), np.eye(2)),
    "normal": random.normal,
    "orthogonal": lambda k: random.orthogonal(k, 2),
    "pareto": lambda k: random.pareto(k, 2.0),
    "permutation": lambda k: random.permutation(k, 6),
    "poisson": lambda k: random.poisson(k, 2000.0),
    "rademacher": lambda k: random.rademacher(k, (4,)),
    "randint": lambda k: random.randint(k, (), 0, 1000),
    "rayleigh": lambda k: random.rayleigh(k, 1.0),
    "split": random.split,
    "t": lambda k: random.t(k, 3.0),
    "triangular": lambda k: random.triangular(k, 0.0, 1.0, 2.0),
    "truncated_normal": lambda k: random.truncated_normal(k, -1.0, 1.0),
    "uniform": random.uniform,
    "wald": lambda k: random.wald(k, 2.0),
    "weibull_min": lambda k: random.weibull_min(k, 1.0, 2.0),
}
OTHERS = {"key", "fold_in", "check_reuse"}
each = pytest.mark.parametrize("name", DRAW)


def test_the_list_has_every_function():
    public = {n for n, f in vars(random).items() if inspect.isfunction(f) and n[0] != "_"}
    assert public == set(DRAW) | OTHERS


# ------------------------------------------------------------------ the words
def test_the_words_are_numpys_philox():
    keys = np.random.default_rng(0).integers(0, 2**64, (100, 2), dtype=np.uint64)
    for n in (1, 4, 7, 200):
        want = [np.random.Philox(key=k, counter=[0, 0, 0, 5]).random_raw(n) for k in keys]
        got = philox.words(keys, n, philox.Purpose(16))
        assert got.shape == (100, n)
        assert np.array_equal(philox.words(keys[:5], n), [philox.words(k, n) for k in keys[:5]])
        assert np.array_equal(philox.words(keys, n)[7], philox.words(keys[7], n))
        assert not np.any(got == want)
    for key, w in zip(keys[:3], philox.words(keys, 9), strict=False):
        assert np.array_equal(np.random.Philox(key=key).random_raw(9), w)
    c = np.arange(1, 101, dtype=np.uint64)
    many = philox.encrypt(keys, c, 7, 2**64 - 1, philox.Purpose.GAMMA)
    few = [philox.encrypt(keys[i : i + 1], c[i], 7, 2**64 - 1, philox.Purpose.GAMMA)[0]
           for i in range(100)]  # fmt: skip
    assert np.array_equal(many, few)


def test_the_known_answers_of_the_paper():
    # Of the file kat_vectors that belongs to the paper: philox4x64 10.
    key = np.array([[0x452821E638D01377, 0xBE5466CF34E90C6C]], np.uint64)
    counter = 0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89
    want = [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6]
    got = philox._encrypt(key, *(np.uint64(c) for c in counter))
    assert got[0].tolist() == want


def test_the_numbers_stay_what_they_are():
    assert KEY.tolist() == [622973748735281913, 13893994112944526910]
    assert random.split(KEY)[1].tolist() == [3475209775784881167, 884652457768041971]
    assert random.fold_in(KEY, -1).tolist() == [715064342562809201, 16410765799183217343]
    assert random.bits(KEY) == 7017416415306042151
    assert random.uniform(KEY, (2,)).tolist() == [0.38041490613551254, 0.8382769308206014]
    normal = [1.177063435870377, -0.41717028049991084]
    np.testing.assert_allclose(random.normal(KEY, (2,)), normal, rtol=1e-14)
    np.testing.assert_allclose(random.gamma(KEY, 0.5), 1.085063369232045, rtol=1e-13)
    assert random.permutation(KEY, 5).tolist() == [2, 0, 3, 4, 1]
    assert random.randint(KEY, (3,), 0, 100).tolist() == [38, 0, 65]
    assert (random.poisson(KEY, 50.0), random.binomial(KEY, 100, 0.5)) == (40, 48)


# ------------------------------------------------------------------ no state
@each
def test_the_same_key_gives_the_same_numbers(name):
    state, pythons = np.random.get_state(), python_random.getstate()
    first = DRAW[name](KEY)
    np.random.seed(1)
    second = DRAW[name](KEY)
    np.random.set_state(state)
    assert np.array_equal(first, second)
    DRAW[name](KEY)
    assert np.array_equal(np.random.get_state()[1], state[1])
    assert python_random.getstate() == pythons
    if name not in ("bernoulli", "rademacher", "orthogonal"):
        assert not np.array_equal(first, DRAW[name](random.key(1)))


def test_threads_get_the_same_numbers():
    want = {name: draw(KEY) for name, draw in DRAW.items()}
    wrong = []

    def run():
        wrong.extend(n for n, draw in DRAW.items() if not np.array_equal(draw(KEY), want[n]))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_sample_begins_with_the_shorter_one_and_is_rounded_in_narrower_dtypes():
    wide = random.normal(KEY, (9,))
    assert np.array_equal(random.normal(KEY, (5,)), wide[:5])
    assert np.array_equal(random.normal(KEY, (9,), np.float32), wide.astype(np.float32))
    assert np.array_equal(random.split(KEY, 3), random.split(KEY, 7)[:3])
    a = np.array([0.3, 2.0, 70.0, 2.0])
    x = random.gamma(KEY, a, (1000, 4))
    assert np.array_equal(random.gamma(KEY, a, (10, 4)), x[:10])
    a[0] = 5.0  # and a number of it doesn't depend on its neighbours' parameters
    assert np.array_equal(random.gamma(KEY, a, (1000, 4))[:, 1:], x[:, 1:])


def test_results_have_the_shape_and_dtype():
    for name, draw in DRAW.items():
        x = draw(KEY)
        assert np.ndim(x) or isinstance(x, np.generic), name  # numbers, as NumPy's functions
    assert random.gamma(KEY, np.ones((2, 1)), (3, 2, 4)).shape == (3, 2, 4)
    assert random.gamma(KEY, np.ones(2, np.float32)).dtype == np.float64
    assert random.beta(KEY, 1, np.ones(2), dtype=np.float16).dtype == np.float16
    assert random.normal(KEY, 3).shape == (3,)
    assert random.normal(KEY, (0, 3)).shape == (0, 3)
    assert random.normal(KEY, dtype=np.complex64).dtype == np.complex64
    assert random.poisson(KEY, np.ones(3), dtype=np.int16).dtype == np.int16
    assert random.split(KEY, (2, 3)).shape == (2, 3, 2)
    assert random.bits(KEY, (3,), np.uint8).dtype == np.uint8
    assert random.choice(KEY, np.ones((2, 3, 4)), (5, 6), axis=1).shape == (2, 5, 6, 4)
    assert random.categorical(KEY, np.zeros((2, 3)), axis=0, shape=(4, 3)).shape == (4, 3)
    assert random.choice(KEY, 3, (0,)).shape == (0,)
    assert random.poisson(KEY, 1e4, dtype=np.uint8) == 255


# ------------------------------------------------------------------ streams
def test_new_keys_are_all_different():
    keys = [random.split(KEY, 50_000), random.split(random.split(KEY)[0], 50_000)]
    folded = vmap(lambda i: random.fold_in(KEY, i))(np.arange(-1000, 1000))
    seeds = vmap(random.key)(np.arange(-1000, 1000))
    words = np.concatenate([*keys, folded, seeds]).ravel()
    assert len(np.unique(words)) == words.size


def test_split_streams_are_independent():
    keys = random.split(random.key(7), 40)
    x = vmap(lambda k: random.normal(k, (5000,)))(keys)
    correlations = np.corrcoef(x)[np.triu_indices(40, 1)] * np.sqrt(5000)
    assert stats.kstest(correlations, stats.norm.cdf).pvalue > 1e-3
    assert stats.kstest(x[:, 0], stats.norm.cdf).pvalue > 1e-3  # across streams, too
    first = vmap(random.uniform)(random.split(random.key(8), 50_000))
    assert stats.kstest(first, stats.uniform.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 4 / np.sqrt(50_000)
    chain = [random.key(9)]
    for _ in range(500):
        chain.append(random.split(chain[-1])[0])
    u = np.array([random.uniform(k) for k in chain])
    assert stats.kstest(u, stats.uniform.cdf).pvalue > 1e-3
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 4 / np.sqrt(500)


def test_seeds_of_any_size():
    positive = [1, 2**63, 2**64 - 1, 2**64, 2**127, 2**128, 2**500]
    seeds = [0, *positive, *(-s for s in positive)]
    keys = {tuple(random.key(s).tolist()) for s in seeds}
    assert len(keys) == len(seeds)
    assert np.array_equal(random.key(np.int32(-5)), random.key(-5))
    assert np.array_equal(random.key(np.array(5, np.uint8)), random.key(5))
    assert np.array_equal(vmap(random.key)(np.array([-3, 4])), [random.key(-3), random.key(4)])
    folded = {tuple(random.fold_in(KEY, s).tolist()) for s in seeds}
    assert len(folded | keys) == 2 * len(seeds)


# ------------------------------------------------------------------ transformations
@each
def test_vmap_is_the_stack_and_a_graph_takes_another_key(name):
    draw = DRAW[name]
    for n in (3, 40):  # of many keys the words are made in another way
        keys = random.split(random.key(1), n)
        want = np.stack([draw(k) for k in keys])
        got = vmap(draw)(keys)
        assert got.dtype == want.dtype
        np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-15)
    graph = make_graph(draw)(keys[0])
    np.testing.assert_allclose(graph(keys[1]), want[1], rtol=1e-13, atol=1e-15)
    assert vmap(draw)(keys[:0]).shape == (0, *want.shape[1:])


def test_one_key_for_all_elements_and_one_for_each():
    a = np.array([0.5, 2.0, 30.0])
    assert np.array_equal(
        vmap(lambda a: random.gamma(KEY, a))(a), [random.gamma(KEY, x) for x in a]
    )
    keys = random.split(KEY, 3)
    both = vmap(vmap(lambda k, a: random.poisson(k, a), (0, None)), (None, 0))(keys, a)
    assert np.array_equal(both, [[random.poisson(k, x) for k in keys] for x in a])


def test_keys_are_leaves():
    def loss(w, keys):
        noise = vmap(lambda k: random.normal(k, (2,)))(keys["noise"])
        return np.mean((w + noise) ** 2)

    keys = {"noise": random.split(KEY, 4)}
    z = vmap(lambda k: random.normal(k, (2,)))(keys["noise"])
    w = np.array([1.0, 2.0])
    np.testing.assert_allclose(grad(loss)(w, keys), 2 * np.mean(w + z, 0) / 2)
    graph = make_graph(grad(loss))(w, keys)
    other = {"noise": random.split(random.key(3), 4)}
    np.testing.assert_allclose(graph(w, other), grad(loss)(w, other))
