"""The operation behind `scan`, `fori_loop` and `map`: a loop of known length over a graph.

Its operands are the leaves of the first carry, those of the arrays that it slices, and the values
that its body closes over, in this order; so are the inputs of its body, behind the number of the
step if that is wanted. It answers with the last carry and the stacked results of all steps.

Reverse mode goes one of three ways. Of known values, the loop is pulled back through as a whole;
with checkpoints (``every``) a block of steps at a time, each run again from the carry it began
with. In graphs the carries of all steps are results of one loop, and a second loop goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..arrays import Aval, aval, shape_of
from ..batch import vmap
from ..closures import example
from ..core import Params, Primitive, bind, home, rerun
from ..derivatives import jvp, vjp
from .bodies import (
    Code,
    Leaves,
    answers_of,
    chosen,
    derive,
    element,
    fresh,
    inexact,
    is_staged,
    reach,
    replaced,
    spread,
    zeros,
)
from .branches import cond
from .schedules import blocks


class Layout:
    """How operands, inputs of the body and its results divide.

    Where the length is another at each run of a graph, as on the way back through `while_loop`,
    the params say ``bounded=False``.
    """

    def __init__(self, params: Params) -> None:
        self.graph: Code = params["body"]
        self.carries, self.slices = params["carries"], params["slices"]
        self.start, self.reverse = params["start"], params["reverse"]
        self.first = self.start is not None  # the number of the step is an input
        self.params = params
        self.answers = answers_of(self.graph)

    def split(self, xs: Leaves) -> tuple[list[Any], list[Any], list[Any]]:
        """Carries, slices and constants of the operands."""
        c, m = self.carries, self.slices
        return list(xs[:c]), list(xs[c : c + m]), list(xs[c + m :])

    def length(self, xs: Leaves) -> int:
        """The number of steps."""
        if self.params["length"] is not None:
            return int(self.params["length"])
        return shape_of(xs[self.carries])[0]

    def front(self) -> list[Any]:
        """The first input, as an example."""
        return [self.start] if self.first else []

    def examples(self, xs: Leaves) -> tuple[list[Any], list[Any], list[Any]]:
        """Plain inputs of the body like those that it will have, but for the first."""
        carry, slices, consts = self.split(xs)
        return [example(x) for x in carry], [element(x) for x in slices], [
            example(x) for x in consts
        ]  # fmt: skip

    def moving(self, flags: Sequence[bool]) -> tuple[list[bool], list[bool]]:
        """Which operands depend on those flagged, after any number of steps; which results."""
        flags, front = list(flags), [False] * self.first
        while True:
            out = reach(self.graph, front + flags)
            new = [a or b for a, b in zip(flags, out, strict=False)][: self.carries]
            if new == flags[: self.carries]:
                return flags, out
            flags[: self.carries] = new


def run(params: Params, xs: Leaves, begin: int = 0, end: int | None = None) -> list[Any]:
    """The loop, step by step, of values of any kind; or its steps from ``begin`` to ``end``.

    Steps count in the order in which they run. The slices are whole.
    """
    layout, body = Layout(params), params["body"].body
    carry, slices, consts = layout.split(xs)
    c, n = layout.carries, layout.length(xs)
    columns: list[list[Any]] = [[] for _ in layout.answers[c:]]
    for k in range(begin, n if end is None else end):
        i = n - 1 - k if layout.reverse else k
        front = [layout.start + i] if layout.first else []
        outs = body([*front, *carry, *(x[i] for x in slices), *consts])
        carry = outs[:c]
        for column, y in zip(columns, outs[c:], strict=True):
            column.append(y)
    answers = zip(columns, layout.answers[c:], strict=True)
    return carry + [stacked(ys, a, layout.reverse, xs) for ys, a in answers]


def stacked(ys: list[Any], like: Aval, reverse: bool, near: Leaves = ()) -> Any:
    """The results of all steps as one array, in the order of the slices.

    Of no steps it is where the arrays ``near`` are. A number that a loop on a device began with
    is still the host's in the first step.
    """
    if not ys:
        return zeros(Aval((0, *like.shape), like.dtype), near)
    if (host := home(ys[-1])) is not np:
        ys = [host.full((), y, like.dtype) if home(y) is np and not shape_of(y) else y for y in ys]
    return np.stack(ys[::-1] if reverse else ys)


def _impl(*xs: Any, **params: Any) -> tuple[Any, ...]:
    return tuple(run(params, xs))


# ------------------------------------------------------------------ forward mode
def _both(xs: Leaves, ts: Leaves, params: Params) -> Any:
    layout = Layout(params)
    flags, reached = layout.moving([t is not None for t in ts])
    flags = [f and aval(x).dtype.kind in "fc" for f, x in zip(flags, xs, strict=True)]
    moving = [i for i, f in enumerate(flags) if f]
    c = layout.carries
    results = [i for i in inexact(layout.answers) if reached[i] or (i < c and flags[i])]
    ts = [zeros(aval(x), xs) if t is None else t for x, t in zip(xs, ts, strict=True)]
    groups = layout.split(list(range(len(xs))))
    moves = [[i for i in group if flags[i]] for group in groups]
    n = len(xs)
    body = layout.graph.body

    def push(*all_: Any) -> Any:
        front, rest = all_[: layout.first], iter(all_[layout.first :])
        ys, ds = [None] * n, [None] * n
        for group, part in zip(groups, moves, strict=True):
            for i in group:
                ys[i] = next(rest)
            for i in part:
                ds[i] = next(rest)
        outs, tangents = jvp(
            lambda *ms: body([*front, *replaced(ys, moving, ms)]),
            chosen(ys, moving),
            chosen(ds, moving),
        )
        here = [i for i in results if i < c], [i for i in results if i >= c]
        return [*outs[:c], *chosen(tangents, here[0]), *outs[c:], *chosen(tangents, here[1])]

    primals, tangents = layout.examples(xs), layout.examples(ts)
    examples = layout.front()
    operands: list[Any] = []
    for group, part, p, t in zip(groups, moves, primals, tangents, strict=True):
        examples += [*p, *(t[i - group[0]] for i in part)]
        operands += [*chosen(xs, group), *chosen(ts, part)]
    graph = derive(layout.graph.name, push, examples)
    new = {**params, "body": graph, "carries": c + len(moves[0]),
           "slices": layout.slices + len(moves[1])}  # fmt: skip
    outs = bind(SCAN, operands, new)
    total = len(layout.answers)
    of_carry = len(moves[0])
    last = c + of_carry + total - c
    answers = (*outs[:c], *outs[c + of_carry : last])
    return answers, spread([*outs[c : c + of_carry], *outs[last:]], results, total)


# ------------------------------------------------------------------ reverse mode
def _record(xs: Leaves, params: Params) -> Any:
    layout = Layout(params)
    every = params["every"]
    if any(is_staged(x) for x in xs):
        return _record_staged(layout, xs)
    if every is not None:
        return blocks(layout, xs, run)
    moving, results = inexact([aval(x) for x in xs]), inexact(layout.answers)
    if not moving or not results:
        return fresh(bind(SCAN, xs, params), xs), [None]

    def f(*ms: Any) -> Any:
        outs = run(params, replaced(xs, moving, ms))
        return chosen(outs, results), outs

    _, pullback, outs = vjp(f, *chosen(xs, moving), has_aux=True)
    like, n = [aval(y) for y in outs], len(xs)

    def pull(active: Any, g: dict[int, Any]) -> list[Any]:
        gs = [g[k] if k in g else zeros(like[k], xs) for k in results]
        return spread(pullback(gs), moving, n)

    return tuple(outs), [pull]


def _backward(
    active: Sequence[int], g: dict[int, Any], residuals: Any, operands: Any, params: Params
) -> list[Any]:
    pull, *kept = residuals
    if pull is None:
        return [None] * len(active)
    cts = pull(active, g, *kept)
    return [cts[i] for i in active]


def _record_staged(layout: Layout, xs: Leaves) -> Any:
    """The loop with the carries before each step among its results, and the loop back."""
    c, total = layout.carries, len(layout.answers)
    body = layout.graph.body

    def saving(*all_: Any) -> Any:
        carry = all_[layout.first : layout.first + c]
        return [*body(all_), *carry]

    carry, slices, consts = layout.examples(xs)
    graph = derive(layout.graph.name, saving, [*layout.front(), *carry, *slices, *consts])
    outs = bind(SCAN, xs, {**layout.params, "body": graph})

    def pull(active: Any, g: dict[int, Any], *kept: Any) -> list[Any]:
        xs, history = kept[:-c] if c else kept, kept[-c:] if c else ()
        return pull_through(layout, active, g, xs, history)

    return tuple(outs[:total]), [pull, *xs, *outs[total:]]


def pull_through(
    layout: Layout, active: Sequence[int], g: dict[int, Any], xs: Leaves, history: Leaves,
    added: Leaves = (), holds: Code | None = None,
) -> list[Any]:  # fmt: skip
    """Cotangents of the operands, by a loop back over the carries before each step.

    ``added`` are cotangents of these carries themselves, by number of the carry or None. A step
    counts only if ``holds`` of its carry, if that is given: under vmap a loop goes on for others.
    """
    c, (_, slices, consts) = layout.carries, layout.split(xs)
    n, m = len(slices), len(consts)
    moving = inexact([aval(x) for x in xs])
    of_carry = [i for i in moving if i < c]
    of_slices = [i for i in moving if c <= i < c + n and i in active]
    of_consts = [i for i in moving if i >= c + n and i in active]
    results = inexact(layout.answers)
    given = [k for k in results if k >= c and k in g]
    extra = [k for k in of_carry if k < len(added) and added[k] is not None]
    wanted = [*of_carry, *of_slices, *of_consts]
    body = layout.graph.body

    def back(*all_: Any) -> Any:
        front, rest = all_[: layout.first], list(all_[layout.first :])

        def part(k: int) -> list[Any]:
            out, rest[:k] = rest[:k], []
            return out

        cs, sums = part(len(of_carry)), part(len(of_consts))
        carry, ys, gs, more = part(c), part(n), part(len(given)), part(len(extra))
        plus = dict(zip(extra, more, strict=True))

        def pulled(cs: Leaves, sums: Leaves, gs: Leaves, ins: Leaves) -> list[Any]:
            cts = {**dict(zip(of_carry, cs, strict=True)), **dict(zip(given, gs, strict=True))}
            _, pullback = vjp(
                lambda *zs: chosen(rerun(body, [*front, *replaced(ins, wanted, zs)]), results),
                *chosen(ins, wanted),
            )
            found = pullback([cts.get(k, zeros(layout.answers[k], ins)) for k in results])
            k = len(of_carry)
            own = found[k + len(of_slices) :]
            mine = [a + b for a, b in zip(sums, own, strict=True)]
            return [*found[:k], *mine, *found[k : k + len(of_slices)]]

        ins = [*carry, *ys, *rest]
        if holds is None:
            out = pulled(cs, sums, gs, ins)
        else:
            alive = holds.body([*carry, *rest])[0]
            out = cond(alive, pulled, lambda cs, sums, gs, ins: [*cs, *sums], cs, sums, gs, ins)
        return [*(x + plus[i] if i in plus else x
                  for i, x in zip(of_carry, out, strict=False)), *out[len(of_carry) :]]  # fmt: skip

    if not wanted or not results:
        return [None] * len(xs)
    start = [g[k] if k in g else zeros(aval(xs[k]), xs) for k in of_carry]
    start += [zeros(aval(xs[k]), xs) for k in of_consts]
    sliced = [*history, *slices, *(g[k] for k in given), *(added[k] for k in extra)]
    examples = [*layout.front(), *map(example, start), *map(element, sliced), *map(example, consts)]
    graph = derive(f"back_{layout.graph.name}", back, examples)
    params = {**layout.params, "body": graph, "carries": len(start), "slices": len(sliced),
              "reverse": not layout.reverse, "every": None}  # fmt: skip
    outs = bind(SCAN, [*start, *sliced, *consts], params)
    k = len(of_carry)
    found = [*outs[:k], *outs[k + len(of_consts) :], *outs[k : k + len(of_consts)]]
    return spread(found, wanted, c + n + m)


# ------------------------------------------------------------------ vmap
def _batch(p: Primitive, size: int, xs: Leaves, batched: Sequence[bool], params: Params) -> Any:
    layout = Layout(params)
    flags, outs = layout.moving(batched)
    c = layout.carries
    outs = [outs[k] or (k < c and flags[k]) for k in range(len(outs))]
    ins = [*[None] * layout.first, *(0 if f else None for f in flags)]
    body = layout.graph.body
    mapped = vmap(
        lambda *ys: body(ys), ins, [0 if o else None for o in outs], axis_size=size
    )  # fmt: skip
    carry, slices, consts = layout.split(xs)
    carry = [spread_out(x, size, xs) if f and not b else x
             for x, f, b in zip(carry, flags, batched, strict=False)]  # fmt: skip
    slices = [np.moveaxis(x, 0, 1) if b else x
              for x, b in zip(slices, batched[c:], strict=False)]  # fmt: skip
    operands = [*carry, *slices, *consts]
    before = layout.examples(operands)
    graph = derive(layout.graph.name, mapped, [*layout.front(), *(x for g in before for x in g)])
    ys = bind(SCAN, operands, {**params, "body": graph})
    return tuple(
        spread_out(y, size) if not o else y if k < c else np.moveaxis(y, 1, 0)
        for k, (y, o) in enumerate(zip(ys, outs, strict=True))
    )


def spread_out(x: Any, size: int, near: Leaves = ()) -> Any:
    """The same value for each element of a batch; a number where the arrays ``near`` are."""
    if not shape_of(x) and (host := home(*near)) is not np and home(x) is np:
        x = host.full((), x, aval(x).dtype)
    return np.broadcast_to(x, (size, *shape_of(x)))


SCAN = Primitive(
    "scan", _impl, lambda ans, xs, ts, params: _both(xs, ts, params)[1], _backward, _batch,
    several=True, both=_both, record=_record,
)  # fmt: skip
