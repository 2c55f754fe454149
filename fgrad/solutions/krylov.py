"""Linear systems of which only products with the matrix are known: CG and GMRES, in NumPy.

Vectors are plain and real. What comes back is the best that was found; whoever calls looks at the
residual.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Product = Callable[[Any], Any]

#: Of how many vectors GMRES keeps a basis before it starts again.
RESTART = 50


def cg(product: Product, b: Any, rtol: float, limit: int) -> tuple[Any, Any]:
    """Conjugate gradients, for a symmetric positive definite matrix.

    M. Hestenes and E. Stiefel, Methods of conjugate gradients for solving linear systems, 1952;
    Y. Saad, Iterative Methods for Sparse Linear Systems, 2nd ed. 2003, algorithm 6.18.

    >>> x, bend = cg(lambda v: np.array([2.0, 4.0]) * v, np.ones(2), 1e-12, 10)
    >>> x.round(12), bend
    (array([0.5 , 0.25]), None)

    Args:
        product: the matrix times a vector.
        b: the right-hand side, of shape (n,).
        rtol: where to stop: the norm of the residual, relative to that of b.
        limit: the greatest number of products.

    Returns:
        The solution, and None; or what was reached, and a direction in which the matrix is not
        positive: there the method ends.
    """
    x, r = np.zeros_like(b), b.copy()
    p, rho, top = r, float(r @ r), 0.0
    size, eps = math.sqrt(rho), float(np.finfo(b.dtype).eps)
    for _ in range(limit):
        if math.sqrt(rho) <= rtol * size:
            break
        q = product(p)
        bend = float(p @ q)
        quotient = bend / float(p @ p)  # of Rayleigh: an eigenvalue, or between two of them
        top = max(top, quotient)
        if not quotient > eps * top:
            return x, p
        step = b.dtype.type(rho / bend)
        x, r = x + step * p, r - step * q
        rho, before = float(r @ r), rho
        p = r + b.dtype.type(rho / before) * p
    return x, None


def gmres(product: Product, b: Any, rtol: float, limit: int) -> Any:
    """Generalised minimal residuals with restarts, for any regular matrix.

    Y. Saad and M. Schultz, GMRES: a generalized minimal residual algorithm for solving
    nonsymmetric linear systems, 1986; Saad 2003, algorithm 6.9. It ends, too, where a whole round
    doesn't make the residual smaller.

    >>> gmres(lambda v: np.array([[0.0, 1.0], [2.0, 0.0]]) @ v, np.ones(2), 1e-12, 10).round(12)
    array([0.5, 1. ])

    Args: see `cg`.

    Returns:
        The solution, or what was reached.
    """
    x, r, size = np.zeros_like(b), b, float(np.linalg.norm(b))
    before = math.inf
    while True:
        beta = float(np.linalg.norm(r))
        # A comparison with NaN is false: that ends it, too.
        if not rtol * size < beta < 0.999 * before or limit <= 0:
            return x
        steps = min(RESTART, limit, len(b))
        x = x + _round(product, r, beta, rtol * size, steps)
        r, before, limit = b - product(x), beta, limit - steps


def _round(product: Product, r: Any, beta: float, target: float, steps: int) -> Any:
    """What makes the residual smallest in the Krylov space of so many dimensions."""
    basis = np.zeros((steps + 1, len(r)), r.dtype)
    basis[0] = r / r.dtype.type(beta)
    matrix = np.zeros((steps + 1, steps))
    rotations: list[tuple[float, float]] = []
    rest = beta  # the norm of the residual, which Givens' rotations tell at once
    for k in range(steps):
        w = product(basis[k])
        length = float(np.linalg.norm(w))
        column = np.zeros(k + 1)
        for _ in range(2):  # twice is enough, to be orthogonal up to rounding
            h = basis[: k + 1] @ w
            w = w - h @ basis[: k + 1]
            column += h
        matrix[: k + 1, k] = column
        below = matrix[k + 1, k] = float(np.linalg.norm(w))
        for i, (c, s) in enumerate(rotations):
            column[i : i + 2] = (
                c * column[i] + s * column[i + 1],
                c * column[i + 1] - s * column[i],
            )
        radius = math.hypot(column[k], below)
        if not radius > 0:
            break
        rotations.append((column[k] / radius, below / radius))
        rest *= abs(below) / radius
        if not rest > target or not below > np.finfo(r.dtype).eps * length:
            break
        basis[k + 1] = w / r.dtype.type(below)
    n = k + 1
    start = np.zeros(n + 1)
    start[0] = beta
    if not np.all(np.isfinite(matrix)):
        return np.full_like(r, np.nan)
    y = np.linalg.lstsq(matrix[: n + 1, :n], start, rcond=None)[0]
    return y.astype(r.dtype) @ basis[:n]
