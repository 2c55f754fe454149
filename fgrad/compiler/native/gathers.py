"""Reading and writing by arrays of indices, each of which is compared with its axis.

An index that is out of bounds is written down, and the call raises NumPy's error when it is done;
until then the first entry stands for what isn't there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ...ops.indices import HERE
from ..program import Node, Shape
from . import places
from .bodies import Body, Rules
from .groups import VIEWS
from .loops import If, Operand, Place, Set, Value, Variable, Writer, const, type_of
from .nests import Loops, Nest
from .places import Memory, Storage
from .scalars import cast

#: The dtypes that indices may have, by their types.
INDICES = frozenset({"i64", "i32", "i16", "i8", "u32", "u16", "u8"})


def refused(node: Node) -> str | None:
    """Why an index can't be lowered; None if it can."""
    name, spec = node.meta.primitive.name, node.meta.params["spec"]
    arrays = node.ins[1 if name == "getitem" else 2 :]
    if not arrays or not all(a.size for a in arrays):
        return f"{name} of these arrays"
    if any(type_of(a.dtype) not in INDICES for a in arrays):
        return f"{name} by masks"
    if not all(s is HERE or type(s) in (int, slice, type(None), type(...)) for s in spec):
        return f"{name} by truth values"
    placed = [i for i, s in enumerate(spec) if s is HERE or type(s) is int]
    if any(spec[i] is Ellipsis for i in range(placed[0], placed[-1])):
        return f"{name} by arrays around an ellipsis"
    if name == "index_set" and np.broadcast_shapes(*(a.shape for a in arrays))[1:]:
        return f"{name} by arrays of several axes"  # of equal indices, which is the last?
    return None


class _Index:
    """An index: where its axes are in what it picks.

    Attributes:
        front, behind: extents and strides of the axes before those of the arrays, and after.
        offset: of the first element.
        axes: number, length and stride of each axis that an array stands for.
        wide: the shape of all arrays together.
    """

    def __init__(self, x: Memory, spec: Sequence[Any], arrays: Sequence[Shape]) -> None:
        self.offset, self.axes, self.wide = x.offset, [], np.broadcast_shapes(*arrays)
        dims: list[tuple[int, int]] = []
        first, axis = None, 0
        spec = (*spec,) if any(s is Ellipsis for s in spec) else (*spec, Ellipsis)
        rest = len(x.shape) - sum(s is not None and s is not Ellipsis for s in spec)
        for s in spec:
            if s is HERE or type(s) is int:
                first = len(dims) if first is None else first
            if s is None:
                dims.append((1, 0))
            elif s is Ellipsis:
                stop = axis + rest
                dims += zip(x.shape[axis:stop], x.strides[axis:stop], strict=True)
                axis = stop
            else:
                n, stride = x.shape[axis], x.strides[axis]
                if s is HERE:
                    self.axes.append((axis, n, stride))
                elif type(s) is int:
                    self.offset += (s if s >= 0 else s + n) * stride
                else:
                    start, stop, step = s.indices(n)
                    self.offset += start * stride
                    dims.append((len(range(start, stop, step)), step * stride))
                axis += 1
        placed = [i for i, s in enumerate(spec) if s is HERE or type(s) is int]
        together = placed == [*range(placed[0], placed[-1] + 1)]
        cut = first if together and first is not None else 0
        self.front, self.behind = dims[:cut], dims[cut:]

    @property
    def shape(self) -> Shape:
        """Of what is picked."""
        return tuple(n for n, _ in self.front) + self.wide + tuple(n for n, _ in self.behind)


def _checked(
    w: Writer, array: Memory, counters: Sequence[str], n: int, bad: Variable | None
) -> Value:
    """An index, counted from the front; the first one for what is out of bounds."""
    i: Operand = cast(w, w.load(array.at(counters)), "i64")
    below = w.let("lt", i, const(0, "i64"), type="i1")
    i = w.let("select", below, w.let("add", i, const(n, "i64")), i, type="i64")
    inside = w.let("and", w.let("ge", i, const(0, "i64"), type="i1"),
                   w.let("lt", i, const(n, "i64"), type="i1"))  # fmt: skip
    if bad is not None:
        w.emit(Set(bad, w.let("or", w.get(bad), w.let("not", inside))))
    return w.let("select", inside, i, const(0, "i64"), type="i64")


