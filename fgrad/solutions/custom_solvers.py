"""JAX's `custom_root` and `custom_linear_solve`: solvers that are handed the function to solve."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..arrays import aval
from ..closures import Reader, example
from ..core import Tracer
from ..tracebacks import boundary
from .equations import Equations
from .implicit import copied, remembering, result
from .problem import Call, check_function_of
from .systems import DENSE, Given, Iterative, check_residual
from .unknowns import Unknowns


class _Solver:
    """A user's solver of a function of a pytree like one that came.

    Attributes:
        unknowns: how the tree lies in a vector.
        reader: what the function reads of outer transformations.
        call: the function of the vector, ``call(v, *values)``.
    """

    def __init__(self, name: str, f: Call, like: Any, what: str, has_aux: bool) -> None:
        check_function_of(name, f)
        self.name, self.has_aux = name, has_aux
        self.reader = Reader(name, None)
        self.unknowns = unknowns = Unknowns(like, name, what, f)
        self.given = self.reader.value((like,))

        def of_vector(v: Any) -> Any:
            return unknowns.pack(f(unknowns.unpack(v)), f)

        of_vector.__wrapped__ = f  # type: ignore[attr-defined]
        self.call = self.reader.function(of_vector, (), np.array(example(unknowns.vector)))

    def of_trees(self, of_vector: Call) -> Call:
        """A function of vectors as one of trees."""
        unknowns = self.unknowns

        def f(x: Any) -> Any:
            return unknowns.unpack(of_vector(unknowns.pack(x, f, "to be called with")))

        return f

    def solved(self, find: Call, condition: Call, linear: Any, check: Any = None) -> Any:
        """What ``find(*values)`` finds, a tree or a pair of it and aux.

        ``check(v, values)`` takes the place of the usual test of a solution.
        """
        unknowns, values = self.unknowns, self.reader.values
        examples = self.reader.examples()
        first = find(*examples)
        if not values and not isinstance(unknowns.vector, Tracer):
            return first if self.has_aux else first[0]
        also, structure = tree.flatten(first[1])
        again = remembering(find, examples, first)

        def solve(start: Any, *xs: Any) -> tuple[Any, ...]:
            z, aux = again(*xs)
            v = np.array(unknowns.pack(z, find, "a solver that returns"))
            if check is not None:
                check(v, xs)
            return v, np.zeros(0, np.int64), *map(copied, tree.leaves(aux))

        equations = Equations(
            self.name, solve, lambda v, cases, *xs: condition(v, *xs), unknowns.size,
            unknowns.dtype, linear, tuple(map(aval, also)), check is None,
        )  # fmt: skip
        v, _, *aux = equations.solved(np.zeros(0), values)
        z = unknowns.finish(v)
        return (z, tree.unflatten(structure, aux)) if self.has_aux else z


@boundary
def custom_root(
    f: Callable[..., Any],
    initial_guess: Any,
    solve: Callable[..., Any],
    tangent_solve: Callable[..., Any] | None = None,
    has_aux: bool = False,
) -> Any:
    """Find a root of ``f`` with a solver of one's own; the derivative is that of the root.

    JAX's function of this name, for a solver that is handed `f`. See `implicit`, which wraps a
    solver that isn't.

    >>> import numpy as np, fgrad
    >>> def newton(f, x):
    ...     for _ in range(20):
    ...         x = x - f(x) / fgrad.grad(f)(x)
    ...     return x
    >>> def square_root(a):
    ...     return fgrad.custom_root(lambda x: x**2 - a, a, newton, lambda g, y: y / g(1.0))
    >>> round(fgrad.grad(square_root)(4.0), 12)
    0.25

    Args:
        f: a function of a pytree like `initial_guess` that returns one; it may close over traced
            values, and must not ask for these.
        initial_guess: where to begin; the derivative in it is zero.
        solve: ``solve(f, initial_guess)``, of plain values; returns the root (with `has_aux`, a
            pair of it and a pytree of arrays). It may call fgrad's transformations of `f`.
        tangent_solve: ``tangent_solve(g, y)`` solves g(x) = y, for a linear function g of pytrees
            like `initial_guess`; by default a matrix or an iteration does, as in `implicit`. It
            is called with plain values, in reverse mode with the transposed g; in JAX it is
            itself transposed.
        has_aux: see `solve`.

    Returns:
        The root, a pytree like `initial_guess`; with `has_aux` the pair of it and aux.

    Raises: see `implicit`.
    """
    problem = _Solver("custom_root", f, initial_guess, "initial_guess", has_aux)
    check_function_of("custom_root", solve)
    unknowns = problem.unknowns

    @functools.wraps(solve)
    def find(*values: Any) -> Any:
        (guess,) = problem.given(values)
        at = problem.of_trees(lambda v: problem.call(v, *values))
        return result(solve(at, guess), solve, "custom_root", has_aux)

    linear: Any = None if unknowns.size <= DENSE else Iterative("gmres")
    if tangent_solve is not None:
        check_function_of("custom_root", tangent_solve)
        linear = _on_trees(problem, tangent_solve, tangent_solve)
    return problem.solved(find, problem.call, linear)


def _on_trees(problem: _Solver, straight: Call, turned: Call) -> Given:
    """A user's solvers of linear systems of trees, with a matrix and with its transpose.

    In real and imaginary parts the transpose is the adjoint A^H of a complex matrix, and users
    solve with A^T = conj(A^H conj).
    """
    unknowns = problem.unknowns

    def conjugated(v: Any) -> Any:
        return unknowns.pack(tree.map(np.conj, unknowns.unpack(v)), np.conj)

    def solve(product: Call, b: Any, is_turned: bool) -> Any:
        if not is_turned:
            x = straight(problem.of_trees(product), unknowns.unpack(b))
            return unknowns.pack(x, straight, "a solver that returns")
        flipped = problem.of_trees(lambda v: conjugated(product(conjugated(v))))
        x = turned(flipped, unknowns.unpack(conjugated(b)))
        return conjugated(unknowns.pack(x, turned, "a solver that returns"))

    return Given(solve, straight, turned)


@boundary
def custom_linear_solve(
    matvec: Callable[..., Any],
    b: Any,
    solve: Callable[..., Any],
    transpose_solve: Callable[..., Any] | None = None,
    symmetric: bool = False,
    has_aux: bool = False,
) -> Any:
    """Solve a linear system, matvec(x) = b, with a solver of one's own, to be differentiated.

    JAX's function of this name. The solver isn't differentiated: derivatives are solutions of
    systems of the same matrix, or of the transposed one, to any order.

    >>> import numpy as np, fgrad
    >>> def solution(d):  # the matrix is diagonal
    ...     return fgrad.custom_linear_solve(
    ...         lambda x: d * x, np.ones(2), lambda matvec, b: b / matvec(np.ones(2)))
    >>> fgrad.jacrev(solution)(np.array([1.0, 2.0])) + 0.0
    array([[-1.  ,  0.  ],
           [ 0.  , -0.25]])

    Args:
        matvec: a linear function of a pytree like `b` that returns one; it may close over traced
            values, and must not ask for these.
        b: the right-hand side.
        solve: ``solve(matvec, b)``, of plain values; returns the solution (with `has_aux`, a pair
            of it and a pytree of arrays).
        transpose_solve: ``transpose_solve(vecmat, b)``, for reverse mode: the same for the
            transposed matrix (not conjugated). By default `solve` is called with the transposed
            product, and its result tested; JAX has no default.
        symmetric: the matrix is symmetric, so that `solve` solves the transposed system.
        has_aux: see `solve`.

    Returns:
        The solution, a pytree like `b`; with `has_aux` the pair of it and aux.

    Raises:
        ConvergenceError: something is traced, and a solver's result doesn't solve the system.
        TreeError, ShapeError, DtypeError: results aren't like `b`.
    """
    name = "custom_linear_solve"
    problem = _Solver(name, matvec, b, "b", has_aux)
    check_function_of(name, solve)
    unknowns = problem.unknowns

    @functools.wraps(solve)
    def straight(product: Call, right: Any) -> Any:
        return result(solve(product, right), solve, name, has_aux)[0]

    turned: Call = straight
    if transpose_solve is not None and not symmetric:
        check_function_of(name, transpose_solve)
        turned = transpose_solve
    linear = _on_trees(problem, straight, turned)

    @functools.wraps(solve)
    def find(*values: Any) -> Any:
        (right,) = problem.given(values)
        at = problem.of_trees(lambda v: problem.call(v, *values))
        return result(solve(at, right), solve, name, has_aux)

    def condition(v: Any, *values: Any) -> Any:
        (right,) = problem.given(values)
        return problem.call(v, *values) - unknowns.pack(right, matvec)

    def check(v: Any, values: Any) -> None:
        (right,) = problem.given(values)
        vector = np.asarray(unknowns.pack(right, matvec))
        check_residual(lambda x: problem.call(x, *values), v, vector, solve, False)

    return problem.solved(find, condition, linear, check)
