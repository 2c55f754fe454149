"""Elementwise functions of NumPy as operations on scalars.

What is here gives NumPy's own bits (arithmetic, roots, comparisons, choices), or is one of the
vector functions of `vectors`, at most 3 units in the last place from the exact value. Whatever
isn't here runs as NumPy runs it. What NumPy warns of, such as an integer over zero, has NumPy's
result here, and no warning.
"""

from __future__ import annotations

import math
import platform
from collections.abc import Callable
from typing import Any

import numpy as np

from ..program import Node
from . import integers
from .loops import DTYPES, Const, Operand, Writer, const, kind_of, number_of, type_of
from .vectors.functions import ARITY

Rule = Callable[[Writer, str, list[Operand]], Operand]

#: Operations with the same bits as NumPy's, in the type of their result.
EXACT: dict[Any, str] = {
    np.add: "add", np.subtract: "sub", np.multiply: "mul", np.true_divide: "div",
    np.negative: "neg", np.absolute: "abs", np.fabs: "abs", np.sqrt: "sqrt",
    np.maximum: "max", np.minimum: "min", np.fmax: "maxnum", np.fmin: "minnum",
    np.floor: "floor", np.ceil: "ceil", np.trunc: "trunc", np.rint: "rint",
    np.copysign: "copysign",
}  # fmt: skip
#: The same of integers, with what overflows wrapped around.
OF_INTEGERS: dict[Any, str] = {
    np.add: "add", np.subtract: "sub", np.multiply: "mul", np.negative: "neg",
    np.maximum: "max", np.minimum: "min", np.fmax: "max", np.fmin: "min",
    np.bitwise_and: "and", np.bitwise_or: "or", np.bitwise_xor: "xor",
}  # fmt: skip
COMPARISONS: dict[Any, str] = {
    np.equal: "eq", np.not_equal: "ne", np.less: "lt", np.less_equal: "le",
    np.greater: "gt", np.greater_equal: "ge",
}  # fmt: skip
LOGICAL: dict[Any, str] = {np.logical_and: "and", np.logical_or: "or", np.logical_xor: "xor"}
#: The same of bools.
BITWISE: dict[Any, str] = {np.bitwise_and: "and", np.bitwise_or: "or", np.bitwise_xor: "xor"}
#: Functions that `vectors` has, by the ufunc's name.
VECTORS: dict[Any, str] = {
    getattr(np, name): name for name in ARITY if isinstance(getattr(np, name, None), np.ufunc)
}


#: The same of SciPy's, which need not be there.
SPECIAL = frozenset({"erf", "expit", "exp2", "expm1", "log1p", "cbrt"}) & ARITY.keys()
#: Functions of integers that are composed as those of floats are.
_ALSO_OF_INTEGERS = frozenset({np.square, np.sign})
#: The least floats that no integer of a size is as large as.
_ABOVE = {"i64": 2.0**63} | dict.fromkeys(("i32", "i16", "i8", "u16", "u8"), 2.0**31)
#: Processors that give the nearest integer where x86 gives the least.
_SATURATES = platform.machine() not in ("x86_64", "AMD64")


def _identity(w: Writer, t: str, xs: list[Operand]) -> Operand:
    return xs[0]


def _reciprocal(w: Writer, t: str, xs: list[Operand]) -> Operand:
    return w.let("div", const(1, t), xs[0])


def _square(w: Writer, t: str, xs: list[Operand]) -> Operand:
    return w.let("mul", xs[0], xs[0])


def _scaled(factor: float) -> Rule:
    return lambda w, t, xs: w.let("mul", xs[0], const(factor, t))


def _sign(w: Writer, t: str, xs: list[Operand]) -> Operand:
    (x,) = xs
    zero = const(0, t)
    down: Operand = zero
    if kind_of(t) != "u":
        down = w.let("select", w.let("lt", x, zero, type="i1"), const(-1, t), zero, type=t)
    out = w.let("select", w.let("gt", x, zero, type="i1"), const(1, t), down, type=t)
    return w.let("select", w.let("ne", x, x, type="i1"), x, out, type=t)  # nan stays


def _heaviside(w: Writer, t: str, xs: list[Operand]) -> Operand:
    x, h = xs
    zero = const(0, t)
    up = w.let("select", w.let("gt", x, zero, type="i1"), const(1, t), zero, type=t)
    out = w.let("select", w.let("eq", x, zero, type="i1"), h, up, type=t)
    return w.let("select", w.let("ne", x, x, type="i1"), x, out, type=t)


