"""Printing: a program as lines of Python that call NumPy, one for each node.

What the lines name is bound in a namespace beside them: ufuncs, constants, implementations. Only
names that are made here and numbers that are shapes or positions stand in the text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..arrays import ndarray
from .blocks import BLOCK, Cluster, scratch
from .buffers import VIEWS, Plan, plan
from .lowering import OPERATORS
from .program import Held, Node, Program
from .scope import Scope

#: Ufuncs whose operators do the same to NumPy's scalars, in a tenth of the time.
INFIX: dict[Any, str] = {
    np.add: "+", np.subtract: "-", np.multiply: "*", np.true_divide: "/",
    np.less: "<", np.greater: ">", np.less_equal: "<=", np.greater_equal: ">=",
    np.equal: "==", np.not_equal: "!=",
}  # fmt: skip

#: Ufuncs that want their place by name: by position NumPy takes it for a third operand.
BY_NAME = frozenset({np.maximum, np.minimum, np.fmax, np.fmin})


class Printer:
    """Prints one program.

    Attributes:
        lines: the statements.
        buffers, views: what a call needs besides its arguments, with expressions that make them;
            all made at once, and kept from call to call.
    """

    def __init__(self, program: Program, scope: Scope, names: dict[Node, str]) -> None:
        self.program, self.scope = program, scope
        self.plan: Plan = plan(program)
        self.name = dict(names)
        self.lines: list[str] = []
        self.buffers: dict[tuple[Any, ...], str] = {}
        self.views: dict[str, str] = {}
        self._fixed: set[str] = set()
        self._parts: dict[str, str] = {}
        #: Functions for blocks of large arrays, and their scratch arrays.
        self.blocks: list[str] = []
        self.scratches: dict[Any, tuple[str, Any]] = {}
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
        real = beside is not None and beside.kind == "f" and not isinstance(number, complex)
        if real and (x.weak or x.dtype == beside):
            return self.scope.number(number, beside)
        return self.scope.number(number)

    def _new(self, node: Node) -> str:
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
        key = (slot, node.shape, node.dtype, bool(node.fortran))
        if key not in self.buffers:
            self.buffers[key] = f"b{len(self.buffers)}"
        name = self.name[node] = self.buffers[key]
        self._fixed.add(name)
        return name

    def _view(self, node: Node, expression: str, of: str) -> None:
        """A view: made once where it is one of a place, else each time."""
        if of in self._fixed:
            if expression not in self.views:
                self.views[expression] = f"v{len(self.views)}"
            self.name[node] = self.views[expression]
            self._fixed.add(self.views[expression])
        else:
            self.lines.append(f"{self._new(node)} = {expression}")

    # ------------------------------------------------------------------ nodes
    def _print(self, node: Node) -> None:
        PRINTERS[node.kind](self, node)

    def _assign(self, node: Node, call: str, out: str = "", copied: bool = False) -> None:
        """``call`` with its last parenthesis open: into the node's place, or into a new array."""
        place = self._place(node)
        if place is None:
            self.lines.append(f"{self._new(node)} = {call})")
        else:
            self.lines.append(f"{call}, {out}{place})")

    def ufunc(self, node: Node) -> None:
        f, ins = node.meta, node.ins
        if not node.shape and f in INFIX and len(ins) == 2:
            x, y = map(self.read, ins)
            self.lines.append(f"{self._new(node)} = {x} {INFIX[f]} {y}")
            return
        args = ", ".join(self.read(x, _beside(node)) for x in ins)
        name = self.scope.bind(f, f.__name__)
        self._assign(node, f"{name}({args}", "out=" if f in BY_NAME else "")

    def reduce(self, node: Node) -> None:
        f, axes, keepdims = node.meta
        x = node.ins[0]
        axis = "None" if len(axes) == x.ndim else str(axes[0] if len(axes) == 1 else axes)
        name = self.scope.bind(f.reduce, f"{f.__name__}_reduce")
        place = self._place(node)
        rest = f", None, {place}, {keepdims}" if place or keepdims else ""
        line = f"{name}({self.read(x)}, {axis}{rest})"
        self.lines.append(line if place else f"{self._new(node)} = {line}")

    def dot(self, node: Node) -> None:
        x, y = node.ins
        self._assign(node, f"{self._array(x)}.dot({self._array(y)}")

    def matmul(self, node: Node) -> None:
        x, y = map(self._array, node.ins)
        self._assign(node, f"{self.scope.bind(np.matmul, 'matmul')}({x}, {y}")

    def inner(self, node: Node) -> None:
        flat = []
        for x in node.ins:
            expression = self._array(x)
            if x.ndim > 1:
                expression += ".T.reshape(-1)" if x.fortran else ".reshape(-1)"
                if self._array(x) in self._fixed:
                    expression = self.views.setdefault(expression, f"v{len(self.views)}")
            flat.append(expression)
        self.lines.append(f"{self._new(node)} = {flat[0]}.dot({flat[1]})")

    def block(self, node: Node) -> None:
        cluster: Cluster = node.meta
        place, dtypes = scratch(cluster)
        n, number = node.size, len(self.blocks)
        inner = {x: f"x{k}" for k, x in enumerate(node.ins) if x.shape}
        inner.update({y: f"y{k}" for k, y in enumerate(cluster.results)})
        inner.update({m: f"s{k}" for m, k in place.items()})
        numbers = {x: f"n{k}" for k, x in enumerate(node.ins) if not x.shape and x in self.name}
        body: list[str] = []
        totals: list[str] = []
        for m in cluster.members:
            args = [inner.get(x) or numbers.get(x) or self.read(x, _beside(m)) for x in m.ins]
            if m.shape:
                f = self.scope.bind(m.meta, m.meta.__name__)
                out = "out=" if m.meta in BY_NAME else ""
                body.append(f"{f}({', '.join(args)}, {out}{inner[m]})")
            else:
                total = f"t{len(totals)}"
                totals.append(total)
                add_up = f"{self.scope.bind(np.add.reduce, 'add_reduce')}({args[0]}, None)"
                body.append(
                    f"{total} = {add_up if m.kind == 'reduce' else '.dot('.join(args) + ')'}"
                )
        arrays = [*inner.values()]
        arrays = list(dict.fromkeys(arrays))
        head = f"def block{number}({', '.join([*arrays, *numbers.values()])}):"
        body.append(f"return {', '.join(totals)}" if totals else "return None")
        self.blocks.append("\n".join([head, *(f"    {line}" for line in body)]))
        flat = {inner[x]: f"{self.read(x)}.reshape(-1)" for x in node.ins if x.shape}
        for y in cluster.results:
            flat[inner[y]] = f"{self._place(y) or self._empty(y)}.reshape(-1)"
        for k, dtype in enumerate(dtypes):
            key = ("scratch", k, dtype)
            self.scratches.setdefault(key, (f"w{len(self.scratches)}", dtype))
            flat[f"s{k}"] = self.scratches[key][0]
        names = {name: f"{name}_{number}" for name in arrays}
        self.lines += [f"{names[name]} = {flat[name]}" for name in arrays]
        sums = [f"sum{number}_{k}" for k in range(len(totals))]
        self.lines += [f"{s} = 0.0" for s in sums]
        parts = [f"{names[a]}[:j - i]" if a[0] == "s" else f"{names[a]}[i:j]" for a in arrays]
        parts += [self.name[x] for x in numbers]
        call = f"block{number}({', '.join(parts)})"
        got = ", ".join(f"p{k}" for k in range(len(sums)))
        self.lines += [f"for i in range(0, {n}, {BLOCK}):", f"    j = min(i + {BLOCK}, {n})"]
        self.lines.append(f"    {got} = {call}" if sums else f"    {call}")
        self.lines += [f"    {s} += p{k}" for k, s in enumerate(sums)]
        self.name.update(zip(cluster.sums, sums, strict=True))

    def cast(self, node: Node) -> None:
        x, dtype = self.read(node.ins[0]), self.scope.bind(node.dtype, f"{node.dtype.name}")
        place = self._place(node)
        if place is None:
            self.lines.append(f"{self._new(node)} = {x}.astype({dtype})")
        else:
            copyto = self.scope.bind(np.copyto, "copyto")
            self.lines.append(f"{copyto}({place}, {x}, 'unsafe')")

    def where(self, node: Node) -> None:
        args = ", ".join(map(self.read, node.ins))
        line = f"{self.scope.bind(np.where, 'where')}({args})"
        self.lines.append(f"{self._new(node)} = {line}" + ("" if node.shape else "[()]"))

    def transpose(self, node: Node) -> None:
        of = self._array(node.ins[0])
        reverse = node.meta == tuple(range(node.ndim))[::-1]
        self._view(node, f"{of}.T" if reverse else f"{of}.transpose({node.meta})", of)

    def reshape(self, node: Node) -> None:
        x = node.ins[0]
        of = self._array(x)
        if of in self._fixed and x.fortran is not False:
            # What is no view must not be made beforehand.
            self.lines.append(f"{self._new(node)} = {of}.reshape({node.shape})")
        elif not x.shape:
            array = self.scope.bind(np.array, "array")
            self.lines.append(f"{self._new(node)} = {array}({of}).reshape({node.shape})")
        else:
            self._view(node, f"{of}.reshape({node.shape})", of)

    def index(self, node: Node) -> None:
        of = self._array(node.ins[0])
        index = _spelled(node.meta.spec)
        if node.shape:
            self._view(node, f"{of}[{index}]", of)
        else:
            self.lines.append(f"{self._new(node)} = {of}[{index}]")

    def broadcast(self, node: Node) -> None:
        x = node.ins[0]
        if x.number is not None and node.size:
            value = np.full(node.shape, x.number, node.dtype)
            value.flags.writeable = False
            self.name[node] = self.scope.number(_Key(x.number, node.shape), None)
            self.scope.names[self.name[node]] = value
            return
        place = self._place(node) or self._empty(node)
        copyto = self.scope.bind(np.copyto, "copyto")
        self.lines.append(f"{copyto}({place}, {self.read(x)})")

    def _empty(self, node: Node) -> str:
        empty = self.scope.bind(np.empty, "empty")
        dtype = self.scope.bind(node.dtype, node.dtype.name)
        name = self._new(node)
        self.lines.append(f"{name} = {empty}({node.shape}, {dtype})")
        return name

    def put(self, node: Node) -> None:
        x, y = node.ins
        index = _spelled(node.meta.spec)
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
                self.lines.append(f"{copyto}({name}, {self._array(x)})")
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
        sign = OPERATORS.get(p.impl)
        if sign is not None and not params and len(args) == 2 and not node.shape:
            self.lines.append(f"{self._new(node)} = {args[0]} {sign} {args[1]}")
            return
        if params:
            args.append(f"**{self.scope.bind(params, 'params')}")
        stem = "".join(c if c.isalnum() and c.isascii() else "_" for c in p.name)
        name = self.scope.bind(p.impl, f"call_{stem}")
        self.lines.append(f"{self._new(node)} = {name}({', '.join(args)})")

    def pick(self, node: Node) -> None:
        of = self.name[node.ins[0]]
        self.lines.append(f"{self._new(node)} = {of}[{node.meta}]")

    def _array(self, x: Node) -> str:
        return self.read(x)

    # ------------------------------------------------------------------ results
    def result(self, y: Node, others: Sequence[Node]) -> str:
        """The expression of a result: an array that nobody else holds."""
        if y.kind == "literal":
            if isinstance(y.meta, Held):
                return f"{self.read(y)}.copy()"
            return self.scope.number(y.number)
        name = self.name[y]
        roots = self.plan.roots[y]
        if y.kind == "broadcast" and y.ins[0].number is not None:
            return f"{name}.copy()"
        shared = any(roots & self.plan.roots.get(z, frozenset()) for z in others)
        calls = [r for r in roots if r.kind in ("call", "pick")]
        if shared or (any(r.kind == "input" for r in roots) and not calls):
            return f"{self.scope.bind(_copied, 'copied')}({name})"
        if calls:
            ins = sorted({self.read(x) for r in calls for x in r.ins if x in self.name})
            held = f", {', '.join(ins)}" if ins else ""
            return f"{self.scope.bind(_own, 'own')}({name}{held})"
        return name


