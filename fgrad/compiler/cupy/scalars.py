"""Scalars: what an elementwise operation computes of one entry, as an expression of C.

The text is both CUDA's and C's, so that the same body can be compiled for the host. An operation
that isn't here, or not for a dtype, stays a call of CuPy's function: integer division and
remainders, whose signs differ, complex numbers and half precision.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..program import Held, Node

#: C's types; an `int64` is CuPy's ``long long``.
TYPES = {
    "?": "bool", "b": "signed char", "B": "unsigned char", "h": "short", "H": "unsigned short",
    "i": "int", "I": "unsigned int", "l": "long long", "L": "unsigned long long",
    "q": "long long", "Q": "unsigned long long", "f": "float", "d": "double",
}  # fmt: skip

#: Functions of C's library, by NumPy's name.
FUNCTIONS = {
    "sqrt": "sqrt", "cbrt": "cbrt", "exp": "exp", "exp2": "exp2", "expm1": "expm1", "log": "log",
    "log2": "log2", "log10": "log10", "log1p": "log1p", "sin": "sin", "cos": "cos", "tan": "tan",
    "arcsin": "asin", "arccos": "acos", "arctan": "atan", "sinh": "sinh", "cosh": "cosh",
    "tanh": "tanh", "arcsinh": "asinh", "arccosh": "acosh", "arctanh": "atanh", "floor": "floor",
    "ceil": "ceil", "trunc": "trunc", "rint": "rint", "fabs": "fabs", "arctan2": "atan2",
    "hypot": "hypot", "power": "pow", "fmax": "fmax", "fmin": "fmin", "copysign": "copysign",
    "erf": "erf", "erfc": "erfc",
}  # fmt: skip

#: Expressions of floating-point entries.
FLOATS = {
    "true_divide": "{0} / {1}", "square": "{0} * {0}", "reciprocal": "1 / {0}",
    "positive": "{0}", "absolute": "fabs({0})",
    # What is no number is handed on.
    "maximum": "{0} >= {1} || {0} != {0} ? {0} : {1}",
    "minimum": "{0} <= {1} || {0} != {0} ? {0} : {1}",
    "sign": "{0} != {0} ? {0} : ({0} > 0) - ({0} < 0)",
    "heaviside": "{0} != {0} ? {0} : {0} == 0 ? {1} : {0} > 0",
    "isnan": "{0} != {0}", "isfinite": "{0} - {0} == 0",
    "isinf": "{0} == {0} && {0} - {0} != 0",
    "logaddexp": "{0} == {1} ? {0} + {ln2} : {0} > {1} ? {0} + log1p(exp({1} - {0})) : "
                 "{0} <= {1} ? {1} + log1p(exp({0} - {1})) : {0} + {1}",
}  # fmt: skip
#: Those of floating-point entries and integers.
NUMBERS = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "negative": "-{0}",
}  # fmt: skip
#: Those of integers and truth values.
BITS = {"bitwise_and": "{0} & {1}", "bitwise_or": "{0} | {1}", "bitwise_xor": "{0} ^ {1}"}
#: Those of any entries.
ANY = {
    "less": "{0} < {1}", "less_equal": "{0} <= {1}", "greater": "{0} > {1}",
    "greater_equal": "{0} >= {1}", "equal": "{0} == {1}", "not_equal": "{0} != {1}",
    "logical_and": "{0} && {1}", "logical_or": "{0} || {1}", "logical_not": "!{0}",
    "logical_xor": "!{0} != !{1}",
}  # fmt: skip

Form = tuple[Callable[..., str], tuple[Any, ...]]


def form(node: Node) -> Form | None:
    """The expression of a node's entry, of its operands', and the dtypes that it takes them in."""
    if node.dtype.char not in TYPES or any(x.dtype.char not in TYPES for x in node.ins):
        return None
    if node.kind == "where":
        return _where(node)
    if node.kind == "cast":
        return _cast(node)
    return _ufunc(node) if node.kind == "ufunc" else None


def _where(node: Node) -> Form | None:
    condition, *rest = node.ins
    if condition.dtype.char != "?" or any(x.weak and not _is_float(node.dtype) for x in rest):
        return None
    return "{0} ? {1} : {2}".format, (condition.dtype, node.dtype, node.dtype)


def _cast(node: Node) -> Form:
    (x,) = node.ins
    return ("{0} != 0" if node.dtype.char == "?" else "{0}").format, (x.dtype,)


def _ufunc(node: Node) -> Form | None:
    f, ins = node.meta, node.ins
    try:
        *takes, gives = f.resolve_dtypes((*map(_kind, ins), *[None] * f.nout))
    except TypeError:
        return None
    text = _expression(f.__name__, takes[0])
    weak = any(x.weak and not _is_float(t) for x, t in zip(ins, takes, strict=True))
    if text is None or weak or gives != node.dtype or any(t != takes[0] for t in takes):
        return None
    if f.nout != 1 or any(t.char not in TYPES for t in takes):
        return None
    ln2 = literal(math.log(2), takes[0])
    return (lambda *xs: text.format(*xs, ln2=ln2)), tuple(takes)


def _kind(x: Node) -> Any:
    if not x.weak:
        return x.dtype
    return type(x.number) if x.number is not None else {"f": float, "i": int}[x.dtype.kind]


def _expression(name: str, dtype: Any) -> str | None:
    name = {"divide": "true_divide"}.get(name, name)
    if name in ANY:
        return ANY[name]
    if dtype.kind in "iu?b" and name in BITS:
        return BITS[name]
    if dtype.kind in "iuf" and name in NUMBERS:
        return NUMBERS[name]
    if not _is_float(dtype):
        return None
    if name in FUNCTIONS:
        pair = name in ("arctan2", "hypot", "power", "fmax", "fmin", "copysign")
        return FUNCTIONS[name] + ("({0}, {1})" if pair else "({0})")
    return FLOATS.get(name)


def _is_float(dtype: Any) -> bool:
    return dtype.char in "fd"


def literal(number: Any, dtype: Any) -> str:
    """A number as C writes it, in a dtype.

    >>> import numpy as np
    >>> literal(0.5, np.dtype("float32")), literal(-1, np.dtype("int64"))
    ('((float)(0.5))', '((long long)(-1LL))')
    """
    kind = TYPES[dtype.char]
    value = dtype.type(number)
    if dtype.char == "?":
        return "1" if value else "0"
    if dtype.kind == "f":
        x = float(value)
        text = "FGRAD_NAN" if x != x else f"{'-' * (x < 0)}FGRAD_INF" if math.isinf(x) else repr(x)
        return f"(({kind})({text}))"
    if int(value) == -(2**63):
        return "(-9223372036854775807LL - 1)"
    return f"(({kind})({int(value)}{'ULL' if dtype.kind == 'u' else 'LL'}))"


class Body:
    """The scalar function of a cluster.

    Attributes:
        text: its C code, which defines the function ``name``.
        ins: the arrays and numbers that it reads, with the dtypes that it wants them in.
    """

    def __init__(
        self, name: str, members: Sequence[Node], made: Sequence[Node], returns: bool
    ) -> None:
        self.ins: dict[tuple[Node, Any], str] = {}
        self._known: dict[Node, str] = {}
        lines = []
        for k, node in enumerate(members):
            found = form(node)
            assert found is not None
            write, takes = found
            args = [self._operand(x, t) for x, t in zip(node.ins, takes, strict=True)]
            kind = TYPES[node.dtype.char]
            lines.append(f"    const {kind} v{k} = ({kind})({write(*args)});")
            self._known[node] = f"v{k}"
        parameters = [f"const {TYPES[t.char]} {v}" for (_, t), v in self.ins.items()]
        if returns:
            (y,) = made
            lines.append(f"    return {self._known[y]};")
            head = TYPES[y.dtype.char]
        else:
            parameters += [f"{TYPES[y.dtype.char]} *y{k}" for k, y in enumerate(made)]
            lines += [f"    *y{k} = {self._known[y]};" for k, y in enumerate(made)]
            head = "void"
        self.text = "\n".join([
            f"__device__ {head} {name}({', '.join(parameters)}) {{", *lines, "}\n",
        ])  # fmt: skip

    def _operand(self, x: Node, dtype: Any) -> str:
        while x.kind == "broadcast" and x not in self._known:
            x = x.ins[0]
        if x in self._known:
            text, own = self._known[x], x.dtype
        elif x.number is not None and not isinstance(x.meta, Held):
            return literal(x.number, dtype)
        else:
            own = dtype if x.weak else x.dtype
            text = self.ins.setdefault((x, own), f"x{len(self.ins)}")
        return text if own == dtype else f"(({TYPES[dtype.char]}){text})"
