"""Places: where the values of nodes are: in memory, by strides, or in a few scalars.

Views change strides and nothing else. The space that is needed between the steps of a program is
handed out and taken back as they go by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .loops import DTYPES, Place

Shape = tuple[int, ...]

#: Values of so many elements are kept in scalars.
SMALL = 8
#: Each array of the workspace begins at such a multiple of bytes.
LINE = 64


@dataclass(eq=False)
class Root:
    """Memory of one owner: nothing else lies in it.

    Attributes:
        mine: whether it is ours to write to.
        start, nbytes: its place in the workspace, if it is there.
    """

    mine: bool
    start: int = -1
    nbytes: int = 0


@dataclass(frozen=True)
class Memory:
    """An array in memory; offset and strides in elements, terms for the loops around it."""

    root: Root
    base: str
    type: str
    shape: Shape
    strides: tuple[int, ...]
    offset: int = 0
    terms: tuple[tuple[str, int], ...] = ()

    def at(self, index: Sequence[Any]) -> Place:
        """An element, by numbers or by counters of loops."""
        offset, terms = self.offset, dict(self.terms)
        for i, stride in zip(index, self.strides, strict=True):
            if isinstance(i, str):
                if stride:
                    terms[i] = terms.get(i, 0) + stride
            else:
                offset += i * stride
        return Place(self.base, self.type, offset, tuple(terms.items()))

    def along(self, counter: str, axis: int = 0, reverse: bool = False) -> Memory:
        """One slice of it, the next for each step of a loop; or one before, from the end."""
        stride, n = self.strides[axis], self.shape[axis]
        terms = (*self.terms, (counter, -stride if reverse else stride))
        offset = self.offset + (stride * (n - 1) if reverse else 0)
        shape = self.shape[:axis] + self.shape[axis + 1 :]
        strides = self.strides[:axis] + self.strides[axis + 1 :]
        return replace(self, shape=shape, strides=strides, offset=offset, terms=terms)

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True)
class Scalars:
    """A few values, or one constant for all elements: an object array of operands."""

    values: Any
    type: str

    @property
    def shape(self) -> Shape:
        return tuple(self.values.shape)

    @property
    def one(self) -> Any:
        """The value that all elements have, or None."""
        x = self.values
        if not x.size or any(s and n > 1 for s, n in zip(x.strides, x.shape, strict=True)):
            return None
        return x[(0,) * x.ndim]


Storage = Memory | Scalars


def c_strides(shape: Shape) -> tuple[int, ...]:
    """Strides of an array in C order, in elements."""
    out, step = [], 1
    for n in reversed(shape):
        out.append(step)
        step *= n
    return tuple(reversed(out))


def f_strides(shape: Shape) -> tuple[int, ...]:
    """Strides of an array in Fortran order, in elements."""
    return c_strides(shape[::-1])[::-1]


# ------------------------------------------------------------------ views
def transposed(x: Storage, axes: Sequence[int]) -> Storage:
    """Axes in another order."""
    if isinstance(x, Scalars):
        return replace(x, values=x.values.transpose(axes))
    shape = tuple(x.shape[i] for i in axes)
    return replace(x, shape=shape, strides=tuple(x.strides[i] for i in axes))


def broadcast(x: Storage, shape: Shape) -> Storage:
    """As many equal copies as a shape wants, none of them made."""
    if isinstance(x, Scalars):
        return replace(x, values=np.broadcast_to(x.values, shape))
    lead = len(shape) - len(x.shape)
    strides = tuple(0 if n == 1 else s for n, s in zip(x.shape, x.strides, strict=True))
    return replace(x, shape=tuple(shape), strides=(0,) * lead + strides)


def indexed(x: Storage, spec: tuple[Any, ...]) -> Storage:
    """A part of it, by a basic index."""
    if isinstance(x, Scalars):
        whole = spec if any(s is Ellipsis for s in spec) else (*spec, Ellipsis)
        return replace(x, values=x.values[whole])
    offset, axis = x.offset, 0
    shape: list[int] = []
    strides: list[int] = []
    rest = len(x.shape) - sum(s is not None and s is not Ellipsis for s in spec)
    for s in spec if any(s is Ellipsis for s in spec) else (*spec, Ellipsis):
        if s is None:
            shape.append(1)
            strides.append(0)
        elif s is Ellipsis:
            shape += x.shape[axis : axis + rest]
            strides += x.strides[axis : axis + rest]
            axis += rest
        elif isinstance(s, slice):
            start, stop, step = s.indices(x.shape[axis])
            offset += start * x.strides[axis]
            shape.append(len(range(start, stop, step)))
            strides.append(step * x.strides[axis])
            axis += 1
        else:
            offset += (s if s >= 0 else s + x.shape[axis]) * x.strides[axis]
            axis += 1
    return replace(x, shape=tuple(shape), strides=tuple(strides), offset=offset)


def reshaped(x: Storage, shape: Shape) -> Storage | None:
    """Another shape for the same elements in C order; None if no strides can say it."""
    if isinstance(x, Scalars):
        return replace(x, values=x.values.reshape(shape))
    old = [(n, s) for n, s in zip(x.shape, x.strides, strict=True) if n != 1]
    merged: list[tuple[int, int]] = []  # runs of elements at one distance
    for n, s in old:
        if merged and merged[-1][1] == n * s:
            merged[-1] = merged[-1][0] * n, s
        else:
            merged.append((n, s))
    strides: list[int] = []
    for n in reversed(shape):
        if n == 1:
            strides.append(0)
            continue
        if not merged or merged[-1][0] % n:
            return None
        count, s = merged.pop()
        strides.append(s)
        if count != n:
            merged.append((count // n, s * n))
    return replace(x, shape=tuple(shape), strides=tuple(reversed(strides)))


# ------------------------------------------------------------------ space
@dataclass
class Arena:
    """The workspace: bytes that are in use now, and the most that ever were."""

    nbytes: int = 0
    free: list[tuple[int, int]] = field(default_factory=list)

    def take(self, shape: Shape, type: str) -> Memory:
        """Space for an array in C order."""
        need = -(-math.prod(shape) * DTYPES[type].itemsize // LINE) * LINE
        fitting = [part for part in self.free if part[1] >= need]
        if fitting:
            start, n = min(fitting, key=lambda part: (part[1], part[0]))
            self.free.remove((start, n))
            if n > need:
                self.free.append((start + need, n - need))
        else:
            start = self.nbytes
            last = [part for part in self.free if sum(part) == self.nbytes]
            if last:  # it grows at its end
                self.free.remove(last[0])
                start = last[0][0]
            self.nbytes = start + need
        itemsize = DTYPES[type].itemsize
        root = Root(True, start, need)
        return Memory(root, "ws", type, tuple(shape), c_strides(shape), start // itemsize)

    def give(self, root: Root) -> None:
        """Take back the space of an array that nobody reads any more."""
        parts = sorted([*self.free, (root.start, root.nbytes)])
        self.free = [parts[0]]
        for start, n in parts[1:]:
            before, m = self.free[-1]
            if before + m == start:
                self.free[-1] = before, m + n
            else:
                self.free.append((start, n))
