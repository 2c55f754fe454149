"""`cond` and `switch`: one of several functions, by a value.

Where the value is known, the function is called and that is all; plain or differentiated, it
costs what a Python ``if`` costs. Where it isn't, under `vmap` or in a graph, the call is one
operation that holds a graph of each function.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import tree
from ..arrays import Aval, aval, ndim_of, shape_of
from ..batch import vmap
from ..closures import example
from ..core import Params, Primitive, bind, is_traceable, refuse_finished, rerun
from ..derivatives import jvp, vjp
from ..errors import ArgumentError, DtypeError, ShapeError, describe, name_of
from ..ops.casts import stop_gradient_leaf
from ..ops.index import take
from ..tracebacks import boundary
from .bodies import (
    Body,
    Code,
    Leaves,
    Recorded,
    answers_of,
    chosen,
    derive,
    inexact,
    known,
    replaced,
    spread,
    zeros,
)


@boundary
def cond(
    pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any
) -> Any:
    """``true_fun(*operands)`` if ``pred`` else ``false_fun(*operands)``, under any transformation.

    >>> import numpy as np
    >>> from fgrad import vmap
    >>> f = lambda x: cond(x > 0, np.sqrt, lambda x: 0.0 * x, x)
    >>> f(4.0)
    np.float64(2.0)
    >>> vmap(f)(np.array([-1.0, 4.0]))
    array([-0.,  2.])

    Args:
        pred: a boolean, a Python one or an array of shape (). JAX takes numbers, too.
        true_fun, false_fun: functions of the operands that return pytrees of one structure, with
            arrays of the same shapes and dtypes. Where ``pred`` is known, only one is called.
            Under vmap, for a ``pred`` that differs between elements, both are: each gets, for an
            element that isn't its own, another element's operands, and has no say in the
            derivative there; so neither makes NaN of it, unlike in JAX.
        operands: pytrees of arrays.

    Raises:
        DtypeError, ShapeError: ``pred`` isn't a boolean scalar; results that differ in dtype or
            shape.
        TreeError: results that differ in structure.
    """
    _check_functions("cond", (true_fun, false_fun))
    check_scalar_of("cond", "b", "a boolean as its condition", pred, "compare it: x > 0, n != 0")
    value = known(pred)
    if value is not None:
        return (true_fun if value else false_fun)(*operands)
    return _choose(_COND, pred, {"false": false_fun, "true": true_fun}, operands)


@boundary
def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """``branches[index](*operands)``, under any transformation.

    >>> import numpy as np
    >>> switch(1, [np.sin, np.sqrt, np.square], 9.0)
    np.float64(3.0)
    >>> switch(7, [np.sin, np.sqrt, np.square], 9.0)  # the last one
    np.float64(81.0)

    Args:
        index: an integer, a Python one or an array of shape (). One below 0 counts as 0, one
            beyond the last as the last.
        branches: functions, as for `cond`.
        operands: pytrees of arrays.

    Raises: see `cond`.
    """
    branches = tuple(branches)
    if not branches:
        raise ArgumentError(
            "switch wants at least one branch.", "an empty sequence", "give it functions"
        )
    _check_functions("switch", branches)
    check_scalar_of("switch", "iu", "an integer as its index", index, "convert it: k.astype(int)")
    last = len(branches) - 1
    value = known(index)
    if value is not None:
        return branches[min(max(int(value), 0), last)](*operands)
    index = np.clip(stop_gradient_leaf(index), 0, last)
    return _choose(_SWITCH, index, {f"branch_{k}": f for k, f in enumerate(branches)}, operands)


def _check_functions(name: str, fns: Sequence[Any]) -> None:
    for fn in fns:
        if not callable(fn):
            raise ArgumentError(
                f"{name} wants functions to choose from.",
                describe(fn),
                "pass the functions themselves, and their arguments behind: "
                "cond(pred, f, g, x), switch(index, [f, g], x)",
            )


def check_scalar_of(name: str, kinds: str, wanted: str, x: Any, to_do: str) -> None:
    """Refuse what is no scalar of these kinds of dtypes."""
    if not is_traceable(x) or aval(x).dtype.kind not in kinds:
        raise DtypeError(f"{name} wants {wanted}.", describe(x), to_do)
    refuse_finished(x, name)
    if shape_of(x) != ():
        raise ShapeError(
            f"{name} wants {wanted}, one for all.",
            describe(x),
            "reduce it with np.all or np.any; choose element by element with np.where or "
            "fgrad.select, or map the function with fgrad.vmap",
        )


# ------------------------------------------------------------------ as one operation
def _choose(p: Primitive, index: Any, named: dict[str, Callable[..., Any]], operands: Any) -> Any:
    leaves, structure = tree.flatten(operands)
    arrays = [i for i, x in enumerate(leaves) if is_traceable(x)]
    fns = [_of_leaves(f, structure, leaves, arrays) for f in named.values()]
    xs = chosen(leaves, arrays)
    fronts = [[example(x) for x in xs]] * len(fns)
    recorded = Recorded(p.name, fns, fronts)
    dtypes = _agreed(p.name, list(named.values()), recorded)
    if dtypes is not None:
        recorded = Recorded(p.name, [_converted(f, dtypes) for f in fns], fronts)
    params = dict(zip(named, recorded.graphs, strict=True))
    ys = bind(p, (index, *xs, *recorded.captured), params)
    return tree.unflatten(recorded.structures[0], ys)


def _of_leaves(f: Any, structure: Any, leaves: Leaves, arrays: Sequence[int]) -> Any:
    def of_leaves(*xs: Any) -> Any:
        return f(*tree.unflatten(structure, replaced(leaves, arrays, xs)))

    of_leaves.__wrapped__ = f  # type: ignore[attr-defined]
    of_leaves.__name__ = getattr(f, "__name__", type(f).__name__)
    return of_leaves


def _agreed(name: str, fns: Sequence[Any], recorded: Recorded) -> list[Any] | None:
    """The dtypes to convert results to, if Python numbers stand beside arrays; None if none do."""
    first, *rest = recorded.structures
    for fn, other in zip(fns[1:], rest, strict=True):
        tree.check_same_structure(
            tree.unflatten(first, [0.0] * first.num_leaves),
            tree.unflatten(other, [0.0] * other.num_leaves),
            what=f"The results of {name_of(fns[0])} and of {name_of(fn)}, "
            f"which {name} chooses from,",
            to_do="return the same containers from all of them",
        )
    columns = list(zip(*(typed(g) for g in recorded.graphs), strict=True))
    dtypes, convert = [], False
    for path, column in zip(first.accessors(), columns, strict=True):
        strong = [(k, a) for k, (a, weak) in enumerate(column) if not weak] or [(0, column[0][0])]
        k, like = strong[0]
        for j, (a, weak) in enumerate(column):
            at = f" at {tree.path_str(path)}" if path else ""
            bends = weak and np.result_type(like.dtype, a.dtype).kind == like.dtype.kind
            if a.shape != like.shape or (a.dtype != like.dtype and not bends):
                kind = ShapeError if a.shape != like.shape else DtypeError
                raise kind(
                    f"{name} wants functions whose results are of the same shapes and dtypes"
                    f"{at}: {describe(like)}, of {name_of(fns[k])}.",
                    f"{describe(a)}, of {name_of(fns[j])}",
                    "make them alike, with np.broadcast_to(y, shape) or y.astype(dtype)",
                )
            convert |= weak != column[0][1] or a.dtype != like.dtype
        dtypes.append(like.dtype)
    return dtypes if convert else None


def typed(graph: Code) -> list[tuple[Any, bool]]:
    """Shape and dtype of each result, and whether it is a Python number."""
    return [
        (a, o.weak if hasattr(o, "weak") else not hasattr(o.value, "dtype"))
        for a, o in zip(answers_of(graph), graph.outputs, strict=True)
    ]


def _converted(fn: Any, dtypes: Sequence[Any]) -> Any:
    def converted(*xs: Any) -> Any:
        ys, structure = tree.flatten(fn(*xs))
        pairs = zip(ys, dtypes, strict=True)
        return tree.unflatten(structure, [as_dtype(y, dtype) for y, dtype in pairs])

    converted.__wrapped__ = fn  # type: ignore[attr-defined]
    converted.__name__ = fn.__name__
    return converted


def as_dtype(y: Any, dtype: Any) -> Any:
    """A number or an array, traced or not, as an array of a dtype."""
    return y.astype(dtype) if hasattr(y, "dtype") else dtype.type(y)


# ------------------------------------------------------------------ rules
def _impl(index: Any, *xs: Any, **branches: Code) -> tuple[Any, ...]:
    return tuple(list(branches.values())[int(index)].body(xs))


def _each(p: Primitive, index: Any, fn: Any, xs: Leaves, params: Params) -> Any:
    """``fn(body, *xs)`` of the branch taken if that is known, else one operation of all."""
    value = known(index)
    if value is not None:
        return fn(list(params.values())[int(value)].body, *xs)
    examples = [example(x) for x in xs]

    def graph(name: str, branch: Code) -> Code:
        body = branch.body
        return derive(branch.name, lambda *ys: fn(body, *ys), examples)

    return bind(p, (index, *xs), {k: graph(k, v) for k, v in params.items()})


def _both(xs: Leaves, ts: Leaves, params: Params) -> Any:
    index, *xs = xs
    n = len(xs)
    avals = answers_of(next(iter(params.values())))
    moving = [i for i, t in enumerate(ts[1:]) if t is not None]
    results = inexact(avals)

    def push(body: Body, *all_: Any) -> Any:
        ys, ds = all_[:n], all_[n:]
        outs, tangents = jvp(lambda *ms: body(replaced(ys, moving, ms)), chosen(ys, moving), ds)
        return [*outs, *chosen(tangents, results)]

    p = _COND if "false" in params else _SWITCH
    outs = _each(p, index, push, [*xs, *(t for t in ts[1:] if t is not None)], params)
    return tuple(outs[: len(avals)]), spread(outs[len(avals) :], results, len(avals))


def _record(xs: Leaves, params: Params) -> Any:
    index, *xs = xs
    p = _COND if "false" in params else _SWITCH
    avals = answers_of(next(iter(params.values())))
    results, moving = inexact(avals), inexact([aval(x) for x in xs])
    value = known(index)
    if value is None or not results or not moving:
        return bind(p, (index, *xs), params), [None, index, *xs]
    body = list(params.values())[int(value)].body

    def f(*ms: Any) -> Any:
        outs = body(replaced(xs, moving, ms))
        return chosen(outs, results), outs

    _, pullback, outs = vjp(f, *chosen(xs, moving), has_aux=True)
    return tuple(outs), [pullback]


def _backward(
    active: Sequence[int], g: dict[int, Any], residuals: Any, operands: Any, params: Params
) -> list[Any]:
    avals = answers_of(next(iter(params.values())))
    results, moving = inexact(avals), inexact(operands[1:])
    gs = [g[k] if k in g else zeros(avals[k], [*g.values()]) for k in results]
    pullback, *kept = residuals
    if not results or not moving:
        return [None] * len(active)
    if pullback is None:
        index, *xs = kept
        n = len(xs)

        def pull(body: Body, *all_: Any) -> Any:
            ys, cs = all_[:n], all_[n:]
            f = lambda *ms: chosen(rerun(body, replaced(ys, moving, ms)), results)  # noqa: E731
            return vjp(f, *chosen(ys, moving))[1](list(cs))

        p = _COND if "false" in params else _SWITCH
        cts = _each(p, index, pull, [*xs, *gs], params)
    else:
        cts = pullback(gs)
    found = spread(cts, moving, len(operands) - 1)
    return [None if i == 0 else found[i - 1] for i in active]


def own(mask: Any, x: Any) -> Any:
    """A batch with the elements that aren't in the mask replaced by one that is."""
    if not shape_of(x)[0]:
        return x
    column = np.reshape(mask, (-1, *(1,) * (ndim_of(x) - 1)))
    return np.where(column, x, take(stop_gradient_leaf(x), np.argmax(mask), axis=0))


