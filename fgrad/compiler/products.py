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

import numpy as np

from ..arrays import is_a
from .buffers import PLACED
from .passes import has_effect, live
from .program import Builder, Held, Index, Node, Program

#: Products are stacked up to so many multiplications, and no more than so many of them: BLAS does
#: these without copies of its own.
SMALL, MANY = 1 << 19, 16
#: Stacks have at most so many bytes: they must not push out of the cache what they are made of.
BYTES = 1 << 17
#: So many products with one transposed matrix are worth a copy of it.
SEVERAL = 4
#: Products of fewer rows are done vector by vector, to which all orders are alike.
FEW_ROWS = 8


@dataclass(frozen=True)
class Term:
    """A product ``left.T @ right``, where left has the rows of right; None for ones."""

    product: Node
    left: Node | None
    right: Node


def combined(program: Program) -> Program:
    """The program with sums of products as products of stacks, and matrices the right way round."""
    return _turned(_stacked(program))


def _made(b: Builder, new: dict[Node, Node], node: Node) -> None:
    """Make a node again, of what its operands have become."""
    b.origin = node.origin
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
        b.origin = node.origin
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
    stacks = _stacks([terms for terms, _ in sums.values()])
    place = {x: (k, i) for k, stack in enumerate(stacks) for i, x in enumerate(stack)}
    at = {node: k for k, node in enumerate(program.nodes)}
    whole = [max(at[x] for x in stack) for stack in stacks]
    for root, (terms, rest) in sums.items():
        # A stack may end with what is computed after the sum: that part of the sum stays as it is.
        late = [t for t in terms if whole[place[t.right][0]] > at[root]]
        rest += [t.product for t in late]
        terms[:] = [t for t in terms if t not in late]
    ready: dict[int, list[int]] = {}
    for k, position in enumerate(whole):
        ready.setdefault(position, []).append(k)
    totals: dict[Node, Node] = {}
    b = Builder({}, share=False)
    new: dict[Node, Node] = {x: x for x in program.inputs}
    for position, node in enumerate(program.nodes):
        b.origin = node.origin
        if node in sums:
            for x in sums[node][1]:
                _add(b, totals, node, _found(b, new, x))
            new[node] = totals[node]
            new[node].name = node.name
        else:
            _made(b, new, node)
        for k in ready.get(position, ()):
            stack = _stack(b, new, stacks[k])
            for root, (terms, _) in sums.items():
                mine = sorted(((place[t.right][1], t) for t in terms if place[t.right][0] == k),
                              key=lambda pair: pair[0])  # fmt: skip
                for product in _products(b, new, stack, mine, root):
                    _add(b, totals, root, product)
    program = _again(b, new, program)
    wanted = [*program.outputs, *filter(has_effect, program.nodes)]
    return Program(program.inputs, live(program.nodes, wanted), program.outputs)


def _add(b: Builder, totals: dict[Node, Node], root: Node, x: Node) -> None:
    if root in totals:
        x = b.make("ufunc", (totals[root], x), np.add, root.shape, root.dtype)
    totals[root] = x


def _sums(program: Program) -> Iterator[tuple[Node, tuple[list[Term], list[Node]]]]:
    """The sums of several small products: their terms, and what else is added."""
    uses, outputs = program.uses(), set(program.outputs)
    inside: set[Node] = set()
    for root in reversed(program.nodes):
        if root in inside or not _is_sum(root):
            continue
        terms: list[Term] = []
        rest: list[Node] = []
        stack = [root]
        while stack:
            node = stack.pop()
            alone = node is root or uses[node] == 1 if node.kind != "literal" else False
            term = _term(node) if alone else None
            if alone and _is_sum(node):
                inside.add(node)
                stack += node.ins
            elif term is not None and term.right not in outputs:
                terms.append(term)
            else:
                rest.append(node)
        shapes = {t.right.shape for t in terms}
        distinct = len({t.right for t in terms}) == len(terms)
        if len(terms) >= SEVERAL and len(shapes) == 1 and distinct and _count(terms) > 1:
            yield root, (terms, rest)


