"""vmap: axes, trees of axes, sizes, and what it refuses."""

import numpy as np
import pytest

from fgrad import grad, jvp, tree, vmap
from fgrad.errors import ArgumentError, DtypeError, ShapeError

A = np.arange(24.0).reshape(2, 3, 4)
X = np.array([1.0, 2.0, 3.0])


@pytest.mark.parametrize("in_axis", [0, 1, 2, -1, -2, -3])
@pytest.mark.parametrize("out_axis", [0, 1, 2, -1, -2, -3])
def test_axes_from_both_ends(in_axis, out_axis):
    y = vmap(np.sin, in_axes=in_axis, out_axes=out_axis)(A)
    np.testing.assert_array_equal(y, np.moveaxis(np.sin(A), in_axis, out_axis))


def test_one_axis_for_each_argument():
    y = vmap(lambda x, w, s: x * w * s, in_axes=(1, None, 0))(A, 2.0, X)
    np.testing.assert_array_equal(y, np.moveaxis(A, 1, 0) * 2 * X[:, None, None])
    np.testing.assert_array_equal(vmap(np.multiply, in_axes=[0, None])(X, 3.0), 3 * X)


def test_axes_by_prefix():
    p = {"w": A, "b": (X[:2], [A[0], 5.0])}
    axes = ({"b": (0, [None, None]), "w": 0},)  # in another order
    y = vmap(lambda p: p["w"] * p["b"][0] + p["b"][1][0] * p["b"][1][1], in_axes=axes)(p)
    np.testing.assert_array_equal(y, A * X[:2, None, None] + A[0] * 5)
    y = vmap(lambda p: p["w"].sum() + p["b"][0], in_axes=({"w": -3, "b": 0},))(
        {"b": (X[:2],), "w": A}
    )
    np.testing.assert_array_equal(y, A.sum((1, 2)) + X[:2])
    frozen = tree.freeze({"w": A, "b": X})
    for axes in ({"b": None, "w": 2}, tree.freeze({"b": None, "w": 2})):
        y = vmap(lambda p: p["w"] @ p["b"], in_axes=(axes,))(frozen)
        np.testing.assert_array_equal(y, np.moveaxis(A, 2, 0) @ X)


def test_out_axes_by_prefix():
    def f(x):
        return {"a": x, "b": (x * 2, 3.0), "c": X}

    y = vmap(f, out_axes={"b": (1, None), "c": None, "a": -1})(A[0])
    np.testing.assert_array_equal(y["a"], A[0].T)
    np.testing.assert_array_equal(y["b"][0], 2 * A[0].T)
    assert y["b"][1] == 3.0
    np.testing.assert_array_equal(y["c"], X)
    assert list(y) == ["a", "b", "c"]


def test_results_that_are_not_mapped_are_repeated():
    y, z, n = vmap(lambda x: (3.0, X, None))(X)
    np.testing.assert_array_equal(y, [3.0] * 3)
    np.testing.assert_array_equal(z, [X] * 3)
    z[0] = 7.0  # a copy, not a view of stride 0
    np.testing.assert_array_equal(X, [1.0, 2.0, 3.0])
    np.testing.assert_array_equal(z[1], X)
    assert n is None


def test_axis_size_and_keywords():
    np.testing.assert_array_equal(vmap(lambda: 2.0, axis_size=3)(), [2.0] * 3)
    np.testing.assert_array_equal(vmap(lambda x: x, in_axes=None, axis_size=2)(X), [X, X])
    assert vmap(lambda: 2.0, axis_size=0)().shape == (0,)
    y = vmap(lambda x, *, w, s: x * w + s, in_axes=0)(X, w=2 * X, s=np.ones(3))
    np.testing.assert_array_equal(y, 2 * X * X + 1)


def test_nested():
    table = vmap(vmap(np.subtract, in_axes=(None, 0)), in_axes=(0, None))(X, 2 * X)
    np.testing.assert_array_equal(table, np.subtract.outer(X, 2 * X))
    y = vmap(vmap(vmap(lambda x: x**2), out_axes=-1), in_axes=2)(A)
    np.testing.assert_array_equal(y, np.transpose(A**2, (2, 1, 0)))
    np.testing.assert_array_equal(
        vmap(lambda x: vmap(lambda y: y * x)(x), in_axes=1)(A[0]),
        np.einsum("ij,kj->jik", A[0], A[0]),
    )


def test_size_one_and_zero():
    for n in (0, 1):
        y = vmap(lambda a, v: np.tanh(a @ v) + a[0, 1])(np.ones((n, 2, 3)), np.ones((n, 3)))
        assert y.shape == (n, 2)
        g = vmap(grad(lambda v: np.sum(v**2)))(np.ones((n, 3)))
        assert g.shape == (n, 3)


