"""`while_loop`: a loop whose length depends on values, in reverse mode too.

Where the condition's value is known the loop runs as Python code. Else it is one operation over
the graphs of condition and body. For its way back it runs once more as the operation that answers,
besides the last carry, with the carries before all steps, however many these are; the loop back is
a `folds.SCAN` over them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arrays import aval, ndim_of
from ..batch import vmap
from ..closures import example
from ..core import Params, Primitive, bind
from ..derivatives import jvp
from ..errors import TracerConversionError
from ..tracebacks import boundary
from .bodies import (
    Code,
    Leaves,
    Recorded,
    answers_of,
    captured_by,
    chosen,
    derive,
    fresh,
    inexact,
    is_staged,
    known,
    reach,
    replaced,
    spread,
    zeros,
)
from .branches import check_scalar_of, own
from .carries import Carry
from .folds import Layout, pull_through, spread_out, stacked
from .scans import check_step


@boundary
def while_loop(cond_fun: Callable[..., Any], body_fun: Callable[..., Any], init_val: Any) -> Any:
    """``while cond_fun(val): val = body_fun(val)``, from the first `val` to the last.

    Reverse mode works, unlike in JAX: it keeps the carries of all steps.

    >>> from fgrad import grad
    >>> double = lambda x: while_loop(lambda x: x < 100.0, lambda x: 2.0 * x, x)
    >>> double(3.0), grad(double)(3.0)
    (192.0, 64.0)

    Args:
        cond_fun: a function of the carry that returns a boolean scalar.
        body_fun: a function of the carry that returns one like it. Under vmap it runs as long as
            the condition holds for any element; the others keep their last carry, and it gets
            the carry of another element in place of theirs.
        init_val: the first carry. A Python number takes the dtype that the first step gives it.

    Raises:
        ShapeError, DtypeError, TreeError: the carry changes; the condition is no boolean scalar.
    """
    check_step("while_loop", cond_fun)
    check_step("while_loop", body_fun)
    carry = Carry("while_loop", body_fun, init_val)
    leaves = carry.leaves
    if any(map(is_staged, [*leaves, *captured_by(cond_fun), *captured_by(body_fun)])):
        try:
            return _record_loop(carry, cond_fun, body_fun)
        except TracerConversionError:
            pass  # it asks for values, and may do so if these are known
    while True:
        pred = cond_fun(carry.tree(leaves))
        _check_condition(pred)
        value = known(pred)
        if value is None:
            return _record_loop(Carry("while_loop", body_fun, carry.tree(leaves)), cond_fun,
                                body_fun)  # fmt: skip
        if not value:
            return carry.tree(leaves)
        leaves = carry.next(body_fun(carry.tree(leaves)))


def _check_condition(pred: Any) -> None:
    check_scalar_of(
        "while_loop", "b", "a boolean from its condition", pred, "compare it: x > 0, n != 0"
    )


def _record_loop(carry: Carry, cond_fun: Any, body_fun: Any) -> Any:
    """The loop as one operation."""

    def condition(*xs: Any) -> Any:
        pred = cond_fun(carry.tree(xs))
        _check_condition(pred)
        return pred

    def body(*xs: Any) -> Any:
        return carry.flat(body_fun(carry.tree(xs)))

    condition.__wrapped__, body.__wrapped__ = cond_fun, body_fun  # type: ignore[attr-defined]
    condition.__name__, body.__name__ = (
        getattr(f, "__name__", type(f).__name__) for f in (cond_fun, body_fun)
    )
    recorded = carry.settle(
        lambda leaves: Recorded("while_loop", [condition, body], [leaves, leaves]), 1
    )
    condition_graph, body_graph = recorded.graphs
    params = {"cond": condition_graph, "body": body_graph, "carries": len(carry.leaves),
              "save": False}  # fmt: skip
    return carry.tree(bind(WHILE, [*carry.leaves, *recorded.captured], params))


# ------------------------------------------------------------------ rules
def _impl(*xs: Any, cond: Code, body: Code, carries: int, save: bool) -> tuple[Any, ...]:
    holds, step = cond.body, body.body
    carry, consts = list(xs[:carries]), xs[carries:]
    history: list[Leaves] = []
    while holds([*carry, *consts])[0]:
        if save:
            history.append(carry)
        carry = step([*carry, *consts])
    if not save:
        return tuple(carry)
    columns = list(zip(*history, strict=True)) or [()] * carries
    return (*carry, *(stacked(list(c), a, False, xs)
                      for c, a in zip(columns, answers_of(body), strict=True)))  # fmt: skip


def _moving(graph: Code, carries: int, flags: Sequence[bool]) -> list[bool]:
    """Which operands depend on those flagged, after any number of steps."""
    flags = list(flags)
    while True:
        new = [a or b for a, b in zip(flags, reach(graph, flags), strict=False)]
        if new == flags[:carries]:
            return flags
        flags[:carries] = new


def _both(xs: Leaves, ts: Leaves, params: Params) -> Any:
    c = params["carries"]
    flags = _moving(params["body"], c, [t is not None for t in ts])
    moving = [i for i, x in enumerate(xs) if flags[i] and aval(x).dtype.kind in "fc"]
    of_carry, of_consts = [i for i in moving if i < c], [i for i in moving if i >= c]
    ts = [zeros(aval(x), xs) if t is None else t for x, t in zip(xs, ts, strict=True)]
    holds, body, k, n = params["cond"].body, params["body"].body, len(of_carry), len(xs) - c

    def condition(*all_: Any) -> Any:
        return holds([*all_[:c], *all_[c + k : c + k + n]])

    def push(*all_: Any) -> Any:
        ys = [*all_[:c], *all_[c + k : c + k + n]]
        ds = [*all_[c : c + k], *all_[c + k + n :]]
        outs, tangents = jvp(
            lambda *ms: body(replaced(ys, moving, ms)), chosen(ys, moving), ds
        )  # fmt: skip
        return [*outs, *chosen(tangents, of_carry)]

    operands = [*xs[:c], *chosen(ts, of_carry), *xs[c:], *chosen(ts, of_consts)]
    outs = _bind_derived(params, condition, push, operands, c + k)
    answers, tangents = outs[:c], spread(outs[c : c + k], of_carry, c)
    if params["save"]:
        answers = (*answers, *outs[c + k : c + k + c])
        tangents += spread(outs[c + k + c :], of_carry, c)
    return tuple(answers), tangents


def _bind_derived(
    params: Params, condition: Any, body: Any, operands: Leaves, carries: int
) -> tuple[Any, ...]:
    """The loop of functions that were made of those of another."""
    examples = [example(x) for x in operands]
    cond_graph = derive(params["cond"].name, condition, examples)
    body_graph = derive(params["body"].name, body, examples)
    new = {**params, "cond": cond_graph, "body": body_graph, "carries": carries}
    return tuple(bind(WHILE, operands, new))


def _record(xs: Leaves, params: Params) -> Any:
    c = params["carries"]
    outs = bind(WHILE, xs, {**params, "save": True})
    answers = outs if params["save"] else outs[:c]
    return fresh(answers, xs), [*xs[c:], *outs[c:]]


def _backward(
    active: Sequence[int], g: dict[int, Any], kept: Any, operands: Any, params: Params
) -> list[Any]:
    c, body = params["carries"], params["body"]
    consts, history = kept[: len(kept) - c], kept[len(kept) - c :]
    if not inexact(operands[:c]):
        return [None] * len(active)
    # Operands as a loop of known length has them, with no slices. What begins the way back reads
    # of the carries their shapes alone.
    start = [zeros(a) for a in answers_of(body)]
    layout = Layout({"body": body, "carries": c, "slices": 0, "start": None, "every": None,
                     "length": None, "reverse": False, "bounded": False})  # fmt: skip
    down = {k: v for k, v in g.items() if k < c}
    added = [g.get(c + k) for k in range(c)]
    cts = pull_through(layout, active, down, [*start, *consts], history, added, params["cond"])
    return [cts[i] for i in active]


def _batch(p: Primitive, size: int, xs: Leaves, batched: Sequence[bool], params: Params) -> Any:
    c = params["carries"]
    flags = _moving(params["body"], c, batched)
    holds, step = params["cond"].body, params["body"].body
    differs = reach(params["cond"], flags)[0]
    if differs or params["save"]:
        flags = [True] * c + flags[c:]
    differs = reach(params["cond"], flags)[0]
    axes = [0 if f else None for f in flags]
    alive = vmap(lambda *ys: holds(ys)[0], axes, 0 if differs else None, axis_size=size)
    outs = [0 if f else None for f in flags[:c]]
    mapped = vmap(lambda *ys: step(ys), axes, outs, axis_size=size)

    def masked(*ys: Any) -> Any:
        mask = alive(*ys)
        safe = [own(mask, y) if f else y for y, f in zip(ys, flags, strict=True)]
        return [
            np.where(np.reshape(mask, (-1, *(1,) * (ndim_of(y) - 1))), new, y)
            for new, y in zip(mapped(*safe), ys, strict=False)
        ]

    operands = [spread_out(x, size, xs) if f and not b and i < c else x
                for i, (x, f, b) in enumerate(zip(xs, flags, batched, strict=True))]  # fmt: skip
    ys = _bind_derived(
        params,
        (lambda *ys: [np.any(alive(*ys))]) if differs else (lambda *ys: [alive(*ys)]),
        masked if differs else mapped,
        operands,
        c,
    )
    last = [y if f else spread_out(y, size) for y, f in zip(ys, flags[:c], strict=False)]
    return (*last, *(np.moveaxis(y, 1, 0) for y in ys[c:]))


WHILE = Primitive(
    "while", _impl, lambda ans, xs, ts, params: _both(xs, ts, params)[1], _backward, _batch,
    several=True, both=_both, record=_record,
)  # fmt: skip


def traced_bounds(lower: Any, upper: Any, body_fun: Any, init: Any) -> Any:
    """A loop over integers whose bounds aren't known."""

    def body(state: Any) -> Any:
        i, val = state
        return i + 1, body_fun(i, val)

    return while_loop(lambda state: state[0] < upper, body, (lower, init))[1]
