"""What usually cures a value that isn't finite, by the operation and what it was given.

The forms are those of N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed. 2002,
chapters 1 and 27, and of P. Blanchard, D. J. Higham and N. J. Higham, Accurately computing the
log-sum-exp and softmax functions, IMA J. Numer. Anal. 41, 2021.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..moving import host_array


@dataclass(frozen=True)
class Case:
    """What a cure is chosen by.

    Attributes:
        operation: the user's operation.
        primitive: what was computed of it, an operation of its rule on the way back.
        phase: "forward", "backward" or "tangent".
        values: the operation's operands at the element, NaN where they aren't known.
        value: the answer's element.
        dtype: the answer's.
        masked: whether a `where` leaves the element away.
        after: the operations that its answer went through.
        calls: how often the line ran the operation.
        source: the text of the line.
    """

    operation: str
    primitive: str
    phase: str
    values: tuple[Any, ...]
    value: Any
    dtype: np.dtype[Any]
    masked: bool
    after: tuple[str, ...]
    calls: int
    source: str

    def first(self) -> Any:
        """The first operand."""
        return self.values[0] if self.values else np.nan

    def overflowed(self) -> bool:
        """Whether an infinity is a number that was too large, and not a pole."""
        return bool(np.isinf(self.value)) and self.primitive in _GROWING


#: What makes numbers larger.
_GROWING = frozenset(
    (
        "add", "cosh", "cumprod", "cumsum", "dot", "einsum", "exp", "exp2", "expm1", "matmul",
        "mean", "multiply", "outer", "power", "prod", "sinh", "square", "subtract", "sum",
    )
)  # fmt: skip

_SELECT = (
    "choose the operand, not the answer: fgrad.select(mask, {f}, other, x) calls the function "
    "where the mask is true only; or np.where(mask, {f}(np.where(mask, x, 1.0)), other)"
)


def cure(case: Case) -> str:
    """A sentence that says what to type."""
    short = _half(case)
    if case.masked:
        return _SELECT.format(f=f"np.{case.operation}") + short
    rule = RULES.get(case.operation)
    text = None if rule is None else rule(case)
    if text is None:
        text = _general(case)
    return text + short


def _half(case: Case) -> str:
    if case.dtype.itemsize > (4 if case.dtype.kind == "c" else 2) or not np.isinf(case.value):
        return ""
    largest = float(np.finfo(case.dtype).max)
    return (
        f"; {case.dtype} ends at {largest:g}: compute this part in float32, with "
        "x.astype(np.float32), or scale the loss"
    )


def _general(case: Case) -> str:
    grown = case.calls > 4 and case.overflowed()
    if grown:
        return (
            f"the values grow from step to step (the line ran {case.calls} times): clip the "
            "gradient's norm, start from weights of a smaller norm (orthogonal ones for a "
            "recurrence), or normalise between the steps"
        )
    if case.overflowed():
        return "the values are too large: scale or normalise them before, or compute in logarithms"
    if case.phase != "forward":
        return (
            "the derivative has no finite value at this point: keep the operand away from it with "
            "an epsilon inside of the function, or leave the point out with fgrad.select"
        )
    return (
        "the function has no finite value at this point: keep the operands within its domain, with "
        "np.clip or fgrad.select"
    )


def _logarithm(case: Case) -> str:
    if "exp(" in case.source and "sum" in case.source:
        return _logsumexp(case)
    end = -1 if case.operation == "log1p" else 0
    if end and case.first() == end:
        return (
            "the logarithm has a pole where 1 + x is 0: keep x above -1 with np.clip, or leave "
            "such elements out with fgrad.select"
        )
    if np.real(case.first()) < end:
        return (
            "a negative number has no real logarithm: take np.log of an absolute value, or "
            "np.clip the operand from below"
        )
    return (
        "the logarithm has a pole at 0: add an epsilon inside of it, np.log(x + 1e-12); for "
        "x log y use scipy.special.xlogy, for log(1 + x) np.log1p, for the log of a sum of "
        "exponentials scipy.special.logsumexp; leave zeros out with fgrad.select"
    )


def _logsumexp(case: Case) -> str:
    return (
        "take logarithm and sum of exponentials together: scipy.special.logsumexp subtracts the "
        "largest and knows what to do about -inf (np.logaddexp for two, fgrad_nn.log_softmax)"
    )


def _exponential(case: Case) -> str | None:
    if not np.isinf(case.value):
        return None
    if "divide" in case.after or "reciprocal" in case.after:
        return (
            "softmax is stable once the largest is subtracted: e = np.exp(x - np.max(x, axis=-1, "
            "keepdims=True)), or fgrad_nn.softmax; 1 / (1 + exp(-x)) is scipy.special.expit"
        )
    if any(name in case.after for name in ("log", "log1p", "log2", "log10")):
        return _logsumexp(case)
    return (
        "the exponential overflows: subtract the largest before (softmax, "
        "scipy.special.logsumexp), or stay in logarithms"
    )


def _root(case: Case) -> str:
    if np.real(case.first()) < 0:
        return "a negative number has no real root: np.clip the operand from below, or use np.abs"
    if case.phase == "forward":
        return _general(case)
    return (
        "the slope is infinite at 0: add an epsilon inside of it, np.sqrt(x + 1e-12); for the "
        "length of a vector use np.linalg.norm or np.hypot, whose derivative at 0 is 0; or leave "
        "zeros out with fgrad.select"
    )


def _quotient(case: Case) -> str:
    below = case.values[-1] if case.values else np.nan
    if case.operation == "reciprocal" or below == 0:
        return (
            "the denominator is 0: add an epsilon to it, as in x / (y + 1e-5), inside of the root "
            "if it is one (np.sqrt(np.var(x) + 1e-5)); or leave zeros out with fgrad.select"
        )
    if np.any(np.isinf(host_array(case.values))):
        return (
            "infinity over infinity: find what overflowed before, and scale it; for softmax "
            "subtract the largest before np.exp"
        )
    return _general(case)


def _power(case: Case) -> str | None:
    base = case.first()
    if np.real(base) < 0:
        return (
            "a negative number has no real power that is not an integer: np.clip the base from "
            "below, or write np.sign(x) * np.abs(x) ** p"
        )
    if base == 0:
        return (
            "a power below 1 has an infinite slope at 0, and its derivative in the exponent reads "
            "log 0: add an epsilon to the base, (x + 1e-12) ** p, or leave zeros out with "
            "fgrad.select"
        )
    return None


def _angle(case: Case) -> str:
    return (
        "the operand has left [-1, 1], or stands at its end, where the slope is infinite: "
        "np.clip(x, -1 + 1e-7, 1 - 1e-7); for the angle between two vectors use np.arctan2 of "
        "the lengths of their cross and dot products"
    )


def _difference(case: Case) -> str | None:
    values = host_array(case.values)
    if values.size and np.all(np.isinf(values)):
        if "exp" in case.after:
            return _logsumexp(case)
        return (
            "infinity minus infinity: mask with a large finite number in place of infinity "
            "(np.finfo(x.dtype).min), or with np.where after the difference; for a log of a sum of "
            "exponentials scipy.special.logsumexp"
        )
    return None


def _product(case: Case) -> str | None:
    values = host_array(case.values)
    if np.any(values == 0) and np.any(np.isinf(values)):
        return (
            "0 times infinity: for x log x use scipy.special.xlogy or scipy.special.entr; mask "
            "with fgrad.select, not by a product with 0"
        )
    return None


def _mean(case: Case) -> str:
    if np.isnan(case.value):
        return "the mean of no elements is NaN: leave empty arrays out, or count them"
    return _general(case)


#: Operation -> what cures it; None for what has no cure of its own.
RULES: dict[str, Callable[[Case], str | None]] = {
    **dict.fromkeys(("log", "log2", "log10", "log1p"), _logarithm),
    **dict.fromkeys(("exp", "exp2", "expm1", "sinh", "cosh"), _exponential),
    **dict.fromkeys(("sqrt", "cbrt"), _root),
    **dict.fromkeys(("divide", "reciprocal", "remainder", "fmod", "floor_divide"), _quotient),
    **dict.fromkeys(("power", "float_power"), _power),
    **dict.fromkeys(("arccos", "arcsin", "arctanh", "arccosh"), _angle),
    **dict.fromkeys(("subtract", "add"), _difference),
    "multiply": _product,
    "mean": _mean,
}


def known(names: Sequence[str]) -> list[str]:
    """Those of some operations that have a cure of their own.

    >>> known(["log", "tanh"])
    ['log']
    """
    return [name for name in names if name in RULES]
