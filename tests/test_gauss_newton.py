"""gnvp: one run of the function for what forward and reverse mode find in two."""

import numpy as np
import pytest

import fgrad
from fgrad import gnvp, grad, hvp, jvp, make_graph, tree, vjp, vmap

RNG = np.random.default_rng(0)
W, X, T = RNG.normal(size=(4, 3)), RNG.normal(size=3), RNG.normal(size=3)


@fgrad.custom_jvp
def softly(x):
    return np.log1p(np.exp(x))


@softly.defjvp
def softly_jvp(primals, tangents):
    (x,), (t,) = primals, tangents
    return softly(x), t / (1 + np.exp(-x))


def two_runs(f, primals, tangents, loss=None):
    """The product by the public derivatives."""
    y, t = jvp(f, primals, tangents)
    ct = tree.map(np.conj, t) if loss is None else hvp(loss, (y,), (t,))
    cts = vjp(f, *primals)[1](ct)
    return cts if len(cts) > 1 else cts[0]


def tree_of_all(x):
    q, r = np.divmod(W @ x, 0.7)
    u, s, _ = np.linalg.svd(W * x)
    return {"r": r * x[0], "q": q, "s": s, "u": (u * s[0], 2 * x[:2]), "n": np.float32(2) * x[0]}


def looped(x):
    c, ys = fgrad.scan(lambda c, k: (np.tanh(W[:3] @ c) + k * x, c * c), x, np.arange(3.0))
    return fgrad.cond(x[0] > 0, lambda c: (c, ys), lambda c: (c * c, ys), c)


FUNCTIONS = {
    "operators": lambda x: 2.0 - x / (1 + x * x) ** 2 @ x + x[0] ** x[1] ** 2 - 3 * (-x) + x * X,
    "trees": tree_of_all,
    "control flow": looped,
    "rules": lambda x: softly(W @ x) + np.sin(softly(2 * x[0])),
    "derivatives": lambda x: grad(lambda z: np.sum(np.cos(W @ z) * (W @ x)))(x * x),
    "a map": lambda x: vmap(lambda row: np.sin(row @ x) * row)(W),
    "what is captured": lambda x: [X, x[1:], 3.0],
    "no argument": lambda x: W,
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("loss", [None, lambda y: sum(np.sum(z**4) for z in tree.leaves(y))])
def test_it_is_the_product_of_two_runs(name, loss):
    f, x = FUNCTIONS[name], np.abs(X) + 0.1
    runs = []

    def counted(x):
        runs.append(1)
        return f(x)

    got, want = gnvp(counted, (x,), (T,), loss), two_runs(f, (x,), (T,), loss)
    np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-13)
    assert (len(runs), got.dtype) == (1, x.dtype)


def test_dtypes_numbers_and_several_arguments():
    def f(p, s):
        return {"y": p["w"] @ np.array([1.0, 2.0], np.float32) * s, "s": s * s}

    p = {"w": np.ones((3, 2), np.float32)}
    args, ts = (p, 3.0), ({"w": 2 * p["w"]}, 0.5)
    got, want = gnvp(f, args, ts), two_runs(f, args, ts)
    assert tree.map(lambda y: (type(y), getattr(y, "dtype", 0)), got) == (
        {"w": (np.ndarray, np.float32)}, (float, 0)
    )  # fmt: skip
    np.testing.assert_allclose(got[0]["w"], want[0]["w"])
    assert got[1] == pytest.approx(want[1])
    z = X + 1j * T
    np.testing.assert_allclose(
        gnvp(np.exp, (z,), (z,)), two_runs(np.exp, (z,), (z,)), rtol=1e-13
    )  # fmt: skip


def test_inside_other_transformations():
    def product(x, t, gn=gnvp):
        return gn(lambda x: np.sin(W @ x) * x[0], (x,), (t,), lambda y: np.sum(np.cosh(y)))

    def plain(x, t):
        return product(x, t, two_runs)

    np.testing.assert_allclose(vmap(product)(W, -W), vmap(plain)(W, -W), rtol=1e-12)
    np.testing.assert_allclose(make_graph(product)(X, X)(2 * X, T), plain(2 * X, T), rtol=1e-12)
    ours, theirs = (lambda *xs, f=f: np.sum(f(*xs) ** 2) for f in (product, plain))
    for k in (0, 1):
        np.testing.assert_allclose(grad(ours, k)(X, T), grad(theirs, k)(X, T), rtol=1e-11)
    got, want = (hvp(lambda x, f=f: f(x, x), (X,), (T,)) for f in (ours, theirs))
    np.testing.assert_allclose(got, want, rtol=1e-11)
