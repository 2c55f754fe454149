"""Recording on the device: what a function did with CuPy's arrays, without waiting for one.

NumPy's constants are watched by fingerprints of their values. The values of CuPy's are far away, so
a copy is made of each one that is read, and a function that reads one which somebody else holds,
and might change later, is not compiled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...arrays import check_operand, is_cupy
from ...core import EFFECTS, Params, Primitive, Tracer, evaluate
from ...errors import ArgumentError, DtypeError, NoRuleError, TracerConversionError
from ...graph import Const, Equation, Var
from ..lowering import uniform
from ..recording import OuterValue, Path, PathTracer
from .formulas import IN_FORMULAS

#: What may be raised because a value is recorded, and would not be without.
REFUSALS = (TracerConversionError, DtypeError, NoRuleError, ArgumentError)

#: A constant of so many bytes is looked at, once, to see whether it is one number throughout.
LOOKED_AT = 1 << 20


class DevicePath(Path):
    """The interpreter that records functions of CuPy's arrays."""

    def tracer(self, value: Any) -> PathTracer:
        x = super().tracer(value)
        if is_cupy(value):
            self.there.add(x.slot)
        return x

    def operand(self, x: Any) -> Var | Const:
        if not is_cupy(x):
            return super().operand(x)
        if not any(x is y for y in self.kept):
            self.kept.append(x)
        copy = x.copy()
        if x.size and x.nbytes <= LOOKED_AT and x.dtype.kind in "fiub":
            seen = x.get()
            first = seen.flat[0]
            if uniform(seen, first):
                self.numbers[id(copy)] = first
        return Const(copy)

    def process(self, p: Primitive, operands: Sequence[Any], params: Params) -> Any:
        if p.effect and EFFECTS.get() != "now":
            return p.impl(*operands, **params)
        below = []
        for x in operands:
            if type(x) is PathTracer and x.owner is self:
                below.append(x.value)
            elif isinstance(x, Tracer):
                raise OuterValue
            else:
                check_operand(x, p.name)
                below.append(x)
        if getattr(p.impl, "__module__", None) in IN_FORMULAS and any(map(is_cupy, below)):
            return p.impl(*operands, **params)
        names = tuple(map(self.operand, operands))
        if (errors := np.geterr()) != self.outside_errors:
            self.errors.update(errors.items() - self.outside_errors.items())
        ans = evaluate(p, below, params)
        outs = tuple(map(self.tracer, ans if p.several else (ans,)))
        self.equations.append(Equation(p, names, dict(params), tuple(x.slot for x in outs)))
        return outs if p.several else outs[0]
