"""Matrix equations: Sylvester, Lyapunov, Riccati."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import linalg

from ...arrays import shape_of
from ...core import Array
from ...doors import offers
from ...ops.contract import mT
from ...ops.equal import mH
from ...rules import primitive, total
from .tools import arrays, over_batch, product, stacked


# ------------------------------------------------------------------ a x + x b = q
def _sylvester_jvp(ts: Any, x: Array, a: Array, b: Array, q: Any) -> Array:
    t_a, t_b, t_q = ts
    right = [
        t_q,
        None if t_a is None else -np.matmul(t_a, x),
        None if t_b is None else -np.matmul(x, t_b),
    ]
    return sylvester(a, b, total(right))


def _sylvester_a(g: Array, x: Array, a: Array, b: Array, q: Any) -> Array:
    return -np.matmul(sylvester(mT(a), mT(b), g), mT(x))


def _sylvester_b(g: Array, x: Array, a: Array, b: Array, q: Any) -> Array:
    return -np.matmul(mT(x), sylvester(mT(a), mT(b), g))


def _sylvester_q(g: Array, x: Any, a: Array, b: Array, q: Any) -> Array:
    return sylvester(mT(a), mT(b), g)


@primitive(
    linalg.solve_sylvester,
    jvp=_sylvester_jvp,
    vjp=[_sylvester_a, _sylvester_b, _sylvester_q],
    impl=over_batch(linalg.solve_sylvester, (2, 2, 2)),
)
def sylvester(a: Any, b: Any, q: Any) -> Any:
    """x with a x + x b = q."""
    return stacked([a, b, q], (2, 2, 2)), {}


@offers(linalg.solve_sylvester)
def solve_sylvester(a: Any, b: Any, q: Any) -> Any:
    """`scipy.linalg.solve_sylvester`: x with a x + x b = q."""
    return sylvester(*arrays(a, b, q, check_finite=False))


@offers(linalg.solve_continuous_lyapunov)
def solve_continuous_lyapunov(a: Any, q: Any) -> Any:
    """`scipy.linalg.solve_continuous_lyapunov`: x with a x + x a^H = q."""
    a, q = arrays(a, q)
    return sylvester(a, mH(a), q)


@offers(linalg.solve_discrete_lyapunov)
def solve_discrete_lyapunov(a: Any, q: Any, method: str | None = None) -> Any:
    """`scipy.linalg.solve_discrete_lyapunov`: x with a x a^H - x + q = 0; of double precision."""
    a, q = arrays(a, q, check_finite=False)
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    return discrete_lyapunov(a.astype(wide), q.astype(wide), method)


def discrete_lyapunov(a: Array, q: Array, method: str | None = None) -> Array:
    """x with a x a^H - x + q = 0."""
    n = shape_of(a)[-1]
    method = ("bilinear" if n >= 10 else "direct") if method is None else method.lower()
    if method == "direct":
        a, q = stacked([a, q], (2, 2))
        other = np.expand_dims(np.conj(a), (-4, -2))
        big = np.expand_dims(a, (-3, -1)) * other
        lead = shape_of(a)[:-2]
        left = np.eye(n * n, dtype=a.dtype) - np.reshape(big, (*lead, n * n, n * n))
        x = np.linalg.solve(left, np.reshape(q, (*lead, n * n, 1)))
        return np.reshape(x, shape_of(q))
    if method != "bilinear":
        raise ValueError(f"Unknown solver {method}")
    # V. Popov, Hyperstability of Control Systems, 1973: the Cayley transform of the equation.
    one = np.eye(n, dtype=a.dtype)
    inverse = np.linalg.inv(mH(a) + one)
    b = np.matmul(mH(a) - one, inverse)
    c = 2 * product(np.linalg.inv(a + one), q, inverse)
    return sylvester(mH(b), b, -c)
