"""The short ways of vmap: for every kind of operand they are the stack of calls."""

from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fgrad import grad, jvp, vjp, vmap
from fgrad.errors import DtypeError, EscapedTracerError

RNG = np.random.default_rng(7)
SIZE = 3
TOLERANCE = {np.dtype("f8"): 1e-11, np.dtype("f4"): 1e-4}
BINARY = [
    operator.add, operator.sub, operator.mul, operator.truediv, np.arctan2, np.power, np.hypot,
]  # fmt: skip
UNARY = [np.tanh, np.square, np.negative, np.exp, np.sqrt, np.log, np.cos, np.reciprocal, np.abs]


def net(flat, row):
    """The loss of a small network for vectors with one kind of biases or the other, or for rows."""

    def loss(params, x, t):
        y = x.T
        for w, b in zip(params[::2], params[1::2], strict=True):
            y = np.tanh(w @ y + (b if flat or row else b[:, 0]))
        return np.mean((y.T - t) ** 2)

    return loss


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("flat", "row"), [(True, False), (False, False), (False, True)])
@pytest.mark.parametrize("mapped_params", [False, True])
def test_gradients_of_each_example(flat, row, mapped_params, dtype):
    shapes = [(5, 4), (5,) if flat else (5, 1), (2, 5), (2,) if flat else (2, 1)]
    lead = (SIZE,) if mapped_params else ()
    params = [RNG.normal(size=lead + s).astype(dtype) for s in shapes]
    X = RNG.normal(size=(SIZE, 1, 4) if row else (SIZE, 4)).astype(dtype)
    T = RNG.normal(size=(SIZE, 1, 2) if row else (SIZE, 2)).astype(dtype)
    g = grad(net(flat, row))
    got = vmap(g, (0 if mapped_params else None, 0, 0))(params, X, T)
    own = [[p[i] for p in params] if mapped_params else params for i in range(SIZE)]
    want = [g(p, x, t) for p, x, t in zip(own, X, T, strict=True)]
    for k, y in enumerate(got):
        assert y.dtype == dtype
        np.testing.assert_allclose(y, [w[k] for w in want], rtol=TOLERANCE[y.dtype])


@st.composite
def operands(draw):
    """Two arrays or numbers that broadcast, whether each is mapped, and one of the operators."""
    shape = draw(st.lists(st.integers(1, 3), max_size=2))
    made = []
    for _ in range(2):
        own = [draw(st.sampled_from([n, 1])) for n in shape[draw(st.integers(0, len(shape))) :]]
        flag = draw(st.booleans())
        dtype = draw(st.sampled_from(["f8", "f8", "f4"]))
        x = np.random.default_rng(draw(st.integers(0, 9))).uniform(0.5, 2, [SIZE, *own])
        made.append((x.astype(dtype) if flag else x[0].astype(dtype), flag))
    (x, in_x), (y, in_y) = made
    if not in_x and not in_y:
        x, in_x = np.stack([x] * SIZE), True
    elif not in_y and not y.ndim and draw(st.booleans()):
        y = float(y)
    return x, in_x, y, in_y, draw(st.sampled_from(BINARY))


@settings(max_examples=60, deadline=None)
@given(operands())
def test_binary_operations_and_their_derivatives(case):
    x, in_x, y, in_y, op = case

    def derivatives(x, y):
        z, pullback = vjp(op, x, y)
        _, t = jvp(op, (x, y), (x, y))
        return z, pullback(z), t, grad(lambda x, y: np.mean(op(x, y) ** 2), argnums=(0, 1))(x, y)

    got = vmap(derivatives, (0 if in_x else None, 0 if in_y else None))(x, y)
    for i in range(SIZE):
        want = derivatives(x[i] if in_x else x, y[i] if in_y else y)
        for a, b in zip(_flat(got), _flat(want), strict=True):
            assert a.dtype == np.asarray(b).dtype
            np.testing.assert_allclose(a[i], b, rtol=TOLERANCE[a.dtype])


