"""Places: which nodes of a program, and of the bodies of its loops, are arrays of the device."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ...arrays import is_a, ndarray
from ..passes import has_effect
from ..program import Held, Node, Program
from ..scans.scan import Scan


class Unfit(Exception):
    """A loop can't be code for the device."""


class Places:
    """Whether a node's array is on the device.

    Args:
        inputs: those inputs of the program that are.
    """

    def __init__(self, inputs: Collection[Node]) -> None:
        self._inputs = frozenset(inputs)
        self._bodies: dict[Node, Places] = {}

    def __call__(self, x: Node) -> bool:
        if x.kind == "input":
            return x in self._inputs
        if x.kind == "literal":
            return isinstance(x.meta, Held) and not is_a(x.meta.value, ndarray)
        if x.kind == "call":
            return all(x.meta.there)
        if x.kind == "pick":
            (of,) = x.ins
            if of.kind == "call":
                return bool(of.meta.there[x.meta])
            scan = loop_of(of)
            # A track holds all values of a carry.
            k = x.meta[1] if type(x.meta) is tuple else x.meta
            return self.body(of)(scan.body.outputs[k])
        return True

    def body(self, loop: Node) -> Places:
        """The same for the body of a loop, whose carries are where its steps leave them."""
        if loop in self._bodies:
            return self._bodies[loop]
        scan = loop_of(loop)
        inner = scan.body.inputs[scan.front :]
        flags = list(map(self, loop.ins))
        while True:
            places = Places([x for x, there in zip(inner, flags, strict=True) if there])
            outs = map(places, scan.body.outputs[: scan.carries])
            new = [a or b for a, b in zip(flags, outs, strict=False)]
            if new == flags[: scan.carries]:
                break
            flags[: scan.carries] = new
        self._bodies[loop] = places
        return places

    def check(self, program: Program) -> None:
        """Refuse loops that go over arrays of the host, or make some.

        Raises:
            Unfit: there is one.
        """
        for loop in program.nodes:
            if loop.kind in ("scan", "steps"):
                self._check(loop)

    def _check(self, loop: Node) -> None:
        scan, places = loop_of(loop), self.body(loop)
        c, inner = scan.carries, scan.body.inputs[scan.front :]
        columns = loop.ins[c : c + scan.slices]
        moved = [
            x for x, y in zip(loop.ins, inner[:c], strict=False) if places(y) and not self(x)
        ]  # fmt: skip
        if (
            not all(map(self, columns))
            or not all(map(places, scan.body.outputs[c:]))
            or any(places(x) and not places(y)
                   for x, y in zip(inner, scan.body.outputs[:c], strict=False))
            or any(x.shape for x in moved)
            or any(map(has_effect, scan.body.nodes))
        ):  # fmt: skip
            raise Unfit
        places.check(scan.body)


def loop_of(node: Node) -> Scan:
    """What a loop does, before it is settled or after."""
    meta: Any = node.meta
    scan: Scan = meta if node.kind == "scan" else meta.scan
    return scan
