"""Solutions obey the laws: differences, unrolled iterations, adjoints, vmap, graphs, nesting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fgrad
from fgrad import tree
from fgrad.testing import check_grads, check_staging, check_vmap

A = np.array([[0.3, -0.2, 0.1], [0.0, 0.4, 0.2], [-0.1, 0.1, 0.2]])
Z0 = {"x": np.zeros(3), "y": 0.0}
B = np.array([0.4, -0.3, 0.8])
METHODS = ["dense", "gmres"]


def step(z, a, b):
    """A contraction of a tree."""
    return {
        "x": np.tanh(A @ z["x"] + a) * (1 + 0.2 * z["y"]),
        "y": 0.3 * np.sin(z["y"]) + 0.1 * b * np.sum(z["x"]) + 1.0,
    }


def residual(z, a, b):
    return tree.map(np.subtract, step(z, a, b), z)


def energy(z, a, b):
    """A convex function of a tree, b > 0."""
    x, y = z["x"], z["y"]
    return np.sum(np.logaddexp(x, -x) - a * x) + b * (np.sum(x) + y) ** 2 + np.cosh(y - a[0])


def iterated(a, b, steps=200):
    z = Z0
    for _ in range(steps):
        z = step(z, a, b)
    return z


def by_fixed_point(a, b, **options):
    return fgrad.fixed_point(step, Z0, a, b, tol=1e-15, **options)


def by_root(a, b, **options):
    return fgrad.root(residual, Z0, a, b, tol=1e-14, **options)


def by_argmin(a, b, **options):
    return fgrad.argmin(energy, Z0, a, b, tol=1e-14, **options)


def by_implicit(a, b, **options):
    return fgrad.implicit(residual, iterated, **options)(a, b)


SOLVERS = [by_fixed_point, by_root, by_argmin, by_implicit]


def close(got, want, rtol=1e-9):
    for x, y in zip(tree.leaves(got), tree.leaves(want), strict=True):
        np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-12)


def differs(f, x, h=1e-4):
    """The derivative of f, in both modes, is its difference."""
    want = pytest.approx((f(x + h) - f(x - h)) / (2 * h), rel=1e-6)
    assert fgrad.grad(f)(x) == want
    assert fgrad.jvp(f, (x,), (1.0,))[1] == want


# ------------------------------------------------------------------ derivatives
@pytest.mark.parametrize("linear_solve", METHODS)
@pytest.mark.parametrize("solve", SOLVERS)
def test_all_derivatives_of_two_orders_are_differences_and_adjoint(solve, linear_solve):
    order = 2 if linear_solve == "gmres" or solve is by_root else 1
    check_grads(lambda a, b: solve(a, b, linear_solve=linear_solve), (B / 2, 0.6), order)


def test_third_derivatives():
    def f(a):
        return fgrad.root(lambda z, a: z**3 - a, 1.0, a, linear_solve="gmres")

    third = fgrad.grad(fgrad.grad(fgrad.grad(f)))(2.0)
    assert third == pytest.approx(10 / 27 * 2.0 ** (-8 / 3), rel=1e-10)


@pytest.mark.parametrize("linear_solve", METHODS)
@pytest.mark.parametrize("solve", [by_fixed_point, by_root, by_implicit])
def test_they_are_those_of_the_unrolled_iteration(solve, linear_solve):
    def loss(z):
        return np.sum(np.sin(z["x"])) + z["y"] ** 2

    want = fgrad.grad(lambda a, b: loss(iterated(a, b)), (0, 1))(B, 0.6)
    got = fgrad.grad(lambda a, b: loss(solve(a, b, linear_solve=linear_solve)), (0, 1))(B, 0.6)
    close(got, want)


@settings(max_examples=12)
@given(
    st.integers(1, 6), st.integers(0, 99), st.sampled_from([*METHODS, None]),
    st.sampled_from(["reverse", "forward"]),
)  # fmt: skip
def test_linear_systems_of_any_size_are_those_of_numpy(n, seed, linear_solve, mode):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, n)) + 3 * np.sqrt(n) * np.eye(n), rng.normal(size=n)
    solve = fgrad.implicit(lambda x, a, b: a @ x - b, np.linalg.solve, linear_solve=linear_solve)
    jacobian = fgrad.jacrev if mode == "reverse" else fgrad.jacfwd
    got, want = (jacobian(f, (0, 1))(a, b) for f in (solve, np.linalg.solve))
    close(got, want)


def leaf(shape, dtype, seed):
    parts = np.random.default_rng(seed).normal(size=(2, *shape))
    return np.asarray(parts[0] + 1j * parts[1] if dtype.startswith("c") else parts[0], dtype)


LEAVES = st.builds(
    leaf,
    st.sampled_from([(), (1,), (3,), (2, 2), (0,)]),
    st.sampled_from(["float32", "float64", "complex64", "complex128", "float16"]),
    st.integers(0, 99),
)
TREES = st.recursive(
    LEAVES, lambda t: st.lists(t, min_size=1, max_size=3) | st.fixed_dictionaries({"a": t, "b": t})
)


@settings(max_examples=12)
@given(TREES, st.sampled_from(METHODS))
def test_trees_of_all_shapes_and_dtypes_keep_what_they_are(a, linear_solve):
    def half(a):  # of z = (z + 2 a) / 5
        return fgrad.root(
            lambda z, a: tree.map(lambda x, y: 4 * x - 2 * y, z, a), tree.map(np.zeros_like, a), a,
            linear_solve=linear_solve,
        )  # fmt: skip

    value, tangent = fgrad.jvp(half, (a,), (a,))
    (cotangent,) = fgrad.vjp(half, a)[1](a)
    for got in (value, tangent, cotangent):
        assert tree.structure(got) == tree.structure(a)
        for x, y in zip(tree.leaves(got), tree.leaves(a), strict=True):
            assert (x.shape, x.dtype) == (y.shape, y.dtype)
            np.testing.assert_allclose(x, y / 2, rtol=16 * np.finfo(y.dtype).eps)


def test_the_derivative_in_a_first_guess_is_zero():
    assert fgrad.grad(lambda z0: fgrad.root(lambda z: z**2 - 4.0, z0))(1.0) == 0.0
    assert fgrad.grad(lambda z0: fgrad.fixed_point(np.cos, z0))(1.0) == 0.0
    np.testing.assert_array_equal(
        fgrad.vmap(lambda z0: fgrad.root(lambda z: z**2 - 4.0, z0))(np.array([1.0, -1.0])),
        [2.0, -2.0],
    )


def test_complex_unknowns_are_two_real_ones():
    def modulus(a):  # of no holomorphic equation: |z|^2 = a, and the argument of z is a
        return fgrad.root(
            lambda z: (np.abs(z) ** 2 - a) + 1j * (np.angle(z) - a), 1.0 + 1.0j
        )  # fmt: skip

    np.testing.assert_allclose(modulus(1.2), np.sqrt(1.2) * np.exp(1.2j))
    check_grads(modulus, (1.2,), order=1)
    root = fgrad.grad(lambda a: fgrad.root(lambda z: z * z - a, 1.0 + 1.0j), holomorphic=True)
    np.testing.assert_allclose(root(2.0j), 1 / (2 + 2j))


# ------------------------------------------------------------------ vmap, graphs, closures
@pytest.mark.parametrize("solve", SOLVERS)
def test_vmap_is_the_stack_and_graphs_hold_for_other_data(solve):
    check_vmap(solve, (B, 0.6), calls=[(B + 0.1, 0.3), (-B, 0.5)], sizes=(0, 2))
    check_staging(solve, (B, 0.6), calls=[(B[::-1].copy(), 0.4)])


@pytest.mark.parametrize("linear_solve", METHODS)
def test_derivatives_are_mapped(linear_solve):
    def loss(a, b):
        return np.sum(by_fixed_point(a, b, linear_solve=linear_solve)["x"] ** 2)

    a = np.stack([B, -B, 0.1 * B])
    want = np.stack([fgrad.grad(loss)(row, 0.6) for row in a])
    close(fgrad.vmap(fgrad.grad(loss), (0, None))(a, 0.6), want)
    close(fgrad.grad(lambda a: np.sum(fgrad.vmap(loss, (0, None))(a, 0.6)))(a), want)
    close(fgrad.make_graph(fgrad.grad(loss))(B, 0.6)(-B, 0.6), want[1])


@pytest.mark.parametrize("transform", [fgrad.grad, fgrad.jacfwd])
def test_closures_over_traced_values_count(transform):
    def of_closure(a):
        return np.sum(fgrad.fixed_point(lambda z: step(z, a, 0.6), Z0)["x"])

    def minimum(a):
        return fgrad.argmin(lambda z: (z - a) ** 2 + np.cosh(z), 0.0)

    def given(a):
        return fgrad.implicit(lambda z, y: z**2 - a - 0 * y, np.sqrt)(fgrad.stop_gradient(a))

    want = transform(lambda a: np.sum(by_fixed_point(a, 0.6)["x"]))(B)
    close(transform(of_closure)(B), want)
    z = minimum(1.3)
    assert transform(minimum)(1.3) == pytest.approx(2 / (2 + np.cosh(z)))
    assert transform(given)(4.0) == pytest.approx(0.25)
    assert fgrad.make_graph(minimum)(0.3)(1.3) == pytest.approx(z)


def test_keywords_and_what_is_no_array():
    def solver(a, *, kind, power):
        return {"square": np.sqrt, "cube": np.cbrt}[kind](a) ** power

    def F(z, a, *, kind, power):
        return z ** (2 if kind == "square" else 3) - a**power

    root = fgrad.implicit(F)(solver)
    slope = fgrad.grad(root, 0, argnames="power")(4.0, kind="square", power=1.0)
    assert slope[0] == pytest.approx(0.25)
    assert slope[1] == pytest.approx(np.log(2.0) * 2.0)
    assert fgrad.grad(lambda a: root(a, kind="cube", power=1.0))(8.0) == pytest.approx(1 / 12)


def test_the_solver_gets_plain_values_and_runs_once():
    seen = []

    @fgrad.implicit(lambda z, a: z**2 - a, has_aux=True)
    def root(a):
        seen.append(a)
        return np.sqrt(a), {"calls": len(seen), "a": a}

    value, aux = fgrad.grad(root, has_aux=True)(4.0)
    assert (value, aux, seen) == (0.25, {"calls": 1, "a": 4.0}, [4.0])
    roots, aux = fgrad.vmap(root)(np.array([4.0, 9.0]))
    np.testing.assert_array_equal(roots, [2.0, 3.0])
    np.testing.assert_array_equal(aux["a"], [4.0, 9.0])
    assert not any(isinstance(a, fgrad.core.Tracer) for a in seen)


def test_nothing_shares_memory_with_arguments():
    same = fgrad.implicit(lambda z, a: z - a, lambda a: a, has_aux=False)
    a = np.ones(3)
    value, _ = fgrad.vjp(same, a)
    assert not np.may_share_memory(value, a)
    z0 = np.ones(3)
    assert not np.may_share_memory(fgrad.fixed_point(lambda z: z, z0), z0)


# ------------------------------------------------------------------ dtypes
@pytest.mark.parametrize("linear_solve", METHODS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept(dtype, linear_solve):
    a = B.astype(dtype)
    one = np.dtype(dtype).type(1)

    def fixed(a):
        return fgrad.fixed_point(
            lambda z, a: np.cos(z) * one / 2 + a, np.zeros(3, dtype), a, linear_solve=linear_solve
        )

    def zero(a):
        return fgrad.root(lambda z, a: z + np.sin(z) / 2 - a, a, a, linear_solve=linear_solve)

    def least(a):
        return fgrad.argmin(lambda z, a: np.sum(np.cosh(z) - a * z), 0 * a, a)

    for f in (fixed, zero, least):
        value, pullback = fgrad.vjp(f, a)
        exact, exactly = fgrad.vjp(f, B) if dtype == "float64" else (None, None)
        (ct,) = pullback(np.ones(3, dtype))
        assert (value.dtype, ct.dtype) == (dtype, dtype)
        assert fgrad.jvp(f, (a,), (a,))[1].dtype == dtype
        if dtype == "float64":
            wide = value, ct
            np.testing.assert_allclose(exact, wide[0])
            np.testing.assert_allclose(exactly(np.ones(3))[0], wide[1])


def test_single_precision_is_near_to_double():
    def f(a):
        return fgrad.root(lambda z, a: z + np.sin(z) / 2 - a, 0 * a, a)

    close(f(np.float32(B)), f(B), 1e-6)
    close(fgrad.jacrev(f)(np.float32(B)), fgrad.jacrev(f)(B), 1e-5)


def test_a_python_number_takes_the_dtype_of_the_result():
    z = fgrad.root(lambda z, a: a * z - 1, 1.0, np.float32(2))
    assert (type(z), z) == (np.float32, 0.5)
    assert type(fgrad.root(lambda z: 2.0 * z - 1, 1)) is float
    mixed = fgrad.root(
        lambda z: {"s": z["s"] - 1, "d": z["d"] * 2 - 1},
        {"s": np.zeros(2, np.float32), "d": np.zeros(())},
    )
    assert (mixed["s"].dtype, mixed["d"].dtype) == (np.float32, np.float64)


# ------------------------------------------------------------------ nesting
def test_a_fixed_point_inside_a_root():
    def inner(x):
        return fgrad.fixed_point(lambda z, x: np.cos(z) / 2 + x, 0.0, x, tol=1e-15)

    def outer(a, how="newton"):
        return fgrad.root(
            lambda x, a: inner(x) + x**3 - a, 0.5, a, method=how, linear_solve="gmres"
        )

    a = 2.0
    x = outer(a)
    assert outer(a, "newton_krylov") == pytest.approx(x, rel=1e-12)
    slope = 1 / (fgrad.grad(inner)(x) + 3 * x**2)
    assert fgrad.grad(outer)(a) == pytest.approx(slope, rel=1e-10)
    differs(outer, a)
    differs(fgrad.grad(outer), a)


@pytest.mark.parametrize("linear_solve", ["dense", "cg"])
def test_a_minimum_inside_a_minimum(linear_solve):
    def inner(x):
        return fgrad.argmin(
            lambda y, x: np.sum((y - x) ** 2) / 2 + np.sum(y**4) / 4, np.zeros(1), x,
            linear_solve=linear_solve,
        )  # fmt: skip

    def outer(a):
        return fgrad.argmin(
            lambda x, a: np.sum(inner(x) ** 2) - a @ x + np.sum(x * x) / 2, np.zeros(1), a,
            linear_solve=linear_solve,
        )  # fmt: skip

    differs(lambda a: outer(np.stack([a]))[0], 0.3)
