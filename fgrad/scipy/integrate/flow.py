"""The flow of a differential equation, as one operation with rules of its own.

Forward mode is exact: the variational equation w' = (df/dy) w + (df/dp) p' is integrated together
with the state, so the tangent is that of what the equation defines, at the solver's tolerances.
Reverse mode integrates the adjoint a' = -(df/dy)^T a backwards from each output to the one before,
together with the integral of (df/dp)^T a (L. Pontryagin et al., The Mathematical Theory of Optimal
Processes, 1962; R. Chen, Y. Rubanova, J. Bettencourt and D. Duvenaud, Neural ordinary differential
equations, 2018, appendices B and C).

The adjoint needs the state on the way. That is not integrated backwards with it, as Chen et al. do:
what decays forwards explodes backwards, and the gradient would be wrong. It is integrated forwards
once more, from the output before, and interpolated (`sweeps`). Nothing is kept of the solver's
steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...arrays import INEXACT, Aval, aval, shape_of
from ...closures import loop
from ...core import Params, Primitive, bind
from ...derivatives import jvp, vjp
from .sweeps import Solver, Stage, Sweeps, packing_of, replaced

Call = Callable[..., Any]


@dataclass(frozen=True, eq=False, slots=True)
class Flow:
    """A differential equation, and what solves it.

    Attributes:
        name: the solver's, for messages.
        slope: ``slope(t, y, *values)``, the derivative of the vector y.
        solver: what integrates it.
        own: whether the equation is the user's own, and not one for derivatives.
    """

    name: str
    slope: Call
    solver: Solver
    own: bool = False

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __call__(self, y: Any, ts: Any, values: Sequence[Any]) -> Any:
        """The states at the times, shape (T, n); differentiable in everything."""
        return bind(_FLOW, (y, ts, *values), {"flow": self})

    def slopes(self, ts: Any, states: Any, values: Sequence[Any]) -> list[Any]:
        """The derivatives at the outputs."""
        return [self.slope(ts[i], states[i], *values) for i in range(shape_of(ts)[0])]


def _impl(y: Any, ts: Any, *values: Any, flow: Flow) -> Any:
    y, ts = np.asarray(y), np.asarray(ts)
    new = np.concatenate([[True], ts[1:] != ts[:-1]])
    if np.count_nonzero(new) == 1:
        return np.tile(y, (len(ts), 1))
    states = flow.solver.solve(lambda t, x: flow.slope(t, x, *values), y, ts[new], flow.own)
    return states[np.cumsum(new) - 1]


def _push(ans: Any, operands: Sequence[Any], tangents: Sequence[Any], params: Params) -> Any:
    flow, (y, ts, *values), (t_y, t_ts, *rest) = params["flow"], operands, tangents
    n, count = shape_of(y)[0], len(values)
    moving = [i for i, t in enumerate(rest) if t is not None]

    def both(t: Any, state: Any, *more: Any) -> Any:
        known, directions = more[:count], more[count:]

        def of(x: Any, *ps: Any) -> Any:
            return flow.slope(t, x, *replaced(known, moving, ps))

        primals = (state[:n], *(known[i] for i in moving))
        return np.concatenate(jvp(of, primals, (state[n:], *directions)))

    w = np.zeros_like(y) if t_y is None else t_y
    slopes = None
    if t_ts is not None:
        slopes = flow.slopes(ts, ans, values)
        w = w - slopes[0] * t_ts[0]
    behind = [*values, *(rest[i] for i in moving)]
    out = Flow(flow.name, both, flow.solver)(np.concatenate([y, w]), ts, behind)[:, n:]
    if slopes is None:
        return out
    return out + np.stack(slopes) * np.expand_dims(t_ts, -1)


def _pull(
    active: Sequence[int], g: Any, ans: Any, operands: Sequence[Any], params: Params
) -> list[Any]:
    flow, (y, ts, *values) = params["flow"], operands
    n, last = shape_of(y)[0], shape_of(ts)[0] - 1
    moving = [i - 2 for i in active if i > 1 and aval(operands[i]).dtype.kind in INEXACT]
    sums = packing_of([values[i] for i in moving], flow.name)

    def onwards(t: Any, states: Any, known: Any) -> Any:
        return flow.slope(t, states[0], *known)

    def back(t: Any, states: Any, known: Any) -> Any:
        def of(x: Any, *ps: Any) -> Any:
            return flow.slope(t, x, *replaced(known, moving, ps))

        c, *rest = vjp(of, states[0], *(known[i] for i in moving))[1](states[1][:n])
        return np.concatenate([-c, -sums.same(rest, "cotangents")])

    stages = Stage(onwards, 1, n), Stage(back, -1, n + sums.size)
    sweeps = Sweeps(flow.name, stages, flow.solver)
    slopes = flow.slopes(ts, ans, values) if 1 in active else None
    adjoint, total = np.zeros_like(y), np.zeros(sums.size)
    for i in range(last, 0, -1):
        state = np.concatenate([adjoint + g[i], total])
        state = sweeps(ts[i - 1], ts[i], [ans[i - 1], state], values)[1]
        adjoint, total = state[:n], state[n:]
    cts: dict[int, Any] = {0: adjoint + g[0]}
    if slopes is not None:
        # The first time moves the state that the flow starts from, the others where it is seen.
        first = -np.sum(adjoint * slopes[0])
        cts[1] = np.stack([first, *(np.sum(g[i] * slopes[i]) for i in range(1, last + 1))])
    if moving:
        cts.update(zip((i + 2 for i in moving), sums.unpack(total), strict=True))
    return [cts.get(i) for i in active]


def _each(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    """One solution for each element: each takes steps of its own."""
    n, count = shape_of(xs[0])[-1], shape_of(xs[1])[-1]
    outs = [Aval((count, n), np.dtype(np.float64))]
    return loop(lambda *operands: (bind(p, operands, params),), size, xs, batched, outs)[0]


_FLOW = Primitive(
    name="flow", impl=_impl, jvp=_push, vjp=_pull, batch=_each, needs=lambda i, k: True
)
