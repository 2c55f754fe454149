"""Printing: a program as lines of Python that call NumPy, one for each node.

What the lines name is bound in a namespace beside them: ufuncs, constants, implementations. Only
names that are made here and numbers that are shapes or positions stand in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ..kinds import KIND
from .bits import by_bits, choice
from .buffers import VIEWS, Plan, is_written, plan
from .looping import BY_NAME, COLUMNS, Loop, beside, by_columns, reducing
from .lowering import OPERATORS
from .passes.sums import LARGE
from .program import BLOCKED, Held, Node, Program, Shape
from .rows import is_run
from .scope import Scope
from .spelling import Constant, copied, infix, own, spelled
from .tiles import tiled


class Printer:
    """Prints one program.

    Attributes:
        lines: the statements.
        buffers, views: what a call needs besides its arguments, with expressions that make them;
            all made at once, and kept from call to call.
        blocks: functions that go over large arrays in blocks, and loops.
        below: bytes that loops keep for themselves.
    """

    def __init__(
        self, program: Program, scope: Scope, names: dict[Node, str], loose: bool = True,
        blocks: list[str] | None = None, threads: int = 1,
    ) -> None:  # fmt: skip
        self.program, self.scope, self.loose, self.threads = program, scope, loose, threads
        self.plan: Plan = plan(program)
        self.name = dict(names)
        self.lines: list[str] = []
        self.buffers: dict[tuple[Any, ...], str] = {}
        self.views: dict[str, str] = {}
        self._fixed: set[str] = set()
        self._parts: dict[str, str] = {}
        self.blocks: list[str] = [] if blocks is None else blocks
        self.below = 0
        self._scratches: dict[Any, int] = {}
        self._taken = set(names.values())
        for node in program.nodes:
            self._print(node)

    # ------------------------------------------------------------------ names
    def read(self, x: Node, beside: Any = None) -> str:
        """The expression of an operand; a number as an array of the dtype ``beside``."""
        if x in self.name:
            return self.name[x]
        if isinstance(x.meta, Held):
            return self.scope.bind(x.meta.value, "c")
        number = x.number
        real = beside is not None and beside.kind == "f" and not issubclass(type(number), complex)
        if real and (x.weak or x.dtype == beside):
            return self.scope.number(number, beside)
        return self.scope.number(number)

    def new(self, node: Node) -> str:
        """A name for a value that is computed anew."""
        stem = node.name or "t"
        name = f"{stem}{len(self._taken)}" if stem == "t" or stem in self._taken else stem
        self._taken.add(name)
        self.name[node] = name
        return name

    def _place(self, node: Node) -> str | None:
        """The name of the place where a node is to be written, if it has one."""
        slot = self.plan.slot.get(node)
        if slot is None:
            return None
        _, before = self.plan.part.get(node, (None, 0))
        fortran = bool(node.fortran)
        name = self.name[node] = self._buffer(slot, node.shape, node.dtype, fortran, before)
        return name

    def _buffer(
        self, slot: int, shape: Shape, dtype: Any, fortran: bool = False, before: int = 0
    ) -> str:
        """The name of an array in an arena, so many bytes behind its beginning."""
        key = (slot, shape, dtype, fortran, before)
        if key not in self.buffers:
            self.buffers[key] = f"b{len(self.buffers)}"
        self._fixed.add(self.buffers[key])
        return self.buffers[key]

    def written(self, node: Node) -> str:
        """The name of an array that a node is to be written into."""
        return self._place(node) or self._empty(node)

    def scratch(self, which: Any, shape: Shape, dtype: Any) -> str:
        """The name of an array that is used between here and the next line."""
        if which not in self._scratches:
            self._scratches[which] = len(self.plan.sizes)
            self.plan.sizes.append(0)
        slot = self._scratches[which]
        self.plan.sizes[slot] = max(self.plan.sizes[slot], prod(shape) * dtype.itemsize)
        return self._buffer(slot, shape, dtype)

    def constant(self, number: Any, shape: Shape, dtype: Any) -> str:
        """The name of an array that is one number throughout."""
        name = self.scope.number(Constant(number, shape, dtype), None)
        if isinstance(self.scope.names[name], Constant):
            value = self.scope.names[name] = np.full(shape, number, dtype)
            value.flags.writeable = False
        return name

    def _view(self, node: Node, expression: str, of: str) -> None:
        """A view: made once where it is one of a place, else each time."""
        if of in self._fixed:
            name = self.name[node] = self.seen(expression, of)
            self._fixed.add(name)
        else:
            self.lines.append(f"{self.new(node)} = {expression}")

    def seen(self, expression: str, of: str) -> str:
        """A view: made once if it is of an array that is kept."""
        if of not in self._fixed:
            return expression
        return self.views.setdefault(expression, f"v{len(self.views)}")

    # ------------------------------------------------------------------ nodes
    def _print(self, node: Node) -> None:
        PRINTERS[node.kind](self, node)

    def _assign(self, node: Node, call: str, out: str = "", copied: bool = False) -> None:
        """``call`` with its last parenthesis open: into the node's place, or into a new array."""
        place = self._place(node)
        if place is None:
            self.lines.append(f"{self.new(node)} = {call})")
        else:
            self.lines.append(f"{call}, {out}{place})")

    def ufunc(self, node: Node) -> None:
        f, ins = node.meta, node.ins
        sign = infix(node)
        if sign:
            x, y = map(self.read, ins)
            return self.lines.append(f"{self.new(node)} = {x} {sign} {y}")
        args = ", ".join(self.read(x, beside(node)) for x in ins)
        name = self.scope.bind(f, f.__name__)
        self._assign(node, f"{name}({args}", "out=" if f in BY_NAME else "")

    def reduce(self, node: Node) -> None:
        f, axes, keepdims = node.meta
        x = node.ins[0]
        large = f is np.add and BLOCKED <= x.size < LARGE and node.shape
        dense = x.fortran is False or (x.ndim == 2 and x.fortran)
        if self.loose and large and dense and is_run(axes):
            return self._sum(node)
        length, short = x.shape[-1] if x.shape else 0, axes == (x.ndim - 1,) and f is not np.add
        if self.loose and short and length in COLUMNS and node.size >= 64 * length and node.shape:
            matrix, out = self.read(x), self.written(node)
            matrix = matrix if x.ndim == 2 else f"{matrix}.reshape({(node.size, length)})"
            out = out if node.ndim == 1 else f"{out}.reshape({node.size})"
            return self.lines.extend(
                by_columns(self.scope.bind(f, f.__name__), matrix, out, length)
            )
        axis = "None" if len(axes) == x.ndim else str(axes[0] if len(axes) == 1 else axes)
        name = self.scope.bind(reducing(f), f"{f.__name__}_reduce")
        place = self._place(node)
        rest = f", None, {place}, {keepdims}" if place or keepdims else ""
        line = f"{name}({self.read(x)}, {axis}{rest})"
        self.lines.append(line if place else f"{self.new(node)} = {line}")

    def _sum(self, node: Node) -> None:
        """A sum along neighbouring axes of a large array, as a product with ones."""
        (x,), axes = node.ins, node.meta[1]
        first, last = axes[0], axes[-1]
        before, along, after = (
            prod(part) for part in (x.shape[:first], x.shape[first : last + 1], x.shape[last + 1 :])
        )
        of, place = self.read(x), self._place(node)
        ones, shape = self.constant(1, (along,), node.dtype), node.shape
        if after == 1:
            matrix = of if x.shape == (before, along) else f"{of}.reshape(({before}, {along}))"
            call, shape = f"{matrix}.dot({ones}", (before,)
        elif before == 1:
            matrix = of if x.shape == (along, after) else f"{of}.reshape(({along}, {after}))"
            call, shape = f"{ones}.dot({matrix}", (after,)
        else:
            ones, shape = self.constant(1, (1, along), node.dtype), (before, 1, after)
            matmul = self.scope.bind(np.matmul, "matmul")
            call = f"{matmul}({ones}, {of}.reshape(({before}, {along}, {after}))"
        if place is None:
            behind = "" if shape == node.shape else f".reshape({node.shape})"
            self.lines.append(f"{self.new(node)} = {call}){behind}")
        else:
            view = place if shape == node.shape else f"{place}.reshape({shape})"
            self.lines.append(f"{call}, {view})")

    def dot(self, node: Node) -> None:
        if not tiled(self, node):
            x, y = map(self.read, node.ins)
            self._assign(node, f"{x}.dot({y}")

    def matmul(self, node: Node) -> None:
        x, y = map(self.read, node.ins)
        call = f"{self.scope.bind(np.matmul, 'matmul')}({x}, {y}"
        if node.meta is None:
            return self._assign(node, call)
        lying = tuple(node.shape[axis] for axis in node.meta)
        back = tuple(node.meta.index(axis) for axis in range(node.ndim))
        slot = self.plan.slot.get(node)
        if slot is None:
            place = self._make(self.new(node), lying, node.dtype)
        else:
            place = self._buffer(slot, lying, node.dtype)
        self._view(node, f"{place}.transpose({back})", place)
        self.lines.append(f"{call}, {self.name[node]})")

    def inner(self, node: Node) -> None:
        flat = []
        for x in node.ins:
            of = self.read(x)
            view = f"{of}.T.reshape(-1)" if x.fortran else f"{of}.reshape(-1)"
            flat.append(self.seen(view, of) if x.ndim > 1 else of)
        self.lines.append(f"{self.new(node)} = {flat[0]}.dot({flat[1]})")

    def block(self, node: Node) -> None:
        Loop(self, node)

    def stack(self, node: Node) -> None:
        place, row = self.written(node), 0
        for x in node.ins:
            end = row + x.shape[0]
            here = node, row * node.shape[1] * node.dtype.itemsize
            if self.plan.part.get(x) != here:
                copyto = self.scope.bind(np.copyto, "copyto")
                self.lines.append(f"{copyto}({place}[{row}:{end}], {self.read(x)})")
            row = end

    def cast(self, node: Node) -> None:
        x, dtype = self.read(node.ins[0]), self.scope.bind(node.dtype, f"{node.dtype.name}")
        place = self._place(node)
        if place is None:
            self.lines.append(f"{self.new(node)} = {x}.astype({dtype})")
        else:
            copyto = self.scope.bind(np.copyto, "copyto")
            self.lines.append(f"{copyto}({place}, {x}, 'unsafe')")

    def where(self, node: Node) -> None:
        args = [*map(self.read, node.ins)]
        if by_bits(node):
            return self.lines.extend(choice(self.scope, node, args, self.written(node)))
        line = f"{self.scope.bind(np.where, 'where')}({', '.join(args)})"
        self.lines.append(f"{self.new(node)} = {line}" + ("" if node.shape else "[()]"))

    def transpose(self, node: Node) -> None:
        of = self.read(node.ins[0])
        reverse = node.meta == tuple(range(node.ndim))[::-1]
        self._view(node, f"{of}.T" if reverse else f"{of}.transpose({node.meta})", of)

    def reshape(self, node: Node) -> None:
        x = node.ins[0]
        of = self.read(x)
        if of in self._fixed and x.fortran is not False:
            # What is no view must not be made beforehand.
            self.lines.append(f"{self.new(node)} = {of}.reshape({node.shape})")
        elif not x.shape:
            array = self.scope.bind(np.array, "array")
            self.lines.append(f"{self.new(node)} = {array}({of}).reshape({node.shape})")
        else:
            self._view(node, f"{of}.reshape({node.shape})", of)

    def index(self, node: Node) -> None:
        of = self.read(node.ins[0])
        index = spelled(node.meta.spec)
        if node.shape:
            self._view(node, f"{of}[{index}]", of)
        else:
            self.lines.append(f"{self.new(node)} = {of}[{index}]")

    def broadcast(self, node: Node) -> None:
        x = node.ins[0]
        if x.number is not None and node.size:
            self.name[node] = self.constant(x.number, node.shape, node.dtype)
            return
        place = self.written(node)
        copyto = self.scope.bind(np.copyto, "copyto")
        self.lines.append(f"{copyto}({place}, {self.read(x)})")

    def _empty(self, node: Node) -> str:
        return self._make(self.new(node), node.shape, node.dtype)

    def _make(self, name: str, shape: Shape, dtype: Any) -> str:
        empty, kind = self.scope.bind(np.empty, "empty"), self.scope.bind(dtype, dtype.name)
        self.lines.append(f"{name} = {empty}({shape}, {kind})")
        return name

    def put(self, node: Node) -> None:
        x, y = node.ins
        index = spelled(node.meta.spec)
        here = self.program.nodes.index(node)
        mine = x.kind in ("put", "ufunc", "dot", "reduce") and x not in self.plan.slot
        if mine and x.shape and self._dies(x, here) and node not in self.plan.slot:
            name = self.name[node] = self.name[x]
        else:
            place = self._place(node)
            before = self.name.get(x)
            name = place or self._empty(node)
            if x.kind == "broadcast" and x.ins[0].number is not None:
                self.lines.append(f"{name}.fill({self.scope.number(x.ins[0].number)})")
            elif before != name:
                copyto = self.scope.bind(np.copyto, "copyto")
                self.lines.append(f"{copyto}({name}, {self.read(x)})")
        part = f"{name}[{index}]"
        shape = np.empty(node.shape, np.bool_)[node.meta.spec].shape
        if not shape:
            self.lines.append(f"{part} += {self.read(y)}")
            return
        if name in self._fixed:
            part = self.views.setdefault(part, f"v{len(self.views)}")
        elif part in self._parts:
            part = self._parts[part]
        else:
            short = self._parts[part] = f"p{len(self._taken)}"
            self._taken.add(short)
            self.lines.append(f"{short} = {part}")
            part = short
        add = self.scope.bind(np.add, "add")
        self.lines.append(f"{add}({part}, {self.read(y, node.dtype)}, {part})")

    def _dies(self, x: Node, here: int) -> bool:
        """Whether nobody reads an array's memory after this node, but as this node's own."""
        return self.plan.last.get(x) == here and self.plan.roots[x] == {x}

    def call(self, node: Node) -> None:
        p, params = node.meta.primitive, node.meta.params
        args = [self.read(x) for x in node.ins]
        if p is KIND and node.weak:
            kind = self.scope.bind(params["kind"], params["kind"].__name__)
            self.lines.append(f"{self.new(node)} = {kind}({args[0]})")
            return
        sign = OPERATORS.get(p.impl)
        if sign is not None and not params and len(args) == 2 and not node.shape:
            self.lines.append(f"{self.new(node)} = {args[0]} {sign} {args[1]}")
            return
        if params:
            args.append(f"**{self.scope.bind(params, 'params')}")
        stem = "".join(c if c.isalnum() and c.isascii() else "_" for c in p.name)
        self._assign(node, f"{self.scope.bind(p.impl, f'call_{stem}')}({', '.join(args)}", "out=")

    def pick(self, node: Node) -> None:
        of = self.name[node.ins[0]]
        self.lines.append(f"{self.new(node)} = {of}[{node.meta}]")

    # ------------------------------------------------------------------ results
    def result(self, y: Node, others: Sequence[Node]) -> str:
        """The expression of a result: an array that nobody else holds."""
        if y.kind == "literal":
            if isinstance(y.meta, Held):
                return f"{self.read(y)}.copy()"
            return self.scope.number(y.number)
        name = self.name[y]
        roots = self.plan.roots[y]
        shared = any(roots & self.plan.roots.get(z, frozenset()) for z in others)
        calls = [r for r in roots if r.kind in ("call", "pick")]
        lent = any(_is_lent(r) for r in roots) and not calls
        # A number that goes through a loop may be an array of no axes that came in.
        carried = not y.shape and any(r.kind == "pick" and is_written(r) for r in roots)
        if shared or lent or carried:
            return f"{self.scope.bind(copied, 'copied')}({name})"
        if calls:
            known = {x for r in calls for x in r.ins if x in self.name or isinstance(x.meta, Held)}
            ins = sorted(map(self.read, known))
            held = f", {', '.join(ins)}" if ins else ""
            return f"{self.scope.bind(own, 'own')}({name}{held})"
        return name


def _is_lent(root: Node) -> bool:
    """Whether an array is not the call's own: an argument, or a constant of the program."""
    number = root.kind == "broadcast" and root.ins[0].number is not None
    return number or root.kind in ("input", "literal")


#: Kind of node -> what prints it.
PRINTERS: dict[str, Callable[[Printer, Node], None]] = {
    kind: getattr(Printer, kind)
    for kind in (
        "ufunc", "reduce", "dot", "matmul", "inner", "cast", "where", "transpose", "reshape",
        "index", "broadcast", "put", "stack", "call", "pick", "block",
    )
}  # fmt: skip
PRINTERS["native"] = lambda printer, node: node.meta.write(printer, node)

assert set(PRINTERS) >= VIEWS
