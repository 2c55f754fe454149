"""Solutions of equations, differentiated by the implicit function theorem.

Where F(z, theta) = 0 and its Jacobian J in z has an inverse, the solution moves with theta by
dz = -J^-1 dF/dtheta dtheta (A. Griewank and A. Walther, Evaluating Derivatives, 2nd ed. 2008,
section 15.1). What found z does not matter: no step of a solver is differentiated. The rules
compute with F alone, which is fgrad's to differentiate again, so they hold to any order. J is a
dense matrix: n unknowns take n^2 numbers and n^3 operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arrays import INEXACT, Aval, aval, shape_of
from .batch import vmap
from .closures import has_traced, loop
from .core import Params, Primitive, bind
from .derivatives import jvp, vjp
from .errors import ConvergenceError, TracerConversionError


def jacobian(f: Callable[..., Any], x: Any) -> Any:
    """The matrix of derivatives of a function from vectors to vectors, row by row.

    The function runs once, on one vector, so it may ask for values.
    """
    y, pullback = vjp(f, x)
    n = shape_of(y)[0]
    if n == 1:
        return np.reshape(pullback(np.ones(1))[0], (1, -1))
    if n == 0:
        return np.zeros((0, shape_of(x)[0]))
    return vmap(lambda g: pullback(g)[0])(np.eye(n))


@dataclass(frozen=True, eq=False, slots=True)
class Equations:
    """An equation, what solves it, and whose it is.

    Attributes:
        name: the solver's, for messages.
        solve: ``solve(start, *values)`` of plain arrays: the solution z, and an array of integers
            that says which of several equations hold (a bound that is active).
        condition: ``condition(z, cases, *values)``, F.
        size: the length of z.
    """

    name: str
    solve: Callable[..., tuple[Any, Any]]
    condition: Callable[..., Any]
    size: int

    def __repr__(self) -> str:
        return f"<{self.name} of {self.size} unknowns>"

    def solved(self, start: Any, values: Sequence[Any]) -> tuple[Any, Any]:
        """The solution and its cases; differentiable in the values, constant in the start."""
        z, cases = bind(_SOLUTION, (start, *values), {"equations": self})
        return z, cases


def _impl(start: Any, *values: Any, equations: Equations) -> tuple[Any, Any]:
    z, cases = equations.solve(start, *values)
    _check(equations, z, cases, values)
    return z, cases


#: How far Newton's next step may go, relative to the solution: beyond it there is none.
_FAR = 1e-3


def _check(e: Equations, z: Any, cases: Any, values: Any) -> None:
    """Refuse a point that solves nothing, or whose neighbours solve it too."""

    def f(x: Any) -> Any:
        return e.condition(x, cases, *values)

    if e.size == 0:
        return
    matrix = jacobian(f, z)
    if not np.all(np.isfinite(matrix)):
        raise ConvergenceError(
            f"{e.name} wants finite derivatives at the solution, to differentiate it.",
            "NaN or infinity among them",
            "start nearer to a solution, or keep it away from the edge of the domain",
        )
    if _singular(matrix):
        raise ConvergenceError(
            f"{e.name} wants a solution that is isolated, to differentiate it.",
            f"a singular Jacobian of {e.size} equations at the solution",
            "give the equations independent unknowns: leave out what has no effect, or add a "
            "small regularisation",
        )
    step = np.linalg.solve(matrix, f(z))
    if not np.max(np.abs(step)) <= _FAR * (1 + np.max(np.abs(z))):
        raise ConvergenceError(
            f"{e.name} wants to have found a solution, to differentiate it.",
            f"a point from which Newton's next step has the length {np.linalg.norm(step):.2g}",
            "start nearer to it with x0, take another method, or raise the limits in options",
        )


def _singular(matrix: Any) -> bool:
    """Whether a matrix is singular up to rounding, in any units of measurement."""
    balanced = _balanced(_balanced(matrix).T)
    try:
        inverse = np.linalg.inv(balanced)
    except np.linalg.LinAlgError:
        return True
    condition = np.linalg.norm(balanced, 1) * np.linalg.norm(inverse, 1)
    return not condition * len(matrix) * np.finfo(np.float64).eps < 0.1


def _balanced(matrix: Any) -> Any:
    """The matrix with rows of equal size."""
    scale = np.max(np.abs(matrix), axis=1)
    return matrix / np.where(scale == 0, 1.0, scale)[:, None]


def plain(y: Any, name: str) -> Any:
    """The value of a user's function inside a solver, which must not be traced there."""
    if has_traced(y):
        raise TracerConversionError(
            f"{name} wants a function that reads the same traced values in each call.",
            "a traced value in a later call, and none in the first",
            "pass the traced values through args=, which may be read or not",
        )
    return y


# ------------------------------------------------------------------ the rules
def _push(ans: Any, operands: Sequence[Any], tangents: Sequence[Any], params: Params) -> Any:
    e, (z, cases), values = params["equations"], ans, operands[1:]
    moving = [i for i, t in enumerate(tangents[1:]) if t is not None]
    if not moving:
        return None

    def of_values(*xs: Any) -> Any:
        return e.condition(z, cases, *_replaced(values, moving, xs))

    right = jvp(of_values, [values[i] for i in moving], [tangents[i + 1] for i in moving])[1]
    return -np.linalg.solve(jacobian(lambda x: e.condition(x, cases, *values), z), right), None


def _pull(
    active: Sequence[int], g: Any, ans: Any, operands: Sequence[Any], params: Params
) -> list[Any]:
    e, (z, cases), values = params["equations"], ans, operands[1:]
    moving = [i - 1 for i in active if i > 0 and aval(operands[i]).dtype.kind in INEXACT]
    if 0 not in g or not moving:
        return [None] * len(active)
    matrix = jacobian(lambda x: e.condition(x, cases, *values), z)
    adjoint = -np.linalg.solve(np.transpose(matrix), g[0])

    def of_values(*xs: Any) -> Any:
        return e.condition(z, cases, *_replaced(values, moving, xs))

    cts = dict(zip(moving, vjp(of_values, *(values[i] for i in moving))[1](adjoint), strict=True))
    return [cts.get(i - 1) for i in active]


def _replaced(values: Sequence[Any], places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    out = list(values)
    for i, x in zip(places, new, strict=True):
        out[i] = x
    return out


def _each(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> tuple[Any, ...]:
    """One solution for each element: solvers stop at different times."""
    e = params["equations"]
    outs = Aval((e.size,), np.dtype(np.float64)), Aval((e.size,), np.dtype(np.int64))
    return loop(lambda *operands: bind(p, operands, params), size, xs, batched, outs)


_SOLUTION = Primitive(
    name="solution", impl=_impl, jvp=_push, vjp=_pull, batch=_each,
    needs=lambda i, k: True, several=True,
)  # fmt: skip
