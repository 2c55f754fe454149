"""Kernels: a cluster of operations as one of CuPy's ElementwiseKernels or ReductionKernels.

The cluster's scalar function stands in the kernel's preamble; CuPy writes the loop around it, with
the strides and the broadcasting of each operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..program import Held, Node
from .scalars import Body

#: What the scalar functions call numbers that C has no literals for.
PREAMBLE = """\
#ifndef FGRAD_INF
#define FGRAD_INF __longlong_as_double(0x7ff0000000000000LL)
#define FGRAD_NAN __longlong_as_double(0x7ff8000000000000LL)
#endif
"""

#: So many operations give a kernel its name.
NAMED = 4


class Kernel:
    """A kernel.

    Attributes:
        ins: the arrays and numbers that it reads.
        made: the arrays that it makes.
        name: what a profiler shows.
        in_params, out_params, operation: as CuPy wants them.
        reduction: the axes and keepdims of the sum that it ends with, if it does.
        options: for the compiler.
    """

    def __init__(self, members: Sequence[Node], made: Sequence[Node], exact: bool) -> None:
        self.made = tuple(made)
        *rest, last = members
        self.reduction = last.meta[1:] if last.kind == "reduce" else None
        inside = rest if self.reduction else [*members]
        self.members = tuple(members)
        words = [m.meta.__name__ if m.kind == "ufunc" else m.kind for m in inside]
        words = [*words[:NAMED], *(["etc"] if len(words) > NAMED else [])]
        self.name = "_".join(["fgrad", *words, *(["sum"] if self.reduction else [])])
        scalar = f"{self.name}_of_one"
        outs = [last.ins[0]] if self.reduction else made
        self.body = Body(scalar, inside, outs, returns=self.reduction is not None)
        self.ins = tuple(x for x, _ in self.body.ins)
        self.in_params = ", ".join(f"{t.name} {v}" for (_, t), v in self.body.ins.items())
        names = [*self.body.ins.values()]
        if self.reduction:
            self.out_params = f"{last.dtype.name} y0"
            self.operation = f"{scalar}({', '.join(names)})"
        else:
            self.out_params = ", ".join(f"{y.dtype.name} y{k}" for k, y in enumerate(made))
            places = [f"&y{k}" for k in range(len(made))]
            self.operation = f"{scalar}({', '.join([*names, *places])})"
        self.preamble = PREAMBLE + self.body.text
        self.options = ("--fmad=false",) if exact else ()

    def is_complete(self, last: Node) -> bool:
        """Whether the operands alone tell the shape."""
        shape = last.ins[0].shape if self.reduction else last.shape
        arrays = [x.shape for x in self.ins if x.shape or isinstance(x.meta, Held)]
        return bool(self.ins) and (
            not shape or (bool(arrays) and np.broadcast_shapes(*arrays) == shape)
        )

    def made_with(self, library: Any) -> Any:
        """The kernel as a function of CuPy's."""
        if self.reduction:
            return library.ReductionKernel(
                self.in_params, self.out_params, self.operation, "a + b", "y0 = a", "0",
                name=self.name, preamble=self.preamble, options=self.options,
            )  # fmt: skip
        return library.ElementwiseKernel(
            self.in_params, self.out_params, self.operation, name=self.name,
            preamble=self.preamble, options=self.options,
        )  # fmt: skip
