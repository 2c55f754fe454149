"""Regions: which operations of a program run as machine code, and which as NumPy runs them.

Operations that can be lowered and wait for nothing but each other are one kernel; between kernels
stand the operations that NumPy does. Each operation gets a level, odd for machine code, even for
NumPy: that of what it reads, or the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...core import Params
from ..passes import has_effect
from ..program import Held, Node, Program
from ..scans.scan import Scan
from . import scalars
from .control import program_of
from .groups import VIEWS
from .kernels import Kernel, is_unbounded
from .loops import DTYPES, type_of

#: A kernel of fewer operations is not worth its call, unless its arrays are large.
FEW = 3
LARGE = 4096


@dataclass
class Regions:
    """A program with kernels in place of some of its operations.

    Attributes:
        program: it.
        kernels: in order.
        reasons: for each operation that stays with NumPy, why.
    """

    program: Program
    kernels: list[Kernel] = field(default_factory=list)
    reasons: dict[Node, str] = field(default_factory=dict)


def divided(program: Program, exact: bool) -> Regions:
    """Find what can be lowered.

    Args:
        program: simplified.
        exact: lower only what gives NumPy's bits.
    """
    out = Regions(program)
    level = _levels(program, exact, out.reasons)
    if any(n.kind == "scan" and not level[n] % 2 for n in program.nodes):
        return out  # NumPy's loops are taken apart by other rules, for the whole program
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


def base_of(x: Node) -> Node:
    """What a view is a view of."""
    while x.kind in VIEWS:
        x = x.ins[0]
    return x


def _levels(program: Program, exact: bool, reasons: dict[Node, str]) -> dict[Node, int]:
    level: dict[Node, int] = {}
    effects = 0
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
        if has_effect(node):
            effects = mine = max(mine, effects)
        level[node] = mine
    return level


#: Primitives that move elements and compute nothing.
MOVES = frozenset({"concatenate", "pad", "roll", "index_set"})


def is_basic(params: Params) -> bool:
    """Whether an index has no arrays in it."""
    return all(type(s) in (int, slice, type(None), type(...)) for s in params["spec"])


class Judge:
    """Says of nodes whether they can be lowered.

    Args:
        exact: only what gives NumPy's bits.
        bounded: values that are Python integers and yet never large: numbers of steps.
    """

    def __init__(self, exact: bool, bounded: Iterable[Node] = ()) -> None:
        self.exact, self.bounded = exact, set(bounded)
        self.loops: set[Node] = set()

    def refused(self, node: Node) -> str | None:
        """Why a node can't be lowered; None if it can."""
        kind = node.kind
        if kind == "pick":
            return None if node.ins[0] in self.loops else "a part of what NumPy computes"
        if kind in ("scan", "call"):
            why = self._call(node) if kind == "call" else self._scan(node)
            if why is None:
                self.loops.add(node)
            return why
        return self._types(node) or self._straight(node)

    def _types(self, node: Node) -> str | None:
        for x in (node, *node.ins):
            if type_of(x.dtype) is None:
                return f"an array of {x.dtype}"
            if not x.size:
                return "an empty array"
            if x.number is not None and x.dtype.kind == "i" and abs(x.number) > 2**53:
                return "a large integer"
        unbounded = [x for x in node.ins if is_unbounded(x) and x not in self.bounded]
        if unbounded and node.dtype.kind != "f":
            compared = node.kind == "ufunc" and node.meta in scalars.COMPARISONS
            if not compared or type_of(scalars.common(node)) not in ("f64", "f32"):
                return "a Python integer, which has no bounds"
        return None

    def _straight(self, node: Node) -> str | None:
        kind = node.kind
        if kind in VIEWS:
            return None
        if kind == "ufunc":
            return scalars.refused(node, self.exact)
        if kind in ("where", "cast"):
            parts = node.ins[1:] if kind == "where" else node.ins
            good = all(scalars.castable(x.dtype, node.dtype) for x in parts)
            return None if good else f"floats that become {node.dtype}"
        if kind == "put":
            return None if node.dtype == node.ins[1].dtype else "dtypes that differ"
        if kind == "stack":
            return None if all(x.dtype == node.dtype for x in node.ins) else "dtypes that differ"
        if kind in ("reduce", "inner", "dot", "matmul"):
            if node.dtype.kind != "f" or any(x.dtype != node.dtype for x in node.ins):
                return f"{kind} of {', '.join(str(x.dtype) for x in node.ins)}"
            ordered = kind == "reduce" and node.meta[0] in (np.maximum, np.minimum)
            return "a sum whose last bits are to be NumPy's" if self.exact and not ordered else None
        return f"a {kind}"

    def _call(self, node: Node) -> str | None:
        name = node.meta.primitive.name
        if name in MOVES:
            good = type_of(node.dtype) is not None and node.size and not any(
                is_unbounded(x) or type_of(x.dtype) is None or not x.size
                or not scalars.castable(x.dtype, node.dtype)
                for x in node.ins
            )  # fmt: skip
            plain = name != "index_set" or (len(node.ins) == 2 and is_basic(node.meta.params))
            return None if good and plain else f"{name} of these arrays"
        if name == "while":
            return self._while(node)
        if name in ("cond", "switch"):
            return self._branches(node)
        return name

    # -------------------------------------------------------------- loops and branches
    def _scan(self, node: Node) -> str | None:
        scan: Scan = node.meta
        body = scan.body
        if any(type_of(x.dtype) is None or not x.size for x in node.ins):
            return "a scan over arrays of other dtypes, or of none"
        pairs = zip(body.inputs[scan.front :], body.outputs[: scan.carries], strict=False)
        if any(type_of(x.dtype) != type_of(y.dtype) for x, y in pairs):
            return "a scan whose carry changes its dtype"
        return self.within(body, body.inputs[: scan.front])

    def _while(self, node: Node) -> str | None:
        params = node.meta.params
        test, step = program_of(params["cond"]), program_of(params["body"])
        if test is None or step is None or params["save"]:
            return "a while loop that keeps all of its steps"
        if any(type_of(x.dtype) is None or not x.size for x in node.ins):
            return "a while loop over arrays of other dtypes, or of none"
        pairs = zip(step.inputs, step.outputs, strict=False)
        if any(type_of(x.dtype) != type_of(y.dtype) for x, y in pairs):
            return "a while loop whose carry changes its dtype"
        return self.within(test) or self.within(step)

    def _branches(self, node: Node) -> str | None:
        programs = [program_of(code) for code in node.meta.params.values()]
        if any(type_of(x.dtype) is None or not x.size for x in node.ins):
            return "a branch over arrays of other dtypes, or of none"
        if is_unbounded(node.ins[0]):
            return "a Python integer, which has no bounds"
        for program in programs:
            why = "a branch that isn't compiled" if program is None else self.within(program)
            if why is not None:
                return why
        return None

    def within(self, program: Program, bounded: Iterable[Node] = ()) -> str | None:
        """Why a body can't be lowered."""
        inner = Judge(self.exact, bounded)
        for x in (*program.inputs, *program.outputs):
            if type_of(x.dtype) is None or not x.size:
                return f"an array of {x.dtype}{list(x.shape)}"
        for node in program.nodes:
            why = inner.refused(node)
            if why is not None:
                return why
        return None


def bodies_of(node: Node) -> list[Program]:
    """The programs inside of a loop or a branch."""
    if node.kind == "scan":
        return [node.meta.body]
    if node.kind != "call":
        return []
    found = [program_of(x) for x in node.meta.params.values() if hasattr(x, "body")]
    return [x for x in found if x is not None]


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
    out.name = y.name
    return out


def copied(node: Node, ins: Sequence[Node]) -> Node:
    """The node with other operands."""
    if all(a is b for a, b in zip(node.ins, ins, strict=True)):
        return node
    out = Node(node.kind, tuple(ins), node.meta, node.shape, node.dtype, node.weak, node.fortran)
    out.name = node.name
    return out


def reasons_in_words(reasons: dict[Node, Any]) -> dict[str, int]:
    """The reasons, and how many operations each holds for."""
    out: dict[str, int] = {}
    for why in reasons.values():
        out[why] = out.get(why, 0) + 1
    return out
