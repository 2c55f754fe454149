"""Blocks: operations over large arrays, together, a cache-sized block of rows at a time.

A chain of ufuncs over a million entries spends its time waiting for memory: each reads and writes
all of them. Here a whole cluster of such operations, forward and backward pass and the sums at
their ends, goes over the arrays once, with scratch arrays that stay in the cache.

A cluster is a loop over rows, the leading axes that its large arrays share (`rows`). Beside arrays
of full size it takes what broadcasts along them: rows that are the same for all, a number for each
row or channel. A reduction within rows is an operation like others, whose answer the same block
may use: a softmax is one loop. A sum over all rows is added up from block to block, and can't be
read before the loop ends; so each operation gets a depth, one more than that of the sums it reads,
and operations of equal rows and depth are one cluster.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .passes import Options, has_effect
from .program import BLOCKED, Node, Program, Shape
from .rows import ROWS, along_rows, has_rows, over_rows, role, rows_of

#: Bytes of a block: 16384 entries of float64.
BLOCK = 1 << 17
#: Fewer operations that go over large arrays are not worth a loop.
FEW = 3
#: One less is, if nobody else reads an array of so many bytes, which then need not be made.
GREAT = 12 * BLOCK
#: What may be a member.
KINDS = frozenset({"ufunc", "where", "cast", "reshape", "reduce", "inner"})
#: Reductions that may stay within rows.
REDUCTIONS = frozenset({np.add, np.maximum, np.minimum})


@dataclass(eq=False)
class Cluster:
    """Operations that are done together.

    Attributes:
        rows: the leading axes, which the loop goes over. An array inside of it has these axes and
            then its own; a block is a few rows.
        members: the operations in order: ``ufunc``, ``where``, ``cast``; ``reshape`` of what lies
            behind the rows; ``reduce`` along axes behind the rows; and the sums.
        results: those of them whose arrays others read.
        sums: those that add up over all rows: ``inner``, and ``reduce`` with `numpy.add` over all
            of the leading axes and perhaps others. Others read them after the loop.
    """

    rows: Shape = ()
    members: list[Node] = field(default_factory=list)
    results: list[Node] = field(default_factory=list)
    sums: list[Node] = field(default_factory=list)


#: What tells clusters apart: rows and depth.
Key = tuple[Shape, int]


def clustered(program: Program, options: Options) -> Program:
    """The program with clusters in place of operations over large arrays, where there are any."""
    if not any(map(_touches, program.nodes)):
        return program
    clusters = _clusters(program, options.reassociate)
    if not clusters:
        return program
    _find_ends(program, clusters)
    return Program(program.inputs, _ordered(program, clusters), program.outputs)


def _touches(node: Node) -> bool:
    """Whether an operation goes over a large array."""
    if node.kind not in KINDS:
        return False
    return node.size >= BLOCKED or any(x.size >= BLOCKED for x in node.ins)


# ------------------------------------------------------------------ who is together
def _clusters(program: Program, reassociate: bool) -> list[Cluster]:
    cluster_of: dict[Node, Key] = {}
    sums: set[Node] = set()
    depth: dict[Node, int] = {}
    effects = 0
    for node in program.nodes:
        rows = _rows_for(node, cluster_of, sums, reassociate)
        d = 0
        for x in node.ins:
            key = cluster_of.get(x)
            inside = key is None or (key[0] == rows and x not in sums and _in_step(x, node, rows))
            d = max(d, depth.get(x, 0) + (not inside))
        if has_effect(node):  # these stay in their order
            effects = d = max(d, effects)
        depth.update(dict.fromkeys(made_by(node), d))
        if rows is None:
            continue
        if not along(node, rows):
            if not any(cluster_of.get(x) == (rows, d) for x in node.ins):
                continue
            sums.add(node)
        cluster_of[node] = rows, d
    return [*_worthwhile(program, cluster_of, sums)]


def along(node: Node, rows: Shape) -> bool:
    """Whether a member's answer has rows, too; the others are sums over all rows."""
    if node.kind == "reduce":
        return along_rows(node.meta[1], rows)
    return node.kind != "inner"


def _in_step(x: Node, node: Node, rows: Shape | None) -> bool:
    """Whether a round of the loop that computes a node reads of x what the same round computes."""
    if rows is None or node.kind in ("reduce", "inner", "reshape"):
        return True
    return role(x, rows, node.shape) == ROWS


def _rows_for(
    node: Node, cluster_of: dict[Node, Key], sums: set[Node], reassociate: bool
) -> Shape | None:
    """The rows of the loops that a node may be a part of, or None."""
    near = [cluster_of[x][0] for x in node.ins if x in cluster_of and x not in sums]
    if node.kind in ("ufunc", "where", "cast"):
        if node.fortran is not False or not node.shape or not _is_elementwise(node):
            return None
        if node.size >= BLOCKED:
            near = [rows_of(node.shape)]
        for rows in near:
            roles = [role(x, rows, node.shape) for x in node.ins]
            if node.shape[: len(rows)] == rows and None not in roles:
                return rows
    elif node.kind == "reshape":
        for rows in near:
            if node.shape[: len(rows)] == rows:
                return rows
    elif node.kind in ("reduce", "inner") and node.ins[0].size >= BLOCKED:
        rows = near[0] if near else rows_of(node.ins[0].shape)
        fits = all(has_rows(x, rows) for x in node.ins)
        if fits and _is_reduction(node, rows, reassociate):
            return rows
    return None


