"""`fixed_point`: z = f(z), by iteration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..arrays import is_a
from ..errors import ArgumentError, describe
from ..tracebacks import boundary
from .problem import At, Info, Problem, not_converged, step_limit, tolerance


@boundary
def fixed_point(
    f: Callable[..., Any],
    z0: Any,
    *args: Any,
    tol: float | None = None,
    max_steps: int = 1000,
    anderson: int = 0,
    linear_solve: Any = None,
    full_output: bool = False,
) -> Any:
    """Find z with z = f(z, ...) by iteration; it can be differentiated in both modes.

    The derivative is that of the fixed point, by the implicit function theorem: the steps are not
    differentiated, nothing of them is kept, and their number has no effect on it.

    >>> import numpy as np, fgrad
    >>> square_root = lambda a: fgrad.fixed_point(lambda z, a: (z + a / z) / 2, 1.0, a)
    >>> square_root(4.0), round(fgrad.grad(square_root)(4.0), 12)
    (2.0, 0.25)
    >>> slow = lambda z: np.cos(0.98 * z)
    >>> for m in (0, 2):
    ...     z, info = fgrad.fixed_point(slow, 0.0, anderson=m, full_output=True)
    ...     print(f"{info.steps} steps to {z:.9f}")
    63 steps to 0.745065137
    8 steps to 0.745065137

    Args:
        f: ``f(z, *args)`` returns a pytree like z, of the same shapes and dtypes. It may close
            over traced values.
        z0: where to begin, a pytree of arrays, which decides the dtypes; a Python number takes that
            of f's result. The derivative in it is 0.
        args: further arguments of `f`, pytrees.
        tol: the solution is one if no number of f(z) is further from that of z than
            ``tol * (1 + max(abs(z)))``. By default 1.8e-12, in single precision 6.4e-6.
        max_steps: the greatest number of calls of `f`.
        anderson: of how many steps Anderson's acceleration makes use; 0 for none (H. Walker and
            P. Ni, Anderson acceleration for fixed-point iterations, 2011). 5 is often good.
        linear_solve: as in `implicit`.
        full_output: return the pair (z, `Info`).

    Returns:
        f(z) for the last z, like `z0`.

    Raises:
        ConvergenceError: there is no fixed point after `max_steps`; or it is to be differentiated
            and isn't isolated.
        TreeError, ShapeError, DtypeError: the result of `f` isn't like `z0`.
        TracerConversionError: `f` closes over traced values and asks for them; pass them in `args`.
    """
    problem = Problem("fixed_point", f, z0, args, lambda out: out)
    unknowns = problem.unknowns
    rtol, limit = (
        tolerance("fixed_point", tol, unknowns.dtype),
        step_limit("fixed_point", max_steps),
    )
    if is_a(anderson, bool) or not is_a(anderson, (int, np.integer)) or anderson < 0:
        raise ArgumentError(
            "fixed_point wants anderson as a number of steps.",
            describe(anderson),
            "write 5, or leave it away for the plain iteration",
        )
    call = problem.explicit(lambda v, *xs: unknowns.pack(f(unknowns.unpack(v), *xs), f), f)

    def run(start: Any, values: Any) -> tuple[Any, Info]:
        return _iterate(At("fixed_point", call, values), start, rtol, limit, int(anderson))

    def condition(v: Any, *values: Any) -> Any:
        return call(v, *values) - v

    return problem.solved(run, condition, linear_solve, False, full_output)


def _iterate(g: At, z: Any, tol: float, limit: int, memory: int) -> tuple[Any, Info]:
    """Picard's iteration, or Anderson's of type II (Walker and Ni, section 2)."""
    moves: list[Any] = []  # differences of residuals and of values, of the last steps
    changes: list[Any] = []
    before: tuple[Any, Any] | None = None
    size = np.inf
    for step in range(1, limit + 1):
        y = g(z)
        r = y - z
        size = float(np.max(np.abs(r), initial=0.0))
        if size <= tol * (1 + float(np.max(np.abs(z), initial=0.0))):
            return np.array(y), Info(np.int64(step), np.float64(size))
        if not np.isfinite(size):
            break
        if memory and before is not None:
            moves, changes = [*moves, r - before[0]][-memory:], [*changes, y - before[1]][-memory:]
        before = r, y
        if moves:
            weights = np.linalg.lstsq(np.stack(moves, axis=1), r, rcond=None)[0]
            y = y - weights @ np.stack(changes)
        z = y
    raise not_converged(
        "fixed_point", step, size, "a step",
        "begin nearer to the fixed point, raise max_steps or tol, or take anderson=5; "
        "f should bring points nearer to each other",
    )  # fmt: skip