#: Ufuncs as a few operations with NumPy's bits.
COMPOSED: dict[Any, Rule] = {
    np.positive: _identity, np.conjugate: _identity, np.reciprocal: _reciprocal,
    np.square: _square, np.sign: _sign, np.heaviside: _heaviside,
    np.deg2rad: _scaled(math.pi / 180), np.radians: _scaled(math.pi / 180),
    np.rad2deg: _scaled(180 / math.pi), np.degrees: _scaled(180 / math.pi),
    np.floor_divide: integers.floor_divide, np.remainder: integers.remainder,
    np.fmod: integers.fmod,
}  # fmt: skip


def _logaddexp(w: Writer, t: str, xs: list[Operand]) -> Operand:
    """``max + log1p(exp(-|x - y|))``, which infinities leave alone if they are equal."""
    x, y = xs
    down = w.let("neg", w.let("abs", w.let("sub", x, y)))
    rest = w.let("log1p", w.let("exp", down))
    same = w.let("add", x, const(math.log(2), t))
    out = w.let("add", w.let("max", x, y), rest)
    return w.let("select", w.let("eq", x, y, type="i1"), same, out, type=t)


def _power(w: Writer, t: str, xs: list[Operand]) -> Operand:
    x, y = xs
    if isinstance(y, Const):
        number = number_of(y)
        if number == 2:
            return w.let("mul", x, x)
        if number == 1:
            return x
        if number == -1:
            return w.let("div", const(1, t), x)
    return w.let("power", x, y)


#: Ufuncs by way of vector functions, with their last bits.
ROUNDED: dict[Any, Rule] = {np.logaddexp: _logaddexp, np.power: _power}
#: What these need.
NEEDS: dict[Any, tuple[str, ...]] = {np.logaddexp: ("exp", "log1p"), np.power: ("power",)}

TESTS: dict[Any, Callable[[Writer, Operand], Operand]] = {
    np.isnan: lambda w, x: w.let("ne", x, x, type="i1"),
    np.isinf: lambda w, x: w.let("eq", w.let("abs", x), const(math.inf, x.type), type="i1"),
    np.isfinite: lambda w, x: w.let("lt", w.let("abs", x), const(math.inf, x.type), type="i1"),
}


def common(node: Node) -> Any:
    """The dtype in which a node's operands are compared; a Python number takes that of others."""
    return np.result_type(*[_like(x) for x in node.ins])


def _like(x: Node) -> Any:
    if not x.weak:
        return x.dtype
    return x.number if x.number is not None else {"f": 1.0, "i": 1, "b": True}.get(
        x.dtype.kind, 1j
    )  # fmt: skip


def _fits(x: Node, kind: str) -> bool:
    """Whether a type of whole numbers has a Python integer among its values."""
    if not x.weak or x.number is None or kind_of(kind) not in "iu":
        return True
    bounds = np.iinfo(DTYPES[kind])
    return bool(bounds.min <= x.number <= bounds.max)


def refused(node: Node, exact: bool) -> str | None:
    """Why an elementwise function can't be lowered; with ``exact``, only bits of NumPy's can."""
    f, out = node.meta, type_of(node.dtype)
    types = [type_of(x.dtype) for x in node.ins]
    if out is None or None in types:
        return f"{f.__name__} of {', '.join(str(x.dtype) for x in node.ins)}"
    real = out in ("f64", "f32")
    if f in COMPARISONS or f in LOGICAL or f is np.logical_not:
        try:
            kind = type_of(common(node))
        except OverflowError:
            kind = None
        if kind == "f64" and not {"f64", "f32"} & {*types}:  # NumPy compares integers as such
            kind = None
        if kind is not None and not all(_fits(x, kind) for x in node.ins):  # uint8 > -1 holds
            kind = None
        return None if kind is not None else f"{f.__name__} of these dtypes"
    if (f in BITWISE or f is np.invert) and out == "i1":
        return None if set(types) == {"i1"} else f"{f.__name__} of these dtypes"
    if f in TESTS:
        return None if types[0] in ("f64", "f32") else f"{f.__name__} of integers"
    if not real:
        return None if _of_integers(node, out) else f"{f.__name__} of {node.dtype}"
    if f in EXACT or f in COMPOSED:
        return None
    known = (
        f in VECTORS or f.__name__ in SPECIAL or all(name in ARITY for name in NEEDS.get(f, ("?",)))
    )
    if not known:
        return f"{f.__name__}, which is not among the vector functions"
    return f"{f.__name__}, whose last bits are to be NumPy's" if exact else None


