"""Compiled functions under other transformations: one operation, whose derivatives are compiled.

Reverse mode takes two programs, see `pullbacks`. Where the way back has to ask for values, or the
function runs as it is, it keeps the operands and computes the function again on the way back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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


class Flat:
    """A compiled function of leaves; `rest` is that of its latest result.

    Args:
        jitted: the compiled function.
        args, kwargs: of a call; also their leaves, and their structure, if these are known.
    """

    def __init__(
        self, jitted: Any, args: Any, kwargs: Any, leaves: Any = None, structure: Any = None
    ) -> None:
        self.jitted = jitted
        self.static: dict[int, Any] = {}
        if jitted._static:
            flags = static_flags(jitted._f, args, kwargs, jitted._static)
            every = [*args, *kwargs.values()]
            self.static = {i: x for i, x in enumerate(every) if flags[i]}
            every = [None if i in self.static else x for i, x in enumerate(every)]
            n = len(args)
            tree_of = every[:n], dict(zip(kwargs, every[n:], strict=True))
            self.leaves, self.structure = tree.flatten(tree_of)
        elif structure is None:
            self.leaves, self.structure = tree.flatten((args, kwargs))
        else:
            self.leaves, self.structure = leaves, structure
        self.places = [
            i for i, x in enumerate(self.leaves) if isinstance(x, Tracer) or is_dynamic(x)
        ]
        self.rest: Any = None

    def function(self) -> Callable[..., Any]:
        """The uncompiled function of the traced leaves; it gives the arrays of its result.

        It gives a pair of these, as a list, and of the `Rest` around them.
        """
        f, places, inside, static = self.jitted._f, self.places, self.structure, self.static
        fixed = [None if i in set(places) else x for i, x in enumerate(self.leaves)]

        def flat(*xs: Any) -> Any:
            new = list(fixed)
            for i, x in zip(places, xs, strict=True):
                new[i] = x
            args, kwargs = tree.unflatten(inside, new)
            if static:
                every = [*args, *kwargs.values()]
                for i, x in static.items():
                    every[i] = x
                args = every[: len(args)]
                kwargs = dict(zip(kwargs, every[len(args) :], strict=True))
            out = f(*args, **kwargs)
            leaves, structure = tree.flatten(out)
            other = {k: y for k, y in enumerate(leaves) if not is_traceable(y)}
            arrays = [y for k, y in enumerate(leaves) if k not in other]
            return arrays, Rest(structure, other)

        flat.__name__ = getattr(f, "__name__", type(f).__name__)
        return flat

    def derived(self, kind: Any, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> Any:
        """``jit(make(function))``, once for each kind of derivative, structure and static leaf."""
        fixed: Any = ()
        if self.static or len(self.places) < len(self.leaves):
            places = set(self.places)
            fixed = tuple(_key(x) for i, x in enumerate(self.leaves) if i not in places)
            fixed = fixed, tuple((i, _key(x)) for i, x in self.static.items())
        key = kind, self.structure, fixed
        cache = self.jitted._derived
        if key not in cache:
            f = make(self.function())
            if is_given_up(self.jitted):
                return f
            cache[key] = like(self.jitted)(f)
        return cache[key]

    def value(self) -> Any:
        """The compiled function itself, of its traced leaves."""
        return self.derived("value", lambda f: f)


def like(jitted: Any) -> Callable[[Callable[..., Any]], Any]:
    """What compiles a function with the options of the one that it was made of.

    It holds neither that function nor arguments: what a compiled one reaches, it looks after.
    """
    kind, name = type(jitted), jitted._name
    strict, options, paths = jitted._strict, jitted._options, jitted._max_paths

    def compiled(f: Callable[..., Any]) -> Any:
        new = kind(f, frozenset(), strict, options, paths)
        new._name = name
        return new

    return compiled


def is_given_up(jitted: Any) -> bool:
    """Whether a derivative of a function of CuPy's arrays turned out to run as it is written.

    Then all of them do, and none of them says so again.
    """
    derived = [*jitted._derived.values()]
    return any(d._as_written or (d._derived and is_given_up(d)) for d in derived)


def _key(x: Any) -> Any:
    """What tells values apart: 1 from True, and those without a hash by their identity."""
    try:
        hash(x)
    except TypeError:
        return type(x), id(x)  # the function that is cached holds it
    return type(x), x


def transformed(flat: Flat) -> Any:
    """A call of which some leaves are traced by another transformation."""
    ys = bind(_CALL, [flat.leaves[i] for i in flat.places], {"flat": flat})
    return flat.rest.around(ys)


def _impl(*xs: Any, flat: Flat) -> Any:
    ys, flat.rest = flat.value()(*xs)
    return tuple(ys)


def _push(ans: Any, xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    return _both(xs, ts, params)[1]


def _both(xs: Sequence[Any], ts: Sequence[Any], params: Params) -> Any:
    flat: Flat = params["flat"]
    moving = tuple(i for i, t in enumerate(ts) if t is not None)

    def make(f: Any) -> Any:
        def pushed(xs: Any, ts: Any) -> Any:
            def values(*ms: Any) -> Any:
                ys, rest = f(*replaced(xs, moving, ms))
                return [y for y in ys if _moves(y)] or [0.0], (ys, rest)

            _, tangents, (ys, rest) = jvp(values, [xs[i] for i in moving], ts, has_aux=True)
            given = iter(tangents)
            return ys, [next(given) if _moves(y) else None for y in ys], rest

        return pushed

    ys, tangents, flat.rest = flat.derived(("jvp", moving), make)([*xs], [ts[i] for i in moving])
    return tuple(ys), tuple(tangents)


def _moves(y: Any) -> bool:
    """Whether a result has a derivative."""
    return aval(y).dtype.kind in INEXACT


class Way:
    """What is known of the way back of a call, besides arrays.

    Attributes:
        flat: the function.
        back: the way back; None if the function is computed again.
        moving: the numbers of the operands that have cotangents.
        results: those of the results that have, and all results' shapes and dtypes.
    """

    def __init__(self, flat: Flat, back: Any, moving: tuple[int, ...], ys: Sequence[Any]) -> None:
        self.flat, self.back, self.moving = flat, back, moving
        self.avals = [aval(y) for y in ys]
        self.results = inexact(self.avals)


def _record(xs: Sequence[Any], params: Params) -> Any:
    flat: Flat = params["flat"]
    moving = tuple([i for i, x in enumerate(xs) if aval(x).dtype.kind in INEXACT])
    if not moving:
        return bind(_CALL, xs, params), [Way(flat, None, (), ())]

    compiled = like(flat.jitted)

    def make(f: Any) -> Any:
        return ahead(f, moving, compiled)

    ys, flat.rest, residuals, back = flat.derived(("ahead", moving), make)(*xs)
    kept = xs if back is None else back.chosen(xs, residuals)
    return tuple(ys), [Way(flat, back, moving, ys), *kept]


def _pull(
    active: Sequence[int], g: dict[int, Any], kept: Any, operands: Any, params: Params
) -> list[Any]:
    way, *values = kept
    wanted = tuple([k for k, i in enumerate(way.moving) if i in active])
    if not way.results or not wanted:
        return [None] * len(active)
    gs = [g[k] if k in g else zeros(way.avals[k], [*g.values()]) for k in way.results]
    moving = [way.moving[k] for k in wanted]
    if way.back is not None:
        found = way.back(wanted, gs, values)
    else:
        found = _again(way.flat, tuple(moving), way.results)(values, gs)
    if moving == active:
        return list(found)
    cts = dict(zip(moving, found, strict=True))
    return [cts.get(i) for i in active]


def _again(flat: Flat, moving: tuple[int, ...], results: Sequence[int]) -> Any:
    """The function that gives cotangents of operands, and cotangents of the results."""

    def make(f: Any) -> Any:
        def pulled(xs: Any, gs: Any) -> Any:
            def outs(*ms: Any) -> Any:
                ys, _ = rerun(f, *replaced(xs, moving, ms))
                return [ys[k] for k in results]

            return vjp(outs, *(xs[i] for i in moving))[1](gs)

        return pulled

    return flat.derived(("vjp", moving), make)


def _batch(
    p: Primitive, size: int, xs: Sequence[Any], batched: Sequence[bool], params: Params
) -> Any:
    flat: Flat = params["flat"]
    axes = tuple([0 if b else None for b in batched])

    def make(f: Any) -> Any:
        def mapped(*xs: Any) -> Any:
            rests: list[Any] = []

            def arrays(*ys: Any) -> Any:
                out, rest = f(*ys)
                rests.append(rest)
                return out

            arrays.__name__ = f.__name__
            return vmap(arrays, axes, axis_size=size)(*xs), rests[-1]

        return mapped

    ys, flat.rest = flat.derived(("vmap", axes, size), make)(*xs)
    return tuple(ys)


_CALL = Primitive(
    "jit", _impl, _push, _pull, _batch, needs=lambda i, k: True, several=True, both=_both,
    record=_record,
)  # fmt: skip
