"""Differential equations that are solved one after another, to and fro over one interval.

Each stage runs from the first time to the last, or back, and reads the states of the stages before
it on the way, by interpolation. So no state is ever integrated against its direction, in which what
decays would explode.

With e_j = 1 for a stage that runs forwards and -1 for one that runs back, x_j' = h_j(t, x_1 .. x_j)
has the adjoint l_j' = -e_j sum over m >= j of e_m (dh_m/dx_j)^T l_m, which starts where x_j ends,
from its cotangent, and ends where x_j starts, as the cotangent of what it starts from. This is
integration by parts of sum of l_m^T (dx_m' - sum of dh_m/dx_j dx_j). The adjoints of the last stage
come first: a sweep with its adjoints is a sweep, and so is one with its tangents.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ...arrays import INEXACT, Aval, aval, shape_of
from ...closures import loop
from ...core import Params, Primitive, bind
from ...derivatives import jvp, vjp
from ...packing import Packing

Call = Callable[..., Any]


class Solver(Protocol):
    """What integrates y' = f(t, y), of plain arrays; f can be differentiated."""

    def solve(self, f: Call, y: Any, ts: Any, own: bool) -> Any:
        """The states at the times, shape (T, n), y at the first; `own`: f is the user's."""

    def path(self, f: Call, y: Any, start: float, stop: float) -> Callable[[float], Any]:
        """The state as a function of the time between two times, y at `start`."""


@dataclass(frozen=True, eq=False, slots=True)
class Stage:
    """One equation: ``slope(t, states, values)``, of the states up to its own; e; its size."""

    slope: Call
    e: int
    size: int


@dataclass(frozen=True, eq=False, slots=True)
class Sweeps:
    """The stages, and what integrates them."""

    name: str
    stages: tuple[Stage, ...]
    solver: Solver

    def __repr__(self) -> str:
        return f"<{self.name}, {len(self.stages)} stages>"

    def __call__(self, t0: Any, t1: Any, starts: Sequence[Any], values: Sequence[Any]) -> Any:
        """Where each stage ends; differentiable in everything."""
        return bind(_SWEEPS, (t0, t1, *starts, *values), {"sweeps": self})

    def split(self, operands: Sequence[Any]) -> tuple[Any, Any, list[Any], list[Any]]:
        """The two times, the states that the stages start from, the values."""
        k = 2 + len(self.stages)
        return operands[0], operands[1], list(operands[2:k]), list(operands[k:])

    def slopes(self, operands: Sequence[Any], ends: Sequence[Any]) -> list[list[Any]]:
        """The derivatives of all stages at both times."""
        t0, t1, starts, values = self.split(operands)
        out = []
        for t, e in ((t0, 1), (t1, -1)):
            xs = [x if s.e == e else y for s, x, y in zip(self.stages, starts, ends, strict=True)]
            out.append([s.slope(t, xs[: j + 1], values) for j, s in enumerate(self.stages)])
        return out


def _impl(*operands: Any, sweeps: Sweeps) -> tuple[Any, ...]:
    t0, t1, starts, values = sweeps.split(operands)
    t0, t1 = float(t0), float(t1)
    if t0 == t1:
        return tuple(np.array(x) for x in starts)
    paths: list[Any] = []
    ends = []
    for stage, x in zip(sweeps.stages, starts, strict=True):
        start, stop = (t0, t1) if stage.e > 0 else (t1, t0)

        def f(t: Any, y: Any, stage: Stage = stage, paths: Any = tuple(paths)) -> Any:
            return stage.slope(t, [*(p(t) for p in paths), y], values)

        if len(paths) + 1 < len(sweeps.stages):
            paths.append(sweeps.solver.path(f, x, start, stop))
            ends.append(np.array(paths[-1](stop)))
        else:
            ends.append(sweeps.solver.solve(f, x, np.array([start, stop]), False)[-1])
    return tuple(ends)


