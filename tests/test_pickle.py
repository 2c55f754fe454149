"""Graphs go through pickle, and functions that transformations return through cloudpickle."""

import pickle

import numpy as np
import pytest

import fgrad
from fgrad import checkpoint, cond, grad, jacfwd, make_graph, random, scan, vmap, while_loop

X = np.array([0.5, 1.0, 2.0])


def loop(x):
    return scan(lambda c, y: (c * np.sin(y), c), x, X)[0]


FUNCTIONS = {
    "tanh": (lambda x: np.sum(np.tanh(x) ** 2), X),
    "indices": (lambda x: np.sum(x[np.array([0, 2])] ** 2) + np.sum(x.at[1:].set(3.0) * x), X),
    "svd": (lambda x: np.sum(np.linalg.svd(np.outer(x, x) + np.eye(3))[1]), X),
    "scan": (loop, 1.5),
    "cond": (lambda x: cond(x > 0, np.sin, np.cos, x), 1.5),
    "while": (lambda x: while_loop(lambda x: x < 100, lambda x: x * x, x), 1.5),
    "checkpoint": (checkpoint(loop), 1.5),
    "random": (lambda x: x * random.normal(random.key(0)), 1.5),
    "trees": (lambda t: t["a"] * t["b"][0], {"a": 2.0, "b": (3.0, None)}),
}


def close(a, b):
    for x, y in zip(fgrad.tree.leaves(a), fgrad.tree.leaves(b), strict=True):
        np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_graphs(name):
    f, x = FUNCTIONS[name]
    other = fgrad.tree.map(lambda x: 1.25 * x, x)
    for g in (f, grad(f), grad(make_graph(f)(x))):
        graph = make_graph(g)(x)
        again = pickle.loads(pickle.dumps(graph))
        assert str(again) == str(graph)
        again.check()
        close(again(other), graph(other))
        if g is f:
            close(grad(again)(other), grad(f)(other))


def test_primitives_are_themselves():
    for p in (*fgrad.core.PRIMITIVES.values(), fgrad.control.folds.SCAN):
        assert pickle.loads(pickle.dumps(p)) is p


def test_functions():
    cloudpickle = pytest.importorskip("cloudpickle")
    soft = fgrad.elementwise(
        lambda x: x / (1 + np.abs(x)), lambda ans, x: (1 - np.abs(ans)) ** 2, name="soft"
    )
    cube = fgrad.custom_jvp(lambda x: x**3)
    cube.defjvp(lambda p, t: (cube(*p), 3 * p[0] ** 2 * t[0]))
    product = vmap(grad(lambda x: soft(x) * cube(x)))
    for f in (grad(np.sum), product, jacfwd(cube), make_graph(product)(X), checkpoint(cube)):
        close(pickle.loads(cloudpickle.dumps(f))(X), f(X))


def test_what_cannot_be_written_says_so():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(grad(loop))