def _batch(p: Primitive, size: int, xs: Leaves, batched: Sequence[bool], params: Params) -> Any:
    index, *xs = xs
    axes = [0 if b else None for b in batched[1:]]

    def mapped(body: Body, *ys: Any) -> Any:
        return vmap(lambda *zs: body(zs), axes, axis_size=size)(*ys)

    if not batched[0]:
        return tuple(_each(p, index, mapped, xs, params))
    outs: Any = None
    for k, graph in enumerate(params.values()):
        mask = np.equal(stop_gradient_leaf(index), bool(k) if p is _COND else k)
        plain = known(mask)
        if plain is not None and not np.any(plain):
            continue
        if plain is not None and np.all(plain):
            return tuple(mapped(graph.body, *xs))
        mine = [own(mask, x) if b else x for x, b in zip(xs, batched[1:], strict=True)]
        with np.errstate(all="ignore" if plain is None else None):  # perhaps none is its own
            ys = mapped(graph.body, *mine)
        outs = ys if outs is None else [_where(mask, y, z) for y, z in zip(ys, outs, strict=True)]
    if outs is None:
        empty = answers_of(next(iter(params.values())))
        return [zeros(Aval((0, *a.shape), a.dtype), xs) for a in empty]
    return tuple(outs)


def _where(mask: Any, y: Any, z: Any) -> Any:
    return np.where(np.reshape(mask, (-1, *(1,) * (ndim_of(y) - 1))), y, z)


def _primitive(name: str) -> Primitive:
    return Primitive(
        name, _impl, lambda ans, xs, ts, params: _both(xs, ts, params)[1], _backward, _batch,
        several=True, both=_both, record=_record,
    )  # fmt: skip


_COND, _SWITCH = _primitive("cond"), _primitive("switch")
