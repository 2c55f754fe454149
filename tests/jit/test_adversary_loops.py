"""Unfriendly loops in compiled functions: nothing aliases, nothing goes stale, nothing crashes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fgrad import (
    checkpoint,
    cond,
    fori_loop,
    grad,
    jacobian,
    jit,
    jvp,
    scan,
    tree,
    vjp,
    vmap,
    while_loop,
)

X = np.arange(6.0).reshape(2, 3)
BACKENDS = pytest.mark.parametrize("backend", ["numpy", "native"])


def near(got: Any, want: Any) -> None:
    assert tree.structure(got) == tree.structure(want)
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.asarray(a).dtype == np.asarray(b).dtype
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def own_results(f: Any, args: Any, captured: Any, backend: str) -> None:
    """Results are right, share no memory, and may be written into without harm to later calls."""
    want = tree.map(np.copy, f(*args))
    compiled = jit(f, backend=backend)
    for _ in range(3):
        got = compiled(*args)
        near(got, want)
        arrays = [y for y in tree.leaves(got) if isinstance(y, np.ndarray)]
        for k, y in enumerate(arrays):
            others = [*arrays[:k], *tree.leaves((args, captured))]
            assert not any(isinstance(x, np.ndarray) and np.shares_memory(x, y) for x in others)
            y[...] = 77


def kept(x: Any) -> Any:
    """A loop that hands its carry on as it is."""
    return scan(lambda c, _: (c, None), x, None, length=3)[0]


@BACKENDS
@pytest.mark.parametrize(
    "f",
    [
        jacobian(lambda x: kept(x).T),
        jacobian(lambda x: (kept(x), kept(x).T)),
        jacobian(lambda x: kept(x)[::-1]),
        lambda x: (kept(np.eye(3))[1:], kept(np.eye(3))[1], x),
        lambda x: vmap(lambda row: (kept(np.ones((2, 3))).T, kept(np.zeros(3))[::-1], row))(x),
    ],
    ids=["transposed", "both", "reversed", "rows", "mapped"],
)
def test_views_of_constants_are_copied(f, backend):
    own_results(f, (X,), (), backend)


@BACKENDS
@pytest.mark.parametrize(
    "loop",
    [
        lambda x, k: scan(lambda c, _: ((c[1], c[0] + x), None), (x, k), None, length=1)[0],
        lambda x, k: scan(lambda c, _: ((c[1], c[1]), None), (x, k), None, length=2)[0],
        lambda x, k: fori_loop(0, 3, lambda _, c: (c[1], c[0]), (x, k)),
        lambda x, k: while_loop(lambda c: c[0] > 5, lambda c: (c[1], c[0]), (x, k)),
        lambda x, k: cond(x > 1, lambda x, k: (x, x, k), lambda x, k: (k, k, x), x, k),
    ],
    ids=["scan", "twice", "fori", "while", "cond"],
)
def test_arrays_without_axes_that_go_through_a_loop(loop, backend):
    captured = np.array(1.5)
    own_results(lambda x: loop(x, captured), (np.array(2.0),), captured, backend)


@BACKENDS
def test_the_number_of_steps_changes(backend):
    def f(x):
        return np.sum(while_loop(lambda c: np.sum(np.abs(c)) > 1, lambda c: c * 0.5, x))

    x = np.array([3.0, -4.0, 5.0])
    slope, value = jit(grad(f), backend=backend), jit(f, backend=backend)
    for factor in (1.0, 0.5, 4.0, 0.01, 1.0):
        near(value(factor * x), f(factor * x))
        near(slope(factor * x), grad(f)(factor * x))
    near(slope(4 * x), np.full(3, 2.0**-6))


@pytest.mark.parametrize(
    "mask",
    [lambda x: x > 0.5, lambda x: {"mask": x > 0.5, "what": "a mask"}, lambda x: np.argsort(x)],
    ids=["bools", "a dict", "ints"],
)
def test_derivatives_around_a_compiled_function_without_any(mask):
    compiled, x = jit(mask), np.array([0.0, 1.0, 2.0])

    def around(g):
        return lambda x: np.sum(tree.leaves(g(x))[0] * x**2)

    for _ in range(2):
        near(grad(around(compiled))(x), grad(around(mask))(x))
        near(jit(grad(around(compiled)))(x), grad(around(mask))(x))
        near(jvp(around(compiled), (x,), (x,)), jvp(around(mask), (x,), (x,)))
        near(vjp(around(compiled), x)[0], around(mask)(x))


class Holder:
    """An object that nobody takes apart."""

    def __init__(self, value: Any) -> None:
        self.value = value


@pytest.mark.parametrize(
    "loop",
    [
        lambda x, v, h: scan(lambda c, _: (c * 0.9 + h.value[0] * np.sum(v), v * h.value), 1.0,
                             None, length=3)[1],
        lambda x, v, h: checkpoint(lambda x: x * v + h.value * v)(x),
        lambda x, v, h: cond(np.sum(x) > 0, lambda: x * v - h.value, lambda: h.value * v * v),
        lambda x, v, h: while_loop(lambda c: np.sum(c) < 9 + h.value[1] * v[1],
                                   lambda c: c + v + h.value * v, x),
    ],
    ids=["scan", "checkpoint", "cond", "while"],
)  # fmt: skip
def test_a_value_that_is_captured_in_two_ways(loop):
    """By a closure, which is taken apart, and by an object, which isn't."""

    def f(x):
        return np.sum(loop(x, x, Holder(x)) ** 2)

    def g(x):
        return np.sum(loop(x, np.copy(x), Holder(2.0 * x / 2.0)) ** 2)

    x = np.arange(3.0)
    for _ in range(2):
        near(jit(f)(x), g(x))
        near(grad(f)(x), grad(g)(x))
    near(jit(grad(f))(x), grad(g)(x))
    near(vmap(grad(f))(np.stack([x, -x])), np.stack([grad(g)(x), grad(g)(-x)]))


@pytest.mark.parametrize("axis", [0, -1, None])
@pytest.mark.parametrize(
    "f", [np.cumsum, np.cumprod, np.squeeze, np.argmax], ids=lambda f: f.__name__
)
def test_numbers_have_an_axis_for_numpy(f, axis):
    def g(x):
        return f(x, axis=axis)

    x = np.float64(2.0)
    near(jit(g)(x), g(x))
    near(jvp(g, (x,), (np.float64(3.0),))[0], g(x))
    near(vmap(g)(np.array([1.0, 2.0]))[1], g(x))
    if f in (np.cumsum, np.cumprod):
        near(grad(lambda x: np.sum(3.0 * g(x)))(x), np.float64(3.0))
    with pytest.raises(np.exceptions.AxisError):
        jit(lambda x: f(x, axis=1))(x)


@pytest.mark.parametrize("bounds", [(-1, 100), (0, 300), (None, 256), (-7, None), (3, 5)], ids=str)
def test_clip_takes_bounds_beyond_the_dtype(bounds):
    x = np.array([1, 200, 5], np.uint8)

    def f(x):
        return np.clip(x, *bounds)

    want = np.clip(x.astype(int), *bounds).astype(np.uint8)  # NumPy before 2.1 refuses f(x)
    for _ in range(2):
        near(jit(f)(x), want)
    near(vmap(f)(x), want)
