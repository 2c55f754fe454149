"""Nests: a group of operations as one function of loops over memory.

The function is made for its arrays' strides, not for their addresses: these are its parameters. So
two nests that do the same to different arrays are one function.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..program import Node
from .groups import SAME, reduction
from .loops import (
    DTYPES,
    Call,
    Const,
    Function,
    Operand,
    Place,
    Set,
    Value,
    Variable,
    Writer,
    const,
    kind_of,
    type_of,
)
from .places import Memory, Root, Storage
from .scalars import apply, cast

#: Sums of more elements in one loop are cut into parts of so many, whose sums are added up.
PART = 4096


class Nest:
    """A function that is being written.

    Attributes:
        w: its statements.
        places: what its pointers are to point to.
    """

    def __init__(self) -> None:
        self.w = Writer()
        self.places: list[Place] = []
        self._pointers: dict[Any, tuple[str, Memory]] = {}
        self._values: dict[Value, Value] = {}
        self._written: set[str] = set()
        self._roots: dict[str, Root] = {}

    def inside(self, x: Memory, write: bool = False) -> Memory:
        """The array as the function sees it: its pointer, with offsets from where that points."""
        key = (x.root, x.base, x.type, x.terms)
        if key not in self._pointers:
            name = f"p{len(self._pointers)}"
            self._pointers[key] = name, x
            self._roots[name] = x.root
            self.places.append(Place(x.base, x.type, x.offset, x.terms))
        name, first = self._pointers[key]
        if write:
            assert x.root.mine
            self._written.add(name)
        return Memory(x.root, name, x.type, x.shape, x.strides, x.offset - first.offset)

    def value(self, x: Operand) -> Operand:
        """A value from outside as the function sees it."""
        if not isinstance(x, Value):
            return x
        if x not in self._values:
            self._values[x] = Value(f"s{len(self._values)}", x.type)
        return self._values[x]

    def function(self) -> tuple[Function, tuple[Place, ...], tuple[Operand, ...]]:
        """The function, without a name; the places and values to call it with."""
        pointers = tuple((name, key[2]) for key, (name, _) in self._pointers.items())
        apart = all(
            self._roots[a] is not self._roots[b]
            for a in self._written
            for b in self._roots
            if a != b
        )
        fn = Function(
            "", pointers, tuple(self._values.values()), self.w.body, frozenset(self._written),
            apart,
        )  # fmt: skip
        return fn, tuple(self.places), tuple(self._values)


class Functions:
    """The functions of a module; equal ones once."""

    def __init__(self) -> None:
        self.made: list[Function] = []
        self._known: dict[str, str] = {}
        self.size = 0

    def call(self, w: Writer, nest: Nest) -> None:
        """Enter a nest, and write a call of it."""
        fn, places, values = nest.function()
        key = repr(fn)
        name = self._known.get(key)
        if name is None:
            name = self._known[key] = fn.name = f"nest{len(self.made)}"
            self.made.append(fn)
            self.size += nest.w.size
        w.emit(Call(name, places, values))


# ------------------------------------------------------------------ loops over strides
Strides = list[list[int]]


def ordered(shape: Sequence[int], strides: Strides) -> tuple[list[int], Strides]:
    """Axes of length one left out, and those of the greatest strides outermost."""
    axes = [i for i, n in enumerate(shape) if n != 1]
    axes.sort(key=lambda i: -sum(abs(s[i]) for s in strides))
    return [shape[i] for i in axes], [[s[i] for i in axes] for s in strides]


def collapsed(shape: list[int], strides: Strides) -> tuple[list[int], Strides]:
    """Neighbouring axes as one, where all arrays go on at the same distance."""
    shape, strides = list(shape), [list(s) for s in strides]
    k = len(shape) - 2
    while k >= 0:
        if all(s[k] == s[k + 1] * shape[k + 1] for s in strides):
            shape[k] *= shape.pop(k + 1)
            for s in strides:
                s[k] = s.pop(k + 1)
        k -= 1
    return shape, strides


def parted(shape: list[int], strides: Strides) -> tuple[list[int], Strides]:
    """The innermost axis in parts, if it is long."""
    if not shape or shape[-1] <= PART:
        return shape, strides
    n = shape[-1]
    part = next((k for k in range(PART, 255, -1) if n % k == 0), 0)
    if not part:
        return shape, strides
    new = [[*s[:-1], s[-1] * part, s[-1]] for s in strides]
    return [*shape[:-1], n // part, part], new


class Loops:
    """Nested loops over axes; each body knows its counters."""

    def __init__(self, w: Writer, shape: Sequence[int]) -> None:
        self.w, self.counters = w, list[str]()
        self._stack: list[Any] = []
        for n in shape:
            self.enter(n)

    def enter(self, n: int) -> None:
        """Begin a loop inside of the others."""
        loop = self.w.loop(n)
        self.counters.append(loop.__enter__())
        self._stack.append(loop)

    def leave(self) -> None:
        """End the innermost loop."""
        self.counters.pop()
        self._stack.pop().__exit__(None, None, None)

    def end(self) -> None:
        """End all of them."""
        while self._stack:
            self.leave()


def spread(x: Memory, shape: Sequence[int]) -> list[int]:
    """The strides of an array that is broadcast to a shape."""
    lead = len(shape) - len(x.shape)
    return [0] * lead + [s if n != 1 else 0 for n, s in zip(x.shape, x.strides, strict=True)]


def at(x: Memory, strides: Sequence[int], counters: Sequence[str]) -> Place:
    """An element of an array under counters with strides of their own."""
    return Memory(x.root, x.base, x.type, (0,) * len(strides), tuple(strides), x.offset,
                  x.terms).at(counters)  # fmt: skip


def copy(nest: Nest, source: Storage, target: Memory, add: bool = False) -> None:
    """Write the elements of an array, or one number, into another; or add them to it."""
    w = nest.w
    there = nest.inside(target, True)
    arrays = [there]
    if isinstance(source, Memory):
        arrays.append(nest.inside(source))
    shape, strides = ordered(target.shape, [spread(x, target.shape) for x in arrays])
    shape, strides = collapsed(shape, strides)
    loops = Loops(w, shape)
    if isinstance(source, Memory):
        value: Operand = w.load(at(arrays[1], strides[1], loops.counters))
    else:
        value = nest.value(source.one)
    value = cast(w, value, target.type)
    place = at(there, strides[0], loops.counters)
    if add:
        value = w.let("add", w.load(place), value)
    w.store(place, value)
    loops.end()


def clustered(
    nest: Nest, members: Sequence[Node], shape: Sequence[int], operands: dict[Node, Storage],
    results: dict[Node, Memory], sums: dict[Node, Memory],
) -> None:  # fmt: skip
    """A group of operations in one nest.

    Args:
        members: in order.
        shape: of the loops.
        operands: where the values from outside are.
        results: where the values go that are read outside.
        sums: where the sums go.
    """
    arrays = [x for x in operands.values() if isinstance(x, Memory)]
    sources = {id(x): nest.inside(x) for x in arrays}
    targets = {y: nest.inside(x, True) for y, x in results.items()}
    totals = {y: nest.inside(x, True) for y, x in sums.items()}
    table = [spread(x, shape) for x in arrays] + [spread(x, shape) for x in results.values()]
    table += [_of_sum(y, x) for y, x in sums.items()]
    extents, table = collapsed(*ordered(shape, table))
    op = {y: _op(y) for y in sums}
    whole = [y for y, s in zip(sums, table[len(arrays) + len(results) :], strict=True)
             if not any(s)]  # fmt: skip
    if whole and "mul" not in op.values():  # whose parts may overflow where the whole doesn't
        extents, table = parted(extents, table)
    rows = iter(table)
    steps = {id(x): next(rows) for x in arrays}
    ends = {y: next(rows) for y in results}
    over = {y: next(rows) for y in sums}
    w = nest.w
    # A sum along the innermost axis is a variable of the innermost loop; any other is memory.
    alone = {y for y in sums if not over[y][-1]}
    grown = {y for y in sums if y not in alone or any(s == 0 for s in over[y][:-1])}
    for y in (y for y in sums if y in grown):
        _fill(nest, totals[y], start(op[y], totals[y].type))
    loops = Loops(w, extents[:-1])
    outer = list(loops.counters)
    variables = {y: w.variable(start(op[y], totals[y].type)) for y in sums if y in alone}
    loops.enter(extents[-1])
    values: dict[Node, Operand] = {}

    def read(x: Node) -> Operand:
        if x not in values:
            place = operands[x]
            if isinstance(place, Memory):
                values[x] = w.load(at(sources[id(place)], steps[id(place)], loops.counters))
            else:
                values[x] = nest.value(place.one)
        return values[x]

    for node in members:
        xs = [read(x) for x in node.ins]
        if node in sums:
            _gather(w, node, xs, variables.get(node), at(totals[node], over[node], loops.counters))
            continue
        values[node] = element(w, node, xs)
        if node in targets:
            w.store(at(targets[node], ends[node], loops.counters), values[node])
    loops.leave()
    for y, variable in variables.items():
        place = at(totals[y], over[y][:-1], outer)
        value: Operand = w.get(variable)
        if y in grown:
            value = w.let(op[y], w.load(place), value, loose=op[y] == "add")
        w.store(place, value)
    loops.end()


def element(w: Writer, node: Node, xs: list[Operand]) -> Operand:
    """One element of an elementwise operation."""
    if node.kind == "ufunc":
        return apply(w, node, xs)
    t = type_of(node.dtype)
    assert t is not None
    if node.kind == "cast" or (node.kind == "call" and node.meta.primitive.name in SAME):
        return cast(w, xs[0], t)
    test, yes, no = xs
    return w.let("select", cast(w, test, "i1"), cast(w, yes, t), cast(w, no, t), type=t)


def start(op: str, type: str) -> Const:
    """What a reduction begins with, as NumPy's do."""
    if op in ("max", "min"):
        end = math.inf if op == "min" else -math.inf
        if kind_of(type) == "f":
            return const(end, type)
        return const(getattr(np.iinfo(DTYPES[type]), "max" if op == "min" else "min"), type)
    return const(op in ("mul", "and"), type)