def _flat(tree):
    return [y for part in tree for y in _flat(part)] if isinstance(tree, tuple) else [tree]


@pytest.mark.parametrize("f", UNARY, ids=lambda f: f.__name__)
@pytest.mark.parametrize("shape", [(), (2,), (2, 3)])
def test_unary_functions_whose_cotangent_is_mapped_or_not(f, shape):
    x = RNG.uniform(0.5, 2, (SIZE, *shape))
    for weight in (RNG.normal(size=shape), RNG.normal(size=(SIZE, *shape))):
        mapped = weight.ndim > len(shape)

        def pulled(x, g):
            return vjp(f, x)[1](g)[0], grad(lambda x: np.sum(f(x) * g))(x)

        got = vmap(pulled, (0, 0 if mapped else None))(x, weight)
        want = [pulled(x[i], weight[i] if mapped else weight) for i in range(SIZE)]
        for k in range(2):
            np.testing.assert_allclose(got[k], [w[k] for w in want], rtol=1e-12)


@pytest.mark.parametrize(
    "index",
    [np.s_[::-1], np.s_[:, 0], np.s_[None], np.s_[...], np.s_[::1, :], np.s_[:, ::-1, None]],
)
@pytest.mark.parametrize("mapped", [False, True])
def test_indices_that_take_all_elements(index, mapped):
    x = RNG.normal(size=(SIZE, 4, 1))
    weight = RNG.normal(size=x[0][index].shape)

    def g(x):
        return grad(lambda x: np.sum(x[index] * weight))(x)

    got = vmap(g)(x) if mapped else np.stack([g(y) for y in x])
    want = np.zeros((4, 1))
    want[index] = weight
    np.testing.assert_array_equal(got, [want] * SIZE)


def test_shapes_that_do_not_fit_are_refused():
    # The product of columns and rows must not take the first of several rows.
    with pytest.raises(ValueError, match="matmul"):
        vmap(operator.matmul)(np.ones((SIZE, 2, 1)), np.ones((SIZE, 3, 2)))
    with pytest.raises(ValueError, match=r"matmul|aligned"):
        vmap(operator.matmul, (None, 0))(np.ones((2, 2)), np.ones((SIZE, 3, 1)))


def test_operands_that_are_no_numbers_are_refused():
    for other in (np.array(["a"]), [1.0], np.array([None])):
        with pytest.raises(DtypeError, match="arrays"):
            vmap(lambda x, other=other: x + other)(np.ones((SIZE, 1)))


def test_values_of_a_vmap_that_has_returned_are_refused():
    kept = []
    vmap(lambda x: kept.append(x) or x)(np.ones((SIZE, 2)))
    leaked = kept[0]
    for f in (
        lambda w: w * leaked, lambda w: leaked - w, lambda w: w @ leaked, lambda w: leaked * 2.0,
        lambda w: leaked.T, lambda w: 1.0 / leaked, lambda w: np.tanh(leaked),
    ):  # fmt: skip
        with pytest.raises(EscapedTracerError, match="vmap"):
            grad(lambda w, f=f: np.sum(f(w)))(np.ones(2))
    for f in (np.tanh, np.square, np.negative, lambda x: x * x, lambda x: x.T):
        with pytest.raises(EscapedTracerError, match="vmap"):
            grad(lambda x, f=f: np.sum(f(x)))(leaked)


@pytest.mark.parametrize("through", [np.positive, np.real, np.ravel, lambda x: x, lambda x: 1 * x])
def test_arrays_that_are_changed_meanwhile_were_saved(through):
    X = np.ones((SIZE, 2))

    def f(w, x):
        y = through(x)
        z = np.sum(w * y * y)
        X[:] = 7.0
        return z

    got = vmap(grad(f, argnums=(0, 1)), (None, 0))(np.ones(2), X)
    np.testing.assert_array_equal(got[0], np.ones((SIZE, 2)))
    np.testing.assert_array_equal(got[1], np.full((SIZE, 2), 2.0))
