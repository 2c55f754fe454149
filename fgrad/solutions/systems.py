"""Linear systems that are solved by products with their matrix, differentiable to any order.

The solution of A x = b moves by A dx = db - dA x; a cotangent g of x goes back through the
transposed system, A^T c = g, to c for b and to -c x^T for A. What solves the system is the same for
all of them, and each solution is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..arrays import INEXACT, aval, shape_of
from ..closures import has_traced, loop
from ..core import Params, Primitive, Tracer, bind
from ..derivatives import jvp, vjp
from ..errors import ArgumentError, ConvergenceError, ShapeError, describe, name_of
from .krylov import cg, gmres

Call = Callable[..., Any]

#: Up to how many unknowns a system is solved by its matrix, if nothing is said.
DENSE = 500

#: After how many products an iteration gives up, at the latest.
LIMIT = 10_000


# ------------------------------------------------------------------ what solves
@dataclass(frozen=True, slots=True)
class Iterative:
    """CG or GMRES, to about two thirds of the digits.

    Rounding may keep a residual from becoming as small; half of the digits is enough for it.
    """

    method: str

    def __call__(self, product: Call, b: Any, is_turned: bool, rtol: float | None = None) -> Any:
        """The solution of a plain system, to ``rtol`` if that is given."""
        eps = float(np.finfo(b.dtype).eps)
        wanted, enough = (eps ** (2 / 3), eps**0.5) if rtol is None else (rtol, rtol)
        limit, bend = min(10 * len(b), LIMIT), None
        with np.errstate(all="ignore"):
            if self.method == "cg":
                x, bend = cg(product, b, wanted, limit)
            else:
                x = gmres(product, b, wanted, limit)
            relative = _residual(product, x, b)
        if bend is not None and not relative <= enough:
            raise ConvergenceError(
                "cg wants a matrix that is symmetric and positive definite, to differentiate a "
                "solution.",
                "a direction in which it is not",
                'take linear_solve="gmres" or "dense"; a Hessian is positive definite at a minimum '
                "that is isolated",
            )
        if not relative <= enough:
            raise ConvergenceError(
                f"{self.method} wants to converge, to differentiate a solution.",
                f"a residual of {relative:.2g} after at most {limit} products with the Jacobian of "
                f"{len(b)} equations, which may be singular",
                'take linear_solve="dense", which fgrad.implicit and its like have, or a function '
                "solve(matvec, b) with a preconditioner; give the equations isolated solutions",
            )
        return x


@dataclass(frozen=True, slots=True)
class Given:
    """A solver of the user's: ``solve(matvec, b, is_turned)`` of plain vectors."""

    solve: Call
    source: Call
    transposed_source: Call

    def __call__(self, product: Call, b: Any, is_turned: bool, rtol: float | None = None) -> Any:
        """The solution of a plain system."""
        source = self.transposed_source if is_turned else self.source
        x = self.solve(product, b.copy(), is_turned)
        if has_traced(x) or shape_of(x) != b.shape:
            raise ShapeError(
                f"A solver of linear systems wants to return a vector like b, {describe(b)}; "
                f"{name_of(source)} does not.",
                describe(x),
                "return the solution alone, as an array",
            )
        x = np.asarray(x, b.dtype)
        check_residual(product, x, b, source, is_turned)
        return x


def _residual(product: Call, x: Any, b: Any) -> float:
    size = float(np.linalg.norm(b))
    return float(np.linalg.norm(product(x) - b)) / size if size else float(np.linalg.norm(x))


def check_residual(product: Call, x: Any, b: Any, source: Call, is_turned: bool) -> None:
    """Refuse what a user's function took for the solution of a system."""
    relative, enough = _residual(product, x, b), max(1e-4, float(np.finfo(b.dtype).eps) ** 0.5)
    if not relative <= enough:
        what, more = "system, A x = b", ""
        if is_turned:
            what, more = (
                "transposed system, A^T x = b",
                ("; use the product that it is called with, or pass transpose_solve"),
            )
        raise ConvergenceError(
            f"{name_of(source)} wants to solve a {what}, to differentiate a solution.",
            f"a residual of {relative:.2g}, relative to b",
            "raise its accuracy or its number of iterations" + more,
        )


def _on_vectors(linear_solve: Call) -> Call:
    """A user's ``solve(matvec, b)``; SciPy's operators multiply with integers, and columns, too."""

    def solve(product: Call, b: Any, is_turned: bool) -> Any:
        def matvec(x: Any) -> Any:
            if not isinstance(x, Tracer):
                x = np.asarray(x, b.dtype)
            return product(np.reshape(x, (-1,)))

        return linear_solve(matvec, b)

    return solve


