"""Products, diagonals and traces of second derivatives, against the whole Hessian."""

import tracemalloc

import numpy as np
import pytest

import fgrad
from fgrad import (
    elementwise_grad,
    gnvp,
    grad,
    hessian,
    hessian_diagonal,
    hvp,
    jacfwd,
    jacrev,
    jvp,
    laplacian,
    make_graph,
    tree,
    value_and_hessian,
    value_and_jacfwd,
    value_and_jacrev,
    value_grad_hvp,
    vmap,
)
from fgrad.errors import ArgumentError, DtypeError

RNG = np.random.default_rng(0)
W, X = RNG.normal(size=(4, 3)), RNG.normal(size=3)
CHUNKS = pytest.mark.parametrize("chunk_size", [None, 1, 2, 5, 100, "auto"])


def loss(x):
    return np.sum(np.tanh(W @ x) ** 2) + np.prod(x)


def tree_loss(p, s=1.0):
    return s * np.sum(np.sin(p["w"] @ p["x"])) * p["b"] ** 2


def point():
    return {"w": W[:2], "x": X, "b": 1.5}


def dense(h, p):
    """The blocks of a Hessian as one matrix."""
    rows = [[h[a][b] for b in p] for a in p]
    sizes = [np.size(p[k]) for k in p]
    return np.block(
        [[np.reshape(b, (n, m)) for b, m in zip(row, sizes, strict=True)]
         for row, n in zip(rows, sizes, strict=True)]
    )  # fmt: skip


def test_hvp_is_the_hessian_times_the_direction():
    t = RNG.normal(size=3)
    want = hessian(loss)(X) @ t
    np.testing.assert_allclose(hvp(loss, (X,), (t,)), want, rtol=1e-12)
    value, g, product = value_grad_hvp(loss, (X,), (t,))
    assert value == loss(X)
    np.testing.assert_array_equal(g, grad(loss)(X))
    np.testing.assert_allclose(product, want, rtol=1e-12)


def test_hvp_of_trees_arguments_and_aux():
    p = point()
    t = tree.map(lambda x: np.asarray(x) * 0.3 if np.ndim(x) else 0.7, p)
    product, aux = hvp(lambda p, s: (tree_loss(p, s), "aux"), (p, 2.0), (t, None), has_aux=True)
    assert aux == "aux"
    assert type(product["b"]) is float
    want = dense(hessian(tree_loss)(p, 2.0), p) @ tree.ravel(t)[0]
    np.testing.assert_allclose(tree.ravel(product)[0], want, rtol=1e-12)
    # Of both arguments, of the second alone, and by name.
    both = hvp(tree_loss, (p, 2.0), (t, 0.0), argnums=(0, 1))
    np.testing.assert_allclose(tree.ravel(both[0])[0], want, rtol=1e-12)
    mixed = hvp(tree_loss, (p, 2.0), (t, None), argnames="s")
    assert mixed == pytest.approx(jvp(lambda p: tree_loss(p), (p,), (t,))[1])
    assert hvp(tree_loss, (p,), (t,), s=0.0)["b"] == 0.0


def test_hvp_says_what_is_wrong():
    with pytest.raises(ArgumentError, match=r"primals as a tuple(.|\n)*\(primal,\)"):
        hvp(loss, X, (X,))
    with pytest.raises(ArgumentError, match="1 primals and 2 tangents"):
        hvp(loss, (X,), (X, X))


def test_gauss_newton():
    def residuals(x):
        return {"a": np.sin(W @ x), "b": x[0] * x[1]}

    jac, t = jacrev(residuals)(X), RNG.normal(size=3)
    rows = np.concatenate([jac["a"], jac["b"][None]])
    np.testing.assert_allclose(gnvp(residuals, (X,), (t,)), rows.T @ (rows @ t), rtol=1e-12)

    def cross_entropy(y):
        return np.log(np.sum(np.exp(y["a"]))) + y["b"] ** 4

    h = np.zeros((5, 5))
    y = residuals(X)
    e = np.exp(y["a"]) / np.sum(np.exp(y["a"]))
    h[:4, :4] = np.diag(e) - np.outer(e, e)
    h[4, 4] = 12 * y["b"] ** 2
    got = gnvp(residuals, (X,), (t,), cross_entropy)
    np.testing.assert_allclose(got, rows.T @ (h @ (rows @ t)), rtol=1e-12)
    # Without curvature of f it is the Hessian.
    np.testing.assert_allclose(
        gnvp(lambda x: W @ x, (X,), (t,), lambda y: np.sum(np.cosh(y))),
        hvp(lambda x: np.sum(np.cosh(W @ x)), (X,), (t,)),
        rtol=1e-12,
    )
    two = gnvp(lambda x, y: x * y, (X, X), (t, 0 * t))
    np.testing.assert_allclose(two[1], X * X * t)


