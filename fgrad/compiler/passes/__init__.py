"""Passes: families of rules, each with a switch, applied until nothing changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..program import Builder, Node, Program, Rule
from . import constants, places, scaling, signs, splitting, sums, views

#: Families that give the same bits.
SAFE: dict[str, dict[str, list[Rule]]] = {
    "constants": constants.RULES,
    "views": views.RULES,
    "signs": signs.RULES,
    "safe sums": sums.SAFE,
    "splitting": splitting.RULES,
}
#: Families that change the order of floating-point operations, and so last bits.
REASSOCIATING: dict[str, dict[str, list[Rule]]] = {
    "loose signs": signs.LOOSE,
    "places": places.RULES,
    "scaling": scaling.RULES,
    "sums": sums.RULES,
    "sums of rows": splitting.SUMS,
}


@dataclass(frozen=True)
class Options:
    """What a program may be made into.

    Attributes:
        reassociate: whether last bits may change.
        without: names of passes that are left out: "share" (common subexpressions), "clusters"
            (kernels for the device), and the families above.
        threads: how many of them may share a loop over large arrays; None for two where there are
            two cores, unless the environment says otherwise.
        backend: what the program is printed as: "numpy", "native" where that can be, or "auto";
            None for what the block or the environment around says.
    """

    reassociate: bool = True
    without: frozenset[str] = frozenset()
    backend: str | None = None
    threads: int | None = None

    def rules(self) -> dict[str, list[Rule]]:
        """The rules to try for each kind of node."""
        families = {**SAFE, **(REASSOCIATING if self.reassociate else {})}
        out: dict[str, list[Rule]] = {}
        for name, rules in families.items():
            if name not in self.without:
                for kind, some in rules.items():
                    out.setdefault(kind, []).extend(some)
        return out


#: More rounds than any program has needed; each makes it smaller, or cheaper.
ROUNDS = 6


def simplify(program: Program, options: Options) -> tuple[Program, Counter[str]]:
    """The program with fewer and cheaper nodes, and how often each rule took."""
    taken: Counter[str] = Counter()
    rules, share = options.rules(), "share" not in options.without
    for _ in range(ROUNDS):
        b = Builder(rules, share)
        program = rebuild(b, program)
        taken.update(b.replaced)
        # Rules were tried on each node as it is now; what they did not know is who reads it.
        if not any(rule != "share" for rule in b.replaced) or _all_known(program, b.single):
            break
    return program, taken


def _all_known(program: Program, single: set[Node]) -> bool:
    """Whether all nodes that are read once were known to be."""
    uses = program.uses()
    return all(uses[node] != 1 or node in single for node in program.nodes)


def rebuild(b: Builder, program: Program) -> Program:
    """The program made anew by a builder; what nobody reads any more is gone."""
    uses = program.uses()
    new: dict[Node, Node] = {}
    inputs = []
    for x in program.inputs:
        new[x] = b.input(x.meta, x)
        inputs.append(new[x])
    seen: set[Node] = set()
    for node in program.nodes:
        b.origin = node.origin
        ins = tuple([new[x] if x in new else _literal(b, x, new) for x in node.ins])
        out = b.make(node.kind, ins, node.meta, node.shape, node.dtype, node.weak)
        if out.name is None and node.name is not None:
            out.name = node.name
        new[node] = out
        if uses[node] == 1 and out not in seen:
            b.single.add(out)
        else:
            b.single.discard(out)
        seen.add(out)
    outputs = [new[y] if y in new else _literal(b, y, new) for y in program.outputs]
    return Program(inputs, live(b.nodes, [*outputs, *filter(has_effect, b.nodes)]), outputs)


def _literal(b: Builder, x: Node, new: dict[Node, Node]) -> Node:
    new[x] = b.literal(x.number) if x.number is not None else b.literal(x.meta.value)
    return new[x]


def has_effect(node: Node) -> bool:
    """Whether something happens besides the computing of an answer."""
    return node.kind in ("call", "scan") and bool(node.meta.effect)


def live(nodes: Sequence[Node], outputs: Iterable[Node]) -> list[Node]:
    """The nodes that the outputs need, in order."""
    needed = set(outputs)
    out = []
    for node in reversed(nodes):
        if node in needed:
            needed.update(node.ins)
            out.append(node)
    out.reverse()
    return out
