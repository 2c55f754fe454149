"""Functions of matrices. Their derivatives are corners of the functions of larger matrices.

The derivative of f at a in the direction e is the upper right block of f([[a, e], [0, a]]), and
its adjoint that at a^T (N. Higham, Functions of Matrices, 2008, sections 3.1 and 3.2). So each
rule is the function itself again, and differentiates to any order.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import linalg

from ...arrays import is_a, shape_of
from ...core import Array
from ...derivatives import jvp
from ...doors import offers
from ...errors import NoRuleError
from ...ops.casts import stop_gradient_leaf
from ...ops.contract import mT
from ...rules import cast, primitive, total
from .equations import sylvester
from .tools import arrays, block, corner, over_batch, product, right_over, stacked


def _square(a: Any) -> Any:
    a = arrays(a, check_finite=False)
    shape = shape_of(a)
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ValueError("expected square array_like input")
    return a


# ------------------------------------------------------------------ the exponential
def _frechet_jvp(ts: Any, ans: Any, a: Array, e: Array) -> Array:
    t_a, t_e = ts
    return total(
        [
            None if t_e is None else _frechet(a, t_e),
            None if t_a is None else _second(a, e, t_a),
        ]
    )


def _second(a: Array, e: Array, t: Array) -> Array:
    """The second derivative of the exponential in the directions e and t."""
    a, e, t = stacked([a, e, t], (2, 2, 2))
    return corner(_frechet(block(a, e), block(t, np.zeros_like(t))))


@primitive(
    linalg.expm_frechet,
    jvp=_frechet_jvp,
    vjp=[
        lambda g, ans, a, e: _second(mT(a), mT(e), g),
        lambda g, ans, a, e: _frechet(mT(a), g),
    ],
    impl=over_batch(
        lambda a, e: cast(linalg.expm_frechet(a, e, compute_expm=False), a.dtype), (2, 2)
    ),
)
def _frechet(a: Any, e: Any) -> Any:
    a, e = stacked([a, e], (2, 2))
    dtype = np.result_type(a.dtype, e.dtype)
    return [a.astype(dtype), e.astype(dtype)], {}


@primitive(
    linalg.expm,
    jvp=lambda ts, ans, a: _frechet(a, ts[0]),
    vjp=[lambda g, ans, a: _frechet(mT(a), g)],
    impl=lambda a: linalg.expm(a),
)
def _expm(a: Any) -> Any:
    return (a,), {}


@offers(linalg.expm)
def expm(A: Any) -> Any:
    """`scipy.linalg.expm`."""
    return _expm(_square(A))


@offers(linalg.expm_frechet)
def expm_frechet(
    A: Any, E: Any, method: Any = None, compute_expm: bool = True, check_finite: bool = True
) -> Any:
    """`scipy.linalg.expm_frechet`, in both of its arguments; of double precision."""
    a, e = arrays(A, E, check_finite=check_finite)
    wide = np.complex128 if a.dtype.kind == "c" else np.float64
    a, e = a.astype(wide), e.astype(wide)
    if method not in (None, "SPS", "blockEnlarge"):
        raise ValueError(f"Unknown implementation {method}")
    d = _frechet(a, e)
    return (_expm(a), d) if compute_expm else d


# ------------------------------------------------------------------ circular and hyperbolic
def _plus_and_minus(a: Any) -> tuple[Any, Any]:
    return _expm(1j * a), _expm(-1j * a)


@offers(linalg.cosm)
def cosm(A: Any) -> Any:
    """`scipy.linalg.cosm`."""
    a = _square(A)
    if a.dtype.kind != "c":
        return np.real(_expm(1j * a))
    plus, minus = _plus_and_minus(a)
    return (plus + minus) / 2


@offers(linalg.sinm)
def sinm(A: Any) -> Any:
    """`scipy.linalg.sinm`."""
    a = _square(A)
    if a.dtype.kind != "c":
        return np.imag(_expm(1j * a))
    plus, minus = _plus_and_minus(a)
    return -0.5j * (plus - minus)


@offers(linalg.tanm)
def tanm(A: Any) -> Any:
    """`scipy.linalg.tanm`."""
    return np.linalg.solve(cosm(A), sinm(A))


@offers(linalg.coshm)
def coshm(A: Any) -> Any:
    """`scipy.linalg.coshm`."""
    a = _square(A)
    return (_expm(a) + _expm(-a)) / 2


@offers(linalg.sinhm)
def sinhm(A: Any) -> Any:
    """`scipy.linalg.sinhm`."""
    a = _square(A)
    return (_expm(a) - _expm(-a)) / 2


@offers(linalg.tanhm)
def tanhm(A: Any) -> Any:
    """`scipy.linalg.tanhm`."""
    return np.linalg.solve(coshm(A), sinhm(A))


# ------------------------------------------------------------------ roots and logarithms
def _sqrtm_equation(x: Array, right: Array) -> Array:
    """d with x d + d x = right."""
    return sylvester(x, x, right)


@primitive(
    linalg.sqrtm,
    jvp=lambda ts, ans, a: _sqrtm_equation(ans, ts[0]),
    vjp=[lambda g, ans, a: cast(_sqrtm_equation(mT(ans), g), a.dtype)],
    impl=over_batch(linalg.sqrtm),
)
def _sqrtm(a: Any) -> Any:
    return (a,), {}


@offers(linalg.sqrtm)
def sqrtm(A: Any, disp: bool = True, blocksize: Any = None) -> Any:
    """`scipy.linalg.sqrtm`, of matrices whose square root has a derivative: without eigenvalue 0.

    N. Higham, Functions of Matrices, 2008, section 6.1: x dx + dx x = da.
    """
    x = _sqrtm(_square(A))
    if disp:
        return x
    error = np.linalg.norm(np.matmul(x, x) - A) ** 2 / np.linalg.norm(A)
    return x, error


def _off_the_cut(a: Array, d: Array) -> Array:
    """A derivative; NaN where an eigenvalue is on the negative axis, where logarithms jump."""
    w = np.linalg.eigvals(stop_gradient_leaf(a))
    near = np.less_equal(np.abs(np.imag(w)), 1e-8 * np.abs(w))
    cut = np.any(np.logical_and(near, np.less(np.real(w), 0)), axis=-1)
    return np.where(np.expand_dims(cut, (-2, -1)), np.nan, d)


def _logm_impl(a: Any) -> Any:
    with np.errstate(all="ignore"):
        return linalg.logm(a)


@primitive(
    linalg.logm,
    jvp=lambda ts, ans, a: _off_the_cut(a, corner(_logm(block(a, ts[0])))),
    vjp=[lambda g, ans, a: cast(_log_adjoint(a, g), a.dtype)],
    impl=over_batch(_logm_impl),
)
def _logm(a: Any) -> Any:
    return (a,), {}


def _log_adjoint(a: Array, g: Array) -> Array:
    dtype = np.result_type(a.dtype, g.dtype)
    return _off_the_cut(a, corner(_logm(block(mT(a).astype(dtype), g.astype(dtype)))))


@offers(linalg.logm)
def logm(A: Any, disp: bool = True) -> Any:
    """`scipy.linalg.logm`: of double precision; NaN where an eigenvalue is negative."""
    a = _square(A)
    a = a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)
    x = _logm(a)
    if disp:
        return x
    return x, np.linalg.norm(_expm(x) - a, 1) / np.linalg.norm(a, 1)


def _power_impl(a: Any, *, t: float) -> Any:
    return linalg.fractional_matrix_power(a, t)


@primitive(
    linalg.fractional_matrix_power,
    jvp=lambda ts, ans, a, *, t: _off_the_cut(a, corner(_power(block(a, ts[0]), t))),
    vjp=[lambda g, ans, a, *, t: cast(_power_adjoint(a, g, t), a.dtype)],
    impl=over_batch(_power_impl),
)
def _power(a: Any, t: float) -> Any:
    return (a,), {"t": t}


def _power_adjoint(a: Array, g: Array, t: float) -> Array:
    dtype = np.result_type(a.dtype, g.dtype)
    return _off_the_cut(a, corner(_power(block(mT(a).astype(dtype), g.astype(dtype)), t)))


@offers(linalg.fractional_matrix_power)
def fractional_matrix_power(A: Any, t: Any) -> Any:
    """`scipy.linalg.fractional_matrix_power`, in the matrix and in a traced exponent."""
    a = _square(A)
    if is_a(t, (int, np.integer)) or (is_a(t, float) and t == int(t)):
        return np.linalg.matrix_power(a, int(t))
    a = a.astype(np.complex128 if a.dtype.kind == "c" else np.float64)
    if is_a(t, (float, np.floating)):
        return _power(a, float(t))
    return _expm(t * _logm(a))


# ------------------------------------------------------------------ sign
def _sign_jvp(ts: Any, ans: Array, a: Array) -> Array:
    """N. Higham, Functions of Matrices, 2008, section 5.1: with n = s a, n ds + ds n = da - s da s.

    The eigenvalues of n have positive real parts.
    """
    s = ans
    n = np.matmul(s, a)
    return sylvester(n, n, ts[0] - product(s, ts[0], s))


def _sign_vjp(g: Array, ans: Array, a: Array) -> Array:
    s = mT(ans)
    n = np.matmul(mT(a), s)
    x = sylvester(n, n, g)
    return x - product(s, x, s)


@primitive(linalg.signm, jvp=_sign_jvp, vjp=[_sign_vjp], impl=over_batch(linalg.signm))
def _signm(a: Any) -> Any:
    return (a,), {}


@offers(linalg.signm)
def signm(A: Any) -> Any:
    """`scipy.linalg.signm`, of matrices without eigenvalues on the imaginary axis."""
    return _signm(_square(A))


# ------------------------------------------------------------------ any function
#: Gauss's rule on [0, 1]: divided differences of polynomials up to degree 15 are exact.
_NODES, _WEIGHTS = (y / 2 for y in np.polynomial.legendre.leggauss(8))


def _divided(func: Callable[[Any], Any], w: Array) -> Array:
    """(f(w_i) - f(w_j)) / (w_i - w_j), and the mean of f' between two values that are close."""
    x, y = np.expand_dims(w, -1), np.expand_dims(w, -2)
    gap = x - y
    size = np.maximum(np.abs(x), np.abs(y))
    near = np.less_equal(np.abs(gap), 1e-2 * size)
    f = func(w)
    apart = (np.expand_dims(f, -1) - np.expand_dims(f, -2)) / np.where(near, 1, gap)
    mean = 0
    for node, weight in zip(_NODES, _WEIGHTS, strict=True):
        z = np.where(near, y + (0.5 + node) * gap, y + 0 * x)
        mean = mean + weight * jvp(func, (z,), (np.ones_like(z),))[1]
    return np.where(near, mean, apart)


