"""Least squares: nonlinear, and fits of curves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import optimize

from ...arrays import shape_of
from ...core import Tracer
from ...errors import ArgumentError, describe
from ...solutions import jacobian
from ...tracebacks import boundary
from .limits import bounds_of
from .problem import Derivatives, Problem
from .stationary import Stationary


# ------------------------------------------------------------------ losses, of squares z >= 0
def _huber(z: Any) -> Any:
    far = np.greater(z, 1)
    return np.where(far, 2 * np.sqrt(np.where(far, z, 1.0)) - 1, z)


_LOSSES: dict[str, Callable[[Any], Any]] = {
    "linear": lambda z: z,
    "soft_l1": lambda z: 2 * (np.sqrt(1 + z) - 1),
    "huber": _huber,
    "cauchy": np.log1p,
    "arctan": np.arctan,
}

_FREE = (-np.inf, np.inf)


@boundary
def least_squares(
    fun: Callable[..., Any], x0: Any, jac: Any = None, bounds: Any = _FREE,
    method: str = "trf", *, loss: Any = "linear", f_scale: Any = 1.0, args: Any = (),
    kwargs: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """Solve a nonlinear least-squares problem, with `scipy.optimize.least_squares`.

    SciPy gets the Jacobian from fgrad. The solution can be differentiated in what `fun` closes
    over, in `args` and in the bounds, in both modes and to any order, through the equations that a
    minimum of the cost solves (the implicit function theorem; A. Griewank and A. Walther,
    Evaluating Derivatives, 2008, section 15.1). Bounds that hold with equality go on doing so.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy import optimize
    >>> t = np.array([0.0, 1.0, 2.0])
    >>> def rate(y):
    ...     def residuals(p):
    ...         return p["a"] * np.exp(-p["k"] * t) - y
    ...     return optimize.least_squares(residuals, {"a": 1.0, "k": 1.0}, gtol=1e-14).x["k"]
    >>> bool(np.isclose(rate(np.exp(-0.5 * t)), 0.5))
    True
    >>> fgrad.grad(rate)(np.exp(-0.5 * t)).round(6)
    array([ 0.665845, -0.546863, -0.908329])

    Args:
        fun: ``fun(x, *args, **kwargs)``, of a pytree x like `x0`, returns a pytree of residuals. It
            is called with double precision, whatever the dtypes of `x0`.
        x0: a first guess: a pytree of arrays; a list of numbers is an array, as in SciPy. The
            derivative in it is zero.
        jac: None for the Jacobian by fgrad, or as in SciPy, of the vector of all unknowns.
        bounds: a pair (lower, upper) of pytrees like `x0`, or of numbers; or
            `scipy.optimize.Bounds`.
        loss: a name of SciPy's; a function only where no traced values are read.
        f_scale: as in SciPy; a plain number.
        args, kwargs: further arguments, pytrees.
        method: as in SciPy.
        options: SciPy's other arguments: `ftol`, `xtol`, `gtol`, `x_scale`, `max_nfev` and so on.

    Returns:
        SciPy's `OptimizeResult`; ``x`` and ``grad`` are pytrees like `x0`, ``fun`` and ``jac`` are
        of the vectors of all residuals and unknowns. Where traced values are read it has ``x``,
        ``cost``, ``fun``, ``success``, ``status`` and ``message``.

    Raises:
        ConvergenceError: traced values are read, and no isolated minimum was found.
        ArgumentError: `loss` is a function, and traced values are read.
    """
    problem = Problem("least_squares", x0, args)
    keywords = kwargs or {}

    def residuals(x: Any, *more: Any) -> Any:
        return fun(x, *more, **keywords)

    residuals.__wrapped__ = fun  # type: ignore[attr-defined]
    call = problem.vector(residuals, same=False)
    box = bounds_of(problem, None if bounds is _FREE else bounds, pairs=False)
    own = _own_jacobian(problem, jac, keywords)

    def run(start: Any, *values: Any) -> Any:
        f = Derivatives("least_squares", call, values)
        slope = f.jacobian if jac is None else jac
        if own is not None:
            slope = lambda v: own(v, *values)  # noqa: E731
        limits = (-np.inf, np.inf) if box is None else tuple(map(np.asarray, box.limits(values)))
        return optimize.least_squares(
            f, start, slope, limits, method, loss=loss, f_scale=f_scale, **options
        )

    if not problem.traced:
        result = run(problem.start)
        result.x, result.grad = (
            problem.packing.finish(np.asarray(y, np.float64)) for y in (result.x, result.grad)
        )
        return result
    if loss not in _LOSSES or isinstance(f_scale, Tracer):
        raise ArgumentError(
            "least_squares of traced values wants the name of a loss, and a number as f_scale.",
            f"loss={describe(loss)}, f_scale={describe(f_scale)}",
            f"pass one of {', '.join(_LOSSES)}; scale the residuals in fun",
        )

    def cost(v: Any, *values: Any) -> Any:
        z = (call(v, *values) / f_scale) ** 2
        return 0.5 * f_scale**2 * np.sum(_LOSSES[loss](z))

    z = Stationary(problem, cost, box, ()).solved(run)
    values = problem.reader.values
    return optimize.OptimizeResult(
        x=problem.packing.finish(z), cost=cost(z, *values), fun=call(z, *values), success=True,
        status=1, message="A minimum was found, and it can be differentiated.",
    )  # fmt: skip


def _own_jacobian(problem: Problem, jac: Any, keywords: Any) -> Any:
    if not callable(jac):
        return None
    unpack = problem.packing.unpack
    return problem.explicit(lambda v, *args: jac(unpack(v), *args, **keywords))


@boundary
def nnls(A: Any, b: Any, *, maxiter: int | None = None) -> tuple[Any, Any]:
    """Solve a linear least-squares problem for numbers that aren't negative, as SciPy's `nnls`.

    The solution can be differentiated in A and in b; what is zero in it goes on being zero.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy import optimize
    >>> A = np.array([[2.0, 0.0], [0.0, 1.0]])
    >>> fgrad.jacrev(lambda b: optimize.nnls(A, b)[0])(np.array([1.0, -1.0])) + 0.0
    array([[0.5, 0. ],
           [0. , 0. ]])

    Args:
        A: a matrix of shape (m, n).
        b: a vector of shape (m,).
        maxiter: as in SciPy.

    Returns:
        The solution, of shape (n,), and the length of the residual.

    Raises:
        ConvergenceError: something is traced, and the solution isn't the only one.
    """
    if not isinstance(A, Tracer) and not isinstance(b, Tracer):
        return optimize.nnls(A, b, maxiter=maxiter)
    A, b = (x if hasattr(x, "dtype") else np.asarray(x, np.float64) for x in (A, b))
    problem = Problem("nnls", np.zeros(shape_of(A)[1]), (A, b))
    objective = problem.scalar(lambda x, A, b: 0.5 * np.sum((A @ x - b) ** 2))
    matrices = problem.reader.value((A, b))
    box = bounds_of(problem, (0.0, np.inf), pairs=False)

    def run(start: Any, *values: Any) -> Any:
        plain_A, plain_b = matrices(values)
        return optimize.OptimizeResult(x=optimize.nnls(plain_A, plain_b, maxiter=maxiter)[0])

    x = Stationary(problem, objective, box, ()).solved(run)
    x = x.astype(np.result_type(A, b)) if np.result_type(A, b).kind == "f" else x
    return x, np.linalg.norm(A @ x - b)


@boundary
def curve_fit(
    f: Callable[..., Any], xdata: Any, ydata: Any, p0: Any = None, sigma: Any = None,
    absolute_sigma: bool = False, bounds: Any = _FREE, **options: Any,
) -> tuple[Any, Any]:  # fmt: skip
    """Fit a curve to data, as `scipy.optimize.curve_fit` does, by `least_squares`.

    The parameters and their covariance can be differentiated in the data, in sigma and in what `f`
    closes over.

    >>> import numpy as np, fgrad
    >>> from fgrad.scipy import optimize
    >>> x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 4.0])
    >>> def slope(y):
    ...     return optimize.curve_fit(lambda x, a, b: a + b * x, x, y, p0=[1.0, 1.0])[0][1]
    >>> fgrad.grad(slope)(y).round(9) + 0.0
    array([-0.5,  0. ,  0.5])

    Args:
        f: ``f(xdata, *p)``, with numbers p, returns an array like `ydata`.
        xdata: whatever `f` takes.
        ydata: an array of shape (m,).
        p0: n first guesses; ones if it is None.
        sigma: standard deviations of shape (m,), or a covariance matrix of shape (m, m).
        absolute_sigma: as in SciPy.
        bounds: a pair (lower, upper) of n numbers each, or of numbers.
        options: `method`, `loss` and the like, of `least_squares`.

    Returns:
        The parameters, shape (n,), and their covariance, shape (n, n). If it can't be estimated,
        because m <= n, it is infinite, as in SciPy.

    Raises: see `least_squares`.
    """
    if p0 is None:
        count = f.__code__.co_argcount if hasattr(f, "__code__") else 0
        if count < 2:
            raise ArgumentError(
                "curve_fit wants first guesses where f doesn't name its parameters.",
                describe(f),
                "pass p0=[...], a number for each parameter",
            )
        p0 = np.ones(count - 1)
    ydata = ydata if hasattr(ydata, "dtype") else np.asarray(ydata, np.float64)
    sigma = sigma if sigma is None or hasattr(sigma, "dtype") else np.asarray(sigma, np.float64)

    def residuals(p: Any, xdata: Any, ydata: Any, sigma: Any) -> Any:
        r = f(xdata, *(p[i] for i in range(shape_of(p)[0]))) - ydata
        if sigma is None:
            return r
        if len(shape_of(sigma)) == 2:
            return np.linalg.solve(np.linalg.cholesky(sigma), r)
        return r / sigma

    data = (xdata, ydata, sigma)
    result = least_squares(residuals, p0, bounds=bounds, args=data, **options)
    p = result.x
    r = residuals(p, *data)
    rows = jacobian(lambda q: residuals(q, *data), p)
    m, n = shape_of(r)[0], shape_of(p)[0]
    if m <= n and not absolute_sigma:
        return p, np.full((n, n), np.inf)
    covariance = np.linalg.inv(np.transpose(rows) @ rows)
    return p, covariance if absolute_sigma else covariance * (np.sum(r * r) / (m - n))
