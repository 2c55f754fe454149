"""Bounds and constraints, in all the forms that SciPy takes, as limits of vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize

from ... import tree
from ...arrays import shape_of
from ...core import Tracer
from ...derivatives import grad
from ...errors import ArgumentError, ShapeError, describe
from ...packing import Packing, array_like
from ...solutions import jacobian
from .problem import Derivatives, Problem
from .stationary import Limits


def _vector(x: Any, problem: Problem) -> Any:
    """One limit for all unknowns, from a pytree prefix of them, as a vector."""
    packing = problem.packing
    x = array_like(x)
    leaves = tree.broadcast_prefix(x, tree.unflatten(packing.structure, range(len(packing.shapes))))
    parts = []
    for given, shape in zip(leaves, packing.shapes, strict=True):
        leaf: Any = given if isinstance(given, Tracer) else np.asarray(given, np.float64)
        try:
            whole = np.broadcast_to(leaf, shape)
        except ValueError:
            raise ShapeError(
                f"{problem.name} wants bounds that fit the unknowns, {describe_shape(shape)}.",
                describe(leaf),
                "give a number, or an array of that shape",
            ) from None
        parts.append(np.reshape(whole, (-1,)).astype(np.float64))
    return np.concatenate(parts) if len(parts) > 1 else parts[0]


def describe_shape(shape: tuple[int, ...]) -> str:
    """``a number``, or ``an array of shape (3,)``."""
    return f"an array of shape {shape}" if shape else "a number"


def bounds_of(problem: Problem, bounds: Any, pairs: bool) -> Limits | None:
    """Bounds of the unknowns.

    Args:
        problem: what the unknowns are.
        bounds: None; SciPy's `Bounds`; with `pairs`, for an array a pair for each element; else a
            pair (lower, upper) of pytree prefixes of the unknowns. None is no limit.
        pairs: whether the bounds of an array come as pairs.
    """
    if bounds is None:
        return None
    if any(d.kind == "c" for d in problem.packing.dtypes):
        raise ArgumentError(
            f"{problem.name} wants bounds of real unknowns.",
            "complex unknowns in x0",
            "pass their real and imaginary parts as unknowns of their own",
        )
    if isinstance(bounds, optimize.Bounds):
        low, high = bounds.lb, bounds.ub
    elif pairs and problem.packing.structure.is_leaf():
        rows = [tuple(row) for row in bounds]
        if len(rows) != problem.packing.size or any(len(row) != 2 for row in rows):
            raise ShapeError(
                f"{problem.name} wants bounds as a pair (lower, upper) for each element of x0.",
                f"{len(rows)} of them, for {problem.packing.size} elements",
                "write bounds=[(0, 1)] * x0.size, or scipy.optimize.Bounds(0, 1)",
            )
        low, high = (np.reshape(array_like([row[k] if row[k] is not None else end for row in rows]),
                                problem.packing.shapes[0])
                     for k, end in ((0, -np.inf), (1, np.inf)))  # fmt: skip
    else:
        if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
            raise ArgumentError(
                f"{problem.name} wants bounds as a pair (lower, upper).",
                describe(bounds),
                "give two pytrees like x0, or two numbers",
            )
        low, high = bounds
        low, high = -np.inf if low is None else low, np.inf if high is None else high
    vectors = (_vector(low, problem), _vector(high, problem))
    keep = getattr(bounds, "keep_feasible", False)
    return Limits(lambda v, *values: v, problem.reader.value(vectors), keep)


@dataclass(frozen=True, eq=False, slots=True)
class Constraint:
    """A constraint: as limits, and for SciPy."""

    limits: Limits
    #: "eq" or "ineq" of SciPy's dicts; None for a constraint with two limits.
    kind: str | None

    def for_scipy(self, values: Sequence[Any], method: Any) -> Any:
        """The form that a method of SciPy's takes, for plain values."""
        f = Derivatives("minimize", self.limits.value, values)
        trust = isinstance(method, str) and method.lower() == "trust-constr"
        if self.kind is not None and not trust:
            return {"type": self.kind, "fun": f, "jac": f.jacobian}
        low, high = map(np.asarray, self.limits.limits(values))

        def hessian(v: Any, weights: Any) -> Any:
            def weighted(x: Any) -> Any:
                return np.asarray(weights) @ self.limits.value(x, *values)

            return jacobian(grad(weighted), v)

        more = {"hess": hessian, "keep_feasible": self.limits.keep_feasible} if trust else {}
        return optimize.NonlinearConstraint(f, low, high, jac=f.jacobian, **more)


def constraints_of(problem: Problem, constraints: Any) -> list[Constraint]:
    """Constraints, from one of SciPy's or a sequence of them."""
    single = isinstance(
        constraints, (dict, optimize.NonlinearConstraint, optimize.LinearConstraint)
    )
    return [_constraint(problem, c) for c in ([constraints] if single else list(constraints or ()))]


def _constraint(problem: Problem, c: Any) -> Constraint:
    packing, name = problem.packing, "constraints"
    if isinstance(c, optimize.LinearConstraint):
        matrix = c.A.toarray() if hasattr(c.A, "toarray") else np.atleast_2d(c.A)
        value = problem.explicit(lambda v: matrix @ v, ())
        return Constraint(Limits(value, problem.reader.value((c.lb, c.ub)), c.keep_feasible), None)
    args: Any = ()
    keep: Any = False
    kind = None
    if isinstance(c, optimize.NonlinearConstraint):
        fun, low, high, keep = c.fun, c.lb, c.ub, c.keep_feasible
    elif isinstance(c, dict) and callable(c.get("fun")) and c.get("type") in ("eq", "ineq"):
        fun, args, kind = c["fun"], c.get("args", ()), c["type"]
        low, high = 0.0, np.inf if kind == "ineq" else 0.0
    else:
        raise ArgumentError(
            f"{problem.name} wants constraints in one of SciPy's forms.",
            describe(c),
            "write {'type': 'ineq', 'fun': g} for g(x) >= 0, or scipy.optimize.NonlinearConstraint",
        )

    def residual(v: Any, *more: Any) -> Any:
        out = array_like(fun(packing.unpack(v), *more))
        return Packing(out, problem.name, f"the result of {name}").vector

    value = problem.explicit(residual, args if isinstance(args, tuple) else (args,))
    low, high = (
        x if isinstance(x, Tracer) or shape_of(x) == () else np.ravel(x) for x in (low, high)
    )
    return Constraint(Limits(value, problem.reader.value((low, high)), keep), kind)
