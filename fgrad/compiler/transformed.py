"""Compiled functions under other transformations: one operation, whose derivatives are compiled.

Reverse mode takes two programs, see `pullbacks`. Where the way back has to ask for values, or the
function runs as it is, it keeps the operands and computes the function again on the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arrays import INEXACT, aval
from ..batch import vmap
from ..control.bodies import inexact, replaced, zeros
from ..core import Params, Primitive, Tracer, bind, is_traceable, rerun
from ..derivatives import jvp, vjp
from .pullbacks import ahead
from .signature import static_flags
from .unpacking import is_dynamic


class Rest:
    """What a result is besides its arrays: its structure, and leaves that are none."""

    def __init__(self, structure: Any, other: dict[int, Any]) -> None:
        self.structure, self.other = structure, other

    def around(self, arrays: Sequence[Any]) -> Any:
        """The result with these arrays."""
        if not self.other:
            return tree.unflatten(self.structure, arrays)
        more = iter(arrays)
        n = self.structure.num_leaves
        leaves = [self.other[k] if k in self.other else next(more) for k in range(n)]
        return tree.unflatten(self.structure, leaves)


@tree.dataclass(eq=False)
class Outcome:
    """The result of a function, with arrays as its only leaves."""

    arrays: Any
    rest: Rest = tree.field(static=True)


class Flat:
    """A compiled function of leaves; `structure` is that of the `Outcome` of its latest call."""

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
            out = f(*every[:n], **dict(zip(keys, every[n:], strict=True)))
            leaves, structure = tree.flatten(out)
            other = {k: y for k, y in enumerate(leaves) if not is_traceable(y)}
            arrays = [y for k, y in enumerate(leaves) if k not in other]
            return Outcome(arrays, Rest(structure, other))

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
            f = make(self.function())
            if is_given_up(self.jitted):
                return f
            cache[key] = self.compiled(f)
        return cache[key]

    def value(self) -> Any:
        """The compiled function itself, of its traced leaves."""
        return self.derived("value", lambda f: f)

    def compiled(self, f: Callable[..., Any]) -> Any:
        """The function, compiled with the options of the one that it was made of."""
        j = self.jitted
        new = type(j)(f, frozenset(), j._strict, j._options, j._max_paths)
        new._named = j._named
        return new


def is_given_up(jitted: Any) -> bool:
    """Whether a derivative of a function of CuPy's arrays turned out to run as it is written.

    Then all of them do, and none of them says so again.
    """
    return any(d._as_written or is_given_up(d) for d in [*jitted._derived.values()])


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
    return tree.unflatten(flat.structure, ys).rest.around(ys)


def _impl(*xs: Any, flat: Flat) -> Any:
    out = flat.value()(*xs)
    leaves, flat.structure = tree.flatten(out)
    return tuple(leaves)


def _push(ans: Any, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    return _both(xs, ts, params)[1]


def _both(xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    flat: Flat = params["flat"]
    moving = tuple(i for i, t in enumerate(ts) if t is not None)

    def make(f: Any) -> Any:
        def pushed(xs: Any, ts: Any) -> Any:
            def values(*ms: Any) -> Any:
                out = f(*replaced(xs, moving, ms))
                return [y for y in tree.leaves(out) if _moves(y)] or [0.0], out

            return jvp(values, [xs[i] for i in moving], ts, has_aux=True)[1:]

        return pushed

    found, out = flat.derived(("jvp", moving), make)(tuple(xs), [ts[i] for i in moving])
    ys, flat.structure = tree.flatten(out)
    tangents = iter(found)
    return tuple(ys), tuple(next(tangents) if _moves(y) else None for y in ys)


def _moves(y: Any) -> bool:
    """Whether a result has a derivative."""
    return aval(y).dtype.kind in INEXACT


def _record(xs: Sequence[Any], params: Params) -> Any:
    flat: Flat = params["flat"]
    moving = tuple(inexact([aval(x) for x in xs]))
    if not moving:
        return bind(_CALL, xs, params), [flat, None, [], 0]

    def make(f: Any) -> Any:
        return ahead(f, moving, flat.compiled)

    out = flat.derived(("ahead", moving), make)(*xs)
    ys, flat.structure = tree.flatten(out.out)
    return tuple(ys), [flat, out.pullback, [aval(y) for y in ys], len(xs), *xs, *out.residuals]


def _pull(
    active: Sequence[int], g: dict[int, Any], kept: Any, operands: Any, params: Params
) -> list[Any]:
    flat, pullback, avals, n, *values = kept
    xs, residuals = values[:n], values[n:]
    places = inexact(operands)
    wanted = tuple(k for k, i in enumerate(places) if i in active)
    results = inexact(avals)
    if not results or not wanted:
        return [None] * len(active)
    gs = [g[k] if k in g else zeros(avals[k], [*g.values()]) for k in results]
    moving = tuple(places[k] for k in wanted)
    if pullback is not None:
        found = pullback(wanted, gs, xs, residuals)
    else:
        found = _again(flat, moving, results)(tuple(xs), gs)
    cts = dict(zip(moving, found, strict=True))
    return [cts.get(i) for i in active]


def _again(flat: Flat, moving: tuple[int, ...], results: Sequence[int]) -> Any:
    """The function that gives cotangents of operands, and cotangents of the results."""

    def make(f: Any) -> Any:
        def pulled(xs: Any, gs: Any) -> Any:
            def outs(*ms: Any) -> Any:
                ys = tree.leaves(rerun(f, *replaced(xs, moving, ms)))
                return [ys[k] for k in results]

            return vjp(outs, *(xs[i] for i in moving))[1](gs)

        return pulled

    return flat.derived(("vjp", moving), make)


def _batch(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    flat: Flat = params["flat"]
    axes = tuple(0 if b else None for b in batched)
    mapped = flat.derived(("vmap", axes, size), lambda f: vmap(f, axes, axis_size=size))
    leaves, flat.structure = tree.flatten(mapped(*xs))
    return tuple(leaves)


_CALL = Primitive(
    "jit", _impl, _push, _pull, _batch, needs=lambda i, k: True, several=True, both=_both,
    record=_record,
)  # fmt: skip
