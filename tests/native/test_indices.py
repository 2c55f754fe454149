"""Reading and writing by arrays of indices, running sums, places of extremes, and einsum."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import debug, grad, jit, scan, value_and_grad, while_loop

from .laws_of_native import kernels, left, same

RNG = np.random.default_rng(3)
X = RNG.normal(size=(12, 9, 5))
ROWS, MORE = RNG.integers(-12, 12, 30), RNG.integers(-9, 9, 30)
WIDE, THIN = RNG.integers(-9, 9, (4, 6)), RNG.integers(0, 5, (4, 1)).astype(np.int32)

READ = {
    "rows": (lambda x, i: x[i], ROWS),
    "rows and a slice": (lambda x, i: x[i, 1:4], ROWS),
    "a mean axis": (lambda x, i: x[:, i], WIDE),
    "the last axis": (lambda x, i: x[..., i % 5], WIDE),
    "two arrays": (lambda x, i, j: x[i, j], ROWS, MORE),
    "two arrays apart": (lambda x, i, j: x[i, :, j % 5], ROWS, MORE),
    "arrays that spread": (lambda x, i, j: x[None, ::2, i, j], WIDE, THIN),
    "a number beside": (lambda x, i, j: x[3, i, j], WIDE, THIN),
    "a number apart": (lambda x, i: x[2, :, i % 5], WIDE),
    "backwards": (lambda x, i: x[i, 2, ::-1], ROWS),
    "take": (lambda x, i: np.take(x, i, axis=1), WIDE),
    "clipped and wrapped": (
        lambda x, i: np.take(x, i, mode="clip") + np.take(x, i, mode="wrap"), ROWS * 100
    ),
    "constants": (lambda x: np.take(x, [0, 3, 3], axis=0),),
    "along an axis": (lambda x: np.take_along_axis(x, np.argmax(x, 1)[:, None], 1),),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_reading_by_arrays(name):
    f, *arrays = READ[name]

    def loss(x, *arrays):
        return np.sum(np.sin(f(x, *arrays) * 1.3))

    g = same(lambda *xs: (f(*xs) * 2, value_and_grad(loss)(*xs)), (X, *arrays), ulp=64)
    assert {"getitem", "index_add"}.isdisjoint(left(g))
    assert kernels(g)


def test_writing_by_arrays():
    v = RNG.normal(size=(30, 9, 5))

    def f(x, v, i):
        one = fgrad.at(np.sin(x))[i].add(v)
        two = fgrad.at(x * 2)[i].set(v * 3)
        three = fgrad.at(x)[:, i[:3] % 9].add(v[:12, :3])
        return one, two, three, fgrad.at(x * 2)[i].add(1.5), fgrad.at(x * 2)[i].set(1.5)

    g = same(f, (X, v, ROWS), ulp=16)
    assert not left(g)
    total = lambda x, v, i: sum(np.sum(np.sin(y)) for y in f(x, v, i))  # noqa: E731
    same(grad(total, (0, 1)), (X, v, ROWS), ulp=64)


@pytest.mark.parametrize("bad", [12, -13, 1000])
def test_an_index_that_is_out_of_bounds_is_refused_as_numpy_refuses_it(bad):
    f = lambda x, i, j: (np.sum(x[i] * 2 + 1), x[i, j])  # noqa: E731
    g = jit(f, backend="native")
    before = g(X, ROWS, MORE)
    wrong = ROWS.copy()
    wrong[[17, 20]] = bad, 99
    for _ in range(2):
        with pytest.raises(IndexError) as error:
            g(X, wrong, MORE)
        with pytest.raises(IndexError) as theirs:
            f(X, wrong, MORE)
        assert str(error.value) == str(theirs.value)
        assert f"index {bad} is out of bounds for axis 0 with size 12" == str(error.value)
    np.testing.assert_allclose(g(X, ROWS, MORE)[0], before[0])
    assert kernels(g)
    assert not left(g)


def test_an_index_that_is_out_of_bounds_ends_a_loop():
    def f(x, start):
        return while_loop(lambda i: i > 0, lambda i: x[i[None]][0] * 1, start)

    g = jit(f, backend="native")
    chain = np.array([0, 0, 1, 2, 70])
    assert g(chain, np.int64(3)) == 0
    assert g(chain, np.int64(2)) == 0
    assert kernels(g)
    with pytest.raises(IndexError, match="index 70 is out of bounds for axis 0 with size 5"):
        g(chain, np.int64(4))


def test_indices_inside_of_a_scan():
    def f(x, steps):
        def step(c, i):
            row = x[i]
            return np.tanh(c + row), fgrad.at(c)[i[:1] % 3].add(row[:1])

        return scan(step, np.zeros((3, 5)), steps)

    x, steps = RNG.normal(size=(7, 5)), RNG.integers(-7, 7, (6, 3))
    g = same(f, (x, steps))
    assert not left(g)
    same(grad(lambda x, i: np.sum(f(x, i)[0]) + np.sum(f(x, i)[1])), (x, steps), ulp=64)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("kind", ["float", "nan", "truth", "few"])
def test_running_reductions_and_places(axis, kind):
    def f(x):
        runs = np.cumsum(x, axis), np.maximum.accumulate(x * 1, axis)
        places = np.argmax(x, axis), np.argmin(x, axis), np.argmax(x)
        tests = np.any(x > 2, axis), np.all(x > -3, axis), np.count_nonzero(x > 0, axis=axis)
        return runs, places, tests, np.mean(x > 0, axis), np.cumprod(x, axis), np.prod(x, axis)

    x = {"few": X[:2, :2, :2], "truth": X > 0}.get(kind, X.copy())
    if kind == "nan":
        x[2, 3, 1] = x[4, :, 2] = np.nan
    g = same(f, (x,))
    assert {"prod", "cumsum"}.issuperset(name.split()[0] for name in left(g))
    if kind == "float":
        same(grad(lambda x: np.sum(np.cumsum(np.sin(x), axis) ** 2)), (x,), ulp=256)


EINSUMS = [
    ("ij,jk->ik", (30, 20), (20, 25)), ("ij,kj->ki", (30, 20), (25, 20)),
    ("bij,bkj->kib", (6, 30, 20), (6, 25, 20)), ("ikj,jkl->il", (30, 5, 8), (8, 5, 25)),
    ("bqhd,bkhd->bhqk", (2, 11, 3, 16), (2, 13, 3, 16)), ("bij,jk->bik", (6, 30, 20), (20, 25)),
    ("ij,ij->i", (30, 40), (30, 40)), ("ij,ij->j", (30, 40), (30, 40)), ("i,i->", (40,), (40,)),
    ("i,j->ij", (30,), (20,)), ("ii->i", (20, 20)), ("ii->", (20, 20)), ("ij->ji", (6, 8)),
    ("ijk->j", (6, 8, 5)), ("ij,jk,kl->il", (6, 8), (8, 5), (5, 7)), ("ij,jk->i", (9, 8), (8, 7)),
    ("iij,jk->ik", (20, 20, 30), (30, 25)), ("ij,jk->ik", (1, 20), (20, 25)),
    ("...ij,jk->...ik", (2, 3, 30, 20), (20, 25)), ("ij,jk->ik", (2, 2), (2, 2)),
    ("bij,cjk->ik", (3, 30, 20), (4, 20, 25)),
]  # fmt: skip


@pytest.mark.parametrize(("spec", "shapes"), [(s, xs) for s, *xs in EINSUMS])
def test_einsum(spec, shapes):
    def f(*xs):
        return np.einsum(spec, *xs) * 1.5

    xs = [RNG.normal(size=shape) for shape in shapes]
    every = tuple(range(len(xs)))
    slopes = value_and_grad(lambda *xs: np.sum(np.sin(f(*xs))), every)
    g = same(lambda *xs: (f(*xs) * 1.5, slopes(*xs)), xs, ulp=2**14)
    assert "einsum" not in left(g)
    same(f, [np.asfortranarray(x) for x in xs], ulp=2**14)


def test_einsum_of_single_precision_and_of_integers():
    x, y = RNG.normal(size=(30, 20)).astype(np.float32), RNG.integers(-9, 9, (20, 25))
    same(lambda x, y: np.einsum("ij,jk->ik", x, y) * 2, (x, y.astype(np.float32)), ulp=64)
    same(lambda y: np.einsum("ij,ik->jk", y, y) * 2, (y,), ulp=0)


def test_an_index_that_counts():
    def f(x, y):
        z = fgrad.fori_loop(0, 7, lambda i, c: np.sin(c + x[i] * y[i, 0]) * i, x[0])
        return z, scan(lambda c, i: (c * x[i], x[i] - c), x[1], np.arange(6))[1]

    x, y = RNG.normal(size=(7, 12)), RNG.normal(size=(7, 2))
    g = same(f, (x, y))
    assert not left(g)
    same(grad(lambda x, y: np.sum(f(x, y)[0]) + np.sum(f(x, y)[1])), (x, y), ulp=64)


def test_no_indices_and_python_integers_stay_with_numpy():
    same(lambda x, i: (fgrad.at(x * 2)[i].add(1.5) + x) * x, (X, np.zeros(0, int)))
    f = lambda x, n: (np.take(x, n, axis=0) * 2 + 1) * x[0]  # noqa: E731
    g = jit(f, backend="native")
    for n in (3, 3, -2, 11):
        np.testing.assert_array_equal(g(X, n), f(X, n))


def test_effects_keep_their_place_beside_an_index_out_of_bounds():
    seen = []

    def f(x, i):
        debug.callback(lambda v: seen.append(("before", float(v))), x[0])
        y = np.exp(np.sin(x))[i] * 2.0
        debug.callback(lambda v: seen.append(("after", float(v))), y[0])
        return np.cos(y) + y

    x = RNG.normal(size=1000)
    compiled = same(f, *((x, np.array([i])) for i in (3, 4, 5)))
    assert kernels(compiled)
    seen.clear()
    with pytest.raises(IndexError, match="index 1000 is out of bounds for axis 0 with size 1000"):
        compiled(x, np.array([1000]))
    assert seen == [("before", x[0])]