def _op(node: Node) -> str:
    found = reduction(node)
    assert found is not None
    return found.op


def _taken(w: Writer, node: Node, x: Operand, type: str) -> Operand:
    """An element as it is gathered."""
    found = reduction(node)
    assert found is not None
    return cast(w, cast(w, x, "i1") if found.truths else x, type)


def gathered(w: Writer, node: Node, xs: Sequence[list[Operand]]) -> Operand:
    """The sum, maximum or minimum of a few values, one after the other."""
    t = type_of(node.dtype)
    assert t is not None
    out: Operand | None = None
    for x in xs:
        y = _product(w, [_taken(w, node, z, t) for z in x])
        out = y if out is None else w.let(_op(node), out, y)
    assert out is not None
    found = reduction(node)
    if found is not None and found.over > 1:
        out = w.let("div", out, const(found.over, t))
    return out


def divide(nest: Nest, x: Memory, by: int) -> None:
    """Divide all elements of an array by a number."""
    w, x = nest.w, nest.inside(x, True)
    shape, strides = collapsed(*ordered(x.shape, [list(x.strides)]))
    loops = Loops(w, shape)
    place = at(x, strides[0], loops.counters)
    w.store(place, w.let("div", w.load(place), const(by, x.type)))
    loops.end()


def _product(w: Writer, xs: list[Operand]) -> Operand:
    return xs[0] if len(xs) == 1 else w.let("mul", *xs)


def _gather(
    w: Writer, node: Node, xs: list[Operand], variable: Variable | None, place: Place
) -> None:
    """Add one element to a sum."""
    op = _op(node)
    x = _product(w, [_taken(w, node, x, place.type) for x in xs])
    if variable is None:
        w.store(place, w.let(op, w.load(place), x))
    else:
        w.emit(Set(variable, w.let(op, w.get(variable), x, loose=op == "add")))


def _of_sum(node: Node, x: Memory) -> list[int]:
    """The strides of a sum over the axes of what is summed."""
    found = reduction(node)
    assert found is not None
    strides = iter(x.strides)
    out = []
    for i in range(node.ins[0].ndim):
        stride = 0 if i in found.axes and not found.keepdims else next(strides)
        out.append(0 if i in found.axes else stride)
    return out


def _fill(nest: Nest, x: Memory, value: Operand) -> None:
    shape, strides = collapsed(*ordered(x.shape, [list(x.strides)]))
    loops = Loops(nest.w, shape)
    nest.w.store(at(x, strides[0], loops.counters), value)
    loops.end()
