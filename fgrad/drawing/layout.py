"""A layered layout: boxes in rows, so that all arrows point down and few of them cross.

After Sugiyama, Tagawa and Toda (Methods for visual understanding of hierarchical system structures,
1981): rows by the longest way, points where long arrows pass a row, an order of each row by the
means of its neighbours, then positions near these means. Long arrows go straight down between the
boxes, and aside only between rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

#: Between boxes of a row, and between rows.
GAP_X, GAP_Y = 22.0, 34.0
SWEEPS = 12
#: What a box counts that has one arrow only.
LIGHT = 0.05
#: Between a long arrow and what it passes.
LANE = 10.0


@dataclass
class Layout:
    """Centres of boxes, points of arrows, and the size of the whole."""

    centre: list[tuple[float, float]]
    routes: list[list[tuple[float, float]]]
    width: float
    height: float


def layered(
    sizes: Sequence[tuple[float, float]], arrows: Sequence[tuple[int, int]], ports: Sequence[int]
) -> Layout:
    """Place boxes of these widths and heights.

    Arrows lead from an earlier box to a later one, and end at the left (-1), in the middle (0) or
    at the right (1) of it.
    """
    n = len(sizes)
    row = _rows(n, arrows)
    nodes: list[tuple[float, float]] = list(sizes)
    rows: list[list[int]] = [[] for _ in range(max(row, default=0) + 1)]
    for i in range(n):
        rows[row[i]].append(i)
    chains: list[list[int]] = []
    links: list[tuple[int, int]] = []
    for a, b in arrows:
        chain = [a]
        for r in range(row[a] + 1, row[b]):  # a point in each row that the arrow passes
            rows[r].append(len(nodes))
            chain.append(len(nodes))
            nodes.append((6.0, 0.0))
        chain.append(b)
        chains.append(chain)
        links += list(itertools.pairwise(chain))
    above: list[list[int]] = [[] for _ in nodes]
    below: list[list[int]] = [[] for _ in nodes]
    for a, b in links:
        below[a].append(b)
        above[b].append(a)
    x = _columns(rows, nodes, above, below)
    y, tall = _heights(rows, nodes)
    at = {i: r for r, each in enumerate(rows) for i in each}
    _straighten([chain for chain in chains if len(chain) > 2], rows, at, nodes, x)
    left = min((x[i] - nodes[i][0] / 2 for i in range(len(nodes))), default=0.0)
    x = [v - left for v in x]
    width = max((x[i] + nodes[i][0] / 2 for i in range(len(nodes))), default=0.0)
    height = max((y[i] + nodes[i][1] / 2 for i in range(len(nodes))), default=0.0)
    routes = []
    for chain, port in zip(chains, ports, strict=True):
        a, b = chain[0], chain[-1]
        start = (x[a], y[a] + nodes[a][1] / 2)
        end = (x[b] + port * nodes[b][0] / 5, y[b] - nodes[b][1] / 2)
        between = [(x[i], y[i] + side * tall[at[i]] / 2) for i in chain[1:-1] for side in (-1, 1)]
        routes.append([start, *between, end])
    return Layout([(x[i], y[i]) for i in range(n)], routes, width, height)


def _rows(n: int, arrows: Sequence[tuple[int, int]]) -> list[int]:
    """The row of each box: below all that it reads; what nothing leads to, right above its use."""
    row = [0] * n
    for a, b in sorted(arrows, key=lambda arrow: arrow[1]):
        row[b] = max(row[b], row[a] + 1)
    targets = {b for _, b in arrows}
    for i in range(n):
        uses = [row[b] for a, b in arrows if a == i]
        if i not in targets and uses:
            row[i] = min(uses) - 1
    return row


def _columns(
    rows: list[list[int]], nodes: Sequence[tuple[float, float]], above: Any, below: Any
) -> list[float]:
    """Order each row by the means of its neighbours, back and forth, and place it near them."""
    x = [0.0] * len(nodes)
    # What hangs on a single box, such as its parameters, makes way for what leads on.
    weight = [LIGHT if len(above[i]) + len(below[i]) < 2 else 1.0 for i in range(len(nodes))]
    for each in rows:
        _pack(each, nodes, x, None, weight)
    for sweep in range(SWEEPS):
        neighbours = above if sweep % 2 == 0 else below
        for each in rows if sweep % 2 == 0 else rows[::-1]:
            wish = {}
            for i in each:
                near = neighbours[i]
                total = sum(weight[j] for j in near)
                wish[i] = sum(weight[j] * x[j] for j in near) / total if near else x[i]
            each.sort(key=wish.__getitem__)
            _pack(each, nodes, x, wish, weight)
    return x


def _pack(
    each: Sequence[int], nodes: Sequence[tuple[float, float]], x: list[float],
    wish: dict[int, float] | None, weight: Sequence[float],
) -> None:  # fmt: skip
    """Place a row in its order, as near to the wished positions as without overlaps."""
    at = 0.0
    for i in each:
        x[i] = at + nodes[i][0] / 2 if wish is None else max(wish[i], at + nodes[i][0] / 2)
        at = x[i] + nodes[i][0] / 2 + GAP_X
    if wish is None or not each:
        return
    # What was pushed to the right comes back where there is room on the left.
    limit = float("inf")
    total = sum(weight[i] for i in each)
    shift = sum(weight[i] * (x[i] - wish[i]) for i in each) / total
    for i in reversed(each):
        x[i] = min(x[i] - shift, limit - nodes[i][0] / 2)
        limit = x[i] - nodes[i][0] / 2 - GAP_X


def _straighten(
    chains: Sequence[Sequence[int]], rows: Sequence[Sequence[int]], at: dict[int, int],
    nodes: Sequence[tuple[float, float]], x: list[float],
) -> None:  # fmt: skip
    """Lead each long arrow straight down, in the nearest way that is free in all rows it passes."""
    boxes = {*range(len(at))}.difference(i for chain in chains for i in chain[1:-1])
    taken: list[list[tuple[float, float]]] = [
        [(x[i] - nodes[i][0] / 2 - LANE, x[i] + nodes[i][0] / 2 + LANE) for i in each if i in boxes]
        for each in rows
    ]
    for chain in sorted(chains, key=len):
        points = chain[1:-1]
        wall = [span for i in points for span in taken[at[i]]]
        wish = (x[chain[0]] + x[chain[-1]]) / 2
        ways = [wish, *(edge for span in wall for edge in span)]
        free = [w for w in ways if not any(low < w < high for low, high in wall)]
        way = min(free, key=lambda w: abs(w - wish))
        for i in points:
            x[i] = way
            taken[at[i]].append((way - LANE, way + LANE))


def _heights(
    rows: Sequence[Sequence[int]], nodes: Sequence[tuple[float, float]]
) -> tuple[list[float], list[float]]:
    """The centre of each box, and the height of each row."""
    y = [0.0] * len(nodes)
    top, tall = 0.0, []
    for each in rows:
        tallest = max((nodes[i][1] for i in each), default=0.0)
        for i in each:
            y[i] = top + tallest / 2
        top += tallest + GAP_Y
        tall.append(tallest)
    return y, tall
