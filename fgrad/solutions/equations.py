"""Solutions of equations, differentiated by the implicit function theorem.

Where F(z, theta) = 0 and its Jacobian J in z has an inverse, the solution moves with theta by
dz = -J^-1 dF/dtheta dtheta (A. Griewank and A. Walther, Evaluating Derivatives, 2nd ed. 2008,
section 15.1). What found z does not matter: no step of a solver is differentiated. The rules
compute with F alone, which is fgrad's to differentiate again, so they hold to any order. J is a
dense matrix, of n^2 numbers and n^3 operations for n unknowns; or only its products with vectors
are computed, and an iteration solves the system.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import INEXACT, Aval, aval, shape_of
from ..batch import BatchTracer, vmap
from ..closures import has_traced, loop
from ..core import Params, Primitive, Tracer, bind
from ..derivatives import jvp, vjp
from ..errors import ConvergenceError, TracerConversionError
from ..linearization import linearize
from .systems import System, replaced


def jacobian(f: Callable[..., Any], x: Any) -> Any:
    """The matrix of derivatives of a function from vectors to vectors, row by row.

    The function runs once, on one vector, so it may ask for values.
    """
    y, pullback = vjp(f, x)
    n = shape_of(y)[0]
    if n == 1:
        return np.reshape(pullback(np.ones(1, y.dtype))[0], (1, -1))
    if n == 0:
        return np.zeros((0, shape_of(x)[0]), y.dtype)
    return vmap(lambda g: pullback(g)[0])(np.eye(n, dtype=y.dtype))


_DOUBLE = np.dtype(np.float64)


@dataclass(frozen=True, eq=False, slots=True)
class Equations:
    """An equation, what solves it, and whose it is.

    Attributes:
        name: the solver's, for messages.
        solve: ``solve(start, *values)`` of plain arrays: the solution z, an array of integers
            that says which of several equations hold (a bound that is active), and what else the
            solver tells, arrays without derivatives.
        condition: ``condition(z, cases, *values)``, F.
        size: the length of z.
        dtype: that of z.
        linear: what solves linear systems with the Jacobian (see `systems`); None for the matrix.
        also: the shapes and dtypes of what else the solver tells.
        tested: whether the solution and its Jacobian are to be tested.
    """

    name: str
    solve: Callable[..., tuple[Any, ...]]
    condition: Callable[..., Any]
    size: int
    dtype: Any = _DOUBLE
    linear: Any = None
    also: tuple[Aval, ...] = ()
    tested: bool = True

    def __repr__(self) -> str:
        return f"<{self.name} of {self.size} unknowns>"

    def solved(self, start: Any, values: Sequence[Any]) -> tuple[Any, ...]:
        """The solution, its cases, and the rest; differentiable in the values alone."""
        operands = (start, *values)
        differentiable = any(map(_may_be_differentiated, operands))
        params = {"equations": self, "tested": self.tested and differentiable}
        return tuple(bind(_SOLUTION, operands, params))

    def along(self, cases: Any, values: Sequence[Any]) -> Callable[[Any], Any]:
        """F as a function of z alone."""
        return lambda z: self.condition(z, cases, *values)

    def plain(self, x: Any, y: Any) -> Any:
        """A product y of x, which is plain if x is: a user's solver may differentiate in x."""
        return y if isinstance(x, Tracer) else plain(y, self.name)

    def system(self) -> System:
        """The linear system with the Jacobian, of the values z, cases and values."""

        def apply(x: Any, z: Any, cases: Any, *values: Any) -> Any:
            return jvp(self.along(cases, values), (z,), (x,))[1]

        def turned(x: Any, z: Any, cases: Any, *values: Any) -> Any:
            return vjp(self.along(cases, values), z)[1](x)[0]

        def product(xs: Sequence[Any], is_turned: bool) -> Callable[[Any], Any]:
            z, cases, *values = xs
            f = self.along(cases, values)
            if is_turned:
                pullback = vjp(f, z)[1]
                return lambda x: self.plain(x, pullback(x)[0])
            push = linearize(f, z)[1]
            return lambda x: self.plain(x, push(x))

        return System(apply, turned, product, self.linear)


def _may_be_differentiated(x: Any) -> bool:
    """Whether any transformation but vmap is at work on a value."""
    while isinstance(x, Tracer):
        if not isinstance(x, BatchTracer):
            return True
        x = x.value
    return False


def _impl(start: Any, *values: Any, equations: Equations, tested: bool) -> tuple[Any, ...]:
    z, cases, *rest = equations.solve(start, *values)
    if tested and equations.size:
        with np.errstate(all="ignore"):  # what is not finite is refused
            check_solution(equations, z, cases, values)
    return (z, cases, *rest)


#: How far Newton's next step may go, relative to the solution: beyond it there is none.
_FAR = 1e-3


