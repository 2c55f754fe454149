"""`checkpoint`: functions whose inside is not kept for the way back, but computed again.

A call is one operation on the leaves of its arguments. In reverse mode it keeps these, and what its
policy names; the way back runs the function once more. See A. Griewank and A. Walther, Evaluating
Derivatives, 2nd ed. 2008, chapter 12.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from . import checkpoint_policies, tree
from .arrays import aval, is_cupy, ndarray
from .batch import vmap
from .broadcasting import leading
from .closures import example, has_traced
from .control.bodies import (
    Code,
    Leaves,
    Recorded,
    captured_by,
    check_leaf,
    chosen,
    derive,
    fresh,
    inexact,
    is_staged,
    replaced,
    spread,
)
from .core import Params, Primitive, Trace, Tracer, bind, is_traceable, refuse_captured, rerun
from .derivatives import jvp, vjp
from .errors import ArgumentError, FgradError, TracerConversionError, describe, name_of
from .tracebacks import boundary
from .tracer import ArrayTracer


@boundary
def checkpoint(
    f: Callable[..., Any] | None = None,
    *,
    policy: checkpoint_policies.Policy | None = None,
    static_argnums: int | Sequence[int] = (),
) -> Any:
    """Make ``f`` a function whose values are computed again in reverse mode, and not kept.

    >>> import numpy as np
    >>> from fgrad import grad
    >>> layer = checkpoint(lambda w, x: np.tanh(w @ np.tanh(w @ x)))
    >>> w, x = np.eye(2), np.array([0.0, 1.0])
    >>> grad(lambda w: np.sum(layer(w, x)))(w).round(3)
    array([[0.   , 1.762],
           [0.   , 0.695]])

    Forward mode, vmap and graphs are as without it. The function must do the same each time.

    Args:
        f: a function of pytrees that returns a pytree of arrays; without it the result is a
            decorator. It may close over traced values, and is then recorded, so that it must not
            ask for values (``if x > 0``); what does is to take them as arguments.
        policy: what to keep all the same: `fgrad.checkpoint_policies.dots`,
            ``names("a", "b")`` for values that passed through `checkpoint_name`, `everything`;
            `nothing` by default. What is kept isn't computed again.
        static_argnums: positions of arguments that are no arrays. Leaves that are no arrays are
            found without it; JAX wants to be told of them.

    Raises, when it is called:
        TracerConversionError: it closes over traced values and asks for values.
        DtypeError: the result is no pytree of arrays.
    """
    if f is None:
        return functools.partial(checkpoint, policy=policy, static_argnums=static_argnums)
    if not callable(f):
        raise ArgumentError(
            "checkpoint wants a function.", describe(f), "pass the function: checkpoint(f)(x)"
        )
    if policy is not None and not isinstance(policy, checkpoint_policies.Policy):
        raise ArgumentError(
            "checkpoint wants a policy of fgrad.checkpoint_policies.",
            describe(policy),
            'pass nothing, dots, everything or names("a", "b") of that module',
        )
    numbers = static_argnums if isinstance(static_argnums, Sequence) else (static_argnums,)

    @boundary
    @functools.wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        fixed = {i % len(args) for i in numbers if -len(args) <= i < len(args)}
        moving = {i: x for i, x in enumerate(args) if i not in fixed}
        leaves, structure = tree.flatten((moving, kwargs))
        arrays = [i for i, x in enumerate(leaves) if is_traceable(x)]
        shape: Any = None

        def run(*xs: Any) -> list[Any]:
            nonlocal shape
            found, keywords = tree.unflatten(structure, replaced(leaves, arrays, xs))
            out = f(*(found.get(i, x) for i, x in enumerate(args)), **keywords)
            ys, shape = tree.flatten(out)
            for path, y in tree.leaves_with_path(out):
                check_leaf(y, path, "checkpoint", f)
            return ys

        run.__name__ = getattr(f, "__name__", type(f).__name__)
        run.__wrapped__ = f  # type: ignore[attr-defined]
        xs = chosen(leaves, arrays)
        captured = list(captured_by(f))
        if not has_traced(xs) and not captured:
            return f(*args, **kwargs)
        body: Any = Direct(run)
        if captured or any(map(is_staged, xs)):
            recorded = _recorded(run, xs, f, bool(captured))
            body, xs = recorded.graphs[0], [*xs, *recorded.captured]
        ys = bind(_CHECKPOINT, xs, {"body": body, "policy": policy})
        return tree.unflatten(shape, ys)

    return checkpointed


def _recorded(run: Any, xs: Leaves, f: Any, closes: bool) -> Recorded:
    try:
        return Recorded("checkpoint", [run], [[example(x) for x in xs]])
    except TracerConversionError as error:
        if not closes:
            raise
        raise TracerConversionError(
            "checkpoint wants a function that closes over traced values not to ask for values.",
            f"{name_of(f)}: {error.came}",
            "pass the traced values as arguments of the function, which may then ask",
        ) from error


def checkpoint_name(x: Any, name: str) -> Any:
    """The same values, with a name that a policy of `checkpoint` may keep them by.

    >>> import numpy as np
    >>> checkpoint_name(np.ones(2), "hidden")
    array([1., 1.])

    Args:
        x: a pytree of arrays. What is kept is the result of the operation that made each of them.
        name: for ``checkpoint_policies.names(name)``.
    """
    return tree.map(lambda y: bind(_NAME, (y,), {"name": name}) if isinstance(y, Tracer) else y, x)


_NAME = Primitive(
    "checkpoint_name", lambda x, *, name: x, lambda ans, xs, ts, params: ts[0],
    lambda active, g, ans, xs, params: [g], leading,
)  # fmt: skip


class Direct:
    """A function of leaves that runs as it is; a `Code` that needs no graph."""

    def __init__(self, run: Callable[..., Any]) -> None:
        self._run = run

    def body(self, leaves: Leaves) -> list[Any]:
        """The leaves of the result."""
        return list(self._run(*leaves))

    def __repr__(self) -> str:
        return name_of(self._run)


# ------------------------------------------------------------------ rules
def _impl(*xs: Any, body: Any, policy: Any) -> tuple[Any, ...]:
    return tuple(body.body(xs))


def _again(fn: Callable[..., Any], xs: Leaves, params: Params) -> tuple[Any, ...]:
    """``fn(*leaves)``, made of the function, as such an operation too."""
    new: Any = Direct(fn)
    if isinstance(params["body"], Code):
        new = derive(params["body"].name, fn, [example(x) for x in xs])
    return tuple(bind(_CHECKPOINT, xs, {**params, "body": new}))


def _both(xs: Leaves, ts: Leaves, params: Params) -> Any:
    moving = [i for i, t in enumerate(ts) if t is not None]
    n = len(xs)
    results: list[int] = []
    total = 0

    def push(*all_: Any) -> list[Any]:
        nonlocal results, total
        ys, ds = all_[:n], all_[n:]
        outs, tangents = jvp(
            lambda *ms: params["body"].body(replaced(ys, moving, ms)), chosen(ys, moving), ds
        )
        results, total = inexact([aval(y) for y in outs]), len(outs)
        return [*outs, *chosen(tangents, results)]

    outs = _again(push, [*xs, *chosen(ts, moving)], params)
    return outs[:total], spread(outs[total:], results, total)


def _record(xs: Leaves, params: Params) -> Any:
    policy = params["policy"]
    if policy is None or any(isinstance(x, Tracer) for x in xs):
        outs, kept = bind(_CHECKPOINT, xs, params), None
    else:
        trace = Keeper("checkpoint", params["body"].body, policy)
        try:
            ys = params["body"].body([trace.tracer(x, None) for x in xs])
        finally:
            trace.finish()
        outs = tuple(y.value if isinstance(y, Tracer) and y.owner is trace else y for y in ys)
        kept = trace.kept
    # Copies of what the function may have passed on: a tape takes its answers for its own.
    if isinstance(params["body"], Code):
        outs = fresh(outs, xs)
    else:
        outs = tuple(y.copy() if type(y) is ndarray or is_cupy(y) else y for y in outs)
    return outs, [[aval(y) for y in outs], kept, *xs]


def _backward(
    active: Sequence[int], g: dict[int, Any], residuals: Any, operands: Any, params: Params
) -> list[Any]:
    answers, kept, *xs = residuals
    results = [k for k in inexact(answers) if k in g]
    moving = [i for i in inexact(operands) if i in active]
    n = len(xs)
    if not results or not moving:
        return [None] * len(active)

    def pull(*all_: Any) -> Any:
        ys, gs = all_[:n], all_[n:]

        def f(*ms: Any) -> list[Any]:
            ins = replaced(ys, moving, ms)
            return chosen(rerun(_replayed, params["body"], ins, kept), results)

        return vjp(f, *chosen(ys, moving))[1](list(gs))

    operands = [*xs, *(g[k] for k in results)]
    cts = _again(pull, operands, params) if kept is None else pull(*operands)
    found = spread(cts, moving, n)
    return [found[i] for i in active]


def _batch(p: Primitive, size: int, xs: Leaves, batched: Sequence[bool], params: Params) -> Any:
    axes = [0 if b else None for b in batched]
    body = params["body"]
    return _again(vmap(lambda *ys: body.body(ys), axes, axis_size=size), xs, params)


_CHECKPOINT = Primitive(
    "checkpoint", _impl, lambda ans, xs, ts, params: _both(xs, ts, params)[1], _backward, _batch,
    several=True, both=_both, record=_record,
)  # fmt: skip


# ------------------------------------------------------------------ what is kept
class KeeperTracer(ArrayTracer):
    """A value inside a checkpoint; `slot` is what operation made it."""

    __slots__ = ()


class Keeper(Trace):
    """The interpreter that notes the answers that a policy keeps, by number of the operation."""

    def __init__(self, name: str, fn: Callable[..., Any], policy: Any) -> None:
        super().__init__(name, fn)
        self.policy, self.count = policy, 0
        self.kept: dict[int, tuple[str, Any]] = {}

    def tracer(self, value: Any, slot: tuple[int, str] | None) -> KeeperTracer:
        """A value, and number and name of the operation that made it."""
        x = KeeperTracer()
        x.owner, x.value, x.slot = self, value, slot
        return x

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        number, self.count = self.count, self.count + 1
        mine = [isinstance(x, Tracer) and x.owner is self for x in operands]
        below = [x.value if m else x for x, m in zip(operands, mine, strict=True)]
        ans = self.compute(p, below, params, number)
        if p.both is not None:
            refuse_captured(p, ans, self)
        if p is _NAME and self.policy is not None and params["name"] in self.policy.names:
            if operands[0].slot is not None:
                self.kept[operands[0].slot[0]] = operands[0].slot[1], ans
        elif self.policy is not None and self.policy.keeps(p.name):
            self.kept[number] = p.name, ans
        if p.several:
            return tuple(self.tracer(y, None) for y in ans)
        return self.tracer(ans, (number, p.name))

    def compute(self, p: Primitive, below: Any, params: Params, number: int) -> Any:
        """The answer of an operation."""
        return bind(p, below, params)


class Replay(Keeper):
    """The interpreter that takes answers from what was kept, and computes the others."""

    def __init__(self, name: str, fn: Callable[..., Any], kept: dict[int, tuple[str, Any]]) -> None:
        super().__init__(name, fn, None)
        self.given = kept

    def compute(self, p: Primitive, below: Any, params: Params, number: int) -> Any:
        if number not in self.given:
            return bind(p, below, params)
        name, ans = self.given[number]
        if name != p.name:
            raise FgradError(
                "checkpoint wants a function that does the same each time it is called.",
                f"`{p.name}` where it was `{name}` before",
                "take what changes (random numbers, counters) out of it, or pass it as an argument",
            )
        return bind(replace(p, impl=lambda *xs, **params: ans), below, params)


def _replayed(body: Any, xs: Leaves, kept: Any) -> list[Any]:
    """The function run again, with what was kept."""
    if not kept:
        return body.body(xs)
    trace = Replay("checkpoint", body.body, kept)
    try:
        ys = body.body([trace.tracer(x, None) for x in xs])
    finally:
        trace.finish()
    return [y.value if isinstance(y, Tracer) and y.owner is trace else y for y in ys]
