"""Additions into parts of an array: one after the other, or of a new array all in one nest.

Where slices are added into an array that is one number throughout, as the derivatives of slices
are, the array falls into cells, in each of which the same slices are added; each cell is written
once.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..program import Node, Shape
from . import places
from .bodies import Body, Rules, typed
from .gathers import begun
from .loops import Operand
from .nests import Loops, Nest
from .places import SMALL, Memory, Scalars, Storage
from .scalars import cast

#: More cells would be too much code.
MOST = 32


@dataclass(frozen=True)
class _Box:
    """A part of an array, from one corner to another, and what is added to it, axis by axis."""

    corners: tuple[tuple[int, int], ...]
    value: Storage


def _puts(body: Body, node: Node) -> None:
    """All additions of a group, the last of which is ``node``."""
    members = body.grouping.groups[body.now].members
    if node.size > SMALL and _together(body, members):
        return
    for x in members:
        _put(body, x)


def _put(body: Body, node: Node) -> None:
    """A copy of x with something added to a part of it; x itself where nobody reads it again."""
    x, y = node.ins
    if node.size <= SMALL:
        values = body.scalars(x).copy()
        spec = node.meta.spec
        part = values[spec if any(s is Ellipsis for s in spec) else (*spec, ...)]  # a view
        added: Any = np.broadcast_to(body.scalars(y), part.shape)
        for index in np.ndindex(*part.shape):
            new = cast(body.w, added[index], typed(node))
            part[index] = body.w.let("add", part[index], new)
        body.set(node, values)
        return
    target = begun(body, node)
    place = places.indexed(target, node.meta.spec)
    assert isinstance(place, Memory)
    body.copy(body.operand(y), place, add=True)


# ------------------------------------------------------------------ all at once
def _together(body: Body, members: Sequence[Node]) -> bool:
    """Write an array in one nest, cell by cell; whether that can be done."""
    shape, base = members[-1].shape, body.storage(members[0].ins[0])
    if not isinstance(base, Scalars) or base.one is None:
        return False
    found = [_box(x.meta.spec, shape, body.operand(x.ins[1])) for x in members]
    boxes = [box for box in found if box is not None]
    cells = _cells(shape, boxes)
    if len(boxes) != len(members) or not cells:
        return False
    nest = Nest()
    w, there = nest.w, nest.inside(body.place_for(members[-1]), True)
    start = nest.value(base.one)
    inner = [
        replace(box, value=nest.inside(box.value)) if isinstance(box.value, Memory) else box
        for box in boxes
    ]
    for cell in cells:
        loops = Loops(w, [b - a for a, b in cell if b - a > 1])
        names = iter(loops.counters)
        index = [next(names) if b - a > 1 else 0 for a, b in cell]
        total: Operand = start
        for box in inner:
            if all(a <= c and d <= b for (a, b), (c, d) in zip(box.corners, cell, strict=True)):
                value: Operand
                if isinstance(box.value, Memory):
                    value = w.load(_cut(box.value, box.corners, cell).at(index))
                else:
                    value = nest.value(box.value.one)
                total = w.let("add", total, cast(w, value, there.type))
        w.store(_cut(there, [(0, n) for n in shape], cell).at(index), total)
        loops.end()
    body.call(nest)
    return True


Corners = Sequence[tuple[int, int]]


def _cut(x: Memory, corners: Corners, cell: Corners) -> Memory:
    """The cell of an array that lies between corners."""
    ahead = sum(
        (c - a) * s for (a, _), (c, _), s in zip(corners, cell, x.strides, strict=True)
    )  # fmt: skip
    return replace(x, shape=tuple(d - c for c, d in cell), offset=x.offset + ahead)


def _box(spec: Sequence[Any], shape: Shape, value: Storage) -> _Box | None:
    """What an index of slices stands for, with a value for each of its elements."""
    spec = (*spec,) if any(s is Ellipsis for s in spec) else (*spec, Ellipsis)
    rest = len(shape) - sum(s is not None and s is not Ellipsis for s in spec)
    corners: list[tuple[int, int]] = []
    kept: list[int | None] = []  # for each axis of what is picked, the array's; None for a new one
    for s in spec:
        axis = len(corners)
        if s is None:
            kept.append(None)
        elif s is Ellipsis:
            kept += range(axis, axis + rest)
            corners += [(0, n) for n in shape[axis : axis + rest]]
        elif isinstance(s, slice):
            start, stop, step = s.indices(shape[axis])
            if step != 1 or stop <= start:
                return None
            kept.append(axis)
            corners.append((start, stop))
        else:
            i = s if s >= 0 else s + shape[axis]
            corners.append((i, i + 1))
    picked = tuple(1 if k is None else corners[k][1] - corners[k][0] for k in kept)
    if isinstance(value, Scalars):
        return _Box(tuple(corners), value) if value.one is not None else None
    wide = places.broadcast(value, picked)
    assert isinstance(wide, Memory)
    steps = dict(zip(kept, wide.strides, strict=True))
    strides = tuple(steps.get(axis, 0) for axis in range(len(shape)))
    extents = tuple(b - a for a, b in corners)
    return _Box(tuple(corners), replace(wide, shape=extents, strides=strides))


def _cells(shape: Shape, boxes: Sequence[_Box]) -> list[Corners]:
    """The parts of an array in which the same boxes are."""
    cuts = []
    for axis, n in enumerate(shape):
        ends = sorted({0, n, *(end for box in boxes for end in box.corners[axis])})
        cuts.append([*itertools.pairwise(ends)])
    return [*itertools.product(*cuts)] if math.prod(map(len, cuts)) <= MOST else []


RULES: Rules = {"put": _puts}
