"""Products: matrix products as BLAS does them quickest, once it is known which there are.

A network that is unrolled in time adds up the gradient of its weights, a small product for each
step: ``x1.T @ g1 + x2.T @ g2 + ...``. That is one product of the x and the g stacked, and if these
are written where they belong in the stacks, nothing is copied or added. And where several products
have the same transposed matrix on their right, it is copied once, in rows: for small matrices BLAS
takes half the time then.

Both change last bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .buffers import is_planned
from .program import Builder, Held, Index, Node, Program

#: Stacks have about so many rows: as many as it takes for the product itself to be what costs.
HIGH = 256
#: So many products with one transposed matrix are worth a copy of it.
SEVERAL = 4
#: Products of fewer rows are done vector by vector, to which all orders are alike.
FEW_ROWS = 8


@dataclass(frozen=True)
class Term:
    """A product ``left.T @ right``, where left has the rows of right; None for ones."""

    left: Node | None
    right: Node


def combined(program: Program) -> Program:
    """The program with sums of products as products of stacks, and matrices the right way round."""
    return _turned(_stacked(program))


def _made(b: Builder, new: dict[Node, Node], node: Node) -> None:
    """Make a node again, of what its operands have become."""
    ins = [_found(b, new, x) for x in node.ins]
    out = b.make(node.kind, ins, node.meta, node.shape, node.dtype, node.weak)
    out.name = out.name or node.name
    new[node] = out


def _found(b: Builder, new: dict[Node, Node], x: Node) -> Node:
    if x not in new:
        new[x] = b.literal(x.meta.value if isinstance(x.meta, Held) else x.meta)
    return new[x]


def _again(b: Builder, new: dict[Node, Node], program: Program) -> Program:
    outputs = [_found(b, new, y) for y in program.outputs]
    return Program([new[x] for x in program.inputs], b.nodes, outputs)


# ------------------------------------------------------------------ transposed matrices
def _turned(program: Program) -> Program:
    """The program with copies of matrices that are multiplied with from the right, transposed."""
    uses: dict[Node, int] = {}
    for node in program.nodes:
        if _from_the_right(node):
            uses[node.ins[1]] = uses.get(node.ins[1], 0) + 1
    turned = {y for y, n in uses.items() if n >= SEVERAL}
    if not turned:
        return program
    b = Builder({}, share=False)
    new: dict[Node, Node] = {x: x for x in program.inputs}
    copies: dict[Node, Node] = {}
    for node in program.nodes:
        if _from_the_right(node) and node.ins[1] in turned:
            x, y = node.ins
            if y not in copies:
                copies[y] = b.make("broadcast", (new[y],), y.shape, y.shape, y.dtype)
            ins = _found(b, new, x), copies[y]
            new[node] = b.make("dot", ins, None, node.shape, node.dtype)
            new[node].name = node.name
        else:
            _made(b, new, node)
    return _again(b, new, program)


def _from_the_right(node: Node) -> bool:
    """Whether a node is the product of a matrix in rows with a transposed one."""
    if node.kind != "dot" or node.ndim != 2 or node.dtype.char not in "fd":
        return False
    x, y = node.ins
    return x.fortran is False and y.kind == "transpose" and x.shape[0] >= FEW_ROWS


# ------------------------------------------------------------------ sums of products
def _stacked(program: Program) -> Program:
    """The program with sums of small products as products of stacks."""
    sums = dict(_sums(program))
    if not sums:
        return program
    place, stacks = _stacks(sums.values())
    at = {node: k for k, node in enumerate(program.nodes)}
    b = Builder({}, share=False)
    new: dict[Node, Node] = {x: x for x in program.inputs}
    # What is computed as soon as the last right side of a stack is there.
    ready: dict[int, list[int]] = {}
    for k, rights in enumerate(stacks):
        ready.setdefault(max(at.get(x, -1) for x in rights), []).append(k)
    gone = set(_inside(program, sums))
    partial: dict[Node, list[Node]] = {root: [] for root in sums}
    for position, node in enumerate(program.nodes):
        if node in sums:
            rest = [_found(b, new, x) for x in sums[node][1]]
            total, *more = [*partial[node], *rest]
            for x in more:
                total = b.make("ufunc", (total, x), np.add, node.shape, node.dtype)
            total.name = total.name or node.name
            new[node] = total
        elif node not in gone:
            _made(b, new, node)
        for k in ready.get(position, ()):
            stack = _stack(b, [new[x] for x in stacks[k]])
            for root, (terms, _) in sums.items():
                mine = sorted(
                    (place[t.right][1], t.left) for t in terms if place[t.right][0] == k
                )
                partial[root] += _products(b, new, stack, len(stacks[k]), mine, root)
    return _again(b, new, program)


def _sums(program: Program) -> Iterator[tuple[Node, tuple[list[Term], list[Node]]]]:
    """The sums of several small products: their terms, and what else is added."""
    uses = program.uses()
    inside: set[Node] = set()
    for root in reversed(program.nodes):
        if root in inside or not _is_sum(root):
            continue
        terms: list[Term] = []
        rest: list[Node] = []
        stack = [root]
        while stack:
            node = stack.pop()
            alone = node is root or (uses.get(node) == 1 and node.shape == root.shape)
            term = _term(node) if alone else None
            if alone and _is_sum(node) and node.dtype == root.dtype:
                inside.add(node)
                stack += node.ins[::-1]
            elif term is not None:
                terms.append(term)
            else:
                rest.append(node)
        if len(terms) >= SEVERAL and len({t.right for t in terms}) == len(terms):
            yield root, (terms, rest)
