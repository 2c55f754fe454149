"""Roots of systems of equations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize

from ...errors import ShapeError, describe, name_of
from ...packing import array_like
from ...solutions import Equations, linear_solver
from ...tracebacks import boundary
from .problem import DENSE, Derivatives, Problem, wrapped

#: The methods of SciPy's that take a Jacobian.
_NEWTON = ("hybr", "lm")


@boundary
def root(
    fun: Callable[..., Any], x0: Any, args: Any = (), method: str = "hybr", jac: Any = None,
    tol: float | None = None, callback: Any = None, options: Any = None,
) -> Any:  # fmt: skip
    """Find a root of a system of equations, with `scipy.optimize.root`.

    The root can be differentiated in what `fun` closes over and in `args`, in both modes and to any
    order: not SciPy's steps are differentiated but the equation, by the implicit function theorem
    (A. Griewank and A. Walther, Evaluating Derivatives, 2008, section 15.1).

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy import optimize
    >>> def kepler(M, e):  # the eccentric anomaly
    ...     return optimize.root(lambda E: E - e * np.sin(E) - M, M, tol=1e-14).x
    >>> E = kepler(1.0, 0.5)
    >>> fgrad.grad(kepler)(1.0, 0.5) - 1 / (1 - 0.5 * np.cos(E)) < 1e-12
    np.True_

    Args:
        fun: ``fun(x, *args)``, of a pytree x like `x0`, returns a pytree of as many numbers. It is
            called with double precision, whatever the dtypes of `x0`. A complex number counts as
            two real ones.
        x0: a first guess: a pytree of arrays; a list of numbers is an array, as in SciPy. The
            derivative in it is zero.
        args: further arguments, pytrees; a single one that is no tuple is taken for one.
        method, tol, callback, options: as in SciPy; `callback` gets pytrees like `x0`.
        jac: None for the Jacobian by fgrad; or a function that returns the matrix, or True if
            `fun` returns it after the value, as in SciPy, both for the vector of all unknowns.

    Returns:
        SciPy's `OptimizeResult`. ``x`` is a pytree like `x0`; ``fun`` is what `fun` returns
        there. Where traced values are read it has these two, ``success``, ``status`` and
        ``message``.

    Raises:
        ConvergenceError: traced values are read, and no isolated root was found. (Otherwise
            ``success`` is False, as in SciPy.)
        ShapeError: `fun` doesn't return as many numbers as there are unknowns.
        TracerConversionError: `fun` closes over traced values and asks for values, as in
            ``if x > 0``; pass these in `args`.
    """
    problem = Problem("root", x0, args)
    value = fun if jac is not True else lambda *xs: fun(*xs)[0]
    call = problem.vector(value, same=True)
    matrix = _given_jacobian(problem, fun, jac)

    def run(start: Any, *values: Any) -> Any:
        f = Derivatives("root", call, values)
        slope: Any = jac
        if method in _NEWTON and not isinstance(jac, str):
            slope = f.jacobian if matrix is None else lambda v: matrix(v, *values)
        elif jac is True:
            slope = None
        return optimize.root(
            f, start, method=method, jac=slope, tol=tol, callback=wrapped(callback, problem),
            options=options,
        )  # fmt: skip

    return finished(problem, run, call, value)


def _given_jacobian(problem: Problem, fun: Any, jac: Any) -> Any:
    """A user's own Jacobian, as a function of the vector."""
    if jac is not True and not callable(jac):
        return None
    n = problem.packing.size
    source = fun if jac is True else jac

    def matrix(v: Any, *args: Any) -> Any:
        x = problem.packing.unpack(v)
        out = fun(x, *args)[1] if jac is True else jac(x, *args)
        out = np.asarray(out)
        if out.size != n * n:
            raise ShapeError(
                f"root wants a Jacobian of shape {(n, n)} from {name_of(source)}.",
                describe(out),
                "leave jac away: fgrad supplies it",
            )
        return out.reshape(n, n)

    return problem.explicit(matrix)


def finished(
    problem: Problem, run: Callable[..., Any], call: Callable[..., Any], fun: Callable[..., Any]
) -> Any:
    """SciPy's result with pytrees in it, differentiable where it has to be."""
    packing = problem.packing
    if not problem.traced:
        result = run(problem.start)
        result.x = packing.finish(np.asarray(result.x, np.float64))
        if result.get("fun") is not None:
            result.fun = array_like(fun(result.x, *problem.args))
        return result

    def solve(start: Any, *values: Any) -> Any:
        z = np.asarray(run(start, *values).x, np.float64)
        return z, np.zeros(len(z), np.int64)

    def condition(z: Any, cases: Any, *values: Any) -> Any:
        return call(z, *values)

    linear = linear_solver(problem.name, None, packing.size, dense=DENSE)
    equations = Equations(problem.name, solve, condition, packing.size, linear=linear)
    z, _ = equations.solved(problem.start, problem.reader.values)
    x = packing.finish(z)
    return optimize.OptimizeResult(
        x=x, fun=array_like(fun(x, *problem.args)), success=True, status=1,
        message="A solution was found, and it can be differentiated.",
    )  # fmt: skip


@boundary
def fsolve(
    func: Callable[..., Any], x0: Any, args: Any = (), fprime: Any = None, **options: Any
) -> Any:
    """Find a root, with the method of `scipy.optimize.fsolve`; see `root`.

    >>> from fgrad.scipy import optimize
    >>> optimize.fsolve(lambda x: x**2 - 4.0, 1.0, xtol=1e-12)
    2.0

    Args:
        func, x0, args: as in `root`.
        fprime: as `jac` of `root`.
        options: `xtol`, `maxfev`, `factor` and `diag`, as in SciPy. There is no `full_output`;
            call `root` for the whole result.

    Returns:
        The root, a pytree like `x0`.

    Raises: see `root`.
    """
    return root(func, x0, args, "hybr", fprime, options=options).x