def _each(
    body: Body, nest: Nest, x: Memory, node: Node, arrays: Sequence[Node],
    act: Callable[[Place, list[str]], None],
) -> None:  # fmt: skip
    """Act upon each element that is picked, by its place and the counters of its axes."""
    w = nest.w
    index = _Index(x, node.meta.params["spec"], [a.shape for a in arrays])
    given = [places.broadcast(nest.inside(body.memory(a)), index.wide) for a in arrays]
    ours = [a for a in given if isinstance(a, Memory)]
    bad = [w.variable(const(False, "i1")) for _ in ours]
    loops = Loops(w, [n for n, _ in index.front] + [*index.wide])
    here = loops.counters[len(index.front) :]
    found = [
        _checked(w, a, here, n, flag)
        for a, (_, n, _), flag in zip(ours, index.axes, bad, strict=True)
    ]
    for n, _ in index.behind:
        loops.enter(n)
    plain = [*loops.counters[: len(index.front)],
             *loops.counters[len(index.front) + len(index.wide) :]]  # fmt: skip
    terms = [(c, s) for c, (_, s) in zip(plain, [*index.front, *index.behind], strict=True) if s]
    terms += [(i.name, s) for i, (_, _, s) in zip(found, index.axes, strict=True)]
    act(Place(x.base, x.type, index.offset, (*x.terms, *terms)), [*loops.counters])
    loops.end()
    fault = nest.inside(body.state.fault, True)
    for a, (axis, n, _), flag in zip(ours, index.axes, bad, strict=True):
        body.state.checked.append((axis, n))
        inner: list[Any] = []
        with w.inside(inner):
            _find(w, a, index.wide, n, fault, len(body.state.checked))
        w.emit(If(w.get(flag), inner, []))


def _find(w: Writer, array: Memory, shape: Shape, n: int, fault: Memory, number: int) -> None:
    """Write down the first index that is out of bounds, unless there is one already."""
    loops = Loops(w, shape)
    i = cast(w, w.load(array.at(loops.counters)), "i64")
    low = w.let("lt", i, const(-n, "i64"), type="i1")
    bad = w.let("or", low, w.let("ge", i, const(n, "i64"), type="i1"))
    none = w.let("eq", w.load(fault.at([0])), const(0, "i64"), type="i1")
    write: list[Any] = []
    with w.inside(write):
        w.store(fault.at([1]), i)
        w.store(fault.at([0]), const(number, "i64"))
    w.emit(If(w.let("and", bad, none), write, []))
    loops.end()


def begun(body: Body, node: Node) -> Memory:
    """A copy of the first operand, to be changed; itself where nobody reads it again."""
    x, *others = node.ins
    before, last = body.storage(x), body.grouping.last
    dies = last.get(x, -1) <= body.now and x.kind not in VIEWS
    found = [body.operand(y) for y in others]
    apart = isinstance(before, Memory) and not any(
        isinstance(y, Memory) and y.root is before.root for y in found
    )
    same = x in body.target and body.target.get(x) is body.target.get(node)
    if dies and apart and isinstance(before, Memory) and (
        same or (body.owns(before) and node not in body.target)
    ):  # fmt: skip
        body.env[node] = before
        body.keep(before.root, last.get(node, -1))
        return before
    target = body.place_for(node)
    body.copy(before, target)
    return target


def _getitem(body: Body, node: Node) -> None:
    source, *arrays = node.ins
    x, target = body.memory(source), body.place_for(node)
    nest = Nest()
    w, x, y = nest.w, nest.inside(x), nest.inside(target, True)
    _each(body, nest, x, node, arrays, lambda place, at: w.store(y.at(at), w.load(place)))
    body.call(nest)


def _changed(add: bool) -> Callable[[Body, Node], None]:
    def rule(body: Body, node: Node) -> None:
        _, new, *arrays = node.ins
        target = begun(body, node)
        nest = Nest()
        w, y = nest.w, nest.inside(target, True)
        source = body.operand(new)
        shape = _Index(y, node.meta.params["spec"], [a.shape for a in arrays]).shape
        v = source if not isinstance(source, Memory) else nest.inside(source)
        wide = places.broadcast(_lowered(v, len(shape)), shape)

        def act(place: Place, at: list[str]) -> None:
            found = w.load(wide.at(at)) if isinstance(wide, Memory) else nest.value(wide.one)
            value = cast(w, found, y.type)
            w.store(place, w.let("add", w.load(place), value) if add else value)

        _each(body, nest, y, node, arrays, act)
        body.call(nest)

    return rule


def _lowered(x: Storage, ndim: int) -> Storage:
    """The array without axes of length 1 in front that a place of this rank hasn't."""
    extra = len(x.shape) - ndim
    if extra <= 0 or not isinstance(x, Memory):
        return x
    return replace(x, shape=x.shape[extra:], strides=x.strides[extra:])


RULES: Rules = {
    "getitem": _getitem, "index_add": _changed(True), "index_set": _changed(False),
}  # fmt: skip
