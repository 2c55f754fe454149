"""Minima of functions of several unknowns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from ...tracebacks import boundary
from .limits import bounds_of, constraints_of
from .problem import Derivatives, Problem, Together, scalar, wrapped
from .stationary import Stationary

#: The methods that take a gradient; those that take second derivatives as a matrix, as products.
_GRADIENT = {
    "cg", "bfgs", "newton-cg", "l-bfgs-b", "tnc", "slsqp", "dogleg", "trust-ncg", "trust-krylov",
    "trust-exact", "trust-constr",
}  # fmt: skip
_HESSIAN = {"dogleg", "trust-exact"}
_PRODUCT = {"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"}


@boundary
def minimize(
    fun: Callable[..., Any], x0: Any, args: Any = (), method: Any = None, jac: Any = None,
    hess: Any = None, hessp: Any = None, bounds: Any = None, constraints: Any = (),
    tol: float | None = None, callback: Any = None, options: Any = None,
) -> Any:  # fmt: skip
    """Find a minimum, with `scipy.optimize.minimize`.

    SciPy's methods get the first and second derivatives that they can use. The minimum can be
    differentiated in what `fun` and the constraints close over, in `args` and in the bounds, in
    both modes and to any order: not SciPy's steps are differentiated but the equations that a
    minimum solves, by the implicit function theorem (A. Griewank and A. Walther, Evaluating
    Derivatives, 2008, section 15.1). Bounds and constraints that hold with equality go on doing so.
    The derivative is as exact as the minimum is; for many digits set `tol`.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy import optimize
    >>> X, y = np.array([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0]]), np.array([1.0, 2.0, 3.0])
    >>> def ridge(strength):
    ...     def loss(w):
    ...         return np.sum((X @ w["w"] - y) ** 2) + strength * np.sum(w["w"] ** 2)
    ...     return optimize.minimize(loss, {"w": np.zeros(2)}, tol=1e-10).x["w"]
    >>> exact = -np.linalg.solve(X.T @ X + np.eye(2), ridge(1.0))
    >>> np.allclose(fgrad.jacfwd(ridge)(1.0), exact, rtol=1e-8)
    True

    Args:
        fun: ``fun(x, *args)``, of a pytree x like `x0`, returns a real number. It is called with
            double precision, whatever the dtypes of `x0`. A complex number counts as two real
            ones.
        x0: a first guess: a pytree of arrays; a list of numbers is an array, as in SciPy. The
            derivative in it is zero.
        args: further arguments, pytrees; a single one that is no tuple is taken for one.
        method, tol, options: as in SciPy.
        jac: None for the gradient by fgrad; or a function that returns it, a pytree like `x0`; or
            True if `fun` returns it after the value; or one of SciPy's names of differences.
        hess: None for the second derivatives by fgrad, or as in SciPy, of the vector of unknowns.
        hessp: likewise; ``hessp(x, p, *args)`` of pytrees like `x0`.
        bounds: for an array, as in SciPy: a pair for each element, or `scipy.optimize.Bounds`; for
            any other pytree a pair (lower, upper) of pytrees like `x0`, or of numbers.
        constraints: as in SciPy; their functions get pytrees like `x0` and may return pytrees, and
            their derivatives are supplied too.
        callback: as in SciPy, with pytrees like `x0`.

    Returns:
        SciPy's `OptimizeResult`; ``x`` and ``jac`` are pytrees like `x0`. Where traced values are
        read it has ``x``, ``fun``, ``success``, ``status`` and ``message``.

    Raises:
        ConvergenceError: traced values are read, and no isolated minimum was found. (Otherwise
            ``success`` is False, as in SciPy.)
        ShapeError, DtypeError: `fun` doesn't return a real number.
        TracerConversionError: `fun` closes over traced values and asks for values, as in
            ``if x > 0``; pass these in `args`.
    """
    problem = Problem("minimize", x0, args)
    value = fun if jac is not True else lambda *xs: fun(*xs)[0]
    objective = problem.scalar(value)
    box = bounds_of(problem, bounds, pairs=True)
    given = constraints_of(problem, constraints)
    own = _own_derivatives(problem, fun, jac, hess, hessp)

    def run(start: Any, *values: Any) -> Any:
        f: Any = Derivatives("minimize", objective, values)
        supplied = _supplied(f, method, own, (jac, hess, hessp))
        if supplied["jac"] is not None and (jac is None or jac is True):
            both = Together(supplied["jac"])
            f, supplied["jac"] = both.value, both.gradient
        return optimize.minimize(
            f, start, method=method, bounds=None if box is None else _scipy_bounds(box, values),
            constraints=[c.for_scipy(values, method) for c in given] if given else (), tol=tol,
            callback=wrapped(callback, problem), options=options, **supplied,
        )  # fmt: skip

    if not problem.traced:
        result = run(problem.start)
        result.x = problem.packing.finish(np.asarray(result.x, np.float64))
        gradient = result.get("jac")
        if gradient is not None and np.shape(gradient) == (problem.packing.size,):
            result.jac = problem.packing.finish(np.asarray(gradient, np.float64))
        return result
    z = Stationary(problem, objective, box, [c.limits for c in given]).solved(run)
    return minimum(problem, z, value)


def minimum(problem: Problem, z: Any, fun: Callable[..., Any]) -> Any:
    """The result where traced values are read."""
    x = problem.packing.finish(z)
    return optimize.OptimizeResult(
        x=x, fun=fun(x, *problem.args), success=True, status=0,
        message="A minimum was found, and it can be differentiated.",
    )  # fmt: skip


def _scipy_bounds(box: Any, values: Sequence[Any]) -> Any:
    return optimize.Bounds(*map(np.asarray, box.limits(values)), keep_feasible=box.keep_feasible)


def _own_derivatives(problem: Problem, fun: Any, jac: Any, hess: Any, hessp: Any) -> list[Any]:
    """The derivatives that the user supplies, as functions of vectors.

    The first is the gradient; with ``jac=True`` it returns the value with it.
    """
    packing, n = problem.packing, problem.packing.size
    out: list[Any] = [None, None, None]
    if jac is True:

        def both(v: Any, *args: Any) -> Any:
            value, g = fun(packing.unpack(v), *args)
            return scalar(value, fun, "minimize"), packing.like(g, "the gradient")

        out[0] = problem.explicit(both)
    elif callable(jac):
        out[0] = problem.explicit(
            lambda v, *a: packing.like(jac(packing.unpack(v), *a), "the gradient")
        )
    if callable(hess):

        def matrix(v: Any, *args: Any) -> Any:
            return np.reshape(hess(packing.unpack(v), *args), (n, n))

        out[1] = problem.explicit(matrix)
    if callable(hessp):

        def product(v: Any, p: Any, *args: Any) -> Any:
            return packing.like(hessp(packing.unpack(v), packing.unpack(p), *args), "hessp")

        out[2] = problem.reader.function(product, problem.args, problem.front, problem.front)
    return out


def _supplied(f: Derivatives, method: Any, own: Sequence[Any], given: Sequence[Any]) -> Any:
    """The derivatives for a method of SciPy's; a gradient that isn't the user's with its value."""
    jac, hess, hessp = given
    name = method.lower() if isinstance(method, str) else method
    if name is not None and not callable(name) and name not in _GRADIENT:
        return {"jac": None, "hess": None, "hessp": None}
    out: dict[str, Any] = {
        "jac": f.value_and_gradient if jac is None else jac,
        "hess": hess,
        "hessp": hessp,
    }
    for key, fn in zip(out, own, strict=True):
        if fn is not None:
            out[key] = lambda *xs, fn=fn: fn(*xs, *f.values)
    if hess is None and hessp is None:
        if name in _HESSIAN:
            out["hess"] = f.hessian
        elif name in _PRODUCT:
            out["hessp"] = f.hessian_times
    return out
