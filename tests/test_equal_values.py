"""Functions of decompositions where values are equal or 0: their derivative, or NaN; never else."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fgrad
from fgrad import grad, jacfwd, jvp
from fgrad.ops.equal import once
from fgrad.scipy import linalg

RNG = np.random.default_rng(0)
Q = np.linalg.qr(RNG.normal(size=(4, 4)))[0]
UNITARY = np.linalg.qr(RNG.normal(size=(4, 4)) + 1j * RNG.normal(size=(4, 4)))[0]
BASES = [np.eye(4), Q, UNITARY]
M = np.random.default_rng(5).normal(size=(3, 3))


def adjoint(x):
    return np.conj(np.swapaxes(x, -1, -2))


def weights(shape, like):
    m = np.random.default_rng(1).normal(size=shape)
    return m + 1j * m[::-1] if np.iscomplexobj(like) else m


def weighed(m, x):
    """A real function of x with the gradient m (conjugated)."""
    return np.sum(np.real(np.conj(m) * x))


def slope(f, a, t, h=1e-4):
    """df/dt by differences of fourth order."""
    return (8 * (f(a + h * t) - f(a - h * t)) - (f(a + 2 * h * t) - f(a - 2 * h * t))) / (12 * h)


def direction(shape, like, seed=2):
    rng = np.random.default_rng(seed)
    t = rng.normal(size=shape)
    return t + 1j * rng.normal(size=shape) if np.iscomplexobj(like) else t


def hermitian(x):
    return (x + adjoint(x)) / 2


def spectral(f):
    def function(a):
        w, v = np.linalg.eigh(a)
        return np.matmul(v * np.expand_dims(f(w), -2), adjoint(v))

    return function


def assembled(f, full=False):
    def function(a):
        u, s, vh = np.linalg.svd(a, full_matrices=full)
        k = s.shape[-1]
        return np.matmul(u[..., :, :k] * np.expand_dims(f(s), -2), vh[..., :k, :])

    return function


@pytest.mark.parametrize("basis", BASES, ids=["eye", "real", "complex"])
@pytest.mark.parametrize("w", [[2, 2, 2, 2], [1, 1, 3, 3], [-1, 2, 2, 5], [0, 1, 1, 2]], ids=str)
def test_of_v_w_vh(basis, w):
    a = np.matmul(basis * np.array(w, float), adjoint(basis))
    m = weights((4, 4), a)
    got = grad(lambda x: weighed(m, spectral(lambda w: w)(x)))(a)
    np.testing.assert_allclose(got, np.conj(m + adjoint(m)) / 2, atol=1e-12)


@pytest.mark.parametrize("basis", BASES, ids=["eye", "real", "complex"])
@pytest.mark.parametrize("f", [np.exp, np.log, lambda w: w * w], ids=["exp", "log", "square"])
@pytest.mark.parametrize("w", [[2, 2, 2, 2], [1, 1, 3, 3]], ids=str)
def test_what_reverse_mode_cannot_tell_is_nan(basis, f, w):
    a = np.matmul(basis * np.array(w, float), adjoint(basis))
    m = weights((4, 4), a)
    assert np.isnan(grad(lambda x: weighed(m, spectral(f)(x)))(a)).any()
    # The functions of matrices can.
    if f is np.exp:
        assert np.isfinite(grad(lambda x: weighed(m, linalg.expm(x)))(a)).all()


def test_of_values_alone_and_of_vectors_alone():
    a = (Q * np.array([1.0, 1.0, 4.0, 7.0])) @ Q.T
    t = (Q + Q.T) / 3
    m = weights((4, 4), a)

    def top(x):
        w, v = np.linalg.eigh(x)
        return w[-1] ** 2 * np.sum(m * v[:, -1:] * v[:, -1])

    def space(x):
        v = np.linalg.eigh(x).eigenvectors[:, :2]
        return np.sum(m * (v @ v.T))

    for f in (top, space, lambda x: np.sum(np.exp(np.linalg.eigh(x)[0]))):
        h = 1e-5
        want = (f(a + h * t) - f(a - h * t)) / (2 * h)
        np.testing.assert_allclose(np.sum(grad(f)(a) * t), want, rtol=1e-7)


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)], ids=str)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("equal", [True, False])
def test_of_u_s_vh(shape, full, equal):
    for basis in BASES:
        k = min(shape)
        s = np.full(k, 2.0) if equal else np.arange(2.0, k + 2)
        a = np.matmul(basis[: shape[0], :k] * s, adjoint(basis)[:k, : shape[1]])
        u, _, vh = np.linalg.svd(a, full_matrices=False)
        a = np.matmul(u * s, vh)
        m = weights(shape, a)
        got = grad(lambda x, m=m: weighed(m, assembled(np.positive, full)(x)))(a)
        np.testing.assert_allclose(got, np.conj(m), atol=1e-12)
        if equal:
            assert np.isnan(grad(lambda x, m=m: weighed(m, assembled(np.exp)(x)))(a)).any()


@pytest.mark.parametrize("shape", [(3, 3), (4, 2), (2, 4)], ids=str)
def test_where_singular_values_are_0(shape):
    a = np.outer(Q[: shape[0], 0], Q[1, : shape[1]])
    m = weights(shape, a)
    assert np.isnan(grad(lambda x: weighed(m, assembled(lambda s: s)(x)))(a)).any()

    def first(x):
        u, s, vh = np.linalg.svd(x)
        return s[0] * np.sum(m * np.outer(u[:, 0], vh[0]))

    def outer_space(x):
        u = np.linalg.svd(x)[0][:, 1:]
        return np.sum(m @ m.T * (u @ u.T))

    for f in (first, outer_space):
        want = (f(a + 1e-5 * m) - f(a - 1e-5 * m)) / 2e-5
        np.testing.assert_allclose(np.sum(grad(f)(a) * m), want, rtol=1e-6)


# ------------------------------------------------------------------ never a wrong number
def in_one_call(f):
    """A function of the values and vectors, by name."""
    return lambda a: f(*np.linalg.eigh(a))


SUSPECTS = {
    "an entry, f = 0": in_one_call(lambda w, v: ((v * np.log(w)) @ v.T)[0, 1]),
    "an entry": in_one_call(lambda w, v: ((v * np.exp(2 * w)) @ v.T)[0, 1]),
    "linear and not": in_one_call(
        lambda w, v: np.sum(M * ((v * w) @ v.T)) + ((v * np.exp(2 * w)) @ v.T)[0, 1]
    ),
    "not, without a trace": in_one_call(
        lambda w, v: ((v * np.exp(2 * w)) @ v.T)[0, 1] + ((v * w) @ v.T)[1, 2]
    ),
    "linear and 1": in_one_call(lambda w, v: np.sum(M * ((v * w) @ v.T)) + (v @ v.T)[0, 1]),
    "linear and values": in_one_call(lambda w, v: np.sum(M * ((v * w) @ v.T)) + np.sum(np.exp(w))),
    "a slope of 0": in_one_call(lambda w, v: np.sum(M * ((v * (w - 1) ** 2) @ v.T))),
    "values": in_one_call(lambda w, v: np.sum(w**3)),
    "values only": lambda a: np.sum(np.linalg.eigvalsh(a) ** 3),
    "singular values": lambda a: np.sum(np.linalg.svdvals(a) ** 3),
    "u s v": lambda a: np.sum(M * assembled(np.positive)(a)),
    "u s s v": lambda a: np.sum(M * assembled(np.square)(a)),
    "polar": lambda a: np.sum(M * assembled(np.ones_like)(a)),
}


def _slopes(f, a):
    units = np.eye(9).reshape(9, 3, 3)
    return np.stack([slope(f, a, hermitian(e)) for e in units]).reshape(3, 3)


def right_or_nan(got, want, atol):
    got = np.where(np.isnan(got), want, got)
    np.testing.assert_allclose(got, want, atol=atol)


@pytest.mark.parametrize("w", [[1, 1, 1], [1, 1, 2]], ids=str)
@pytest.mark.parametrize("f", SUSPECTS.values(), ids=SUSPECTS)
def test_right_or_nan(f, w):
    for basis in (np.eye(3), np.linalg.qr(M)[0]):
        a = (basis * np.array(w, float)) @ basis.T
        want = _slopes(f, a)
        right_or_nan(hermitian(grad(f)(a)), want, 1e-8)
        np.testing.assert_allclose(hermitian(jacfwd(f)(a)), want, atol=1e-8)
        t = hermitian(M)
        want = slope(lambda x: _slopes(f, x), a, t, 1e-2)
        for second in seconds(f, a, t):
            right_or_nan(hermitian(second), want, 2e-4)


def seconds(f, a, t):
    """The derivative in the direction t of the gradient, in all nestings."""
    yield jvp(grad(f), (a,), (t,))[1]
    yield jvp(jacfwd(f), (a,), (t,))[1]
    yield grad(lambda x: jvp(f, (x,), (t,))[1])(a)
    yield grad(lambda x: np.sum(t * grad(f)(x)))(a)


def test_equal_values_share_their_slopes():
    a, t = np.diag([2.0, 2.0, 3.0]), hermitian(M)
    for f in (np.linalg.eigvalsh, lambda x: np.flip(np.linalg.svdvals(x)),
              lambda x: np.flip(np.linalg.svd(x, compute_uv=False)), linalg.eigvalsh):  # fmt: skip
        want = (t[0, 0] + t[1, 1]) / 2
        np.testing.assert_allclose(jvp(f, (a,), (t,))[1], [want, want, t[2, 2]], atol=1e-14)
        got = grad(lambda x, f=f: f(x)[0])(a)
        np.testing.assert_allclose(got, np.diag([0.5, 0.5, 0.0]), atol=1e-14)
        assert np.isnan(fgrad.hessian(lambda x, f=f: np.sum(f(x) ** 2))(a)).any()
    for f in (lambda x: np.linalg.eigh(x)[0][0], lambda x: np.linalg.svd(x)[1][2]):
        np.testing.assert_allclose(grad(f)(a), np.diag([0.5, 0.5, 0.0]), atol=1e-14)


def test_what_moves_with_the_direction_or_the_weights_is_nan():
    """A rule at equal values is not one for the directions and weights beside these."""
    a, t = 2 * np.eye(3), hermitian(M)
    assert np.isnan(grad(lambda u: np.sum(M * jvp(spectral(np.exp), (a,), (u,))[1]))(t)).all()

    def mixed(c):
        weight = lambda x: np.sum(M * spectral(lambda w: w + c * np.exp(w))(x))  # noqa: E731
        return np.sum(t * grad(weight)(a))

    assert np.isnan(grad(mixed)(0.0))


def nestings(f, t, depth):
    """The derivative in the direction t so many times over, each time by either mode."""
    by = {
        "f": lambda h: lambda x: jvp(h, (x,), (t,))[1],
        "r": lambda h: lambda x: np.sum(t * grad(h)(x)),
    }
    for names in itertools.product("fr", repeat=depth):
        h = f
        for name in names:
            h = by[name](h)
        yield "".join(names), h


CUBES = {
    "v f(w) v^H": (spectral(lambda w: w**3), lambda a: a @ a @ a),
    "two of them": (lambda a: spectral(np.square)(a) @ spectral(lambda w: w)(a),
                    lambda a: a @ a @ a),
    "values": (lambda a: np.sum(np.linalg.eigvalsh(a) ** 3) * np.eye(3),
               lambda a: np.trace(a @ a @ a) * np.eye(3)),
    "u f(s) v^H": (assembled(lambda s: s**3), lambda a: a @ a.T @ a),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("name", CUBES)
@pytest.mark.parametrize("a", [2 * np.eye(3), np.diag([2.0, 2.0, 3.0])], ids=["I", "two"])
def test_third_derivatives_are_right_or_nan(name, a):
    """By whichever modes: a derivative that is lost once stays lost."""
    f, g = CUBES[name]
    t = hermitian(M)
    want = next(nestings(lambda x: np.sum(M * g(x)), t, 3))[1](a)
    for modes, h in nestings(lambda x: np.sum(M * f(x)), t, 3):
        got = h(a)
        assert np.isnan(got) or abs(got - want) < 1e-8 * abs(want), (modes, got, want)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_what_holds_here_alone_has_no_derivative_of_any_order(depth):
    for modes, h in nestings(lambda x: np.sum(once(x)[0]), M, depth):
        assert np.isnan(h(np.eye(3))), modes


def test_one_of_many_equal_vectors_is_nan():
    first = lambda x: np.sum(Q[0] * np.linalg.eigh(x)[1][:, 0])  # noqa: E731
    assert np.isnan(grad(first)(2 * np.eye(4))).any()
    assert np.isnan(grad(lambda x: np.sum(np.linalg.eigh(x)[1]))(np.eye(4))).any()


def leibniz(a):
    """The determinant, by its definition."""
    n = a.shape[0]
    out = 0
    for p in itertools.permutations(range(n)):
        sign = np.linalg.det(np.eye(n)[list(p)])
        term = sign
        for i in range(n):
            term = term * a[i, p[i]]
        out = out + term
    return out


SINGULAR = [
    np.zeros((1, 1)), np.zeros((2, 2)), np.zeros((3, 3)), np.ones((3, 3)),
    np.arange(9.0).reshape(3, 3), np.eye(3), np.diag([1.0, 1.0, 0.0]),
    (Q * np.array([3.0, 2.0, 0.0, 0.0])) @ Q.T, np.ones((2, 2)) * (1 + 2j),
]  # fmt: skip


@pytest.mark.parametrize(
    "a", SINGULAR, ids=lambda a: f"rank {np.linalg.matrix_rank(a)} of {len(a)}"
)
def test_determinants_of_any_rank(a):
    flag = {"holomorphic": True} if np.iscomplexobj(a) else {}
    t = weights(a.shape, a)
    for f in (np.linalg.det, linalg.det):
        one, two = grad(f, **flag), grad(leibniz, **flag)
        np.testing.assert_allclose(one(a), two(a), atol=1e-13)
        np.testing.assert_allclose(jvp(one, (a,), (t,))[1], jvp(two, (a,), (t,))[1], atol=1e-12)
        if not flag:
            second = [grad(lambda x, g=g: np.sum(t * g(x)))(a) for g in (one, two)]
            np.testing.assert_allclose(*second, atol=1e-12)


def test_polar_factors_and_functions_of_matrices_with_equal_values():
    a = 2 * np.eye(3)
    m = weights((3, 3), a)
    for f, slope in ((linalg.sqrtm, 0.5 / np.sqrt(2)), (linalg.logm, 0.5), (linalg.expm, np.e**2)):
        np.testing.assert_allclose(grad(lambda x, f=f: np.sum(m * f(x)))(a), slope * m)
    np.testing.assert_allclose(grad(lambda x: np.sum(m * linalg.funm(x, np.sin)))(a), np.cos(2) * m)
    got = grad(lambda x: np.sum(m * linalg.polar(x)[0]))(a)
    np.testing.assert_allclose(got, (m - m.T) / 4, atol=1e-14)


@pytest.mark.parametrize("f", [linalg.logm, lambda x: linalg.fractional_matrix_power(x, 0.5)])
def test_on_the_cut_of_the_logarithm_is_nan(f):
    a = np.diag([-1.0, 2.0])
    assert np.isnan(grad(lambda x: np.sum(np.real(f(x))))(a)).all()


def test_schur_forms_of_equal_eigenvalues_are_nan():
    assert np.isnan(grad(lambda x: np.sum(linalg.schur(x)[0]))(np.eye(3))).any()


@pytest.mark.parametrize("shape", [(4, 2), (3, 1), (5, 3)], ids=str)
def test_columns_that_complete_q_move_as_lapack_moves_them(shape):
    a, t = weights(shape, 1.0), weights(shape[::-1], 1.0).T
    f = lambda x: np.linalg.qr(x, "complete").Q  # noqa: E731
    want = (f(a + 1e-6 * t) - f(a - 1e-6 * t)) / 2e-6
    np.testing.assert_allclose(fgrad.jvp(f, (a,), (t,))[1], want, atol=1e-8)


def test_qr_of_dependent_columns_is_nan():
    for a in (np.ones((2, 2)), np.zeros((3, 2)), np.ones((3, 2))):
        assert np.isnan(grad(lambda x: np.sum(np.linalg.qr(x)[0]))(a)).any()
        assert np.isnan(jvp(np.linalg.qr, (a,), (np.eye(*a.shape),))[1].Q).any()
