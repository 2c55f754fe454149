"""Kernels: a part of a program as one function of machine code, and the call of it.

A kernel gets arrays of fixed layouts, numbers by way of small arrays of their types, and a
workspace. Its entry compares each array with what it was compiled for before anything is read; an
array that differs is copied into one that does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..program import Held, Node
from . import engine, entry, llvm, sharing
from .bodies import FAULT, Body, State
from .control import RULES
from .engine import NativeRefused
from .groups import VIEWS
from .loops import DTYPES, For, Function, Module, Store, While, const, type_of
from .places import Memory, Root, c_strides, f_strides

#: Statements that run in a microsecond, about: vectors of eight, four a nanosecond.
PACE = 4000
#: Statements in a row that LLVM doesn't try hard on.
LONG = 4000
#: Statements of a module, beyond which it isn't compiled.
LARGEST = 40_000


@dataclass(eq=False)
class Kernel:
    """A part of a program that runs as machine code.

    Attributes:
        members: its operations, and the views that they read.
        ins: what it reads: arrays first, then numbers.
        results: what of it others read.
        made: what stands for these outside.
        arrays, numbers: the inputs among ``ins``, and the array and position of each number.
        parts: how many numbers there are of each type.
        nbytes: of its workspace.
        function: takes arrays, results, the arrays of numbers, and the workspace.
        seconds: what compiling took.
        loops: the module, for reading.
        checked: axes and lengths of the axes that it reads by index.
    """

    members: list[Node]
    ins: list[Node]
    results: list[Node]
    made: list[Node] = field(default_factory=list)
    arrays: list[Node] = field(default_factory=list)
    slots: dict[Node, tuple[str, int]] = field(default_factory=dict)
    parts: dict[str, int] = field(default_factory=dict)
    nbytes: int = 0
    parameters: list[entry.Array] = field(default_factory=list)
    function: Callable[..., bool] | None = None
    seconds: float = 0.0
    cached: bool = False
    loops: Module = field(default_factory=Module)
    checked: list[tuple[int, int]] = field(default_factory=list)

    @property
    def operations(self) -> int:
        """How many operations it does, views not counted."""
        return sum(n.kind not in VIEWS for n in self.members)

    def lower(self, threads: int = 1) -> None:
        """Make loops of it, that so many threads may share."""
        state, known = State(RULES), dict[Node, Any]()
        pointers: list[tuple[str, str]] = []
        self.arrays = [x for x in self.ins if x.shape]
        for k, x in enumerate(self.arrays):
            known[x] = _array(f"a{k}", x, False)
            if x.kind == "literal":
                state.held[id(x.meta.value)] = known[x]
            pointers.append((f"a{k}", known[x].type))
            self._parameter(x, known[x].type, False)
        roots = {t: Root(True) for t in DTYPES}
        wanted: list[tuple[Node, Memory | None]] = []
        for x in self.ins:
            if not x.shape:
                known[x] = self._slot(x, roots)
        for k, y in enumerate(y for y in self.results if y.shape):
            place = _array(f"o{k}", y, True)
            pointers.append((f"o{k}", place.type))
            wanted.append((y, place))
            self._parameter(y, place.type, True)
        wanted += [(y, self._slot(y, roots)) for y in self.results if not y.shape]
        for t, count in self.parts.items():
            pointers.append((f"n_{t}", t))
            self.parameters.append(entry.Array(DTYPES[t], (count,), None, True))
        body = Body(state, self.members, known, wanted)
        body.run()
        body.end()
        self.nbytes = state.arena.nbytes
        self.checked = state.checked
        if self.checked:
            pointers.append((FAULT, "i64"))
            self.parameters.append(entry.Array(DTYPES["i64"], (2,), None, True))
            state.w.body.insert(0, Store(state.fault.at((0,)), const(0, "i64")))
        if self.nbytes:
            pointers.append(("ws", "f64"))
            self.parameters.append(entry.Array(np.dtype(np.uint8), (self.nbytes,), None, True))
        if state.functions.size + state.w.size > LARGEST:
            raise NativeRefused(f"more than {LARGEST} statements")
        main = Function(
            "main", tuple(pointers), (), state.w.body, frozenset(p for p, _ in pointers), True,
            state.swapped,
        )  # fmt: skip
        self.loops = Module([*state.functions.made, main], threads)

    def _parameter(self, x: Node, type: str, written: bool) -> None:
        size = DTYPES[type].itemsize
        order = _order(x, written)
        strides = tuple(s * size for s in order)
        self.parameters.append(entry.Array(DTYPES[type], x.shape, strides, written))

    def _slot(self, x: Node, roots: dict[str, Root]) -> Memory:
        # A Python integer has no bounds: it is read as a float, as is all that is computed of it.
        t = "f64" if is_unbounded(x) else type_of(x.dtype)
        assert t is not None
        k = self.parts.get(t, 0)
        self.parts[t] = k + 1
        self.slots[x] = t, k
        return Memory(roots[t], f"n_{t}", t, (), (), k)

    def compile(self, threads: int = 1, level: int = 2) -> None:
        """Make machine code of it.

        Args:
            threads: how many may share a loop.
            level: how hard LLVM tries; less for long stretches without loops, on which its time
                grows faster than their length.

        Raises:
            NativeRefused: it is too large, or there is nothing to compile with.
        """
        if not self.loops.functions:
            self.lower(threads if sharing.possible() else 1)
        level = min(level, 1) if len(self.loops.main.body) > LONG else level
        width = engine.width() if level > 1 else 0
        text = llvm.text(self.loops, "kernel", width) + entry.declarations(self.parameters)
        release = work(self.loops) / PACE >= entry.RELEASE_FROM
        code = engine.compile_module(
            text + entry.wrapper("kernel", self.parameters, release=release), level=level
        )
        self.seconds, self.cached = code.seconds, code.cached
        self.function = entry.make_callable(code, "kernel", self.parameters)

    def write(self, printer: Any, node: Node) -> None:
        """Print the call: lines of Python, with the number of which arrays are made."""
        scope, lines = printer.scope, printer.lines
        outside = dict(zip(self.ins, node.ins, strict=True))
        numbers = {
            t: printer.scratch(("numbers", t), (count,), DTYPES[t])
            for t, count in self.parts.items()
        }
        for x in self.ins:
            if x in self.slots:
                t, k = self.slots[x]
                lines.append(f"{numbers[t]}[{k}] = {printer.read(outside[x])}")
        args = [printer.read(outside[x]) for x in self.arrays]
        args += [printer.written(y) for y in self.made if y.shape]
        args += numbers.values()
        fault = ""
        if self.checked:
            fault = printer.scratch(("fault",), (2,), DTYPES["i64"])
            args.append(fault)
        if self.nbytes:
            shape = (self.nbytes,)
            args.append(printer.scratch(("space", self.nbytes), shape, np.dtype(np.uint8)))
        given = ", ".join(args)
        run, again = scope.bind(self.function, "native"), scope.bind(self.again, "again")
        lines.append(f"{run}({given}) or {again}({given})")
        if fault:
            lines.append(f"if {fault}[0]: {scope.bind(self.refuse, 'refuse')}({fault})")
        for y, made in zip(self.results, self.made, strict=True):
            if not y.shape:
                t, k = self.slots[y]
                lines.append(f"{printer.new(made)} = {numbers[t]}[{k}]")

    def refuse(self, fault: Any) -> None:
        """Raise what NumPy raises for an index that is out of bounds."""
        number, index = map(int, fault)
        axis, n = self.checked[number - 1]
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {n}")

    def again(self, *args: Any) -> None:
        """Run with copies of the arrays that aren't as the machine code wants them."""
        fixed = [
            x if p.written or p.fits(x) else conformed(x, p)
            for x, p in zip(args, self.parameters, strict=True)
        ]
        assert self.function is not None
        if not self.function(*fixed):
            wrong = [
                f"{x.dtype}{list(x.shape)} in steps of {x.strides} as {p}"
                for x, p in zip(fixed, self.parameters, strict=True) if not p.fits(x)
            ]  # fmt: skip
            raise RuntimeError(f"machine code got an array that it can't take: {wrong}")


