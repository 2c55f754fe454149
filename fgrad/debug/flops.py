"""How many floating-point operations a primitive takes, by simple formulas.

An elementwise function counts one for each element of its answer, whatever it is: an exponential
as much as an addition. A product of matrices counts a multiplication and an addition for each
product of entries. The leading terms of decompositions are those of G. H. Golub and C. F. Van Loan,
Matrix Computations, 4th ed. 2013; that of the fast Fourier transform is 5 n log2 n, as FFTW's
authors count it. Complex numbers count as one. What isn't here isn't known, and isn't zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Shape = tuple[int, ...]

#: What moves or makes elements and computes nothing, and what only looks at them.
_FREE = frozenset(
    (
        "all", "any", "argmax", "argmin", "argpartition", "argsort", "astype", "astype_exact",
        "at", "broadcast_to", "concatenate", "conjugate", "copy", "copyto", "count_nonzero",
        "expand_dims", "empty", "fill", "flip", "full", "getitem", "imag", "index_set", "kind",
        "pad", "positive", "ravel", "real", "real_where_possible", "repeat", "reshape", "roll",
        "searchsorted", "split", "squeeze", "stack", "stop_gradient", "take", "transpose",
        "where", "zeros", "zeros_like", "ones", "ones_like",
    )
)  # fmt: skip
_REDUCTIONS = frozenset(
    (
        "sum", "mean", "prod", "max", "min", "cumsum", "cumprod", "running_max",
        "running_min", "add.reduce", "multiply.reduce", "maximum.reduce", "minimum.reduce",
        "index_add", "nansum",
    )
)  # fmt: skip


def flops(
    name: str, operands: Sequence[Shape], answer: Shape, params: Mapping[str, Any]
) -> int | None:
    """The number for an operation on operands of some shapes; None if it isn't known.

    >>> flops("matmul", [(3, 2), (2, 4)], (3, 4), {}), flops("exp", [(5,)], (5,), {})
    (48, 5)
    >>> flops("linalg.svd", [(3, 3)], (3, 3), {}) is None
    True

    Args:
        name: NumPy's name of the function.
        operands: the shapes of the operands.
        answer: that of the answer.
        params: parameters of the operation; of einsum ``inputs``, the letters of each operand.
    """
    if name in _FREE:
        return 0
    if name in _REDUCTIONS:
        return math.prod(operands[0]) if operands else None
    formula = _FORMULAS.get(name)
    if formula is not None:
        return formula(operands, answer, params)
    if isinstance(getattr(np, name, None), np.ufunc):
        return math.prod(answer)
    return None


def _matmul(operands: Sequence[Shape], answer: Shape, params: Mapping[str, Any]) -> int:
    return 2 * math.prod(answer) * (operands[0][-1] if operands[0] else 1)


def _dot(operands: Sequence[Shape], answer: Shape, params: Mapping[str, Any]) -> int:
    x, y = operands
    return 2 * math.prod(answer) * x[-1] if x and y else math.prod(answer)


def _outer(operands: Sequence[Shape], answer: Shape, params: Mapping[str, Any]) -> int:
    return math.prod(answer)


def _einsum(operands: Sequence[Shape], answer: Shape, params: Mapping[str, Any]) -> int | None:
    """Each index once: the product of all lengths, for each operand a multiplication or addition.

    A contraction of three or more operands in one loop; NumPy may find an order that takes less.
    """
    names = params.get("inputs")
    if names is None or len(names) != len(operands) or any("." in letters for letters in names):
        return None
    lengths: dict[str, int] = {}
    for letters, shape in zip(names, operands, strict=True):
        lengths.update(zip(letters, shape, strict=True))
    return max(len(operands), 1) * math.prod(lengths.values())


def _cube(factor: float) -> Callable[[Sequence[Shape], Shape, Mapping[str, Any]], int]:
    def formula(operands: Sequence[Shape], answer: Shape, params: Mapping[str, Any]) -> int:
        shape = operands[0]
        return round(factor * math.prod(shape[:-2]) * shape[-1] ** 3)

    return formula


def _solve(operands: Sequence[Shape], answer: Shape, params: Mapping[str, Any]) -> int:
    n = operands[0][-1]
    return round(2 / 3 * math.prod(operands[0][:-2]) * n**3) + 2 * n * math.prod(answer)


def _fourier(operands: Sequence[Shape], answer: Shape, params: Mapping[str, Any]) -> int:
    size, n = math.prod(answer), answer[-1] if answer else 1
    return round(5 * size * math.log2(max(n, 2)))


_FORMULAS: dict[str, Callable[[Sequence[Shape], Shape, Mapping[str, Any]], int | None]] = {
    "matmul": _matmul,
    "dot": _dot,
    "outer": _outer,
    "einsum": _einsum,
    "linalg.cholesky": _cube(1 / 3),
    "linalg.inv": _cube(2.0),
    "linalg.solve": _solve,
    **dict.fromkeys(("fft.fft", "fft.ifft"), _fourier),
}
