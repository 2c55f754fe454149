"""Running sums, products and extremes along an axis, and the places of extremes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ..program import Node
from .bodies import Body, Rules
from .clusters import start
from .loops import Operand, Set, Value, Writer, const, kind_of
from .nests import Loops, Nest
from .places import Memory
from .scalars import cast


def _moved(x: Memory, axis: int) -> Memory:
    """The array with an axis as its last."""
    shape, strides = [*x.shape], [*x.strides]
    shape.append(shape.pop(axis))
    strides.append(strides.pop(axis))
    return replace(x, shape=tuple(shape), strides=tuple(strides))


def _running(op: str) -> Callable[[Body, Node], None]:
    def rule(body: Body, node: Node) -> None:
        source, target = body.memory(node.ins[0]), body.place_for(node)
        axis = node.meta.params["axis"] % node.ndim
        nest = Nest()
        x, y = nest.inside(source), nest.inside(target, True)
        if y.strides[axis] == 1 or node.size == node.shape[axis]:
            _along(nest.w, op, _moved(x, axis), _moved(y, axis))
        else:
            _across(nest.w, op, axis, x, y)
        body.call(nest)

    return rule


def _along(w: Writer, op: str, x: Memory, y: Memory) -> None:
    """One row after the other."""
    *rest, n = x.shape
    loops = Loops(w, rest)
    total = w.variable(cast(w, w.load(x.at([*loops.counters, 0])), y.type))
    w.store(y.at([*loops.counters, 0]), w.get(total))
    if n > 1:
        loops.enter(n - 1)
        *front, i = loops.counters
        new = cast(w, w.load(_next(x, -1).at([*front, i])), y.type)
        w.emit(Set(total, w.let(op, w.get(total), new)))
        w.store(_next(y, -1).at([*front, i]), w.get(total))
    loops.end()


def _across(w: Writer, op: str, axis: int, x: Memory, y: Memory) -> None:
    """Whole rows at once, each added to the one before."""
    front, n, behind = x.shape[:axis], x.shape[axis], x.shape[axis + 1 :]
    outer = Loops(w, front)
    inner = Loops(w, behind)
    at = [*outer.counters, 0, *inner.counters]
    w.store(y.at(at), cast(w, w.load(x.at(at)), y.type))
    inner.end()
    if n > 1:
        outer.enter(n - 1)
        inner = Loops(w, behind)
        here = [*outer.counters, *inner.counters]
        new = cast(w, w.load(_next(x, axis).at(here)), y.type)
        w.store(_next(y, axis).at(here), w.let(op, w.load(y.at(here)), new))
        inner.end()
    outer.end()


def _next(x: Memory, axis: int) -> Memory:
    """The array from its second entry along an axis on."""
    return replace(x, offset=x.offset + x.strides[axis])


def _place_of(op: str) -> Callable[[Body, Node], None]:
    """The number of the greatest or the least, the first of several; of the first NaN."""

    def rule(body: Body, node: Node) -> None:
        (source,) = node.ins
        axis = node.meta.params["axis"] % source.ndim
        found, target = body.memory(source), body.place_for(node)
        nest = Nest()
        x, y = _moved(nest.inside(found), axis), nest.inside(target, True)
        by = {"max": "or", "min": "and"}[op] if x.type == "i1" else op
        if x.strides[-1] == 1 or not node.shape:
            _in_row(nest.w, by, x, y)
        else:
            best = body.take(node.shape, x.type)
            _in_columns(nest.w, by, x, nest.inside(best, True), y)
        body.call(nest)

    return rule


def _in_row(w: Writer, op: str, x: Memory, y: Memory) -> None:
    """First the extreme of a row, then the least number of those equal to it."""
    *rest, n = x.shape
    loops = Loops(w, rest)
    best, place = w.variable(start(op, x.type)), w.variable(const(n, "i64"))
    with w.loop(n) as i:
        new = w.load(x.at([*loops.counters, i]))
        w.emit(Set(best, w.let(op, w.get(best), new)))
    extreme = w.get(best)
    with w.loop(n) as i:
        new = w.load(x.at([*loops.counters, i]))
        equal = w.let("eq", new, extreme, type="i1")
        if kind_of(x.type) == "f":
            equal = w.let("or", equal, w.let("ne", new, new, type="i1"))
        number = w.let("select", equal, Value(i, "i64"), const(n, "i64"), type="i64")
        w.emit(Set(place, w.let("min", w.get(place), number)))
    w.store(y.at(loops.counters), w.get(place))
    loops.end()


def _in_columns(w: Writer, op: str, x: Memory, best: Memory, y: Memory) -> None:
    """All columns at once: the extremes so far, and their numbers."""
    *rest, n = x.shape
    loops = Loops(w, rest)
    w.store(best.at(loops.counters), w.load(x.at([*loops.counters, 0])))
    w.store(y.at(loops.counters), const(0, "i64"))
    loops.end()
    if n == 1:
        return
    with w.loop(n - 1) as i:
        number = w.let("add", Value(i, "i64"), const(1, "i64"))
        loops = Loops(w, rest)
        new, old = w.load(_next(x, -1).at([*loops.counters, i])), w.load(best.at(loops.counters))
        better: Operand = w.let("gt" if op in ("max", "or") else "lt", new, old, type="i1")
        if kind_of(x.type) == "f":
            first = w.let("and", w.let("ne", new, new, type="i1"),
                          w.let("eq", old, old, type="i1"))  # fmt: skip
            better = w.let("or", better, first)
        before = w.load(y.at(loops.counters))
        w.store(best.at(loops.counters), w.let("select", better, new, old, type=x.type))
        w.store(y.at(loops.counters), w.let("select", better, number, before, type="i64"))
        loops.end()


RULES: Rules = {
    "cumsum": _running("add"), "cumprod": _running("mul"), "running_max": _running("max"),
    "running_min": _running("min"), "argmax": _place_of("max"), "argmin": _place_of("min"),
}  # fmt: skip
