"""Blocks: elementwise operations over large arrays, together, a cache-sized block at a time.

A chain of ufuncs over a million entries spends its time waiting for memory: each reads and writes
all of them. Here a whole cluster of such operations, forward and backward pass and the sums at
their ends, goes over the arrays once, with scratch arrays that stay in the cache.

A cluster may not wait for anything that is computed from its own sums; so each operation gets a
depth, one more than that of the sums it reads, and operations of one shape and depth are one
cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .passes import has_effect
from .program import Node, Program

#: Entries of a block: 128 KiB of float64.
BLOCK = 16384
#: Arrays of fewer entries are in the cache anyway.
LARGE = 1 << 17
#: Fewer operations are not worth a loop.
FEW = 3


@dataclass(eq=False)
class Cluster:
    """Operations that are done together.

    Attributes:
        members: the operations in order.
        results: those whose arrays others read.
        sums: those that are sums of all entries.
    """

    members: list[Node] = field(default_factory=list)
    results: list[Node] = field(default_factory=list)
    sums: list[Node] = field(default_factory=list)


def clustered(program: Program, reassociate: bool) -> Program:
    """The program with clusters in place of operations over large arrays, where there are any."""
    if not any(is_large(node) for node in program.nodes):
        return program
    depth, cluster_of = _depths(program, reassociate)
    clusters: dict[Any, Cluster] = {}
    for node in program.nodes:
        key = cluster_of.get(node)
        if key is not None:
            clusters.setdefault(key, Cluster()).members.append(node)
    clusters = {key: c for key, c in clusters.items() if len(c.members) >= FEW}
    if not clusters:
        return program
    _ends(program, cluster_of, clusters)
    ordered = sorted(
        program.nodes, key=lambda n: (depth[n], cluster_of.get(n) in clusters)
    )  # stable: what comes first in one depth stays first
    nodes: list[Node] = []
    for node in ordered:
        cluster = clusters.get(cluster_of.get(node))
        if cluster is None:
            nodes.append(node)
        elif node is cluster.members[0]:
            nodes.append(_as_node(cluster))
    return Program(program.inputs, nodes, program.outputs)


def is_large(node: Node) -> bool:
    """Whether a node is an elementwise operation over large arrays that lie in C order."""
    return (
        node.kind == "ufunc"
        and node.size >= LARGE
        and node.fortran is False
        and all(not x.shape or (x.shape == node.shape and x.fortran is False) for x in node.ins)
    )


def _is_sum(node: Node) -> bool:
    if node.shape or node.dtype.char not in "fd":
        return False
    if node.kind == "reduce":
        return bool(node.meta[0] is np.add)
    return node.kind == "inner"


def _depths(program: Program, reassociate: bool) -> tuple[dict[Node, int], dict[Node, Any]]:
    depth: dict[Node, int] = {}
    cluster_of: dict[Node, Any] = {}
    effects = 0
    for node in program.nodes:
        d = 0
        large = is_large(node)
        total = (
            reassociate
            and _is_sum(node)
            and all(x.size >= LARGE and x.fortran is False for x in node.ins)
        )
        shape = node.ins[0].shape if total else node.shape
        for x in node.ins:
            key = cluster_of.get(x)
            inside = (large or total) and key is not None and key[0] == shape and x.shape
            d = max(d, depth.get(x, 0) + (0 if inside or key is None else 1))
        if has_effect(node):  # these stay in their order
            effects = d = max(d, effects)
        depth[node] = d
        if large or (total and any(cluster_of.get(x, (None, -1)) == (shape, d) for x in node.ins)):
            cluster_of[node] = shape, d
    return depth, cluster_of


def _ends(program: Program, cluster_of: dict[Node, Any], clusters: dict[Any, Cluster]) -> None:
    """Find what of each cluster is read outside of it."""
    read: set[Node] = set(program.outputs)
    for node in program.nodes:
        key = cluster_of.get(node)
        read.update(x for x in node.ins if key is None or cluster_of.get(x) != key or not x.shape)
    for cluster in clusters.values():
        cluster.sums = [n for n in cluster.members if not n.shape]
        cluster.results = [n for n in cluster.members if n.shape and n in read]


def _as_node(cluster: Cluster) -> Node:
    inside = set(cluster.members)
    ins = dict.fromkeys(x for n in cluster.members for x in n.ins if x not in inside)
    first = cluster.members[0]
    return Node("block", tuple(ins), cluster, first.shape, first.dtype)


def scratch(cluster: Cluster) -> tuple[dict[Node, int], list[Any]]:
    """A scratch array for each operation whose entries stay inside, and the dtypes of these."""
    last = {x: k for k, n in enumerate(cluster.members) for x in n.ins}
    results = set(cluster.results)
    place: dict[Node, int] = {}
    dtypes: list[Any] = []
    free: list[int] = []
    for k, node in enumerate(cluster.members):
        done = [x for x in dict.fromkeys(node.ins) if x in place and last[x] == k]
        free += [place[x] for x in done]
        if node.shape and node not in results:
            fitting = [s for s in free if dtypes[s] == node.dtype]
            if fitting:
                free.remove(fitting[-1])
                place[node] = fitting[-1]
            else:
                place[node] = len(dtypes)
                dtypes.append(node.dtype)
    return place, dtypes


def made_by(node: Node) -> Sequence[Node]:
    """The nodes whose values a node computes: itself, or those of its cluster."""
    return [*node.meta.results, *node.meta.sums] if node.kind == "block" else [node]