def linear_solver(
    name: str, linear_solve: Any, size: int, symmetric: bool = False, dense: int = DENSE
) -> Any:
    """What solves linear systems of so many unknowns: None for a matrix, up to ``dense``."""
    iterative = Iterative("cg" if symmetric else "gmres")
    if linear_solve is None:
        return None if size <= dense else iterative
    if callable(linear_solve):
        return Given(_on_vectors(linear_solve), linear_solve, linear_solve)
    known = {
        "dense": None, "iterative": iterative, "cg": Iterative("cg"), "gmres": Iterative("gmres"),
    }  # fmt: skip
    if not isinstance(linear_solve, str) or linear_solve not in known:
        raise ArgumentError(
            f'{name} wants linear_solve as one of "dense", "iterative", "cg" and "gmres", or as a '
            "function solve(matvec, b).",
            describe(linear_solve),
            f"leave it away: a matrix up to {DENSE} unknowns, an iteration beyond",
        )
    return known[linear_solve]


# ------------------------------------------------------------------ the primitive
@dataclass(frozen=True, eq=False, slots=True)
class System:
    """A linear system.

    Attributes:
        apply: ``apply(x, *values)``, A x.
        turned: ``turned(x, *values)``, A^T x.
        product: ``product(values, is_turned)``, a function of a plain vector for one of the two.
        solve: ``solve(product, b, is_turned)`` of plain vectors.
        is_turned: whether this is the transposed system.
    """

    apply: Call
    turned: Call
    product: Call
    solve: Call
    is_turned: bool = False

    def __repr__(self) -> str:
        return "<transposed Jacobian>" if self.is_turned else "<Jacobian>"

    def transposed(self) -> System:
        """The system with A^T."""
        return System(self.turned, self.apply, self.product, self.solve, not self.is_turned)

    def __call__(self, b: Any, values: Sequence[Any]) -> Any:
        """The solution, differentiable in b and in the values."""
        return bind(_SYSTEM, (b, *values), {"system": self})


def _impl(b: Any, *values: Any, system: System) -> Any:
    return system.solve(system.product(values, system.is_turned), b, system.is_turned)


def _of_values(system: System, x: Any, values: Sequence[Any], moving: Sequence[int]) -> Call:
    """A x, as a function of the values that move."""
    return lambda *new: system.apply(x, *replaced(values, moving, new))


def replaced(values: Sequence[Any], places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    """The values with new ones in some places."""
    out = list(values)
    for i, x in zip(places, new, strict=True):
        out[i] = x
    return out


def _push(ans: Any, operands: Sequence[Any], tangents: Sequence[Any], params: Params) -> Any:
    system, (_, *values), (right, *rest) = params["system"], operands, tangents
    moving = [i for i, t in enumerate(rest) if t is not None]
    if moving:
        product = _of_values(system, ans, values, moving)
        t = jvp(product, [values[i] for i in moving], [rest[i] for i in moving])[1]
        right = -t if right is None else right - t
    return None if right is None else system(right, values)


def _pull(
    active: Sequence[int], g: Any, ans: Any, operands: Sequence[Any], params: Params
) -> list[Any]:
    system, (_, *values) = params["system"], operands
    moving = [i - 1 for i in active if i > 0 and aval(operands[i]).dtype.kind in INEXACT]
    c = system.transposed()(g, values)
    cts: dict[int, Any] = {0: c}
    if moving:
        product = _of_values(system, ans, values, moving)
        found = vjp(product, *(values[i] for i in moving))[1](-c)
        cts.update(zip((i + 1 for i in moving), found, strict=True))
    return [cts.get(i) for i in active]


def _each(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    """One solution for each element: each takes as many products as it needs."""
    system, (b, *values) = params["system"], xs
    if size and not any(batched[1:]) and not any(isinstance(x, Tracer) for x in xs):
        product = system.product(values, system.is_turned)
        return np.stack([system.solve(product, row, system.is_turned) for row in b])
    b = aval(b)
    like = type(b)(b.shape[1:] if batched[0] else b.shape, b.dtype)
    return loop(lambda *operands: (bind(p, operands, params),), size, xs, batched, [like])[0]


_SYSTEM = Primitive(
    name="linear_system", impl=_impl, jvp=_push, vjp=_pull, batch=_each, needs=lambda i, k: True
)
