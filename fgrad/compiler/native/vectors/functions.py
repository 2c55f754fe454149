"""The functions by name and kind."""

from __future__ import annotations

from collections.abc import Callable

from . import circular, error_function, exponentials, inverses, logarithms, powers, singles
from .text import Value

Formula = Callable[..., Value]


def _widened(formula: Formula) -> Formula:
    """A function of single precision by way of that of double precision."""

    def by_way_of_double(*x: Value) -> Value:
        return formula(*(v.wide() for v in x)).narrow()

    return by_way_of_double


_ONE: dict[str, Formula] = {
    "exp": exponentials.exp, "exp2": exponentials.exp2, "expm1": exponentials.expm1,
    "sinh": exponentials.sinh, "cosh": exponentials.cosh, "tanh": exponentials.tanh,
    "expit": exponentials.expit,
    "log": logarithms.log, "log2": logarithms.log2, "log10": logarithms.log10,
    "log1p": logarithms.log1p,
    "arcsinh": logarithms.arcsinh, "arccosh": logarithms.arccosh, "arctanh": logarithms.arctanh,
    "sin": circular.sin, "cos": circular.cos, "tan": circular.tan,
    "arcsin": inverses.arcsin, "arccos": inverses.arccos, "arctan": inverses.arctan,
    "cbrt": powers.cbrt, "erf": error_function.erf,
}  # fmt: skip
_TWO: dict[str, Formula] = {
    "arctan2": inverses.arctan2, "power": powers.power, "hypot": powers.hypot,
}  # fmt: skip

_SINGLE: dict[str, Formula] = {
    "exp": singles.exp, "exp2": singles.exp2, "expm1": singles.expm1, "tanh": singles.tanh,
    "expit": singles.expit, "log": singles.log, "log1p": singles.log1p,
    "sin": singles.sin, "cos": singles.cos, "power": singles.power,
}  # fmt: skip

#: How many numbers each function takes.
ARITY = dict.fromkeys(_ONE, 1) | dict.fromkeys(_TWO, 2)
FORMULAS: dict[tuple[str, str], Formula] = {
    **{(name, "f64"): formula for name, formula in (_ONE | _TWO).items()},
    **{(name, "f32"): _widened(formula) for name, formula in (_ONE | _TWO).items()},
    **{(name, "f32"): formula for name, formula in _SINGLE.items()},
}
