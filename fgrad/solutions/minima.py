"""`argmin`: where a function is least, by Newton's method with conjugate gradients, or by BFGS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import tree
from ..arrays import aval, shape_of
from ..core import is_traceable
from ..derivatives import grad, value_and_grad
from ..errors import DtypeError, ShapeError, describe, name_of
from ..linearization import linearize
from ..tracebacks import boundary
from .equations import jacobian, plain
from .krylov import cg
from .problem import At, Info, Problem, choice, not_converged, step_limit, tolerance


@boundary
def argmin(
    f: Callable[..., Any],
    z0: Any,
    *args: Any,
    method: str = "newton_cg",
    tol: float | None = None,
    max_steps: int = 200,
    linear_solve: Any = None,
    full_output: bool = False,
) -> Any:
    """Find where f(z, ...) is least, near to z0; it can be differentiated in both modes.

    The derivative is that of the root of f's gradient, by the implicit function theorem; no step
    is differentiated. SciPy's methods, bounds and constraints are in `fgrad.scipy.optimize`.

    >>> import numpy as np, fgrad
    >>> X, y = np.array([[1.0, 2.0], [3.0, 1.0], [0.0, 1.0]]), np.array([1.0, 2.0, 3.0])
    >>> def loss(w, strength):
    ...     return np.sum((X @ w - y) ** 2) + strength * np.sum(w**2)
    >>> ridge = lambda strength: fgrad.argmin(loss, np.zeros(2), strength)
    >>> exact = -np.linalg.solve(X.T @ X + np.eye(2), ridge(1.0))
    >>> np.allclose(fgrad.jacfwd(ridge)(1.0), exact, rtol=1e-12)
    True

    Args:
        f: ``f(z, *args)`` returns a real number. It may close over traced values. Its second
            derivatives are used, in the methods or for the derivative of the solution.
        z0: where to begin, a pytree of arrays, which decides the dtypes; a Python number takes that
            of f's result. A complex number is two real ones. The derivative in it is 0.
        args: further arguments of `f`, pytrees.
        method: "newton_cg", Newton's method with products by the Hessian; or "bfgs", with gradients
            and a matrix. Both leave a saddle point, or a maximum, where they have come to one.
        tol: z is a minimum where the method's step is no longer than
            ``tol * (1 + max(abs(z)))``. By default 1.8e-12, in single precision 6.4e-6; where
            rounding keeps it longer, half of the digits are enough.
        max_steps: the greatest number of steps.
        linear_solve: as in `implicit`; by default beyond 500 unknowns it is "cg".
        full_output: return the pair (z, `Info`).

    Returns:
        Where the minimum is, like `z0`.

    Raises:
        ConvergenceError: there is no minimum after `max_steps`, or none below; or it is to be
            differentiated and isn't isolated.
        ShapeError, DtypeError: `f` doesn't return a real number.
        TracerConversionError: `f` closes over traced values and asks for them; pass them in `args`.
    """
    leaves = len(tree.leaves(z0))
    problem = Problem("argmin", f, z0, args, lambda y: [y] * leaves)
    unknowns = problem.unknowns
    rtol, limit = tolerance("argmin", tol, unknowns.dtype), step_limit("argmin", max_steps)
    step = {"newton_cg": _newton, "bfgs": _bfgs}[choice("argmin", method, ("newton_cg", "bfgs"))]
    call = problem.explicit(lambda v, *xs: _number(f(unknowns.unpack(v), *xs), f), f)

    def run(start: Any, values: Any) -> tuple[Any, Info]:
        with np.errstate(all="ignore"):  # a step may go too far, and comes back
            return step(Objective(At("argmin", call, values)), start, rtol, limit)

    def condition(v: Any, *values: Any) -> Any:
        return grad(call)(v, *values)

    return problem.solved(run, condition, linear_solve, True, full_output)


def _number(y: Any, f: Callable[..., Any]) -> Any:
    """The value of an objective, an array of shape ()."""
    wanted = f"argmin wants a function that returns a real number; {name_of(f)} does not."
    if not is_traceable(y) or aval(y).dtype.kind not in "fiu":
        raise DtypeError(wanted, describe(y), "return one number, such as np.sum(np.abs(r) ** 2)")
    if shape_of(y) != ():
        raise ShapeError(wanted, describe(y), "return one number, such as np.sum or np.mean of it")
    return y if aval(y).dtype.kind == "f" else np.float64(1.0) * y


#: Up to how many unknowns the second derivatives are a matrix: one pass in place of one a product.
_SMALL = 128


class Objective:
    """A function to make small, at plain values, with its derivatives."""

    def __init__(self, f: At) -> None:
        self.name = f.name
        self._both = value_and_grad(f.along)
        self._gradient = grad(f.along)

    def both(self, z: Any) -> tuple[float, Any]:
        """The value and the gradient."""
        y, g = self._both(z)
        return float(y), plain(g, self.name)

    def curvature(self, z: Any) -> Callable[[Any], Any]:
        """Products with the second derivatives."""
        if len(z) <= _SMALL:
            matrix = plain(jacobian(self._gradient, z), self.name)
            return lambda v: matrix @ v
        push = linearize(self._gradient, z)[1]
        return lambda v: plain(push(v), self.name)


_STUCK = (
    "begin nearer to a minimum with z0, raise max_steps or tol, or take another method, or one of "
    "SciPy's with fgrad.scipy.optimize.minimize; perhaps there is no minimum"
)


def _scale(z: Any) -> float:
    return 1 + float(np.max(np.abs(z), initial=0.0))


def _length(z: Any) -> float:
    return float(np.max(np.abs(z), initial=0.0))


def _newton(f: Objective, z: Any, tol: float, limit: int) -> tuple[Any, Info]:
    """Newton's method with conjugate gradients and a line search that halves.

    J. Nocedal and S. Wright, Numerical Optimization, 2nd ed. 2006, algorithm 7.1. Where the
    gradient vanishes the curvature is looked at, and a saddle point is left along a direction in
    which it bends down.
    """
    eps = float(np.finfo(z.dtype).eps)
    rough, shorter = eps**0.5, np.inf
    y, g = f.both(z)
    first = float(np.linalg.norm(g))
    for steps in range(limit):
        size = float(np.linalg.norm(g))
        if not np.isfinite(size + y):
            raise not_converged("argmin", steps, np.nan, "a gradient", _STUCK)
        product = f.curvature(z)
        forcing = max(min(0.1, (size / first) ** 0.5 if first else 0.1), eps ** (2 / 3))
        p, bend = cg(product, -g, forcing, min(2 * len(z) + 10, 1000))
        near = _length(p) / _scale(z)
        if bend is not None and near <= tol and _is_rounding(product, g + product(p), z, tol):
            bend = None
        if bend is not None and not np.any(p):
            p = bend if g @ bend < 0 else -bend
            near = np.inf
        if bend is None and (near <= tol or (near <= rough and near > 0.7 * shorter)):
            if near <= tol:
                z = z + p
                y, g = f.both(z)
            p = _downwards(product, z)
            if p is None:
                return np.array(z), _info(steps + 1, g)
            bend, near = p, np.inf
        shorter = near if bend is None else np.inf
        moved = _search(f, z, y, g, p, bend is not None)
        if moved is None:
            if near > rough:
                raise not_converged("argmin", steps, _length(g), "a gradient", _STUCK)
            return np.array(z), _info(steps + 1, g)
        z, y, g = moved
    raise not_converged("argmin", limit, _length(g), "a gradient", _STUCK)


def _chance(z: Any) -> Any:
    """A vector that has parts in all directions."""
    return np.random.default_rng(0).standard_normal(len(z)).astype(z.dtype)


def _is_rounding(product: Callable[[Any], Any], g: Any, z: Any, tol: float) -> bool:
    """Whether a gradient is no more than what rounding of z makes of a curvature.

    So it is left over in the directions in which a function is flat, as one of more unknowns than
    it can tell apart.
    """
    v = _chance(z)
    curvature = float(np.linalg.norm(product(v)) / np.linalg.norm(v))
    return float(np.linalg.norm(g)) <= tol * curvature * _scale(z)


def _downwards(product: Callable[[Any], Any], z: Any) -> Any:
    """A direction in which the curvature is negative; None if none is found.

    Conjugate gradients meet it with a right-hand side that comes by chance.
    """
    chance = _chance(z)
    bend = cg(product, chance, 1e-3, min(2 * len(z) + 10, 1000))[1]
    if bend is None:
        return None
    bend = bend / np.linalg.norm(bend)
    quotient, size = float(bend @ product(bend)), float(np.linalg.norm(product(chance)))
    # Zero up to rounding is no way down; whether the minimum is isolated matters to derivatives.
    if not quotient < -(float(np.finfo(z.dtype).eps) ** 0.5) * size / len(z) ** 0.5:
        return None
    return bend * z.dtype.type(_scale(z))


def _search(f: Objective, z: Any, y: float, g: Any, p: Any, bends: bool) -> Any:
    """The first of ever shorter steps along p that makes f small enough; None if there is none.

    Along negative curvature at a gradient of zero, the second order decides.
    """
    slope = float(g @ p)
    slack = 10 * float(np.finfo(z.dtype).eps) * abs(y)  # what rounding may add
    factor = 1.0
    while factor > 1e-12:
        new = z + z.dtype.type(factor) * p
        y_new, g_new = f.both(new)
        if bends and slope >= 0:
            fine = y_new < y - slack
        else:
            fine = y_new <= y + 1e-4 * factor * slope + slack
        if fine and np.all(np.isfinite(g_new)):
            return new, y_new, g_new
        factor /= 2
    return None


def _bfgs(f: Objective, z: Any, tol: float, limit: int) -> tuple[Any, Info]:
    """The method of Broyden, Fletcher, Goldfarb and Shanno: Nocedal and Wright, algorithm 6.1."""
    n, rough, shorter = len(z), float(np.finfo(z.dtype).eps) ** 0.5, np.inf
    inverse, fresh = np.eye(n, dtype=z.dtype), True
    y, g = f.both(z)
    for steps in range(limit):
        if not np.isfinite(y + float(np.linalg.norm(g))):
            raise not_converged("argmin", steps, np.nan, "a gradient", _STUCK)
        p = -inverse @ g
        near = _length(p) / _scale(z)
        down = None
        if near <= tol or (near <= rough and near > 0.7 * shorter):
            down = _downwards(f.curvature(z), z)
            if down is None:
                return np.array(z), _info(steps, g)
            inverse, fresh, near = np.eye(n, dtype=z.dtype), True, np.inf
        shorter = near
        moved = _wolfe(f, z, y, g, p) if down is None else _search(f, z, y, g, down, True)
        if moved is None:
            if near > rough:
                raise not_converged("argmin", steps, _length(g), "a gradient", _STUCK)
            return np.array(z), _info(steps, g)
        new, y, g_new = moved
        s, d = new - z, g_new - g
        along = float(s @ d)
        if along > 0:
            if fresh:
                inverse = inverse * z.dtype.type(along / float(d @ d))
            fresh, u = False, inverse @ d
            # (I - s d^T / sd) H (I - d s^T / sd) + s s^T / sd, multiplied out
            inverse = inverse + (
                (1 + float(d @ u) / along) * np.outer(s, s) - np.outer(u, s) - np.outer(s, u)
            ).astype(z.dtype) / z.dtype.type(along)
        z, g = new, g_new
    raise not_converged("argmin", limit, _length(g), "a gradient", _STUCK)


def _wolfe(f: Objective, z: Any, y: float, g: Any, p: Any) -> Any:
    """A step that satisfies the weak Wolfe conditions, by bisection; None if there is none.

    A. Lewis and M. Overton, Nonsmooth optimization via quasi-Newton methods, 2013, algorithm 2.6.
    """
    slope, slack = float(g @ p), 10 * float(np.finfo(z.dtype).eps) * abs(y)
    low, high, factor = 0.0, np.inf, 1.0
    for _ in range(60):
        new = z + z.dtype.type(factor) * p
        y_new, g_new = f.both(new)
        if not y_new <= y + 1e-4 * factor * slope + slack:
            high = factor
        elif float(g_new @ p) < 0.9 * slope:
            low = factor
        else:
            return new, y_new, g_new
        factor = (low + high) / 2 if np.isfinite(high) else 2 * low
    return None


def _info(steps: int, g: Any) -> Info:
    return Info(np.int64(steps), np.float64(_length(g)))
