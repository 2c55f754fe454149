"""C: the printer of modules of loops for reading, and for a second opinion in tests.

Nothing is compiled from it in use. Functions that C's library has take its names; products are
plain loops. What is compiled from it gives the same numbers to rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

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
    While,
    number_of,
    statements,
)

TYPES = {
    "f64": "double", "f32": "float", "i64": "int64_t", "i32": "int32_t", "i16": "int16_t",
    "i8": "int8_t", "u64": "uint64_t", "u32": "uint32_t", "u16": "uint16_t", "u8": "uint8_t",
    "i1": "bool",
}  # fmt: skip

_INFIX = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "lt": "<",
    "le": "<=", "gt": ">", "ge": ">=", "and": "&", "or": "|", "xor": "^", "shl": "<<",
    "shr": ">>", "rem": "%",
}  # fmt: skip
_CALLED = {
    "abs": "fabs", "sqrt": "sqrt", "max": "maximum", "min": "minimum", "maxnum": "fmax",
    "minnum": "fmin", "floor": "floor", "ceil": "ceil", "trunc": "trunc", "rint": "rint",
    "copysign": "copysign", "power": "pow", "arctan": "atan", "arcsin": "asin", "arccos": "acos",
    "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh",
}  # fmt: skip

HEAD = """\
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#define maximum(a, b) ((a) > (b) || (a) != (a) ? (a) : (b))
#define minimum(a, b) ((a) < (b) || (a) != (a) ? (a) : (b))
#define expit(x) (1 / (1 + exp(-(x))))
"""

_GEMM = """\
static void gemm_{t}({c} *a, {c} *b, {c} *c, int64_t m, int64_t n, int64_t k,
    int64_t ra, int64_t rb, int64_t rc, bool ta, bool tb, bool add) {{
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < n; j++) {{
      {c} sum = add ? c[i * rc + j] : 0;
      for (int64_t q = 0; q < k; q++)
        sum += (ta ? a[q * ra + i] : a[i * ra + q]) * (tb ? b[j * rb + q] : b[q * rb + j]);
      c[i * rc + j] = sum;
    }}
}}
"""


def text(module: Module, name: str) -> str:
    """A module as text; its last function is called ``name`` and seen from outside.

    >>> from .loops import Function, Module, Place, Writer, const
    >>> w = Writer()
    >>> with w.loop(3) as i:
    ...     place = Place("x", "f64", 0, ((i, 2),))
    ...     w.store(place, w.let("mul", w.load(place), const(2, "f64")))
    >>> f = Function("", (("x", "f64"),), (), w.body, frozenset("x"))
    >>> print(text(Module([f]), "twice").partition("#define expit")[2].partition(chr(10))[2])
    <BLANKLINE>
    void twice(double *restrict x) {
      for (int64_t i1 = 0; i1 < 3; i1++) {
        double v2 = x[2*i1];
        double v3 = v2 * 2.0;
        x[2*i1] = v3;
      }
    }
    <BLANKLINE>
    """
    products = {s.type for fn in module.functions for s in statements(fn.body)
                if isinstance(s, Gemm)}  # fmt: skip
    parts = [HEAD, *(_GEMM.format(t=t, c=TYPES[t]) for t in sorted(products))]
    for fn in module.functions:
        outside = fn is module.main
        parts.append(_Printer(fn).define(name if outside else fn.name, outside))
    return "\n".join(parts)


def readable(module: Module) -> str:
    """The functions of a module, without what stands in front of them."""
    return text(module, "native").partition(HEAD)[2].strip()


class _Printer:
    """Prints one function."""

    def __init__(self, fn: Function) -> None:
        self.fn = fn
        self.lines: list[str] = []
        self._depth = 1

    def define(self, name: str, outside: bool) -> str:
        fn = self.fn
        restrict = " restrict" if fn.apart else " "
        ins = [f"{_pointed(p, t, restrict)} {p}".replace("  ", " ") for p, t in fn.pointers]
        ins += [f"{TYPES[v.type]} {v.name}" for v in fn.values]
        for pointer, t in fn.swapped.items():
            self.line(f"{TYPES[t]} *{pointer};")
        declared: dict[str, str] = {}
        for s in statements(fn.body):
            if isinstance(s, Set):
                declared.setdefault(s.variable.name, s.variable.type)
        for variable, t in declared.items():
            self.line(f"{TYPES[t]} {variable};")
        self.body(fn.body)
        head = f"{'' if outside else 'static '}void {name}({', '.join(ins)}) {{"
        return "\n".join([head, *self.lines, "}", ""])

    def line(self, text: str) -> None:
        """Append a line."""
        self.lines.append("  " * self._depth + text)

    def place(self, p: Place) -> str:
        """An element of memory."""
        parts = [f"{s}*{v}" if s != 1 else v for v, s in p.terms]
        if p.offset or not parts:
            parts.append(str(p.offset))
        base = p.base if p.base != "ws" else f"(({TYPES[p.type]} *)ws)"
        return f"{base}[{' + '.join(parts)}]".replace("+ -", "- ")

    @staticmethod
    def read(x: Operand) -> str:
        """A value."""
        if not isinstance(x, Const):
            return x.name
        number = number_of(x)
        if x.type[0] != "f":
            return str(int(number))
        if np.isnan(number):
            return "NAN"
        if np.isinf(number):
            return "INFINITY" if number > 0 else "-INFINITY"
        return repr(float(number)) + ("f" if x.type == "f32" else "")

    def body(self, body: Sequence[Any]) -> None:
        """Print statements."""
        for s in body:
            _PRINTERS[type(s)](self, s)

    def inside(self, head: str, body: Sequence[Any], end: str = "}") -> None:
        """Print statements in braces."""
        self.line(head)
        self._depth += 1
        self.body(body)
        self._depth -= 1
        if end:
            self.line(end)

    def let(self, s: Let) -> None:
        """An operation."""
        xs = [self.read(x) for x in s.args]
        if s.op == "select":
            value = f"{xs[0]} ? {xs[1]} : {xs[2]}"
        elif s.op == "cast":
            value = f"({TYPES[s.out.type]}){xs[0]}"
        elif s.op in ("neg", "not"):
            value = f"{'-' if s.op == 'neg' else '!'}{xs[0]}"
        elif s.op == "rem" and s.out.type[0] == "f":
            value = f"fmod{'f' if s.out.type == 'f32' else ''}({xs[0]}, {xs[1]})"
        elif s.op in _INFIX:
            value = f"{xs[0]} {_INFIX[s.op]} {xs[1]}"
        else:
            single = s.out.type == "f32" and s.op not in ("max", "min", "expit")
            value = f"{_CALLED.get(s.op, s.op)}{'f' if single else ''}({', '.join(xs)})"
        self.line(f"{TYPES[s.out.type]} {s.out.name} = {value};")

    def load(self, s: Load) -> None:
        """A value from memory."""
        self.line(f"{TYPES[s.out.type]} {s.out.name} = {self.place(s.place)};")

    def store(self, s: Store) -> None:
        """A value into memory."""
        self.line(f"{self.place(s.place)} = {self.read(s.value)};")

    def get(self, s: Get) -> None:
        """What a variable is."""
        self.line(f"{TYPES[s.out.type]} {s.out.name} = {s.variable.name};")

    def set(self, s: Set) -> None:
        """Another value for a variable."""
        self.line(f"{s.variable.name} = {self.read(s.value)};")

    def loop(self, s: For) -> None:
        """A loop."""
        i = s.counter
        first, last = map(self.read, s.span) if s.span else ("0", str(s.count))
        self.inside(f"for (int64_t {i} = {first}; {i} < {last}; {i}++) {{", s.body)

    def repeat(self, s: While) -> None:
        """A loop as long as something holds."""
        self.inside("while (true) {", s.test, "")
        self._depth += 1
        self.line(f"if (!{self.read(s.holds)}) break;")
        self.body(s.body)
        self._depth -= 1
        self.line("}")

    def choose(self, s: If) -> None:
        """One of two bodies."""
        self.inside(f"if ({self.read(s.test)}) {{", s.yes, "")
        self.inside("} else {", s.no)

    def call(self, s: Call) -> None:
        """A nest."""
        ins = [f"&{self.place(p)}" for p in s.places] + [self.read(x) for x in s.values]
        ins += ["0", str(s.parts)] if s.parts else []
        self.line(f"{s.function}({', '.join(ins)});")

    def gemm(self, s: Gemm) -> None:
        """A product."""
        ins = [f"&{self.place(p)}" for p in (s.a, s.b, s.c)]
        ins += [str(int(n)) for n in (s.m, s.n, s.k, *s.rows, *s.transposed, s.add)]
        self.line(f"gemm_{s.type}({', '.join(ins)});")

    def point(self, s: Point) -> None:
        """A pointer is set."""
        self.line(f"{s.pointer} = &{self.place(s.place)};")

    def swap(self, s: Swap) -> None:
        """Two pointers change places."""
        self.line(f"{{ void *p = {s.a}; {s.a} = {s.b}; {s.b} = p; }}")


def _pointed(pointer: str, type: str, restrict: str) -> str:
    """What a pointer points to; the workspace holds arrays of any type."""
    return f"void *{restrict.strip()}" if pointer == "ws" else f"{TYPES[type]} *{restrict.strip()}"


_PRINTERS: dict[type, Any] = {
    Let: _Printer.let, Load: _Printer.load, Store: _Printer.store, Get: _Printer.get,
    Set: _Printer.set, For: _Printer.loop, While: _Printer.repeat, If: _Printer.choose,
    Call: _Printer.call, Gemm: _Printer.gemm, Point: _Printer.point,
    Swap: _Printer.swap,
}  # fmt: skip
