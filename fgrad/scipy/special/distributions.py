"""The distribution functions among the ufuncs: of the gamma, beta, F and t families.

They are incomplete gamma and beta functions, and so are their derivatives.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import special

from ...ops.ufuncs import ratio
from ...rules import elementwise
from .declare import whole
from .errors import normal_density
from .incomplete import gammainc_a, gammainc_x
from .incomplete_beta import beta_kernel, betainc_x, slope_a, slope_over_kernel


# ------------------------------------------------------------------ the gamma distribution's
def _chi_v(v: Any, x: Any) -> Any:
    return 0.5 * gammainc_a(0.5 * v, 0.5 * x)


def _chi_x(v: Any, x: Any) -> Any:
    return 0.5 * gammainc_x(0.5 * v, 0.5 * x)


elementwise(special.chdtr, lambda ans, v, x: _chi_v(v, x), lambda ans, v, x: _chi_x(v, x))
elementwise(special.chdtrc, lambda ans, v, x: -_chi_v(v, x), lambda ans, v, x: -_chi_x(v, x))
elementwise(
    special.chdtri,
    lambda ans, v, p: -ratio(_chi_v(v, ans), _chi_x(v, ans)),
    lambda ans, v, p: -1 / _chi_x(v, ans),
)
elementwise(
    special.gdtr,
    lambda ans, a, b, x: x * gammainc_x(b, a * x),
    lambda ans, a, b, x: gammainc_a(b, a * x),
    lambda ans, a, b, x: a * gammainc_x(b, a * x),
)
elementwise(
    special.gdtrc,
    lambda ans, a, b, x: -x * gammainc_x(b, a * x),
    lambda ans, a, b, x: -gammainc_a(b, a * x),
    lambda ans, a, b, x: -a * gammainc_x(b, a * x),
)
elementwise(special.pdtr, whole("pdtr", "k"), lambda ans, k, m: -gammainc_x(np.floor(k) + 1, m))
elementwise(special.pdtrc, whole("pdtrc", "k"), lambda ans, k, m: gammainc_x(np.floor(k) + 1, m))


# ------------------------------------------------------------------ the beta distribution's
def _binomial_p(k: Any, n: Any, p: Any) -> Any:
    """The derivative of bdtrc(k, n, p) in p."""
    k = np.floor(k)
    good = np.logical_and(np.greater_equal(k, 0), np.less(k, n))
    return np.where(good, betainc_x(np.where(good, k, 0) + 1, np.where(good, n - k, 1), p), 0.0)


elementwise(
    special.bdtr, whole("bdtr", "k"), whole("bdtr"), lambda ans, k, n, p: -_binomial_p(k, n, p)
)
elementwise(
    special.bdtrc, whole("bdtrc", "k"), whole("bdtrc"), lambda ans, k, n, p: _binomial_p(k, n, p)
)
elementwise(
    special.nbdtr, whole("nbdtr", "k"), whole("nbdtr"),
    lambda ans, k, n, p: betainc_x(n, np.floor(k) + 1, p),
)  # fmt: skip
elementwise(
    special.nbdtrc, whole("nbdtrc", "k"), whole("nbdtrc"),
    lambda ans, k, n, p: -betainc_x(n, np.floor(k) + 1, p),
)  # fmt: skip


# ------------------------------------------------------------------ Fisher's F
def _f_parts(m: Any, n: Any, x: Any) -> tuple[Any, Any, Any]:
    """dfn x / (dfd + dfn x), its complement, and the kernel, which is x times the density."""
    both = n + m * x
    w, y = m * x / both, n / both
    return w, y, beta_kernel(0.5 * m, 0.5 * n, w, y)


def _f_m(m: Any, n: Any, x: Any) -> Any:
    w, y, kernel = _f_parts(m, n, x)
    return 0.5 * slope_a(0.5 * m, 0.5 * n, w, y) + kernel / m


def _f_n(m: Any, n: Any, x: Any) -> Any:
    w, y, kernel = _f_parts(m, n, x)
    return -0.5 * slope_a(0.5 * n, 0.5 * m, y, w) - kernel / n


def _f_x(m: Any, n: Any, x: Any) -> Any:
    inside = np.logical_and(np.greater(x, 0), np.isfinite(x))
    safe = np.where(inside, x, 1.0)
    at_zero = np.where(np.equal(m, 2), 1.0, np.where(np.less(m, 2), np.inf, 0.0))
    outside = np.where(np.equal(x, 0), at_zero, np.where(np.isposinf(x), 0.0, np.nan))
    return np.where(inside, _f_parts(m, n, safe)[2] / safe, outside)


elementwise(
    special.fdtr,
    lambda ans, m, n, x: _f_m(m, n, x),
    lambda ans, m, n, x: _f_n(m, n, x),
    lambda ans, m, n, x: _f_x(m, n, x),
)
elementwise(
    special.fdtrc,
    lambda ans, m, n, x: -_f_m(m, n, x),
    lambda ans, m, n, x: -_f_n(m, n, x),
    lambda ans, m, n, x: -_f_x(m, n, x),
)
elementwise(
    special.fdtri,
    lambda ans, m, n, p: -ratio(_f_m(m, n, ans), _f_x(m, n, ans)),
    lambda ans, m, n, p: -ratio(_f_n(m, n, ans), _f_x(m, n, ans)),
    lambda ans, m, n, p: 1 / _f_x(m, n, ans),
)


# ------------------------------------------------------------------ Student's t
def _t_density(n: Any, t: Any) -> Any:
    finite = np.isfinite(n)
    n = np.where(finite, n, 1.0)
    power = -0.5 * (n + 1) * np.log1p(t * t / n)
    density = np.exp(power - special.betaln(0.5, 0.5 * n)) / np.sqrt(n)
    return np.where(finite, density, normal_density(t))


def _t_n(n: Any, t: Any) -> Any:
    # t times the density is the kernel with the sign of t, and smooth at t = 0.
    finite = np.isfinite(n)
    n = np.where(finite, n, 1.0)
    y, w = n / (n + t * t), t * t / (n + t * t)
    inner = 0.5 * slope_over_kernel(0.5 * n, 0.5 * np.ones_like(t), y, w) + 1 / n
    return np.where(finite, -0.5 * t * _t_density(n, t) * inner, 0.0)


elementwise(special.stdtr, lambda ans, n, t: _t_n(n, t), lambda ans, n, t: _t_density(n, t))
elementwise(
    special.stdtrit,
    lambda ans, n, p: -ratio(_t_n(n, ans), _t_density(n, ans)),
    lambda ans, n, p: 1 / _t_density(n, ans),
)
