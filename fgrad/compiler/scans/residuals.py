"""Residuals: what a loop forward computes, and a loop back computes again, is stacked instead.

Reverse mode records the loop back with the operations of the step forward in its body, as they are
recorded there, and the carries before each step among the arrays that it slices. So an operation
of the second body is one of the first if all that it reads is: carries of one loop by its stacked
results, slices and constants by being the same. What the rest of the second body reads of these
becomes a stacked result of the first loop. See A. Griewank and A. Walther, Evaluating Derivatives,
2nd ed. 2008, chapter 3, of the trade between storing and computing again.

Loops with checkpoints keep nothing for the way back: they compute it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from ...arrays import is_a
from ..passes import has_effect, live, rebuild
from ..program import COMMUTATIVE, Builder, Node, Program
from .scan import Scan, found, is_bounded, replay

#: Nodes that cost nothing, or nearly so, to compute again.
VIEWS = frozenset({"transpose", "reshape", "broadcast", "index"})
#: Ufuncs that are computed again, if what they read is at hand: quicker than memory.
CHEAP = frozenset({np.add, np.subtract, np.multiply, np.negative})


def handed_on(program: Program, taken: Counter[str]) -> Program:
    """The program with loops that use what earlier ones have computed; how often they do."""
    loops = [node for node in program.nodes if node.kind == "scan"]
    for node in loops:
        node.meta.body = handed_on(node.meta.body, taken)
    if len(loops) < 2:
        return program
    b = Builder({})
    new: dict[Node, Node] = {x: b.input(x.meta, x) for x in program.inputs}
    inputs = [new[x] for x in program.inputs]
    done: list[Node] = []
    for node in program.nodes:
        if node.kind != "scan":
            replay(b, [node], new)
            continue
        b.origin = node.origin
        ins = [found(b, x, new) for x in node.ins]
        meta = node.meta.with_body(node.meta.body)
        for earlier in done:
            if _fits(earlier.meta, meta):
                before = meta.slices
                ins, meta = _reused(b, earlier, ins, meta)
                taken["handed on"] += meta.slices - before
        new[node] = b.make("scan", ins, meta, (), node.dtype)
        done.append(new[node])
    outputs = [found(b, y, new) for y in program.outputs]
    return rebuild(Builder({}), Program(inputs, b.nodes, outputs))


def _fits(first: Scan, second: Scan) -> bool:
    bodies = first.body.nodes, second.body.nodes
    return first.length == second.length and not first.private and all(map(is_bounded, bodies))


def _reused(b: Builder, one: Node, ins: list[Node], two: Scan) -> tuple[list[Node], Scan]:
    """The second loop, with stacked results of the first where it computed the same."""
    first: Scan = one.meta
    env = _same_inputs(one, ins, two)
    if not env:
        return ins, two
    match = Match(first.body, two.body, env)
    wanted = _wanted(two.body, env, two)
    if not wanted:
        return ins, two
    # The number of each stacked result of the first loop, by what it is.
    places = {y: k for k, y in enumerate(first.body.outputs) if k >= first.carries}
    outputs = list(first.body.outputs)
    columns = {(x.ins[0], x.meta): x for x in ins if x.kind == "pick"}
    more: list[Node] = []
    inputs: list[Node] = []
    given: dict[Node, Node] = {}
    at = two.carries + two.slices
    slices = two.body.inputs[two.front + two.carries : two.front + at]
    known = dict(zip(ins[two.carries : at], slices, strict=True))
    for node in wanted:
        source = env[node]
        if source not in places:
            places[source] = len(outputs)
            outputs.append(source)
        k = places[source]
        column = columns.get((one, k))
        if column is None:
            shape = (first.length, *source.shape)
            column = columns[one, k] = b.make("pick", (one,), k, shape, source.dtype)
        if column in known:
            given[node] = known[column]
            continue
        more.append(column)
        given[node] = known[column] = Node("input", (), None, source.shape, source.dtype)
        inputs.append(given[node])
    nodes = [*first.body.nodes, *match.more]
    first.body = Program(first.body.inputs, live(nodes, [*outputs, *_effects(nodes)]), outputs)
    body = _with_inputs(two.body, inputs, two.front + at, given)
    new = two.with_body(body)
    new.slices += len(more)
    return [*ins[:at], *more, *ins[at:]], new


def _with_inputs(
    body: Program, inputs: Sequence[Node], at: int, given: dict[Node, Node]
) -> Program:
    """A body with more inputs, some of its nodes replaced by these."""
    every = [*body.inputs[:at], *inputs, *body.inputs[at:]]
    b = Builder({}, share=False)
    new: dict[Node, Node] = {x: x for x in every}
    new.update(given)
    replay(b, body.nodes, new)
    outputs = [found(b, y, new) for y in body.outputs]
    return rebuild(Builder({}, share=False), Program(every, b.nodes, outputs))


def _same_inputs(one: Node, ins: Sequence[Node], two: Scan) -> dict[Node, Node]:
    """The inputs of the second body that are values of the first, if any slice is."""
    first: Scan = one.meta
    c, m = first.carries, first.slices
    mine = first.body.inputs[first.front :]
    columns = dict(zip(one.ins[c : c + m], mine[c : c + m], strict=True))
    values = dict(zip(one.ins[c + m :], mine[c + m :], strict=True))
    theirs = two.body.inputs[two.front :]
    env: dict[Node, Node] = {}
    at = two.carries + two.slices
    for x, column in zip(theirs[two.carries : at], ins[two.carries : at], strict=True):
        if column.kind == "pick" and column.ins[0] is one and column.meta >= c:
            env[x] = first.body.outputs[column.meta]
        elif column in columns:
            env[x] = columns[column]
    if not env:
        return env
    for x, value in zip(theirs[at:], ins[at:], strict=True):
        if value in values:
            env[x] = values[value]
    if first.start is not None and first.start == two.start:
        env[two.body.inputs[0]] = first.body.inputs[0]
    return env


def _effects(nodes: Sequence[Node]) -> list[Node]:
    return list(filter(has_effect, nodes))


class Match:
    """Finds the nodes of one body that nodes of another are.

    Attributes:
        env: what inputs and nodes of the second body are in the first.
        more: new nodes of the first: answers that it has had no use for.
        same: for each node of the first, the one that stands for all that are equal to it.
    """

    def __init__(self, one: Program, two: Program, env: dict[Node, Node]) -> None:
        self.one, self.env = one, env
        self.more: list[Node] = []
        self.same: dict[Node, Node] = {}
        self._known: dict[Hashable, Node] = {}
        #: For each loop, the numbers of its results in the loop that it is.
        self._numbers: dict[Node, dict[int, int]] = {}
        for node in one.nodes:
            key = _key(node.kind, node.ins, node.meta, node, self.same)
            self.same[node] = node if has_effect(node) else self._known.setdefault(key, node)
        for x, value in env.items():
            env[x] = self.same.get(value, value)
        for node in two.nodes:
            if all(x in env or x.kind == "literal" for x in node.ins):
                match = self._loop(node) if node.kind == "scan" else self._found(node)
                if match is not None:
                    env[node] = match

    def _found(self, node: Node) -> Node | None:
        meta = node.meta
        if node.kind == "pick" and node.ins[0] in self._numbers:
            meta = self._numbers[node.ins[0]][meta]
        key = _key(node.kind, node.ins, meta, node, self.env)
        if key not in self._known and node.kind == "pick" and node.ins[0] in self.env:
            of = self.env[node.ins[0]]
            self._known[key] = Node("pick", (of,), meta, node.shape, node.dtype)
            self.more.append(self._known[key])
        return self._known.get(key)

    def _loop(self, node: Node) -> Node | None:
        """The loop of the first body that does the same; it gets the results that it lacks."""
        theirs = [_named(x, self.env) for x in node.ins]
        for other in self.one.nodes:
            if other.kind != "scan" or not _alike(other.meta, node.meta):
                continue
            if has_effect(other) or [_named(x, self.same) for x in other.ins] != theirs:
                continue
            numbers = _joined(other.meta, node.meta)
            if numbers is not None:
                self._numbers[node] = numbers
                return other
        return None


def _alike(one: Scan, two: Scan) -> bool:
    """Whether two loops go over slices in the same way."""
    mine, theirs = ((s.carries, s.slices, s.start, s.reverse) for s in (one, two))
    return mine == theirs and _fits(one, two) and len(one.body.inputs) == len(two.body.inputs)


def _joined(one: Scan, two: Scan) -> dict[int, int] | None:
    """Have a loop give the results of another, where its body has them; their numbers."""
    match = Match(one.body, two.body, dict(zip(two.body.inputs, one.body.inputs, strict=True)))
    outputs = list(one.body.outputs)
    same = [match.same.get(y, y) for y in outputs]
    numbers: dict[int, int] = {}
    for k, y in enumerate(two.body.outputs):
        found = match.env.get(y)
        if found is None or (k < one.carries and found is not same[k]):
            return None
        if k >= one.carries and found not in same[one.carries :]:
            outputs.append(found)
            same.append(found)
        numbers[k] = k if k < one.carries else same.index(found, one.carries)
    nodes = [*one.body.nodes, *match.more]
    one.body = Program(one.body.inputs, live(nodes, [*outputs, *_effects(nodes)]), outputs)
    return numbers


def _key(kind: str, ins: Sequence[Node], meta: Any, like: Node, env: dict[Node, Node]) -> Hashable:
    parts = [_named(x, env) for x in ins]
    if kind == "ufunc" and meta in COMMUTATIVE:
        parts.sort(key=repr)
    return kind, meta, like.shape, like.dtype, tuple(parts)


def _named(x: Node, env: dict[Node, Node]) -> Hashable:
    """What tells operands apart: literals by their values, for each body has its own copies."""
    if x.kind != "literal":
        return "node", id(env.get(x, x))
    value = x.number if x.number is not None else x.meta.value
    bits: Any = value.tobytes() if is_a(value, np.ndarray) else repr(value)
    return "literal", type(value), x.shape, x.dtype, bits


def _wanted(body: Program, env: dict[Node, Node], scan: Scan) -> list[Node]:
    """The nodes of the second body to be replaced by stacked results of the first."""
    fixed = set(body.inputs[scan.front + scan.carries + scan.slices :])
    for node in body.nodes:  # what is the same in all steps is no business of ours
        if all(x in fixed or x.kind == "literal" for x in node.ins):
            fixed.add(node)
    inside = [n for n in body.nodes if n in env and n not in fixed]
    read = set(body.outputs)
    for node in body.nodes:
        if node not in env:
            read.update(node.ins)
    # From the last to the first: a view is computed again, of what is then wanted in its place.
    for node in reversed(inside):
        if node in read and node.kind in VIEWS:
            read.update(node.ins)
    wanted: list[Node] = []
    ready = {*body.inputs, *fixed}
    for node in inside:
        if node not in read:
            continue
        cheap = node.kind in VIEWS or (node.kind == "ufunc" and node.meta in CHEAP)
        if cheap and all(x in ready or x.kind == "literal" for x in node.ins):
            ready.add(node)
        elif node.kind not in VIEWS and _stackable(node):
            wanted.append(node)
            ready.add(node)
    return wanted


def _stackable(node: Node) -> bool:
    return not node.dtype.hasobject and not node.weak