def test_what_a_function_sees():
    seen = []

    def f(x):
        seen.append((x.shape, x.ndim, x.size, len(x), x.dtype))
        seen.extend(row.shape for row in x)
        a, b, c = x
        return a + b * c

    vmap(f, in_axes=2)(A.transpose(1, 2, 0))
    assert seen == [((3, 4), 2, 12, 3, np.dtype(float)), (4,), (4,), (4,)]


def test_grad_of_a_mapped_loss_and_mapped_gradients():
    w = np.array([0.5, -1.0, 2.0])

    def loss(w, x):
        return np.sum(np.tanh(w * x) ** 2)

    rows = A[0].T
    each = vmap(grad(loss), in_axes=(None, 0))(w, rows)
    np.testing.assert_allclose(each, [grad(loss)(w, x) for x in rows])
    total = grad(lambda w: np.sum(vmap(loss, in_axes=(None, 0))(w, rows)))(w)
    np.testing.assert_allclose(total, each.sum(0))
    _, t = jvp(lambda w: vmap(loss, in_axes=(None, 0))(w, rows), (w,), (w,))
    np.testing.assert_allclose(t, each @ w)


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: vmap(np.sin, in_axes=3)(A), ShapeError, r"axis 3 as args\[0\]"),
        (lambda: vmap(np.sin, in_axes=-4)(A), ShapeError, "axis -4"),
        (lambda: vmap(lambda p: p)({"a": {"b": 1.0}}), ShapeError, r"args\[0\]\['a'\]\['b'\]"),
        (lambda: vmap(lambda x, *, k: x)(X, k=A), ShapeError, r"3, as args\[0\] has it"),
        (lambda: vmap(lambda x, *, k: x)(X, k=A), ShapeError, r"kwargs\['k'\]"),
        (lambda: vmap(np.add)(X, A), ShapeError, r"length 2 along axis 0 of args\[1\]"),
        (lambda: vmap(np.sin, axis_size=2)(X), ShapeError, "2, as axis_size has it"),
        (lambda: vmap(np.sin)([1.0, 2.0]), ShapeError, r"a list of numbers as np\.array"),
        (lambda: vmap(lambda x, s: x)(X, "spam"), DtypeError, r"args\[1\](.|\n)*in_axes to None"),
        (lambda: vmap(lambda x: x)(np.array(["a"])), DtypeError, "<U1 array"),
        (lambda: vmap(np.add, in_axes=(0,))(X, X), ArgumentError, "1 entries(.|\n)*2 arguments"),
        (lambda: vmap(np.sin, in_axes="x")(X), ArgumentError, "integers or None"),
        (lambda: vmap(np.sin, in_axes=1.0)(X), ArgumentError, "integers or None"),
        (lambda: vmap(np.sin, in_axes=True)(X), ArgumentError, "integers or None"),
        (lambda: vmap(lambda p: p["a"], in_axes=({"b": 0},))({"a": X}), ArgumentError, "in_axes="),
        (lambda: vmap(lambda p: p[0], in_axes=((0, 0),))([X]), ArgumentError, "pytree prefix"),
        (lambda: vmap(lambda: 1.0)(), ArgumentError, "give axis_size"),
        (lambda: vmap(np.sin, in_axes=None)(X), ArgumentError, "at least one argument"),
        (lambda: vmap(np.sin, axis_size=-1)(X), ArgumentError, "axis_size as a number"),
        (lambda: vmap(np.sin, axis_size=1.5)(X), ArgumentError, "axis_size as a number"),
        (lambda: vmap(lambda x: "spam")(X), ArgumentError, r"returns arrays(.|\n)*'spam'"),
        (lambda: vmap(np.sin, out_axes=None)(X), ArgumentError, "out_axes=None only for"),
        (lambda: vmap(np.sin, out_axes=1)(X), ShapeError, r"out_axes 1(.|\n)*from -1 to 0"),
        (lambda: vmap(np.sin, out_axes=(0, 0))(X), ArgumentError, "out_axes"),
    ],
)
def test_what_it_refuses(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_strings_and_options_pass_with_none():
    y = vmap(lambda x, mode: x if mode == "plain" else -x, in_axes=(0, None))(X, "plain")
    np.testing.assert_array_equal(y, X)


def test_results_are_no_arguments_and_share_no_memory():
    X, Y = np.ones(3), np.ones(3)
    results = [
        *vmap(lambda x: (x, x))(X),
        *vmap(grad(lambda x, y: x + y, (0, 1)))(X, Y),
        *vmap(grad(lambda x, y: np.sum(x + y.T), (0, 1)))(np.ones((4, 2, 2)), np.ones((4, 2, 2))),
    ]
    for i, a in enumerate(results):
        assert not any(np.shares_memory(a, b) for b in [X, Y, *results[:i]])