def conformed(x: Any, p: entry.Array) -> Any:
    """A copy of an array in another memory order; never of another shape or dtype."""
    if np.shape(x) != p.shape or x.dtype != p.dtype:
        raise RuntimeError(f"machine code wants {p.dtype}{list(p.shape)}, got {x.dtype}"
                           f"{list(np.shape(x))}")  # fmt: skip
    out = np.empty(p.shape, p.dtype, "F" if p.steps() != entry.Array(p.dtype, p.shape).steps()
                   else "C")  # fmt: skip
    out[...] = x
    return out


def is_unbounded(x: Node) -> bool:
    """Whether a value is a Python integer that isn't known."""
    return x.weak and x.number is None and x.dtype.kind == "i"


def _array(name: str, x: Node, mine: bool) -> Memory:
    type = type_of(x.dtype)
    assert type is not None
    assert not (isinstance(x.meta, Held) and mine)
    return Memory(Root(mine), name, type, x.shape, _order(x, mine))


def _order(x: Node, mine: bool) -> tuple[int, ...]:
    """How an array lies: an input as it did when it was recorded, a result in C order."""
    return f_strides(x.shape) if x.fortran and not mine else c_strides(x.shape)


def work(module: Module) -> float:
    """How many statements run, about; loops of unknown length are long."""
    sizes: dict[str, float] = {}

    def of(body: Sequence[Any]) -> float:
        total = 0.0
        for s in body:
            if isinstance(s, For):
                total += s.count * of(s.body)
            elif isinstance(s, While):
                total += 1e9
            elif hasattr(s, "function"):
                total += sizes[s.function]
            elif hasattr(s, "transposed"):
                total += s.m * s.n * s.k / 8
            else:
                total += 1 + sum(of(getattr(s, part, ())) for part in ("yes", "no"))
        return total

    for fn in module.functions:
        sizes[fn.name] = of(fn.body)
    return sizes[module.main.name]