def check_solution(e: Equations, z: Any, cases: Any, values: Any) -> None:
    """Refuse a point that solves nothing, or whose neighbours solve it too."""
    f = e.along(cases, values)
    if e.linear is None:
        matrix = jacobian(f, z)
        _check_finite(e, matrix)
        if _singular(matrix):
            raise ConvergenceError(
                f"{e.name} wants a solution that is isolated, to differentiate it.",
                f"a singular Jacobian of {e.size} equations at the solution",
                "give the equations independent unknowns: leave out what has no effect, or add a "
                "small regularisation",
            )
        step = np.linalg.solve(matrix, f(z))
    else:
        product, residual = e.system().product((z, cases, *values), False), f(z)
        # A singular matrix has no solution for a right-hand side that comes by chance: of that a
        # part of about 1 / sqrt(n) lies outside of its range.
        chance = np.random.default_rng(0).standard_normal(e.size).astype(e.dtype)
        _check_finite(e, product(chance))
        _check_finite(e, residual)
        e.linear(product, chance, False, 0.01 / e.size**0.5)
        step = e.linear(product, residual, False, 0.1)
    if not np.max(np.abs(step)) <= _FAR * (1 + np.max(np.abs(z))):
        raise ConvergenceError(
            f"{e.name} wants to have found a solution, to differentiate it.",
            f"a point from which Newton's next step has the length {np.linalg.norm(step):.2g}",
            "start nearer to it, take another method, or raise the accuracy and the limits in "
            "its options",
        )


def _check_finite(e: Equations, x: Any) -> None:
    if not np.all(np.isfinite(x)):
        raise ConvergenceError(
            f"{e.name} wants finite derivatives at the solution, to differentiate it.",
            "NaN or infinity among them",
            "start nearer to a solution, or keep it away from the edge of the domain",
        )


def _singular(matrix: Any) -> bool:
    """Whether a matrix is singular up to rounding, in any units of measurement."""
    balanced = _balanced(_balanced(matrix).T)
    try:
        inverse = np.linalg.inv(balanced)
    except np.linalg.LinAlgError:
        return True
    condition = np.linalg.norm(balanced, 1) * np.linalg.norm(inverse, 1)
    # Beyond, a solution has two digits at most; of singular matrices it is 2 or more.
    return not condition * np.finfo(matrix.dtype).eps < 0.01


def _balanced(matrix: Any) -> Any:
    """The matrix with rows of equal size."""
    scale = np.max(np.abs(matrix), axis=1)
    return matrix / np.where(scale == 0, 1.0, scale).astype(matrix.dtype)[:, None]


def plain(y: Any, name: str) -> Any:
    """The value of a user's function inside a solver, which must not be traced there."""
    if has_traced(y):
        raise TracerConversionError(
            f"{name} wants a function that reads the same traced values in each call.",
            "a traced value in a later call, and none in the first",
            "pass the traced values as arguments of the function, which may be read or not",
        )
    return y


# ------------------------------------------------------------------ the rules
def _push(ans: Any, operands: Sequence[Any], tangents: Sequence[Any], params: Params) -> Any:
    e, (z, cases, *rest), values = params["equations"], ans, operands[1:]
    moving = [i for i, t in enumerate(tangents[1:]) if t is not None]
    if not moving:
        return None

    def of_values(*xs: Any) -> Any:
        return e.condition(z, cases, *replaced(values, moving, xs))

    right = jvp(of_values, [values[i] for i in moving], [tangents[i + 1] for i in moving])[1]
    if e.linear is None:
        t = np.linalg.solve(jacobian(e.along(cases, values), z), right)
    else:
        t = e.system()(right, (z, cases, *values))
    return (-t, None, *(None for _ in rest))


def _pull(
    active: Sequence[int], g: Any, ans: Any, operands: Sequence[Any], params: Params
) -> list[Any]:
    e, (z, cases, *_), values = params["equations"], ans, operands[1:]
    moving = [i - 1 for i in active if i > 0 and aval(operands[i]).dtype.kind in INEXACT]
    if 0 not in g or not moving:
        return [None] * len(active)
    if e.linear is None:
        matrix = jacobian(e.along(cases, values), z)
        adjoint = np.linalg.solve(np.transpose(matrix), g[0])
    else:
        adjoint = e.system().transposed()(g[0], (z, cases, *values))

    def of_values(*xs: Any) -> Any:
        return e.condition(z, cases, *replaced(values, moving, xs))

    cts = dict(zip(moving, vjp(of_values, *(values[i] for i in moving))[1](-adjoint), strict=True))
    return [cts.get(i - 1) for i in active]


def _each(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> tuple[Any, ...]:
    """One solution for each element: solvers stop at different times."""
    e = params["equations"]
    outs = Aval((e.size,), e.dtype), Aval((e.size,), np.dtype(np.int64)), *e.also
    return loop(lambda *operands: bind(p, operands, params), size, xs, batched, outs)


_SOLUTION = Primitive(
    name="solution", impl=_impl, jvp=_push, vjp=_pull, batch=_each,
    needs=lambda i, k: True, several=True,
)  # fmt: skip
