"""Looping: a cluster as a Python function that goes over blocks of rows.

The function gets whole arrays and cuts the rows of a block out of each. It is called with the
parts of the loop that it is to do; sums are kept for each part and added up in the end, so they
don't depend on who does which part: each thread has scratch arrays of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from math import prod
from typing import Any, Protocol

import numpy as np

from .bits import by_bits, choice
from .blocks import BLOCK, Cluster, along
from .program import Node, Shape
from .rows import FIXED, ROWS, SPREAD, is_run, role
from .scope import Scope
from .threads import together

#: Ufuncs that want their place by name: by position NumPy takes it for a third operand.
BY_NAME = frozenset({np.maximum, np.minimum, np.fmax, np.fmin})
#: Rows of so many entries are reduced column by column.
COLUMNS = range(2, 17)
#: Parts of a loop, each with sums of its own.
PARTS = 12
#: Operations on so many entries in all are worth another thread.
BUSY = 1 << 22
#: So few numbers that rows share are written out for a block, if there are so many blocks.
SHORT, FEW_BLOCKS = 256, 4


class Prints(Protocol):
    """What a cluster needs of the printer of its program."""

    scope: Scope
    lines: list[str]
    blocks: list[str]
    name: dict[Node, str]
    loose: bool
    threads: int

    def read(self, x: Node, beside: Any = None) -> str:
        """The expression of an operand."""

    def written(self, node: Node) -> str:
        """The name of an array that a node is to be written into."""

    def scratch(self, which: Any, shape: Shape, dtype: Any) -> str:
        """The name of an array that is used between here and the next line."""

    def new(self, node: Node) -> str:
        """A name for a value that is computed anew."""

    def constant(self, number: Any, shape: Shape, dtype: Any) -> str:
        """The name of an array that is one number throughout."""


@lru_cache(maxsize=64)
def reducing(f: Any) -> Any:
    """``f.reduce``, the same object each time."""
    return f.reduce


def beside(node: Node) -> Any:
    """The dtype that numbers take beside the arrays of a ufunc, if these have one dtype."""
    if node.meta is np.ldexp:  # of a float and an integer
        return None
    dtypes = {x.dtype for x in node.ins if not x.weak}
    return dtypes.pop() if node.shape and len(dtypes) == 1 else None


def by_columns(f: str, x: str, out: str, length: int) -> list[str]:
    """Lines that reduce short rows: whole columns at once, where NumPy starts anew for each row."""
    first = f"{f}({x}[:, 0], {x}[:, 1], out={out})"
    return [first, *(f"{f}({out}, {x}[:, {k}], out={out})" for k in range(2, length))]


@dataclass
class Scratch:
    """Where the answers that stay inside of a loop are kept for a round.

    Attributes:
        place: the number of its place, for each of them.
        sizes: the bytes of each place.
    """

    place: dict[Node, int] = field(default_factory=dict)
    sizes: list[int] = field(default_factory=list)


def scratch(cluster: Cluster, count: int) -> Scratch:
    """Places for what stays inside of a loop over so many rows at once."""
    behind = len(cluster.rows)
    last: dict[Node, int] = {}
    views = {m for m in cluster.members if m.kind == "reshape"}
    for k, m in enumerate(cluster.members):
        for x in m.ins:
            last[x] = k
            while x in views:  # a view needs what it is a view of
                x = x.ins[0]
                last[x] = k
    out = Scratch()
    results = {*cluster.results, *cluster.sums}
    free: list[int] = []
    for k, m in enumerate(cluster.members):
        gone = [x for x, end in last.items() if end == k and x in out.place]
        early = [
            x for x in gone
            if m.kind == "ufunc" and x in m.ins and (x.shape, x.dtype) == (m.shape, m.dtype)
        ]  # fmt: skip
        free += [out.place[x] for x in early]
        if m not in results and m.kind != "reshape":
            need = count * prod(m.shape[behind:]) * m.dtype.itemsize
            fitting = [s for s in free if out.sizes[s] >= need]
            if fitting:
                out.place[m] = min(reversed(fitting), key=lambda s: out.sizes[s])
                free.remove(out.place[m])
            else:
                out.place[m] = len(out.sizes)
                out.sizes.append(need)
        free += [out.place[x] for x in gone if x not in early]
    return out


class Loop:
    """Prints one cluster."""

    def __init__(self, printer: Prints, node: Node) -> None:
        self.printer, self.cluster = printer, node.meta
        self.rows: Shape = self.cluster.rows
        self.total = prod(self.rows)
        members = self.cluster.members
        self.largest: Shape = max(
            (self._behind(x) for m in members for x in (m, *m.ins) if self._has_rows(x)), key=prod
        )
        bytes_of = max(m.dtype.itemsize for m in members)
        self.count = max(1, min(self.total, BLOCK // (prod(self.largest) * bytes_of)))
        self.parts = self._parts()
        # What the function is called with, and how it calls it; and what it does in a round.
        self.given: dict[str, str] = {}
        self.own: dict[str, Node] = {}
        self.head: list[str] = []
        self.body: list[str] = []
        self.here: dict[Any, str] = {}
        self._print(node)

    def _has_rows(self, x: Node) -> bool:
        return x.shape[: len(self.rows)] == self.rows

    def _behind(self, x: Node) -> Shape:
        """What an array has behind its rows."""
        return x.shape[len(self.rows) :]

    def _parts(self) -> tuple[tuple[int, int, int], ...]:
        """Numbers, beginnings and ends of parts: whole blocks, about as many in each."""
        blocks = -(-self.total // self.count)
        ends = [min(self.total, blocks * k // PARTS * self.count) for k in range(PARTS + 1)]
        ends = sorted({*ends, self.total})
        return tuple((k, a, b) for k, (a, b) in enumerate(pairwise(ends)))

    # ------------------------------------------------------------------ names
    def _flat(self, expression: str, x: Node) -> str:
        """An array as rows one behind the other."""
        if len(self.rows) == 1:
            return expression
        return f"{expression}.reshape({(self.total, *self._behind(x))})"

    def _give(self, stem: str, expression: str) -> str:
        name = f"{stem}{sum(g[0] == stem for g in self.given)}"
        self.given[name] = expression
        return name

    def _cut(self, stem: str, expression: str) -> str:
        """The name of the block's rows of an array."""
        whole = self._give(stem.upper(), expression)
        self.head.append(f"{whole.lower()} = {whole}[i:j]")
        return whole.lower()

    def _operand(self, x: Node, m: Node) -> str:
        """The expression of an operand of a member."""
        if x in self.here:
            return self.here[x]
        if not x.shape:
            if x not in self.printer.name:
                if m.kind == "where" and x is not m.ins[0]:  # which forces it into the dtype
                    return self.printer.scope.number(np.asarray(x.number).astype(m.dtype)[()])
                return self.printer.read(x, beside(m))
            kind = "number"
        else:
            kind = ROWS if m.kind in ("reduce", "inner") else str(role(x, self.rows, m.shape))
        short = kind == FIXED and self._is_short(x, m)
        key = (x, kind, self._behind(m)) if short else (x, kind)
        if key not in self.here:
            expression = self.printer.read(x)
            if kind == ROWS:
                self.here[key] = self._cut("x", self._flat(expression, x))
            elif kind == SPREAD:
                shape = (*self.rows, *self._alone(x, m))
                repeat = self.printer.scope.bind(np.broadcast_to, "broadcast_to")
                whole = f"{repeat}({expression}, {shape}).reshape"
                flat = (self.total, *self._alone(x, m))
                self.here[key] = self._cut("x", f"{whole}({flat})")
            elif kind == FIXED:
                cut = x.shape
                while cut and cut[0] == 1:
                    cut = cut[1:]
                view = expression if cut == x.shape else f"{expression}.reshape({cut})"
                self.here[key] = self._spread(view, x, m) if short else self._give("c", view)
            else:
                self.here[key] = self._give("n", expression)
        return self.here[key]

    def _is_short(self, x: Node, m: Node) -> bool:
        """Whether NumPy would go over a few numbers again and again, a step of a loop for each."""
        blocks = self.total // self.count
        return x.size <= SHORT and blocks >= FEW_BLOCKS and m.kind == "ufunc" and bool(x.size)

    def _spread(self, view: str, x: Node, m: Node) -> str:
        """Numbers that all rows share, written out for a block of rows."""
        p = self.printer
        shape = (self.count, *self._behind(m))
        name = p.scratch(("spread", len(self.given)), shape, x.dtype)
        p.lines.append(f"{p.scope.bind(np.copyto, 'copyto')}({name}, {view})")
        whole = self._give("T", name)
        self.head.append(f"{whole.lower()} = {whole}[:j - i]")
        return whole.lower()

    def _alone(self, x: Node, m: Node) -> Shape:
        inner = m.ndim - len(self.rows)
        return x.shape[x.ndim - inner :] if inner else ()

    # ------------------------------------------------------------------ what is done in a round
    def _member(self, m: Node) -> None:
        args = [self._operand(x, m) for x in m.ins]
        bind, here = self.printer.scope.bind, self.here.get(m)
        if m.kind == "ufunc":
            out = "out=" if m.meta in BY_NAME else ""
            self.body.append(f"{bind(m.meta, m.meta.__name__)}({', '.join(args)}, {out}{here})")
        elif m.kind == "cast":
            self.body.append(f"{bind(np.copyto, 'copyto')}({here}, {args[0]}, 'unsafe')")
        elif by_bits(m, 0):
            self.body += choice(self.printer.scope, m, args, str(here))
        elif m.kind == "where":
            to = f"{bind(np.copyto, 'copyto')}({here}, "
            self.body += [f"{to}{args[2]})", f"{to}{args[1]}, where={args[0]})"]
        elif m.kind == "reshape":
            self.here[m] = view = f"v{len(self.body)}"
            shape = ", ".join(map(str, ("j - i", *self._behind(m))))
            self.body.append(f"{view} = {args[0]}.reshape({shape})")
        elif along(m, self.rows):
            self._reduce(m, args[0], str(here))
        else:
            self._add_up(m, args)

    def _reduce(self, m: Node, x: str, out: str) -> None:
        """A reduction within rows."""
        f, axes, keepdims = m.meta
        behind = self._behind(m.ins[0])
        axes = tuple(i - len(self.rows) for i in axes)
        bind = self.printer.scope.bind
        if f is np.add and self.printer.loose and is_run(axes):
            first, last = axes[0], axes[-1]
            length, after = prod(behind[first : last + 1]), prod(behind[last + 1 :])
            if after == 1:
                x = x if len(behind) == 1 else f"{x}.reshape(-1, {length})"
                out = out if not self._behind(m) else f"{out}.reshape(-1)"
                self.body.append(f"{x}.dot({self._ones(length, m)}, {out})")
                return
            x = x if len(behind) == 2 and not first else f"{x}.reshape(-1, {length}, {after})"
            fits = self._behind(m) == (1, after)
            out = out if fits else f"{out}.reshape(-1, 1, {after})"
            ones = f"{self._ones(length, m)}.reshape(1, {length})"
            self.body.append(f"{bind(np.matmul, 'matmul')}({ones}, {x}, {out})")
            return
        length = prod(behind[i] for i in axes)
        last = is_run(axes) and axes[-1] == len(behind) - 1
        if self.printer.loose and last and length in COLUMNS:
            flat = f"v{len(self.body)}", f"v{len(self.body) + 1}"
            self.body.append(f"{flat[0]} = {x}.reshape(-1, {length})")
            self.body.append(f"{flat[1]} = {out}.reshape(-1)")
            self.body += by_columns(bind(f, f.__name__), *flat, length)
            return
        axis = tuple(i + 1 for i in axes)
        reduce = bind(reducing(f), f"{f.__name__}_reduce")
        self.body.append(f"{reduce}({x}, {axis}, None, {out}, {keepdims})")

    def _ones(self, length: int, m: Node) -> str:
        """The name of a vector of ones."""
        key = "ones", length, m.dtype
        if key not in self.here:
            ones = self.printer.constant(1, (length,), m.dtype)
            self.here[key] = ones
        return self.here[key]

    def _add_up(self, m: Node, args: Sequence[str]) -> None:
        """What a block adds to a sum over all rows."""
        total = self.here[m]
        if not m.shape:
            if m.kind == "inner":
                flat = [x if not self._behind(y) else f"{x}.reshape(-1)"
                        for x, y in zip(args, m.ins, strict=True)]  # fmt: skip
                self.body.append(f"{total} += {flat[0]}.dot({flat[1]})")
            else:
                reduce = self.printer.scope.bind(reducing(np.add), "add_reduce")
                self.body.append(f"{total} += {reduce}({args[0]}, None)")
            return
        axes, behind = m.meta[1], self._behind(m.ins[0])
        first = len(axes) - len(self.rows)  # of the axes behind the rows, so many are added up
        if axes == tuple(range(len(axes))):
            width, each = prod(behind[first:]), prod(behind[:first])
            x = args[0] if behind == (width,) else f"{args[0]}.reshape(-1, {width})"
            ones = f"{self._ones(self.count * each, m)}[:{f'{each} * ' * (each > 1)}(j - i)]"
            part = f"{ones}.dot({x})"
        else:
            axis = (0, *(i - len(self.rows) + 1 for i in axes[len(self.rows) :]))
            reduce = self.printer.scope.bind(reducing(np.add), "add_reduce")
            part = f"{reduce}({args[0]}, {axis})"
        add = self.printer.scope.bind(np.add, "add")
        self.body.append(f"{add}({total}, {part}, {total})")

    # ------------------------------------------------------------------ the whole
    def _print(self, node: Node) -> None:
        p, cluster = self.printer, self.cluster
        for y in cluster.results:
            self.here[y] = self._cut("y", self._flat(p.written(y), y))
        kept: list[tuple[Node, str]] = []
        for k, m in enumerate(cluster.sums):
            shape = tuple(n for i, n in enumerate(m.shape) if not _is_kept_axis(m, i))
            if m.shape and m.meta[1] == tuple(range(len(m.meta[1]))):
                shape = (prod(shape),)
            name = p.scratch(("sum", k), (len(self.parts), *shape), m.dtype)
            total = self._give("A", name)
            p.lines.append(f"{name}.fill(0.0)")
            self.here[m] = f"{total}[k]" if not shape else total.lower()
            kept.append((m, name))
        place = scratch(cluster, self.count)
        self.own = {}
        for m, k in place.place.items():
            key = k, self._behind(m), m.dtype
            if key not in self.here:
                whole = f"S{len(self.own)}"
                self.own[whole] = m
                self.here[key] = whole.lower()
                self.head.append(f"{whole.lower()} = {whole}[:j - i]")
            self.here[m] = self.here[key]
        for m in cluster.members:
            self._member(m)
        number = len(p.blocks)
        self._function(number)
        self._call(number, node, place)
        reduce = p.scope.bind(reducing(np.add), "add_reduce")
        for m, name in kept:
            behind = f".reshape({m.shape})" if m.shape else ""
            p.lines.append(f"{p.new(m)} = {reduce}({name}, 0){behind}")

    def _function(self, number: int) -> None:
        names = ", ".join(["parts", *self.given, *self.own])
        totals = [f"{a.lower()} = {a}[k]" for a in self.given
                  if a[0] == "A" and f"{a}[k]" not in self.here.values()]  # fmt: skip
        lines = [
            f"def block{number}({names}):",
            "    for k, start, stop in parts:",
            *(f"        {line}" for line in totals),
            f"        for i in range(start, stop, {self.count}):",
            f"            j = min(i + {self.count}, stop)",
            *(f"            {line}" for line in (*self.head, *self.body)),
        ]
        self.printer.blocks.append("\n".join(lines))

    def _call(self, number: int, node: Node, place: Scratch) -> None:
        p = self.printer
        parts = p.scope.bind(self.parts, "parts")

        def own(thread: int) -> list[str]:
            return [
                p.scratch((thread, place.place[m]), (self.count, *self._behind(m)), m.dtype)
                for m in self.own.values()
            ]

        work = self.total * prod(self.largest) * len(self.cluster.members)
        count = min(p.threads, len(self.parts)) if work >= BUSY else 1
        if count == 1:
            args = ", ".join([parts, *self.given.values(), *own(0)])
            p.lines.append(f"block{number}({args})")
            return
        given = ", ".join(self.given.values())
        sets = ", ".join(f"({''.join(f'{s}, ' for s in own(thread))})" for thread in range(count))
        shared = p.scope.bind(together, "together")
        p.lines.append(f"{shared}(block{number}, {parts}, ({given},), ({sets}))")


def _is_kept_axis(m: Node, axis: int) -> bool:
    """Whether an axis of a sum is one that was added up, and stays with length one."""
    return bool(m.kind == "reduce" and m.meta[2] and axis in m.meta[1])
