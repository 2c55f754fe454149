"""Unfriendly calls of compiled functions: right, or refused in three parts."""

from __future__ import annotations

import enum
import gc
import threading
import warnings
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fgrad
from fgrad import errors, grad, jit, jvp, tree, vmap
from fgrad import random as fr

X = np.array([0.5, -1.0, 2.0])


def near(got: Any, want: Any) -> None:
    assert tree.structure(got) == tree.structure(want)
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


# ------------------------------------------------------------------ static arguments
def test_static_arguments_under_transformations():
    def f(x, n, *, mode="a", sizes=()):
        return sum(np.sin(x) ** k for k in range(n)) * (len(sizes) if mode == "a" else sizes[0])

    compiled = jit(f, static_argnums=1, static_argnames=("mode", "sizes"))
    for n, mode, sizes in ((3, "a", (1, 2)), (2, "b", (3,)), (3, "b", (1, 2))):

        def with_rest(g, x, n=n, mode=mode, sizes=sizes):
            return g(x, n, mode=mode, sizes=sizes)

        near(grad(lambda x: with_rest(compiled, x))(0.7), grad(lambda x: with_rest(f, x))(0.7))
        near(vmap(lambda x: with_rest(compiled, x))(X), vmap(lambda x: with_rest(f, x))(X))
        near(jvp(lambda x: with_rest(compiled, x), (X,), (X,))[1],
             jvp(lambda x: with_rest(f, x), (X,), (X,))[1])  # fmt: skip
    assert "multiply" in str(compiled.graph(X, 3, mode="a", sizes=(1,)))


def test_equal_static_arguments_are_one():
    class M:
        def double(self, x):
            return 2 * x

    m = M()
    compiled = jit(lambda g, x: g(x) + 1, static_argnums=0)
    for _ in range(4):
        near(compiled(m.double, X), 2 * X + 1)  # each time another method object
    assert "1 program" in compiled.explain()
    compiled(np.sin, X)
    assert "static argument g: <ufunc 'sin'>, after <bound method" in compiled.explain()


class Kind(enum.IntEnum):
    A = 1


def test_values_that_are_equal_and_not_the_same():
    compiled = jit(lambda x, k: x * 2 if k is Kind.A else -x if k is True else x)
    for _ in range(2):
        for k, factor in ((Kind.A, 2), (True, -1), (1, 1), (1.0, 1)):
            near(compiled(X, k), factor * X)
            near(grad(lambda x, k=k: np.sum(compiled(x, k)))(X), np.full(3, float(factor)))
    zero = jit(lambda x, s: np.copysign(x, s), static_argnums=1)
    near([zero(1.0, s) for s in (0.0, -0.0, 0.0)], [1.0, -1.0, 1.0])


def test_a_set_that_changes():
    members = {1, 2}
    compiled = jit(lambda x, s: np.sum(x) * len(s))
    near(compiled(X, members), 3.0)
    members.add(3)
    near(compiled(X, members), 4.5)
    near(grad(compiled)(X, members), np.full(3, 3.0))


@dataclass
class Layer:
    w: Any

    @jit
    def apply(self, x):
        return x * self.w


def test_instances_without_a_hash():
    one, two = Layer(np.ones(3)), Layer(np.full(3, 2.0))
    near([one.apply(X), two.apply(X), one.apply(X)], [X, 2 * X, X])


@pytest.mark.parametrize(
    "options",
    [
        {"static_argnums": 5}, {"static_argnames": "z"}, {"static_argnums": "a"},
        {"static_argnames": 3}, {"static_argnums": 1.5}, {"max_paths": 0},
    ],
    ids=str,
)  # fmt: skip
def test_options_that_make_no_sense(options):
    with pytest.raises(errors.ArgumentError, match=r"jit wants .*\n.*It got: .*\n.*To do: "):
        jit(lambda x: x, **options)


# ------------------------------------------------------------------ names
@pytest.mark.parametrize(
    "name", ["args", "result", "b0", "t1", "kept", "pool", "elsewhere", "class", "a b", "k3", "é"]
)
def test_names_that_the_code_uses_itself(name):
    kind = type(name, (), {"k": 2.0})
    instance = kind()

    def g(x):
        return np.sin(x)

    g.__name__ = name
    mine = fgrad.custom_jvp(g)
    mine.defjvp(lambda primals, tangents: (mine(*primals), tangents[0] * np.cos(primals[0])))

    def f(x, instance, **rest):
        return (np.tanh(mine(np.tanh(x))) + instance.k) * sum(rest.values())

    compiled = jit(f)
    for _ in range(3):
        near(compiled(X, instance, **{name: 2.0}), f(X, instance, **{name: 2.0}))
    assert "1 program" in compiled.explain()


