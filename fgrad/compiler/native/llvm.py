"""LLVM's language: the printer of modules of loops.

Floating-point operations are printed as they are; only sums that are said to be loose may be
reordered, and their products joined with them. No flag says that numbers are finite, or that a
zero's sign doesn't matter.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isinf
from typing import Any

from . import blas, sharing, vectors
from .loops import (
    Call,
    Const,
    For,
    Function,
    Gemm,
    Get,
    If,
    Let,
    Load,
    Module,
    Operand,
    Place,
    Point,
    Set,
    Store,
    Swap,
    Variable,
    While,
    kind_of,
    number_of,
    statements,
)
from .vectors.functions import ARITY
from .vectors.text import float_literal

#: The language has one type for integers with and without a sign; its operations tell.
TYPES = {
    "f64": "double", "f32": "float", "i64": "i64", "i32": "i32", "i16": "i16", "i8": "i8",
    "u64": "i64", "u32": "i32", "u16": "i16", "u8": "i8", "i1": "i1",
}  # fmt: skip
#: The same in memory: a bool is a byte there.
STORED = {**TYPES, "i1": "i8"}

_FLOATS = {"add": "fadd", "sub": "fsub", "mul": "fmul"}
_LOOSE = {"add": "reassoc contract ", "mul": "contract "}
_INTRINSICS = {
    "abs": "fabs", "sqrt": "sqrt", "max": "maximum", "min": "minimum", "maxnum": "maxnum",
    "minnum": "minnum", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint",
    "copysign": "copysign",
}  # fmt: skip
_COMPARED = {"eq": "oeq", "ne": "une", "lt": "olt", "le": "ole", "gt": "ogt", "ge": "oge"}
_WHOLE = {"eq": "eq", "ne": "ne", "lt": "slt", "le": "sle", "gt": "sgt", "ge": "sge"}
_UNSIGNED = {**_WHOLE, "lt": "ult", "le": "ule", "gt": "ugt", "ge": "uge"}
_ORDER = {"max", "min"}
#: What is another instruction for integers with a sign, without, and for floats.
_VERBS = {
    "div": {"f": "fdiv", "i": "sdiv", "u": "udiv"}, "rem": {"f": "frem", "i": "srem", "u": "urem"},
    "shr": {"i": "ashr", "u": "lshr"},
}  # fmt: skip
#: Casts between floats and the rest, by the kinds of both types.
_CASTS = {"if": "sitofp", "uf": "uitofp", "bf": "uitofp", "fi": "fptosi", "fu": "fptoui"}


#: So many calls of vector functions are merged with the loops they are in, which saves a tenth of
#: their time; more would take long to compile.
MERGED = 12
#: Loops of fewer steps don't end with steps of one element each, but with one that is masked.
SHORT = 256
_MASKED = '!0 = !{!"llvm.loop.vectorize.predicate.enable", i1 true}'


def text(module: Module, name: str, width: int = 0) -> str:
    """A module as text.

    Args:
        module: whose last function is seen from outside.
        name: how that is called.
        width: of the processor's vectors, in bytes, if vector functions may be merged with loops.
    """
    used: set[tuple[str, str]] = set()
    calls = 0
    products: set[str] = set()
    intrinsics: set[str] = set()
    marks: list[str] = []
    parts = []
    for fn in module.functions:
        for s in statements(fn.body):
            if isinstance(s, Let) and s.op in ARITY and s.op not in _INTRINSICS:
                used.add((s.op, s.out.type))
                calls += 1
            elif isinstance(s, Gemm):
                products.add(s.type)
        outside = fn is module.main
        printer = _Printer(fn, intrinsics, marks)
        parts.append(printer.define(name if outside else fn.name, outside))
        if fn.parts:
            types = [*("ptr" for _ in fn.pointers), *(TYPES[v.type] for v in fn.values[:-2])]
            parts.append(sharing.definitions(fn, types, fn.parts, module.threads))
    shared = module.threads > 1 and any(fn.parts for fn in module.functions)
    system = sharing.DECLARED if shared else ""
    width = width if calls <= MERGED else 0
    head = [system, *sorted(intrinsics), vectors.declarations(used, width)]
    head.append(blas.definitions(products))
    return "\n".join([*head, *parts, _MASKED, *marks]) + "\n"


class _Printer:
    """Prints one function."""

    def __init__(self, fn: Function, intrinsics: set[str], marks: list[str]) -> None:
        self.fn, self.intrinsics, self.marks = fn, intrinsics, marks
        self.lines: list[str] = []
        self.allocas: list[str] = []
        self._block = "start"
        self._made = 0
        self._variables: set[str] = set()
        #: Addresses known here, and in the bodies around: an inner one forgets its own.
        self._known: list[dict[Any, str]] = [{}]

    def define(self, name: str, outside: bool) -> str:
        fn = self.fn
        noalias = "noalias " if fn.apart else ""
        ins = [
            f"ptr {noalias}{'' if p in fn.written or outside else 'readonly '}%{p}"
            for p, _ in fn.pointers
        ]
        ins += [f"{TYPES[v.type]} %{v.name}" for v in fn.values]
        self.allocas += [f"%{pointer} = alloca ptr" for pointer in fn.swapped]
        self.body(fn.body)
        linkage = "" if outside else "internal "
        lines = [*self.allocas, "br label %start", "start:", *self.lines, "ret void"]
        inner = "\n".join(f"  {x}" if not x.endswith(":") else x for x in lines)
        return f"define {linkage}void @{name}({', '.join(ins)}) noinline nounwind {{\n{inner}\n}}\n"

    # ------------------------------------------------------------------ parts of lines
    def line(self, text: str) -> None:
        """Append an instruction."""
        self.lines.append(text)

    def fresh(self, stem: str = "t") -> str:
        """A name for a value of the printer's own."""
        self._made += 1
        return f"%{stem}.{self._made}"

    def made(self, text: str) -> str:
        """Append an instruction that gives a value; the value."""
        name = self.fresh()
        self.line(f"{name} = {text}")
        return name

    def block(self, label: str) -> None:
        """Begin a block."""
        self.lines.append(f"{label}:")
        self._block = label

    def read(self, x: Operand) -> str:
        """A value, without its type."""
        if not isinstance(x, Const):
            return f"%{x.name}"
        if x.type[0] == "f":
            return float_literal(float(number_of(x)))
        return str(int(number_of(x)))

    def address(self, place: Place) -> str:
        """The address of a place."""
        for known in self._known:
            if place in known:
                return known[place]
        base = f"%{place.base}"
        swapped = place.base in self.fn.swapped
        if swapped:
            base = self.made(f"load ptr, ptr {base}")
        total = ""
        for counter, stride in place.terms:
            part = f"%{counter}"
            if stride != 1:
                part = self.made(f"mul nsw i64 {part}, {stride}")
            total = self.made(f"add nsw i64 {total}, {part}") if total else part
        if place.offset:
            total = (
                self.made(f"add nsw i64 {total}, {place.offset}") if total else str(place.offset)
            )
        out = base
        if total:
            out = self.made(f"getelementptr inbounds {STORED[place.type]}, ptr {base}, i64 {total}")
        if not swapped:
            self._known[-1][place] = out
        return out

    # ------------------------------------------------------------------ statements
    def body(self, body: Sequence[Any]) -> None:
        """Print statements; the addresses found in them are known to them alone."""
        self._known.append({})
        for s in body:
            _PRINTERS[type(s)](self, s)
        self._known.pop()

    def let(self, s: Let) -> None:
        """An operation."""
        op, args, t = s.op, s.args, s.args[0].type
        kind = kind_of(t)
        xs, out = [self.read(x) for x in args], f"%{s.out.name}"
        if op == "select":
            u = TYPES[s.out.type]
            yes, no = (self._fenced(x, text) for x, text in zip(args[1:], xs[1:], strict=True))
            self.line(f"{out} = select i1 {xs[0]}, {u} {yes}, {u} {no}")
        elif op == "cast":
            self.line(f"{out} = {self._cast(t, s.out.type)} {TYPES[t]} {xs[0]} to "
                      f"{TYPES[s.out.type]}")  # fmt: skip
        elif op in _COMPARED:
            verb = f"fcmp {_COMPARED[op]}" if kind == "f" else (
                f"icmp {(_WHOLE if kind == 'i' else _UNSIGNED)[op]}"
            )  # fmt: skip
            self.line(f"{out} = {verb} {TYPES[t]} {xs[0]}, {xs[1]}")
        elif op == "not":
            self.line(f"{out} = xor i1 {xs[0]}, true")
        elif op == "neg":
            verb = "fneg" if kind == "f" else "sub"
            zero = "" if kind == "f" else "0, "
            self.line(f"{out} = {verb} {TYPES[t]} {zero}{xs[0]}")
        elif kind == "f" and op in _FLOATS:
            loose = _LOOSE.get(op, "") if s.loose else ""
            self.line(f"{out} = {_FLOATS[op]} {loose}{TYPES[t]} {xs[0]}, {xs[1]}")
        elif op in _VERBS:
            self.line(f"{out} = {_VERBS[op][kind]} {TYPES[t]} {xs[0]}, {xs[1]}")
        elif (kind == "f" and op in _INTRINSICS) or op in _ORDER:
            name = _INTRINSICS[op] if kind == "f" else f"{'s' if kind == 'i' else 'u'}{op}"
            self.line(f"{out} = call {self._intrinsic(name, t, xs)}")
        elif op in ARITY:
            ins = ", ".join(f"{TYPES[t]} {x}" for x in xs)
            self.line(f"{out} = call {TYPES[t]} @{vectors.symbol(op, t)}({ins})")
        else:  # of integers and truth values
            self.line(f"{out} = {op} {TYPES[t]} {xs[0]}, {xs[1]}")

    def _fenced(self, x: Operand, text: str) -> str:
        """An operand of a choice; an infinity as a value that LLVM doesn't know.

        It makes ``max(most, seen ? x : -inf)`` a branch otherwise, and no vector of the loop.
        """
        if not (isinstance(x, Const) and kind_of(x.type) == "f" and isinf(float(number_of(x)))):
            return text
        return self.made(f"call {self._intrinsic('arithmetic.fence', x.type, [text])}")

    def _intrinsic(self, name: str, t: str, xs: Sequence[str]) -> str:
        ins = ", ".join([TYPES[t]] * len(xs))
        name = f"@llvm.{name}.{t if t[0] == 'f' else TYPES[t]}"
        self.intrinsics.add(f"declare {TYPES[t]} {name}({ins})")
        return f"{TYPES[t]} {name}({', '.join(f'{TYPES[t]} {x}' for x in xs)})"

    @staticmethod
    def _cast(before: str, after: str) -> str:
        kinds = kind_of(before) + kind_of(after)
        if kinds in _CASTS:
            return _CASTS[kinds]
        more = int(after[1:]) - int(before[1:])
        if kinds == "ff":
            return "fpext" if more > 0 else "fptrunc"
        if not more:
            return "bitcast"
        return "trunc" if more < 0 else "sext" if kinds[0] == "i" else "zext"

    def load(self, s: Load) -> None:
        """A value from memory."""
        t, address = s.place.type, self.address(s.place)
        if t == "i1":
            byte = self.made(f"load i8, ptr {address}")
            self.line(f"%{s.out.name} = icmp ne i8 {byte}, 0")
        else:
            self.line(f"%{s.out.name} = load {TYPES[t]}, ptr {address}")

    def store(self, s: Store) -> None:
        """A value into memory."""
        t, address, x = s.place.type, self.address(s.place), self.read(s.value)
        if t == "i1":
            x = self.made(f"zext i1 {x} to i8")
        self.line(f"store {STORED[t]} {x}, ptr {address}")

    def get(self, s: Get) -> None:
        """What a variable is."""
        self.line(f"%{s.out.name} = load {TYPES[s.variable.type]}, ptr {self._slot(s.variable)}")

    def set(self, s: Set) -> None:
        """Another value for a variable."""
        x, slot = self.read(s.value), self._slot(s.variable)
        self.line(f"store {TYPES[s.variable.type]} {x}, ptr {slot}")

    def _slot(self, v: Variable) -> str:
        if v.name not in self._variables:
            self._variables.add(v.name)
            self.allocas.append(f"%{v.name} = alloca {TYPES[v.type]}")
        return f"%{v.name}"

    def loop(self, s: For) -> None:
        """A loop of known length, at least one step."""
        i, before = s.counter, self._block
        first, last = map(self.read, s.span) if s.span else ("0", str(s.count))
        self.line(f"br label %{i}.body")
        at = len(self.lines) + 1
        self.block(f"{i}.body")
        self.body(s.body)
        self.line(f"%{i}.next = add nuw nsw i64 %{i}, 1")
        self.line(f"%{i}.more = icmp ult i64 %{i}.next, {last}")
        masked = ""
        if self._masked(s):
            number = len(self.marks) + 1
            self.marks.append(f"!{number} = distinct !{{!{number}, !0}}")
            masked = f", !llvm.loop !{number}"
        self.line(f"br i1 %{i}.more, label %{i}.body, label %{i}.end{masked}")
        self.lines.insert(
            at, f"%{i} = phi i64 [ {first}, %{before} ], [ %{i}.next, %{self._block} ]"
        )
        self.block(f"{i}.end")

    @staticmethod
    def _masked(s: For) -> bool:
        """Whether what is left over of a short loop is a good part of it, and one masked step."""
        if s.span:
            return False
        return 3 <= s.count <= SHORT and s.count % 8 != 0

    def repeat(self, s: While) -> None:
        """A loop as long as something holds."""
        name = self.fresh("while")[1:]
        self.line(f"br label %{name}.test")
        self.block(f"{name}.test")
        self.body(s.test)
        self.line(f"br i1 {self.read(s.holds)}, label %{name}.body, label %{name}.end")
        self.block(f"{name}.body")
        self.body(s.body)
        self.line(f"br label %{name}.test")
        self.block(f"{name}.end")

    def choose(self, s: If) -> None:
        """One of two bodies."""
        name = self.fresh("if")[1:]
        self.line(f"br i1 {self.read(s.test)}, label %{name}.yes, label %{name}.no")
        for label, body in (("yes", s.yes), ("no", s.no)):
            self.block(f"{name}.{label}")
            self.body(body)
            self.line(f"br label %{name}.end")
        self.block(f"{name}.end")

    def call(self, s: Call) -> None:
        """A nest."""
        ins = [f"ptr {self.address(p)}" for p in s.places]
        ins += [f"{TYPES[x.type]} {self.read(x)}" for x in s.values]
        name = f"{s.function}.shared" if s.parts else s.function
        self.line(f"call void @{name}({', '.join(ins)})")

    def gemm(self, s: Gemm) -> None:
        """A product by BLAS."""
        places = ", ".join(f"ptr {self.address(p)}" for p in (s.a, s.b, s.c))
        sizes = ", ".join(f"i64 {n}" for n in (s.m, s.n, s.k, *s.rows))
        flags = ", ".join(f"i1 {int(t)}" for t in (*s.transposed, s.add))
        self.line(f"call void @{blas.symbol(s.type)}({places}, {sizes}, {flags})")

    def point(self, s: Point) -> None:
        """A pointer is set."""
        self.line(f"store ptr {self.address(s.place)}, ptr %{s.pointer}")

    def swap(self, s: Swap) -> None:
        """Two pointers change places."""
        a, b = (self.made(f"load ptr, ptr %{x}") for x in (s.a, s.b))
        self.line(f"store ptr {b}, ptr %{s.a}")
        self.line(f"store ptr {a}, ptr %{s.b}")


_PRINTERS: dict[type, Any] = {
    Let: _Printer.let, Load: _Printer.load, Store: _Printer.store, Get: _Printer.get,
    Set: _Printer.set, For: _Printer.loop, While: _Printer.repeat, If: _Printer.choose,
    Call: _Printer.call, Gemm: _Printer.gemm, Point: _Printer.point,
    Swap: _Printer.swap,
}  # fmt: skip
