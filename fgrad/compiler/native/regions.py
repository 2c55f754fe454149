"""Regions: which operations of a program run as machine code, and which as NumPy runs them.

Operations that can be lowered and wait for nothing but each other are one kernel; between kernels
stand the operations that NumPy does. Each operation gets a level, odd for machine code, even for
NumPy: that of what it reads, or the next.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..blocks import made_by
from ..passes import Options, has_effect
from ..program import Call, Held, Node, Program
from ..scans.settling import settled, with_steps
from .groups import VIEWS
from .judging import Judge, bodies_of
from .kernels import Kernel
from .loops import DTYPES, type_of

#: A kernel of fewer operations is not worth its call, unless its arrays are large.
FEW = 3
LARGE = 4096


#: What makes a graph anew as compiled code, with the kernels in it; None if there are none.
Again = Callable[[Any], "tuple[Any, Sequence[Kernel]] | None"]


@dataclass
class Regions:
    """A program with kernels in place of some of its operations.

    Attributes:
        program: it.
        kernels: in order; those in bodies of NumPy's loops among them.
        made: kernels that are compiled already, in the bodies of other loops and branches.
        reasons: for each operation that stays with NumPy, why.
    """

    program: Program
    kernels: list[Kernel] = field(default_factory=list)
    made: list[Kernel] = field(default_factory=list)
    reasons: dict[Node, str] = field(default_factory=dict)


def divided(program: Program, exact: bool, options: Options, again: Again) -> Regions:
    """Find what can be lowered.

    Args:
        program: simplified.
        exact: lower only what gives NumPy's bits.
        options: of what NumPy does.
        again: makes the bodies of loops and branches anew.
    """
    out = Regions(program)
    program = out.program = _opened(program, exact, options, again, out)
    level = _levels(program, exact, out.reasons)
    kernels: dict[int, list[Node]] = {}
    for node in program.nodes:
        if level.get(node, 0) % 2:
            kernels.setdefault(level[node], []).append(node)
    few = {n: "too little to be worth a call" for n, some in kernels.items() if not _pays(some)}
    for n, why in few.items():
        out.reasons.update(dict.fromkeys(kernels.pop(n), why))
    if not kernels:
        return out
    inside = {node: n for n, some in kernels.items() for node in some}
    return _rewritten(program, level, inside, kernels, out)


def _opened(program: Program, exact: bool, options: Options, again: Again, out: Regions) -> Program:
    """The program whose loops and branches that stay with NumPy have kernels in their bodies."""
    judge = Judge(exact)
    refused = {node for node in program.nodes if judge.refused(node) is not None}

    def body_of(node: Node) -> Program | None:
        if node not in refused:
            return None
        inner = divided(node.meta.body, exact, options, again)
        out.kernels += inner.kernels
        out.made += inner.made
        out.reasons.update(inner.reasons)
        some = inner.kernels or inner.made
        return inner.program if some else settled(node.meta.body, options)

    for node in refused:
        if node.kind == "call" and bodies_of(node):
            _compile_again(node, again, out)
    return with_steps(program, body_of) if any(x.kind == "scan" for x in refused) else program


def _compile_again(node: Node, again: Again, out: Regions) -> None:
    """Put kernels into the graphs of a call; the node is this program's alone."""
    params = dict(node.meta.params)
    for name, code in params.items():
        found = again(code) if hasattr(code, "body") else None
        if found is not None:
            params[name], kernels = found
            out.made += kernels
    node.meta = Call(node.meta.primitive, params)


def base_of(x: Node) -> Node:
    """What a view is a view of."""
    while x.kind in VIEWS:
        x = x.ins[0]
    return x


def _levels(program: Program, exact: bool, reasons: dict[Node, str]) -> dict[Node, int]:
    level: dict[Node, int] = {}
    effects, fallible = -1, 0  # the last level so far of what has an effect, and of what may raise
    judge = Judge(exact)
    for node in program.nodes:
        if node.kind in VIEWS:
            continue
        why = judge.refused(node)
        native = why is None
        if why is not None:
            reasons[node] = why
        mine = int(native)
        for x in map(base_of, node.ins):
            before = level.get(x)
            if before is not None:
                mine = max(mine, before if before % 2 == native else before + 1)
        # What has an effect keeps its place among what may raise, such as an index out of bounds.
        if has_effect(node):
            effects = mine = max(mine, effects, fallible + fallible % 2)
        elif node.kind == "call" or bodies_of(node):
            mine = max(mine, effects + native)
            fallible = max(fallible, mine)
        level.update(dict.fromkeys((node, *made_by(node)), mine))
    return level