def _beside(node: Node) -> Any:
    """The dtype that numbers take beside the arrays of a ufunc, if these have one dtype."""
    dtypes = {x.dtype for x in node.ins if not x.weak}
    return dtypes.pop() if node.shape and len(dtypes) == 1 else None


class _Key:
    """A constant array in the table of numbers."""

    def __init__(self, number: Any, shape: tuple[int, ...]) -> None:
        self.text = f"{number!r} {type(number)} {shape}"

    def __repr__(self) -> str:
        return self.text


def _copied(x: Any) -> Any:
    """A copy of an array; a number as it is."""
    return x.copy() if isinstance(x, ndarray) else x


def _own(x: Any, *operands: Any) -> Any:
    """An answer of an implementation that may be one of its operands, or a view."""
    if isinstance(x, ndarray) and (x.base is not None or any(x is y for y in operands)):
        return x.copy("K")
    return x


def _spelled(spec: tuple[Any, ...]) -> str:
    """A basic index as it is written."""
    parts = []
    for s in spec:
        if isinstance(s, slice):
            part = f"{'' if s.start is None else s.start}:{'' if s.stop is None else s.stop}"
            parts.append(part if s.step is None else f"{part}:{s.step}")
        else:
            parts.append("..." if s is Ellipsis else repr(s))
    return ", ".join(parts) if parts else "()"


#: Kind of node -> what prints it.
PRINTERS: dict[str, Callable[[Printer, Node], None]] = {
    kind: getattr(Printer, kind)
    for kind in (
        "ufunc", "reduce", "dot", "matmul", "inner", "cast", "where", "transpose", "reshape",
        "index", "broadcast", "put", "call", "pick", "block",
    )
}  # fmt: skip

assert set(PRINTERS) >= VIEWS
