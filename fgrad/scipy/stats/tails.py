"""Logarithms of distribution functions where these underflow, by continued fractions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import special

from .arguments import empty, known

#: Where one of these functions underflows, x is so far from the middle that these suffice.
_TERMS = 6


def log_or_tail(
    fn: Callable[..., Any],
    tail: Callable[..., Any],
    operands: Sequence[Any],
    near: Sequence[float],
    far: Sequence[float],
) -> Any:
    """``log(fn(*operands))``, and ``tail(*operands)`` where fn underflows.

    Args:
        fn: the function.
        tail: its logarithm, far out.
        operands: of both.
        near: operands at which fn is an ordinary number.
        far: operands at which tail is.
    """
    y = fn(*operands)
    info = np.finfo(y.dtype)
    lost = np.less(known(y), float(info.tiny) / float(info.eps))
    if empty(lost):
        return np.log(y)
    ordinary = fn(*(np.where(lost, c, x) for c, x in zip(near, operands, strict=True)))
    out = tail(*(np.where(lost, x, c) for c, x in zip(far, operands, strict=True)))
    out = out if out.dtype == y.dtype else out.astype(y.dtype)  # betaln(x, 0.5) is a double
    return np.where(lost, out, np.log(ordinary))


# ------------------------------------------------------------------ incomplete gamma
def _gamma_kernel(a: Any, x: Any) -> Any:
    """log of x**a exp(-x) / gamma(a)."""
    return a * np.log(x) - x - special.gammaln(a)


def _far_above(a: Any, x: Any) -> Any:
    """log of gammaincc(a, x) for x far above a: DLMF 8.9.2, in Legendre's form."""
    f = x - a + (2 * _TERMS + 1)
    for n in range(_TERMS, 0, -1):
        f = x - a + (2 * n - 1) + n * (a - n) / f
    return _gamma_kernel(a, x) - np.log(f)


def _far_below(a: Any, x: Any) -> Any:
    """log of gammainc(a, x) for x far below a: DLMF 8.9.1."""
    f = a + (2 * _TERMS + 1)
    for n in range(_TERMS, 0, -1):
        f = a + 2 * n - (a + n) * x / f
        f = a + (2 * n - 1) + n * x / f
    return _gamma_kernel(a, x) - np.log(a) - np.log1p(-x / f)


def log_gammainc(a: Any, x: Any) -> Any:
    """log of the lower regularised incomplete gamma function."""
    return log_or_tail(special.gammainc, _far_below, (a, x), (1.0, 1.0), (1.0, 0.1))


def log_gammaincc(a: Any, x: Any) -> Any:
    """log of the upper regularised incomplete gamma function."""
    return log_or_tail(special.gammaincc, _far_above, (a, x), (1.0, 1.0), (1.0, 50.0))


# ------------------------------------------------------------------ incomplete beta
def beta_tail(a: Any, b: Any, x: Any, y: Any) -> Any:
    """log of betainc(a, b, x) for x far below the mean, with y = 1 - x: DLMF 8.17.22."""
    f: Any = 1.0
    for n in range(_TERMS, 0, -1):
        f = 1 + n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n)) / f
        m = n - 1
        f = 1 - (a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)) / f
    return a * np.log(x) + b * np.log(y) - special.betaln(a, b) - np.log(a) - np.log(f)


_NEAR, _FAR = (1.0, 1.0, 0.5), (1.0, 1.0, 0.1)


def log_betainc(a: Any, b: Any, x: Any) -> Any:
    """log of the regularised incomplete beta function."""
    return log_or_tail(
        special.betainc, lambda a, b, x: beta_tail(a, b, x, 1 - x), (a, b, x), _NEAR, _FAR
    )


def log_betaincc(a: Any, b: Any, x: Any) -> Any:
    """log of its complement."""
    return log_or_tail(
        special.betaincc, lambda a, b, x: beta_tail(b, a, 1 - x, x), (a, b, x), _NEAR,
        (1.0, 1.0, 0.9),
    )  # fmt: skip
