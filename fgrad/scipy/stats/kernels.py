"""Density estimates from samples with Gaussian kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.stats
from scipy import special

from ...arrays import shape_of
from ...core import Tracer
from ...errors import ShapeError, describe
from ...tracer import register
from ..special.sums import logsumexp
from .arguments import number
from .real_line import LOG_2PI
from .vectors import array


class gaussian_kde:
    """`scipy.stats.gaussian_kde`, in the sample, the weights, the bandwidth and the points.

    Args:
        dataset: the sample, of shape (n,) or (d, n).
        bw_method: "scott" (also for None), "silverman", a number, or a function of this object.
        weights: of shape (n,), or None for equal ones.

    >>> kde = gaussian_kde(np.array([-1.0, 0.0, 2.0]))
    >>> kde(np.array([0.0, 5.0])).round(4)
    array([0.2149, 0.0055])
    """

    def __init__(self, dataset: Any, bw_method: Any = None, weights: Any = None) -> None:
        self.dataset = np.atleast_2d(array(dataset))
        self.d, self.n = shape_of(self.dataset)
        if self.d * self.n < 2:
            raise ValueError("`dataset` input should have multiple elements.")
        if self.d > self.n:
            raise ShapeError(
                "gaussian_kde wants at least as many samples as dimensions.",
                describe(dataset),
                "pass the transpose: each column is a sample",
            )
        if weights is None:
            weights = np.full(self.n, 1 / self.n, self.dataset.dtype)
        else:
            weights = array(weights)
            if shape_of(weights) != (self.n,):
                raise ShapeError(
                    f"gaussian_kde wants a weight for each of the {self.n} samples.",
                    describe(weights),
                    "leave the weights away, or pass as many as there are columns",
                )
            weights = weights / np.sum(weights)
        self.weights = weights
        self.neff = 1 / np.sum(weights * weights)
        self._method: Any = "scott"
        self.set_bandwidth(bw_method)

    def scotts_factor(self) -> Any:
        """Scott's bandwidth."""
        return self.neff ** (-1 / (self.d + 4))

    def silverman_factor(self) -> Any:
        """Silverman's bandwidth."""
        return (self.neff * (self.d + 2) / 4) ** (-1 / (self.d + 4))

    def set_bandwidth(self, bw_method: Any = None) -> None:
        """Set the bandwidth; None keeps the method, which is Scott's at first."""
        if bw_method is not None:
            self._method = bw_method
        self.factor = self._bandwidth(self._method)
        mean = np.sum(self.dataset * self.weights, axis=1, keepdims=True)
        x = self.dataset - mean
        spread = np.matmul(x * self.weights, np.transpose(x))
        spread = spread / (1 - np.sum(np.square(self.weights)))
        root = np.linalg.cholesky(spread)
        self.covariance = spread * np.square(self.factor)
        self.cho_cov = root * self.factor
        self.log_det = 2 * np.sum(np.log(np.diagonal(self.cho_cov))) + self.d * LOG_2PI

    def _bandwidth(self, method: Any) -> Any:
        if callable(method):
            return method(self)
        if isinstance(method, str):
            factors = {"scott": self.scotts_factor, "silverman": self.silverman_factor}
            if method in factors:
                return factors[method]()
        elif isinstance(method, Tracer) or np.ndim(method) == 0:
            return number(method)
        raise ValueError("`bw_method` should be 'scott', 'silverman', a scalar or a callable.")

    def _distances(self, points: Any) -> Any:
        """Half the squared distances of points from samples, in bandwidths: (m, n)."""
        points = np.atleast_2d(array(points))
        d, m = shape_of(points)
        if d != self.d:
            if (d, m) != (1, self.d):
                raise ShapeError(
                    f"gaussian_kde of {self.d} dimensions wants points of shape ({self.d}, m).",
                    describe(points),
                    "pass the transpose: each column is a point",
                )
            points = np.reshape(points, (self.d, 1))
        x, y = (np.linalg.solve(self.cho_cov, z) for z in (points, self.dataset))
        return 0.5 * np.sum(np.square(np.expand_dims(x, 2) - np.expand_dims(y, 1)), axis=0)

    def evaluate(self, points: Any) -> Any:
        """The density at points of shape (m,) or (d, m)."""
        kernels = np.exp(-self._distances(points) - 0.5 * self.log_det)
        return np.sum(kernels * self.weights, axis=1)

    __call__ = pdf = evaluate

    def logpdf(self, x: Any) -> Any:
        """The logarithm of the density, where the density underflows, too."""
        return logsumexp(-self._distances(x), axis=1, b=self.weights) - 0.5 * self.log_det

    def integrate_box_1d(self, low: Any, high: Any) -> Any:
        """The integral of a density on the line between two numbers."""
        if self.d != 1:
            raise ValueError("integrate_box_1d() only handles 1D pdfs")
        deviation = self.cho_cov[0, 0]
        high, low = ((number(x) - self.dataset[0]) / deviation for x in (high, low))
        return np.sum((special.ndtr(high) - special.ndtr(low)) * self.weights)

    def integrate_gaussian(self, mean: Any, cov: Any) -> Any:
        """The integral of the density times that of a normal distribution."""
        mean, cov = np.reshape(array(mean), (self.d, 1)), np.atleast_2d(array(cov))
        return _overlap(self.dataset - mean, self.weights, self.covariance + cov)

    def integrate_kde(self, other: gaussian_kde) -> Any:
        """The integral of the product of two densities."""
        if other.d != self.d:
            raise ValueError("KDEs are not the same dimensionality")
        gaps = np.expand_dims(self.dataset, 2) - np.expand_dims(other.dataset, 1)
        weights = np.reshape(np.expand_dims(self.weights, 1) * other.weights, (-1,))
        return _overlap(np.reshape(gaps, (self.d, -1)), weights, self.covariance + other.covariance)


def _overlap(x: Any, weights: Any, cov: Any) -> Any:
    """The weighted sum of normal densities at the columns of x."""
    root = np.linalg.cholesky(cov)
    log_det = np.sum(np.log(np.diagonal(root))) + 0.5 * shape_of(x)[0] * LOG_2PI
    squares = np.sum(np.square(np.linalg.solve(root, x)), axis=0)
    return np.sum(weights * np.exp(-0.5 * squares - log_det))


register(scipy.stats.gaussian_kde, gaussian_kde)