def held_by(nodes: Iterable[Node], outputs: Iterable[Node] = ()) -> list[Node]:
    """The captured arrays that nodes read, and the bodies in them."""
    out = [x for x in outputs if x.kind == "literal" and isinstance(x.meta, Held)]
    for node in nodes:
        out += [x for x in node.ins if x.kind == "literal" and isinstance(x.meta, Held)]
        for body in bodies_of(node):
            out += held_by(body.nodes, body.outputs)
    return out


def _pays(nodes: Sequence[Node]) -> bool:
    own = [n for n in nodes if n.kind not in ("dot", "matmul", "pick")]
    if any(map(bodies_of, own)):
        return True
    return len(own) >= FEW or any(n.size >= LARGE for n in own)


# ------------------------------------------------------------------ the program with kernels
def _rewritten(
    program: Program, level: dict[Node, int], inside: dict[Node, int],
    kernels: dict[int, list[Node]], out: Regions,
) -> Regions:  # fmt: skip
    """Numbers are levels; what isn't in a kernel keeps its place among those of its level."""
    wanted: set[Node] = {base_of(y) for y in program.outputs}
    for node in program.nodes:
        if node.kind not in VIEWS:
            wanted |= {x for x in map(base_of, node.ins) if inside.get(x) != inside.get(node)}
    new: dict[Node, Node] = {x: x for x in program.inputs}
    nodes: list[Node] = []

    def outer(x: Node) -> Node:
        """What stands for a value outside of kernels."""
        if x.kind == "literal":
            return x
        if x not in new:  # a view, for nothing else is asked for before it is there
            new[x] = copied(x, [outer(y) for y in x.ins])
            nodes.append(new[x])
        return new[x]

    ordered = sorted((n for n in program.nodes if n.kind not in VIEWS), key=level.__getitem__)
    done: set[int] = set()
    for node in ordered:
        number = inside.get(node)
        if number is None:
            new[node] = copied(node, [outer(x) for x in node.ins])
            new.update((y, y) for y in made_by(node) if y is not node)
            nodes.append(new[node])
        elif number not in done:
            done.add(number)
            members = _with_views(program, kernels[number], inside, number)
            own = set(members)
            ins = dict.fromkeys(
                x for n in members for x in n.ins if x not in own and x.kind != "literal"
            )
            ins.update(dict.fromkeys({id(x.meta.value): x for x in held_by(members)}.values()))
            results = [n for n in kernels[number] if n in wanted]
            kernel = Kernel(members, list(ins), results)
            outside = [outer(x) for x in ins]
            kernel.made = [_made(y, k) for k, y in enumerate(results)]
            new.update(zip(results, kernel.made, strict=True))
            nodes.append(Node("native", tuple(outside), kernel, (), np.dtype(object)))
            out.kernels.append(kernel)
    outputs = [outer(y) for y in program.outputs]
    out.program = Program(program.inputs, nodes, outputs)
    return out


def _with_views(
    program: Program, some: Sequence[Node], inside: dict[Node, int], number: int
) -> list[Node]:
    """The nodes of a kernel with the views that they read, in order."""
    own = set(some)
    stack = [x for n in some for x in n.ins]
    while stack:
        x = stack.pop()
        if x.kind in VIEWS and x not in own:
            own.add(x)
            stack += x.ins
    return [n for n in program.nodes if n in own]


def _made(y: Node, position: int) -> Node:
    type = type_of(y.dtype)
    assert type is not None
    out = Node("made", (), position, y.shape, DTYPES[type])
    out.name, out.origin = y.name, y.origin
    return out


def copied(node: Node, ins: Sequence[Node]) -> Node:
    """The node with other operands."""
    if len(node.ins) == len(ins) and all(map(operator.is_, node.ins, ins)):
        return node
    out = Node(node.kind, tuple(ins), node.meta, node.shape, node.dtype, node.weak, node.fortran)
    out.name, out.origin = node.name, node.origin
    return out


def reasons_in_words(reasons: dict[Node, Any]) -> dict[str, int]:
    """The reasons, and how many operations each holds for."""
    out: dict[str, int] = {}
    for why in reasons.values():
        out[why] = out.get(why, 0) + 1
    return out
