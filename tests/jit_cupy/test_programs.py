"""Compiled functions of CuPy's arrays: what they read, keep, give out, and refuse."""

from __future__ import annotations

import threading
import warnings

import numpy as np
import pytest

import fgrad
from fgrad import errors, jit, tree

from ..cupy.array import ndarray
from ..cupy.traffic import counted

X = np.arange(1.0, 7.0).reshape(2, 3) / 4


def values(x):
    return tree.map(lambda y: y._a if isinstance(y, ndarray) else y, x)


def check(f, *args):
    """Three calls give what the function itself gives on the host, the last without waiting."""
    cupy_args = tree.map(lambda x: ndarray._of(x.copy()) if isinstance(x, np.ndarray) else x, args)
    compiled = jit(f)
    want = f(*args)
    for _ in range(3):
        with counted() as traffic:
            got = compiled(*cupy_args)
        for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
            assert isinstance(a, ndarray) == isinstance(b, (np.ndarray, np.float64, np.float32))
            np.testing.assert_allclose(values(a), b, rtol=1e-12)
    assert (traffic.syncs, traffic.to_host, traffic.to_device) == (0, 0, 0)
    return compiled, cupy_args


def test_the_code_calls_cupy_and_writes_into_an_arena(cupy):
    compiled, args = check(fgrad.grad(lambda x: np.sum(np.tanh(x @ x.T) ** 2)), X)
    source = compiled.source(*args)
    assert "arena = empty(" in source
    assert "fgrad_" in source
    assert "np." not in source


def test_results_are_fresh(cupy):
    x = cupy.asarray(X)
    compiled = jit(lambda x: (x, x.T, np.tanh(x), np.zeros_like(x), x.reshape(6)))
    first, second = compiled(x), compiled(x)
    kept = [y._a.copy() for y in first]
    for y in second:
        y[...] = -1.0
    np.testing.assert_array_equal(x._a, X)
    for a, b in zip(first, kept, strict=True):
        np.testing.assert_array_equal(a._a, b)


def test_answers_of_calls_are_copied_only_if_they_are_views(cupy):
    x = cupy.asarray(np.eye(3) + np.ones((3, 3)))
    inverse = jit(np.linalg.inv)
    for _ in range(2):
        np.testing.assert_allclose(inverse(x)._a, np.linalg.inv(x._a))
    assert "return own(" in inverse.source(x)
    assert "return result" not in inverse.source(x)
    diagonal = jit(np.diagonal)
    for _ in range(2):
        diagonal(x)[...] = 0.0
    np.testing.assert_array_equal(x._a, np.eye(3) + np.ones((3, 3)))


def test_a_result_twice_is_two_arrays(cupy):
    def f(x):
        y = np.sin(x)
        return y, y, y[0]

    a, b, c = jit(f)(cupy.asarray(X))
    a, b, c = jit(f)(cupy.asarray(X))
    a[...] = 0.0
    np.testing.assert_allclose(b._a, np.sin(X))
    np.testing.assert_allclose(c._a, np.sin(X[0]))


def test_constants_that_are_results_are_on_the_device(cupy):
    check(fgrad.grad(lambda x: np.sum(2.0 * x)), X)
    check(fgrad.value_and_grad(lambda x: x * 3.0), np.full((), 2.0))


def test_numbers_of_the_host_stay_there(cupy):
    def step(count, x):
        rate = 0.1 / (1 - 0.9 ** (count + 1))
        return count + 1, x - rate * x

    compiled, (_, x) = check(step, 0, X)
    count, _ = compiled(7, x)
    assert count == 8
    assert type(count) is int
    _, got = compiled(7, x)
    np.testing.assert_allclose(got._a, X - 0.1 / (1 - 0.9**8) * X)


def test_weak_numbers_keep_the_dtype(cupy):
    x = cupy.asarray(X.astype(np.float32))
    scaled = jit(lambda x, s: np.tanh(x * s) + 1.5)
    for _ in range(2):
        assert scaled(x, 2.0).dtype == np.float32
        assert scaled(x, np.float64(2.0)).dtype == np.float64


def test_truth_values_are_followed(cupy):
    f = jit(lambda x: np.sin(x) if np.sum(x) > 0 else np.cos(x))
    for sign in (1.0, -1.0, 1.0, -1.0):
        got = f(cupy.asarray(sign * X))
        np.testing.assert_allclose(got._a, np.sin(X) if sign > 0 else np.cos(-X))
    assert "paths through truth values: 2" in f.explain()


def test_a_path_that_asks_for_a_number_runs_as_it_is_written(cupy):
    def f(x):
        return np.sin(x) if np.sum(x) > 0 else x * float(np.sum(x))

    compiled = jit(f)
    np.testing.assert_allclose(compiled(cupy.asarray(X))._a, np.sin(X))
    with pytest.warns(RuntimeWarning, match="run as they are written"):
        compiled(cupy.asarray(-X))
    for sign in (1.0, -1.0):
        np.testing.assert_allclose(compiled(cupy.asarray(sign * X))._a, f(sign * X))


def test_loops(cupy):
    def rolled(w, x):
        last, steps = fgrad.scan(lambda c, v: (np.tanh(c @ w + v), c), x[0], x)
        return np.sum(last) + np.sum(steps)

    check(fgrad.value_and_grad(rolled, (0, 1)), np.ones((3, 3)) / 2, X)
    check(lambda x: fgrad.fori_loop(0, 3, lambda i, c: np.sin(c), x), X)


