"""Nests: functions of loops over memory.

The function is made for its arrays' strides, not for their addresses: these are its parameters. So
two nests that do the same to different arrays are one function.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .loops import Call, Function, Operand, Place, Value, Writer
from .places import Memory, Root, Storage
from .scalars import cast

#: The parameters of a nest that does some parts of a loop: from the first to before the last.
SPAN = Value("first", "i64"), Value("last", "i64")
#: Sums of more elements in one loop are cut into parts of so many, whose sums are added up.
PART = 4096


class Nest:
    """A function that is being written.

    Attributes:
        w: its statements.
        places: what its pointers are to point to.
        parts: how many parts its outermost loop has, of which it does some; 0 if it does all.
    """

    def __init__(self) -> None:
        self.w, self.parts = Writer(), 0
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
        span = SPAN if self.parts else ()
        fn = Function(
            "", pointers, (*self._values.values(), *span), self.w.body, frozenset(self._written),
            apart, parts=self.parts,
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
        w.emit(Call(name, places, values, nest.parts))


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

    def enter(self, n: int, span: tuple[Operand, Operand] | None = None) -> None:
        """Begin a loop inside of the others."""
        loop = self.w.loop(n, span)
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


def fill(nest: Nest, x: Memory, value: Operand) -> None:
    """Write one number into all of an array."""
    shape, strides = collapsed(*ordered(x.shape, [list(x.strides)]))
    loops = Loops(nest.w, shape)
    nest.w.store(at(x, strides[0], loops.counters), value)
    loops.end()
