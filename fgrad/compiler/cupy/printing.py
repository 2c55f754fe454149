"""Printing: a program as lines of Python that call CuPy, one for each node."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

import numpy as np

from ...arrays import is_a, library, ndarray
from ...libraries import implementation
from ..program import Held, Node, Program
from ..scope import Scope
from ..spelling import spelled
from .arena import plan
from .parts import is_joined
from .places import Places


class DevicePrinter:
    """Prints one program, or the body of a loop.

    Args:
        inputs: the names of the program's inputs.
        there: tells what is on the device.
        cls: the class of the device's arrays.
        fuse: puts kernels into a program.
        outer: for a body, what prints the program around it.
        base: where its places begin in the arena.
        targets: names of places that nodes are written into.

    Attributes:
        lines: the statements.
        buffers, views: the names of places in the arena, and of arrays seen in other shapes, by
            what makes them.
        blocks: as for NumPy; there are none.
        below: so much more of the arena is for the bodies of loops.
    """

    def __init__(
        self, program: Program, scope: Scope, inputs: Sequence[str], there: Places, cls: type,
        fuse: Callable[[Program, Places], Program], outer: DevicePrinter | None = None,
        base: int = 0, targets: dict[Node, str] | None = None,
    ) -> None:  # fmt: skip
        self.scope, self.cls, self.there, self.fuse = scope, cls, there, fuse
        self.library, self.base, self.targets = library(cls), base, targets or {}
        self.program = program = fuse(program, there)
        self.plan = plan(program, there, self.targets)
        self.name = dict(zip(program.inputs, inputs, strict=True))
        self.lines: list[str] = []
        self.views: dict[str, str] = {}
        self.blocks: list[str] = []
        self.below = 0
        self.buffers: dict[tuple[Any, ...], str] = {} if outer is None else outer.buffers
        self._taken: set[str] = set(inputs) if outer is None else outer._taken
        self._arrays: dict[Any, str] = {} if outer is None else outer._arrays
        for node in program.nodes:
            PRINTERS[node.kind](self, node)

    # ------------------------------------------------------------------ names
    def function(self, f: Any) -> str:
        """The name of CuPy's function for one of NumPy's."""
        return self.scope.bind(implementation(f, self.cls), f"cupy_{f.__name__}")

    def read(self, x: Node) -> str:
        """The expression of an operand; a host's array without axes is the number in it."""
        if x.kind == "literal":
            if not isinstance(x.meta, Held):
                return self.scope.number(x.number)
            return self.scope.bind(x.meta.value, "c")
        name = self.name[x]
        if self.there(x) or x.weak or x.shape:
            return name
        return f"{self.scope.bind(number_of, 'number_of')}({name})"

    def array(self, x: Node) -> str:
        """The expression of an operand as one of the device's arrays."""
        if self.there(x) and x.kind != "literal":
            return self.name[x]
        if x.number is None:
            return self.read(x) if x.kind == "literal" or x.shape else self._moved(x)
        key = type(x.number), repr(x.number)
        if key not in self._arrays:
            value = self.library.asarray(np.asarray(x.number, x.dtype))
            self._arrays[key] = self.scope.bind(value, "c")
        return self._arrays[key]

    def _moved(self, x: Node) -> str:
        """A number of the host's as an array, where a function takes nothing else."""
        full = self.scope.bind(self.library.full, "cupy_full")
        return f"{full}((), {self.read(x)}, {self.scope.bind(x.dtype, x.dtype.name)})"

    def new(self, node: Node) -> str:
        """A name for a value that is computed anew."""
        stem = node.name or "t"
        fresh = stem != "t" and stem not in self._taken
        self.name[node] = name = stem if fresh else self.unused(stem)
        self._taken.add(name)
        return name

    def unused(self, stem: str) -> str:
        """A name that nothing has, which begins so."""
        name = f"{stem}{len(self._taken)}"
        self._taken.add(name)
        return name

    def buffer(self, offset: int, shape: tuple[int, ...], dtype: Any) -> str:
        """The name of a place in the arena."""
        return self.buffers.setdefault((offset, shape, dtype), f"b{len(self.buffers)}")

    def place(self, node: Node) -> str | None:
        """The name of the place where a node is to be written, if it has one."""
        offset = self.plan.offset.get(node)
        if node in self.plan.whole:
            self.name[node] = self._part(self._piece(self.plan.whole[node], node))
        elif node in self.targets:
            self.name[node] = self.targets[node]
        elif offset is not None:
            self.name[node] = self.buffer(self.base + offset, node.shape, node.dtype)
        else:
            return None
        return self.name[node]

    def _piece(self, whole: Node, part: Node) -> str:
        """The expression of a part of what is joined, which is there before its parts are."""
        if whole not in self.name:
            self.written(whole)
        ends = accumulate(x.shape[-1] for x in whole.ins)
        end = next(end for x, end in zip(whole.ins, ends, strict=True) if x is part)
        return f"{self.name[whole]}[..., {end - part.shape[-1]}:{end}]"

    def written(self, node: Node) -> str:
        """The name of where a result is to be written: its place, or a new array."""
        return self.place(node) or self._empty(node)

    def assign(self, node: Node, call: str, out: str = "out=") -> None:
        """``call`` with its last parenthesis open: into the node's place, or into a new array."""
        place = self.place(node)
        if place is None:
            self.lines.append(f"{self.new(node)} = {call})")
        else:
            self.lines.append(f"{call}, {out}{place})")

    # ------------------------------------------------------------------ nodes
    def ufunc(self, node: Node) -> None:
        args = [self.read(x) for x in node.ins]
        if not any(map(self.there, node.ins)):  # all turned out to be numbers
            k = next((k for k, x in enumerate(node.ins) if not x.weak), 0)
            args[k] = self.array(node.ins[k])
        self.assign(node, f"{self.function(node.meta)}({', '.join(args)}")

    def reduce(self, node: Node) -> None:
        f, axes, keepdims = node.meta
        whole = {np.add: np.sum, np.maximum: np.max, np.minimum: np.min}[f]
        axis = "None" if len(axes) == node.ins[0].ndim else str(axes)
        rest = ", keepdims=True" if keepdims else ""
        self.assign(node, f"{self.function(whole)}({self.array(node.ins[0])}, {axis}{rest}")

    def dot(self, node: Node) -> None:
        x, y = map(self.array, node.ins)
        self.assign(node, f"{self.function(np.dot)}({x}, {y}")

    def matmul(self, node: Node) -> None:
        x, y = map(self.array, node.ins)
        self.assign(node, f"{self.function(np.matmul)}({x}, {y}")

    def cast(self, node: Node) -> None:
        x, place = self.array(node.ins[0]), self.place(node)
        if place is None:
            dtype = self.scope.bind(node.dtype, node.dtype.name)
            self.lines.append(f"{self.new(node)} = {x}.astype({dtype})")
        else:
            self.lines.append(f"{self.function(np.copyto)}({place}, {x}, 'unsafe')")

    def where(self, node: Node) -> None:
        condition, *rest = node.ins
        args = ", ".join([self.array(condition), *map(self.read, rest)])
        self.lines.append(f"{self.new(node)} = {self.function(np.where)}({args})")

    def transpose(self, node: Node) -> None:
        of = self.array(node.ins[0])
        self.lines.append(f"{self.new(node)} = {of}.transpose({node.meta})")

    def reshape(self, node: Node) -> None:
        of = self.array(node.ins[0])
        self.lines.append(f"{self.new(node)} = {of}.reshape({node.shape})")

    def index(self, node: Node) -> None:
        of = self.array(node.ins[0])
        self.lines.append(f"{self.new(node)} = {of}[{spelled(node.meta.spec)}]")

    def broadcast(self, node: Node) -> None:
        spread = self.function(np.broadcast_to)
        line = f"{spread}({self.array(node.ins[0])}, {node.shape})"
        self.lines.append(f"{self.new(node)} = {line}")

    def full(self, node: Node) -> None:
        """A result that is one number throughout."""
        full = self.scope.bind(self.library.full, "cupy_full")
        number, dtype = self.read(node.ins[0]), self.scope.bind(node.dtype, node.dtype.name)
        self.lines.append(f"{self.new(node)} = {full}({node.shape}, {number}, {dtype})")

    def put(self, node: Node) -> None:
        x, y = node.ins
        place = self.place(node)
        if place is None:
            self.lines.append(f"{self.new(node)} = {self.array(x)}.copy()")
        else:
            self.lines.append(f"{self.function(np.copyto)}({place}, {self.array(x)})")
        part = self._part(f"{self.name[node]}[{spelled(node.meta.spec)}]")
        self.lines.append(f"{self.function(np.add)}({part}, {self.read(y)}, {part})")

    def _part(self, expression: str) -> str:
        name = self.unused("p")
        self.lines.append(f"{name} = {expression}")
        return name

    def call(self, node: Node) -> None:
        p, params = node.meta.primitive, node.meta.params
        if is_joined(node):
            self._join(node)
            return
        args = self._operands(node)
        if params:
            args.append(f"**{self.scope.bind(params, 'params')}")
        stem = "".join(c if c.isalnum() and c.isascii() else "_" for c in p.name)
        name = self.scope.bind(node.meta.run, f"call_{stem}")
        self.lines.append(f"{self.new(node)} = {name}({', '.join(args)})")

    def _join(self, node: Node) -> None:
        """What is joined is where its parts have been written."""
        if node not in self.name:
            join = self.function(np.concatenate)
            self.assign(node, f"{join}(({', '.join(map(self.array, node.ins))}), -1")
            return
        for x in node.ins:
            if self.plan.whole.get(x) is not node:
                copy = self.function(np.copyto)
                self.lines.append(f"{copy}({self._piece(node, x)}, {self.array(x)})")

    def plain(self, x: Node) -> str:
        """The expression of a value as it is."""
        return self.read(x) if x.kind == "literal" else self.name[x]

    def kernel(self, node: Node) -> None:
        kernel = node.meta
        run = self.scope.bind(kernel.made_with(self.library), kernel.name)
        args = ", ".join(map(self.read, kernel.ins))
        if kernel.reduction:
            axes, keepdims = kernel.reduction
            (y,) = kernel.made
            axis = "None" if len(axes) == kernel.members[-1].ins[0].ndim else str(axes)
            rest = ", keepdims=True" if keepdims else ""
            self.assign(y, f"{run}({args}, axis={axis}{rest}")
        elif len(kernel.made) == 1:
            self.assign(kernel.made[0], f"{run}({args}", "")
        else:
            outs = ", ".join(map(self.written, kernel.made))
            self.lines.append(f"{run}({args}, {outs})")

    def _empty(self, node: Node) -> str:
        empty, dtype = self.scope.bind(self.library.empty, "cupy_empty"), node.dtype
        name = self.new(node)
        self.lines.append(f"{name} = {empty}({node.shape}, {self.scope.bind(dtype, dtype.name)})")
        return name

    def pick(self, node: Node) -> None:
        self.lines.append(f"{self.new(node)} = {self.name[node.ins[0]]}[{node.meta}]")

    # ------------------------------------------------------------------ results
    def result(self, y: Node, others: Sequence[Node]) -> str:
        """The expression of a result: an array that nobody else holds."""
        if y.kind == "literal":
            return f"{self.read(y)}.copy()" if isinstance(y.meta, Held) else self.read(y)
        name, roots = self.name[y], self.plan.roots[y]
        shared = any(roots & self.plan.roots.get(z, frozenset()) for z in others)
        if is_joined(y) or (y.kind == "pick" and y.ins[0].kind == "steps"):  # which are new
            new = self.there(y) and not shared
            return name if new else f"{self.scope.bind(fresh, 'fresh')}({name})"
        while y.kind in ("transpose", "reshape", "index"):  # a view of what is new is new
            y = y.ins[0]
        if y.kind in ("call", "pick") and not shared and self.name[y] == name:
            held = self._operands(y.ins[0] if y.kind == "pick" else y)
            return f"{self.scope.bind(own, 'own')}({', '.join([name, *held])})"
        if shared or y.kind in ("input", "literal", "broadcast", "call", "pick"):
            return f"{self.scope.bind(fresh, 'fresh')}({name})"
        return name

    def _operands(self, call: Node) -> list[str]:
        """The expressions of a call's operands."""
        there = any(map(self.there, call.ins))
        return [
            self.array(x) if given and x.number is not None
            else self.read(x) if there or given else self.plain(x)
            for x, given in zip(call.ins, call.meta.given, strict=True)
        ]  # fmt: skip


def number_of(x: Any) -> Any:
    """The number in an array of the host's that has no axes."""
    return x[()] if type(x) is ndarray else x


def fresh(x: Any) -> Any:
    """A copy of an array; a number as it is."""
    return x.copy() if hasattr(x, "shape") and not is_a(x, np.generic) else x


def own(x: Any, *operands: Any) -> Any:
    """An answer of an implementation that may be one of its operands, or a view."""
    view = getattr(x, "base", None) is not None
    return fresh(x) if view or any(x is y for y in operands) else x


#: Kind of node -> what prints it.
PRINTERS: dict[str, Callable[[DevicePrinter, Node], None]] = {
    kind: getattr(DevicePrinter, kind)
    for kind in (
        "ufunc", "reduce", "dot", "matmul", "cast", "where", "transpose", "reshape", "index",
        "broadcast", "full", "put", "call", "pick", "kernel",
    )
}  # fmt: skip
