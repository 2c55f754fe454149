"""What looks at values, and what makes arrays of nothing: checks, sparse matrices, no steps."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import errors, random, sparse, tree
from fgrad.scipy import optimize
from fgrad.testing import (
    CheckError,
    check_dtypes,
    check_grads,
    check_staging,
    check_vmap,
    taylor,
)

from . import laws
from .array import ndarray
from .traffic import counted

X = np.random.default_rng(0).normal(size=(4, 3))


# ------------------------------------------------------------------ checks of derivatives
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_derivatives_are_checked(cupy, dtype):
    x = cupy.asarray(X.astype(dtype))
    check_grads(lambda x: np.sum(np.tanh(x) ** 2), (x,), order=2)
    check_grads(lambda p: {"y": np.sin(p["a"]) @ p["b"]}, ({"a": x, "b": x.T.copy()},), order=1)


def test_what_is_wrong_is_found_in_its_place(cupy):
    @fgrad.custom_jvp
    def wrong(x):
        return np.sin(x)

    wrong.defjvp(lambda primals, ts: (np.sin(primals[0]), -np.cos(primals[0]) * ts[0]))
    with pytest.raises(CheckError, match=r"(?s)is wrong in args\[0\]"):
        check_grads(wrong, (cupy.asarray(X),), order=1)
    assert str(taylor(np.abs, (cupy.zeros(2),)).verdict) == str(
        taylor(np.abs, (np.zeros(2),)).verdict
    )


def test_transformations_are_checked(cupy):
    x = cupy.asarray(X)
    check_vmap(lambda x, y: np.sin(x) * y, (x, x))
    check_staging(lambda x: np.sum(np.sin(x)), (x,))
    check_dtypes(np.sin, (x,))


# ------------------------------------------------------------------ sparse matrices
@pytest.mark.parametrize("name", ["jacobian", "value_and_jacobian", "sparsity"])
def test_sparse_jacobians_are_the_hosts(cupy, name):
    a, i = np.diag([1.0, 2.0, 3.0]), np.array([2, 0, 1])

    def function(a, i):
        return lambda x: np.sin(a @ x) * 2 + x[i] + np.cumsum(x) + np.linalg.solve(a, x)

    want = getattr(sparse, name)(function(a, i))(X[0])
    got = getattr(sparse, name)(function(cupy.asarray(a), cupy.asarray(i)))(cupy.asarray(X[0]))
    close_to(got, want)


@pytest.mark.parametrize("name", ["hessian", "value_and_hessian", "value_grad_hessian"])
def test_sparse_hessians_are_the_hosts(cupy, name):
    f = lambda x: np.sum(np.sort(x) ** 2 * np.sin(x[::-1]))  # noqa: E731
    close_to(getattr(sparse, name)(f)(cupy.asarray(X[0])), getattr(sparse, name)(f)(X[0]))


def close_to(got, want):
    for a, b in zip(tree.leaves(got), tree.leaves(want), strict=True):
        if hasattr(b, "toarray"):
            a, b = a.toarray(), b.toarray()
        np.testing.assert_allclose(getattr(a, "_a", a), b, rtol=1e-12, atol=1e-15)


# ------------------------------------------------------------------ solvers
A = np.array([1.0, 8.0, 27.0])


def cube_root(a):
    return fgrad.root(lambda z, a: z**3 - a, np.ones_like(a), a)


def system(a):
    def left(z):
        return {"x": z["x"] ** 3 - a, "y": [z["y"][0] - np.sum(z["x"])]}

    return fgrad.root(left, {"x": np.ones_like(a), "y": [np.sum(a)]})["y"][0]


SOLVED = {
    "root": cube_root,
    "its gradient": fgrad.grad(lambda a: np.sum(cube_root(a) ** 2)),
    "its tangent": lambda a: fgrad.jvp(cube_root, (a,), (a,)),
    "its second derivative": fgrad.hessian(lambda a: np.sum(cube_root(a) ** 2)),
    "mapped": fgrad.vmap(cube_root),
    "compiled": lambda a: fgrad.jit(fgrad.grad(lambda a: np.sum(cube_root(a) ** 2)))(a),
    "of a tree": fgrad.grad(system),
    "of complex numbers": lambda a: fgrad.root(lambda z: z**2 + a, np.ones_like(a) * (1 + 1j)),
    "in single precision": lambda a: cube_root(a.astype(np.float32)),
    "fixed_point": fgrad.grad(
        lambda a: np.sum(fgrad.fixed_point(lambda z: np.cos(z) * a / 30, np.ones_like(a)))
    ),
    "argmin": fgrad.grad(
        lambda a: np.sum(fgrad.argmin(lambda z: np.sum((z - a) ** 2 + z**4 / 100), a) ** 3)
    ),
    "implicit": fgrad.grad(
        lambda a: np.sum(fgrad.implicit(lambda z, a: z**3 - a, lambda a: np.cbrt(a))(a))
    ),
    "custom_linear_solve": fgrad.grad(
        lambda b: np.sum(
            fgrad.custom_linear_solve(lambda v: 2 * v, b, lambda mv, b: b / 2, symmetric=True) ** 2
        )
    ),
}


@pytest.mark.parametrize("name", SOLVED)
def test_solutions_are_the_hosts(cupy, name):
    got = SOLVED[name](cupy.asarray(A))
    assert all(isinstance(y, ndarray) for y in tree.leaves(got))
    laws.close(laws.back(got), SOLVED[name](A), name, 1e-6)


def test_what_a_solver_tells_besides_stays_there(cupy):
    solve = fgrad.implicit(
        lambda z, a: z**3 - a, lambda a: (np.cbrt(a), {"of": a * 2}), has_aux=True
    )
    (_, aux), gradient = fgrad.value_and_grad(
        lambda a: (lambda z, aux: (np.sum(z), aux))(*solve(a)), has_aux=True
    )(cupy.asarray(A))
    np.testing.assert_array_equal(aux["of"]._a, 2 * A)
    np.testing.assert_allclose(gradient._a, np.cbrt(A) / (3 * A))


# ------------------------------------------------------------------ arrays made from nothing
def total(x):
    return np.sum(x)


MADE = {
    "a loop from a number": lambda x: fgrad.scan(lambda c, v: (c + total(v), c), 0.0, x),
    "its gradient": fgrad.grad(
        lambda x: total(fgrad.scan(lambda c, v: (c + total(v) ** 2, c), 0.0, x)[1])
    ),
    "mapped": fgrad.vmap(lambda x: fgrad.scan(lambda c, v: (c + v, c), 0.0, x)),
    "no steps": lambda x: fgrad.scan(lambda c, v: (c + total(v), v * 2), total(x), x[:0]),
    "no steps of a recorded loop": lambda x: fgrad.make_graph(
        lambda x: fgrad.scan(lambda c, v: (c + total(v), v * 2), total(x), x)
    )(x[:0])(x[:0]),
    "no elements": lambda x: fgrad.vmap(lambda v: fgrad.scan(lambda c, w: (c + w, w), v[0], v))(
        x[:0]
    ),
    "no elements of a branch": lambda x: fgrad.vmap(
        lambda v: fgrad.cond(v[0] > 0, np.sin, np.cos, v)
    )(x[:0]),
    "checkpoints": fgrad.grad(
        lambda x: total(
            fgrad.scan(
                lambda c, v: ((np.sin(c[0] + v), c[1] + v), c[0]), (x[0], x[1]), x,
                checkpoint_every=2,
            )[0][0]
        )
    ),
    "jacobian": fgrad.jacobian(np.sin),
    "jacobian in parts": fgrad.jacfwd(np.sin, chunk_size=5),
    "all_gather": fgrad.vmap(lambda v: fgrad.all_gather(v, "i"), axis_name="i"),
    "axis_index": fgrad.vmap(lambda v: v * fgrad.axis_index("i"), axis_name="i"),
    "ravel": lambda x: tree.ravel({"a": x, "b": 2.0})[0],
}  # fmt: skip


@pytest.mark.parametrize("name", MADE)
def test_what_is_made_is_made_there(cupy, name):
    want = MADE[name](X)
    with counted() as traffic:
        got = MADE[name](cupy.asarray(X))
    assert all(isinstance(y, ndarray) for y in tree.leaves(got))
    assert traffic.to_device == 1  # the argument
    laws.close(laws.back(got), want, name)


def test_a_loop_of_no_steps_keeps_nothing(cupy):
    def f(x):
        return total(fgrad.while_loop(lambda c: total(c) > 1e9, lambda c: c * 2, x))

    there = cupy.asarray(X)
    got = fgrad.grad(fgrad.make_graph(f)(there))(there)
    np.testing.assert_array_equal(got._a, np.ones_like(X))


# ------------------------------------------------------------------ what is the host's
@pytest.mark.parametrize(
    "draw",
    [
        lambda key, x: random.categorical(key, x), lambda key, x: random.gamma(key, x),
        lambda key, x: random.bernoulli(key, x),
    ],
)  # fmt: skip
def test_parameters_of_random_numbers_are_the_hosts(cupy, draw):
    with pytest.raises(errors.NoRuleError) as info:
        draw(random.key(0), cupy.asarray(np.abs(X)))
    first, second, third = str(info.value).split("\n")
    assert first.endswith("wants its parameters on the host, where random numbers are drawn.")
    assert second == "  It got: a float64 ndarray of shape (4, 3), of CuPy's"
    assert third.startswith("  To do: move it, fgrad.tree.to_host(x); or move numbers")


SCIPYS = {
    "minimize": lambda x: optimize.minimize(lambda z: np.sum(z**2), x),
    "least_squares": lambda x: optimize.least_squares(np.sin, x),
}


@pytest.mark.parametrize("name", SCIPYS)
def test_scipys_solvers_say_that_they_are_the_hosts(cupy, name):
    with pytest.raises(errors.NoRuleError) as info:
        SCIPYS[name](cupy.asarray(X[0]))
    first, second, third = str(info.value).split("\n")
    assert first == f"{name} computes on the host."
    assert second.endswith("with arrays of CuPy's")
    assert third == (
        "  To do: move it first, fgrad.tree.to_host(x), and the arrays that the functions read"
    )


def test_pictures_show_values(cupy):
    f = lambda x: np.sum(np.sin(x))  # noqa: E731
    there, here = fgrad.draw(f, cupy.asarray(X[0])), fgrad.draw(f, X[0])
    assert there._repr_svg_() == here._repr_svg_()