def _general(func: Callable[[Any], Any]) -> Callable[[Any, Any], Any]:
    """The derivative of a function of a matrix with a basis of eigenvectors.

    Y. Daleckii and S. Krein, 1951: v (f[w_i, w_j] * (v^-1 e v)) v^-1, f[,] a divided difference.
    """

    def derivative(a: Array, e: Array) -> Array:
        w, v = np.linalg.eig(a.astype(np.result_type(a.dtype, np.complex64)))
        inside = _divided(func, w) * np.linalg.solve(v, np.matmul(e, v))
        return right_over(np.matmul(v, inside), v)

    return derivative


def _funm_jvp(ts: Any, ans: Any, a: Array, *, func: Any) -> Array:
    return _general(func)(a, ts[0])


def _funm_vjp(g: Array, ans: Any, a: Array, *, func: Any) -> Array:
    return cast(_general(func)(mT(a), g), a.dtype)


def _funm_impl(a: Any, *, func: Any) -> Any:
    return linalg.funm(a, func, disp=False)[0]


@primitive(linalg.funm, jvp=_funm_jvp, vjp=[_funm_vjp], impl=over_batch(_funm_impl))
def _funm(a: Any, func: Any) -> Any:
    return (a,), {"func": func}


@offers(linalg.funm)
def funm(A: Any, func: Callable[[Any], Any], disp: bool = True) -> Any:
    """`scipy.linalg.funm`, of matrices with a basis of eigenvectors.

    Args:
        A: a square matrix, or a stack of them; eigenvalues may be equal.
        func: an analytic function of arrays that fgrad differentiates.
    """
    if not disp:
        raise NoRuleError(
            "`scipy.linalg.funm` of traced values has no estimate of its error.",
            "disp=False",
            "leave disp away, and ask for the estimate outside of the traced function",
        )
    return _funm(_square(A), func)
