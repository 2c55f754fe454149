"""Judging: whether an operation can be machine code, and if not, why."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ...core import Params
from ..program import Node, Program
from ..scans.scan import Scan
from . import gathers, scalars
from .control import program_of
from .groups import SAME, VIEWS, reduction
from .kernels import is_unbounded
from .loops import type_of

#: Primitives that move elements and compute nothing.
MOVES = frozenset({"concatenate", "pad", "roll", "index_set"})
#: Those that read or write by arrays of indices, if they have any.
BY_INDEX = frozenset({"getitem", "index_add", "index_set"})
#: Running sums and the like, and places of extremes.
RUNNING = frozenset({"cumsum", "cumprod", "running_max", "running_min", "argmax", "argmin"})


def is_basic(params: Params) -> bool:
    """Whether an index has no arrays in it."""
    return all(type(s) in (int, slice, type(None), type(...)) for s in params["spec"])


def is_typed(node: Node, *, same: bool = False, first: int | None = None) -> bool:
    """Whether operands, or the first of them, and the answer have types of ours and elements.

    And whether they can be cast to the answer's, or with ``same`` have its dtype.
    """
    return bool(type_of(node.dtype) is not None and node.size) and all(
        type_of(x.dtype) is not None and x.size and not is_unbounded(x)
        and (x.dtype == node.dtype if same else scalars.castable(x.dtype, node.dtype))
        for x in node.ins[:first]
    )  # fmt: skip


class Judge:
    """Says of nodes whether they can be lowered.

    Args:
        exact: only what gives NumPy's bits.
        bounded: values that are Python integers and yet never large: numbers of steps.
    """

    def __init__(self, exact: bool, bounded: Iterable[Node] = ()) -> None:
        self.exact, self.bounded = exact, set(bounded)
        self.loops: set[Node] = set()

    def refused(self, node: Node) -> str | None:
        """Why a node can't be lowered; None if it can."""
        kind = node.kind
        if kind == "pick":
            return None if node.ins[0] in self.loops else "a part of what NumPy computes"
        if kind in ("scan", "call"):
            why = self._call(node) if kind == "call" else self._scan(node)
            if why is None:
                self.loops.add(node)
            return why
        if kind == "steps":
            return "a loop that is not all machine code"
        return self._types(node) or self._straight(node)

    def _types(self, node: Node) -> str | None:
        for x in (node, *node.ins):
            if type_of(x.dtype) is None:
                return f"an array of {x.dtype}"
            if not x.size:
                return "an empty array"
            if x.number is not None and x.dtype.kind == "i" and abs(x.number) > 2**53:
                return "a large integer"
        unbounded = [x for x in node.ins if is_unbounded(x) and x not in self.bounded]
        if unbounded and node.dtype.kind != "f":
            compared = node.kind == "ufunc" and node.meta in scalars.COMPARISONS
            if not compared or type_of(scalars.common(node)) not in ("f64", "f32"):
                return "a Python integer, which has no bounds"
        return None

    def _straight(self, node: Node) -> str | None:
        kind = node.kind
        if kind in VIEWS:
            return None
        if kind == "ufunc":
            return scalars.refused(node, self.exact)
        if kind in ("where", "cast"):
            parts = node.ins[1:] if kind == "where" else node.ins
            good = all(scalars.castable(x.dtype, node.dtype) for x in parts)
            return None if good else f"floats that become {node.dtype}"
        if kind == "put":
            return None if node.dtype == node.ins[1].dtype else "dtypes that differ"
        if kind == "stack":
            return None if all(x.dtype == node.dtype for x in node.ins) else "dtypes that differ"
        if kind in ("reduce", "inner", "dot", "matmul"):
            if node.dtype.kind != "f" or any(x.dtype != node.dtype for x in node.ins):
                return f"{kind} of {', '.join(str(x.dtype) for x in node.ins)}"
            ordered = kind == "reduce" and node.meta[0] in (np.maximum, np.minimum)
            return "a sum whose last bits are to be NumPy's" if self.exact and not ordered else None
        return f"a {kind}"

    def _call(self, node: Node) -> str | None:
        name = node.meta.primitive.name
        if name in BY_INDEX and not is_basic(node.meta.params):
            if not is_typed(node, first=1 if name == "getitem" else 2):
                return f"{name} of these arrays"
            if any(is_unbounded(x) and x not in self.bounded for x in node.ins):
                return "a Python integer, which has no bounds"
            return gathers.refused(node)
        if name in MOVES or name in SAME:
            return None if is_typed(node) else f"{name} of these arrays"
        if name in RUNNING or reduction(node) is not None:
            return self._reduced(node, name)
        if name == "einsum":
            good = is_typed(node, same=True) and type_of(node.dtype) != "i1"
            if good and node.dtype.kind == "f" and self.exact:
                return "a sum whose last bits are to be NumPy's"
            return None if good else f"{name} of these arrays"
        if name == "while":
            return self._while(node)
        if name in ("cond", "switch"):
            return self._branches(node)
        return name

    def _reduced(self, node: Node, name: str) -> str | None:
        """Reductions that are not of a kind of their own, and running ones."""
        (x,) = node.ins
        foreign = is_unbounded(x) or None in (type_of(x.dtype), type_of(node.dtype))
        if foreign or not x.size or not node.size or (name == "mean" and node.dtype.kind != "f"):
            return f"{name} of {x.dtype}{list(x.shape)}"
        if type_of(node.dtype) == "i1" and name in ("sum", "prod", "cumsum", "cumprod"):
            return f"{name} of truth values"
        if self.exact and node.dtype.kind == "f" and name in ("sum", "prod", "mean"):
            return "a sum whose last bits are to be NumPy's"
        return None

    # -------------------------------------------------------------- loops and branches
    def _scan(self, node: Node) -> str | None:
        scan: Scan = node.meta
        body = scan.body
        if any(type_of(x.dtype) is None or not x.size for x in node.ins):
            return "a scan over arrays of other dtypes, or of none"
        pairs = zip(body.inputs[scan.front :], body.outputs[: scan.carries], strict=False)
        if any(type_of(x.dtype) != type_of(y.dtype) for x, y in pairs):
            return "a scan whose carry changes its dtype"
        return self.within(body, body.inputs[: scan.front])

    def _while(self, node: Node) -> str | None:
        params = node.meta.params
        test, step = program_of(params["cond"]), program_of(params["body"])
        if test is None or step is None or params["save"]:
            return "a while loop that keeps all of its steps"
        if any(type_of(x.dtype) is None or not x.size for x in node.ins):
            return "a while loop over arrays of other dtypes, or of none"
        pairs = zip(step.inputs, step.outputs, strict=False)
        if any(type_of(x.dtype) != type_of(y.dtype) for x, y in pairs):
            return "a while loop whose carry changes its dtype"
        return self.within(test) or self.within(step)

    def _branches(self, node: Node) -> str | None:
        programs = [program_of(code) for code in node.meta.params.values()]
        if any(type_of(x.dtype) is None or not x.size for x in node.ins):
            return "a branch over arrays of other dtypes, or of none"
        if is_unbounded(node.ins[0]):
            return "a Python integer, which has no bounds"
        for program in programs:
            why = "a branch that isn't compiled" if program is None else self.within(program)
            if why is not None:
                return why
        return None

    def within(self, program: Program, bounded: Iterable[Node] = ()) -> str | None:
        """Why a body can't be lowered."""
        inner = Judge(self.exact, bounded)
        for x in (*program.inputs, *program.outputs):
            if type_of(x.dtype) is None or not x.size:
                return f"an array of {x.dtype}{list(x.shape)}"
        for node in program.nodes:
            why = inner.refused(node)
            if why is not None:
                return why
        return None


def bodies_of(node: Node) -> list[Program]:
    """The programs inside of a loop or a branch."""
    if node.kind == "scan":
        return [node.meta.body]
    if node.kind != "call":
        return []
    found = [program_of(x) for x in node.meta.params.values() if hasattr(x, "body")]
    return [x for x in found if x is not None]
