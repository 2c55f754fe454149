"""Truth values in compiled functions: a tree of paths, right on all inputs."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fgrad import errors, grad, jit


def newton(a):
    """The square root, by Newton's method with a test of convergence."""
    x = a
    for _ in range(100):
        new = 0.5 * (x + a / x)
        if abs(new - x) <= 1e-12 * new:
            return new
        x = new
    return x


def search(x):
    """Steps of gradient descent, each halved until it goes down."""

    def f(x):
        return np.sum((x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)

    for _ in range(3):
        g, step = grad(f)(x), 0.1
        while f(x - step * g) > f(x) - 0.3 * step * np.sum(g * g) and step > 1e-3:
            step *= 0.5
        x = x - step * g
    return x


def relu(x):
    if x > 0:
        return x
    return 0.0 * x


@pytest.mark.parametrize("f", [newton, grad(newton)], ids=["value", "gradient"])
def test_newtons_iteration(f):
    compiled = jit(f)
    for a in np.random.default_rng(0).uniform(0.01, 1000, 300):
        np.testing.assert_allclose(compiled(a), f(a), rtol=1e-12)
    assert "paths through truth values: 5" in compiled.explain()


def test_a_backtracking_line_search():
    compiled = jit(search)
    rng = np.random.default_rng(1)
    for _ in range(200):
        x = rng.normal(size=5)
        np.testing.assert_allclose(compiled(x), search(x), rtol=1e-9, atol=1e-12)
    (spec,) = compiled._specs
    assert 5 < spec.paths <= 64


def test_a_relu_with_an_if():
    compiled, slope = jit(relu), jit(grad(relu))
    for x in np.random.default_rng(2).normal(size=100):
        assert compiled(x) == relu(x)
        assert slope(x) == float(x > 0)


def test_a_path_is_compiled_from_where_it_is_new():
    ran = []

    def f(x):
        ran.append(1)
        y = np.exp(x)
        if np.sum(x) > 0:
            return np.sin(y)
        return np.cos(y)

    compiled = jit(f)
    for sign in (1.0, -1.0, 1.0, -1.0, 3.0, -3.0):
        x = sign * np.ones(3)
        np.testing.assert_allclose(
            compiled(x), np.sin(np.exp(x)) if sign > 0 else np.cos(np.exp(x)), rtol=1e-15
        )
    assert len(ran) == 2
    code = compiled.source(np.ones(3))
    assert code.count("exp(") == 1  # what is before the truth value is computed there only


def test_no_rounding_turns_a_truth_value():
    """Reassociation would make ``x * 0.1 * 10 - x`` zero, which it isn't for all x."""

    def f(x):
        if x * 0.1 * 10.0 - x == 0:
            return x + 1.0
        return x - 1.0

    compiled = jit(f)
    xs = np.random.default_rng(3).uniform(0, 10, 50)
    for x in xs:
        assert compiled(x) == f(x)


def signs(x):
    total = 0.0
    for i in range(len(x)):
        total = total + (x[i] if x[i] > 0 else -x[i] * 2)
    return total


def test_more_paths_than_there_may_be_warn_once_and_run_as_they_are():
    compiled = jit(signs, max_paths=8)
    rng = np.random.default_rng(4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(100):
            x = rng.normal(size=6)
            np.testing.assert_allclose(compiled(x), signs(x), rtol=1e-14)
    assert len(caught) == 1
    assert "at most 8 ways" in str(caught[0].message)
    assert "no more will be compiled" in compiled.explain()


def test_strict_refuses_more_paths():
    compiled = jit(signs, max_paths=8, strict=True)
    xs = np.random.default_rng(4).normal(size=(100, 6))
    with pytest.raises(
        errors.TracerConversionError, match=r"at most 8 ways.*\n.*signs.*\n.*np.where"
    ):
        [compiled(x) for x in xs]


def test_truth_values_of_nothing_but_constants_are_no_paths():
    compiled = jit(lambda x, flag=True: x if flag and len(x) > 2 else -x)
    compiled(np.ones(3))
    assert "truth values" not in compiled.explain()
