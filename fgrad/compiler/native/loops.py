"""Loops: what machine code is printed from; scalars, places in memory, and loops around them.

A module is a few functions of straight statements. Values have a type of `DTYPES` and are given
once; variables may be set again, and carry sums and what loops hand on. A place is a base pointer,
an offset and a stride for each loop's counter, all in elements: every address is affine. There is
nothing else, so that two printers of a page each can say all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: Types of values, and the dtypes whose elements they are in memory. A bool is a byte there.
DTYPES: dict[str, Any] = {
    "f64": np.dtype(np.float64),
    "f32": np.dtype(np.float32),
    "i64": np.dtype(np.int64),
    "i32": np.dtype(np.int32),
    "i16": np.dtype(np.int16),
    "i8": np.dtype(np.int8),
    "u64": np.dtype(np.uint64),
    "u32": np.dtype(np.uint32),
    "u16": np.dtype(np.uint16),
    "u8": np.dtype(np.uint8),
    "i1": np.dtype(np.bool_),
}


def kind_of(type: str) -> str:
    """The kind of a type: "f" for floats, "i" and "u" for integers, "b" for truth values."""
    return "b" if type == "i1" else type[0]


def type_of(dtype: Any) -> str | None:
    """The type of a dtype's elements, or None if machine code isn't made for them."""
    for name, known in DTYPES.items():
        if dtype.kind == known.kind and dtype.itemsize == known.itemsize and dtype.isnative:
            return name
    return None


@dataclass(frozen=True)
class Value:
    """A scalar that is computed once."""

    name: str
    type: str


@dataclass(frozen=True)
class Const:
    """A number; by its bits, so that 0.0 and -0.0 are two."""

    bits: int
    type: str


Operand = Value | Const


def const(number: Any, type: str) -> Const:
    """A number of a type.

    >>> const(1, "f64") == const(1.0, "f64"), const(0.0, "f64") == const(-0.0, "f64")
    (True, False)
    """
    x = np.asarray(number).astype(DTYPES[type])
    return Const(int.from_bytes(x.tobytes(), "little" if _LITTLE else "big"), type)


_LITTLE = np.little_endian


def number_of(c: Const) -> Any:
    """The number that a constant is."""
    dtype = DTYPES[c.type]
    return np.frombuffer(c.bits.to_bytes(dtype.itemsize, "little" if _LITTLE else "big"), dtype)[0]


@dataclass(frozen=True)
class Variable:
    """A scalar that may be set again."""

    name: str
    type: str


@dataclass(frozen=True)
class Place:
    """An element in memory: ``base[offset + sum(stride * counter)]``.

    A counter is a loop's, or a value of the type ``i64``.
    """

    base: str
    type: str
    offset: int = 0
    terms: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True)
class Let:
    """``out = op(*args)``; a loose one is a sum whose order is free."""

    out: Value
    op: str
    args: tuple[Operand, ...]
    loose: bool = False


@dataclass(frozen=True)
class Load:
    """``out = place``."""

    out: Value
    place: Place


@dataclass(frozen=True)
class Store:
    """``place = value``."""

    place: Place
    value: Operand


@dataclass(frozen=True)
class Get:
    """``out = variable``."""

    out: Value
    variable: Variable


@dataclass(frozen=True)
class Set:
    """``variable = value``."""

    variable: Variable
    value: Operand


@dataclass(frozen=True)
class For:
    """``for counter in range(count): body``; or only from a first number to before a last."""

    counter: str
    count: int
    body: list[Any]
    span: tuple[Operand, Operand] | None = None


@dataclass(frozen=True)
class While:
    """``while (test; holds): body``."""

    test: list[Any]
    holds: Operand
    body: list[Any]


@dataclass(frozen=True)
class If:
    """``if test: yes else: no``."""

    test: Operand
    yes: list[Any]
    no: list[Any]


@dataclass(frozen=True)
class Call:
    """A function of the module, of the addresses of places and of values.

    One with parts gets the numbers of the first and of the one behind the last besides; threads
    may share them.
    """

    function: str
    places: tuple[Place, ...]
    values: tuple[Operand, ...]
    parts: int = 0


@dataclass(frozen=True)
class Gemm:
    """``c = a @ b`` of matrices in C order, or of their transposes, with rows that far apart.

    With ``add`` the product is added to c.
    """

    type: str
    m: int
    n: int
    k: int
    a: Place
    b: Place
    c: Place
    rows: tuple[int, int, int]
    transposed: tuple[bool, bool]
    add: bool = False


@dataclass(frozen=True)
class Point:
    """A pointer that is a variable points to a place."""

    pointer: str
    place: Place


@dataclass(frozen=True)
class Swap:
    """Two pointers change places: what was written becomes what is read."""

    a: str
    b: str


@dataclass
class Function:
    """A part of a module.

    Attributes:
        name: how it is called.
        pointers: names and types of what its places are based on.
        values: its scalar parameters.
        body: its statements.
        written: the pointers that it writes to.
        apart: whether none of the memory written to is read by another name.
        swapped: pointers that are variables, and their types.
        parts: of a nest that threads may share, how many it has; its last two parameters are the
            numbers of the first that it does and of the one behind the last.
    """

    name: str
    pointers: tuple[tuple[str, str], ...]
    values: tuple[Value, ...]
    body: list[Any]
    written: frozenset[str] = frozenset()
    apart: bool = True
    swapped: dict[str, str] = field(default_factory=dict)
    parts: int = 0


@dataclass
class Module:
    """Functions, the last of which is called from outside.

    Attributes:
        functions: in order.
        threads: how many may share a loop.
    """

    functions: list[Function] = field(default_factory=list)
    threads: int = 1

    @property
    def main(self) -> Function:
        return self.functions[-1]


class Writer:
    """Writes statements one after the other.

    Attributes:
        body: where the next statement goes.
        size: how many there are, in all bodies.
    """

    def __init__(self) -> None:
        self.body: list[Any] = []
        self.size = 0
        self._made = 0

    def name(self, stem: str) -> str:
        """A name that no other value of the function has."""
        self._made += 1
        return f"{stem}{self._made}"

    def emit(self, statement: Any) -> None:
        """Append a statement."""
        self.size += 1
        self.body.append(statement)

    def let(self, op: str, *args: Operand, type: str = "", loose: bool = False) -> Value:
        """The value of an operation; of the type of its first operand, if not said otherwise."""
        out = Value(self.name("v"), type or args[0].type)
        self.emit(Let(out, op, args, loose))
        return out

    def load(self, place: Place) -> Value:
        """The value in a place."""
        out = Value(self.name("v"), place.type)
        self.emit(Load(out, place))
        return out

    def store(self, place: Place, value: Operand) -> None:
        """Write a value of the place's type there."""
        self.emit(Store(place, value))

    def get(self, variable: Variable) -> Value:
        """What a variable is now."""
        out = Value(self.name("v"), variable.type)
        self.emit(Get(out, variable))
        return out

    def variable(self, value: Operand) -> Variable:
        """A new variable, set to a value."""
        out = Variable(self.name("m"), value.type)
        self.emit(Set(out, value))
        return out

    @contextmanager
    def inside(self, body: list[Any]) -> Iterator[None]:
        """Write into another body for a while."""
        outer, self.body = self.body, body
        try:
            yield
        finally:
            self.body = outer

    @contextmanager
    def loop(self, count: int, span: tuple[Operand, Operand] | None = None) -> Iterator[str]:
        """Write the body of a loop; gives its counter."""
        counter, body = self.name("i"), list[Any]()
        self.emit(For(counter, count, body, span))
        with self.inside(body):
            yield counter


def statements(body: list[Any]) -> Iterator[Any]:
    """All statements of a body, and of the bodies in it."""
    for s in body:
        yield s
        for name in ("body", "test", "yes", "no"):
            inner = getattr(s, name, None)
            if isinstance(inner, list):
                yield from statements(inner)
