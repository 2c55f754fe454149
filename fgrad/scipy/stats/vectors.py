"""Distributions of vectors: multivariate normal, Dirichlet, multinomial.

What SciPy refuses because of its value is refused here where the value is known, that is
everywhere but in a mapped or a recorded call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ...arrays import is_a, is_cupy, ndim_of, shape_of
from ...core import Tracer
from ...errors import ShapeError, describe
from .arguments import INF, NAN, either, fill, finish, known, number
from .counts import product, split
from .families import Family
from .real_line import LOG_2PI
from .tools import quiet


def array(x: Any) -> Any:
    """An argument as a floating-point array or tracer."""
    x = number(x)
    return np.asarray(x) if is_a(x, float) else x


def _holds(condition: Any) -> bool:
    """Whether a condition is known to hold somewhere."""
    known = not isinstance(condition, Tracer) and not is_cupy(condition)
    return known and bool(np.any(condition))


# ------------------------------------------------------------------ normal
def _dimension(mean: Any, cov: Any) -> int:
    if mean is not None:
        size = 1
        for n in shape_of(mean):
            size *= n
        return size
    return 1 if ndim_of(cov) < 2 else shape_of(cov)[0]


def _parameters(mean: Any, cov: Any) -> tuple[int, Any, Any]:
    """The dimension, the mean, and the covariance: a matrix, or the diagonal of one."""
    mean = None if mean is None else array(mean)
    cov = array(1.0 if cov is None else cov)
    dim = _dimension(mean, cov)
    wrong = ndim_of(cov) > 2 or any(n != dim for n in shape_of(cov))
    if dim == 1 and not wrong:
        cov = np.reshape(cov, (1,))
        mean = None if mean is None else np.reshape(mean, (1,))
    if wrong or (mean is not None and ndim_of(mean) != 1):
        raise ShapeError(
            f"multivariate_normal of dimension {dim} wants a mean of shape ({dim},), and a number, "
            f"a diagonal of shape ({dim},) or a matrix of shape ({dim}, {dim}) as cov.",
            f"{'no mean' if mean is None else describe(mean)} and {describe(cov)}",
            "map over several means or matrices with fgrad.vmap",
        )
    return dim, mean, cov if ndim_of(cov) else np.broadcast_to(cov, (dim,))


def _tolerance(dtype: Any) -> float:
    """Which part of the largest eigenvalue counts as zero, in SciPy."""
    return float(np.finfo(dtype).eps) * (1e3 if dtype == np.float32 else 1e6)


def _check_spectrum(s: Any, singular: bool) -> None:
    if s is None or isinstance(s, Tracer):
        return
    eps = _tolerance(s.dtype) * np.max(np.abs(s))
    if np.min(s) < -eps:
        raise ValueError("The input matrix must be symmetric positive semidefinite.")
    if not singular and np.any(s <= eps):
        raise np.linalg.LinAlgError(
            "When `allow_singular is False`, the input matrix must be symmetric positive definite."
        )


def _of_diagonal(dev: Any, d: Any) -> Any:
    _check_spectrum(known(d), False)
    return np.sum(dev * dev / d, axis=-1) + np.sum(np.log(d)) + LOG_2PI * shape_of(d)[0]


def _of_matrix(dev: Any, cov: Any) -> Any:
    _check_spectrum(np.linalg.eigvalsh(known(cov)), False)
    root = np.linalg.cholesky(cov)
    flat = np.reshape(dev, (-1, shape_of(cov)[0]))
    white = np.reshape(np.linalg.solve(root, np.transpose(flat)), (shape_of(cov)[0], -1))
    maha = np.reshape(np.sum(white * white, axis=0), shape_of(dev)[:-1])
    return maha + 2 * np.sum(np.log(np.diagonal(root))) + LOG_2PI * shape_of(cov)[0]


def _spectrum(cov: Any) -> tuple[Any, Any, Any]:
    """log of the product of the eigenvalues but zeros, how many there are, and what counts as 0."""
    s = np.linalg.eigvalsh(cov) if ndim_of(cov) == 2 else cov
    _check_spectrum(known(s), True)
    eps = _tolerance(s.dtype) * np.max(np.abs(known(s)))
    zero = np.less_equal(s, eps)
    log_det = np.sum(np.where(zero, 0, np.log(np.where(zero, 1, s))))
    return log_det, np.sum(np.logical_not(zero)), eps


def _of_singular(dev: Any, cov: Any) -> tuple[Any, Any]:
    """The same where directions without variance count as absent, and where dev points there."""
    log_det, rank, eps = _spectrum(cov)
    inverse = np.linalg.pinv(cov, rcond=_tolerance(cov.dtype), hermitian=True)
    maha = np.sum(np.matmul(dev, inverse) * dev, axis=-1)
    y = known(dev)
    rest = y - np.matmul(np.matmul(y, known(inverse)), known(cov))
    beside = np.greater_equal(np.linalg.norm(rest, axis=-1), 1e3 * eps)
    return maha + log_det + LOG_2PI * rank, np.logical_and(beside, rank < shape_of(cov)[0])


class MultivariateNormal(Family):
    """`scipy.stats.multivariate_normal`, in x, mean and cov.

    cov is a number, a diagonal or a symmetric matrix, and so is its derivative. With
    ``allow_singular`` the derivative is that among matrices of equal rank.
    """

    def logpdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """The logarithm of the density at x (..., d)."""
        return self._dense(x, mean, cov, allow_singular)

    def pdf(self, x: Any, mean: Any = None, cov: Any = 1, allow_singular: bool = False) -> Any:
        """The density at x (..., d)."""
        return finish(np.exp(self._dense(x, mean, cov, allow_singular)))

    def entropy(self, mean: Any = None, cov: Any = 1, allow_singular: bool = True) -> Any:
        """The differential entropy."""
        cov = _parameters(mean, cov)[2]
        with quiet():
            log_det, rank, _ = _spectrum(cov)
            return finish(0.5 * (log_det + (LOG_2PI + 1) * rank))

    def _dense(self, x: Any, mean: Any, cov: Any, singular: bool) -> Any:
        dim, mean, cov = _parameters(mean, cov)
        x = array(x)
        if ndim_of(x) < 2:
            x = np.reshape(x, (-1, 1) if dim == 1 and ndim_of(x) else (1, -1))
        dev = x if mean is None else x - mean
        with quiet():
            if singular:
                twice, beside = _of_singular(dev, cov if ndim_of(cov) == 2 else np.diag(cov))
            else:
                twice, beside = (_of_matrix if ndim_of(cov) == 2 else _of_diagonal)(dev, cov), False
            return finish(np.squeeze(fill(beside, -INF, -0.5 * twice)))


# ------------------------------------------------------------------ Dirichlet
class Dirichlet(Family):
    """`scipy.stats.dirichlet`, in every entry of x and of alpha by itself."""

    def logpdf(self, x: Any, alpha: Any) -> Any:
        """The logarithm of the density at x, whose first axis has the entries."""
        with quiet():
            alpha, x = self._checked(alpha, x)
            alpha = np.reshape(alpha, (-1, *(1,) * (ndim_of(x) - 1)))
            edge = np.logical_and(np.equal(x, 0), np.greater(alpha, 1))
            out = np.sum(special.xlogy(alpha - 1, fill(edge, 1.0, x)), axis=0) - _log_beta(alpha)
            return finish(np.squeeze(fill(np.any(edge, axis=0), -INF, out)))

    def pdf(self, x: Any, alpha: Any) -> Any:
        """The density at x, whose first axis has the entries."""
        return finish(np.exp(self.logpdf(x, alpha)))

    def entropy(self, alpha: Any) -> Any:
        """The differential entropy."""
        alpha = self._parameter(alpha)
        whole = np.sum(alpha)
        out = (whole - shape_of(alpha)[0]) * special.digamma(whole)
        return finish(out + _log_beta(alpha) - np.sum((alpha - 1) * special.digamma(alpha)))

    def _parameter(self, alpha: Any) -> Any:
        alpha = array(alpha)
        if _holds(known(alpha) <= 0):
            raise ValueError("All parameters must be greater than 0")
        if ndim_of(alpha) != 1:
            raise ShapeError(
                "dirichlet wants a vector as alpha.",
                describe(alpha),
                "map over several vectors with fgrad.vmap",
            )
        return alpha

    def _checked(self, alpha: Any, x: Any) -> tuple[Any, Any]:
        alpha, x = self._parameter(alpha), array(x)
        k = shape_of(alpha)[0]
        if ndim_of(x) == 0 or shape_of(x)[0] not in (k - 1, k):
            raise ShapeError(
                "dirichlet wants x with as many entries as alpha, or one fewer, on its first axis.",
                f"{describe(x)} and alpha of shape {shape_of(alpha)}",
                "pass np.moveaxis(x, -1, 0)",
            )
        if shape_of(x)[0] < k:
            x = np.concatenate([x, 1 - np.sum(x, axis=0, keepdims=True)])
        y = known(x)
        few = np.reshape(np.less(known(alpha), 1), (-1, *(1,) * (ndim_of(x) - 1)))
        # SciPy's tolerance, or what rounding leaves of it.
        off = np.abs(np.sum(y, axis=0) - 1) > max(1e-9, 8 * float(np.finfo(y.dtype).eps))
        if _holds(y < 0) or _holds(y > 1) or _holds(off):
            raise ValueError("The input vector 'x' must lie within the normal simplex.")
        if _holds(np.logical_and(np.equal(y, 0), few)):
            raise ValueError(
                "Each entry in 'x' must be greater than zero if its alpha is less than one."
            )
        return alpha, x


def _log_beta(alpha: Any) -> Any:
    return np.sum(special.gammaln(alpha)) - special.gammaln(np.sum(alpha))


# ------------------------------------------------------------------ multinomial
class Multinomial(Family):
    """`scipy.stats.multinomial`, in every entry of p by itself; x and n are whole numbers.

    Where p does not add up to 1, its last entry is what is missing, as in SciPy.
    """

    def logpmf(self, x: Any, n: Any, p: Any) -> Any:
        """The logarithm of the probability of the counts x (..., k)."""
        with quiet():
            x, n, p, outside, wrong = self._checked(x, n, p)
            out = _log_ways(x, n) + np.sum(special.xlogy(x, p), axis=-1)
            return finish(fill(wrong, NAN, fill(outside, -INF, out)))

    def pmf(self, x: Any, n: Any, p: Any) -> Any:
        """The probability of the counts x (..., k)."""
        with quiet():
            x, n, p, outside, wrong = self._checked(x, n, p)
            some, hits = split(p, 0.0, x)
            out = np.exp(_log_ways(x, n) + np.sum(special.xlogy(x, some), axis=-1))
            out = product(out, None if hits is None else np.prod(hits, axis=-1))
            return finish(fill(wrong, NAN, fill(outside, 0.0, out)))

    def _checked(self, x: Any, n: Any, p: Any) -> tuple[Any, Any, Any, Any, Any]:
        x, n, p = known(array(x)), known(array(n)), array(p)
        if ndim_of(x) == 0 or ndim_of(p) == 0 or shape_of(x)[-1] != shape_of(p)[-1]:
            raise ShapeError(
                "multinomial wants as many counts as probabilities, on the last axis.",
                f"{describe(x)} and {describe(p)}",
                "pass np.moveaxis(x, 0, -1)",
            )
        eps = 10 * float(np.finfo(np.result_type(p.dtype, np.float32)).eps)
        off = np.abs(np.sum(known(p), axis=-1, keepdims=True) - 1) > eps
        head = p[..., :-1]
        missing = np.concatenate([head, 1 - np.sum(head, axis=-1, keepdims=True)], axis=-1)
        p = fill(off, missing, p)
        q = known(p)
        wrong = either(np.any(np.logical_or(q < 0, q > 1), axis=-1), np.less(n, 0))
        ragged = np.any(np.logical_or(np.less(x, 0), np.less(np.floor(x), x)), axis=-1)
        outside = either(ragged, np.not_equal(np.sum(x, axis=-1), n))
        return fill(np.expand_dims(either(ragged), -1), 0.0, x), n, p, outside, wrong


def _log_ways(x: Any, n: Any) -> Any:
    return special.gammaln(n + 1) - np.sum(special.gammaln(x + 1), axis=-1)


multivariate_normal = MultivariateNormal("multivariate_normal")
dirichlet = Dirichlet("dirichlet")
multinomial = Multinomial("multinomial")