def replaced(values: Sequence[Any], places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    """Values with others in some places."""
    out = list(values)
    for i, x in zip(places, new, strict=True):
        out[i] = x
    return out


# ------------------------------------------------------------------ forward
def _moved(sweeps: Sweeps, j: int, count: int, moving: Sequence[int]) -> Stage:
    """A stage with its tangent; behind the values stand tangents of those that move."""
    sizes = [s.size for s in sweeps.stages[: j + 1]]

    def slope(t: Any, states: Any, more: Any) -> Any:
        values, directions = more[:count], more[count:]

        def of(*new: Any) -> Any:
            return sweeps.stages[j].slope(
                t, new[: j + 1], replaced(values, moving, new[j + 1 :])
            )  # fmt: skip

        xs = [s[:n] for s, n in zip(states, sizes, strict=True)]
        ts = [s[n:] for s, n in zip(states, sizes, strict=True)]
        primals = (*xs, *(values[i] for i in moving))
        return np.concatenate(jvp(of, primals, (*ts, *directions)))

    return Stage(slope, sweeps.stages[j].e, 2 * sizes[j])


def _push(ans: Any, operands: Sequence[Any], tangents: Sequence[Any], params: Params) -> Any:
    sweeps: Sweeps = params["sweeps"]
    t0, t1, starts, values = sweeps.split(operands)
    d0, d1, directions, rest = sweeps.split(tangents)
    at0 = at1 = None
    if d0 is not None or d1 is not None:
        at0, at1 = sweeps.slopes(operands, ans)
    moving = [i for i, t in enumerate(rest) if t is not None]
    both = []
    for j, (stage, x, d) in enumerate(zip(sweeps.stages, starts, directions, strict=True)):
        d = np.zeros_like(x) if d is None else d
        slopes, shift = (at0, d0) if stage.e > 0 else (at1, d1)
        if slopes is not None and shift is not None:
            d = d - slopes[j] * shift
        both.append(np.concatenate([x, d]))
    stages = tuple(_moved(sweeps, j, len(values), moving) for j in range(len(sweeps.stages)))
    moved = Sweeps(sweeps.name, stages, sweeps.solver)
    ends = moved(t0, t1, both, [*values, *(rest[i] for i in moving)])
    out = []
    for j, (stage, end) in enumerate(zip(sweeps.stages, ends, strict=True)):
        t = end[stage.size :]
        slopes, shift = (at1, d1) if stage.e > 0 else (at0, d0)
        out.append(t if slopes is None or shift is None else t + slopes[j] * shift)
    return tuple(out)


# ------------------------------------------------------------------ reverse
def _adjoint(sweeps: Sweeps, j: int, moving: Sequence[int], sums: Packing) -> Stage:
    """The adjoint of stage j, in a sweep of all stages and the adjoints of those behind j.

    That of the first stage, which is the last, sums up the cotangents of the values too.
    """
    stages, k = sweeps.stages, len(sweeps.stages)
    stage, last = stages[j], j == 0

    def slope(t: Any, states: Any, values: Any) -> Any:
        xs = states[:k]
        weights = [stages[m].e * states[2 * k - 1 - m][: stages[m].size] for m in range(j, k)]

        def of(x: Any, *ps: Any) -> Any:
            new = [*xs[:j], x, *xs[j + 1 :]]
            known = replaced(values, moving, ps) if last else values
            return tuple(stages[m].slope(t, new[: m + 1], known) for m in range(j, k))

        c, *rest = vjp(of, xs[j], *(values[i] for i in moving if last))[1](tuple(weights))
        own = -stage.e * c
        return np.concatenate([own, -sums.same(rest, "cotangents")]) if last else own

    return Stage(slope, -stage.e, stage.size + (sums.size if last else 0))


def _pull(
    active: Sequence[int], g: Any, ans: Any, operands: Sequence[Any], params: Params
) -> list[Any]:
    sweeps: Sweeps = params["sweeps"]
    t0, t1, starts, values = sweeps.split(operands)
    k = len(sweeps.stages)
    assert sweeps.stages[0].e > 0  # so the last adjoint runs back, and sums up from the end
    at = [i - 2 - k for i in active if i >= 2 + k]
    moving = [i for i in at if aval(values[i]).dtype.kind in INEXACT]
    sums = packing_of([values[i] for i in moving], sweeps.name)
    cotangents = [g.get(j, np.zeros_like(ans[j])) for j in range(k)]
    stages = [_adjoint(sweeps, j, moving, sums) for j in reversed(range(k))]
    begins = [cotangents[j] for j in reversed(range(k))]
    begins[-1] = np.concatenate([begins[-1], np.zeros(sums.size)])
    whole = Sweeps(sweeps.name, (*sweeps.stages, *stages), sweeps.solver)
    ends = list(whole(t0, t1, [*starts, *begins], values)[: k - 1 : -1])
    n = sweeps.stages[0].size
    ends[0], total = ends[0][:n], ends[0][n:]
    cts: dict[int, Any] = {2 + j: ends[j] for j in range(k)}
    if 0 in active or 1 in active:
        slopes = sweeps.slopes(operands, ans)
        for i, e in ((0, 1), (1, -1)):
            terms = [
                -ends[j] @ slopes[i][j] if s.e == e else cotangents[j] @ slopes[i][j]
                for j, s in enumerate(sweeps.stages)
            ]
            cts[i] = sum(terms[1:], terms[0])
    cts.update(zip((i + 2 + k for i in moving), sums.unpack(total), strict=True))
    return [cts.get(i) for i in active]


def packing_of(values: Sequence[Any], name: str) -> Packing:
    """How the cotangents of values lie in a vector."""
    zeros = [np.zeros(shape_of(x), aval(x).dtype) for x in values]
    return Packing(zeros, name, "the values that it reads")


def _each(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    """One solution for each element: each takes steps of its own."""
    outs = [Aval((s.size,), np.dtype(np.float64)) for s in params["sweeps"].stages]
    return loop(lambda *operands: bind(p, operands, params), size, xs, batched, outs)


_SWEEPS = Primitive(
    name="sweeps", impl=_impl, jvp=_push, vjp=_pull, batch=_each, needs=lambda i, k: True,
    several=True,
)  # fmt: skip