def _is_elementwise(node: Node) -> bool:
    if any(x.dtype.kind not in "fiubc" for x in (node, *node.ins)):
        return False
    if node.kind == "where":
        return node.ins[0].dtype.kind == "b"
    if node.kind == "cast":
        return node.ins[0].dtype.kind != "c"
    return node.meta.signature is None


def _is_reduction(node: Node, rows: Shape, reassociate: bool) -> bool:
    if node.dtype.char not in "fd":
        return False
    if node.kind == "inner":
        return reassociate
    f, axes, _ = node.meta
    if along_rows(axes, rows):
        # To the bit only where NumPy adds up each row by itself, whatever there is beside it.
        last = node.ins[0].ndim - 1
        return f in REDUCTIONS and (reassociate or axes == tuple(range(axes[0], last + 1)))
    return bool(reassociate and f is np.add and over_rows(axes, rows))


def _worthwhile(
    program: Program, cluster_of: dict[Node, Key], sums: set[Node]
) -> Iterator[Cluster]:
    """The clusters without what need not be in them, and those that are large enough."""
    clusters: dict[Key, Cluster] = {}
    for node in program.nodes:
        if node in cluster_of:
            key = cluster_of[node]
            clusters.setdefault(key, Cluster(key[0])).members.append(node)
    for cluster in clusters.values():
        read: set[Node] = set()
        members = []
        for node in reversed(cluster.members):
            # A small operation on answers of the loop is done at once behind it, not in each round.
            if _touches(node) or node in sums or node in read:
                members.append(node)
                read.update(node.ins)
        cluster.members = members[::-1]
        work = sum(map(_touches, cluster.members))
        if work >= FEW or (work == FEW - 1 and _saves(program, cluster)):
            yield cluster


def _saves(program: Program, cluster: Cluster) -> bool:
    """Whether a large array need not be made, since only the loop reads it."""
    members = set(cluster.members)
    read = {*program.outputs, *(x for n in program.nodes if n not in members for x in n.ins)}
    return any(m.size * m.dtype.itemsize >= GREAT and m not in read for m in cluster.members)


# ------------------------------------------------------------------ what others read
def _find_ends(program: Program, clusters: Sequence[Cluster]) -> None:
    """Find what of each cluster is read outside of it."""
    inside = {m: cluster for cluster in clusters for m in cluster.members}
    read = set(program.outputs)
    for node in program.nodes:
        read.update(x for x in node.ins if inside.get(x) is not inside.get(node, node))
    for cluster in clusters:
        cluster.sums = [m for m in cluster.members if not along(m, cluster.rows)]
        wanted = {m for m in cluster.members if m in read}
        # A view is made again outside, of what it is a view of.
        for m in reversed(cluster.members):
            if m in wanted and m.kind == "reshape":
                wanted.add(m.ins[0])
        cluster.results = [
            m for m in cluster.members
            if m in wanted and m.kind != "reshape" and m not in cluster.sums
        ]  # fmt: skip


def _ordered(program: Program, clusters: Sequence[Cluster]) -> list[Node]:
    """The nodes in their order, each cluster where its last member was, or where it is needed."""
    inside = {m: cluster for cluster in clusters for m in cluster.members}
    block = {id(cluster): _as_node(cluster) for cluster in clusters}
    views = {m for m in inside if m.kind == "reshape"}
    before: dict[Node, Node] = {}
    effects = [node for node in program.nodes if has_effect(node)]
    before.update(zip(effects[1:], effects, strict=False))
    maker = {made: node for node in program.nodes for made in made_by(node)}
    done: set[Node] = set(program.inputs)
    out: list[Node] = []
    stack: list[Node] = []
    left = {id(cluster): len(cluster.members) for cluster in clusters}

    def whole(node: Node) -> Node:
        """What computes a node."""
        inner = node in inside and node not in views
        return block[id(inside[node])] if inner else maker.get(node, node)

    for node in program.nodes:
        cluster = inside.get(node)
        if cluster is not None:
            left[id(cluster)] -= 1
            if not left[id(cluster)]:
                stack.append(block[id(cluster)])
        if cluster is None or (node in views and _is_read(node, program, inside)):
            stack.append(node)
        stack.reverse()
        while stack:
            top = stack[-1]
            needs = [whole(x) for x in top.ins if x.kind != "literal"]
            needs += [before[top]] if top in before else []
            missing = [x for x in needs if x not in done]
            if top in done or not missing:
                stack.pop()
                if top not in done:
                    done.add(top)
                    out.append(top)
            else:
                stack += missing[::-1]
    return out


def _is_read(view: Node, program: Program, inside: dict[Node, Cluster]) -> bool:
    """Whether a view that is made inside of a loop is read outside, too."""
    mine = inside[view]
    return view in program.outputs or any(
        view in node.ins and inside.get(node) is not mine for node in program.nodes
    )


def _as_node(cluster: Cluster) -> Node:
    inside = set(cluster.members)
    ins = dict.fromkeys(x for n in cluster.members for x in n.ins if x not in inside)
    largest = max(cluster.members, key=lambda n: n.size)
    return Node("block", tuple(ins), cluster, largest.shape, largest.dtype)


def made_by(node: Node) -> Sequence[Node]:
    """The nodes whose values a node computes: itself, or those of its cluster, loop or kernel."""
    if node.kind == "native":
        return list(node.meta.made)
    if node.kind == "steps":
        return list(node.meta.results)
    return [*node.meta.results, *node.meta.sums] if node.kind == "block" else [node]
