"""Linear systems by solvers from elsewhere, and JAX's functions for solvers of one's own."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse.linalg as sl

import fgrad
from fgrad.testing import check_grads, check_vmap

A = np.array([[0.3, -0.2, 0.1], [0.0, 0.4, 0.2], [-0.1, 0.1, 0.2]])
B = np.array([0.4, -0.3, 0.8])


def close(got, want):
    np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)


def test_a_solver_of_linear_systems_from_elsewhere():
    def scipys(matvec, b):
        return sl.gmres(sl.LinearOperator((len(b),) * 2, matvec=matvec), b, rtol=1e-12)[0]

    def solved(a, linear_solve=None):
        return fgrad.root(
            lambda z, a: z + A @ np.tanh(z) - a, np.zeros(3), a, linear_solve=linear_solve
        )

    want = fgrad.jacrev(solved)(B)
    close(fgrad.jacrev(lambda a: solved(a, scipys))(B), want)
    close(fgrad.jacfwd(lambda a: solved(a, scipys))(B), want)


def test_a_large_system_takes_no_matrix():
    n = 20_000
    grid = np.linspace(0.0, 1.0, n)

    def F(z, a):
        return z + np.roll(z, 1) / 4 - np.roll(z, -1) / 8 + z**3 - a * grid

    def total(a):
        return np.mean(fgrad.root(F, np.zeros(n), a))

    h = 1e-4
    want = (total(1.5 + h) - total(1.5 - h)) / (2 * h)
    assert fgrad.grad(total)(1.5) == pytest.approx(want, rel=1e-7)


def test_custom_root():
    def newton(f, x):
        for _ in range(30):
            x = x - np.linalg.solve(fgrad.jacobian(f)(x), f(x))
        return x

    def tangent_solve(g, y):
        return np.linalg.solve(fgrad.jacobian(g)(y), y)

    def solved(a, tangent_solve=None):
        return fgrad.custom_root(
            lambda x: x + A @ np.sin(x) - a, np.zeros(3), newton, tangent_solve
        )

    want = np.linalg.inv(np.eye(3) + A * np.cos(solved(B)))
    for solve in (None, tangent_solve):
        close(fgrad.jacrev(lambda a, s=solve: solved(a, s))(B), want)
        close(fgrad.jacfwd(lambda a, s=solve: solved(a, s))(B), want)
    check_grads(lambda a: solved(a, tangent_solve), (B,), order=1)
    check_vmap(solved, (B,), calls=[(-B,)], sizes=(0, 1))


def test_custom_root_of_complex_numbers():
    matrix = A + 1j * A.T + np.eye(3)

    def solved(a):
        return fgrad.custom_root(
            lambda z: matrix @ z - a, np.zeros(3, complex),
            lambda f, z: np.linalg.solve(matrix, -f(np.zeros(3, complex))),
            lambda g, y: np.linalg.solve(fgrad.jacfwd(g, holomorphic=True)(y), y),
        )  # fmt: skip

    a = B + 1j * B[::-1]
    close(fgrad.jacrev(solved, holomorphic=True)(a), np.linalg.inv(matrix))
    close(fgrad.jacfwd(solved, holomorphic=True)(a), np.linalg.inv(matrix))


@pytest.mark.parametrize("kind", ["real", "complex", "symmetric"])
def test_custom_linear_solve(kind):
    m = A + np.eye(3) + (1j * A[::-1] if kind == "complex" else 0.0)
    m = m + m.T if kind == "symmetric" else m

    def solve(matvec, b):
        return np.linalg.solve(solve.matrix, b), np.float64(len(b))

    def turned(vecmat, b):
        np.testing.assert_allclose(vecmat(b), solve.matrix.T @ b)
        return np.linalg.solve(solve.matrix.T, b)

    def solved(a, b):
        solve.matrix = fgrad.core.full_lower(a)
        return fgrad.custom_linear_solve(
            lambda x: a @ x, b, solve, None if kind == "symmetric" else turned,
            symmetric=kind == "symmetric", has_aux=True,
        )[0]  # fmt: skip

    b = B.astype(m.dtype)
    holomorphic = kind == "complex"
    for jacobian in (fgrad.jacrev, fgrad.jacfwd):
        got, want = (
            jacobian(lambda b, f=f: f(m, b), holomorphic=holomorphic)(b)
            for f in (solved, np.linalg.solve)
        )
        close(got, want)
    if kind == "real":
        check_grads(solved, (m, b), order=1)
        hessian = fgrad.hessian(lambda a, f: np.sum(f(a, b) ** 3))
        close(hessian(m, solved), hessian(m, np.linalg.solve))
