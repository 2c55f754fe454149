"""What the solvers of `fgrad.solutions` refuse, and what they say."""

from __future__ import annotations

import numpy as np
import pytest

import fgrad
from fgrad import custom_linear_solve, fixed_point, grad, implicit, root
from fgrad.errors import (
    ArgumentError,
    ConvergenceError,
    DtypeError,
    EscapedTracerError,
    ShapeError,
    TracerConversionError,
    TreeError,
)

TREE = {"w": np.ones(2), "b": 1.0}
M = np.array([[1.0, 2.0], [0.0, 1.0]])


def total(f):
    return lambda a: np.sum(f(a))


def refused(call, error, wanted, came, to_do):
    """The three parts of an error's message hold these texts."""
    with pytest.raises(error) as caught:
        call()
    for part, text in (("wanted", wanted), ("came", came), ("to_do", to_do)):
        assert text in getattr(caught.value, part)


# ------------------------------------------------------------------ no solution
@pytest.mark.parametrize(
    ("call", "name", "came"),
    [
        (lambda: fixed_point(lambda z: 2 * z + 1, 1.0), "fixed_point", "after 1000 steps"),
        (lambda: fixed_point(lambda z: -z, 1.0, max_steps=9), "fixed_point", "a step of 2 after 9"),
        (lambda: fixed_point(lambda z: z * np.inf, 1.0), "fixed_point", "no finite number after 1"),
        (lambda: root(lambda z: z * z + 1, 1.0), "root", "a residual of 1 after"),
        (lambda: root(lambda z: z * z + 1, np.ones(3), method="newton_krylov"), "root", "residual"),
        (lambda: root(lambda z: z * np.nan, 1.0), "root", "no finite number after 0 steps"),
        (lambda: root(np.exp, 1.0), "root", "a residual of"),
        (lambda: fgrad.argmin(lambda z: z, 1.0), "argmin", "a gradient of 1 after 200 steps"),
        (lambda: fgrad.argmin(lambda z: z, 1.0, method="bfgs"), "argmin", "a gradient of 1"),
        (lambda: fgrad.argmin(lambda z: -z * z, 1.0), "argmin", "a gradient of"),
        (lambda: fgrad.argmin(lambda z: z * np.nan, 1.0), "argmin", "no finite number"),
    ],
)
def test_without_a_solution_there_is_an_error(call, name, came):
    with np.errstate(all="ignore"):
        refused(call, ConvergenceError, f"{name} wants to converge", came, "egin nearer to")


def test_one_element_without_a_solution():
    def f(a):
        return root(lambda z, a: z * z - a, 1.0, a)

    with pytest.raises(ConvergenceError, match="root wants to converge"):
        fgrad.vmap(f)(np.array([1.0, -1.0]))


# ------------------------------------------------------------------ no derivative
@pytest.mark.parametrize("linear_solve", ["dense", "gmres"])
@pytest.mark.parametrize("derive", [grad, fgrad.jacfwd])
def test_what_is_no_solution_has_no_derivative(derive, linear_solve):
    wrong = implicit(lambda z, a: z - a, lambda a: a + 1, linear_solve=linear_solve)
    refused(
        lambda: derive(wrong)(1.0), ConvergenceError, "implicit wants to have found a solution",
        "Newton's next step has the length 1", "raise the accuracy",
    )  # fmt: skip
    assert wrong(1.0) == 2.0
    np.testing.assert_array_equal(fgrad.vmap(wrong)(np.ones(2)), [2.0, 2.0])
    with pytest.raises(ConvergenceError):  # a graph may be differentiated
        fgrad.make_graph(wrong)(1.0)


@pytest.mark.parametrize(
    ("linear_solve", "wanted", "to_do"),
    [
        ("dense", "a solution that is isolated", "regularisation"),
        ("gmres", "gmres wants to converge", "isolated"),
        ("cg", "cg wants a matrix that is symmetric and positive", "isolated"),
    ],
)
def test_a_singular_jacobian_has_no_derivative(linear_solve, wanted, to_do):
    def f(a):  # the same equation twice: any z with this sum
        return implicit(
            lambda z, a: (z[0] + z[1] - a) * np.ones(2), lambda a: np.array([a, 0.0]),
            linear_solve=linear_solve,
        )(a)  # fmt: skip

    with pytest.raises(ConvergenceError) as caught:
        grad(total(f))(1.0)
    assert wanted in caught.value.wanted
    assert to_do in caught.value.to_do


