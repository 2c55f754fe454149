"""Writing one function in LLVM's language: values with operators, a line of text for each.

`Body` collects the lines of a function over one lane or a vector of lanes; `Value` is what a line
has computed. The mathematics of this folder is written once with these, as formulas, and printed
for each width. Types are named as LLVM's scalars of them are: ``f64``, ``f32``, ``i64``, ``i32``,
``i1``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

LLVM_TYPES = {
    "f64": "double", "f32": "float", "i128": "i128", "i64": "i64", "i32": "i32", "i1": "i1",
}  # fmt: skip


def float_literal(x: float) -> str:
    """A number of either precision, by its bits: what LLVM reads without rounding.

    >>> float_literal(1.5)
    '0x3FF8000000000000'
    """
    return f"0x{struct.pack('>d', x).hex().upper()}"


@dataclass(frozen=True, eq=False)
class Value:
    """A number in each lane: the name of a line's result, or a constant."""

    body: Body
    kind: str
    text: str

    def _with(self, verb: str, other: Value | float, swap: bool = False) -> Value:
        y = self.body.value(other, self.kind)
        x, y = (y, self) if swap else (self, y)
        return self.body.line(self.kind, f"{verb} {self.body.type(self.kind)} {x.text}, {y.text}")

    def _arithmetic(self, name: str, other: Value | float, swap: bool = False) -> Value:
        return self._with(f"f{name}" if self.kind[0] == "f" else name, other, swap)

    def __add__(self, other: Value | float) -> Value:
        return self._arithmetic("add", other)

    def __radd__(self, other: float) -> Value:
        return self._arithmetic("add", other, True)

    def __sub__(self, other: Value | float) -> Value:
        return self._arithmetic("sub", other)

    def __rsub__(self, other: float) -> Value:
        return self._arithmetic("sub", other, True)

    def __mul__(self, other: Value | float) -> Value:
        return self._arithmetic("mul", other)

    def __rmul__(self, other: float) -> Value:
        return self._arithmetic("mul", other, True)

    def __truediv__(self, other: Value | float) -> Value:
        return self._arithmetic("div", other)

    def __rtruediv__(self, other: float) -> Value:
        return self._arithmetic("div", other, True)

    def __neg__(self) -> Value:
        return self.body.line(self.kind, f"fneg {self.body.type(self.kind)} {self.text}")

    def __and__(self, other: Value | int) -> Value:
        return self._with("and", other)

    def __or__(self, other: Value | int) -> Value:
        return self._with("or", other)

    def __xor__(self, other: Value | int) -> Value:
        return self._with("xor", other)

    def __invert__(self) -> Value:
        return self ^ -1

    def __lshift__(self, other: Value | int) -> Value:
        return self._with("shl", other)

    def __rshift__(self, other: Value | int) -> Value:
        """Shift bits to the right; zeros come in from the left."""
        return self._with("lshr", other)

    def __lt__(self, other: Value | float) -> Value:
        return self._compare("olt", "slt", other)

    def __le__(self, other: Value | float) -> Value:
        return self._compare("ole", "sle", other)

    def __gt__(self, other: Value | float) -> Value:
        return self._compare("ogt", "sgt", other)

    def __ge__(self, other: Value | float) -> Value:
        return self._compare("oge", "sge", other)

    def equal(self, other: Value | float) -> Value:
        """True where both are equal; never where one is NaN."""
        return self._compare("oeq", "eq", other)

    def unlike(self, other: Value | float) -> Value:
        """True where they differ, or one is NaN."""
        return self._compare("une", "ne", other)

    def _compare(self, floats: str, integers: str, other: Value | float) -> Value:
        verb = f"fcmp {floats}" if self.kind[0] == "f" else f"icmp {integers}"
        y = self.body.value(other, self.kind)
        return self.body.line("i1", f"{verb} {self.body.type(self.kind)} {self.text}, {y.text}")

    def is_nan(self) -> Value:
        """True where it is NaN."""
        return self.unlike(self)

    def where(self, yes: Value | float, no: Value | float) -> Value:
        """``yes`` where this truth value holds, else ``no``; two constants are doubles."""
        kind = yes.kind if isinstance(yes, Value) else no.kind if isinstance(no, Value) else "f64"
        a, b, body = self.body.value(yes, kind), self.body.value(no, kind), self.body
        t = body.type(kind)
        return body.line(kind, f"select {body.type('i1')} {self.text}, {t} {a.text}, {t} {b.text}")

    def bits(self) -> Value:
        """The bits of floating-point numbers as integers, or the other way round."""
        return self._convert("bitcast", {"f": "i", "i": "f"}[self.kind[0]] + self.kind[1:])

    def wide(self) -> Value:
        """In double precision."""
        return self._convert("fpext", "f64")

    def narrow(self) -> Value:
        """Rounded to single precision."""
        return self._convert("fptrunc", "f32")

    def shortened(self) -> Value:
        """The lower half of an integer's bits."""
        return self._convert("trunc", "i32")

    def _convert(self, verb: str, kind: str) -> Value:
        b = self.body
        return b.line(kind, f"{verb} {b.type(self.kind)} {self.text} to {b.type(kind)}")

    def __abs__(self) -> Value:
        return self.body.intrinsic("fabs", self)

    def sqrt(self) -> Value:
        """The square root, correctly rounded."""
        return self.body.intrinsic("sqrt", self)

    def rounded(self) -> Value:
        """The nearest whole number, ties to even."""
        return self.body.intrinsic("roundeven", self)

    def signed_as(self, other: Value) -> Value:
        """The same size with the sign of ``other``, also of its zeros and NaN."""
        return self.body.intrinsic("copysign", self, other)


