"""Greedy colouring of the columns of a matrix, and of the vertices of a graph.

Columns of one colour have no row in common, so their derivatives can be told apart although they
are computed together (A. Curtis, M. Powell and J. Reid, On the estimation of sparse Jacobian
matrices, 1974). A greedy colouring takes the columns in some order and gives each the first colour
that fits; how many colours that takes depends on the order. For orders and for star colourings see
A. Gebremedhin, F. Manne and A. Pothen, What color is your Jacobian?, SIAM Review 47, 2005.

The colours that occur in a row are the bits of one integer, so that a column looks at its own
entries alone, and not at its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

#: Up to so many pairs of columns that share a row, an order may look at all of them.
PAIRS = 2_000_000

ORDERS = ("natural", "largest_first", "smallest_last")


def first_free(taken: int) -> int:
    """The place of the lowest zero bit.

    >>> first_free(0b1011)
    2
    """
    return (~taken & (taken + 1)).bit_length() - 1


def color_columns(pattern: Any, order: Any) -> Any:
    """Colours such that columns of one colour share no row, greedily in an order.

    Args:
        pattern: a boolean csr_array of shape (m, n).
        order: the columns, each once.

    Returns:
        The colour of each column, an integer array of length n; -1 of an empty one.
    """
    columns = pattern.tocsc()
    starts, rows = columns.indptr.tolist(), columns.indices.tolist()
    taken = [0] * pattern.shape[0]
    colors = [-1] * pattern.shape[1]
    for j in order.tolist():
        mine = rows[starts[j] : starts[j + 1]]
        if not mine:
            continue
        forbidden = 0
        for i in mine:
            forbidden |= taken[i]
        colors[j] = color = first_free(forbidden)
        bit = 1 << color
        for i in mine:
            taken[i] |= bit
    return np.asarray(colors, np.intp)


def color_star(graph: Any, order: Any) -> Any:
    """A star colouring: neighbours differ, and each path of four vertices has three colours.

    Then the vertices of any two colours form stars, and of the two places of an entry of a
    symmetric matrix there is one from which it can be read (T. Coleman and J. Moré, Estimation of
    sparse Hessian matrices and graph coloring problems, 1984). The greedy algorithm is in the
    spirit of A. Gebremedhin et al., New acyclic and star coloring algorithms, 2007: it keeps, for
    each vertex, the colours of its neighbours and those for which it hangs on another's star.

    Args:
        graph: a symmetric boolean csr_array without entries on the diagonal.
        order: the vertices, each once.

    Returns:
        The colour of each vertex.
    """
    starts, neighbours = graph.indptr.tolist(), graph.indices.tolist()
    n = graph.shape[0]
    colors = [-1] * n
    #: Of each vertex the colours of its neighbours, as bits and with the first one of each.
    around = [0] * n
    first: list[dict[int, int]] = [{} for _ in range(n)]
    #: Colours of neighbours on whose star, of two rays or more, a vertex is a ray.
    hubs = [0] * n
    for v in order.tolist():
        mine = [w for w in neighbours[starts[v] : starts[v + 1]] if colors[w] >= 0]
        groups: dict[int, list[int]] = {}
        for w in mine:
            groups.setdefault(colors[w], []).append(w)
        forbidden = around[v]
        for rays in groups.values():
            if len(rays) > 1:  # v becomes the hub: its rays have no other neighbour of its colour
                for w in rays:
                    forbidden |= around[w]
            else:  # v hangs on w, which must not hang on another
                forbidden |= hubs[rays[0]]
        colors[v] = color = first_free(forbidden)
        bit = 1 << color
        for d, rays in groups.items():
            if len(rays) > 1:
                for w in rays:
                    hubs[w] |= bit
            elif around[rays[0]] & bit:  # w is a hub from now on, if it has been none before
                hubs[v] |= 1 << d
                hubs[first[rays[0]][color]] |= 1 << d
        for w in neighbours[starts[v] : starts[v + 1]]:
            around[w] |= bit
            first[w].setdefault(color, v)
    return np.asarray(colors, np.intp)


# ------------------------------------------------------------------ orders
def column_orders(pattern: Any, order: str) -> Iterator[Any]:
    """The orders of the columns to try; all that are cheap for "auto"."""
    n = pattern.shape[1]
    lengths = np.diff(pattern.indptr)
    if order in ("auto", "natural"):
        yield np.arange(n)
    if order in ("auto", "largest_first"):
        yield np.argsort(-(pattern.T.astype(np.int64) @ lengths), kind="stable")
    few = int(np.sum(lengths.astype(np.int64) ** 2)) <= PAIRS
    if order == "smallest_last" or (order == "auto" and few):
        yield smallest_last((pattern.T @ pattern).tocsr())


def vertex_orders(graph: Any, order: str) -> Iterator[Any]:
    """The orders of the vertices to try; all of them for "auto"."""
    if order in ("auto", "natural"):
        yield np.arange(graph.shape[0])
    if order in ("auto", "largest_first"):
        yield np.argsort(-np.diff(graph.indptr), kind="stable")
    if order in ("auto", "smallest_last"):
        yield smallest_last(graph)


def smallest_last(graph: Any) -> Any:
    """The vertices such that each has the least degree among those up to it.

    D. Matula and L. Beck, Smallest-last ordering and clustering and graph coloring algorithms,
    Journal of the ACM 30, 1983.
    """
    n = graph.shape[0]
    starts, neighbours = graph.indptr.tolist(), graph.indices.tolist()
    degrees = np.diff(graph.indptr).tolist()
    buckets: list[list[int]] = [[] for _ in range(max(degrees, default=0) + 1)]
    for v in range(n - 1, -1, -1):
        buckets[degrees[v]].append(v)
    done = [False] * n
    out: list[int] = []
    least = 0
    while len(out) < n:
        while not buckets[least]:
            least += 1
        v = buckets[least].pop()
        if done[v] or degrees[v] != least:  # it stands in the bucket of an earlier degree too
            continue
        done[v] = True
        out.append(v)
        for w in neighbours[starts[v] : starts[v + 1]]:
            if not done[w]:
                degrees[w] -= 1
                buckets[degrees[w]].append(w)
                least = min(least, degrees[w])
    return np.asarray(out[::-1], np.intp)
