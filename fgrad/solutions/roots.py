"""`root`: F(z) = 0, by Newton's method."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..linearization import linearize
from ..tracebacks import boundary
from .equations import jacobian, plain
from .krylov import gmres
from .problem import At, Info, Problem, choice, not_converged, step_limit, tolerance
from .systems import DENSE


@boundary
def root(
    f: Callable[..., Any],
    z0: Any,
    *args: Any,
    method: str | None = None,
    tol: float | None = None,
    max_steps: int = 100,
    linear_solve: Any = None,
    full_output: bool = False,
) -> Any:
    """Find z with f(z, ...) = 0 by Newton's method; it can be differentiated in both modes.

    The derivative is that of the root, by the implicit function theorem; no step is
    differentiated. SciPy's methods are in `fgrad.scipy.optimize`.

    >>> import numpy as np, fgrad
    >>> def kepler(E, M, e):  # of the eccentric anomaly E, the mean one M, the eccentricity e
    ...     return E - e * np.sin(E) - M
    >>> anomaly = lambda M, e: fgrad.root(kepler, M, M, e)
    >>> E = anomaly(1.0, 0.5)
    >>> bool(abs(fgrad.grad(anomaly)(1.0, 0.5) - 1 / (1 - 0.5 * np.cos(E))) < 1e-14)
    True
    >>> fgrad.root(lambda z, a: {"x": z["x"] * z["y"] - a, "y": z["x"] - z["y"]},
    ...            {"x": 1.0, "y": 2.0}, 9.0)
    {'x': 3.0, 'y': 3.0}

    Args:
        f: ``f(z, *args)`` returns a pytree like z, of the same shapes and dtypes. It may close
            over traced values.
        z0: where to begin, a pytree of arrays, which decides the dtypes; a Python number takes that
            of f's result. A complex number is two real ones. The derivative in it is 0.
        args: further arguments of `f`, pytrees.
        method: "newton", with the Jacobian as a matrix, as by default up to 500 unknowns; or
            "newton_krylov", with products by it and GMRES, as by default beyond. Both go back along
            a step until the residual is smaller.
        tol: z is a root where Newton's step is no longer than ``tol * (1 + max(abs(z)))``. By
            default 1.8e-12, in single precision 6.4e-6; where rounding keeps it longer, half of the
            digits are enough.
        max_steps: the greatest number of steps.
        linear_solve: as in `implicit`.
        full_output: return the pair (z, `Info`).

    Returns:
        The root, like `z0`.

    Raises: see `fixed_point`.
    """
    problem = Problem("root", f, z0, args, lambda out: out)
    unknowns = problem.unknowns
    rtol, limit = tolerance("root", tol, unknowns.dtype), step_limit("root", max_steps)
    if method is None:
        method = "newton" if unknowns.size <= DENSE else "newton_krylov"
    direction = {"newton": _by_matrix, "newton_krylov": _by_products}[
        choice("root", method, ("newton", "newton_krylov"))
    ]
    call = problem.explicit(lambda v, *xs: unknowns.pack(f(unknowns.unpack(v), *xs), f), f)

    def run(start: Any, values: Any) -> tuple[Any, Info]:
        with np.errstate(all="ignore"):  # a step may go too far, and comes back
            return _newton(At("root", call, values), start, rtol, limit, direction)

    return problem.solved(run, call, linear_solve, False, full_output)


def _by_matrix(f: At, z: Any, r: Any, last: float) -> tuple[Any, float]:
    """Newton's step by the Jacobian as a matrix, and how much of the residual it leaves."""
    matrix = plain(jacobian(f.along, z), f.name)
    if not np.all(np.isfinite(matrix)):
        return np.full_like(z, np.nan), np.inf
    try:
        step = np.linalg.solve(matrix, -r)
    except np.linalg.LinAlgError:
        step = np.full_like(z, np.nan)
    if not np.all(np.isfinite(step)):
        step = np.linalg.lstsq(matrix, -r, rcond=None)[0]
    return step, float(np.linalg.norm(matrix @ step + r))


def _by_products(f: At, z: Any, r: Any, last: float) -> tuple[Any, float]:
    """Newton's step by GMRES, as exact as the progress of the last step suggests.

    S. Eisenstat and H. Walker, Choosing the forcing terms in an inexact Newton method, 1996,
    choice 2.
    """
    push = linearize(f.along, z)[1]
    eps = float(np.finfo(z.dtype).eps)
    forcing = min(1e-2, max(0.9 * last**2, eps ** (2 / 3)))

    def product(v: Any) -> Any:
        return plain(push(v), f.name)

    step = gmres(product, -r, forcing, min(10 * len(z), 1000))
    return step, float(np.linalg.norm(product(step) + r))


def _newton(f: At, z: Any, tol: float, limit: int, direction: Any) -> tuple[Any, Info]:
    """Newton's method with a line search that halves.

    J. Dennis and R. Schnabel, Numerical Methods for Unconstrained Optimization and Nonlinear
    Equations, 1983, section 6.3, for half the square of the residual.
    """
    r = f(z)
    size, shorter, last = float(np.linalg.norm(r)), np.inf, 1.0
    rough = float(np.finfo(z.dtype).eps) ** 0.5
    steps = 0
    while np.isfinite(size) and steps < limit:
        if size == 0:
            return np.array(z), _info(steps, r)
        step, left = direction(f, z, r, last)
        length = float(np.max(np.abs(step), initial=0.0))
        if not np.isfinite(length):
            break
        near = length / (1 + float(np.max(np.abs(z), initial=0.0)))
        # A step that leaves most of the residual, of a singular matrix, says nothing of a root.
        solved = left <= 0.1 * size
        # What falls no more is rounding.
        if solved and near <= rough and near > 0.7 * shorter:
            return np.array(z), _info(steps, r)
        steps, shorter = steps + 1, near
        factor = 1.0
        while True:
            new = z + z.dtype.type(factor) * step
            r_new = f(new)
            size_new = float(np.linalg.norm(r_new))
            if size_new <= (1 - 1e-4 * factor) * size or (
                solved and near <= rough and np.isfinite(size_new)
            ):
                break
            factor /= 2
            if factor < 1e-10:
                raise not_converged("root", steps, size, "a residual", _STUCK)
        last = size_new / size
        z, r, size = new, r_new, size_new
        if solved and near <= tol:
            return np.array(z), _info(steps, r)
    raise not_converged("root", steps, size, "a residual", _STUCK)


_STUCK = (
    "begin nearer to a root with z0, raise max_steps or tol, or take one of SciPy's methods with "
    "fgrad.scipy.optimize.root; perhaps there is no root"
)


def _info(steps: int, r: Any) -> Info:
    return Info(np.int64(steps), np.float64(np.max(np.abs(r), initial=0.0)))
