"""Normal vectors with a covariance, and orthogonal matrices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..arrays import shape_of
from ..errors import ArgumentError, describe
from ..tracebacks import boundary
from .arguments import check_key, check_shape, float_dtype, parameter, sample_shape
from .continuous import start
from .keys import use
from .normals import random_normal

_DOUBLE = np.dtype(np.float64)


@boundary
def multivariate_normal(
    key: Any, mean: Any, cov: Any, shape: Any = None, dtype: Any = float,
    method: str = "cholesky",
) -> Any:  # fmt: skip
    """Normal vectors with a mean and a covariance matrix, with derivatives in both.

    Args:
        key: a key.
        mean: means, shape (..., n).
        cov: positive definite matrices, shape (..., n, n).
        shape: the shape of the sample without the axis of the vectors.
        dtype: float64, unless given.
        method: how the square root of the covariance is taken: "cholesky", or "eigh" or "svd" for
            matrices that have no inverse.

    Raises:
        numpy.linalg.LinAlgError: the matrix isn't positive definite (method "cholesky").
    """
    check_key(key, "multivariate_normal")
    new = float_dtype(dtype, "multivariate_normal")
    center, spread = (parameter(x, new, "multivariate_normal") for x in (mean, cov))
    n, square = shape_of(center), shape_of(spread)
    if not n or len(square) < 2 or square[-2:] != (n[-1], n[-1]):
        raise ArgumentError(
            "`multivariate_normal` wants a mean of shape (..., n) and a cov of shape (..., n, n).",
            f"the shapes {n} and {square}",
            "give a vector and a matrix; np.diag(variances) makes one of independent numbers",
        )
    stand_ins = np.empty(n[:-1]), np.empty(square[:-2])
    axes = sample_shape(shape, "multivariate_normal", *stand_ins)
    wide = np.promote_types(new, np.float32)  # NumPy has no linear algebra in float16
    spread = spread.astype(wide)
    if method == "cholesky":
        root = np.linalg.cholesky(spread)
    elif method == "eigh":
        w, v = np.linalg.eigh(spread)
        root = v * np.sqrt(np.expand_dims(w, -2))
    elif method == "svd":
        left, w, _ = np.linalg.svd(spread)
        root = left * np.sqrt(np.expand_dims(w, -2))
    else:
        raise ArgumentError(
            '`multivariate_normal` wants method to be "cholesky", "eigh" or "svd".',
            describe(method),
            "leave it away for the Cholesky factor",
        )
    use(key, "multivariate_normal")
    z = random_normal(key, shape=(*axes, n[-1]), dtype=wide)
    return center + np.matmul(root, np.expand_dims(z, -1))[..., 0].astype(new)


@boundary
def orthogonal(key: Any, n: int, shape: Any = (), dtype: Any = float, m: int | None = None) -> Any:
    """Orthogonal matrices, all rotations and reflections equally likely.

    The Q of a QR decomposition of a normal matrix, of which R's diagonal is positive (F. Mezzadri,
    How to generate random matrices from the classical compact groups, 2007).

    Args:
        key: a key.
        n: the number of rows.
        shape: the shape of the sample in front of the matrices'.
        dtype: float64, unless given.
        m: the number of columns, n unless given. The columns of a tall matrix, and the rows of a
            wide one, are orthonormal.
    """
    axes, new = start(key, shape, dtype, "orthogonal")
    rows, columns = check_shape((n, n if m is None else m), "orthogonal")
    tall = max(rows, columns), min(rows, columns)
    q, r = np.linalg.qr(random_normal(key, shape=(*axes, *tall), dtype=_DOUBLE))
    side = np.where(np.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
    q = (q * np.expand_dims(side, -2)).astype(new)
    return q if rows >= columns else np.swapaxes(q, -1, -2)
