"""Jacobians and Hessians: against finite differences, each other, and JAX's layout of blocks."""

import itertools

import numpy as np
import pytest

from fgrad import grad, hessian, jacfwd, jacobian, jacrev, jvp, make_graph, tree, vmap
from fgrad.errors import ArgumentError, DtypeError

BOTH = pytest.mark.parametrize("jac", [jacfwd, jacrev, jacobian])
W = np.random.default_rng(0).normal(size=(2, 3))


def network(p, x):
    y = np.tanh(p["w"] @ x + p["b"][0]) * p["b"][1]
    return {"y": y, "norm": (np.sum(y**2),)}


def point(seed=1):
    rng = np.random.default_rng(seed)
    return {"w": rng.normal(size=(2, 3)), "b": [rng.normal(size=2), 1.5]}, rng.normal(size=3)


def numeric(f, p, h=1e-6):
    """Blocks by central differences, for a tree of float64 leaves and a tree of results."""
    vector, unravel = tree.ravel(p)
    vector = vector.astype(float)
    sizes = [np.size(x) for x in tree.leaves(p)]
    columns = []
    for e in np.eye(len(vector)):
        up, down = f(unravel(vector + h * e)), f(unravel(vector - h * e))
        columns.append(tree.map(lambda a, b: (a - b) / (2 * h), up, down))

    def block(*ys):
        whole = np.stack(ys, axis=-1)
        cuts = np.split(whole, np.cumsum(sizes)[:-1], axis=-1)
        shaped = [
            np.reshape(c, (*np.shape(ys[0]), *np.shape(x)))
            for c, x in zip(cuts, tree.leaves(p), strict=True)
        ]
        return tree.unflatten(tree.structure(p), shaped)

    return tree.map(block, *columns)


def same(a, b, **tolerance):
    assert tree.structure(a) == tree.structure(b)
    for x, y in zip(tree.leaves(a), tree.leaves(b), strict=True):
        assert np.shape(x) == np.shape(y)
        np.testing.assert_allclose(x, y, **tolerance)


@BOTH
def test_blocks_of_trees_against_finite_differences(jac):
    p, x = point()
    j = jac(network)(p, x)
    same(j, numeric(lambda p: network(p, x), p), rtol=1e-6, atol=1e-8)
    assert j["y"]["w"].shape == (2, 2, 3)
    assert j["norm"][0]["b"][0].shape == (2,)
    assert type(j["norm"][0]["b"][1]) is float


@BOTH
def test_argnums_argnames_and_keywords(jac):
    p, x = point()
    one, two = jac(network, argnums=(0, 1))(p, x)["y"]
    same(one, jac(network)(p, x)["y"])
    same(two, jac(network, argnames="x")(p, x=x)["y"])
    same(two, jac(network, argnums=-1)(p, x)["y"])
    with pytest.raises(ArgumentError, match=jac.__name__):
        jac(network, argnums=2)(p, x)


@BOTH
def test_aux(jac):
    j, aux = jac(lambda x: (W @ x, {"twice": 2 * x, "name": "spam"}), has_aux=True)(np.ones(3))
    np.testing.assert_array_equal(j, W)
    assert aux["name"] == "spam"
    np.testing.assert_array_equal(aux["twice"], 2 * np.ones(3))
    with pytest.raises(ArgumentError, match="pair"):
        jac(lambda x: x, has_aux=True)(np.ones(3))


@BOTH
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_blocks_have_the_dtype_of_the_leaf(jac, dtype):
    j = jac(lambda x: W @ x)(np.ones(3, dtype))
    assert j.dtype == dtype
    np.testing.assert_allclose(j, W, rtol=1e-2)
    assert type(jac(np.sin)(dtype(0.5))) is dtype
    assert jac(lambda x: np.array([1.0, 2.0]) * x)(0.5).shape == (2,)
    assert jac(np.sin)(np.array(0.5)).shape == ()


@BOTH
def test_empty_arrays_and_results_that_do_not_depend(jac):
    assert jac(lambda x: x**2)(np.zeros((0, 2))).shape == (0, 2, 0, 2)
    assert jac(lambda x: np.ones(2))(np.zeros(0)).shape == (2, 0)
    np.testing.assert_array_equal(jac(lambda x: W[0])(np.ones(2)), np.zeros((3, 2)))
    j = jac(lambda p: p["a"] * 2)({"a": 1.0, "b": np.ones(2)})
    same(j, {"a": 2.0, "b": np.zeros(2)})


@BOTH
def test_integers(jac):
    p = {"a": np.ones(2), "n": 3, "s": "mode"}
    with pytest.raises(DtypeError, match=rf"{jac.__name__}(.|\n)*\['n'\](.|\n)*allow_int=True"):
        jac(lambda p: p["a"] * p["n"])(p)
    j = jac(lambda p: p["a"] * p["n"], allow_int=True)(p)
    np.testing.assert_array_equal(j["a"], 3 * np.eye(2))
    assert (j["n"], j["s"]) == (None, None)