@pytest.mark.parametrize("linear_solve", ["dense", "gmres"])
def test_an_infinite_jacobian_has_no_derivative(linear_solve):
    f = implicit(lambda z, a: np.sqrt(z - a), lambda a: a * np.ones(2), linear_solve=linear_solve)
    refused(
        lambda: grad(total(f))(1.0), ConvergenceError, "finite derivatives at the solution", "NaN",
        "the edge of the domain",
    )  # fmt: skip


def test_cg_does_not_hide_that_it_is_the_wrong_method():
    turn = np.array([[1.0, 5.0], [-5.0, 1.0]])
    for matrix, wanted in ((turn, "cg wants to converge"), (-np.eye(2), "positive definite")):

        def f(a, matrix=matrix):
            return root(lambda z, a: matrix @ z - a, np.zeros(2), a * np.ones(2), linear_solve="cg")

        with pytest.raises(ConvergenceError, match=wanted):
            grad(total(f))(1.0)


def test_solvers_of_linear_systems_are_tested():
    def f(solve):
        return grad(implicit(lambda z, a: z - a, lambda a: a, linear_solve=solve))

    refused(
        lambda: f(lambda matvec, b: 0 * b)(1.0), ConvergenceError, "to solve a system, A x = b",
        "a residual of 1", "raise its accuracy",
    )  # fmt: skip
    refused(
        lambda: f(lambda matvec, b: (b, 0))(1.0), ShapeError, "to return a vector like b",
        "tuple", "return the solution alone",
    )  # fmt: skip


# ------------------------------------------------------------------ F is like z
@pytest.mark.parametrize(
    ("F", "error", "came", "to_do"),
    [
        (lambda z: {"w": z["w"][:1], "b": 0.0}, ShapeError,
         "shape (1,) at ['w'], where the shape (2,) was wanted", "in the same containers"),
        (lambda z: {"w": np.float32(z["w"]), "b": 0.0}, DtypeError,
         "a float32 array of shape (2,) at ['w'], where float64 was wanted", ".astype(np.float64)"),
        (lambda z: {"w": z["w"], "b": 0j}, DtypeError, "at ['b'], where float64", "float64"),
        (lambda z: {"w": z["w"]}, TreeError, "at ['b']: key missing", "in the same containers"),
        (lambda z: {"w": None, "b": 0.0}, ShapeError, "None at ['w']", "in the same containers"),
    ],
)  # fmt: skip
def test_what_is_not_like_the_solution(F, error, came, to_do):
    wanted = "a function that returns a pytree like"
    refused(implicit(F, lambda: TREE), error, f"implicit wants {wanted} the solution", came, to_do)
    for solve in (root, fixed_point):
        refused(lambda s=solve: s(F, TREE), error, f"{solve.__name__} wants {wanted} z0", came,
                to_do)  # fmt: skip


def test_a_solution_is_a_tree_of_numbers():
    refused(implicit(np.sin, lambda: "a"), DtypeError, "the solution as a pytree", "'a'", "close")
    refused(implicit(np.sin, lambda: None), TreeError, "the solution", "without leaves", "array")
    refused(lambda: root(np.sin, [1.0, True]), DtypeError, "z0 as a pytree", "True (a bool) at [1]",
            "no number")  # fmt: skip


def test_solutions_of_one_kind_for_all_elements():
    f = implicit(lambda z, a: z - a, lambda a: a if a > 1 else a * np.ones(2))
    refused(lambda: fgrad.vmap(f)(np.array([1.0, 2.0])), ShapeError, "for each element",
            "shape (), where the shape (2,)", "containers")  # fmt: skip


@pytest.mark.parametrize(
    ("f", "error", "came"),
    [
        (lambda z: z, ShapeError, "shape (2,)"),
        (lambda z: "low", DtypeError, "'low'"),
        (lambda z: np.sum(z) * 1j, DtypeError, "complex128"),
    ],
)
def test_a_minimum_is_that_of_a_real_number(f, error, came):
    refused(lambda: fgrad.argmin(f, np.ones(2)), error, "returns a real number", came, "np.sum")


# ------------------------------------------------------------------ traced values
def test_a_solver_does_not_close_over_traced_values():
    def f(a):
        return implicit(lambda z: z - a, lambda: a)()

    for derive in (grad, fgrad.jacfwd):
        refused(lambda d=derive: d(f)(1.0), TracerConversionError, "closes over some", "tracer",
                "pass them as arguments, of the solver and of F")  # fmt: skip
    with pytest.raises(TracerConversionError):
        fgrad.make_graph(f)(1.0)
    with pytest.raises(TracerConversionError):
        fgrad.vmap(f)(np.ones(2))