def _of_integers(node: Node, out: str) -> bool:
    """Whether a function with a result of whole numbers can be lowered."""
    f = node.meta
    if out == "i1" or any(x.weak and x.number is None for x in node.ins):
        return False
    if any(x.dtype != node.dtype and not x.weak for x in node.ins):
        return f in OF_INTEGERS or f in integers.RULES  # the types that NumPy casts to
    if f is np.power:
        n = node.ins[1].number
        return n is not None and 0 <= n <= integers.LARGEST_POWER
    return f in OF_INTEGERS or f in integers.RULES or f in _ALSO_OF_INTEGERS


def apply(w: Writer, node: Node, xs: list[Operand]) -> Operand:
    """The value of an elementwise function of one element of each operand."""
    f, t = node.meta, type_of(node.dtype)
    assert t is not None
    if f in COMPARISONS:
        kind = type_of(common(node))
        assert kind is not None
        return w.let(COMPARISONS[f], *[cast(w, x, kind) for x in xs], type="i1")
    if f in TESTS:
        return TESTS[f](w, xs[0])
    if f is np.logical_not or (f is np.invert and t == "i1"):
        return w.let("not", cast(w, xs[0], "i1"))
    if f in LOGICAL or (f in BITWISE and t == "i1"):
        return w.let((LOGICAL | BITWISE)[f], *[cast(w, x, "i1") for x in xs])
    xs = [cast(w, x, t) for x in xs]
    if kind_of(t) in "iu":
        return _whole(w, f, t, xs)
    if f in EXACT:
        return w.let(EXACT[f], *xs)
    rule = COMPOSED.get(f) or ROUNDED.get(f)
    return rule(w, t, xs) if rule is not None else w.let(VECTORS.get(f) or f.__name__, *xs)


def _whole(w: Writer, f: Any, t: str, xs: list[Operand]) -> Operand:
    """A function of integers."""
    if f in OF_INTEGERS:
        return w.let(OF_INTEGERS[f], *xs)
    if f is np.power:
        assert isinstance(xs[1], Const)
        return integers.power(w, xs[0], int(number_of(xs[1])))
    return (integers.RULES.get(f) or COMPOSED[f])(w, t, xs)


def cast(w: Writer, x: Operand, type: str) -> Operand:
    """A value in another type."""
    if x.type == type:
        return x
    if kind_of(x.type) == "f" and type in _ABOVE and not isinstance(x, Const):
        return _rounded(w, x, type)
    if isinstance(x, Const):
        return const(number_of(x), type)
    if type == "i1":
        return w.let("ne", x, const(0, x.type), type="i1")
    return w.let("cast", x, type=type)


def _rounded(w: Writer, x: Operand, type: str) -> Operand:
    """A float as an integer, towards zero; out of range it is what processors make of it."""
    wide = type if type in ("i64", "i32") else "i32"  # as C does it
    above, least = const(_ABOVE[type], x.type), const(np.iinfo(DTYPES[wide]).min, wide)
    inside = w.let("lt", x, above, type="i1")
    if not _SATURATES:
        inside = w.let("and", inside, w.let("ge", x, const(-_ABOVE[type], x.type), type="i1"))
        out: Operand = w.let("select", inside, w.let("cast", x, type=wide), least, type=wide)
        return cast(w, out, type)
    most = const(np.iinfo(DTYPES[wide]).max, wide)
    out = w.let("select", inside, w.let("cast", x, type=wide), most, type=wide)
    low = w.let("lt", x, const(-_ABOVE[type], x.type), type="i1")
    out = w.let("select", low, least, out, type=wide)
    none = w.let("ne", x, x, type="i1")
    return cast(w, w.let("select", none, const(0, wide), out, type=wide), type)


def castable(before: Any, after: Any) -> bool:
    """Whether `cast` does what ``x.astype(after)`` does: not for floats as large unsigned integers.

    What negative floats are then is a matter of how NumPy was built.
    """
    a, b = type_of(before), type_of(after)
    return a is not None and b is not None and not (kind_of(a) == "f" and b in ("u64", "u32"))