# ------------------------------------------------------------------ results
@pytest.mark.parametrize(
    "f",
    [
        lambda x: (x * k for k in range(3)),
        lambda x: {"a": iter([x])},
        lambda x: np.array([None, 1], dtype=object),
    ],
)
def test_results_that_could_not_come_again(f):
    with pytest.raises(errors.DtypeError, match=r"returns arrays.*\n.*returned by.*\n.*list\("):
        jit(f)(X)


def test_other_results_come_again():
    compiled = jit(lambda x: (np.array(["a"]), "b", None, np.datetime64("2020-01-01"), len))
    first, second = compiled(X), compiled(X)
    assert first == second
    assert first[0] is not second[0]


@pytest.mark.parametrize(
    "x", [np.ones(2).view(np.ma.MaskedArray), np.ones((2, 2)).view(np.matrix)], ids=["ma", "matrix"]
)
def test_arrays_whose_operators_do_something_else(x):
    with pytest.raises(errors.DtypeError, match=r"plain arrays.*\n.* at x\n.*np.asarray"):
        jit(lambda x: x * x)(x)


def test_an_operation_that_gives_its_operand_back():
    zero_d = np.array(2.0)
    compiled = jit(lambda x: [np.real(zero_d), np.real(x), x.astype(float, copy=False)])
    for x in (np.array(1.0), np.ones(2)):
        for _ in range(3):
            for y in compiled(x):
                if isinstance(y, np.ndarray):
                    assert not np.shares_memory(y, zero_d)
                    assert not np.shares_memory(y, x)


def test_integers_of_any_size():
    compiled = jit(lambda n: n * 2 + 1)
    assert [compiled(n) for n in (2**70, 3, -(2**80))] == [2**71 + 1, 7, 1 - 2**81]


@pytest.mark.parametrize(
    ("f", "size"),
    [
        (lambda x: (x * 1e200) * 1e200, 1e-300), (lambda x: (x * 1e-200) * 1e-200, 1e300),
        (lambda x: (x * 1e-200) * x, 1e200), (lambda x: np.sum(x * 1e-12), 1e308),
        (lambda x: (x * 1e-200) @ x, 1e200), (lambda x: x * 1.0, complex(np.inf)),
    ],
)  # fmt: skip
def test_factors_are_not_moved_to_where_they_overflow(f, size):
    compiled, x = jit(f), np.full((3, 3), size)
    with np.errstate(all="ignore"):
        for _ in range(2):
            np.testing.assert_allclose(compiled(x), f(x), rtol=1e-12)


# ------------------------------------------------------------------ effects
def test_effects_happen_once_for_each_call_and_keep_what_they_saw():
    kept: list[Any] = []
    count = [0]

    def counted(y):
        count[0] += 1
        return np.float64(count[0])

    def f(x):
        y = np.tanh(x)
        fgrad.debug.callback(kept.append, y)
        fgrad.debug.callback(kept.append, y)
        first = fgrad.io_callback(counted, np.empty(()), y)
        return first + 10 * fgrad.io_callback(counted, np.empty(()), y), np.sum(y * 2)

    compiled = jit(f)
    totals = [float(compiled(X + k)[0]) for k in range(3)]
    assert totals == [21.0, 43.0, 65.0]
    near(kept, [np.tanh(X + k) for k in (0, 0, 1, 1, 2, 2)])


def test_a_callback_may_keep_its_arguments():
    kept = []

    def outside(y):
        kept.append(y)
        return y

    def f(x):
        z = fgrad.pure_callback(outside, np.empty(3), np.tanh(x))
        return np.sum(z * 2), z

    compiled = jit(f)
    results = [compiled(X + k) for k in range(3)]
    near(kept, [np.tanh(X + k) for k in range(3)])
    near([z for _, z in results], kept)


def test_effects_keep_their_order_among_blocks():
    log: list[str] = []

    def f(x):
        y = np.sin(x) * 2 + np.cos(x)
        z = np.tanh(y / np.sum(y)) * 3 - y
        fgrad.debug.callback(lambda _: log.append("late"), np.sum(z * z))
        fgrad.debug.callback(lambda _: log.append("early"), x[0])
        return z

    compiled = jit(f)
    for _ in range(2):
        compiled(np.ones(1 << 17))
    assert log == ["late", "early"] * 2


