"""Sparse Jacobians and Hessians beside dense ones and SciPy's differences.

``python -m benchmarks.sparse`` prints, for each problem, the number of products, and the times of
finding the pattern, of colouring it, of a value and of a matrix with pattern and colours at hand
(with and without the check), and of what else there is: the dense matrix, for 10,000 variables a
part of its columns extrapolated to all, and SciPy's differences of columns in groups.
``python -m benchmarks.sparse 1000`` takes another number of variables.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy
from scipy.optimize._numdiff import approx_derivative, group_columns

import fgrad
import fgrad.sparse as fs

#: Columns of a dense matrix to compute at once.
CHUNK = 100


def best(f: Callable[[], Any], seconds: float) -> float:
    """The least time of a call, of as many as fit."""
    least, end = float("inf"), time.perf_counter() + seconds
    while True:
        start = time.perf_counter()
        f()
        now = time.perf_counter()
        least = min(least, now - start)
        if now > end:
            return least


def band(u: Any) -> Any:
    """A chain of reactions with diffusion: five diagonals."""
    p = np.pad(u, 2)
    spread = -p[4:] + 16 * p[3:-1] - 30 * u + 16 * p[1:-3] - p[:-4]
    return spread / 12 + np.sin(u) * np.exp(-(u**2))


def plate(u: Any) -> Any:
    """A heated plate: the five-point Laplacian of a square, and radiation."""
    k = round(u.shape[0] ** 0.5)
    u = u.reshape(k, k)
    p = np.pad(u, 1)
    return (p[2:, 1:-1] + p[:-2, 1:-1] + p[1:-1, 2:] + p[1:-1, :-2] - 4 * u - u**4).ravel()


def arrow(u: Any) -> Any:
    """One variable that meets all, and one equation that all are in."""
    return np.concatenate([np.sum(np.square(u), keepdims=True), u[1:] ** 3 * u[0]])


def rosenbrock(u: Any) -> Any:
    """The sum whose Hessian is tridiagonal."""
    return np.sum(100 * (u[1:] - u[:-1] ** 2) ** 2 + (1 - u[:-1]) ** 2)


def ms(t: float) -> str:
    """A time in milliseconds."""
    return f"{t * 1e3:10.1f}"


def dense(f: Any, x: Any, columns: int, seconds: float) -> float:
    """The time of all columns of the dense matrix, from that of some of them."""
    units = np.eye(columns, len(x))
    some = fgrad.vmap(lambda t: fgrad.jvp(f, (x,), (t,))[1], out_axes=1, chunk_size=CHUNK)
    return best(lambda: some(units), seconds) * len(x) / columns


def main(n: int = 10_000, seconds: float = 0.5) -> None:
    """Measure and print."""
    k = round(n**0.5)
    print(f"{n} variables; milliseconds; numpy {np.__version__}, scipy {scipy.__version__}")
    print(
        f"{'':12} products    pattern  colouring      value     matrix  unchecked"
        "      dense scipy 2-point"
    )
    x = np.random.default_rng(0).uniform(0.5, 1.5, n)
    for f, u in ((band, x), (plate, x[: k * k]), (arrow, x), (rosenbrock, x)):
        print(row(f, u, seconds), flush=True)


def row(f: Any, u: Any, seconds: float) -> str:
    """What one problem takes."""
    scalar = f is rosenbrock
    find = (fs.hessian_sparsity if scalar else fs.sparsity)(f)
    pattern = find(u)
    mode = "symmetric" if scalar else "auto"
    colors = fs.coloring(pattern, mode)
    make = fs.hessian if scalar else fs.jacobian
    checked, bare = make(f, coloring=colors), make(f, coloring=colors, check=False)
    g = fgrad.grad(f) if scalar else f
    ones = np.ones(len(u))
    want = fgrad.jvp(g, (u,), (ones,))[1]
    np.testing.assert_allclose(checked(u) @ ones, want, rtol=1e-9, atol=1e-9)
    times = [
        best(lambda: find(u), seconds),
        best(lambda: fs.coloring(pattern, mode), seconds),
        best(lambda: g(u), seconds),
        best(lambda: checked(u), seconds),
        best(lambda: bare(u), seconds),
        dense(g, u, min(len(u), 200), seconds),
    ]
    theirs = "-"
    if f is not arrow:  # of which SciPy has to compute each column by itself
        given = pattern, group_columns(pattern.astype(int))
        differences = best(
            lambda: approx_derivative(g, u, method="2-point", sparsity=given), seconds
        )
        theirs = ms(differences)
    products = f"{colors.forward}+{colors.reverse}"
    return f"{f.__name__:12} {products:>8} {' '.join(map(ms, times))} {theirs:>13}"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