def test_a_function_that_closes_over_traced_values_does_not_ask_for_its_unknowns():
    def f(a):
        return root(lambda z: z - a if z > 0 else z - 2 * a, 1.0)

    refused(lambda: grad(f)(1.0), TracerConversionError, "traced values as in root(f, z0, a, b)",
            "closes over", "as in root(f, z0, a, b); or choose with np.where")  # fmt: skip

    def of_solver(a):
        return implicit(lambda z, b: z - a if z > 0 else z, lambda b: b)(1.0)

    refused(lambda: grad(of_solver)(1.0), TracerConversionError, "as arguments of the solver",
            "closes over", "as arguments of the solver")  # fmt: skip

    def of_ones_own(a):
        g = lambda z: z - a if z > 0 else z  # noqa: E731
        return fgrad.custom_root(g, 1.0, lambda f, z: z, lambda g, y: y / g(1.0))

    refused(lambda: grad(of_ones_own)(1.0), TracerConversionError,
            "custom_root wants a function that doesn't ask for values", "closes over",
            "choose with np.where(condition, x, y), or branch with fgrad.cond")  # fmt: skip
    assert grad(lambda a: root(lambda z, a: z - a if z > 0 else z, 1.0, a))(1.0) == 1.0


def test_values_of_a_transformation_that_has_ended():
    kept = []
    grad(lambda a: kept.append(a) or a)(1.0)
    with pytest.raises(EscapedTracerError):
        root(np.sin, kept[0])
    with pytest.raises(EscapedTracerError):
        root(np.sin, 1.0, kept[0])


# ------------------------------------------------------------------ arguments
@pytest.mark.parametrize(
    ("call", "wanted", "came"),
    [
        (lambda: implicit(3, np.sin), "implicit wants a function", "3"),
        (lambda: implicit(np.sin, 3), "implicit wants a function", "3"),
        (lambda: implicit(np.sin, np.sin, linear_solve="lu"), '"dense", "iterative", "cg"', "'lu'"),
        (implicit(np.sin, lambda: 0.0, has_aux=True), "a pair (z, aux)", "0.0"),
        (lambda: root(3, 1.0), "root wants a function", "3"),
        (lambda: root(np.sin, 1.0, method="hybr"), "a method it knows", "'hybr'"),
        (lambda: fgrad.argmin(np.cos, 1.0, method="cg"), "a method it knows", "'cg'"),
        (lambda: fixed_point(np.cos, 1.0, tol=-1.0), "tol as a positive number", "-1.0"),
        (lambda: fixed_point(np.cos, 1.0, tol="small"), "tol as a positive number", "'small'"),
        (lambda: fixed_point(np.cos, 1.0, max_steps=0), "max_steps as a number of steps", "0"),
        (lambda: fixed_point(np.cos, 1.0, max_steps=2.5), "max_steps", "2.5"),
        (lambda: fixed_point(np.cos, 1.0, anderson=-1), "anderson as a number of steps", "-1"),
        (lambda: custom_linear_solve(np.sin, np.ones(2), 3), "custom_linear_solve wants", "3"),
        (lambda: fgrad.custom_root(np.sin, 1.0, 3), "custom_root wants a function", "3"),
    ],
)
def test_arguments_that_are_none(call, wanted, came):
    refused(call, ArgumentError, wanted, came, "")


def test_aux_is_a_tree_of_arrays():
    f = implicit(np.sin, lambda: (0.0, {"why": "converged"}), has_aux=True)
    refused(f, DtypeError, "aux as a pytree of arrays", "'converged' (a str) at ['why']", "arrays")


# ------------------------------------------------------------------ JAX's
def test_custom_linear_solve_tests_both_directions():
    def solved(b, solve, **options):
        return np.sum(custom_linear_solve(lambda x: M @ x, b, solve, **options))

    b = np.ones(2)

    def right(matvec, b):
        return np.linalg.solve(M, b)

    refused(lambda: grad(solved)(b, lambda matvec, b: b), ConvergenceError,
            "to solve a system", "a residual of", "accuracy")  # fmt: skip
    refused(lambda: grad(solved)(b, right), ConvergenceError, "`right`", "a residual of",
            "pass transpose_solve")  # fmt: skip
    refused(lambda: grad(lambda b: solved(b, right, symmetric=True))(b), ConvergenceError,
            "transposed system", "a residual of", "transpose_solve")  # fmt: skip
    assert fgrad.jvp(lambda b: solved(b, right), (b,), (b,))[1] == solved(b, right)