def test_complex_numbers():
    z = np.array([1 + 2j, 3 - 1j])
    want = np.diag(2 * z)
    for jac in (jacfwd, jacrev, jacobian):
        np.testing.assert_allclose(jac(lambda z: z**2, holomorphic=True)(z), want)
        with pytest.raises(DtypeError, match="holomorphic=True wants complex"):
            jac(lambda x: x, holomorphic=True)(1.0)
        with pytest.raises(DtypeError, match=r"complex arrays(.|\n)*holomorphic=False"):
            jac(np.abs, holomorphic=True)(z)
    spiral = np.diag(1j * np.exp(1j * np.array([0.1, 0.2])))
    for jac in (jacfwd, jacobian):
        np.testing.assert_allclose(jac(lambda x: np.exp(1j * x))(np.array([0.1, 0.2])), spiral)
    for jac in (jacrev, jacobian):
        np.testing.assert_allclose(jac(lambda z: np.abs(z) ** 2)(z), np.diag(2 * np.conj(z)))
    with pytest.raises(DtypeError, match=r"real arguments(.|\n)*fgrad\.jacrev"):
        jacfwd(np.abs)(z)
    with pytest.raises(DtypeError, match=r"returns real arrays(.|\n)*fgrad\.jacfwd"):
        jacrev(lambda x: np.exp(1j * x))(1.0)
    assert jacfwd(lambda x: np.exp(1j * x))(np.float32(0.5)).dtype == np.complex64


@BOTH
def test_errors_name_the_function(jac):
    def spam(x):
        return "text"

    with pytest.raises(
        DtypeError, match=rf"`spam` \(.*test_jacobians\.py:{spam.__code__.co_firstlineno}\)"
    ):
        jac(spam)(np.ones(2))


@pytest.mark.parametrize("jac", [jacrev, jacobian])
def test_integer_results_are_refused(jac):
    with pytest.raises(DtypeError, match=r"returns real arrays; `<lambda>`(.|\n)*int64"):
        jac(lambda x: x.argmax())(np.ones(2))


def test_jacobian_chooses():
    calls = []

    def f(x):
        calls.append(type(x).__name__)
        return np.broadcast_to(x[0], (5,))

    jacobian(f)(np.ones(2))
    assert calls == ["TapeTracer", "JvpTracer"]
    calls.clear()
    jacobian(f)(np.ones(9))
    assert calls == ["TapeTracer"]


def test_blocks_are_apart():
    x = np.ones(2)
    j = jacrev(lambda x: (x, x))(x)
    j[0][:] = 7.0
    np.testing.assert_array_equal(j[1], np.eye(2))
    assert all(b.flags.writeable for b in j)


# ------------------------------------------------------------------ Hessians and nesting
def scalar(p, x):
    return np.sum(network(p, x)["y"] ** 3)


def test_hessians_of_trees():
    p, x = point()
    h = hessian(scalar)(p, x)
    same(h, numeric(lambda p: jacrev(scalar)(p, x), p), rtol=1e-5, atol=1e-7)
    assert h["w"]["b"][0].shape == (2, 3, 2)
    assert type(h["b"][1]["b"][1]) is float
    both = hessian(scalar, argnums=(0, 1))(p, x)
    same(both[0]["w"][0], h["w"])
    np.testing.assert_allclose(both[0]["w"][1], np.moveaxis(both[1][0]["w"], 0, -1))


def test_hessian_options():
    h, aux = hessian(lambda x: (np.sum(x**3), "spam"), has_aux=True)(np.ones(2))
    np.testing.assert_array_equal(h, 6 * np.eye(2))
    assert aux == "spam"
    assert hessian(np.sin, holomorphic=True)(1j) == pytest.approx(-np.sin(1j))
    h = hessian(lambda p: p[0] ** 2 * p[1], allow_int=True)((3.0, 2))
    assert h == ((4.0, None), None)
    assert hessian(lambda x: x**3)(2.0) == 12.0


def test_all_orders_agree_and_nest():
    x = np.array([0.3, -0.2])

    def f(x):
        return np.sum(np.sin(x)) * x[0] * x[1]

    thirds = [a(b(c(f)))(x) for a, b, c in itertools.product([jacfwd, jacrev], repeat=3)]
    for t in thirds:
        np.testing.assert_allclose(t, thirds[0], atol=1e-12)
    np.testing.assert_allclose(vmap(hessian(f))(np.stack([x, 2 * x]))[1], hessian(f)(2 * x))
    np.testing.assert_allclose(make_graph(hessian(f))(x)(2 * x), hessian(f)(2 * x))
    np.testing.assert_allclose(
        grad(lambda x: np.sum(hessian(f)(x) ** 2))(x),
        2 * np.einsum("ij,ijk->k", hessian(f)(x), thirds[0]),
    )
    _, t = jvp(hessian(f), (x,), (x,))
    np.testing.assert_allclose(t, thirds[0] @ x)
