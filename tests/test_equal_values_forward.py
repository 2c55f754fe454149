"""Forward mode through vectors of equal values: any function that does not depend on the basis."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import grad, jvp, vmap
from fgrad.scipy import linalg

from .test_equal_values import (
    BASES,
    M,
    Q,
    adjoint,
    assembled,
    direction,
    hermitian,
    slope,
    spectral,
)

FUNCTIONS = [np.positive, np.exp, np.sin, lambda w: (w - 1) ** 2, np.ones_like]


@pytest.mark.parametrize("basis", BASES, ids=["eye", "real", "complex"])
@pytest.mark.parametrize(
    "w", [[1, 1, 1, 1], [2, 2, 2, 2], [1, 1, 3, 3], [-1, 2, 2, 5], [0, 0, 0, 1]], ids=str
)
def test_forward_mode_of_v_f_w_vh(basis, w):
    a = np.matmul(basis * np.array(w, float), adjoint(basis))
    a, t = hermitian(a), hermitian(direction((4, 4), basis))
    for f in FUNCTIONS:
        value, got = jvp(spectral(f), (a,), (t,))
        np.testing.assert_allclose(value, spectral(f)(a), atol=1e-12)
        np.testing.assert_allclose(got, slope(spectral(f), a, t), atol=1e-8)
        by_scipy = jvp(lambda x, f=f: _by_scipy(f, x), (a,), (t,))[1]
        np.testing.assert_allclose(by_scipy, got, atol=1e-12)


def _by_scipy(f, x):
    w, v = linalg.eigh(x)
    return (v * f(w)) @ adjoint(v)


@pytest.mark.parametrize("basis", BASES, ids=["eye", "real", "complex"])
@pytest.mark.parametrize("s", [[1, 1, 1, 1], [2, 2, 1, 1], [3, 2, 2, 1], [2, 2, 1, 0]], ids=str)
@pytest.mark.parametrize("shape", [(4, 4), (4, 3), (2, 4)], ids=str)
def test_forward_mode_of_u_f_s_vh(basis, s, shape):
    k = min(shape)
    u, _, vh = np.linalg.svd(direction(shape, basis, 3), full_matrices=False)
    a, t = np.matmul(u * np.array(s[:k], float), vh), direction(shape, basis)
    odd = [np.positive, np.sin] if 0 in s[:k] else FUNCTIONS  # f(s) of the others has a kink
    for f in odd:
        for full in (False, True):
            value, got = jvp(assembled(f, full), (a,), (t,))
            np.testing.assert_allclose(value, assembled(f)(a), atol=1e-12)
            np.testing.assert_allclose(got, slope(assembled(f), a, t), atol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.complex64])
def test_forward_mode_in_single_precision(dtype):
    a = np.diag([2.0, 2.0, 1.0, 2.0]).astype(dtype)
    t = hermitian(direction((4, 4), a)).astype(dtype)
    for f in (spectral, assembled):
        got = jvp(f(np.exp), (a,), (t,))[1]
        wide = np.result_type(dtype, np.float64)
        want = jvp(f(np.exp), (a.astype(wide),), (t.astype(wide),))[1]
        assert got.dtype == dtype
        np.testing.assert_allclose(got, want, atol=3e-5)


STACK = np.stack([np.eye(3), np.diag([1.0, 2.0, 4.0]) + 0.1, np.diag([3.0, 1.0, 3.0])])


@pytest.mark.parametrize("f", [spectral(np.exp), assembled(np.exp)], ids=["eigh", "svd"])
def test_batches_graphs_and_jacobians(f):
    t = hermitian(direction((3, 3, 3), STACK))
    push = lambda x, u: jvp(f, (x,), (u,))[1]  # noqa: E731
    want = np.stack([push(x, u) for x, u in zip(STACK, t, strict=True)])
    np.testing.assert_allclose(vmap(push)(STACK, t), want, atol=1e-12)
    np.testing.assert_allclose(jvp(f, (STACK,), (t,))[1], want, atol=1e-12)
    graph = fgrad.make_graph(push)(STACK[1], t[1])
    for x, u, y in zip(STACK, t, want, strict=True):
        np.testing.assert_allclose(graph(x, u), y, atol=1e-12)
        value, jacobian = fgrad.value_and_jacfwd(f)(x)
        np.testing.assert_allclose(value, f(x), atol=1e-12)
        np.testing.assert_allclose(np.tensordot(jacobian, u, 2), y, atol=1e-12)
        value, derivative = fgrad.linearize(f, x)
        np.testing.assert_array_equal(value, f(x))
        np.testing.assert_allclose(derivative(u), y, atol=1e-12)
    # One direction of many matrices, many directions of one.
    np.testing.assert_allclose(vmap(push, (0, None))(STACK, t[0])[0], want[0], atol=1e-12)
    np.testing.assert_allclose(vmap(push, (None, 0))(STACK[0], t)[0], want[0], atol=1e-12)
    sum_ = lambda x: np.sum(f(x) ** 2)  # noqa: E731
    one_by_one = np.stack([grad(sum_)(x) for x in STACK])
    np.testing.assert_allclose(vmap(grad(sum_))(STACK), one_by_one, atol=1e-12)


@pytest.mark.parametrize("f", [np.linalg.eigh, np.linalg.svd])
def test_values_and_vectors_that_differ_keep_their_bits(f):
    plain = f(STACK[1])
    for value in (jvp(f, (STACK,), (STACK,))[0], fgrad.vjp(f, STACK)[0]):
        for y, z in zip(value, plain, strict=True):
            np.testing.assert_array_equal(y[1], z)
    for value in (jvp(f, (STACK[1],), (M,))[0], fgrad.vjp(f, STACK[1])[0]):
        for y, z in zip(value, plain, strict=True):
            np.testing.assert_array_equal(y, z)


def ends(y, v):
    """Vectors with the order and the signs of v."""
    y = np.take(y, np.argmax(np.abs(adjoint(v) @ y), axis=1), axis=1)
    return y * np.sign(np.sum(y * v, axis=0))


@pytest.mark.parametrize("shape", [None, (4, 4), (4, 3), (3, 4)], ids=str)
def test_vectors_move_along_a_line_as_they_do(shape):
    """A function that does depend on the basis gets the derivative along the line."""
    if shape is None:
        a, t = (Q * np.array([1.0, 1.0, 1.0, 4.0])) @ Q.T, hermitian(direction((4, 4), Q))
        vectors = lambda x: np.linalg.eigh(x)[1]  # noqa: E731
    else:
        u, _, vh = np.linalg.svd(direction(shape, Q, 3), full_matrices=False)
        a, t = (u * np.array([3.0, 1.0, 1.0, 1.0])[: min(shape)]) @ vh, direction(shape, Q)

        def vectors(x):
            u, _, vh = np.linalg.svd(x, full_matrices=False)
            return np.concatenate([u, vh.T])

    v, got = jvp(vectors, (a,), (t,))
    h = 1e-4
    one, two, three, four = (ends(vectors(a + i * h * t), v) for i in range(1, 5))
    want = (-25 * v / 12 + 4 * one - 3 * two + 4 * three / 3 - four / 4) / h
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("basis", BASES[1:], ids=["real", "complex"])
@pytest.mark.parametrize("shape", [(4, 4), (4, 3), (2, 4)], ids=str)
def test_several_singular_values_of_0(basis, shape):
    k = min(shape)
    u, _, vh = np.linalg.svd(direction(shape, basis, 3), full_matrices=False)
    a, t = np.matmul(u * np.array([2.0, 0, 0, 0])[:k], vh), direction(shape, basis)
    assert np.isnan(jvp(assembled(np.positive), (a,), (t,))[1]).any()
    # The kink of the values themselves has the slope 0 in both modes.
    values = lambda x: np.sum(np.linalg.svd(x)[1])  # noqa: E731
    want = np.sum(np.real(grad(values)(a) * t))
    np.testing.assert_allclose(jvp(values, (a,), (t,))[1], want, atol=1e-12)


@pytest.mark.parametrize("basis", BASES, ids=["eye", "real", "complex"])
def test_one_singular_value_of_0_in_both_modes(basis):
    a, t = np.matmul(basis * np.array([3.0, 2, 2, 0]), Q), direction((4, 4), basis)
    got = jvp(assembled(np.positive), (a,), (t,))[1]
    np.testing.assert_allclose(got, t, atol=1e-12)
    if not np.iscomplexobj(basis):
        total = lambda x: np.sum(t * assembled(np.positive)(x))  # noqa: E731
        np.testing.assert_allclose(grad(total)(a), t, atol=1e-12)
