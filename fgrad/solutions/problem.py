"""What the solvers of this package share: unknowns, a function of them, and what it reads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..arrays import aval, is_a
from ..closures import Reader, example
from ..core import Tracer
from ..errors import ArgumentError, ConvergenceError, describe
from .equations import Equations, plain
from .systems import linear_solver
from .unknowns import Unknowns

Call = Callable[..., Any]


class Info(NamedTuple):
    """What a solver tells about its work.

    Attributes:
        steps: how many steps it took.
        residual: the largest part of the equation that is left, |F|.
    """

    steps: Any
    residual: Any


class Problem:
    """Unknowns z, and functions of z and further arguments that may read traced values.

    Attributes:
        unknowns: how z lies in a vector.
        start: the vector of the first guess, perhaps traced.
        reader: what the functions read of outer transformations.
    """

    def __init__(self, name: str, f: Call, z0: Any, args: tuple[Any, ...], settle: Any) -> None:
        check_function_of(name, f)
        self.name, self.args, self.reader = name, args, Reader(name, f"as in {name}(f, z0, a, b)")
        arguments = self.reader.value(args)

        def probe(z: Any) -> Any:
            return settle(f(z, *arguments(self.reader.examples())))

        self.unknowns = Unknowns(z0, name, "z0", probe)
        self.start = self.unknowns.vector
        self.front = np.array(example(self.start))

    def explicit(self, fn: Call, source: Call) -> Call:
        """``call(v, *values)`` of a function ``fn(v, *args)`` of the vector, made of a user's."""
        fn.__wrapped__ = source  # type: ignore[attr-defined]
        return self.reader.function(fn, self.args, self.front)

    def solved(
        self, run: Call, condition: Call, linear_solve: Any, symmetric: bool, full_output: bool
    ) -> Any:
        """The solution for the user.

        Args:
            run: ``run(start, values)`` of plain arrays: the vector and the `Info`.
            condition: ``condition(v, *values)``, F.
            linear_solve, full_output: the user's.
            symmetric: whether the Jacobian is symmetric and positive definite.
        """
        unknowns, values = self.unknowns, self.reader.values
        linear = linear_solver(self.name, linear_solve, unknowns.size, symmetric)
        if not values and not isinstance(self.start, Tracer):
            v, info = run(self.front, ())
            return (unknowns.finish(v), info) if full_output else unknowns.finish(v)

        def solve(start: Any, *xs: Any) -> Any:
            v, info = run(np.asarray(start), xs)
            return v, np.zeros(0, np.int64), np.int64(info.steps), np.float64(info.residual)

        def of_cases(z: Any, cases: Any, *xs: Any) -> Any:
            return condition(z, *xs)

        also = aval(np.int64(0)), aval(np.float64(0))
        equations = Equations(
            self.name, solve, of_cases, unknowns.size, unknowns.dtype, linear, also
        )
        v, _, steps, residual = equations.solved(self.start, values)
        z = unknowns.finish(v)
        return (z, Info(steps, residual)) if full_output else z


class At:
    """A function of a plain vector, at plain values."""

    def __init__(self, name: str, call: Call, values: Sequence[Any]) -> None:
        self.name, self.call, self.values = name, call, values

    def __call__(self, v: Any) -> Any:
        return plain(self.along(v), self.name)

    def along(self, v: Any) -> Any:
        """The function for transformations."""
        return self.call(v, *self.values)


def check_function_of(name: str, f: Any) -> None:
    """Refuse what is no function."""
    if not callable(f):
        raise ArgumentError(
            f"{name} wants a function.", describe(f), f"pass the function: {name}(f, ...)"
        )


def tolerance(name: str, tol: Any, dtype: Any) -> float:
    """A relative accuracy; by default three quarters of the digits."""
    if tol is None:
        return float(np.finfo(dtype).eps) ** 0.75
    if isinstance(tol, Tracer) or not is_a(tol, (int, float, np.number)) or not tol > 0:
        raise ArgumentError(
            f"{name} wants tol as a positive number.", describe(tol), "leave it away, or write 1e-8"
        )
    return float(tol)


def step_limit(name: str, limit: Any) -> int:
    """A number of steps."""
    if is_a(limit, bool) or not is_a(limit, (int, np.integer)) or limit < 1:
        raise ArgumentError(
            f"{name} wants max_steps as a number of steps, at least 1.",
            describe(limit),
            "write an integer such as 1000",
        )
    return int(limit)


def choice(name: str, method: Any, known: Sequence[str]) -> str:
    """The name of a method."""
    if method not in known:
        raise ArgumentError(
            f"{name} wants a method it knows.",
            describe(method),
            f"take one of {', '.join(known)}",
        )
    return str(method)


def not_converged(name: str, steps: int, size: float, what: str, to_do: str) -> ConvergenceError:
    """The error of a solver that has run out of steps, or out of numbers."""
    reason = "no finite number" if not np.isfinite(size) else f"{what} of {size:.2g}"
    return ConvergenceError(f"{name} wants to converge.", f"{reason} after {steps} steps", to_do)
