"""The passes over loops, from the innermost outwards."""

from __future__ import annotations

from collections import Counter

from ..passes import Options, rebuild, simplify
from ..program import Builder, Node, Program
from .editing import Draft
from .hoisting import hoist, tidy
from .residuals import handed_on
from .scan import found, is_bounded, replay
from .sinking import contract, sink

#: What moves out of a loop may make room for more.
ROUNDS = 2


def optimized(program: Program, options: Options) -> tuple[Program, Counter[str]]:
    """A program simplified, with its loops, and how often each rule took."""
    if not any(node.kind == "scan" for node in program.nodes):
        return simplify(program, options)
    exact = Options(False, options.without)
    program, taken = simplify(program, exact)
    if "residuals" not in options.without:
        program = handed_on(program, taken)
    for _ in range(ROUNDS):
        program = _reworked(program, options, exact, taken)
        program, more = simplify(program, options)
        taken.update(more)
    for node in program.nodes:
        if node.kind == "scan":
            node.meta.body, more = optimized(node.meta.body, options)
            taken.update(more)
    return program, taken


def _reworked(program: Program, options: Options, exact: Options, taken: Counter[str]) -> Program:
    """The program with less in its loops."""
    b = Builder({})
    read: dict[Node, set[int]] = {}
    for x in [x for node in program.nodes for x in node.ins] + list(program.outputs):
        if x.kind == "pick" and x.ins[0].kind == "scan":
            read.setdefault(x.ins[0], set()).add(x.meta)
    new: dict[Node, Node] = {x: b.input(x.meta, x) for x in program.inputs}
    inputs = [new[x] for x in program.inputs]
    results: dict[Node, dict[int, Node]] = {}
    for node in program.nodes:
        if node.kind == "pick" and node.ins[0] in results:
            if node.meta in results[node.ins[0]]:
                new[node] = results[node.ins[0]][node.meta]
        elif node.kind == "scan":
            b.origin = node.origin
            ins = [found(b, x, new) for x in node.ins]
            scan = node.meta.with_body(simplify(node.meta.body, exact)[0])
            loop = Draft(b, scan, ins, read.get(node, set()))
            results[node] = _less(loop, options)
            taken.update(loop.taken)
        else:
            replay(b, [node], new)
    outputs = [found(b, y, new) for y in program.outputs]
    return rebuild(Builder({}), Program(inputs, b.nodes, outputs))


def _less(loop: Draft, options: Options) -> dict[int, Node]:
    tidy(loop)
    if not is_bounded(loop.nodes):
        return loop.made()
    if "hoisting" not in options.without:
        hoist(loop, options)
    if options.reassociate and "contraction" not in options.without:
        contract(loop)
    if "sinking" not in options.without:
        sink(loop, options)
    return loop.made()
