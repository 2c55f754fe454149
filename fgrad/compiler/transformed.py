"""Compiled functions under other transformations: one operation, whose derivatives are compiled.

Reverse mode keeps the operands and computes the function again on the way back, in one program
with its derivative: that costs a third more than keeping what is between, and no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arrays import INEXACT, aval
from ..batch import vmap
from ..core import Params, Primitive, Tracer, bind, rerun
from ..derivatives import jvp, vjp
from ..stage import StageTracer
from .signature import static_flags
from .unpacking import is_dynamic


def is_recorded(x: Any) -> bool:
    """Whether a traced value is one of a program or graph that is being made."""
    while isinstance(x, Tracer):
        if isinstance(x, StageTracer):
            return True
        x = x.value
    return False


class Flat:
    """A compiled function of leaves; `structure` is that of its latest result."""

    def __init__(self, jitted: Any, args: Any, kwargs: Any) -> None:
        self.jitted, self.keys = jitted, tuple(kwargs)
        every = (*args, *kwargs.values())
        flags = static_flags(jitted._f, args, kwargs, jitted._static)
        self.static = {i: x for i, (x, s) in enumerate(zip(every, flags, strict=True)) if s}
        self.leaves, self.ins = tree.flatten(
            [None if i in self.static else x for i, x in enumerate(every)]
        )
        self.places = [
            i for i, x in enumerate(self.leaves) if isinstance(x, Tracer) or is_dynamic(x)
        ]
        self.structure: Any = None

    def function(self) -> Callable[..., Any]:
        """The uncompiled function of the traced leaves."""
        f, places, ins, static, keys = (
            self.jitted._f, self.places, self.ins, self.static, self.keys
        )  # fmt: skip
        fixed = [None if i in set(places) else x for i, x in enumerate(self.leaves)]

        def flat(*xs: Any) -> Any:
            new = list(fixed)
            for i, x in zip(places, xs, strict=True):
                new[i] = x
            every = tree.unflatten(ins, new)
            for i, x in static.items():
                every[i] = x
            n = len(every) - len(keys)
            return f(*every[:n], **dict(zip(keys, every[n:], strict=True)))

        flat.__name__ = getattr(f, "__name__", type(f).__name__)
        return flat

    def derived(self, kind: Any, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
        """``jit(make(function))``, once for each kind of derivative, structure and static leaf."""
        places = set(self.places)
        fixed = [_key(x) for i, x in enumerate(self.leaves) if i not in places]
        static = [(i, _key(x)) for i, x in self.static.items()]
        key = kind, self.ins, self.keys, tuple(fixed), tuple(static)
        cache = self.jitted._derived
        if key not in cache:
            j = self.jitted
            cache[key] = type(j)(
                make(self.function()), frozenset(), j._strict, j._options, j._max_paths
            )
        return cache[key]


def _key(x: Any) -> Any:
    """What tells values apart: 1 from True, and those without a hash by their identity."""
    try:
        hash(x)
    except TypeError:
        return type(x), id(x)  # the function that is cached holds it
    return type(x), x


def transformed(jitted: Any, args: Any, kwargs: Any) -> Any:
    """A call of which some leaves are traced by another transformation."""
    flat = Flat(jitted, args, kwargs)
    ys = bind(_CALL, [flat.leaves[i] for i in flat.places], {"flat": flat})
    return tree.unflatten(flat.structure, ys)


def _impl(*xs: Any, flat: Flat) -> Any:
    out = flat.derived("value", lambda f: f)(*xs)
    leaves, flat.structure = tree.flatten(out)
    return tuple(leaves)


def _push(ans: Any, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    return _both(xs, ts, params)[1]


def _both(xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    flat: Flat = params["flat"]
    moving = tuple(i for i, t in enumerate(ts) if t is not None)

    def make(f: Any) -> Any:
        def pushed(xs: Any, ts: Any) -> Any:
            return jvp(lambda *ms: f(*_replaced(xs, moving, ms)), [xs[i] for i in moving], ts)

        return pushed

    out, tangents = flat.derived(("jvp", moving), make)(tuple(xs), [ts[i] for i in moving])
    ys, flat.structure = tree.flatten(out)
    tangent_leaves = tree.leaves(tangents)
    kinds = [aval(y).dtype.kind in INEXACT for y in ys]
    return tuple(ys), tuple(t if k else None for t, k in zip(tangent_leaves, kinds, strict=True))


def _record(xs: Sequence[Any], params: Params) -> Any:
    ys = bind(_CALL, xs, params)
    return ys, [params["flat"], [aval(y) for y in ys], *xs]


def _pull(
    active: Sequence[int], g: dict[int, Any], kept: Any, operands: Any, params: Params
) -> list[Any]:
    flat, avals, *xs = kept
    results = [k for k, a in enumerate(avals) if a.dtype.kind in INEXACT]
    moving = tuple(i for i in active if aval(xs[i]).dtype.kind in INEXACT)
    if not results or not moving:
        return [None] * len(active)

    def make(f: Any) -> Any:
        def pulled(xs: Any, gs: Any) -> Any:
            def outs(*ms: Any) -> Any:
                ys = tree.leaves(rerun(f, *_replaced(xs, moving, ms)))
                return [ys[k] for k in results]

            return vjp(outs, *(xs[i] for i in moving))[1](gs)

        return pulled

    gs = [g[k] if k in g else np.zeros(avals[k].shape, avals[k].dtype) for k in results]
    cts = dict(zip(moving, flat.derived(("vjp", moving), make)(tuple(xs), gs), strict=True))
    return [cts.get(i) for i in active]


def _batch(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    flat: Flat = params["flat"]
    axes = tuple(0 if b else None for b in batched)
    mapped = flat.derived(("vmap", axes, size), lambda f: vmap(f, axes, axis_size=size))
    leaves, flat.structure = tree.flatten(mapped(*xs))
    return tuple(leaves)


def _replaced(xs: Any, places: Sequence[int], new: Sequence[Any]) -> list[Any]:
    out = list(xs)
    for i, x in zip(places, new, strict=True):
        out[i] = x
    return out


_CALL = Primitive(
    "jit", _impl, _push, _pull, _batch, needs=lambda i, k: True, several=True, both=_both,
    record=_record,
)  # fmt: skip
