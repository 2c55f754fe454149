"""Hoisting: what a step computes of slices and constants alone goes in front of the loop.

What is the same in all steps is computed once. Products of slices with a matrix become one product
for all steps; so do small elementwise operations, for which a step costs more than its entries.
"""

from __future__ import annotations

import numpy as np

from ..passes import Options, has_effect
from ..program import Builder, Node
from .editing import Behind, Draft
from .scan import copied, filled, found, replay
from .stacking import is_stackable, stacked

#: An operation on fewer entries costs more for being called than for computing.
SMALL = 1024
#: So much memory in front of a loop, more than what it slices takes four times, is too much.
MUCH = 1 << 26


def tidy(loop: Draft) -> None:
    """Leave out what isn't needed: equal inputs, slices and carries that are always the same."""
    loop.prune()
    b = Builder({})
    given: dict[Node, Node] = {}
    for x, start, y in zip(loop.carries, loop.starts, loop.nexts, strict=True):
        if x is y:
            loop.consts.append(x)
            loop.values.append(start)
            for k in [k for k, last in loop.lasts.items() if last is x]:
                del loop.lasts[k]
                loop.behind[k] = _same(start)
    for x, column in zip(loop.slices, loop.columns, strict=True):
        row = _row(loop.b, column)
        if row is not None:
            loop.consts.append(x)
            loop.values.append(row)
    fixed = set(loop.consts)
    keep = [k for k, x in enumerate(loop.carries) if x not in fixed]
    loop.carries, loop.starts, loop.nexts = (
        [xs[k] for k in keep] for xs in (loop.carries, loop.starts, loop.nexts)
    )
    keep = [k for k, x in enumerate(loop.slices) if x not in fixed]
    loop.slices, loop.columns = ([xs[k] for k in keep] for xs in (loop.slices, loop.columns))
    given.update(_merged(loop.slices, loop.columns))
    given.update(_merged(loop.consts, loop.values))
    for x, value in zip(loop.consts, loop.values, strict=True):
        if x not in given and filled(value) is not None and value.weak is x.weak:
            given[x] = copied(b, value)
    if given:
        loop.rebuilt(b, given)
    loop.prune()


def _same(node: Node) -> Behind:
    return lambda loop: node


def _row(b: Builder, column: Node) -> Node | None:
    """The slice that all slices of a column are, if it is plain to see."""
    if column.kind != "broadcast":
        return None
    (x,) = column.ins
    if x.ndim == column.ndim:
        if x.shape[0] != 1 or column.shape[0] == 1:
            return None
        x = b.reshape(x, x.shape[1:])
    return b.broadcast(x, column.shape[1:])


def _merged(inner: list[Node], outer: list[Node]) -> dict[Node, Node]:
    """Inputs of the body that are another one."""
    first: dict[Node, Node] = {}
    out = {}
    for x, y in zip(inner, outer, strict=True):
        if first.setdefault(y, x) is not x and first[y].weak is x.weak:
            out[x] = first[y]
    return out


def hoist(loop: Draft, options: Options) -> None:
    """Compute in front of the loop what is the same in all steps, or of slices alone."""
    b, n = loop.b, loop.length
    fixed, many = set(loop.consts), set(loop.slices)
    early: list[Node] = []
    for node in loop.nodes:
        known = [x in fixed or x.kind == "literal" for x in node.ins]
        if has_effect(node):
            continue
        if all(known):
            fixed.add(node)
            early.append(node)
        elif all(k or x in many for k, x in zip(known, node.ins, strict=True)) and is_stackable(
            node, [x in many for x in node.ins]
        ):
            many.add(node)
    together = _chosen(loop, many, options)
    before = dict(zip(loop.consts, loop.values, strict=True))
    replay(b, early, before)
    stacks = dict(zip(loop.slices, loop.columns, strict=True))
    for node in together:
        ins = [(stacks[x], True) if x in stacks else (found(b, x, before), False)
               for x in node.ins]  # fmt: skip
        stacks[node] = stacked(b, n, node, ins)
    given: dict[Node, Node] = {}
    for node in early:
        if filled(node) is None and _is_read(loop, node, {*early}):
            loop.consts.append(_input(given, node, before[node]))
            loop.values.append(before[node])
    for node in together:
        if _is_read(loop, node, {*together}):
            loop.slices.append(_input(given, node, stacks[node]))
            loop.columns.append(stacks[node])
    if given:
        loop.rebuilt(Builder({}), given)
        loop.taken["hoisted"] += len(given)
    loop.prune()


def _input(given: dict[Node, Node], node: Node, outer: Node) -> Node:
    """An input of the body in place of a node."""
    order = None if outer.fortran is not False else False
    given[node] = Node("input", (), None, node.shape, node.dtype, node.weak, order)
    return given[node]


def _is_read(loop: Draft, node: Node, gone: set[Node]) -> bool:
    """Whether what stays in the loop reads a node, or a result is it."""
    if node in loop.nexts or node in loop.all.values():
        return True
    return any(node in other.ins for other in loop.nodes if other not in gone)


def _chosen(loop: Draft, many: set[Node], options: Options) -> list[Node]:
    """The operations on slices that are done for all steps at once, in order."""
    sliced = sum(x.size * x.dtype.itemsize for x in loop.columns)
    room = 4 * sliced + MUCH
    taken = set(loop.slices)
    wanted: set[Node] = set()
    for node in loop.nodes:
        if node not in many:
            continue
        if rounds(node):
            if not options.reassociate:
                continue
            if node.kind in ("dot", "matmul"):
                wanted.add(node)
                taken.add(node)
                continue
        ready = all(x in taken or x not in many for x in node.ins)
        if node.size <= SMALL and node.kind in ("ufunc", "where", "cast", "reduce") and ready:
            wanted.add(node)
            taken.add(node)
    out: list[Node] = []
    for node in reversed(loop.nodes):  # and what these read
        if node in wanted:
            wanted.update(x for x in node.ins if x in many)
            room -= loop.length * node.size * node.dtype.itemsize
            out.append(node)
    return out[::-1] if room >= 0 else []


def rounds(node: Node) -> bool:
    """Whether all steps at once may add up in another order than each for itself."""
    if node.kind == "reduce":
        return bool(node.meta[0] is np.add)
    return node.kind in ("dot", "matmul", "inner")
