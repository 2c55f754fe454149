"""Formulas: what an operation computes, where its own code is written for the host's processor.

Such code writes into parts of arrays, or goes over rows in turn. On the device it would be a launch
for each of its lines, of which a kernel can do many; so its formula is recorded in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from inspect import isfunction as is_function
from typing import Any

from ...core import Primitive
from ...graph import Graph
from ..formulas import formula_of as own
from ..formulas import kinds_of, recorded
from ..program import Call, Node

#: Modules whose functions are formulas already for values that are recorded, and on the host more
#: than these: they look at labels, for which a device would have to be waited for.
IN_FORMULAS = frozenset({"fgrad_nn.label_entropy"})


def formula_of(p: Primitive, params: Any, ins: Sequence[Node]) -> Graph | None:
    """What to compute in place of an operation; None for the operation itself."""
    if p.formula is not None:
        return own(p, params, ins)
    if not is_function(p.impl) or p.impl.__module__ not in IN_FORMULAS:
        return None
    return None if any(x.weak for x in ins) else recorded(Call(p, dict(params)), kinds_of(ins))
