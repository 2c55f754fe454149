"""Where boxes, arrows and headings of a picture stand, in points, for whatever draws them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from .boxes import size_of
from .layout import layered
from .network import Box, Network

Point = tuple[float, float]

#: Between the ways forward and back, and above their headings.
BESIDE, HEAD = 80.0, 34.0


@dataclass
class Line:
    """A line of cubic curves: each two control points, and the end.

    Attributes:
        style: "forward" and "back" have a tip; "kept" is what the way back reads.
        label: what stands beside the tip.
    """

    start: Point
    curves: list[tuple[Point, Point, Point]]
    style: str = "forward"
    label: str = ""

    @property
    def end(self) -> Point:
        """Where the tip is."""
        return self.curves[-1][-1]


@dataclass
class Arrangement:
    """A picture: boxes with their centres and sizes, lines, headings, and its size."""

    boxes: list[tuple[Box, Point, tuple[float, float]]] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    headings: list[tuple[str, Point]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def arranged(net: Network) -> Arrangement:
    """The way forward in rows, its arrows down; the way back beside it, as in a mirror."""
    number = {box: k for k, box in enumerate(net.boxes)}
    arrows = [(number[a], number[b]) for a, b, _ in net.arrows]
    read = {b for _, b in arrows}
    # Constants are met late, when they are read, and come first here.
    order = sorted(range(len(net.boxes)), key=lambda k: k if k in read else -1)
    rank = {k: i for i, k in enumerate(order)}
    sizes = [_size(net, box) for box in net.boxes]
    ports = [{"x": -1, "y": 1}.get(label, 0) for _, _, label in net.arrows]
    plan = layered([sizes[k] for k in order], [(rank[a], rank[b]) for a, b in arrows], ports)
    centre = [plan.centre[rank[k]] for k in range(len(net.boxes))]
    out = Arrangement(width=plan.width, height=plan.height)
    for box, at, size in zip(net.boxes, centre, sizes, strict=True):
        out.boxes.append((box, at, size))
    for route, (_, _, label) in zip(plan.routes, net.arrows, strict=True):
        out.lines.append(_down(route, label))
    if not net.twins:
        return out
    aside = 2 * plan.width + BESIDE
    place = {}
    for box, (x, y), size in zip(net.boxes, centre, sizes, strict=True):
        if box in net.twins:
            out.boxes.append((net.twins[box], (aside - x, y), size))
            place[box] = place[net.twins[box]] = (x, y), size
    wanted = set(net.back)
    for route, (a, b, _) in zip(plan.routes, net.arrows, strict=True):
        if (net.twins.get(b), net.twins.get(a)) in wanted:
            moved = [(aside - x, y) for x, y in reversed(route)]
            out.lines.append(_down(moved, "", "back"))
    for box, twin in net.kept:
        (x, y), (w, _) = next((at, size) for b, at, size in out.boxes if b is box)
        (u, v), (z, _) = next((at, size) for b, at, size in out.boxes if b is twin)
        start, end = (x + w / 2, y), (u - z / 2, v)
        middle = (start[0] + end[0]) / 2
        curve = (middle, y), (middle, v), end
        out.lines.insert(0, Line(start, [curve], "kept"))
    out.width = 2 * plan.width + BESIDE
    _raise_headings(out, plan.width)
    return out


def _raise_headings(out: Arrangement, width: float) -> None:
    """Put a heading above each way; all else moves down."""

    def low(p: Point) -> Point:
        return p[0], p[1] + HEAD

    out.boxes = [(b, low(at), size) for b, at, size in out.boxes]
    for line in out.lines:
        line.start = low(line.start)
        line.curves = [(low(p), low(q), low(r)) for p, q, r in line.curves]
    out.headings = [("forward ↓", (width / 2, 14.0)),
                    ("backward ↑", (width * 1.5 + BESIDE, 14.0))]  # fmt: skip
    out.height += HEAD


def _size(net: Network, box: Box) -> tuple[float, float]:
    """That of a box, or of its twin if that is larger."""
    w, h = size_of(box)
    if box not in net.twins:
        return w, h
    u, v = size_of(net.twins[box])
    return max(w, u), max(h, v)


def _down(route: Sequence[Point], label: str, style: str = "forward") -> Line:
    """A line through points that leaves and comes in upright."""
    curves = []
    for (x, y), (u, v) in itertools.pairwise(route):
        middle = (y + v) / 2
        curves.append(((x, middle), (u, middle), (u, v)))
    return Line(route[0], curves, style, label)