def test_captured_arrays_are_read_at_each_call(cupy):
    c = cupy.asarray(X)
    f = jit(lambda x: np.sum(x * c))
    for scale in (1.0, 3.0):
        c[...] = cupy.asarray(scale * X)
        assert f(cupy.asarray(X)).item() == pytest.approx(scale * np.sum(X * X))


def test_an_array_that_the_function_fills_while_it_runs(cupy):
    def f(x):
        buffer = cupy.zeros(3)
        first = x + buffer
        buffer[...] = 7.0
        return first, x + buffer

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compiled = jit(f)
        for _ in range(2):
            a, b = compiled(cupy.asarray(X))
            np.testing.assert_array_equal(a._a, X)
            np.testing.assert_array_equal(b._a, X + 7)


class Holder:
    """An object with an array, which changes it now and then."""

    def __init__(self, scale):
        self.scale = scale

    def __call__(self, x):
        return x * self.scale


def test_arrays_that_nobody_sees_change_are_not_compiled(cupy):
    holder = Holder(cupy.ones(3))
    f = jit(holder)
    with pytest.warns(RuntimeWarning, match="finds in objects or containers"):
        f(cupy.asarray(X))
    holder.scale[...] = 5.0
    np.testing.assert_array_equal(f(cupy.asarray(X))._a, 5 * X)
    with pytest.raises(errors.TracerConversionError, match="can be compiled"):
        jit(Holder(cupy.ones(3)), strict=True)(cupy.asarray(X))


def test_a_number_that_is_asked_for_is_not_compiled(cupy):
    f = jit(lambda x: x * float(np.sum(x)))
    with pytest.warns(RuntimeWarning, match="cannot become a Python float"):
        f(cupy.asarray(X))
    for scale in (1.0, 2.0):  # said once
        np.testing.assert_allclose(f(cupy.asarray(scale * X))._a, scale**2 * X * X.sum())
    with pytest.raises(errors.TracerConversionError, match="wants a function of CuPy's arrays"):
        jit(lambda x: x * float(np.sum(x)), strict=True)(cupy.asarray(X))


def test_arrays_of_both_kinds_are_refused_as_without_jit(cupy):
    with pytest.raises(TypeError, match="Unsupported type"):  # what CuPy says
        jit(lambda x, y: x + y)(cupy.asarray(X), X)


def test_one_function_serves_both_devices(cupy):
    f = jit(lambda x: np.tanh(x) * 2)
    for _ in range(3):
        assert isinstance(f(X), np.ndarray)
        assert isinstance(f(cupy.asarray(X)), ndarray)
    assert f.explain().count("program ") == 2


def test_the_watch_of_cupy_is_kept(cupy):
    f = jit(np.linalg.inv)
    singular = cupy.asarray(np.ones((2, 2)))
    f(singular)
    f(singular)
    with fgrad.debug.debug_cupy(), pytest.raises(np.linalg.LinAlgError):
        f(singular)


def test_threads_have_arenas_of_their_own(cupy):
    f = jit(fgrad.grad(lambda x: np.sum(np.tanh(x @ x.T) ** 2)))
    xs = [cupy.asarray(X * k) for k in range(1, 5)]
    f(xs[0])  # is recorded, and rounds as the function does
    want = [f(x)._a for x in xs]
    wrong = []

    def work(x, y):
        for _ in range(100):
            wrong.extend([x] * (not np.array_equal(f(x)._a, y)))

    threads = [threading.Thread(target=work, args=pair) for pair in zip(xs, want, strict=True)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_jit_inside_of_other_transformations(cupy):
    f = jit(lambda x: np.sum(np.tanh(x) ** 2))
    x = cupy.asarray(X)
    want = fgrad.grad(lambda x: np.sum(np.tanh(x) ** 2))(X)
    np.testing.assert_allclose(fgrad.grad(f)(x)._a, want)
    np.testing.assert_allclose(jit(fgrad.grad(f))(x)._a, want)
    np.testing.assert_allclose(fgrad.vmap(fgrad.grad(f))(x)._a, want)


def test_joined_arrays_are_results_of_their_own(cupy):
    def f(x, y):
        z = np.concatenate([np.sin(x), y, np.cos(x)], axis=-1)
        return z, z[..., :2] * 2, z[..., 3:], np.concatenate([x, x], axis=-1)

    check(f, X, X[:, :1])
    x, y = cupy.asarray(X), cupy.asarray(X)
    compiled = jit(lambda x, y: np.concatenate([x, y], axis=-1))
    for _ in range(2):
        first = compiled(x, y)
    compiled(x, y)[...] = -1.0
    np.testing.assert_array_equal(first._a, np.concatenate([X, X], -1))


def test_parts_of_what_is_joined_are_computed_apart(cupy):
    """Sums of joined arrays, and parts of sums, of equal and of other widths."""

    def f(x, y):
        z = np.concatenate([x, y], axis=-1)
        w = z * (1 - np.concatenate([y, x], axis=-1)) + np.concatenate([x * 2, y], axis=-1)
        return w[..., 1:3], np.sum(np.tanh(w)[..., :3] * z[..., :3]), z[..., 1:], w[..., ::2]

    check(f, X, X[:, 1:])
    check(fgrad.grad(lambda x, y: np.sum(f(x, y)[1] * np.sum(f(x, y)[3])), (0, 1)), X, X[:, 1:])
