"""What a compiled function does with its arguments, its results and its neighbours."""

from __future__ import annotations

import pickle
import threading
from collections import namedtuple
from functools import partial

import numpy as np
import pytest

import fgrad
from fgrad import grad, hessian, jit, jvp, vmap

Pair = namedtuple("Pair", "a b")


@fgrad.tree.dataclass
class Model:
    w: np.ndarray
    b: np.ndarray


def loss(params, x):
    for w, b in params:
        x = np.tanh(x @ w + b)
    return np.mean(x**2)


def params(seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    return [(rng.normal(size=(3, 4)).astype(dtype), rng.normal(size=4).astype(dtype)),
            (rng.normal(size=(4, 2)).astype(dtype), rng.normal(size=2).astype(dtype))]  # fmt: skip


def near(got, want):
    fgrad.tree.map(partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-13), got, want)


# ------------------------------------------------------------------ arguments
@pytest.mark.parametrize(
    "tree",
    [
        (1.0, np.ones(2)), [np.ones(3), None], {"b": np.ones(2), "a": [2.0]}, Pair(np.ones(2), 3.0),
        Model(np.ones(2), np.zeros(2)), {}, (), None, np.float32(2), {1: np.ones(1)},
    ],
    ids=repr,
)  # fmt: skip
def test_any_tree_goes_in_and_comes_out(tree):
    compiled = jit(lambda t: fgrad.tree.map(lambda x: x * 2 + 1, t))
    want = fgrad.tree.map(lambda x: x * 2 + 1, tree)
    for _ in range(3):
        got = compiled(tree)
        assert fgrad.tree.structure(got) == fgrad.tree.structure(want)
        near(got, want)


def test_each_kind_of_call_has_a_program_of_its_own():
    compiled = jit(loss)
    rng = np.random.default_rng(0)
    for dtype in (np.float64, np.float32):
        for n in (1, 5, 7):
            x = rng.normal(size=(n, 3)).astype(dtype)
            for _ in range(2):
                out = compiled(params(dtype=dtype), x)
                assert out.dtype == dtype
                np.testing.assert_allclose(out, loss(params(dtype=dtype), x), rtol=1e-5)
    assert compiled.explain().startswith("`loss`")
    assert "6 programs" in compiled.explain()


def test_keywords_defaults_and_positions():
    compiled = jit(lambda x, y=2.0, *, z=3.0: x * y + z)
    assert compiled(1.0) == 5.0
    assert compiled(1.0, 4.0) == 7.0
    assert compiled(1.0, z=1.0) == 3.0
    assert compiled(y=1.0, x=5.0) == 8.0
    assert compiled(1.0) == 5.0


def test_static_arguments():
    @partial(jit, static_argnums=1, static_argnames="mode")
    def power(x, n, mode="plain"):
        out = x
        for _ in range(n - 1):
            out = out * x
        return out if mode == "plain" else -out

    x = np.arange(3.0)
    for n in (1, 2, 5, 2):
        np.testing.assert_allclose(power(x, n), x**n)
        np.testing.assert_allclose(power(x, n, mode="minus"), -(x**n))
        np.testing.assert_allclose(power(x, n=n), x**n)


def test_bools_and_strings_are_static():
    compiled = jit(lambda x, train, name: x * 2 if train and name == "a" else x)
    assert [compiled(1.0, t, n) for t in (True, False) for n in "ab"] == [2.0, 1.0, 1.0, 1.0]


def test_as_a_method():
    class Scaled:
        def __init__(self, scale):
            self.scale = scale

        @jit
        def __call__(self, x):
            return x * self.scale

    two, three = Scaled(2.0), Scaled(3.0)
    assert (two(1.0), three(1.0), two(4.0)) == (2.0, 3.0, 8.0)
    two.scale = 5.0
    assert two(1.0) == 5.0


def test_arrays_in_any_memory_order():
    compiled = jit(lambda x: (np.sum(np.exp(x) * x, axis=0), np.reshape(x * 2, (-1,)), x.T @ x))
    x = np.random.default_rng(0).normal(size=(4, 6))
    for y in (x, np.asfortranarray(x), x[::2], x[:, ::-1], np.broadcast_to(x[0], (4, 6)), x.T):
        near(compiled(y), (np.sum(np.exp(y) * y, axis=0), np.reshape(y * 2, -1), y.T @ y))


# ------------------------------------------------------------------ results
def test_results_are_fresh():
    compiled = jit(lambda x, y: (x, x.T, y, y + 1, np.tanh(y)[::2], [y, y * 2, x[0]]))
    x, y = np.ones((2, 3)), np.arange(6.0)
    first = compiled(x, y)
    kept = fgrad.tree.map(np.copy, first)
    for _ in range(2):
        second = compiled(x + 1, y + 1)
        near(first, kept)
        leaves = [*fgrad.tree.leaves(first), *fgrad.tree.leaves(second), x, y]
        for i, a in enumerate(leaves):
            assert all(not np.shares_memory(a, b) for b in leaves[:i])
            assert i >= len(leaves) - 2 or a.flags.writeable


def test_the_caller_may_write_into_results_and_arguments():
    compiled = jit(lambda x: np.cumsum(np.exp(x)) * 2)
    x = np.zeros(3)
    out = compiled(x)
    out[:] = 7
    x[:] = 1
    near(compiled(x), np.cumsum(np.exp(x)) * 2)