@CHUNKS
def test_chunks_change_nothing(chunk_size):
    h = hessian(loss)(X)
    np.testing.assert_allclose(hessian(loss, chunk_size=chunk_size)(X), h, rtol=1e-12)
    for jac in (jacfwd, jacrev):
        np.testing.assert_allclose(
            jac(lambda x: np.sin(W @ x), chunk_size=chunk_size)(X),
            np.cos(W @ X)[:, None] * W, rtol=1e-13,
        )  # fmt: skip
    d = hessian_diagonal(loss, chunk_size=chunk_size)(X)
    np.testing.assert_allclose(d, np.diag(h), rtol=1e-12)
    assert laplacian(loss, chunk_size=chunk_size)(X) == pytest.approx(np.trace(h))
    y = vmap(lambda x, y: (np.sin(x) * y, y), (0, None), (1, None), chunk_size=chunk_size)(W, X)
    np.testing.assert_array_equal(y[0], (np.sin(W) * X).T)
    np.testing.assert_array_equal(y[1], X)


@pytest.mark.parametrize("chunk_size", [0, -1, 2.5, True, "all"])
def test_a_chunk_size_that_is_none(chunk_size):
    for f in (jacfwd(np.sin, chunk_size=chunk_size), vmap(np.sin, chunk_size=chunk_size)):
        with pytest.raises(ArgumentError, match=r'wants chunk_size as a number(.|\n)*"auto"'):
            f(X)


def test_chunks_bound_the_memory():
    def peak(f):
        tracemalloc.start()
        f(np.ones(120))
        out = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return out

    def f(x):
        for _ in range(4):
            x = np.sin(np.outer(x, x)).sum(0)
        return x.sum()

    assert peak(hessian_diagonal(f, chunk_size=4)) < 0.3 * peak(hessian_diagonal(f, chunk_size=40))


def test_values_come_along():
    def f(x):
        return np.sin(W @ x)

    for both, jac in ((value_and_jacfwd, jacfwd), (value_and_jacrev, jacrev)):
        value, j = both(f)(X)
        np.testing.assert_array_equal(value, f(X))
        np.testing.assert_array_equal(j, jac(f)(X))
        (value, aux), j = both(lambda x: (f(x), {"n": 3}), has_aux=True)(X)
        np.testing.assert_array_equal(value, f(X))
        assert aux == {"n": 3}
    value, h = value_and_hessian(loss)(X)
    assert value == loss(X)
    np.testing.assert_array_equal(h, hessian(loss)(X))
    (value, aux), h = value_and_hessian(lambda x: (loss(x), "aux"), has_aux=True)(X)
    assert (value, aux) == (loss(X), "aux")


def test_diagonals_and_traces_of_trees():
    p = point()
    h = dense(hessian(tree_loss)(p), p)
    d = hessian_diagonal(tree_loss)(p)
    assert tree.structure(d) == tree.structure(p)
    assert type(d["b"]) is float
    np.testing.assert_allclose(tree.ravel(d)[0], np.diag(h), rtol=1e-12)
    assert laplacian(tree_loss)(p) == pytest.approx(np.trace(h))
    # Of arrays, one for each number of the result; of one leaf among several; with aux.
    many = hessian_diagonal(lambda x: np.array([1.0, 2.0]) * np.sum(x**3))(X)
    np.testing.assert_allclose(many, np.outer([1.0, 2.0], 6 * X))
    got, aux = laplacian(lambda a, x: ({"y": a * x[0] ** 2}, 1), argnums=1, has_aux=True)(3.0, X)
    assert (got, aux) == ({"y": 6.0}, 1)
    with pytest.raises(DtypeError, match="laplacian wants real arguments"):
        laplacian(lambda z: np.abs(z[0]) ** 2)(X * 1j)
    got = laplacian(lambda x: np.sum(x**3))(X.astype(np.float32))
    assert got.dtype == np.float32


def test_elementwise_grad():
    np.testing.assert_allclose(elementwise_grad(np.sin)(W), np.cos(W))
    np.testing.assert_allclose(elementwise_grad(elementwise_grad(np.sin))(W), -np.sin(W))
    got, aux = elementwise_grad(lambda s, x: (s * x**2, "aux"), argnums=1, has_aux=True)(3.0, X)
    np.testing.assert_allclose(got, 6 * X)
    assert aux == "aux"
    assert elementwise_grad(np.tanh)(0.0) == 1.0
    s, x = elementwise_grad(lambda s, x: s * x, argnames=("s", "x"))(2.0, x=X)
    assert s == pytest.approx(np.sum(X))
    np.testing.assert_array_equal(x, [2.0] * 3)


def test_they_nest_with_everything():
    t = RNG.normal(size=3)
    third = grad(lambda x: hvp(loss, (x,), (t,)) @ t)(X)
    np.testing.assert_allclose(third, jacfwd(lambda x: t @ hessian(loss)(x) @ t)(X), rtol=1e-10)
    np.testing.assert_allclose(
        grad(laplacian(loss))(X), np.trace(jacfwd(hessian(loss))(X)), rtol=1e-10
    )
    np.testing.assert_allclose(
        vmap(lambda e: hvp(loss, (X,), (e,)))(np.eye(3)), hessian(loss)(X), rtol=1e-12
    )
    graph = make_graph(lambda x: hvp(loss, (x,), (t,)))(X)
    np.testing.assert_allclose(graph(2 * X), hvp(loss, (2 * X,), (t,)), rtol=1e-12)
    assert fgrad.vmap(laplacian(loss))(np.stack([X, 2 * X])).shape == (2,)
