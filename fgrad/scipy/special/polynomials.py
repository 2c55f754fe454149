"""Orthogonal polynomials in x, with derivatives in x and in their parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import special

from ...rules import line_up, primitive, total
from .declare import integers, whole
from .orders import slope


def _lower(fn: Callable[..., Any], factor: Any, n: Any, *rest: Any) -> Any:
    """``factor * fn(n - 1, *rest)``, and 0 for n = 0."""
    first = np.equal(n, 0)
    return np.where(first, 0.0, factor * fn(np.where(first, 1, n) - 1, *rest))


def _polynomial(
    fn: Callable[..., Any],
    x_slope: Callable[..., Any],
    parameters: int = 0,
    above: float = -np.inf,
) -> None:
    """Declare ``fn(n, *parameters, x)`` by its derivative in x; parameters are ``above`` that.

    Not `elementwise`, whose forward mode would make floats of whole degrees: SciPy has other,
    better formulas for integers.
    """

    def in_parameter(i: int) -> Callable[..., Any]:
        def partial(*xs: Any) -> Any:
            width = 0.5 / (1 + np.log1p(np.abs(xs[0])))
            return slope(fn, i, np.minimum(width, 0.9 * (xs[i] - above)), *xs)

        return partial

    slopes: list[Callable[..., Any]] = [
        functools.partial(whole(fn.__name__), None),
        *(in_parameter(i + 1) for i in range(parameters)),
        x_slope,
    ]

    def jvp(ts: Any, ans: Any, *xs: Any) -> Any:
        return total([t * d(*xs) for t, d in zip(ts, slopes, strict=True) if t is not None])

    def pull(d: Callable[..., Any]) -> Callable[..., Any]:
        return lambda g, ans, *xs: g * d(*xs)

    declare = primitive(fn, jvp=jvp, vjp=[pull(d) for d in slopes], batch=line_up)
    declare(lambda n, *xs: ((integers(n), *xs), {}))


# DLMF 18.9.15 to 18.9.28: the derivative is a polynomial of one degree less.
_polynomial(
    special.eval_jacobi,
    lambda n, a, b, x: _lower(special.eval_jacobi, 0.5 * (n + a + b + 1), n, a + 1, b + 1, x),
    2,
)
_polynomial(
    special.eval_sh_jacobi,
    lambda n, p, q, x: _lower(special.eval_sh_jacobi, n, n, p + 2, q + 1, x),
    2,
)
_polynomial(
    special.eval_gegenbauer,
    lambda n, a, x: _lower(special.eval_gegenbauer, 2 * a, n, a + 1, x),
    1,
)
_polynomial(
    special.eval_genlaguerre,
    lambda n, a, x: -_lower(special.eval_genlaguerre, 1, n, a + 1, x),
    1,
    above=-1,
)
_polynomial(
    special.eval_legendre,
    lambda n, x: _lower(special.eval_jacobi, 0.5 * (n + 1), n, 1, 1, x),
)
_polynomial(
    special.eval_sh_legendre,
    lambda n, x: _lower(special.eval_jacobi, n + 1, n, 1, 1, 2 * x - 1),
)
_polynomial(special.eval_chebyt, lambda n, x: _lower(special.eval_chebyu, n, n, x))
_polynomial(special.eval_chebyu, lambda n, x: _lower(special.eval_gegenbauer, 2, n, 2, x))
_polynomial(special.eval_chebyc, lambda n, x: _lower(special.eval_chebys, n, n, x))
_polynomial(special.eval_chebys, lambda n, x: _lower(special.eval_gegenbauer, 1, n, 2, 0.5 * x))
_polynomial(special.eval_sh_chebyt, lambda n, x: _lower(special.eval_chebyu, 2 * n, n, 2 * x - 1))
_polynomial(
    special.eval_sh_chebyu, lambda n, x: _lower(special.eval_gegenbauer, 4, n, 2, 2 * x - 1)
)
_polynomial(special.eval_laguerre, lambda n, x: -_lower(special.eval_genlaguerre, 1, n, 1, x))
_polynomial(special.eval_hermite, lambda n, x: _lower(special.eval_hermite, 2 * n, n, x))
_polynomial(special.eval_hermitenorm, lambda n, x: _lower(special.eval_hermitenorm, n, n, x))