class Body:
    """The lines of a function whose arguments and result have a number of lanes."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes
        self.first: list[str] = []  # stands before all lines: room in memory
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self._count = 0

    def type(self, kind: str) -> str:
        """LLVM's name for a value of this kind in each lane."""
        scalar = LLVM_TYPES[kind]
        return scalar if self.lanes == 1 else f"<{self.lanes} x {scalar}>"

    def constant(self, x: float, kind: str) -> Value:
        """The same number in each lane."""
        if kind == "f32":  # written like a double, but must not need one
            x = struct.unpack("f", struct.pack("f", x))[0]
        text = float_literal(x) if kind[0] == "f" else str(int(x))
        return Value(self, kind, text if self.lanes == 1 else f"splat ({LLVM_TYPES[kind]} {text})")

    def value(self, x: Value | float, kind: str) -> Value:
        """A value of this kind, or the constant."""
        return x if isinstance(x, Value) else self.constant(x, kind)

    def fresh(self) -> str:
        """A name not used yet."""
        self._count += 1
        return f"%t{self._count}"

    def line(self, kind: str, text: str) -> Value:
        """Append an instruction; its result."""
        name = self.fresh()
        self.lines.append(f"{name} = {text}")
        return Value(self, kind, name)

    def intrinsic(self, name: str, *arguments: Value) -> Value:
        """Call one of LLVM's own functions, such as ``fma``."""
        kind = arguments[0].kind
        suffix = kind if self.lanes == 1 else f"v{self.lanes}{kind}"
        t = self.type(kind)
        self.declared.add(f"declare {t} @llvm.{name}.{suffix}({', '.join([t] * len(arguments))})")
        given = ", ".join(f"{t} {a.text}" for a in arguments)
        return self.line(kind, f"call {t} @llvm.{name}.{suffix}({given})")

    def rarely(self, when: Value, function: str, x: Value, usual: Sequence[Value]) -> list[Value]:
        """The usual values, or where ``when`` holds in a lane, those of a function of one number.

        Args:
            when: a truth value for each lane.
            function: LLVM's name of ``void f(x, ptr, ptr, ...)``, which writes its results.
            x: what it is called with, lane after lane, if ``when`` holds in one of them.
            usual: the other values, in the order of the results.
        """
        n, name = self.lanes, self.fresh()[1:]
        kinds = [LLVM_TYPES[x.kind], *["ptr"] * len(usual)]
        self.declared.add(f"declare void @{function}({', '.join(kinds)})")
        somewhere = when.text
        if n > 1:
            reduce = f"llvm.vector.reduce.or.v{n}i1"
            self.declared.add(f"declare i1 @{reduce}(<{n} x i1>)")
            somewhere = self.line("i1", f"call i1 @{reduce}(<{n} x i1> {when.text})").text
        scalar, width = LLVM_TYPES[x.kind], self.type(x.kind)
        rooms = [f"%{name}.{i}" for i in range(len(usual))]
        self.first += [
            f"{room} = alloca {self.type(v.kind)}" for room, v in zip(rooms, usual, strict=True)
        ]
        self.first.append(f"%{name}.x = alloca {width}")
        given = ", ".join([f"{scalar} %{name}.lane", *(f"ptr {room}.at" for room in rooms)])
        self.lines += [
            f"br label %{name}.before",
            f"{name}.before:",
            f"br i1 {somewhere}, label %{name}.begin, label %{name}.end",
            f"{name}.begin:",
            f"store {width} {x.text}, ptr %{name}.x",
            f"br label %{name}.loop",
            f"{name}.loop:",
            f"%{name}.i = phi i64 [ 0, %{name}.begin ], [ %{name}.next, %{name}.loop ]",
            f"%{name}.at = getelementptr {scalar}, ptr %{name}.x, i64 %{name}.i",
            f"%{name}.lane = load {scalar}, ptr %{name}.at",
            *(
                f"{room}.at = getelementptr {LLVM_TYPES[v.kind]}, ptr {room}, i64 %{name}.i"
                for room, v in zip(rooms, usual, strict=True)
            ),
            f"call void @{function}({given})",
            f"%{name}.next = add i64 %{name}.i, 1",
            f"%{name}.more = icmp ult i64 %{name}.next, {n}",
            f"br i1 %{name}.more, label %{name}.loop, label %{name}.after",
            f"{name}.after:",
        ]
        merged = [
            when.where(self.line(v.kind, f"load {self.type(v.kind)}, ptr {room}"), v)
            for room, v in zip(rooms, usual, strict=True)
        ]
        self.lines += [f"br label %{name}.end", f"{name}.end:"]
        return [
            self.line(
                v.kind,
                f"phi {self.type(v.kind)} [ {v.text}, %{name}.before ], "
                f"[ {m.text}, %{name}.after ]",
            )
            for v, m in zip(usual, merged, strict=True)
        ]


def fma(x: Value | float, y: Value | float, z: Value | float) -> Value:
    """``x * y + z``, rounded once; at least one of them is a `Value`."""
    one = next(v for v in (x, y, z) if isinstance(v, Value))
    return one.body.intrinsic("fma", *(one.body.value(v, one.kind) for v in (x, y, z)))


def horner(x: Value, *coefficients: float) -> Value:
    """A polynomial by its coefficients, that of the constant first, one step after the other."""
    *rest, last = coefficients
    total: Value | float = last
    for c in reversed(rest):
        total = fma(x, total, c)
    assert isinstance(total, Value)
    return total


def estrin(x: Value, *coefficients: float) -> Value:
    """A polynomial by pairs of its terms (Estrin 1960), so that short chains of operations remain.

    Args:
        x: where it is evaluated.
        coefficients: that of the constant first.
    """
    terms: list[Value | float] = list(coefficients)
    power = x
    while len(terms) > 1:
        pairs = [fma(power, terms[i + 1], terms[i]) for i in range(0, len(terms) - 1, 2)]
        terms = [*pairs, *terms[2 * len(pairs) :]]
        if len(terms) > 1:
            power = power * power
    (result,) = terms
    assert isinstance(result, Value)
    return result