# ------------------------------------------------------------------ warnings
def test_errstate_is_kept():
    def f(x):
        with np.errstate(all="ignore"):
            y = np.log(x - 10) / 0.0
        return y * 0.0, np.exp(x)

    compiled = jit(f)
    for _ in range(3):
        near(compiled(X)[1], np.exp(X))
    with pytest.raises(FloatingPointError), np.errstate(all="raise"):
        jit(lambda x: np.log(x))(-X)


@pytest.mark.parametrize(
    "f", [lambda x: np.log(x * 0), lambda x: np.exp(x * 1e3), lambda x: x / (x - x)]
)
def test_warnings_come_when_they_are_due(f):
    compiled = jit(f)
    with np.errstate(all="ignore"):
        compiled(np.ones(3))
    for g in (f, compiled, compiled):
        with pytest.warns(RuntimeWarning):
            g(np.ones(3))


def test_compiling_warns_of_nothing():
    f = jit(grad(lambda x: np.sum(np.sqrt(x) * 1e-300 / 1e-10 + np.log(x) ** 2.0)))
    for _ in range(2):
        f(np.ones(3))


def test_only_calls_in_a_row_count():
    compiled = jit(lambda x: x * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for n in range(40):
            compiled(np.ones(n))
            compiled(np.ones(n))
        for n in range(40):
            near(compiled(np.ones(n)), np.full(n, 2.0))


# ------------------------------------------------------------------ memory
def test_arguments_are_not_kept():
    x, rebound = np.ones(1000), np.ones(1000)
    seen = [weakref.ref(x), weakref.ref(rebound)]

    def f(x):
        return np.sum(np.tanh(x) * rebound)

    compiled = [jit(f), jit(grad(f)), jit(lambda x: x * np.sum(x) if x[0] > 0 else x)]
    for c in compiled:
        c(x)
    rebound = np.zeros(1000)
    del x
    gc.collect()
    assert [s() for s in seen] == [None, None]


# ------------------------------------------------------------------ threads, and itself
def test_threads_that_find_new_paths():
    def f(x):
        for _ in range(5):
            x = x * 2 if np.sum(x) > 0 else x + 3.0
        return x

    compiled, wrong = jit(f), []

    def work(seed):
        xs = np.random.default_rng(seed).normal(size=(30, 3)) * 5
        wrong.extend(x for x in xs if not np.allclose(compiled(x), f(x)))

    threads = [threading.Thread(target=work, args=(k,)) for k in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong
    assert "1 program" in compiled.explain()


def test_a_thread_that_calls_it_while_it_is_recorded():
    def f(x, first):
        if first:
            with ThreadPoolExecutor(1) as pool:
                near(pool.submit(compiled, X, False).result(timeout=10), X * 2)
        return x * 2

    compiled = jit(f)
    near(compiled(X, True), X * 2)


def test_a_function_that_does_something_else_each_time():
    calls = []

    def f(x):
        calls.append(1)
        y = x * 2 if len(calls) % 2 else x
        return y if np.sum(y) > 0 else -y if np.sum(y + 1) > 0 else y

    compiled = jit(f)
    for k in range(12):
        assert abs(compiled(X * (-1) ** k)[0]) in (0.5, 1.0)


def test_another_path_may_ask_for_a_captured_value():
    limit = np.array([3.0, 1.0])

    def f(x):
        if np.sum(x) > 0:
            return x * np.exp(limit[0])
        for _ in range(int(limit[0])):
            x = x * 2
        return x

    compiled = jit(f)
    for x in (X, -X, -X, X):
        near(compiled(x), f(x))


def test_a_value_of_a_transformation_around_is_not_caught():
    def times(x, w):
        try:
            return x * w
        except Exception:
            return x * 0

    assert grad(lambda w: np.sum(jit(lambda x: times(x, w))(X)))(3.0) == np.sum(X)


def test_named_axes():
    def f(x):
        return x / fgrad.psum(x, "i") + fgrad.axis_index("i")

    near(vmap(jit(f), axis_name="i")(X), vmap(f, axis_name="i")(X))
    near(jit(vmap(jit(f), axis_name="i"))(X), vmap(f, axis_name="i")(X))


def test_random_keys_are_inputs():
    compiled = jit(lambda key, x: fr.normal(key, x.shape) * x)
    draws = [compiled(fr.key(seed), X) for seed in (0, 1, 0)]
    near(draws, [fr.normal(fr.key(seed), (3,)) * X for seed in (0, 1, 0)])
