"""Loops and branches as machine code: their steps, carries, slices, stacks and derivatives."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import cond, fori_loop, grad, scan, switch, value_and_grad, while_loop

from .laws_of_native import kernels, left, same

RNG = np.random.default_rng(1)


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape)


@pytest.mark.parametrize("n", [1, 2, 7])
@pytest.mark.parametrize("size", [3, 20])
@pytest.mark.parametrize("reverse", [False, True])
def test_scans(n, size, reverse):
    def f(c, d, xs, w):
        def step(carry, x):
            c, d = carry
            new = np.tanh(c * w + x[:size] * d), d + np.sum(c) * 0.1
            return new, (c * 2, new[0], x[0])

        return scan(step, (c, d), xs, reverse=reverse)

    xs = normal(size), 0.5 * normal(), normal(n, size + 1), normal(size)
    g = same(f, tuple(map(np.asarray, xs)), ulp=64)
    assert len(kernels(g)) == 1
    assert not left(g)
    loss = lambda *xs: sum(np.sum(y) for y in fgrad.tree.leaves(f(*xs)))  # noqa: E731
    same(value_and_grad(loss, (0, 1, 2, 3)), tuple(map(np.asarray, xs)), ulp=256)


def test_a_scan_that_only_rotates_its_carries():
    def f(a, b, c):
        return scan(lambda s, _: ((s[1], s[2], s[0]), s[0][::-1]), (a, b, c), None, length=5)

    same(f, (normal(12), normal(12), normal(12)), ulp=0)
    same(f, (normal(2), normal(2), normal(2)), ulp=0)


def test_scans_inside_of_scans():
    def f(x, ys):
        def inner(c, y):
            return np.sin(c + y), c * y

        def outer(c, y):
            c, zs = scan(inner, c, np.stack([y, y * 2, y - 1]))
            return c * 0.9, np.sum(zs, axis=0)

        return scan(outer, x, ys)

    for size in (2, 15):
        xs = normal(size), normal(4, size)
        same(f, xs, ulp=64)
        same(grad(lambda x, ys: np.sum(f(x, ys)[1]) + np.sum(f(x, ys)[0] ** 2)), xs, ulp=512)


@pytest.mark.parametrize("size", [2, 30])
def test_counted_loops(size):
    def f(x, w):
        y = fori_loop(0, 9, lambda i, y: np.cos(y * w) + i * 0.01, x)
        return y, fori_loop(3, 6, lambda i, y: y * i, x)

    same(f, (normal(size), normal(size)), ulp=64)
    same(grad(lambda x, w: np.sum(f(x, w)[0] + f(x, w)[1])), (normal(size), normal(size)), ulp=512)


@pytest.mark.parametrize("size", [2, 30])
def test_loops_as_long_as_something_holds(size):
    def f(x, tol):
        def more(state):
            _x, step = state
            return np.max(np.abs(step)) > tol

        def newton(state):
            x, _ = state
            step = (x * x - 2) / (2 * x)
            return x - step, step

        return while_loop(more, newton, (np.abs(x) + 0.5, x + 10))

    g = same(f, (normal(size), np.asarray(1e-10)), (normal(size), np.asarray(1e9)), ulp=16)
    assert len(kernels(g)) == 1
    assert "while" not in left(g)


@pytest.mark.parametrize("size", [2, 30])
def test_branches(size):
    def f(x, y):
        one = cond(np.sum(x) > 0, lambda x: (np.exp(x), x[0]), lambda x: (x * 2, np.sum(x)), x)
        two = switch((y > 0.5).astype(int) + (y > 1.5), [np.sin, np.cos, lambda x: x * 0 + 1], x)
        return one, two * y

    same(f, (np.ones(size), np.asarray(2.0)), (-np.ones(size), np.asarray(0.4)))
    same(grad(lambda x, y: np.sum(f(x, y)[0][0] * y)), (np.ones(size), np.asarray(2.0)))


def test_the_branch_that_is_not_taken_does_not_run():
    def f(x):
        return cond(x[0] > 0, lambda x: np.sum(np.log(x)), lambda x: np.sum(x) * 1.5, x)

    same(f, (np.ones(20),), (-np.ones(20),))


def test_branches_inside_of_loops():
    def f(x, xs):
        def step(c, x):
            c = cond(np.sum(c) > 0, lambda c: c - x, lambda c: c * 0.5 + x * x, c)
            return c, np.sum(c)

        return scan(step, x, xs)

    for size in (3, 25):
        same(f, (normal(size), normal(6, size)), ulp=64)


def test_a_scan_with_something_else_in_it_stays_with_numpy():
    def f(x, xs):
        return scan(lambda c, x: (np.sort(c * x), np.exp(c)), x, xs)

    g = same(f, (normal(12), normal(4, 12)))
    assert not kernels(g)


@pytest.mark.parametrize("size", [3, 30])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_loop_of_numpys_calls_machine_code(size, reverse):
    def f(c, d, xs):
        def step(carry, x):
            c, d = carry
            h = np.tanh(c + x) * d + np.exp(-c * c)
            s = np.sort(h)
            return (s * 0.5 + np.cos(h) * c, d * 0.9 + s[0] * 0.1), (h * s, c, np.sum(s * h) + d)

        return scan(step, (c, d), xs, reverse=reverse)

    xs = normal(size), np.asarray(0.3), normal(5, size)
    g = same(f, xs, ulp=64)
    assert kernels(g)
    assert left(g)["argsort"] == 1
    assert "a loop that is not all machine code" in g.explain()
    loss = lambda *xs: sum(np.sum(np.sin(y)) for y in fgrad.tree.leaves(f(*xs)))  # noqa: E731
    same(value_and_grad(loss, (0, 1, 2)), xs, ulp=512)


def test_a_loop_inside_of_a_loop_of_numpys():
    def f(x, ys):
        def outer(c, y):
            c, zs = scan(lambda c, z: (np.sin(c + z), c * z), c, np.stack([y, y * 2, y - 1]))
            return np.sort(c * 0.9 + np.exp(-y)), np.sum(zs, axis=0)

        return scan(outer, x, ys)

    xs = normal(15), normal(4, 15)
    g = same(f, xs, ulp=64)
    assert any(n.kind == "scan" for k in kernels(g) for n in k.members)
    same(grad(lambda x, ys: np.sum(f(x, ys)[1]) + np.sum(f(x, ys)[0] ** 2)), xs, ulp=512)


def test_other_loops_and_branches_of_numpys_call_machine_code():
    def newton(a, b):
        def step(state):
            x, _ = state
            r = np.sin(x) * 0.1 + a @ x - b
            d = np.linalg.solve(a + np.diag(np.cos(x) * 0.1), r)
            return x - d, d

        return while_loop(lambda s: np.max(np.abs(s[1] * 2 - s[1])) > 1e-9, step, (b * 0, b))[0]

    def branch(x):
        def yes(x):
            y = np.tanh(x) * x + np.exp(-x * x)
            return np.sum(np.sort(y) * y + np.cos(y))

        return cond(x[0] > 0, yes, lambda x: np.sum(x * x) * 0.5, x)

    g = same(newton, (np.eye(20) * 3 + normal(20, 20) / 20, normal(20)), ulp=64)
    assert kernels(g)
    assert left(g)["linalg.solve"] == 1
    g = same(branch, (np.ones(20),), (-np.ones(20),), ulp=16)
    assert kernels(g)
    same(grad(branch), (normal(20) ** 2,), (-np.ones(20),), ulp=64)


def test_effects_in_a_loop_happen_once_and_in_order():
    seen = []

    def f(x, xs):
        def step(c, x):
            y = np.tanh(c + x) * x - np.exp(c)
            fgrad.debug.callback(seen.append, np.sum(y))
            return y * 0.5 + c * c, np.max(y)

        return scan(step, x, xs)

    x, xs = normal(12) * 0.1, normal(4, 12)
    f(x, xs)
    g = fgrad.jit(f, backend="native")
    for _ in range(2):
        g(x, xs)
    assert len(seen) == 12
    np.testing.assert_allclose(seen[8:], seen[:4], rtol=1e-13)
    assert kernels(g)


def test_derivatives_of_second_order_through_a_scan():
    def loss(w, xs):
        c, ys = scan(lambda c, x: (np.tanh(c * w + x), c), np.zeros(12), xs)
        return np.sum(c * c) + np.sum(ys)

    slope = lambda w, xs: np.sum(grad(loss)(w, xs) ** 2)  # noqa: E731
    same(grad(slope), (normal(12), normal(5, 12)), ulp=2**14)


def test_mapped_scans():
    def f(c, xs):
        return scan(lambda c, x: (np.sin(c) * x, c + x), c, xs)

    same(fgrad.vmap(f), (normal(4, 5), normal(4, 3, 5)), ulp=16)


@pytest.mark.parametrize("order", ["C", "F"])
def test_matrices_that_each_step_would_read_as_transposes(order):
    def f(x, w, v):
        def step(c, _):
            return np.tanh(c @ w.T) + c @ v * 0.1, c @ w.T[:, :3]

        return scan(step, x, None, length=9)

    xs = normal(20, 30), normal(30, 30) / 9, np.asarray(normal(30, 30), order=order) / 9
    g = same(f, xs, ulp=512)
    assert not left(g)
    total = lambda *xs: np.sum(f(*xs)[0] ** 2) + np.sum(f(*xs)[1] ** 2)  # noqa: E731
    same(value_and_grad(total, (0, 1, 2)), xs, ulp=2**12)
