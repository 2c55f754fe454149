"""What random functions refuse, and keys that are used twice."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fgrad import grad, make_graph, random, vmap
from fgrad.errors import ArgumentError, DomainError, DtypeError, KeyReuseError, ShapeError

from .test_random import DRAW

KEY = random.key(3)
KEYS = random.split(KEY, 3)

NOT_KEYS = {
    "an int": (7, ArgumentError, r"7 \(an int\)", r"{}\(fgrad.random.key\(seed\), ...\)"),
    "a number": (np.int64(7), ArgumentError, "an int64 array of shape", "fgrad.random.key"),
    "floats": (np.ones(2), ArgumentError, "a float64 array of shape", "fgrad.random.key"),
    "int64": (np.ones(2, np.int64), ArgumentError, "an int64 array", "fgrad.random.key"),
    "three words": (np.ones(3, np.uint64), ArgumentError, r"shape \(3,\)", "fgrad.random.key"),
    "a list": ([1, 2], ArgumentError, r"a list", "fgrad.random.key"),
    "None": (None, ArgumentError, "None", "fgrad.random.key"),
    "several": (KEYS, ShapeError, r"3 keys", r"fgrad.vmap\(lambda key: {}\(key, ...\)\)"),
}


@pytest.mark.parametrize("what", NOT_KEYS)
@pytest.mark.parametrize("name", [*DRAW, "fold_in"])
def test_a_key_that_is_none(name, what):
    key, error, came, to_do = NOT_KEYS[what]
    draw = DRAW.get(name) or (lambda k: random.fold_in(k, 1))
    with pytest.raises(error, match=f"`{name}` wants a key") as e:
        draw(key)
    assert re.search(came, e.value.came)
    assert re.search(to_do.format(name), e.value.to_do)


REFUSED = [
    (lambda: random.key(1.5), ArgumentError, "`key` wants an integer"),
    (lambda: random.key("seed"), ArgumentError, "`key` wants an integer"),
    (lambda: random.key(np.arange(3)), ArgumentError, "fgrad.vmap"),
    (lambda: random.key(np.float64(1)), ArgumentError, "`key` wants an integer"),
    (lambda: vmap(random.key)(np.ones(2)), ArgumentError, "`key` wants an integer"),
    (lambda: random.fold_in(KEY, 0.5), ArgumentError, "`fold_in` wants an integer"),
    (lambda: random.split(KEY, -1), ShapeError, "not negative"),
    (lambda: random.split(KEY, 2.0), ArgumentError, "tuple of integers"),
    (lambda: random.normal(KEY, (2, -3)), ShapeError, "not negative"),
    (lambda: random.normal(KEY, "ab"), ArgumentError, "tuple of integers"),
    (lambda: random.normal(KEY, None), ArgumentError, "tuple of integers"),
    (lambda: make_graph(lambda n: random.normal(KEY, (n,)))(3), ArgumentError, "be a length"),
    (lambda: random.normal(KEY, (2,), int), DtypeError, "float16, float32 or float64"),
    (lambda: random.uniform(KEY, (2,), complex), DtypeError, "float16, float32 or float64"),
    (lambda: random.uniform(KEY, (2,), "nonsense"), DtypeError, "wants a dtype"),
    (lambda: random.bits(KEY, (2,), float), DtypeError, "makes integers"),
    (lambda: random.rademacher(KEY, (2,), np.uint8), DtypeError, "has -1"),
    (lambda: random.rademacher(KEY, (2,), "nonsense"), DtypeError, "wants a dtype"),
    (lambda: random.poisson(KEY, 1.0, dtype=float), DtypeError, "makes integers"),
    (lambda: random.gamma(KEY, np.ones(3), (2,)), ShapeError, "parameters broadcast"),
    (lambda: random.gamma(KEY, np.ones((2, 3)), (3,)), ShapeError, "parameters broadcast"),
    (lambda: random.beta(KEY, np.ones(3), np.ones(2)), ShapeError, "whose shapes broadcast"),
    (lambda: random.gamma(KEY, 1j), DtypeError, "real numbers"),
    (lambda: random.gamma(KEY, "a"), DtypeError, "real numbers"),
    (lambda: random.gamma(KEY, [[1.0], [1.0, 2.0]]), DtypeError, "real numbers"),
    (lambda: random.gamma(KEY, np.array([1.0, -1.0])), DomainError, "wants a > 0"),
    (lambda: grad(lambda a: random.gamma(KEY, a))(-1.0), DomainError, "wants a > 0"),
    (lambda: random.beta(KEY, 1.0, 0.0), DomainError, "wants b > 0"),
    (lambda: random.dirichlet(KEY, 1.0), ShapeError, "vector of concentrations"),
    (lambda: random.dirichlet(KEY, np.array([1.0, -1.0])), DomainError, "alpha > 0"),
    (lambda: random.uniform(KEY, minval=2.0, maxval=1.0), DomainError, "minval <= maxval"),
    (lambda: random.truncated_normal(KEY, 2.0, 1.0), DomainError, "lower <= upper"),
    (lambda: random.triangular(KEY, 2.0, 1.0, 3.0), DomainError, "left <= mode"),
    (lambda: random.weibull_min(KEY, 2.0, -1.0), DomainError, "concentration > 0"),
    (lambda: random.wald(KEY, 0.0), DomainError, "mean > 0"),
    (lambda: random.bernoulli(KEY, 1.5), DomainError, r"p in \[0, 1\]"),
    (lambda: random.geometric(KEY, 0.0), DomainError, r"p in \(0, 1\]"),
    (lambda: random.poisson(KEY, -1.0), DomainError, "lam in"),
    (lambda: random.poisson(KEY, 1e19), DomainError, "lam in"),
    (lambda: random.binomial(KEY, 2.5, 0.5), DomainError, "whole numbers"),
    (lambda: random.binomial(KEY, -1, 0.5), DomainError, "whole numbers"),
    (lambda: random.binomial(KEY, 3, -0.5), DomainError, "p in"),
    (lambda: random.multinomial(KEY, 3, 0.5), ShapeError, "vector of probabilities"),
    (lambda: random.categorical(KEY, 0.5), ShapeError, "axis of categories"),
    (lambda: random.categorical(KEY, np.ones((2, 0))), ShapeError, "axis of categories"),
    (lambda: random.categorical(KEY, np.ones((2, 3)), shape=(3,)), ShapeError, "broadcast"),
    (lambda: random.randint(KEY, (), 3, 3), DomainError, "minval < maxval"),
    (lambda: random.randint(KEY, (), 0, 0, np.uint8), DomainError, "minval < maxval"),
    (lambda: random.randint(KEY, (), 0, 257, np.uint8), DomainError, "uint8 can hold"),
    (lambda: random.randint(KEY, (), -1, 2, np.uint8), DomainError, "uint8 can hold"),
    (lambda: random.randint(KEY, (), 0.0, 2), ArgumentError, "integers"),
    (lambda: vmap(lambda x: random.randint(KEY, (), 0, x))(np.ones(2)), ArgumentError, "integers"),
    (lambda: random.permutation(KEY, -1), ArgumentError, "array, or an integer"),
    (lambda: random.permutation(KEY, 1.5), ArgumentError, "array, or an integer"),
    (lambda: vmap(lambda n: random.permutation(KEY, n))(np.ones(2, int)), ArgumentError, "length"),
    (lambda: random.permutation(KEY, np.ones(3), 1), np.exceptions.AxisError, "axis 1"),
    (lambda: random.choice(KEY, 3, (4,), replace=False), DomainError, "no more entries"),
    (lambda: random.choice(KEY, 0, (1,)), DomainError, "no more entries"),
    (lambda: random.choice(KEY, 3, p=np.ones(2) / 2), ShapeError, "for each entry"),
    (lambda: random.choice(KEY, 3, p=np.ones(3)), DomainError, "sum is 1"),
    (lambda: random.choice(KEY, 2, p=np.array([-1.0, 2.0])), DomainError, "p in"),
    (lambda: random.choice(KEY, 2, (2,), False, np.array([1.0, 0.0])), DomainError, "2 entries"),
    (lambda: random.multivariate_normal(KEY, 0.0, 1.0), ArgumentError, "the shapes"),
    (lambda: random.multivariate_normal(KEY, np.ones(2), np.eye(3)), ArgumentError, "the shapes"),
    (lambda: random.multivariate_normal(KEY, np.ones(2), np.eye(2), method="lu"), ArgumentError,
     "cholesky"),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_arguments_that_are_refused(number):
    call, error, text = REFUSED[number]
    with pytest.raises(error, match=text) as e:
        call()
    if error is not np.exceptions.AxisError:
        assert e.value.wanted
        assert e.value.came
        assert e.value.to_do


# ------------------------------------------------------------------ keys used twice
@pytest.mark.parametrize("name", DRAW)
def test_a_key_used_twice_is_found(name):
    with random.check_reuse():
        DRAW[name](KEY)
        with pytest.raises(KeyReuseError, match=rf"`uniform` wants a key .*\n.*`{name}`") as e:
            random.uniform(KEY)
    assert re.search(r"test_random\w*\.py:\d+$", e.value.came)


def test_what_uses_no_key_up():
    random.normal(KEY), random.normal(KEY)  # nobody has asked
    with random.check_reuse():
        k1, k2 = random.split(KEY)
        random.normal(k1), random.normal(k2)
        for i in range(3):
            random.normal(random.fold_in(k1, i))
        with pytest.raises(KeyReuseError):
            random.split(KEY)
    with random.check_reuse():
        random.normal(KEY)
        with random.check_reuse():  # begins anew
            random.normal(KEY)
        with pytest.raises(KeyReuseError):
            random.normal(KEY)
    random.normal(KEY)


def test_reuse_in_transformations():
    with random.check_reuse():
        vmap(random.normal)(KEYS)
        with pytest.raises(KeyReuseError):
            random.normal(KEYS[1])
    with random.check_reuse(), pytest.raises(KeyReuseError):
        vmap(random.normal)(np.stack([KEY, KEY]))
    with random.check_reuse():  # one sample, of which all elements make use
        vmap(lambda x: x + random.normal(KEY))(np.ones(3))
    with random.check_reuse():
        grad(lambda x: x * random.normal(KEY))(1.0)
        with pytest.raises(KeyReuseError):
            grad(lambda x: x * random.normal(KEY))(1.0)
    with random.check_reuse():
        graph = make_graph(lambda k: random.normal(k))(KEY)
        graph(KEY)
        random.normal(KEY)
