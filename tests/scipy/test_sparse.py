"""Iterative solvers of linear systems: operators of all kinds, pytrees, what is refused.

Their laws are rows of the table, in `examples/scipy_solvers.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg as sl

import fgrad
from fgrad.errors import ArgumentError, ConvergenceError, ShapeError, TracerConversionError
from fgrad.scipy.sparse import linalg

SOLVERS = [linalg.cg, linalg.bicgstab, linalg.gmres]
S = np.array([[4.0, 1.0, 0.0], [1.0, 5.0, 2.0], [0.0, 2.0, 6.0]])
N = np.array([[4.0, 1.0, 0.0], [-1.0, 5.0, 2.0], [0.5, 0.0, 6.0]])
B = np.array([1.0, -2.0, 0.5])


@pytest.mark.parametrize("solver", SOLVERS)
def test_plain_systems_are_scipys(solver):
    theirs = getattr(sl, solver.__name__)
    for A in (S, scipy.sparse.csr_array(S), sl.aslinearoperator(S)):
        np.testing.assert_array_equal(solver(A, B)[0], theirs(A, B)[0])
    assert solver(S, list(B), maxiter=1)[1] == theirs(S, B, maxiter=1)[1]
    x, info = solver(lambda x: S @ x, B, rtol=1e-12)
    np.testing.assert_allclose(x, np.linalg.solve(S, B))
    assert info == 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_kind_of_operator(solver):
    matrix = S if solver is linalg.cg else N
    want = np.linalg.inv(matrix)
    kinds = [matrix, scipy.sparse.csr_array(matrix), sl.aslinearoperator(matrix)]
    kinds.append(lambda x: matrix @ x)
    for A in kinds:
        for jac in (fgrad.jacfwd, fgrad.jacrev):
            found = jac(lambda b, A=A: solver(A, b, rtol=1e-13)[0])(B)
            np.testing.assert_allclose(found, want, atol=1e-10)


@pytest.mark.parametrize("solver", SOLVERS)
def test_what_an_operator_closes_over(solver):
    def solution(p, b, via):
        def A(x):
            u, v = x["u"], x["v"]
            return {"u": p["k"] * u + p["w"] * v, "v": p["w"] * np.sum(u) + 9.0 * v}

        start = {"u": np.zeros(2), "v": np.float32(0)}
        return via(A, {"u": b, "v": np.float32(1)}, start, rtol=1e-13)[0]

    def by_solve(p, b):
        k, w = p["k"], p["w"]
        rows = [fgrad.numpy.array([k[0], 0.0, w]), fgrad.numpy.array([0.0, k[1], w]),
                fgrad.numpy.array([w, w, 9.0])]  # fmt: skip
        x = np.linalg.solve(np.stack(rows), np.append(b, 1.0))
        return {"u": x[:2], "v": x[2]}

    p, b = {"k": np.array([4.0, 6.0]), "w": 0.5}, np.array([1.0, 2.0])

    def loss(f):
        return lambda p, b: np.sum(f(p, b)["u"] ** 3)

    def ours(p, b):
        return solution(p, b, solver)

    assert solution(p, b, solver)["v"].dtype == np.float32
    got, want = (fgrad.grad(loss(f), (0, 1))(p, b) for f in (ours, by_solve))
    fgrad.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-8), got, want)
    got, want = (fgrad.hessian(loss(f))(p, b) for f in (ours, by_solve))
    fgrad.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-7), got, want)
    got, want = (fgrad.jacrev(fgrad.grad(loss(f)))(p, b)["w"]["k"] for f in (ours, by_solve))
    np.testing.assert_allclose(got, want, rtol=1e-7)
    many = fgrad.vmap(lambda w: ours({"k": p["k"], "w": w}, b)["u"])(np.array([0.5, 1.0]))
    np.testing.assert_allclose(many[1], by_solve({"k": p["k"], "w": 1.0}, b)["u"])


@pytest.mark.parametrize("solver", SOLVERS)
def test_preconditioners(solver):
    matrix = S if solver is linalg.cg else N
    D = np.diag(1 / np.diag(matrix))
    if solver is not linalg.cg:
        D = D @ np.array([[1.0, 0.2, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    want = np.linalg.inv(matrix)
    kinds = [
        (matrix, D), (matrix, sl.aslinearoperator(D)), (lambda x: matrix @ x, lambda x: D @ x),
        (lambda x: matrix @ x, D),
    ]  # fmt: skip
    for A, M in kinds:
        found = fgrad.jacrev(lambda b, A=A, M=M: solver(A, b, rtol=1e-13, M=M)[0])(B)
        np.testing.assert_allclose(found, want, atol=1e-10)


def test_a_complex_hermitian_system():
    A = np.array([[3.0, 1j], [-1j, 4.0]])
    b = np.array([1.0 + 2j, 0.5])
    got = fgrad.grad(lambda A: np.real(linalg.cg(A, b, rtol=1e-13)[0][0]))(A)
    want = fgrad.grad(lambda A: np.real(np.linalg.solve(A, b)[0]))(A)
    np.testing.assert_allclose(got, want, atol=1e-12)
    flat = linalg.cg(lambda x: A @ x, b, rtol=1e-13)[0]
    np.testing.assert_allclose(flat, np.linalg.solve(A, b), atol=1e-12)


def test_options_reach_scipy():
    seen = []
    options = {"callback": seen.append, "callback_type": "pr_norm", "restart": 2, "maxiter": 50}
    fgrad.grad(lambda b: linalg.gmres(N, b, np.ones(3), **options)[0][0])(B)
    assert seen
    assert linalg.cg(S, B[:, None], rtol=1e-12)[1] == 0
    column = fgrad.jvp(lambda b: linalg.cg(S, b, rtol=1e-12)[0], (B[:, None],), (B[:, None],))[1]
    np.testing.assert_allclose(np.ravel(column), np.linalg.solve(S, B))


def grad_of(f, at=B):
    return lambda: fgrad.grad(f)(at)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (grad_of(lambda b: linalg.cg(S, b, maxiter=1, rtol=1e-12)[0][0]), ConvergenceError,
         "iterations were too few"),
        (grad_of(lambda b: linalg.cg(S, np.stack([b, b]))[0][0]), ShapeError, "b as a vector"),
        (grad_of(lambda M: linalg.cg(S, B, M=M)[0][0], S), ArgumentError, "a plain M"),
        (grad_of(lambda A: linalg.cg(A, B)[0][0]), ArgumentError, "A as a matrix"),
        (lambda: linalg.cg(lambda x: x[:2], B), ShapeError, "as many numbers as b"),
        (grad_of(lambda b: linalg.cg(lambda x: b[0] * x if x[0] > 0 else x, B)[0][0]),
         TracerConversionError, "cg wants a function that doesn't ask for values"),
    ],
)  # fmt: skip
def test_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()