def _count(terms: Sequence[Term]) -> int:
    """How many products are made one."""
    product, right = terms[0].product, terms[0].right
    size = right.size * right.dtype.itemsize
    return min(MANY, SMALL // (product.size * right.shape[0]), BYTES // size)


def _is_sum(node: Node) -> bool:
    same = all(x.shape == node.shape and x.dtype == node.dtype for x in node.ins)
    return node.kind == "ufunc" and node.meta is np.add and node.floating and same and node.ndim > 0


def _term(node: Node) -> Term | None:
    """The product that a node is, if its sides can be stacked."""
    if node.kind != "dot" or node.dtype.char not in "fd":
        return None
    x, y = node.ins
    if y.kind not in PLACED or y.ndim != 2 or y.fortran is not False or not node.size:
        return None
    if x.kind == "transpose" and x.ndim == 2 and x.ins[0].fortran is False:
        return Term(node, x.ins[0], y)
    one = x.kind == "broadcast" and x.ins[0].number == 1
    return Term(node, None, y) if one and x.size == y.shape[0] else None


def _stacks(sums: Sequence[Sequence[Term]]) -> list[list[Node]]:
    """The right sides of terms as they are stacked: those of the longest sum first."""
    stacks: list[list[Node]] = []
    seen: set[Node] = set()
    order = sorted(sums, key=lambda ts: (-len(ts), -_known(ts), -ts[0].product.size))
    for terms in order:
        rights = [t.right for t in terms]
        rows = [_row(t.left) for t in terms]
        if _known(terms) and rows[0] > rows[-1]:  # so that the left sides are neighbours in order
            rights.reverse()
        rights = [x for x in rights if x not in seen]
        seen.update(rights)
        count = _count(terms)
        stacks += [rights[k : k + count] for k in range(0, len(rights), count)]
    return stacks


def _known(terms: Sequence[Term]) -> bool:
    """Whether the left sides are all rows of arrays."""
    return all(_row(t.left) >= 0 for t in terms)


def _row(x: Node | None) -> int:
    """The number of the row of an array in rows that a matrix is, or -1."""
    row = x is not None and x.kind == "index" and x.ins[0].fortran is False and x.ins[0].ndim == 3
    first = x.meta.spec[0] if x is not None and row and len(x.meta.spec) == 1 else -1
    return first if is_a(first, int) else -1


def _stack(b: Builder, new: dict[Node, Node], some: Sequence[Node]) -> Node:
    """Matrices one below the other."""
    ins = [_found(b, new, x) for x in some]
    if len(ins) == 1:
        return ins[0]
    shape = sum(x.shape[0] for x in ins), ins[0].shape[1]
    return b.make("stack", ins, None, shape, ins[0].dtype)


def _products(
    b: Builder, new: dict[Node, Node], stack: Node, terms: Sequence[tuple[int, Term]], root: Node
) -> Iterator[Node]:
    """The products of terms whose right sides are in a stack, at these positions."""
    runs: list[list[tuple[int, Term]]] = []
    for k, term in terms:
        if (
            runs
            and runs[-1][-1][0] == k - 1
            and (runs[-1][-1][1].left is None) is (term.left is None)
        ):
            runs[-1].append((k, term))
        else:
            runs.append([(k, term)])
    for run in runs:
        (first, t), height = run[0], run[0][1].right.shape[0]
        b.origin = t.product.origin
        right, rows = stack, slice(first * height, (first + len(run)) * height)
        if rows != slice(0, stack.shape[0]):
            shape = (rows.stop - rows.start, stack.shape[1])
            right = b.make("index", (stack,), Index((rows,)), shape, stack.dtype)
        if t.left is None:
            ones = (right.shape[0],) if root.ndim == 1 else (1, right.shape[0])
            left = b.broadcast(b.scalar(1, root.dtype), ones)
        else:
            lefts = [x.left for _, x in run if x.left is not None]
            left = b.transpose(_rows(b, new, lefts), (1, 0))
        yield b.make("dot", (left, right), None, root.shape, root.dtype)


def _rows(b: Builder, new: dict[Node, Node], lefts: Sequence[Node]) -> Node:
    """Left sides one below the other: a part of an array that has them so, or a stack."""
    base, first = lefts[0].ins[:1], _row(lefts[0])
    rows = [_row(x) for x in lefts]
    neighbours = rows == [*range(first, first + len(lefts))] and first >= 0
    if not neighbours or any(x.ins[:1] != base for x in lefts):
        return _stack(b, new, lefts)
    height, width = lefts[0].shape
    spec = Index((slice(first, first + len(lefts)),))
    ins = [_found(b, new, x) for x in base]
    some = b.make("index", ins, spec, (len(lefts), height, width), lefts[0].dtype)
    return b.reshape(some, (len(lefts) * height, width))
