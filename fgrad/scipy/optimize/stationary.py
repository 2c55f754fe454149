"""The equations that a minimum solves: stationarity, with the bounds and constraints that hold.

At a minimum of f under lower <= x <= upper and lower <= c(x) <= upper, the gradient of
f + multipliers * c vanishes in each unknown that is not at a bound, and each constraint is either
met with equality or has the multiplier 0 (J. Nocedal and S. Wright, Numerical Optimization, 2nd ed.
2006, section 12.3). Which of them hold is decided at the solution and doesn't change with small
changes of what it depends on. Where it does, the minimum has a kink; what touches a bound there
counts as fixed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...derivatives import grad
from ...solutions import Equations, jacobian, linear_solver
from .problem import DENSE, Problem

Call = Callable[..., Any]


@dataclass(frozen=True, eq=False, slots=True)
class Limits:
    """``lower <= value(v, *values) <= upper``; the limits are found among the values."""

    value: Call
    limits: Callable[[Sequence[Any]], tuple[Any, Any]]
    #: Whether they have to hold on the way too.
    keep_feasible: Any = False


class Stationary:
    """The minimum of an objective as the solution of equations.

    The unknowns z are those of the objective, v, followed by a multiplier for each constraint.
    The cases say which equation each of them has: 0 for stationarity (or a multiplier of 0), -1 and
    1 for the lower and the upper limit.
    """

    def __init__(
        self,
        problem: Problem,
        objective: Call,
        bounds: Limits | None,
        constraints: Sequence[Limits],
    ) -> None:
        self.problem, self.objective, self.bounds = problem, objective, bounds
        self.constraints = constraints
        self.size = problem.packing.size

    # ------------------------------------------------------------------ the equations
    def _constraints(self, v: Any, values: Sequence[Any]) -> tuple[Any, Any, Any]:
        """All constraints as vectors: values, lower limits, upper limits."""
        parts = []
        for c in self.constraints:
            value = c.value(v, *values)
            low, high = (np.broadcast_to(x, np.shape(value)) for x in c.limits(values))
            parts.append((value, low, high))
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))  # type: ignore[return-value]

    def condition(self, z: Any, cases: Any, *values: Any) -> Any:
        """What is zero at the minimum."""
        n = self.size
        v = z[:n]

        def lagrangian(x: Any) -> Any:
            f = self.objective(x, *values)
            return f + z[n:] @ self._constraints(x, values)[0] if self.constraints else f

        out = grad(lagrangian)(v)
        if self.bounds is not None:
            out = at_limits(cases[:n], out, v, *self.bounds.limits(values))
        if not self.constraints:
            return out
        return np.concatenate([out, at_limits(cases[n:], z[n:], *self._constraints(v, values))])

    # ------------------------------------------------------------------ which of them hold
    def solution(self, v: Any, values: Sequence[Any]) -> tuple[Any, Any]:
        """The unknowns and the cases at a minimum that was found, all plain."""
        n = self.size
        slope = grad(lambda x: self.objective(x, *values))(v)
        cases = np.zeros(n, np.int64)
        fixed: Any = np.False_
        if self.bounds is not None:
            lower, upper = self.bounds.limits(values)
            cases, fixed = touching(v, lower, upper), np.equal(lower, upper)
        if not self.constraints:
            # Where the objective falls towards the inside, the solver has merely stopped short.
            return v, np.where((cases * slope > 0) & ~fixed, 0, cases)
        value, low, high = self._constraints(v, values)
        matrix = jacobian(lambda x: self._constraints(x, values)[0], v)
        active = touching(value, low, high)
        free = cases == 0
        multipliers = np.zeros(len(value))
        for _ in range(len(value) + 1):
            some = active != 0
            multipliers[:] = 0
            multipliers[some] = np.linalg.lstsq(matrix[some][:, free].T, -slope[free], rcond=None)[
                0
            ]
            wrong = (active * multipliers < 0) & (low != high)
            if not np.any(wrong):
                break
            active[np.argmin(np.where(wrong, active * multipliers, 0.0))] = 0
        total = slope + multipliers @ matrix
        cases = np.where((cases * total > 0) & ~fixed, 0, cases)
        return np.concatenate([v, multipliers]), np.concatenate([cases, active])

    def solved(self, run: Call) -> Any:
        """The minimum that `run` finds, differentiable in the traced values."""
        problem = self.problem

        def solve(start: Any, *values: Any) -> Any:
            return self.solution(np.asarray(run(start, *values).x, np.float64), values)

        size = self.size
        if self.constraints:
            values = [np.asarray(x) for x in problem.reader.examples()]
            size += len(self._constraints(problem.front, values)[0])
        symmetric = self.bounds is None and not self.constraints
        linear = linear_solver(problem.name, None, size, symmetric, DENSE)
        equations = Equations(problem.name, solve, self.condition, size, linear=linear)
        return equations.solved(problem.start, problem.reader.values)[0][: self.size]


def touching(value: Any, low: Any, high: Any, near: float = 1e-6) -> Any:
    """-1 where a value is at its lower limit, 1 where it is at its upper one, else 0.

    It is at a limit if it is `near` to it, relative to its size.
    """
    value, low, high = np.broadcast_arrays(value, low, high)
    near = near * (1 + np.abs(value))
    return np.where(value - low <= near, -1, np.where(high - value <= near, 1, 0))


def at_limits(cases: Any, free: Any, value: Any, low: Any, high: Any) -> Any:
    """What is zero: `free` in the case 0, else the distance to a limit."""
    limit = np.where(np.less(cases, 0), low, np.where(np.greater(cases, 0), high, 0.0))
    return np.where(np.equal(cases, 0), free, value - limit)
