"""Elementwise functions of NumPy as operations on scalars.

What is here gives NumPy's own bits (arithmetic, roots, comparisons, choices), or is one of the
vector functions of `vectors`, at most 3 units in the last place from the exact value. Whatever
isn't here runs as NumPy runs it; so do functions of integers that can fail, such as division by
zero, which NumPy warns of and machine code dies of.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..program import Node
from .engine import NativeRefused
from .loops import Const, Operand, Writer, const, number_of, type_of
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
#: Of these, those that integers have too, with what overflows wrapped around.
OF_INTEGERS = frozenset({np.add, np.subtract, np.multiply, np.negative, np.maximum, np.minimum})
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
SPECIAL = frozenset({"erf", "expit"}) & ARITY.keys()


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
        return None if kind is not None else f"{f.__name__} of these dtypes"
    if f in BITWISE or f is np.invert:
        return None if out == "i1" and set(types) == {"i1"} else f"{f.__name__} of integers"
    if f in TESTS:
        return None if types[0] in ("f64", "f32") else f"{f.__name__} of integers"
    if not real:
        plain = f in OF_INTEGERS and out in ("i64", "i32") and not any(x.weak for x in node.ins if
                                                                      x.number is None)  # fmt: skip
        return None if plain else f"{f.__name__} of {node.dtype}"
    if f in EXACT or f in COMPOSED:
        return None
    known = (
        f in VECTORS or f.__name__ in SPECIAL or all(name in ARITY for name in NEEDS.get(f, ("?",)))
    )
    if not known:
        return f"{f.__name__}, which is not among the vector functions"
    return f"{f.__name__}, whose last bits are to be NumPy's" if exact else None


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
    if f is np.logical_not or f is np.invert:
        return w.let("not", cast(w, xs[0], "i1"))
    if f in LOGICAL or f in BITWISE:
        return w.let((LOGICAL | BITWISE)[f], *[cast(w, x, "i1") for x in xs])
    xs = [cast(w, x, t) for x in xs]
    if f in EXACT:
        return w.let(EXACT[f], *xs)
    rule = COMPOSED.get(f) or ROUNDED.get(f)
    return rule(w, t, xs) if rule is not None else w.let(VECTORS.get(f) or f.__name__, *xs)


def cast(w: Writer, x: Operand, type: str) -> Operand:
    """A value in another type."""
    if x.type == type:
        return x
    if x.type[0] == "f" and type in ("i64", "i32"):
        raise NativeRefused("a float would become an integer")
    if isinstance(x, Const):
        return const(number_of(x), type)
    if type == "i1":
        return w.let("ne", x, const(0, x.type), type="i1")
    return w.let("cast", x, type=type)


def castable(before: Any, after: Any) -> bool:
    """Whether `cast` does what ``x.astype(after)`` does: not for a float that becomes an integer.

    What is out of range there is a matter of the processor in NumPy, and undefined in LLVM.
    """
    a, b = type_of(before), type_of(after)
    return a is not None and b is not None and not (a[0] == "f" and b in ("i64", "i32"))
