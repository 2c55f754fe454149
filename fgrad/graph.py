"""Graphs: what a function did, as data that can be printed, checked and called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import tree
from .arrays import Aval, aval, shape_of
from .core import Params, Primitive, Tracer, bind, is_traceable
from .errors import GraphError, describe
from .scopes import named_scope


@dataclass(frozen=True, eq=False, slots=True)
class Var:
    """A value in a graph: an input, or an answer of an equation."""

    number: int
    aval: Aval
    #: A Python number, which takes its dtype from the array beside it.
    weak: bool = False

    @property
    def name(self) -> str:
        """a, b, ..., z, ba, bb, ...

        >>> Var(0, None).name, Var(25, None).name, Var(26, None).name
        ('a', 'z', 'ba')
        """
        n, text = self.number, ""
        while True:
            n, digit = divmod(n, 26)
            text = chr(ord("a") + digit) + text
            if n == 0:
                return text

    def __str__(self) -> str:
        return f"{self.name}:{_short(self.aval)}"


@dataclass(frozen=True, eq=False, slots=True)
class Const:
    """An array or number that the function captured."""

    value: Any


@dataclass(frozen=True, eq=False, slots=True)
class Equation:
    """One operation: ``outputs = primitive[params] operands``."""

    primitive: Primitive
    operands: tuple[Var | Const, ...]
    params: Params
    outputs: tuple[Var, ...]
    #: The names of the scopes it was in, ``outer/inner``; see `named_scope`.
    scope: str = ""
    #: Where it was written, if somebody has asked; see `scopes.SOURCE`.
    source: Any = None


class Graph:
    """A function as a list of equations: printable, checkable, callable on other arrays.

    Made by `make_graph`. Calling it interprets the equations with `bind`, so a graph can be
    differentiated, mapped and staged again like the function it came from.

    Attributes:
        inputs: the variables of the arguments' leaves, in order.
        equations: the operations, in the order in which they ran.
        outputs: a variable or a constant for each leaf of the result.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[Var],
        equations: Sequence[Equation],
        outputs: Sequence[Var | Const],
        in_structure: Any,
        out_structure: Any,
    ) -> None:
        self.name = self.__name__ = name
        self.inputs, self.equations = tuple(inputs), tuple(equations)
        self.outputs = tuple(outputs)
        self.in_structure, self.out_structure = in_structure, out_structure

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The function's result for other arguments of the same structure, shapes and dtypes.

        Raises:
            TreeError, GraphError: the arguments are not like those it was made for.
        """
        leaves = tree.flatten_up_to(
            self.in_structure, (args, kwargs),
            what=f"The graph of {self.name} wants arguments of the structure it was made for.",
            to_do="make a graph for these arguments with make_graph(f)(*args)",
        )  # fmt: skip
        env: dict[Var, Any] = {}
        for var, x in zip(self.inputs, leaves, strict=True):
            got = aval(x) if is_traceable(x) else None
            if got is None or (got.shape, got.dtype) != (var.aval.shape, var.aval.dtype):
                raise GraphError(
                    f"The graph of {self.name} wants {describe(var.aval)} as its input {var.name}.",
                    describe(x),
                    "make a graph for these arguments with make_graph(f)(*args)",
                )
            if not isinstance(x, Tracer) and var.weak == hasattr(x, "dtype"):
                x = x.item() if var.weak else var.aval.dtype.type(x)
            env[var] = x

        def read(a: Var | Const) -> Any:
            return env[a] if isinstance(a, Var) else a.value

        for eqn in self.equations:
            operands = [read(a) for a in eqn.operands]
            if eqn.scope:
                with named_scope(eqn.scope):
                    ans = bind(eqn.primitive, operands, eqn.params)
            else:
                ans = bind(eqn.primitive, operands, eqn.params)
            answers = ans if eqn.primitive.several else (ans,)
            env.update(zip(eqn.outputs, answers, strict=True))
        results = [env[a] if isinstance(a, Var) else _fresh(a.value) for a in self.outputs]
        return tree.unflatten(self.out_structure, results)

    # ------------------------------------------------------------------ checking
    def check(self) -> None:
        """Verify that each variable is defined once, before it is used.

        Raises:
            GraphError: names the variable and the equation.
        """
        defined = set(self.inputs)
        if len(defined) != len(self.inputs):
            raise GraphError(
                "A graph wants distinct inputs.", "an input that is listed twice", "list it once"
            )
        for k, eqn in enumerate(self.equations):
            for a in eqn.operands:
                if isinstance(a, Var) and a not in defined:
                    raise GraphError(
                        f"Equation {k} ({eqn.primitive}) wants operands defined before it.",
                        f"{a}, which is not",
                        "put the equation that defines it first",
                    )
            for out in eqn.outputs:
                if out in defined:
                    raise GraphError(
                        "A graph wants each variable defined once.",
                        f"{out}, defined again by equation {k} ({eqn.primitive})",
                        "give the answer a new variable",
                    )
                defined.add(out)
        for a in self.outputs:
            if isinstance(a, Var) and a not in defined:
                raise GraphError(
                    "A graph wants outputs that are defined.", f"{a}, which is not", "define it"
                )

    def count(self) -> Counter[str]:
        """How often each primitive occurs."""
        return Counter(eqn.primitive.name for eqn in self.equations)

    # ------------------------------------------------------------------ printing
    def __str__(self) -> str:
        inputs = ", ".join(map(str, self.inputs))
        outputs = ", ".join(self._operand(a) for a in self.outputs)
        lines = [self._equation(eqn) for eqn in self.equations]
        return "\n".join([f"{self.name}({inputs}):", *lines, f"  return {outputs}"])

    __repr__ = __str__

    def _equation(self, eqn: Equation) -> str:
        outs = ", ".join(map(str, eqn.outputs))
        args = [self._operand(a) for a in eqn.operands]
        inner = {k: v for k, v in eqn.params.items() if isinstance(v, Graph)}
        args += [f"{k}={_param(v)}" for k, v in eqn.params.items() if k not in inner]
        assigned = f"{outs} = " if outs else ""
        lines = [f"  {assigned}{eqn.primitive.name}({', '.join(args)})"]
        lines[0] += f"  # {eqn.scope}" if eqn.scope else ""
        lines += [f"    {k} = {graph}".replace("\n", "\n    ") for k, graph in inner.items()]
        return "\n".join(lines)

    def _operand(self, a: Var | Const) -> str:
        if isinstance(a, Var):
            return a.name
        if shape_of(a.value) == ():
            return f"{a.value:.6g}" if not hasattr(a.value, "dtype") else f"{a.value}"
        return f"const:{_short(aval(a.value))}"

    def to_dot(self) -> str:
        """The graph in the DOT language of graphviz."""
        lines = [f"digraph {_quote(self.name)} {{", "  rankdir=TB;", "  node [fontname=Helvetica];"]
        ids: dict[Var, str] = {}

        def edges(target: str, operands: Sequence[Var | Const]) -> Iterator[str]:
            for k, a in enumerate(operands):
                if isinstance(a, Var):
                    yield f'  {ids[a]} -> {target} [label="{_short(a.aval)}"];'
                else:
                    yield f'  {target}_c{k} [shape=plaintext, label="{self._operand(a)}"];'
                    yield f"  {target}_c{k} -> {target};"

        for var in self.inputs:
            ids[var] = f"in_{var.name}"
            lines.append(f'  {ids[var]} [shape=box, style=rounded, label="{var}"];')
        for k, eqn in enumerate(self.equations):
            lines.append(f'  op{k} [shape=ellipse, label="{eqn.primitive.name}"];')
            lines.extend(edges(f"op{k}", eqn.operands))
            ids.update(dict.fromkeys(eqn.outputs, f"op{k}"))
        for k, a in enumerate(self.outputs):
            lines.append(f'  out{k} [shape=box, style=bold, label="output {k}"];')
            lines.extend(edges(f"out{k}", [a]))
        return "\n".join([*lines, "}"])


def _fresh(x: Any) -> Any:
    """A captured array as a result: a copy, because the graph goes on using it."""
    return x.copy() if hasattr(x, "copy") and not isinstance(x, Tracer) else x


_KINDS = {"f": "f", "c": "c", "i": "i", "u": "u"}


def _short(a: Aval) -> str:
    """``f64[3,2]``.

    >>> import numpy as np
    >>> _short(Aval((3, 2), np.dtype("float32")))
    'f32[3,2]'
    """
    kind = _KINDS.get(a.dtype.kind)
    name = f"{kind}{a.dtype.itemsize * 8}" if kind else str(a.dtype)
    return f"{name}[{','.join(map(str, a.shape))}]"


def _quote(text: str) -> str:
    """A string of the DOT language."""
    return '"' + text.replace("\\", r"\\").replace('"', r"\"") + '"'


def _param(v: Any) -> str:
    return repr(v.str if hasattr(v, "str") and hasattr(v, "kind") else v)