# ------------------------------------------------------------------ other transformations
CUBE = jit(lambda x: np.sum(np.sin(x) * x**2))


def cube(x):
    return np.sum(np.sin(x) * x**2)


@pytest.mark.parametrize(
    "t",
    [
        grad, lambda f: lambda x: jvp(f, (x,), (x,)), hessian, lambda f: vmap(f),
        lambda f: vmap(grad(f)), lambda f: grad(lambda x: np.sum(vmap(f)(x) ** 2)),
        lambda f: jit(grad(jit(f))), lambda f: lambda x: fgrad.vjp(f, x)[1](2.0)[0],
        lambda f: fgrad.make_graph(f)(np.ones((3, 3))),
        lambda f: lambda x: fgrad.linearize(f, x)[1](x),
    ],
)  # fmt: skip
def test_under_and_over_other_transformations(t):
    x = np.random.default_rng(0).normal(size=(3, 3))
    near(t(CUBE)(x), t(cube)(x))
    near(t(CUBE)(x + 1), t(cube)(x + 1))
    near(jit(t(cube))(x), t(cube)(x))


def test_a_closure_over_a_traced_value():
    compiled = jit(lambda x: x * 2)

    def f(w):
        return np.sum(jit(lambda x: x * w)(np.ones(3)) * compiled(w))

    assert grad(f)(3.0) == grad(lambda w: np.sum(np.ones(3) * w * w * 2))(3.0)


def test_control_flow_and_random_numbers():
    def f(key, x):
        def step(c, t):
            return np.tanh(c + t), c * 2

        last, all_ = fgrad.scan(step, x, np.arange(4.0))
        noise = fgrad.random.normal(key, (2,))
        return fgrad.cond(last > 0, np.sin, np.cos, last) + np.sum(all_) + noise

    compiled = jit(f)
    for seed in range(4):
        key = fgrad.random.key(seed)
        near(compiled(key, seed - 1.5), f(key, seed - 1.5))


# ------------------------------------------------------------------ threads, recursion, pickles
def test_threads_get_their_own_results():
    compiled = jit(grad(loss))
    data = [(params(k), np.random.default_rng(k).normal(size=(5, 3))) for k in range(8)]
    wanted = [grad(loss)(*d) for d in data]
    wrong = []

    def work(k):
        for _ in range(30):
            got = compiled(*data[k])
            for a, b in zip(fgrad.tree.leaves(got), fgrad.tree.leaves(wanted[k]), strict=True):
                if not np.allclose(a, b, rtol=1e-10):
                    wrong.append(k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(8)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


def test_recursion():
    @partial(jit, static_argnums=1)
    def power(x, n):
        return x if n == 1 else x * power(x, n - 1)

    assert power(2.0, 10) == 1024.0
    assert grad(power)(2.0, 3) == 12.0


def test_pickles():
    again = pickle.loads(pickle.dumps(jit(cube)))
    assert again(np.ones(2)) == cube(np.ones(2))


def test_large_arrays_go_in_blocks():
    def f(x, c):
        y = np.sin(x) * c + np.exp(-x)
        z = y / np.sum(y)
        return np.sum(z * z), z * x, np.maximum(z, 0.0)

    for dtype in (np.float64, np.float32):
        x = np.random.default_rng(0).uniform(1, 2, size=(300, 500)).astype(dtype)
        compiled = jit(f)
        for c in (2.0, 3.0):
            got, want = compiled(x, c), f(x, c)
            for a, b in zip(got, want, strict=True):
                assert a.dtype == b.dtype
                np.testing.assert_allclose(a, b, rtol=1e-12 if dtype is np.float64 else 1e-4)
        assert "def block" in compiled.source(x, 2.0)


def test_compiling_beforehand():
    ran = []

    def f(x, scale):
        ran.append(1)
        return fgrad.tree.map(lambda y: y * scale, x)

    compiled = jit(f).compile({"a": fgrad.ShapeDtypeStruct((2, 3), np.float32)}, 2.0)
    assert len(ran) == 1
    out = compiled({"a": np.full((2, 3), 4.0, np.float32)}, 3.0)
    np.testing.assert_array_equal(out["a"], np.full((2, 3), 12.0, np.float32))
    assert len(ran) == 1


def test_the_derivative_by_a_number_that_is_not_used_is_a_number():
    f = jit(grad(lambda x, y: np.sum(x) * 1.0, 1))
    for _ in range(3):
        out = f(np.ones(3), 2.0)
        assert type(out) is float
        assert out == 0.0
        assert type(f(np.ones(3), np.float32(2))) is np.float32
        assert grad(lambda y: jit(grad(lambda x: x * 2.0))(y))(2.0) == 0.0


def test_derivatives_of_functions_of_empty_arrays():
    empty = np.zeros(0)
    for f in (jit(cube), cube):
        assert hessian(f)(empty).shape == (0, 0)
        assert jit(hessian(f))(empty).shape == (0, 0)
        value, gradient = fgrad.value_and_grad(f)(empty)
        assert value == 0.0
        assert gradient.shape == (0,)
        assert fgrad.jacfwd(lambda x, f=f: f(x) + np.ones(2))(empty).shape == (2, 0)
