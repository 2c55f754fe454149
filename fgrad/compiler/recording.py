"""Recording: run the function once, on its values, and write down what it did.

Unlike a graph for all values (`make_graph`), a recording answers when it is asked for a truth
value, and notes the answer: it is a path of the function, right for all inputs that answer alike.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from ..arrays import aval, check_operand, digest, is_a, is_cupy, ndarray
from ..core import EFFECTS, Params, Primitive, Tracer, refuse_finished
from ..errors import TracerConversionError, name_of
from ..graph import Const, Equation, Var
from ..kinds import KIND, python
from ..stage import Stage, StageTracer

#: So many arguments are named in a message.
MANY = 4


class PathTracer(StageTracer):
    """A value of a function that is being compiled."""

    __slots__ = ()

    def __bool__(self) -> bool:  # type: ignore[override]
        refuse_finished(self, "`bool`")
        return self.owner.truth(self)

    def __float__(self) -> NoReturn:
        raise self.cannot_become(
            "a Python float",
            "leave it an array: np.sin(x) for math.sin(x); name an argument in static_argnums if "
            "the program may be made anew for each value of it",
        )

    def __int__(self, *digits: Any) -> NoReturn:
        raise self.cannot_become(
            "a Python int",
            "name the argument that it comes from in static_argnums; or use np.floor(x), "
            "x.astype(int) and fgrad.numpy.take(a, i, axis=0), which stay arrays",
        )

    __index__ = __trunc__ = __floor__ = __ceil__ = __int__

    def cannot_become(self, wanted: str, to_do: str) -> TracerConversionError:
        """The error of a conversion that would fix the value in the compiled program."""
        refuse_finished(self, f"A conversion to {wanted}")
        return TracerConversionError(
            f"A value in a compiled function cannot become {wanted}: the program is to hold for "
            "other values too.",
            f"{self!r}, {self.owner.origin(self.slot)}, inside {name_of(self.owner.fn)}",
            to_do,
        )


def _comparison(name: str) -> Callable[[Any, Any], Any]:
    compare = getattr(StageTracer, name)

    def method(self: Any, other: Any) -> Any:
        return python(compare(self, other), self, other)

    method.__name__ = name
    return method


for _name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(PathTracer, f"__{_name}__", _comparison(f"__{_name}__"))


class Guard:
    """A truth value that the function asked for, after so many operations, and the answer."""

    __slots__ = ("answer", "position", "var")

    def __init__(self, position: int, var: Var, answer: bool) -> None:
        self.position, self.var, self.answer = position, var, answer


class OuterValue(BaseException):
    """The function reads values of a transformation around it: it can't be compiled for itself.

    No `Exception`, which the function might catch, and go on with something else.
    """


class Path(Stage):
    """The interpreter that records; arrays that the function captures are kept, not copied.

    Args:
        fn: the function, for messages.
        copying: copy the arrays that it captures: it changes them while it runs.

    Attributes:
        names: what the arguments and captured arrays are called, by their variables.
        errors: what the function sets by `numpy.errstate`; for all of it, if for a part.
        there: the variables whose values are on a device.
        kept: arrays of a device that the function read besides its arguments.
        numbers: by its id, the number that each copy of these is throughout, if it is one.
    """

    kinds = True

    def __init__(self, fn: Callable[..., Any], copying: bool = False) -> None:
        super().__init__("jit", fn)
        self.copying = copying
        self.guards: list[Guard] = []
        self.names: dict[Var, str] = {}
        self.read: dict[int, tuple[Any, Any]] = {}
        self.moved: dict[int, Any] = {}
        self.there: set[Var] = set()
        self.kept: list[Any] = []
        self.numbers: dict[int, Any] = {}
        self.outside_errors = np.geterr()
        self.errors: dict[str, Any] = {}

    def tracer(self, value: Any) -> PathTracer:
        """A new variable that stands for ``value``."""
        x = PathTracer()
        x.owner, x.value = self, value
        x.slot = Var(self.variables, aval(value), not hasattr(value, "dtype"))
        self.variables += 1
        return x

    def origin(self, var: Var) -> str:
        """What a value is, in words: an argument, or the result of an operation on some."""
        if var in self.names:
            return f"which is {self.names[var]}"
        made, needed = "", {var}
        for e in reversed(self.equations):
            if not needed.isdisjoint(e.outputs):
                made = made or e.primitive.name
                needed.update(a for a in e.operands if isinstance(a, Var))
        found = [name for v, name in self.names.items() if v in needed]
        shown = found if len(found) <= MANY else [*found[: MANY - 1], "others"]
        from_ = ", ".join(shown[:-1]) + " and " * (len(shown) > 1) + "".join(shown[-1:])
        return f"the result of {made}" + f", computed from {from_}" * bool(found)

    def operand(self, x: Any) -> Var | Const:
        """The variable of a tracer of this trace; anything else as it is."""
        if type(x) is PathTracer and x.owner is self:
            return x.slot
        if is_a(x, ndarray):
            before, now = self.read.get(id(x)), digest(x)
            if before is None:
                self.read[id(x)] = x, now
            elif before[1] != now:  # even if it is changed back
                self.moved[id(x)] = x
            if self.copying:
                return Const(x.copy("K"))
        return Const(x)

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        if p.effect and EFFECTS.get() != "now":
            return p.impl(*operands, **params)
        below = []
        for x in operands:
            if type(x) is PathTracer and x.owner is self:
                below.append(x.value)
            elif isinstance(x, Tracer) or is_cupy(x):
                raise OuterValue
            else:
                check_operand(x, p.name)
                below.append(x)
        names = tuple(map(self.operand, operands))
        if (errors := np.geterr()) != self.outside_errors:
            self.errors.update(errors.items() - self.outside_errors.items())
        ans = p.impl(*below, **params)
        outs = tuple(map(self.tracer, ans if p.several else (ans,)))
        self.equations.append(Equation(p, names, dict(params), tuple(x.slot for x in outs)))
        return outs if p.several else outs[0]

    def truth(self, x: PathTracer) -> bool:
        """The truth value of a scalar, noted."""
        answer, var = bool(x.value), x.slot
        if self.equations and (e := self.equations[-1]).primitive is KIND and e.outputs[0] is var:
            (var,) = e.operands  # what is asked need be no Python bool
        self.guards.append(Guard(len(self.equations), var, answer))
        return answer


def changed(path: Path) -> list[Any]:
    """The captured arrays that were changed while the function ran."""
    path.moved.update((id(x), x) for x, before in path.read.values() if digest(x) != before)
    return list(path.moved.values())
